#include "dataplane/feature/plan.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/plan_inside.h"

static const char *const aggregate_names[] = {
#define AGGREGATE(name, argument, type, parameter, sentence) #name,
#include "dataplane/feature/aggregates.def"
#undef AGGREGATE
};

const char *aggregate_name(enum aggregate_kind kind)
{
    ASSERT(kind < AGGREGATE_COUNT_OF);
    return aggregate_names[kind];
}

bool aggregate_is_list(const struct plan_aggregate *aggregate)
{
    enum aggregate_kind kind = aggregate->kind;
    bool ranked = kind == AGGREGATE_last_k || kind == AGGREGATE_first_k ||
                  kind == AGGREGATE_last_k_distinct || kind == AGGREGATE_first_k_distinct ||
                  kind == AGGREGATE_top_k || kind == AGGREGATE_bottom_k;
    return aggregate->by != 0 || ranked || kind == AGGREGATE_histogram || kind == AGGREGATE_top_n;
}

static bool name_is(const char *name, const char *text, uint32_t size)
{
    return strlen(name) == size && memcmp(name, text, size) == 0;
}

int aggregate_find(const char *name, uint32_t size)
{
    for (int i = 0; i < AGGREGATE_COUNT_OF; i++) {
        if (name_is(aggregate_names[i], name, size)) {
            return i;
        }
    }
    return -1;
}

static bool view_features_finish(struct plan *plan, uint32_t index)
{
    struct plan_view *view = &plan->view[index];
    view->feature_first = plan->feature_count;
    for (uint32_t a = 0; a < view->aggregate_count; a++) {
        for (uint32_t w = 0; w < view->window_count; w++) {
            if (plan->feature_count == FEATURES_MAX) {
                return false;
            }
            const char *aggregate = view->aggregate[a].name;
            const char *window = view->window[w].name;
            size_t length = strlen(aggregate);
            size_t window_length = strlen(window);
            if (length + 1 + window_length + 1 > FEATURE_NAME_SIZE_MAX) {
                return false;
            }
            struct plan_feature *feature = &plan->feature[plan->feature_count++];
            *feature = (struct plan_feature){
                .view = (uint16_t)index, .aggregate = (uint8_t)a, .window = (uint8_t)w};
            memcpy(feature->name, aggregate, length);
            if (view->window[w].kind != WINDOW_LIFETIME) {
                feature->name[length] = '_';
                memcpy(feature->name + length + 1, window, window_length);
            }
        }
    }
    for (uint32_t d = 0; d < view->derived_count; d++) {
        if (plan->feature_count == FEATURES_MAX) {
            return false;
        }
        struct plan_feature *feature = &plan->feature[plan->feature_count++];
        *feature = (struct plan_feature){
            .view = (uint16_t)index, .is_derived = true, .aggregate = (uint8_t)d};
        memcpy(feature->name, view->derived[d].name, sizeof(view->derived[d].name));
    }
    view->feature_count = (uint16_t)(plan->feature_count - view->feature_first);
    return true;
}

/* A running hash of everything that decides the meaning of bytes. */
static uint64_t print_number(uint64_t print, uint64_t number)
{
    return XXH3_64bits_withSeed(&number, sizeof(number), print);
}

static uint64_t print_text(uint64_t print, const char *text)
{
    return XXH3_64bits_withSeed(text, strlen(text), print);
}

static uint64_t schema_fingerprint(const struct schema *schema)
{
    uint64_t print = print_number(0, schema->id);
    print = print_number(print, schema->time_field);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const struct schema_field *field = &schema->field[i];
        print = print_text(print, field->name);
        print = print_number(print, (uint64_t)field->type << 32 | (uint64_t)field->id << 16 |
                                        field->since);
        print = print_number(print, (uint64_t)field->size << 32 | (uint64_t)field->scale << 16 |
                                        (uint64_t)field->unit << 1 | field->optional);
    }
    return print;
}

/* What the cells and single events of a view are made of: it follows from the aggregates, and from
 * which of their fields can be null. */
static uint64_t print_layout(uint64_t print, const struct plan_view *view,
                             const struct schema *schema)
{
    for (uint32_t i = 0; i < view->accumulator_count; i++) {
        const struct plan_accumulator *accumulator = &view->accumulator[i];
        print = print_number(
            print, (uint64_t)accumulator->kind << 48 | (uint64_t)accumulator->word << 32 |
                       (uint64_t)accumulator->value_words << 16 | accumulator->single_word);
        if (accumulator->field != FIELD_NONE) {
            const struct schema_field *field = &schema->field[accumulator->field];
            print = print_number(print, (uint64_t)field->id << 32 | (uint64_t)field->type << 16 |
                                            field->scale);
        }
    }
    return print_number(print, (uint64_t)view->cell_words << 16 | view->single_words);
}

