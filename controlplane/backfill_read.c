/* What a backfill reads: the logs of all shards, era by era, the last ones while they grow. */
#include <stdio.h>
#include <string.h>

#include "controlplane/backfill_reading.h"
#include "controlplane/store.h"
#include "dataplane/base/units.h"
#include "dataplane/mirror_door.h"
#include "drivers/memory.h"

/* So few records behind what was read are left for the end. */
#define FOLLOW_LEFT_MAX 16384u
#define FOLLOW_PASSES   16u
/* Files are renamed while they are listed, and what the page cache has of a file may lag behind
 * what was written past it. */
#define READ_TRIES 200u

enum result reading_fail(char error[BACKFILL_ERROR_SIZE_MAX], enum result result, uint32_t shard,
                         const char *what)
{
    (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX, "the log of shard %u: %s (%s)", shard, what,
                   result_name(result));
    return result;
}

bool reading_is_refused(const struct backfill_reading *reading)
{
    const struct appliance *appliance = reading_appliance(reading);
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        if (worker_filling_refused(appliance->worker[i]) > 0) {
            return true;
        }
    }
    return false;
}

void reading_rings_show(struct backfill_reading *reading)
{
    for (uint32_t i = 0; i < reading_appliance(reading)->shard_count; i++) {
        ring_push_finish(&reading->succession->ring[i]);
    }
}

static void progress_note(struct backfill_reading *reading)
{
    struct backfill *backfill = reading->backfill;
    (void)pthread_mutex_lock(&backfill->lock);
    backfill->report.events = reading->events;
    backfill->report.bytes_done = reading->bytes_done;
    (void)pthread_mutex_unlock(&backfill->lock);
}

/* Waits while more was handed on than the rate allows. */
static bool rate_wait(struct backfill_reading *reading)
{
    uint64_t rate = reading->backfill->rate;
    while (rate > 0) {
        int64_t elapsed_us =
            clock_steady_us(&reading_appliance(reading)->clock) - reading->begin_us;
        double allowed = (double)rate * (double)elapsed_us / (double)US_PER_SECOND;
        if ((double)reading->events <= allowed) {
            return true;
        }
        reading_rings_show(reading);
        if (!backfill_pause(reading->backfill)) {
            return false;
        }
    }
    return true;
}

/* A record for the owner's ring; waits for room. */
static bool record_tell(void *context, uint32_t owner, const void *record, uint32_t size)
{
    struct backfill_reading *reading = context;
    struct ring *ring = &reading->succession->ring[owner];
    void *place;
    while ((place = ring_push(ring, size)) == NULL) {
        reading_rings_show(reading);
        if (!backfill_pause(reading->backfill)) {
            return false;
        }
    }
    memcpy(place, record, size);
    return true;
}

/* The same of an event, which counts. */
static bool record_hand(void *context, uint32_t owner, const void *record, uint32_t size)
{
    struct backfill_reading *reading = context;
    if (!rate_wait(reading) || !record_tell(context, owner, record, size)) {
        return false;
    }
    reading->events++;
    return true;
}

static enum result frame_take(void *context, const struct mirror_frame *frame,
                              const uint8_t *entries)
{
    struct backfill_reading *reading = context;
    uint32_t at = 0;
    struct mirror_entry entry;
    enum result result;
    while ((result = mirror_entry_decode(entries, frame->size, &at, &entry)) == RESULT_OK) {
        result = replay_entry(reading->replay, &entry);
        if (result != RESULT_OK) {
            return result;
        }
    }
    result = result == RESULT_NOT_FOUND ? replay_frame_end(reading->replay) : result;
    reading_rings_show(reading);
    reading->bytes_done += reading->first ? mirror_frame_bytes(frame->size) : 0;
    reading->log[reading->shard].done_lsn = frame->first_lsn + frame->count - 1;
    progress_note(reading);
    if (result == RESULT_OK) {
        result = reading_place_keep(reading);
    }
    return result == RESULT_OK && reading_is_refused(reading) ? RESULT_NO_SPACE : result;
}

/* One try; done_lsn moves with each frame. */
static enum result frames_read(struct backfill_reading *reading, uint32_t shard, uint64_t last_lsn)
{
    struct log_reader *reader;
    struct log_damage damage;
    enum result result = reading_log_open(reading, reading_era(reading), shard, &reader);
    if (result == RESULT_OK) {
        result = log_reader_read(reader, reading->log[shard].done_lsn, last_lsn, frame_take,
                                 reading, &damage);
        log_reader_close(reader);
    }
    return result;
}

