#include "tests/support/damage.h"

#include "dataplane/base/checksum.h"
#include "dataplane/feature/served_format.h"

#define TEXT(literal)                                                                              \
    {                                                                                              \
        .data = (literal), .size = sizeof(literal) - 1                                             \
    }

static uint8_t bytes[SERVED_RECORD_BYTES_MAX];

/* An answer with one of everything. */
static const struct served_record *record_example(void)
{
    static struct served_record record;
    record = (struct served_record){.moment_us = 1700000000000000,
                                    .plan_print = UINT64_C(0x0102030405060708),
                                    .service_print = UINT64_C(0x1112131415161718),
                                    .service = TEXT("fraud"),
                                    .version = 2,
                                    .read_count = 2,
                                    .item_count = 3,
                                    .value_count = 2,
                                    .row = 4};
    record.read[0] = (struct served_read){.view = TEXT("activity"),
                                          .key = TEXT("\x01\x02\0\0\0\0\0\0"),
                                          .version = 1,
                                          .shard = 3,
                                          .time = READ_NOW,
                                          .found = true,
                                          .known_us = 1700000000000001,
                                          .q_us = 1700000000000001,
                                          .lsn = lsn_of(2, 77)};
    record.read[1] = (struct served_read){.view = TEXT("sales"),
                                          .version = 9,
                                          .time = READ_AT,
                                          .at_us = -5,
                                          .known_us = 1,
                                          .q_us = -5};
    record.value[0] = (struct served_value){.name = TEXT("amount"), .text = TEXT("12.50")};
    record.value[1] = (struct served_value){.name = TEXT("note"), .is_null = true};
    record.item[0] = (struct served_item){.name = TEXT("activity.n_1d"),
                                          .text = TEXT("8"),
                                          .status = ANSWER_PRESENT,
                                          .flags = ANSWER_FLAG_PARTIAL,
                                          .kind = VALUE_NUMBER};
    record.item[1] = (struct served_item){.name = TEXT("best"), .status = ANSWER_NOT_FOUND};
    record.item[2] = (struct served_item){
        .name = TEXT("list"), .text = TEXT("[1,2]"), .status = ANSWER_PRESENT, .kind = VALUE_LIST};
    return &record;
}

static void text_equals(struct served_text a, struct served_text b)
{
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
}

static void a_record_is_decoded_as_it_was_encoded(void **state)
{
    (void)state;
    static struct served_record out;
    const struct served_record *record = record_example();
    uint32_t size = served_record_encode(record, bytes, sizeof(bytes));
    uint32_t at = 0;
    assert_true(size > SERVED_RECORD_HEADER);
    assert_int_equal(size % SERVED_ALIGN, 0);
    assert_int_equal(served_record_decode(bytes, size, &at, &out), RESULT_OK);
    assert_int_equal(at, size);
    assert_int_equal(out.moment_us, record->moment_us);
    assert_int_equal(out.plan_print, record->plan_print);
    assert_int_equal(out.service_print, record->service_print);
    text_equals(out.service, record->service);
    assert_int_equal(out.version, 2);
    assert_int_equal(out.row, 4);
    for (uint32_t i = 0; i < 2; i++) {
        text_equals(out.read[i].view, record->read[i].view);
        text_equals(out.read[i].key, record->read[i].key);
        assert_int_equal(out.read[i].time, record->read[i].time);
        assert_int_equal(out.read[i].at_us, record->read[i].at_us);
        assert_int_equal(out.read[i].known_us, record->read[i].known_us);
        assert_int_equal(out.read[i].q_us, record->read[i].q_us);
        assert_int_equal(out.read[i].lsn, record->read[i].lsn);
        assert_int_equal(out.read[i].shard, record->read[i].shard);
        assert_int_equal(out.read[i].found, record->read[i].found);
        text_equals(out.value[i].name, record->value[i].name);
        text_equals(out.value[i].text, record->value[i].text);
        assert_int_equal(out.value[i].is_null, record->value[i].is_null);
    }
    for (uint32_t i = 0; i < 3; i++) {
        text_equals(out.item[i].name, record->item[i].name);
        text_equals(out.item[i].text, record->item[i].text);
        assert_int_equal(out.item[i].status, record->item[i].status);
        assert_int_equal(out.item[i].flags, record->item[i].flags);
        assert_int_equal(out.item[i].kind, record->item[i].kind);
    }
    assert_int_equal(served_record_decode(bytes, size, &at, &out), RESULT_NOT_FOUND);
}

