#include "tests/support/unit.h"

#include "dataplane/feature/schema.h"

static struct schema schema;

static void field_add(const char *name, enum field_type type, uint16_t size, uint16_t since)
{
    struct schema_field *field = &schema.field[schema.field_count++];
    memcpy(field->name, name, strlen(name) + 1);
    field->type = type;
    field->size = type == FIELD_TYPE_string ? size : field_type_size(type);
    field->since = since;
}

static int set_up(void **state)
{
    (void)state;
    memset(&schema, 0, sizeof(schema));
    schema.version = 3;
    field_add("ts", FIELD_TYPE_timestamp, 0, 1);
    field_add("kind", FIELD_TYPE_u8, 0, 1);
    field_add("room", FIELD_TYPE_string, 10, 2);
    field_add("level", FIELD_TYPE_i32, 0, 3);
    assert_int_equal(schema_layout(&schema), RESULT_OK);
    return 0;
}

static void fields_lie_packed_in_declared_order(void **state)
{
    (void)state;
    assert_int_equal(schema.field[0].offset, 0);
    assert_int_equal(schema.field[1].offset, 8);
    assert_int_equal(schema.field[2].offset, 9);
    assert_int_equal(schema.field[3].offset, 19);
    assert_int_equal(schema.block_size, 23);
}

static void an_older_block_is_a_prefix(void **state)
{
    (void)state;
    assert_int_equal(schema_block_size_at(&schema, 1), 9);
    assert_int_equal(schema_block_size_at(&schema, 2), 19);
    assert_int_equal(schema_block_size_at(&schema, 3), 23);
    assert_int_equal(schema_block_size_at(&schema, 4), 23);
    assert_int_equal(schema_block_size_at(&schema, UINT16_MAX), 23);
}

static void fields_are_found_by_their_whole_name(void **state)
{
    (void)state;
    assert_int_equal(schema_field_find(&schema, "room", 4), 2);
    assert_int_equal(schema_field_find(&schema, "roomy", 4), 2);
    assert_int_equal(schema_field_find(&schema, "roo", 3), -1);
    assert_int_equal(schema_field_find(&schema, "rooms", 5), -1);
    assert_int_equal(schema_field_find(&schema, "", 0), -1);
}

static void a_rule_is_there_when_its_key_is(void **state)
{
    (void)state;
    struct schema_field *field = &schema.field[2];
    for (uint32_t r = 0; r < RULE_COUNT; r++) {
        enum rule rule = (enum rule)r;
        memset(field->policy, VIOLATION_DROP, sizeof(field->policy));
        field->optional = true;
        bool always = rule == RULE_type;
        assert_int_equal(schema_field_has_rule(field, rule), always);
        assert_int_equal(rule_of_drop(rule_drop(rule)), rule);
        field->has_min = rule == RULE_min;
        field->has_max = rule == RULE_max;
        field->enum_count = rule == RULE_enum;
        field->size_min = rule == RULE_min_size;
        field->size_max = rule == RULE_max_size;
        field->has_pattern = rule == RULE_matches;
        field->must_be_given = rule == RULE_required;
        assert_true(schema_field_has_rule(field, rule));
        /* A required field that is not optional can be null where a rule leaves it so. */
        field->optional = false;
        assert_false(schema_field_is_nullable(field));
        field->policy[rule] = VIOLATION_NULL_FIELD;
        assert_true(schema_field_is_nullable(field));
        field->policy[rule] = VIOLATION_COUNT;
        assert_int_equal(schema_field_is_nullable(field), always || rule == RULE_required);
        field->has_min = field->has_max = field->has_pattern = field->must_be_given = false;
        field->enum_count = field->size_min = field->size_max = 0;
    }
    assert_int_equal(rule_of_drop(DROP_event_late), RULE_COUNT);
}

static void a_computed_column_is_nowhere_in_the_event(void **state)
{
    (void)state;
    uint8_t event[23];
    memset(event, 7, sizeof(event));
    schema.field[4] = (struct schema_field){.type = FIELD_TYPE_i64, .size = 8};
    schema.computed_count = 1;
    schema_event_null(&schema, 1u << 4 | 1u << 1, sizeof(event), event);
    for (uint32_t i = 0; i < sizeof(event); i++) {
        assert_int_equal(event[i], i == 8 ? 0xff : 7);
    }
}

static void null_is_what_is_written_as_null(void **state)
{
    (void)state;
    for (int type = 0; type < FIELD_TYPE_COUNT; type++) {
        uint8_t event[16] = {0};
        memset(&schema, 0, sizeof(schema));
        field_add("x", (enum field_type)type, type == FIELD_TYPE_string ? 8 : 0, 1);
        assert_int_equal(schema_layout(&schema), RESULT_OK);
        const struct schema_field *field = &schema.field[0];
        memset(event, 1, sizeof(event));
        assert_false(schema_bytes_are_null(field, event));
        schema_event_null(&schema, 1, sizeof(event), event);
        assert_true(schema_bytes_are_null(field, event));
        event[field->size - 1] ^= 0x41; /* Of a string, null still. */
        bool any = type == FIELD_TYPE_string;
        assert_int_equal(schema_bytes_are_null(field, event), any);
    }
}

static void a_block_above_its_limit_is_refused(void **state)
{
    (void)state;
    memset(&schema, 0, sizeof(schema));
    for (int i = 0; i < EVENT_SIZE_MAX / STRING_SIZE_MAX; i++) {
        field_add("x", FIELD_TYPE_string, STRING_SIZE_MAX, 1);
    }
    assert_int_equal(schema_layout(&schema), RESULT_OK);
    assert_int_equal(schema.block_size, EVENT_SIZE_MAX);
    field_add("y", FIELD_TYPE_u8, 0, 1);
    assert_int_equal(schema_layout(&schema), RESULT_NO_SPACE);
}

static void every_type_has_a_name_and_a_size(void **state)
{
    (void)state;
    for (int type = 0; type < FIELD_TYPE_COUNT; type++) {
        assert_true(strlen(field_type_name((enum field_type)type)) > 1);
        assert_true((field_type_size((enum field_type)type) == 0) == (type == FIELD_TYPE_string));
    }
    assert_string_equal(field_type_name(FIELD_TYPE_decimal), "decimal");
    assert_int_equal(field_type_size(FIELD_TYPE_i16), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fields_lie_packed_in_declared_order, set_up),
        cmocka_unit_test_setup(an_older_block_is_a_prefix, set_up),
        cmocka_unit_test_setup(fields_are_found_by_their_whole_name, set_up),
        cmocka_unit_test_setup(a_rule_is_there_when_its_key_is, set_up),
        cmocka_unit_test_setup(a_computed_column_is_nowhere_in_the_event, set_up),
        cmocka_unit_test_setup(null_is_what_is_written_as_null, set_up),
        cmocka_unit_test_setup(a_block_above_its_limit_is_refused, set_up),
        cmocka_unit_test_setup(every_type_has_a_name_and_a_size, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
