#include "tests/support/unit.h"

#include "dataplane/feature/exact.h"
#include "dataplane/feature/service.h"

#define HOUR_US INT64_C(3600000000)
#define NOW_US  (100 * HOUR_US)

/* Two entities: a count of cards, and the last name of a shop. */
static struct plan plan;
static struct plan_service *service;
static struct service_run run;
static struct program_space space;
static struct answer answers[200];

static void view_add(const char *name, const char *entity, enum aggregate_kind kind, uint8_t field)
{
    struct plan_view *view = &plan.view[plan.view_count++];
    memcpy(view->name, name, strlen(name) + 1);
    memcpy(view->entity, entity, strlen(entity) + 1);
    view->version = 1;
    view->key_count = 1;
    view->ladder_count = 1;
    view->ladder_us[0] = HOUR_US / 60;
    view->window_count = 1;
    memcpy(view->window[0].name, "1h", 3);
    view->window[0].width_us = HOUR_US;
    view->aggregate_count = 1;
    view->aggregate[0].name[0] = 'a';
    view->aggregate[0].kind = kind;
    view->aggregate[0].field = field;
}

static bool resolve(void *context, const char *name, uint32_t size, uint16_t *out_input,
                    struct expression_type *out_type)
{
    (void)context;
    if (size == 3 && memcmp(name, "c.a", 3) == 0) {
        *out_input = 0;
        *out_type = service_feature_type(&plan, 0, 0);
        return true;
    }
    *out_input = SERVICE_INPUT_REQUEST;
    *out_type = (struct expression_type){.kind = TYPE_number, .scale = 2};
    return size == 3 && memcmp(name, "r.x", 3) == 0;
}

static void value_add(const char *text)
{
    static struct expression expression;
    struct plan_service_item *item = &service->item[service->item_count++];
    uint32_t place;
    assert_int_equal(expression_parse(text, (uint32_t)strlen(text), &expression, NULL), RESULT_OK);
    assert_int_equal(expression_check(&expression, resolve, NULL, TYPE_null), RESULT_OK);
    assert_int_equal(program_add(&service->program, NULL, &expression, NULL, &place), RESULT_OK);
    item->is_computed = true;
    item->source = (uint16_t)place;
    item->inputs = program_inputs_of(&service->program, &expression);
}

/* Items: the count, the name, count * 2, x + 1. */
static int set_up(void **state)
{
    int view;
    (void)state;
    memset(&plan, 0, sizeof(plan));
    memset(&run, 0, sizeof(run));
    memset(answers, 0, sizeof(answers));
    plan.stream_count = 1;
    struct schema *schema = &plan.stream[0].schema;
    schema->id = 7;
    schema->version = 1;
    schema->field_count = 2;
    schema->field[0] = (struct schema_field){
        .name = "ts", .type = FIELD_TYPE_timestamp, .size = 8, .id = 1, .since = 1};
    schema->field[1] = (struct schema_field){
        .name = "shop", .type = FIELD_TYPE_string, .size = 16, .id = 2, .since = 1};
    plan.stream[0].shard_by = -1;
    view_add("c", "card", AGGREGATE_count, FIELD_NONE);
    view_add("s", "shop", AGGREGATE_last, 1);
    assert_int_equal(plan_finish(&plan, &view), RESULT_OK);
    service = &plan.service[plan.service_count++];
    memcpy(service->name, "fraud", 6);
    service->read_count = 2;
    for (uint16_t i = 0; i < 2; i++) {
        service->read[i] = (struct plan_service_read){.view = i, .item = i};
        service->item[i] = (struct plan_service_item){.source = i};
    }
    service->item_count = 2;
    value_add("c.a * 2");
    value_add("r.x + 1");
    assert_int_equal(service_finish(&plan, service), RESULT_OK);
    run.service = service;
    run.answer = answers;
    run.space = &space;
    run.base[1] = 100;
    run.request[0] = 250;
    answers[100] = (struct answer){.kind = VALUE_STRING, .text = "corner", .text_size = 6};
    for (uint32_t i = 0; i < ARRAY_COUNT(answers); i++) {
        answers[i].q_us = NOW_US;
        answers[i].newest_us = NOW_US - HOUR_US;
        answers[i].start_us = NOW_US - HOUR_US - i;
        answers[i].end_us = NOW_US;
        if (i < 100) {
            answers[i].kind = VALUE_NUMBER;
            answers[i].number = wide_from_u64(i);
        }
    }
    return 0;
}

static struct answer answer_of(uint32_t item)
{
    struct answer answer;
    service_compute(&run, 0, 1);
    service_answer(&run, 0, 0, item, &answer);
    return answer;
}

