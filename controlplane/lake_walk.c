/* Events of a segment on their way to the parts of a lake. */
#include <errno.h>
#include <string.h>

#include "controlplane/lake_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define HOUR_US    (3600 * US_PER_SECOND)
#define PLACE_NONE UINT32_MAX /* Not wanted. */

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

void lake_frame_take(void *context, const struct store_break *at, const struct mirror_frame *frame,
                     const uint8_t *entries)
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
        if (lake_stop_is_asked(lake)) {
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
