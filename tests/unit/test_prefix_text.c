#include "tests/support/unit.h"

#include "config/prefix_text.h"
#include "dataplane/base/units.h"

static const struct {
    const char *text;
    const char *again; /* NULL: refused. */
    uint8_t bits;
} rows[] = {
    {"192.0.2.0/24", "192.0.2.0/24", 120},
    {"192.0.2.7", "192.0.2.7/32", 128},
    {"192.0.2.7/32", "192.0.2.7/32", 128},
    {"0.0.0.0/0", "0.0.0.0/0", 96},
    {"128.0.0.0/1", "128.0.0.0/1", 97},
    {"2001:db8::/32", "2001:db8::/32", 32},
    {"::1", "::1/128", 128},
    {"::ffff:192.0.2.0/120", "192.0.2.0/24", 120},
    {"::/0", "", 0},
    {"", NULL, 0},
    {"/24", NULL, 0},
    {"192.0.2.0/", NULL, 0},
    {"192.0.2.0/33", NULL, 0},
    {"192.0.2.0/-1", NULL, 0},
    {"192.0.2.0/24x", NULL, 0},
    {"192.0.2.0/0024", NULL, 0},
    {"192.0.2.0/24/24", NULL, 0},
    {"192.0.2.1/24", NULL, 0},
    {"192.0.2/24", NULL, 0},
    {"2001:db8::/129", NULL, 0},
    {"2001:db8::1/64", NULL, 0},
    {"[2001:db8::]/32", NULL, 0},
    {"localhost", NULL, 0},
    {"1111111111111111111111111111111111111111111111111111111111111111111/1", NULL, 0},
};

static void prefixes_are_read_and_written_as_people_do(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct prefix prefix = {.bits = 77};
        char text[PREFIX_TEXT_SIZE_MAX];
        bool taken = prefix_text_read(rows[i].text, &prefix);
        if (taken != (rows[i].again != NULL)) {
            fail_msg("`%s` was %s", rows[i].text, taken ? "taken" : "refused");
        }
        if (taken) {
            assert_int_equal(prefix.bits, rows[i].bits);
            assert_string_equal(prefix_text(&prefix, text), rows[i].again);
        } else {
            assert_int_equal(prefix.bits, 77);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes_are_read_and_written_as_people_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
