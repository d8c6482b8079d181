/* Places of rows: never two in one, used again only when readers have passed, and never past the
 * region. */
#include "tests/support/unit.h"

#include <rte_rcu_qsbr.h>

#include "dataplane/base/random.h"
#include "dataplane/counters.h"
#include "dataplane/feature/row.h"
#include "dataplane/row_store.h"
#include "dataplane/table.h"
#include "drivers/memory.h"

#define CHUNKS  12u
#define READERS 2u
#define HELD    4096u

struct held {
    uint64_t *place;
    uint32_t class_index;
};

struct bench {
    struct row_store store;
    struct memory_region region;
    void *memory;
    uint8_t owner[CHUNKS * ROW_STORE_CHUNK_LINES]; /* Of each line: 0 free, 1 held, 2 retired. */
    struct held held[HELD];
    uint32_t held_count;
    uint64_t held_bytes;
};

static struct bench bench;

static void bench_open(uint32_t chunks)
{
    memset(&bench, 0, sizeof(bench));
    uint64_t region_bytes = chunks * ROW_STORE_CHUNK_BYTES;
    uint64_t bytes = align_up(row_store_footprint(region_bytes, READERS), CACHE_LINE_BYTES);
    bench.memory = aligned_alloc(CACHE_LINE_BYTES, bytes);
    assert_non_null(bench.memory);
    memset(bench.memory, 0, bytes);
    struct arena arena;
    arena_init(&arena, bench.memory, bytes);
    assert_int_equal(memory_map(region_bytes, 0, &bench.region), RESULT_OK);
    row_store_init(&bench.store, bench.region.base, region_bytes, READERS, &arena);
}

static void bench_close(void)
{
    memory_unmap(&bench.region);
    free(bench.memory);
}

static void lines_mark(const struct held *held, uint8_t from, uint8_t to)
{
    uint64_t line = row_store_line_of(&bench.store, held->place);
    uint32_t lines = row_store_class_lines(held->class_index);
    assert_int_equal(row_store_lines(&bench.store, line), lines);
    assert_ptr_equal(row_store_at(&bench.store, line), held->place);
    for (uint64_t i = line; i < line + lines; i++) {
        assert_true(i < bench.store.chunk_count * (uint64_t)ROW_STORE_CHUNK_LINES);
        assert_int_equal(bench.owner[i], from);
        bench.owner[i] = to;
    }
}

static bool held_take(uint32_t class_index)
{
    assert_true(bench.held_count < HELD);
    uint64_t *place = row_store_take(&bench.store, class_index);
    if (place == NULL) {
        return false;
    }
    assert_int_equal(place[ROW_VERSION] & (ROW_VERSION_DEAD | 1), 0);
    struct held held = {.place = place, .class_index = class_index};
    lines_mark(&held, 0, 1);
    /* Whoever has it writes all of it. */
    uint64_t version = place[ROW_VERSION];
    memset(place, 0xee, row_store_class_lines(class_index) * (size_t)CACHE_LINE_BYTES);
    place[ROW_VERSION] = version;
    bench.held[bench.held_count++] = held;
    bench.held_bytes += row_store_class_lines(class_index) * (uint64_t)CACHE_LINE_BYTES;
    return true;
}

static struct held held_retire(uint32_t index)
{
    struct held held = bench.held[index];
    bench.held[index] = bench.held[--bench.held_count];
    uint64_t version = held.place[ROW_VERSION];
    row_store_retire(&bench.store, held.place);
    assert_int_equal(held.place[ROW_VERSION], (version + 2) | ROW_VERSION_DEAD);
    bench.held_bytes -= row_store_class_lines(held.class_index) * (uint64_t)CACHE_LINE_BYTES;
    return held;
}

static void classes_grow_by_at_most_a_quarter(void **state)
{
    (void)state;
    uint32_t before = 1;
    for (uint32_t i = 0; i < ROW_STORE_CLASSES - 1; i++) {
        uint32_t lines = row_store_class_lines(i);
        assert_true(lines > before);
        assert_true(lines <= before + (before >= 8 ? before / 4 : 1));
        for (uint32_t wish = before + 1; wish <= lines; wish++) {
            assert_int_equal(row_store_class_of(wish), i);
        }
        before = lines;
    }
    assert_int_equal(before * (uint64_t)CACHE_LINE_BYTES, ROW_SIZE_MAX);
    assert_int_equal(row_store_class_of(before + 1), ROW_STORE_CLASSES);
    assert_int_equal(row_store_class_of(0), 0);
    assert_int_equal(row_store_class_lines(ROW_STORE_CLASSES - 1), TABLE_SEGMENT_LINES);
    expect_assert_failure(row_store_class_lines(ROW_STORE_CLASSES));
}

