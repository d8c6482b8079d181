/* What the files of backfill share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "controlplane/backfill.h"
#include "controlplane/backfill_note.h"
#include "controlplane/succession.h"

/* Plans that may follow one another in a process: each takes address space for its greatest
 * size. */
#define BACKFILL_PLANS_MAX (CONFIG_LOADS_MAX - 1)

struct backfill {
    struct appliance *appliance; /* Borrowed. */
    pthread_mutex_t lock;        /* Of what follows. */
    bool started;
    pthread_t thread;
    struct backfill_report report;
    _Atomic bool shared_stop;
    _Atomic(const struct plan *) shared_next;
    /* Constant while the thread runs. */
    uint64_t rate;
    const struct backfill_note *resumed; /* It goes on by it; NULL: it begins. Borrowed. */
    uint32_t path_count;
    const char *path[BACKFILL_PATHS_MAX];
    char *paths; /* Their bytes; owned. */
    /* Owner: the thread, and who joined it. */
    struct backfill_note note; /* As the file has it. */
    bool given_up;             /* Workers have a plan that is not served: only a start helps. */
    uint32_t plan_count;
    struct succession *plan[BACKFILL_PLANS_MAX]; /* In order; the last may be under way. */
};

static inline bool backfill_is_stopped(const struct backfill *backfill)
{
    return atomic_load_explicit(&backfill->shared_stop, memory_order_relaxed);
}

/* Waits a moment; false once the end is asked for. */
bool backfill_pause(const struct backfill *backfill);

/* A dead log takes no plan, and has no end to read up to; no checkpoint ends. */
bool backfill_logs_are_alive(const struct backfill *backfill);

/* Notes, durably, what a start needs to go on; served: the texts that it runs with meanwhile. */
MUST_USE enum result backfill_keep_begin(struct backfill *backfill,
                                         const struct succession *succession,
                                         const struct config_texts *served,
                                         char error[BACKFILL_ERROR_SIZE_MAX]);
/* Replaces it once another place was reached; takes the place over, and removes the files of the
 * one before. */
MUST_USE enum result backfill_keep_place(struct backfill *backfill, struct backfill_place *place);
/* A checkpoint has the views, or nobody shall go on. */
void backfill_keep_end(struct backfill *backfill);
void backfill_segments_let_go(const struct backfill *backfill);

/* History of the succession's new views, from the logs of all shards to the workers. */
struct backfill_reading;

/* Finds the whole part of each log and keeps its segments; since_us of the new views is set. */
MUST_USE enum result reading_open(struct backfill *backfill, struct succession *succession,
                                  struct backfill_reading **out_reading,
                                  char error[BACKFILL_ERROR_SIZE_MAX]);
void reading_close(struct backfill_reading *reading); /* NULL is fine. */
/* Hands on the rows that an earlier start had filled, if it goes on from there. */
MUST_USE enum result reading_begin(struct backfill_reading *reading,
                                   char error[BACKFILL_ERROR_SIZE_MAX]);
/* Hands on what is durable, until little comes behind it, or as much as before. */
MUST_USE enum result reading_follow(struct backfill_reading *reading,
                                    char error[BACKFILL_ERROR_SIZE_MAX]);
/* Hands on the rest, up to last_lsn of each home, and waits until the workers took it. */
MUST_USE enum result reading_finish(struct backfill_reading *reading,
                                    const uint64_t last_lsn[SHARDS_MAX],
                                    char error[BACKFILL_ERROR_SIZE_MAX]);
