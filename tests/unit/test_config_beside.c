/* Definitions that take the place of those that run: what may differ, and where all stands. */
#include <stdio.h>
#include <unistd.h>

#include "config/config.h"
#include "tests/support/unit.h"

#define STREAM                                                                                     \
    "streams:\n  s: {id: 1, time: t, fields: {t: {type: timestamp}, u: {type: u64}, x: {type: "    \
    "i32}}}\n"
#define VIEW(name, version, aggregate)                                                             \
    "  " name ": {version: " #version                                                              \
    ", entity: u, source: s, windows: [1h], aggregates: {a: " aggregate "}}\n"
#define RUNNING STREAM "views:\n" VIEW("one", 1, "count()") VIEW("two", 1, "sum(x + 1)")

struct place {
    char path[64];
    struct config *config[3];
    struct config_texts texts[3];
};

static struct place place;

static int place_open(void **state)
{
    (void)state;
    memset(&place, 0, sizeof(place));
    strcpy(place.path, "/tmp/freshet_beside_XXXXXX");
    int file = mkstemp(place.path);
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    for (uint32_t i = 0; i < 3; i++) {
        place.config[i] = malloc(sizeof(*place.config[i]));
        assert_non_null(place.config[i]);
    }
    return 0;
}

static int place_close(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        config_texts_free(&place.texts[i]);
        free(place.config[i]);
    }
    return unlink(place.path);
}

static void file_write(const char *text)
{
    FILE *file = fopen(place.path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* Load number `index` of the text, beside those before it. */
static enum result load(uint32_t index, const char *text)
{
    const char *paths[] = {place.path};
    file_write(text);
    if (index == 0) {
        return config_load_keeping(paths, 1, NULL, &place.texts[0], place.config[0]);
    }
    struct config_running running = {.plan = &place.config[index - 1]->plan, .load_count = index};
    for (uint32_t i = 0; i < index; i++) {
        running.load[i] = &place.texts[index - 1 - i];
    }
    return config_load_beside(&running, paths, 1, NULL, &place.texts[index], place.config[index]);
}

static void view_is(uint32_t index, uint32_t view, const char *name, uint32_t version)
{
    const struct plan *plan = &place.config[index]->plan;
    assert_true(view < plan->view_count);
    assert_string_equal(plan->view[view].name, name);
    assert_int_equal(plan->view[view].version, version);
}

static void views_that_run_keep_their_places_and_new_ones_stand_behind(void **state)
{
    (void)state;
    assert_int_equal(load(0, RUNNING), RESULT_OK);
    assert_int_equal(load(1, STREAM "views:\n" VIEW("zero", 1, "max(x)")
                                 VIEW("two", 2, "sum(x + 2)") VIEW("one", 1, "count()")),
                     RESULT_OK);
    assert_int_equal(place.config[1]->plan.view_count, 4);
    view_is(1, 0, "one", 1);
    view_is(1, 1, "two", 1);
    view_is(1, 2, "zero", 1);
    view_is(1, 3, "two", 2);
    for (uint32_t v = 0; v < 2; v++) {
        assert_true(place.config[0]->plan.view[v].fingerprint ==
                    place.config[1]->plan.view[v].fingerprint);
    }
    const struct plan_stream *stream = &place.config[1]->plan.stream[0];
    for (uint16_t v = 0; v < 4; v++) {
        assert_int_equal(stream->view[v], v);
    }
    assert_int_equal(plan_view_find(&place.config[1]->plan, "two", 3, 0), 3);
}

static void texts_of_replaced_versions_are_found_in_older_loads(void **state)
{
    (void)state;
    assert_int_equal(load(0, RUNNING), RESULT_OK);
    assert_int_equal(load(1, STREAM "views:\n" VIEW("one", 1, "count()") VIEW("two", 2, "max(x)")),
                     RESULT_OK);
    assert_int_equal(load(2, STREAM "views:\n" VIEW("one", 2, "min(x)") VIEW("two", 3, "sum(x)")),
                     RESULT_OK);
    static const uint32_t versions[] = {1, 1, 2, 2, 3};
    static const char *const names[] = {"one", "two", "two", "one", "two"};
    assert_int_equal(place.config[2]->plan.view_count, 5);
    for (uint32_t v = 0; v < 5; v++) {
        view_is(2, v, names[v], versions[v]);
    }
}

static void what_only_a_start_changes_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text;
        uint32_t line;
        const char *said;
    } rows[] = {
        {STREAM "views:\n" VIEW("one", 1, "count()"), 0,
         "view `two` is gone; views leave at a start only"},
        {STREAM "views:\n" VIEW("one", 1, "max(x)") VIEW("two", 1, "sum(x + 1)"), 4,
         "view `one` is not what it was, and has the same version; say `version: 2`"},
        {"streams:\n  s: {id: 1, time: t, history: 1m, fields: {t: {type: timestamp}, u: {type: "
         "u64}, x: {type: i32}}}\nviews:\n" VIEW("one", 1, "count()") VIEW("two", 1, "sum(x + 1)"),
         2, "stream `s` is not as it runs; streams change at a start only"},
        {RUNNING "appliance: {shards: 2}\n", 6,
         "`appliance` is not as it runs; what it says is taken at a start only: undo the change, "
         "or "
         "start again"},
        {STREAM "  r: {id: 2, time: t, fields: {t: {type: timestamp}}}\nviews:\n" VIEW(
             "one", 1, "count()") VIEW("two", 1, "sum(x + 1)"),
         3, "stream `r` is new; streams come at a start only"},
    };
    (void)state;
    assert_int_equal(load(0, RUNNING), RESULT_OK);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        config_texts_free(&place.texts[1]);
        assert_int_equal(load(1, rows[i].text), RESULT_INVALID);
        assert_int_equal(place.config[1]->error_count, 1);
        assert_string_equal(place.config[1]->error[0].text, rows[i].said);
        assert_int_equal(place.config[1]->error[0].line, rows[i].line);
    }
    /* A version that rose, and goes back. */
    config_texts_free(&place.texts[1]);
    assert_int_equal(load(1, STREAM "views:\n" VIEW("one", 1, "count()") VIEW("two", 3, "max(x)")),
                     RESULT_OK);
    assert_int_equal(load(2, STREAM "views:\n" VIEW("one", 1, "count()") VIEW("two", 2, "max(x)")),
                     RESULT_INVALID);
    assert_string_equal(place.config[2]->error[0].text,
                        "view `two` has version 2, and 3 runs; versions only rise");
}

