/* Assertions that stay in release builds: a wrong feature is worse than a restart.
 *
 * ASSERT is for our own mistakes only, one condition each. Bad input is counted, never asserted.
 */
#pragma once

/* Reports the broken condition and ends the process. Defined in drivers/panic.c, because reporting
 * needs the operating system and this floor has none. */
_Noreturn void assert_fail(const char *file, int line, const char *condition);

#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            assert_fail(__FILE__, __LINE__, #condition);                                           \
        }                                                                                          \
    } while (0)

/* For checks that cost a loop: on in builds that define FRESHET_COSTLY_ASSERTS (the sanitizer
 * trees do), compiled but never evaluated elsewhere. */
#ifdef FRESHET_COSTLY_ASSERTS
#define ASSERT_COSTLY(condition) ASSERT(condition)
#else
#define ASSERT_COSTLY(condition) ((void)sizeof(condition))
#endif

#define UNREACHABLE() assert_fail(__FILE__, __LINE__, "unreachable")
