#include "dataplane/table.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/word.h"
#include "dataplane/row_store.h"

static uint64_t directory_bytes(uint32_t depth)
{
    return align_up(sizeof(struct table_directory) + (sizeof(uint64_t *) << depth),
                    CACHE_LINE_BYTES);
}

uint64_t table_footprint(void)
{
    uint64_t bytes = 0;
    for (uint32_t depth = 0; depth <= TABLE_DIRECTORY_BITS; depth++) {
        bytes += directory_bytes(depth) + CACHE_LINE_BYTES;
    }
    return bytes;
}

/* A cleared segment of the given depth, or NULL. */
static uint64_t *segment_take(struct row_store *store, uint64_t depth)
{
    uint64_t *segment = row_store_take_last(store, ROW_STORE_CLASSES - 1);
    if (segment == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < TABLE_SEGMENT_LINES * LINE_WORDS; i++) {
        word_store(&segment[i], 0);
    }
    word_store(&table_header(segment)[TABLE_DEPTH], depth);
    return segment;
}

/* Release D1, pairs with the acquire in the reader's probe: the segment is complete before it can
 * be reached. */
static void directory_set(struct table_directory *directory, uint64_t slot, uint64_t *segment)
{
    __atomic_store_n(&directory->segment[slot], segment, __ATOMIC_RELEASE);
}

bool table_init(struct table *table, struct row_store *store, struct arena *arena)
{
    *table = (struct table){.store = store};
    for (uint32_t depth = 0; depth <= TABLE_DIRECTORY_BITS; depth++) {
        table->directory[depth] = arena_take(arena, directory_bytes(depth), CACHE_LINE_BYTES);
        table->directory[depth]->depth = depth;
    }
    uint64_t *segment = segment_take(store, 0);
    if (segment == NULL) {
        return false;
    }
    directory_set(table->directory[0], 0, segment);
    atomic_store_explicit(&table->shared_directory, table->directory[0], memory_order_release);
    return true;
}

/* A free slot in the chain of bucket, a new overflow bucket if need be; NULL when there is none. */
static uint64_t *slot_free(uint64_t *segment, uint64_t *bucket)
{
    for (;;) {
        for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
            if (bucket[i] == 0) {
                return &bucket[i];
            }
        }
        uint64_t next = bucket[TABLE_ENTRIES];
        if (next == 0) {
            uint64_t *header = table_header(segment);
            if (header[TABLE_OVERFLOW_USED] == TABLE_OVERFLOWS) {
                return NULL;
            }
            next = header[TABLE_OVERFLOW_USED] + 1;
            word_store(&header[TABLE_OVERFLOW_USED], next);
            word_store(&bucket[TABLE_ENTRIES], next);
        }
        bucket = table_overflow(segment, next);
    }
}

/* Makes the directory one bit deeper: every slot twice. */
static void directory_double(struct table *table)
{
    struct table_directory *now =
        atomic_load_explicit(&table->shared_directory, memory_order_relaxed);
    ASSERT(now->depth < TABLE_DIRECTORY_BITS);
    struct table_directory *next = table->directory[now->depth + 1];
    for (uint64_t i = 0; i < (UINT64_C(1) << next->depth); i++) {
        directory_set(next, i, now->segment[i / 2]);
    }
    /* Release D2, pairs with the acquire in the reader's probe. */
    atomic_store_explicit(&table->shared_directory, next, memory_order_release);
}

/* True when the entry belongs to the upper half after a split to depth. */
static bool entry_moves(uint64_t entry, uint64_t depth)
{
    uint64_t bits = entry >> ENTRY_LINE_BITS & ((1u << TABLE_DIRECTORY_BITS) - 1);
    return (bits >> (TABLE_DIRECTORY_BITS - depth) & 1) != 0;
}

/* Copies the upper half's entries of one chain to the same bucket of target; returns their
 * number. */
static uint64_t chain_copy_moved(uint64_t *segment, uint64_t *bucket, uint64_t depth,
                                 uint64_t *target, uint64_t *target_bucket)
{
    uint64_t moved = 0;
    for (;;) {
        for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
            if (bucket[i] != 0 && entry_moves(bucket[i], depth)) {
                uint64_t *slot = slot_free(target, target_bucket);
                ASSERT(slot != NULL);
                word_store(slot, bucket[i]);
                moved++;
            }
        }
        if (bucket[TABLE_ENTRIES] == 0) {
            return moved;
        }
        bucket = table_overflow(segment, bucket[TABLE_ENTRIES]);
    }
}

/* Leaves only the lower half's entries in the segment, chains packed anew. No entry is above a
 * split to depth 0. */
static void segment_keep_lower(uint64_t *segment, uint64_t depth)
{
    uint64_t overflow[TABLE_OVERFLOWS][LINE_WORDS];
    memcpy(overflow, table_overflow(segment, 1), sizeof(overflow));
    uint64_t *header = table_header(segment);
    word_store(&header[TABLE_OVERFLOW_USED], 0);
    word_store(&header[TABLE_REMOVED], 0);
    for (uint32_t i = 0; i < TABLE_OVERFLOWS * LINE_WORDS; i++) {
        word_store(&table_overflow(segment, 1)[i], 0);
    }
    for (uint32_t b = 0; b < TABLE_BUCKETS; b++) {
        uint64_t *bucket = segment + (uint64_t)b * LINE_WORDS;
        uint64_t chain = bucket[TABLE_ENTRIES];
        word_store(&bucket[TABLE_ENTRIES], 0);
        for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
            if (bucket[i] != 0 && entry_moves(bucket[i], depth)) {
                word_store(&bucket[i], 0);
            }
        }
        while (chain != 0) {
            const uint64_t *old = overflow[chain - 1];
            for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
                if (old[i] != 0 && !entry_moves(old[i], depth)) {
                    uint64_t *slot = slot_free(segment, bucket);
                    ASSERT(slot != NULL);
                    word_store(slot, old[i]);
                }
            }
            chain = old[TABLE_ENTRIES];
        }
    }
}