static void places_never_overlap_and_are_used_again(void **state)
{
    (void)state;
    bench_open(CHUNKS);
    struct random random;
    random_seed(&random, 1);
    uint32_t refused = 0;
    static struct held retired[HELD];
    for (uint32_t round = 0; round < 3000; round++) {
        /* Tides: some hundred rounds of more takes than retires, then the other way. */
        bool rising = round / 200 % 2 == 0;
        for (uint64_t i = random_below(&random, rising ? 30 : 10); i > 0; i--) {
            /* Mostly few classes, so that chunks do not run out by classes alone. */
            uint32_t class_index = (uint32_t)random_below(&random, 4) * 3;
            if (random_below(&random, 50) == 0) {
                class_index = ROW_STORE_CLASSES - 1 - (uint32_t)random_below(&random, 2);
            }
            refused += !held_take(class_index);
        }
        uint32_t count = 0;
        for (uint64_t i = random_below(&random, rising ? 10 : 40); i > 0 && bench.held_count > 0;
             i--) {
            retired[count++] = held_retire((uint32_t)random_below(&random, bench.held_count));
        }
        row_store_turn(&bench.store);
        /* Nobody reads: all is free again. */
        for (uint32_t i = 0; i < count; i++) {
            lines_mark(&retired[i], 1, 0);
        }
        assert_int_equal(counter_read(&bench.store.shared_used_bytes), bench.held_bytes);
        assert_true(bench.held_bytes <= CHUNKS * ROW_STORE_CHUNK_BYTES);
    }
    assert_true(refused > 0);
    bench_close();
}

static void a_full_region_refuses_and_goes_on_when_places_come_back(void **state)
{
    (void)state;
    bench_open(1);
    while (held_take(40)) {
    }
    uint32_t lines = row_store_class_lines(40);
    assert_int_equal(bench.held_count, ROW_STORE_CHUNK_LINES / lines);
    assert_false(held_take(0)); /* The only chunk has another class. */
    struct held held = held_retire(3);
    assert_false(held_take(40));
    row_store_turn(&bench.store);
    lines_mark(&held, 1, 0);
    assert_true(held_take(40));
    assert_ptr_equal(bench.held[bench.held_count - 1].place, held.place);
    assert_false(held_take(40));
    bench_close();
}

static void a_chunk_that_is_empty_again_serves_another_class(void **state)
{
    (void)state;
    bench_open(2);
    while (held_take(40)) {
    }
    assert_false(held_take(20));
    while (bench.held_count > 0) {
        struct held held = held_retire(bench.held_count - 1);
        lines_mark(&held, 1, 0);
    }
    row_store_turn(&bench.store);
    assert_int_equal(counter_read(&bench.store.shared_used_bytes), 0);
    /* One of the two changes class, whole; the other one only when there is no more. */
    uint32_t places = ROW_STORE_CHUNK_LINES / row_store_class_lines(20);
    for (uint32_t i = 0; i < places; i++) {
        assert_true(held_take(20));
    }
    assert_true(held_take(40));
    assert_false(held_take(20));
    struct held held = held_retire(bench.held_count - 1);
    lines_mark(&held, 1, 0);
    row_store_turn(&bench.store);
    for (uint32_t i = 0; i < places; i++) {
        assert_true(held_take(20));
    }
    assert_false(held_take(20));
    assert_false(held_take(40));
    assert_int_equal(bench.held[bench.held_count - 1].place[0] & 1, 0);
    bench_close();
}

/* One entity must reach its greatest row in any store, however few its chunks. */
static void a_row_that_grows_alone_takes_its_old_chunks_along(void **state)
{
    (void)state;
    bench_open(2);
    assert_true(held_take(0));
    for (uint32_t class_index = 1; class_index < ROW_STORE_CLASSES - 1; class_index++) {
        assert_true(held_take(class_index));
        struct held held = held_retire(0);
        lines_mark(&held, 1, 0);
        row_store_turn(&bench.store);
    }
    bench_close();
}

