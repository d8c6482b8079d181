#include "dataplane/history.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/wire.h"
#include "dataplane/history_inside.h"

_Static_assert(SHARDS_MAX <= 64, "a mask of owners is one word");

void history_shards_set(struct history *history, uint32_t shard_count)
{
    ASSERT(shard_count > 0 && shard_count <= SHARDS_MAX);
    if (shard_count == history->shard_count || history->options.mode == HISTORY_TRUE) {
        return; /* Of true there is one order of events, whoever had them. */
    }
    /* As recovery does: what any shard had seen, all have. */
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        int64_t greatest_us = INT64_MIN;
        for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
            int64_t own_us = history->shard[shard].watermark_us[s];
            greatest_us = own_us > greatest_us ? own_us : greatest_us;
        }
        for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
            history->shard[shard].watermark_us[s] = greatest_us;
            history->shard[shard].watermark_before_us[s] = greatest_us;
        }
    }
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
        memset(history->shard[shard].forward_lsn, 0, sizeof(history->shard[shard].forward_lsn));
    }
    history->shard_count = shard_count;
}

static void place_note(struct history *history, uint32_t shard, uint32_t view, uint32_t source,
                       uint32_t place_then)
{
    const struct plan *plan = history->options.plan;
    uint32_t s = plan_source_stream(&plan->view[view], source);
    for (uint32_t place = 0; place < plan->stream[s].view_count; place++) {
        if (plan->stream[s].view[place] == view) {
            history->shard[shard].place_then[s][place] = (uint8_t)place_then;
        }
    }
}

enum result history_catalog(struct history *history, uint32_t shard, const struct catalog *catalog,
                            struct catalog_conflict *out_conflict)
{
    struct catalog_map *map = heap_alloc(sizeof(*map));
    struct view_set changed;
    if (map == NULL) {
        return RESULT_NO_MEMORY;
    }
    enum result result = catalog_match(catalog, history->options.plan, map, &changed, out_conflict);
    memset(history->shard[shard].place_then, HISTORY_PLACE_NONE,
           sizeof(history->shard[shard].place_then));
    for (uint32_t v = 0; result == RESULT_OK && v < catalog->view_count; v++) {
        const struct catalog_view *then = &catalog->view[v];
        if (map->view[v] == CATALOG_GONE) {
            continue;
        }
        place_note(history, shard, map->view[v], 0, then->place);
        for (uint32_t i = 0; i < then->other_count; i++) {
            place_note(history, shard, map->view[v], i + 1, then->other[i].place);
        }
    }
    heap_free(map);
    return result;
}

/* Which views may take an event of a record, as a mask of places. again: of owners that never
 * logged it. */
static uint32_t views_of(const struct history *history, uint32_t shard,
                         const struct mirror_entry *entry, uint32_t stream, uint32_t verdict)
{
    const struct history_stream *own = history->stream[stream];
    const uint8_t *then = history->shard[shard].place_then[stream];
    uint32_t refused = verdict >> 16;
    uint32_t views = 0;
    for (uint32_t w = 0; w < own->view_count; w++) {
        uint32_t place = own->place[w];
        bool lived = then[place] != HISTORY_PLACE_NONE && history->options.mode == HISTORY_KNOWN;
        bool takes =
            lived ? (refused >> then[place] & 1) == 0 &&
                        (entry->kind == MIRROR_MESSAGE || (entry->views >> then[place] & 1) != 0)
                  : entry->kind == MIRROR_MESSAGE;
        views |= (uint32_t)takes << place;
    }
    return views;
}

/* Events of a record that are in the probe. */
struct history_part {
    uint32_t first; /* Of the record's. */
    bool again;
    bool corrected;        /* One event, as it should have been: whichever rows it is about. */
    const uint64_t *order; /* NULL where it is the message's. */
};

/* Whether a view's event is this record's to apply: a message's is its own shard's, but of views
 * that did not live; what a forward names is its owner's. */
