/* Threads that share one reading of the logs: whoever is free claims the next frames of them, reads
 * and checks these, and keeps what rows take of them; then whoever is free answers the next rows.
 * What is one thread's at a time is little: headers, and plans among the entries. */
#include <pthread.h>
#include <string.h>

#include "controlplane/mirror_history_inside.h"
#include "dataplane/base/assert.h"
#include "drivers/memory.h"

struct share;

/* One thread. */
struct share_hand {
    struct share *share;
    struct history *history;
    struct log_claim frames;      /* That it has. */
    struct history_places places; /* Before the first of them, */
    uint32_t shard;               /* whose they are, */
    uint32_t stretch;             /* and their number. */
    struct catalog *catalog;
    enum result result;
    char error[MIRROR_HISTORY_ERROR_SIZE_MAX];
};

struct share {
    /* Constant while threads run. */
    struct mirror_history *own;
    struct history_team *team;
    const struct era *era;
    uint32_t task_end; /* Of opening, or parts. */
    uint32_t step;
    struct share_hand *hand;
    uint32_t hand_count;
    /* Under the mutex: what is claimed next, and whose turn it is to hand plans on. */
    pthread_mutex_t mutex;
    pthread_cond_t turned;
    uint32_t turn; /* The stretch whose plans are next: all before it have handed theirs on. */
    struct mirror_log log[SHARDS_MAX];
    struct history_places places[SHARDS_MAX]; /* Of the next frame. */
    struct catalog *catalog;
    uint32_t shard; /* The log that is read. */
    uint32_t stretch_count;
    /* Any thread takes the next task; what it finds there was complete before it started. */
    _Atomic uint32_t shared_task;
    /* Some thread failed: the others may stop. It says nothing else. */
    _Atomic bool shared_failed;
};

static enum result hand_fail(struct share_hand *hand, enum result result)
{
    return mirror_log_fail(&hand->share->log[hand->shard], hand->shard, result, hand->error);
}

/* Plans among the frames' entries: what the frames behind them go by. */
static enum result plans_follow(struct share *share, struct share_hand *hand)
{
    struct mirror_entry entry;
    enum result result = RESULT_OK;
    for (uint32_t f = 0; result == RESULT_OK && f < hand->frames.count; f++) {
        uint32_t at = 0;
        while (result == RESULT_OK &&
               mirror_entry_decode(hand->frames.entries[f], hand->frames.frame[f].size, &at,
                                   &entry) == RESULT_OK) {
            if (entry.kind != MIRROR_PLAN) {
                continue;
            }
            struct catalog_conflict conflict;
            result = catalog_decode(entry.note, entry.note_size, share->catalog) == RESULT_OK
                         ? history_places_of(share->own->options.plan, share->catalog,
                                             mirror_plan_is_unrouted(&entry),
                                             &share->places[hand->shard], &conflict)
                         : RESULT_CORRUPT;
            result = result == RESULT_OK
                         ? result
                         : mirror_catalog_fail(&share->log[hand->shard], hand->shard, result,
                                               &conflict, hand->error);
        }
    }
    return result;
}

/* The next frames of the era's logs, one after another. RESULT_NOT_FOUND: there are none. */
static enum result frames_next(struct share *share, struct share_hand *hand)
{
    enum result result = RESULT_NOT_FOUND;
    while (result == RESULT_NOT_FOUND && share->shard < share->era->shard_count) {
        struct mirror_log *log = &share->log[share->shard];
        hand->shard = share->shard;
        result = log->reader == NULL ? RESULT_NOT_FOUND
                                     : log_claim_next(&log->cursor, &hand->frames, &log->damage);
        share->shard += result == RESULT_NOT_FOUND;
    }
    if (result == RESULT_NOT_FOUND) {
        return result;
    }
    if (result != RESULT_OK) {
        return hand_fail(hand, result);
    }
    hand->stretch = share->stretch_count++;
    return RESULT_OK;
}

/* Plans go on from stretch to stretch in the order of the log: after those of the stretches before,
 * which other threads have and are checking too. result: of reading the claim. */
