#include "dataplane/replay.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/decode.h"
#include "dataplane/feature/key.h"
#include "dataplane/feature/row.h"
#include "dataplane/feature/row_run.h"
#include "dataplane/replay_inside.h"
#include "drivers/memory.h"

enum result replay_open(const struct replay_options *options, struct replay **out_replay)
{
    ASSERT(options->shard_count > 0);
    ASSERT(options->old_shard_count > 0);
    struct replay *replay = heap_alloc_lines(sizeof(*replay));
    if (replay == NULL) {
        return RESULT_NO_MEMORY;
    }
    replay->options = *options;
    *out_replay = replay;
    return RESULT_OK;
}

void replay_close(struct replay *replay)
{
    heap_free(replay);
}

/* Place of a view among the views of its stream. */
static uint32_t place_of_view(const struct plan_stream *stream, uint32_t view)
{
    for (uint32_t v = 0; v < stream->view_count; v++) {
        if (stream->view[v] == view) {
            return v;
        }
    }
    UNREACHABLE();
}

/* Source `source` of a view stood at (stream, place) then. */
static void place_note(struct replay *replay, uint16_t stream, uint16_t place, uint32_t view,
                       uint32_t source)
{
    const struct plan *plan = replay->options.plan;
    uint32_t now = plan_source_stream(&plan->view[view], source);
    if (place < VIEWS_PER_STREAM_MAX) {
        replay->place[stream][place] = (uint8_t)place_of_view(&plan->stream[now], view);
    }
}

enum result replay_catalog(struct replay *replay, const struct catalog *catalog)
{
    struct catalog_conflict conflict;
    struct view_set changed;
    enum result result =
        catalog_match(catalog, replay->options.plan, &replay->map, &changed, &conflict);
    if (result != RESULT_OK) {
        return result;
    }
    replay->catalog = *catalog;
    memset(replay->place, REPLAY_NO_PLACE, sizeof(replay->place));
    for (uint32_t v = 0; v < catalog->view_count; v++) {
        const struct catalog_view *old = &catalog->view[v];
        uint16_t now = replay->map.view[v];
        if (now != CATALOG_GONE) {
            place_note(replay, old->stream, old->place, now, 0);
            for (uint32_t i = 0; i < old->other_count; i++) {
                place_note(replay, old->other[i].stream, old->other[i].place, now, i + 1);
            }
        }
    }
    return RESULT_OK;
}

void replay_shards_set(struct replay *replay, uint32_t old_shard_count)
{
    ASSERT(old_shard_count > 0);
    replay->options.old_shard_count = old_shard_count;
}

bool replay_plan_is_reached(const struct replay *replay)
{
    return replay->catalog.fingerprint == replay->options.plan->fingerprint;
}

void replay_begin(struct replay *replay, enum replay_pass pass, const struct replay_start *start)
{
    replay->pass = pass;
    replay->start = *start;
    replay->counts = (struct replay_counts){.apply_us = start->apply_us};
    memcpy(replay->counts.forward_lsn, start->forward_lsn, sizeof(start->forward_lsn));
    replay->apply_us = INT64_MIN;
    replay->burst.count = 0;
    for (uint32_t i = 0; i < SHARDS_MAX * STREAMS_MAX; i++) {
        replay->told_us[i / STREAMS_MAX][i % STREAMS_MAX] = INT64_MIN;
    }
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        replay->watermark_us[s] = start->watermark_of_plan ? start->watermark_us[s] : INT64_MIN;
    }
    for (uint32_t s = 0; !start->watermark_of_plan && s < replay->catalog.stream_count; s++) {
        if (replay->map.stream[s] != CATALOG_GONE) {
            replay->watermark_us[replay->map.stream[s]] = start->watermark_us[s];
        }
    }
    for (uint32_t w = 0; pass != REPLAY_FILL && w < replay->options.shard_count; w++) {
        replay->options.workers[w]->shard.replaying =
            pass == REPLAY_OWN && start->which != REPLAY_ROWS_ONLY;
        shard_obey(&replay->options.workers[w]->shard, pass != REPLAY_REBUILD);
    }
}

