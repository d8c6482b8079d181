#include "tests/support/unit.h"

#include "tests/support/manifest_example.h"

static struct catalog catalog;
static struct catalog out;
static struct plan plan;
static uint8_t *data;
static uint32_t size;

static int set_up(void **state)
{
    (void)state;
    data = malloc(CATALOG_BYTES_MAX);
    catalog_example(&catalog);
    size = catalog_encode(&catalog, data, CATALOG_BYTES_MAX);
    return 0;
}

/* The same with a view of both streams: another version on disk. */
static int set_up_several(void **state)
{
    (void)state;
    data = malloc(CATALOG_BYTES_MAX);
    catalog_example(&catalog);
    catalog_example_view(&catalog, "everything", 1, 1, 1);
    catalog.view[3].other_count = 1;
    catalog.view[3].other[0] = (struct catalog_source){.stream = 0, .place = 2};
    size = catalog_encode(&catalog, data, CATALOG_BYTES_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(data);
    return 0;
}

static void a_catalog_is_decoded_as_it_was_encoded(void **state)
{
    (void)state;
    memset(&out, 0xaa, sizeof(out));
    assert_int_equal(catalog_decode(data, size, &out), RESULT_OK);
    assert_memory_equal(&out, &catalog, sizeof(out));
}

static void every_cut_is_truncated_and_bytes_behind_are_invalid(void **state)
{
    (void)state;
    for (uint32_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut + (cut == 0));
        memcpy(copy, data, cut);
        assert_int_equal(catalog_decode(copy, cut, &out), RESULT_TRUNCATED);
        free(copy);
    }
    data[size] = 0;
    assert_int_equal(catalog_decode(data, size + 1, &out), RESULT_INVALID);
}

static void a_flipped_bit_is_refused_or_means_its_bytes(void **state)
{
    (void)state;
    uint8_t *again = malloc(CATALOG_BYTES_MAX);
    uint32_t refused = 0;
    for (uint32_t at = 0; at < size; at++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            data[at] ^= (uint8_t)(1u << bit);
            if (catalog_decode(data, size, &out) == RESULT_OK) {
                assert_int_equal(catalog_encode(&out, again, CATALOG_BYTES_MAX), size);
                assert_memory_equal(again, data, size);
            } else {
                refused++;
            }
            data[at] ^= (uint8_t)(1u << bit);
        }
    }
    assert_true(refused > 0);
    free(again);
}

static void writer_refuses(void)
{
    expect_assert_failure((void)catalog_encode(&catalog, data, CATALOG_BYTES_MAX));
}

/* The encoder asserts what the decoder checks. */
static void what_passes_a_limit_is_asserted_by_the_writer(void **state)
{
    (void)state;
    struct catalog_stream *stream = &catalog.stream[0];
    struct catalog_field *field = &stream->field[2];
    struct {
        uint16_t *place;
        uint16_t value;
    } row[] = {
        {&catalog.stream_count, STREAMS_MAX + 1},
        {&catalog.view_count, VIEWS_MAX + 1},
        {&stream->field_count, FIELDS_MAX + 1},
        {&stream->time_field, 4},
        {&stream->id, STREAM_ID_MAX + 1},
        {&stream->id, 2},
        {&stream->version, 0},
        {&stream->version, 1},
        {&field->size, 7},
        {&stream->field[3].size, STRING_SIZE_MAX + 1},
        {&stream->field[3].size, 0},
        {&field->since, 0},
        {&catalog.view[0].stream, 2},
        {&catalog.view[2].place, 0},
        {&catalog.view[2].version, 1},
        {&catalog.view[2].version, 0},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        uint16_t before = *row[i].place;
        *row[i].place = row[i].value;
        writer_refuses();
        *row[i].place = before;
    }
    static const char *const name[] = {"", "two words", "line\nfeed", "umla\xc3\xbct"};
    for (uint32_t i = 0; i < ARRAY_COUNT(name); i++) {
        (void)snprintf(catalog.view[1].name, NAME_SIZE_MAX, "%s", name[i]);
        writer_refuses();
    }
    memset(catalog.view[1].name, 'v', NAME_SIZE_MAX);
    writer_refuses();
    catalog.view[1].name[NAME_SIZE_MAX - 1] = '\0';
    size = catalog_encode(&catalog, data, CATALOG_BYTES_MAX);
    assert_int_equal(catalog_decode(data, size, &out), RESULT_OK);
}

