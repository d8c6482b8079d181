#include "tests/support/unit.h"

#include <stdio.h>

#include "controlplane/backfill_note.h"
#include "drivers/disk_simulated.h"
#include "drivers/memory.h"

static const char STORE_ID[] = "a store, 16 byte";
static const char TEXT[] = "streams:\n";

/* Bytes of note_example(1), field by field as controlplane/backfill_note.h has them. */
static const char GOLDEN[] = "46525348424b4631010000001f721ebd"
                             "612073746f72652c2031362062797465"
                             "7d00000002000000"
                             "a00f00000000000040b9c21d00000000"
                             "0300000001000200"
                             "056c69766573"
                             "0473697a6502007766554433221100"
                             "056c6973747301000100000000000000"
                             "0100"
                             "07002f612e79616d6c09000000"
                             "73747265616d733a0a";

/* Of two views and so many texts. */
static struct backfill_note note_example(uint32_t texts)
{
    struct backfill_note note = {.shard_count = 2,
                                 .rate = 4000,
                                 .begin_us = 499300672,
                                 .starts = 3,
                                 .stream_count = 1,
                                 .view_count = 2,
                                 .asked = "lives"};
    memcpy(note.store_id, STORE_ID, sizeof(note.store_id));
    note.view = heap_alloc(2 * sizeof(*note.view));
    note.view[0] =
        (struct backfill_view){.name = "size", .version = 2, .fingerprint = 0x0011223344556677};
    note.view[1] = (struct backfill_view){.name = "lists", .version = 1, .fingerprint = 1};
    for (uint32_t i = 0; i < texts; i++) {
        assert_true(config_texts_add(&note.texts, "/a.yaml", TEXT, sizeof(TEXT) - 1));
    }
    return note;
}

static void note_equals(const struct backfill_note *is, const struct backfill_note *was)
{
    uint32_t size[2];
    uint8_t *bytes[2] = {backfill_note_encode(is, &size[0]), backfill_note_encode(was, &size[1])};
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    heap_free(bytes[0]);
    heap_free(bytes[1]);
}

static void what_was_written_is_read_again(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct backfill_note note = note_example(i + 1);
        struct backfill_note read;
        uint32_t size;
        uint8_t *data = backfill_note_encode(&note, &size);
        assert_non_null(data);
        assert_int_equal(backfill_note_decode(data, size, &read), RESULT_OK);
        note_equals(&read, &note);
        assert_int_equal(read.starts, 3);
        assert_string_equal(read.asked, "lives");
        assert_string_equal(read.texts.text[0].name, "/a.yaml");
        assert_int_equal(read.texts.count, i + 1);
        heap_free(data);
        backfill_note_free(&read);
        backfill_note_free(&note);
    }
}

static void its_bytes_are_those_of_the_specification(void **state)
{
    (void)state;
    struct backfill_note note = note_example(1);
    char hex[2 * 1024 + 1] = "";
    uint32_t size;
    uint8_t *data = backfill_note_encode(&note, &size);
    assert_true(size <= 1024);
    for (uint32_t i = 0; i < size; i++) {
        (void)snprintf(hex + 2 * (size_t)i, 3, "%02x", data[i]);
    }
    assert_string_equal(hex, GOLDEN);
    heap_free(data);
    backfill_note_free(&note);
}

static void each_byte_that_is_cut_or_flipped_is_found(void **state)
{
    (void)state;
    struct backfill_note note = note_example(1);
    struct backfill_note read;
    uint32_t size;
    uint8_t *data = backfill_note_encode(&note, &size);
    for (uint32_t i = 0; i < size; i++) {
        data[i] ^= 0x10;
        assert_int_not_equal(backfill_note_decode(data, size, &read), RESULT_OK);
        data[i] ^= 0x10;
        assert_int_not_equal(backfill_note_decode(data, i, &read), RESULT_OK);
    }
    heap_free(data);
    backfill_note_free(&note);
}

/* A disk that crashes at an operation has the one note or the other. */
static void a_note_that_takes_the_place_of_another_does_so_whole(void **state)
{
    (void)state;
    struct disk_simulated_options simulated = {.seed = 3};
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    char error[DISK_ERROR_SIZE_MAX];
    struct disk *disk;
    struct backfill_note read;
    assert_int_equal(disk_open(&options, &disk, error), RESULT_OK);
    assert_int_equal(backfill_note_read(disk, &read), RESULT_NOT_FOUND);
    assert_int_equal(backfill_note_remove(disk), RESULT_OK);
    for (uint32_t i = 0; i < 2; i++) {
        struct backfill_note note = note_example(i + 1);
        assert_int_equal(backfill_note_write(disk, &note), RESULT_OK);
        assert_int_equal(backfill_note_read(disk, &read), RESULT_OK);
        note_equals(&read, &note);
        backfill_note_free(&read);
        backfill_note_free(&note);
    }
    assert_int_equal(backfill_note_remove(disk), RESULT_OK);
    assert_int_equal(backfill_note_read(disk, &read), RESULT_NOT_FOUND);
    disk_close(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(its_bytes_are_those_of_the_specification),
        cmocka_unit_test(each_byte_that_is_cut_or_flipped_is_found),
        cmocka_unit_test(a_note_that_takes_the_place_of_another_does_so_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
