#include "tests/support/unit.h"

#include <ctype.h>

#include "dataplane/base/drops.h"

static void every_drop_has_its_own_name(void **state)
{
    (void)state;
    for (int left = 0; left < DROP_COUNT; left++) {
        const char *name = drop_name((enum drop)left);
        for (int right = 0; right < left; right++) {
            assert_string_not_equal(name, drop_name((enum drop)right));
        }
        /* They are values of metric labels. */
        for (const char *at = name; *at != '\0'; at++) {
            assert_true(islower((unsigned char)*at) || *at == '_');
        }
    }
}

static void every_drop_says_what_happened_and_what_to_do(void **state)
{
    (void)state;
    for (int drop = 0; drop < DROP_COUNT; drop++) {
        assert_true(strlen(drop_sentence((enum drop)drop)) > 5);
        assert_true(strlen(drop_hint((enum drop)drop)) > 5);
    }
}

static void a_name_begins_with_its_scope(void **state)
{
    (void)state;
    for (int drop = 0; drop < DROP_COUNT; drop++) {
        const char *name = drop_name((enum drop)drop);
        enum drop_scope expected = DROP_SCOPE_MESSAGE;
        if (strncmp(name, "frame_", 6) == 0) {
            expected = DROP_SCOPE_FRAME;
        } else if (strncmp(name, "event_", 6) == 0) {
            expected = DROP_SCOPE_EVENT;
        } else if (strncmp(name, "view_", 5) == 0) {
            expected = DROP_SCOPE_VIEW;
        } else {
            assert_true(strncmp(name, "message_", 8) == 0 || strncmp(name, "text_", 5) == 0);
        }
        assert_int_equal(drop_scope((enum drop)drop), expected);
    }
}

static void no_drop_has_no_name(void **state)
{
    (void)state;
    expect_assert_failure((void)drop_name(DROP_NONE));
    expect_assert_failure((void)drop_scope(DROP_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_drop_has_its_own_name),
        cmocka_unit_test(every_drop_says_what_happened_and_what_to_do),
        cmocka_unit_test(a_name_begins_with_its_scope),
        cmocka_unit_test(no_drop_has_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
