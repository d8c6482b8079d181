/* The place that a backfill goes on from after a kill: kept now and then while the logs are read,
 * and taken up by the next start. See docs/decisions/0035. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/backfill_reading.h"
#include "controlplane/backfill_rows.h"
#include "controlplane/store.h"
#include "dataplane/base/checksum.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

/* Keeping a place takes one part of the time in so many at most. */
#define KEEP_SHARE 10

static struct backfill_rows rows_of(const struct backfill_reading *reading,
                                    const struct backfill_place *place)
{
    const struct appliance *appliance = reading_appliance(reading);
    return (struct backfill_rows){.directory = appliance->config->options.data_directory,
                                  .store_id = store_id(appliance->store),
                                  .place = place,
                                  .plan = &reading->succession->config->plan,
                                  .view_first = reading->succession->view_first,
                                  .shard_count = appliance->shard_count};
}

static uint64_t corrections_of(const struct backfill_reading *reading)
{
    const struct corrections *corrections = &reading->corrections;
    return corrections->data == NULL
               ? 0
               : corrections->size << 32 |
                     checksum_crc32c(0, corrections->data, (uint32_t)corrections->size);
}

/* Why it begins again. */
__attribute__((format(printf, 2, 3))) static enum result again(struct backfill_reading *reading,
                                                               const char *format, ...)
{
    struct backfill *backfill = reading->backfill;
    va_list arguments;
    va_start(arguments, format);
    (void)pthread_mutex_lock(&backfill->lock);
    (void)vsnprintf(backfill->report.again, sizeof(backfill->report.again), format, arguments);
    (void)pthread_mutex_unlock(&backfill->lock);
    va_end(arguments);
    return RESULT_NOT_FOUND;
}

/* Where the logs of all eras begin and, but for the last one, end. */
static uint32_t begins_of(const struct backfill_reading *reading)
{
    uint32_t crc = 0;
    for (uint32_t e = 0; e < reading->eras->count; e++) {
        const struct era *era = &reading->eras->era[e];
        uint64_t bytes = era->shard_count * sizeof(era->after_lsn[0]);
        crc = checksum_crc32c(crc, &era->first_epoch, sizeof(era->first_epoch));
        crc = checksum_crc32c(crc, &era->shard_count, sizeof(era->shard_count));
        crc = checksum_crc32c(crc, era->after_lsn, (uint32_t)bytes);
        if (e + 1 < reading->eras->count) {
            crc = checksum_crc32c(crc, era->last_lsn, (uint32_t)bytes);
        }
    }
    return crc;
}

/* The last record of the era's log that may have been read. */
static uint64_t end_lsn(const struct backfill_reading *reading, uint32_t era, uint32_t shard)
{
    return era + 1 < reading->eras->count ? reading->eras->era[era].last_lsn[shard]
                                          : reading_durable_lsn(reading, shard);
}

/* The place's era; the count of eras: none. */
static uint32_t era_of(const struct backfill_reading *reading, const struct backfill_place *place)
{
    uint32_t e = 0;
    while (e < reading->eras->count && (reading->eras->era[e].first_epoch != place->epoch ||
                                        reading->eras->era[e].shard_count != place->log_count)) {
        e++;
    }
    return e;
}

/* The logs still begin where they did, and have what was read of them. */
static enum result logs_check(struct backfill_reading *reading, const struct backfill_place *place)
{
    uint32_t e = era_of(reading, place);
    if (e == reading->eras->count || place->begins != begins_of(reading)) {
        return again(reading, "the mirror begins elsewhere by now");
    }
    for (uint32_t i = 0; i < place->log_count; i++) {
        uint64_t done_lsn = place->log[i].done_lsn;
        if (done_lsn > end_lsn(reading, e, i) && done_lsn != reading->eras->era[e].after_lsn[i]) {
            return again(reading, "the log of shard %u ends before what was read of it", i);
        }
    }
    return RESULT_OK;
}

static enum result rows_check(struct backfill_reading *reading, const struct backfill_place *place)
{
    const struct backfill_rows rows = rows_of(reading, place);
    char reason[BACKFILL_ROWS_REASON_SIZE_MAX];
    for (uint32_t i = 0; i < rows.shard_count; i++) {
        enum result result = backfill_rows_check(&rows, i, reason);
        if (result != RESULT_OK) {
            return result == RESULT_NO_MEMORY ? result : again(reading, "%s", reason);
        }
    }
    return RESULT_OK;
}

