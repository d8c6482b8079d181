/* What must hold, and how a run that breaks it ends: with its seed, what the seed drew, the step
 * and the law, on standard error, and status 1. */
#pragma once

#include <stdint.h>

#include "tests/simulation/draw.h"

/* The run that laws speak about from now on. step is read when one is broken. */
void law_begin(const struct draw *draw, const uint64_t *step);
_Noreturn void law_broken(const char *law, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
