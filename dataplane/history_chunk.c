/* What rows take is kept for a while, and taken row by row: a row's events and reads in their
 * order, rows in any. So a row is in the cache while it is worked on. For reads whose answers do
 * not hang on how far rows are folded.
 *
 * A row's wave counts its reads: its events before the first read are of wave 0. What is kept is
 * sorted by a part of the keys' hash, in it by waves, events before reads, and by hash. An event of
 * several rows of one key has the greatest of their waves, which all of them go on from. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/history_inside.h"

#define PART_BITS 10u
#define WAVE_BITS 16u
#define WAVE_MAX  ((1u << WAVE_BITS) - 1)
#define HASH_BITS (63u - PART_BITS - WAVE_BITS)
/* Kept things ahead of the one that is taken: their bytes come near. */
#define CHUNK_AHEAD 16u
/* More would keep rows in the cache no better, and cost pages. */
#define CHUNK_BYTES_MAX (64 * MIB)

_Static_assert(HASH_BITS < 64 && PART_BITS + WAVE_BITS < 63, "a key is one number");

enum result history_chunk_open(struct history *history)
{
    uint64_t all = history->options.event_bytes;
    all = all < CHUNK_BYTES_MAX ? all : CHUNK_BYTES_MAX;
    uint64_t events = align_up(all / 3 * 2, CACHE_LINE_BYTES);
    history->op_max = (all - all / 3 * 2) / (2 * sizeof(*history->op));
    uint64_t bytes = events + (2 * history->op_max + 1) * sizeof(*history->op);
    enum result result = memory_map(bytes, /* touch= */ 0, &history->chunk_region);
    if (result != RESULT_OK) {
        return result;
    }
    history->event = history->chunk_region.base;
    history->op = (struct sort_pair *)(history->event + events);
    history->options.event_bytes = events;
    history->chunk = 1;
    return RESULT_OK;
}

static int64_t op_key(uint64_t hash, uint32_t wave, bool is_read)
{
    uint64_t part = hash >> (64 - PART_BITS);
    uint64_t rest = hash << PART_BITS >> (64 - HASH_BITS);
    return (int64_t)(part << (63 - PART_BITS) | (uint64_t)wave << (63 - PART_BITS - WAVE_BITS) |
                     (uint64_t)is_read << (HASH_BITS - 1) | rest >> 1);
}

/* Waves begin anew with each chunk. */
static uint32_t wave_of(const struct history *history, struct history_slot *slot)
{
    if (slot->burst != history->chunk) {
        slot->burst = history->chunk;
        slot->batch = 0;
    }
    return slot->batch;
}

static bool chunk_has_room(const struct history *history, uint64_t bytes)
{
    return history->op_count < history->op_max &&
           history->event_used + bytes <= history->options.event_bytes;
}

static void op_add(struct history *history, int64_t key, uint64_t item)
{
    history->op[history->op_count++] = (struct sort_pair){.key = key, .item = item};
}

/* One event for those of its views whose keys are the same. */
static enum result event_add(struct history *history, const struct history_event *event,
                             const uint8_t *block, uint64_t hash, uint32_t wave)
{
    uint64_t bytes = sizeof(*event) + align_up(event->stride, sizeof(uint64_t));
    ASSERT(history->op_count < history->op_max);
    struct history_event *kept = (struct history_event *)(history->event + history->event_used);
    *kept = *event;
    memcpy(kept + 1, block, event->stride);
    op_add(history, op_key(hash, wave, /* is_read= */ false), history->event_used << 1);
    history->event_used += bytes;
    history->events++;
    return RESULT_OK;
}

/* Rows of the event with the key of its view `first`: their views, and the wave they are in. */
static uint32_t views_of_key(struct history *history, uint32_t stream, uint32_t event,
                             uint32_t first, uint32_t *out_wave)
{
    const struct history_stream *own = history->stream[stream];
    uint64_t hash = history->key_hash[first][event];
    struct history_slot *slot[VIEWS_PER_STREAM_MAX];
    uint32_t count = 0;
    uint32_t views = 0;
    uint32_t wave = 0;
    for (uint32_t w = first; w < own->view_count; w++) {
        if ((history->take[event] >> own->place[w] & 1) == 0 ||
            history->key_hash[w][event] != hash) {
            continue;
        }
        views |= 1u << own->place[w];
        slot[count] = &history->slots.slot[history_probe_slot(history, stream, w, event)];
        uint32_t its = wave_of(history, slot[count++]);
        wave = its > wave ? its : wave;
    }
    for (uint32_t i = 0; i < count; i++) {
        slot[i]->batch = wave;
    }
    *out_wave = wave;
    return views;
}

