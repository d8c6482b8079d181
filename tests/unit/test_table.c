/* The index against a plain list: splits at every depth, long chains, equal hashes, the directory's
 * end and the memory cap. Rows are never looked at, so lines are just numbers. */
#include "tests/support/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "dataplane/base/random.h"
#include "dataplane/row_store.h"
#include "dataplane/table.h"
#include "drivers/memory.h"

#define ITEMS_MAX 400000u

struct item {
    uint64_t hash;
    bool live;
};

struct bench {
    struct row_store store;
    struct table table;
    struct memory_region region;
    void *memory;
    struct item *item; /* Its line is its index + 1. */
    uint32_t item_count;
    uint32_t live_count;
};

static void bench_open(struct bench *bench, uint64_t region_bytes)
{
    memset(bench, 0, sizeof(*bench));
    uint64_t bytes = align_up(row_store_footprint(region_bytes, 1) + table_footprint(), 4096);
    bench->memory = aligned_alloc(4096, bytes);
    assert_non_null(bench->memory);
    memset(bench->memory, 0, bytes);
    struct arena arena;
    arena_init(&arena, bench->memory, bytes);
    assert_int_equal(memory_map(region_bytes, 0, &bench->region), RESULT_OK);
    row_store_init(&bench->store, bench->region.base, region_bytes, 1, &arena);
    assert_true(table_init(&bench->table, &bench->store, &arena));
    bench->item = calloc(ITEMS_MAX, sizeof(*bench->item));
    assert_non_null(bench->item);
}

static void bench_close(struct bench *bench)
{
    memory_unmap(&bench->region);
    free(bench->memory);
    free(bench->item);
}

/* The entry of an item, or NULL. */
static uint64_t *item_find(const struct bench *bench, uint32_t item)
{
    uint64_t hash = bench->item[item].hash;
    uint64_t *segment = table_segment(&bench->table, hash);
    uint64_t *bucket = table_bucket(segment, hash);
    uint32_t index = 0;
    uint64_t *entry;
    while ((entry = table_find(segment, &bucket, &index, hash)) != NULL) {
        if (entry_line(*entry) == item + 1) {
            return entry;
        }
    }
    return NULL;
}

static bool item_insert(struct bench *bench, uint64_t hash)
{
    assert_true(bench->item_count < ITEMS_MAX);
    if (!table_insert(&bench->table, hash, bench->item_count + 1)) {
        return false;
    }
    bench->item[bench->item_count++] = (struct item){.hash = hash, .live = true};
    bench->live_count++;
    return true;
}

static void item_remove(struct bench *bench, uint32_t item)
{
    uint64_t *entry = item_find(bench, item);
    assert_non_null(entry);
    table_remove(&bench->table, table_segment(&bench->table, bench->item[item].hash), entry);
    bench->item[item].live = false;
    bench->live_count--;
}

static void bench_check(const struct bench *bench)
{
    assert_int_equal(bench->table.entry_count, bench->live_count);
    for (uint32_t i = 0; i < bench->item_count; i++) {
        assert_int_equal(item_find(bench, i) != NULL, bench->item[i].live);
    }
    const struct table_directory *directory =
        atomic_load_explicit(&bench->table.shared_directory, memory_order_relaxed);
    uint64_t entries = 0;
    uint64_t slots = 0;
    while (slots < (UINT64_C(1) << directory->depth)) {
        const uint64_t *header = table_header(directory->segment[slots]);
        assert_int_equal(header[TABLE_SPLIT_VERSION] % 2, 0);
        assert_true(header[TABLE_DEPTH] <= directory->depth);
        uint64_t span = UINT64_C(1) << (directory->depth - header[TABLE_DEPTH]);
        assert_int_equal(slots % span, 0);
        for (uint64_t i = 0; i < span; i++) {
            assert_ptr_equal(directory->segment[slots + i], directory->segment[slots]);
        }
        entries += header[TABLE_COUNT];
        slots += span;
    }
    assert_int_equal(entries, bench->live_count);
}

enum mix { MIX_EVEN, MIX_DEEP, MIX_EQUAL, MIX_LAST, MIX_COUNT };

static uint64_t hash_next(struct random *random, enum mix mix, const struct bench *bench)
{
    uint64_t hash = random_next(random);
    switch (mix) {
    case MIX_EVEN:
        break;
    case MIX_DEEP: /* Half of what is left at each bit: some go as deep as the directory. */
        hash >>= random_below(random, TABLE_DIRECTORY_BITS + 1);
        break;
    case MIX_EQUAL: /* Often a hash, or at least a bucket, that is there already. */
        if (bench->item_count > 0 && random_below(random, 4) != 0) {
            hash = bench->item[random_below(random, bench->item_count)].hash ^
                   (random_below(random, 2) << 20);
        }
        break;
    case MIX_LAST: /* The upper end. */
        hash |= UINT64_MAX << (64 - random_below(random, TABLE_DIRECTORY_BITS) - 1);
        break;
    case MIX_COUNT:
        break;
    }
    return hash;
}

