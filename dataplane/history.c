#include "dataplane/history.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/sort.h"
#include "dataplane/feature/wire.h"
#include "dataplane/history_inside.h"
#include "dataplane/worker.h"

_Static_assert(SHARDS_MAX <= 64, "a mask of owners is one word");

static bool view_is_asked(const struct history *history, uint32_t view)
{
    for (uint32_t i = 0; i < history->options.read_count; i++) {
        if (history->options.read[i].view == view) {
            return true;
        }
    }
    return false;
}

/* Bursts and probes of the streams that the view has. */
static enum result view_ask(struct history *history, uint32_t view_index)
{
    const struct plan *plan = history->options.plan;
    const struct plan_view *view = &plan->view[view_index];
    for (uint32_t source = 0; source < plan_source_count(view); source++) {
        uint32_t s = plan_source_stream(view, source);
        struct history_stream *own = history->stream[s];
        if (own == NULL) {
            own = heap_alloc_lines(sizeof(*own));
            if (own == NULL) {
                return RESULT_NO_MEMORY;
            }
            history->stream[s] = own;
            own->burst = heap_alloc_lines(sizeof(*own->burst));
            own->space = heap_alloc(HISTORY_SPACE_BYTES);
            if (own->burst == NULL || own->space == NULL) {
                return RESULT_NO_MEMORY;
            }
            own->burst->stream = (uint16_t)s;
            own->burst->schema = &plan->stream[s].schema;
        }
        for (uint32_t place = 0; place < plan->stream[s].view_count; place++) {
            if (plan->stream[s].view[place] == view_index) {
                own->place[own->view_count++] = (uint8_t)place;
            }
        }
    }
    return RESULT_OK;
}

/* Time and keys only: most events are no row's. */
static void probe_compile(struct history *history, uint32_t s)
{
    const struct plan *plan = history->options.plan;
    struct history_stream *own = history->stream[s];
    uint64_t fields = 0;
    for (uint32_t w = 0; w < own->view_count; w++) {
        const struct plan_view *view = &plan->view[plan->stream[s].view[own->place[w]]];
        const uint8_t *key_field = plan_key_fields(view, s);
        for (uint32_t k = 0; k < view->key_count; k++) {
            fields |= UINT64_C(1) << key_field[k];
        }
    }
    decode_compile_only(&plan->stream[s].schema, fields, &own->probe);
}

static enum result streams_open(struct history *history)
{
    const struct plan *plan = history->options.plan;
    for (uint32_t v = 0; v < plan->view_count; v++) {
        enum result result = view_is_asked(history, v) ? view_ask(history, v) : RESULT_OK;
        if (result != RESULT_OK) {
            return result;
        }
    }
    for (uint32_t s = 0; s < plan->stream_count; s++) {
        if (history->stream[s] != NULL) {
            probe_compile(history, s);
        }
    }
    return RESULT_OK;
}

static enum result worker_open(struct history *history)
{
    const struct history_options *options = &history->options;
    clock_open_virtual(&history->clock, 0);
    const struct worker_options worker = {.plan = options->plan,
                                          .clock = &history->clock,
                                          .shard_count = 1,
                                          .state_bytes = options->state_bytes,
                                          .lanes_max = 1,
                                          .readers_max = 1,
                                          .epoch = 1,
                                          .patterns = options->patterns,
                                          .pattern_scratch = options->pattern_scratch};
    enum result result = memory_map(worker_footprint(&worker), 0, &history->region);
    result =
        result == RESULT_OK ? worker_init(&worker, history->region.base, &history->worker) : result;
    if (result != RESULT_OK) {
        return result;
    }
    worker_connect(&history->worker, 1);
    memcpy(history->worker->since_us, options->since_us,
           options->plan->view_count * sizeof(options->since_us[0]));
    /* Nothing is refused that has room: it had, when it came. */
    history->worker->shard.obeying = options->mode == HISTORY_KNOWN;
    history->worker->shard.apply_us = 0;
    return reader_open(&history->worker, 1, 0, &history->reader);
}

