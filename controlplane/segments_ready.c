/* Segments that are ready for the worker: new files, filled with zeros, and old ones under new
 * names. */
#include <string.h>

#include "controlplane/segments_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

/* New files are filled in slices; when nothing presses, one each while. */
#define SEGMENTS_SLICE_BYTES (4 * MIB)
#define SEGMENTS_SLICE_US    (50 * US_PER_MS)
/* A new file is filled that many times as fast as the current one, at least. */
#define SEGMENTS_FILL_LEAD 2u
uint32_t segments_ready_count(const struct segments *segments, uint32_t shard)
{
    const struct mirror_shared *log = worker_mirror(segments_worker(segments, shard));
    uint64_t current = atomic_load_explicit(&log->shared_segment, memory_order_relaxed);
    return segment_list_ready(&segments->shard[shard].list, current);
}

/* Removes what is of no more use; what stays is found and removed at the next start. */
static void file_discard(struct segments *segments, const char *name)
{
    enum result result = disk_remove(segments->options.disk, name);
    ASSERT(result != RESULT_INVALID);
}

/* The file's new name is durable before the worker gets it: records in it would else be lost with
 * the name. */
static enum result name_settle(struct segments *segments, const char *from, const char *name,
                               struct disk_file **out_file)
{
    struct disk *disk = segments->options.disk;
    enum result result = disk_rename(disk, from, name);
    if (result == RESULT_OK) {
        result = disk_folder_sync(disk, "");
    }
    if (result == RESULT_OK) {
        result = disk_file_open(disk, name, DISK_LOG, out_file);
    }
    return result;
}

enum result segments_ready_hand(struct segments *segments, uint32_t shard, const char *from)
{
    struct segment_list *list = &segments->shard[shard].list;
    enum result result = segment_list_reserve(list);
    if (result != RESULT_OK) {
        return result;
    }
    struct segment segment = {.number = ++list->number_last,
                              .bytes = segments->options.segment_bytes};
    char name[MIRROR_NAME_SIZE_MAX];
    mirror_name_format(shard, segment.number, name);
    result = name_settle(segments, from, name, &segment.file);
    if (result != RESULT_OK) {
        file_discard(segments, name);
        return result;
    }
    struct mirror_ready ready = {.number = segment.number, .file = segment.file};
    bool pushed = worker_mirror_ready_push(segments_worker(segments, shard), &ready);
    ASSERT(pushed); /* Its ring holds far more than SEGMENTS_READY_MAX. */
    segment_list_push(list, &segment);
    return RESULT_OK;
}

/* The file that is being filled, under a name that does not count. */
static void filling_name(const struct segments *segments, uint32_t shard,
                         char out[MIRROR_NAME_SIZE_MAX])
{
    mirror_name_format(shard, segments->shard[shard].list.number_last + 1, out);
    memcpy(strrchr(out, '.'), ".tmp", sizeof(".tmp"));
}

static enum result filling_begin(struct segments *segments, uint32_t shard)
{
    struct segments_shard *keeper = &segments->shard[shard];
    char name[MIRROR_NAME_SIZE_MAX];
    filling_name(segments, shard, name);
    enum result result = disk_remove(segments->options.disk, name);
    if (result != RESULT_OK && result != RESULT_NOT_FOUND) {
        return result;
    }
    keeper->filling_bytes = 0;
    return disk_file_open(segments->options.disk, name, DISK_CREATE, &keeper->filling);
}

/* Whether the next slice may not wait: the worker has none ready, or it fills its segment faster
 * than the next one is filled. */
static bool filling_is_urgent(const struct segments *segments, uint32_t shard)
{
    const struct mirror_shared *log = worker_mirror(segments_worker(segments, shard));
    uint64_t written = atomic_load_explicit(&log->shared_segment_bytes, memory_order_relaxed);
    return segments_ready_count(segments, shard) == 0 ||
           written * SEGMENTS_FILL_LEAD > segments->shard[shard].filling_bytes;
}

