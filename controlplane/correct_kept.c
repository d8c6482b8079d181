/* How far back the rows of a correction can be built anew. */
#include <stdio.h>

#include "controlplane/correct.h"
#include "controlplane/store_segment.h"

static bool shard_was(const struct epochs *epochs, uint32_t shard, uint32_t epoch)
{
    for (uint32_t i = 0; i < epochs->cut_count; i++) {
        if (epochs->cut[i].epoch < epoch && epochs->cut[i].shard_count > shard) {
            return true;
        }
    }
    return false;
}

/* The LSN that a segment ends with; 0 when that cannot be read: then what follows it is a hole. */
static uint64_t segment_last_lsn(const char *directory, const struct store_log_segment *segment)
{
    char path[STORE_LOG_PATH_SIZE_MAX];
    struct store_file file;
    struct store_segment found;
    (void)snprintf(path, sizeof(path), "%s/%s", directory, segment->name);
    if (store_file_open(&file, path) != RESULT_OK) {
        return 0;
    }
    store_segment_check(&file, segment->header.shard, segment->header.number, NULL, NULL, &found);
    bool good = file.error == 0;
    store_file_close(&file);
    return good ? found.last_lsn : 0;
}

/* Whether records before a segment are missing. Where numbers follow one another none went; they do
 * not where a process ended with others made ready, or where segments went from between. */
static bool segment_is_cut(const char *directory, const struct store_log *log, uint32_t index,
                           const struct epochs *epochs)
{
    const struct store_log_segment *segment = &log->segment[index];
    const struct mirror_segment *header = &segment->header;
    if (index == 0 || segment[-1].header.shard != header->shard) {
        uint64_t before = header->before_lsn;
        return before != 0 &&
               (lsn_number(before) != 0 || shard_was(epochs, header->shard, lsn_epoch(before)));
    }
    const struct mirror_segment *last = &segment[-1].header;
    return header->number != last->number + 1 && header->shard_count == last->shard_count &&
           segment_last_lsn(directory, &segment[-1]) < header->before_lsn;
}

int64_t correct_kept_since_us(const char *directory, const struct store_log *log,
                              const struct epochs *epochs)
{
    int64_t since_us = INT64_MIN;
    for (uint32_t i = 0; i < log->segment_count; i++) {
        const struct mirror_segment *header = &log->segment[i].header;
        if (header->created_us > since_us && segment_is_cut(directory, log, i, epochs)) {
            since_us = header->created_us;
        }
    }
    return since_us;
}