static void objectives_stay_those_that_count(void **state)
{
    static const char slo[] =
        "services:\n  ask: {version: 1, features: [one.a_1h], slo: {read: 1ms, target: 99}}\n";
    static const char after[] =
        "services:\n  also: {version: 1, features: [two.a_1h], slo: {read: 1ms, target: 99}}\n"
        "  ask: {version: 1, features: [one.a_1h], slo: {read: 2ms, target: 99}}\n";
    char text[4096];
    (void)state;
    (void)snprintf(text, sizeof(text), "%s%s", RUNNING, slo);
    assert_int_equal(load(0, text), RESULT_OK);
    assert_int_equal(place.config[0]->plan.objective_count, 1);
    (void)snprintf(text, sizeof(text), "%s%s%s", RUNNING, VIEW("three", 1, "max(x)"), after);
    assert_int_equal(load(1, text), RESULT_OK);
    const struct plan *plan = &place.config[1]->plan;
    assert_int_equal(plan->objective_count, 1);
    assert_string_equal(plan->service[plan->objective[0].owner].name, "ask");
    assert_int_equal(plan->objective[0].limit_us, 1000);
    config_texts_free(&place.texts[1]);
    assert_int_equal(load(1, RUNNING VIEW("three", 1, "max(x)")), RESULT_INVALID);
    assert_string_equal(place.config[1]->error[0].text,
                        "service `ask` of version 1 has an `slo` that runs, and is gone; it leaves "
                        "at a start only");
}

static void texts_that_were_kept_compile_again_without_their_files(void **state)
{
    (void)state;
    assert_int_equal(load(0, RUNNING), RESULT_OK);
    file_write("streams: {}\n");
    assert_int_equal(config_load_texts(&place.texts[0], NULL, place.config[1]), RESULT_OK);
    assert_true(place.config[1]->plan.fingerprint == place.config[0]->plan.fingerprint);
    assert_ptr_equal(place.config[1]->texts, &place.texts[0]);
    struct config_texts wrong = {0};
    assert_true(config_texts_add(&wrong, "wrong.yaml", "streams:\n  s: {idd: 1}\n", 23));
    assert_int_equal(config_load_texts(&wrong, NULL, place.config[1]), RESULT_INVALID);
    assert_string_equal(place.config[1]->error[0].file, "wrong.yaml");
    config_texts_free(&wrong);
}

static void options_may_differ_beside_what_a_process_before_ran(void **state)
{
    (void)state;
    static const char after[] = RUNNING VIEW("three", 1, "max(x)") "appliance: {shards: 2}\n";
    const char *paths[] = {place.path};
    assert_int_equal(load(0, RUNNING), RESULT_OK);
    assert_int_equal(load(1, after), RESULT_INVALID);
    const struct config_running running = {.plan = &place.config[0]->plan,
                                           .load_count = 1,
                                           .load = {&place.texts[0]},
                                           .options_free = true};
    assert_int_equal(config_load_beside(&running, paths, 1, NULL, &place.texts[2], place.config[2]),
                     RESULT_OK);
    assert_int_equal(place.config[2]->options.shards, 2);
    view_is(2, 2, "three", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(views_that_run_keep_their_places_and_new_ones_stand_behind,
                                        place_open, place_close),
        cmocka_unit_test_setup_teardown(texts_of_replaced_versions_are_found_in_older_loads,
                                        place_open, place_close),
        cmocka_unit_test_setup_teardown(what_only_a_start_changes_is_refused_with_its_place,
                                        place_open, place_close),
        cmocka_unit_test_setup_teardown(objectives_stay_those_that_count, place_open, place_close),
        cmocka_unit_test_setup_teardown(texts_that_were_kept_compile_again_without_their_files,
                                        place_open, place_close),
        cmocka_unit_test_setup_teardown(options_may_differ_beside_what_a_process_before_ran,
                                        place_open, place_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
