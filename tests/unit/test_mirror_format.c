#include "tests/support/damage.h"

#include "dataplane/base/checksum.h"
#include "dataplane/feature/mirror_format.h"

#define EVENT_BYTES 20u

static const struct mirror_segment segment_example = {
    .store_id = "0123456789abcdef",
    .number = 12,
    .epoch = 3,
    .shard = 5,
    .shard_count = 6,
    .first_lsn = UINT64_C(3) << 48 | 100,
    .before_lsn = UINT64_C(2) << 48 | 99,
    .created_us = INT64_C(1700000000000000),
    .size_bytes = 4 * MIB,
};

static const struct mirror_frame frame_example = {
    .size = 80,
    .shard = 5,
    .store = UINT64_C(0x3736353433323130),
    .segment = 12,
    .first_lsn = UINT64_C(3) << 48 | 100,
    .count = 1,
    .previous_crc = 0x01020304,
    .acked_lsn = UINT64_C(3) << 48 | 99,
    .apply_us = -1,
};

static const uint8_t event_bytes[2 * EVENT_BYTES] = "what the first event says, and the other";

static const struct mirror_entry message_example = {
    .kind = MIRROR_MESSAGE,
    .flags = MIRROR_MESSAGE_FLAG_ACKED,
    .stream_id = 7,
    .apply_us = 1234567,
    .lsn = 100,
    .lsn_count = 2,
    .producer = UINT64_MAX,
    .sequence = 42,
    .incarnation = 9,
    .lane = 65535,
    .version = 2,
    .event_count = 2,
    .event_stride = EVENT_BYTES,
    .place = 3,
    .events = event_bytes,
};

static const struct mirror_entry forward_example = {
    .kind = MIRROR_FORWARD,
    .stream_id = 7,
    .apply_us = 1234567,
    .lsn = 102,
    .lsn_count = 1,
    .version = 2,
    .event_count = 1,
    .event_stride = EVENT_BYTES,
    .events = event_bytes,
    .home_lsn = 77,
    .order = 42 << 16 | 1,
    .home = SHARDS_MAX - 1,
    .views = 0x8001,
};

static const struct mirror_entry plan_example = {
    .kind = MIRROR_PLAN,
    .apply_us = 1,
    .lsn = 103,
    .lsn_count = 1,
    .note = event_bytes,
    .note_size = 13,
};

static const struct mirror_entry epoch_example = {
    .kind = MIRROR_EPOCH,
    .apply_us = 1,
    .lsn = UINT64_C(4) << 48 | 1,
    .lsn_count = 1,
    .epoch = 3,
    .shard_count = 5,
    .note = event_bytes,
    .note_size = 40,
};

static const struct mirror_entry *const entry_examples[] = {&message_example, &forward_example,
                                                            &plan_example, &epoch_example};

static uint32_t entry_encode(const struct mirror_entry *entry, uint8_t *out)
{
    if (entry->kind == MIRROR_MESSAGE) {
        return mirror_message_encode(entry, out);
    }
    return entry->kind == MIRROR_FORWARD ? mirror_forward_encode(entry, out)
                                         : mirror_note_encode(entry, out);
}

/* The entry alone, at the end of an allocation, so that a sanitizer sees a read past it. */
static enum result entry_try(const uint8_t *data, uint32_t size, struct mirror_entry *out_entry)
{
    uint32_t at = 0;
    uint8_t *copy = malloc(size + (size == 0));
    memcpy(copy, data, size);
    enum result result = mirror_entry_decode(copy, size, &at, out_entry);
    assert_true(result == RESULT_OK ? at <= size && at > 0 : at == 0);
    free(copy);
    return result;
}

static void a_segment_is_decoded_as_it_was_encoded(void **state)
{
    (void)state;
    uint8_t block[MIRROR_BLOCK_BYTES];
    struct mirror_segment segment = segment_example;
    struct mirror_segment out = {0};
    memset(block, 0xaa, sizeof(block));
    mirror_segment_encode(&segment, block);
    assert_memory_equal(block, "FFRESEG1", 8);
    assert_int_equal(block[MIRROR_SEGMENT_FIELDS], 0);
    assert_int_equal(block[MIRROR_BLOCK_BYTES - 1], 0);
    assert_int_equal(mirror_segment_decode(block, sizeof(block), &out), RESULT_OK);
    assert_int_equal(out.crc, segment.crc);
    assert_memory_equal(&out, &segment, sizeof(out));
}

