#include "controlplane/parity_events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/store_directory.h"
#include "controlplane/store_segment.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/key.h"
#include "drivers/memory.h"

#define PATH_SIZE_MAX 4096u
#define CAPACITY_MIN  64u

struct walk {
    const struct plan *plan;
    const struct served_record *record;
    const uint16_t *views;
    const bool *follow;
    struct parity_events *events;
    const struct mirror_segment *segment; /* That is read; it tells how many shards there were. */
    uint16_t shard;
    bool failed; /* No memory. */
};

static int event_compare(const void *left, const void *right)
{
    const struct parity_event *a = left;
    const struct parity_event *b = right;
    if (a->apply_us != b->apply_us) {
        return a->apply_us < b->apply_us ? -1 : 1;
    }
    if (a->shard != b->shard) {
        return a->shard < b->shard ? -1 : 1;
    }
    return (a->lsn > b->lsn) - (a->lsn < b->lsn);
}

/* Forgets the older half of what there is twice too much of. */
static void events_cut(struct parity_events *events, uint32_t keep)
{
    if (events->count <= keep) {
        return;
    }
    uint32_t cut = events->count - keep;
    qsort(events->event, events->count, sizeof(*events->event), event_compare);
    for (uint32_t i = 0; i < cut; i++) {
        heap_free(events->event[i].bytes);
    }
    memmove(events->event, events->event + cut, keep * sizeof(*events->event));
    events->count = keep;
    events->more = true;
}

