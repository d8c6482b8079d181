/* The threads that share one reading of the logs, and the rows that they answer then. Each thread
 * has a hand: a history that keeps what rows take of the stretches of the logs that it is given.
 * Private to history_*.c. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/history_inside.h"
#include "dataplane/row_answer.h"

/* What a hand saw in one stretch. */
struct history_stretch {
    uint32_t number; /* In the order of each shard's log, */
    uint32_t shard;
    uint32_t era;       /* and of the eras, from 1 on. */
    int64_t moved_us[]; /* By stream: how far its records move the shard's watermark. */
};

struct history_hand {
    uint32_t shard; /* Of the stretch that is read now. */
    uint32_t stretch;
    uint32_t era;
    int64_t apply_us; /* The latest T in this era. */
    uint8_t *seen;    /* Stretches, history_stretch_bytes() each. */
    uint64_t seen_count;
    uint64_t seen_max;
    /* Where rows are answered. */
    struct memory_region region;
    uint64_t *row[2]; /* ROW_SIZE_MAX bytes each: a row that grows may move from one to another. */
    struct row_answer_space *space;
    struct row_fold_space *fold;
    struct row_asked asked; /* By the read before. */
    struct text_space texts;
    struct history_item *item; /* That is kept next. */
    uint8_t *items;            /* Of a part, unpacked, as the logs have them. */
    uint64_t items_bytes;
    struct sort_pair *order; /* Of these, by what reads go by; as many to sort by. */
    uint64_t order_max;
    struct sort_pair *due; /* The same of a row's reads. */
    uint64_t due_max;
    uint32_t *end; /* Of each row's items in it; a part's slots. */
};

struct history_team {
    /* Constant while the logs are read, and while rows are answered. */
    struct history_options options;
    struct history_rows rows;
    uint32_t hand_count;
    struct history *hand[SHARDS_MAX];
    uint32_t part_count;
    uint32_t part_shift;   /* Slots of a part: 1 << part_shift. */
    bool follows_horizon;  /* A view outlives its tiles: each T has its own horizon. */
    uint32_t part_first;   /* Of this reading; */
    int64_t *watermark_us; /* By stretch and stream, before its first record. */
    uint64_t stretch_count;
    /* Parts behind it have no room. Any hand lowers it; it says nothing else. */
    _Atomic uint32_t shared_part_end;
};

static inline uint64_t history_stretch_bytes(const struct history_team *team)
{
    return sizeof(struct history_stretch) + team->options.plan->stream_count * sizeof(int64_t);
}

static inline uint32_t history_part_end(const struct history_team *team)
{
    return atomic_load_explicit(&team->shared_part_end, memory_order_relaxed);
}

/* So many pairs ahead of the one that is taken are asked for: as many are behind the last. */
#define HISTORY_ITEMS_AHEAD 12u

/* A row's items, by what reads go by, and its reads between them. Pairs are of history_item. */
MUST_USE enum result history_row_answer(struct history *history, uint32_t slot,
                                        const struct sort_pair *pair, uint64_t count);
/* Memory of a hand: see history_answer.c. */
MUST_USE enum result history_answer_init(struct history_hand *hand);
void history_answer_deinit(struct history_hand *hand);
