/* History: what readers would have been answered at moments of the past, from the records of the
 * mirror, by the same shard_apply() and reader_read() as when they came.
 *
 * A door: controlplane/ includes it. One thread; shares nothing with others. It is given all reads
 * at once, then the entries of all shards' logs in the order of T, and keeps only the rows that are
 * asked for. Verdicts are obeyed.
 *
 *   known  a read knows the records with T < known_us: of its owner, where the view lived then; of
 *          their homes, where it did not (it was backfilled, or is of a later definition)
 *   true   a read knows all events before its q, whenever they came: late ones too, those that were
 *          set aside not. No event at or behind q is in any tile: the head is cut exactly
 *
 * Order between rows is free; a row's own events and reads keep theirs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/answer.h"
#include "dataplane/feature/catalog.h"
#include "dataplane/feature/correction.h"
#include "dataplane/feature/mirror_format.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/row_read.h"

struct history;
struct history_team;
struct pattern_set;
struct pattern_scratch;

/* One entity in one view at one moment. Input first, then output. */
struct history_read {
    uint16_t view;
    uint16_t key_size; /* 0: no such key, NOT_FOUND. */
    const uint8_t *key;
    enum read_time time; /* READ_NOW: q = known_us, or by the newest event (`leading: newest`). */
    int64_t at_us;
    int64_t known_us; /* Of `true`, q of a READ_NOW. */
    int64_t asked_us; /* The clock then: the starts before it count, also without a record since. */
    uint16_t feature_count;
    const uint16_t *feature; /* Indices into plan.feature, all of this view. */
    struct answer *answer;   /* One per feature. Texts live as long as the history. Of options that
                              * take answers otherwise unset. */
    uint64_t number;         /* The caller's own. */
    bool found;
    bool is_hindsight; /* TRUE: it has events that came at q or later, or were too late. */
};

enum history_mode { HISTORY_KNOWN, HISTORY_TRUE };

/* Takes an answered read with its answers, which are gone, as their texts are, when it returns.
 * thread: whose history it is. */
typedef enum result history_answered(void *context, uint32_t thread,
                                     const struct history_read *read, const struct answer *answer);

struct history_options {
    const struct plan *plan; /* Borrowed, as all. */
    enum history_mode mode;
    struct history_read *read;
    uint32_t read_count;
    uint64_t state_bytes; /* Of rows and table. */
    uint64_t event_bytes; /* Of events that wait for their turn. */
    /* Events that are taken otherwise than they came, or not at all; NULL: none are. */
    const struct correction_set *corrections;
    const int64_t *since_us;                 /* By view. */
    struct pattern_set *const *patterns;     /* By stream; NULL: no stream has any. */
    struct pattern_scratch *pattern_scratch; /* This thread's alone. */
    bool (*is_void)(void *context, uint32_t home, uint64_t home_lsn); /* As replay.h has it. */
    void *context;
    history_answered *answered; /* NULL: read.answer does. */
    void *answered_context;
    uint32_t thread; /* That is told; of a team the hand. */
};

MUST_USE enum result history_open(const struct history_options *options,
                                  struct history **out_history);
void history_close(struct history *history); /* NULL is fine. */

/* The next entries were written by so many shards. */
void history_shards_set(struct history *history, uint32_t shard_count);
/* The plan under which a shard's next entries were written. unrouted: as its entry says.
 * RESULT_INVALID when this plan cannot read them: out_conflict says what changed. */
MUST_USE enum result history_catalog(struct history *history, uint32_t shard,
                                     const struct catalog *catalog, bool unrouted,
                                     struct catalog_conflict *out_conflict);
/* A record of a shard's log; T never goes back from one call to the next. RESULT_NO_SPACE: state or
 * waiting events pass their bytes; RESULT_CORRUPT: no record of its stream. Notes are passed
 * over. */
MUST_USE enum result history_entry(struct history *history, uint32_t shard,
                                   const struct mirror_entry *entry);
/* KNOWN, before shards are set anew: a record of a home once more, for owners that never logged it
 * and got it when the store was opened with another number of shards. */