static uint64_t print_window(uint64_t print, const struct plan_window *window)
{
    bool lifetime = window->kind == WINDOW_LIFETIME;
    print = print_number(print, (uint64_t)window->width_us << 1 | lifetime);
    if (window->kind != WINDOW_SLIDING && !lifetime) {
        print = print_number(print, (uint64_t)window->kind << 32 | window->events);
        print = print_number(print, (uint64_t)window->step_us);
    }
    return print;
}

/* Of the streams behind the first: where their events come from and what of them counts. */
static uint64_t print_sources(uint64_t print, const struct plan *plan, const struct plan_view *view)
{
    for (uint32_t i = 0; i < view->other_count; i++) {
        const struct plan_source *source = &view->other[i];
        const struct schema *schema = &plan->stream[source->stream].schema;
        print = print_number(print, schema->id);
        for (uint32_t part = 0; part < view->key_count; part++) {
            print = print_number(print, schema->field[source->key_field[part]].id);
        }
        for (uint32_t a = 0; a < view->aggregate_count; a++) {
            uint8_t field = source->aggregate_field[a];
            print = print_number(print, field == FIELD_NONE ? 0 : schema->field[field].id);
            uint8_t by = source->aggregate_by[a];
            print = by == 0 ? print : print_number(print, schema->field[by - 1].id);
        }
    }
    return print;
}

static uint64_t view_fingerprint(const struct plan *plan, const struct plan_view *view)
{
    const struct schema *schema = &plan->stream[view->stream].schema;
    uint64_t print = print_text(schema->id, view->name);
    print = print_text(print, view->entity);
    print = print_number(print, view->version);
    for (uint32_t i = 0; i < view->key_count; i++) {
        const struct schema_field *field = &schema->field[view->key_field[i]];
        print = print_number(print,
                             (uint64_t)field->id << 32 | (uint64_t)field->type << 16 | field->size);
    }
    print = print_number(print, view->edges);
    print = print_number(print, (uint64_t)view->exact_us);
    print = print_number(print, view->exact_us > 0 ? view->raw_cap : 0);
    for (uint32_t i = 0; i < view->level_count; i++) {
        print = print_number(print, (uint64_t)view->level_us[i]);
    }
    for (uint32_t i = 0; i < view->window_count; i++) {
        print = print_window(print, &view->window[i]);
    }
    for (uint32_t i = 0; i < view->aggregate_count; i++) {
        const struct plan_aggregate *aggregate = &view->aggregate[i];
        print = print_text(print, aggregate->name);
        print = print_number(print, (uint64_t)aggregate->kind);
        print = print_number(
            print, aggregate->field == FIELD_NONE ? 0 : schema->field[aggregate->field].id);
        print = aggregate->print == 0 ? print : print_number(print, aggregate->print);
        if (aggregate->by != 0 || aggregate->parameter != 0) {
            print =
                print_number(print, aggregate->by == 0 ? 0 : schema->field[aggregate->by - 1].id);
            print = print_number(print, (uint64_t)aggregate->parameter);
        }
    }
    print = view->where_print == 0 ? print : print_number(print, view->where_print);
    return print_sources(print_layout(print, view, schema), plan, view);
}

/* A field of the first stream in another one, as the aggregates have both; FIELD_NONE: nobody. */
static uint8_t source_field(const struct plan_view *view, const struct plan_source *source,
                            uint8_t field)
{
    for (uint32_t a = 0; a < view->aggregate_count; a++) {
        if (view->aggregate[a].field == field) {
            return source->aggregate_field[a];
        }
        if (view->aggregate[a].by == field + 1) {
            return (uint8_t)(source->aggregate_by[a] - 1);
        }
    }
    return FIELD_NONE;
}

/* Inputs of the view in its further streams. */
static void sources_finish(struct plan_view *view)
{
    view->sure_fields = view->input_fields & ~view->nullable;
    for (uint32_t i = 0; i < view->other_count; i++) {
        struct plan_source *source = &view->other[i];
        source->fields_used = 0;
        source->sure_fields = 0;
        for (uint32_t input = 0; input < view->input_count; input++) {
            uint8_t here = view->input[input].field;
            uint8_t field = source_field(view, source, here);
            ASSERT(field != FIELD_NONE);
            source->input_field[input] = field;
            source->fields_used |= UINT64_C(1) << field;
            source->sure_fields |= (view->sure_fields >> here & 1) << field;
        }
        for (uint32_t part = 0; part < view->key_count; part++) {
            source->fields_used |= UINT64_C(1) << source->key_field[part];
        }
    }
}

/* True when an event of some stream of the view may have the field of the first one as null. */
static bool view_field_nullable(const struct plan *plan, const struct plan_view *view,
                                uint8_t field)
{
    bool null = schema_field_is_nullable(&plan->stream[view->stream].schema.field[field]);
    for (uint32_t i = 0; i < view->other_count; i++) {
        const struct plan_source *source = &view->other[i];
        uint8_t there = source_field(view, source, field);
        null = null || schema_field_is_nullable(&plan->stream[source->stream].schema.field[there]);
    }
    return null;
}

