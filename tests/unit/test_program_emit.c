/* What is in a program already is not made again, unless faults would count in other rows. */
#include "tests/support/unit.h"

#include "dataplane/feature/program_emit.h"

#define TEXT(text) text, (uint32_t)(sizeof(text) - 1)

static struct program program;

static int empty(void **state)
{
    (void)state;
    program = (struct program){0};
    return 0;
}

static uint16_t two(enum program_code code, uint16_t a, uint16_t b, uint16_t active)
{
    struct program_step step = {.code = (uint8_t)code, .a = a, .b = b};
    return program_emit(&program, step, active);
}

static void equal_steps_are_one(void **state)
{
    (void)state;
    uint16_t less = two(PROGRAM_number_less, 0, 1, PROGRAM_ALWAYS);
    assert_int_equal(less, PROGRAM_FIRST_VALUE);
    assert_int_equal(two(PROGRAM_number_less, 0, 1, PROGRAM_ALWAYS), less);
    assert_int_equal(two(PROGRAM_number_less, 0, 1, 7), less); /* It cannot fault. */
    assert_int_equal(two(PROGRAM_number_less, 1, 0, PROGRAM_ALWAYS), less + 1);
    assert_int_equal(two(PROGRAM_number_equal, 0, 1, PROGRAM_ALWAYS), less + 2);
    assert_int_equal(program.step_count, 3);
}

static void what_faults_is_one_where_its_rows_are_among_the_others(void **state)
{
    (void)state;
    uint16_t condition = two(PROGRAM_number_less, 0, 1, PROGRAM_ALWAYS);
    uint16_t inner = two(PROGRAM_mask_and, condition, condition, PROGRAM_ALWAYS);
    uint16_t other = two(PROGRAM_number_less, 1, 0, PROGRAM_ALWAYS);
    /* Needed in few rows, then in those around them: the wider ones are right for both. */
    uint16_t sum = two(PROGRAM_number_add, 0, 1, inner);
    const struct program_step *step = &program.step[sum - PROGRAM_FIRST_VALUE];
    assert_int_equal(step->active, inner);
    assert_int_equal(two(PROGRAM_number_add, 0, 1, condition), sum);
    assert_int_equal(step->active, condition);
    assert_int_equal(two(PROGRAM_number_add, 0, 1, inner), sum);
    assert_int_equal(step->active, condition);
    /* Of rows that are not among them nothing may be said. */
    assert_int_not_equal(two(PROGRAM_number_add, 0, 1, other), sum);
    assert_int_equal(two(PROGRAM_number_add, 0, 1, PROGRAM_ALWAYS), sum);
    assert_int_equal(step->active, PROGRAM_ALWAYS);
}

static void equal_constants_are_one(void **state)
{
    (void)state;
    const struct expression_type number = {.kind = TYPE_number, .size = 8};
    const struct expression_type time = {.kind = TYPE_time, .size = 8};
    uint16_t seven = program_emit_constant(&program, number, false, 7);
    assert_int_equal(seven, PROGRAM_FIRST_CONSTANT);
    assert_int_equal(program_emit_constant(&program, number, false, 7), seven);
    assert_int_equal(program_emit_constant(&program, number, false, 8), seven + 1);
    assert_int_equal(program_emit_constant(&program, time, false, 7), seven + 2);
    uint16_t zero = program_emit_constant(&program, number, false, 0);
    uint16_t null = program_emit_constant(&program, number, true, 0);
    assert_int_not_equal(zero, null);
    assert_int_equal(program_emit_constant(&program, number, true, 0), null);
    assert_int_equal(program.constant_count, 5);
    assert_int_equal(program.constant_null, 1u << (null - PROGRAM_FIRST_CONSTANT));
}

static void equal_texts_are_one(void **state)
{
    (void)state;
    uint16_t card = program_emit_text(&program, TEXT("card"));
    assert_int_equal(program_emit_text(&program, TEXT("card")), card);
    assert_int_not_equal(program_emit_text(&program, TEXT("car")), card);
    assert_int_not_equal(program_emit_text(&program, TEXT("")), card);
    assert_int_equal(program.string_size, 7);
    assert_memory_equal(program.string, "cardcar", 7);
}

static void what_finds_no_room_is_no_column(void **state)
{
    (void)state;
    const struct expression_type number = {.kind = TYPE_number, .size = 8};
    for (int64_t i = 0; i < PROGRAM_CONSTANTS_MAX; i++) {
        assert_int_not_equal(program_emit_constant(&program, number, false, i), COLUMN_NONE);
    }
    assert_int_equal(program_emit_constant(&program, number, false, -1), COLUMN_NONE);
    assert_int_equal(program_emit_text(&program, TEXT("card")), COLUMN_NONE);
    assert_int_equal(program.string_size, 0);
    for (int64_t i = 0; i < PROGRAM_STEPS_MAX; i++) {
        struct program_step step = {.code = PROGRAM_number_raise, .immediate = i};
        assert_int_not_equal(program_emit(&program, step, PROGRAM_ALWAYS), COLUMN_NONE);
    }
    assert_int_equal(two(PROGRAM_number_less, 0, 1, PROGRAM_ALWAYS), COLUMN_NONE);
    assert_int_equal(two(PROGRAM_number_less, 0, COLUMN_NONE, PROGRAM_ALWAYS), COLUMN_NONE);
    assert_int_equal(program.step_count, PROGRAM_STEPS_MAX);
}

static void strings_of_a_row_have_their_limit(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < PROGRAM_STRINGS_MAX / 256; i++) {
        struct program_step step = {.code = PROGRAM_string_join, .a = i, .b = i};
        uint16_t column = program_emit_string(&program, step, PROGRAM_ALWAYS, 256);
        assert_int_equal(column, PROGRAM_FIRST_VALUE + i);
        assert_int_equal(program_emit_string(&program, step, PROGRAM_ALWAYS, 256), column);
    }
    assert_int_equal(program.row_bytes, PROGRAM_STRINGS_MAX);
    struct program_step one_more = {.code = PROGRAM_string_join, .a = 0, .b = 1};
    assert_int_equal(program_emit_string(&program, one_more, PROGRAM_ALWAYS, 1), COLUMN_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(equal_steps_are_one, empty),
        cmocka_unit_test_setup(what_faults_is_one_where_its_rows_are_among_the_others, empty),
        cmocka_unit_test_setup(equal_constants_are_one, empty),
        cmocka_unit_test_setup(equal_texts_are_one, empty),
        cmocka_unit_test_setup(what_finds_no_room_is_no_column, empty),
        cmocka_unit_test_setup(strings_of_a_row_have_their_limit, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
