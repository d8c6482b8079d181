/* The eras that a backfill reads: what is kept of their logs, and since when. */
#include <string.h>

#include "controlplane/backfill_reading.h"
#include "controlplane/store.h"
#include "drivers/memory.h"

/* Files are renamed while they are listed. */
#define OPEN_TRIES 200u

static bool stop_asked(void *context)
{
    const struct backfill_reading *reading = context;
    return backfill_is_stopped(reading->backfill);
}

enum result reading_log_open(struct backfill_reading *reading, const struct era *era,
                             uint32_t shard, struct log_reader **out_reader)
{
    struct store *store = reading_appliance(reading)->store;
    enum result result = RESULT_NOT_FOUND;
    for (uint32_t i = 0; i < OPEN_TRIES && result == RESULT_NOT_FOUND; i++) {
        result = era_log_open(store_disk(store), store_id(store), era, shard,
                              /* archives= */ true, out_reader);
        if (result == RESULT_NOT_FOUND && !backfill_pause(reading->backfill)) {
            return RESULT_STOPPED;
        }
    }
    if (result == RESULT_OK) {
        log_reader_stop_set(*out_reader, stop_asked, reading);
    }
    return result;
}

/* Keeps a log's segments from this one on, and with them those of later eras, whose numbers are
 * above. Until the oldest is known, all are kept. */
static void segments_keep(struct backfill_reading *reading, const struct log_reader *reader,
                          uint32_t shard, uint32_t first)
{
    if (!reading->is_held[shard] && first < log_reader_segment_count(reader)) {
        store_segments_hold(reading_appliance(reading)->store, shard,
                            log_reader_segment(reader, first)->number);
        reading->is_held[shard] = true;
    }
}

/* Since when all records are kept, as a start that rebuilds the view has it. */
static void since_note(struct backfill_reading *reading)
{
    const struct appliance *appliance = reading_appliance(reading);
    struct succession *succession = reading->succession;
    const struct plan *plan = &succession->config->plan;
    int64_t since_us = eras_since_us(reading->eras, store_created_us(appliance->store),
                                     clock_now_us(&appliance->clock));
    for (uint32_t v = succession->view_first; v < plan->view_count; v++) {
        succession->since_us[v] = since_us;
    }
}

/* Of the view that was asked for. */
static void since_report(const struct backfill_reading *reading)
{
    struct backfill *backfill = reading->backfill;
    const struct plan *plan = &reading->succession->config->plan;
    int found =
        plan_view_find(plan, backfill->report.view, (uint32_t)strlen(backfill->report.view), 0);
    uint32_t view = found >= 0 ? (uint32_t)found : reading->succession->view_first;
    const struct replay_span *span = &reading->history[view];
    (void)pthread_mutex_lock(&backfill->lock);
    backfill->report.since_us = reading->succession->since_us[view];
    backfill->report.history_us = span->some ? span->oldest_us : INT64_MAX;
    (void)pthread_mutex_unlock(&backfill->lock);
}

static void bytes_expect(struct backfill_reading *reading, uint64_t bytes)
{
    (void)pthread_mutex_lock(&reading->backfill->lock);
    reading->backfill->report.bytes_all += bytes;
    (void)pthread_mutex_unlock(&reading->backfill->lock);
}

/* Where the shard's log of an era begins to be whole. */
static enum result log_find(struct backfill_reading *reading, struct era *era, uint32_t shard)
{
    bool grows = era->last_epoch == EPOCH_MAX;
    struct log_reader *reader;
    enum result result = reading_log_open(reading, era, shard, &reader);
    if (result != RESULT_OK) {
        return result;
    }
    uint32_t first;
    uint64_t bytes;
    result = log_reader_whole(reader, grows ? 0 : era->last_lsn[shard], &first, &bytes);
    if (result == RESULT_OK) {
        era_log_note(era, shard, reader, first);
        bytes_expect(reading, bytes);
        segments_keep(reading, reader, shard, first);
    }
    log_reader_close(reader);
    return result;
}

/* What any home had seen in the era before, all have now, as recovery does it. */
void reading_era_enter(struct backfill_reading *reading, uint32_t index)
{
    int64_t seen_us[STREAMS_MAX];
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        seen_us[s] = INT64_MIN;
        for (uint32_t i = 0; index > 0 && i < reading_era(reading)->shard_count; i++) {
            int64_t own_us = reading->log[i].watermark_us[s];
            seen_us[s] = own_us > seen_us[s] ? own_us : seen_us[s];
        }
    }
    reading->era = index;
    for (uint32_t i = 0; i < reading_era(reading)->shard_count; i++) {
        struct reading_log *log = &reading->log[i];
        log->done_lsn = reading_era(reading)->after_lsn[i];
        log->planned = false;
        memcpy(log->watermark_us, seen_us, sizeof(seen_us));
    }
    replay_shards_set(reading->replay, reading_era(reading)->shard_count);
}

enum result reading_eras_find(struct backfill_reading *reading, char error[BACKFILL_ERROR_SIZE_MAX])
{
    struct store *store = reading_appliance(reading)->store;
    struct epochs *epochs = heap_alloc(sizeof(*epochs));
    reading->eras = heap_alloc(sizeof(*reading->eras));
    enum result result = epochs == NULL || reading->eras == NULL
                             ? RESULT_NO_MEMORY
                             : epochs_load(store_disk(store), epochs);
    if (result == RESULT_OK) {
        eras_of_epochs(epochs, /* running= */ true, reading->eras);
    }
    heap_free(epochs);
    if (result != RESULT_OK) {
        return reading_fail(error, result, 0, "the store's epochs cannot be read");
    }
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        store_segments_hold(store, i, 0);
    }
    for (uint32_t e = 0; e < reading->eras->count; e++) {
        struct era *era = &reading->eras->era[e];
        for (uint32_t i = 0; i < era->shard_count; i++) {
            result = log_find(reading, era, i);
            if (result != RESULT_OK) {
                return reading_fail(error, result, i, "it cannot be read");
            }
        }
    }
    since_note(reading);
    since_report(reading);
    reading_era_enter(reading, 0);
    return RESULT_OK;
}

void reading_since_regard(struct backfill_reading *reading)
{
    struct succession *succession = reading->succession;
    const struct plan *plan = &succession->config->plan;
    for (uint32_t v = succession->view_first; v < plan->view_count; v++) {
        int64_t since_us = succession->since_us[v];
        bool whole = since_us <= store_created_us(reading_appliance(reading)->store);
        succession->since_us[v] = replay_span_since_us(&reading->history[v], since_us, whole);
    }
    since_report(reading);
}
