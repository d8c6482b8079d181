#include "controlplane/lake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/folder.h"
#include "controlplane/lake_part.h"
#include "controlplane/lake_places.h"
#include "controlplane/store_segment.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define HOUR_US    (3600 * US_PER_SECOND)
#define PLACE_NONE UINT32_MAX /* Not wanted. */

struct lake {
    struct lake_options options;
    struct lake_manifest *manifest;
    struct lake_values *values;
    struct lake_table *table[STREAMS_MAX]; /* Owned: of the segment's streams. */
    uint32_t table_count;

    /* Of the segment that is read. */
    const struct store_log *log;
    const struct mirror_segment *segment;
    uint64_t last_lsn; /* Frames behind it are of a write that failed. */
    enum result result;
    int error;
    uint64_t unread;
    struct lake_places places;
    uint32_t pass; /* Places [pass * LAKE_PARTS_OPEN, ...) are written. */
    struct lake_part *part[LAKE_PARTS_OPEN];

    /* The place of the last event: most follow it. */
    struct lake_table *near_table;
    int64_t near_begin_us;
    int64_t near_end_us;
    uint32_t near_place;
};

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

bool lake_has(const struct lake *lake, uint32_t shard, uint64_t segment)
{
    return lake_known_segment(lake_manifest_known(lake->manifest), shard, segment);
}

/* The stream's table; NULL: no plan is left that has the stream, or no memory (lake->result). */
static struct lake_table *table_find(struct lake *lake, uint16_t stream_id, uint32_t epoch)
{
    for (uint32_t i = 0; i < lake->table_count; i++) {
        if (lake->table[i]->stream->id == stream_id) {
            return lake->table[i];
        }
    }
    const struct catalog_stream *stream = store_log_stream(lake->log, stream_id, epoch);
    if (stream == NULL || lake->table_count == STREAMS_MAX) {
        return NULL;
    }
    struct lake_table *table = heap_alloc(sizeof(*table));
    if (table == NULL) {
        lake->result = RESULT_NO_MEMORY;
        return NULL;
    }
    if (lake_table_init(table, stream) != RESULT_OK) {
        heap_free(table);
        return NULL;
    }
    lake->table[lake->table_count++] = table;
    return table;
}

static bool place_is_wanted(const struct lake *lake, const struct lake_table *table, int64_t hour)
{
    const struct lake_options *options = &lake->options;
    bool stream = options->stream_count == 0;
    for (uint32_t i = 0; i < options->stream_count && !stream; i++) {
        stream = strcmp(options->stream[i], table->stream->name) == 0;
    }
    bool everything = options->since_us == INT64_MIN && options->until_us == INT64_MAX;
    bool hours = hour == LAKE_HOUR_NONE ? everything
                                        : (hour + 1) * HOUR_US > options->since_us &&
                                              hour * HOUR_US < options->until_us;
    return stream && hours;
}

/* Index of the place, a new one when the segment had none so far; PLACE_NONE: not wanted. */
static uint32_t place_find(struct lake *lake, struct lake_table *table, int64_t hour)
{
    const struct mirror_segment *segment = lake->segment;
    uint32_t index;
    if (!place_is_wanted(lake, table, hour)) {
        return PLACE_NONE;
    }
    if (!lake_places_find(&lake->places, table, hour, &index)) {
        struct lake_place *place = &lake->places.place[index];
        place->known = lake_known_file(lake_manifest_known(lake->manifest), segment->shard,
                                       segment->number, table->stream->name, place->hour);
    }
    return index;
}

/* The event's time; false: it has none that has a place. */
static bool event_time(const struct schema *schema, const struct mirror_entry *entry, uint32_t i,
                       int64_t *out_us)
{
    const struct schema_field *field = &schema->field[schema->time_field];
    int64_t raw;
    memcpy(&raw, entry->events + (uint64_t)i * entry->event_stride + field->offset, sizeof(raw));
    *out_us = raw;
    if (raw == INT64_MIN) {
        return false;
    }
    switch (field->unit) {
    case TIME_UNIT_us:
        return true;
    case TIME_UNIT_ms:
        return !__builtin_mul_overflow(raw, US_PER_MS, out_us);
    case TIME_UNIT_s:
        return !__builtin_mul_overflow(raw, US_PER_SECOND, out_us);
    case TIME_UNIT_ns:
        *out_us = floor_to(raw, NS_PER_US) / NS_PER_US;
        return true;
    }
    UNREACHABLE();
}

