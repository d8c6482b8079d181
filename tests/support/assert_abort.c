/* What ASSERT ends in when a fuzz target is linked: a crash that the fuzzer records. Replaces
 * drivers/panic.c at link time. */
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/base/assert.h"

void assert_fail(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
