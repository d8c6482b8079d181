#include "dataplane/feature/plan.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/row.h"

/* A window's tail steps by the largest level that is at most a twelfth of it. */
#define HOP_SHARE 12

static const char *const aggregate_names[] = {
#define AGGREGATE(name, argument, type, sentence) #name,
#include "dataplane/feature/aggregates.def"
#undef AGGREGATE
};

const char *aggregate_name(enum aggregate_kind kind)
{
    ASSERT(kind < AGGREGATE_COUNT_OF);
    return aggregate_names[kind];
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

/* A field can be null in an applied event when it is optional, or when the stream applies events
 * that break a rule. */
static bool field_is_nullable(const struct schema *schema, uint32_t field)
{
    return schema->field[field].optional || schema->on_violation == VIOLATION_NULL_FIELD ||
           schema->on_violation == VIOLATION_COUNT;
}

static uint16_t string_words(const struct schema_field *field)
{
    return (uint16_t)div_ceil(field->size, sizeof(uint64_t));
}

static uint16_t input_word(struct plan_view *view, const struct schema *schema, uint8_t field)
{
    for (uint32_t i = 0; i < view->input_count; i++) {
        if (view->input[i].field == field) {
            return view->input[i].word;
        }
    }
    ASSERT(view->input_count < AGGREGATES_MAX);
    const struct schema_field *f = &schema->field[field];
    bool is_string = f->type == FIELD_TYPE_string;
    struct plan_input *input = &view->input[view->input_count++];
    *input = (struct plan_input){.field = field,
                                 .is_string = is_string,
                                 .word = view->single_words,
                                 .words = is_string ? string_words(f) : 1};
    view->single_words = (uint16_t)(view->single_words + input->words);
    view->input_fields |= UINT64_C(1) << field;
    return input->word;
}

static uint16_t accumulator_words(const struct plan_accumulator *accumulator)
{
    switch (accumulator->kind) {
    case ACCUMULATOR_COUNT:
    case ACCUMULATOR_MIN:
    case ACCUMULATOR_MAX:
        return 1;
    case ACCUMULATOR_SUM:
        return 2;
    case ACCUMULATOR_SUMSQ:
        return 3;
    case ACCUMULATOR_FIRST:
    case ACCUMULATOR_LAST:
        return (uint16_t)(2 + accumulator->value_words);
    }
    UNREACHABLE();
}

/* The cell word of the accumulator, made when no aggregate before needed it, noted in mask;
 * WORD_NONE when there are too many. */
static uint16_t accumulator_place(struct plan_view *view, const struct schema *schema,
                                  enum accumulator_kind kind, uint8_t field, uint64_t *mask)
{
    for (uint32_t i = 0; i < view->accumulator_count; i++) {
        const struct plan_accumulator *known = &view->accumulator[i];
        if (known->kind == kind && known->field == field) {
            *mask |= UINT64_C(1) << i;
            return known->word;
        }
    }
    if (view->accumulator_count == ACCUMULATORS_MAX) {
        return WORD_NONE;
    }
    *mask |= UINT64_C(1) << view->accumulator_count;
    struct plan_accumulator *made = &view->accumulator[view->accumulator_count++];
    *made = (struct plan_accumulator){.kind = kind, .field = field, .word = view->cell_words};
    if (field != FIELD_NONE) {
        const struct schema_field *f = &schema->field[field];
        made->is_unsigned = field_type_is_unsigned(f->type);
        made->is_string = f->type == FIELD_TYPE_string;
        made->value_words = made->is_string ? string_words(f) : 1;
        made->single_word = input_word(view, schema, field);
    }
    view->cell_words = (uint16_t)(view->cell_words + accumulator_words(made));
    return made->word;
}

struct aggregate_needs {
    bool sum;
    bool sumsq;
    int value; /* enum accumulator_kind, or -1 */
};

static struct aggregate_needs aggregate_needs_of(enum aggregate_kind kind)
{
    switch (kind) {
    case AGGREGATE_count:
        return (struct aggregate_needs){.value = -1};
    case AGGREGATE_sum:
    case AGGREGATE_avg:
        return (struct aggregate_needs){.sum = true, .value = -1};
    case AGGREGATE_sumsq:
        return (struct aggregate_needs){.sumsq = true, .value = -1};
    case AGGREGATE_min:
        return (struct aggregate_needs){.value = ACCUMULATOR_MIN};
    case AGGREGATE_max:
        return (struct aggregate_needs){.value = ACCUMULATOR_MAX};
    case AGGREGATE_first:
        return (struct aggregate_needs){.value = ACCUMULATOR_FIRST};
    case AGGREGATE_last:
        return (struct aggregate_needs){.value = ACCUMULATOR_LAST};
    case AGGREGATE_var_pop:
    case AGGREGATE_var_samp:
    case AGGREGATE_stddev_pop:
    case AGGREGATE_stddev_samp:
        return (struct aggregate_needs){.sum = true, .sumsq = true, .value = -1};
    case AGGREGATE_COUNT_OF:
        break;
    }
    UNREACHABLE();
}

static bool aggregate_finish(struct plan_view *view, const struct schema *schema,
                             struct plan_aggregate *aggregate)
{
    uint8_t field = aggregate->field;
    bool counts_events = field == FIELD_NONE || (view->nullable >> field & 1) == 0;
    struct aggregate_needs needs = aggregate_needs_of(aggregate->kind);
    aggregate->sum_word = WORD_NONE;
    aggregate->sumsq_word = WORD_NONE;
    aggregate->value_word = WORD_NONE;
    if (field != FIELD_NONE) {
        aggregate->scale = schema->field[field].scale;
        aggregate->type = schema->field[field].type;
    }
    uint64_t *mask = &aggregate->accumulators;
    *mask = 0;
    aggregate->count_word = accumulator_place(view, schema, ACCUMULATOR_COUNT,
                                              counts_events ? (uint8_t)FIELD_NONE : field, mask);
    bool fits = aggregate->count_word != WORD_NONE;
    if (needs.sum) {
        aggregate->sum_word = accumulator_place(view, schema, ACCUMULATOR_SUM, field, mask);
        fits = fits && aggregate->sum_word != WORD_NONE;
    }
    if (needs.sumsq) {
        aggregate->sumsq_word = accumulator_place(view, schema, ACCUMULATOR_SUMSQ, field, mask);
        fits = fits && aggregate->sumsq_word != WORD_NONE;
    }
    if (needs.value >= 0) {
        aggregate->value_word =
            accumulator_place(view, schema, (enum accumulator_kind)needs.value, field, mask);
        fits = fits && aggregate->value_word != WORD_NONE;
    }
    return fits;
}

/* Levels in use: each is the hop of some window. A view with only a lifetime window keeps the
 * finest one, so that the newest `history` can still be cut. */
static void view_levels_finish(struct plan_view *view)
{
    view->level_count = 0;
    view->has_lifetime = false;
    for (uint32_t i = 0; i < view->window_count; i++) {
        struct plan_window *window = &view->window[i];
        if (window->lifetime) {
            view->has_lifetime = true;
            continue;
        }
        uint32_t hop = 0;
        while (hop + 1u < view->ladder_count &&
               view->ladder_us[hop + 1] <= window->width_us / HOP_SHARE) {
            hop++;
        }
        int64_t width = view->ladder_us[hop];
        if (view->level_count == 0 || view->level_us[view->level_count - 1] != width) {
            view->level_us[view->level_count++] = width;
        }
        window->level = (uint8_t)(view->level_count - 1);
        view->level_keep_us[window->level] = window->width_us;
    }
    if (view->level_count == 0) {
        view->level_us[0] = view->ladder_us[0];
        view->level_keep_us[0] = 0;
        view->level_count = 1;
    }
}

static uint64_t view_cells_max(const struct plan_view *view, int64_t ahead_us)
{
    /* Per level one cell cut at each end and one for a partly folded parent. */
    const uint64_t slack = 3;
    uint64_t cells = view->has_lifetime ? 1 : 0;
    int64_t kept = -ahead_us;
    for (uint32_t i = 0; i < view->level_count; i++) {
        int64_t span = view->level_keep_us[i] - kept;
        cells += (uint64_t)(span > 0 ? span : 0) / (uint64_t)view->level_us[i] + slack;
        kept = view->level_keep_us[i];
    }
    return cells;
}

static uint16_t key_part_size(const struct schema_field *field)
{
    return field->type == FIELD_TYPE_string ? field->size : (uint16_t)sizeof(uint64_t);
}

/* How far the horizon of a view may be behind its newest event. Sets view->apart_us. */
static int64_t view_ahead_us(const struct plan *plan, struct plan_view *view)
{
    int64_t history_us = 0;
    int64_t future_us = 0;
    for (uint32_t i = 0; i < plan_source_count(view); i++) {
        const struct plan_stream *stream = &plan->stream[plan_source_stream(view, i)];
        history_us = stream->history_us > history_us ? stream->history_us : history_us;
        future_us = stream->future_us > future_us ? stream->future_us : future_us;
    }
    view->apart_us = view->other_count > 0 ? history_us : 0;
    return history_us + view->apart_us + future_us;
}

static void view_row_finish(const struct plan *plan, struct plan_view *view)
{
    const struct plan_stream *stream = &plan->stream[view->stream];
    view->key_size_max = 0;
    for (uint32_t i = 0; i < view->key_count; i++) {
        uint16_t part = key_part_size(&stream->schema.field[view->key_field[i]]);
        view->key_size_max = (uint16_t)(view->key_size_max + part + (view->key_count > 1 ? 2 : 0));
    }
    view->cell_lines = (uint16_t)div_ceil(view->cell_words, LINE_WORDS);
    const uint64_t lines_most = ROW_SIZE_MAX / CACHE_LINE_BYTES;
    uint64_t cells = view_cells_max(view, view_ahead_us(plan, view));
    uint64_t words = cells * view->cell_words;
    if (view->exact_us > 0) {
        words += ((uint64_t)row_singles_most(view) + 1) * view->single_words;
    }
    uint64_t lines = row_head_lines(view, view->key_size_max) + div_ceil(words, LINE_WORDS);
    view->row_lines_max = (uint32_t)(lines < lines_most ? lines : lines_most);
    view->cells_max = (uint32_t)(cells < UINT16_MAX ? cells : UINT16_MAX);
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
            if (!view->window[w].lifetime) {
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
        print =
            print_number(print, (uint64_t)view->window[i].width_us << 1 | view->window[i].lifetime);
    }
    for (uint32_t i = 0; i < view->aggregate_count; i++) {
        const struct plan_aggregate *aggregate = &view->aggregate[i];
        print = print_text(print, aggregate->name);
        print = print_number(print, (uint64_t)aggregate->kind);
        print = print_number(
            print, aggregate->field == FIELD_NONE ? 0 : schema->field[aggregate->field].id);
        print = aggregate->print == 0 ? print : print_number(print, aggregate->print);
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
    }
    return FIELD_NONE;
}

/* Inputs of the view in its further streams. */
static void sources_finish(struct plan_view *view)
{
    for (uint32_t i = 0; i < view->other_count; i++) {
        struct plan_source *source = &view->other[i];
        source->fields_used = 0;
        for (uint32_t input = 0; input < view->input_count; input++) {
            uint8_t field = source_field(view, source, view->input[input].field);
            ASSERT(field != FIELD_NONE);
            source->input_field[input] = field;
            source->fields_used |= UINT64_C(1) << field;
        }
        for (uint32_t part = 0; part < view->key_count; part++) {
            source->fields_used |= UINT64_C(1) << source->key_field[part];
        }
    }
}

/* Fields of the first stream that an event of some stream of the view may have as null. */
static uint64_t view_nullable(const struct plan *plan, const struct plan_view *view)
{
    uint64_t nullable = 0;
    for (uint32_t a = 0; a < view->aggregate_count; a++) {
        uint8_t field = view->aggregate[a].field;
        bool null =
            field != FIELD_NONE && field_is_nullable(&plan->stream[view->stream].schema, field);
        for (uint32_t i = 0; field != FIELD_NONE && i < view->other_count; i++) {
            const struct plan_source *source = &view->other[i];
            null = null || field_is_nullable(&plan->stream[source->stream].schema,
                                             source->aggregate_field[a]);
        }
        nullable |= null ? UINT64_C(1) << field : 0;
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
    view->accumulator_count = 0;
    view->input_count = 0;
    view->input_fields = 0;
    view->cell_words = 1;
    view->single_words = SINGLE_VALUES;
    for (uint32_t i = 0; i < view->aggregate_count; i++) {
        if (!aggregate_finish(view, &stream->schema, &view->aggregate[i])) {
            return false;
        }
    }
    view->fields_used = view->input_fields;
    for (uint32_t i = 0; i < view->key_count; i++) {
        view->fields_used |= UINT64_C(1) << view->key_field[i];
    }
    view_levels_finish(view);
    if (view->ttl_us == 0) {
        const struct plan_window *longest = &view->window[view->window_count - 1];
        ASSERT(!longest->lifetime);
        view->ttl_us = longest->width_us + view->level_us[longest->level];
    }
    view_row_finish(plan, view);
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
        decode_compile(&stream->schema, used, &stream->decode);
    }
    return RESULT_OK;
}
