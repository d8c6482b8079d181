/* One thread's way through the logs of all shards, merged by apply time. */
#include <string.h>

#include "controlplane/mirror_history_inside.h"
#include "dataplane/base/assert.h"
#include "drivers/memory.h"

/* A shard's log, at an entry. */
struct scan_log {
    struct mirror_log log;
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
    const struct era *era; /* That is read. */
    struct scan_log *log;  /* SHARDS_MAX */
    struct catalog *catalog;
};

static enum result log_fail(struct scan *scan, uint32_t shard, enum result result)
{
    return mirror_log_fail(&scan->log[shard].log, shard, result, scan->run->error);
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
            log_cursor_next(&log->log.cursor, &log->frame, &log->entries, &log->log.damage);
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

static enum result catalog_take(struct scan *scan, uint32_t shard, const struct catalog *catalog,
                                bool unrouted)
{
    struct catalog_conflict conflict;
    enum result result = history_catalog(scan->history, shard, catalog, unrouted, &conflict);
    return result == RESULT_OK ? result
                               : mirror_catalog_fail(&scan->log[shard].log, shard, result,
                                                     &conflict, scan->run->error);
}

static enum result entry_give(struct scan *scan, uint32_t shard)
{
    const struct mirror_entry *entry = &scan->log[shard].entry;
    if (entry->kind == MIRROR_PLAN) {
        enum result result = catalog_decode(entry->note, entry->note_size, scan->catalog);
        return result == RESULT_OK
                   ? catalog_take(scan, shard, scan->catalog, mirror_plan_is_unrouted(entry))
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
    const struct era *era = scan->era;
    enum result result = RESULT_OK;
    history_shards_set(scan->history, era->shard_count);
    for (uint32_t shard = 0; result == RESULT_OK && shard < era->shard_count; shard++) {
        if (era->last_lsn[shard] <= era->after_lsn[shard]) {
            continue;
        }
        scan->log[shard].entries = NULL;
        result = mirror_log_open(scan->own, era, shard, &scan->log[shard].log, scan->run->error);
        if (result == RESULT_OK && scan->own->newest != NULL) {
            result = catalog_take(scan, shard, &scan->own->newest->catalog,
                                  /* unrouted= */ false);
        }
        result = result == RESULT_OK ? log_step(scan, shard) : result;
    }
    result = result == RESULT_OK ? logs_merge(scan) : result;
    bool ended = mirror_era_ended(scan->own, era);
    for (uint32_t home = 0;
         result == RESULT_OK && ended && era->shard_count > 1 && home < era->shard_count; home++) {
        result = mirror_home_again(scan->own, era, home, scan->history, scan->run->error);
    }
    for (uint32_t shard = 0; shard < era->shard_count; shard++) {
        mirror_log_close(&scan->log[shard].log);
        scan->log[shard].has_entry = false;
    }
    return result;
}

static enum result logs_scan(struct scan *scan)
{
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < scan->own->eras.count; i++) {
        scan->era = &scan->own->eras.era[i];
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
