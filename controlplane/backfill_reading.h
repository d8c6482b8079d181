/* A reading of the logs by a backfill: what its files share. */
#pragma once

#include "controlplane/appliance.h"
#include "controlplane/backfill_inside.h"
#include "controlplane/corrections.h"
#include "controlplane/eras.h"
#include "dataplane/feature/catalog.h"
#include "dataplane/replay.h"

/* One shard's log, of the era that is read. */
struct reading_log {
    uint64_t done_lsn; /* Handed on up to it. */
    bool planned;      /* What follows was written under the new plan. */
    int64_t watermark_us[STREAMS_MAX];
};

struct backfill_reading {
    struct backfill *backfill;
    struct succession *succession;
    struct replay *replay;
    struct corrections corrections; /* Made while nothing runs. */
    struct catalog *catalog;        /* Of what runs: the log may begin behind its own. */
    struct catalog *catalog_next;   /* Of the new plan. */
    struct replay_span history[VIEWS_MAX];
    struct view_set views;    /* New ones. */
    struct eras *eras;        /* Owned; the last one goes on. */
    uint32_t era;             /* That is read; what was before it is handed on. */
    bool is_held[SHARDS_MAX]; /* The keeper knows which segments of its log are read. */
    struct reading_log log[SHARDS_MAX];
    uint32_t shard;    /* Whose log is read, */
    uint64_t last_lsn; /* up to here. */
    bool first;        /* The pass that counts for progress. */
    uint64_t events;
    uint64_t bytes_done;
    int64_t begin_us; /* Steady clock; what --rate is measured from. */
    /* What is kept for the next start, and was (backfill_place.c). */
    bool saves;                    /* No home routes to the views yet. */
    int64_t save_next_us;          /* Steady clock. */
    uint32_t shard_first;          /* The place's log, with which its era is gone on. */
    struct catalog *catalog_place; /* By which it is read there; NULL: it was entered. */
};

static inline const struct appliance *reading_appliance(const struct backfill_reading *reading)
{
    return reading->backfill->appliance;
}

static inline const struct era *reading_era(const struct backfill_reading *reading)
{
    return &reading->eras->era[reading->era];
}

/* Shows the workers what was handed on. */
void reading_rings_show(struct backfill_reading *reading);
/* Waits until they have applied it. */
MUST_USE enum result reading_rings_await(const struct backfill_reading *reading);
/* Events or rows of history that memory was short for. */
bool reading_is_refused(const struct backfill_reading *reading);
/* Records of the shard's log up to it are durable. */
uint64_t reading_durable_lsn(const struct backfill_reading *reading, uint32_t shard);
/* Writes what of one shard's log is wrong, and returns the result. */
enum result reading_fail(char error[BACKFILL_ERROR_SIZE_MAX], enum result result, uint32_t shard,
                         const char *what);

/* backfill_eras.c. A reader of an era's segments of one log. */
MUST_USE enum result reading_log_open(struct backfill_reading *reading, const struct era *era,
                                      uint32_t shard, struct log_reader **out_reader);
/* Finds what is kept of all eras, keeps it, and enters the first one. */
MUST_USE enum result reading_eras_find(struct backfill_reading *reading,
                                       char error[BACKFILL_ERROR_SIZE_MAX]);
/* The era's logs are read from their begins on. */
void reading_era_enter(struct backfill_reading *reading, uint32_t index);
/* backfill_place.c. Once the eras were found: the place of the note that the backfill goes on by,
 * if it has one that holds, is where the reading begins, and in the backfill's own note. Else the
 * report says why not. */
MUST_USE enum result reading_place_take(struct backfill_reading *reading);
/* Between two frames, whose entries the workers may not have yet: keeps the place that is reached,
 * if it is time. */
MUST_USE enum result reading_place_keep(struct backfill_reading *reading);
/* Views know since when history goes that they took. */
void reading_since_regard(struct backfill_reading *reading);
