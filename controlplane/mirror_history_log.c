/* One shard's log of an era, opened at its first record that is kept; and how its failures read. */
#include "controlplane/log_reader_inside.h"
#include "controlplane/mirror_history_inside.h"
#include "controlplane/store_check.h"

enum result mirror_log_fail(const struct mirror_log *log, uint32_t shard, enum result result,
                            char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    const struct log_damage *damage = &log->damage;
    char first[STORE_LSN_SIZE_MAX];
    char last[STORE_LSN_SIZE_MAX];
    (void)store_lsn_format(damage->first_lsn, first);
    (void)store_lsn_format(damage->last_lsn, last);
    if (result == RESULT_CORRUPT && damage->is_gone) {
        return mirror_history_fail(error, result,
                                   "the log of shard %u keeps LSN %s to %s no longer, which it "
                                   "had when this began: run it again, or keep more of the mirror",
                                   shard, first, last);
    }
    if (result == RESULT_CORRUPT) {
        return mirror_history_fail(
            error, result,
            "the log of shard %u is damaged: segment %llu at byte %llu, LSN %s to %s: %s", shard,
            (unsigned long long)damage->segment, (unsigned long long)damage->place, first, last,
            damage->reason == NULL ? "an entry that no plan of its log explains" : damage->reason);
    }
    if (result == RESULT_NO_SPACE) {
        return mirror_history_fail(error, result,
                                   "the rows do not fit the memory: allow more by `--memory`");
    }
    return mirror_history_fail(error, result, "the log of shard %u cannot be read: %s", shard,
                               result_name(result));
}

enum result mirror_catalog_fail(const struct mirror_log *log, uint32_t shard, enum result result,
                                const struct catalog_conflict *conflict,
                                char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    if (result != RESULT_INVALID) {
        return mirror_log_fail(log, shard, result, error);
    }
    return mirror_history_fail(error, result,
                               "the definitions cannot read the mirror: stream `%s`%s%s: %s",
                               conflict->stream, conflict->field[0] == '\0' ? "" : ", field ",
                               conflict->field, conflict->reason);
}

enum result mirror_log_open(const struct mirror_history *own, const struct era *era, uint32_t shard,
                            struct mirror_log *log, char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    enum result result = mirror_era_log_open(own, era, shard, &log->reader);
    if (result != RESULT_OK) {
        return mirror_log_fail(log, shard, result, error);
    }
    uint64_t after_lsn = era->after_lsn[shard];
    uint32_t first = log_reader_segment_find(log->reader, after_lsn);
    uint32_t count = log_reader_segment_count(log->reader);
    if (count == 0 || log_reader_segment(log->reader, first)->before_lsn > after_lsn) {
        uint64_t kept =
            count == 0 ? era->last_lsn[shard] : log_reader_segment(log->reader, first)->before_lsn;
        log_damage_set(&log->damage, 0, 0, after_lsn + 1, kept, LOG_GONE_SENTENCE);
        log->damage.is_gone = true;
        return mirror_log_fail(log, shard, RESULT_CORRUPT, error);
    }
    log_reader_stop_set(log->reader, own->options.stop_asked, own->options.stop_context);
    log_cursor_init(&log->cursor, log->reader, after_lsn, era->last_lsn[shard]);
    return RESULT_OK;
}

void mirror_log_close(struct mirror_log *log)
{
    if (log->reader != NULL) {
        log_cursor_deinit(&log->cursor);
        log_reader_close(log->reader);
        log->reader = NULL;
    }
}

enum result mirror_home_again(const struct mirror_history *own, const struct era *era,
                              uint32_t home, struct history *history,
                              char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    uint64_t after = era->last_lsn[home];
    for (uint32_t owner = 0; owner < era->shard_count; owner++) {
        uint64_t had = history_forward_lsn(history, owner, home);
        after = owner != home && had < after ? had : after;
    }
    after = after < era->after_lsn[home] ? era->after_lsn[home] : after;
    struct mirror_log log = {0};
    enum result result = mirror_era_log_open(own, era, home, &log.reader);
    if (result != RESULT_OK) {
        return mirror_log_fail(&log, home, result, error);
    }
    log_cursor_init(&log.cursor, log.reader, after, era->last_lsn[home]);
    struct mirror_frame frame;
    const uint8_t *entries;
    while (result == RESULT_OK) {
        result = log_cursor_next(&log.cursor, &frame, &entries, &log.damage);
        uint32_t at = 0;
        struct mirror_entry entry;
        while (result == RESULT_OK &&
               mirror_entry_decode(entries, frame.size, &at, &entry) == RESULT_OK) {
            result = history_entry_again(history, home, &entry);
        }
        result = result == RESULT_OK ? history_entries_end(history) : result;
    }
    mirror_log_close(&log);
    return result == RESULT_NOT_FOUND ? RESULT_OK : mirror_log_fail(&log, home, result, error);
}
