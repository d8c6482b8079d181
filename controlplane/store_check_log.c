#include <inttypes.h>
#include <stdio.h>

#include "controlplane/store_check_inside.h"
#include "controlplane/store_segment.h"

static void break_describe(const struct store_segment *segment, const struct store_break *at,
                           uint32_t shard, char *out, size_t size)
{
    char first[STORE_LSN_SIZE_MAX];
    char last[STORE_LSN_SIZE_MAX];
    if (segment->break_count == 0) {
        (void)snprintf(out, size,
                       "the file is shorter than the %" PRIu64
                       " bytes of the segment; good up to LSN %s",
                       segment->segment.size_bytes, store_lsn_format(segment->last_lsn, last));
        return;
    }
    (void)snprintf(out, size,
                   "at %" PRIu64 ": %s; good again at %" PRIu64
                   ": LSN %s to %s of shard %u cannot be read (%u breaks)",
                   at->place, mirror_find_sentence(at->find), at->next_place,
                   store_lsn_format(at->first_lsn, first), store_lsn_format(at->last_lsn, last),
                   shard, segment->break_count);
}

static void segment_damage_put(struct store_check *check, const struct store_name *name,
                               const struct store_file *file, struct store_segment *segment)
{
    const struct shard_log *log = &check->log[name->shard];
    char text[STORE_TEXT_SIZE_MAX / 2 + 64];
    struct store_line line = store_line_of(name, STORE_DAMAGED);
    if (segment->header != RESULT_OK && log->begun) {
        segment->damage.first_lsn = log->last_lsn + 1; /* The log before it says where it began. */
    }
    if (segment->break_count > 0) {
        line.lost_first_lsn = segment->damage.first_lsn;
        line.lost_last_lsn = segment->damage.last_lsn;
    }
    break_describe(segment, &segment->damage, name->shard, text, sizeof(text));
    store_damage_put(check, file, &line, text);
}

static void segment_line_put(struct store_check *check, const struct store_name *name,
                             const struct store_segment *segment)
{
    char first[STORE_LSN_SIZE_MAX];
    char last[STORE_LSN_SIZE_MAX];
    struct store_line line = store_line_of(name, STORE_GOOD);
    if (segment->state == STORE_SEGMENT_EMPTY) {
        line.state = STORE_EMPTY;
        store_line_put(check, &line, "not begun");
        return;
    }
    bool torn = segment->state == STORE_SEGMENT_TORN;
    line.state = torn ? STORE_TORN : STORE_GOOD;
    if (segment->header != RESULT_OK) {
        store_line_put(check, &line, "its header is torn, and nothing stands behind it");
        return;
    }
    if (segment->frame_count > 0) {
        line.first_lsn = segment->segment.first_lsn;
        line.last_lsn = segment->last_lsn;
    }
    store_line_put(check, &line, "%u frames, LSN %s to %s; ends at %" PRIu64 ": %s",
                   segment->frame_count, store_lsn_format(segment->segment.first_lsn, first),
                   store_lsn_format(segment->last_lsn, last), segment->end.place,
                   mirror_find_sentence(segment->end.find));
}

/* The last LSN of a segment that was walked before: it may have grown since. */
static uint64_t segment_last_again(struct store_check *check, const struct store_name *name,
                                   uint64_t last_lsn)
{
    char path[STORE_PATH_SIZE_MAX];
    struct store_file file;
    struct store_segment segment;
    (void)snprintf(path, sizeof(path), "%s/%s", check->path, name->name);
    if (store_file_open(&file, path) != RESULT_OK) {
        return UINT64_MAX; /* Gone: nothing can be said about it any more. */
    }
    store_segment_check(&file, name->shard, name->number, NULL, NULL, &segment);
    store_file_close(&file);
    return segment.last_lsn > last_lsn ? segment.last_lsn : last_lsn;
}

/* Whether it goes on where the segment before it ends: under another number of shards a log begins
 * anew, also when that number was another one only in between. */
static bool segment_follows(const struct shard_log *log, const struct mirror_segment *segment)
{
    return log->begun && segment->shard_count == log->shard_count &&
           lsn_number(segment->before_lsn) != 0;
}

/* The segment against the one before it. A torn end is none when the next segment names its last
 * good LSN: recovery has seen it. */