/* Index of the event's place. */
static uint32_t event_place(struct lake *lake, struct lake_table *table,
                            const struct mirror_entry *entry, uint32_t i)
{
    int64_t time_us;
    int64_t hour = LAKE_HOUR_NONE;
    if (event_time(&table->schema, entry, i, &time_us)) {
        if (table == lake->near_table && time_us >= lake->near_begin_us &&
            time_us < lake->near_end_us) {
            return lake->near_place;
        }
        hour = floor_to(time_us, HOUR_US) / HOUR_US;
        hour = lake_hour_has_place(hour) ? hour : LAKE_HOUR_NONE;
    }
    uint32_t place = place_find(lake, table, hour);
    if (hour != LAKE_HOUR_NONE) {
        lake->near_table = table;
        lake->near_begin_us = hour * HOUR_US;
        lake->near_end_us = lake->near_begin_us + HOUR_US;
        lake->near_place = place;
    }
    return place;
}

static enum result event_write(struct lake *lake, uint32_t index, const struct mirror_entry *entry,
                               uint32_t i)
{
    struct lake_place *place = &lake->places.place[index];
    struct lake_part **part = &lake->part[index % LAKE_PARTS_OPEN];
    if (place->known) {
        return RESULT_OK;
    }
    if (*part == NULL) {
        enum result result =
            lake_part_open(lake->options.root, place->table, place->hour, lake->segment->shard,
                           lake->segment->number, lake->values, part);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return lake_part_append(*part, entry, i);
}

static enum result message_write(struct lake *lake, const struct mirror_entry *entry)
{
    if (entry->event_count == 0) {
        return RESULT_OK;
    }
    struct lake_table *table = table_find(lake, entry->stream_id, lsn_epoch(entry->lsn));
    if (table == NULL || lake->result != RESULT_OK ||
        entry->event_stride < schema_block_size_at(&table->schema, entry->version)) {
        lake->unread += lake->pass == 0 ? entry->event_count : 0;
        return lake->result;
    }
    for (uint32_t i = 0; i < entry->event_count; i++) {
        uint32_t index = event_place(lake, table, entry, i);
        if (index == PLACE_NONE) {
            continue;
        }
        lake->places.place[index].rows += lake->pass == 0;
        if (index / LAKE_PARTS_OPEN == lake->pass) {
            enum result result = event_write(lake, index, entry, i);
            if (result != RESULT_OK) {
                return result;
            }
        }
    }
    return RESULT_OK;
}

/* Parts hold LAKE_HELD_MAX together at most: the one that holds most writes what it has. */
static enum result held_limit(struct lake *lake)
{
    uint64_t sum = 0;
    uint64_t most = 0;
    struct lake_part *greatest = NULL;
    for (uint32_t i = 0; i < LAKE_PARTS_OPEN; i++) {
        uint64_t bytes = lake->part[i] == NULL ? 0 : lake_part_held_bytes(lake->part[i]);
        sum += bytes;
        if (bytes > most) {
            most = bytes;
            greatest = lake->part[i];
        }
    }
    return sum > LAKE_HELD_MAX ? lake_part_flush(greatest) : RESULT_OK;
}

static bool stop_is_asked(const struct lake *lake)
{
    return lake->options.stop_asked != NULL && lake->options.stop_asked(lake->options.stop_context);
}

static void frame_take(void *context, const struct store_break *at,
                       const struct mirror_frame *frame, const uint8_t *entries)
{
    struct lake *lake = context;
    struct mirror_entry entry;
    uint32_t place = 0;
    if (frame == NULL || at->find != MIRROR_FIND_frame || lake->result != RESULT_OK ||
        frame->first_lsn > lake->last_lsn) {
        return;
    }
    while (lake->result == RESULT_OK &&
           mirror_entry_decode(entries, frame->size, &place, &entry) == RESULT_OK) {
        if (stop_is_asked(lake)) {
            lake->result = RESULT_STOPPED;
        } else if (entry.kind == MIRROR_MESSAGE) {
            lake->result = message_write(lake, &entry);
        }
    }
    if (lake->result == RESULT_OK) {
        lake->result = held_limit(lake);
    }
    lake->error = errno;
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
    store_segment_check(&file, lake->segment->shard, lake->segment->number, frame_take, lake,
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

/* Names the files of the pass, and says so in the manifest, in the order of their places. */
static enum result pass_finish(struct lake *lake, struct lake_report *report)
{
    enum result result = RESULT_OK;
    for (uint32_t i = 0; i < LAKE_PARTS_OPEN && result == RESULT_OK; i++) {
        struct lake_file file;
        if (lake->part[i] == NULL) {
            continue;
        }
        result = stop_is_asked(lake) ? RESULT_STOPPED : lake_part_finish(lake->part[i], &file);
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
