#include "dataplane/shard.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/key.h"
#include "dataplane/feature/row.h"
#include "dataplane/row_hand.h"
#include "drivers/clock.h"

/* Groups go through the stages four at a time, each stage eight groups behind the one before:
 * enough misses in flight, none waited for. 63 ns per event over 10 million keys, where one at a
 * time took 86 and whole blocks of 32 took 80 (2026-11-23, EPYC, 25 events a message). */
#define STAGE_GROUPS 4u
#define STAGE_LAG    8u
#define GROUP_NONE   UINT16_MAX
/* One batch in so many is timed for the cost per view. */
#define APPLY_SAMPLE      64u
#define REDIS_ID_SIZE_MAX (3 * KEY_SIZE_MAX + NAME_SIZE_MAX)

uint64_t shard_footprint(uint64_t region_bytes, uint32_t readers_max)
{
    return row_store_footprint(region_bytes, readers_max) + table_footprint() +
           align_up(sizeof(struct shard_scratch), CACHE_LINE_BYTES) + CACHE_LINE_BYTES;
}

enum result shard_init(struct shard *shard, const struct plan *plan, struct counters *counters,
                       uint64_t secret, void *region, uint64_t region_bytes, uint32_t readers_max,
                       struct arena *arena)
{
    shard->plan = plan;
    shard->counters = counters;
    shard->secret = secret;
    shard->part_first = VIEWS_MAX;
    shard->apply_us = INT64_MIN;
    shard->oldest_us = INT64_MAX;
    shard->sweep_next_us = INT64_MIN;
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        shard->fold_us[i] = INT64_MIN;
    }
    shard->scratch = arena_take(arena, sizeof(*shard->scratch), CACHE_LINE_BYTES);
    row_store_init(&shard->store, region, region_bytes, readers_max, arena);
    return table_init(&shard->table, &shard->store, arena) ? RESULT_OK : RESULT_NO_SPACE;
}

static const uint8_t *batch_key(const struct shard_batch *batch, uint32_t item)
{
    return batch->keys + (uint64_t)item * batch->key_stride;
}

static bool keys_equal(const struct shard_batch *batch, uint32_t a, uint32_t b)
{
    return batch->key_size[a] == batch->key_size[b] &&
           memcmp(batch_key(batch, a), batch_key(batch, b), batch->key_size[a]) == 0;
}

/* Stage A: hashes keys and chains events of one key. Returns the number of groups. */
static uint32_t groups_form(struct shard *shard, uint32_t view_index,
                            const struct shard_batch *batch)
{
    struct shard_scratch *scratch = shard->scratch;
    if (++scratch->generation == 0) {
        memset(scratch->head, 0, sizeof(scratch->head));
        scratch->generation = 1;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint64_t hash =
            hash_table(batch_key(batch, i), batch->key_size[i], shard->secret + view_index);
        struct shard_head *head = &scratch->head[hash % SHARD_HEADS];
        uint16_t newest = head->generation == scratch->generation ? head->group : GROUP_NONE;
        uint16_t at = newest;
        scratch->next[i] = GROUP_NONE;
        while (at != GROUP_NONE && (scratch->group[at].hash != hash ||
                                    !keys_equal(batch, scratch->group[at].first, i))) {
            at = scratch->group[at].next_same;
        }
        if (at != GROUP_NONE) {
            scratch->next[scratch->group[at].last] = (uint16_t)i;
            scratch->group[at].last = (uint16_t)i;
            continue;
        }
        scratch->group[count] = (struct shard_group){
            .hash = hash, .first = (uint16_t)i, .last = (uint16_t)i, .next_same = newest};
        *head = (struct shard_head){.generation = scratch->generation, .group = (uint16_t)count};
        count++;
    }
    return count;
}

/* Stage B: the bucket is on its way. */
static inline void group_prefetch(struct shard *shard, struct shard_group *group)
{
    group->segment = table_segment(&shard->table, group->hash);
    __builtin_prefetch(table_bucket(group->segment, group->hash), 0, 3);
}

/* Stage C: the bucket is here; what most events touch of the first row that may be it is on its
 * way. */
static inline void group_probe(struct shard *shard, const struct plan_view *view,
                               struct shard_group *group)
{
    uint64_t *bucket = table_bucket(group->segment, group->hash);
    uint32_t index = 0;
    group->entry = table_find(group->segment, &bucket, &index, group->hash);
    group->row = NULL;
    if (group->entry != NULL) {
        group->row = row_store_at(&shard->store, entry_line(*group->entry));
        for (uint32_t line = 0; line < view->touched_lines; line++) {
            __builtin_prefetch(group->row + (uint64_t)line * LINE_WORDS, 1, 3);
        }
    }
}

/* The row of a key, looked up from the start: for rows that the probe's first candidate was not,
 * and because applying other groups may have moved entries. */
