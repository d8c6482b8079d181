#include "dataplane/history_look.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/key.h"

#define KEY_STRIDE align_up(KEY_SIZE_MAX, sizeof(uint64_t))
#define COPY_BYTES ((uint64_t)BURST_EVENTS_MAX * MESSAGE_SIZE_MAX)

enum result history_look_open(uint32_t view_count, struct history_look **out_look)
{
    struct history_look *look = heap_alloc_lines(sizeof(*look));
    if (look == NULL) {
        return RESULT_NO_MEMORY;
    }
    uint64_t asks = (uint64_t)view_count * BURST_EVENTS_MAX;
    look->ask = heap_alloc(asks * sizeof(*look->ask));
    look->key = heap_alloc(asks * KEY_STRIDE);
    look->copy = heap_alloc(COPY_BYTES);
    if (look->ask == NULL || look->key == NULL || look->copy == NULL) {
        history_look_close(look);
        return RESULT_NO_MEMORY;
    }
    *out_look = look;
    return RESULT_OK;
}

void history_look_close(struct history_look *look)
{
    if (look != NULL) {
        heap_free(look->ask);
        heap_free(look->key);
        heap_free(look->copy);
        heap_free(look);
    }
}

/* What asks of one view and record share. */
struct asking {
    const struct history *history;
    struct history_look *look;
    const struct mirror_entry *entry;
    const struct plan_view *view;
    struct history_part part;
    uint32_t stream;
    uint32_t shard;
    uint32_t w;
    uint32_t place; /* Of the view among the stream's. */
    uint32_t index; /* Of the view. */
    uint32_t base;  /* Of the record's events in the probe. */
    uint32_t count;
    bool all; /* All of them are this record's to apply, whoever owns their rows. */
};

/* Event i of the record. */
static inline void ask_add(const struct asking *asking, uint32_t i, uint64_t owner_hash,
                           uint64_t word, const uint8_t *key, uint32_t key_size)
{
    const struct history *history = asking->history;
    struct history_look *look = asking->look;
    if (!asking->all &&
        !history_event_is_ours(history, asking->stream, asking->shard, asking->entry, asking->w,
                               asking->part, owner_hash, i)) {
        return;
    }
    struct history_ask *ask = &look->ask[look->ask_count++];
    *ask = (struct history_ask){.hash = history_slot_hash(owner_hash, asking->index),
                                .word = word,
                                .key = key,
                                .key_size = (uint16_t)key_size,
                                .event = (uint8_t)(asking->base + i),
                                .w = (uint8_t)asking->w};
    history_slot_prefetch_may(&history->rows->slots, ask->hash);
}

static bool is_asked(const struct asking *asking, uint32_t i)
{
    return (asking->history->take[i] >> asking->place & 1) != 0;
}

/* Keys of one number come straight from their column. */
static void numbers_ask(const struct asking *asking, uint32_t field)
{
    const struct burst *probe = &asking->look->probe;
    const int64_t *value = probe->value[field] + asking->base;
    const uint64_t *null_mask = probe->null_mask + asking->base;
    for (uint32_t i = 0; i < asking->count; i++) {
        if (is_asked(asking, i) && (null_mask[i] >> field & 1) == 0) {
            uint64_t word = (uint64_t)value[i];
            ask_add(asking, i, hash_owner_word(word), word, NULL, sizeof(word));
        }
    }
}

static void keys_ask(const struct asking *asking)
{
    struct history_look *look = asking->look;
    for (uint32_t i = 0; i < asking->count; i++) {
        uint64_t at = (uint64_t)asking->w * BURST_EVENTS_MAX + asking->base + i;
        uint8_t *key = look->key + at * KEY_STRIDE;
        uint32_t size = is_asked(asking, i)
                            ? key_of_event(asking->view, &look->probe, asking->base + i, key)
                            : 0;
        if (size > 0) {
            ask_add(asking, i, hash_owner(key, size), history_slot_word(key, size), key, size);
        }
    }
}

void history_look_add(struct history *history, uint32_t stream, uint32_t shard,
                      const struct mirror_entry *entry, const struct wire_message *wire,
                      struct history_part part, uint32_t count)
{
    const struct plan *plan = history->options.plan;
    const struct schema *schema = &plan->stream[stream].schema;
    struct history_stream *own = history->stream[stream];
    struct history_look *look = own->look;
    uint32_t base = look->probe.count;
    bool truly = history->options.mode == HISTORY_TRUE;
    look->probe.schema = schema;
    look->probe.stream = (uint16_t)stream;
    decode_events(&own->probe, wire, part.first, count, &look->probe);
    for (uint32_t i = 0; part.order != NULL && i < count; i++) {
        look->probe.order[base + i] = *part.order;
    }
    for (uint32_t i = 0; i < count; i++) {
        look->views[base + i] = 0;
        look->came_us[base + i] = history->came_us[i];
        look->before_us[base + i] =
            truly ? sub_clamped(look->probe.time_us[base + i], 1) : history->came_us[i];
    }
    struct asking asking = {.history = history,
                            .look = look,
                            .entry = entry,
                            .part = part,
                            .stream = stream,
                            .shard = shard,
                            .base = base,
                            .count = count,
                            .all = !part.again && history_events_are_ours(history, entry, part)};
    for (; asking.w < own->view_count; asking.w++) {
        asking.place = own->place[asking.w];
        asking.index = plan->stream[stream].view[asking.place];
        asking.view = &plan->view[asking.index];
        if (key_has_column(asking.view, schema, stream)) {
            numbers_ask(&asking, plan_key_fields(asking.view, stream)[0]);
        } else {
            keys_ask(&asking);
        }
    }
}

