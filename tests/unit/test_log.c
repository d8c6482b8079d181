#include "tests/support/unit.h"

#include <jansson.h>
#include <stdio.h>

#include "controlplane/log.h"

static uint32_t lines_of(const char *text)
{
    uint32_t lines = 0;
    for (const char *c = text; *c != '\0'; c++) {
        lines += *c == '\n' ? 1 : 0;
    }
    return lines;
}

static void a_flood_of_one_event_is_one_line_and_others_are_not_held(void **state)
{
    (void)state;
    struct log log;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    log_init(&log, out, false);
    for (int i = 0; i < 1000; i++) {
        log_write(&log, LOG_LEVEL_WARNING, "flood", "number %d", i);
    }
    log_write(&log, LOG_LEVEL_INFO, "other", "said \"%s\"", "a\nb");
    assert_int_equal(fclose(out), 0);
    assert_true(lines_of(text) >= 2 && lines_of(text) < 10);
    assert_non_null(strstr(text, "level=warning event=flood message=\"number 0\"\n"));
    assert_non_null(strstr(text, "level=info event=other message=\"said \\\"a\\u000ab\\\"\"\n"));
    free(text);
}

static void a_json_line_is_json(void **state)
{
    (void)state;
    struct log log;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    log_init(&log, out, true);
    log_write(&log, LOG_LEVEL_ERROR, "start_failed", "tab\t, quote \" and \\");
    assert_int_equal(fclose(out), 0);
    json_t *line = json_loadb(text, size, 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "message")),
                        "tab\t, quote \" and \\");
    assert_string_equal(json_string_value(json_object_get(line, "level")), "error");
    json_decref(line);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_of_one_event_is_one_line_and_others_are_not_held),
        cmocka_unit_test(a_json_line_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
