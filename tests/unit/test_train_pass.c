/* Answers that a service passes on: what their columns hold is what train_column_put_answer() puts,
 * which is the oracle, whatever the column and the answer are. */
#include "tests/support/unit.h"

#include "controlplane/train_pass.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/exact.h"

#define READ_ANSWERS 4u
#define LABELS       50u

static const struct parquet_column columns[] = {
    {.type = PARQUET_BOOL},
    {.type = PARQUET_INT64},
    {.type = PARQUET_UINT64},
    {.type = PARQUET_DOUBLE},
    {.type = PARQUET_STRING},
    {.type = PARQUET_TIMESTAMP_US},
    {.type = PARQUET_DECIMAL, .scale = 2},
    {.type = PARQUET_DECIMAL_LONG, .scale = 2},
    {.type = PARQUET_DECIMAL_WIDE, .scale = 2},
};

static const struct answer answers[] = {
    {.status = ANSWER_NOT_FOUND},
    {.status = ANSWER_NULL_VALUE, .scale = 2},
    {.kind = VALUE_BOOL, .number = {.word = {1}}},
    {.kind = VALUE_NUMBER},
    {.kind = VALUE_NUMBER, .number = {.word = {7}}},
    {.kind = VALUE_NUMBER, .scale = 2, .number = {.word = {7}}},
    {.kind = VALUE_NUMBER, .scale = 2, .number = {.word = {-7ull, -1ull, -1ull, -1ull}}},
    {.kind = VALUE_NUMBER, .number = {.word = {-7ull, -1ull, -1ull, -1ull}}},
    {.kind = VALUE_NUMBER, .number = {.word = {1ull << 63}}},
    {.kind = VALUE_NUMBER, .scale = 2, .number = {.word = {5, 1}}},
    {.kind = VALUE_NUMBER, .scale = 2, .number = {.word = {5, 1, 1}}},
    {.kind = VALUE_DOUBLE, .real = -0.0},
    {.kind = VALUE_DOUBLE, .scale = 3, .real = 1.5},
    {.kind = VALUE_STRING, .text = "text", .text_size = 4},
    {.status = ANSWER_OUTSIDE_MAX_AGE, .kind = VALUE_LIST, .text = "[]", .text_size = 2},
};

/* A service of one view whose answers 3 to 1 are values 0 to 2; nobody asks for the first. */
struct world {
    struct train train;
    struct train_options options;
    struct plan_service service;
    struct train_column column[2 * READ_ANSWERS];
    struct train_column expected[2];
    struct buffer text;
    struct buffer expected_text;
    struct train_pass pass;
};

static struct world *world_make(bool no_status, const struct parquet_column *column)
{
    struct world *world = test_calloc(1, sizeof(*world));
    uint32_t step = no_status ? 1 : 2;
    world->options.no_status = no_status;
    world->service.item_count = READ_ANSWERS - 1;
    world->service.read_count = READ_ANSWERS;
    world->train.options = &world->options;
    world->train.service = &world->service;
    world->train.view_count = 1;
    world->train.view[0] = (struct train_view){.count = READ_ANSWERS};
    for (uint32_t i = 0; i < READ_ANSWERS; i++) {
        world->train.base[i] = READ_ANSWERS - 1 - i;
    }
    for (uint32_t i = 0; i + 1 < READ_ANSWERS; i++) {
        world->service.item[i].source = (uint16_t)i;
        assert_int_equal(train_column_init(&world->column[i * step], column), RESULT_OK);
    }
    assert_int_equal(train_column_init(&world->expected[0], column), RESULT_OK);
    const struct parquet_column status = {.type = PARQUET_STRING};
    assert_int_equal(train_column_init(&world->expected[1], &status), RESULT_OK);
    for (uint32_t i = 0; !no_status && i + 1 < READ_ANSWERS; i++) {
        assert_int_equal(train_column_init(&world->column[i * step + 1], &status), RESULT_OK);
    }
    buffer_init(&world->text, 0);
    buffer_init(&world->expected_text, 0);
    train_texts_begin(&world->text);
    train_texts_begin(&world->expected_text);
    assert_int_equal(train_pack_init(&world->train.pack, 1, LABELS), RESULT_OK);
    train_pack_begin(&world->train.pack, 0, LABELS);
    assert_true(train_pass_init(&world->pass, &world->train, world->column));
    return world;
}

