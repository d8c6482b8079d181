#include "controlplane/quarantine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/store_segment.h"
#include "drivers/memory.h"

#define EVENTS_CAPACITY_MIN 64u

struct quarantine_walk {
    const char *directory;
    const struct quarantine_filter *filter; /* NULL: lsn is asked for. */
    uint64_t lsn;
    struct quarantine *quarantine;
    const struct store_log_segment *segment; /* That is read. */
    uint32_t first;                          /* Of its events. */
    uint32_t capacity;                       /* Of the events. */
    bool failed;                             /* No memory. */
};

const char *quarantine_field_name(const struct quarantine_event *event)
{
    uint32_t field = verdict_field(event->verdict);
    return verdict_is_of_rule(verdict_reason(event->verdict)) && event->stream != NULL &&
                   field < event->stream->field_count
               ? event->stream->field[field].name
               : NULL;
}

static bool event_is_wanted(const struct quarantine_walk *walk,
                            const struct quarantine_event *event)
{
    const struct quarantine_filter *filter = walk->filter;
    if (filter == NULL) {
        return event->lsn == walk->lsn;
    }
    uint8_t reason = verdict_reason(event->verdict);
    const char *field = quarantine_field_name(event);
    return reason != VERDICT_applied && (filter->all || verdict_is_quarantined(event->verdict)) &&
           (filter->reason < 0 || filter->reason == reason) &&
           (filter->field == NULL || (field != NULL && strcmp(field, filter->field) == 0)) &&
           (filter->stream == NULL ||
            (event->stream != NULL && strcmp(event->stream->name, filter->stream) == 0));
}

static void events_drop(struct quarantine *quarantine, uint32_t first, uint32_t count)
{
    struct quarantine_event *event = &quarantine->event[first];
    for (uint32_t i = 0; i < count; i++) {
        heap_free(event[i].bytes);
    }
    uint32_t rest = quarantine->count - first - count;
    memmove(event, event + count, rest * sizeof(*event));
    quarantine->count -= count;
}

/* Room for one more event: of the segment that is read only the newest are kept. */
static bool event_room(struct quarantine_walk *walk)
{
    struct quarantine *quarantine = walk->quarantine;
    uint32_t limit = walk->filter == NULL ? 1 : walk->filter->limit;
    if (quarantine->count - walk->first >= 2 * limit) {
        events_drop(quarantine, walk->first, limit);
        quarantine->more = true;
    }
    if (quarantine->count < walk->capacity) {
        return true;
    }
    uint32_t capacity = walk->capacity > 0 ? 2 * walk->capacity : EVENTS_CAPACITY_MIN;
    struct quarantine_event *events =
        heap_realloc(quarantine->event, capacity * sizeof(*quarantine->event));
    if (events == NULL) {
        return false;
    }
    quarantine->event = events;
    walk->capacity = capacity;
    return true;
}

static bool event_keep(struct quarantine_walk *walk, const struct quarantine_event *event,
                       const uint8_t *bytes)
{
    uint8_t *copy = heap_alloc(event->size > 0 ? event->size : 1u);
    if (copy == NULL || !event_room(walk)) {
        heap_free(copy);
        return false;
    }
    memcpy(copy, bytes, event->size);
    struct quarantine_event *kept = &walk->quarantine->event[walk->quarantine->count++];
    *kept = *event;
    kept->bytes = copy;
    return true;
}

static void message_look(struct quarantine_walk *walk, const struct mirror_entry *entry)
{
    struct quarantine_event event = {
        .apply_us = entry->apply_us,
        .producer = entry->producer,
        .sequence = entry->sequence,
        .incarnation = entry->incarnation,
        .shard = walk->segment->header.shard,
        .lane = entry->lane,
        .stream_id = entry->stream_id,
        .version = entry->version,
        .size = entry->event_stride,
        .text = (entry->flags & MIRROR_MESSAGE_FLAG_TEXT) != 0,
        .acked = (entry->flags & MIRROR_MESSAGE_FLAG_ACKED) != 0,
        .stream = store_log_stream(&walk->quarantine->log, entry->stream_id, lsn_epoch(entry->lsn)),
    };
    for (uint32_t i = 0; i < entry->event_count && !walk->failed; i++) {
        event.lsn = entry->lsn + i;
        event.verdict = mirror_entry_verdict(entry, i);
        if (event_is_wanted(walk, &event)) {
            walk->failed =
                !event_keep(walk, &event, entry->events + (uint64_t)i * entry->event_stride);
        }
    }
}

/* Entries of a frame, unless it is wholly too old, or holds other LSNs. */
static void frame_look(void *context, const struct store_break *at,
                       const struct mirror_frame *frame, const uint8_t *entries)
{
    struct quarantine_walk *walk = context;
    struct mirror_entry entry;
    uint32_t place = 0;
    if (frame == NULL || at->find != MIRROR_FIND_frame || walk->failed) {
        return;
    }
    bool wanted = walk->filter == NULL
                      ? walk->lsn >= frame->first_lsn && walk->lsn < frame->first_lsn + frame->count
                      : frame->apply_us >= walk->filter->since_us;
    while (wanted && mirror_entry_decode(entries, frame->size, &place, &entry) == RESULT_OK) {
        bool young = walk->filter == NULL || entry.apply_us >= walk->filter->since_us;
        if (entry.kind == MIRROR_MESSAGE && young) {
            message_look(walk, &entry);
        }
    }
}

