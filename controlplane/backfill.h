/* Backfill: views that are new in the definition files, or have a newer version there, get their
 * history from the mirror while the appliance runs, and are served once they are whole.
 *
 *   compiling -> finding (the whole part of the logs) -> owners know the plan
 *     -> filling (the logs are read up to where they grow) -> homes route to the views
 *     -> filling (the rest, up to where each home began) -> whole: served
 *     -> saving (a checkpoint has them) -> done
 *
 * One at a time, on a thread of its own. Until a checkpoint has them the views count for no
 * manifest: after a crash the next start goes on with them while it serves what was served before
 * (backfill_resume.h). See docs/decisions/0026 and 0035. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/limits.h"

struct appliance;
struct backfill;
struct backfill_note; /* controlplane/backfill_note.h */
struct plan;

#define BACKFILL_ERROR_SIZE_MAX 512
#define BACKFILL_AGAIN_SIZE_MAX 192
#define BACKFILL_PATHS_MAX      64

enum backfill_state {
    BACKFILL_IDLE, /* None was asked for. */
    BACKFILL_COMPILING,
    BACKFILL_FINDING,
    BACKFILL_FILLING,
    BACKFILL_SAVING, /* Served already. */
    BACKFILL_DONE,
    BACKFILL_FAILED,
};

struct backfill_order {
    char view[NAME_SIZE_MAX];
    uint64_t events_per_second; /* Of history; 0: as fast as the shards take it. */
    uint32_t path_count;        /* 0: the files that the appliance was started with. */
    const char *const *path;
    const struct backfill_note *note; /* Of one that goes on, borrowed; NULL: it begins. */
};

struct backfill_report {
    enum backfill_state state;
    char view[NAME_SIZE_MAX];
    uint16_t version;    /* 0: not known yet. */
    uint32_t view_count; /* That are filled with it, itself included. */
    uint32_t starts;     /* Of the appliance that worked on it: 1, unless it went on. */
    uint64_t rate;
    uint64_t events;      /* Of history, that views took: one for each owner. */
    uint64_t bytes_done;  /* Of the mirror, by all starts. */
    uint64_t bytes_kept;  /* Of these, what a start before had read; 0: it begins. */
    uint64_t bytes_saved; /* What the next start needs not read again. */
    uint64_t bytes_all;
    int64_t begin_us; /* Clock. */
    int64_t elapsed_us;
    int64_t since_us;   /* When its history begins. */
    int64_t history_us; /* The oldest event of files that it took; INT64_MAX: none is known. */
    char again[BACKFILL_AGAIN_SIZE_MAX]; /* Why it began again with the mirror; "": it did not. */
    bool bad_files; /* FAILED: error is the first of error_count about the definitions. */
    uint32_t error_count;
    char error[BACKFILL_ERROR_SIZE_MAX];
};

MUST_USE enum result backfill_open(struct appliance *appliance, struct backfill **out_backfill);
/* Ends what is under way: as a crash would, but for what is served already. Its thread only; the
 * plans stay until backfill_close(), after the workers. NULL is fine, in both. */
void backfill_stop(struct backfill *backfill);
void backfill_close(struct backfill *backfill);

/* A start that goes on with a backfill, or drops it: before anything lets segments go, and once the
 * workers turn. NULL is fine. RESULT_NO_MEMORY. */
MUST_USE enum result backfill_resume_prepare(struct backfill *backfill);
void backfill_resume_begin(struct backfill *backfill);

/* Any thread, without waiting. RESULT_EXISTS: this view is being filled already; RESULT_BUSY,
 * RESULT_UNSUPPORTED and the like: error says why it cannot begin. */
MUST_USE enum result backfill_begin(struct backfill *backfill, const struct backfill_order *order,
                                    char error[BACKFILL_ERROR_SIZE_MAX]);
/* Any thread. */
void backfill_report_read(struct backfill *backfill, struct backfill_report *out);
/* One is under way. */
bool backfill_is_running(const struct backfill_report *report);
/* Any thread. The plan whose new views are not served yet; NULL: there is none. */
const struct plan *backfill_plan_next(const struct backfill *backfill);
/* Any thread. Share that is done, 0 to 1; seconds that the rest may take, below 0: unknown. */
double backfill_share(const struct backfill_report *report);
double backfill_seconds_left(const struct backfill_report *report);
/* "filling", ... */
const char *backfill_state_name(enum backfill_state state);
