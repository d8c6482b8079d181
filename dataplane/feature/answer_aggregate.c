#include "dataplane/feature/answer_aggregate.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/answer_list.h"
#include "dataplane/feature/bins.h"
#include "dataplane/feature/decay.h"
#include "dataplane/feature/exact.h"
#include "dataplane/feature/run.h"
#include "dataplane/feature/sketch.h"

#define SHARE_ONE INT64_C(1000000)

static __int128 sum_of(const uint64_t *cell, uint32_t word)
{
    return (__int128)((unsigned __int128)cell[word + 1] << 64 | cell[word]);
}

static void answer_set_number(struct answer *answer, enum field_type type, struct wide value,
                              uint32_t scale)
{
    if (type == FIELD_TYPE_f64) {
        answer->kind = VALUE_DOUBLE;
        answer->real = exact_scaled(value, scale);
        return;
    }
    answer->kind = VALUE_NUMBER;
    answer->scale = (uint8_t)scale;
    answer->number = value;
}

static void answer_set_double(struct answer *answer, double value)
{
    answer->kind = VALUE_DOUBLE;
    answer->real = value;
}

static void answer_set_count(struct answer *answer, uint64_t count)
{
    answer_set_number(answer, FIELD_TYPE_u64, wide_from_u64(count), 0);
}

/* A value of a field as cells and entries have it. A string stays where it is. */
static void answer_set_field(struct answer *answer, enum field_type type, uint32_t scale,
                             const uint64_t *value, uint32_t words)
{
    if (type == FIELD_TYPE_string) {
        answer->kind = VALUE_STRING;
        answer->text = (const char *)value;
        answer->text_size = (uint32_t)strnlen(answer->text, words * sizeof(uint64_t));
    } else if (type == FIELD_TYPE_bool) {
        answer->kind = VALUE_BOOL;
        answer->number = wide_from_u64(*value);
    } else {
        answer_set_number(answer, type,
                          field_type_is_unsigned(type) ? wide_from_u64(*value)
                                                       : wide_from_i64((int64_t)*value),
                          scale);
    }
}

/* Moves a string from the row to where answers keep theirs. */
static void answer_keep_string(struct answer *answer, struct text_space *space)
{
    if (answer->kind != VALUE_STRING) {
        return;
    }
    ASSERT(answer->text_size <= space->size - space->used);
    char *kept = space->data + space->used;
    memcpy(kept, answer->text, answer->text_size);
    answer->text = kept;
    space->used += answer->text_size;
}

static uint32_t value_words_of(const struct plan_view *view, uint32_t field)
{
    for (uint32_t i = 0; i < view->input_count; i++) {
        if (view->input[i].field == field) {
            return view->input[i].words;
        }
    }
    UNREACHABLE();
}

/* From the accumulators of a cell, or of an entry that has them at the same words. */
static void answer_set_accumulated(struct answer *answer, const struct plan_view *view,
                                   const struct plan_aggregate *aggregate, const uint64_t *cell)
{
    uint64_t n = cell[aggregate->count_word];
    enum aggregate_kind kind = aggregate->kind;
    bool sample = kind == AGGREGATE_var_samp || kind == AGGREGATE_stddev_samp;
    bool spread = sample || kind == AGGREGATE_var_pop || kind == AGGREGATE_stddev_pop;
    answer->kind = VALUE_NULL;
    if (kind == AGGREGATE_count || kind == AGGREGATE_histogram) {
        answer_set_count(answer, n);
    } else if (n < (spread ? 2u : 1u)) {
        return;
    } else if (kind == AGGREGATE_sum) {
        answer_set_number(answer, aggregate->type,
                          wide_from_i128(sum_of(cell, aggregate->sum_word)), aggregate->scale);
    } else if (kind == AGGREGATE_sumsq) {
        answer_set_number(answer, aggregate->type, wide_from_words(cell + aggregate->sumsq_word, 3),
                          2u * aggregate->scale);
    } else if (kind == AGGREGATE_avg) {
        answer_set_double(answer,
                          exact_mean(sum_of(cell, aggregate->sum_word), n, aggregate->scale));
    } else if (spread) {
        double variance = exact_variance(sum_of(cell, aggregate->sum_word),
                                         cell + aggregate->sumsq_word, n, aggregate->scale, sample);
        bool root = kind == AGGREGATE_stddev_pop || kind == AGGREGATE_stddev_samp;
        answer_set_double(answer, root ? exact_square_root(variance) : variance);
    } else {
        bool ordered = kind == AGGREGATE_first || kind == AGGREGATE_last;
        const uint64_t *value = cell + aggregate->value_word + (ordered ? 2 : 0);
        answer_set_field(answer, aggregate->type, aggregate->scale, value,
                         value_words_of(view, aggregate->field));
    }
}

