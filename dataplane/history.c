#include "dataplane/history.h"

#include <string.h>

#include "dataplane/base/assert.h"
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

void history_places_init(struct history_places *places)
{
    memset(places->then, HISTORY_PLACE_NONE, sizeof(places->then));
    memset(places->is_routed, 0, sizeof(places->is_routed));
}

/* before: whether events went there by the plan before. */
static void place_note(const struct plan *plan, uint32_t view, uint32_t source, uint32_t place_then,
                       const struct history_places *before, bool unrouted,
                       struct history_places *places)
{
    uint32_t s = plan_source_stream(&plan->view[view], source);
    for (uint32_t place = 0; place < plan->stream[s].view_count; place++) {
        if (plan->stream[s].view[place] == view) {
            places->then[s][place] = (uint8_t)place_then;
            places->is_routed[s][place] = !unrouted || before->is_routed[s][place];
        }
    }
}

enum result history_places_of(const struct plan *plan, const struct catalog *catalog, bool unrouted,
                              struct history_places *places, struct catalog_conflict *out_conflict)
{
    const struct history_places before = *places;
    struct catalog_map *map = heap_alloc(sizeof(*map));
    struct view_set changed;
    if (map == NULL) {
        return RESULT_NO_MEMORY;
    }
    enum result result = catalog_match(catalog, plan, map, &changed, out_conflict);
    history_places_init(places);
    for (uint32_t v = 0; result == RESULT_OK && v < catalog->view_count; v++) {
        const struct catalog_view *then = &catalog->view[v];
        if (map->view[v] == CATALOG_GONE) {
            continue;
        }
        place_note(plan, map->view[v], 0, then->place, &before, unrouted, places);
        for (uint32_t i = 0; i < then->other_count; i++) {
            place_note(plan, map->view[v], i + 1, then->other[i].place, &before, unrouted, places);
        }
    }
    heap_free(map);
    return result;
}

enum result history_catalog(struct history *history, uint32_t shard, const struct catalog *catalog,
                            bool unrouted, struct catalog_conflict *out_conflict)
{
    return history_places_of(history->options.plan, catalog, unrouted,
                             &history->shard[shard].places, out_conflict);
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
        result = history->team == NULL ? history_reads_take(history, entry->apply_us)
                                       : history_hand_apply_begin(history, shard, entry->apply_us);
        history_apply_begin(history, shard, entry->apply_us);
    }
    if (result != RESULT_OK ||
        (entry->kind == MIRROR_FORWARD && !forward_counts(history, shard, entry))) {
        return result;
    }
    return history_record_take(history, shard, entry, /* again= */ false);
}

enum result history_entry_again(struct history *history, uint32_t home,
                                const struct mirror_entry *entry)
{
    return entry->kind == MIRROR_MESSAGE
               ? history_record_take(history, home, entry, /* again= */ true)
               : RESULT_OK;
}

enum result history_entries_end(struct history *history)
{
    return history->team == NULL ? RESULT_OK : history_hand_flush(history);
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
        result = result == RESULT_OK ? history_flush(history) : result;
    }
    return result;
}
