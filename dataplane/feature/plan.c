#include "dataplane/feature/plan.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/distance.h"
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

static uint64_t view_fingerprint(const struct plan_view *view, const struct schema *schema)
{
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
    return print_layout(print, view, schema);
}

static bool view_finish(struct plan *plan, uint32_t index)
{
    struct plan_view *view = &plan->view[index];
    struct plan_stream *stream = &plan->stream[view->stream];
    if (stream->view_count == VIEWS_PER_STREAM_MAX) {
        return false;
    }
    stream->view[stream->view_count++] = (uint8_t)index;
    if (!plan_aggregates_finish(view, &stream->schema)) {
        return false;
    }
    view->sure_fields = 0;
    for (uint32_t i = 0; i < view->input_count; i++) {
        uint8_t field = view->input[i].field;
        bool sure = !schema_field_is_nullable(&stream->schema.field[field]);
        view->sure_fields |= (uint64_t)sure << field;
    }
    view->fields_used = view->input_fields;
    for (uint32_t i = 0; i < view->key_count; i++) {
        view->fields_used |= UINT64_C(1) << view->key_field[i];
    }
    if (!plan_windows_finish(view, stream)) {
        return false;
    }
    view->fingerprint = view_fingerprint(view, &stream->schema);
    return view_features_finish(plan, index);
}

/* The stream's view at this index of the plan. */
static uint8_t stream_place_of(const struct plan_stream *stream, uint8_t view)
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
            used |= plan->view[stream->view[v]].fields_used;
        }
        used |= stream->quality.null_fields | stream->quality.shift_fields;
        decode_compile(&stream->schema, used, &stream->decode);
        decode_compile_judged(&stream->decode, &stream->decode_judged);
    }
    return RESULT_OK;
}

int plan_stream_find_id(const struct plan *plan, uint16_t id)
{
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        if (plan->stream[i].schema.id == id) {
            return (int)i;
        }
    }
    return -1;
}

int plan_stream_find(const struct plan *plan, const char *name, uint32_t size)
{
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        if (name_is(plan->stream[i].schema.name, name, size)) {
            return (int)i;
        }
    }
    return -1;
}

int plan_view_find(const struct plan *plan, const char *name, uint32_t size, uint32_t version)
{
    int found = -1;
    for (uint32_t i = 0; i < plan->view_count; i++) {
        const struct plan_view *view = &plan->view[i];
        if (!name_is(view->name, name, size)) {
            continue;
        }
        if (version == view->version) {
            return (int)i;
        }
        if (version == 0 && (found < 0 || plan->view[found].version < view->version)) {
            found = (int)i;
        }
    }
    return found;
}

/* `view` or `view@2` and the feature's name in it. */
static int feature_find_parts(const struct plan *plan, const char *view, uint32_t view_size,
                              const char *feature, uint32_t feature_size)
{
    uint32_t version = 0;
    const char *at = view_size > 0 ? memchr(view, '@', view_size) : NULL;
    if (at != NULL) {
        for (const char *digit = at + 1; digit < view + view_size; digit++) {
            if (*digit < '0' || *digit > '9' || version > UINT16_MAX) {
                return -1;
            }
            version = version * 10 + (uint32_t)(*digit - '0');
        }
        if (version == 0) {
            return -1;
        }
        view_size = (uint32_t)(at - view);
    }
    int index = plan_view_find(plan, view, view_size, version);
    if (index < 0) {
        return -1;
    }
    const struct plan_view *found = &plan->view[index];
    for (uint32_t i = found->feature_first;
         i < (uint32_t)found->feature_first + found->feature_count; i++) {
        if (name_is(plan->feature[i].name, feature, feature_size)) {
            return (int)i;
        }
    }
    return -1;
}

int plan_feature_find(const struct plan *plan, const char *reference, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        uint32_t separator = reference[i] == '.' || reference[i] == ':'                       ? 1u
                             : i + 1 < size && reference[i] == '_' && reference[i + 1] == '_' ? 2u
                                                                                              : 0u;
        if (separator == 0) {
            continue;
        }
        int found =
            feature_find_parts(plan, reference, i, reference + i + separator, size - i - separator);
        if (found >= 0) {
            return found;
        }
    }
    return -1;
}

#define REFERENCE_SIZE_MAX (NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX)

void plan_feature_suggest(const struct plan *plan, const char *entity, const char *reference,
                          uint32_t size, char *out, uint32_t out_size)
{
    ASSERT(out_size > 0);
    out[0] = '\0';
    if (size >= REFERENCE_SIZE_MAX) {
        return;
    }
    uint32_t best = size / 2 + 2; /* Farther than that is no help. */
    for (uint32_t i = 0; i < plan->feature_count; i++) {
        const struct plan_feature *feature = &plan->feature[i];
        const struct plan_view *view = &plan->view[feature->view];
        if (entity != NULL && strcmp(entity, view->entity) != 0) {
            continue;
        }
        char known[REFERENCE_SIZE_MAX];
        uint32_t view_length = (uint32_t)strlen(view->name);
        uint32_t length = view_length + 1 + (uint32_t)strlen(feature->name);
        memcpy(known, view->name, view_length);
        known[view_length] = '.';
        memcpy(known + view_length + 1, feature->name, length - view_length - 1);
        uint32_t distance = distance_edits(reference, size, known, length);
        if (distance < best && length < out_size) {
            best = distance;
            memcpy(out, known, length);
            out[length] = '\0';
        }
    }
}