/* Rows of many sizes leave chunks of many classes half empty: that room is used before a row is
 * refused, but not for rows much smaller. */
static void at_the_cap_a_row_gets_a_larger_place_rather_than_none(void **state)
{
    (void)state;
    const uint32_t near = row_store_class_of(2 * 12);
    bench_open(2);
    assert_true(held_take(row_store_class_of(12)));
    assert_true(held_take(near));
    uint32_t given = 0;
    uint64_t *place;
    while ((place = row_store_take_near(&bench.store, row_store_class_of(12))) != NULL) {
        uint32_t lines = row_store_lines(&bench.store, row_store_line_of(&bench.store, place));
        assert_true(lines == 12 || lines == row_store_class_lines(near));
        given++;
    }
    assert_int_equal(given, ROW_STORE_CHUNK_LINES / 12 +
                                ROW_STORE_CHUNK_LINES / row_store_class_lines(near) - 2);
    assert_null(row_store_take(&bench.store, near));
    bench_close();
    bench_open(1);
    assert_true(held_take(row_store_class_of(5 * 12)));
    assert_null(row_store_take_near(&bench.store, row_store_class_of(12)));
    bench_close();
}

/* A chunk that rows are leaving gives no places, and is any class's when they have left. */
static void a_chunk_that_is_left_serves_another_class(void **state)
{
    (void)state;
    const uint32_t lines = row_store_class_lines(40);
    const uint32_t places = ROW_STORE_CHUNK_LINES / lines;
    uint32_t chunk = UINT32_MAX;
    bench_open(2);
    while (held_take(40)) {
    }
    assert_false(row_store_chunk_leave(&bench.store, 1, &chunk)); /* No room for its rows. */
    /* All but one of the first chunk's rows go, and half of the second's. */
    for (uint32_t i = 0; i < places + places / 2 - 1; i++) {
        uint32_t index = i < places - 1 ? 1 : 2;
        struct held held = held_retire(index < bench.held_count ? index : 0);
        lines_mark(&held, 1, 0);
    }
    row_store_turn(&bench.store);
    assert_int_equal(row_store_chunks_free(&bench.store), 0);
    assert_false(held_take(20));
    assert_false(row_store_chunk_leave(&bench.store, ROW_STORE_CHUNK_LINES, &chunk));
    assert_true(row_store_chunk_leave(&bench.store, ROW_STORE_CHUNK_LINES / 2, &chunk));
    assert_true(chunk < 2);
    assert_int_equal(bench.store.leaving, chunk + 1);
    for (uint32_t i = 0; i < bench.held_count;) {
        uint64_t line = row_store_line_of(&bench.store, bench.held[i].place);
        if (line / ROW_STORE_CHUNK_LINES != chunk) {
            i++;
            continue;
        }
        uint64_t *place = row_store_take_roomy(&bench.store, 40);
        assert_non_null(place);
        struct held moved = {.place = place, .class_index = 40};
        assert_int_not_equal(row_store_line_of(&bench.store, place) / ROW_STORE_CHUNK_LINES, chunk);
        lines_mark(&moved, 0, 1);
        bench.held_bytes += lines * (uint64_t)CACHE_LINE_BYTES;
        struct held held = held_retire(i);
        lines_mark(&held, 1, 0);
        bench.held[bench.held_count++] = moved;
    }
    row_store_chunk_left(&bench.store);
    row_store_turn(&bench.store);
    assert_int_equal(row_store_chunks_free(&bench.store), 1);
    assert_int_equal(counter_read(&bench.store.shared_taken_bytes), ROW_STORE_CHUNK_BYTES);
    assert_int_equal(counter_read(&bench.store.shared_used_bytes), bench.held_bytes);
    assert_true(held_take(20));
    bench_close();
}

