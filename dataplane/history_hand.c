/* A hand of a team: what rows take of the stretches of the logs that it is given is kept. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/history_look.h"
#include "dataplane/history_team.h"

/* Of parts that have room, the later half is left to another reading. RESULT_NO_SPACE: it is one
 * part, or another hand's lowering left nothing to give back. */
static enum result parts_drop(struct history *history)
{
    struct history_team *team = history->team;
    uint32_t end = history_part_end(team);
    uint32_t half = team->part_first + (end - team->part_first) / 2;
    if (half == team->part_first) {
        return RESULT_NO_SPACE;
    }
    while (end > half &&
           !atomic_compare_exchange_weak_explicit(&team->shared_part_end, &end, half,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
    history_keep_give(&history->keep, half, team->part_count);
    return RESULT_OK;
}

/* Keeps one event for a row, if its part has room. */
static enum result item_keep(struct history *history, const struct history_stream *own,
                             const struct plan_view *view, uint32_t slot, uint32_t event)
{
    struct history_team *team = history->team;
    uint32_t part = slot >> team->part_shift;
    uint32_t sources = view->outlives_tiles ? plan_source_count(view) : 0;
    if (part < team->part_first || part >= history_part_end(team)) {
        return RESULT_OK;
    }
    struct history_item *item = history->hand->item;
    item->slot = slot;
    item->stretch = history->hand->stretch;
    item->came_us = own->look->came_us[own->look->picked[event]];
    single_of_event(view, own->burst, event, item->words);
    const int64_t *before_us = history->shard[history->hand->shard].watermark_before_us;
    for (uint32_t i = 0; i < sources; i++) {
        item->words[view->single_words + i] = (uint64_t)before_us[plan_source_stream(view, i)];
    }
    while (!history_keep_add(&history->keep, item, view->single_words + sources)) {
        enum result result = parts_drop(history);
        if (result != RESULT_OK || part >= history_part_end(team)) {
            return result;
        }
    }
    return RESULT_OK;
}

static enum result view_keep(struct history *history, const struct history_stream *own,
                             uint32_t place)
{
    const struct plan *plan = history->options.plan;
    const struct burst *burst = own->burst;
    const struct plan_view *view = &plan->view[plan->stream[burst->stream].view[place]];
    const struct plan_source *source = plan_source_of(view, burst->stream);
    uint64_t sure = source == NULL ? view->sure_fields : source->sure_fields;
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < burst->count; i++) {
        /* An older definition applied null where this view counts on a value. */
        if ((own->views[i] >> place & 1) != 0 && (burst->null_mask[i] & sure) == 0) {
            uint32_t slot = own->look->row[place][own->look->picked[i]];
            result = item_keep(history, own, view, slot, i);
        }
    }
    return result;
}

static enum result stream_keep(struct history *history, struct history_stream *own)
{
    enum result result = RESULT_OK;
    history_look_pick(history, own);
    history_burst_compute(history, own);
    for (uint32_t w = 0; result == RESULT_OK && w < own->view_count; w++) {
        result = view_keep(history, own, own->place[w]);
    }
    own->burst->count = 0;
    return result;
}

enum result history_hand_flush(struct history *history)
{
    enum result result = RESULT_OK;
    for (uint32_t s = 0; result == RESULT_OK && s < history->options.plan->stream_count; s++) {
        if (history->stream[s] != NULL && history->stream[s]->look->probe.count > 0) {
            result = stream_keep(history, history->stream[s]);
        }
    }
    return result;
}

enum result history_hand_apply_begin(struct history *history, uint32_t shard, int64_t apply_us)
{
    struct history_hand *hand = history->hand;
    hand->apply_us = apply_us > hand->apply_us ? apply_us : hand->apply_us;
    bool moves = history->team->follows_horizon && history->shard[shard].apply_us != apply_us;
    return moves ? history_hand_flush(history) : RESULT_OK;
}

enum result history_hand_look(struct history *history, uint32_t stream, uint32_t shard,
                              const struct mirror_entry *entry, const struct wire_message *wire,
                              struct history_part part, uint32_t count)
{
    struct history_stream *own = history->stream[stream];
    enum result result = RESULT_OK;
    if (own->look->probe.count + count > BURST_EVENTS_MAX) {
        result = stream_keep(history, own);
    }
    if (result == RESULT_OK) {
        history_look_add(history, stream, shard, entry, wire, part, count);
    }
    return result;
}

void history_stretch_begin(struct history *history, uint32_t number, uint32_t shard,
                           const struct history_places *places)
{
    struct history_hand *hand = history->hand;
    struct history_shard *own = &history->shard[shard];
    hand->shard = shard;
    hand->stretch = number;
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        own->watermark_us[s] = INT64_MIN;
        own->watermark_before_us[s] = INT64_MIN;
    }
    own->apply_us = INT64_MIN;
    own->places = *places;
}

enum result history_stretch_end(struct history *history)
{
    struct history_hand *hand = history->hand;
    uint64_t bytes = history_stretch_bytes(history->team);
    enum result result = history_hand_flush(history);
    if (result == RESULT_OK && hand->seen_count == hand->seen_max) {
        uint64_t most = 2 * hand->seen_max + 64;
        uint8_t *seen = heap_realloc(hand->seen, most * bytes);
        if (seen == NULL) {
            return RESULT_NO_MEMORY;
        }
        hand->seen = seen;
        hand->seen_max = most;
    }
    if (result != RESULT_OK) {
        return result;
    }
    struct history_stretch *stretch =
        (struct history_stretch *)(hand->seen + hand->seen_count++ * bytes);
    stretch->number = hand->stretch;
    stretch->shard = hand->shard;
    stretch->era = hand->era;
    memcpy(stretch->moved_us, history->shard[hand->shard].watermark_us,
           history->options.plan->stream_count * sizeof(stretch->moved_us[0]));
    /* Parts that another hand gave up. */
    history_keep_give(&history->keep, history_part_end(history->team), history->team->part_count);
    return RESULT_OK;
}
