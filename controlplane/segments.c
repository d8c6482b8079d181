#include "controlplane/segments.h"

#include <stdio.h>
#include <string.h>

#include "controlplane/segments_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

/* Old segments become ready ones up to here, ahead of need: manifests let them go some at a time,
 * and a file that is there costs a rename, a new one all its bytes. */
#define SEGMENTS_READY_MAX (2 * SEGMENTS_READY)
/* New files are filled in slices; when nothing presses, one each while. */
#define SEGMENTS_SLICE_BYTES (4 * MIB)
#define SEGMENTS_SLICE_US    (50 * US_PER_MS)
/* A new file is filled that many times as fast as the current one, at least. */
#define SEGMENTS_FILL_LEAD 2u
/* Between tries at what failed. */
#define SEGMENTS_RETRY_US US_PER_SECOND

static struct worker *worker_of(const struct segments *segments, uint32_t shard)
{
    return segments->options.workers[shard];
}

static uint32_t ready_count(const struct segments *segments, uint32_t shard)
{
    const struct mirror_shared *log = worker_mirror(worker_of(segments, shard));
    uint64_t current = atomic_load_explicit(&log->shared_segment, memory_order_relaxed);
    return segment_list_ready(&segments->shard[shard].list, current);
}

static bool retry_is_due(int64_t since_us, int64_t now_us)
{
    return now_us < since_us || now_us - since_us >= SEGMENTS_RETRY_US;
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

/* Hands the file `from` to the worker, under the shard's next number. After a failure the file may
 * be gone; the number is used up, as nobody knows what has it. */
static enum result ready_hand(struct segments *segments, uint32_t shard, const char *from)
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
    bool pushed = worker_mirror_ready_push(worker_of(segments, shard), &ready);
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
    const struct mirror_shared *log = worker_mirror(worker_of(segments, shard));
    uint64_t written = atomic_load_explicit(&log->shared_segment_bytes, memory_order_relaxed);
    return ready_count(segments, shard) == 0 ||
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
        result = ready_hand(segments, shard, name);
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

/* Fills one if the shard has too few, and it was not in vain a moment ago: in slices, so that
 * commits are not kept waiting behind hundreds of megabytes of zeros. */
static void ready_keep(struct segments *segments, uint32_t shard, int64_t now_us)
{
    struct segments_shard *keeper = &segments->shard[shard];
    if (keeper->filling == NULL && ready_count(segments, shard) >= SEGMENTS_READY) {
        keeper->starved = false;
        return;
    }
    if (keeper->starved && !retry_is_due(keeper->filled_us, now_us)) {
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
        enum result result = ready_count(segments, shard) < SEGMENTS_READY_MAX
                                 ? ready_hand(segments, shard, name)
                                 : disk_remove(segments->options.disk, name);
        if (result != RESULT_OK) {
            return result;
        }
        segment_list_drop(unused);
    }
    return RESULT_OK;
}

static enum result shard_open(struct segments *segments, uint32_t shard)
{
    const struct mirror_shared *log = worker_mirror(worker_of(segments, shard));
    segments->shard[shard].list.end_lsn =
        atomic_load_explicit(&log->shared_durable_lsn, memory_order_acquire);
    enum result result = unused_hand(segments, shard);
    if (result == RESULT_OK && ready_count(segments, shard) == 0) {
        result = ready_fill(segments, shard);
    }
    return result;
}

enum result segments_open(const struct segments_options *options, int64_t now_us,
                          struct segments **out_segments)
{
    ASSERT(options->shard_count <= SHARDS_MAX);
    struct segments *segments = heap_alloc_lines(sizeof(*segments));
    if (segments == NULL) {
        return RESULT_NO_MEMORY;
    }
    segments->options = *options;
    enum result result = segments_found(segments, now_us);
    for (uint32_t i = 0; result == RESULT_OK && i < options->shard_count; i++) {
        result = shard_open(segments, i);
    }
    if (result != RESULT_OK) {
        segments_close(segments);
        return result;
    }
    *out_segments = segments;
    return RESULT_OK;
}

void segments_close(struct segments *segments)
{
    for (uint32_t i = 0; segments != NULL && i < SHARDS_MAX; i++) {
        disk_file_close(segments->shard[i].filling);
        segment_list_deinit(&segments->shard[i].list);
        segment_list_deinit(&segments->shard[i].unused);
    }
    heap_free(segments);
}

static void sealed_take(struct segments *segments, uint32_t shard, int64_t now_us)
{
    struct mirror_sealed sealed;
    while (worker_mirror_sealed_pop(worker_of(segments, shard), &sealed)) {
        if (sealed.apply_us == 0) {
            sealed.apply_us = now_us; /* No record became durable in this life. */
        }
        segment_list_seal(&segments->shard[shard].list, &sealed);
    }
}

/* Below it no manifest needs a segment of the shard. A shard of an earlier count has no manifest of
 * its own: it is not needed when all logs that are begin behind what was found at start. */
static uint64_t released_below(const struct segments *segments, uint32_t shard)
{
    uint32_t count = segments->options.shard_count;
    if (shard < count) {
        return segments->shard[shard].released;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (segments->shard[i].released <= segments->shard[i].number_found) {
            return segments->shard[shard].released;
        }
    }
    return UINT64_MAX;
}

static uint64_t kept_bytes(const struct segments *segments)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        bytes += segments->shard[i].list.kept_bytes;
    }
    return bytes;
}

