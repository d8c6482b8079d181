#include "controlplane/lake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/folder.h"
#include "controlplane/lake_inside.h"
#include "controlplane/store_segment.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

static enum result failed(const char *what, enum result result, char error[LAKE_ERROR_SIZE_MAX])
{
    (void)snprintf(error, LAKE_ERROR_SIZE_MAX, "%.256s: %s", what,
                   result == RESULT_SYSTEM ? strerror(errno) : result_name(result));
    return result;
}

enum result lake_open(const struct lake_options *options, struct lake **out_lake,
                      char error[LAKE_ERROR_SIZE_MAX])
{
    char within[LAKE_ROOT_SIZE_MAX];
    int size = snprintf(within, sizeof(within), "%s/" LAKE_MANIFEST_NAME, options->root);
    if (size < 0 || (size_t)size >= sizeof(within)) {
        return failed("its path is too long", RESULT_INVALID, error);
    }
    struct lake *lake = heap_alloc_lines(sizeof(*lake));
    if (lake == NULL) {
        return failed("the lake", RESULT_NO_MEMORY, error);
    }
    lake->options = *options;
    enum result result = lake_places_init(&lake->places);
    if (result == RESULT_OK) {
        result = folder_make_above(within);
    }
    if (result != RESULT_OK) {
        (void)failed("its folder", result, error);
    } else {
        result = lake_manifest_open(options->root, options->store_id, &lake->manifest, error);
    }
    if (result != RESULT_OK) {
        lake_close(lake);
        return result;
    }
    *out_lake = lake;
    return RESULT_OK;
}

static void segment_forget(struct lake *lake)
{
    for (uint32_t i = 0; i < LAKE_PARTS_OPEN; i++) {
        lake_part_close(lake->part[i]);
        lake->part[i] = NULL;
    }
    for (uint32_t i = 0; i < lake->table_count; i++) {
        heap_free(lake->table[i]);
    }
    lake->table_count = 0;
    lake_values_close(lake->values);
    lake->values = NULL;
}

void lake_close(struct lake *lake)
{
    if (lake == NULL) {
        return;
    }
    segment_forget(lake);
    lake_manifest_close(lake->manifest);
    lake_places_deinit(&lake->places);
    heap_free(lake);
}

bool lake_holds(const struct lake *lake)
{
    return lake_manifest_holds(lake->manifest, lake->options.root);
}

bool lake_has(const struct lake *lake, uint32_t shard, uint64_t segment)
{
    return lake_known_segment(lake_manifest_known(lake->manifest), shard, segment);
}

/* One walk over the segment: what the pass writes is in its parts. */
static enum result pass_read(struct lake *lake, const char *path, struct lake_report *report)
{
    struct store_file file;
    struct store_segment found;
    enum result result = store_file_open(&file, path);
    if (result != RESULT_OK) {
        return result;
    }
    store_segment_check(&file, lake->segment->shard, lake->segment->number, lake_frame_take, lake,
                        &found);
    /* A file that was used again meanwhile has lost its name before it lost its bytes. */
    bool named = store_file_is_named(&file);
    int error = file.error;
    store_file_close(&file);
    if (!named || found.state == STORE_SEGMENT_EMPTY) {
        return RESULT_NOT_FOUND;
    }
    if (lake->result != RESULT_OK) {
        errno = lake->error;
        return lake->result;
    }
    if (error != 0) {
        errno = error;
        return RESULT_SYSTEM;
    }
    if (found.state == STORE_SEGMENT_DAMAGED) {
        report->damaged_place = found.cut ? file.size_bytes : found.damage.place;
        report->damaged_first_lsn = found.cut ? found.last_lsn + 1 : found.damage.first_lsn;
        return RESULT_CORRUPT;
    }
    return RESULT_OK;
}