static bool event_is_ours(const struct history *history, uint32_t shard,
                          const struct mirror_entry *entry, uint32_t w, struct history_part part,
                          uint32_t event)
{
    uint32_t stream = history->probe.stream;
    bool again = part.again;
    uint32_t place = history->stream[stream]->place[w];
    if (entry->kind == MIRROR_FORWARD || history->shard_count == 1 || part.corrected ||
        history->options.mode == HISTORY_TRUE) {
        return !again;
    }
    bool lived = history->shard[shard].place_then[stream][place] != HISTORY_PLACE_NONE;
    uint32_t owner = mesh_owner(history->key_hash[w][event], history->shard_count);
    if (again) {
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
    return reason == VERDICT_applied || late;
}

/* Every applied record moves its shard's watermark. */
static void watermark_move(struct history *history, uint32_t shard, uint32_t stream,
                           const struct mirror_entry *entry, uint32_t first)
{
    const struct burst *probe = &history->probe;
    int64_t *watermark_us = &history->shard[shard].watermark_us[stream];
    for (uint32_t i = 0; i < probe->count; i++) {
        uint32_t verdict = mirror_entry_verdict(entry, first + i);
        int64_t time_us = probe->time_us[i];
        int64_t moved_us = time_us < entry->apply_us ? time_us : entry->apply_us;
        if (verdict_reason(verdict) == VERDICT_applied && moved_us > *watermark_us) {
            *watermark_us = moved_us;
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
                event_is_ours(history, shard, entry, w, part, i)) {
                take |= 1u << own->place[w];
            }
        }
        history->take[i] = take;
    }
    if (history->options.mode == HISTORY_TRUE) {
        return history_true_keep(history, stream, wire, part.first, part.order);
    }
    enum result result = RESULT_OK;
    for (uint32_t i = 0; history->keeps && result == RESULT_OK && i < count; i++) {
        if (history->take[i] != 0) {
            result =
                history_chunk_event(history, shard, stream, wire, part.first + i, i, part.order);
        }
    }
    for (uint32_t i = 0; !history->keeps && result == RESULT_OK && i < count;) {
        uint32_t end = i;
        while (end < count && history->take[end] != 0) {
            end++;
        }
        if (end > i) {
            result =
                history_gather(history, shard, stream, wire, part.first, i, end - i, part.order);
        }
        i = end > i ? end : i + 1;
    }
    return result;
}

/* Which views take each event of a part as it came, and what was corrected of it. */
static void part_judge(struct history *history, uint32_t shard, const struct mirror_entry *entry,
                       uint32_t stream, uint32_t first, uint32_t count)
{
    const struct correction_set *set = history->options.corrections;
    bool message = entry->kind == MIRROR_MESSAGE;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t verdict = mirror_entry_verdict(entry, first + i);
        bool late = verdict_reason(verdict) != VERDICT_applied;
        history->take[i] = verdict_counts(history, stream, verdict)
                               ? views_of(history, shard, entry, stream, verdict)
                               : 0;
        history->came_us[i] = late ? INT64_MAX : entry->apply_us;
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
        history_probe(history, stream, &wire, 0, 1);
        enum result result = part_take(history, shard, entry, &wire,
                                       (struct history_part){.corrected = true, .order = &order});
        if (result != RESULT_OK) {
            return result;
        }
    }
    return RESULT_OK;
}

static enum result record_take(struct history *history, uint32_t shard,
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
        part_judge(history, shard, entry, stream, part.first, count);
        history_probe(history, stream, &wire, part.first, count);
        if (!again && history->options.mode == HISTORY_KNOWN) {
            watermark_move(history, shard, stream, entry, part.first);
        }
        result = part_take(history, shard, entry, &wire, part);
        if (result == RESULT_OK && !again && history->options.corrections != NULL) {
            result = corrections_take(history, shard, entry, stream, part.first, count);
        }
    }
    return result;
}

static bool forward_counts(struct history *history, uint32_t shard,
                           const struct mirror_entry *entry)
{
    const struct history_options *options = &history->options;
    if (entry->home >= SHARDS_MAX ||
        options->is_void(options->context, entry->home, entry->home_lsn)) {
        return false;
    }
    uint64_t *taken = &history->shard[shard].forward_lsn[entry->home];
    *taken = entry->home_lsn > *taken ? entry->home_lsn : *taken;
    return options->mode == HISTORY_KNOWN;
}

enum result history_entry(struct history *history, uint32_t shard, const struct mirror_entry *entry)
{
    if (entry->kind != MIRROR_MESSAGE && entry->kind != MIRROR_FORWARD) {
        return RESULT_OK;
    }
    enum result result = RESULT_OK;
    if (history->options.mode == HISTORY_KNOWN) {
        result = history_reads_take(history, entry->apply_us);
        history_apply_begin(history, shard, entry->apply_us);
    }
    if (result != RESULT_OK ||
        (entry->kind == MIRROR_FORWARD && !forward_counts(history, shard, entry))) {
        return result;
    }
    return record_take(history, shard, entry, /* again= */ false);
}

enum result history_entry_again(struct history *history, uint32_t home,
                                const struct mirror_entry *entry)
{
    return entry->kind == MIRROR_MESSAGE ? record_take(history, home, entry, /* again= */ true)
                                         : RESULT_OK;
}

uint64_t history_forward_lsn(const struct history *history, uint32_t owner, uint32_t home)
{
    return history->shard[owner].forward_lsn[home];
}

enum result history_end(struct history *history, bool *out_more)
{
    *out_more = false;
    enum result result = RESULT_OK;
    if (history->options.mode == HISTORY_TRUE) {
        result = history_true_apply(history, out_more);
    }
    if (result == RESULT_OK && !*out_more) {
        result = history_reads_take(history, INT64_MAX);
        if (result == RESULT_OK && history->keeps) {
            result = history_chunk_take(history);
        }
        result = result == RESULT_OK ? history_flush(history) : result;
    }
    return result;
}

uint64_t history_events(const struct history *history)
{
    return history->events;
}