/* Hands on the records of one home in (done_lsn, last_lsn], all durable. */
static enum result log_read(struct backfill_reading *reading, uint32_t shard, uint64_t last_lsn)
{
    struct reading_log *log = &reading->log[shard];
    const struct backfill_place *place = reading->backfill->note.place;
    bool goes_on = reading->catalog_place != NULL;
    enum result result = replay_catalog(reading->replay, goes_on        ? reading->catalog_place
                                                         : log->planned ? reading->catalog_next
                                                                        : reading->catalog);
    if (result != RESULT_OK) {
        return result;
    }
    struct replay_start start = {.shard = shard,
                                 .replay_lsn = log->done_lsn,
                                 .last_lsn = last_lsn,
                                 .apply_us = INT64_MIN,
                                 .watermark_of_plan = true,
                                 .rebuild_views = reading->views};
    memcpy(start.watermark_us, log->watermark_us, sizeof(start.watermark_us));
    reading->shard = shard;
    reading->last_lsn = last_lsn;
    replay_begin(reading->replay, REPLAY_FILL, &start);
    if (goes_on) {
        replay_turn_set(reading->replay, place->turn_us, place->turn_watermark_us);
        heap_free(reading->catalog_place);
        reading->catalog_place = NULL;
    }
    result = frames_read(reading, shard, last_lsn);
    for (uint32_t i = 0; result == RESULT_CORRUPT && i < READ_TRIES; i++) {
        result = backfill_pause(reading->backfill) ? frames_read(reading, shard, last_lsn)
                                                   : RESULT_STOPPED;
    }
    struct replay_counts counts;
    enum result ended = replay_end(reading->replay, &counts);
    result = result == RESULT_OK ? ended : result;
    reading_rings_show(reading);
    if (result == RESULT_OK) {
        log->planned = replay_plan_is_reached(reading->replay);
        for (uint32_t v = 0; v < VIEWS_MAX; v++) {
            replay_span_merge(&reading->history[v], &counts.history[v]);
        }
        log->done_lsn = last_lsn; /* A frame may go on behind it. */
        memcpy(log->watermark_us, counts.watermark_us, sizeof(log->watermark_us));
    }
    return backfill_is_stopped(reading->backfill) ? RESULT_STOPPED : result;
}

static enum result log_read_telling(struct backfill_reading *reading, uint32_t shard,
                                    uint64_t last_lsn, char error[BACKFILL_ERROR_SIZE_MAX])
{
    enum result result = log_read(reading, shard, last_lsn);
    if (result == RESULT_OK || result == RESULT_STOPPED) {
        return result;
    }
    if (reading_is_refused(reading)) {
        (void)snprintf(
            error, BACKFILL_ERROR_SIZE_MAX,
            "the view does not fit `state.memory` of shard %u: raise it, and start again", shard);
        return RESULT_NO_SPACE;
    }
    return reading_fail(error, result, shard,
                        result == RESULT_INVALID
                            ? "a stream changed in a way that its records do not have"
                            : "it cannot be read while it grows; see `freshet verify`");
}

uint64_t reading_durable_lsn(const struct backfill_reading *reading, uint32_t shard)
{
    /* Acquire, pairs with release L1 in frame_durable(). */
    return atomic_load_explicit(
        &worker_mirror(reading_appliance(reading)->worker[shard])->shared_durable_lsn,
        memory_order_acquire);
}

static enum result parts_open(struct backfill_reading *reading)
{
    const struct appliance *appliance = reading_appliance(reading);
    const struct succession *succession = reading->succession;
    const struct plan *plan = &succession->config->plan;
    const struct replay_options options = {
        .workers = appliance->worker,
        .shard_count = appliance->shard_count,
        .old_shard_count = appliance->shard_count,
        .plan = plan,
        .corrections = &reading->corrections.set,
        .forward = record_hand,
        .tell = record_tell,
        .context = reading,
        .patterns = succession->patterns.set,
        .pattern_scratch = succession->patterns.scratch[appliance->shard_count]};
    reading->catalog = heap_alloc(sizeof(*reading->catalog));
    reading->catalog_next = heap_alloc(sizeof(*reading->catalog_next));
    if (reading->catalog == NULL || reading->catalog_next == NULL) {
        return RESULT_NO_MEMORY;
    }
    catalog_of_plan(appliance_plan(appliance), reading->catalog);
    catalog_of_plan(plan, reading->catalog_next);
    enum result result = corrections_load(store_disk(appliance->store), store_id(appliance->store),
                                          &reading->corrections);
    if (result != RESULT_OK) {
        return result;
    }
    for (uint32_t v = succession->view_first; v < plan->view_count; v++) {
        view_set_add(&reading->views, v);
    }
    return replay_open(&options, &reading->replay);
}

enum result reading_open(struct backfill *backfill, struct succession *succession,
                         struct backfill_reading **out_reading, char error[BACKFILL_ERROR_SIZE_MAX])
{
    struct appliance *appliance = backfill->appliance;
    struct backfill_reading *reading = heap_alloc_lines(sizeof(*reading));
    if (reading == NULL) {
        return reading_fail(error, RESULT_NO_MEMORY, 0, "no memory to read it");
    }
    reading->backfill = backfill;
    reading->succession = succession;
    reading->first = true;
    for (uint32_t v = 0; v < VIEWS_MAX; v++) {
        succession->since_us[v] = v < succession->view_first
                                      ? worker_since_us(appliance->worker[0], v)
                                      : store_created_us(appliance->store);
    }
    enum result result = parts_open(reading);
    if (result != RESULT_OK) {
        (void)reading_fail(error, result, 0, "it cannot be read, or its corrections");
    }
    result = result == RESULT_OK ? reading_eras_find(reading, error) : result;
    result = result == RESULT_OK ? reading_place_take(reading) : result;
    if (result != RESULT_OK) {
        reading_close(reading);
        return result;
    }
    reading->begin_us = clock_steady_us(&appliance->clock);
    *out_reading = reading;
    return RESULT_OK;
}

