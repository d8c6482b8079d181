#include "tests/support/unit.h"

#include <stdio.h>

#include "controlplane/backfill_note.h"
#include "drivers/disk_simulated.h"
#include "drivers/memory.h"

static const char STORE_ID[] = "a store, 16 byte";
static const char TEXT[] = "streams:\n";

/* Bytes of note_example(1), field by field as controlplane/backfill_note.h has them. */
static const char GOLDEN[] = "46525348424b4631020000005e119f88"
                             "612073746f72652c2031362062797465"
                             "7e00000002000000"
                             "a00f00000000000040b9c21d00000000"
                             "0300000001000200"
                             "056c697665730473697a6502007766554433221100056c697374730100010000"
                             "0000000000010007002f612e79616d6c0900000073747265616d733a0a00";

/* Those of note_example_placed(). */
static const char GOLDEN_PLACED[] =
    "46525348424b463102000000efa1b890"
    "612073746f72652c2031362062797465"
    "5a01000002000000"
    "a00f00000000000040b9c21d00000000"
    "0300000001000200"
    "056c697665730473697a6502007766554433221100056c697374730100010000"
    "0000000000010007002f612e79616d6c0900000073747265616d733a0a011111"
    "111111111111333333332222222211000000000000000010000000000000bbbb"
    "00000500000003000100aa000000000000004f00000000000000030000006361"
    "74000000000000000000000000000000000001feffffffffffffff4400000000"
    "0000008800000000000000015500000000000000890000000000000000560000"
    "00000000008a0000000000000000570000000000000001006600000000000000"
    "0200000003000000000000000020000000000000990000004000670000000000"
    "0000000000000000000000000000000000000000000000000000";

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

/* The same with a place that it goes on from: the log of shard 1 of an era of three is read. */
static struct backfill_note note_example_placed(void)
{
    struct backfill_note note = note_example(1);
    note.place = heap_alloc(sizeof(*note.place));
    memset(note.place, 0, sizeof(*note.place));
    note.place->plan = 0x1111111111111111;
    note.place->corrections = 0x2222222233333333;
    note.place->generation = 17;
    note.place->bytes_done = 4096;
    note.place->begins = 0xbbbb;
    note.place->epoch = 5;
    note.place->log_count = 3;
    note.place->shard = 1;
    note.place->turn_us = 0xaa;
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        note.place->turn_watermark_us[s] = s == 0 ? 0x4f : INT64_MIN;
    }
    for (uint32_t i = 0; i < 3; i++) {
        struct backfill_log *log = &note.place->log[i];
        for (uint32_t s = 0; s < STREAMS_MAX; s++) {
            log->watermark_us[s] = s == 0 ? 0x55 + i : INT64_MIN;
        }
        log->done_lsn = 0x88 + i;
        log->planned = i == 0;
    }
    note.place->catalog_size = 3;
    note.place->catalog = heap_alloc(3);
    memcpy(note.place->catalog, "cat", 3);
    note.place->history[1] = (struct replay_span){.some = true, .oldest_us = -2, .newest_us = 0x44};
    for (uint32_t i = 0; i < 2; i++) {
        struct backfill_stand *stand = &note.place->stand[i];
        for (uint32_t s = 0; s < STREAMS_MAX; s++) {
            stand->filling.fold_us[s] = s == 0 ? 0x66 + i : INT64_MIN;
        }
        stand->filling.home = i == 0 ? 1 : SHARDS_MAX;
        stand->rows = (struct manifest_file){.kind = TILE_ROWS};
        tile_filled_name_format(17, i, stand->rows.name);
    }
    note.place->stand[0].rows.block_count = 2;
    note.place->stand[0].rows.row_count = 3;
    note.place->stand[0].rows.size = 8192;
    note.place->stand[0].rows.crc = 0x99;
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

static void bytes_are(struct backfill_note note, const char *golden)
{
    char hex[2 * 1024 + 1] = "";
    uint32_t size;
    uint8_t *data = backfill_note_encode(&note, &size);
    assert_true(size <= 1024);
    for (uint32_t i = 0; i < size; i++) {
        (void)snprintf(hex + 2 * (size_t)i, 3, "%02x", data[i]);
    }
    assert_string_equal(hex, golden);
    heap_free(data);
    backfill_note_free(&note);
}

static void its_bytes_are_those_of_the_specification(void **state)
{
    (void)state;
    bytes_are(note_example(1), GOLDEN);
    bytes_are(note_example_placed(), GOLDEN_PLACED);
}

static void a_place_is_read_again(void **state)
{
    (void)state;
    struct backfill_note note = note_example_placed();
    struct backfill_note read;
    uint32_t size;
    uint8_t *data = backfill_note_encode(&note, &size);
    assert_non_null(data);
    assert_int_equal(backfill_note_decode(data, size, &read), RESULT_OK);
    assert_memory_equal(read.place->log, note.place->log, sizeof(note.place->log));
    assert_memory_equal(read.place->turn_watermark_us, note.place->turn_watermark_us,
                        sizeof(note.place->turn_watermark_us));
    assert_memory_equal(read.place->stand, note.place->stand, sizeof(note.place->stand));
    assert_memory_equal(read.place->history, note.place->history, sizeof(note.place->history));
    assert_memory_equal(read.place->catalog, "cat", 3);
    assert_string_equal(read.place->stand[1].rows.name, "backfill-0000000017-001.rows");
    struct backfill_note copy = note;
    copy.place = backfill_place_copy(note.place);
    note_equals(&read, &copy);
    backfill_place_free(copy.place);
    heap_free(data);
    backfill_note_free(&read);
    backfill_note_free(&note);
}

/* Numbers beyond their limits, behind a good crc. */
static void a_place_that_none_can_be_is_refused(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct backfill_note note = note_example_placed();
        struct backfill_note read;
        uint32_t size;
        note.place->shard = i == 0 ? 3 : 1;
        note.place->stand[0].filling.home = i == 1 ? SHARDS_MAX + 1 : 1;
        uint8_t *data = backfill_note_encode(&note, &size);
        assert_int_equal(backfill_note_decode(data, size, &read),
                         i == 2 ? RESULT_OK : RESULT_INVALID);
        if (i == 2) {
            backfill_note_free(&read);
        }
        heap_free(data);
        backfill_note_free(&note);
    }
}

static void each_byte_that_is_cut_or_flipped_is_found(void **state)
{
    (void)state;
    struct backfill_note note = note_example_placed();
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
        cmocka_unit_test(a_place_is_read_again),
        cmocka_unit_test(a_place_that_none_can_be_is_refused),
        cmocka_unit_test(each_byte_that_is_cut_or_flipped_is_found),
        cmocka_unit_test(a_note_that_takes_the_place_of_another_does_so_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
