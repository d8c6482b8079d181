#include "dataplane/walk.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/row.h"
#include "dataplane/row_hand.h"
#include "dataplane/worker_state.h"

#define CLASS_SEGMENT (ROW_STORE_CLASSES - 1)

uint64_t walk_footprint(bool enabled)
{
    return enabled ? WALK_MOVED_MAX * sizeof(uint64_t) + WALK_BLOCKS * sizeof(struct walk_block) +
                         WALK_BLOCKS * (TILE_BLOCK_BYTES_MAX + CACHE_LINE_BYTES) +
                         2 * (uint64_t)CACHE_LINE_BYTES
                   : 0;
}

void walk_init(struct walk *walk, bool enabled, struct arena *arena)
{
    walk->enabled = enabled;
    walk->scope.view_end = VIEWS_MAX;
    atomic_store_explicit(&walk->shared_view_end, VIEWS_MAX, memory_order_relaxed);
    if (!enabled) {
        return;
    }
    walk->moved = arena_take(arena, WALK_MOVED_MAX * sizeof(uint64_t), CACHE_LINE_BYTES);
    walk->blocks = arena_take(arena, WALK_BLOCKS * sizeof(struct walk_block), CACHE_LINE_BYTES);
    for (uint32_t i = 0; i < WALK_BLOCKS; i++) {
        walk->blocks[i].data = arena_take(arena, TILE_BLOCK_BYTES_MAX, CACHE_LINE_BYTES);
    }
}

void worker_walk_begin(struct worker *worker, uint64_t generation, uint64_t since_lsn)
{
    struct walk *walk = &worker->walk;
    ASSERT(walk->enabled);
    atomic_store_explicit(&walk->shared_since_lsn, since_lsn, memory_order_relaxed);
    /* Release K1, pairs with the acquire in walk_begin(): since_lsn comes with its generation. */
    atomic_store_explicit(&walk->shared_request, generation, memory_order_release);
}

void worker_walk_scope(struct worker *worker, const struct walk_scope *scope)
{
    struct walk *walk = &worker->walk;
    /* Relaxed: it counts from the next worker_walk_begin() on. */
    atomic_store_explicit(&walk->shared_view_first, scope->view_first, memory_order_relaxed);
    atomic_store_explicit(&walk->shared_view_end, scope->view_end, memory_order_relaxed);
    atomic_store_explicit(&walk->shared_rows_alone, scope->rows_alone, memory_order_relaxed);
}

static bool view_is_walked(const struct walk *walk, uint32_t view)
{
    return view >= walk->scope.view_first && view < walk->scope.view_end;
}

struct walk_block *worker_walk_take(struct worker *worker, uint64_t index)
{
    struct walk_block *block = &worker->walk.blocks[index % WALK_BLOCKS];
    /* Acquire K2, pairs with the release in block_close(): the content is whole. */
    return atomic_load_explicit(&block->shared_full, memory_order_acquire) != 0 ? block : NULL;
}

void worker_walk_give(struct worker *worker, struct walk_block *block)
{
    ASSERT(block >= worker->walk.blocks);
    /* Release K3, pairs with the acquire in block_is_empty(): nobody reads it any more. */
    atomic_store_explicit(&block->shared_full, 0, memory_order_release);
}

const struct walk_summary *worker_walk_summary(const struct worker *worker)
{
    return &worker->walk.summary;
}

void walk_note_moved(struct walk *walk, uint64_t *row, uint64_t line, uint64_t old_line)
{
    bool walking = walk != NULL && (walk->state == WALK_ROWS || walk->state == WALK_MOVED);
    if (!walking || line >= walk->cursor) {
        return;
    }
    struct row_meta meta = row_meta_load(row);
    if (!view_is_walked(walk, meta.view) || (!meta.walk_due && old_line < walk->cursor)) {
        return; /* Not to be copied, or copied already. */
    }
    if (walk->moved_tail - walk->moved_head == WALK_MOVED_MAX) {
        /* Too many to remember: everything is looked at again. */
        walk->state = WALK_ROWS;
        walk->cursor = 0;
        walk->moved_head = walk->moved_tail;
        return;
    }
    meta.walk_due = true;
    row_meta_store(row, meta);
    walk->moved[walk->moved_tail++ % WALK_MOVED_MAX] = line;
}

bool walk_bears_moves(const struct walk *walk)
{
    return walk == NULL || walk->moved_tail - walk->moved_head < WALK_ROWS_BUSY / 2;
}

static bool block_is_empty(const struct walk_block *block)
{
    /* Acquire, pairs with release K3 in worker_walk_give(). */
    return atomic_load_explicit(&block->shared_full, memory_order_acquire) == 0;
}

/* Hands the block that was being filled to the control thread. */
static void block_close(struct walk *walk, enum walk_kind kind)
{
    struct walk_block *block = &walk->blocks[walk->block % WALK_BLOCKS];
    block->kind = kind;
    block->size = walk->block_used;
    block->count = walk->block_count;
    walk->block++;
    walk->block_used = 0;
    walk->block_count = 0;
    /* Release K2, pairs with the acquire in worker_walk_take(). */
    atomic_store_explicit(&block->shared_full, 1, memory_order_release);
}

