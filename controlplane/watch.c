#include "controlplane/watch.h"

#include <stdatomic.h>
#include <string.h>

#include "controlplane/appliance.h"
#include "controlplane/backfill.h"
#include "controlplane/backfill_resume.h"
#include "controlplane/store.h"
#include "dataplane/base/units.h"
#include "dataplane/mirror_door.h"

static uint64_t drop_total(const struct appliance *appliance, enum drop drop)
{
    uint64_t total = 0;
    for (uint32_t shard = 0; shard < appliance->shard_count; shard++) {
        const struct counters *counters = worker_counters(appliance->worker[shard]);
        for (uint32_t stream = 0; stream <= STREAMS_MAX; stream++) {
            total += counter_read(&counters->stream[stream].shared_drop[drop]);
        }
        for (uint32_t view = 0; view < appliance_plan(appliance)->view_count; view++) {
            total += counter_read(&counters->view[view].shared_drop[drop]);
        }
    }
    return total;
}

/* One line per reason whose count grew, at most once per second each; not for what is normal. */
static void drops_look(struct watch *watch)
{
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        uint64_t total = drop_total(watch->appliance, (enum drop)drop);
        bool normal = drop == DROP_message_duplicate || drop == DROP_view_key_null ||
                      drop == DROP_event_history;
        if (total > watch->drops[drop] && !normal) {
            log_write(watch->log, LOG_LEVEL_WARNING, drop_name((enum drop)drop),
                      "%llu more not applied: %s; %s (freshet drops shows the last ones)",
                      (unsigned long long)(total - watch->drops[drop]),
                      drop_sentence((enum drop)drop), drop_hint((enum drop)drop));
        }
        watch->drops[drop] = total;
    }
}

static void logs_look(struct watch *watch)
{
    static const struct {
        enum log_level level;
        const char *event;
        const char *sentence;
    } says[] = {
        {LOG_LEVEL_INFO, "log_resumed", "takes records again"},
        {LOG_LEVEL_WARNING, "log_held",
         "waits for a segment: messages are refused until it has one"},
        {LOG_LEVEL_ERROR, "log_full", "the disk is full: messages are refused until there is room"},
        {LOG_LEVEL_ERROR, "log_failed",
         "the disk failed: reads go on, events are refused until a "
         "restart"},
    };
    for (uint32_t shard = 0; shard < watch->appliance->shard_count; shard++) {
        const struct mirror_shared *log = worker_mirror(watch->appliance->worker[shard]);
        uint32_t held = atomic_load_explicit(&log->shared_held, memory_order_relaxed);
        if (held != watch->held[shard] && held < ARRAY_COUNT(says)) {
            log_write(watch->log, says[held].level, says[held].event, "the log of shard %u %s",
                      shard, says[held].sentence);
        }
        watch->held[shard] = held;
    }
}

static void checkpoints_look(struct watch *watch, const struct store_report *report)
{
    if (report->checkpoint.failed > watch->checkpoints_failed) {
        log_write(
            watch->log, LOG_LEVEL_WARNING, "checkpoint_failed",
            "a checkpoint could not be written: %s; %llu so far, the newest is %llu, and the log "
            "keeps what came since (%llu MiB free)",
            result_name(report->checkpoint.failure), (unsigned long long)report->checkpoint.failed,
            (unsigned long long)report->checkpoint.generation,
            (unsigned long long)(report->free_bytes / MIB));
    }
    watch->checkpoints_failed = report->checkpoint.failed;
}

static void lake_look(struct watch *watch, const struct store_report *report)
{
    const struct lake_keeper_report *lake = &report->lake;
    uint64_t lost = lake->damaged + lake->missed;
    if (lake->failed > watch->lake_failed) {
        log_write(watch->log, LOG_LEVEL_WARNING, "lake_failed",
                  "the lake could not be written: %s; it is tried again",
                  lake->error == 0 ? "no memory" : strerror(lake->error));
    }
    if (lost > watch->lake_lost) {
        log_write(watch->log, LOG_LEVEL_ERROR, "lake_segment_lost",
                  "%llu segments will not be in the lake: %llu damaged (freshet verify), %llu let "
                  "go before",
                  (unsigned long long)lost, (unsigned long long)lake->damaged,
                  (unsigned long long)lake->missed);
    }
    watch->lake_failed = lake->failed;
    watch->lake_lost = lost;
}

/* Views by how they came back. */
static void views_count(const struct appliance *appliance, const struct recovery_report *recovery,
                        uint32_t count[RECOVERY_VIEW_EMPTY + 1])
{
    for (uint32_t v = 0; v < appliance->plan->view_count; v++) {
        count[recovery->view[v]]++;
    }
}

