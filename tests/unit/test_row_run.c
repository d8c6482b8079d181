#include "dataplane/feature/row_run.h"

#include <stdio.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/row_read.h"
#include "dataplane/feature/run.h"
#include "tests/support/unit.h"

#define SECOND    INT64_C(1000000)
#define ROW_LINES 4096u

enum { FIELD_TS, FIELD_KEY, FIELD_X, FIELD_TOTAL };

static struct {
    struct plan plan;
    struct plan_view *view;
    _Alignas(CACHE_LINE_BYTES) uint64_t row[ROW_LINES * LINE_WORDS];
    uint64_t copy[ROW_LINES * LINE_WORDS];
    struct row_read_space space;
    char texts[1 << 16];
    uint64_t order;
} bench;

static void field_set(uint32_t field, const char *name, enum field_type type)
{
    struct schema_field *f = &bench.plan.stream[0].schema.field[field];
    strcpy(f->name, name);
    f->type = type;
    f->id = (uint16_t)(field + 1);
    f->since = 1;
    f->size = field_type_size(type);
}

static void aggregate_set(const char *name, enum aggregate_kind kind, uint8_t field,
                          int64_t parameter)
{
    struct plan_aggregate *aggregate = &bench.view->aggregate[bench.view->aggregate_count++];
    strcpy(aggregate->name, name);
    aggregate->kind = kind;
    aggregate->field = field;
    aggregate->parameter = parameter;
}

static struct plan_window *window_set(const char *name, enum window_kind kind, int64_t width_us)
{
    struct plan_window *window = &bench.view->window[bench.view->window_count++];
    strcpy(window->name, name);
    window->kind = kind;
    window->width_us = width_us;
    return window;
}

static void plan_begin(void)
{
    memset(&bench, 0, sizeof(bench));
    struct plan *plan = &bench.plan;
    plan->stream_count = 1;
    plan->view_count = 1;
    strcpy(plan->stream[0].schema.name, "event");
    plan->stream[0].schema.id = 1;
    plan->stream[0].schema.version = 1;
    plan->stream[0].schema.field_count = FIELD_TOTAL;
    plan->stream[0].shard_by = -1;
    field_set(FIELD_TS, "ts", FIELD_TYPE_timestamp);
    field_set(FIELD_KEY, "key", FIELD_TYPE_u64);
    field_set(FIELD_X, "x", FIELD_TYPE_i64);
    bench.view = &plan->view[0];
    strcpy(bench.view->name, "view");
    strcpy(bench.view->entity, "key");
    bench.view->version = 1;
    bench.view->key_field[0] = FIELD_KEY;
    bench.view->key_count = 1;
    bench.view->ladder_count = 1;
    bench.view->ladder_us[0] = SECOND;
    bench.view->ttl_us = 1000000 * SECOND;
}

static void plan_end(void)
{
    int bad;
    uint64_t key = 1;
    assert_int_equal(plan_finish(&bench.plan, &bad), RESULT_OK);
    row_init(bench.view, 0, (const uint8_t *)&key, sizeof(key), 0, bench.row);
}

static void event_apply(int64_t time_us, int64_t x, int64_t fold_us)
{
    uint64_t single[SINGLE_VALUES + 1] = {(uint64_t)time_us, bench.order++, 0, (uint64_t)x};
    struct ladder ladder;
    ladder_init(bench.view, fold_us, &ladder);
    assert_int_not_equal(row_apply(bench.view, &ladder, bench.row, ROW_LINES, single, time_us, 1),
                         ROW_FULL);
}

/* The text of a feature at q; flags to *out_flags. */
static const char *feature_read(const char *name, int64_t q_us, int64_t fold_us, uint8_t *out_flags)
{
    static char text[ANSWER_LIST_SIZE_MAX + 1];
    char reference[NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX];
    snprintf(reference, sizeof(reference), "view.%s", name);
    int found = plan_feature_find(&bench.plan, reference, (uint32_t)strlen(reference));
    assert_true(found >= 0);
    uint16_t feature = (uint16_t)found;
    struct row_read_at at = {.q_us = q_us, .fold_us = fold_us, .since_us = INT64_MIN};
    struct text_space texts = {
        .data = bench.texts, .size = sizeof(bench.texts), .list_left = 1 << 15};
    struct answer answer;
    memcpy(bench.copy, bench.row, sizeof(bench.row));
    uint32_t lines =
        row_read_settle(bench.view, bench.copy, ROW_LINES, ROW_LINES, &at, &bench.space);
    struct row_asked asked;
    row_asked_init(&asked, &bench.plan, bench.view, &feature, 1);
    row_read(&asked, bench.copy, lines, &at, &answer, &bench.space, &texts);
    uint32_t size;
    char space[ANSWER_TEXT_SIZE_MAX];
    const char *value = answer_text(&answer, space, &size);
    memcpy(text, value, size);
    text[size] = '\0';
    *out_flags = answer.flags;
    return text;
}

static void check_feature(const char *name, int64_t q_us, int64_t fold_us, const char *expected,
                          uint8_t expected_flags)
{
    uint8_t flags;
    assert_string_equal(feature_read(name, q_us, fold_us, &flags), expected);
    assert_int_equal(flags, expected_flags);
}