static void segment_cut_look(const uint8_t *data, uint32_t size, uint32_t at)
{
    struct mirror_segment out;
    (void)at;
    assert_int_equal(mirror_segment_decode(data, size, &out), RESULT_TRUNCATED);
}

static void segment_flip_look(const uint8_t *data, uint32_t size, uint32_t at)
{
    struct mirror_segment out;
    assert_int_equal(mirror_segment_decode(data, size, &out),
                     at < 12 ? RESULT_INVALID : RESULT_CORRUPT);
}

static void a_segment_header_refuses_every_cut_and_flipped_byte(void **state)
{
    (void)state;
    uint8_t block[MIRROR_BLOCK_BYTES];
    struct mirror_segment segment = segment_example;
    mirror_segment_encode(&segment, block);
    damage_cuts(block, MIRROR_SEGMENT_FIELDS, segment_cut_look);
    damage_flips(block, sizeof(block), MIRROR_SEGMENT_FIELDS, segment_flip_look);
}

/* Writes a number into a header block and makes its crc right again. */
static void segment_patch(uint8_t *block, uint32_t offset, uint64_t value, uint32_t bytes)
{
    memcpy(block + offset, &value, bytes);
    memset(block + 12, 0, 4);
    uint32_t crc = checksum_crc32c(0, block, MIRROR_SEGMENT_FIELDS);
    memcpy(block + 12, &crc, sizeof(crc));
}

static void a_segment_header_has_limits(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset;
        uint32_t bytes;
        uint64_t value;
        enum result result;
    } row[] = {
        {44, 4, 0, RESULT_OK},
        {44, 4, 6, RESULT_CORRUPT},
        {80, 4, 64, RESULT_OK},
        {80, 4, 65, RESULT_CORRUPT},
        {80, 4, 0, RESULT_CORRUPT},
        {40, 4, 0x10003, RESULT_CORRUPT},
        {40, 4, 4, RESULT_CORRUPT},
        {72, 8, MIB, RESULT_OK},
        {72, 8, GIB, RESULT_OK},
        {72, 8, MIB - 4096, RESULT_CORRUPT},
        {72, 8, GIB + 4096, RESULT_CORRUPT},
        {72, 8, MIB + 1, RESULT_CORRUPT},
        {56, 8, UINT64_C(3) << 48 | 99, RESULT_OK},
        {56, 8, UINT64_C(3) << 48 | 100, RESULT_CORRUPT},
        {84, 1, 1, RESULT_CORRUPT},
        {95, 1, 1, RESULT_CORRUPT},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        uint8_t block[MIRROR_BLOCK_BYTES];
        struct mirror_segment segment = segment_example;
        struct mirror_segment out;
        mirror_segment_encode(&segment, block);
        segment_patch(block, row[i].offset, row[i].value, row[i].bytes);
        assert_int_equal(mirror_segment_decode(block, sizeof(block), &out), row[i].result);
    }
}

static uint32_t frame_make(struct mirror_frame *frame, uint8_t *out)
{
    for (uint32_t i = 0; i < frame->size; i++) {
        out[MIRROR_FRAME_HEADER + i] = (uint8_t)i;
    }
    mirror_frame_encode(frame, checksum_crc32c(0, out + MIRROR_FRAME_HEADER, frame->size), out);
    return MIRROR_FRAME_HEADER + frame->size;
}

static void a_frame_is_decoded_as_it_was_encoded(void **state)
{
    (void)state;
    uint8_t data[MIRROR_BLOCK_BYTES];
    struct mirror_frame frame = frame_example;
    struct mirror_frame witness = frame_example;
    struct mirror_frame out = {0};
    uint32_t size = frame_make(&frame, data);
    assert_memory_equal(data, "FRM1", 4);
    assert_int_equal(mirror_frame_decode(data, size, &out), RESULT_OK);
    assert_memory_equal(&out, &frame, sizeof(out));
    witness.size = 0;
    witness.count = 0;
    witness.flags = MIRROR_FRAME_FLAG_WITNESS;
    size = frame_make(&witness, data);
    assert_int_equal(size, MIRROR_FRAME_HEADER);
    assert_int_equal(mirror_frame_decode(data, size, &out), RESULT_OK);
    assert_memory_equal(&out, &witness, sizeof(out));
}

