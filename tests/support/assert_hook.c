/* What ASSERT ends in when a test program is linked: a failed test, or, inside
 * expect_assert_failure(), the expected end. Replaces drivers/panic.c at link time. */
#include "tests/support/unit.h"

#include "dataplane/base/assert.h"

void assert_fail(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
    abort();
}