/* The filter is near by now: asks that no row may have go, without a branch, for nobody foresees
 * which. */
static void filter_look(const struct history_slots *slots, struct history_look *look)
{
    uint32_t left = 0;
    for (uint32_t a = 0; a < look->ask_count; a++) {
        uint64_t hash = look->ask[a].hash;
        look->ask[left] = look->ask[a];
        left += history_slot_may(slots, hash);
    }
    look->ask_count = left;
    for (uint32_t a = 0; a < left; a++) {
        history_slot_prefetch_tag(slots, look->ask[a].hash);
    }
}

/* Tags, too: rows that may be there come nearer. */
static void tags_look(const struct history_slots *slots, struct history_look *look)
{
    uint32_t left = 0;
    for (uint32_t a = 0; a < look->ask_count; a++) {
        struct history_ask *ask = &look->ask[a];
        uint32_t place = history_slot_seek(slots, ask->hash, history_slot_place(slots, ask->hash));
        if (place != HISTORY_SLOT_NONE) {
            __builtin_prefetch(&slots->slot[place], 0, 2);
            look->ask[left] = *ask;
            look->ask[left++].place = place;
        }
    }
    look->ask_count = left;
}

/* The row of an ask; NONE: it is another's tag. */
static uint32_t row_find(const struct history_slots *slots, const struct history_ask *ask,
                         uint32_t view)
{
    uint32_t place = ask->place;
    while (place != HISTORY_SLOT_NONE && !history_slot_is(&slots->slot[place], ask->hash, view,
                                                          ask->word, ask->key, ask->key_size)) {
        place = history_slot_seek(slots, ask->hash, (place + 1) & slots->mask);
    }
    return place;
}

/* Rows whose reads come later than the event take it. */
static void rows_look(const struct history *history, const struct history_stream *own,
                      struct history_look *look)
{
    const struct history_slots *slots = &history->rows->slots;
    const uint16_t *view = history->options.plan->stream[look->probe.stream].view;
    for (uint32_t a = 0; a < look->ask_count; a++) {
        const struct history_ask *ask = &look->ask[a];
        uint32_t place = own->place[ask->w];
        uint32_t slot = row_find(slots, ask, view[place]);
        if (slot != HISTORY_SLOT_NONE && look->before_us[ask->event] < slots->slot[slot].due_us) {
            look->views[ask->event] |= 1u << place;
            look->row[place][ask->event] = slot;
        }
    }
    look->ask_count = 0;
}

/* The picked events from `first` on whose bytes are as many, decoded together where they are copied
 * to. Returns the first one behind them. */
static uint32_t run_decode(const struct history_stream *own, struct history_look *look,
                           uint32_t first, uint8_t *copy)
{
    const struct burst *probe = &look->probe;
    uint16_t size = probe->event_size[look->picked[first]];
    uint32_t end = first;
    for (; end < look->picked_count && probe->event_size[look->picked[end]] == size; end++) {
        memcpy(copy + (uint64_t)(end - first) * size, probe->event[look->picked[end]], size);
    }
    const struct wire_message wire = {.version = probe->schema->version,
                                      .event_stride = size,
                                      .event_count = (uint16_t)(end - first),
                                      .events = copy};
    decode_events(&own->taken, &wire, 0, end - first, own->burst);
    for (uint32_t at = first; at < end; at++) {
        own->burst->order[at] = probe->order[look->picked[at]];
    }
    return end;
}

void history_look_pick(struct history *history, struct history_stream *own)
{
    struct history_look *look = own->look;
    filter_look(&history->rows->slots, look);
    tags_look(&history->rows->slots, look);
    rows_look(history, own, look);
    look->picked_count = 0;
    for (uint32_t i = 0; i < look->probe.count; i++) {
        own->views[look->picked_count] = look->views[i];
        look->picked[look->picked_count] = (uint8_t)i;
        look->picked_count += look->views[i] != 0;
    }
    ASSERT(own->burst->count == 0);
    uint8_t *copy = look->copy;
    for (uint32_t at = 0, end; at < look->picked_count; at = end) {
        end = run_decode(own, look, at, copy);
        copy += (uint64_t)(end - at) * look->probe.event_size[look->picked[at]];
    }
    look->probe.count = 0;
}
