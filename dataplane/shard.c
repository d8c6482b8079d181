#include "dataplane/shard.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/key.h"
#include "dataplane/feature/row.h"
#include "drivers/clock.h"

/* Groups that go through each stage together. Whole stages keep more misses in flight than stages
 * interleaved at a distance: 88 against 155 ns per event over 10 million keys (2026-11-23, on an
 * EPYC). */
#define STAGE_GROUPS 32u
#define GROUP_NONE   UINT16_MAX
/* One batch in so many is timed for the cost per view. */
#define APPLY_SAMPLE       64u
#define SWEEP_BUCKETS_BUSY 1u
#define SWEEP_BUCKETS_IDLE 64u
#define REDIS_ID_SIZE_MAX  (3 * KEY_SIZE_MAX + NAME_SIZE_MAX)

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
    shard->apply_us = INT64_MIN;
    shard->oldest_us = INT64_MAX;
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

/* Stage C: the bucket is here; the first row that may be it is on its way. */
static inline void group_probe(struct shard *shard, struct shard_group *group)
{
    uint64_t *bucket = table_bucket(group->segment, group->hash);
    uint32_t index = 0;
    group->entry = table_find(group->segment, &bucket, &index, group->hash);
    group->row = NULL;
    if (group->entry != NULL) {
        group->row = row_store_at(&shard->store, entry_line(*group->entry));
        __builtin_prefetch(group->row, 1, 3);
        __builtin_prefetch(group->row + LINE_WORDS, 1, 3);
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

/* Odd: readers retry. Release W1 of the words that follow orders it before them. */
static void row_lock(uint64_t *row)
{
    word_store(&row[ROW_VERSION], row[ROW_VERSION] | 1);
}

/* Release W2, pairs with the acquire of the version in the reader's copy. */
static void row_unlock(uint64_t *row)
{
    word_store(&row[ROW_VERSION], (row[ROW_VERSION] | 1) + 1);
}

static void view_bytes_add(struct shard *shard, uint32_t view_index, int64_t lines)
{
    counter_add(&shard->counters->view[view_index].shared_bytes,
                (uint64_t)(lines * CACHE_LINE_BYTES));
}

/* A row being written, and whether it moved since it was found. */
struct row_hand {
    uint64_t *row;
    uint64_t *old; /* Place that the table still names; NULL when it names row. */
    uint32_t lines;
};

static uint32_t row_place_lines(const struct shard *shard, const uint64_t *row)
{
    return row_store_lines(&shard->store, row_store_line_of(&shard->store, row));
}

/* Moves the row in hand to a place of at least lines. False when there is none. */
static bool hand_move(struct shard *shard, uint32_t view_index, struct row_hand *hand,
                      uint32_t lines)
{
    const struct plan_view *view = &shard->plan->view[view_index];
    uint32_t class_index = row_store_class_of(lines);
    if (class_index >= ROW_STORE_CLASSES || !row_store_can_retire(&shard->store)) {
        return false;
    }
    uint64_t *place = row_store_take(&shard->store, class_index);
    if (place == NULL) {
        return false;
    }
    uint32_t place_lines = row_store_class_lines(class_index);
    row_lock(place);
    row_move(view, hand->row, hand->lines, place, place_lines);
    if (hand->old != NULL) {
        row_store_retire(&shard->store, hand->row);
    } else {
        hand->old = hand->row;
    }
    view_bytes_add(shard, view_index, (int64_t)place_lines - (int64_t)hand->lines);
    hand->row = place;
    hand->lines = place_lines;
    counter_add(&shard->counters->shared[COUNTER_rows_moved], 1);
    return true;
}

/* Makes room for one more cell or single: folds, and grows when folding frees little. */
static enum drop hand_make_room(struct shard *shard, uint32_t view_index,
                                const struct ladder *ladder, struct row_hand *hand)
{
    const struct plan_view *view = &shard->plan->view[view_index];
    uint32_t needed = view->cell_words;
    if (view->exact_us > 0 && view->single_words > needed) {
        needed = view->single_words;
    }
    uint32_t folded = row_fold(view, ladder, hand->row, hand->lines);
    counter_add(&shard->counters->shared[COUNTER_cells_folded], folded);
    uint32_t free_words = row_free_words(view, hand->row, hand->lines);
    if (folded > 0 && free_words >= needed && free_words >= hand->lines * LINE_WORDS / 8) {
        return DROP_NONE;
    }
    uint32_t step = hand->lines < 16 ? hand->lines / 2 : hand->lines / 4;
    uint32_t wish = hand->lines + (step > 0 ? step : 1);
    uint32_t least = hand->lines + (uint32_t)div_ceil(needed, LINE_WORDS);
    wish = wish > least ? wish : least;
    uint32_t most = row_store_class_lines(row_store_class_of(view->row_lines_max));
    wish = wish < most ? wish : most;
    bool grows = wish > hand->lines;
    if (grows && hand_move(shard, view_index, hand, wish)) {
        return DROP_NONE;
    }
    /* Each fold leaves fewer cells and singles, so trying again comes to an end. */
    if (folded > 0) {
        return DROP_NONE;
    }
    return grows ? DROP_view_memory : DROP_view_row_size;
}

/* Applies the event in scratch->single to the row in hand, making room for it as need be. */
static enum drop hand_apply_one(struct shard *shard, uint32_t view_index,
                                const struct ladder *ladder, uint64_t lsn, struct row_hand *hand)
{
    const struct plan_view *view = &shard->plan->view[view_index];
    enum row_outcome outcome;
    while ((outcome = row_apply(view, ladder, hand->row, hand->lines, shard->scratch->single,
                                shard->apply_us, lsn)) == ROW_FULL) {
        enum drop drop = hand_make_room(shard, view_index, ladder, hand);
        if (drop != DROP_NONE) {
            return drop;
        }
    }
    if (outcome == ROW_OPENED) {
        counter_add(&shard->counters->shared[COUNTER_cells_opened], 1);
    }
    return DROP_NONE;
}

/* Applies a group's events from item on to the row in hand; returns how many went in. */
static uint32_t hand_apply(struct shard *shard, uint32_t view_index, const struct ladder *ladder,
                           const struct burst *burst, const struct shard_batch *batch,
                           uint16_t item, struct row_hand *hand)
{
    const struct plan_view *view = &shard->plan->view[view_index];
    uint32_t applied = 0;
    for (; item != GROUP_NONE; item = shard->scratch->next[item]) {
        uint32_t event = batch->event[item];
        single_of_event(view, burst, event, shard->scratch->single);
        enum drop drop = hand_apply_one(shard, view_index, ladder, burst->lsn[event], hand);
        if (drop == DROP_NONE) {
            applied++;
        } else {
            counter_add(&shard->counters->view[view_index].shared_drop[drop], 1);
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
    for (; *item != GROUP_NONE; *item = shard->scratch->next[*item]) {
        uint32_t event = batch->event[*item];
        single_of_event(view, burst, event, shard->scratch->single);
        if (!row_apply_open(view, ladder, row, shard->scratch->single, shard->apply_us,
                            burst->lsn[event])) {
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

static uint32_t group_events(const struct shard *shard, const struct shard_group *group)
{
    uint32_t count = 0;
    for (uint16_t item = group->first; item != GROUP_NONE; item = shard->scratch->next[item]) {
        count++;
    }
    return count;
}

/* A key's first row: filled before the table names it. */
static uint32_t group_apply_new(struct shard *shard, uint32_t view_index,
                                const struct ladder *ladder, const struct burst *burst,
                                const struct shard_batch *batch, const struct shard_group *group)
{
    const struct plan_view *view = &shard->plan->view[view_index];
    const uint8_t *key = batch_key(batch, group->first);
    uint32_t key_size = batch->key_size[group->first];
    uint32_t class_index = row_store_class_of(row_lines_first(view, key_size));
    ASSERT(class_index < ROW_STORE_CLASSES);
    uint64_t *row =
        row_store_can_retire(&shard->store) ? row_store_take(&shard->store, class_index) : NULL;
    if (row == NULL) {
        counter_add(&shard->counters->view[view_index].shared_drop[DROP_view_memory],
                    group_events(shard, group));
        return 0;
    }
    row_lock(row);
    row_init(view_index, key, key_size, key_redis_slot(shard, view, key, key_size), row);
    struct row_hand hand = {.row = row, .lines = row_store_class_lines(class_index)};
    view_bytes_add(shard, view_index, hand.lines);
    uint32_t applied = hand_apply(shard, view_index, ladder, burst, batch, group->first, &hand);
    row_unlock(hand.row);
    if (hand.old != NULL) {
        row_store_retire(&shard->store, hand.old);
    }
    if (applied == 0 ||
        !table_insert(&shard->table, group->hash, row_store_line_of(&shard->store, hand.row))) {
        counter_add(&shard->counters->view[view_index].shared_drop[DROP_view_memory], applied);
        view_bytes_add(shard, view_index, -(int64_t)hand.lines);
        if (row_store_can_retire(&shard->store)) {
            row_store_retire(&shard->store, hand.row);
        }
        return 0;
    }
    counter_add(&shard->counters->shared[COUNTER_rows_created], 1);
    counter_add(&shard->counters->view[view_index].shared_rows, 1);
    return applied;
}

/* Stage D: the row is here. */
static uint32_t group_apply(struct shard *shard, uint32_t view_index, const struct ladder *ladder,
                            const struct burst *burst, const struct shard_batch *batch,
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
    uint32_t applied = open_apply(shard, view, ladder, burst, batch, row, &item);
    if (item == GROUP_NONE) {
        row_unlock(row);
        return applied;
    }
    struct row_hand hand = {.row = row, .lines = row_place_lines(shard, row)};
    applied += hand_apply(shard, view_index, ladder, burst, batch, item, &hand);
    if (hand.old != NULL) {
        /* Tag and file bit stay; the line changes in one store. */
        word_store(group->entry,
                   (*group->entry & ~ENTRY_LINE_MASK) | row_store_line_of(&shard->store, hand.row));
        row_store_retire(&shard->store, hand.old);
    }
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

uint32_t shard_apply(struct shard *shard, uint32_t view_index, const struct burst *burst,
                     const struct shard_batch *batch)
{
    const struct plan_view *view = &shard->plan->view[view_index];
    struct counters_view *counters = &shard->counters->view[view_index];
    bool timed = shard->batches++ % APPLY_SAMPLE == 0;
    uint64_t start = timed ? clock_ticks() : 0;
    struct ladder ladder;
    ladder_init(view, shard->fold_us[view->stream], &ladder);
    oldest_note(shard, burst, batch);
    uint32_t count = groups_form(shard, view_index, batch);
    struct shard_group *group = shard->scratch->group;
    uint32_t applied = 0;
    for (uint32_t first = 0; first < count; first += STAGE_GROUPS) {
        uint32_t end = first + STAGE_GROUPS < count ? first + STAGE_GROUPS : count;
        for (uint32_t i = first; i < end; i++) {
            group_prefetch(shard, &group[i]);
        }
        for (uint32_t i = first; i < end; i++) {
            group_probe(shard, &group[i]);
        }
        for (uint32_t i = first; i < end; i++) {
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

/* Sweeps one entry: removes a row past its ttl, moves one that folding made much smaller. */
static void sweep_entry(struct shard *shard, uint64_t *segment, uint64_t *entry)
{
    uint64_t *row = row_store_at(&shard->store, entry_line(*entry));
    struct row_meta meta = row_meta_load(row);
    const struct plan_view *view = &shard->plan->view[meta.view];
    struct ladder ladder;
    ladder_init(view, shard->fold_us[view->stream], &ladder);
    uint32_t lines = row_place_lines(shard, row);
    if (!row_store_can_retire(&shard->store)) {
        return;
    }
    if (row_newest_us(row) < ladder.expire_us) {
        table_remove(&shard->table, segment, entry);
        row_store_retire(&shard->store, row);
        counter_add(&shard->counters->view[meta.view].shared_rows, UINT64_MAX);
        view_bytes_add(shard, meta.view, -(int64_t)lines);
        counter_add(&shard->counters->shared[COUNTER_rows_removed], 1);
        return;
    }
    uint32_t first = row_lines_first(view, meta.key_size);
    if (lines < 2 * first || row[ROW_HORIZON] == (uint64_t)ladder.fold_us) {
        return;
    }
    row_lock(row);
    uint32_t folded = row_fold(view, &ladder, row, lines);
    counter_add(&shard->counters->shared[COUNTER_cells_folded], folded);
    uint32_t needed = row_lines_needed(view, row);
    struct row_hand hand = {.row = row, .lines = lines};
    needed = needed > first ? needed : first;
    if (needed <= lines / 2 && hand_move(shard, meta.view, &hand, needed)) {
        word_store(entry, (*entry & ~ENTRY_LINE_MASK) | row_store_line_of(&shard->store, hand.row));
        row_store_retire(&shard->store, row);
    }
    row_unlock(hand.row);
}

static void sweep_chain(struct shard *shard, uint64_t *segment, uint64_t *bucket, bool prefetch)
{
    for (;;) {
        for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
            if (bucket[i] == 0) {
                continue;
            }
            if (prefetch) {
                __builtin_prefetch(row_store_at(&shard->store, entry_line(bucket[i])), 0, 3);
            } else {
                sweep_entry(shard, segment, &bucket[i]);
            }
        }
        if (bucket[TABLE_ENTRIES] == 0) {
            return;
        }
        bucket = table_overflow(segment, bucket[TABLE_ENTRIES]);
    }
}

/* Sweeps the bucket at the cursor, whose rows the step before asked for, and asks for the next. */
static void sweep_step(struct shard *shard)
{
    const struct table_directory *directory =
        atomic_load_explicit(&shard->table.shared_directory, memory_order_relaxed);
    uint64_t slots = UINT64_C(1) << directory->depth;
    if (shard->sweep_slot >= slots) {
        shard->sweep_slot = 0;
    }
    uint64_t *segment = directory->segment[shard->sweep_slot];
    sweep_chain(shard, segment, segment + (uint64_t)shard->sweep_bucket * LINE_WORDS, false);
    if (++shard->sweep_bucket == TABLE_BUCKETS) {
        shard->sweep_bucket = 0;
        uint64_t depth = table_header(segment)[TABLE_DEPTH];
        shard->sweep_slot += UINT64_C(1) << (directory->depth - depth);
        return;
    }
    sweep_chain(shard, segment, segment + (uint64_t)shard->sweep_bucket * LINE_WORDS, true);
}

/* True when some view has aged far enough since its first event for a row to be past its ttl, or
 * for tiles to fold. */
static bool sweep_due(const struct shard *shard)
{
    for (uint32_t i = 0; i < shard->plan->view_count; i++) {
        const struct plan_view *view = &shard->plan->view[i];
        int64_t fold_us = shard->fold_us[view->stream];
        if (sub_clamped(fold_us, view->level_keep_us[0]) > shard->oldest_us) {
            return true;
        }
    }
    return false;
}

void shard_turn(struct shard *shard, bool idle)
{
    row_store_turn(&shard->store);
    counter_add(&shard->counters->shared[COUNTER_segments_split], table_turn(&shard->table));
    if (sweep_due(shard)) {
        for (uint32_t i = 0; i < (idle ? SWEEP_BUCKETS_IDLE : SWEEP_BUCKETS_BUSY); i++) {
            sweep_step(shard);
        }
    }
}

static void state_hash_entry(struct shard *shard, const int64_t *fold_us, uint64_t entry,
                             uint64_t *out, uint64_t *scratch)
{
    const uint64_t *row = row_store_at(&shard->store, entry_line(entry));
    struct row_meta meta = row_meta_load(row);
    const struct plan_view *view = &shard->plan->view[meta.view];
    struct ladder ladder;
    ladder_init(view, fold_us[view->stream], &ladder);
    uint64_t hash = row_state_hash(view, &ladder, row, row_place_lines(shard, row), scratch,
                                   2 * ROW_SIZE_MAX / CACHE_LINE_BYTES);
    /* A sum of row hashes does not depend on the order of rows. */
    out[hash_vshard(hash_owner(&row[ROW_KEY], meta.key_size))] += hash;
}

void shard_state_hash(struct shard *shard, const int64_t fold_us[STREAMS_MAX], uint64_t *out,
                      uint64_t *scratch)
{
    const struct table_directory *directory =
        atomic_load_explicit(&shard->table.shared_directory, memory_order_relaxed);
    uint64_t slot = 0;
    while (slot < (UINT64_C(1) << directory->depth)) {
        uint64_t *segment = directory->segment[slot];
        for (uint32_t i = 0; i < (TABLE_BUCKETS + TABLE_OVERFLOWS) * LINE_WORDS; i++) {
            if (i % LINE_WORDS < TABLE_ENTRIES && segment[i] != 0) {
                state_hash_entry(shard, fold_us, segment[i], out, scratch);
            }
        }
        slot += UINT64_C(1) << (directory->depth - table_header(segment)[TABLE_DEPTH]);
    }
}