static void record_cut_look(const uint8_t *data, uint32_t size, uint32_t at)
{
    static struct served_record out;
    uint32_t place = 0;
    (void)at;
    assert_int_equal(served_record_decode(data, size, &place, &out),
                     size == 0 ? RESULT_NOT_FOUND : RESULT_CORRUPT);
    assert_int_equal(place, 0);
}

/* Any flip is refused or says something else: nothing is read that was not written. */
static void record_flip_look(const uint8_t *data, uint32_t size, uint32_t at)
{
    static struct served_record out;
    static uint8_t again[SERVED_RECORD_BYTES_MAX];
    uint32_t place = 0;
    (void)at;
    if (served_record_decode(data, size, &place, &out) == RESULT_OK) {
        assert_int_equal(served_record_encode(&out, again, sizeof(again)), place);
        assert_memory_equal(again, data, place);
    }
}

static void a_record_refuses_cuts_and_holds_against_flips(void **state)
{
    (void)state;
    uint32_t size = served_record_encode(record_example(), bytes, sizeof(bytes));
    damage_cuts(bytes, size, record_cut_look);
    damage_flips(bytes, size, size, record_flip_look);
}

static void a_record_is_not_encoded_where_it_has_no_room(void **state)
{
    (void)state;
    uint32_t size = served_record_encode(record_example(), bytes, sizeof(bytes));
    for (uint32_t room = 0; room < size; room++) {
        assert_int_equal(served_record_encode(record_example(), bytes, room), 0);
    }
    assert_int_equal(served_record_encode(record_example(), bytes, size), size);
}

static void a_record_beyond_a_limit_is_not_encoded(void **state)
{
    (void)state;
    static struct served_record record;
    static char long_text[ANSWER_LIST_SIZE_MAX + 1];
    record = *record_example();
    record.item[0].text = (struct served_text){.data = long_text, .size = sizeof(long_text)};
    assert_int_equal(served_record_encode(&record, bytes, sizeof(bytes)), 0);
    record.item[0].text.size--;
    assert_true(served_record_encode(&record, bytes, sizeof(bytes)) > 0);
    record.item_count = 1;
    record.service = (struct served_text){.data = long_text, .size = NAME_SIZE_MAX};
    assert_int_equal(served_record_encode(&record, bytes, sizeof(bytes)), 0);
    record.service.size--;
    assert_true(served_record_encode(&record, bytes, sizeof(bytes)) > 0);
    record.read[0].key = (struct served_text){.data = long_text, .size = KEY_SIZE_MAX + 1};
    assert_int_equal(served_record_encode(&record, bytes, sizeof(bytes)), 0);
}

static uint32_t block_make(uint8_t *data)
{
    uint32_t size = served_record_encode(record_example(), data + SERVED_BLOCK_HEADER,
                                         SERVED_RECORD_BYTES_MAX - SERVED_BLOCK_HEADER);
    const struct served_block block = {.size = size, .count = 1, .file = 12, .place = 4096};
    served_block_encode(&block, data);
    return SERVED_BLOCK_HEADER + size;
}

static void a_block_is_decoded_as_it_was_encoded(void **state)
{
    (void)state;
    struct served_block out;
    uint32_t size = block_make(bytes);
    assert_memory_equal(bytes, "SRV1", 4);
    assert_int_equal(served_block_decode(bytes, size, &out), RESULT_OK);
    assert_int_equal(out.size, size - SERVED_BLOCK_HEADER);
    assert_int_equal(out.count, 1);
    assert_int_equal(out.file, 12);
    assert_int_equal(out.place, 4096);
}

