#include "tests/simulation/law.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/base/assert.h"

static const struct draw *draw_now;
static const uint64_t *step_now;

void law_begin(const struct draw *draw, const uint64_t *step)
{
    draw_now = draw;
    step_now = step;
}

static void seed_print(void)
{
    if (draw_now == NULL) {
        return;
    }
    fprintf(stderr, "SEED=%lu fails at step %lu\n", draw_now->seed, *step_now);
    draw_print(stderr, draw_now);
}

void law_broken(const char *law, const char *format, ...)
{
    seed_print();
    fprintf(stderr, "%s: ", law);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/* What ASSERT ends in here. Replaces drivers/panic.c at link time. */
void assert_fail(const char *file, int line, const char *condition)
{
    law_broken("asserts hold", "%s:%d: %s", file, line, condition);
}
