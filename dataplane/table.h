/* The index of a shard: key hash to row, extendible hashing over fixed segments.
 *
 *   hash, from the top:  14 bits directory | 10 bits bucket | ... | low 16 bits tag
 *   entry:  tag 16 | in a tile file 1 | the hash's directory bits 14 | line of the row 33; 0: empty
 *   bucket: one cache line: 7 entries, then 1 + index of its overflow bucket (0: none)
 *   segment: 1024 buckets | 127 overflow buckets | one header line; 72 KiB
 *
 * Entries are never displaced by an insert. A full segment splits in two, one a turn; the entry's
 * own directory bits say which half it goes to, so a split touches no row. The worker is the only
 * writer; readers probe without locks: a hit is decided by the row's key, a miss counts only if the
 * segment's split version stayed the same (and even). Shape of the bucket: MICA2, LTable::Bucket;
 * growth by segments: Dash (VLDB 2020). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/arena.h"
#include "dataplane/base/result.h"
#include "dataplane/base/units.h"

#define TABLE_DIRECTORY_BITS 14u
#define TABLE_BUCKET_BITS    10u
#define TABLE_BUCKETS        (1u << TABLE_BUCKET_BITS)
#define TABLE_OVERFLOWS      127u
#define TABLE_SEGMENT_LINES  (TABLE_BUCKETS + TABLE_OVERFLOWS + 1)
#define TABLE_ENTRIES        7u
/* Entries at which a segment is queued to split: 4 of 7 slots on average, where one bucket in
 * twenty overflows. */
#define TABLE_SPLIT_ENTRIES (4 * TABLE_BUCKETS)
#define TABLE_SPLIT_QUEUE   4096u
/* Entries to be removed before packing a segment anew may pay. */
#define TABLE_PACK_REMOVED 16u

#define ENTRY_LINE_BITS 33u
#define ENTRY_LINE_MASK ((UINT64_C(1) << ENTRY_LINE_BITS) - 1)

struct row_store;

/* Words of a segment's header line. */
enum table_header {
    TABLE_SPLIT_VERSION,
    TABLE_DEPTH,
    TABLE_COUNT,
    TABLE_OVERFLOW_USED,
    TABLE_QUEUED,
    TABLE_REMOVED /* Entries removed since its chains were packed. */
};

struct table_directory {
    uint32_t depth;
    uint64_t *segment[]; /* 1 << depth; stored and loaded atomically. */
};

struct table {
    /* Owner: worker. */
    struct row_store *store;
    struct table_directory *_Atomic shared_directory;
    struct table_directory *directory[TABLE_DIRECTORY_BITS + 1]; /* By depth, reserved at init. */
    uint64_t entry_count;
    uint64_t *split_queue[TABLE_SPLIT_QUEUE]; /* Ring of full segments. */
    uint64_t split_prefix[TABLE_SPLIT_QUEUE]; /* A hash in that segment. */
    uint32_t split_head;
    uint32_t split_tail;
};

uint64_t table_footprint(void);
/* False when the store has no room for the first segment. */
bool table_init(struct table *table, struct row_store *store, struct arena *arena);

static inline uint64_t *table_bucket(uint64_t *segment, uint64_t hash)
{
    return segment +
           (hash >> (64 - TABLE_DIRECTORY_BITS - TABLE_BUCKET_BITS) & (TABLE_BUCKETS - 1)) *
               LINE_WORDS;
}

static inline uint64_t *table_overflow(uint64_t *segment, uint64_t number)
{
    return segment + (TABLE_BUCKETS + number - 1) * LINE_WORDS;
}

static inline uint64_t *table_header(uint64_t *segment)
{
    return segment + (uint64_t)(TABLE_SEGMENT_LINES - 1) * LINE_WORDS;
}

static inline uint64_t table_slot(const struct table_directory *directory, uint64_t hash)
{
    return directory->depth == 0 ? 0 : hash >> (64 - directory->depth);
}

/* Worker only. The segment of a hash. */
static inline uint64_t *table_segment(const struct table *table, uint64_t hash)
{
    const struct table_directory *directory =
        atomic_load_explicit(&table->shared_directory, memory_order_relaxed);
    return directory->segment[table_slot(directory, hash)];
}

/* Bits of an entry that a hash fixes: tag and directory bits. */
static inline uint64_t entry_of(uint64_t hash, uint64_t line)
{
    return hash << 48 | (hash >> (64 - TABLE_DIRECTORY_BITS)) << ENTRY_LINE_BITS | line;
}

#define ENTRY_HASH_MASK (~ENTRY_LINE_MASK & ~(UINT64_C(1) << 47))

static inline bool entry_matches(uint64_t entry, uint64_t hash)
{
    return entry != 0 && ((entry ^ entry_of(hash, 0)) & ENTRY_HASH_MASK) == 0;
}

static inline uint64_t entry_line(uint64_t entry)
{
    return entry & ENTRY_LINE_MASK;
}

/* Worker only. Returns the next entry that matches hash at or after the cursor, or NULL. Start with
 * *cursor = table_bucket() and *index = 0. */
static inline uint64_t *table_find(uint64_t *segment, uint64_t **bucket, uint32_t *index,
                                   uint64_t hash)
{
    for (;;) {
        while (*index < TABLE_ENTRIES) {
            uint64_t *entry = &(*bucket)[(*index)++];
            if (entry_matches(*entry, hash)) {
                return entry;
            }
        }
        uint64_t next = (*bucket)[TABLE_ENTRIES];
        if (next == 0) {
            return NULL;
        }
        *bucket = table_overflow(segment, next);
        *index = 0;
    }
}

/* Worker only. Adds an entry for a row that is not there yet; false when there is no room. */
MUST_USE bool table_insert(struct table *table, uint64_t hash, uint64_t line);
/* Worker only. entry is a full one of the segment. */
void table_remove(struct table *table, uint64_t *segment, uint64_t *entry);
/* Worker only. Splits one queued segment if there is one; returns the number split. */
uint32_t table_turn(struct table *table);
