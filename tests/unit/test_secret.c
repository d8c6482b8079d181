#include "tests/support/unit.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/secret.h"

/* Sanitizers leave mlock() out and say that it succeeded. */
#ifdef FRESHET_COSTLY_ASSERTS
#define MLOCK_IS_REAL false
#else
#define MLOCK_IS_REAL true
#endif

static bool all_are(const uint8_t *bytes, uint64_t size, uint8_t value)
{
    for (uint64_t i = 0; i < size; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

static void a_secret_is_zeros_on_whole_pages(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 4095, 4096, 4097, 20000};
    for (uint32_t i = 0; i < 5; i++) {
        struct secret secret;
        assert_int_equal(secret_alloc(sizes[i], &secret), RESULT_OK);
        assert_int_equal((uintptr_t)secret.base % 4096, 0);
        assert_true(secret.size_bytes >= sizes[i]);
        assert_true(all_are(secret.base, secret.size_bytes, 0));
        memset(secret.base, 0x5a, secret.size_bytes);
        secret_free(&secret);
        assert_null(secret.base);
        secret_free(&secret);
    }
}

/* VmFlags of the mapping that starts at base: "lo" locked, "dd" not dumped, "wf" wiped on fork. */
static void flags_read(const void *base, char *out, int out_size)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[512];
    unsigned long from;
    bool inside = false;
    assert_non_null(file);
    out[0] = '\0';
    while (fgets(line, sizeof(line), file) != NULL) {
        char dash;
        if (sscanf(line, "%lx%c", &from, &dash) == 2 && dash == '-') {
            inside = from == (uintptr_t)base;
        } else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            (void)snprintf(out, (size_t)out_size, "%s", line);
        }
    }
    (void)fclose(file);
}

static void the_kernel_neither_dumps_nor_swaps_it(void **state)
{
    (void)state;
    struct secret secret;
    char flags[512];
    assert_int_equal(secret_alloc(4096, &secret), RESULT_OK);
    flags_read(secret.base, flags, sizeof(flags));
    assert_non_null(strstr(flags, " dd"));
    assert_int_equal(strstr(flags, " lo") != NULL, secret.locked && MLOCK_IS_REAL);
    secret_free(&secret);
}

static void a_child_sees_zeros(void **state)
{
    (void)state;
    struct secret secret;
    assert_int_equal(secret_alloc(4096, &secret), RESULT_OK);
    memset(secret.base, 0x5a, secret.size_bytes);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(all_are(secret.base, 4096, 0) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(all_are(secret.base, 4096, 0x5a));
    secret_free(&secret);
}

static void bytes_that_are_filled_differ_each_time_and_are_wiped(void **state)
{
    (void)state;
    uint8_t left[1000] = {0};
    uint8_t right[1000] = {0};
    assert_int_equal(secret_fill(left, sizeof(left)), RESULT_OK);
    assert_int_equal(secret_fill(right, sizeof(right)), RESULT_OK);
    assert_memory_not_equal(left, right, 16);
    assert_memory_not_equal(left + 984, right + 984, 16);
    assert_false(all_are(left + 900, 100, 0));
    secret_wipe(left, sizeof(left));
    assert_true(all_are(left, sizeof(left), 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_zeros_on_whole_pages),
        cmocka_unit_test(the_kernel_neither_dumps_nor_swaps_it),
        cmocka_unit_test(a_child_sees_zeros),
        cmocka_unit_test(bytes_that_are_filled_differ_each_time_and_are_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
