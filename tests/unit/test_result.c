#include "tests/support/unit.h"

#include "dataplane/base/result.h"

static void ok_is_zero(void **state)
{
    (void)state;
    assert_int_equal(RESULT_OK, 0);
    assert_string_equal(result_name(RESULT_OK), "ok");
}

static void every_result_has_its_own_sentence(void **state)
{
    (void)state;
    for (int left = 0; left < RESULT_COUNT; left++) {
        const char *sentence = result_name((enum result)left);
        assert_non_null(sentence);
        assert_true(strlen(sentence) > 0);
        for (int right = 0; right < left; right++) {
            assert_string_not_equal(sentence, result_name((enum result)right));
        }
    }
}

static void a_result_outside_the_table_is_our_mistake(void **state)
{
    (void)state;
    expect_assert_failure((void)result_name(RESULT_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ok_is_zero),
        cmocka_unit_test(every_result_has_its_own_sentence),
        cmocka_unit_test(a_result_outside_the_table_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
