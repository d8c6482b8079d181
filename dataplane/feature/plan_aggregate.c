#include "dataplane/feature/plan_inside.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/sketch.h"

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
    ASSERT(view->input_count < INPUTS_MAX);
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

/* Where the accumulators of an aggregate go: into the view's cells, or into entries of a run. */
struct placing {
    struct plan_view *view;
    const struct schema *schema;
    struct plan_run *run; /* NULL: cells. */
    uint64_t mask;        /* Of those in cells. */
};

static bool accumulator_is(const struct plan_accumulator *known, enum accumulator_kind kind,
                           uint8_t field)
{
    return known->kind == kind && known->field == field;
}

static struct plan_accumulator accumulator_make(struct placing *placing, enum accumulator_kind kind,
                                                uint8_t field, uint16_t word)
{
    struct plan_accumulator made = {.kind = kind, .field = field, .word = word};
    if (field != FIELD_NONE) {
        const struct schema_field *f = &placing->schema->field[field];
        made.is_unsigned = field_type_is_unsigned(f->type);
        made.is_string = f->type == FIELD_TYPE_string;
        made.value_words = made.is_string ? string_words(f) : 1;
        made.single_word = input_word(placing->view, placing->schema, field);
    }
    return made;
}

/* The word of the accumulator in its cell or entry, made when no aggregate before needed it;
 * WORD_NONE when there are too many. */
static uint16_t accumulator_place(struct placing *placing, enum accumulator_kind kind,
                                  uint8_t field)
{
    struct plan_view *view = placing->view;
    struct plan_run *run = placing->run;
    struct plan_accumulator *known = run != NULL ? run->part : view->accumulator;
    uint32_t count = run != NULL ? run->part_count : view->accumulator_count;
    uint16_t *words = run != NULL ? &run->entry_words : &view->cell_words;
    for (uint32_t i = 0; i < count; i++) {
        if (accumulator_is(&known[i], kind, field)) {
            placing->mask |= UINT64_C(1) << i;
            return known[i].word;
        }
    }
    if (count == (run != NULL ? RUN_PARTS_MAX : ACCUMULATORS_MAX)) {
        return WORD_NONE;
    }
    placing->mask |= UINT64_C(1) << count;
    known[count] = accumulator_make(placing, kind, field, *words);
    *words = (uint16_t)(*words + accumulator_words(&known[count]));
    if (run != NULL) {
        run->part_count++;
    } else {
        view->accumulator_count++;
    }
    return known[count].word;
}

struct aggregate_needs {
    bool sum;
    bool sumsq;
    int value; /* enum accumulator_kind, or -1 */
};

static struct aggregate_needs aggregate_needs_of(enum aggregate_kind kind)
{
    switch (kind) {
    case AGGREGATE_sum:
    case AGGREGATE_avg:
    case AGGREGATE_decayed_sum:
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
    case AGGREGATE_count:
    case AGGREGATE_quantile:
    case AGGREGATE_histogram:
    case AGGREGATE_top_n:
        return (struct aggregate_needs){.value = -1};
    case AGGREGATE_last_k:
    case AGGREGATE_first_k:
    case AGGREGATE_last_k_distinct:
    case AGGREGATE_first_k_distinct:
    case AGGREGATE_top_k:
    case AGGREGATE_bottom_k:
    case AGGREGATE_distinct:
    case AGGREGATE_approx_distinct:
    case AGGREGATE_COUNT_OF:
        break;
    }
    UNREACHABLE();
}

static bool accumulators_place(struct placing *placing, struct plan_aggregate *aggregate,
                               uint8_t field)
{
    bool counts_events = field == FIELD_NONE || (placing->view->nullable >> field & 1) == 0;
    struct aggregate_needs needs = aggregate_needs_of(aggregate->kind);
    aggregate->count_word =
        accumulator_place(placing, ACCUMULATOR_COUNT, counts_events ? (uint8_t)FIELD_NONE : field);
    bool fits = aggregate->count_word != WORD_NONE;
    if (needs.sum) {
        aggregate->sum_word = accumulator_place(placing, ACCUMULATOR_SUM, field);
        fits = fits && aggregate->sum_word != WORD_NONE;
    }
    if (needs.sumsq) {
        aggregate->sumsq_word = accumulator_place(placing, ACCUMULATOR_SUMSQ, field);
        fits = fits && aggregate->sumsq_word != WORD_NONE;
    }
    if (needs.value >= 0) {
        aggregate->value_word =
            accumulator_place(placing, (enum accumulator_kind)needs.value, field);
        fits = fits && aggregate->value_word != WORD_NONE;
    }
    return fits;
}

/* What the runs of aggregates look like, without their accumulators. */
static const struct {
    bool has_run;
    bool parameter_is_cap;
    struct plan_run run;
} shapes[AGGREGATE_COUNT_OF] = {
    [AGGREGATE_last_k] = {true, true, {.kind = RUN_RANKED, .rank = RANK_NEWEST}},
    [AGGREGATE_first_k] = {true, true, {.kind = RUN_RANKED, .rank = RANK_OLDEST}},
    [AGGREGATE_last_k_distinct] = {true,
                                   true,
                                   {.kind = RUN_RANKED, .rank = RANK_NEWEST, .distinct = true}},
    [AGGREGATE_first_k_distinct] = {true,
                                    true,
                                    {.kind = RUN_RANKED, .rank = RANK_OLDEST, .distinct = true}},
    [AGGREGATE_top_k] = {true, true, {.kind = RUN_RANKED, .rank = RANK_GREATEST}},
    [AGGREGATE_bottom_k] = {true, true, {.kind = RUN_RANKED, .rank = RANK_LEAST}},
    [AGGREGATE_distinct] = {true, true, {.kind = RUN_SPLIT, .cap = DISTINCT_CAP_DEFAULT}},
    [AGGREGATE_approx_distinct] = {true, false, {.kind = RUN_SKETCH, .cap = SKETCH_WORDS}},
    [AGGREGATE_quantile] = {true, false, {.kind = RUN_SPLIT, .bins = true, .cap = RUN_ENTRIES_MAX}},
    [AGGREGATE_histogram] = {true, true, {.kind = RUN_SPLIT, .cap = SPLIT_CAP_DEFAULT}},
    [AGGREGATE_top_n] = {true, false, {.kind = RUN_SPLIT, .cap = SPLIT_CAP_DEFAULT}},
};

