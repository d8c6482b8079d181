/* What the files of replay share. */
#pragma once

#include "dataplane/filling.h"
#include "dataplane/replay.h"
#include "dataplane/worker_state.h"

#define REPLAY_NO_PLACE     0xffu
#define REPLAY_RECORD_BYTES (sizeof(struct mesh_forward) + EVENT_SIZE_MAX)

_Static_assert(sizeof(struct filling_record) <= sizeof(struct mesh_forward), "it fits");

struct replay {
    struct replay_options options;
    struct catalog catalog; /* Of what is read now. */
    struct catalog noted;
    struct catalog_map map;
    uint8_t place[STREAMS_MAX][VIEWS_PER_STREAM_MAX]; /* Of views, then to now. */
    enum replay_pass pass;
    struct replay_start start;
    struct replay_counts counts;
    int64_t apply_us; /* T of the turn that is gathered. */
    int64_t watermark_us[STREAMS_MAX];
    int64_t turn_watermark_us[STREAMS_MAX];   /* Before the turn: what it folds by. */
    int64_t told_us[SHARDS_MAX][STREAMS_MAX]; /* FILL: those that each owner knows. */
    struct burst burst;
    struct program_space program_space;
    struct pattern_bits pattern_bits;
    uint64_t lsn_saved[BURST_EVENTS_MAX];
    uint32_t views[BURST_EVENTS_MAX]; /* Per event of the burst: places of views. */
    bool replaced[BURST_EVENTS_MAX];  /* What an event should have been: rows of any owner. */
    uint64_t row_words[ROW_SIZE_MAX / sizeof(uint64_t)];
    _Alignas(uint64_t) uint8_t record[REPLAY_RECORD_BYTES]; /* A forward, or one of history. */
};

/* Whether the pass is about views that the store does not have. */
static inline bool replay_rebuilds(const struct replay *replay)
{
    return replay->pass == REPLAY_REBUILD || replay->pass == REPLAY_FILL;
}

/* Workers first .. end - 1 are those that this pass may change. */
struct replay_workers {
    uint32_t first;
    uint32_t end;
};

/* A shard's own log is its own worker's, unless there is another count of shards now, or events of
 * it were replaced. */
static inline struct replay_workers replay_workers_of(const struct replay *replay)
{
    if (replay->pass == REPLAY_FILL) {
        return (struct replay_workers){0};
    }
    bool same = replay->options.shard_count == replay->options.old_shard_count;
    return same && replay->pass == REPLAY_OWN && replay->start.which != REPLAY_ROWS_ONLY
               ? (struct replay_workers){replay->start.shard, replay->start.shard + 1}
               : (struct replay_workers){0, replay->options.shard_count};
}

/* Whether rows get their records in no order that LSNs tell, each once: then they have the LSN that
 * comes before all that is to come. */
static inline bool replay_lsn_is_fixed(const struct replay *replay)
{
    return replay->pass != REPLAY_OWN || replay->start.which == REPLAY_ROWS_ONLY;
}

/* Whether a row is one that the pass is about; says that it was met. */
static inline bool replay_row_is_ours(struct replay *replay, uint32_t view, const uint8_t *key,
                                      uint32_t key_size)
{
    const struct replay_start *start = &replay->start;
    if (start->which == REPLAY_ROWS_ALL) {
        return true;
    }
    struct row_set_entry *entry = row_set_find(start->rows, view, key, key_size);
    if (entry != NULL) {
        entry->touched = true;
    }
    return (entry != NULL) == (start->which == REPLAY_ROWS_ONLY);
}

/* What an entry's events have in common. */
struct replay_events {
    struct wire_message wire;
    uint32_t stream;
    uint32_t old_stream;
    uint32_t old_views; /* Of those that the event names; all for a message. */
};

/* Gathers an entry's events; applies bursts as they fill. */
MUST_USE enum result replay_gather(struct replay *replay, const struct mirror_entry *entry,
                                   const struct replay_events *events);
/* Applies the burst, or makes forwards of it, as the pass wants. */
MUST_USE enum result replay_burst_finish(struct replay *replay);
