/* A record of the log: which of its events are whose, as it came and as it was corrected. */
#include "dataplane/base/assert.h"
#include "dataplane/feature/wire.h"
#include "dataplane/history_look.h"

/* Whether a view takes history: one that the plan of its home did not have yet. A session begins
 * and ends in the order in which its events come. */
static bool view_takes_history(const struct history *history, const struct history_places *places,
                               uint32_t stream, uint32_t place)
{
    const struct plan *plan = history->options.plan;
    return history->options.mode == HISTORY_TRUE ||
           (places->then[stream][place] == HISTORY_PLACE_NONE &&
            !plan->view[plan->stream[stream].view[place]].has_sessions);
}

/* Whether a view takes what was applied, as far as the record tells; whose it is, the key does. */
static bool view_takes(const struct history *history, const struct history_places *places,
                       const struct mirror_entry *entry, uint32_t stream, uint32_t place,
                       uint32_t refused)
{
    bool is_message = entry->kind == MIRROR_MESSAGE;
    uint8_t then = places->then[stream][place];
    bool lived = then != HISTORY_PLACE_NONE && history->options.mode == HISTORY_KNOWN &&
                 (!is_message || places->is_routed[stream][place]);
    return lived ? (refused >> then & 1) == 0 && (is_message || (entry->views >> then & 1) != 0)
                 : is_message;
}

/* Which views may take an event of a record, as a mask of places. */
static uint32_t views_of(const struct history *history, uint32_t shard,
                         const struct mirror_entry *entry, uint32_t stream, uint32_t verdict)
{
    const struct history_stream *own = history->stream[stream];
    const struct history_places *places = &history->shard[shard].places;
    bool is_history = verdict_reason(verdict) == VERDICT_event_history;
    uint32_t views = 0;
    for (uint32_t w = 0; w < own->view_count; w++) {
        uint32_t place = own->place[w];
        bool takes = is_history ? entry->kind == MIRROR_MESSAGE &&
                                      view_takes_history(history, places, stream, place)
                                : view_takes(history, places, entry, stream, place, verdict >> 16);
        views |= (uint32_t)takes << place;
    }
    return views;
}

bool history_events_are_ours(const struct history *history, const struct mirror_entry *entry,
                             struct history_part part)
{
    return entry->kind == MIRROR_FORWARD || history->shard_count == 1 || part.corrected ||
           history->options.mode == HISTORY_TRUE;
}

bool history_event_is_ours(const struct history *history, uint32_t stream, uint32_t shard,
                           const struct mirror_entry *entry, uint32_t w, struct history_part part,
                           uint64_t owner_hash, uint32_t event)
{
    if (history_events_are_ours(history, entry, part)) {
        return !part.again;
    }
    uint32_t place = history->stream[stream]->place[w];
    bool lived = history->shard[shard].places.is_routed[stream][place];
    uint32_t owner = mesh_owner(owner_hash, history->shard_count);
    if (part.again) {
        return lived && owner != shard &&
               history->shard[owner].forward_lsn[shard] < entry->lsn + part.first + event;
    }
    return !lived || owner == shard;
}

static bool verdict_counts(const struct history *history, uint32_t stream, uint32_t verdict)
{
    uint8_t reason = verdict_reason(verdict);
    bool late = history->options.mode == HISTORY_TRUE && reason == VERDICT_event_late &&
                history->options.plan->stream[stream].late != LATE_DROP;
    return reason == VERDICT_applied || reason == VERDICT_event_history || late;
}

/* Every applied record moves its shard's watermark. */
static void watermark_move(struct history *history, uint32_t shard, uint32_t stream,
                           const struct mirror_entry *entry, uint32_t first,
                           const int64_t *event_us, uint32_t count)
{
    int64_t *watermark_us = &history->shard[shard].watermark_us[stream];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t verdict = mirror_entry_verdict(entry, first + i);
        int64_t time_us = event_us[i];
        int64_t moved_us = time_us < entry->apply_us ? time_us : entry->apply_us;
        if (verdict_reason(verdict) == VERDICT_applied && moved_us > *watermark_us) {
            *watermark_us = moved_us;
        }
    }
}