static void world_free(struct world *world)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(world->column); i++) {
        train_column_deinit(&world->column[i]);
    }
    train_column_deinit(&world->expected[0]);
    train_column_deinit(&world->expected[1]);
    buffer_deinit(&world->text);
    buffer_deinit(&world->expected_text);
    train_pack_deinit(&world->train.pack);
    test_free(world);
}

/* Label i's answers are answers[i], [i + 1], and so on. */
static void labels_answer(struct world *world)
{
    for (uint64_t i = 0; i < LABELS; i++) {
        struct answer own[READ_ANSWERS];
        const struct history_read read = {.number = i, .feature_count = READ_ANSWERS};
        for (uint32_t a = 0; a < READ_ANSWERS; a++) {
            own[a] = answers[(i + a) % ARRAY_COUNT(answers)];
        }
        assert_int_equal(train_pack_take(&world->train.pack, 0, &read, own), RESULT_OK);
    }
}

static void string_check(const struct train_column *column, const struct buffer *text,
                         const struct train_column *expected, const struct buffer *expected_text,
                         uint32_t row)
{
    const struct parquet_string *own = (const struct parquet_string *)(const void *)column->data;
    const struct parquet_string *oracle =
        (const struct parquet_string *)(const void *)expected->data;
    assert_int_equal(own[row].size, oracle[row].size);
    if (own[row].size > 0) {
        assert_memory_equal(text->data + (uintptr_t)own[row].data,
                            expected_text->data + (uintptr_t)oracle[row].data, own[row].size);
    }
}

static void value_check(struct world *world, const struct train_column *column,
                        const struct answer *answer, uint32_t row)
{
    struct train_column *expected = &world->expected[0];
    uint32_t width = parquet_type_bytes(column->parquet.type);
    bool fits = train_column_put_answer(expected, row, answer, &world->expected_text);
    assert_int_equal(column->valid[row], expected->valid[row]);
    if (fits && column->parquet.type == PARQUET_STRING) {
        string_check(column, &world->text, expected, &world->expected_text, row);
    } else if (fits) {
        assert_memory_equal(column->data + (uint64_t)row * width,
                            expected->data + (uint64_t)row * width, width);
    }
    if (!world->options.no_status) {
        train_column_put_status(&world->expected[1], row, answer->status);
        string_check(column + 1, &world->text, &world->expected[1], &world->expected_text, row);
    }
}

static void row_check(struct world *world, uint32_t row)
{
    struct train_sums sums = {.joined = 0};
    struct train_sums expected = {.joined = 0};
    uint32_t step = world->options.no_status ? 1 : 2;
    uint32_t bad = UINT32_MAX;
    uint32_t found = train_pass_row(&world->pass, row, row, &sums, &world->text);
    for (uint32_t i = 0; i + 1 < READ_ANSWERS; i++) {
        const struct answer *answer = &answers[(row + READ_ANSWERS - 1 - i) % ARRAY_COUNT(answers)];
        value_check(world, &world->column[i * step], answer, row);
        bool fits =
            train_column_put_answer(&world->expected[0], row, answer, &world->expected_text);
        bad = !fits && bad == UINT32_MAX ? i * step : bad;
        expected.status[answer->status]++;
    }
    assert_int_equal(found, bad);
    assert_memory_equal(sums.status, expected.status, sizeof(sums.status));
}

static void columns_hold_what_is_put_answer_by_answer(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2 * ARRAY_COUNT(columns); i++) {
        struct world *world = world_make(i % 2 == 0, &columns[i / 2]);
        labels_answer(world);
        train_pack_enter(&world->train.pack, 0);
        for (uint32_t row = 0; row < LABELS; row++) {
            row_check(world, row);
        }
        world_free(world);
    }
}

static void what_is_not_passed_on_is_told(void **state)
{
    (void)state;
    struct world *world = world_make(true, &columns[0]);
    struct plan_service_item *item = &world->service.item[1];
    const struct plan_service_item plain = *item;
    item->is_computed = true;
    assert_false(train_pass_init(&world->pass, &world->train, world->column));
    *item = plain;
    item->max_age_us = 1;
    assert_false(train_pass_init(&world->pass, &world->train, world->column));
    *item = plain;
    item->otherwise.given = true;
    assert_false(train_pass_init(&world->pass, &world->train, world->column));
    *item = plain;
    item->source = 0; /* Two values of one answer. */
    assert_false(train_pass_init(&world->pass, &world->train, world->column));
    *item = plain;
    assert_true(train_pass_init(&world->pass, &world->train, world->column));
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_hold_what_is_put_answer_by_answer),
        cmocka_unit_test(what_is_not_passed_on_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
