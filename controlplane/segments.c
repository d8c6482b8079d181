#include "controlplane/segments.h"

#include <stdio.h>
#include <string.h>

#include "controlplane/archives.h"
#include "controlplane/segments_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

enum result segments_open(const struct segments_options *options, int64_t now_us,
                          struct segments **out_segments)
{
    ASSERT(options->shard_count <= SHARDS_MAX);
    struct segments *segments = heap_alloc_lines(sizeof(*segments));
    if (segments == NULL) {
        return RESULT_NO_MEMORY;
    }
    segments->options = *options;
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        segments->shard[i].held = UINT64_MAX;
    }
    enum result result = segments_found(segments, now_us);
    for (uint32_t i = 0; result == RESULT_OK && i < options->shard_count; i++) {
        result = segments_ready_open(segments, i);
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
    while (worker_mirror_sealed_pop(segments_worker(segments, shard), &sealed)) {
        if (sealed.apply_us == 0) {
            sealed.apply_us = now_us; /* No record became durable in this life. */
        }
        segment_list_seal(&segments->shard[shard].list, &sealed);
    }
}

/* Below it no manifest needs a segment of the shard. A shard of an earlier count has no manifest of
 * its own: it is not needed when all logs that are begin behind what was found at start. */
static uint64_t manifests_released_below(const struct segments *segments, uint32_t shard)
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

/* And nobody reads it. */
static uint64_t released_below(const struct segments *segments, uint32_t shard)
{
    uint64_t released = manifests_released_below(segments, shard);
    uint64_t held = segments->shard[shard].held;
    return held < released ? held : released;
}

static uint64_t kept_bytes(const struct segments *segments)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        bytes += segments->shard[i].list.kept_bytes;
    }
    return bytes;
}

/* Whether the lake lacks the shard's oldest segment, and there is room to wait for it. */
static bool lake_holds(const struct segments *segments, uint32_t shard)
{
    const struct segments_options *options = &segments->options;
    return options->lake &&
           segments->shard[shard].list.segment[0].number >= segments->shard[shard].laked &&
           kept_bytes(segments) / SEGMENTS_LAKE_FACTOR <= options->keep_bytes;
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
            !lake_holds(segments, i) &&
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
        result = archives_folder_make(options->disk, options->archive);
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
           segments_ready_count(segments, shard) < SEGMENTS_READY_MAX;
}

/* Lets the shard's oldest segment go: to the archive, to the worker again, or for good. */
static enum result old_release(struct segments *segments, uint32_t shard)
{
    struct segments_shard *keeper = &segments->shard[shard];
    char name[MIRROR_NAME_SIZE_MAX];
    uint64_t number = keeper->list.segment[0].number;
    mirror_name_format(shard, number, name);
    enum result result;
    if (segments->options.archive[0] != '\0') {
        result = old_archive(segments, shard, name);
    } else if (old_is_useful(segments, shard)) {
        result = segments_ready_hand(segments, shard, name);
        keeper->recycled += result == RESULT_OK;
    } else {
        result = disk_remove(segments->options.disk, name);
    }
    if (result == RESULT_OK || result == RESULT_NOT_FOUND) {
        /* Not found: an earlier try went further than it said. */
        segments->lake_missed += segments->options.lake && number >= keeper->laked;
        segment_list_drop(&keeper->list);
        return RESULT_OK;
    }
    return result;
}

static void old_step(struct segments *segments, int64_t now_us)
{
    if (segments->stuck && !segments_retry_is_due(segments->stuck_us, now_us)) {
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
        segments_ready_keep(segments, i, now_us);
    }
}

void segments_release(struct segments *segments, uint32_t shard, uint64_t first_segment)
{
    ASSERT(shard < SHARDS_MAX);
    if (first_segment > segments->shard[shard].released) {
        segments->shard[shard].released = first_segment;
    }
}

void segments_hold(struct segments *segments, uint32_t shard, uint64_t first_segment)
{
    ASSERT(shard < SHARDS_MAX);
    segments->shard[shard].held = first_segment;
}

void segments_lake_needs(struct segments *segments, uint32_t shard, uint64_t first_segment)
{
    ASSERT(shard < SHARDS_MAX);
    segments->shard[shard].laked = first_segment;
}

uint64_t segments_lake_missed(const struct segments *segments)
{
    return segments->lake_missed;
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
        out->ready = segments_ready_count(segments, shard);
    }
    if (list->kept > 0) {
        out->oldest_lsn = list->segment[0].first_lsn;
        out->oldest_us = list->segment[0].apply_us;
    }
}
