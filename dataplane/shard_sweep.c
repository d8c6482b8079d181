/* Housekeeping of a shard between bursts, and its state hash: whatever walks the table. */
#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/row.h"
#include "dataplane/row_hand.h"
#include "dataplane/shard.h"

#define SWEEP_BUCKETS_BUSY 1u
#define SWEEP_BUCKETS_IDLE 64u
/* Between two sweeps of the whole table. */
#define SWEEP_REST_US US_PER_SECOND
/* Of which a turn asks whether there is something to sweep: there may be a thousand. */
#define SWEEP_LOOK_VIEWS 64u

/* True when the horizon has passed the finest tiles since the row was folded last: less would write
 * rows, and make their readers try again, for little. */
static bool fold_due(const struct plan_view *view, int64_t folded_us, int64_t fold_us)
{
    int64_t keep_us = view->level_keep_us[0];
    int64_t least_us = keep_us > view->level_us[0] ? keep_us : view->level_us[0];
    return sub_clamped(fold_us, least_us) >= folded_us;
}

/* Sweeps one entry: removes a row past its ttl, moves one that folding made much smaller. */
static void sweep_entry(struct shard *shard, uint64_t *segment, uint64_t *entry)
{
    uint64_t *row = row_store_at(&shard->store, entry_line(*entry));
    struct row_meta meta = row_meta_load(row);
    const struct plan_view *view = &shard->plan->view[meta.view];
    bool part = meta.view >= shard->part_first;
    struct ladder ladder;
    ladder_init(view, ladder_fold_us(view, shard->fold_us), &ladder);
    uint32_t lines = row_place_lines(shard, row);
    if (!row_store_can_retire(&shard->store) || (part && !shard->given_up)) {
        return;
    }
    if (part || row_newest_us(row) < ladder.expire_us) {
        table_remove(&shard->table, segment, entry);
        row_store_retire(&shard->store, row);
        counter_add(&shard->counters->view[meta.view].shared_rows, UINT64_MAX);
        row_hand_account(shard, meta.view, -(int64_t)lines);
        counter_add(&shard->counters->shared[COUNTER_rows_removed], 1);
        return;
    }
    uint32_t first = row_lines_first(view, meta.key_size);
    if (lines < 2 * first || !fold_due(view, (int64_t)row[ROW_HORIZON], ladder.fold_us)) {
        return;
    }
    row_lock(row);
    uint32_t folded = row_fold(view, &ladder, row, lines, &shard->scratch->fold);
    counter_add(&shard->counters->shared[COUNTER_cells_folded], folded);
    uint32_t needed = row_lines_needed(view, row);
    struct row_hand hand = {.row = row, .lines = lines};
    needed = needed > first ? needed : first;
    if (needed <= lines / 2 && row_hand_move(shard, meta.view, &hand, needed)) {
        row_hand_publish(shard, &hand, entry);
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
        shard->sweep_next_us = add_clamped(shard->apply_us, SWEEP_REST_US);
        return;
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
 * for tiles to fold. Looks at some views each turn, from the one that it stopped at. */
static bool sweep_due(struct shard *shard)
{
    uint32_t count = shard->plan->view_count;
    if (shard->given_up) {
        return true;
    }
    for (uint32_t i = 0; i < count && i < SWEEP_LOOK_VIEWS; i++) {
        const struct plan_view *view = &shard->plan->view[shard->sweep_view];
        int64_t fold_us = ladder_fold_us(view, shard->fold_us);
        if (sub_clamped(fold_us, view->level_keep_us[0]) > shard->oldest_us) {
            return true;
        }
        shard->sweep_view = (shard->sweep_view + 1) % count;
    }
    return false;
}

void shard_turn(struct shard *shard, bool idle)
{
    row_store_turn(&shard->store);
    counter_add(&shard->counters->shared[COUNTER_segments_split], table_turn(&shard->table));
    shard_pack(shard, idle);
    if (shard->apply_us < shard->sweep_next_us) {
        return;
    }
    if (!sweep_due(shard)) {
        return;
    }
    for (uint32_t i = 0; i < (idle ? SWEEP_BUCKETS_IDLE : SWEEP_BUCKETS_BUSY) &&
                         shard->apply_us >= shard->sweep_next_us;
         i++) {
        sweep_step(shard);
    }
}

static void state_hash_entry(struct shard *shard, const int64_t *fold_us, uint64_t entry,
                             uint64_t *out, uint64_t *scratch)
{
    const uint64_t *row = row_store_at(&shard->store, entry_line(entry));
    struct row_meta meta = row_meta_load(row);
    const struct plan_view *view = &shard->plan->view[meta.view];
    struct ladder ladder;
    ladder_init(view, ladder_fold_us(view, fold_us), &ladder);
    uint64_t hash = row_state_hash(view, &ladder, row, row_place_lines(shard, row), scratch,
                                   2 * ROW_SIZE_MAX / CACHE_LINE_BYTES, &shard->scratch->fold);
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
