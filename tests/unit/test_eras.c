#include "tests/support/unit.h"

#include "controlplane/eras.h"
#include "dataplane/base/assert.h"

static struct epochs epochs;
static struct eras eras;

/* Epochs 1 and 2 of one shard, 3 of three, 4 of one; 5, of one, goes on. */
static void epochs_make(void)
{
    static const uint32_t counts[] = {1, 1, 3, 1};
    epochs = (struct epochs){.epoch = 5, .shard_count = 1, .cut_count = ARRAY_COUNT(counts)};
    for (uint32_t i = 0; i < ARRAY_COUNT(counts); i++) {
        epochs.cut[i] = (struct epoch_cut){.epoch = i + 1, .shard_count = counts[i]};
        for (uint32_t shard = 0; shard < counts[i]; shard++) {
            epochs.cut[i].cut[shard] = lsn_of(i + 1, 100 + shard);
        }
    }
}

static void epochs_with_one_number_of_shards_are_an_era(void **state)
{
    (void)state;
    epochs_make();
    eras_of_epochs(&epochs, /* running= */ true, &eras);
    assert_int_equal(eras.count, 3);
    assert_int_equal(eras.era[0].first_epoch, 0);
    assert_int_equal(eras.era[0].last_epoch, 2);
    assert_int_equal(eras.era[0].last_lsn[0], lsn_of(2, 100));
    assert_int_equal(eras.era[1].first_epoch, 3);
    assert_int_equal(eras.era[1].last_epoch, 3);
    assert_int_equal(eras.era[1].shard_count, 3);
    assert_int_equal(eras.era[1].last_lsn[2], lsn_of(3, 102));
    assert_int_equal(eras.era[2].first_epoch, 4);
    assert_int_equal(eras.era[2].last_epoch, EPOCH_MAX);
    /* Up to the epoch before the one that goes on. */
    eras_of_epochs(&epochs, /* running= */ false, &eras);
    assert_int_equal(eras.count, 3);
    assert_int_equal(eras.era[2].last_epoch, 4);
    /* It has another number; or there was none before. */
    epochs.shard_count = 2;
    eras_of_epochs(&epochs, /* running= */ true, &eras);
    assert_int_equal(eras.count, 4);
    assert_int_equal(eras.era[3].first_epoch, 5);
    epochs = (struct epochs){.epoch = 1, .shard_count = 2};
    eras_of_epochs(&epochs, /* running= */ true, &eras);
    assert_int_equal(eras.count, 1);
    assert_int_equal(eras.era[0].last_epoch, EPOCH_MAX);
    epochs = (struct epochs){0};
    eras_of_epochs(&epochs, /* running= */ true, &eras);
    assert_int_equal(eras.count, 0);
}

/* Eras that have all of their logs, begun at 1000, 2000 and 3000. */
static void eras_make(void)
{
    epochs_make();
    eras_of_epochs(&epochs, /* running= */ true, &eras);
    for (uint32_t i = 0; i < eras.count; i++) {
        eras.era[i].begin_us = 1000 * (i + 1);
    }
}

static void what_is_gone_is_missing_up_to_what_is_kept(void **state)
{
    (void)state;
    eras_make();
    assert_int_equal(eras_since_us(&eras, 500, 9000), 500);
    assert_true(eras_keep_some(&eras));
    eras.era[1].since_us = 2500; /* Its oldest segments went. */
    assert_int_equal(eras_since_us(&eras, 500, 9000), 2500);
    /* A log of the first era is gone; of the second nothing is kept, nothing, or nothing came. */
    eras_make();
    eras.era[0].has_hole = true;
    assert_int_equal(eras_since_us(&eras, 500, 9000), 2000);
    eras.era[1].begin_us = INT64_MAX;
    assert_int_equal(eras_since_us(&eras, 500, 9000), 3000);
    eras.era[1].has_hole = true;
    assert_int_equal(eras_since_us(&eras, 500, 9000), 3000);
    /* And behind it nothing is. */
    eras.era[2].begin_us = INT64_MAX;
    assert_int_equal(eras_since_us(&eras, 500, 9000), 9000);
    eras.era[0].begin_us = INT64_MAX;
    assert_false(eras_keep_some(&eras));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epochs_with_one_number_of_shards_are_an_era),
        cmocka_unit_test(what_is_gone_is_missing_up_to_what_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