enum result history_chunk_event(struct history *history, uint32_t shard, uint32_t stream,
                                const struct wire_message *wire, uint32_t place, uint32_t event,
                                const uint64_t *order)
{
    const struct history_stream *own = history->stream[stream];
    uint64_t most = VIEWS_PER_STREAM_MAX *
                    (sizeof(struct history_event) + align_up(wire->event_stride, sizeof(uint64_t)));
    if (!chunk_has_room(history, most) ||
        history->op_count + VIEWS_PER_STREAM_MAX > history->op_max) {
        enum result result = history_chunk_take(history);
        if (result != RESULT_OK) {
            return result;
        }
        if (!chunk_has_room(history, most)) {
            return RESULT_NO_SPACE;
        }
    }
    history_horizons_note(history);
    struct history_event kept = {.order = order != NULL ? *order : wire->sequence << 16 | place,
                                 .came_us = history->shard[shard].watermark_before_us[stream],
                                 .stream = (uint16_t)stream,
                                 .version = wire->version,
                                 .stride = wire->event_stride};
    const uint8_t *block = wire->events + (uint64_t)place * wire->event_stride;
    for (uint32_t w = 0; history->take[event] != 0 && w < own->view_count; w++) {
        if ((history->take[event] >> own->place[w] & 1) == 0) {
            continue;
        }
        uint32_t wave;
        kept.views = views_of_key(history, stream, event, w, &wave);
        history->take[event] &= ~kept.views;
        enum result result = event_add(history, &kept, block, history->key_hash[w][event], wave);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return RESULT_OK;
}

enum result history_chunk_read(struct history *history, uint32_t read)
{
    const struct history_read *asked = &history->options.read[read];
    uint32_t slot = history->slot[read];
    uint64_t hash = slot == HISTORY_SLOT_NONE ? 0 : hash_owner(asked->key, asked->key_size);
    bool full =
        history->op_count == history->op_max ||
        (slot != HISTORY_SLOT_NONE && wave_of(history, &history->slots.slot[slot]) == WAVE_MAX);
    if (full) {
        enum result result = history_chunk_take(history);
        if (result != RESULT_OK) {
            return result;
        }
    }
    uint32_t wave = 0;
    if (slot != HISTORY_SLOT_NONE) {
        wave = wave_of(history, &history->slots.slot[slot]);
        history->slots.slot[slot].batch = wave + 1;
    }
    op_add(history, op_key(hash, wave, /* is_read= */ true), (uint64_t)read << 1 | 1);
    return RESULT_OK;
}

/* Puts one kept event into its stream's burst; its bytes stay where they are. */
static enum result event_gather(struct history *history, const struct history_event *event)
{
    struct history_stream *own = history->stream[event->stream];
    struct burst *burst = own->burst;
    if (burst->count == BURST_EVENTS_MAX) {
        enum result result = history_flush(history);
        if (result != RESULT_OK) {
            return result;
        }
    }
    const struct plan_stream *stream = &history->options.plan->stream[event->stream];
    struct wire_message wire = {.stream_id = stream->schema.id,
                                .version = event->version,
                                .event_stride = (uint16_t)event->stride,
                                .event_count = 1,
                                .events = (const uint8_t *)(event + 1)};
    uint32_t at = burst->count;
    decode_events(&stream->decode_judged, &wire, 0, 1, burst);
    burst->order[at] = event->order;
    own->views[at] = event->views;
    own->came_us[at] = event->came_us;
    return RESULT_OK;
}

enum result history_chunk_take(struct history *history)
{
    enum result result = RESULT_OK;
    bool gathered = false;
    sort_pairs(history->op, history->op + history->op_max, history->op_count);
    for (uint64_t i = 0; result == RESULT_OK && i < history->op_count; i++) {
        uint64_t ahead = i + CHUNK_AHEAD < history->op_count ? i + CHUNK_AHEAD : i;
        const uint8_t *near = history->event + (history->op[ahead].item >> 1);
        __builtin_prefetch(near);
        __builtin_prefetch(near + CACHE_LINE_BYTES);
        uint64_t item = history->op[i].item;
        if ((item & 1) != 0) {
            result = gathered ? history_flush(history) : RESULT_OK;
            gathered = false;
            result =
                result == RESULT_OK ? history_read_ask(history, (uint32_t)(item >> 1)) : result;
            continue;
        }
        result = history->query_count > 0 ? history_reads_run(history) : RESULT_OK;
        gathered = true;
        if (result == RESULT_OK) {
            result =
                event_gather(history, (const struct history_event *)(history->event + (item >> 1)));
        }
    }
    result = result == RESULT_OK ? history_flush(history) : result;
    history->op_count = 0;
    history->event_used = 0;
    history->chunk++;
    history->gathers = false;
    return result;
}