static void frame_cut_look(const uint8_t *data, uint32_t size, uint32_t at)
{
    struct mirror_frame out;
    (void)at;
    assert_int_equal(mirror_frame_decode(data, size, &out), RESULT_TRUNCATED);
    assert_int_equal(out.size, size < MIRROR_FRAME_HEADER ? 0 : frame_example.size);
}

static void frame_flip_look(const uint8_t *data, uint32_t size, uint32_t at)
{
    struct mirror_frame out;
    enum result result = mirror_frame_decode(data, size, &out);
    bool length = at >= 8 && at < 12;
    assert_true(at < 4 ? result == RESULT_NOT_FOUND
                       : result == RESULT_CORRUPT || (length && result == RESULT_TRUNCATED));
}

static void a_frame_refuses_every_cut_and_flipped_byte(void **state)
{
    (void)state;
    uint8_t data[MIRROR_BLOCK_BYTES];
    struct mirror_frame frame = frame_example;
    uint32_t whole = frame_make(&frame, data);
    damage_cuts(data, whole, frame_cut_look);
    damage_flips(data, whole, whole, frame_flip_look);
}

static void a_frame_has_limits(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset;
        uint32_t bytes;
        uint64_t value;
        bool good;
    } row[] = {
        {12, 2, SHARDS_MAX - 1, true},
        {12, 2, SHARDS_MAX, false},
        {14, 2, 1, false}, /* A witness with entries. */
        {14, 2, 2, false},
        {40, 4, 0, false},
        {32, 8, UINT64_C(3) << 48 | UINT64_C(0xffffffffffff), true},
        {40, 4, UINT32_MAX, true},
        {48, 8, UINT64_C(3) << 48 | 100, false},
        {8, 4, 72, true},
        {8, 4, 76, false},
        {8, 4, 0, false},
        {8, 4, UINT32_MAX & ~7u, false},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        uint8_t data[MIRROR_BLOCK_BYTES];
        struct mirror_frame frame = frame_example;
        struct mirror_frame out;
        frame_make(&frame, data);
        memcpy(data + row[i].offset, &row[i].value, row[i].bytes);
        uint32_t size = 0;
        memcpy(&size, data + 8, sizeof(size));
        size = size < 80 ? size : 80;
        uint32_t crc = checksum_crc32c(checksum_crc32c(0, data + 64, size), data + 8, 56);
        memcpy(data + 4, &crc, sizeof(crc));
        assert_int_equal(mirror_frame_decode(data, sizeof(data), &out),
                         row[i].good ? RESULT_OK : RESULT_CORRUPT);
    }
}

static void the_numbers_of_a_frame_stay_in_their_epoch(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 2; count++) {
        uint8_t data[MIRROR_BLOCK_BYTES];
        struct mirror_frame frame = frame_example;
        struct mirror_frame out;
        frame.first_lsn = lsn_of(3, UINT64_C(0xffffffffffff));
        frame_make(&frame, data);
        memcpy(data + 40, &count, sizeof(count));
        uint32_t crc = checksum_crc32c(checksum_crc32c(0, data + 64, 80), data + 8, 56);
        memcpy(data + 4, &crc, sizeof(crc));
        assert_int_equal(mirror_frame_decode(data, sizeof(data), &out),
                         count == 1 ? RESULT_OK : RESULT_CORRUPT);
    }
}

static void the_longest_frame_fills_its_bytes(void **state)
{
    (void)state;
    assert_int_equal(mirror_frame_bytes(0), 4096);
    assert_int_equal(mirror_frame_bytes(4096 - 64), 4096);
    assert_int_equal(mirror_frame_bytes(4096 - 56), 8192);
    assert_int_equal(mirror_frame_bytes(UINT32_MAX), UINT64_C(0x100001000));
    uint8_t *data = malloc(MIRROR_FRAME_BYTES_MAX);
    struct mirror_frame frame = frame_example;
    struct mirror_frame out;
    frame.size = (uint32_t)MIRROR_FRAME_BYTES_MAX - MIRROR_FRAME_HEADER;
    frame_make(&frame, data);
    assert_int_equal(mirror_frame_decode(data, MIRROR_FRAME_BYTES_MAX, &out), RESULT_OK);
    frame.size += 8;
    memcpy(data + 8, &frame.size, sizeof(frame.size));
    assert_int_equal(mirror_frame_decode(data, UINT64_MAX, &out), RESULT_CORRUPT);
    free(data);
}

