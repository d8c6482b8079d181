#include "dataplane/row_store.h"

#include <rte_rcu_qsbr.h>

#include "dataplane/base/assert.h"
#include "dataplane/counters.h"
#include "dataplane/feature/row.h"
#include "dataplane/table.h"

/* Word of a free place that links to the next: word 0 keeps the version. */
#define FREE_LINK     1u
#define CLASS_SEGMENT (ROW_STORE_CLASSES - 1)

/* Lines of a class: 2..8 one by one, then four steps per doubling up to 1 MiB: at most a quarter of
 * a place is waste. The last class is the table's segments. */
static uint32_t class_lines(uint32_t index)
{
    const uint32_t first = 2;
    const uint32_t dense = 7;
    if (index == CLASS_SEGMENT) {
        return TABLE_SEGMENT_LINES;
    }
    if (index < dense) {
        return first + index;
    }
    uint32_t doubling = (index - dense) / 4;
    uint32_t step = (index - dense) % 4 + 1;
    return (8u + 2u * step) << doubling;
}

uint32_t row_store_class_lines(uint32_t class_index)
{
    ASSERT(class_index < ROW_STORE_CLASSES);
    return class_lines(class_index);
}

uint32_t row_store_class_of(uint32_t lines)
{
    for (uint32_t i = 0; i < CLASS_SEGMENT; i++) {
        if (class_lines(i) >= lines) {
            return i;
        }
    }
    return ROW_STORE_CLASSES;
}

static uint64_t qsbr_bytes(uint32_t readers_max)
{
    return align_up(rte_rcu_qsbr_get_memsize(readers_max), CACHE_LINE_BYTES);
}

uint64_t row_store_footprint(uint64_t region_bytes, uint32_t readers_max)
{
    return align_up(region_bytes / ROW_STORE_CHUNK_BYTES, CACHE_LINE_BYTES) +
           ROW_STORE_WAITING_MAX * sizeof(struct row_store_waiting) + qsbr_bytes(readers_max) +
           3 * (uint64_t)CACHE_LINE_BYTES;
}

void row_store_init(struct row_store *store, void *region, uint64_t region_bytes,
                    uint32_t readers_max, struct arena *arena)
{
    *store = (struct row_store){.base = region,
                                .chunk_count = (uint32_t)(region_bytes / ROW_STORE_CHUNK_BYTES)};
    ASSERT(store->chunk_count > 0);
    store->chunk_class = arena_take(arena, store->chunk_count, CACHE_LINE_BYTES);
    store->waiting =
        arena_take(arena, ROW_STORE_WAITING_MAX * sizeof(*store->waiting), CACHE_LINE_BYTES);
    store->qsbr = arena_take(arena, qsbr_bytes(readers_max), CACHE_LINE_BYTES);
    int failed = rte_rcu_qsbr_init(store->qsbr, readers_max);
    ASSERT(failed == 0);
    for (uint32_t i = 0; i < ROW_STORE_CLASSES; i++) {
        store->class[i].lines = class_lines(i);
    }
}

static bool chunk_take(struct row_store *store, uint32_t class_index)
{
    if (store->chunk_used == store->chunk_count) {
        return false;
    }
    uint32_t chunk = store->chunk_used++;
    struct row_store_class *class = &store->class[class_index];
    store->chunk_class[chunk] = (uint8_t)class_index;
    class->fresh_next = (uint64_t)chunk * ROW_STORE_CHUNK_LINES;
    class->fresh_end =
        class->fresh_next + ROW_STORE_CHUNK_LINES - ROW_STORE_CHUNK_LINES % class->lines;
    return true;
}

uint64_t *row_store_take(struct row_store *store, uint32_t class_index)
{
    ASSERT(class_index < ROW_STORE_CLASSES);
    struct row_store_class *class = &store->class[class_index];
    uint64_t *place;
    if (class->free_head != 0) {
        place = row_store_at(store, class->free_head - 1);
        class->free_head = place[FREE_LINK];
        word_store(&place[ROW_VERSION], place[ROW_VERSION] & ~ROW_VERSION_DEAD);
    } else {
        if (class->fresh_next == class->fresh_end && !chunk_take(store, class_index)) {
            return NULL;
        }
        place = row_store_at(store, class->fresh_next);
        class->fresh_next += class->lines;
    }
    counter_add(&store->shared_used_bytes, (uint64_t) class->lines * CACHE_LINE_BYTES);
    return place;
}

bool row_store_can_retire(const struct row_store *store)
{
    /* hand_move() asks again for each step, and each step leaves one place to retire. */
    const uint32_t reserve = 8;
    return store->waiting_tail - store->waiting_head < ROW_STORE_WAITING_MAX - reserve;
}

void row_store_retire(struct row_store *store, uint64_t *row)
{
    ASSERT(store->waiting_tail - store->waiting_head < ROW_STORE_WAITING_MAX);
    ASSERT((row[ROW_VERSION] & ROW_VERSION_DEAD) == 0);
    /* Even again, also when its writer held it. */
    word_store(&row[ROW_VERSION], ((row[ROW_VERSION] | 1) + 1) | ROW_VERSION_DEAD);
    struct row_store_waiting *waiting =
        &store->waiting[store->waiting_tail++ % ROW_STORE_WAITING_MAX];
    *waiting = (struct row_store_waiting){.line = row_store_line_of(store, row)};
    store->waiting_new = true;
}

static void place_free(struct row_store *store, uint64_t line)
{
    struct row_store_class *class = &store->class[store->chunk_class[line / ROW_STORE_CHUNK_LINES]];
    uint64_t *place = row_store_at(store, line);
    word_store(&place[FREE_LINK], class->free_head);
    class->free_head = line + 1;
    counter_add(&store->shared_used_bytes, 0 - (uint64_t) class->lines * CACHE_LINE_BYTES);
}

void row_store_turn(struct row_store *store)
{
    if (store->waiting_new) {
        uint64_t token = rte_rcu_qsbr_start(store->qsbr);
        for (uint32_t i = store->waiting_tail; i != store->waiting_head; i--) {
            struct row_store_waiting *waiting = &store->waiting[(i - 1) % ROW_STORE_WAITING_MAX];
            if (waiting->token != 0) {
                break;
            }
            waiting->token = token;
        }
        store->waiting_new = false;
    }
    uint64_t passed = 0;
    while (store->waiting_head != store->waiting_tail) {
        const struct row_store_waiting *waiting =
            &store->waiting[store->waiting_head % ROW_STORE_WAITING_MAX];
        if (waiting->token != passed &&
            rte_rcu_qsbr_check(store->qsbr, waiting->token, /* wait= */ false) != 1) {
            return;
        }
        passed = waiting->token;
        place_free(store, waiting->line);
        store->waiting_head++;
    }
}
