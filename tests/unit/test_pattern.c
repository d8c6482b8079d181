#include "drivers/pattern.h"

#include "dataplane/base/units.h"
#include "tests/support/unit.h"

struct bench {
    struct pattern_set *set;
    struct pattern_scratch *scratch;
};

static struct bench bench_open(const struct pattern_source *source, uint32_t count)
{
    struct bench bench;
    char error[PATTERN_ERROR_SIZE_MAX];
    uint32_t index;
    assert_int_equal(pattern_set_open(source, count, &bench.set, &index, error), RESULT_OK);
    assert_int_equal(pattern_scratch_open(&bench.set, 1, &bench.scratch), RESULT_OK);
    return bench;
}

static void bench_close(struct bench *bench)
{
    pattern_scratch_close(bench->scratch);
    pattern_set_close(bench->set);
}

static uint64_t scan(const struct bench *bench, uint32_t field, const char *text)
{
    uint64_t bits[2] = {0};
    pattern_scan(bench->set, bench->scratch, field, text, (uint32_t)strlen(text), bits);
    return bits[0] | bits[1] << 32;
}

static void a_match_sets_the_bit_of_its_number(void **state)
{
    (void)state;
    static const struct pattern_source source[] = {
        {.regex = "shop", .number = 3, .utf8 = true},
        {.regex = "^s", .number = 0, .utf8 = true},
        {.regex = "p\\z", .number = 64, .utf8 = true},
    };
    struct bench bench = bench_open(source, ARRAY_COUNT(source));
    assert_int_equal(scan(&bench, 0, "shop"), 1 | 1 << 3 | UINT64_C(1) << 32);
    assert_int_equal(scan(&bench, 0, "workshops"), 1 << 3);
    assert_int_equal(scan(&bench, 0, "s"), 1);
    assert_int_equal(scan(&bench, 0, ""), 0);
    bench_close(&bench);
}

static void bits_that_are_set_already_stay(void **state)
{
    (void)state;
    static const struct pattern_source source[] = {{.regex = "a", .number = 1, .utf8 = true}};
    struct bench bench = bench_open(source, 1);
    uint64_t bits = 1;
    pattern_scan(bench.set, bench.scratch, 0, "b", 1, &bits);
    assert_int_equal(bits, 1);
    pattern_scan(bench.set, bench.scratch, 0, "a", 1, &bits);
    assert_int_equal(bits, 3);
    bench_close(&bench);
}

static void only_the_patterns_of_the_field_look_at_its_text(void **state)
{
    (void)state;
    static const struct pattern_source source[] = {
        {.regex = "a", .number = 0, .field = 5, .utf8 = true},
        {.regex = "a", .number = 1, .field = 9, .utf8 = true},
        {.regex = "a", .number = 2, .field = 5},
    };
    struct bench bench = bench_open(source, ARRAY_COUNT(source));
    assert_int_equal(scan(&bench, 5, "a"), 1 | 4);
    assert_int_equal(scan(&bench, 9, "a"), 2);
    assert_int_equal(scan(&bench, 0, "a"), 0);
    bench_close(&bench);
}

static void a_text_that_is_no_utf8_is_bytes_and_no_characters(void **state)
{
    (void)state;
    static const struct pattern_source source[] = {
        {.regex = "a", .number = 0, .utf8 = true},
        {.regex = "a", .number = 1},
        {.regex = "^.\\z", .number = 2, .utf8 = true},
        {.regex = "^.\\z", .number = 3},
    };
    struct bench bench = bench_open(source, ARRAY_COUNT(source));
    assert_int_equal(scan(&bench, 0, "a\xff"), 2);
    assert_int_equal(scan(&bench, 0, "\xc3\xa9"), 4);
    assert_int_equal(scan(&bench, 0, "\n"), 8);
    bench_close(&bench);
}

static void one_scratch_serves_several_sets(void **state)
{
    (void)state;
    static const struct pattern_source one[] = {{.regex = "a", .number = 0, .utf8 = true}};
    static const struct pattern_source other[] = {
        {.regex = "(a.{0,50}b){3}", .number = 0, .utf8 = true}};
    struct pattern_set *set[3] = {NULL};
    struct pattern_scratch *scratch;
    char error[PATTERN_ERROR_SIZE_MAX];
    uint32_t index;
    assert_int_equal(pattern_set_open(one, 1, &set[0], &index, error), RESULT_OK);
    assert_int_equal(pattern_set_open(other, 1, &set[2], &index, error), RESULT_OK);
    assert_int_equal(pattern_scratch_open(set, 3, &scratch), RESULT_OK);
    uint64_t bits = 0;
    pattern_scan(set[2], scratch, 0, "abaabab", 7, &bits);
    assert_int_equal(bits, 1);
    bits = 0;
    pattern_scan(set[0], scratch, 0, "b", 1, &bits);
    assert_int_equal(bits, 0);
    pattern_scratch_close(scratch);
    pattern_set_close(set[0]);
    pattern_set_close(set[2]);
}

static void what_cannot_be_compiled_is_named(void **state)
{
    (void)state;
    static const struct pattern_source source[] = {
        {.regex = "a", .number = 0, .utf8 = true},
        {.regex = "b", .number = 1, .field = 1, .utf8 = true},
        {.regex = "c\\zd", .number = 2, .field = 1, .utf8 = true},
    };
    struct pattern_set *set;
    char error[PATTERN_ERROR_SIZE_MAX];
    uint32_t index;
    assert_int_equal(pattern_set_open(source, 3, &set, &index, error), RESULT_INVALID);
    assert_int_equal(index, 2);
    assert_non_null(strstr(error, "anchor"));
}

static void a_set_beyond_its_memory_is_refused_with_the_number(void **state)
{
    (void)state;
    static struct pattern_source source[10];
    for (uint32_t i = 0; i < ARRAY_COUNT(source); i++) {
        source[i] = (struct pattern_source){
            .regex = "(?:\\w{1,31}\\W{1,31}){16}", .number = i, .field = i, .utf8 = true};
    }
    struct pattern_set *set;
    char error[PATTERN_ERROR_SIZE_MAX];
    uint32_t index;
    assert_int_equal(pattern_set_open(source, ARRAY_COUNT(source), &set, &index, error),
                     RESULT_NO_SPACE);
    assert_non_null(strstr(error, "at most 1024 KiB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_match_sets_the_bit_of_its_number),
        cmocka_unit_test(bits_that_are_set_already_stay),
        cmocka_unit_test(only_the_patterns_of_the_field_look_at_its_text),
        cmocka_unit_test(a_text_that_is_no_utf8_is_bytes_and_no_characters),
        cmocka_unit_test(one_scratch_serves_several_sets),
        cmocka_unit_test(what_cannot_be_compiled_is_named),
        cmocka_unit_test(a_set_beyond_its_memory_is_refused_with_the_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
