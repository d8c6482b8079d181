/* Which corrections a read of the mirror regards. Serving regards those that were made before it
 * was started: an epoch's corrections count from the next start on. So what was served before stays
 * what it was, and as_true has them all. */
#include <string.h>

#include "controlplane/mirror_history_inside.h"
#include "drivers/memory.h"

/* When a start first told that it had built the rows of a correction; INT64_MAX: none has. */
static int64_t rebuilt_first(const struct mirror_history *history, uint64_t number)
{
    int64_t first_us = INT64_MAX;
    for (uint32_t i = 0; i < history->corrections.count; i++) {
        const struct correction *record = &history->corrections.record[i];
        if (record->kind == CORRECTION_REBUILT && record->number >= number) {
            first_us = record->made_us < first_us ? record->made_us : first_us;
        }
    }
    return first_us;
}

/* When the first epoch behind that of a correction began: no later than its first segment did;
 * INT64_MAX: there is none yet. */
static enum result next_begin(struct mirror_history *history, const struct correction *record,
                              int64_t *out_us)
{
    uint32_t epoch = record->epoch;
    *out_us = rebuilt_first(history, record->number);
    for (uint32_t shard = 0; shard < history->log_count; shard++) {
        struct log_reader *reader;
        enum result result = mirror_log_reader_open(history, shard, &reader);
        if (result != RESULT_OK) {
            return result;
        }
        for (uint32_t i = 0; i < log_reader_segment_count(reader); i++) {
            const struct mirror_segment *segment = log_reader_segment(reader, i);
            if (segment->epoch > epoch && segment->created_us < *out_us) {
                *out_us = segment->created_us;
            }
        }
        log_reader_close(reader);
    }
    return RESULT_OK;
}

static bool level_is_known(const struct mirror_history *history, uint32_t epoch)
{
    for (uint32_t i = 0; i < history->level_count; i++) {
        if (history->level[i].epoch == epoch) {
            return true;
        }
    }
    return false;
}

enum result mirror_levels_find(struct mirror_history *history,
                               char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    enum result result =
        corrections_load(history->disk, history->epochs.store_id, &history->corrections);
    if (result != RESULT_OK) {
        return mirror_history_fail(error, result, "%s: the file `%s` cannot be read: %s",
                                   history->options.directory, CORRECTIONS_NAME,
                                   result_name(result));
    }
    uint32_t count = history->corrections.count;
    history->level = heap_alloc((count + 1) * sizeof(*history->level));
    history->item = heap_alloc((count + 1) * sizeof(*history->item));
    if (history->level == NULL || history->item == NULL) {
        return mirror_history_fail(error, RESULT_NO_MEMORY, "no memory");
    }
    /* Oldest first, so by epoch. */
    for (uint32_t i = 0; result == RESULT_OK && i < count; i++) {
        const struct correction *record = &history->corrections.record[i];
        if (record->kind == CORRECTION_REBUILT || level_is_known(history, record->epoch)) {
            continue;
        }
        struct mirror_level *level = &history->level[history->level_count++];
        level->epoch = record->epoch;
        result = next_begin(history, record, &level->since_us);
    }
    return result == RESULT_OK
               ? RESULT_OK
               : mirror_history_fail(error, result, "%s: cannot be read: %s",
                                     history->options.directory, result_name(result));
}

uint32_t mirror_level_of(const struct mirror_history *history, const struct history_read *read)
{
    uint32_t level = 0;
    if (history->has_number) {
        return level;
    }
    int64_t known_us = read->asked_us > read->known_us ? read->asked_us : read->known_us;
    while (level < history->level_count &&
           (history->options.mode == HISTORY_TRUE || history->level[level].since_us < known_us)) {
        level++;
    }
    return level;
}

void mirror_level_enter(struct mirror_history *history, uint32_t level)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->corrections.count; i++) {
        const struct correction *record = &history->corrections.record[i];
        bool counts = history->has_number
                          ? record->number <= history->number_last
                          : level > 0 && record->epoch <= history->level[level - 1].epoch;
        if (counts && record->kind != CORRECTION_REBUILT) {
            history->item[count++] = *record;
        }
    }
    correction_set_init(&history->set, history->item, count);
}

void mirror_history_corrections_set(struct mirror_history *history, uint64_t number_last)
{
    history->has_number = true;
    history->number_last = number_last;
}
