/* One thread's way through the logs of all shards, merged by apply time. */
#include <string.h>

#include "controlplane/log_reader_inside.h"
#include "controlplane/mirror_history_inside.h"
#include "dataplane/base/assert.h"
#include "drivers/memory.h"

/* A shard's log, at an entry. */
struct scan_log {
    struct log_reader *reader; /* NULL: nothing is kept of it. */
    struct log_cursor cursor;
    struct log_damage damage;
    struct mirror_frame frame;
    const uint8_t *entries; /* Of the frame; borrowed. */
    uint32_t at;            /* Behind the entry. */
    bool has_entry;
    struct mirror_entry entry;
};

struct scan {
    struct mirror_scan_run *run;
    struct mirror_history *own;
    struct history *history;
    const struct mirror_era *era; /* That is read. */
    struct scan_log *log;         /* SHARDS_MAX */
    struct catalog *catalog;
};

static enum result log_fail(struct scan *scan, uint32_t shard, enum result result)
{
    const struct log_damage *damage = &scan->log[shard].damage;
    char *error = scan->run->error;
    if (result == RESULT_CORRUPT && damage->is_gone) {
        return mirror_history_fail(error, result,
                                   "the log of shard %u keeps LSN %llu to %llu no longer, which it "
                                   "had when this began: run it again, or keep more of the mirror",
                                   shard, (unsigned long long)damage->first_lsn,
                                   (unsigned long long)damage->last_lsn);
    }
    if (result == RESULT_CORRUPT) {
        return mirror_history_fail(
            error, result,
            "the log of shard %u is damaged: segment %llu at byte %llu, LSN %llu to %llu: %s",
            shard, (unsigned long long)damage->segment, (unsigned long long)damage->place,
            (unsigned long long)damage->first_lsn, (unsigned long long)damage->last_lsn,
            damage->reason == NULL ? "an entry that no plan of its log explains" : damage->reason);
    }
    if (result == RESULT_NO_SPACE) {
        return mirror_history_fail(error, result,
                                   "the rows do not fit the memory: allow more by `--memory`");
    }
    return mirror_history_fail(error, result, "the log of shard %u cannot be read: %s", shard,
                               result_name(result));
}

/* Moves a log to its next entry, if it has one. */
static enum result log_step(struct scan *scan, uint32_t shard)
{
    struct scan_log *log = &scan->log[shard];
    for (;;) {
        if (log->entries != NULL) {
            enum result result =
                mirror_entry_decode(log->entries, log->frame.size, &log->at, &log->entry);
            if (result == RESULT_OK) {
                log->has_entry = true;
                return RESULT_OK;
            }
            if (result != RESULT_NOT_FOUND) {
                return log_fail(scan, shard, result);
            }
            atomic_fetch_add_explicit(&scan->own->shared_done, mirror_frame_bytes(log->frame.size),
                                      memory_order_relaxed);
        }
        enum result result =
            log_cursor_next(&log->cursor, &log->frame, &log->entries, &log->damage);
        log->at = 0;
        log->has_entry = false;
        if (result == RESULT_NOT_FOUND) {
            log->entries = NULL;
            return RESULT_OK;
        }
        if (result != RESULT_OK) {
            return log_fail(scan, shard, result);
        }
    }
}

static enum result catalog_take(struct scan *scan, uint32_t shard, const struct catalog *catalog)
{
    struct catalog_conflict conflict;
    enum result result = history_catalog(scan->history, shard, catalog, &conflict);
    if (result == RESULT_INVALID) {
        return mirror_history_fail(scan->run->error, result,
                                   "the definitions cannot read the mirror: stream `%s`%s%s: %s",
                                   conflict.stream, conflict.field[0] == '\0' ? "" : ", field ",
                                   conflict.field, conflict.reason);
    }
    return result == RESULT_OK ? RESULT_OK : log_fail(scan, shard, result);
}

static enum result log_open(struct scan *scan, uint32_t shard)
{
    struct scan_log *log = &scan->log[shard];
    enum result result = mirror_era_log_open(scan->own, scan->era, shard, &log->reader);
    if (result != RESULT_OK) {
        return log_fail(scan, shard, result);
    }
    uint64_t after_lsn = scan->era->after_lsn[shard];
    uint32_t first = log_reader_segment_find(log->reader, after_lsn);
    uint32_t count = log_reader_segment_count(log->reader);
    if (count == 0 || log_reader_segment(log->reader, first)->before_lsn > after_lsn) {
        uint64_t kept = count == 0 ? scan->era->last_lsn[shard]
                                   : log_reader_segment(log->reader, first)->before_lsn;
        log_damage_set(&log->damage, 0, 0, after_lsn + 1, kept, LOG_GONE_SENTENCE);
        log->damage.is_gone = true;
        return log_fail(scan, shard, RESULT_CORRUPT);
    }
    log_reader_stop_set(log->reader, scan->own->options.stop_asked,
                        scan->own->options.stop_context);
    log_cursor_init(&log->cursor, log->reader, scan->era->after_lsn[shard],
                    scan->era->last_lsn[shard]);
    log->entries = NULL;
    return RESULT_OK;
}

static void log_close(struct scan *scan, uint32_t shard)
{
    struct scan_log *log = &scan->log[shard];
    if (log->reader != NULL) {
        log_cursor_deinit(&log->cursor);
        log_reader_close(log->reader);
        log->reader = NULL;
    }
}

/* What a home's owners never logged, of an era that ended: the store was opened with another number
 * of shards then, and took it from the home's log. */