/* By which watermark each event of the probe goes: its shard's before its T; of history at least
 * the newest of history so far, for it moves none. */
static void horizons_set(struct history *history, uint32_t shard, uint32_t stream,
                         const struct mirror_entry *entry, uint32_t first)
{
    const struct burst *probe = &history->probe;
    struct history_shard *own = &history->shard[shard];
    int64_t before_us = own->watermark_before_us[stream];
    int64_t *history_us = &own->history_us[stream];
    for (uint32_t i = 0; i < probe->count; i++) {
        uint32_t verdict = mirror_entry_verdict(entry, first + i);
        history->horizon_us[i] = before_us;
        if (verdict_reason(verdict) == VERDICT_event_history) {
            *history_us = probe->time_us[i] > *history_us ? probe->time_us[i] : *history_us;
            history->horizon_us[i] = *history_us > before_us ? *history_us : before_us;
        }
    }
}

/* Some events of a record that are in the probe: narrows take to the rows that there are, and
 * gathers them in runs. */
static enum result part_take(struct history *history, uint32_t shard,
                             const struct mirror_entry *entry, const struct wire_message *wire,
                             struct history_part part)
{
    uint32_t stream = history->probe.stream;
    const struct history_stream *own = history->stream[stream];
    uint32_t count = history->probe.count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t take = 0;
        for (uint32_t w = 0; history->take[i] != 0 && w < own->view_count; w++) {
            if ((history->take[i] >> own->place[w] & 1) != 0 &&
                history_probe_slot(history, stream, w, i) != HISTORY_SLOT_NONE &&
                history_event_is_ours(history, stream, shard, entry, w, part,
                                      history->key_hash[w][i], i)) {
                take |= 1u << own->place[w];
            }
        }
        history->take[i] = take;
    }
    if (history->options.mode == HISTORY_TRUE) {
        return history_true_keep(history, stream, wire, part.first, part.order);
    }
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < count;) {
        uint32_t end = i;
        while (end < count && history->take[end] != 0) {
            end++;
        }
        if (end > i) {
            result = history_gather(history, stream, wire, part.first, i, end - i, part.order);
        }
        i = end > i ? end : i + 1;
    }
    return result;
}

/* Most records: no event was refused, or by one view only. */
static bool all_applied(const struct mirror_entry *entry, uint32_t first, uint32_t count)
{
    uint32_t verdicts = 0;
    for (uint32_t i = 0; i < count; i++) {
        verdicts |= mirror_entry_verdict(entry, first + i);
    }
    return verdicts == VERDICT_applied;
}

/* Which views take each event of a part as it came, and what was corrected of it. */
static void part_judge(struct history *history, uint32_t shard, const struct mirror_entry *entry,
                       uint32_t stream, uint32_t first, uint32_t count, bool again)
{
    const struct correction_set *set = history->options.corrections;
    int64_t apply_us = again ? history->again_us : entry->apply_us;
    bool message = entry->kind == MIRROR_MESSAGE;
    if (all_applied(entry, first, count) && (set == NULL || set->count == 0)) {
        uint32_t views = views_of(history, shard, entry, stream, VERDICT_applied);
        for (uint32_t i = 0; i < count; i++) {
            history->take[i] = views;
            history->came_us[i] = apply_us;
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t verdict = mirror_entry_verdict(entry, first + i);
        bool late =
            verdict_reason(verdict) != VERDICT_applied && history->options.mode == HISTORY_TRUE;
        history->take[i] = verdict_counts(history, stream, verdict)
                               ? views_of(history, shard, entry, stream, verdict)
                               : 0;
        history->came_us[i] = late ? INT64_MAX : apply_us;
        history->correction[i] = message ? correction_find(set, shard, entry->lsn + first + i)
                                         : correction_find(set, entry->home, entry->home_lsn);
        if (history->correction[i] != NULL) {
            history->corrected[i] = history->take[i];
            history->take[i] = 0;
        }
    }
}

/* The events of a part that were replaced, as they should have been: under their identity, from
 * their home's record alone. */
static enum result corrections_take(struct history *history, uint32_t shard,
                                    const struct mirror_entry *entry, uint32_t stream,
                                    uint32_t first, uint32_t count)
{
    const struct schema *schema = &history->options.plan->stream[stream].schema;
    bool text = (entry->flags & MIRROR_MESSAGE_FLAG_TEXT) != 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct correction *correction = history->correction[i];
        if (correction == NULL || correction->kind == CORRECTION_RETRACT ||
            entry->kind == MIRROR_FORWARD) {
            continue;
        }
        struct wire_message wire = {.stream_id = entry->stream_id,
                                    .version = correction->is.version,
                                    .sequence = entry->sequence,
                                    .event_stride = correction->is.size,
                                    .event_count = 1,
                                    .events = correction->is.data};
        if (decode_check(schema, &wire) != DROP_NONE) {
            return RESULT_CORRUPT;
        }
        uint64_t order = entry->sequence << 16 | (text ? entry->place : first + i);
        history->take[0] = history->corrected[i];
        history->came_us[0] = history->came_us[i];
        history->horizon_us[0] = history->horizon_us[i];
        const struct history_part part = {.corrected = true, .order = &order};
        enum result result;
        if (history->team != NULL) {
            result = history_hand_look(history, stream, shard, entry, &wire, part, 1);
        } else {
            history_probe(history, stream, &wire, 0, 1);
            result = part_take(history, shard, entry, &wire, part);
        }
        if (result != RESULT_OK) {
            return result;
        }
    }
    return RESULT_OK;
}