static enum result plans_pass(struct share *share, struct share_hand *hand, enum result result)
{
    while (share->turn != hand->stretch) {
        (void)pthread_cond_wait(&share->turned, &share->mutex);
    }
    share->turn++;
    (void)pthread_cond_broadcast(&share->turned);
    hand->places = share->places[hand->shard];
    if (result == RESULT_CORRUPT) {
        struct mirror_log *log = &share->log[hand->shard];
        result = log_claim_damage(&log->cursor, &hand->frames, &log->damage);
    }
    if (result != RESULT_OK) {
        return hand_fail(hand, result);
    }
    return (hand->frames.kinds >> MIRROR_PLAN & 1) != 0 ? plans_follow(share, hand) : RESULT_OK;
}

static enum result frames_take(struct share *share, struct share_hand *hand)
{
    (void)pthread_mutex_lock(&share->mutex);
    enum result result = frames_next(share, hand);
    (void)pthread_mutex_unlock(&share->mutex);
    if (result != RESULT_OK) {
        return result;
    }
    result = log_claim_read(&hand->frames);
    (void)pthread_mutex_lock(&share->mutex);
    result = plans_pass(share, hand, result);
    log_claim_give(&hand->frames);
    (void)pthread_mutex_unlock(&share->mutex);
    return result;
}

static enum result entry_give(struct share_hand *hand, const struct mirror_entry *entry)
{
    if (entry->kind != MIRROR_PLAN) {
        return history_entry(hand->history, hand->shard, entry);
    }
    struct catalog_conflict conflict;
    enum result result = catalog_decode(entry->note, entry->note_size, hand->catalog);
    return result == RESULT_OK ? history_catalog(hand->history, hand->shard, hand->catalog,
                                                 mirror_plan_is_unrouted(entry), &conflict)
                               : RESULT_CORRUPT;
}

static enum result frames_give(struct share_hand *hand)
{
    enum result result = RESULT_OK;
    uint64_t bytes = 0;
    history_stretch_begin(hand->history, hand->stretch, hand->shard, &hand->places);
    for (uint32_t f = 0; result == RESULT_OK && f < hand->frames.count; f++) {
        const struct mirror_frame *frame = &hand->frames.frame[f];
        struct mirror_entry entry;
        uint32_t at = 0;
        bytes += mirror_frame_bytes(frame->size);
        while (result == RESULT_OK &&
               (result = mirror_entry_decode(hand->frames.entries[f], frame->size, &at, &entry)) ==
                   RESULT_OK) {
            result = entry_give(hand, &entry);
        }
        result = result == RESULT_NOT_FOUND ? RESULT_OK : result;
    }
    result = result == RESULT_OK ? history_stretch_end(hand->history) : result;
    atomic_fetch_add_explicit(&hand->share->own->shared_done, bytes, memory_order_relaxed);
    return result == RESULT_OK ? result : hand_fail(hand, result);
}

static bool stops(struct share *share, struct share_hand *hand)
{
    const struct mirror_history_options *options = &share->own->options;
    if (hand->result == RESULT_OK && options->stop_asked != NULL &&
        options->stop_asked(options->stop_context)) {
        hand->result = hand_fail(hand, RESULT_STOPPED);
    }
    if (hand->result != RESULT_OK) {
        atomic_store_explicit(&share->shared_failed, true, memory_order_relaxed);
    }
    return atomic_load_explicit(&share->shared_failed, memory_order_relaxed);
}

static void *run_read(void *argument)
{
    struct share_hand *hand = argument;
    struct share *share = hand->share;
    while (!stops(share, hand)) {
        enum result result = frames_take(share, hand);
        if (result == RESULT_NOT_FOUND) {
            break;
        }
        hand->result = result == RESULT_OK ? frames_give(hand) : result;
    }
    return NULL;
}

/* The next task; false: none is left. */
static bool task_take(struct share *share, uint32_t *out_task)
{
    *out_task = atomic_fetch_add_explicit(&share->shared_task, 1, memory_order_relaxed);
    return *out_task < share->task_end;
}