/* RESULT_NOT_FOUND: it begins again, and the report says why. */
static enum result place_check(struct backfill_reading *reading, const struct backfill_place *place)
{
    if (place == NULL) {
        return again(reading, "no place was kept yet");
    }
    if (place->plan != reading->succession->config->plan.fingerprint) {
        return again(reading, "the definitions stand in another order");
    }
    if (place->corrections != corrections_of(reading)) {
        return again(reading, "events were corrected since");
    }
    if (catalog_decode(place->catalog, place->catalog_size, reading->catalog_place) != RESULT_OK ||
        replay_catalog(reading->replay, reading->catalog_place) != RESULT_OK) {
        return again(reading, "the plan that the log was read by is none");
    }
    enum result result = logs_check(reading, place);
    return result == RESULT_OK ? rows_check(reading, place) : result;
}

/* The reading stands where the place does. */
static void place_enter(struct backfill_reading *reading, const struct backfill_place *place)
{
    const struct succession *succession = reading->succession;
    struct backfill *backfill = reading->backfill;
    reading_era_enter(reading, era_of(reading, place));
    reading->shard_first = place->shard;
    reading->bytes_done = place->bytes_done;
    for (uint32_t v = succession->view_first; v < succession->config->plan.view_count; v++) {
        reading->history[v] = place->history[v - succession->view_first];
    }
    for (uint32_t i = 0; i < place->log_count; i++) {
        struct reading_log *log = &reading->log[i];
        log->done_lsn = place->log[i].done_lsn;
        log->planned = place->log[i].planned;
        memcpy(log->watermark_us, place->log[i].watermark_us, sizeof(log->watermark_us));
    }
    (void)pthread_mutex_lock(&backfill->lock);
    backfill->report.bytes_done = place->bytes_done;
    backfill->report.bytes_kept = place->bytes_done;
    backfill->report.bytes_saved = place->bytes_done;
    (void)pthread_mutex_unlock(&backfill->lock);
}

static int64_t keep_interval_us(const struct backfill_reading *reading)
{
    return reading_appliance(reading)->config->options.checkpoint_us;
}

enum result reading_place_take(struct backfill_reading *reading)
{
    struct backfill *backfill = reading->backfill;
    const struct backfill_note *note = backfill->resumed;
    reading->saves = keep_interval_us(reading) > 0;
    reading->save_next_us =
        clock_steady_us(&reading_appliance(reading)->clock) + keep_interval_us(reading);
    backfill_place_free(backfill->note.place);
    backfill->note.place = NULL;
    if (note == NULL) {
        return RESULT_OK;
    }
    reading->catalog_place = heap_alloc(sizeof(*reading->catalog_place));
    enum result result =
        reading->catalog_place == NULL ? RESULT_NO_MEMORY : place_check(reading, note->place);
    if (result == RESULT_OK) {
        backfill->note.place = backfill_place_copy(note->place);
        result = backfill->note.place == NULL ? RESULT_NO_MEMORY : RESULT_OK;
    }
    if (result == RESULT_OK) {
        place_enter(reading, note->place);
        return RESULT_OK;
    }
    heap_free(reading->catalog_place);
    reading->catalog_place = NULL;
    return result == RESULT_NOT_FOUND ? RESULT_OK : result;
}

static bool pause_of(const void *context)
{
    const struct backfill_reading *reading = context;
    return backfill_pause(reading->backfill);
}

/* The rows of all shards, then where each worker stood. */
static enum result place_hand(struct backfill_reading *reading, const struct backfill_place *place)
{
    const struct backfill_rows rows = rows_of(reading, place);
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < rows.shard_count; i++) {
        struct ring *ring = &reading->succession->ring[i];
        result = backfill_rows_hand(&rows, i, ring, pause_of, reading);
        while (result == RESULT_OK && !filling_place_push(ring, &place->stand[i].filling)) {
            result = backfill_pause(reading->backfill) ? RESULT_OK : RESULT_STOPPED;
        }
    }
    reading_rings_show(reading);
    return result;
}

enum result reading_begin(struct backfill_reading *reading, char error[BACKFILL_ERROR_SIZE_MAX])
{
    const struct backfill_place *place = reading->backfill->note.place;
    enum result result = place == NULL ? RESULT_OK : place_hand(reading, place);
    if (result == RESULT_OK && reading_is_refused(reading)) {
        result = RESULT_NO_SPACE;
        (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX,
                       "the rows that were filled do not fit `state.memory`: raise it, and start "
                       "again");
    } else if (result != RESULT_OK && result != RESULT_STOPPED) {
        (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX,
                       "the rows that were filled cannot be read again: %s", result_name(result));
    }
    return result;
}

/* Files of what the workers have of the new views. RESULT_IO: they could not be written; where a
 * checkpoint cannot end any more, no later ones can. */