/* Inputs that an event of some stream of the view may have as null. */
static uint64_t view_nullable(const struct plan *plan, const struct plan_view *view)
{
    uint64_t nullable = 0;
    for (uint32_t a = 0; a < view->aggregate_count; a++) {
        const struct plan_aggregate *aggregate = &view->aggregate[a];
        if (aggregate->field != FIELD_NONE) {
            nullable |= (uint64_t)view_field_nullable(plan, view, aggregate->field)
                        << aggregate->field;
        }
        if (aggregate->by != 0) {
            uint8_t by = (uint8_t)(aggregate->by - 1);
            nullable |= (uint64_t)view_field_nullable(plan, view, by) << by;
        }
    }
    return nullable;
}

/* Lists the view among those of its streams; false: one of them has too many. */
static bool view_list(struct plan *plan, const struct plan_view *view, uint32_t index)
{
    for (uint32_t i = 0; i < plan_source_count(view); i++) {
        struct plan_stream *stream = &plan->stream[plan_source_stream(view, i)];
        if (stream->view_count == VIEWS_PER_STREAM_MAX) {
            return false;
        }
        stream->view[stream->view_count++] = (uint16_t)index;
    }
    return true;
}

static bool view_finish(struct plan *plan, uint32_t index)
{
    struct plan_view *view = &plan->view[index];
    struct plan_stream *stream = &plan->stream[view->stream];
    if (!view_list(plan, view, index)) {
        return false;
    }
    view->nullable = view_nullable(plan, view);
    if (!plan_aggregates_finish(view, &stream->schema)) {
        return false;
    }
    view->fields_used = view->input_fields;
    for (uint32_t i = 0; i < view->key_count; i++) {
        view->fields_used |= UINT64_C(1) << view->key_field[i];
    }
    if (!plan_windows_finish(plan, view)) {
        return false;
    }
    sources_finish(view);
    view->fingerprint = view_fingerprint(plan, view);
    return view_features_finish(plan, index);
}

/* The stream's view at this index of the plan. */
static uint8_t stream_place_of(const struct plan_stream *stream, uint16_t view)
{
    for (uint8_t v = 0; v < stream->view_count; v++) {
        if (stream->view[v] == view) {
            return v;
        }
    }
    UNREACHABLE();
}

/* Returns the fields that expressions read, as a mask; false: they need too much at a time. */
static bool stream_program_finish(struct plan_stream *stream, uint64_t *out_fields)
{
    struct program *program = &stream->program;
    *out_fields = 0;
    stream->filtered = false;
    for (uint32_t i = 0; i < program->output_count; i++) {
        struct plan_output *output = &stream->output[i];
        if (output->is_condition) {
            output->place = stream_place_of(stream, output->view);
            stream->filtered = true;
        }
    }
    for (uint32_t i = 0; i < program->input_count; i++) {
        *out_fields |= UINT64_C(1) << program->input[i];
    }
    return program_finish(program) == RESULT_OK;
}

enum result plan_finish(struct plan *plan, int *out_view)
{
    *out_view = -1;
    plan_names_finish(plan);
    plan->feature_count = 0;
    plan->fingerprint = 0;
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        struct plan_stream *stream = &plan->stream[i];
        stream->view_count = 0;
        enum result result = schema_layout(&stream->schema);
        if (result != RESULT_OK) {
            return result;
        }
        stream->fingerprint = schema_fingerprint(&stream->schema);
        plan->fingerprint = print_number(plan->fingerprint, stream->fingerprint);
    }
    for (uint32_t i = 0; i < plan->view_count; i++) {
        if (!view_finish(plan, i)) {
            *out_view = (int)i;
            return RESULT_NO_SPACE;
        }
        plan->fingerprint = print_number(plan->fingerprint, plan->view[i].fingerprint);
    }
    for (uint32_t i = 0; i < plan->view_count; i++) {
        if (program_finish(&plan->view[i].derived_program) != RESULT_OK) {
            *out_view = (int)i;
            return RESULT_UNSUPPORTED;
        }
    }
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        struct plan_stream *stream = &plan->stream[i];
        uint64_t used;
        if (!stream_program_finish(stream, &used)) {
            *out_view = stream->view[0];
            return RESULT_UNSUPPORTED;
        }
        for (uint32_t v = 0; v < stream->view_count; v++) {
            const struct plan_view *view = &plan->view[stream->view[v]];
            const struct plan_source *source = plan_source_of(view, i);
            used |= source == NULL ? view->fields_used : source->fields_used;
        }
        used |= stream->quality.null_fields | stream->quality.shift_fields;
        decode_compile(&stream->schema, used, &stream->decode);
        decode_compile_judged(&stream->decode, &stream->decode_judged);
    }
    return RESULT_OK;
}
