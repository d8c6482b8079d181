/* Packed answers: status, value and flags come back as they were, and damage is none. */
#include "tests/support/unit.h"

#include "controlplane/answer_pack.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/exact.h"

static const struct {
    struct wide number;
    uint32_t words;
} numbers[] = {
    {{{0, 0, 0, 0}}, 1},
    {{{1, 0, 0, 0}}, 1},
    {{{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, 1},
    {{{INT64_MAX, 0, 0, 0}}, 1},
    {{{UINT64_C(1) << 63, 0, 0, 0}}, 2}, /* Its sign would be another. */
    {{{UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, 1},
    {{{5, UINT64_MAX, UINT64_MAX, UINT64_MAX}}, 2},
    {{{0, UINT64_C(1) << 63, 0, 0}}, 3},
    {{{0, 0, UINT64_C(1) << 62, 0}}, 3},
    {{{7, 0, 0, UINT64_C(1) << 63}}, 4},
};

static void packed_check(const struct answer *answer, uint8_t flags, uint64_t bytes)
{
    struct buffer out;
    struct answer back;
    enum answer_status status;
    uint8_t flags_back;
    buffer_init(&out, 0);
    answer_pack(answer, flags, &out);
    assert_false(out.failed);
    assert_int_equal(out.size, bytes);
    const uint8_t *at = (const uint8_t *)out.data;
    const uint8_t *end = at + out.size;
    assert_ptr_equal(answer_unpack(at, end, &back, &flags_back), end);
    assert_int_equal(back.status, answer->status);
    assert_int_equal(back.kind, answer->kind);
    assert_int_equal(back.scale, answer->scale);
    assert_memory_equal(&back.number, &answer->number, sizeof(back.number));
    assert_memory_equal(&back.real, &answer->real, sizeof(back.real));
    assert_int_equal(back.text_size, answer->text_size);
    if (answer->text_size > 0) {
        assert_memory_equal(back.text, answer->text, answer->text_size);
    }
    assert_int_equal(flags_back, flags);
    assert_ptr_equal(answer_pack_pass(at, end, &status, &flags_back), end);
    assert_int_equal(status, answer->status);
    assert_int_equal(flags_back, flags);
    /* With a byte less there is none. */
    for (const uint8_t *cut = at; cut < end; cut++) {
        assert_null(answer_unpack(at, cut, &back, &flags_back));
        assert_null(answer_pack_pass(at, cut, &status, &flags_back));
    }
    buffer_deinit(&out);
}

static void numbers_take_the_words_that_they_need(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        struct answer answer = {
            .kind = VALUE_NUMBER, .scale = (uint8_t)i, .number = numbers[i].number};
        assert_int_equal(answer_pack_words(&answer.number), numbers[i].words);
        packed_check(&answer, 0, 3 + sizeof(uint64_t) * numbers[i].words);
    }
}

static void other_kinds_come_back(void **state)
{
    (void)state;
    static const struct answer answers[] = {
        {.status = ANSWER_NOT_FOUND, .kind = VALUE_NULL},
        {.status = ANSWER_OUTSIDE_MAX_AGE, .kind = VALUE_DOUBLE, .real = -0.0},
        {.kind = VALUE_BOOL, .number = {.word = {1}}},
        {.kind = VALUE_BOOL},
        {.kind = VALUE_STRING, .text = "a\0b", .text_size = 3},
        {.kind = VALUE_STRING, .text = "", .text_size = 0},
        {.kind = VALUE_LIST, .text = "[1,2]", .text_size = 5},
    };
    static const uint64_t bytes[] = {3, 11, 4, 4, 10, 7, 12};
    for (uint32_t i = 0; i < ARRAY_COUNT(answers); i++) {
        packed_check(&answers[i], (uint8_t)(ANSWER_PACK_FLAGS & (0x15u << i)), bytes[i]);
    }
}

static void what_is_no_answer_is_none(void **state)
{
    (void)state;
    static const uint8_t damaged[][12] = {
        {0, VALUE_LIST + 1},              /* No kind. */
        {0, VALUE_NUMBER},                /* A number of no words. */
        {0, VALUE_NUMBER | 5 << 4},       /* Of more than there are. */
        {0, VALUE_NULL | 1 << 4},         /* A null with words. */
        {0, VALUE_STRING, 0, 6, 0, 0, 0}, /* A text that ends behind the end. */
        {0, VALUE_LIST, 0, 0xff, 0xff, 0xff, 0xff},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(damaged); i++) {
        struct answer answer;
        enum answer_status status;
        uint8_t flags;
        const uint8_t *end = damaged[i] + sizeof(damaged[i]);
        assert_null(answer_unpack(damaged[i], end, &answer, &flags));
        assert_null(answer_pack_pass(damaged[i], end, &status, &flags));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_take_the_words_that_they_need),
        cmocka_unit_test(other_kinds_come_back),
        cmocka_unit_test(what_is_no_answer_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
