#include "tests/support/unit.h"

#include <stdio.h>

#include "controlplane/verb.h"
#include "dataplane/base/units.h"

struct outs {
    bool json;
    const char *server;
    uint64_t rate;
    double seconds;
};

#define ROW_ARGUMENTS 6

static const struct {
    const char *argument[ROW_ARGUMENTS]; /* Behind the verb's name. */
    bool goes_on;
    int exit_code; /* Where it does not go on. */
    struct outs outs;
    const char *kept[3];
} rows[] = {
    {{"a"}, true, 0, {0}, {"a"}},
    {{"a", "b"}, true, 0, {0}, {"a", "b"}},
    {{"--json", "a"}, true, 0, {.json = true}, {"a"}},
    {{"a", "--json"}, true, 0, {.json = true}, {"a"}},
    {{"--server", "x", "a"}, true, 0, {.server = "x"}, {"a"}},
    {{"--server=x=y", "a"}, true, 0, {.server = "x=y"}, {"a"}},
    {{"--server", "--json", "a"}, true, 0, {.server = "--json"}, {"a"}},
    {{"--rate", "12", "a"}, true, 0, {.rate = 12}, {"a"}},
    {{"--for=0.5", "a"}, true, 0, {.seconds = 0.5}, {"a"}},
    {{"--", "--json"}, true, 0, {0}, {"--json"}},
    {{"a", "-"}, true, 0, {0}, {"a", "-"}},
    {{"--help"}, false, VERB_EXIT_OK, {0}, {0}},
    {{"-h"}, false, VERB_EXIT_OK, {0}, {0}},
    {{NULL}, false, VERB_EXIT_USAGE, {0}, {0}},
    {{"a", "b", "c"}, false, VERB_EXIT_USAGE, {0}, {0}},
    {{"--nonsense", "a"}, false, VERB_EXIT_USAGE, {0}, {0}},
    {{"-j", "a"}, false, VERB_EXIT_USAGE, {0}, {0}},
    {{"--json=1", "a"}, false, VERB_EXIT_USAGE, {0}, {0}},
    {{"a", "--server"}, false, VERB_EXIT_USAGE, {0}, {0}},
    {{"--rate", "x", "a"}, false, VERB_EXIT_USAGE, {0}, {0}},
    {{"--rate", "-1", "a"}, false, VERB_EXIT_USAGE, {0}, {0}},
    {{"--rate", "99999999999999999999", "a"}, false, VERB_EXIT_USAGE, {0}, {0}},
    {{"--for", "0", "a"}, false, VERB_EXIT_USAGE, {0}, {0}},
    {{"--for", "inf", "a"}, false, VERB_EXIT_USAGE, {0}, {0}},
    {{"--for", "1s", "a"}, false, VERB_EXIT_USAGE, {0}, {0}},
    {{"--serve", "x", "a"}, false, VERB_EXIT_USAGE, {0}, {0}},
};

static void options_are_read_from_anywhere_and_bad_ones_are_usage_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct outs outs = {0};
        const struct verb_option option[] = {
            {"json", NULL, VERB_OPTION_FLAG, &outs.json, "s"},
            {"server", "PATH", VERB_OPTION_TEXT, &outs.server, "s"},
            {"rate", "N", VERB_OPTION_NUMBER, &outs.rate, "s"},
            {"for", "SECONDS", VERB_OPTION_SECONDS, &outs.seconds, "s"},
        };
        const struct verb_usage usage = {"test", "A [B]", "x\n", option, ARRAY_COUNT(option), 1, 2};
        char text[ROW_ARGUMENTS + 1][32] = {"test"};
        char *argv[ROW_ARGUMENTS + 2] = {text[0]};
        int argc = 1;
        for (; rows[i].argument[argc - 1] != NULL; argc++) {
            strcpy(text[argc], rows[i].argument[argc - 1]);
            argv[argc] = text[argc];
        }
        int exit_code = -1;
        bool goes_on = verb_parse(&usage, &argc, argv, &exit_code);
        assert_int_equal(goes_on, rows[i].goes_on);
        if (!goes_on) {
            assert_int_equal(exit_code, rows[i].exit_code);
            continue;
        }
        assert_int_equal(outs.json, rows[i].outs.json);
        assert_int_equal(outs.rate, rows[i].outs.rate);
        assert_true(outs.seconds == rows[i].outs.seconds);
        if (rows[i].outs.server != NULL) {
            assert_string_equal(outs.server, rows[i].outs.server);
        }
        for (int k = 1; k < argc; k++) {
            assert_string_equal(argv[k], rows[i].kept[k - 1]);
        }
        assert_null(argv[argc]);
        assert_true(argc - 1 < 3 && rows[i].kept[argc - 1] == NULL);
    }
}

static void an_option_of_many_values_keeps_their_order_and_has_a_limit(void **state)
{
    (void)state;
    static char *argv[2 * VERB_LIST_MAX + 4];
    static char name[] = "test";
    static char key[] = "--key";
    static char value[VERB_LIST_MAX + 1][12];
    struct verb_list list = {0};
    const struct verb_option option[] = {{"key", "K", VERB_OPTION_LIST, &list, "s"}};
    const struct verb_usage usage = {"test", "", "x\n", option, 1, 0, 0};
    static const uint32_t counts[] = {0, 1, 2, VERB_LIST_MAX, VERB_LIST_MAX + 1};
    for (size_t c = 0; c < ARRAY_COUNT(counts); c++) {
        uint32_t count = counts[c];
        int argc = 1;
        int exit_code = -1;
        argv[0] = name;
        for (uint32_t i = 0; i < count; i++) {
            (void)snprintf(value[i], sizeof(value[i]), "%u", i);
            argv[argc++] = key;
            argv[argc++] = value[i];
        }
        list.count = 0;
        assert_int_equal(verb_parse(&usage, &argc, argv, &exit_code), count <= VERB_LIST_MAX);
        if (count > VERB_LIST_MAX) {
            assert_int_equal(exit_code, VERB_EXIT_USAGE);
            continue;
        }
        assert_int_equal(list.count, count);
        for (uint32_t i = 0; i < count; i++) {
            assert_string_equal(list.value[i], value[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_read_from_anywhere_and_bad_ones_are_usage_errors),
        cmocka_unit_test(an_option_of_many_values_keeps_their_order_and_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
