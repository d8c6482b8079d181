/* Eras of a mirror: runs of epochs with one number of shards, and what is kept of their logs. Under
 * another number the logs go on by the same names. */
#include <string.h>

#include "controlplane/mirror_history_inside.h"
#include "drivers/memory.h"

/* A running appliance may write while the end of a log is looked for. */
#define END_TRIES 4u

static void era_add(struct mirror_history *history, uint32_t epoch, uint32_t shard_count,
                    const uint64_t *cut)
{
    struct mirror_era *next = &history->era[history->era_count];
    if (history->era_count == 0 || next[-1].shard_count != shard_count) {
        *next = (struct mirror_era){.first_epoch = history->era_count == 0 ? 0 : epoch,
                                    .shard_count = shard_count};
        history->era_count++;
        next++;
    }
    next[-1].last_epoch = epoch;

    if (cut != NULL) {
        memcpy(next[-1].last_lsn, cut, shard_count * sizeof(*cut));
    }
}

enum result mirror_log_reader_open(const struct mirror_history *history, uint32_t shard,
                                   struct log_reader **out_reader)
{
    const uint8_t *store_id = history->epochs.store_id;
    return history->options.log_only
               ? log_reader_open(history->disk, store_id, shard, out_reader)
               : log_reader_open_all(history->disk, store_id, shard, out_reader);
}

enum result mirror_era_log_open(const struct mirror_history *history, const struct mirror_era *era,
                                uint32_t shard, struct log_reader **out_reader)
{
    bool last = era == &history->era[history->era_count - 1];
    enum result result = mirror_log_reader_open(history, shard, out_reader);
    if (result == RESULT_OK) {
        log_reader_epochs_set(*out_reader, era->first_epoch, last ? EPOCH_MAX : era->last_epoch,
                              era->shard_count);
    }
    return result;
}

/* Begin and end of one log of an era. RESULT_NOT_FOUND: nothing is kept of it. */
static enum result log_look(struct mirror_history *history, struct mirror_era *era, uint32_t shard,
                            struct log_damage *damage)
{
    struct mirror_range *range = &history->range;
    bool last = era == &history->era[history->era_count - 1];
    struct log_reader *reader;
    uint32_t kept = 0;
    enum result result = mirror_era_log_open(history, era, shard, &reader);
    if (result != RESULT_OK) {
        return result;
    }
    uint32_t count = log_reader_segment_count(reader);
    result = count == 0 ? RESULT_NOT_FOUND : log_reader_kept(reader, &kept);
    struct log_end end = {.lsn = era->last_lsn[shard], .apply_us = INT64_MIN};
    if (result == RESULT_OK && last) {
        result =
            log_reader_end(reader, log_reader_segment(reader, count - 1)->before_lsn, &end, damage);
    }
    if (result == RESULT_OK) {
        const struct mirror_segment *oldest = log_reader_segment(reader, kept);
        bool cut = lsn_number(oldest->before_lsn) != 0;
        era->after_lsn[shard] = oldest->before_lsn;
        era->last_lsn[shard] = end.lsn;
        era->begin_us = oldest->created_us < era->begin_us ? oldest->created_us : era->begin_us;
        range->until_us = end.apply_us > range->until_us ? end.apply_us : range->until_us;
        range->since_us =
            cut && oldest->created_us > range->since_us ? oldest->created_us : range->since_us;
        for (uint32_t s = kept; s < count; s++) {
            range->bytes += log_reader_segment(reader, s)->size_bytes;
        }
    }
    log_reader_close(reader);
    /* A segment went meanwhile: the next try has the others. */
    return result == RESULT_NOT_FOUND && count > 0 ? RESULT_CORRUPT : result;
}

static enum result log_find(struct mirror_history *history, struct mirror_era *era, uint32_t shard,
                            char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    struct log_damage damage = {.reason = "it changes while it is read"};
    enum result result = RESULT_CORRUPT;
    for (uint32_t i = 0; i < END_TRIES && result == RESULT_CORRUPT; i++) {
        result = log_look(history, era, shard, &damage);
    }
    if (result == RESULT_NOT_FOUND) {
        era->has_hole = true;
        era->last_lsn[shard] = 0;
        return RESULT_OK;
    }
    return result == RESULT_OK
               ? RESULT_OK
               : mirror_history_fail(
                     error, result, "the log of shard %u cannot be read: %s (see `freshet verify`)",
                     shard, result == RESULT_CORRUPT ? damage.reason : result_name(result));
}

enum result mirror_eras_find(struct mirror_history *history,
                             char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    const struct epochs *epochs = &history->epochs;
    history->era = heap_alloc((epochs->cut_count + 1) * sizeof(*history->era));
    if (history->era == NULL) {
        return mirror_history_fail(error, RESULT_NO_MEMORY, "no memory");
    }
    for (uint32_t i = 0; i < epochs->cut_count; i++) {
        era_add(history, epochs->cut[i].epoch, epochs->cut[i].shard_count, epochs->cut[i].cut);
    }
    if (epochs->epoch > 0 &&
        (epochs->cut_count == 0 || epochs->cut[epochs->cut_count - 1].epoch < epochs->epoch)) {
        era_add(history, epochs->epoch, epochs->shard_count, NULL);
    }
    for (uint32_t i = 0; i < history->era_count; i++) {
        struct mirror_era *era = &history->era[i];
        era->begin_us = INT64_MAX;
        for (uint32_t shard = 0; shard < era->shard_count; shard++) {
            enum result result = log_find(history, era, shard, error);
            if (result != RESULT_OK) {
                return result;
            }
        }
        /* What is gone of an era is missing up to the next one's begin. */
        bool hole = i > 0 && history->era[i - 1].has_hole && era->begin_us != INT64_MAX;
        history->range.since_us = hole && era->begin_us > history->range.since_us
                                      ? era->begin_us
                                      : history->range.since_us;
    }
    return RESULT_OK;
}
