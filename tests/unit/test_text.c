#include "tests/support/unit.h"

#include <math.h>

#include "dataplane/feature/text.h"
#include "tests/support/transaction.h"

#define ARRIVAL_US INT64_C(1700000000123456)

struct line {
    const char *text;
    enum drop drop;
    int field;
    int64_t ts;
    uint64_t card;
    int64_t amount;
    const char *status; /* "": null */
};

static int64_t number_at(const struct schema *schema, const uint8_t *block, uint32_t field)
{
    int64_t value;
    memcpy(&value, block + schema->field[field].offset, sizeof(value));
    return value;
}

static void lines_check(const struct line *rows, uint32_t count)
{
    static struct schema schema;
    uint8_t block[EVENT_SIZE_MAX];
    transaction_schema(&schema, 2);
    const struct schema *const schemas[] = {&schema};
    for (uint32_t r = 0; r < count; r++) {
        struct text_cursor cursor = {.data = rows[r].text, .size = (uint32_t)strlen(rows[r].text)};
        struct text_event event;
        print_message("%s\n", rows[r].text);
        assert_int_equal(text_next(&cursor, schemas, 1, 0, ARRIVAL_US, block, &event), 1);
        assert_int_equal(event.drop, rows[r].drop);
        assert_int_equal(event.field, rows[r].drop == DROP_NONE ? -1 : rows[r].field);
        if (rows[r].drop == DROP_NONE) {
            assert_int_equal(event.stream, 0);
            assert_int_equal(number_at(&schema, block, FIELD_TS), rows[r].ts);
            assert_true((uint64_t)number_at(&schema, block, FIELD_CARD) == rows[r].card);
            assert_int_equal(number_at(&schema, block, FIELD_AMOUNT), rows[r].amount);
            char status[9] = {0};
            memcpy(status, block + schema.field[FIELD_STATUS].offset, 8);
            assert_string_equal(status, rows[r].status);
        }
        assert_int_equal(text_next(&cursor, schemas, 1, 0, ARRIVAL_US, block, &event), 0);
    }
}