/* A backfill that the process before did not end. */
static void resume_write(const struct appliance *appliance, struct log *log)
{
    const struct backfill_resume *resume = appliance->resume;
    if (resume == NULL) {
        return;
    }
    if (resume->config != NULL) {
        log_write(log, LOG_LEVEL_INFO, "backfill_resumed",
                  "view %s is filled on, and what was served before is served meanwhile (freshet "
                  "backfill %s shows how far it is)",
                  resume->note.asked, resume->note.asked);
    } else {
        log_write(log, LOG_LEVEL_WARNING, "backfill_dropped", "the backfill%s%s does not go on: %s",
                  resume->note.asked[0] == '\0' ? "" : " of view ", resume->note.asked,
                  resume->why);
    }
}

/* Once: where a backfill goes on that the process before did not end. */
static void backfill_place_look(struct watch *watch, const struct backfill_report *report)
{
    bool reads = report->state >= BACKFILL_FILLING && report->state <= BACKFILL_DONE;
    if (watch->backfill_told || report->starts < 2 || !reads) {
        return;
    }
    watch->backfill_told = true;
    if (report->again[0] != '\0') {
        log_write(watch->log, LOG_LEVEL_INFO, "backfill_again",
                  "view %s is filled from the beginning of the mirror: %s", report->view,
                  report->again);
    } else {
        log_write(watch->log, LOG_LEVEL_INFO, "backfill_goes_on",
                  "view %s goes on behind %llu bytes of the mirror that were read", report->view,
                  (unsigned long long)report->bytes_kept);
    }
}

/* How it ended: one that goes on by itself has nobody else to tell. What never began is told to who
 * asked, at once. */
static void backfill_look(struct watch *watch)
{
    struct backfill_report report;
    backfill_report_read(watch->appliance->backfill, &report);
    backfill_place_look(watch, &report);
    bool begun = report.starts > 1 || report.version > 0;
    bool ended = report.state == BACKFILL_DONE || report.state == BACKFILL_FAILED;
    if (!begun || !ended || report.begin_us == watch->backfill_ended_us) {
        return;
    }
    watch->backfill_ended_us = report.begin_us;
    if (report.state == BACKFILL_DONE) {
        log_write(watch->log, LOG_LEVEL_INFO, "backfill_done",
                  "view %s has its history, in %.3f s; it is served, and a restart loads it",
                  report.view, (double)report.elapsed_us / (double)US_PER_SECOND);
    } else {
        log_write(watch->log, LOG_LEVEL_WARNING, "backfill_failed", "view %s is not filled: %s",
                  report.view, report.error);
    }
}

void watch_begin(struct watch *watch, const struct appliance *appliance, struct log *log)
{
    memset(watch, 0, sizeof(*watch));
    watch->appliance = appliance;
    watch->log = log;
    if (appliance->store == NULL) {
        return;
    }
    struct store_report report;
    uint32_t views[RECOVERY_VIEW_EMPTY + 1] = {0};
    store_report_read(appliance->store, &report);
    const struct recovery_report *recovery = report.recovery;
    views_count(appliance, recovery, views);
    if (recovery->fresh) {
        log_write(log, LOG_LEVEL_INFO, "store_new", "%s: nothing was there",
                  appliance->config->options.data_directory);
        return;
    }
    log_write(log, LOG_LEVEL_INFO, "recovered",
              "checkpoint %llu with %llu rows, then %llu records of the log, in %.3f s; views: %u "
              "loaded, %u rebuilt, %u empty, %u dropped",
              (unsigned long long)recovery->generation, (unsigned long long)recovery->rows,
              (unsigned long long)recovery->records, (double)report.load_us / (double)US_PER_SECOND,
              views[RECOVERY_VIEW_LOADED], views[RECOVERY_VIEW_REBUILT], views[RECOVERY_VIEW_EMPTY],
              recovery->dropped_count);
    resume_write(appliance, log);
    if (recovery->corrected_rows > 0) {
        log_write(log, LOG_LEVEL_INFO, "corrected",
                  "%llu rows were built anew, because events of theirs were corrected (freshet "
                  "correct list)",
                  (unsigned long long)recovery->corrected_rows);
    }
    if (recovery->manifests_refused > 0) {
        log_write(log, LOG_LEVEL_WARNING, "checkpoint_damaged",
                  "%u newer checkpoints are damaged and were passed over (freshet verify)",
                  recovery->manifests_refused);
    }
}

void watch_look(struct watch *watch)
{
    drops_look(watch);
    if (watch->appliance->store != NULL) {
        struct store_report report;
        store_report_read(watch->appliance->store, &report);
        logs_look(watch);
        checkpoints_look(watch, &report);
        lake_look(watch, &report);
        backfill_look(watch);
    }
}

void watch_end(const struct watch *watch)
{
    if (watch->appliance->config->options.data_directory[0] == '\0') {
        return;
    }
    if (watch->appliance->finished) {
        log_write(watch->log, LOG_LEVEL_INFO, "stopped", "a last checkpoint has all");
    } else {
        log_write(watch->log, LOG_LEVEL_WARNING, "stopped",
                  "without a last checkpoint: the next start replays the log");
    }
}