/* Where to write the next size bytes of content; NULL while the control thread has all blocks. */
static uint8_t *block_take(struct walk *walk, enum walk_kind kind, uint32_t size)
{
    if (walk->block_used > 0 && walk->block_used + size > TILE_BLOCK_TARGET) {
        block_close(walk, kind);
    }
    struct walk_block *block = &walk->blocks[walk->block % WALK_BLOCKS];
    if (!block_is_empty(block)) {
        return NULL;
    }
    ASSERT(TILE_BLOCK_HEADER + (uint64_t)walk->block_used + size <= TILE_BLOCK_BYTES_MAX);
    uint8_t *place = block->data + TILE_BLOCK_HEADER + walk->block_used;
    walk->block_used += size;
    walk->block_count++;
    return place;
}

/* Copies a row, if it changed since; false while there is no block. */
static bool row_copy(struct worker *worker, uint64_t *row, uint32_t *bytes)
{
    struct walk *walk = &worker->walk;
    struct row_meta meta = row_meta_load(row);
    if (row[ROW_LSN] <= walk->since_lsn || !view_is_walked(walk, meta.view)) {
        return true;
    }
    const struct plan_view *view = &worker->options.plan->view[meta.view];
    uint32_t lines = row_place_lines(&worker->shard, row);
    uint32_t front = (uint32_t)row_front_words(view, row, meta) - 1;
    uint32_t back = (uint32_t)row_back_words(view, meta);
    uint32_t size = TILE_ROW_HEADER + (front + back) * (uint32_t)sizeof(uint64_t);
    uint8_t *out = block_take(walk, WALK_BLOCK_ROWS, size);
    if (out == NULL) {
        return false;
    }
    memcpy(out, &front, sizeof(front));
    memcpy(out + sizeof(front), &back, sizeof(back));
    out += TILE_ROW_HEADER;
    memcpy(out, row + 1, front * sizeof(uint64_t));
    memcpy(out + front * sizeof(uint64_t), row + (uint64_t)lines * LINE_WORDS - back,
           back * sizeof(uint64_t));
    walk->row_count++;
    *bytes += size;
    return true;
}

/* Copies noted rows; false while there is no block. */
static bool moved_copy(struct worker *worker, uint32_t *rows, uint32_t *bytes)
{
    struct walk *walk = &worker->walk;
    while (walk->moved_head != walk->moved_tail && *rows > 0 && *bytes < WALK_BYTES_MAX) {
        uint64_t *row =
            row_store_at(&worker->shard.store, walk->moved[walk->moved_head % WALK_MOVED_MAX]);
        struct row_meta meta = row_meta_load(row);
        bool alive = (row[ROW_VERSION] & ROW_VERSION_DEAD) == 0 && meta.walk_due;
        if (alive && !row_copy(worker, row, bytes)) {
            return false;
        }
        if (alive) {
            meta.walk_due = false;
            row_meta_store(row, meta);
        }
        walk->moved_head++;
        (*rows)--;
    }
    return true;
}

/* Line of the chunk's first place at or behind the cursor; the chunk's end when there is none. */
static uint64_t place_after(const struct row_store *store, uint32_t chunk, uint64_t cursor)
{
    uint64_t first = (uint64_t)chunk * ROW_STORE_CHUNK_LINES;
    uint32_t lines = row_store_lines(store, first);
    return first + div_ceil(cursor - first, lines) * lines;
}

/* Looks at places from the cursor on; false while there is no block. */
static bool rows_copy(struct worker *worker, uint32_t *rows, uint32_t *bytes)
{
    struct walk *walk = &worker->walk;
    const struct row_store *store = &worker->shard.store;
    while (*rows > 0 && *bytes < WALK_BYTES_MAX) {
        uint32_t chunk = (uint32_t)(walk->cursor / ROW_STORE_CHUNK_LINES);
        if (chunk >= store->chunk_used) {
            walk->state = WALK_MOVED;
            return true;
        }
        uint64_t first = (uint64_t)chunk * ROW_STORE_CHUNK_LINES;
        uint32_t lines = row_store_lines(store, first);
        uint64_t line = place_after(store, chunk, walk->cursor);
        bool rows_there = lines != row_store_class_lines(CLASS_SEGMENT) &&
                          (line - first) / lines < store->chunk[chunk].fresh;
        if (!rows_there) {
            walk->cursor = first + ROW_STORE_CHUNK_LINES;
            (*rows)--;
            continue;
        }
        uint64_t *row = row_store_at(store, line);
        __builtin_prefetch(row + 8 * (uint64_t)lines * LINE_WORDS, 0, 3);
        if ((row[ROW_VERSION] & ROW_VERSION_DEAD) == 0 && !row_copy(worker, row, bytes)) {
            return false;
        }
        walk->cursor = line + lines;
        (*rows)--;
    }
    return true;
}