enum result lake_headless_check(const char *directory, const struct store_log_headless *headless,
                                struct lake_report *out_report)
{
    char path[STORE_LOG_PATH_SIZE_MAX];
    struct store_file file;
    struct store_segment found;
    *out_report = (struct lake_report){0};
    (void)snprintf(path, sizeof(path), "%s/%s", directory, headless->name);
    enum result result = store_file_open(&file, path);
    if (result != RESULT_OK) {
        return result;
    }
    store_segment_check(&file, headless->shard, headless->number, NULL, NULL, &found);
    int error = file.error;
    store_file_close(&file);
    if (error != 0) {
        errno = error;
        return RESULT_SYSTEM;
    }
    out_report->damaged_first_lsn = found.damage.first_lsn;
    return found.state == STORE_SEGMENT_DAMAGED ? RESULT_CORRUPT : RESULT_OK;
}

/* Names the files of the pass, and says so in the manifest, in the order of their places. */
static enum result pass_finish(struct lake *lake, struct lake_report *report)
{
    enum result result = RESULT_OK;
    for (uint32_t i = 0; i < LAKE_PARTS_OPEN && result == RESULT_OK; i++) {
        struct lake_file file;
        if (lake->part[i] == NULL) {
            continue;
        }
        result = lake_stop_is_asked(lake) ? RESULT_STOPPED : lake_part_finish(lake->part[i], &file);
        if (result == RESULT_OK) {
            result = lake_manifest_add_file(lake->manifest, &file);
        }
        int error = errno;
        lake_part_close(lake->part[i]);
        lake->part[i] = NULL;
        errno = error;
        report->files += result == RESULT_OK;
        report->rows += result == RESULT_OK ? file.rows : 0;
        report->bytes += result == RESULT_OK ? file.bytes : 0;
    }
    return result;
}

static enum result passes_run(struct lake *lake, const char *path, struct lake_report *report)
{
    enum result result = RESULT_OK;
    do {
        lake->near_table = NULL;
        result = pass_read(lake, path, report);
        if (result == RESULT_OK) {
            result = pass_finish(lake, report);
        }
        lake->pass++;
    } while (result == RESULT_OK && lake->pass * LAKE_PARTS_OPEN < lake->places.count);
    return result;
}

static bool everything_is_wanted(const struct lake_options *options)
{
    return options->stream_count == 0 && options->since_us == INT64_MIN &&
           options->until_us == INT64_MAX;
}

static enum result segment_add(struct lake *lake)
{
    struct lake_segment segment = {.shard = lake->segment->shard,
                                   .segment = lake->segment->number,
                                   .files = lake->places.count,
                                   .unread = lake->unread};
    for (uint32_t i = 0; i < lake->places.count; i++) {
        segment.rows += lake->places.place[i].rows;
    }
    return lake_manifest_add_segment(lake->manifest, &segment);
}

static enum result segment_begin(struct lake *lake, const struct store_log *log, uint32_t index)
{
    const struct store_log_segment *next = store_log_next(log, index);
    lake->log = log;
    lake->segment = &log->segment[index].header;
    bool ends = next != NULL && next->header.before_lsn != 0;
    lake->last_lsn = ends ? next->header.before_lsn : UINT64_MAX;
    lake->result = RESULT_OK;
    lake->unread = 0;
    lake->pass = 0;
    lake_places_clear(&lake->places);
    return lake_values_open(lake->segment->shard, &lake->values);
}

enum result lake_export(struct lake *lake, const struct store_log *log, uint32_t index,
                        struct lake_report *out_report)
{
    char path[STORE_LOG_PATH_SIZE_MAX];
    *out_report = (struct lake_report){0};
    (void)snprintf(path, sizeof(path), "%s/%s", lake->options.directory, log->segment[index].name);
    enum result result = segment_begin(lake, log, index);
    if (result == RESULT_OK) {
        result = passes_run(lake, path, out_report);
    }
    if (result == RESULT_OK && everything_is_wanted(&lake->options)) {
        result = segment_add(lake);
    }
    out_report->unread = lake->unread;
    int error = errno;
    segment_forget(lake);
    errno = error;
    return result;
}
