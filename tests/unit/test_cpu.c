#include "tests/support/unit.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "drivers/cpu.h"

static cpu_set_t all;

static int affinity_keep(void **state)
{
    (void)state;
    CPU_ZERO(&all);
    return sched_getaffinity(0, sizeof(all), &all);
}

static int affinity_restore(void **state)
{
    (void)state;
    return sched_setaffinity(0, sizeof(all), &all);
}

static void the_list_is_our_affinity_in_order(void **state)
{
    (void)state;
    uint16_t cores[CPU_COUNT_MAX];
    uint32_t count = cpu_list(cores);
    assert_int_equal(count, CPU_COUNT(&all));
    for (uint32_t i = 0; i < count; i++) {
        assert_true(CPU_ISSET(cores[i], &all));
        assert_true(i == 0 || cores[i] > cores[i - 1]);
    }
}

static void polling_cores_come_from_the_end_and_one_is_left_for_serving(void **state)
{
    (void)state;
    uint16_t cores[CPU_COUNT_MAX];
    uint32_t count = cpu_list(cores);
    struct cpu_layout layout;
    cpu_layout_choose(0, &layout);
    assert_int_equal(layout.shard_count, count > 1 ? count - 1 : 1);
    assert_int_equal(layout.shared, count == 1);
    assert_int_equal(layout.shard_core[layout.shard_count - 1], cores[count - 1]);
    assert_int_equal(layout.serving_core[0], cores[0]);
    assert_int_equal(layout.serving_count, 1);
}

static void more_shards_than_cores_share_them(void **state)
{
    (void)state;
    uint16_t cores[CPU_COUNT_MAX];
    uint32_t count = cpu_list(cores);
    for (uint32_t shards = count; shards < count + 5; shards++) {
        struct cpu_layout layout;
        cpu_layout_choose(shards, &layout);
        assert_int_equal(layout.shard_count, shards);
        assert_true(layout.shared);
        assert_int_equal(layout.serving_count, count);
        for (uint32_t i = 0; i < shards; i++) {
            assert_true(CPU_ISSET(layout.shard_core[i], &all));
        }
    }
}

static void one_core_is_shared(void **state)
{
    (void)state;
    uint16_t cores[CPU_COUNT_MAX];
    (void)cpu_list(cores);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cores[0], &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    struct cpu_layout layout;
    cpu_layout_choose(0, &layout);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
    assert_int_equal(layout.shard_count, 1);
    assert_int_equal(layout.shard_core[0], cores[0]);
    assert_int_equal(layout.serving_count, 1);
    assert_int_equal(layout.serving_core[0], cores[0]);
    assert_true(layout.shared);
}

struct seen {
    _Atomic bool ready;
    _Atomic bool stop;
    cpu_set_t set;
    char name[16];
};

static void *look_around(void *argument)
{
    struct seen *seen = argument;
    struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
    CPU_ZERO(&seen->set);
    (void)sched_getaffinity(0, sizeof(seen->set), &seen->set);
    (void)pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
    atomic_store(&seen->ready, true);
    while (!atomic_load(&seen->stop)) {
        nanosleep(&pause, NULL);
    }
    (void)sched_getaffinity(0, sizeof(seen->set), &seen->set);
    return NULL;
}

static void seen_wait(struct seen *seen)
{
    struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < 5000 && !atomic_load(&seen->ready); i++) {
        nanosleep(&pause, NULL);
    }
    assert_true(atomic_load(&seen->ready));
}

static void threads_run_where_they_are_told(void **state)
{
    (void)state;
    struct cpu_layout layout;
    cpu_layout_choose(0, &layout);
    struct seen pinned = {0};
    struct seen serving = {0};
    pthread_t threads[2];
    assert_int_equal(cpu_thread_start(&layout, layout.shard_core[0], "shard-0", look_around,
                                      &pinned, &threads[0]),
                     RESULT_OK);
    assert_int_equal(
        cpu_thread_start(&layout, -1, "serve-123456789", look_around, &serving, &threads[1]),
        RESULT_OK);
    seen_wait(&pinned);
    seen_wait(&serving);
    assert_int_equal(CPU_COUNT(&pinned.set), 1);
    assert_true(CPU_ISSET(layout.shard_core[0], &pinned.set));
    assert_string_equal(pinned.name, "shard-0");
    assert_int_equal(CPU_COUNT(&serving.set), layout.serving_count);
    assert_true(CPU_ISSET(layout.serving_core[0], &serving.set));
    assert_string_equal(serving.name, "serve-123456789");
    atomic_store(&pinned.stop, true);
    atomic_store(&serving.stop, true);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

static void helpers_move_off_the_polling_cores_and_polling_threads_stay(void **state)
{
    (void)state;
    struct cpu_layout layout;
    cpu_layout_choose(0, &layout);
    struct seen polling = {0};
    struct seen helper = {0};
    pthread_t threads[2];
    assert_int_equal(cpu_thread_start(&layout, layout.shard_core[0], "shard-0", look_around,
                                      &polling, &threads[0]),
                     RESULT_OK);
    assert_int_equal(pthread_create(&threads[1], NULL, look_around, &helper), 0);
    seen_wait(&polling);
    seen_wait(&helper);
    cpu_move_helpers(&layout);
    atomic_store(&polling.stop, true);
    atomic_store(&helper.stop, true);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(CPU_COUNT(&polling.set), 1);
    assert_true(CPU_ISSET(layout.shard_core[0], &polling.set));
    assert_int_equal(CPU_COUNT(&helper.set), layout.serving_count);
    for (uint32_t i = 0; i < layout.serving_count; i++) {
        assert_true(CPU_ISSET(layout.serving_core[i], &helper.set));
    }
}

static void a_core_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct cpu_layout layout;
    cpu_layout_choose(0, &layout);
    pthread_t thread;
    assert_int_equal(
        cpu_thread_start(&layout, CPU_SETSIZE - 1, "nowhere", look_around, NULL, &thread),
        RESULT_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_is_our_affinity_in_order),
        cmocka_unit_test(polling_cores_come_from_the_end_and_one_is_left_for_serving),
        cmocka_unit_test(more_shards_than_cores_share_them),
        cmocka_unit_test_teardown(one_core_is_shared, affinity_restore),
        cmocka_unit_test(threads_run_where_they_are_told),
        cmocka_unit_test_teardown(helpers_move_off_the_polling_cores_and_polling_threads_stay,
                                  affinity_restore),
        cmocka_unit_test(a_core_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, affinity_keep, affinity_restore);
}