static enum result reads_order(struct history *history)
{
    uint32_t count = history->options.read_count;
    struct sort_pair *due = heap_alloc((2 * (uint64_t)count + 1) * sizeof(*due));
    history->order = heap_alloc((count + 1) * sizeof(*history->order));
    history->slot = heap_alloc((count + 1) * sizeof(*history->slot));
    if (due == NULL || history->order == NULL || history->slot == NULL) {
        heap_free(due);
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct history_read *read = &history->options.read[i];
        due[i] = (struct sort_pair){.key = history_due_us(history, i), .item = i};
        history->slot[i] =
            read->key_size == 0
                ? HISTORY_SLOT_NONE
                : history_slot_add(
                      &history->slots,
                      history_slot_hash(hash_owner(read->key, read->key_size), read->view),
                      read->view, read->key, read->key_size);
    }
    sort_pairs(due, due + count, count);
    for (uint32_t i = 0; i < count; i++) {
        history->order[i] = (uint32_t)due[i].item;
    }
    heap_free(due);
    return RESULT_OK;
}

static enum result parts_open(struct history *history)
{
    enum result result = history_slots_init(&history->slots, history->options.read_count);
    result = result == RESULT_OK ? reads_order(history) : result;
    result = result == RESULT_OK ? streams_open(history) : result;
    result = result == RESULT_OK ? worker_open(history) : result;
    if (result != RESULT_OK) {
        return result;
    }
    history->shard = heap_alloc_lines(SHARDS_MAX * sizeof(*history->shard));
    history->key = heap_alloc(VIEWS_PER_STREAM_MAX * (uint64_t)BURST_EVENTS_MAX *
                              align_up(KEY_SIZE_MAX, sizeof(uint64_t)));
    if (history->shard == NULL || history->key == NULL) {
        return RESULT_NO_MEMORY;
    }
    if (history->options.mode == HISTORY_TRUE) {
        return history_true_open(history);
    }
    history->keeps = true;
    for (uint32_t i = 0; history->keeps && i < history->options.read_count; i++) {
        const struct history_read *read = &history->options.read[i];
        history->keeps = !history_read_asks_horizon(&history->options.plan->view[read->view], read);
    }
    return history->keeps ? history_chunk_open(history) : RESULT_OK;
}

enum result history_open(const struct history_options *options, struct history **out_history)
{
    struct history *history = heap_alloc_lines(sizeof(*history));
    if (history == NULL) {
        return RESULT_NO_MEMORY;
    }
    history->options = *options;
    history->generation_burst = 1;
    history->generation_batch = 1;
    enum result result = parts_open(history);
    if (result != RESULT_OK) {
        history_close(history);
        return result;
    }
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
        struct history_shard *own = &history->shard[shard];
        for (uint32_t s = 0; s < STREAMS_MAX; s++) {
            own->watermark_us[s] = INT64_MIN;
            own->watermark_before_us[s] = INT64_MIN;
            own->watermark_burst_us[s] = INT64_MIN;
        }
        own->apply_us = INT64_MIN;
        memset(own->place_then, HISTORY_PLACE_NONE, sizeof(own->place_then));
    }
    history->shard_count = 1;
    *out_history = history;
    return RESULT_OK;
}

void history_close(struct history *history)
{
    if (history == NULL) {
        return;
    }
    reader_close(history->reader);
    if (history->region.base != NULL) {
        memory_unmap(&history->region);
    }
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        if (history->stream[s] != NULL) {
            heap_free(history->stream[s]->burst);
            heap_free(history->stream[s]->space);
            heap_free(history->stream[s]);
        }
    }
    while (history->text != NULL) {
        struct history_text *next = history->text->next;
        heap_free(history->text);
        history->text = next;
    }
    history_slots_deinit(&history->slots);
    heap_free(history->order);
    heap_free(history->slot);
    heap_free(history->shard);
    heap_free(history->key);
    if (history->chunk_region.base != NULL) {
        memory_unmap(&history->chunk_region);
    } else {
        heap_free(history->event);
    }
    heap_free(history);
}

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
            result = history_gather(history, stream, wire, part.first, i, end - i, part.order);
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