static enum result home_again(struct scan *scan, uint32_t home)
{
    const struct mirror_era *era = scan->era;
    uint64_t after = era->last_lsn[home];
    for (uint32_t owner = 0; owner < era->shard_count; owner++) {
        uint64_t had = history_forward_lsn(scan->history, owner, home);
        after = owner != home && had < after ? had : after;
    }
    after = after < era->after_lsn[home] ? era->after_lsn[home] : after;
    struct log_reader *reader;
    struct log_cursor cursor;
    enum result result = mirror_era_log_open(scan->own, era, home, &reader);
    if (result != RESULT_OK) {
        return log_fail(scan, home, result);
    }
    log_cursor_init(&cursor, reader, after, era->last_lsn[home]);
    struct mirror_frame frame;
    const uint8_t *entries;
    while (result == RESULT_OK) {
        result = log_cursor_next(&cursor, &frame, &entries, &scan->log[home].damage);
        uint32_t at = 0;
        struct mirror_entry entry;
        while (result == RESULT_OK &&
               mirror_entry_decode(entries, frame.size, &at, &entry) == RESULT_OK) {
            result = history_entry_again(scan->history, home, &entry);
        }
    }
    log_cursor_deinit(&cursor);
    log_reader_close(reader);
    return result == RESULT_NOT_FOUND ? RESULT_OK : log_fail(scan, home, result);
}

static enum result entry_give(struct scan *scan, uint32_t shard)
{
    const struct mirror_entry *entry = &scan->log[shard].entry;
    if (entry->kind == MIRROR_PLAN) {
        enum result result = catalog_decode(entry->note, entry->note_size, scan->catalog);
        return result == RESULT_OK ? catalog_take(scan, shard, scan->catalog)
                                   : log_fail(scan, shard, RESULT_CORRUPT);
    }
    enum result result = history_entry(scan->history, shard, entry);
    return result == RESULT_OK ? RESULT_OK : log_fail(scan, shard, result);
}

/* The log whose entry is next, and the T up to which it stays so; -1: all are at their ends. */
static int next_log(const struct scan *scan, int64_t *out_until_us)
{
    int next = -1;
    *out_until_us = INT64_MAX;
    for (uint32_t shard = 0; shard < scan->era->shard_count; shard++) {
        const struct scan_log *log = &scan->log[shard];
        if (!log->has_entry) {
            continue;
        }
        if (next < 0 || log->entry.apply_us < scan->log[next].entry.apply_us) {
            *out_until_us = next < 0 ? INT64_MAX : scan->log[next].entry.apply_us;
            next = (int)shard;
        } else if (log->entry.apply_us < *out_until_us) {
            *out_until_us = log->entry.apply_us;
        }
    }
    return next;
}

static enum result logs_merge(struct scan *scan)
{
    enum result result = RESULT_OK;
    int64_t until_us;
    for (int next; result == RESULT_OK && (next = next_log(scan, &until_us)) >= 0;) {
        struct scan_log *log = &scan->log[next];
        do {
            result = entry_give(scan, (uint32_t)next);
            result = result == RESULT_OK ? log_step(scan, (uint32_t)next) : result;
        } while (result == RESULT_OK && log->has_entry && log->entry.apply_us <= until_us);
    }
    return result;
}

/* The logs of one era, from the first entry that is kept to the end. */
static enum result era_scan(struct scan *scan)
{
    const struct mirror_era *era = scan->era;
    enum result result = RESULT_OK;
    history_shards_set(scan->history, era->shard_count);
    for (uint32_t shard = 0; result == RESULT_OK && shard < era->shard_count; shard++) {
        if (era->last_lsn[shard] <= era->after_lsn[shard]) {
            continue;
        }
        result = log_open(scan, shard);
        if (result == RESULT_OK && scan->own->first != NULL) {
            result = catalog_take(scan, shard, scan->own->first);
        }
        result = result == RESULT_OK ? log_step(scan, shard) : result;
    }
    result = result == RESULT_OK ? logs_merge(scan) : result;
    bool ended = era != &scan->own->era[scan->own->era_count - 1] && !era->has_hole;
    for (uint32_t home = 0;
         result == RESULT_OK && ended && era->shard_count > 1 && home < era->shard_count; home++) {
        result = home_again(scan, home);
    }
    for (uint32_t shard = 0; shard < era->shard_count; shard++) {
        log_close(scan, shard);
        scan->log[shard].has_entry = false;
    }
    return result;
}

static enum result logs_scan(struct scan *scan)
{
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < scan->own->era_count; i++) {
        scan->era = &scan->own->era[i];
        result = era_scan(scan);
    }
    return result;
}

enum result mirror_history_scan(struct mirror_scan_run *run)
{
    struct scan scan = {.run = run, .own = run->own, .history = run->history};
    scan.log = heap_alloc_lines(SHARDS_MAX * sizeof(*scan.log));
    scan.catalog = heap_alloc(sizeof(*scan.catalog));
    enum result result = RESULT_NO_MEMORY;
    bool more = scan.log != NULL && scan.catalog != NULL;
    while (more) {
        result = logs_scan(&scan);
        if (result != RESULT_OK) {
            break;
        }
        result = history_end(run->history, &more);
        if (result != RESULT_OK) {
            result = log_fail(&scan, 0, result);
            break;
        }
        if (more) {
            atomic_fetch_add_explicit(&run->own->shared_all, run->own->range.bytes,
                                      memory_order_relaxed);
        }
    }
    heap_free(scan.log);
    heap_free(scan.catalog);
    return result;
}
