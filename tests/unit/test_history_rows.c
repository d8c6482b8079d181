/* Rows and the reads of each: the same, however many threads share the work. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "dataplane/base/hash.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/history_rows.h"

#define READS_MAX  20000u
#define VIEWS      3u
#define SHARES_MAX 64u

struct world {
    struct history_options options;
    struct history_rows rows;
    struct history_rows_found found[SHARES_MAX];
    uint32_t left; /* Reads that no share had a place for. */
};

static struct history_read reads[READS_MAX];
static uint64_t keys[READS_MAX];
static struct world world;

static uint64_t seed_of_run(void)
{
    const char *seed = getenv("SEED");
    uint64_t number = seed == NULL ? 12 : strtoull(seed, NULL, 10);
    (void)printf("SEED=%llu\n", (unsigned long long)number);
    return number;
}

static void read_set(uint32_t index, uint32_t view, uint64_t key, uint16_t key_size)
{
    keys[index] = key;
    reads[index] = (struct history_read){.view = (uint16_t)view,
                                         .key = (const uint8_t *)&keys[index],
                                         .key_size = key_size,
                                         .time = READ_NOW,
                                         .known_us = (int64_t)(index * 7919u % 1000),
                                         .feature_count = (uint16_t)(1 + index % 5)};
}

/* Of all shares, the last ones first. */
static void rows_make(uint32_t count, uint32_t shares, bool of_team)
{
    memset(&world, 0, sizeof(world));
    world.options = (struct history_options){.read = reads, .read_count = count};
    assert_int_equal(history_rows_init(&world.rows, &world.options, of_team), RESULT_OK);
    for (uint32_t i = shares; i-- > 0;) {
        const struct history_share share = {.number = i, .count = shares};
        history_rows_look(&world.rows, &world.options, share, &world.found[i]);
    }
    history_rows_regard(&world.rows, world.found, shares);
    for (uint32_t i = shares; i-- > 0;) {
        const struct history_share share = {.number = i, .count = shares};
        history_rows_add(&world.rows, &world.options, share, &world.found[i]);
        world.left += world.found[i].left_count;
    }
    assert_int_equal(history_rows_finish(&world.rows, &world.options, world.found, shares),
                     RESULT_OK);
}

static const struct history_slot *slot_of(const struct history_read *read)
{
    uint64_t hash = history_slot_hash(hash_owner(read->key, read->key_size), read->view);
    uint32_t slot =
        history_slot_find(&world.rows.slots, hash, read->view, read->key, read->key_size);
    assert_int_not_equal(slot, HISTORY_SLOT_NONE);
    assert_true(history_slot_may(&world.rows.slots, hash));
    return &world.rows.slots.slot[slot];
}

/* Each row has exactly its reads, the last one first, and knows when the last of them is due. */
static void rows_check(uint32_t count)
{
    static bool seen[READS_MAX];
    uint32_t absent = 0;
    uint32_t most = 0;
    memset(seen, 0, sizeof(seen));
    for (uint32_t i = count; i-- > 0;) {
        absent += reads[i].key_size == 0;
        most = reads[i].feature_count > most ? reads[i].feature_count : most;
        assert_true(world.rows.is_asked[reads[i].view]);
        if (seen[i] || reads[i].key_size == 0) {
            continue;
        }
        const struct history_slot *slot = slot_of(&reads[i]);
        assert_int_equal(slot->read_chain, i);
        int64_t due_us = INT64_MIN;
        uint32_t read = i;
        for (uint32_t n = 0; n < slot->read_count; n++) {
            assert_true(n == 0 || world.rows.before[read] < read);
            read = n == 0 ? read : world.rows.before[read];
            assert_false(seen[read]);
            seen[read] = true;
            assert_int_equal(reads[read].view, reads[i].view);
            assert_int_equal(keys[read], keys[i]);
            due_us = reads[read].known_us > due_us ? reads[read].known_us : due_us;
        }
        assert_int_equal(slot->due_us, due_us);
    }
    for (uint32_t i = 0; i < count; i++) {
        assert_true(seen[i] || reads[i].key_size == 0);
    }
    assert_int_equal(world.rows.absent, absent);
    assert_int_equal(world.rows.answers_max, most);
}

static void shares_make_what_one_makes(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 31, 33, 4000, READS_MAX};
    static const uint32_t shares[] = {1, 2, 3, 7, SHARES_MAX};
    struct random random;
    random_seed(&random, seed_of_run());
    for (uint32_t c = 0; c < ARRAY_COUNT(counts); c++) {
        uint64_t few = 1 + random_below(&random, 2 * (uint64_t)counts[c] + 1);
        for (uint32_t i = 0; i < counts[c]; i++) {
            uint16_t key_size = random_below(&random, 50) == 0 ? 0 : sizeof(keys[0]);
            read_set(i, (uint32_t)random_below(&random, VIEWS), random_below(&random, few),
                     key_size);
        }
        for (uint32_t s = 0; s < ARRAY_COUNT(shares); s++) {
            rows_make(counts[c], shares[s], /* of_team= */ true);
            rows_check(counts[c]);
            history_rows_deinit(&world.rows);
        }
    }
}

/* Keys whose places are the last of all, or of the first half: they go on behind them. */
static void rows_that_find_no_place_in_their_share_stand_behind_it(void **state)
{
    (void)state;
    enum { COUNT = 400, TWICE = 2 * COUNT };
    struct history_slots slots = {.mask = 2047}; /* As for TWICE reads. */
    uint64_t key = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        uint64_t wanted = i % 2 == 0 ? slots.mask : slots.mask / 2;
        uint64_t place;
        do {
            key++;
            place = history_slot_place(&slots, history_slot_hash(hash_owner(&key, sizeof(key)), 0));
        } while (place > wanted || place + 4 < wanted);
        read_set(i, 0, key, sizeof(key));
        read_set(COUNT + i, 0, key, sizeof(key)); /* And once more. */
    }
    for (uint32_t shares = 1; shares <= 2; shares++) {
        rows_make(TWICE, shares, /* of_team= */ true);
        rows_check(TWICE);
        assert_int_equal(world.rows.slots.mask, slots.mask);
        assert_true((world.left > 0) == (shares > 1));
        history_rows_deinit(&world.rows);
    }
}

static void without_a_team_reads_are_in_the_order_in_which_they_are_due(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < READS_MAX; i++) {
        read_set(i, i % VIEWS, i % 700, i % 90 == 0 ? 0 : sizeof(keys[0]));
    }
    rows_make(READS_MAX, 1, /* of_team= */ false);
    for (uint32_t i = 0; i < READS_MAX; i++) {
        const struct history_read *read = &reads[i];
        uint32_t slot = world.rows.slot[i];
        assert_true((slot == HISTORY_SLOT_NONE) == (read->key_size == 0));
        assert_true(slot == HISTORY_SLOT_NONE || &world.rows.slots.slot[slot] == slot_of(read));
        assert_true(i == 0 ||
                    reads[world.rows.order[i - 1]].known_us <= reads[world.rows.order[i]].known_us);
    }
    history_rows_deinit(&world.rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_make_what_one_makes),
        cmocka_unit_test(rows_that_find_no_place_in_their_share_stand_behind_it),
        cmocka_unit_test(without_a_team_reads_are_in_the_order_in_which_they_are_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