static void block_cut_look(const uint8_t *data, uint32_t size, uint32_t at)
{
    struct served_block out;
    (void)at;
    assert_int_equal(served_block_decode(data, size, &out), RESULT_TRUNCATED);
    assert_int_equal(out.size > 0, size >= SERVED_BLOCK_HEADER);
}

static void block_flip_look(const uint8_t *data, uint32_t size, uint32_t at)
{
    struct served_block out;
    enum result result = served_block_decode(data, size, &out);
    bool length = at >= 8 && at < 12;
    assert_true(result == RESULT_CORRUPT || (length && result == RESULT_TRUNCATED));
}

static void a_block_refuses_every_cut_and_flipped_bit(void **state)
{
    (void)state;
    uint32_t size = block_make(bytes);
    damage_cuts(bytes, size, block_cut_look);
    damage_flips(bytes, size, size, block_flip_look);
}

static void header_cut_look(const uint8_t *data, uint32_t size, uint32_t at)
{
    struct served_file out;
    (void)at;
    assert_int_equal(served_file_decode(data, size, &out), RESULT_TRUNCATED);
}

static void header_flip_look(const uint8_t *data, uint32_t size, uint32_t at)
{
    struct served_file out;
    assert_int_equal(served_file_decode(data, size, &out),
                     at < 8 ? RESULT_INVALID : RESULT_CORRUPT);
}

static void a_header_is_decoded_as_it_was_encoded_and_refuses_damage(void **state)
{
    (void)state;
    uint8_t header[SERVED_FILE_HEADER];
    struct served_file file = {.store_id = "0123456789abcde", .number = 7, .created_us = -1};
    struct served_file out;
    served_file_encode(&file, header);
    assert_memory_equal(header, "FSERVED1", 8);
    assert_int_equal(served_file_decode(header, sizeof(header), &out), RESULT_OK);
    assert_memory_equal(out.store_id, file.store_id, sizeof(out.store_id));
    assert_int_equal(out.number, 7);
    assert_int_equal(out.created_us, -1);
    damage_cuts(header, sizeof(header), header_cut_look);
    damage_flips(header, sizeof(header), sizeof(header), header_flip_look);
}

static void a_header_of_another_version_is_no_damage(void **state)
{
    (void)state;
    uint8_t header[SERVED_FILE_HEADER];
    struct served_file out;
    served_file_encode(&(struct served_file){.number = 7}, header);
    header[8] = 2;
    memset(header + 12, 0, 4);
    uint32_t crc = checksum_crc32c(0, header, sizeof(header));
    memcpy(header + 12, &crc, sizeof(crc));
    assert_int_equal(served_file_decode(header, sizeof(header), &out), RESULT_INVALID);
}

static void names_have_one_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool good;
        uint64_t number;
    } rows[] = {
        {"served-00000012.log", true, 12},     {"served-123456789.log", true, 123456789},
        {"served-0000012.log", false, 0},      {"served-000000012.log", false, 0},
        {"served-00000012.log.", false, 0},    {"served-.log", false, 0},
        {"mirror-000-00000012.log", false, 0}, {"", false, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char again[SERVED_NAME_SIZE_MAX];
        uint64_t number = 0;
        assert_int_equal(served_name_parse(rows[i].name, &number), rows[i].good);
        if (rows[i].good) {
            assert_int_equal(number, rows[i].number);
            served_name_format(number, again);
            assert_string_equal(again, rows[i].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_decoded_as_it_was_encoded),
        cmocka_unit_test(a_record_refuses_cuts_and_holds_against_flips),
        cmocka_unit_test(a_record_is_not_encoded_where_it_has_no_room),
        cmocka_unit_test(a_record_beyond_a_limit_is_not_encoded),
        cmocka_unit_test(a_block_is_decoded_as_it_was_encoded),
        cmocka_unit_test(a_block_refuses_every_cut_and_flipped_bit),
        cmocka_unit_test(a_header_is_decoded_as_it_was_encoded_and_refuses_damage),
        cmocka_unit_test(a_header_of_another_version_is_no_damage),
        cmocka_unit_test(names_have_one_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
