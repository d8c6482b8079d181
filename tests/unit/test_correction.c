#include "tests/support/unit.h"

#include "dataplane/base/random.h"
#include "dataplane/feature/correction.h"

#define RECORDS 5u

static const uint8_t STORE_ID[MIRROR_STORE_ID_BYTES] = "a store, 16 byte";
static const uint8_t EVENT_WAS[24] = "what it was once, really";
static const uint8_t EVENT_IS[32] = "and what it should have been now";
static uint8_t file[CORRECTION_HEAD_BYTES + RECORDS * CORRECTION_RECORD_BYTES_MAX];
static uint32_t size;

static struct correction_text text_of(const char *text)
{
    return (struct correction_text){text, (uint8_t)strlen(text)};
}

static struct correction example(uint32_t i)
{
    if (i + 1 == RECORDS) {
        return (struct correction){.kind = CORRECTION_REBUILT,
                                   .number = RECORDS - 1,
                                   .made_us = 77,
                                   .epoch = 4,
                                   .rows = 12,
                                   .view_version = 3,
                                   .view = text_of("activity")};
    }
    struct correction record = {.kind = i % 2 == 0 ? CORRECTION_RETRACT : CORRECTION_REPLACE,
                                .number = i + 1,
                                .made_us = INT64_C(1750000000000000) + i,
                                .epoch = 3,
                                .apply_us = INT64_C(1740000000000000) + i,
                                .lsn = lsn_of(2, 10 - i),
                                .producer = UINT64_MAX - i,
                                .sequence = UINT64_C(1) << 40,
                                .incarnation = 1700000000,
                                .shard = (uint16_t)(i % 3),
                                .lane = 2,
                                .place = 7,
                                .stream_id = 1,
                                .was = {2, sizeof(EVENT_WAS), EVENT_WAS},
                                .who = text_of(i == 0 ? "" : "ada"),
                                .why = text_of("a typing error")};
    if (record.kind == CORRECTION_REPLACE) {
        record.is = (struct correction_event){3, sizeof(EVENT_IS), EVENT_IS};
    }
    return record;
}

static int file_make(void **state)
{
    (void)state;
    size = CORRECTION_HEAD_BYTES;
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct correction record = example(i);
        size += correction_encode_record(&record, file + size);
    }
    correction_encode_head(STORE_ID, RECORDS, file, size);
    return 0;
}

static void assert_text(struct correction_text a, struct correction_text b)
{
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
}

static void assert_event(struct correction_event a, struct correction_event b)
{
    assert_int_equal(a.version, b.version);
    assert_int_equal(a.size, b.size);
    if (a.size > 0) {
        assert_memory_equal(a.data, b.data, a.size);
    }
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct correction_head head;
    assert_memory_equal(file, "FRSHCOR1", 8);
    assert_int_equal(correction_decode_head(file, size, &head), RESULT_OK);
    assert_memory_equal(head.store_id, STORE_ID, sizeof(STORE_ID));
    assert_int_equal(head.count, RECORDS);
    uint64_t at = CORRECTION_HEAD_BYTES;
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct correction expected = example(i);
        struct correction record;
        assert_int_equal(correction_decode_record(file, size, &at, &record), RESULT_OK);
        assert_int_equal(record.kind, expected.kind);
        assert_true(record.number == expected.number && record.made_us == expected.made_us);
        assert_true(record.lsn == expected.lsn && record.producer == expected.producer);
        assert_true(record.sequence == expected.sequence && record.apply_us == expected.apply_us);
        assert_true(record.epoch == expected.epoch && record.rows == expected.rows);
        assert_true(record.incarnation == expected.incarnation && record.lane == expected.lane);
        assert_true(record.shard == expected.shard && record.place == expected.place);
        assert_true(record.stream_id == expected.stream_id);
        assert_true(record.view_version == expected.view_version);
        assert_event(record.was, expected.was);
        assert_event(record.is, expected.is);
        assert_text(record.who, expected.who);
        assert_text(record.why, expected.why);
        assert_text(record.view, expected.view);
    }
    struct correction none;
    assert_int_equal(correction_decode_record(file, size, &at, &none), RESULT_NOT_FOUND);
}

static void every_cut_and_every_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct correction_head head;
    for (uint32_t cut = 0; cut < size; cut++) {
        assert_int_equal(correction_decode_head(file, cut, &head), RESULT_TRUNCATED);
    }
    for (uint32_t at = 0; at < size; at++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            file[at] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(correction_decode_head(file, size, &head), RESULT_OK);
            file[at] ^= (uint8_t)(1u << bit);
        }
    }
    assert_int_equal(correction_decode_head(file, size + 8, &head), RESULT_CORRUPT);
}

/* The file's crc holds for whatever it says: a record itself must say no nonsense. */
static void a_record_that_its_format_does_not_allow_is_refused(void **state)
{
    (void)state;
    struct {
        uint32_t at; /* In the first record. */
        uint8_t value;
    } const wrong[] = {
        {0, 4}, {1, 0xff}, {3, 0xff}, {4, 0}, {4, 9}, {5, 1}, {7, 1}, {64, 0xff}, {74, 0},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        uint8_t *byte = file + CORRECTION_HEAD_BYTES + wrong[i].at;
        uint8_t was = *byte;
        uint64_t at = CORRECTION_HEAD_BYTES;
        struct correction record;
        *byte = wrong[i].value;
        assert_int_equal(correction_decode_record(file, size, &at, &record), RESULT_CORRUPT);
        assert_int_equal(at, CORRECTION_HEAD_BYTES);
        *byte = was;
    }
}

static void nothing_is_found_where_nothing_was_corrected(void **state)
{
    (void)state;
    struct correction_set none = {0};
    assert_null(correction_find(NULL, 0, 1));
    assert_null(correction_find(&none, 0, 1));
}

static void the_newest_correction_of_each_event_is_found(void **state)
{
    (void)state;
    static struct correction item[600];
    struct random random;
    random_seed(&random, 20261126);
    for (uint32_t count = 0; count <= ARRAY_COUNT(item); count += count < 8 ? 1 : 74) {
        uint64_t newest[4][200] = {{0}};
        for (uint32_t i = 0; i < count; i++) {
            uint32_t shard = (uint32_t)random_below(&random, 4);
            uint32_t number = (uint32_t)random_below(&random, 200);
            item[i] = (struct correction){
                .number = i + 1, .shard = (uint16_t)shard, .lsn = lsn_of(1, number)};
            newest[shard][number] = i + 1;
        }
        struct correction_set set;
        correction_set_init(&set, item, count);
        for (uint32_t shard = 0; shard < 4; shard++) {
            for (uint32_t number = 0; number < 200; number++) {
                const struct correction *found = correction_find(&set, shard, lsn_of(1, number));
                assert_true((found == NULL ? 0 : found->number) == newest[shard][number]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_written_is_read, file_make),
        cmocka_unit_test_setup(every_cut_and_every_flipped_bit_is_refused, file_make),
        cmocka_unit_test_setup(a_record_that_its_format_does_not_allow_is_refused, file_make),
        cmocka_unit_test(nothing_is_found_where_nothing_was_corrected),
        cmocka_unit_test(the_newest_correction_of_each_event_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
