#include "tests/support/unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "dataplane/base/random.h"
#include "dataplane/base/ring.h"
#include "dataplane/base/units.h"

#define LINES_MAX 64
/* Greatest size of a record in n lines. */
#define LINE_RECORD(n) ((n)*CACHE_LINE_BYTES - 8)

static alignas(CACHE_LINE_BYTES) uint8_t lines[LINES_MAX * CACHE_LINE_BYTES];
static struct ring ring;

static void push_filled(uint32_t size, uint8_t fill)
{
    void *record = ring_push(&ring, size);
    assert_non_null(record);
    memset(record, fill, size);
}

static void pop_filled(uint32_t size, uint8_t fill)
{
    uint32_t found;
    const uint8_t *record = ring_pop(&ring, &found);
    assert_non_null(record);
    assert_int_equal(found, size);
    for (uint32_t i = 0; i < size; i++) {
        assert_int_equal(record[i], fill);
    }
}

static void assert_empty(void)
{
    uint32_t size;
    assert_null(ring_pop(&ring, &size));
}

static void a_fresh_ring_is_empty(void **state)
{
    (void)state;
    ring_init(&ring, lines, 8);
    assert_empty();
    assert_int_equal(ring_footprint(8), 512);
}

static void a_line_count_is_a_power_of_two(void **state)
{
    (void)state;
    expect_assert_failure(ring_init(&ring, lines, 0));
    expect_assert_failure(ring_init(&ring, lines, 1));
    expect_assert_failure(ring_init(&ring, lines, 12));
    expect_assert_failure(ring_init(&ring, lines + 8, 8));
}

static void records_are_seen_only_after_push_finish(void **state)
{
    (void)state;
    ring_init(&ring, lines, 8);
    push_filled(10, 1);
    push_filled(20, 2);
    assert_empty();
    ring_push_finish(&ring);
    pop_filled(10, 1);
    pop_filled(20, 2);
    assert_empty();
}

static void a_full_ring_refuses_until_records_are_given_back(void **state)
{
    (void)state;
    ring_init(&ring, lines, 8);
    for (uint8_t i = 0; i < 8; i++) {
        push_filled(LINE_RECORD(1), i);
    }
    assert_null(ring_push(&ring, 0));
    ring_push_finish(&ring);
    pop_filled(LINE_RECORD(1), 0);
    assert_null(ring_push(&ring, 0));
    ring_pop_finish(&ring);
    push_filled(LINE_RECORD(1), 8);
    assert_null(ring_push(&ring, 0));
    ring_push_finish(&ring);
    for (uint8_t i = 1; i <= 8; i++) {
        pop_filled(LINE_RECORD(1), i);
    }
    assert_empty();
}

static void records_of_every_size_come_back_whole(void **state)
{
    (void)state;
    for (uint32_t size = 0; size <= LINE_RECORD(4); size++) {
        ring_init(&ring, lines, 8);
        push_filled(size, (uint8_t)size);
        ring_push_finish(&ring);
        pop_filled(size, (uint8_t)size);
        assert_empty();
    }
}

static void a_record_is_at_most_half_the_ring(void **state)
{
    (void)state;
    ring_init(&ring, lines, 8);
    expect_assert_failure((void)ring_push(&ring, LINE_RECORD(4) + 1));
}

static void a_record_is_never_split_over_the_end(void **state)
{
    (void)state;
    for (uint32_t before = 1; before < 8; before++) {
        ring_init(&ring, lines, 8);
        for (uint32_t i = 0; i < before; i++) {
            push_filled(1, 7);
            ring_push_finish(&ring);
            pop_filled(1, 7);
            ring_pop_finish(&ring);
        }
        const uint8_t *record = ring_push(&ring, LINE_RECORD(3));
        assert_non_null(record);
        assert_true(record + LINE_RECORD(3) <= lines + ring_footprint(8));
        assert_int_equal((uintptr_t)record % CACHE_LINE_BYTES, 8);
        memset(ring.lines + (record - lines), 9, LINE_RECORD(3));
        ring_push_finish(&ring);
        pop_filled(LINE_RECORD(3), 9);
        assert_empty();
    }
}

static void a_skip_that_leaves_no_room_refuses_and_writes_nothing(void **state)
{
    (void)state;
    ring_init(&ring, lines, 8);
    for (uint8_t i = 0; i < 6; i++) {
        push_filled(1, i);
    }
    ring_push_finish(&ring);
    pop_filled(1, 0);
    pop_filled(1, 1);
    ring_pop_finish(&ring);
    /* Two lines to the end, two free at the start: three in a row are nowhere. */
    assert_null(ring_push(&ring, LINE_RECORD(3)));
    push_filled(LINE_RECORD(2), 20);
    push_filled(LINE_RECORD(2), 21);
    ring_push_finish(&ring);
    for (uint8_t i = 2; i < 6; i++) {
        pop_filled(1, i);
    }
    pop_filled(LINE_RECORD(2), 20);
    pop_filled(LINE_RECORD(2), 21);
    assert_empty();
}

static void indexes_run_past_two_to_the_32(void **state)
{
    (void)state;
    ring_init(&ring, lines, 8);
    uint32_t start = UINT32_MAX - 10;
    atomic_store_explicit(&ring.shared_tail, start, memory_order_relaxed);
    atomic_store_explicit(&ring.shared_head, start, memory_order_relaxed);
    ring.tail_reserved = ring.head_cached = ring.head_reserved = ring.tail_cached = start;
    for (uint8_t i = 0; i < 100; i++) {
        uint32_t size = LINE_RECORD(1u + i % 4u);
        push_filled(size, i);
        ring_push_finish(&ring);
        pop_filled(size, i);
        ring_pop_finish(&ring);
    }
}

