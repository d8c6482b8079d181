/* Runs: state of aggregates that grows with what a window has seen, in groups of entries.
 *
 *   group: entries, one behind the other | tag (cell.h) | info
 *   info:  number of entries, below RUN_TRUNCATED and RUN_DENSE
 *   entry: RANKED   time, order word, value; best first, alike ones too
 *          SPLIT    key, accumulators at their part's word; by ascending key
 *          SKETCH   hash; ascending. A dense group has SKETCH_WORDS of registers instead
 *          SESSION  first event time, last event time, the accumulators of a cell without its tag
 *
 * A group is named by its trailer, the address of its tag: entries end there. In a row one group
 * belongs to one tile (row_run.h); a session run is a single group whose tag says nothing.
 *
 * Everything merges: add and merge are commutative and associative, bit for bit. Caps keep the
 * first entries in the order above, which is a semilattice: what falls out of a part falls out of
 * the whole. Of RANKED that is the point; a SPLIT group that lost entries says RUN_TRUNCATED, and
 * those that it has are still whole. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/plan.h"

#define RUN_TRAILER_WORDS 2u
#define RUN_TRUNCATED     (UINT64_C(1) << 32)
#define RUN_DENSE         (UINT64_C(1) << 33)
/* Of a group outside a row, with its trailer. */
#define RUN_BUFFER_WORDS (RUN_WORDS_MAX + RUN_TRAILER_WORDS)
static inline uint32_t run_count(const uint64_t *trailer)
{
    return (uint32_t)trailer[1];
}

/* Words of a group without its trailer. */
uint32_t run_words(const struct plan_run *run, const uint64_t *trailer);

static inline uint64_t *run_entries(const struct plan_run *run, uint64_t *trailer)
{
    return trailer - run_words(run, trailer);
}

static inline const uint64_t *run_entries_const(const struct plan_run *run, const uint64_t *trailer)
{
    return trailer - run_words(run, trailer);
}

/* Makes an empty group at buffer; returns its trailer. */
uint64_t *run_clear(uint64_t *buffer, uint64_t tag);

/* True when the event has what the run is about. */
bool run_takes(const struct plan_run *run, const uint64_t *single);

/* Adds an event that run_takes(). Words from the group's trailer up to end move along when it
 * grows: there is room behind end. Returns the words that it grew by: the trailer stands that much
 * higher. Not for SESSION (run_session.h). */
uint32_t run_add(const struct plan_run *run, uint64_t *trailer, uint64_t *end,
                 const uint64_t *single);

/* Writes the merge of two groups to out (RUN_BUFFER_WORDS; neither of them), with the tag of a.
 * Returns its trailer. Not for SESSION. */
uint64_t *run_merge(const struct plan_run *run, const uint64_t *a, const uint64_t *b,
                    uint64_t *out);

/* Adds a RANKED entry of another group; as run_add(). */
uint32_t run_add_entry(const struct plan_run *run, uint64_t *trailer, uint64_t *end,
                       const uint64_t *entry);

/* True when a full group has no place for a RANKED entry, or its value in a better one. An entry
 * that the group has is not outranked. */
bool run_outranks(const struct plan_run *run, const uint64_t *trailer, const uint64_t *entry);

/* True when the size words of a group, as someone else wrote it, fit the run and size words. */
bool run_fits(const struct plan_run *run, const uint64_t *trailer, uint64_t size_words);
