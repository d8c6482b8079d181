/* The segments of a directory, and under which plans their events were written. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/quarantine_inside.h"
#include "controlplane/store_file.h"
#include "dataplane/feature/manifest.h"
#include "dataplane/feature/mirror_scan.h"
#include "drivers/memory.h"

/* An epoch's plan stands in its first frames. */
#define PLAN_FRAMES_MAX 8u

const struct catalog_stream *quarantine_stream_of(const struct quarantine *quarantine, uint16_t id,
                                                  uint32_t epoch)
{
    const struct quarantine_plan *best = NULL;
    for (uint32_t i = 0; i < quarantine->plan_count; i++) {
        const struct quarantine_plan *plan = &quarantine->plan[i];
        if (plan->stream.id != id) {
            continue;
        }
        bool first = best == NULL;
        bool fits = plan->epoch <= epoch;
        bool best_fits = !first && best->epoch <= epoch;
        bool nearer = !first && (fits ? plan->epoch >= best->epoch : plan->epoch < best->epoch);
        if (first || (fits && !best_fits) || (fits == best_fits && nearer)) {
            best = plan;
        }
    }
    return best == NULL ? NULL : &best->stream;
}

static bool plan_is_known(const struct quarantine *quarantine, const struct catalog_stream *stream,
                          uint32_t epoch)
{
    const struct catalog_stream *known = quarantine_stream_of(quarantine, stream->id, epoch);
    return known != NULL && known->fingerprint == stream->fingerprint &&
           strcmp(known->name, stream->name) == 0;
}

static bool plans_add(struct quarantine *quarantine, const struct catalog *catalog, uint32_t epoch)
{
    for (uint32_t i = 0; i < catalog->stream_count; i++) {
        if (plan_is_known(quarantine, &catalog->stream[i], epoch)) {
            continue;
        }
        struct quarantine_plan *plans = heap_realloc(
            quarantine->plan, (quarantine->plan_count + 1) * sizeof(*quarantine->plan));
        if (plans == NULL) {
            return false;
        }
        quarantine->plan = plans;
        plans[quarantine->plan_count++] =
            (struct quarantine_plan){.epoch = epoch, .stream = catalog->stream[i]};
    }
    return true;
}

/* The plan among the first frames of an epoch's first segment; none when that is kept no longer. */
static bool epoch_plan_read(struct quarantine_walk *walk, struct store_file *file,
                            const struct mirror_segment *segment, struct catalog *catalog)
{
    struct mirror_scan scan;
    struct mirror_frame frame;
    mirror_scan_init(&scan, segment);
    for (uint32_t i = 0; i < PLAN_FRAMES_MAX; i++) {
        uint64_t count;
        const uint8_t *data = store_file_view(file, scan.place, MIRROR_FRAME_BYTES_MAX, &count);
        if (mirror_scan_next(&scan, data, count, &frame) != MIRROR_FIND_frame) {
            return true;
        }
        struct mirror_entry entry;
        uint32_t at = 0;
        while (mirror_entry_decode(data + MIRROR_FRAME_HEADER, frame.size, &at, &entry) ==
               RESULT_OK) {
            if (entry.kind == MIRROR_PLAN &&
                catalog_decode(entry.note, entry.note_size, catalog) == RESULT_OK) {
                return plans_add(walk->quarantine, catalog, lsn_epoch(entry.lsn));
            }
        }
    }
    return true;
}

static bool segment_add(struct quarantine_walk *walk, const struct store_name *name,
                        const struct mirror_segment *segment)
{
    struct quarantine_segment *segments =
        heap_realloc(walk->segments, (walk->segment_count + 1) * sizeof(*walk->segments));
    if (segments == NULL) {
        return false;
    }
    walk->segments = segments;
    struct quarantine_segment *added = &segments[walk->segment_count++];
    *added = (struct quarantine_segment){.shard = segment->shard,
                                         .epoch = segment->epoch,
                                         .number = segment->number,
                                         .first_lsn = segment->first_lsn,
                                         .created_us = segment->created_us};
    mirror_name_format(name->shard, name->number, added->name);
    return true;
}

/* A segment that was begun, with the plan when its epoch begins there. Others are passed over. */
static enum result segment_read(struct quarantine_walk *walk, const struct store_name *name,
                                struct catalog *catalog)
{
    char path[QUARANTINE_PATH_SIZE_MAX];
    struct store_file file;
    struct mirror_segment segment;
    uint64_t count;
    (void)snprintf(path, sizeof(path), "%s/%s", walk->directory, name->name);
    enum result result = store_file_open(&file, path);
    if (result != RESULT_OK) {
        return result == RESULT_NOT_FOUND ? RESULT_OK : result;
    }
    const uint8_t *block = store_file_view(&file, 0, MIRROR_BLOCK_BYTES, &count);
    bool begun = mirror_segment_decode(block, count, &segment) == RESULT_OK &&
                 segment.shard == name->shard && segment.number == name->number;
    const struct quarantine_segment *before =
        walk->segment_count == 0 ? NULL : &walk->segments[walk->segment_count - 1];
    bool begins = before == NULL || before->shard != name->shard || before->epoch != segment.epoch;
    bool good = !begun || ((!begins || epoch_plan_read(walk, &file, &segment, catalog)) &&
                           segment_add(walk, name, &segment));
    store_file_close(&file);
    return good ? RESULT_OK : RESULT_NO_MEMORY;
}

static bool manifest_read(const char *path, struct manifest *manifest)
{
    struct store_file file;
    uint64_t count;
    if (store_file_open(&file, path) != RESULT_OK) {
        return false;
    }
    const uint8_t *data = store_file_view(&file, 0, STORE_FILE_WINDOW, &count);
    bool good = manifest_decode(data, (uint32_t)count, manifest) == RESULT_OK;
    store_file_close(&file);
    return good;
}

/* The newest good manifest: its plan is there when the log that began with it is not. */
static enum result manifests_read(struct quarantine_walk *walk,
                                  const struct store_directory *directory)
{
    char path[QUARANTINE_PATH_SIZE_MAX];
    struct manifest *manifest = heap_alloc(sizeof(*manifest));
    bool good = manifest != NULL;
    for (uint32_t i = 0; good && i < directory->count; i++) {
        if (directory->name[i].kind != STORE_NAME_MANIFEST) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", walk->directory, directory->name[i].name);
        if (manifest_read(path, manifest)) {
            good = plans_add(walk->quarantine, &manifest->catalog, manifest->epoch);
            break;
        }
    }
    heap_free(manifest);
    return good ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result quarantine_segments_read(struct quarantine_walk *walk)
{
    struct store_directory directory;
    *walk->quarantine = (struct quarantine){0};
    enum result result = store_directory_read(&directory, walk->directory);
    if (result != RESULT_OK) {
        return result;
    }
    struct catalog *catalog = heap_alloc(sizeof(*catalog));
    result = catalog == NULL ? RESULT_NO_MEMORY : RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < directory.count; i++) {
        if (directory.name[i].kind == STORE_NAME_SEGMENT) {
            result = segment_read(walk, &directory.name[i], catalog);
        }
    }
    if (result == RESULT_OK) {
        result = manifests_read(walk, &directory);
    }
    int error = errno;
    heap_free(catalog);
    store_directory_free(&directory);
    errno = error;
    return result;
}