static void room_that_was_promised_is_there(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 11);
    ring_init(&ring, lines, 64);
    for (int i = 0; i < 20000; i++) {
        uint32_t size = (uint32_t)random_below(&random, LINE_RECORD(8));
        uint32_t count = 1 + (uint32_t)random_below(&random, 8);
        if (ring_has_room(&ring, size, count)) {
            for (uint32_t j = 0; j < count; j++) {
                push_filled((uint32_t)random_below(&random, size + 1u), 1);
            }
            ring_push_finish(&ring);
        }
        uint32_t found;
        for (uint64_t pops = random_below(&random, 6); pops > 0; pops--) {
            (void)ring_pop(&ring, &found);
        }
        ring_pop_finish(&ring);
    }
}

static void room_for_more_than_the_ring_is_refused(void **state)
{
    (void)state;
    ring_init(&ring, lines, 8);
    assert_true(ring_has_room(&ring, 1, 7));
    assert_false(ring_has_room(&ring, 1, 8));
    assert_false(ring_has_room(&ring, 1, UINT32_MAX));
    assert_false(ring_has_room(&ring, UINT32_MAX, UINT32_MAX));
}

/* Every sequence of eight steps (push of 1, 2, 3 or 4 lines with finish; pop with finish) on a ring
 * of eight lines, against a plain queue. */
static void every_short_history_equals_a_queue(void **state)
{
    (void)state;
    enum { STEPS = 8, KINDS = 5 };
    uint32_t histories = 1;
    for (int i = 0; i < STEPS; i++) {
        histories *= KINDS;
    }
    for (uint32_t history = 0; history < histories; history++) {
        uint32_t queue[STEPS];
        uint32_t first = 0;
        uint32_t last = 0;
        uint32_t rest = history;
        ring_init(&ring, lines, 8);
        for (int step = 0; step < STEPS; step++, rest /= KINDS) {
            uint32_t kind = rest % KINDS;
            uint32_t size;
            if (kind > 0) {
                size = (uint32_t)LINE_RECORD(kind) - history % 8;
                uint32_t *record = ring_push(&ring, size);
                if (record != NULL) {
                    *record = last;
                    queue[last++] = size;
                }
                ring_push_finish(&ring);
                continue;
            }
            const uint32_t *record = ring_pop(&ring, &size);
            assert_true((record == NULL) == (first == last));
            if (record != NULL) {
                assert_int_equal(*record, first);
                assert_int_equal(size, queue[first++]);
            }
            ring_pop_finish(&ring);
        }
    }
}

struct stress {
    struct ring *ring;
    uint64_t seed;
    uint32_t records;
    bool failed;
};

/* The record of number n: its size and bytes follow from n and the seed. */
static uint32_t stress_size(struct random *random)
{
    return 8 + (uint32_t)random_below(random, LINE_RECORD(6) - 8);
}

static void *stress_produce(void *argument)
{
    struct stress *stress = argument;
    struct random random;
    random_seed(&random, stress->seed);
    for (uint32_t number = 0; number < stress->records; number++) {
        uint32_t size = stress_size(&random);
        uint8_t *record;
        while ((record = ring_push(stress->ring, size)) == NULL) {
            ring_push_finish(stress->ring);
            (void)sched_yield();
        }
        memset(record, (int)(number & 0xff), size);
        memcpy(record, &number, sizeof(number));
        if (number % 3 == 0) {
            ring_push_finish(stress->ring);
        }
    }
    ring_push_finish(stress->ring);
    return NULL;
}

static void *stress_consume(void *argument)
{
    struct stress *stress = argument;
    struct random random;
    random_seed(&random, stress->seed);
    uint32_t number = 0;
    while (number < stress->records && !stress->failed) {
        uint32_t size;
        const uint8_t *record = ring_pop(stress->ring, &size);
        if (record == NULL) {
            ring_pop_finish(stress->ring);
            (void)sched_yield();
            continue;
        }
        uint32_t found;
        memcpy(&found, record, sizeof(found));
        stress->failed =
            found != number || size != stress_size(&random) || record[size - 1] != (uint8_t)number;
        number++;
        if (number % 5 == 0) {
            ring_pop_finish(stress->ring);
        }
    }
    ring_pop_finish(stress->ring);
    return NULL;
}

static void two_threads_pass_every_record_whole_and_in_order(void **state)
{
    (void)state;
    const char *seed_text = getenv("SEED");
    uint64_t seed = seed_text != NULL ? strtoull(seed_text, NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%llu\n", (unsigned long long)seed);
    ring_init(&ring, lines, 16);
    struct stress producer = {.ring = &ring, .seed = seed, .records = 100000};
    struct stress consumer = producer;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stress_consume, &consumer), 0);
    (void)stress_produce(&producer);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(consumer.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_ring_is_empty),
        cmocka_unit_test(a_line_count_is_a_power_of_two),
        cmocka_unit_test(records_are_seen_only_after_push_finish),
        cmocka_unit_test(a_full_ring_refuses_until_records_are_given_back),
        cmocka_unit_test(records_of_every_size_come_back_whole),
        cmocka_unit_test(a_record_is_at_most_half_the_ring),
        cmocka_unit_test(a_record_is_never_split_over_the_end),
        cmocka_unit_test(a_skip_that_leaves_no_room_refuses_and_writes_nothing),
        cmocka_unit_test(indexes_run_past_two_to_the_32),
        cmocka_unit_test(room_that_was_promised_is_there),
        cmocka_unit_test(room_for_more_than_the_ring_is_refused),
        cmocka_unit_test(every_short_history_equals_a_queue),
        cmocka_unit_test(two_threads_pass_every_record_whole_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