/* Splits the segment of hash; false when there is no room for another or the directory ends. */
static bool segment_split(struct table *table, uint64_t *segment, uint64_t hash)
{
    uint64_t *header = table_header(segment);
    uint64_t depth = header[TABLE_DEPTH] + 1;
    if (depth > TABLE_DIRECTORY_BITS) {
        return false;
    }
    uint64_t *upper = segment_take(table->store, depth);
    if (upper == NULL) {
        return false;
    }
    /* Odd: a reader's miss does not count. Release W1 of the words below orders it before them. */
    word_store(&header[TABLE_SPLIT_VERSION], header[TABLE_SPLIT_VERSION] + 1);
    uint64_t moved = 0;
    for (uint32_t b = 0; b < TABLE_BUCKETS; b++) {
        uint64_t offset = (uint64_t)b * LINE_WORDS;
        moved += chain_copy_moved(segment, segment + offset, depth, upper, upper + offset);
    }
    word_store(&table_header(upper)[TABLE_COUNT], moved);
    struct table_directory *directory =
        atomic_load_explicit(&table->shared_directory, memory_order_relaxed);
    if (directory->depth < depth) {
        directory_double(table);
        directory = atomic_load_explicit(&table->shared_directory, memory_order_relaxed);
    }
    /* The slots of the old segment share the top depth - 1 bits; the upper half of them moves. */
    uint64_t span = UINT64_C(1) << (directory->depth - depth);
    uint64_t prefix = depth == 1 ? 0 : hash >> (64 - (depth - 1));
    uint64_t first = (prefix * 2 + 1) * span;
    for (uint64_t slot = first; slot < first + span; slot++) {
        ASSERT(directory->segment[slot] == segment);
        directory_set(directory, slot, upper);
    }
    segment_keep_lower(segment, depth);
    word_store(&header[TABLE_DEPTH], depth);
    word_store(&header[TABLE_COUNT], header[TABLE_COUNT] - moved);
    word_store(&header[TABLE_QUEUED], 0);
    word_store(&header[TABLE_SPLIT_VERSION], header[TABLE_SPLIT_VERSION] + 1);
    return true;
}

/* Gives overflow buckets back that their chains no longer need: removing leaves them in place. */
static bool segment_pack(uint64_t *segment)
{
    uint64_t *header = table_header(segment);
    if (header[TABLE_REMOVED] < TABLE_PACK_REMOVED) {
        return false;
    }
    /* Odd: a reader's miss does not count, as in segment_split(). */
    word_store(&header[TABLE_SPLIT_VERSION], header[TABLE_SPLIT_VERSION] + 1);
    segment_keep_lower(segment, 0);
    word_store(&header[TABLE_SPLIT_VERSION], header[TABLE_SPLIT_VERSION] + 1);
    return true;
}

static void split_enqueue(struct table *table, uint64_t *segment, uint64_t hash)
{
    uint64_t *header = table_header(segment);
    if (header[TABLE_QUEUED] != 0 || table->split_tail - table->split_head == TABLE_SPLIT_QUEUE) {
        return;
    }
    uint32_t at = table->split_tail++ % TABLE_SPLIT_QUEUE;
    table->split_queue[at] = segment;
    table->split_prefix[at] = hash;
    word_store(&header[TABLE_QUEUED], 1);
}

bool table_insert(struct table *table, uint64_t hash, uint64_t line)
{
    ASSERT(line != 0);
    ASSERT(line <= ENTRY_LINE_MASK);
    uint64_t *segment = table_segment(table, hash);
    uint64_t *slot;
    while ((slot = slot_free(segment, table_bucket(segment, hash))) == NULL) {
        if (!segment_pack(segment) && !segment_split(table, segment, hash)) {
            return false;
        }
        segment = table_segment(table, hash);
    }
    word_store(slot, entry_of(hash, line));
    uint64_t *header = table_header(segment);
    word_store(&header[TABLE_COUNT], header[TABLE_COUNT] + 1);
    table->entry_count++;
    if (header[TABLE_COUNT] >= TABLE_SPLIT_ENTRIES) {
        split_enqueue(table, segment, hash);
    }
    return true;
}

void table_remove(struct table *table, uint64_t *segment, uint64_t *entry)
{
    ASSERT(*entry != 0);
    word_store(entry, 0);
    uint64_t *header = table_header(segment);
    word_store(&header[TABLE_COUNT], header[TABLE_COUNT] - 1);
    word_store(&header[TABLE_REMOVED], header[TABLE_REMOVED] + 1);
    table->entry_count--;
}

uint32_t table_turn(struct table *table)
{
    if (table->split_head == table->split_tail) {
        return 0;
    }
    uint32_t at = table->split_head++ % TABLE_SPLIT_QUEUE;
    uint64_t *segment = table->split_queue[at];
    uint64_t *header = table_header(segment);
    if (table_segment(table, table->split_prefix[at]) != segment) {
        return 0; /* Split meanwhile by an insert that found no slot; this hash went up. */
    }
    word_store(&header[TABLE_QUEUED], 0);
    if (header[TABLE_COUNT] < TABLE_SPLIT_ENTRIES) {
        return 0;
    }
    return segment_split(table, segment, table->split_prefix[at]) ? 1 : 0;
}