static void the_table_agrees_with_a_list(void **state)
{
    (void)state;
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%" PRIu64 "\n", seed);
    for (enum mix mix = MIX_EVEN; mix < MIX_COUNT; mix++) {
        struct random random;
        random_seed(&random, seed + mix);
        static struct bench bench;
        bench_open(&bench, 128 * MIB);
        uint32_t refused = 0;
        for (uint32_t i = 0; i < 400000; i++) {
            uint64_t op = random_below(&random, 10);
            if (op < 6 || bench.item_count == 0) {
                refused += !item_insert(&bench, hash_next(&random, mix, &bench));
            } else if (op < 8) {
                uint32_t item = (uint32_t)random_below(&random, bench.item_count);
                if (bench.item[item].live) {
                    item_remove(&bench, item);
                }
            } else {
                uint32_t item = (uint32_t)random_below(&random, bench.item_count);
                assert_int_equal(item_find(&bench, item) != NULL, bench.item[item].live);
            }
            if (i % 64 == 0) {
                (void)table_turn(&bench.table);
            }
        }
        /* The others fill single segments at the directory's end. */
        if (mix == MIX_EVEN) {
            assert_int_equal(refused, 0);
        }
        bench_check(&bench);
        assert_true(bench.live_count > 100000 || mix != MIX_EVEN);
        while (bench.live_count > 0) {
            for (uint32_t i = 0; i < bench.item_count; i++) {
                if (bench.item[i].live) {
                    item_remove(&bench, i);
                }
            }
        }
        bench_check(&bench);
        bench_close(&bench);
    }
}

static void a_segment_splits_though_every_entry_stays_or_every_entry_goes(void **state)
{
    (void)state;
    for (uint32_t side = 0; side < 2; side++) {
        static struct bench bench;
        bench_open(&bench, 16 * MIB);
        struct random random;
        random_seed(&random, side);
        uint64_t top = side == 0 ? 0 : UINT64_MAX << (64 - TABLE_DIRECTORY_BITS);
        uint32_t split = 0;
        for (uint32_t i = 0; i < 5000; i++) {
            assert_true(item_insert(&bench, top | random_next(&random) >> TABLE_DIRECTORY_BITS));
            split += table_turn(&bench.table);
        }
        /* One a turn, down to the directory's end; then no more. */
        assert_int_equal(split, TABLE_DIRECTORY_BITS);
        bench_check(&bench);
        bench_close(&bench);
    }
}

static void at_the_directory_end_a_segment_fills_up_and_refuses(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench, 16 * MIB);
    struct random random;
    random_seed(&random, 3);
    while (item_insert(&bench, random_next(&random) >> TABLE_DIRECTORY_BITS)) {
        (void)table_turn(&bench.table);
    }
    /* More than its buckets alone would hold before the first one overflows. */
    assert_true(bench.live_count > TABLE_SPLIT_ENTRIES);
    bench_check(&bench);
    /* Others go on. */
    assert_true(item_insert(&bench, UINT64_MAX));
    /* What leaves makes room again. */
    uint64_t hash = bench.item[0].hash;
    item_remove(&bench, 0);
    assert_true(item_insert(&bench, hash));
    bench_check(&bench);
    bench_close(&bench);
}

/* Entries of equal hash fill one chain with all overflow buckets that there are. */
static void one_chain_may_take_every_overflow_bucket(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench, 16 * MIB);
    uint32_t count = 0;
    while (item_insert(&bench, 0x1234)) {
        count++;
        assert_true(count < 10000);
    }
    assert_int_equal(count, TABLE_ENTRIES * (1 + TABLE_OVERFLOWS));
    bench_check(&bench);
    /* The same bucket's other half of the directory has room of its own. */
    assert_true(item_insert(&bench, UINT64_C(1) << 63 | 0x1234));
    bench_check(&bench);
    bench_close(&bench);
}

/* A full chain whose hashes differ only in the directory's last bit: the one insert that finds no
 * slot splits as deep as it takes. */
static void an_insert_splits_as_often_as_it_needs(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench, 16 * MIB);
    uint64_t other = UINT64_C(1) << (64 - TABLE_DIRECTORY_BITS);
    for (uint32_t i = 0; i < TABLE_ENTRIES * (1 + TABLE_OVERFLOWS); i++) {
        assert_true(item_insert(&bench, i % 2 == 0 ? 0x77 : other | 0x77));
    }
    assert_true(item_insert(&bench, 0x77));
    assert_true(item_insert(&bench, other | 0x77));
    bench_check(&bench);
    bench_close(&bench);
}