/* The row's words, where they can be read as words. */
static bool row_read_words(struct replay *replay, const struct tile_row *row)
{
    uint64_t words = (uint64_t)row->front_words + row->back_words;
    if (words > ARRAY_COUNT(replay->row_words) || row->front_words < LINE_WORDS) {
        return false;
    }
    memcpy(replay->row_words, row->words, words * sizeof(uint64_t));
    return true;
}

enum result replay_row(struct replay *replay, const struct tile_row *row)
{
    if (!row_read_words(replay, row)) {
        return RESULT_CORRUPT;
    }
    struct row_meta meta = row_meta_load(replay->row_words - 1);
    if (meta.view >= replay->catalog.view_count) {
        return RESULT_CORRUPT;
    }
    uint16_t view_index = replay->map.view[meta.view];
    if (view_index == CATALOG_GONE) {
        return RESULT_OK;
    }
    if (view_set_has(&replay->start.rebuild_views, view_index)) {
        return RESULT_OK;
    }
    const struct plan_view *view = &replay->options.plan->view[view_index];
    if (!row_check(view, replay->row_words - 1, (uint64_t)row->front_words + 1, row->back_words)) {
        return RESULT_CORRUPT;
    }
    const uint8_t *key = (const uint8_t *)&replay->row_words[ROW_KEY - 1];
    if (!replay_row_is_ours(replay, view_index, key, meta.key_size)) {
        return RESULT_OK;
    }
    uint32_t owner = mesh_owner(hash_owner(key, meta.key_size), replay->options.shard_count);
    struct shard *shard = &replay->options.workers[owner]->shard;
    replay->counts.rows++;
    row_store_turn(&shard->store);
    (void)table_turn(&shard->table);
    shard_pack_all(shard);
    return shard_row_restore(shard, view_index, replay->row_words, row->front_words,
                             row->back_words);
}

void replay_row_prefetch(const struct replay *replay, const struct tile_row *row,
                         enum replay_near near)
{
    /* Nothing is checked yet; a row that is none is found later. words begins at ROW_META. */
    uint64_t first[LINE_WORDS] = {0};
    memcpy(&first[ROW_META], row->words, (LINE_WORDS - ROW_META) * sizeof(first[0]));
    struct row_meta meta = row_meta_load(first);
    if (meta.view >= replay->catalog.view_count || meta.key_size > ROW_KEY_INLINE_BYTES ||
        replay->map.view[meta.view] == CATALOG_GONE) {
        return;
    }
    uint16_t view_index = replay->map.view[meta.view];
    const uint8_t *key = (const uint8_t *)&first[ROW_KEY];
    uint32_t owner = mesh_owner(hash_owner(key, meta.key_size), replay->options.shard_count);
    const struct shard *shard = &replay->options.workers[owner]->shard;
    if (near == REPLAY_NEAR_BUCKET) {
        shard_bucket_prefetch(shard, view_index, key, meta.key_size);
    } else {
        shard_row_prefetch(shard, view_index, key, meta.key_size);
    }
}

enum result replay_lane(struct replay *replay, const struct tile_lane *lane)
{
    if (replay->start.rows_only) {
        return RESULT_OK;
    }
    uint32_t home = hash_home(lane->producer, lane->lane, replay->options.shard_count);
    bool restored = lanes_restore_window(&replay->options.workers[home]->lanes, lane);
    return restored ? RESULT_OK : RESULT_NO_SPACE;
}