static void log_check(struct store_check *check, const struct store_name *name,
                      const struct store_segment *segment)
{
    struct shard_log *log = &check->log[name->shard];
    struct store_line line = store_line_of(name, STORE_DAMAGED);
    char first[STORE_LSN_SIZE_MAX];
    char last[STORE_LSN_SIZE_MAX];
    if (log->begun && segment->segment.first_lsn <= log->first_lsn) {
        store_line_put(check, &line, "begins at LSN %s, not behind %s, which begins at %s",
                       store_lsn_format(segment->segment.first_lsn, first), log->name->name,
                       store_lsn_format(log->first_lsn, last));
    } else if (segment_follows(log, &segment->segment) &&
               segment->segment.before_lsn > log->last_lsn) {
        uint64_t last_lsn = segment_last_again(check, log->name, log->last_lsn);
        if (segment->segment.before_lsn > last_lsn) {
            line.lost_first_lsn = last_lsn + 1;
            line.lost_last_lsn = segment->segment.before_lsn;
            store_line_put(check, &line,
                           "the log before it ends in %s: LSN %s to %s of shard %u are missing",
                           log->name->name, store_lsn_format(line.lost_first_lsn, first),
                           store_lsn_format(line.lost_last_lsn, last), name->shard);
        }
    }
    if (!log->begun) {
        log->before_lsn = segment->segment.before_lsn;
    }
    log->begun = true;
    log->first_lsn = segment->segment.first_lsn;
    log->last_lsn = segment->last_lsn;
    log->shard_count = segment->segment.shard_count;
    log->name = name;
}

void store_check_segment(struct store_check *check, const struct store_name *name)
{
    char path[STORE_PATH_SIZE_MAX];
    struct store_file file;
    struct store_segment segment;
    if (!store_check_open(check, name, path, &file)) {
        return;
    }
    store_segment_check(&file, name->shard, name->number, NULL, NULL, &segment);
    bool begun = segment.header == RESULT_OK && segment.state != STORE_SEGMENT_EMPTY;
    if (begun && !store_check_is_same(check, segment.segment.store_id)) {
        struct store_line line = store_line_of(name, STORE_DAMAGED);
        store_damage_put(check, &file, &line, "it is of another store");
        begun = false;
    } else if (segment.state == STORE_SEGMENT_DAMAGED) {
        segment_damage_put(check, name, &file, &segment);
    } else {
        segment_line_put(check, name, &segment);
    }
    if (begun && store_file_is_named(&file)) {
        log_check(check, name, &segment);
    }
    store_file_close(&file);
}

void store_check_replay(struct store_check *check)
{
    char name[MANIFEST_NAME_SIZE_MAX];
    char first[STORE_LSN_SIZE_MAX];
    char last[STORE_LSN_SIZE_MAX];
    manifest_name_format(check->newest->generation, name);
    for (uint32_t s = 0; s < check->newest->shard_count; s++) {
        const struct manifest_shard *shard = &check->newest->shard[s];
        const struct shard_log *log = &check->log[s];
        struct store_line line = {.name = name, .shard = (int32_t)s, .state = STORE_DAMAGED};
        if (log->begun && log->before_lsn > shard->replay_lsn) {
            line.lost_first_lsn = shard->replay_lsn + 1;
            line.lost_last_lsn = log->before_lsn;
        } else if (log->begun && log->last_lsn < shard->end_lsn &&
                   lsn_number(shard->end_lsn) != 0) {
            line.lost_first_lsn = log->last_lsn + 1;
            line.lost_last_lsn = shard->end_lsn;
        } else {
            continue;
        }
        store_line_put(check, &line,
                       "its replay needs LSN %s to %s of shard %u, which no segment holds",
                       store_lsn_format(line.lost_first_lsn, first),
                       store_lsn_format(line.lost_last_lsn, last), s);
    }
}

void store_check_cut(struct store_check *check)
{
    const struct epochs *epochs = check->epochs;
    char first[STORE_LSN_SIZE_MAX];
    char last[STORE_LSN_SIZE_MAX];
    if (epochs->cut_count == 0) {
        return;
    }
    const struct epoch_cut *cut = &epochs->cut[epochs->cut_count - 1];
    for (uint32_t s = 0; s < cut->shard_count; s++) {
        const struct shard_log *log = &check->log[s];
        struct store_line line = {.name = EPOCHS_NAME, .shard = (int32_t)s, .state = STORE_DAMAGED};
        if (log->begun && log->last_lsn < cut->cut[s] && lsn_number(cut->cut[s]) != 0) {
            line.lost_first_lsn = log->last_lsn + 1;
            line.lost_last_lsn = cut->cut[s];
            store_line_put(check, &line,
                           "its cut says that LSN %s to %s of shard %u are durable, and no segment "
                           "holds them",
                           store_lsn_format(line.lost_first_lsn, first),
                           store_lsn_format(line.lost_last_lsn, last), s);
        }
    }
}
