/* The events that corrections are about, in the log. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/correct.h"
#include "controlplane/inspect.h"
#include "controlplane/store_check.h"
#include "controlplane/store_segment.h"
#include "drivers/memory.h"

struct find_walk {
    struct correct_list *list; /* By identity. */
    uint32_t shard;
    uint64_t last_lsn; /* What stands behind it in the segment was never durable. */
    bool failed;       /* No memory. */
};

static int number_compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int message_compare(const struct correct_item *a, const struct correct_item *b)
{
    int order = number_compare(a->producer, b->producer);
    order = order != 0 ? order : number_compare(a->incarnation, b->incarnation);
    order = order != 0 ? order : number_compare(a->lane, b->lane);
    return order != 0 ? order : number_compare(a->sequence, b->sequence);
}

static int item_compare(const void *left, const void *right)
{
    const struct correct_item *a = left;
    const struct correct_item *b = right;
    int order = message_compare(a, b);
    order = order != 0 ? order : number_compare(a->place, b->place);
    return order != 0 ? order : number_compare(a->line, b->line);
}

/* The first item that is of the message or behind it. */
static uint32_t items_of(const struct correct_list *list, const struct correct_item *message)
{
    uint32_t first = 0;
    uint32_t end = list->count;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        if (message_compare(&list->item[middle], message) < 0) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first;
}

static void event_take(struct find_walk *walk, const struct mirror_entry *entry, uint32_t event,
                       struct correct_item *item)
{
    uint8_t *bytes = heap_alloc(entry->event_stride);
    if (bytes == NULL) {
        walk->failed = true;
        return;
    }
    memcpy(bytes, entry->events + (uint64_t)event * entry->event_stride, entry->event_stride);
    heap_free((void *)(uintptr_t)item->was.data);
    item->found = true;
    item->verdict = mirror_entry_verdict(entry, event);
    item->apply_us = entry->apply_us;
    item->lsn = entry->lsn + event;
    item->shard = (uint16_t)walk->shard;
    item->stream_id = entry->stream_id;
    item->was = (struct correction_event){entry->version, entry->event_stride, bytes};
}

/* An event of a text message has its place in the datagram, and a message of its own. */
static void message_look(struct find_walk *walk, const struct mirror_entry *entry)
{
    const struct correct_item message = {.producer = entry->producer,
                                         .incarnation = entry->incarnation,
                                         .lane = entry->lane,
                                         .sequence = entry->sequence};
    bool text = (entry->flags & MIRROR_MESSAGE_FLAG_TEXT) != 0;
    for (uint32_t i = items_of(walk->list, &message); i < walk->list->count; i++) {
        struct correct_item *item = &walk->list->item[i];
        if (message_compare(item, &message) != 0) {
            return;
        }
        uint32_t event = text ? 0 : item->place;
        bool here = text ? item->place == entry->place : event < entry->event_count;
        if (here && entry->lsn + event <= walk->last_lsn) {
            event_take(walk, entry, event, item);
        }
    }
}

static void frame_look(void *context, const struct store_break *at,
                       const struct mirror_frame *frame, const uint8_t *entries)
{
    struct find_walk *walk = context;
    struct mirror_entry entry;
    uint32_t place = 0;
    bool good = frame != NULL && at->find == MIRROR_FIND_frame && !walk->failed;
    while (good && mirror_entry_decode(entries, frame->size, &place, &entry) == RESULT_OK) {
        if (entry.kind == MIRROR_MESSAGE) {
            message_look(walk, &entry);
        }
    }
}

static enum result segment_look(const char *directory, const struct store_log *log, uint32_t index,
                                struct find_walk *walk, uint32_t *damaged)
{
    const struct store_log_segment *segment = &log->segment[index];
    const struct store_log_segment *next = store_log_next(log, index);
    char path[STORE_LOG_PATH_SIZE_MAX];
    struct store_file file;
    struct store_segment found;
    (void)snprintf(path, sizeof(path), "%s/%s", directory, segment->name);
    enum result result = store_file_open(&file, path);
    if (result != RESULT_OK) {
        return result;
    }
    walk->shard = segment->header.shard;
    walk->last_lsn = next == NULL ? UINT64_MAX : next->header.before_lsn;
    store_segment_check(&file, segment->header.shard, segment->header.number, frame_look, walk,
                        &found);
    *damaged += found.state == STORE_SEGMENT_DAMAGED || file.error != 0 ? 1 : 0;
    store_file_close(&file);
    return walk->failed ? RESULT_NO_MEMORY : RESULT_OK;
}

/* The oldest record that is kept, for people. */
static const char *oldest_format(const struct store_log *log, char out[96])
{
    const struct mirror_segment *oldest = NULL;
    char lsn[STORE_LSN_SIZE_MAX];
    char time[INSPECT_TIME_SIZE_MAX];
    for (uint32_t i = 0; i < log->segment_count; i++) {
        const struct mirror_segment *header = &log->segment[i].header;
        oldest = oldest == NULL || header->created_us < oldest->created_us ? header : oldest;
    }
    if (oldest == NULL) {
        return "the mirror keeps no records";
    }
    (void)snprintf(out, 96, "the oldest record that the mirror keeps is %u:%s, of %s",
                   oldest->shard, store_lsn_format(oldest->first_lsn, lsn),
                   inspect_time_format(oldest->created_us, time));
    return out;
}

static enum result item_check(const struct correct_item *item, const struct store_log *log,
                              uint32_t damaged, char error[CORRECT_ERROR_SIZE_MAX])
{
    char identity[128];
    char oldest[96];
    (void)snprintf(identity, sizeof(identity),
                   "producer %" PRIu64 ", incarnation %u, lane %u, sequence %" PRIu64 ", place %u",
                   item->producer, item->incarnation, item->lane, item->sequence, item->place);
    if (item->found && verdict_reason(item->verdict) == VERDICT_applied) {
        return RESULT_OK;
    }
    if (item->found) {
        (void)snprintf(error, CORRECT_ERROR_SIZE_MAX,
                       "%s: it was not applied (%s), so there is nothing to correct", identity,
                       verdict_name(verdict_reason(item->verdict)));
    } else {
        (void)snprintf(error, CORRECT_ERROR_SIZE_MAX, "%s: no such event is kept; %s%s", identity,
                       oldest_format(log, oldest),
                       damaged > 0 ? "; some segments cannot be read, see freshet verify" : "");
    }
    return RESULT_NOT_FOUND;
}

enum result correct_find(const char *directory, const struct store_log *log,
                         struct correct_list *list, char error[CORRECT_ERROR_SIZE_MAX])
{
    struct find_walk walk = {.list = list};
    uint32_t damaged = 0;
    qsort(list->item, list->count, sizeof(*list->item), item_compare);
    for (uint32_t i = 0; i < log->segment_count; i++) {
        enum result result = segment_look(directory, log, i, &walk, &damaged);
        if (result != RESULT_OK) {
            (void)snprintf(error, CORRECT_ERROR_SIZE_MAX, "%s cannot be read: %s",
                           log->segment[i].name, result_name(result));
            return result;
        }
    }
    for (uint32_t i = 0; i < list->count; i++) {
        enum result result = item_check(&list->item[i], log, damaged, error);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return RESULT_OK;
}
