/* Cells: accumulators over one time span, and single events, the inputs of one event.
 *
 *   cell:   word 0 tag | accumulators in plan order, each at plan_accumulator.word
 *   single: word 0 event time (after edges) | word 1 order word | word 2 null mask by field
 *           | the inputs' values, each at plan_accumulator.single_word; strings NUL-padded
 *
 * tag = start of the span in microseconds, its low three bits replaced by the level (widths are
 * multiples of 8 us, config/ sees to whole milliseconds). Everything merges: add and merge are
 * commutative and associative, bit for bit. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/burst.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/word.h"

#define CELL_LEVEL_MASK     UINT64_C(7)
#define CELL_LEVEL_LIFETIME 6u
#define CELL_TAG_EMPTY      UINT64_C(7)

_Static_assert(LEVELS_MAX <= CELL_LEVEL_LIFETIME, "levels fit the tag");

#define SINGLE_TIME      0u
#define SINGLE_ORDER     1u
#define SINGLE_NULLS     2u
#define SINGLE_VALUES    3u
#define SINGLE_WORDS_MAX (SINGLE_VALUES + INPUTS_MAX * (STRING_SIZE_MAX / 8))

/* Of a cell, its tag included. */
#define CELL_WORDS_MAX (1u + ACCUMULATORS_MAX * (2u + STRING_SIZE_MAX / 8u))

static inline uint64_t cell_tag(int64_t start_us, uint32_t level)
{
    return ((uint64_t)start_us & ~CELL_LEVEL_MASK) | level;
}

static inline uint32_t cell_level(uint64_t tag)
{
    return (uint32_t)(tag & CELL_LEVEL_MASK);
}

static inline int64_t cell_start_us(uint64_t tag)
{
    return (int64_t)(tag & ~CELL_LEVEL_MASK);
}

/* Order of tiles in a row: coarser levels first, then by start. */
static inline bool cell_tag_before(uint64_t a, uint64_t b)
{
    if (cell_level(a) != cell_level(b)) {
        return cell_level(a) > cell_level(b);
    }
    return cell_start_us(a) < cell_start_us(b);
}

/* A string input of single_of_event(). */
void single_set_string(const struct plan_input *input, const struct burst *burst, uint32_t event,
                       uint64_t *single);

/* single_of_event() of an event that another stream than the view's first one has. */
__attribute__((noinline)) void single_of_source(const struct plan_view *view,
                                                const struct burst *burst, uint32_t event,
                                                uint64_t *single);

/* Writes the inputs of one event of the burst as a single of the view: view->single_words words
 * (the layout exists for views without `exact` too). Edges are applied to the time. Inline: it is
 * in every event's way. */
static inline void single_of_event(const struct plan_view *view, const struct burst *burst,
                                   uint32_t event, uint64_t *single)
{
    if (view->other_count > 0 && burst->stream != view->stream) {
        single_of_source(view, burst, event, single);
        return;
    }
    int64_t time_us = burst->time_us[event];
    uint64_t nulls = burst->null_mask[event] & view->input_fields;
    single[SINGLE_TIME] =
        (uint64_t)(view->edges == EDGES_OPEN_CLOSED ? sub_clamped(time_us, 1) : time_us);
    single[SINGLE_ORDER] = burst->order[event];
    single[SINGLE_NULLS] = nulls;
    for (uint32_t i = 0; i < view->input_count; i++) {
        const struct plan_input *input = &view->input[i];
        if (input->is_string) {
            single_set_string(input, burst, event, single);
        } else {
            bool null = (nulls >> input->field & 1) != 0;
            single[input->word] = null ? 0 : (uint64_t)burst->value[input->field][event];
        }
    }
}

/* Of (time, order word) at a and b. Returns <0, 0, >0, as the two below do. */
int single_order_compare(const uint64_t *a, const uint64_t *b);
/* Of values that stand at one time and order: strings compare as bytes, numbers as bit patterns.
 * Either is total, and arrival never decides. */
int single_bits_compare(const uint64_t *a, const uint64_t *b, uint32_t count, bool is_string);
/* Total order of events: time, order word, then values. */
int single_compare(const struct plan_view *view, const uint64_t *a, const uint64_t *b);

/* The identity of merge, with this tag. */
void cell_clear(const struct plan_view *view, uint64_t *cell, uint64_t tag);
void cell_add(const struct plan_view *view, uint64_t *cell, const uint64_t *single);
/* target = merge(target, source); the tag of target stays. */
void cell_merge(const struct plan_view *view, uint64_t *target, const uint64_t *source);

/* The same for one accumulator: what a read does with the ones that it needs. */
void accumulator_add(const struct plan_accumulator *accumulator, uint64_t *cell,
                     const uint64_t *single);
void accumulator_merge(const struct plan_accumulator *accumulator, uint64_t *target,
                       const uint64_t *source);
/* Merges count cells that stand cell_words apart, from `source` on: one tight loop per accumulator,
 * which is what a read's time goes into. */
void accumulator_merge_run(const struct plan_accumulator *accumulator, uint64_t *target,
                           const uint64_t *source, uint32_t cell_words, uint32_t count);
void accumulator_clear(const struct plan_accumulator *accumulator, uint64_t *cell);
/* The same of count singles that stand stride words apart, for accumulators `needed` (bit i: i):
 * a field is passed over once, whatever is made of it. */
void accumulators_add_run(const struct plan_view *view, uint64_t needed, uint64_t *cell,
                          const uint64_t *single, int64_t stride, uint32_t count);