/* A turn of before: its T, and folding by what its records had found. */
static enum result turn_begin(struct replay *replay, int64_t apply_us)
{
    enum result result = replay_burst_finish(replay);
    replay->apply_us = apply_us;
    memcpy(replay->turn_watermark_us, replay->watermark_us, sizeof(replay->watermark_us));
    replay->counts.apply_us =
        apply_us > replay->counts.apply_us ? apply_us : replay->counts.apply_us;
    const struct plan *plan = replay->options.plan;
    struct replay_workers workers = replay_workers_of(replay);
    for (uint32_t w = workers.first; w < workers.end; w++) {
        struct shard *shard = &replay->options.workers[w]->shard;
        shard->apply_us = apply_us;
        for (uint32_t s = 0; s < plan->stream_count; s++) {
            shard->fold_us[s] = sub_clamped(replay->watermark_us[s], plan->stream[s].history_us);
        }
        shard_turn(shard, /* idle= */ false);
        shard_pack_all(shard);
    }
    return result;
}

/* Index of the stream in the catalog, or -1. */
static int catalog_stream_of(const struct replay *replay, uint16_t stream_id)
{
    for (uint32_t s = 0; s < replay->catalog.stream_count; s++) {
        if (replay->catalog.stream[s].id == stream_id) {
            return (int)s;
        }
    }
    return -1;
}

/* Finds the entry's stream, then and now; false when it is gone: nothing to apply. RESULT_CORRUPT:
 * no plan of its log has it. */
static enum result entry_stream(struct replay *replay, const struct mirror_entry *entry,
                                struct replay_events *out_events, bool *out_there)
{
    int old = catalog_stream_of(replay, entry->stream_id);
    *out_there = false;
    if (old < 0) {
        /* A mirror goes back further than the plans that are known. */
        bool known = !replay_rebuilds(replay) && !replay->start.partial;
        return known ? RESULT_CORRUPT : RESULT_OK;
    }
    uint16_t now = replay->map.stream[old];
    *out_there = now != CATALOG_GONE;
    *out_events = (struct replay_events){.old_stream = (uint32_t)old,
                                         .stream = now,
                                         .wire = {.stream_id = entry->stream_id,
                                                  .version = entry->version,
                                                  .sequence = entry->sequence,
                                                  .event_stride = entry->event_stride,
                                                  .event_count = entry->event_count,
                                                  .events = entry->events}};
    if (*out_there &&
        decode_check(&replay->options.plan->stream[now].schema, &out_events->wire) != DROP_NONE) {
        return RESULT_CORRUPT;
    }
    return RESULT_OK;
}

static enum result message_replay(struct replay *replay, const struct mirror_entry *entry)
{
    if (replay->pass == REPLAY_OWN && !replay->start.rows_only &&
        (entry->flags & MIRROR_MESSAGE_FLAG_TEXT) == 0) {
        struct lane_message message = {.producer = entry->producer,
                                       .sequence = entry->sequence,
                                       .incarnation = entry->incarnation,
                                       .lane = entry->lane};
        uint32_t home = hash_home(entry->producer, entry->lane, replay->options.shard_count);
        bool acked = (entry->flags & MIRROR_MESSAGE_FLAG_ACKED) != 0;
        if (!lanes_restore(&replay->options.workers[home]->lanes, &message, acked,
                           entry->apply_us)) {
            return RESULT_NO_SPACE;
        }
    }
    if (mirror_entry_is_history(entry) && !replay_rebuilds(replay)) {
        return RESULT_OK; /* No view that was there took it. */
    }
    struct replay_events events;
    bool there = false;
    enum result result = entry_stream(replay, entry, &events, &there);
    if (result != RESULT_OK || !there) {
        return result;
    }
    events.old_views = (1u << VIEWS_PER_STREAM_MAX) - 1;
    result = replay_gather(replay, entry, &events);
    if ((entry->flags & MIRROR_MESSAGE_FLAG_TEXT) != 0 && result == RESULT_OK) {
        /* One event, whose place in its datagram its order has. */
        replay->burst.order[replay->burst.count - 1] = entry->sequence << 16 | entry->place;
    }
    return result;
}

