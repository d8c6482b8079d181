#include "dataplane/row_store.h"

#include <rte_rcu_qsbr.h>

#include "dataplane/base/assert.h"
#include "dataplane/counters.h"
#include "dataplane/feature/row.h"
#include "dataplane/table.h"

/* Word of a free place that links to the next: word 0 keeps the version. */
#define FREE_LINK     1u
#define CLASS_SEGMENT (ROW_STORE_CLASSES - 1)
/* Chunks looked at for the sparsest one: all of 512 MiB. */
#define LEAVE_LOOK 256u

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
    uint64_t chunks = region_bytes / ROW_STORE_CHUNK_BYTES;
    return align_up(chunks, CACHE_LINE_BYTES) +
           align_up(chunks * sizeof(struct row_store_chunk), CACHE_LINE_BYTES) +
           ROW_STORE_WAITING_MAX * sizeof(struct row_store_waiting) + qsbr_bytes(readers_max) +
           4 * (uint64_t)CACHE_LINE_BYTES;
}

void row_store_init(struct row_store *store, void *region, uint64_t region_bytes,
                    uint32_t readers_max, struct arena *arena)
{
    *store = (struct row_store){.base = region,
                                .chunk_count = (uint32_t)(region_bytes / ROW_STORE_CHUNK_BYTES)};
    ASSERT(store->chunk_count > 0);
    store->shared_chunk_class = arena_take(arena, store->chunk_count, CACHE_LINE_BYTES);
    store->chunk = arena_take(arena, store->chunk_count * sizeof(*store->chunk), CACHE_LINE_BYTES);
    store->waiting =
        arena_take(arena, ROW_STORE_WAITING_MAX * sizeof(*store->waiting), CACHE_LINE_BYTES);
    store->qsbr = arena_take(arena, qsbr_bytes(readers_max), CACHE_LINE_BYTES);
    int failed = rte_rcu_qsbr_init(store->qsbr, readers_max);
    ASSERT(failed == 0);
    for (uint32_t i = 0; i < ROW_STORE_CLASSES; i++) {
        store->class[i].lines = class_lines(i);
        store->class[i].places = ROW_STORE_CHUNK_LINES / class_lines(i);
    }
}

void row_store_spare_set(struct row_store *store, uint32_t spare_count)
{
    ASSERT(spare_count < store->chunk_count);
    store->spare_count = spare_count;
}

void row_store_spare_open(struct row_store *store, bool open)
{
    store->spare_open = open;
}

/* Puts the chunk at the front of a list. */
static void chunk_link(struct row_store *store, uint32_t *first, uint32_t index)
{
    struct row_store_chunk *chunk = &store->chunk[index];
    chunk->next = *first;
    chunk->before = 0;
    if (*first != 0) {
        store->chunk[*first - 1].before = index + 1;
    }
    *first = index + 1;
}

static void chunk_unlink(struct row_store *store, uint32_t *first, uint32_t index)
{
    const struct row_store_chunk *chunk = &store->chunk[index];
    if (chunk->next != 0) {
        store->chunk[chunk->next - 1].before = chunk->before;
    }
    if (chunk->before != 0) {
        store->chunk[chunk->before - 1].next = chunk->next;
    } else {
        *first = chunk->next;
    }
}

/* At the cap: takes from some class the empty chunk that it kept. Returns 1 + its index, or 0. */
static uint32_t chunk_take_idle(struct row_store *store)
{
    for (uint32_t i = 0; i < ROW_STORE_CLASSES; i++) {
        struct row_store_class *class = &store->class[i];
        uint32_t idle = class->idle;
        if (idle != 0) {
            chunk_unlink(store, &class->roomy, idle - 1);
            class->idle = 0;
            class->free -= class->places;
            store->idle_count--;
            return idle;
        }
    }
    return 0;
}

/* Gives the class one more chunk: an emptied one, one never used, or one that another class kept.
 * False when classes have `most` of them. */