static enum result rows_write(struct backfill_reading *reading, struct checkpoint_rows *rows)
{
    const struct backfill_place *before = reading->backfill->note.place;
    struct store *store = reading_appliance(reading)->store;
    *rows = (struct checkpoint_rows){.view_first = reading->succession->view_first,
                                     .view_end = reading->succession->config->plan.view_count,
                                     .generation = before == NULL ? 0 : before->generation};
    enum result result;
    store_rows_ask(store, rows);
    while ((result = store_rows_take(store, rows)) == RESULT_BUSY) {
        if (!backfill_pause(reading->backfill)) {
            return RESULT_STOPPED;
        }
        reading->saves = backfill_logs_are_alive(reading->backfill);
        if (!reading->saves) {
            return RESULT_IO;
        }
    }
    return result;
}

/* The era's logs; a frame of the one that is read may go on behind what is. */
static void logs_make(const struct backfill_reading *reading, const struct replay_place *now,
                      struct backfill_place *out)
{
    out->begins = begins_of(reading);
    out->epoch = reading_era(reading)->first_epoch;
    out->log_count = (uint16_t)reading_era(reading)->shard_count;
    out->shard = (uint16_t)reading->shard;
    for (uint32_t i = 0; i < out->log_count; i++) {
        const struct reading_log *log = &reading->log[i];
        bool here = i == reading->shard;
        bool beyond = here && log->done_lsn > reading->last_lsn;
        out->log[i].done_lsn = beyond ? reading->last_lsn : log->done_lsn;
        out->log[i].planned = log->planned;
        memcpy(out->log[i].watermark_us, here ? now->watermark_us : log->watermark_us,
               sizeof(out->log[i].watermark_us));
    }
    out->turn_us = now->turn_us;
    memcpy(out->turn_watermark_us, now->turn_watermark_us, sizeof(out->turn_watermark_us));
}

static void histories_make(const struct backfill_reading *reading, const struct replay_place *now,
                           struct backfill_place *out)
{
    const struct succession *succession = reading->succession;
    for (uint32_t v = succession->view_first; v < succession->config->plan.view_count; v++) {
        struct replay_span *span = &out->history[v - succession->view_first];
        *span = reading->history[v];
        replay_span_merge(span, &now->history[v]);
    }
}

/* NULL: no memory. */
static struct backfill_place *place_make(const struct backfill_reading *reading,
                                         const struct checkpoint_rows *rows)
{
    struct replay_place now;
    struct backfill_place *place = heap_alloc(sizeof(*place));
    uint8_t *catalog = heap_alloc(CATALOG_BYTES_MAX);
    if (place == NULL || catalog == NULL) {
        heap_free(place);
        heap_free(catalog);
        return NULL;
    }
    memset(place, 0, sizeof(*place));
    replay_place(reading->replay, &now);
    place->plan = reading->succession->config->plan.fingerprint;
    place->corrections = corrections_of(reading);
    place->generation = rows->generation;
    place->bytes_done = reading->bytes_done;
    place->catalog = catalog;
    place->catalog_size = catalog_encode(now.catalog, catalog, CATALOG_BYTES_MAX);
    logs_make(reading, &now, place);
    histories_make(reading, &now, place);
    for (uint32_t i = 0; i < reading_appliance(reading)->shard_count; i++) {
        worker_filling_place(reading_appliance(reading)->worker[i], &place->stand[i].filling);
        place->stand[i].rows = rows->file[i];
    }
    return place;
}

/* What fails leaves the place before, and is tried again later; but for the end. */
static enum result place_keep(struct backfill_reading *reading)
{
    struct backfill *backfill = reading->backfill;
    struct checkpoint_rows rows;
    enum result result = reading_rings_await(reading);
    if (result != RESULT_OK || reading_is_refused(reading)) {
        return result;
    }
    result = rows_write(reading, &rows);
    if (result != RESULT_OK) {
        return result == RESULT_STOPPED ? result : RESULT_OK;
    }
    struct backfill_place *place = place_make(reading, &rows);
    if (place != NULL && backfill_keep_place(backfill, place) == RESULT_OK) {
        (void)pthread_mutex_lock(&backfill->lock);
        backfill->report.bytes_saved = place->bytes_done;
        (void)pthread_mutex_unlock(&backfill->lock);
    }
    return RESULT_OK;
}

enum result reading_place_keep(struct backfill_reading *reading)
{
    const struct clock *clock = &reading_appliance(reading)->clock;
    int64_t begin_us = clock_steady_us(clock);
    if (!reading->saves || begin_us < reading->save_next_us) {
        return RESULT_OK;
    }
    enum result result = place_keep(reading);
    int64_t end_us = clock_steady_us(clock);
    int64_t rest_us = KEEP_SHARE * (end_us - begin_us);
    reading->save_next_us =
        end_us + (rest_us > keep_interval_us(reading) ? rest_us : keep_interval_us(reading));
    return result;
}