/* Copies some lanes; ends the walk after the last. */
static bool lanes_copy(struct worker *worker)
{
    struct walk *walk = &worker->walk;
    const struct lanes *lanes = &worker->lanes;
    uint32_t used = walk->scope.rows_alone
                        ? 0
                        : atomic_load_explicit(&lanes->shared_used, memory_order_relaxed);
    for (uint32_t i = 0; i < WALK_LANES_MAX && walk->lane < used; i++) {
        struct tile_lane saved;
        if (lanes_save(lanes, walk->lane, &saved)) {
            uint8_t *out = block_take(walk, WALK_BLOCK_LANES, TILE_LANE_BYTES);
            if (out == NULL) {
                return false;
            }
            tile_lane_encode(&saved, out);
        }
        walk->lane++;
    }
    if (walk->lane >= used) {
        if (walk->block_used > 0) {
            block_close(walk, WALK_BLOCK_LANES);
        }
        walk->state = WALK_END;
    }
    return true;
}

static void summary_end(struct worker *worker)
{
    struct walk *walk = &worker->walk;
    walk->summary.end_lsn = worker->shard.lsn;
    walk->summary.apply_us = worker->turn.apply_us;
    walk->summary.row_count = walk->row_count;
    memcpy(walk->summary.forward_end_lsn, worker->mirror.forward_lsn,
           sizeof(walk->summary.forward_end_lsn));
}

static void walk_begin(struct worker *worker)
{
    struct walk *walk = &worker->walk;
    /* Acquire, pairs with release K1 in worker_walk_begin(). */
    uint64_t generation = atomic_load_explicit(&walk->shared_request, memory_order_acquire);
    if (generation == walk->generation) {
        return;
    }
    walk->generation = generation;
    walk->since_lsn = atomic_load_explicit(&walk->shared_since_lsn, memory_order_relaxed);
    walk->scope = (struct walk_scope){
        .view_first = atomic_load_explicit(&walk->shared_view_first, memory_order_relaxed),
        .view_end = atomic_load_explicit(&walk->shared_view_end, memory_order_relaxed),
        .rows_alone = atomic_load_explicit(&walk->shared_rows_alone, memory_order_relaxed)};
    walk->state = WALK_ROWS;
    walk->cursor = 0;
    walk->lane = 0;
    walk->row_count = 0;
    walk->moved_head = walk->moved_tail;
    walk->summary = (struct walk_summary){.generation = generation, .start_lsn = worker->shard.lsn};
    memcpy(walk->summary.watermark_us, worker->watermark_us, sizeof(worker->watermark_us));
    for (uint32_t home = 0; home < worker->options.shard_count; home++) {
        walk->summary.forward_lsn[home] =
            mesh_forward_progress(&worker->mesh, home, worker->mirror.forward_lsn[home]);
    }
}

/* Rows are done and none is noted: the lanes follow in blocks of their own. */
static bool rows_end(struct worker *worker)
{
    struct walk *walk = &worker->walk;
    if (walk->state != WALK_MOVED || walk->moved_head != walk->moved_tail) {
        return false;
    }
    if (walk->block_used > 0) {
        block_close(walk, WALK_BLOCK_ROWS);
    }
    walk->state = WALK_LANES;
    return true;
}

static void walk_step(struct worker *worker)
{
    struct walk *walk = &worker->walk;
    uint32_t rows = worker->turn.events > 0 ? WALK_ROWS_BUSY : WALK_ROWS_IDLE;
    uint32_t bytes = 0;
    if (walk->state == WALK_ROWS || walk->state == WALK_MOVED) {
        bool more = moved_copy(worker, &rows, &bytes);
        if (more && walk->state == WALK_ROWS) {
            (void)rows_copy(worker, &rows, &bytes);
        }
        (void)rows_end(worker);
        return;
    }
    if (walk->state == WALK_LANES) {
        (void)lanes_copy(worker);
        return;
    }
    /* The end takes a block too, so that it comes behind all others. */
    if (block_is_empty(&walk->blocks[walk->block % WALK_BLOCKS])) {
        summary_end(worker);
        walk->state = WALK_IDLE;
        block_close(walk, WALK_BLOCK_END);
    }
}

void walk_turn(struct worker *worker)
{
    struct walk *walk = &worker->walk;
    if (!walk->enabled) {
        return;
    }
    if (walk->state == WALK_IDLE) {
        walk_begin(worker);
        return;
    }
    uint64_t start = clock_ticks();
    walk_step(worker);
    if (walk->state == WALK_IDLE) {
        return; /* The summary is the control thread's from now on. */
    }
    uint64_t ns =
        (uint64_t)((double)(clock_ticks() - start) * clock_ns_per_tick(worker->options.clock));
    walk->summary.turns++;
    walk->summary.turn_ns_sum += ns;
    walk->summary.turn_ns_max = ns > walk->summary.turn_ns_max ? ns : walk->summary.turn_ns_max;
}

bool walk_may_go_on(const struct walk *walk)
{
    return walk->state != WALK_IDLE && block_is_empty(&walk->blocks[walk->block % WALK_BLOCKS]);
}

void worker_walk_turn(struct worker *worker)
{
    walk_turn(worker);
}

uint64_t worker_walk_index(const struct worker *worker)
{
    return worker->walk.block;
}