static bool chunk_take(struct row_store *store, uint32_t class_index, uint32_t most)
{
    uint32_t index;
    if (row_store_chunks_held(store) < most && store->chunk_empty != 0) {
        index = store->chunk_empty - 1;
        chunk_unlink(store, &store->chunk_empty, index);
        store->empty_count--;
    } else if (row_store_chunks_held(store) < most) {
        index = store->chunk_used++;
    } else {
        index = chunk_take_idle(store);
        if (index == 0) {
            return false;
        }
        index--;
    }
    store->chunk[index] = (struct row_store_chunk){0};
    atomic_store_explicit(&store->shared_chunk_class[index], (uint8_t)class_index,
                          memory_order_relaxed);
    chunk_link(store, &store->class[class_index].roomy, index);
    store->class[class_index].free += store->class[class_index].places;
    return true;
}

/* Free places of a chunk. */
static uint32_t chunk_room(const struct row_store_class *class, const struct row_store_chunk *chunk)
{
    return class->places - chunk->fresh + chunk->free_count;
}

void row_store_chunk_stay(struct row_store *store)
{
    uint32_t index = store->leaving - 1;
    struct row_store_class *class = &store->class[row_store_class_at(store, index)];
    store->leaving = 0;
    store->chunk[index].leaving = 0;
    chunk_link(store, &class->roomy, index);
    class->free += chunk_room(class, &store->chunk[index]);
}

/* A class that needs a place stops leaving its chunk rather than taking a further one. */
static bool class_stay(struct row_store *store, uint32_t class_index)
{
    if (store->leaving == 0 || row_store_class_at(store, store->leaving - 1) != class_index) {
        return false;
    }
    row_store_chunk_stay(store);
    return true;
}

uint64_t *row_store_take_roomy(struct row_store *store, uint32_t class_index)
{
    return store->class[class_index].roomy == 0 ? NULL : row_store_take(store, class_index);
}

/* Of a further chunk only while classes have fewer than `most`. */
static uint64_t *place_take(struct row_store *store, uint32_t class_index, uint32_t most)
{
    ASSERT(class_index < ROW_STORE_CLASSES);
    struct row_store_class *class = &store->class[class_index];
    if (class->roomy == 0 && !class_stay(store, class_index) &&
        !chunk_take(store, class_index, most)) {
        return NULL;
    }
    uint32_t index = class->roomy - 1;
    struct row_store_chunk *chunk = &store->chunk[index];
    class->free--;
    if (class->idle == index + 1) {
        class->idle = 0;
        store->idle_count--;
    }
    uint64_t first = (uint64_t)index * ROW_STORE_CHUNK_LINES;
    uint64_t *place;
    if (chunk->free_head != 0) {
        place = row_store_at(store, first + (uint64_t)(chunk->free_head - 1) * class->lines);
        chunk->free_head = (uint32_t)place[FREE_LINK];
        chunk->free_count--;
        word_store(&place[ROW_VERSION], place[ROW_VERSION] & ~ROW_VERSION_DEAD);
    } else {
        place = row_store_at(store, first + (uint64_t)chunk->fresh++ * class->lines);
        word_store(&place[ROW_VERSION], 0);
    }
    if (chunk->free_head == 0 && chunk->fresh == class->places) {
        chunk_unlink(store, &class->roomy, index);
    }
    counter_add(&store->shared_used_bytes, (uint64_t) class->lines * CACHE_LINE_BYTES);
    return place;
}

uint64_t *row_store_take(struct row_store *store, uint32_t class_index)
{
    return place_take(store, class_index, row_store_chunks_limit(store));
}

uint64_t *row_store_take_near(struct row_store *store, uint32_t class_index)
{
    uint64_t *place = row_store_take(store, class_index);
    uint64_t most = (uint64_t)ROW_STORE_NEAR * class_lines(class_index);
    for (uint32_t i = class_index + 1; place == NULL && i < CLASS_SEGMENT && class_lines(i) <= most;
         i++) {
        place = store->class[i].roomy == 0 ? NULL : row_store_take(store, i);
    }
    return place;
}