MUST_USE enum result history_entry_again(struct history *history, uint32_t home,
                                         const struct mirror_entry *entry);
/* The bytes of the entries that were given may go. */
MUST_USE enum result history_entries_end(struct history *history);
/* LSN of the last forward of a home that its owner logged: what came later is for
 * history_entry_again(). */
uint64_t history_forward_lsn(const struct history *history, uint32_t owner, uint32_t home);

/* Answers what is left. *out_more: events did not all fit their bytes, so all entries must be given
 * once more, from the first on (TRUE only). */
MUST_USE enum result history_end(struct history *history, bool *out_more);

/* A team: threads that share one reading of the logs, each by a hand of its own. What rows take of
 * the logs is kept, in parts of the rows; then rows are answered one by one. What has no room is
 * left to another reading. For reads whose answers do not hang on how far rows are folded.
 *
 *   per reading: an era begins -> stretches of its shards' logs, each given to some hand ->
 *   history_team_again() and what homes had more, to hand 0 -> the next era -> ... ->
 *   history_team_read() -> each part is answered by some hand -> history_team_next() */
bool history_team_fits(const struct plan *plan, const struct history_read *read, uint32_t count);
/* options.event_bytes is of one hand; state_bytes and pattern_scratch are not looked at.
 * pattern_scratch: of each hand. All is borrowed. */
MUST_USE enum result history_team_open(const struct history_options *options,
                                       struct pattern_scratch *const *pattern_scratch,
                                       uint32_t hand_count, struct history_team **out_team);
/* It is opened in steps, from step 0 on until one has no tasks: how many a step has; then each of
 * them once, by any thread, all before the next step. Then history_team_opened(), and the calls
 * below. */
uint32_t history_team_open_step(struct history_team *team, uint32_t step);
void history_team_open_task(struct history_team *team, uint32_t step, uint32_t task);
MUST_USE enum result history_team_opened(struct history_team *team);
void history_team_close(struct history_team *team); /* NULL is fine. */
/* Its own thread's, between the calls below that have the team. */
struct history *history_team_hand(struct history_team *team, uint32_t hand);

/* The next stretches are of so many shards, and come later than all before. */
void history_team_era_begin(struct history_team *team, uint32_t shard_count);

/* Where views of this plan were among those of their streams, when a shard's entries were written.
 */
struct history_places {
    uint8_t then[STREAMS_MAX][VIEWS_PER_STREAM_MAX];
    /* Events of this home go there; else views are filled with them later. */
    bool is_routed[STREAMS_MAX][VIEWS_PER_STREAM_MAX];
};
void history_places_init(struct history_places *places); /* No view lived. */
/* As history_catalog() has it; places: of before. */
MUST_USE enum result history_places_of(const struct plan *plan, const struct catalog *catalog,
                                       bool unrouted, struct history_places *places,
                                       struct catalog_conflict *out_conflict);

/* A stretch of a shard's log: numbers, from 0 on without a gap, go up in it. Its entries go to
 * history_entry(); their bytes stay until the end. RESULT_NO_SPACE: one part alone has no room. */
void history_stretch_begin(struct history *hand, uint32_t number, uint32_t shard,
                           const struct history_places *places);
MUST_USE enum result history_stretch_end(struct history *hand);

/* All stretches of the era are at their end: a stretch of hand 0 may have records of homes for
 * history_entry_again() now; history_forward_lsn() of hand 0 is of all. */
void history_team_again(struct history_team *team);
/* All is read: rows may be answered. */
MUST_USE enum result history_team_read(struct history_team *team);
/* Parts [*out_first, *out_end), each to be answered once, by any hand. */
void history_team_parts(const struct history_team *team, uint32_t *out_first, uint32_t *out_end);
/* RESULT_NO_SPACE: a row has no room within its view's limits. */
MUST_USE enum result history_part_answer(struct history *hand, uint32_t part);
/* False: all is answered, and only texts of answers are kept. Else all must be read once more. */
bool history_team_next(struct history_team *team);