static void entries_that_come_and_go_never_use_the_overflow_buckets_up(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench, 16 * MIB);
    struct random random;
    random_seed(&random, 5);
    for (uint32_t i = 0; i < 3500; i++) {
        assert_true(item_insert(&bench, random_next(&random) >> TABLE_DIRECTORY_BITS));
    }
    for (uint32_t i = 0; i < ITEMS_MAX - 4000; i++) {
        item_remove(&bench, i);
        assert_true(item_insert(&bench, random_next(&random) >> TABLE_DIRECTORY_BITS));
        (void)table_turn(&bench.table);
    }
    bench_check(&bench);
    /* It never held enough to split. */
    assert_int_equal(table_header(table_segment(&bench.table, 0))[TABLE_DEPTH], 0);
    bench_close(&bench);
}

static void the_memory_cap_refuses_and_loses_nothing(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench, 2 * MIB); /* 28 segments. */
    struct random random;
    random_seed(&random, 6);
    uint32_t refused = 0;
    for (uint32_t i = 0; i < 250000; i++) {
        refused += !item_insert(&bench, random_next(&random));
        (void)table_turn(&bench.table);
    }
    assert_true(refused > 1000);
    assert_true(bench.live_count > 28u * TABLE_SPLIT_ENTRIES / 2);
    bench_check(&bench);
    for (uint32_t i = 0; i < bench.item_count; i += 2) {
        item_remove(&bench, i);
    }
    for (uint32_t i = 0; i < 10000; i++) {
        assert_true(item_insert(&bench, random_next(&random)));
        (void)table_turn(&bench.table);
    }
    bench_check(&bench);
    bench_close(&bench);
}

static void splits_that_no_turn_made_are_made_by_inserts(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench, 512 * MIB);
    struct random random;
    random_seed(&random, 8);
    /* No turn for long: only inserts that find no slot split. */
    for (uint32_t i = 0; i < ITEMS_MAX; i++) {
        assert_true(item_insert(&bench, random_next(&random)));
    }
    bench_check(&bench);
    uint32_t idle = 0;
    while (idle < 2) {
        idle = table_turn(&bench.table) == 0 ? idle + 1 : 0;
    }
    bench_check(&bench);
    bench_close(&bench);
}

static void a_segment_is_queued_when_it_is_half_full_and_split_if_it_still_is(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench, 16 * MIB);
    struct random random;
    random_seed(&random, 9);
    for (uint32_t i = 1; i < TABLE_SPLIT_ENTRIES; i++) {
        assert_true(item_insert(&bench, random_next(&random)));
    }
    assert_int_equal(table_turn(&bench.table), 0);
    assert_true(item_insert(&bench, random_next(&random)));
    item_remove(&bench, 0);
    assert_int_equal(table_turn(&bench.table), 0);
    assert_true(item_insert(&bench, random_next(&random)));
    assert_int_equal(table_turn(&bench.table), 1);
    assert_int_equal(table_turn(&bench.table), 0);
    bench_check(&bench);
    bench_close(&bench);
}

static void a_segment_that_was_split_while_it_waited_is_looked_up_anew(void **state)
{
    (void)state;
    static struct bench bench;
    bench_open(&bench, 16 * MIB);
    struct random random;
    random_seed(&random, 10);
    uint64_t upper = UINT64_C(1) << 63;
    /* Queued by a hash of its upper half. */
    for (uint32_t i = 0; i < TABLE_SPLIT_ENTRIES; i++) {
        assert_true(item_insert(&bench, upper | random_next(&random)));
    }
    /* Split by inserts that find no slot, and full again in its lower half. */
    while (table_header(table_segment(&bench.table, 0))[TABLE_DEPTH] == 0) {
        assert_true(item_insert(&bench, bench.item_count % 2 == 0 ? 0x77 : upper | 0x77));
    }
    while (table_header(table_segment(&bench.table, 0))[TABLE_COUNT] < TABLE_SPLIT_ENTRIES + 9) {
        assert_true(item_insert(&bench, random_next(&random) >> 1));
    }
    assert_int_equal(table_turn(&bench.table), 0);
    assert_int_equal(table_turn(&bench.table), 1);
    bench_check(&bench);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_agrees_with_a_list),
        cmocka_unit_test(a_segment_splits_though_every_entry_stays_or_every_entry_goes),
        cmocka_unit_test(at_the_directory_end_a_segment_fills_up_and_refuses),
        cmocka_unit_test(one_chain_may_take_every_overflow_bucket),
        cmocka_unit_test(an_insert_splits_as_often_as_it_needs),
        cmocka_unit_test(entries_that_come_and_go_never_use_the_overflow_buckets_up),
        cmocka_unit_test(the_memory_cap_refuses_and_loses_nothing),
        cmocka_unit_test(a_segment_is_queued_when_it_is_half_full_and_split_if_it_still_is),
        cmocka_unit_test(a_segment_that_was_split_while_it_waited_is_looked_up_anew),
        cmocka_unit_test(splits_that_no_turn_made_are_made_by_inserts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