/* Its class needs places before its rows have left: it stays. */
static void a_chunk_that_rows_leave_goes_on_when_its_class_needs_it(void **state)
{
    (void)state;
    uint32_t chunk = UINT32_MAX;
    bench_open(2);
    while (held_take(40)) {
    }
    uint32_t all = bench.held_count;
    for (uint32_t i = 0; i < all - 4; i++) {
        struct held held = held_retire(bench.held_count / 2);
        lines_mark(&held, 1, 0);
    }
    row_store_turn(&bench.store);
    assert_true(row_store_chunk_leave(&bench.store, 1, &chunk));
    while (held_take(40)) {
    }
    assert_int_equal(bench.held_count, all);
    assert_int_equal(bench.store.leaving, 0);
    assert_null(row_store_take_roomy(&bench.store, 40));
    while (bench.held_count > 0) {
        struct held held = held_retire(bench.held_count - 1);
        lines_mark(&held, 1, 0);
    }
    row_store_turn(&bench.store);
    assert_int_equal(row_store_chunks_free(&bench.store), 2);
    bench_close();
}

/* A class keeps an empty chunk that any class may take: rows that move there win nothing. */
static void rows_leave_no_chunk_for_one_that_is_free(void **state)
{
    (void)state;
    const uint32_t places = ROW_STORE_CHUNK_LINES / row_store_class_lines(40);
    uint32_t chunk = UINT32_MAX;
    bench_open(2);
    while (held_take(40)) {
    }
    for (uint32_t i = 0; i < places; i++) {
        struct held held = held_retire(bench.held_count - 1);
        lines_mark(&held, 1, 0);
    }
    row_store_turn(&bench.store);
    for (uint32_t i = 0; i < places / 2; i++) {
        struct held held = held_retire(bench.held_count - 1);
        lines_mark(&held, 1, 0);
    }
    row_store_turn(&bench.store);
    assert_int_equal(row_store_chunks_free(&bench.store), 1);
    assert_false(row_store_chunk_leave(&bench.store, 1, &chunk));
    bench_close();
}

/* Moves some rows out of the chunk that is being left; true when none is there any more. */
static bool chunk_move(uint32_t chunk, uint32_t count, struct held *retired,
                       uint32_t *retired_count)
{
    for (uint32_t i = 0; i < bench.held_count; i++) {
        struct held held = bench.held[i];
        if (row_store_line_of(&bench.store, held.place) / ROW_STORE_CHUNK_LINES != chunk) {
            continue;
        }
        uint64_t *place = count == 0 ? NULL : row_store_take_roomy(&bench.store, held.class_index);
        if (place == NULL) {
            return false;
        }
        count--;
        bench.held[i].place = place;
        assert_int_not_equal(row_store_line_of(&bench.store, place) / ROW_STORE_CHUNK_LINES, chunk);
        lines_mark(&bench.held[i], 0, 1);
        row_store_retire(&bench.store, held.place);
        retired[(*retired_count)++] = held;
    }
    return true;
}

/* Chunks with a row. */
static uint32_t chunks_held(void)
{
    bool has[CHUNKS] = {false};
    uint32_t count = 0;
    for (uint32_t i = 0; i < bench.held_count; i++) {
        bool *of =
            &has[row_store_line_of(&bench.store, bench.held[i].place) / ROW_STORE_CHUNK_LINES];
        count += *of ? 0 : 1;
        *of = true;
    }
    return count;
}

/* Law: chunks are free as soon as no row is in them, whatever moved, stayed or was taken. */
static void chunks_are_taken_while_they_hold_a_row(void **state)
{
    (void)state;
    static struct held retired[HELD];
    static const uint32_t classes[] = {20, 24, 30, 40, 44, ROW_STORE_CLASSES - 2};
    bench_open(CHUNKS);
    struct random random;
    random_seed(&random, 3);
    uint32_t chunk = UINT32_MAX;
    uint32_t left = 0;
    for (uint32_t round = 0; round < 5000; round++) {
        uint32_t count = 0;
        bool rising = round / 100 % 2 == 0;
        for (uint64_t i = random_below(&random, rising ? 12 : 5); i > 0; i--) {
            (void)held_take(classes[random_below(&random, ARRAY_COUNT(classes))]);
        }
        for (uint64_t i = random_below(&random, rising ? 5 : 12); i > 0 && bench.held_count > 0;
             i--) {
            retired[count++] = held_retire((uint32_t)random_below(&random, bench.held_count));
        }
        if (bench.store.leaving == 0) {
            (void)row_store_chunk_leave(&bench.store, 1, &chunk);
        }
        if (bench.store.leaving != 0 && random_below(&random, 20) == 0) {
            row_store_chunk_stay(&bench.store);
        } else if (bench.store.leaving != 0 &&
                   chunk_move(chunk, (uint32_t)random_below(&random, 8), retired, &count)) {
            row_store_chunk_left(&bench.store);
            left++;
        }
        row_store_turn(&bench.store);
        for (uint32_t i = 0; i < count; i++) {
            lines_mark(&retired[i], 1, 0);
        }
        assert_int_equal(counter_read(&bench.store.shared_used_bytes), bench.held_bytes);
        assert_int_equal(counter_read(&bench.store.shared_taken_bytes),
                         chunks_held() * ROW_STORE_CHUNK_BYTES);
    }
    assert_true(left > 100);
    bench_close();
}