static bool event_room(struct parity_events *events)
{
    if (events->count == 2 * PARITY_EVENTS_MAX) {
        events_cut(events, PARITY_EVENTS_MAX);
    }
    if (events->count < events->capacity) {
        return true;
    }
    uint32_t capacity = events->capacity > 0 ? 2 * events->capacity : CAPACITY_MIN;
    struct parity_event *grown = heap_realloc(events->event, capacity * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    events->event = grown;
    events->capacity = capacity;
    return true;
}

static bool event_keep(struct walk *walk, const struct parity_event *event, const uint8_t *bytes)
{
    uint8_t *copy = heap_alloc(event->size > 0 ? event->size : 1u);
    if (copy == NULL || !event_room(walk->events)) {
        heap_free(copy);
        return false;
    }
    memcpy(copy, bytes, event->size);
    struct parity_event *kept = &walk->events->event[walk->events->count++];
    *kept = *event;
    kept->bytes = copy;
    return true;
}

/* Whether an event has the key of a read. */
static bool key_is(const struct walk *walk, const struct served_read *read, uint16_t view,
                   uint16_t stream, const uint8_t *bytes, uint16_t size)
{
    const struct schema *schema = &walk->plan->stream[stream].schema;
    uint8_t block[EVENT_SIZE_MAX] = {0};
    uint8_t key[KEY_SIZE_MAX];
    if (!plan_view_reads(&walk->plan->view[view], stream)) {
        return false;
    }
    /* Of an older version it lacks its last fields, and none of them is part of a key. */
    memcpy(block, bytes, size < sizeof(block) ? size : sizeof(block));
    uint32_t key_size = key_of_block(&walk->plan->view[view], stream, schema, block, key);
    return key_size > 0 && key_size == read->key.size && memcmp(key, read->key.data, key_size) == 0;
}

/* Place of a view among those of a stream; VIEWS_PER_STREAM_MAX: it has none there. */
static uint32_t view_place(const struct plan *plan, uint16_t stream, uint16_t view)
{
    const struct plan_stream *of = &plan->stream[stream];
    for (uint32_t i = 0; i < of->view_count; i++) {
        if (of->view[i] == view) {
            return i;
        }
    }
    return VIEWS_PER_STREAM_MAX;
}

/* Of each read that the event is for: keeps it when it was known then. */
static void event_look(struct walk *walk, struct parity_event *event, uint32_t views_mask,
                       const uint8_t *bytes)
{
    for (uint16_t r = 0; r < walk->record->read_count && !walk->failed; r++) {
        const struct served_read *read = &walk->record->read[r];
        uint16_t view = walk->views[r];
        uint32_t place = view_place(walk->plan, event->stream, view);
        uint64_t hash = hash_owner(read->key.data, read->key.size);
        bool owned = hash_shard(hash, walk->segment->shard_count) == walk->shard;
        /* Elsewhere stands what its home did not apply, and what it sent on; that comes again. */
        bool wanted = walk->follow[r] && place < VIEWS_PER_STREAM_MAX &&
                      event->apply_us < read->known_us &&
                      (owned || verdict_reason(event->verdict) != VERDICT_applied) &&
                      (!event->is_forward || (views_mask >> place & 1) != 0);
        if (wanted && key_is(walk, read, view, event->stream, bytes, event->size)) {
            event->read = r;
            event->refused = (event->verdict >> (16 + place) & 1) != 0;
            walk->failed = !event_keep(walk, event, bytes);
        }
    }
}

static void entry_look(struct walk *walk, const struct mirror_entry *entry)
{
    int stream = plan_stream_find_id(walk->plan, entry->stream_id);
    if (stream < 0) {
        return;
    }
    struct parity_event event = {
        .apply_us = entry->apply_us,
        .shard = walk->shard,
        .stream = (uint16_t)stream,
        .version = entry->version,
        .size = entry->event_stride,
        .is_forward = entry->kind == MIRROR_FORWARD,
        .home = entry->home,
        .home_lsn = entry->home_lsn,
        .producer = entry->producer,
        .sequence = entry->sequence,
    };
    for (uint32_t i = 0; i < entry->event_count; i++) {
        event.lsn = entry->lsn + i;
        event.verdict = mirror_entry_verdict(entry, i);
        event_look(walk, &event, entry->views, entry->events + (uint64_t)i * entry->event_stride);
    }
}

static void frame_look(void *context, const struct store_break *at,
                       const struct mirror_frame *frame, const uint8_t *entries)
{
    struct walk *walk = context;
    struct mirror_entry entry;
    uint32_t place = 0;
    if (frame == NULL || at->find != MIRROR_FIND_frame || walk->failed) {
        return;
    }
    while (mirror_entry_decode(entries, frame->size, &place, &entry) == RESULT_OK) {
        if (entry.kind == MIRROR_MESSAGE || entry.kind == MIRROR_FORWARD) {
            entry_look(walk, &entry);
        }
    }
}

static enum result segment_look(struct walk *walk, const char *directory,
                                const struct store_name *name)
{
    char path[PATH_SIZE_MAX];
    struct store_file file;
    struct store_segment segment;
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name->name);
    enum result result = store_file_open(&file, path);
    if (result != RESULT_OK) {
        return result == RESULT_NOT_FOUND ? RESULT_OK : result; /* Kept no longer. */
    }
    walk->shard = (uint16_t)name->shard;
    walk->segment = &segment.segment;
    store_segment_check(&file, name->shard, name->number, frame_look, walk, &segment);
    if (segment.state == STORE_SEGMENT_DAMAGED) {
        walk->events->damaged++;
    }
    errno = file.error;
    store_file_close(&file);
    if (walk->failed) {
        return RESULT_NO_MEMORY;
    }
    return file.error == 0 ? RESULT_OK : RESULT_SYSTEM;
}

enum result parity_events_read(const char *directory, const struct plan *plan,
                               const struct served_record *record, const uint16_t *views,
                               const bool *follow, struct parity_events *out_events)
{
    struct store_directory names;
    *out_events = (struct parity_events){0};
    struct walk walk = {
        .plan = plan, .record = record, .views = views, .follow = follow, .events = out_events};
    enum result result = store_directory_read(&names, directory);
    if (result != RESULT_OK) {
        return result;
    }
    result = store_directory_add_archives(&names, directory);
    for (uint32_t i = 0; result == RESULT_OK && i < names.count; i++) {
        if (names.name[i].kind == STORE_NAME_SEGMENT) {
            result = segment_look(&walk, directory, &names.name[i]);
        }
    }
    int error = errno;
    store_directory_free(&names);
    if (result != RESULT_OK) {
        parity_events_free(out_events);
        errno = error;
        return result;
    }
    events_cut(out_events, PARITY_EVENTS_MAX);
    if (out_events->count > 0) {
        qsort(out_events->event, out_events->count, sizeof(*out_events->event), event_compare);
    }
    return RESULT_OK;
}

void parity_events_free(struct parity_events *events)
{
    for (uint32_t i = 0; i < events->count; i++) {
        heap_free(events->event[i].bytes);
    }
    heap_free(events->event);
    *events = (struct parity_events){0};
}