static uint64_t *row_find(struct shard *shard, uint32_t view_index, struct shard_group *group,
                          const uint8_t *key, uint32_t key_size)
{
    uint64_t *segment = table_segment(&shard->table, group->hash);
    uint64_t *bucket = table_bucket(segment, group->hash);
    uint32_t index = 0;
    while ((group->entry = table_find(segment, &bucket, &index, group->hash)) != NULL) {
        uint64_t *row = row_store_at(&shard->store, entry_line(*group->entry));
        if (row_key_equals(row, view_index, key, key_size)) {
            return row;
        }
    }
    return NULL;
}

/* True when the row holds the record already: a later copy of it was in a checkpoint. */
static inline bool row_has(const struct shard *shard, const uint64_t *row, uint64_t lsn)
{
    return shard->replaying && lsn <= row[ROW_LSN];
}

static void batch_refuse(struct shard *shard, uint32_t view_index, struct shard_batch *batch,
                         uint16_t item, enum drop drop)
{
    counter_add(&shard->counters->view[view_index].shared_drop[drop], 1);
    batch->refused[batch->refused_count++] = batch->event[item];
}

/* Applies a group's events from item on to the row in hand; returns how many went in. */
static uint32_t hand_apply(struct shard *shard, uint32_t view_index, const struct ladder *ladder,
                           const struct burst *burst, struct shard_batch *batch, uint16_t item,
                           struct row_hand *hand)
{
    const struct plan_view *view = &shard->plan->view[view_index];
    uint32_t applied = 0;
    for (; item != GROUP_NONE; item = shard->scratch->next[item]) {
        uint32_t event = batch->event[item];
        if (row_has(shard, hand->row, burst->lsn[event])) {
            continue;
        }
        single_of_event(view, burst, event, shard->scratch->single);
        enum drop drop = row_hand_apply(shard, view_index, ladder, shard->scratch->single,
                                        burst->lsn[event], hand);
        if (drop == DROP_NONE) {
            applied++;
        } else {
            batch_refuse(shard, view_index, batch, item, drop);
        }
    }
    return applied;
}

/* Applies a group's first events as long as they belong to the row's open tile, which is what most
 * do; *item becomes the first that does not. Returns how many went in. */
static inline uint32_t open_apply(struct shard *shard, const struct plan_view *view,
                                  const struct ladder *ladder, const struct burst *burst,
                                  const struct shard_batch *batch, uint64_t *row, uint16_t *item)
{
    uint32_t applied = 0;
    const uint64_t *single = shard->scratch->single;
    uint32_t lines = view->run_count > 0 ? row_place_lines(shard, row) : 0;
    for (; *item != GROUP_NONE; *item = shard->scratch->next[*item]) {
        uint32_t event = batch->event[*item];
        if (row_has(shard, row, burst->lsn[event])) {
            continue;
        }
        single_of_event(view, burst, event, shard->scratch->single);
        uint64_t lsn = burst->lsn[event];
        bool good =
            view->run_count > 0
                ? row_apply_open_runs(view, ladder, row, lines, single, shard->apply_us, lsn)
                : row_apply_open(view, ladder, row, single, shard->apply_us, lsn);
        if (!good) {
            break;
        }
        applied++;
    }
    return applied;
}

static uint16_t key_redis_slot(const struct shard *shard, const struct plan_view *view,
                               const uint8_t *key, uint32_t key_size)
{
    char text[REDIS_ID_SIZE_MAX];
    uint32_t size = key_format(shard->plan, view, key, key_size, text, sizeof(text));
    return hash_redis_slot(text, size);
}

/* Refuses all events of a group. */
static void group_refuse(struct shard *shard, uint32_t view_index, struct shard_batch *batch,
                         const struct shard_group *group)
{
    for (uint16_t item = group->first; item != GROUP_NONE; item = shard->scratch->next[item]) {
        batch_refuse(shard, view_index, batch, item, DROP_view_memory);
    }
}

/* A key's first row: filled before the table names it. */
static uint32_t group_apply_new(struct shard *shard, uint32_t view_index,
                                const struct ladder *ladder, const struct burst *burst,
                                struct shard_batch *batch, const struct shard_group *group)
{
    const struct plan_view *view = &shard->plan->view[view_index];
    const uint8_t *key = batch_key(batch, group->first);
    uint32_t key_size = batch->key_size[group->first];
    uint32_t class_index = row_store_class_of(row_lines_first(view, key_size));
    ASSERT(class_index < ROW_STORE_CLASSES);
    uint64_t *row = row_store_can_retire(&shard->store)
                        ? row_store_take_last(&shard->store, class_index)
                        : NULL;
    if (row == NULL) {
        group_refuse(shard, view_index, batch, group);
        return 0;
    }
    row_lock(row);
    row_init(view, view_index, key, key_size, key_redis_slot(shard, view, key, key_size), row);
    struct row_hand hand = {.row = row, .lines = row_place_lines(shard, row)};
    row_hand_account(shard, view_index, hand.lines);
    uint32_t refused_before = batch->refused_count;
    uint32_t applied = hand_apply(shard, view_index, ladder, burst, batch, group->first, &hand);
    row_unlock(hand.row);
    if (hand.old != NULL) {
        row_store_retire(&shard->store, hand.old);
    }
    if (applied == 0 ||
        !table_insert(&shard->table, group->hash, row_store_line_of(&shard->store, hand.row))) {
        if (applied > 0) { /* All of the group, then: what was refused alone is named once. */
            batch->refused_count = refused_before;
            group_refuse(shard, view_index, batch, group);
        }
        row_hand_account(shard, view_index, -(int64_t)hand.lines);
        row_store_retire(&shard->store, hand.row); /* Within what row_store_can_retire() left. */
        return 0;
    }
    counter_add(&shard->counters->shared[COUNTER_rows_created], 1);
    counter_add(&shard->counters->view[view_index].shared_rows, 1);
    return applied;
}

