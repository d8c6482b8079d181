#include "tests/support/unit.h"

#include <math.h>
#include <stdio.h>

#include "controlplane/event_show.h"

static struct catalog_stream stream;
static struct event_show *show;
static uint8_t block[256];
static uint16_t block_size;

static void field_add(const char *name, enum field_type type, uint16_t size, uint16_t since,
                      const void *bytes)
{
    struct catalog_field *field = &stream.field[stream.field_count++];
    *field = (struct catalog_field){
        .type = (uint8_t)type, .scale = type == FIELD_TYPE_decimal ? 2 : 0, .since = since};
    field->id = stream.field_count;
    field->size = type == FIELD_TYPE_string ? size : field_type_size(type);
    (void)snprintf(field->name, sizeof(field->name), "%s", name);
    memcpy(block + block_size, bytes, field->size);
    block_size = (uint16_t)(block_size + field->size);
}

#define ADD(name, type, since, ...)                                                                \
    do {                                                                                           \
        const type##_of value = __VA_ARGS__;                                                       \
        field_add(name, FIELD_TYPE_##type, 0, since, &value);                                      \
    } while (0)
typedef uint8_t u8_of;
typedef uint64_t u64_of;
typedef int32_t i32_of;
typedef int64_t decimal_of;
typedef int64_t timestamp_of;
typedef uint8_t bool_of;
typedef double f64_of;

static int set_up(void **state)
{
    (void)state;
    memset(&stream, 0, sizeof(stream));
    block_size = 0;
    stream.version = 2;
    ADD("at", timestamp, 1, 1500000);
    ADD("small", u8, 1, 254);
    ADD("large", u64, 1, UINT64_MAX - 1);
    ADD("signed", i32, 1, -7);
    ADD("price", decimal, 1, -1205);
    ADD("real", f64, 1, 0.1);
    ADD("yes", bool, 1, 1);
    field_add("text", FIELD_TYPE_string, 8, 1, "a\"\\\x01\xc3\xa9\0z");
    ADD("none", i32, 1, INT32_MIN);
    ADD("no_bool", bool, 1, 7);
    ADD("infinite", f64, 1, INFINITY);
    ADD("nan", f64, 1, NAN);
    ADD("new", u8, 2, 9);
    assert_int_equal(event_show_open(&show), RESULT_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    event_show_close(show);
    event_show_close(NULL);
    return 0;
}

static void every_type_shows_what_its_bytes_say(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *json;
    } rows[] = {
        {"1970-01-01T00:00:01.500000Z", "1500000"},
        {"254", "254"},
        {"18446744073709551614", "\"18446744073709551614\""},
        {"-7", "-7"},
        {"-12.05", "\"-12.05\""},
        {"0.1", "0.1"},
        {"true", "true"},
        {"\"a\\\"\\\\\\x01\\xc3\\xa9\"", "\"a\\\"\\\\\\u0001\xc3\xa9\""},
        {"null", "null"},
        {"no value (0x07)", "null"},
        {"no value (0x7ff0000000000000)", "null"},
        {"null", "null"},
        {"9", "9"},
    };
    assert_true(event_show_take(show, &stream, 2, block, block_size));
    for (uint32_t f = 0; f < stream.field_count; f++) {
        struct buffer out;
        buffer_init(&out, 0);
        event_show_text(show, f, &out);
        buffer_write(&out, "", 1);
        assert_string_equal(out.data, rows[f].text);
        buffer_deinit(&out);
        json_t *value = event_show_json(show, f);
        char *json = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
        assert_string_equal(json, rows[f].json);
        free(json);
        json_decref(value);
    }
}

static void an_older_event_lacks_what_came_later(void **state)
{
    (void)state;
    assert_true(event_show_take(show, &stream, 1, block, (uint16_t)(block_size - 1)));
    struct buffer out;
    buffer_init(&out, 0);
    event_show_text(show, stream.field_count - 1u, &out);
    buffer_write(&out, "", 1);
    assert_string_equal(out.data, "not given");
    buffer_deinit(&out);
    json_t *value = event_show_json(show, stream.field_count - 1u);
    assert_true(json_is_null(value));
    json_decref(value);
    assert_false(event_show_take(show, &stream, 2, block, (uint16_t)(block_size - 1)));
    assert_true(event_show_take(show, &stream, 3, block, block_size));
}

static void a_schema_that_cannot_be_is_refused(void **state)
{
    (void)state;
    stream.field[7].size = 0;
    assert_false(event_show_take(show, &stream, 2, block, block_size));
    stream.field[7].size = 8;
    stream.field[12].since = 1;
    stream.field[11].since = 2;
    assert_false(event_show_take(show, &stream, 2, block, block_size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_type_shows_what_its_bytes_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_older_event_lacks_what_came_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_schema_that_cannot_be_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
