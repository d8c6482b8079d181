#include "tests/support/unit.h"

#include "dataplane/base/units.h"
#include "dataplane/feature/plan.h"

#define MINUTE INT64_C(60000000)

static struct plan plan;

static void view_add(const char *name, uint16_t version)
{
    static const char *const window_names[2] = {"10m", "1h"};
    struct plan_view *view = &plan.view[plan.view_count++];
    memcpy(view->name, name, strlen(name) + 1);
    memcpy(view->entity, "card", 5);
    view->version = version;
    view->key_field[0] = 1;
    view->key_count = 1;
    view->ladder_count = 2;
    view->ladder_us[0] = MINUTE / 12;
    view->ladder_us[1] = MINUTE;
    view->window_count = 2;
    for (int i = 0; i < 2; i++) {
        memcpy(view->window[i].name, window_names[i], strlen(window_names[i]) + 1);
    }
    view->window[0].width_us = 10 * MINUTE;
    view->window[1].width_us = 60 * MINUTE;
    view->aggregate_count = 2;
    memcpy(view->aggregate[0].name, "txn_count", 10);
    view->aggregate[0].kind = AGGREGATE_count;
    view->aggregate[0].field = FIELD_NONE;
    memcpy(view->aggregate[1].name, "amount_avg", 11);
    view->aggregate[1].kind = AGGREGATE_avg;
    view->aggregate[1].field = 2;
}

static int set_up(void **state)
{
    (void)state;
    memset(&plan, 0, sizeof(plan));
    plan.stream_count = 1;
    struct schema *schema = &plan.stream[0].schema;
    memcpy(schema->name, "transaction", 12);
    schema->id = 7;
    schema->version = 1;
    schema->field_count = 3;
    schema->field[0] = (struct schema_field){
        .name = "ts", .type = FIELD_TYPE_timestamp, .size = 8, .id = 1, .since = 1};
    schema->field[1] = (struct schema_field){
        .name = "card", .type = FIELD_TYPE_u64, .size = 8, .id = 2, .since = 1};
    schema->field[2] = (struct schema_field){
        .name = "amount", .type = FIELD_TYPE_decimal, .scale = 2, .size = 8, .id = 3, .since = 1};
    plan.stream[0].shard_by = -1;
    view_add("activity", 1);
    view_add("activity", 2);
    int view;
    assert_int_equal(plan_finish(&plan, &view), RESULT_OK);
    return 0;
}

static int feature_find(const char *reference)
{
    return plan_feature_find(&plan, reference, (uint32_t)strlen(reference));
}

static void streams_are_found_by_id_and_name(void **state)
{
    (void)state;
    assert_int_equal(plan_stream_find_id(&plan, 7), 0);
    assert_int_equal(plan_stream_find_id(&plan, 8), -1);
    assert_int_equal(plan_stream_find(&plan, "transaction", 11), 0);
    assert_int_equal(plan_stream_find(&plan, "trans", 5), -1);
}

/* One event a gap after the other: as many sessions as lateness keeps. */
static void a_row_has_room_for_the_sessions_that_lateness_keeps(void **state)
{
    (void)state;
    static struct plan one;
    int view;
    one = plan;
    one.view_count = 1;
    one.stream[0].lateness_us = 600 * MINUTE;
    one.view[0].ttl_us = 2400 * MINUTE;
    one.view[0].window_count = 1;
    one.view[0].window[0] =
        (struct plan_window){.name = "session_1m", .kind = WINDOW_SESSION, .width_us = MINUTE};
    assert_int_equal(plan_finish(&one, &view), RESULT_OK);
    assert_true((uint64_t)one.view[0].row_lines_max * (CACHE_LINE_BYTES / sizeof(uint64_t)) >=
                UINT64_C(600) * one.view[0].run[0].entry_words);
}

/* What stores have in their catalogs: another number and every row is rebuilt. */
static void a_view_of_one_stream_keeps_its_fingerprint(void **state)
{
    (void)state;
    assert_int_equal(plan.view[0].fingerprint, UINT64_C(0x17739192ee2f559f));
    assert_int_equal(plan.view[1].fingerprint, UINT64_C(0x0200f56c2c019d5d));
}

/* A second stream, whose fields stand in another order, and one of which can be null. */
static void stream_add(uint16_t id)
{
    struct schema *schema = &plan.stream[plan.stream_count].schema;
    plan.stream[plan.stream_count++].shard_by = -1;
    *schema = plan.stream[0].schema;
    schema->id = id;
    schema->field[1] = plan.stream[0].schema.field[2];
    schema->field[1].optional = true;
    schema->field[2] = plan.stream[0].schema.field[1];
}

static void source_add(struct plan_view *view, uint16_t stream)
{
    struct plan_source *source = &view->other[view->other_count++];
    source->stream = stream;
    source->key_field[0] = 2;
    source->aggregate_field[0] = FIELD_NONE;
    source->aggregate_field[1] = 1;
}