static void *run_open(void *argument)
{
    struct share_hand *hand = argument;
    struct share *share = hand->share;
    uint32_t task;
    while (task_take(share, &task)) {
        history_team_open_task(share->team, share->step, task);
    }
    return NULL;
}

static void *run_answer(void *argument)
{
    struct share_hand *hand = argument;
    struct share *share = hand->share;
    uint32_t part;
    while (!stops(share, hand) && task_take(share, &part)) {
        enum result result = history_part_answer(hand->history, part);
        hand->result = result == RESULT_OK ? result : hand_fail(hand, result);
    }
    return NULL;
}

/* Runs all hands, each on its thread; returns the first that failed. */
static enum result hands_run(struct share *share, void *run(void *argument),
                             char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    pthread_t thread[SHARDS_MAX];
    bool started[SHARDS_MAX] = {false};
    for (uint32_t t = 0; t < share->hand_count; t++) {
        /* The last one needs no thread of its own; one that cannot start leaves its work to it. */
        started[t] = t + 1 < share->hand_count &&
                     pthread_create(&thread[t], NULL, run, &share->hand[t]) == 0;
    }
    (void)run(&share->hand[share->hand_count - 1]);
    enum result result = RESULT_OK;
    for (uint32_t t = 0; t < share->hand_count; t++) {
        if (started[t]) {
            (void)pthread_join(thread[t], NULL);
        }
        if (share->hand[t].result != RESULT_OK && result == RESULT_OK) {
            result = mirror_history_fail(error, share->hand[t].result, "%s", share->hand[t].error);
        }
    }
    return result;
}

static enum result era_open(struct share *share, char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    const struct era *era = share->era;
    const struct manifest *newest = share->own->newest;
    enum result result = RESULT_OK;
    share->shard = 0;
    for (uint32_t shard = 0; result == RESULT_OK && shard < era->shard_count; shard++) {
        struct catalog_conflict conflict;
        struct mirror_log *log = &share->log[shard];
        history_places_init(&share->places[shard]);
        if (era->last_lsn[shard] <= era->after_lsn[shard]) {
            continue;
        }
        result = mirror_log_open(share->own, era, shard, log, error);
        if (result != RESULT_OK || newest == NULL) {
            continue;
        }
        result = history_places_of(share->own->options.plan, &newest->catalog,
                                   /* unrouted= */ false, &share->places[shard], &conflict);
        result = result == RESULT_OK ? result
                                     : mirror_catalog_fail(log, shard, result, &conflict, error);
    }
    return result;
}

/* What homes had that owners never logged, as stretches of the first hand. */
static enum result era_again(struct share *share, char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    struct history *history = share->hand[0].history;
    enum result result = RESULT_OK;
    history_team_again(share->team);
    for (uint32_t home = 0; result == RESULT_OK && home < share->era->shard_count; home++) {
        history_stretch_begin(history, share->stretch_count++, home, &share->places[home]);
        share->turn++; /* It has no plans. */
        result = mirror_home_again(share->own, share->era, home, history, error);
        if (result == RESULT_OK && history_stretch_end(history) != RESULT_OK) {
            result = mirror_log_fail(&share->log[home], home, RESULT_NO_SPACE, error);
        }
    }
    return result;
}

static enum result era_read(struct share *share, char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    const struct era *era = share->era;
    history_team_era_begin(share->team, era->shard_count);
    enum result result = era_open(share, error);
    result = result == RESULT_OK ? hands_run(share, run_read, error) : result;
    if (result == RESULT_OK && era->shard_count > 1 && mirror_era_ended(share->own, era)) {
        result = era_again(share, error);
    }
    for (uint32_t shard = 0; shard < era->shard_count; shard++) {
        mirror_log_close(&share->log[shard]);
    }
    return result;
}

