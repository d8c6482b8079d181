#include "controlplane/replay_records.h"

#include <string.h>

#include "controlplane/log_cursor.h"
#include "controlplane/recovery_eras.h"
#include "drivers/memory.h"

/* A shard's log of the era, at a message. */
struct record_log {
    struct log_cursor cursor;
    struct mirror_frame frame;
    const uint8_t *entries; /* Of the frame; NULL: none yet, or no more. */
    uint32_t at;            /* Behind the message. */
    bool has_message;
    struct mirror_entry message;
};

struct replay_records {
    struct disk *disk;
    struct recovery_copy copy;
    struct recovery *recovery;
    struct recovery_eras *eras;
    uint32_t era; /* The one that is read; count: no more. */
    bool is_open; /* Its logs are. */
    struct recovery_era_logs logs;
    struct record_log log[SHARDS_MAX];
    int given; /* Shard whose message was given last; -1: none. */
    uint64_t done_bytes;
    uint64_t all_bytes;
};

static enum result source_open(struct replay_records *records, const char *directory,
                               const struct plan *plan, char error[REPLAY_RECORDS_ERROR_SIZE_MAX])
{
    const struct disk_options disk = {
        .driver = DISK_DRIVER_THREADS, .directory = directory, .read_only = true};
    char why[DISK_ERROR_SIZE_MAX];
    enum result result = disk_open(&disk, &records->disk, why);
    if (result != RESULT_OK) {
        return recovery_fail(error, result, "%s", why);
    }
    records->copy.view = -1;
    const struct recovery_options options = {
        .disk = records->disk, .plan = plan, .shard_count = 1, .copy = &records->copy};
    char text[RECOVERY_ERROR_SIZE_MAX];
    result = recovery_open(&options, &records->recovery, text);
    if (result == RESULT_OK) {
        result = recovery_eras_find(records->recovery, records->eras, text);
    }
    return result == RESULT_OK
               ? RESULT_OK
               : recovery_fail(error, result == RESULT_INVALID ? RESULT_UNSUPPORTED : result,
                               "%.140s: %.360s", directory, text);
}

static enum result bytes_sum(struct replay_records *records,
                             char error[REPLAY_RECORDS_ERROR_SIZE_MAX])
{
    for (uint32_t i = 0; i < records->eras->all.count; i++) {
        struct recovery_era_logs logs;
        struct era *era = &records->eras->all.era[i];
        enum result result =
            recovery_era_open(records->recovery, era, /* lenient= */ false, &logs, error);
        if (result != RESULT_OK) {
            return result;
        }
        for (uint32_t shard = 0; shard < era->shard_count; shard++) {
            records->all_bytes += log_reader_bytes(logs.range[shard].log, 0);
        }
        recovery_era_close(&logs);
    }
    return RESULT_OK;
}

enum result replay_records_open(const char *directory, const struct plan *plan,
                                struct replay_records **out_records,
                                char error[REPLAY_RECORDS_ERROR_SIZE_MAX])
{
    struct replay_records *records = heap_alloc(sizeof(*records));
    if (records == NULL) {
        return recovery_fail(error, RESULT_NO_MEMORY, "no memory");
    }
    memset(records, 0, sizeof(*records));
    records->given = -1;
    records->eras = heap_alloc(sizeof(*records->eras));
    enum result result = records->eras == NULL ? recovery_fail(error, RESULT_NO_MEMORY, "no memory")
                                               : source_open(records, directory, plan, error);
    result = result == RESULT_OK ? bytes_sum(records, error) : result;
    if (result != RESULT_OK) {
        replay_records_close(records);
        return result;
    }
    *out_records = records;
    return RESULT_OK;
}

static void era_leave(struct replay_records *records)
{
    for (uint32_t i = 0; records->is_open && i < SHARDS_MAX; i++) {
        log_cursor_deinit(&records->log[i].cursor);
        records->log[i] = (struct record_log){0};
    }
    recovery_era_close(&records->logs);
    records->is_open = false;
    records->given = -1;
}

