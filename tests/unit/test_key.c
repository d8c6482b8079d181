#include "tests/support/unit.h"

#include <inttypes.h>
#include <stdio.h>

#include "dataplane/base/units.h"
#include "dataplane/feature/key.h"

/* Fields of the one stream, by index. */
enum { U8, U64, I16, BOOL, TEXT };

static struct plan plan;
static struct burst burst;

static int set_up(void **state)
{
    (void)state;
    struct schema *schema = &plan.stream[0].schema;
    plan.stream_count = 1;
    schema->field_count = 5;
    schema->field[U8] = (struct schema_field){.type = FIELD_TYPE_u8};
    schema->field[U64] = (struct schema_field){.type = FIELD_TYPE_u64};
    schema->field[I16] = (struct schema_field){.type = FIELD_TYPE_i16};
    schema->field[BOOL] = (struct schema_field){.type = FIELD_TYPE_bool};
    schema->field[TEXT] = (struct schema_field){.type = FIELD_TYPE_string, .size = 8};
    burst.schema = schema;
    burst.count = 1;
    return 0;
}

static struct plan_view *view_of(uint8_t first, int second)
{
    static struct plan_view view;
    memset(&view, 0, sizeof(view));
    memcpy(view.entity, "card", 5);
    view.key_field[0] = first;
    view.key_count = 1;
    if (second >= 0) {
        view.key_field[1] = (uint8_t)second;
        view.key_count = 2;
    }
    view.key_size_max = KEY_SIZE_MAX;
    return &view;
}

struct parse_row {
    const char *name;
    const char *id;
    uint8_t first;
    int8_t second; /* -1: one part. */
    uint8_t size;  /* 0: no key. */
    const char *key;
    const char *text; /* Of key_format(); NULL: "card:" and id. */
};

static const struct parse_row parse_rows[] = {
    {"an integer is 8 bytes, little-endian", "4711", U64, -1, 8, "\x67\x12\0\0\0\0\0\0", NULL},
    {"a small type takes 8 bytes too", "255", U8, -1, 8, "\xff\0\0\0\0\0\0\0", NULL},
    {"a negative one is sign-extended", "-2", I16, -1, 8, "\xfe\xff\xff\xff\xff\xff\xff\xff", NULL},
    {"the greatest u64", "18446744073709551615", U64, -1, 8, "\xff\xff\xff\xff\xff\xff\xff\xff",
     NULL},
    {"one above it is no key", "18446744073709551616", U64, -1, 0, NULL, NULL},
    {"a digit too many is no key", "184467440737095516150", U64, -1, 0, NULL, NULL},
    {"above the type is no key", "256", U8, -1, 0, NULL, NULL},
    {"the least of a type", "-32768", I16, -1, 8, "\x00\x80\xff\xff\xff\xff\xff\xff", NULL},
    {"below the type is no key", "-32769", I16, -1, 0, NULL, NULL},
    {"a negative unsigned is no key", "-1", U64, -1, 0, NULL, NULL},
    {"letters are no number", "47a1", U64, -1, 0, NULL, NULL},
    {"a fraction is no integer", "1.5", U64, -1, 0, NULL, NULL},
    {"nothing is no number", "", U64, -1, 0, NULL, NULL},
    {"a sign alone is no number", "-", I16, -1, 0, NULL, NULL},
    {"leading zeros are the same key", "007", U64, -1, 8, "\x07\0\0\0\0\0\0\0", "card:7"},
    {"true", "true", BOOL, -1, 8, "\x01\0\0\0\0\0\0\0", NULL},
    {"false", "false", BOOL, -1, 8, "\0\0\0\0\0\0\0\0", NULL},
    {"yes is no bool", "yes", BOOL, -1, 0, NULL, NULL},
    {"a string is its bytes", "kitchen", TEXT, -1, 7, "kitchen", NULL},
    {"a string may fill its field", "kitchens", TEXT, -1, 8, "kitchens", NULL},
    {"a longer one is no key", "kitchens1", TEXT, -1, 0, NULL, NULL},
    {"there is no empty string", "", TEXT, -1, 0, NULL, NULL},
    {"one part is not escaped", "a%|:b", TEXT, -1, 5, "a%|:b", NULL},
    {"parts have their length before them", "7|ab", U8, TEXT, 14,
     "\x08\0\x07\0\0\0\0\0\0\0\x02\0ab", NULL},
    {"parts are percent-decoded", "a%7Cb|%25", TEXT, TEXT, 8, "\x03\0a|b\x01\0%", NULL},
    {"so in lower case", "a%7cb|%25", TEXT, TEXT, 8, "\x03\0a|b\x01\0%", "card:a%7Cb|%25"},
    {"half an escape is no key", "a%7|b", TEXT, TEXT, 0, NULL, NULL},
    {"an escape cut by the end is no key", "a|b%2", TEXT, TEXT, 0, NULL, NULL},
    {"an escaped NUL is no key", "a|%00", TEXT, TEXT, 0, NULL, NULL},
    {"a part too few is no key", "a", TEXT, TEXT, 0, NULL, NULL},
    {"a part too many is no key", "a|b|c", TEXT, TEXT, 0, NULL, NULL},
    {"an empty part is no key", "|b", TEXT, TEXT, 0, NULL, NULL},
};