static void entries_are_decoded_as_they_were_encoded(void **state)
{
    (void)state;
    uint8_t data[1024];
    uint32_t size = 0;
    for (uint32_t i = 0; i < ARRAY_COUNT(entry_examples); i++) {
        uint32_t bytes = entry_encode(entry_examples[i], data + size);
        assert_int_equal(bytes % 8, 0);
        size += bytes;
    }
    struct mirror_entry entry;
    uint32_t at = 0;
    for (uint32_t i = 0; i < ARRAY_COUNT(entry_examples); i++) {
        struct mirror_entry expected = *entry_examples[i];
        memset(&entry, 0, sizeof(entry));
        uint32_t begin = at;
        assert_int_equal(mirror_entry_decode(data, size, &at, &entry), RESULT_OK);
        expected.size = at - begin;
        bool note = entry.note != NULL;
        assert_memory_equal(
            note ? entry.note : entry.events, note ? expected.note : expected.events,
            note ? expected.note_size : (uint32_t)expected.event_count * expected.event_stride);
        for (uint32_t e = 0; e < entry.event_count; e++) {
            assert_int_equal(mirror_entry_verdict(&entry, e), 0);
        }
        entry.note = expected.note;
        entry.events = expected.events;
        entry.verdicts = NULL;
        assert_memory_equal(&entry, &expected, sizeof(entry));
    }
    assert_int_equal(mirror_entry_decode(data, size, &at, &entry), RESULT_NOT_FOUND);
}

static void verdicts_stand_where_the_header_says(void **state)
{
    (void)state;
    uint8_t data[256];
    struct mirror_entry entry;
    uint32_t late = verdict_of(VERDICT_event_late, 3, 0x8001);
    uint32_t size = mirror_message_encode(&message_example, data);
    memcpy(data + MIRROR_MESSAGE_HEADER + 4, &late, sizeof(late));
    assert_int_equal(entry_try(data, size, &entry), RESULT_OK);
    uint32_t at = 0;
    assert_int_equal(mirror_entry_decode(data, size, &at, &entry), RESULT_OK);
    assert_int_equal(mirror_entry_verdict(&entry, 0), 0);
    assert_int_equal(mirror_entry_verdict(&entry, 1), late);
    size = mirror_forward_encode(&forward_example, data);
    memcpy(data + MIRROR_FORWARD_VERDICT_OFFSET, &late, sizeof(late));
    at = 0;
    assert_int_equal(mirror_entry_decode(data, size, &at, &entry), RESULT_OK);
    assert_int_equal(mirror_entry_verdict(&entry, 0), late);
    data[MIRROR_FORWARD_VERDICT_OFFSET] = 200;
    assert_int_equal(entry_try(data, size, &entry), RESULT_CORRUPT);
}

static void verdicts_have_the_names_of_drops(void **state)
{
    (void)state;
    assert_string_equal(verdict_name(VERDICT_applied), "applied");
    assert_string_equal(verdict_name(VERDICT_event_future), "event_future");
    assert_null(verdict_name(UINT8_MAX));
}

static void an_entry_refuses_every_cut(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(entry_examples); i++) {
        uint8_t data[256];
        struct mirror_entry entry;
        uint32_t size = entry_encode(entry_examples[i], data);
        assert_int_equal(entry_try(data, 0, &entry), RESULT_NOT_FOUND);
        for (uint32_t cut = 1; cut < size; cut++) {
            assert_int_equal(entry_try(data, cut, &entry), RESULT_CORRUPT);
        }
    }
}

/* There is no crc in an entry: a flipped byte is refused, or gives an entry that encodes to the
 * same bytes. */
static void an_entry_with_a_flipped_byte_is_refused_or_means_its_bytes(void **state)
{
    (void)state;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < ARRAY_COUNT(entry_examples); i++) {
        uint8_t data[256];
        uint8_t again[256];
        uint32_t size = entry_encode(entry_examples[i], data);
        for (uint32_t at = 0; at < size; at++) {
            for (uint32_t bit = 0; bit < 8; bit++) {
                struct mirror_entry entry;
                uint32_t end = 0;
                data[at] ^= (uint8_t)(1u << bit);
                if (mirror_entry_decode(data, size, &end, &entry) == RESULT_OK) {
                    assert_int_equal(entry_encode(&entry, again), end);
                    if (entry.verdicts != NULL) {
                        memcpy(again + (entry.verdicts - data), entry.verdicts,
                               entry.event_count * sizeof(uint32_t));
                    }
                    assert_memory_equal(again, data, end);
                } else {
                    refused++;
                }
                data[at] ^= (uint8_t)(1u << bit);
            }
        }
    }
    assert_true(refused > 0);
}

