/* The rows that reads ask for, and the reads of each. Made once; a team's threads share one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/history.h"
#include "dataplane/history_slots.h"

struct history_rows {
    struct history_slots slots;
    uint64_t *hash;       /* Of each read, until it has its row. */
    uint32_t *slot;       /* Of no team: of each read; NONE: it has no key. */
    uint32_t *order;      /* The same: reads, by the time when they are due. */
    uint32_t *before;     /* Of a team: of each read the one before it of its row. */
    uint32_t absent;      /* Reads without a key. */
    uint32_t answers_max; /* Of a read. */
    bool is_asked[VIEWS_MAX];
};

/* One of `count` equal shares of a work. */
struct history_share {
    uint32_t number;
    uint32_t count;
};

/* What a share of the work found. Zero before. */
struct history_rows_found {
    uint32_t absent;
    uint32_t answers_max;
    bool is_asked[VIEWS_MAX];
    uint32_t *left; /* Reads whose rows may stand behind the share's; owned, until finish. */
    uint32_t left_count;
    uint32_t left_max;
    enum result result;
};

/* Made in steps. Shares of one step may be threads':
 *
 *   init -> look, each share of the reads -> regard -> add, each share of the rows -> finish */
MUST_USE enum result history_rows_init(struct history_rows *rows,
                                       const struct history_options *options, bool of_team);
/* What reads ask for, and their hashes. */
void history_rows_look(struct history_rows *rows, const struct history_options *options,
                       struct history_share share, struct history_rows_found *found);
/* All that the shares looked at. */
void history_rows_regard(struct history_rows *rows, const struct history_rows_found *found,
                         uint32_t count);
/* Those reads whose rows are the share's. */
void history_rows_add(struct history_rows *rows, const struct history_options *options,
                      struct history_share share, struct history_rows_found *found);
MUST_USE enum result history_rows_finish(struct history_rows *rows,
                                         const struct history_options *options,
                                         struct history_rows_found *found, uint32_t count);
void history_rows_deinit(struct history_rows *rows);

/* A read knows what has a time before this one: T, or of `true` the event's. */
static inline int64_t history_due_us(const struct history_options *options, uint32_t read)
{
    const struct history_read *r = &options->read[read];
    return options->mode == HISTORY_TRUE && r->time == READ_AT ? r->at_us : r->known_us;
}

/* Whether its answer goes by the horizon of its moment: q may be before it, or a decayed sum weighs
 * tiles as they are folded then. Such reads want rows folded as they were. */
bool history_read_asks_horizon(const struct plan *plan, const struct history_read *read);
/* Whether some read's does. */
bool history_reads_ask_horizon(const struct plan *plan, const struct history_read *read,
                               uint32_t count);
