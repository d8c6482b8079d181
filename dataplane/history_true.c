/* History as it truly was: events wait until all are known, and are applied in the order of their
 * times. What does not fit waits for another scan: a scan takes a stretch of time that does. */
#include <string.h>

#include "dataplane/base/sort.h"
#include "dataplane/history_inside.h"

enum result history_true_open(struct history *history)
{
    history->event = heap_alloc(history->options.event_bytes);
    history->from_us = INT64_MIN;
    history->until_us = INT64_MAX;
    return history->event == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

static uint64_t event_bytes(const struct history_event *event)
{
    return sizeof(*event) + align_up(event->stride, sizeof(uint64_t));
}

static struct history_event *event_at(const struct history *history, uint64_t at)
{
    return (struct history_event *)(history->event + at);
}

/* What waits, in the order of time: *out_order is heap_free()d. */
static enum result events_order(const struct history *history, struct sort_pair **out_order)
{
    uint64_t count = history->event_count;
    struct sort_pair *order = heap_alloc((2 * count + 1) * sizeof(*order));
    if (order == NULL) {
        return RESULT_NO_MEMORY;
    }
    uint64_t at = 0;
    for (uint64_t i = 0; i < count; i++) {
        order[i] = (struct sort_pair){.key = event_at(history, at)->time_us, .item = at};
        at += event_bytes(event_at(history, at));
    }
    sort_pairs(order, order + count, count);
    *out_order = order;
    return RESULT_OK;
}

/* Makes room: the later half of what waits is left to another scan. RESULT_NO_SPACE: all are of one
 * moment. */
static enum result later_half_drop(struct history *history)
{
    struct sort_pair *order;
    enum result result = events_order(history, &order);
    if (result != RESULT_OK) {
        return result;
    }
    uint64_t count = history->event_count;
    int64_t until_us = count == 0 ? INT64_MIN : order[count / 2].key;
    bool splits = count > 0 && until_us > order[0].key;
    heap_free(order);
    if (!splits) {
        return RESULT_NO_SPACE;
    }
    uint64_t kept = 0;
    history->event_count = 0;
    for (uint64_t at = 0; at < history->event_used;) {
        uint64_t bytes = event_bytes(event_at(history, at));
        if (event_at(history, at)->time_us < until_us) {
            memmove(history->event + kept, history->event + at, bytes);
            kept += bytes;
            history->event_count++;
        }
        at += bytes;
    }
    history->event_used = kept;
    history->until_us = until_us;
    return RESULT_OK;
}

/* One event for the views that see its time alike. */
static enum result event_keep(struct history *history, const struct history_event *event,
                              const uint8_t *block)
{
    uint64_t bytes = event_bytes(event);
    while (event->time_us >= history->from_us && event->time_us < history->until_us &&
           history->event_used + bytes > history->options.event_bytes) {
        enum result result = later_half_drop(history);
        if (result != RESULT_OK) {
            return result;
        }
    }
    if (event->time_us >= history->from_us && event->time_us < history->until_us) {
        struct history_event *kept = event_at(history, history->event_used);
        *kept = *event;
        memcpy(kept + 1, block, event->stride);
        history->event_used += bytes;
        history->event_count++;
    }
    return RESULT_OK;
}

/* Places of views whose windows take an event one microsecond before its time: those that hold
 * their ends. */
static uint32_t views_early(const struct history *history, uint32_t stream)
{
    const struct plan_stream *planned = &history->options.plan->stream[stream];
    uint32_t early = 0;
    for (uint32_t v = 0; v < planned->view_count; v++) {
        bool open = history->options.plan->view[planned->view[v]].edges == EDGES_CLOSED_OPEN;
        early |= (uint32_t)!open << v;
    }
    return early;
}

enum result history_true_keep(struct history *history, uint32_t stream,
                              const struct wire_message *wire, uint32_t probe_first,
                              const uint64_t *order)
{
    uint32_t early = views_early(history, stream);
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < history->probe.count; i++) {
        const uint8_t *block = wire->events + (uint64_t)(probe_first + i) * wire->event_stride;
        struct history_event event = {
            .came_us = history->came_us[i],
            .time_us = history->probe.time_us[i],
            .order = order != NULL ? *order : wire->sequence << 16 | (probe_first + i),
            .views = history->take[i] & ~early,
            .stream = (uint16_t)stream,
            .version = wire->version,
            .stride = wire->event_stride};
        if (event.views != 0) {
            result = event_keep(history, &event, block);
        }
        event.views = history->take[i] & early;
        event.time_us = sub_clamped(event.time_us, 1);
        if (result == RESULT_OK && event.views != 0) {
            result = event_keep(history, &event, block);
        }
    }
    return result;
}

static enum result event_apply(struct history *history, const struct history_event *event)
{
    enum result result = history_reads_take(history, event->time_us);
    if (result != RESULT_OK) {
        return result;
    }
    struct wire_message wire = {.stream_id = history->options.plan->stream[event->stream].schema.id,
                                .version = event->version,
                                .event_stride = (uint16_t)event->stride,
                                .event_count = 1,
                                .events = (const uint8_t *)(event + 1)};
    history->take[0] = event->views;
    history_probe(history, event->stream, &wire, 0, 1);
    history_apply_begin(history, 0, event->time_us);
    history->horizon_us[0] = history->shard[0].watermark_before_us[event->stream];
    history->shard[0].watermark_us[event->stream] = event->time_us;
    for (uint32_t w = 0; w < history->stream[event->stream]->view_count; w++) {
        uint32_t place = history->stream[event->stream]->place[w];
        if ((event->views >> place & 1) != 0) {
            uint32_t index = history_probe_slot(history, event->stream, w, 0);
            int64_t *came_us = &history->rows->slots.slot[index].came_us;
            *came_us = event->came_us > *came_us ? event->came_us : *came_us;
        }
    }
    return history_gather(history, event->stream, &wire, 0, 0, 1, &event->order);
}

enum result history_true_apply(struct history *history, bool *out_more)
{
    struct sort_pair *order;
    enum result result = events_order(history, &order);
    if (result != RESULT_OK) {
        return result;
    }
    for (uint64_t i = 0; result == RESULT_OK && i < history->event_count; i++) {
        result = event_apply(history, event_at(history, order[i].item));
    }
    heap_free(order);
    if (result == RESULT_OK && history->until_us != INT64_MAX) {
        result = history_reads_take(history, history->until_us);
    }
    *out_more = history->until_us != INT64_MAX;
    history->from_us = history->until_us;
    history->until_us = INT64_MAX;
    history->event_used = 0;
    history->event_count = 0;
    return result;
}