bool aggregate_has_run(const struct plan_aggregate *aggregate)
{
    return aggregate->by != 0 || shapes[aggregate->kind].has_run;
}

static struct plan_run run_shape_of(const struct plan_aggregate *aggregate)
{
    if (aggregate->by != 0) {
        return (struct plan_run){.kind = RUN_SPLIT, .cap = SPLIT_CAP_DEFAULT};
    }
    struct plan_run run = shapes[aggregate->kind].run;
    if (shapes[aggregate->kind].parameter_is_cap && aggregate->parameter != 0) {
        run.cap = (uint32_t)aggregate->parameter;
    }
    return run;
}

static bool run_is(const struct plan_run *known, const struct plan_run *shape, uint8_t field,
                   bool bare)
{
    return known->kind == shape->kind && known->rank == shape->rank &&
           known->distinct == shape->distinct && known->bins == shape->bins &&
           known->field == field && known->cap == shape->cap &&
           (known->kind != RUN_SPLIT || (known->part_count == 0) == bare);
}

/* The run of this shape over the field, made when no aggregate before needed it; NULL when there
 * are too many. bare: it has no accumulators. */
static struct plan_run *run_place(struct placing *placing, const struct plan_run *shape,
                                  uint8_t field, bool bare)
{
    struct plan_view *view = placing->view;
    for (uint32_t i = 0; i < view->run_count; i++) {
        if (run_is(&view->run[i], shape, field, bare)) {
            return &view->run[i];
        }
    }
    if (view->run_count == RUNS_MAX) {
        return NULL;
    }
    struct plan_run *run = &view->run[view->run_count++];
    const struct schema_field *f = &placing->schema->field[field];
    bool hashed = shape->kind == RUN_SKETCH;
    *run = *shape;
    run->field = field;
    run->scale = f->scale;
    run->type = f->type;
    run->is_string = f->type == FIELD_TYPE_string && !hashed;
    run->is_unsigned = field_type_is_unsigned(f->type) || hashed;
    run->single_word = input_word(view, placing->schema, field);
    run->input_words = f->type == FIELD_TYPE_string ? string_words(f) : 1;
    run->value_words = hashed ? 1 : run->input_words;
    run->entry_words = (uint16_t)(run->value_words + (run->kind == RUN_RANKED ? 2 : 0));
    return run;
}

/* An aggregate whose state is a run. */
static bool run_finish(struct placing *placing, struct plan_aggregate *aggregate)
{
    struct plan_run shape = run_shape_of(aggregate);
    bool splits = aggregate->by != 0;
    bool bare = !splits && aggregate->kind == AGGREGATE_distinct;
    uint8_t field = splits ? (uint8_t)(aggregate->by - 1) : aggregate->field;
    struct plan_run *run = run_place(placing, &shape, field, bare);
    if (run == NULL) {
        return false;
    }
    aggregate->run = (uint8_t)(run - placing->view->run);
    if (run->kind == RUN_SPLIT && !bare) {
        placing->run = run;
        return accumulators_place(placing, aggregate, splits ? aggregate->field : FIELD_NONE);
    }
    return true;
}

static bool aggregate_finish(struct plan_view *view, const struct schema *schema,
                             struct plan_aggregate *aggregate)
{
    struct placing placing = {.view = view, .schema = schema};
    aggregate->count_word = WORD_NONE;
    aggregate->sum_word = WORD_NONE;
    aggregate->sumsq_word = WORD_NONE;
    aggregate->value_word = WORD_NONE;
    aggregate->accumulators = 0;
    aggregate->run = RUN_NONE;
    if (aggregate->field != FIELD_NONE) {
        aggregate->scale = schema->field[aggregate->field].scale;
        aggregate->type = schema->field[aggregate->field].type;
    }
    if (aggregate_has_run(aggregate)) {
        return run_finish(&placing, aggregate);
    }
    bool fits = accumulators_place(&placing, aggregate, aggregate->field);
    aggregate->accumulators = placing.mask;
    return fits;
}

bool plan_aggregates_finish(struct plan_view *view, const struct schema *schema)
{
    view->accumulator_count = 0;
    view->run_count = 0;
    view->input_count = 0;
    view->input_fields = 0;
    view->cell_words = 1;
    view->single_words = SINGLE_VALUES;
    for (uint32_t i = 0; i < view->aggregate_count; i++) {
        if (!aggregate_finish(view, schema, &view->aggregate[i])) {
            return false;
        }
    }
    return true;
}

bool plan_view_asks_horizon(const struct plan_view *view)
{
    bool asks = view->leading_newest;
    for (uint32_t i = 0; !asks && i < view->aggregate_count; i++) {
        asks = view->aggregate[i].kind == AGGREGATE_decayed_sum;
    }
    return asks;
}