/* Who makes rows again that had room finds some, and afterwards there is none until as much is free
 * again. */
static void spare_chunks_are_taken_only_while_they_are_open(void **state)
{
    (void)state;
    const uint32_t places = ROW_STORE_CHUNK_LINES / row_store_class_lines(40);
    bench_open(4);
    row_store_spare_set(&bench.store, 2);
    while (held_take(40)) {
    }
    assert_int_equal(bench.held_count, 2 * places);
    assert_int_equal(row_store_chunks_free(&bench.store), 0);
    assert_null(row_store_take_last(&bench.store, 40));
    row_store_spare_open(&bench.store, true);
    assert_null(row_store_take_near(&bench.store, 40));
    struct held last = {.place = row_store_take_last(&bench.store, 40), .class_index = 40};
    assert_non_null(last.place);
    lines_mark(&last, 0, 1);
    bench.held[bench.held_count++] = last;
    row_store_turn(&bench.store);
    assert_int_equal(counter_read(&bench.store.shared_taken_bytes), 3 * ROW_STORE_CHUNK_BYTES);
    assert_int_equal(row_store_chunks_free(&bench.store), 0);
    row_store_spare_open(&bench.store, false);
    assert_null(row_store_take_last(&bench.store, 20));
    /* The third chunk is no more than the others: what it has is given. */
    for (uint32_t i = 1; i < places; i++) {
        assert_true(held_take(40));
    }
    assert_false(held_take(40));
    /* The first that comes back is for the one beyond the cap, the next one is free. */
    for (uint32_t chunks = 0; chunks < 2; chunks++) {
        for (uint32_t i = 0; i < places; i++) {
            struct held held = held_retire(bench.held_count - 1);
            lines_mark(&held, 1, 0);
        }
        row_store_turn(&bench.store);
        assert_int_equal(row_store_chunks_free(&bench.store), chunks);
    }
    assert_true(held_take(20));
    assert_false(held_take(21));
    bench_close();
}

static bool retired_place_comes_back(uint64_t *retired)
{
    row_store_turn(&bench.store);
    uint64_t *place = row_store_take(&bench.store, 5);
    assert_non_null(place);
    return place == retired;
}

static void a_place_waits_until_every_reader_has_passed(void **state)
{
    (void)state;
    bench_open(CHUNKS);
    struct rte_rcu_qsbr *qsbr = bench.store.qsbr;
    assert_int_equal(rte_rcu_qsbr_thread_register(qsbr, 0), 0);
    assert_int_equal(rte_rcu_qsbr_thread_register(qsbr, 1), 0);
    rte_rcu_qsbr_thread_online(qsbr, 0);
    rte_rcu_qsbr_thread_online(qsbr, 1);
    uint64_t *place = row_store_take(&bench.store, 5);
    row_store_retire(&bench.store, place);
    assert_false(retired_place_comes_back(place));
    rte_rcu_qsbr_quiescent(qsbr, 0);
    assert_false(retired_place_comes_back(place));
    rte_rcu_qsbr_thread_offline(qsbr, 1);
    assert_true(retired_place_comes_back(place));
    /* What is retired after a reader passed waits for it again. */
    row_store_turn(&bench.store);
    row_store_retire(&bench.store, place);
    assert_false(retired_place_comes_back(place));
    rte_rcu_qsbr_thread_online(qsbr, 1);
    rte_rcu_qsbr_quiescent(qsbr, 0);
    assert_true(retired_place_comes_back(place));
    bench_close();
}