/* The plan of the example catalog. */
static void plan_make(void)
{
    memset(&plan, 0, sizeof(plan));
    plan.stream_count = catalog.stream_count;
    plan.view_count = catalog.view_count;
    plan.fingerprint = catalog.fingerprint;
    for (uint32_t s = 0; s < plan.stream_count; s++) {
        const struct catalog_stream *stream = &catalog.stream[s];
        struct schema *schema = &plan.stream[s].schema;
        plan.stream[s].fingerprint = stream->fingerprint;
        memcpy(schema->name, stream->name, NAME_SIZE_MAX);
        schema->id = stream->id;
        schema->version = stream->version;
        schema->field_count = stream->field_count;
        for (uint32_t f = 0; f < stream->field_count; f++) {
            struct schema_field *field = &schema->field[f];
            memcpy(field->name, stream->field[f].name, NAME_SIZE_MAX);
            field->type = (enum field_type)stream->field[f].type;
            field->id = stream->field[f].id;
            field->since = stream->field[f].since;
            field->size = stream->field[f].size;
            field->scale = stream->field[f].scale;
            field->unit = (enum time_unit)stream->field[f].unit;
            field->optional = stream->field[f].optional != 0;
        }
    }
    for (uint32_t v = 0; v < plan.view_count; v++) {
        const struct catalog_view *view = &catalog.view[v];
        memcpy(plan.view[v].name, view->name, NAME_SIZE_MAX);
        memcpy(plan.view[v].entity, view->entity, NAME_SIZE_MAX);
        plan.view[v].version = view->version;
        plan.view[v].stream = view->stream;
        plan.view[v].fingerprint = view->fingerprint;
        plan.stream[view->stream].view[plan.stream[view->stream].view_count++] = (uint16_t)v;
        plan.view[v].other_count = (uint8_t)view->other_count;
        for (uint32_t i = 0; i < view->other_count; i++) {
            struct plan_stream *stream = &plan.stream[view->other[i].stream];
            plan.view[v].other[i].stream = view->other[i].stream;
            stream->view[stream->view_count++] = (uint16_t)v;
        }
    }
    plan_names_finish(&plan);
}

static void a_catalog_holds_what_its_plan_says(void **state)
{
    (void)state;
    plan_make();
    memset(&out, 0xaa, sizeof(out));
    catalog_of_plan(&plan, &out);
    assert_memory_equal(&out, &catalog, sizeof(out));
}

static void the_same_plan_maps_to_itself(void **state)
{
    (void)state;
    struct catalog_map map;
    struct catalog_conflict conflict;
    struct view_set changed = {{77}};
    plan_make();
    assert_int_equal(catalog_match(&catalog, &plan, &map, &changed, &conflict), RESULT_OK);
    assert_true(view_set_is_empty(&changed));
    assert_true(view_set_is_empty(&map.new_views));
    for (uint16_t i = 0; i < catalog.view_count; i++) {
        assert_int_equal(map.view[i], i);
        assert_int_equal(map.stream[i], i < 2 ? i : CATALOG_GONE);
    }
    assert_int_equal(map.view[catalog.view_count], CATALOG_GONE);
}

static void views_go_come_move_and_change(void **state)
{
    (void)state;
    struct catalog_map map;
    struct catalog_conflict conflict;
    struct view_set changed;
    plan_make();
    /* Old view 0 is at 2 now, 1 has gone, 2 changed its meaning; 0 is new. */
    plan.view[2] = plan.view[0];
    plan.view[1] = plan.view[2];
    plan.view[1].version = 2;
    plan.view[1].fingerprint++;
    (void)snprintf(plan.view[0].name, NAME_SIZE_MAX, "fresh");
    plan_names_finish(&plan);
    assert_int_equal(catalog_match(&catalog, &plan, &map, &changed, &conflict), RESULT_OK);
    assert_int_equal(map.view[0], 2);
    assert_int_equal(map.view[1], CATALOG_GONE);
    assert_int_equal(map.view[2], CATALOG_GONE);
    assert_true(view_set_has(&map.new_views, 0));
    assert_true(view_set_has(&map.new_views, 1));
    assert_false(view_set_has(&map.new_views, 2));
    assert_int_equal(changed.word[0], 4);
}