static void answer_set_decayed(struct answer *answer, const struct plan_aggregate *aggregate,
                               const struct wide *decayed, const uint64_t *cell)
{
    if (cell[aggregate->count_word] == 0) {
        return;
    }
    struct wide one = {{0, UINT64_C(1) << (DECAY_BITS - 64)}};
    struct wide power = wide_from_u64(exact_power10(aggregate->scale));
    answer_set_double(answer, exact_divide(*decayed, wide_multiply(&one, &power)));
}

/* last_k and its like. */
static void answer_set_ranked(struct answer *answer, const struct plan_run *run,
                              const uint64_t *group, struct text_space *space)
{
    const uint64_t *entry = run_entries_const(run, group);
    struct list list;
    if (run_count(group) == 0) {
        return;
    }
    list_begin(&list, space, /* is_object= */ false);
    for (uint32_t i = 0; i < run_count(group); i++, entry += run->entry_words) {
        struct answer value = {.kind = VALUE_NULL};
        answer_set_field(&value, run->type, run->scale, entry + 2, run->value_words);
        if (!list_add(&list, NULL, &value)) {
            break;
        }
    }
    list_end(&list, space, answer);
}

/* The value at the least rank that has the share of all values at or below it. */
static void answer_set_quantile(struct answer *answer, const struct plan_run *run,
                                const struct plan_aggregate *aggregate, const uint64_t *group)
{
    const uint64_t *entry = run_entries_const(run, group);
    uint64_t n = 0;
    for (uint32_t i = 0; i < run_count(group); i++) {
        n += entry[(uint64_t)i * run->entry_words + aggregate->count_word];
    }
    if (n == 0) {
        return;
    }
    unsigned __int128 part = (unsigned __int128)n * (uint64_t)aggregate->parameter;
    uint64_t rank = (uint64_t)((part + SHARE_ONE - 1) / SHARE_ONE);
    uint64_t below = entry[aggregate->count_word];
    while (below < rank) {
        entry += run->entry_words;
        below += entry[aggregate->count_word];
    }
    uint64_t middle = bin_middle((int64_t)entry[0]);
    answer_set_field(answer, run->type, run->scale, &middle, 1);
}

/* One value for each key. */
static void answer_set_object(struct answer *answer, const struct plan_view *view,
                              const struct plan_run *run, const struct plan_aggregate *aggregate,
                              const uint64_t *group, struct text_space *space)
{
    const uint64_t *entry = run_entries_const(run, group);
    struct list list;
    if (run_count(group) == 0) {
        return;
    }
    list_begin(&list, space, /* is_object= */ true);
    for (uint32_t i = 0; i < run_count(group); i++, entry += run->entry_words) {
        struct answer name = {.kind = VALUE_NULL};
        struct answer value = {.kind = VALUE_NULL};
        answer_set_field(&name, run->type, run->scale, entry, run->value_words);
        answer_set_accumulated(&value, view, aggregate, entry);
        if (!list_add(&list, &name, &value)) {
            break;
        }
    }
    list_end(&list, space, answer);
}

