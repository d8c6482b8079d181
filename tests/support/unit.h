/* cmocka and the headers that it wants before itself. What every test program includes. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Exit status of a test that lacks what it needs, after it printed what that is. */
#define EXIT_SKIPPED 77
