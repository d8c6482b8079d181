#include "controlplane/store_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/store_file.h"
#include "dataplane/feature/manifest.h"
#include "dataplane/feature/mirror_scan.h"
#include "drivers/file.h"
#include "drivers/memory.h"

/* An epoch's plan stands in its first frames. */
#define PLAN_FRAMES_MAX 8u

/* While a directory is read. */
struct log_look {
    const char *directory;
    struct store_log *log;
    struct catalog *catalog; /* Owned: room for one. */
};

const struct catalog_stream *store_log_stream(const struct store_log *log, uint16_t id,
                                              uint32_t epoch)
{
    const struct store_log_plan *best = NULL;
    for (uint32_t i = 0; i < log->plan_count; i++) {
        const struct store_log_plan *plan = &log->plan[i];
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

const struct store_log_segment *store_log_next(const struct store_log *log, uint32_t index)
{
    const struct store_log_segment *segment = &log->segment[index];
    bool followed =
        index + 1 < log->segment_count && segment[1].header.shard == segment->header.shard;
    return followed ? segment + 1 : NULL;
}

static bool plan_is_known(const struct store_log *log, const struct catalog_stream *stream,
                          uint32_t epoch)
{
    const struct catalog_stream *known = store_log_stream(log, stream->id, epoch);
    return known != NULL && known->fingerprint == stream->fingerprint &&
           strcmp(known->name, stream->name) == 0;
}

static bool plans_add(struct store_log *log, const struct catalog *catalog, uint32_t epoch)
{
    for (uint32_t i = 0; i < catalog->stream_count; i++) {
        if (plan_is_known(log, &catalog->stream[i], epoch)) {
            continue;
        }
        struct store_log_plan *plans =
            heap_realloc(log->plan, (log->plan_count + 1) * sizeof(*log->plan));
        if (plans == NULL) {
            return false;
        }
        log->plan = plans;
        plans[log->plan_count++] =
            (struct store_log_plan){.epoch = epoch, .stream = catalog->stream[i]};
    }
    return true;
}

/* The plan among the first frames of an epoch's first segment; none when that is kept no longer. */
static bool frames_plan_read(struct log_look *look, struct store_file *file,
                             const struct mirror_segment *segment)
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
                catalog_decode(entry.note, entry.note_size, look->catalog) == RESULT_OK) {
                return plans_add(look->log, look->catalog, lsn_epoch(entry.lsn));
            }
        }
    }
    return true;
}

static enum result epoch_plan_read(struct log_look *look, const char *path,
                                   const struct mirror_segment *segment)
{
    struct store_file file;
    enum result result = store_file_open(&file, path);
    if (result != RESULT_OK) {
        return result == RESULT_NOT_FOUND ? RESULT_OK : result;
    }
    bool good = frames_plan_read(look, &file, segment);
    store_file_close(&file);
    return good ? RESULT_OK : RESULT_NO_MEMORY;
}

static bool segment_add(struct store_log *log, const struct store_name *name,
                        const struct mirror_segment *header)
{
    struct store_log_segment *segments =
        heap_realloc(log->segment, (log->segment_count + 1) * sizeof(*log->segment));
    if (segments == NULL) {
        return false;
    }
    log->segment = segments;
    struct store_log_segment *added = &segments[log->segment_count++];
    *added = (struct store_log_segment){.header = *header};
    memcpy(added->name, name->name, sizeof(added->name));
    return true;
}

static bool headless_add(struct store_log *log, const struct store_name *name)
{
    struct store_log_headless *grown =
        heap_realloc(log->headless, (log->headless_count + 1) * sizeof(*log->headless));
    if (grown == NULL) {
        return false;
    }
    log->headless = grown;
    struct store_log_headless *added = &grown[log->headless_count++];
    *added = (struct store_log_headless){.shard = name->shard, .number = name->number};
    memcpy(added->name, name->name, sizeof(added->name));
    return true;
}

/* RESULT_OK; RESULT_NOT_FOUND: the file is gone, or its segment was not begun; RESULT_CORRUPT: it
 * has a header that is none; RESULT_SYSTEM (errno). */
