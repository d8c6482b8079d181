/* The eras of a mirror, and begin and end of their logs. */
#include "controlplane/mirror_history_inside.h"

/* A running appliance may write while the end of a log is looked for. */
#define END_TRIES 4u

enum result mirror_log_reader_open(const struct mirror_history *history, uint32_t shard,
                                   struct log_reader **out_reader)
{
    const uint8_t *store_id = history->epochs.store_id;
    return history->options.log_only
               ? log_reader_open(history->disk, store_id, shard, out_reader)
               : log_reader_open_all(history->disk, store_id, shard, out_reader);
}

enum result mirror_era_log_open(const struct mirror_history *history, const struct era *era,
                                uint32_t shard, struct log_reader **out_reader)
{
    return era_log_open(history->disk, history->epochs.store_id, era, shard,
                        !history->options.log_only, out_reader);
}

/* Begin and end of one log of an era. */
static enum result log_look(struct mirror_history *history, struct era *era, uint32_t shard,
                            struct log_damage *damage)
{
    bool last = era == &history->eras.era[history->eras.count - 1];
    struct log_reader *reader;
    uint32_t kept = 0;
    enum result result = mirror_era_log_open(history, era, shard, &reader);
    if (result != RESULT_OK) {
        return result;
    }
    uint32_t count = log_reader_segment_count(reader);
    result = log_reader_kept(reader, &kept);
    struct log_end end = {.lsn = era->last_lsn[shard], .apply_us = INT64_MIN};
    if (result == RESULT_OK && count > 0 && last) {
        result =
            log_reader_end(reader, log_reader_segment(reader, count - 1)->before_lsn, &end, damage);
    }
    if (result == RESULT_OK) {
        struct mirror_range *range = &history->range;
        era_log_note(era, shard, reader, kept);
        era->last_lsn[shard] = end.lsn;
        range->until_us = end.apply_us > range->until_us ? end.apply_us : range->until_us;
        range->bytes += log_reader_bytes(reader, kept);
    }
    log_reader_close(reader);
    /* A segment went meanwhile: the next try has the others. */
    return result == RESULT_NOT_FOUND ? RESULT_CORRUPT : result;
}

static enum result log_find(struct mirror_history *history, struct era *era, uint32_t shard,
                            char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    struct log_damage damage = {.reason = "it changes while it is read"};
    enum result result = RESULT_CORRUPT;
    for (uint32_t i = 0; i < END_TRIES && result == RESULT_CORRUPT; i++) {
        result = log_look(history, era, shard, &damage);
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
    struct eras *eras = &history->eras;
    struct mirror_range *range = &history->range;
    eras_of_epochs(&history->epochs, /* running= */ true, eras);
    for (uint32_t i = 0; i < eras->count; i++) {
        struct era *era = &eras->era[i];
        for (uint32_t shard = 0; shard < era->shard_count; shard++) {
            enum result result = log_find(history, era, shard, error);
            if (result != RESULT_OK) {
                return result;
            }
        }
    }
    range->since_us = eras_since_us(eras, range->since_us, range->since_us);
    return RESULT_OK;
}
