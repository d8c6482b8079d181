#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dataplane/base/assert.h"

void assert_fail(const char *file, int line, const char *condition)
{
    /* No stdio stream: its lock may be held by the code that broke. */
    char text[512];
    int size = snprintf(text, sizeof(text), "%s:%d: assertion failed: %s\n", file, line, condition);
    if (size > (int)sizeof(text) - 1) {
        size = (int)sizeof(text) - 1;
    }
    if (size > 0 && write(STDERR_FILENO, text, (size_t)size) < 0) {
        abort();
    }
    abort();
}