static void line_protocol_becomes_events_or_named_drops(void **state)
{
    (void)state;
    static const struct line rows[] = {
        {"transaction,card=4711 amount=9.50,status=\"ok\"", DROP_NONE, -1, ARRIVAL_US, 4711, 950,
         "ok"},
        {"transaction,card=4711 amount=9.50,status=\"ok\"\r\n", DROP_NONE, -1, ARRIVAL_US, 4711,
         950, "ok"},
        {"transaction card=1i,amount=1e1,status=\"a\\\"b\" -1500", DROP_NONE, -1, -2, 1, 1000,
         "a\"b"},
        {"transaction card=18446744073709551614u,amount=-0.01,status=\"a\\b\" 1999", DROP_NONE, -1,
         1, UINT64_MAX - 1, -1, "a\\b"},
        {"transaction,card=1,status=a\\ b\\,\\=c amount=2  5000 ", DROP_NONE, -1, 5, 1, 200,
         "a b,=c"},
        {"transaction,status= card=1,amount=9.5000", DROP_NONE, -1, ARRIVAL_US, 1, 950, ""},
        {"<13>transaction card=1,amount=1", DROP_NONE, -1, ARRIVAL_US, 1, 100, ""},
        {"<13>Nov  4 22:13:20 host tag[1]: transaction card=1,amount=1", DROP_NONE, -1, ARRIVAL_US,
         1, 100, ""},
        {"<13>Nov 14 22:13:20 host transaction card=1,amount=1", DROP_NONE, -1, ARRIVAL_US, 1, 100,
         ""},
        {"<13>Nov 14 22:13:20 tag: transaction card=1,amount=1", DROP_NONE, -1, ARRIVAL_US, 1, 100,
         ""},
        {"<13>1 2023-11-14T22:13:20Z host app - - - transaction card=1,amount=1", DROP_NONE, -1,
         ARRIVAL_US, 1, 100, ""},
        {"<13>1 - - - - - [a b=\"\\\"]\"][c] \xef\xbb\xbftransaction card=1,amount=1", DROP_NONE,
         -1, ARRIVAL_US, 1, 100, ""},
        {"transaction,card=4711 amount=abc", DROP_text_wrong_type, FIELD_AMOUNT, 0, 0, 0, ""},
        {"transaction,card=4711 amount=1.005", DROP_text_wrong_type, FIELD_AMOUNT, 0, 0, 0, ""},
        {"transaction,card=4711 amount=", DROP_text_wrong_type, FIELD_AMOUNT, 0, 0, 0, ""},
        {"transaction card=18446744073709551615", DROP_text_wrong_type, FIELD_CARD, 0, 0, 0, ""},
        {"transaction card=-1", DROP_text_wrong_type, FIELD_CARD, 0, 0, 0, ""},
        {"transaction card=1,status=ok", DROP_text_wrong_type, FIELD_STATUS, 0, 0, 0, ""},
        {"transaction card=1,status=\"too long for 8\"", DROP_text_too_long, FIELD_STATUS, 0, 0, 0,
         ""},
        {"transaction card=1,nope=1", DROP_text_unknown_field, -1, 0, 0, 0, ""},
        {"transaction,card=1 card=1", DROP_text_syntax, FIELD_CARD, 0, 0, 0, ""},
        {"transaction,card=1 ts=5 5000", DROP_text_syntax, FIELD_TS, 0, 0, 0, ""},
        {"transaction,card=1", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"transaction", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"transaction card=1,status=\"open", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"transaction card=1 12x", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"transaction card=1 99999999999999999999", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"transactions card=1", DROP_message_unknown_stream, -1, 0, 0, 0, ""},
        {"<13", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"<1234>transaction card=1", DROP_text_syntax, -1, 0, 0, 0, ""},
    };
    lines_check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void json_becomes_events_or_named_drops(void **state)
{
    (void)state;
    static const struct line rows[] = {
        {"{\"stream\":\"transaction\",\"card\":4711,\"amount\":9.50,\"status\":\"ok\"}", DROP_NONE,
         -1, ARRIVAL_US, 4711, 950, "ok"},
        {" { \"card\" : \"18446744073709551614\" , \"amount\" : 95E-1, \"ts\":7 } \r", DROP_NONE,
         -1, 7, UINT64_MAX - 1, 950, ""},
        {"{\"card\":1,\"amount\":0.30,\"status\":\"\\u00e9\\ud83d\\ude00\",\"tip\":null}",
         DROP_NONE, -1, ARRIVAL_US, 1, 30, "\xc3\xa9\xf0\x9f\x98\x80"},
        {"{\"c\\u0061rd\":1,\"amount\":1,\"online\":true,\"ts\":\"2023-11-14T22:13:20.5+01:00\"}",
         DROP_NONE, -1, 1699996400500000, 1, 100, ""},
        {"{\"card\":1,\"amount\":1}", DROP_NONE, -1, ARRIVAL_US, 1, 100, ""},
        {"{\"card\":1,\"amount\":{\"a\":[1]}}", DROP_text_wrong_type, FIELD_AMOUNT, 0, 0, 0, ""},
        {"{\"card\":[1]}", DROP_text_wrong_type, FIELD_CARD, 0, 0, 0, ""},
        {"{\"card\":true}", DROP_text_wrong_type, FIELD_CARD, 0, 0, 0, ""},
        {"{\"online\":\"true\"}", DROP_text_wrong_type, FIELD_ONLINE, 0, 0, 0, ""},
        {"{\"status\":5}", DROP_text_wrong_type, FIELD_STATUS, 0, 0, 0, ""},
        {"{\"status\":\"a\\u0000b\"}", DROP_text_wrong_type, FIELD_STATUS, 0, 0, 0, ""},
        {"{\"risk\":1e309}", DROP_text_wrong_type, FIELD_RISK, 0, 0, 0, ""},
        {"{\"card\":1,\"card\":1}", DROP_text_syntax, FIELD_CARD, 0, 0, 0, ""},
        {"{\"stream\":\"transaction\",\"stream\":\"transaction\"}", DROP_text_syntax, -1, 0, 0, 0,
         ""},
        {"{\"stream\":1}", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"{\"stream\":\"nope\"}", DROP_message_unknown_stream, -1, 0, 0, 0, ""},
        {"{\"nope\":1}", DROP_text_unknown_field, -1, 0, 0, 0, ""},
        {"{\"card\":01}", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"{\"card\":1.}", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"{\"card\":+1}", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"{\"card\":NaN}", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"{\"card\":1,}", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"{\"card\":1}x", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"{\"card\":1", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"{\"card\":[1", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"{\"status\":\"\\ud83d\"}", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"{\"status\":\"\\x\"}", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"{\"status\":\"a\tb\"}", DROP_text_syntax, -1, 0, 0, 0, ""},
        {"[{\"card\":1}]", DROP_text_syntax, -1, 0, 0, 0, ""},
    };
    lines_check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void json_without_stream_needs_the_listeners(void **state)
{
    (void)state;
    static struct schema schema;
    uint8_t block[EVENT_SIZE_MAX];
    struct text_event event;
    transaction_schema(&schema, 1);
    const struct schema *const schemas[] = {&schema};
    struct text_cursor cursor = {.data = "{\"card\":1}", .size = 10};
    assert_int_equal(text_next(&cursor, schemas, 1, -1, 0, block, &event), 1);
    assert_int_equal(event.drop, DROP_text_no_stream);
    assert_int_equal(event.stream, STREAMS_MAX);
}

static void comments_and_empty_lines_are_no_events(void **state)
{
    (void)state;
    static const char text[] = "# a\n\n  \r\ntransaction card=1\n#b\ntransaction card=x";
    static struct schema schema;
    uint8_t block[EVENT_SIZE_MAX];
    struct text_event event;
    transaction_schema(&schema, 1);
    const struct schema *const schemas[] = {&schema};
    struct text_cursor cursor = {.data = text, .size = sizeof(text) - 1};
    assert_int_equal(text_next(&cursor, schemas, 1, -1, 0, block, &event), 1);
    assert_int_equal(event.drop, DROP_NONE);
    assert_int_equal(text_next(&cursor, schemas, 1, -1, 0, block, &event), 1);
    assert_int_equal(event.drop, DROP_text_wrong_type);
    assert_int_equal(event.offset, strlen(text) - 1);
    assert_int_equal(text_next(&cursor, schemas, 1, -1, 0, block, &event), 0);
}

static void values_are_parsed_to_decoded_form(void **state)
{
    (void)state;
    static const struct {
        enum field_type type;
        uint8_t scale;
        enum time_unit unit;
        const char *format;
        const char *text;
        bool fits;
        int64_t value;
    } rows[] = {
        {FIELD_TYPE_u8, 0, 0, "", "2.0", true, 2},
        {FIELD_TYPE_u8, 0, 0, "", "256", false, 0},
        {FIELD_TYPE_u8, 0, 0, "", "255", true, 255},
        {FIELD_TYPE_u64, 0, 0, "", "18446744073709551615", true, -1},
        {FIELD_TYPE_u64, 0, 0, "", "18446744073709551616", false, 0},
        {FIELD_TYPE_i64, 0, 0, "", "-9223372036854775808", true, INT64_MIN},
        {FIELD_TYPE_i64, 0, 0, "", "9223372036854775808", false, 0},
        {FIELD_TYPE_i32, 0, 0, "", "1.5e1", true, 15},
        {FIELD_TYPE_i32, 0, 0, "", "1.5", false, 0},
        {FIELD_TYPE_i32, 0, 0, "", "", false, 0},
        {FIELD_TYPE_i32, 0, 0, "", "1e", false, 0},
        {FIELD_TYPE_i32, 0, 0, "", ".", false, 0},
        {FIELD_TYPE_bool, 0, 0, "", "T", true, 1},
        {FIELD_TYPE_bool, 0, 0, "", "2", false, 0},
        {FIELD_TYPE_decimal, 2, 0, "", "9.5", true, 950},
        {FIELD_TYPE_decimal, 2, 0, "", "9.500", true, 950},
        {FIELD_TYPE_decimal, 2, 0, "", "0.001e1", true, 1},
        {FIELD_TYPE_decimal, 2, 0, "", "0.001", false, 0},
        {FIELD_TYPE_decimal, 18, 0, "", "9.223372036854775807", true, INT64_MAX},
        {FIELD_TYPE_f64, 6, 0, "", "0.1", true, 100000},
        {FIELD_TYPE_f64, 6, 0, "", "1e300", false, 0},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_ms, "", "-1", true, -1000},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_ns, "", "-1", true, -1},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_us, "", "1970-01-01T00:00:00Z", true, 0},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_us, "", "1969-12-31 23:59:59.9999995", true, -1},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_s, "", "1969-12-31T23:59:59.5Z", true, -1000000},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_us, "", "2000-02-29T00:00:00-01:30", true,
         951787800000000},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_us, "", "1900-02-29T00:00:00Z", false, 0},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_us, "", "2016-12-31T23:59:60Z", true, 1483228800000000},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_us, "", "2016-12-31T24:00:00Z", false, 0},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_us, "%Y-%m-%d %H:%M:%S", "2020-04-01 00:52:23", true,
         1585702343000000},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_us, "%Y-%m-%d %H:%M:%S", "2020-04-01T00:52:23", false,
         0},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_us, "%Y%m%d", "20200401", true, 1585699200000000},
        {FIELD_TYPE_timestamp, 0, TIME_UNIT_us, "%Y-%m-%d", "2020-04-01x", false, 0},
    };
    for (uint32_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct schema_field field = {
            .type = rows[r].type, .scale = rows[r].scale, .unit = rows[r].unit};
        int64_t value = 0;
        (void)snprintf(field.time_format, sizeof(field.time_format), "%s", rows[r].format);
        print_message("%s\n", rows[r].text);
        assert_int_equal(
            text_value_parse(&field, rows[r].text, (uint32_t)strlen(rows[r].text), &value),
            rows[r].fits);
        assert_true(!rows[r].fits || value == rows[r].value);
    }
}

static void unknown_members_can_be_ignored(void **state)
{
    (void)state;
    static const char line[] = "{\"a\":{\"b\":[\"]\"]},\"card\":5,\"stream\":\"x\",\"n\":null}";
    static struct schema schema;
    uint8_t block[EVENT_SIZE_MAX];
    struct text_event event;
    uint32_t ignored = 0;
    transaction_schema(&schema, 1);
    text_block_clear(&schema, block);
    text_object_encode(&schema, line, sizeof(line) - 1, block, &ignored, &event);
    assert_int_equal(event.drop, DROP_NONE);
    assert_int_equal(ignored, 3);
    assert_int_equal(number_at(&schema, block, FIELD_CARD), 5);
    assert_true(number_at(&schema, block, FIELD_TS) == INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_protocol_becomes_events_or_named_drops),
        cmocka_unit_test(json_becomes_events_or_named_drops),
        cmocka_unit_test(json_without_stream_needs_the_listeners),
        cmocka_unit_test(comments_and_empty_lines_are_no_events),
        cmocka_unit_test(values_are_parsed_to_decoded_form),
        cmocka_unit_test(unknown_members_can_be_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