static enum result segment_look(struct quarantine_walk *walk)
{
    char path[STORE_LOG_PATH_SIZE_MAX];
    struct store_file file;
    struct store_segment segment;
    (void)snprintf(path, sizeof(path), "%s/%s", walk->directory, walk->segment->name);
    enum result result = store_file_open(&file, path);
    if (result != RESULT_OK) {
        return result == RESULT_NOT_FOUND ? RESULT_OK : result; /* Kept no longer. */
    }
    walk->first = walk->quarantine->count;
    store_segment_check(&file, walk->segment->header.shard, walk->segment->header.number,
                        frame_look, walk, &segment);
    if (segment.state == STORE_SEGMENT_DAMAGED) {
        walk->quarantine->damaged_count++;
    }
    errno = file.error;
    store_file_close(&file);
    if (walk->failed) {
        return RESULT_NO_MEMORY;
    }
    return file.error == 0 ? RESULT_OK : RESULT_SYSTEM;
}

/* Newest segments first, until they are too old or there are enough; index of the shard's last. */
static enum result shard_look(struct quarantine_walk *walk, uint32_t last)
{
    const struct store_log_segment *segment = walk->quarantine->log.segment;
    uint32_t begin = walk->quarantine->count;
    uint32_t shard = segment[last].header.shard;
    for (uint32_t i = last + 1; i > 0 && segment[i - 1].header.shard == shard; i--) {
        bool old = i <= last && segment[i].header.created_us < walk->filter->since_us;
        if (old) {
            break;
        }
        if (walk->quarantine->count - begin >= walk->filter->limit) {
            walk->quarantine->more = true;
            break;
        }
        walk->segment = &segment[i - 1];
        enum result result = segment_look(walk);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return RESULT_OK;
}

static int event_compare(const void *left, const void *right)
{
    const struct quarantine_event *a = left;
    const struct quarantine_event *b = right;
    if (a->apply_us != b->apply_us) {
        return a->apply_us < b->apply_us ? -1 : 1;
    }
    if (a->shard != b->shard) {
        return a->shard < b->shard ? -1 : 1;
    }
    return (a->lsn > b->lsn) - (a->lsn < b->lsn);
}

static void events_finish(struct quarantine *quarantine, uint32_t limit)
{
    if (quarantine->count > 0) {
        qsort(quarantine->event, quarantine->count, sizeof(*quarantine->event), event_compare);
    }
    if (quarantine->count > limit) {
        events_drop(quarantine, 0, quarantine->count - limit);
        quarantine->more = true;
    }
}

enum result quarantine_read(const char *directory, const struct quarantine_filter *filter,
                            struct quarantine *out_quarantine)
{
    struct quarantine_walk walk = {
        .directory = directory, .filter = filter, .quarantine = out_quarantine};
    const struct store_log *log = &out_quarantine->log;
    *out_quarantine = (struct quarantine){0};
    enum result result = store_log_read(directory, &out_quarantine->log);
    for (uint32_t i = 0; i < log->segment_count && result == RESULT_OK; i++) {
        if (store_log_next(log, i) == NULL) {
            result = shard_look(&walk, i);
        }
    }
    if (result != RESULT_OK) {
        int error = errno;
        quarantine_free(out_quarantine);
        errno = error;
        return result;
    }
    events_finish(out_quarantine, filter->limit);
    return RESULT_OK;
}

enum result quarantine_find(const char *directory, uint32_t shard, uint64_t lsn,
                            struct quarantine *out_quarantine)
{
    struct quarantine_walk walk = {
        .directory = directory, .lsn = lsn, .quarantine = out_quarantine};
    const struct store_log *log = &out_quarantine->log;
    *out_quarantine = (struct quarantine){0};
    enum result result = store_log_read(directory, &out_quarantine->log);
    for (uint32_t i = 0; i < log->segment_count; i++) {
        const struct mirror_segment *header = &log->segment[i].header;
        if (header->shard == shard && header->first_lsn <= lsn) {
            walk.segment = &log->segment[i]; /* The last one that begins at or before it. */
        }
    }
    if (result == RESULT_OK && walk.segment != NULL) {
        result = segment_look(&walk);
    }
    if (result == RESULT_OK && out_quarantine->count == 0) {
        result = RESULT_NOT_FOUND;
    }
    if (result != RESULT_OK) {
        int error = errno;
        quarantine_free(out_quarantine);
        errno = error;
    }
    return result;
}

void quarantine_free(struct quarantine *quarantine)
{
    for (uint32_t i = 0; i < quarantine->count; i++) {
        heap_free(quarantine->event[i].bytes);
    }
    heap_free(quarantine->event);
    store_log_free(&quarantine->log);
    *quarantine = (struct quarantine){0};
}
