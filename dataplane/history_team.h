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

/* A row of the part that is answered: its items, in chunks (history_part.c). */
struct history_hand_row {
    uint8_t *at;    /* Where its next one goes, unless its last chunk is full. */
    uint64_t first; /* Its first chunk. */
    uint32_t bytes; /* Of an item. */
    uint32_t count;
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
    struct history_item *item;     /* That is kept next. */
    struct history_hand_row *rows; /* A part's slots. */
    uint8_t *chunks;               /* Of their items, unpacked. */
    uint64_t chunks_bytes;
    uint64_t chunks_used;
    uint8_t *own; /* Items of one row, and as many again that are sorted. */
    uint64_t own_bytes;
    struct sort_pair *pair; /* Of one row, to be sorted; as many to sort by. */
    uint64_t pair_max;
    struct sort_pair *due; /* The same of a row's reads. */
    uint64_t due_max;
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
    /* While it is opened. */
    struct pattern_scratch *const *pattern_scratch;
    enum result hand_opened[SHARDS_MAX];
    uint32_t share_count;             /* Of reads, then of rows. */
    struct history_rows_found *found; /* Of each share. NULL afterwards. */
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

/* Items of one row, one behind the other. */
struct history_row_items {
    uint8_t *first;
    uint32_t bytes; /* Of one. */
    uint32_t count;
};

static inline struct history_item *history_row_item(const struct history_row_items *items,
                                                    uint32_t index)
{
    return (struct history_item *)(void *)(items->first + (uint64_t)index * items->bytes);
}

/* What reads go by: T; of `true` the event's time, or one microsecond before it where windows hold
 * their ends. */
static inline int64_t history_item_key(const struct history_item *item, enum history_mode mode,
                                       const struct plan_view *view)
{
    if (mode == HISTORY_KNOWN) {
        return item->came_us;
    }
    int64_t time_us = (int64_t)item->words[SINGLE_TIME];
    return view->edges == EDGES_CLOSED_CLOSED ? sub_clamped(time_us, 1) : time_us;
}

/* A row's items, ascending by what reads go by, and its reads between them. It may put items in
 * another order. */
MUST_USE enum result history_row_answer(struct history *history, uint32_t slot,
                                        const struct history_row_items *items);
/* Memory of a hand: see history_answer.c. */
MUST_USE enum result history_answer_init(struct history_hand *hand);
void history_answer_deinit(struct history_hand *hand);
