/* Items that rows take are packed: they come back as they were, in their order, part by part. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/limits.h"
#include "dataplane/history_keep_read.h"

#define ITEMS      60000u
#define PARTS      8u
#define PART_SHIFT 17u /* Slots of more than two bytes. */
#define WORDS_MAX  (SINGLE_WORDS_MAX + SOURCES_MAX)

static uint64_t item_space[2 + WORDS_MAX];
static uint64_t read_space[2 + WORDS_MAX];

static uint64_t seed_of_run(void)
{
    const char *seed = getenv("SEED");
    uint64_t number = seed == NULL ? 11 : strtoull(seed, NULL, 10);
    (void)printf("SEED=%llu\n", (unsigned long long)number);
    return number;
}

/* As a row's view says: most have few. */
static uint32_t words_of(uint32_t slot)
{
    static const uint32_t words[] = {SINGLE_VALUES, 4, 5, 8, 13, 40, 200, WORDS_MAX};
    return words[slot % 64 == 0 ? slot / 64 % ARRAY_COUNT(words) : slot % 4];
}

/* Of every size, signs and ends too. */
static uint64_t number_make(struct random *random)
{
    static const uint64_t ends[] = {0, 1, UINT64_MAX, INT64_MAX, UINT64_C(1) << 63};
    uint64_t number = random_next(random) >> random_below(random, 64);
    number = random_below(random, 2) == 0 ? number : 0 - number;
    return random_below(random, 8) == 0 ? ends[random_below(random, ARRAY_COUNT(ends))] : number;
}

static struct history_item *item_make(uint64_t seed, uint32_t index, uint32_t stretch)
{
    struct history_item *item = (struct history_item *)item_space;
    struct random random;
    random_seed(&random, seed * ITEMS + index);
    item->slot = (uint32_t)random_below(&random, (uint64_t)PARTS << PART_SHIFT);
    item->stretch = stretch;
    item->came_us = (int64_t)number_make(&random);
    for (uint32_t w = 0; w < words_of(item->slot); w++) {
        item->words[w] = number_make(&random);
    }
    return item;
}

/* The stretch of an item: they go up, seldom by much. */
static uint32_t stretch_after(uint32_t stretch, uint32_t index)
{
    return stretch + (index % 97 == 0 ? 1 : 0) + (index % 5003 == 0 ? 100000 : 0);
}

static uint32_t items_add(struct history_keep *keep, uint64_t seed)
{
    uint32_t stretch = 0;
    uint32_t added = 0;
    for (; added < ITEMS; added++) {
        stretch = stretch_after(stretch, added);
        const struct history_item *item = item_make(seed, added, stretch);
        if (!history_keep_add(keep, item, words_of(item->slot))) {
            break;
        }
    }
    return added;
}

/* Each part's cursor is where the items of the others left it. */
static void items_check(const struct history_keep *keep, uint64_t seed, uint32_t added)
{
    struct history_keep_cursor cursor[PARTS];
    uint64_t items[PARTS] = {0};
    uint64_t bytes[PARTS] = {0};
    struct history_item *read = (struct history_item *)read_space;
    uint32_t stretch = 0;
    for (uint32_t part = 0; part < PARTS; part++) {
        history_keep_begin(keep, part, &cursor[part]);
    }
    for (uint32_t i = 0; i < added; i++) {
        stretch = stretch_after(stretch, i);
        const struct history_item *item = item_make(seed, i, stretch);
        uint32_t part = item->slot >> PART_SHIFT;
        uint32_t words = words_of(item->slot);
        assert_non_null(cursor[part].block);
        assert_int_equal(cursor[part].slot, item->slot);
        assert_int_equal(cursor[part].stretch, stretch);
        history_keep_next(&cursor[part], words, read);
        assert_memory_equal(read, item, history_item_bytes(words));
        items[part]++;
        bytes[part] += history_item_bytes(words);
    }
    for (uint32_t part = 0; part < PARTS; part++) {
        assert_null(cursor[part].block);
        assert_int_equal(keep->part[part].items, items[part]);
        assert_int_equal(keep->part[part].bytes, bytes[part]);
    }
}

static void items_come_back_as_they_were_in_their_order(void **state)
{
    (void)state;
    uint64_t seed = seed_of_run();
    struct history_keep keep;
    assert_int_equal(history_keep_init(&keep, 64 * MIB, PART_SHIFT), RESULT_OK);
    assert_int_equal(items_add(&keep, seed), ITEMS);
    items_check(&keep, seed, ITEMS);
    history_keep_deinit(&keep);
}

static void what_was_given_back_is_room_for_others(void **state)
{
    (void)state;
    uint64_t seed = seed_of_run();
    struct history_keep keep;
    assert_int_equal(history_keep_init(&keep, 2 * MIB, PART_SHIFT), RESULT_OK);
    uint32_t first = items_add(&keep, seed);
    assert_in_range(first, 1, ITEMS - 1); /* They have no room. */
    items_check(&keep, seed, first);
    history_keep_give(&keep, 0, PARTS);
    assert_int_equal(items_add(&keep, seed), first);
    items_check(&keep, seed, first);
    history_keep_deinit(&keep);
}

static void an_item_like_those_before_it_is_some_twenty_bytes(void **state)
{
    (void)state;
    struct history_item *item = (struct history_item *)item_space;
    struct history_keep keep;
    assert_int_equal(history_keep_init(&keep, 2 * MIB, PART_SHIFT), RESULT_OK);
    for (uint32_t i = 0; i < 1000; i++) {
        item->slot = i * 7 % 1000;
        item->stretch = 5;
        item->came_us = INT64_C(1780000000000000) + 60000000 * (int64_t)i;
        item->words[SINGLE_TIME] = (uint64_t)item->came_us - 250000;
        item->words[SINGLE_ORDER] = (UINT64_C(90000) + 40 * i) << 16 | 3;
        item->words[SINGLE_NULLS] = 0;
        item->words[SINGLE_VALUES] = 4250;
        assert_true(history_keep_add(&keep, item, SINGLE_VALUES + 1));
    }
    assert_in_range(keep.part[0].at - keep.part[0].first->data, 1, 1000 * 20);
    history_keep_deinit(&keep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_back_as_they_were_in_their_order),
        cmocka_unit_test(what_was_given_back_is_room_for_others),
        cmocka_unit_test(an_item_like_those_before_it_is_some_twenty_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
