#include "tests/support/unit.h"

#include "controlplane/epochs.h"
#include "dataplane/base/checksum.h"
#include "drivers/disk_simulated.h"

#define SEEDS 200u

static const uint8_t STORE_ID[MIRROR_STORE_ID_BYTES] = "a store, 16 byte";
static uint8_t slots[2 * EPOCHS_SLOT_BYTES];

static void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static struct disk *disk_make(uint64_t seed)
{
    struct disk_simulated_options simulated = {.seed = seed};
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    struct disk *disk;
    char error[DISK_ERROR_SIZE_MAX];
    ok(disk_open(&options, &disk, error));
    return disk;
}

/* The cut of an epoch with two shards, told by its number. */
static struct epoch_cut cut_of(uint32_t epoch)
{
    return (struct epoch_cut){.epoch = epoch,
                              .shard_count = 2,
                              .cut = {lsn_of(epoch, 10 * epoch), lsn_of(epoch, 10 * epoch + 1)}};
}

static void claim(struct disk *disk, struct epochs *epochs)
{
    struct epoch_cut cut = cut_of(epochs->epoch);
    ok(epochs_claim(disk, epochs, 2, epochs->epoch == 0 ? NULL : &cut));
}

static void assert_same(const struct epochs *epochs, const struct epochs *expected)
{
    assert_memory_equal(epochs->store_id, expected->store_id, MIRROR_STORE_ID_BYTES);
    assert_int_equal(epochs->generation, expected->generation);
    assert_int_equal(epochs->created_us, expected->created_us);
    assert_int_equal(epochs->epoch, expected->epoch);
    assert_int_equal(epochs->shard_count, expected->shard_count);
    assert_int_equal(epochs->cut_count, expected->cut_count);
    for (uint32_t i = 0; i < epochs->cut_count; i++) {
        assert_int_equal(epochs->cut[i].epoch, expected->cut[i].epoch);
        assert_int_equal(epochs->cut[i].shard_count, expected->cut[i].shard_count);
        assert_memory_equal(epochs->cut[i].cut, expected->cut[i].cut,
                            expected->cut[i].shard_count * sizeof(uint64_t));
    }
}

static void a_new_directory_has_no_epochs_and_a_made_one_has_epoch_0(void **state)
{
    (void)state;
    static struct epochs epochs;
    static struct epochs loaded;
    struct disk *disk = disk_make(1);
    assert_int_equal(epochs_load(disk, &loaded), RESULT_NOT_FOUND);
    ok(epochs_create(disk, STORE_ID, 77, &epochs));
    ok(epochs_load(disk, &loaded));
    assert_same(&loaded, &epochs);
    assert_memory_equal(loaded.store_id, STORE_ID, sizeof(STORE_ID));
    assert_int_equal(loaded.created_us, 77);
    assert_int_equal(loaded.epoch, 0);
    disk_close(disk);
}

static void claims_count_up_and_keep_the_newest_cuts(void **state)
{
    (void)state;
    static struct epochs epochs;
    static struct epochs loaded;
    struct disk *disk = disk_make(1);
    ok(epochs_create(disk, STORE_ID, 0, &epochs));
    for (uint32_t epoch = 1; epoch <= EPOCHS_CUTS_MAX + 5; epoch++) {
        claim(disk, &epochs);
        assert_int_equal(epochs.epoch, epoch);
        ok(epochs_load(disk, &loaded));
        assert_same(&loaded, &epochs);
    }
    assert_int_equal(epochs.cut_count, EPOCHS_CUTS_MAX);
    assert_int_equal(epochs.cut[0].epoch, 5);
    assert_int_equal(epochs.cut[EPOCHS_CUTS_MAX - 1].epoch, EPOCHS_CUTS_MAX + 4);
    disk_close(disk);
}

static void the_last_epoch_is_not_passed(void **state)
{
    (void)state;
    static struct epochs epochs;
    struct disk *disk = disk_make(1);
    ok(epochs_create(disk, STORE_ID, 0, &epochs));
    epochs.epoch = EPOCH_MAX - 1;
    claim(disk, &epochs);
    assert_int_equal(epochs.epoch, EPOCH_MAX);
    assert_int_equal(epochs_claim(disk, &epochs, 2, NULL), RESULT_NO_SPACE);
    disk_close(disk);
}