static void check_parse(void **state)
{
    const struct parse_row *row = *state;
    const struct plan_view *view = view_of(row->first, row->second);
    uint8_t key[KEY_SIZE_MAX];
    uint32_t size = key_parse(&plan, view, row->id, (uint32_t)strlen(row->id), key);
    assert_int_equal(size, row->size);
    if (size == 0) {
        return;
    }
    assert_memory_equal(key, row->key, size);
    char text[3 * KEY_SIZE_MAX + 64];
    char expected[3 * KEY_SIZE_MAX + 64] = "card:";
    strncat(expected, row->id, sizeof(expected) - 6);
    uint32_t text_size = key_format(&plan, view, key, size, text, sizeof(text));
    const char *wanted = row->text != NULL ? row->text : expected;
    assert_int_equal(text_size, strlen(wanted));
    assert_memory_equal(text, wanted, text_size);
}

static void bytes_after_the_size_are_not_read(void **state)
{
    (void)state;
    uint8_t key[KEY_SIZE_MAX];
    assert_int_equal(key_parse(&plan, view_of(U64, -1), "47xx", 2, key), 8);
    assert_int_equal(key[0], 47);
    assert_int_equal(key_parse(&plan, view_of(TEXT, TEXT), "a|b%41", 4, key), 0);
}

static void an_event_has_the_key_that_its_text_has(void **state)
{
    (void)state;
    static uint8_t block[64] = "ab";
    uint8_t key[KEY_SIZE_MAX];
    uint8_t parsed[KEY_SIZE_MAX];
    burst.event[0] = block;
    burst.null_mask[0] = 0;
    burst.value[I16][0] = -5;
    const struct plan_view *view = view_of(I16, TEXT);
    uint32_t size = key_of_event(view, &burst, 0, key);
    assert_int_equal(key_parse(&plan, view, "-5|ab", 5, parsed), size);
    assert_memory_equal(key, parsed, size);
}

static void a_null_part_has_no_key(void **state)
{
    (void)state;
    static uint8_t block[64] = "ab";
    uint8_t key[KEY_SIZE_MAX];
    burst.event[0] = block;
    burst.null_mask[0] = 1u << I16;
    assert_int_equal(key_of_event(view_of(I16, TEXT), &burst, 0, key), 0);
    assert_int_equal(key_of_event(view_of(I16, -1), &burst, 0, key), 0);
    assert_int_equal(key_of_event(view_of(TEXT, -1), &burst, 0, key), 2);
    burst.null_mask[0] = 1u << TEXT;
    assert_int_equal(key_of_event(view_of(TEXT, -1), &burst, 0, key), 0);
}