/* Index of the most frequent entry behind one of `count` at index `before`, in the order of falling
 * counts and rising keys. before UINT32_MAX: of all. */
static uint32_t entry_next_frequent(const struct plan_run *run, const uint64_t *entries,
                                    uint32_t entry_count, uint32_t count_word, uint32_t before)
{
    uint64_t most = before == UINT32_MAX
                        ? UINT64_MAX
                        : entries[(uint64_t)before * run->entry_words + count_word];
    uint32_t best = UINT32_MAX;
    uint64_t best_count = 0;
    for (uint32_t i = 0; i < entry_count; i++) {
        uint64_t count = entries[(uint64_t)i * run->entry_words + count_word];
        bool behind = count < most || (count == most && (before == UINT32_MAX || i > before));
        if (behind && count > best_count) {
            best = i;
            best_count = count;
        }
    }
    return best;
}

static void answer_set_top_n(struct answer *answer, const struct plan_run *run,
                             const struct plan_aggregate *aggregate, const uint64_t *group,
                             struct text_space *space)
{
    const uint64_t *entries = run_entries_const(run, group);
    struct list list;
    uint32_t at = UINT32_MAX;
    if (run_count(group) == 0) {
        return;
    }
    list_begin(&list, space, /* is_object= */ false);
    for (int64_t i = 0; i < aggregate->parameter; i++) {
        at = entry_next_frequent(run, entries, run_count(group), aggregate->count_word, at);
        if (at == UINT32_MAX) {
            break;
        }
        struct answer value = {.kind = VALUE_NULL};
        answer_set_field(&value, run->type, run->scale, entries + (uint64_t)at * run->entry_words,
                         run->value_words);
        if (!list_add(&list, NULL, &value)) {
            break;
        }
    }
    list_end(&list, space, answer);
}

static void answer_set_run(struct answer *answer, const struct plan_view *view,
                           const struct plan_aggregate *aggregate, const uint64_t *group,
                           struct text_space *space)
{
    const struct plan_run *run = &view->run[aggregate->run];
    bool dense = (group[1] & RUN_DENSE) != 0;
    answer->flags |= (group[1] & (RUN_DENSE | RUN_TRUNCATED)) != 0 ? ANSWER_FLAG_APPROXIMATE : 0;
    if (run->kind == RUN_RANKED) {
        answer_set_ranked(answer, run, group, space);
    } else if (run->kind == RUN_SKETCH) {
        answer_set_count(answer,
                         dense ? sketch_estimate(run_entries_const(run, group)) : run_count(group));
    } else if (aggregate->by == 0 && aggregate->kind == AGGREGATE_distinct) {
        answer_set_count(answer, run_count(group));
    } else if (run->bins) {
        answer_set_quantile(answer, run, aggregate, group);
    } else if (aggregate->by == 0 && aggregate->kind == AGGREGATE_top_n) {
        answer_set_top_n(answer, run, aggregate, group, space);
    } else {
        answer_set_object(answer, view, run, aggregate, group, space);
    }
}

void answer_set_aggregate(const struct plan_view *view, const struct plan_aggregate *aggregate,
                          const struct gathered *gathered, struct text_space *space,
                          struct answer *answer)
{
    answer->kind = VALUE_NULL;
    if (aggregate->run != RUN_NONE) {
        answer_set_run(answer, view, aggregate, gathered->group[aggregate->run], space);
    } else if (aggregate->kind == AGGREGATE_decayed_sum) {
        uint32_t index = (uint32_t)(aggregate - view->aggregate);
        answer_set_decayed(answer, aggregate, &gathered->decayed[index], gathered->cell);
    } else {
        answer_set_accumulated(answer, view, aggregate, gathered->cell);
        answer_keep_string(answer, space);
    }
    answer->status = answer->kind == VALUE_NULL ? ANSWER_NULL_VALUE : ANSWER_PRESENT;
}