void replay_records_close(struct replay_records *records)
{
    if (records != NULL) {
        era_leave(records);
        recovery_close(records->recovery);
        disk_close(records->disk);
        heap_free(records->eras);
        heap_free(records);
    }
}

void replay_records_rewind(struct replay_records *records)
{
    era_leave(records);
    records->era = 0;
    records->done_bytes = 0;
}

/* Moves a shard's log to its next message, if it has one. */
static enum result log_step(struct replay_records *records, uint32_t shard,
                            char error[REPLAY_RECORDS_ERROR_SIZE_MAX])
{
    struct record_log *log = &records->log[shard];
    struct log_damage damage = {.reason = "an entry that its format does not allow"};
    enum result result = RESULT_NOT_FOUND;
    log->has_message = false;
    for (;;) {
        while (log->entries != NULL &&
               (result = mirror_entry_decode(log->entries, log->frame.size, &log->at,
                                             &log->message)) == RESULT_OK) {
            if (log->message.kind == MIRROR_MESSAGE) {
                log->has_message = true;
                return RESULT_OK;
            }
        }
        if (result == RESULT_NOT_FOUND) {
            result = log_cursor_next(&log->cursor, &log->frame, &log->entries, &damage);
            log->at = 0;
            records->done_bytes += result == RESULT_OK ? mirror_frame_bytes(log->frame.size) : 0;
        }
        if (result == RESULT_NOT_FOUND) {
            log->entries = NULL;
            return RESULT_OK;
        }
        if (result == RESULT_CORRUPT) {
            return recovery_fail_damage(records->recovery, shard, &damage, error);
        }
        if (result != RESULT_OK) {
            return recovery_fail(error, result, "the log of shard %u cannot be read: %s", shard,
                                 result_name(result));
        }
        result = RESULT_NOT_FOUND;
    }
}

static enum result era_enter(struct replay_records *records,
                             char error[REPLAY_RECORDS_ERROR_SIZE_MAX])
{
    struct era *era = &records->eras->all.era[records->era];
    enum result result =
        recovery_era_open(records->recovery, era, /* lenient= */ false, &records->logs, error);
    for (uint32_t shard = 0; result == RESULT_OK && shard < era->shard_count; shard++) {
        const struct recovery_range *range = &records->logs.range[shard];
        log_cursor_init(&records->log[shard].cursor, range->log, range->after_lsn, range->last_lsn);
    }
    records->is_open = result == RESULT_OK;
    for (uint32_t shard = 0; result == RESULT_OK && shard < era->shard_count; shard++) {
        result = log_step(records, shard, error);
    }
    return result;
}

/* The shard whose message was applied first; -1: the era is over. */
static int log_next(const struct replay_records *records)
{
    int next = -1;
    for (int shard = 0; shard < SHARDS_MAX; shard++) {
        const struct record_log *log = &records->log[shard];
        if (log->has_message &&
            (next < 0 || log->message.apply_us < records->log[next].message.apply_us)) {
            next = shard;
        }
    }
    return next;
}

enum result replay_records_next(struct replay_records *records, struct mirror_entry *out_message,
                                uint32_t *out_shard, char error[REPLAY_RECORDS_ERROR_SIZE_MAX])
{
    enum result result = RESULT_OK;
    if (records->given >= 0) {
        result = log_step(records, (uint32_t)records->given, error);
        records->given = -1;
    }
    while (result == RESULT_OK && records->era < records->eras->all.count) {
        if (!records->is_open) {
            result = era_enter(records, error);
            continue;
        }
        records->given = log_next(records);
        if (records->given >= 0) {
            *out_message = records->log[records->given].message;
            *out_shard = (uint32_t)records->given;
            return RESULT_OK;
        }
        era_leave(records);
        records->era++;
    }
    return result == RESULT_OK ? RESULT_NOT_FOUND : result;
}

const struct correction_set *replay_records_corrections(const struct replay_records *records)
{
    return &records->recovery->corrections.set;
}

uint64_t replay_records_done(const struct replay_records *records)
{
    return records->done_bytes;
}

uint64_t replay_records_bytes(const struct replay_records *records)
{
    return records->all_bytes;
}