/* The shard whose oldest segment is the oldest of all that are not needed; SHARDS_MAX when there is
 * none, or that one is to be kept for its own sake. */
static uint32_t old_find(const struct segments *segments, int64_t now_us)
{
    const struct segment *oldest = NULL;
    uint32_t shard = SHARDS_MAX;
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        const struct segment_list *list = &segments->shard[i].list;
        if (list->kept > 0 && list->segment[0].number < released_below(segments, i) &&
            (oldest == NULL || list->segment[0].apply_us < oldest->apply_us)) {
            oldest = &list->segment[0];
            shard = i;
        }
    }
    bool goes =
        oldest != NULL && (sub_clamped(now_us, oldest->apply_us) > segments->options.keep_us ||
                           kept_bytes(segments) > segments->options.keep_bytes);
    return goes ? shard : SHARDS_MAX;
}

static enum result old_archive(struct segments *segments, uint32_t shard, const char *name)
{
    const struct segments_options *options = &segments->options;
    char to[DISK_NAME_SIZE_MAX];
    int size = snprintf(to, sizeof(to), "%s/%s", options->archive, name);
    ASSERT(size > 0 && (size_t)size < sizeof(to));
    enum result result = disk_rename(options->disk, name, to);
    if (result == RESULT_NOT_FOUND) {
        /* The file is gone, or somebody took the folder away. */
        result = disk_folder_make(options->disk, options->archive);
        if (result == RESULT_OK) {
            result = disk_rename(options->disk, name, to);
        }
    }
    if (result == RESULT_OK) {
        result = disk_folder_sync(options->disk, options->archive);
    }
    if (result == RESULT_OK) {
        result = disk_folder_sync(options->disk, "");
    }
    segments->shard[shard].archived += result == RESULT_OK;
    return result;
}

static bool old_is_useful(const struct segments *segments, uint32_t shard)
{
    const struct segment *old = &segments->shard[shard].list.segment[0];
    return shard < segments->options.shard_count && !old->broken &&
           old->bytes == segments->options.segment_bytes &&
           ready_count(segments, shard) < SEGMENTS_READY_MAX;
}

/* Lets the shard's oldest segment go: to the archive, to the worker again, or for good. */
static enum result old_release(struct segments *segments, uint32_t shard)
{
    struct segments_shard *keeper = &segments->shard[shard];
    char name[MIRROR_NAME_SIZE_MAX];
    mirror_name_format(shard, keeper->list.segment[0].number, name);
    enum result result;
    if (segments->options.archive[0] != '\0') {
        result = old_archive(segments, shard, name);
    } else if (old_is_useful(segments, shard)) {
        result = ready_hand(segments, shard, name);
        keeper->recycled += result == RESULT_OK;
    } else {
        result = disk_remove(segments->options.disk, name);
    }
    if (result == RESULT_OK || result == RESULT_NOT_FOUND) {
        /* Not found: an earlier try went further than it said. */
        segment_list_drop(&keeper->list);
        return RESULT_OK;
    }
    return result;
}

static void old_step(struct segments *segments, int64_t now_us)
{
    if (segments->stuck && !retry_is_due(segments->stuck_us, now_us)) {
        return;
    }
    segments->stuck = false;
    uint32_t shard = old_find(segments, now_us);
    while (shard < SHARDS_MAX && !segments->stuck) {
        segments->stuck = old_release(segments, shard) != RESULT_OK;
        segments->stuck_us = now_us;
        shard = old_find(segments, now_us);
    }
}

void segments_step(struct segments *segments, int64_t now_us)
{
    uint32_t count = segments->options.shard_count;
    for (uint32_t i = 0; i < count; i++) {
        sealed_take(segments, i, now_us);
    }
    old_step(segments, now_us);
    for (uint32_t i = 0; i < count; i++) {
        ready_keep(segments, i, now_us);
    }
}

void segments_release(struct segments *segments, uint32_t shard, uint64_t first_segment)
{
    ASSERT(shard < SHARDS_MAX);
    if (first_segment > segments->shard[shard].released) {
        segments->shard[shard].released = first_segment;
    }
}

uint64_t segments_find(const struct segments *segments, uint32_t shard, uint64_t lsn)
{
    return segment_list_find(&segments->shard[shard].list, lsn);
}

void segments_report_read(const struct segments *segments, uint32_t shard,
                          struct segments_report *out)
{
    const struct segments_shard *keeper = &segments->shard[shard];
    const struct segment_list *list = &keeper->list;
    *out = (struct segments_report){.kept = list->kept,
                                    .kept_bytes = list->kept_bytes,
                                    .archived = keeper->archived,
                                    .recycled = keeper->recycled,
                                    .starved = keeper->starved};
    if (shard < segments->options.shard_count) {
        out->ready = ready_count(segments, shard);
    }
    if (list->kept > 0) {
        out->oldest_lsn = list->segment[0].first_lsn;
        out->oldest_us = list->segment[0].apply_us;
    }
}