static void forwards_above_the_cut_of_their_homes_epoch_are_void(void **state)
{
    (void)state;
    static struct epochs epochs;
    epochs = (struct epochs){.epoch = 4};
    struct epoch_cut cut = cut_of(3);
    epochs_learn(&epochs, &cut);
    /* Epoch 2 wrote nothing to shard 0: its cut is of epoch 1. */
    cut = (struct epoch_cut){.epoch = 2, .shard_count = 1, .cut = {lsn_of(1, 9)}};
    epochs_learn(&epochs, &cut);
    static const struct {
        uint32_t home;
        uint32_t epoch;
        uint64_t number;
        bool is_void;
    } rows[] = {
        {0, 3, 30, false}, {0, 3, 31, true},  {1, 3, 31, false}, {1, 3, 32, true},
        {2, 3, 1, true},   {0, 2, 1, true},   {0, 1, 9, false},  {0, 1, 10, false},
        {0, 4, 99, false}, {63, 4, 1, false},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(
            epochs_is_void(&epochs, rows[i].home, lsn_of(rows[i].epoch, rows[i].number)),
            rows[i].is_void);
    }
}

static void learnt_cuts_stand_in_order_and_the_first_word_counts(void **state)
{
    (void)state;
    static struct epochs epochs;
    epochs = (struct epochs){.epoch = 2 * EPOCHS_CUTS_MAX};
    static const uint32_t order[] = {5, 3, 9, 3, 0, 2 * EPOCHS_CUTS_MAX + 1};
    for (uint32_t i = 0; i < ARRAY_COUNT(order); i++) {
        struct epoch_cut cut = cut_of(order[i]);
        cut.cut[0] += i;
        epochs_learn(&epochs, &cut);
    }
    assert_int_equal(epochs.cut_count, 3);
    assert_int_equal(epochs.cut[0].epoch, 3);
    assert_int_equal(epochs.cut[0].cut[0], lsn_of(3, 31));
    assert_int_equal(epochs.cut[1].epoch, 5);
    assert_int_equal(epochs.cut[2].epoch, 9);

    for (uint32_t epoch = 20; epochs.cut_count < EPOCHS_CUTS_MAX; epoch++) {
        struct epoch_cut cut = cut_of(epoch);
        epochs_learn(&epochs, &cut);
    }
    struct epoch_cut older = cut_of(1);
    epochs_learn(&epochs, &older);
    assert_int_equal(epochs.cut[0].epoch, 3);
    struct epoch_cut between = cut_of(7);
    epochs_learn(&epochs, &between);
    assert_int_equal(epochs.cut_count, EPOCHS_CUTS_MAX);
    assert_int_equal(epochs.cut[0].epoch, 5);
    assert_int_equal(epochs.cut[1].epoch, 7);
    assert_int_equal(epochs.cut[2].epoch, 9);
    assert_int_equal(epochs.cut[3].epoch, 20);
}

/* The machine dies, if it has not yet, and is up again. */
static void machine_die(struct disk *disk)
{
    if (!disk_simulated_is_crashed(disk)) {
        disk_simulated_crash(disk);
    }
    disk_simulated_restart(disk);
}

/* Claims, with the machine dying in the count-th operation; returns what the claim said. */
static enum result claim_and_die(struct disk *disk, struct epochs *epochs, uint64_t count)
{
    disk_simulated_crash_after(disk, count);
    struct epoch_cut cut = cut_of(epochs->epoch);
    enum result result = epochs_claim(disk, epochs, 2, &cut);
    machine_die(disk);
    return result;
}

/* What the crashes within claims left. */
struct leavings {
    uint32_t old;
    uint32_t new;
};

/* Claims until one outlives its crash: each before it left the old epoch or the new one. */
static void claims_and_deaths(struct disk *disk, struct epochs *epochs, struct leavings *seen)
{
    static struct epochs loaded;
    bool claimed = false;
    for (uint64_t count = 1; !claimed; count++) {
        uint32_t before = epochs->epoch;
        claimed = claim_and_die(disk, epochs, count) == RESULT_OK;
        ok(epochs_load(disk, &loaded));
        assert_in_range(loaded.epoch, claimed ? before + 1 : before, before + 1);
        assert_int_equal(loaded.cut_count, loaded.epoch - 1);
        seen->old += loaded.epoch == before;
        seen->new += loaded.epoch == before + 1 && !claimed;
        *epochs = loaded;
    }
}