/* Places retired in one turn share a token; those of later turns have their own. */
static void places_come_back_in_the_order_of_their_turns(void **state)
{
    (void)state;
    bench_open(CHUNKS);
    struct rte_rcu_qsbr *qsbr = bench.store.qsbr;
    assert_int_equal(rte_rcu_qsbr_thread_register(qsbr, 0), 0);
    rte_rcu_qsbr_thread_online(qsbr, 0);
    for (uint32_t i = 0; i < 40; i++) {
        assert_true(held_take(2));
    }
    for (uint32_t turn = 0; turn < 4; turn++) {
        for (uint32_t i = 0; i < 10; i++) {
            (void)held_retire(0);
        }
        row_store_turn(&bench.store);
        if (turn == 1) {
            rte_rcu_qsbr_quiescent(qsbr, 0);
        }
    }
    uint64_t each = row_store_class_lines(2) * (uint64_t)CACHE_LINE_BYTES;
    assert_int_equal(counter_read(&bench.store.shared_used_bytes), 20 * each);
    row_store_turn(&bench.store);
    assert_int_equal(counter_read(&bench.store.shared_used_bytes), 20 * each);
    rte_rcu_qsbr_quiescent(qsbr, 0);
    row_store_turn(&bench.store);
    assert_int_equal(counter_read(&bench.store.shared_used_bytes), 0);
    bench_close();
}

static void a_reader_that_never_passes_stops_moves_before_places_run_out(void **state)
{
    (void)state;
    bench_open(CHUNKS);
    struct rte_rcu_qsbr *qsbr = bench.store.qsbr;
    assert_int_equal(rte_rcu_qsbr_thread_register(qsbr, 0), 0);
    rte_rcu_qsbr_thread_online(qsbr, 0);
    uint32_t retired = 0;
    while (row_store_can_retire(&bench.store)) {
        uint64_t *place = row_store_take(&bench.store, 0);
        assert_non_null(place);
        row_store_retire(&bench.store, place);
        retired++;
        if (retired % 1000 == 0) {
            row_store_turn(&bench.store);
        }
    }
    assert_true(retired < ROW_STORE_WAITING_MAX);
    assert_true(retired > ROW_STORE_WAITING_MAX - 100);
    row_store_turn(&bench.store);
    assert_false(row_store_can_retire(&bench.store));
    rte_rcu_qsbr_quiescent(qsbr, 0);
    row_store_turn(&bench.store);
    assert_true(row_store_can_retire(&bench.store));
    assert_int_equal(counter_read(&bench.store.shared_used_bytes), 0);
    bench_close();
}

static void a_row_is_retired_once(void **state)
{
    (void)state;
    bench_open(1);
    uint64_t *place = row_store_take(&bench.store, 0);
    row_store_retire(&bench.store, place);
    expect_assert_failure(row_store_retire(&bench.store, place));
    bench_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_grow_by_at_most_a_quarter),
        cmocka_unit_test(places_never_overlap_and_are_used_again),
        cmocka_unit_test(a_full_region_refuses_and_goes_on_when_places_come_back),
        cmocka_unit_test(a_chunk_that_is_empty_again_serves_another_class),
        cmocka_unit_test(a_row_that_grows_alone_takes_its_old_chunks_along),
        cmocka_unit_test(at_the_cap_a_row_gets_a_larger_place_rather_than_none),
        cmocka_unit_test(a_chunk_that_is_left_serves_another_class),
        cmocka_unit_test(a_chunk_that_rows_leave_goes_on_when_its_class_needs_it),
        cmocka_unit_test(rows_leave_no_chunk_for_one_that_is_free),
        cmocka_unit_test(chunks_are_taken_while_they_hold_a_row),
        cmocka_unit_test(spare_chunks_are_taken_only_while_they_are_open),
        cmocka_unit_test(a_place_waits_until_every_reader_has_passed),
        cmocka_unit_test(places_come_back_in_the_order_of_their_turns),
        cmocka_unit_test(a_reader_that_never_passes_stops_moves_before_places_run_out),
        cmocka_unit_test(a_row_is_retired_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