static void a_block_has_the_key_that_its_text_has(void **state)
{
    (void)state;
    static const struct {
        uint8_t first;
        int8_t second;
        const char *block; /* u8, u64, i16, bool, string of 8. */
        const char *id;    /* NULL: no key. */
    } row[] = {
        {U8, -1, "\xfe", "254"},
        {U8, -1, "\xff", NULL},
        {U64, -1, " \x67\x12\0\0\0\0\0\0", "4711"},
        {U64, -1, " \xff\xff\xff\xff\xff\xff\xff\xff", NULL},
        {I16, -1, "         \xfe\xff", "-2"},
        {I16, -1, "         \0\x80", NULL},
        {BOOL, -1, "           \1", "true"},
        {BOOL, -1, "           \xff", NULL},
        {TEXT, -1, "            ab\0\0\0\0\0\0", "ab"},
        {TEXT, -1, "            abcdefgh", "abcdefgh"},
        {TEXT, -1, "            \0\0\0\0\0\0\0\0", NULL},
        {I16, TEXT, "         \xfb\xff ab\0\0\0\0\0\0", "-5|ab"},
        {I16, TEXT, "         \0\x80 ab\0\0\0\0\0\0", NULL},
    };
    static const uint16_t offset[] = {0, 1, 9, 11, 12};
    static const uint16_t size[] = {1, 8, 2, 1, 8};
    struct schema *schema = &plan.stream[0].schema;
    for (uint32_t i = 0; i < ARRAY_COUNT(offset); i++) {
        schema->field[i].offset = offset[i];
        schema->field[i].size = size[i];
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        uint8_t key[KEY_SIZE_MAX];
        uint8_t parsed[KEY_SIZE_MAX];
        uint8_t block[32] = {0};
        const struct plan_view *view = view_of(row[i].first, row[i].second);
        memcpy(block, row[i].block,
               row[i].first == U8                              ? 1
               : row[i].first == TEXT || row[i].second == TEXT ? 20
               : row[i].first == BOOL                          ? 12
               : row[i].first == I16                           ? 11
                                                               : 9);
        uint32_t got = key_of_block(view, 0, schema, block, key);
        uint32_t wanted = row[i].id == NULL ? 0
                                            : key_parse(&plan, view, row[i].id,
                                                        (uint32_t)strlen(row[i].id), parsed);
        assert_int_equal(got, wanted);
        assert_memory_equal(key, parsed, got);
    }
}

static void a_number_has_the_key_of_its_digits(void **state)
{
    (void)state;
    static const uint8_t fields[] = {U8, U64, I16, BOOL};
    static const int64_t numbers[] = {0,     1,     2,         -1,         255,       256,
                                      32767, 32768, -32768,    -32769,     4711,      INT64_MAX,
                                      -2,    -255,  INT64_MIN, -INT64_MAX, UINT16_MAX};
    for (uint32_t i = 0; i < 2 * ARRAY_COUNT(fields) * ARRAY_COUNT(numbers); i++) {
        const struct plan_view *view = view_of(fields[i / 2 % ARRAY_COUNT(fields)], -1);
        int64_t number = numbers[i / 2 / ARRAY_COUNT(fields)];
        uint8_t key[KEY_SIZE_MAX];
        uint8_t parsed[KEY_SIZE_MAX];
        char id[32];
        (void)snprintf(id, sizeof(id), i % 2 == 0 ? "%" PRIi64 : "%" PRIu64, number);
        uint32_t size = key_of_number(&plan, view, number, i % 2 != 0, key);
        assert_int_equal(size, key_parse(&plan, view, id, (uint32_t)strlen(id), parsed));
        assert_memory_equal(key, parsed, size);
    }
}

int main(void)
{
    struct CMUnitTest tests[4 + ARRAY_COUNT(parse_rows)] = {
        cmocka_unit_test(a_number_has_the_key_of_its_digits),
        cmocka_unit_test(bytes_after_the_size_are_not_read),
        cmocka_unit_test(an_event_has_the_key_that_its_text_has),
        cmocka_unit_test(a_null_part_has_no_key),
        cmocka_unit_test(a_block_has_the_key_that_its_text_has),
    };
    for (size_t i = 0; i < ARRAY_COUNT(parse_rows); i++) {
        tests[4 + i] = (struct CMUnitTest){.name = parse_rows[i].name,
                                           .test_func = check_parse,
                                           .initial_state = (void *)(uintptr_t)&parse_rows[i]};
    }
    return cmocka_run_group_tests(tests, set_up, NULL);
}