uint64_t *row_store_take_last(struct row_store *store, uint32_t class_index)
{
    uint64_t *place = row_store_take_near(store, class_index);
    return place == NULL && store->spare_open ? place_take(store, class_index, store->chunk_count)
                                              : place;
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

static void chunk_empty(struct row_store *store, uint32_t index)
{
    chunk_link(store, &store->chunk_empty, index);
    store->empty_count++;
}

/* A chunk whose places are all free leaves its class, unless it is the only one with room: a class
 * that takes and gives one row does not hand its chunk around each time, while there are others.
 * Beyond the cap it leaves. */
static void place_came_back(struct row_store *store, struct row_store_class *class, uint32_t index,
                            bool was_full)
{
    const struct row_store_chunk *chunk = &store->chunk[index];
    class->free++;
    if (was_full) {
        chunk_link(store, &class->roomy, index);
    }
    bool only = class->roomy == index + 1 && chunk->next == 0;
    bool below = row_store_chunks_held(store) <= row_store_chunks_limit(store);
    if (chunk->free_count == chunk->fresh && only && below) {
        class->idle = index + 1;
        store->idle_count++;
    } else if (chunk->free_count == chunk->fresh) {
        chunk_unlink(store, &class->roomy, index);
        class->free -= class->places;
        chunk_empty(store, index);
    }
}

static void place_free(struct row_store *store, uint64_t line)
{
    uint32_t index = (uint32_t)(line / ROW_STORE_CHUNK_LINES);
    struct row_store_class *class = &store->class[row_store_class_at(store, index)];
    struct row_store_chunk *chunk = &store->chunk[index];
    bool was_full = chunk->free_head == 0 && chunk->fresh == class->places;
    uint64_t *place = row_store_at(store, line);
    word_store(&place[FREE_LINK], chunk->free_head);
    chunk->free_head = (uint32_t)(line % ROW_STORE_CHUNK_LINES / class->lines) + 1;
    chunk->free_count++;
    if (chunk->leaving == 0) {
        place_came_back(store, class, index, was_full);
    } else if (chunk->free_count == chunk->fresh) {
        store->leaving = store->leaving == index + 1 ? 0 : store->leaving;
        chunk_empty(store, index);
    }
    counter_add(&store->shared_used_bytes, 0 - (uint64_t) class->lines * CACHE_LINE_BYTES);
}

/* Lines that leaving the chunk wins; 0: it stays. Its rows need no chunk that is free, and an
 * eighth of a chunk remains free in the class: it takes no further one at once. */
static uint32_t chunk_gain(const struct row_store *store, uint32_t index)
{
    uint32_t class_index = row_store_class_at(store, index);
    const struct row_store_class *class = &store->class[class_index];
    const struct row_store_chunk *chunk = &store->chunk[index];
    uint32_t room = chunk_room(class, chunk);
    uint32_t rows = class->places - room;
    uint32_t room_idle = class->idle == 0 ? 0 : class->places;
    bool leaves = class_index != CLASS_SEGMENT && chunk->leaving == 0 &&
                  chunk->free_count != chunk->fresh && room > 0 &&
                  class->free - room - room_idle >= rows + class->places / 8;
    return leaves ? room * class->lines : 0;
}

bool row_store_chunk_leave(struct row_store *store, uint32_t least_lines, uint32_t *out_chunk)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < LEAVE_LOOK && i < store->chunk_used; i++) {
        store->look = store->look + 1 < store->chunk_used ? store->look + 1 : 0;
        uint32_t gain = chunk_gain(store, store->look);
        if (gain > best && gain >= least_lines) {
            best = gain;
            *out_chunk = store->look;
        }
    }
    if (best == 0) {
        return false;
    }
    struct row_store_class *class = &store->class[row_store_class_at(store, *out_chunk)];
    struct row_store_chunk *chunk = &store->chunk[*out_chunk];
    chunk_unlink(store, &class->roomy, *out_chunk);
    class->free -= chunk_room(class, chunk);
    chunk->leaving = 1;
    store->leaving = *out_chunk + 1;
    return true;
}

void row_store_chunk_left(struct row_store *store)
{
    store->leaving = 0;
}

static void waiting_free(struct row_store *store)
{
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
    waiting_free(store);
    uint64_t taken = store->chunk_used - store->empty_count - store->idle_count;
    atomic_store_explicit(&store->shared_taken_bytes, taken * ROW_STORE_CHUNK_BYTES,
                          memory_order_relaxed);
}