static void services_are_found_by_name_and_know_their_entities(void **state)
{
    (void)state;
    assert_int_equal(service_find(&plan, "fraud", 5), 0);
    assert_int_equal(service_find(&plan, "frau", 4), -1);
    assert_int_equal(service_find(&plan, "fraud1", 6), -1);
    assert_int_equal(service->entity_count, 2);
    assert_int_equal(service->read[0].feature, 0);
    assert_int_equal(service->read[1].feature, 1);
    assert_int_equal(service->read[1].entity, 1);
}

static void features_pass_through_and_values_are_computed(void **state)
{
    (void)state;
    answers[0].number = wide_from_u64(21);
    assert_int_equal(answer_of(0).number.word[0], 21);
    assert_memory_equal(answer_of(1).text, "corner", 6);
    struct answer twice = answer_of(2);
    assert_int_equal(twice.status, ANSWER_PRESENT);
    assert_int_equal(twice.number.word[0], 42);
    assert_int_equal(twice.newest_us, NOW_US - HOUR_US);
    struct answer request = answer_of(3);
    assert_int_equal(request.number.word[0], 350);
    assert_int_equal(request.scale, 2);
    assert_int_equal(request.newest_us, INT64_MIN);
    assert_int_equal(request.q_us, NOW_US);
}

static void a_missing_input_makes_a_value_null(void **state)
{
    (void)state;
    run.request_null = 1;
    assert_int_equal(answer_of(3).status, ANSWER_NULL_VALUE);
    answers[0].kind = VALUE_NULL;
    answers[0].status = ANSWER_NOT_FOUND;
    assert_int_equal(answer_of(0).status, ANSWER_NOT_FOUND);
    assert_int_equal(answer_of(2).status, ANSWER_NULL_VALUE);
    assert_int_equal(answer_of(2).kind, VALUE_NULL);
}

static void an_age_is_allowed_up_to_its_bound(void **state)
{
    (void)state;
    service->item[0].max_age_us = HOUR_US;
    assert_int_equal(answer_of(0).status, ANSWER_PRESENT);
    service->item[0].max_age_us = HOUR_US - 1;
    assert_int_equal(answer_of(0).status, ANSWER_OUTSIDE_MAX_AGE);
    assert_int_equal(answer_of(0).kind, VALUE_NULL);
    assert_int_equal(answer_of(2).kind, VALUE_NULL);
    answers[0].kind = VALUE_NULL;
    answers[0].status = ANSWER_NOT_FOUND;
    assert_int_equal(answer_of(0).status, ANSWER_NOT_FOUND);
}

static void a_default_stands_for_what_is_not_there_and_is_computed_with(void **state)
{
    (void)state;
    service->item[0].otherwise =
        (struct plan_default){.given = true, .type = {.kind = TYPE_number}, .word = 7};
    service->item[1].otherwise = (struct plan_default){
        .given = true, .type = {.kind = TYPE_string}, .size = 4, .text = "none"};
    assert_memory_equal(answer_of(1).text, "corner", 6);
    service->item[0].max_age_us = 1;
    assert_int_equal(answer_of(0).status, ANSWER_OUTSIDE_MAX_AGE);
    assert_int_equal(answer_of(0).number.word[0], 7);
    assert_int_equal(answer_of(2).number.word[0], 14);
    answers[100].kind = VALUE_NULL;
    answers[100].status = ANSWER_NULL_VALUE;
    assert_int_equal(answer_of(1).status, ANSWER_NULL_VALUE);
    assert_memory_equal(answer_of(1).text, "none", 4);
}

static void every_row_of_every_block_has_its_own_candidate(void **state)
{
    const uint32_t rows = 100;
    (void)state;
    run.step[0] = 1;
    for (uint32_t first = 0; first < rows; first += PROGRAM_ROWS) {
        uint32_t count = rows - first < PROGRAM_ROWS ? rows - first : PROGRAM_ROWS;
        service_compute(&run, first, count);
        for (uint32_t row = first; row < first + count; row++) {
            struct answer answer;
            service_answer(&run, first, row, 2, &answer);
            assert_int_equal(answer.number.word[0], 2 * row);
            assert_int_equal(answer.start_us, NOW_US - HOUR_US - row);
            service_answer(&run, first, row, 1, &answer);
            assert_memory_equal(answer.text, "corner", 6);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(services_are_found_by_name_and_know_their_entities, set_up),
        cmocka_unit_test_setup(features_pass_through_and_values_are_computed, set_up),
        cmocka_unit_test_setup(a_missing_input_makes_a_value_null, set_up),
        cmocka_unit_test_setup(an_age_is_allowed_up_to_its_bound, set_up),
        cmocka_unit_test_setup(a_default_stands_for_what_is_not_there_and_is_computed_with, set_up),
        cmocka_unit_test_setup(every_row_of_every_block_has_its_own_candidate, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