static enum result header_read(const char *path, const struct store_name *name,
                               struct mirror_segment *out_header)
{
    static const uint8_t zeros[MIRROR_BLOCK_BYTES];
    uint8_t block[MIRROR_BLOCK_BYTES];
    uint64_t count;
    enum result result = file_head_read(path, block, sizeof(block), &count);
    if (result != RESULT_OK) {
        return result;
    }
    if (mirror_segment_decode(block, count, out_header) != RESULT_OK) {
        return memcmp(block, zeros, count) == 0 ? RESULT_NOT_FOUND : RESULT_CORRUPT;
    }
    bool named = out_header->shard == name->shard && out_header->number == name->number;
    return named ? RESULT_OK : RESULT_NOT_FOUND;
}

/* A segment that was begun, with the plan when its epoch begins there. Others are passed over. */
static enum result segment_look(struct log_look *look, const struct store_name *name)
{
    char path[STORE_LOG_PATH_SIZE_MAX];
    struct mirror_segment header;
    struct store_log *log = look->log;
    (void)snprintf(path, sizeof(path), "%s/%s", look->directory, name->name);
    enum result result = header_read(path, name, &header);
    if (result == RESULT_CORRUPT) {
        return headless_add(log, name) ? RESULT_OK : RESULT_NO_MEMORY;
    }
    if (result != RESULT_OK) {
        return result == RESULT_NOT_FOUND ? RESULT_OK : result;
    }
    const struct store_log_segment *before =
        log->segment_count == 0 ? NULL : &log->segment[log->segment_count - 1];
    bool begins = before == NULL || before->header.shard != header.shard ||
                  before->header.epoch != header.epoch;
    result = begins ? epoch_plan_read(look, path, &header) : RESULT_OK;
    if (result != RESULT_OK) {
        return result;
    }
    return segment_add(log, name, &header) ? RESULT_OK : RESULT_NO_MEMORY;
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

static bool newest_keep(struct store_log *log, const struct manifest *manifest)
{
    log->newest = heap_alloc(sizeof(*log->newest));
    if (log->newest == NULL) {
        return false;
    }
    *log->newest = manifest->catalog;
    return plans_add(log, log->newest, manifest->epoch);
}

/* The newest good manifest: its plan is there when the log that began with it is not. */
static enum result manifests_look(struct log_look *look, const struct store_directory *directory)
{
    char path[STORE_LOG_PATH_SIZE_MAX];
    struct manifest *manifest = heap_alloc(sizeof(*manifest));
    bool good = manifest != NULL;
    for (uint32_t i = 0; good && i < directory->count; i++) {
        if (directory->name[i].kind != STORE_NAME_MANIFEST) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", look->directory, directory->name[i].name);
        if (manifest_read(path, manifest)) {
            good = newest_keep(look->log, manifest);
            break;
        }
    }
    heap_free(manifest);
    return good ? RESULT_OK : RESULT_NO_MEMORY;
}

static enum result directory_look(struct log_look *look, const struct store_directory *directory)
{
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < directory->count; i++) {
        if (directory->name[i].kind == STORE_NAME_SEGMENT) {
            result = segment_look(look, &directory->name[i]);
        }
    }
    return result == RESULT_OK ? manifests_look(look, directory) : result;
}

enum result store_log_read(const char *directory, struct store_log *out_log)
{
    struct store_directory names;
    struct log_look look = {.directory = directory, .log = out_log};
    *out_log = (struct store_log){0};
    enum result result = store_directory_read(&names, directory);
    if (result != RESULT_OK) {
        return result;
    }
    look.catalog = heap_alloc(sizeof(*look.catalog));
    result =
        look.catalog == NULL ? RESULT_NO_MEMORY : store_directory_add_archives(&names, directory);
    result = result == RESULT_OK ? directory_look(&look, &names) : result;
    int error = errno;
    if (result != RESULT_OK) {
        store_log_free(out_log);
    }
    heap_free(look.catalog);
    store_directory_free(&names);
    errno = error;
    return result;
}

void store_log_free(struct store_log *log)
{
    heap_free(log->segment);
    heap_free(log->plan);
    heap_free(log->newest);
    heap_free(log->headless);
    *log = (struct store_log){0};
}