static void sessions_end_for_good(void **state)
{
    (void)state;
    plan_begin();
    bench.plan.stream[0].lateness_us = 100 * SECOND;
    aggregate_set("n", AGGREGATE_count, FIELD_NONE, 0);
    window_set("s", WINDOW_SESSION, 10 * SECOND);
    plan_end();
    event_apply(0, 1, -100 * SECOND);
    event_apply(9 * SECOND, 1, 0);
    event_apply(30 * SECOND, 1, 20 * SECOND);
    check_feature("n_s", 31 * SECOND, 20 * SECOND, "1", 0);
    check_feature("n_s", 40 * SECOND, 20 * SECOND, "0", 0);
    /* Late, and near both: they become one. */
    event_apply(18 * SECOND, 1, 20 * SECOND);
    event_apply(24 * SECOND, 1, 20 * SECOND);
    check_feature("n_s", 31 * SECOND, 20 * SECOND, "5", 0);
    /* Before the horizon sessions may be gone: said, not guessed. */
    check_feature("n_s", 19 * SECOND, 20 * SECOND, "5", ANSWER_FLAG_APPROXIMATE);
    /* 40 s and the lateness behind the horizon nothing can touch them; an event that came all the
     * same begins anew, folded or not. */
    event_apply(200 * SECOND, 1, 190 * SECOND);
    struct ladder ladder;
    ladder_init(bench.view, 190 * SECOND, &ladder);
    for (uint32_t folded = 0; folded < 2; folded++) {
        check_feature("n_s", 201 * SECOND, 190 * SECOND, "1", 0);
        (void)row_fold(bench.view, &ladder, bench.row, ROW_LINES, &bench.space.fold);
    }
    event_apply(31 * SECOND, 1, 190 * SECOND);
    const uint64_t *end;
    const uint64_t *begin = row_run_area(bench.view, bench.row, 0, &end);
    assert_int_equal(run_count(end - RUN_TRAILER_WORDS), 2);
    assert_int_equal(end - begin, 2 * bench.view->run[0].entry_words + RUN_TRAILER_WORDS);
}

static void caps_are_floors(void **state)
{
    (void)state;
    plan_begin();
    aggregate_set("d", AGGREGATE_distinct, FIELD_X, 3);
    aggregate_set("h", AGGREGATE_histogram, FIELD_X, 3);
    aggregate_set("k", AGGREGATE_last_k, FIELD_X, 2);
    aggregate_set("a", AGGREGATE_approx_distinct, FIELD_X, 0);
    window_set("10s", WINDOW_SLIDING, 10 * SECOND);
    plan_end();
    for (int64_t i = 0; i < 3; i++) {
        event_apply(i * SECOND, 10 * i, INT64_MIN);
        event_apply(i * SECOND, 10 * i, INT64_MIN);
    }
    int64_t q_us = 3 * SECOND;
    check_feature("d_10s", q_us, INT64_MIN, "3", 0);
    check_feature("h_10s", q_us, INT64_MIN, "{\"0\":2,\"10\":2,\"20\":2}", 0);
    event_apply(0, 5, INT64_MIN);
    check_feature("d_10s", q_us, INT64_MIN, "3", ANSWER_FLAG_APPROXIMATE);
    check_feature("h_10s", q_us, INT64_MIN, "{\"0\":2,\"5\":1,\"10\":2}", ANSWER_FLAG_APPROXIMATE);
    check_feature("k_10s", q_us, INT64_MIN, "[20,20]", 0);
    /* The first tile has gone out of the window, and with it what it lost. */
    check_feature("d_10s", 11 * SECOND, INT64_MIN, "2", 0);
    for (int64_t i = 0; i < 300; i++) {
        event_apply(2 * SECOND, i, INT64_MIN);
    }
    uint8_t flags;
    long about = strtol(feature_read("a_10s", q_us, INT64_MIN, &flags), NULL, 10);
    assert_int_equal(flags, ANSWER_FLAG_APPROXIMATE);
    assert_in_range(about, 280, 320);
}

static void areas_of_others_are_looked_at(void **state)
{
    (void)state;
    plan_begin();
    aggregate_set("d", AGGREGATE_distinct, FIELD_X, 5);
    aggregate_set("k", AGGREGATE_last_k, FIELD_X, 2);
    aggregate_set("a", AGGREGATE_approx_distinct, FIELD_X, 0);
    window_set("1m", WINDOW_SLIDING, 60 * SECOND);
    window_set("s", WINDOW_SESSION, 10 * SECOND);
    plan_end();
    struct random random;
    random_seed(&random, 4);
    for (int64_t i = 0; i < 400; i++) {
        event_apply(i * SECOND / 20, (int64_t)random_below(&random, 300), INT64_MIN);
    }
    uint64_t words = row_front_words(bench.view, bench.row, row_meta_load(bench.row));
    assert_true(row_run_check(bench.view, bench.row, words));
    assert_false(row_run_check(bench.view, bench.row, words - 1));
    assert_false(row_run_check(bench.view, bench.row, words + 1));
    const uint64_t *end;
    uint64_t first = (uint64_t)(row_run_area(bench.view, bench.row, 0, &end) - bench.row);
    uint32_t refused = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        /* A copy of exactly its words, so that a step beyond them is seen. */
        uint64_t *copy = malloc(words * sizeof(uint64_t));
        memcpy(copy, bench.row, words * sizeof(uint64_t));
        uint64_t at = first + random_below(&random, words - first);
        if (random_below(&random, 4) == 0) {
            at = LINE_WORDS + bench.view->cell_words + random_below(&random, 4);
        }
        copy[at] ^= UINT64_C(1) << random_below(&random, 64);
        refused += row_run_check(bench.view, copy, words) ? 0 : 1;
        free(copy);
    }
    assert_true(refused > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_end_for_good),
        cmocka_unit_test(caps_are_floors),
        cmocka_unit_test(areas_of_others_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