/* Stage D: the row is here. */
static uint32_t group_apply(struct shard *shard, uint32_t view_index, const struct ladder *ladder,
                            const struct burst *burst, struct shard_batch *batch,
                            struct shard_group *group)
{
    const uint8_t *key = batch_key(batch, group->first);
    uint32_t key_size = batch->key_size[group->first];
    uint64_t *row = group->row;
    /* The probe's entry may have been moved by a split since: then its line differs or is gone. */
    if (row == NULL || !entry_matches(*group->entry, group->hash) ||
        row_store_at(&shard->store, entry_line(*group->entry)) != row ||
        !row_key_equals(row, view_index, key, key_size)) {
        row = row_find(shard, view_index, group, key, key_size);
    }
    if (row == NULL) {
        return group_apply_new(shard, view_index, ladder, burst, batch, group);
    }
    const struct plan_view *view = &shard->plan->view[view_index];
    uint16_t item = group->first;
    row_lock(row);
    if (view->outlives_tiles && row_newest_us(row) < ladder->expire_us) {
        row_restart(view, row); /* As if it had been swept: whether it was must not matter. */
    }
    uint32_t applied = open_apply(shard, view, ladder, burst, batch, row, &item);
    if (item == GROUP_NONE) {
        row_unlock(row);
        return applied;
    }
    struct row_hand hand = {.row = row, .lines = row_place_lines(shard, row)};
    applied += hand_apply(shard, view_index, ladder, burst, batch, item, &hand);
    row_hand_publish(shard, &hand, group->entry);
    row_unlock(hand.row);
    return applied;
}

static void oldest_note(struct shard *shard, const struct burst *burst,
                        const struct shard_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        int64_t time_us = burst->time_us[batch->event[i]];
        shard->oldest_us = time_us < shard->oldest_us ? time_us : shard->oldest_us;
    }
}

/* Groups first .. end - 1 are in a stage now. */
struct stage {
    uint32_t first;
    uint32_t end;
};

/* The groups of a stage that is lag groups behind position at. */
static inline struct stage stage_of(uint32_t at, uint32_t lag, uint32_t count)
{
    if (at < lag || at - lag >= count) {
        return (struct stage){0};
    }
    uint32_t first = at - lag;
    uint32_t left = count - first;
    return (struct stage){first, first + (left < STAGE_GROUPS ? left : STAGE_GROUPS)};
}

uint32_t shard_apply(struct shard *shard, uint32_t view_index, const struct burst *burst,
                     struct shard_batch *batch)
{
    const struct plan_view *view = &shard->plan->view[view_index];
    struct counters_view *counters = &shard->counters->view[view_index];
    bool timed = shard->batches++ % APPLY_SAMPLE == 0;
    uint64_t start = timed ? clock_ticks() : 0;
    struct ladder ladder;
    ladder_init(view, ladder_fold_us(view, shard->fold_us), &ladder);
    oldest_note(shard, burst, batch);
    batch->refused_count = 0;
    uint32_t count = groups_form(shard, view_index, batch);
    struct shard_group *group = shard->scratch->group;
    uint32_t applied = 0;
    for (uint32_t at = 0; at < count + 2 * STAGE_LAG; at += STAGE_GROUPS) {
        struct stage stage = stage_of(at, 0, count);
        for (uint32_t i = stage.first; i < stage.end; i++) {
            group_prefetch(shard, &group[i]);
        }
        stage = stage_of(at, STAGE_LAG, count);
        for (uint32_t i = stage.first; i < stage.end; i++) {
            group_probe(shard, view, &group[i]);
        }
        stage = stage_of(at, 2 * STAGE_LAG, count);
        for (uint32_t i = stage.first; i < stage.end; i++) {
            applied += group_apply(shard, view_index, &ladder, burst, batch, &group[i]);
        }
    }
    counter_add(&counters->shared_applied, applied);
    if (timed) {
        counter_add(&counters->shared_apply_ticks, clock_ticks() - start);
        counter_add(&counters->shared_apply_sampled, batch->count);
    }
    return applied;
}