static void a_crash_in_a_claim_leaves_the_old_epoch_or_the_new_one(void **state)
{
    (void)state;
    static struct epochs epochs;
    struct leavings seen = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_make(seed);
        ok(epochs_create(disk, STORE_ID, 0, &epochs));
        claim(disk, &epochs);
        claims_and_deaths(disk, &epochs, &seen);
        disk_close(disk);
    }
    assert_true(seen.old > 0);
    assert_true(seen.new > 0);
}

static void a_claim_stands_whatever_a_failed_one_left_in_the_kernel(void **state)
{
    (void)state;
    static struct epochs epochs;
    static struct epochs loaded;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_make(seed);
        ok(epochs_create(disk, STORE_ID, 0, &epochs));
        claim(disk, &epochs);
        uint32_t claimed = epochs.epoch;
        /* A claim fails in one of its operations and its process ends; the machine lives on. */
        struct epoch_cut cut = cut_of(claimed);
        disk_simulated_fail_after(disk, 1 + seed % 9);
        claimed += epochs_claim(disk, &epochs, 2, &cut) == RESULT_OK;
        disk_simulated_kill(disk);
        disk_simulated_restart(disk);
        ok(epochs_load(disk, &epochs));
        assert_true(epochs.epoch >= claimed);
        claimed += claim_and_die(disk, &epochs, 1 + seed / 9 % 9) == RESULT_OK;
        ok(epochs_load(disk, &loaded));
        assert_true(loaded.epoch >= claimed);
        disk_close(disk);
    }
}

static void a_full_disk_takes_a_claim_in_its_spare_file_and_a_crash_there_too(void **state)
{
    (void)state;
    static struct epochs epochs;
    struct leavings seen = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_make(seed);
        ok(epochs_create(disk, STORE_ID, 0, &epochs));
        claim(disk, &epochs);
        disk_simulated_capacity_set(disk, 4 * EPOCHS_SLOT_BYTES); /* The file and its spare. */
        claims_and_deaths(disk, &epochs, &seen);
        disk_close(disk);
    }
    assert_true(seen.old > 0);
}

static void a_crash_in_making_the_file_leaves_none_or_a_whole_one(void **state)
{
    (void)state;
    static struct epochs epochs;
    static struct epochs loaded;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct disk *disk = disk_make(seed);
        bool made = false;
        for (uint64_t count = 1; !made; count++) {
            disk_simulated_crash_after(disk, count);
            made = epochs_create(disk, STORE_ID, 5, &epochs) == RESULT_OK;
            machine_die(disk);
            enum result result = epochs_load(disk, &loaded);
            assert_true(result == RESULT_OK || (result == RESULT_NOT_FOUND && !made));
        }
        disk_close(disk);
    }
}

static void damage_is_found_and_the_other_slot_serves(void **state)
{
    (void)state;
    static struct epochs epochs;
    static struct epochs loaded;
    struct disk *disk = disk_make(3);
    ok(epochs_create(disk, STORE_ID, 0, &epochs));
    claim(disk, &epochs);
    claim(disk, &epochs);
    assert_true(disk_simulated_flip(disk, EPOCHS_NAME, 70, 0x10)); /* Generation 2, slot 0. */
    ok(epochs_load(disk, &loaded));
    assert_int_equal(loaded.epoch, 1);
    assert_true(disk_simulated_flip(disk, EPOCHS_NAME, EPOCHS_SLOT_BYTES + 44, 0x01));
    assert_int_equal(epochs_load(disk, &loaded), RESULT_CORRUPT);
    disk_close(disk);
}

static void a_slot_that_cannot_be_read_is_not_taken_for_an_old_one(void **state)
{
    (void)state;
    static struct epochs epochs;
    struct disk *disk = disk_make(3);
    ok(epochs_create(disk, STORE_ID, 0, &epochs));
    for (uint64_t count = 2; count <= 3; count++) { /* The reads; the first one opens. */
        disk_simulated_fail_after(disk, count);
        assert_int_equal(epochs_load(disk, &epochs), RESULT_IO);
    }
    ok(epochs_load(disk, &epochs));
    disk_close(disk);
}

/* Reads the file's bytes, with three cuts in the newest slot. */
static const uint8_t *slot_of_three_cuts(void)
{
    static struct epochs epochs;
    struct disk *disk = disk_make(1);
    ok(epochs_create(disk, STORE_ID, 0, &epochs));
    for (uint32_t i = 0; i < 4; i++) {
        claim(disk, &epochs);
    }
    struct disk_file *file;
    uint64_t size;
    ok(disk_file_open(disk, EPOCHS_NAME, DISK_READ, &file));
    ok(disk_file_read(file, 0, slots, sizeof(slots), &size));
    assert_int_equal(size, sizeof(slots));
    disk_file_close(file);
    disk_close(disk);
    return slots;
}