static enum result forward_replay(struct replay *replay, const struct mirror_entry *entry)
{
    if (replay->pass != REPLAY_OWN || entry->home >= replay->options.old_shard_count) {
        return replay->pass != REPLAY_OWN ? RESULT_OK : RESULT_CORRUPT;
    }
    if (replay->options.is_void(replay->options.context, entry->home, entry->home_lsn)) {
        replay->counts.voided++;
        return RESULT_OK;
    }
    uint64_t *taken = &replay->counts.forward_lsn[entry->home];
    *taken = entry->home_lsn > *taken ? entry->home_lsn : *taken;
    struct replay_events events;
    bool there = false;
    enum result result = entry_stream(replay, entry, &events, &there);
    if (result != RESULT_OK || !there) {
        return result;
    }
    events.old_views = entry->views;
    result = replay_gather(replay, entry, &events);
    if (result == RESULT_OK) {
        replay->burst.order[replay->burst.count - 1] = entry->order;
    }
    return result;
}

static enum result plan_replay(struct replay *replay, const struct mirror_entry *entry)
{
    enum result result = replay_burst_finish(replay);
    if (result == RESULT_OK) {
        result = catalog_decode(entry->note, entry->note_size, &replay->noted);
    }
    return result == RESULT_OK ? replay_catalog(replay, &replay->noted) : result;
}

enum result replay_entry(struct replay *replay, const struct mirror_entry *entry)
{
    if (entry->kind == MIRROR_PLAN) {
        return plan_replay(replay, entry);
    }
    const struct replay_start *start = &replay->start;
    bool had = entry->lsn + entry->lsn_count - 1 <= start->replay_lsn;
    bool live = replay->pass == REPLAY_FILL && entry->lsn > start->last_lsn;
    bool outside = live || entry->apply_us < start->since_us ||
                   (start->until_us != 0 && entry->apply_us >= start->until_us);
    had = had && (replay->pass == REPLAY_OWN || replay->pass == REPLAY_FILL);
    if (entry->kind == MIRROR_EPOCH || outside || had) {
        return RESULT_OK;
    }
    if (entry->apply_us != replay->apply_us) {
        enum result result = turn_begin(replay, entry->apply_us);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return entry->kind == MIRROR_MESSAGE ? message_replay(replay, entry)
                                         : forward_replay(replay, entry);
}

enum result replay_frame_end(struct replay *replay)
{
    return replay_burst_finish(replay);
}

void replay_place(const struct replay *replay, struct replay_place *out)
{
    ASSERT(replay->burst.count == 0);
    out->catalog = &replay->catalog;
    out->history = replay->counts.history;
    out->turn_us = replay->apply_us;
    memcpy(out->watermark_us, replay->watermark_us, sizeof(out->watermark_us));
    memcpy(out->turn_watermark_us, replay->turn_watermark_us, sizeof(out->turn_watermark_us));
}

void replay_turn_set(struct replay *replay, int64_t turn_us,
                     const int64_t turn_watermark_us[STREAMS_MAX])
{
    replay->apply_us = turn_us;
    memcpy(replay->turn_watermark_us, turn_watermark_us, sizeof(replay->turn_watermark_us));
}

enum result replay_end(struct replay *replay, struct replay_counts *out_counts)
{
    enum result result = replay_frame_end(replay);
    for (uint32_t w = 0; replay->pass != REPLAY_FILL && w < replay->options.shard_count; w++) {
        struct worker *worker = replay->options.workers[w];
        worker->shard.replaying = false;
        shard_obey(&worker->shard, false);
        bool own = replay->options.shard_count != replay->options.old_shard_count ||
                   w == replay->start.shard;
        own = own && replay->pass == REPLAY_OWN && !replay->start.rows_only;
        for (uint32_t s = 0; own && s < STREAMS_MAX; s++) {
            worker->watermark_us[s] = replay->watermark_us[s] > worker->watermark_us[s]
                                          ? replay->watermark_us[s]
                                          : worker->watermark_us[s];
        }
    }
    memcpy(replay->counts.watermark_us, replay->watermark_us, sizeof(replay->watermark_us));
    *out_counts = replay->counts;
    return result;
}