/* Adds a slice of zeros; a file that is whole goes to the worker. */
static enum result filling_step(struct segments *segments, uint32_t shard, uint64_t slice_bytes)
{
    struct segments_shard *keeper = &segments->shard[shard];
    uint64_t bytes = keeper->filling_bytes + slice_bytes;
    if (bytes > segments->options.segment_bytes) {
        bytes = segments->options.segment_bytes;
    }
    enum result result = disk_file_fill(keeper->filling, bytes);
    keeper->filling_bytes = bytes;
    if (result == RESULT_OK && bytes < segments->options.segment_bytes) {
        return RESULT_OK;
    }
    disk_file_close(keeper->filling);
    keeper->filling = NULL;
    char name[MIRROR_NAME_SIZE_MAX];
    filling_name(segments, shard, name);
    if (result == RESULT_OK) {
        result = segments_ready_hand(segments, shard, name);
    }
    if (result != RESULT_OK) {
        file_discard(segments, name);
    }
    return result;
}

/* Makes a whole new file and hands it to the worker. */
static enum result ready_fill(struct segments *segments, uint32_t shard)
{
    struct segments_shard *keeper = &segments->shard[shard];
    enum result result = keeper->filling == NULL ? filling_begin(segments, shard) : RESULT_OK;
    while (result == RESULT_OK && keeper->filling != NULL) {
        result = filling_step(segments, shard, segments->options.segment_bytes);
    }
    return result;
}

/* A slice that took long is followed by as long a pause: the thread writes checkpoints too. */
static bool filling_is_paced(struct segments_shard *keeper, int64_t now_us)
{
    int64_t since_us = sub_clamped(now_us, keeper->filled_us);
    if (!keeper->slice_timed) {
        keeper->slice_us = since_us < SEGMENTS_RETRY_US ? since_us : SEGMENTS_RETRY_US;
        keeper->slice_timed = true;
    }
    int64_t pace_us =
        2 * keeper->slice_us > SEGMENTS_SLICE_US ? 2 * keeper->slice_us : SEGMENTS_SLICE_US;
    return since_us >= 0 && since_us < pace_us;
}

void segments_ready_keep(struct segments *segments, uint32_t shard, int64_t now_us)
{
    struct segments_shard *keeper = &segments->shard[shard];
    if (keeper->filling == NULL && segments_ready_count(segments, shard) >= SEGMENTS_READY) {
        keeper->starved = false;
        return;
    }
    if (keeper->starved && !segments_retry_is_due(keeper->filled_us, now_us)) {
        return;
    }
    bool paced = filling_is_paced(keeper, now_us);
    if (paced && !keeper->starved && !filling_is_urgent(segments, shard)) {
        return;
    }
    enum result result = keeper->filling == NULL ? filling_begin(segments, shard) : RESULT_OK;
    if (result == RESULT_OK) {
        result = filling_step(segments, shard, SEGMENTS_SLICE_BYTES);
    }
    keeper->starved = result != RESULT_OK;
    keeper->filled_us = now_us;
    keeper->slice_timed = false;
}

/* Files that hold nothing go to the worker, as many as it may have; the others are removed. */
static enum result unused_hand(struct segments *segments, uint32_t shard)
{
    struct segment_list *unused = &segments->shard[shard].unused;
    while (unused->kept > 0) {
        char name[MIRROR_NAME_SIZE_MAX];
        mirror_name_format(shard, unused->segment[0].number, name);
        enum result result = segments_ready_count(segments, shard) < SEGMENTS_READY_MAX
                                 ? segments_ready_hand(segments, shard, name)
                                 : disk_remove(segments->options.disk, name);
        if (result != RESULT_OK) {
            return result;
        }
        segment_list_drop(unused);
    }
    return RESULT_OK;
}

enum result segments_ready_open(struct segments *segments, uint32_t shard)
{
    const struct mirror_shared *log = worker_mirror(segments_worker(segments, shard));
    segments->shard[shard].list.end_lsn =
        atomic_load_explicit(&log->shared_durable_lsn, memory_order_acquire);
    enum result result = unused_hand(segments, shard);
    if (result == RESULT_OK && segments_ready_count(segments, shard) == 0) {
        result = ready_fill(segments, shard);
    }
    return result;
}