static enum result parts_answer(struct share *share, char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    uint32_t first;
    enum result result = history_team_read(share->team);
    if (result != RESULT_OK) {
        return mirror_history_fail(error, result, "no memory");
    }
    history_team_parts(share->team, &first, &share->task_end);
    atomic_store_explicit(&share->shared_task, first, memory_order_relaxed);
    return hands_run(share, run_answer, error);
}

static enum result logs_read(struct share *share, char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    enum result result = RESULT_OK;
    share->stretch_count = 0;
    share->turn = 0;
    for (uint32_t i = 0; result == RESULT_OK && i < share->own->eras.count; i++) {
        share->era = &share->own->eras.era[i];
        result = era_read(share, error);
    }
    return result;
}

/* The team, each hand by whichever thread is free. */
static enum result team_open(struct share *share)
{
    char none[MIRROR_HISTORY_ERROR_SIZE_MAX];
    while ((share->task_end = history_team_open_step(share->team, share->step)) > 0) {
        atomic_store_explicit(&share->shared_task, 0, memory_order_relaxed);
        if (share->task_end == 1) {
            (void)run_open(&share->hand[0]);
        } else {
            (void)hands_run(share, run_open, none);
        }
        share->step++;
    }
    return history_team_opened(share->team);
}

static enum result hands_open(struct share *share)
{
    for (uint32_t t = 0; t < share->hand_count; t++) {
        share->hand[t].share = share;
    }
    enum result result = team_open(share);
    for (uint32_t t = 0; result == RESULT_OK && t < share->hand_count; t++) {
        struct share_hand *hand = &share->hand[t];
        hand->history = history_team_hand(share->team, t);
        hand->frames.buffer = heap_alloc(LOG_WALK_BUFFER_BYTES);
        hand->catalog = heap_alloc(sizeof(*hand->catalog));
        if (hand->frames.buffer == NULL || hand->catalog == NULL) {
            result = RESULT_NO_MEMORY;
        }
    }
    return result;
}

static enum result share_run(struct share *share, char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    enum result result = hands_open(share);
    if (result != RESULT_OK) {
        return mirror_history_fail(error, result, "no memory");
    }
    do {
        atomic_fetch_add_explicit(&share->own->shared_all, share->own->range.bytes,
                                  memory_order_relaxed);
        result = logs_read(share, error);
        result = result == RESULT_OK ? parts_answer(share, error) : result;
    } while (result == RESULT_OK && history_team_next(share->team));
    return result;
}

enum result mirror_history_share(struct mirror_history *history,
                                 const struct history_options *options,
                                 char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    uint32_t threads = history->options.thread_count;
    struct share *share = heap_alloc_lines(sizeof(*share));
    struct history_team **last = heap_realloc(
        history->last_team, (history->last_team_count + 1) * sizeof(struct history_team *));
    history->last_team = last == NULL ? history->last_team : last;
    enum result result = RESULT_NO_MEMORY;
    if (share != NULL && last != NULL) {
        share->own = history;
        share->hand_count = threads;
        share->hand = heap_alloc_lines(threads * sizeof(*share->hand));
        share->catalog = heap_alloc(sizeof(*share->catalog));
        if (share->hand != NULL && share->catalog != NULL) {
            result = history_team_open(options, history->patterns.scratch, threads, &share->team);
        }
    }
    if (result != RESULT_OK) {
        (void)mirror_history_fail(error, result, "no memory: %s", result_name(result));
    } else {
        history->last_team[history->last_team_count++] = share->team;
        (void)pthread_mutex_init(&share->mutex, NULL);
        (void)pthread_cond_init(&share->turned, NULL);
        result = share_run(share, error);
        (void)pthread_cond_destroy(&share->turned);
        (void)pthread_mutex_destroy(&share->mutex);
    }
    for (uint32_t t = 0; share != NULL && share->hand != NULL && t < threads; t++) {
        heap_free(share->hand[t].frames.buffer);
        heap_free(share->hand[t].catalog);
    }
    if (share != NULL) {
        heap_free(share->hand);
        heap_free(share->catalog);
    }
    heap_free(share);
    return result;
}
