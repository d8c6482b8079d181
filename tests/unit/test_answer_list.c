#include "dataplane/feature/answer_list.h"

#include "dataplane/base/units.h"
#include "dataplane/feature/exact.h"
#include "tests/support/unit.h"

static char text[65536];

static struct answer string_of(const char *value)
{
    return (struct answer){
        .kind = VALUE_STRING, .text = value, .text_size = (uint32_t)strlen(value)};
}

static struct answer number_of(int64_t value, uint8_t scale)
{
    return (struct answer){.kind = VALUE_NUMBER, .number = wide_from_i64(value), .scale = scale};
}

static void check_text(const struct answer *answer, const char *expected)
{
    assert_int_equal(answer->kind, VALUE_LIST);
    assert_int_equal(answer->text_size, strlen(expected));
    assert_memory_equal(answer->text, expected, answer->text_size);
}

static void strings_are_json(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *expected;
    } rows[] = {
        {"plain", "[\"plain\"]"},
        {"", "[\"\"]"},
        {"a\"b\\c", "[\"a\\\"b\\\\c\"]"},
        {"\x01\t\n\x1f\x7f", "[\"\\u0001\\u0009\\u000a\\u001f\x7f\"]"},
        {"gr\xc3\xbc\xc3\x9f", "[\"gr\xc3\xbc\xc3\x9f\"]"},
        {"\xff\xc3", "[\"\xef\xbf\xbd\xef\xbf\xbd\"]"},
        {"\xed\xa0\x80", "[\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]"},
        {"\xf0\x9f\x98\x80", "[\"\xf0\x9f\x98\x80\"]"},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct text_space space = {.data = text, .size = sizeof(text), .list_left = sizeof(text)};
        struct answer value = string_of(rows[i].value);
        struct answer answer = {.kind = VALUE_NULL};
        struct list list;
        list_begin(&list, &space, false);
        assert_true(list_add(&list, NULL, &value));
        list_end(&list, &space, &answer);
        check_text(&answer, rows[i].expected);
        assert_int_equal(answer.flags, 0);
    }
}

static void objects_have_names_in_quotes(void **state)
{
    (void)state;
    struct text_space space = {.data = text, .size = sizeof(text), .list_left = sizeof(text)};
    struct answer answer = {.kind = VALUE_NULL};
    struct answer null = {.kind = VALUE_NULL};
    struct answer truth = {.kind = VALUE_BOOL, .number = wide_from_u64(1)};
    struct answer price = number_of(-1250, 2);
    struct answer word = string_of("w");
    struct answer real = {.kind = VALUE_DOUBLE, .real = 0.1};
    struct list list;
    list_begin(&list, &space, true);
    assert_true(list_add(&list, &price, &truth));
    assert_true(list_add(&list, &word, &null));
    assert_true(list_add(&list, &truth, &real));
    list_end(&list, &space, &answer);
    check_text(&answer, "{\"-12.50\":true,\"w\":null,\"true\":0.1}");
    /* The next one stands behind it. */
    list_begin(&list, &space, false);
    list_end(&list, &space, &null);
    check_text(&null, "[]");
    assert_ptr_equal(null.text, answer.text + answer.text_size);
    assert_int_equal(space.list_left, sizeof(text) - space.used);
}

static void a_list_that_has_no_place_is_cut_and_says_so(void **state)
{
    (void)state;
    struct answer value = number_of(7, 0);
    for (uint64_t size = 0; size < 400; size++) {
        struct text_space space = {.data = text, .size = sizeof(text), .list_left = size};
        struct answer answer = {.kind = VALUE_NULL};
        struct list list;
        uint32_t added = 0;
        memset(text, '#', sizeof(text));
        list_begin(&list, &space, false);
        while (added < 1000 && list_add(&list, NULL, &value)) {
            added++;
        }
        list_end(&list, &space, &answer);
        assert_int_equal(answer.flags, ANSWER_FLAG_APPROXIMATE);
        assert_int_equal(text[size], '#');
        assert_true(answer.kind == (size < 2 ? VALUE_NULL : VALUE_LIST));
        assert_true(size < 2 || answer.text[answer.text_size - 1] == ']');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_json),
        cmocka_unit_test(objects_have_names_in_quotes),
        cmocka_unit_test(a_list_that_has_no_place_is_cut_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