static void entries_have_limits(void **state)
{
    (void)state;
    static const struct {
        uint32_t example;
        uint32_t offset;
        uint32_t bytes;
        uint64_t value;
        bool good;
    } row[] = {
        {0, 4, 1, 0, false},
        {0, 4, 1, 5, false},
        {0, 5, 1, 3, true},
        {0, 5, 1, 4, false},
        {0, 6, 2, 64999, true},
        {0, 6, 2, 65000, false},
        {0, 0, 4, 0, false},
        {0, 0, 4, 4, false},
        {0, 0, 4, 96, false},
        {0, 0, 4, UINT32_MAX & ~7u, false},
        {0, 48, 2, 3, false},
        {0, 48, 2, UINT16_MAX, false},
        {0, 50, 2, 19, true},
        {0, 50, 2, 16, false},
        {0, 50, 2, 20, true},
        {0, 50, 2, UINT16_MAX, false},
        {1, 5, 1, 1, false},
        {1, 40, 2, 0, true},
        {1, 40, 2, SHARDS_MAX, false},
        {1, 46, 2, 1, false},
        {1, 48, 4, 0, false},
        {1, 48, 4, 0xffff, true},
        {1, 48, 4, 0x10000, false},
        {1, 44, 2, 21, true},
        {1, 44, 2, 24, true},
        {1, 44, 2, 25, false},
        {1, 44, 2, 0, false},
        {2, 5, 1, MIRROR_PLAN_FLAG_UNROUTED, true},
        {2, 5, 1, MIRROR_PLAN_FLAG_REPEATED, true},
        {2, 5, 1, 3, true},
        {2, 5, 1, 4, false},
        {3, 5, 1, 1, false},
        {2, 6, 2, 1, false},
        {2, 24, 4, 16, true},
        {2, 24, 4, 17, false},
        {2, 24, 4, UINT32_MAX, false},
        {2, 28, 4, 1, false},
        {3, 24, 4, 5, false},
        {3, 28, 4, 4, false},
        {3, 28, 4, 6, false},
        {3, 28, 4, UINT32_MAX, false},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        uint8_t data[256];
        struct mirror_entry entry;
        /* Events of zeros: what a shorter length leaves over is padding. */
        static const uint8_t zeros[2 * EVENT_BYTES];
        struct mirror_entry example = *entry_examples[row[i].example];
        example.events = zeros;
        example.note = zeros;
        uint32_t size = entry_encode(&example, data);
        memcpy(data + row[i].offset, &row[i].value, row[i].bytes);
        assert_int_equal(entry_try(data, size, &entry), row[i].good ? RESULT_OK : RESULT_CORRUPT);
    }
}

static void a_message_without_events_takes_one_lsn(void **state)
{
    (void)state;
    uint8_t data[64];
    struct mirror_entry entry = message_example;
    entry.event_count = 0;
    entry.event_stride = 0;
    entry.events = NULL;
    assert_int_equal(mirror_message_encode(&entry, data), MIRROR_MESSAGE_HEADER);
    assert_int_equal(entry_try(data, MIRROR_MESSAGE_HEADER, &entry), RESULT_OK);
    assert_int_equal(entry.event_count, 0);
    assert_int_equal(entry.lsn_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_decoded_as_it_was_encoded),
        cmocka_unit_test(a_segment_header_refuses_every_cut_and_flipped_byte),
        cmocka_unit_test(a_segment_header_has_limits),
        cmocka_unit_test(a_frame_is_decoded_as_it_was_encoded),
        cmocka_unit_test(a_frame_refuses_every_cut_and_flipped_byte),
        cmocka_unit_test(a_frame_has_limits),
        cmocka_unit_test(the_numbers_of_a_frame_stay_in_their_epoch),
        cmocka_unit_test(the_longest_frame_fills_its_bytes),
        cmocka_unit_test(entries_are_decoded_as_they_were_encoded),
        cmocka_unit_test(verdicts_stand_where_the_header_says),
        cmocka_unit_test(verdicts_have_the_names_of_drops),
        cmocka_unit_test(an_entry_refuses_every_cut),
        cmocka_unit_test(an_entry_with_a_flipped_byte_is_refused_or_means_its_bytes),
        cmocka_unit_test(entries_have_limits),
        cmocka_unit_test(a_message_without_events_takes_one_lsn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