static void a_catalog_of_views_of_one_stream_is_as_it_always_was(void **state)
{
    (void)state;
    assert_int_equal(data[0], 1);
    catalog_example_view(&catalog, "everything", 1, 1, 1);
    size = catalog_encode(&catalog, data, CATALOG_BYTES_MAX);
    catalog.view[3].other_count = 1;
    catalog.view[3].other[0] = (struct catalog_source){.stream = 0, .place = 2};
    uint32_t more = catalog_encode(&catalog, data, CATALOG_BYTES_MAX);
    assert_int_equal(data[0], 2);
    assert_int_equal(more, size + catalog.view_count + 4);
    /* Version 2 without a view of several streams is what nobody writes. */
    assert_int_equal(catalog_decode(data, more, &out), RESULT_OK);
    data[more - 5] = 0; /* The count of the last view. */
    assert_int_equal(catalog_decode(data, more - 4, &out), RESULT_INVALID);
}

static void further_streams_that_cannot_be_are_asserted_by_the_writer(void **state)
{
    (void)state;
    struct catalog_view *view = &catalog.view[3];
    static const struct catalog_source row[] = {{1, 2}, {2, 0}, {0, 1}, {0, 3}};
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        view->other[0] = row[i];
        writer_refuses();
    }
    view->other[0] = (struct catalog_source){0, 2};
    view->other_count = SOURCES_MAX;
    writer_refuses();
    view->other_count = 1;
    assert_int_equal(catalog_encode(&catalog, data, CATALOG_BYTES_MAX), size);
}

static void a_view_whose_streams_changed_is_another(void **state)
{
    (void)state;
    struct catalog_map map;
    struct catalog_conflict conflict;
    struct view_set changed;
    for (uint32_t i = 0; i < 3; i++) {
        plan_make();
        struct plan_view *view = &plan.view[3];
        view->other_count = i == 0 ? 0 : 1;
        view->stream = i == 1 ? 0 : 1;
        view->other[0].stream = i == 1 ? 1 : 0;
        assert_int_equal(catalog_match(&catalog, &plan, &map, &changed, &conflict), RESULT_OK);
        assert_int_equal(map.view[3], i == 2 ? 3 : CATALOG_GONE);
        assert_int_equal(view_set_has(&map.new_views, 3), i != 2);
    }
}

static void streams_go_and_move(void **state)
{
    (void)state;
    struct catalog_map map;
    struct catalog_conflict conflict;
    struct view_set changed;
    plan_make();
    plan.stream[0] = plan.stream[1];
    plan.stream_count = 1;
    plan.view[0] = plan.view[1];
    plan.view[0].stream = 0;
    plan.view_count = 1;
    plan_names_finish(&plan);
    assert_int_equal(catalog_match(&catalog, &plan, &map, &changed, &conflict), RESULT_OK);
    assert_int_equal(map.stream[0], CATALOG_GONE);
    assert_int_equal(map.stream[1], 0);
    assert_int_equal(map.view[1], 0);
    assert_true(view_set_is_empty(&map.new_views));
    assert_true(view_set_is_empty(&changed));
}

static void fields_may_be_appended_with_a_new_version(void **state)
{
    (void)state;
    struct catalog_map map;
    struct catalog_conflict conflict;
    struct view_set changed;
    plan_make();
    struct schema *schema = &plan.stream[0].schema;
    schema->field[schema->field_count] = (struct schema_field){
        .name = "tip", .type = FIELD_TYPE_i64, .size = 8, .id = 9, .since = 3, .optional = true};
    schema->field_count++;
    schema->version = 3;
    assert_int_equal(catalog_match(&catalog, &plan, &map, &changed, &conflict), RESULT_OK);
    schema->field[schema->field_count - 1].since = 2;
    assert_int_equal(catalog_match(&catalog, &plan, &map, &changed, &conflict), RESULT_INVALID);
    assert_string_equal(conflict.stream, "transaction");
    assert_string_equal(conflict.field, "tip");
}