static void a_view_of_several_streams_is_in_the_lists_of_all(void **state)
{
    (void)state;
    int index;
    struct plan_view *view = &plan.view[1];
    uint64_t alone = view->fingerprint;
    uint16_t words = view->cell_words;
    stream_add(9);
    stream_add(11);
    plan.stream[1].history_us = 5 * MINUTE;
    source_add(view, 1);
    source_add(view, 2);
    assert_int_equal(plan_finish(&plan, &index), RESULT_OK);
    assert_int_equal(plan.stream[0].view_count, 2);
    for (uint32_t s = 1; s < 3; s++) {
        assert_int_equal(plan.stream[s].view_count, 1);
        assert_int_equal(plan.stream[s].view[0], 1);
        assert_int_equal(view->other[s - 1].input_field[0], 1);
        assert_int_equal(view->other[s - 1].fields_used, 6);
        assert_false(plan_view_reads(&plan.view[0], s));
        assert_true(plan_view_reads(view, s));
    }
    assert_int_equal(view->apart_us, 5 * MINUTE);
    /* Amounts that can be null are counted apart from events. */
    assert_int_equal(view->cell_words, words + 1);
    uint64_t several = view->fingerprint;
    assert_int_not_equal(several, alone);
    view->other[0].stream = 2;
    view->other[1].stream = 1;
    assert_int_equal(plan_finish(&plan, &index), RESULT_OK);
    assert_int_not_equal(view->fingerprint, several);
    view->other_count = 0;
    assert_int_equal(plan_finish(&plan, &index), RESULT_OK);
    assert_int_equal(view->fingerprint, alone);
    assert_int_equal(plan.stream[1].view_count, 0);
}

static void a_view_without_version_is_the_newest(void **state)
{
    (void)state;
    assert_int_equal(plan_view_find(&plan, "activity", 8, 0), 1);
    assert_int_equal(plan_view_find(&plan, "activity", 8, 1), 0);
    assert_int_equal(plan_view_find(&plan, "activity", 8, 3), -1);
    assert_int_equal(plan_view_find(&plan, "act", 3, 0), -1);
}

static void a_feature_has_three_spellings(void **state)
{
    (void)state;
    int found = feature_find("activity.amount_avg_1h");
    assert_true(found >= 0);
    assert_string_equal(plan.feature[found].name, "amount_avg_1h");
    assert_int_equal(plan.feature[found].view, 1);
    assert_int_equal(feature_find("activity:amount_avg_1h"), found);
    assert_int_equal(feature_find("activity__amount_avg_1h"), found);
    assert_int_equal(feature_find("activity@2.amount_avg_1h"), found);
    int older = feature_find("activity@1.amount_avg_1h");
    assert_true(older >= 0);
    assert_int_equal(plan.feature[older].view, 0);
}

static void an_unknown_feature_is_not_found(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        ".",
                                        "activity",
                                        "activity.",
                                        "activity.amount_avg",
                                        "activity.amount_avg_1h ",
                                        "activity@3.amount_avg_1h",
                                        "activity@.amount_avg_1h",
                                        "activity@x.amount_avg_1h",
                                        "other.amount_avg_1h"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        assert_int_equal(feature_find(wrong[i]), -1);
    }
}

static void the_nearest_known_feature_is_suggested(void **state)
{
    (void)state;
    char text[FEATURE_NAME_SIZE_MAX + NAME_SIZE_MAX];
    plan_feature_suggest(&plan, "card", "activity.amount_agv_1h", 22, text, sizeof(text));
    assert_string_equal(text, "activity.amount_avg_1h");
    plan_feature_suggest(&plan, "card", "zzzzzzzzzzzzzzzzzzzzzz", 22, text, sizeof(text));
    assert_string_equal(text, "");
}

static void equal_definitions_have_equal_fingerprints(void **state)
{
    (void)state;
    uint64_t fingerprint = plan.fingerprint;
    uint64_t view = plan.view[0].fingerprint;
    (void)set_up(state);
    assert_true(plan.fingerprint == fingerprint);
    assert_true(plan.view[0].fingerprint == view);
}

/* An average over a field that can be null counts its values, so the cells have a word more. */
static void what_changes_the_cells_changes_the_fingerprint(void **state)
{
    (void)state;
    int view;
    uint64_t before = plan.view[0].fingerprint;
    plan.stream[0].schema.field[2].optional = true;
    assert_int_equal(plan_finish(&plan, &view), RESULT_OK);
    assert_true(plan.view[0].fingerprint != before);
    plan.stream[0].schema.field[2].optional = false;
    schema_policy_set(&plan.stream[0].schema, VIOLATION_NULL_FIELD);
    assert_int_equal(plan_finish(&plan, &view), RESULT_OK);
    assert_true(plan.view[0].fingerprint != before);
    schema_policy_set(&plan.stream[0].schema, VIOLATION_DROP);
    assert_int_equal(plan_finish(&plan, &view), RESULT_OK);
    assert_true(plan.view[0].fingerprint == before);
}

static void aggregates_are_found_by_name(void **state)
{
    (void)state;
    for (int kind = 0; kind < AGGREGATE_COUNT_OF; kind++) {
        const char *name = aggregate_name((enum aggregate_kind)kind);
        assert_int_equal(aggregate_find(name, (uint32_t)strlen(name)), kind);
    }
    assert_int_equal(aggregate_find("su", 2), -1);
    assert_int_equal(aggregate_find("summ", 4), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(streams_are_found_by_id_and_name, set_up),
        cmocka_unit_test_setup(a_view_without_version_is_the_newest, set_up),
        cmocka_unit_test_setup(a_feature_has_three_spellings, set_up),
        cmocka_unit_test_setup(an_unknown_feature_is_not_found, set_up),
        cmocka_unit_test_setup(the_nearest_known_feature_is_suggested, set_up),
        cmocka_unit_test_setup(a_row_has_room_for_the_sessions_that_lateness_keeps, set_up),
        cmocka_unit_test_setup(a_view_of_one_stream_keeps_its_fingerprint, set_up),
        cmocka_unit_test_setup(a_view_of_several_streams_is_in_the_lists_of_all, set_up),
        cmocka_unit_test_setup(equal_definitions_have_equal_fingerprints, set_up),
        cmocka_unit_test_setup(what_changes_the_cells_changes_the_fingerprint, set_up),
        cmocka_unit_test_setup(aggregates_are_found_by_name, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
