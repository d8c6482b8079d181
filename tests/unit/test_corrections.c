#include "tests/support/unit.h"

#include "controlplane/corrections.h"
#include "drivers/disk_simulated.h"

#define OPERATIONS_MAX 40u

static const uint8_t STORE_ID[MIRROR_STORE_ID_BYTES] = "a store, 16 byte";
static const uint8_t EVENT[8] = "an event";

static struct disk *disk_make(uint64_t seed)
{
    struct disk_simulated_options simulated = {.seed = seed};
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    struct disk *disk;
    char error[DISK_ERROR_SIZE_MAX];
    assert_int_equal(disk_open(&options, &disk, error), RESULT_OK);
    return disk;
}

static struct correction record_of(uint64_t number)
{
    return (struct correction){.kind = CORRECTION_RETRACT,
                               .number = number,
                               .epoch = 1,
                               .lsn = lsn_of(1, number),
                               .stream_id = 1,
                               .was = {1, sizeof(EVENT), EVENT}};
}

static enum result append(struct disk *disk, uint64_t number)
{
    struct corrections corrections;
    struct correction record = record_of(number);
    enum result result = corrections_load(disk, STORE_ID, &corrections);
    if (result == RESULT_OK) {
        result = corrections_append(disk, STORE_ID, &corrections, &record, 1);
        corrections_free(&corrections);
    }
    return result;
}

static uint32_t count_of(struct disk *disk)
{
    struct corrections corrections;
    assert_int_equal(corrections_load(disk, STORE_ID, &corrections), RESULT_OK);
    uint32_t count = corrections.event_count;
    assert_int_equal(corrections.number_last, count);
    for (uint64_t number = 1; number <= count; number++) {
        assert_non_null(correction_find(&corrections.set, 0, lsn_of(1, number)));
    }
    corrections_free(&corrections);
    return count;
}

static void a_directory_without_the_file_has_no_corrections(void **state)
{
    (void)state;
    struct disk *disk = disk_make(1);
    assert_int_equal(count_of(disk), 0);
    disk_close(disk);
}

static void corrections_are_appended_one_behind_the_other(void **state)
{
    (void)state;
    struct disk *disk = disk_make(1);
    for (uint32_t number = 1; number <= 5; number++) {
        assert_int_equal(append(disk, number), RESULT_OK);
        assert_int_equal(count_of(disk), number);
    }
    disk_close(disk);
}

/* A power cut at each operation: what was there stays, and what was told to be durable is. */
static void a_power_cut_leaves_all_that_was_appended_or_was_before(void **state)
{
    (void)state;
    uint32_t appended = 0;
    for (uint32_t after = 1; after <= OPERATIONS_MAX; after++) {
        struct disk *disk = disk_make(after);
        assert_int_equal(append(disk, 1), RESULT_OK);
        disk_simulated_crash_after(disk, after);
        enum result result = append(disk, 2);
        disk_simulated_crash(disk);
        disk_simulated_restart(disk);
        uint32_t count = count_of(disk);
        assert_true(count == 2 || (count == 1 && result != RESULT_OK));
        appended += result == RESULT_OK ? 1 : 0;
        assert_int_equal(append(disk, count + 1), RESULT_OK);
        disk_close(disk);
    }
    assert_true(appended > 0 && appended < OPERATIONS_MAX);
}

static void a_file_of_another_store_or_a_damaged_one_is_refused(void **state)
{
    (void)state;
    static const uint8_t other[MIRROR_STORE_ID_BYTES] = "another, 16 byte";
    struct disk *disk = disk_make(1);
    struct corrections corrections;
    struct disk_file *file;
    assert_int_equal(append(disk, 1), RESULT_OK);
    assert_int_equal(corrections_load(disk, other, &corrections), RESULT_CORRUPT);
    assert_int_equal(disk_file_open(disk, CORRECTIONS_NAME, DISK_WRITE, &file), RESULT_OK);
    assert_int_equal(disk_file_write(file, 100, "x", 1), RESULT_OK);
    disk_file_close(file);
    assert_int_equal(corrections_load(disk, STORE_ID, &corrections), RESULT_CORRUPT);
    assert_null(corrections.data);
    disk_close(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_without_the_file_has_no_corrections),
        cmocka_unit_test(corrections_are_appended_one_behind_the_other),
        cmocka_unit_test(a_power_cut_leaves_all_that_was_appended_or_was_before),
        cmocka_unit_test(a_file_of_another_store_or_a_damaged_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