static void id_change(struct schema *schema)
{
    schema->id = 9;
}

static void name_change(struct schema *schema)
{
    (void)snprintf(schema->name, NAME_SIZE_MAX, "payment");
}

static void ids_swap(struct schema *schema)
{
    (void)schema;
    plan.stream[0].schema.id = 2;
    plan.stream[1].schema.id = 1;
}

static void version_lower(struct schema *schema)
{
    schema->version = 1;
}

static void time_move(struct schema *schema)
{
    schema->time_field = 1;
}

static void field_rename(struct schema *schema)
{
    (void)snprintf(schema->field[2].name, NAME_SIZE_MAX, "sum");
}

static void field_id_change(struct schema *schema)
{
    schema->field[2].id = 9;
}

static void field_type_change(struct schema *schema)
{
    schema->field[2].type = FIELD_TYPE_i64;
}

static void field_size_change(struct schema *schema)
{
    schema->field[3].size = 17;
}

static void field_scale_change(struct schema *schema)
{
    schema->field[2].scale = 3;
}

static void field_unit_change(struct schema *schema)
{
    schema->field[0].unit = TIME_UNIT_ns;
}

static void field_since_change(struct schema *schema)
{
    schema->field[3].since = 1;
}

static void field_remove(struct schema *schema)
{
    schema->field_count--;
}

static void fields_swap(struct schema *schema)
{
    struct schema_field field = schema->field[1];
    schema->field[1] = schema->field[2];
    schema->field[2] = field;
}

static void what_would_read_records_as_others_is_a_conflict(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct schema *schema);
        const char *field;
    } row[] = {
        {id_change, ""},
        {name_change, ""},
        {ids_swap, ""},
        {version_lower, ""},
        {time_move, "ts"},
        {field_rename, "amount"},
        {field_id_change, "amount"},
        {field_type_change, "amount"},
        {field_size_change, "shop"},
        {field_scale_change, "amount"},
        {field_unit_change, "ts"},
        {field_since_change, "shop"},
        {field_remove, "shop"},
        {fields_swap, "card"},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        struct catalog_map map;
        struct catalog_conflict conflict = {.reason = NULL};
        struct view_set changed;
        plan_make();
        row[i].change(&plan.stream[0].schema);
        assert_int_equal(catalog_match(&catalog, &plan, &map, &changed, &conflict), RESULT_INVALID);
        assert_string_equal(conflict.stream, "transaction");
        assert_string_equal(conflict.field, row[i].field);
        assert_non_null(conflict.reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_catalog_is_decoded_as_it_was_encoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_cut_is_truncated_and_bytes_behind_are_invalid, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_flipped_bit_is_refused_or_means_its_bytes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_passes_a_limit_is_asserted_by_the_writer, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_catalog_holds_what_its_plan_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_plan_maps_to_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(views_go_come_move_and_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_catalog_is_decoded_as_it_was_encoded, set_up_several,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_cut_is_truncated_and_bytes_behind_are_invalid,
                                        set_up_several, tear_down),
        cmocka_unit_test_setup_teardown(a_flipped_bit_is_refused_or_means_its_bytes, set_up_several,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_catalog_holds_what_its_plan_says, set_up_several,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_same_plan_maps_to_itself, set_up_several, tear_down),
        cmocka_unit_test_setup_teardown(a_catalog_of_views_of_one_stream_is_as_it_always_was,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(further_streams_that_cannot_be_are_asserted_by_the_writer,
                                        set_up_several, tear_down),
        cmocka_unit_test_setup_teardown(a_view_whose_streams_changed_is_another, set_up_several,
                                        tear_down),
        cmocka_unit_test_setup_teardown(streams_go_and_move, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_may_be_appended_with_a_new_version, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_would_read_records_as_others_is_a_conflict, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