void reading_close(struct backfill_reading *reading)
{
    if (reading == NULL) {
        return;
    }
    backfill_segments_let_go(reading->backfill);
    replay_close(reading->replay);
    corrections_free(&reading->corrections);
    heap_free(reading->catalog);
    heap_free(reading->catalog_next);
    heap_free(reading->catalog_place);
    heap_free(reading->eras);
    heap_free(reading);
}

/* Records that came since, of all homes. */
static uint64_t records_left(const struct backfill_reading *reading)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < reading_appliance(reading)->shard_count; i++) {
        left += reading_durable_lsn(reading, i) - reading->log[i].done_lsn;
    }
    return left;
}

enum result reading_rings_await(const struct backfill_reading *reading)
{
    for (uint32_t i = 0; i < reading_appliance(reading)->shard_count; i++) {
        while (!ring_is_drained(&reading->succession->ring[i])) {
            if (!backfill_pause(reading->backfill)) {
                return RESULT_STOPPED;
            }
        }
    }
    return RESULT_OK;
}

/* Hands on what was logged before the number of shards changed last. */
static enum result eras_read(struct backfill_reading *reading, char error[BACKFILL_ERROR_SIZE_MAX])
{
    while (reading->era + 1 < reading->eras->count) {
        for (uint32_t i = reading->shard_first; i < reading_era(reading)->shard_count; i++) {
            enum result result =
                log_read_telling(reading, i, reading_era(reading)->last_lsn[i], error);
            if (result != RESULT_OK) {
                return result;
            }
        }
        reading->shard_first = 0;
        reading_era_enter(reading, reading->era + 1);
    }
    return RESULT_OK;
}

enum result reading_follow(struct backfill_reading *reading, char error[BACKFILL_ERROR_SIZE_MAX])
{
    uint64_t left_before = UINT64_MAX;
    enum result earlier = eras_read(reading, error);
    if (earlier != RESULT_OK) {
        return earlier;
    }
    for (uint32_t pass = 0; pass < FOLLOW_PASSES; pass++) {
        /* The place stands in one log; those before it were read, and have little since. */
        for (uint32_t i = reading->shard_first; i < reading_appliance(reading)->shard_count; i++) {
            enum result result =
                log_read_telling(reading, i, reading_durable_lsn(reading, i), error);
            if (result != RESULT_OK) {
                return result;
            }
        }
        reading->shard_first = 0;
        reading->first = false;
        /* What comes as fast as it is read is never caught up with. */
        uint64_t left = records_left(reading);
        if (left <= FOLLOW_LEFT_MAX || left > left_before / 2) {
            break;
        }
        left_before = left;
    }
    reading->saves = false;
    /* Live events shall not come before what came days before them. */
    return reading_rings_await(reading);
}

/* Waits until the home's records up to last_lsn are durable. */
static enum result durable_await(struct backfill_reading *reading, uint32_t shard,
                                 uint64_t last_lsn, char error[BACKFILL_ERROR_SIZE_MAX])
{
    const struct mirror_shared *log = worker_mirror(reading_appliance(reading)->worker[shard]);
    while (reading_durable_lsn(reading, shard) < last_lsn) {
        if (atomic_load_explicit(&log->shared_held, memory_order_relaxed) == MIRROR_HELD_DEAD) {
            return reading_fail(error, RESULT_IO, shard, "its disk failed");
        }
        if (!backfill_pause(reading->backfill)) {
            return RESULT_STOPPED;
        }
    }
    return RESULT_OK;
}

enum result reading_finish(struct backfill_reading *reading, const uint64_t last_lsn[SHARDS_MAX],
                           char error[BACKFILL_ERROR_SIZE_MAX])
{
    uint32_t count = reading_appliance(reading)->shard_count;
    for (uint32_t i = 0; i < count; i++) {
        enum result result = durable_await(reading, i, last_lsn[i], error);
        if (result == RESULT_OK) {
            result = log_read_telling(reading, i, last_lsn[i], error);
        }
        if (result != RESULT_OK) {
            return result;
        }
    }
    enum result result = reading_rings_await(reading);
    if (result != RESULT_OK) {
        return result;
    }
    reading_since_regard(reading);
    if (reading_is_refused(reading)) {
        (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX,
                       "the view does not fit `state.memory`: raise it, and start again");
        return RESULT_NO_SPACE;
    }
    return RESULT_OK;
}