static void each_used_byte_is_guarded(void **state)
{
    (void)state;
    static struct epochs epochs;
    static uint8_t copy[EPOCHS_SLOT_BYTES];
    memcpy(copy, slot_of_three_cuts(), sizeof(copy));
    uint32_t used = 64 + 3 * (8 + 2 * 8);
    ok(epochs_decode(copy, used, &epochs));
    assert_int_equal(epochs.epoch, 4);
    for (uint32_t at = 0; at < used; at++) {
        assert_int_equal(epochs_decode(copy, at, &epochs), RESULT_TRUNCATED);
        copy[at] ^= 0x20;
        assert_int_not_equal(epochs_decode(copy, sizeof(copy), &epochs), RESULT_OK);
        copy[at] ^= 0x20;
    }
    ok(epochs_decode(copy, sizeof(copy), &epochs));
}

/* Sets a number in a slot and makes its crc right. */
static void slot_set(uint8_t *slot, uint32_t at, uint32_t value, uint32_t used)
{
    memcpy(slot + at, &value, sizeof(value));
    memset(slot + 12, 0, sizeof(uint32_t));
    uint32_t crc = checksum_crc32c(0, slot, used);
    memcpy(slot + 12, &crc, sizeof(crc));
}

static void numbers_beyond_their_limits_are_refused_under_a_good_crc(void **state)
{
    (void)state;
    static struct epochs epochs;
    static uint8_t copy[EPOCHS_SLOT_BYTES];
    uint32_t used = 64 + 3 * (8 + 2 * 8);
    static const struct {
        uint32_t at;
        uint32_t value;
        enum result result;
    } rows[] = {
        {44, 2, RESULT_OK},
        {8, 2, RESULT_INVALID},
        {40, EPOCH_MAX + 1, RESULT_CORRUPT},
        {40, 0, RESULT_CORRUPT},
        {40, 2, RESULT_CORRUPT}, /* A cut of an epoch to come. */
        {44, 0, RESULT_CORRUPT},
        {44, SHARDS_MAX + 1, RESULT_CORRUPT},
        {48, 2, RESULT_CORRUPT},
        {48, 4, RESULT_CORRUPT},
        {48, UINT32_MAX, RESULT_CORRUPT},
        {52, 0, RESULT_CORRUPT},
        {52, UINT32_MAX, RESULT_CORRUPT},
        {64, 0, RESULT_CORRUPT},
        {64, 2, RESULT_CORRUPT}, /* Not in order. */
        {68, 0, RESULT_CORRUPT},
        {68, UINT32_MAX, RESULT_CORRUPT},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        memcpy(copy, slot_of_three_cuts(), sizeof(copy));
        slot_set(copy, rows[i].at, rows[i].value, used);
        assert_string_equal(result_name(epochs_decode(copy, sizeof(copy), &epochs)),
                            result_name(rows[i].result));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_directory_has_no_epochs_and_a_made_one_has_epoch_0),
        cmocka_unit_test(claims_count_up_and_keep_the_newest_cuts),
        cmocka_unit_test(the_last_epoch_is_not_passed),
        cmocka_unit_test(forwards_above_the_cut_of_their_homes_epoch_are_void),
        cmocka_unit_test(learnt_cuts_stand_in_order_and_the_first_word_counts),
        cmocka_unit_test(a_crash_in_a_claim_leaves_the_old_epoch_or_the_new_one),
        cmocka_unit_test(a_claim_stands_whatever_a_failed_one_left_in_the_kernel),
        cmocka_unit_test(a_full_disk_takes_a_claim_in_its_spare_file_and_a_crash_there_too),
        cmocka_unit_test(a_crash_in_making_the_file_leaves_none_or_a_whole_one),
        cmocka_unit_test(damage_is_found_and_the_other_slot_serves),
        cmocka_unit_test(a_slot_that_cannot_be_read_is_not_taken_for_an_old_one),
        cmocka_unit_test(each_used_byte_is_guarded),
        cmocka_unit_test(numbers_beyond_their_limits_are_refused_under_a_good_crc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