/* Events of a record that are judged: a hand looks at them together with others, a history of one
 * thread takes them now. */
static enum result events_take(struct history *history, uint32_t stream, uint32_t shard,
                               const struct mirror_entry *entry, const struct wire_message *wire,
                               struct history_part part, uint32_t count)
{
    bool moves = !part.again && history->options.mode == HISTORY_KNOWN;
    if (history->team != NULL) {
        enum result result = history_hand_look(history, stream, shard, entry, wire, part, count);
        const struct burst *probe = &history->stream[stream]->look->probe;
        if (result == RESULT_OK && moves) {
            watermark_move(history, shard, stream, entry, part.first,
                           probe->time_us + probe->count - count, count);
        }
        return result;
    }
    history_probe(history, stream, wire, part.first, count);
    if (moves) {
        watermark_move(history, shard, stream, entry, part.first, history->probe.time_us, count);
    }
    horizons_set(history, shard, stream, entry, part.first);
    return part_take(history, shard, entry, wire, part);
}

enum result history_record_take(struct history *history, uint32_t shard,
                                const struct mirror_entry *entry, bool again)
{
    int stream_index = plan_stream_find_id(history->options.plan, entry->stream_id);
    if (stream_index < 0 || history->stream[stream_index] == NULL) {
        return RESULT_OK;
    }
    uint32_t stream = (uint32_t)stream_index;
    struct wire_message wire = {.stream_id = entry->stream_id,
                                .version = entry->version,
                                .sequence = entry->sequence,
                                .event_stride = entry->event_stride,
                                .event_count = entry->event_count,
                                .events = entry->events};
    if (decode_check(&history->options.plan->stream[stream].schema, &wire) != DROP_NONE) {
        return RESULT_CORRUPT;
    }
    uint64_t text_order = entry->sequence << 16 | entry->place;
    bool text = entry->kind == MIRROR_MESSAGE && (entry->flags & MIRROR_MESSAGE_FLAG_TEXT) != 0;
    struct history_part part = {
        .again = again,
        .order = entry->kind == MIRROR_FORWARD ? &entry->order : (text ? &text_order : NULL)};
    enum result result = RESULT_OK;
    for (; result == RESULT_OK && part.first < entry->event_count; part.first += BURST_EVENTS_MAX) {
        uint32_t left = entry->event_count - part.first;
        uint32_t count = left < BURST_EVENTS_MAX ? left : BURST_EVENTS_MAX;
        part_judge(history, shard, entry, stream, part.first, count, again);
        result = events_take(history, stream, shard, entry, &wire, part, count);
        if (result == RESULT_OK && !again && history->options.corrections != NULL) {
            result = corrections_take(history, shard, entry, stream, part.first, count);
        }
    }
    return result;
}
