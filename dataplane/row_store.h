/* Memory of rows and table segments of one shard: 2 MiB chunks of one region, each cut into places
 * of one size class; a chunk that is empty again may take another class. Never grows past its
 * region: that is the memory cap.
 *
 * Rows that grow leave the chunks of a class one by one, and a chunk is empty only when its last
 * row has left: chunks would run out long before places do. So when few chunks are free, the rows
 * of a sparse one are moved into others of its class (shard_pack.c) and it is free again.
 *
 * The same rows may lie worse, and be larger, when recovery makes them again in other turns: for it
 * alone some chunks are spare, beyond the cap. They are touched only when they are taken.
 *
 * A place is named by its line index in the region. A freed row stays frozen until every reader has
 * passed a quiescent state (rte_rcu_qsbr), then its place is used again. Owner: the worker; a
 * reader only asks row_store_lines(). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/arena.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/limits.h"

#define ROW_STORE_CHUNK_BYTES (2 * MIB)
#define ROW_STORE_CHUNK_LINES ((uint32_t)(ROW_STORE_CHUNK_BYTES / CACHE_LINE_BYTES))
#define ROW_STORE_CLASSES     52u
#define ROW_STORE_NEAR        4u
/* Beyond the cap, of so many below it: some for the classes that rows have at a time, and a quarter
 * for what rows grow ahead: the step of all but small ones. */
#define ROW_STORE_SPARE_CHUNKS(chunks) (16u + (uint32_t)(chunks) / 4)
/* Rows that wait for readers at a time. */
#define ROW_STORE_WAITING_MAX 65536u

struct rte_rcu_qsbr;

/* A chunk: places 0 .. fresh - 1 were handed out at some time, `free_count` of them came back. */
struct row_store_chunk {
    uint32_t free_head; /* 1 + place; linked through word 1 of free places. 0: none. */
    uint32_t free_count;
    uint32_t fresh;
    uint32_t next; /* 1 + chunk; among those of its class with room, or the empty ones. 0: none. */
    uint32_t before;
    uint32_t leaving; /* 1: its rows are being moved out, it gives no places. */
};

struct row_store_class {
    uint32_t lines;
    uint32_t places; /* Per chunk. */
    uint32_t roomy;  /* 1 + first chunk with room. 0: none. */
    uint32_t idle;   /* 1 + a chunk with room that holds no row. 0: none. */
    uint32_t free;   /* Free places of its chunks with room. */
};

struct row_store_waiting {
    uint64_t line;
    uint64_t token;
};

struct row_store {
    /* Constant after init. */
    uint64_t *base;
    uint32_t chunk_count;
    uint32_t spare_count; /* Of these. */
    struct rte_rcu_qsbr *qsbr;
    struct row_store_chunk *chunk;
    uint32_t chunk_used;  /* Chunks ever used are 0 .. chunk_used - 1. */
    uint32_t chunk_empty; /* 1 + first chunk that was emptied: any class may take it. 0: none. */
    uint32_t empty_count;
    bool spare_open;     /* The spare ones may be taken. */
    uint32_t idle_count; /* Chunks that classes keep, and give at the cap. */
    uint32_t leaving;    /* 1 + the chunk that row_store_chunk_leave() chose last. 0: none. */
    uint32_t look;       /* Where it looks next. */
    /* Owner: worker. A reader that holds a reference sees the class of its chunk: a chunk changes
     * class only when all its places are free, and those wait for readers. */
    _Atomic uint8_t *shared_chunk_class;
    struct row_store_class class[ROW_STORE_CLASSES];
    struct row_store_waiting *waiting; /* Ring. */
    uint32_t waiting_head;
    uint32_t waiting_tail;
    bool waiting_new; /* Some of this turn have no token yet. */
    _Atomic uint64_t shared_used_bytes;
    _Atomic uint64_t shared_taken_bytes; /* Of chunks that hold a row; as of the last turn. */
};

/* Bytes beside the region: chunk classes, waiting ring, qsbr for readers_max threads. */
uint64_t row_store_footprint(uint64_t region_bytes, uint32_t readers_max);
void row_store_init(struct row_store *store, void *region, uint64_t region_bytes,
                    uint32_t readers_max, struct arena *arena);

/* So many of the chunks are beyond the cap. */
void row_store_spare_set(struct row_store *store, uint32_t spare_count);
/* Whether row_store_take_last() may take them. Those that it took stay so afterwards, and no
 * further chunk is taken before as many have become free. */
void row_store_spare_open(struct row_store *store, bool open);

/* Least class of at least lines; ROW_STORE_CLASSES when there is none. */
uint32_t row_store_class_of(uint32_t lines);
uint32_t row_store_class_lines(uint32_t class_index);

/* A place of the class, or NULL at the cap. Its words hold anything but word 0, which is the
 * version (even, not dead) of whoever was there before, so that late readers notice. */
uint64_t *row_store_take(struct row_store *store, uint32_t class_index);

/* The same; at the cap a place of a larger class that has room, up to ROW_STORE_NEAR times as
 * large, rather than none. row_store_lines() says how large it is. */
uint64_t *row_store_take_near(struct row_store *store, uint32_t class_index);

/* The same, and rather than none one in a spare chunk, while those are open. */
uint64_t *row_store_take_last(struct row_store *store, uint32_t class_index);

/* Marks the row dead now and gives its place back once all readers have passed. */
void row_store_retire(struct row_store *store, uint64_t *row);
/* False when too many rows wait for a reader: begin no write that may move or remove a row. True
 * leaves room for all that one write can retire. */
bool row_store_can_retire(const struct row_store *store);
/* Rows that wait for readers now. */
static inline uint32_t row_store_waiting_count(const struct row_store *store)
{
    return store->waiting_tail - store->waiting_head;
}
/* Frees what readers have passed; once a turn. */
void row_store_turn(struct row_store *store);

/* The cap. */
static inline uint32_t row_store_chunks_limit(const struct row_store *store)
{
    return store->chunk_count - store->spare_count;
}

/* Chunks that classes have. */
static inline uint32_t row_store_chunks_held(const struct row_store *store)
{
    return store->chunk_used - store->empty_count;
}

/* Chunks that any class could take. */
static inline uint32_t row_store_chunks_free(const struct row_store *store)
{
    uint32_t limit = row_store_chunks_limit(store);
    uint32_t held = row_store_chunks_held(store);
    return (held < limit ? limit - held : 0) + store->idle_count;
}

/* Looks at some chunks for the sparsest whose rows fit the other ones of its class, and lets it
 * give no more places: the caller moves its rows out. False when there is none with least_lines
 * free. */
bool row_store_chunk_leave(struct row_store *store, uint32_t least_lines, uint32_t *out_chunk);
/* All of its rows were moved or retired: it is empty when readers have passed. */
void row_store_chunk_left(struct row_store *store);
/* It gives places again: its rows found none elsewhere. */
void row_store_chunk_stay(struct row_store *store);
/* A place of the class in a chunk that has room; NULL when only a further chunk had. */
uint64_t *row_store_take_roomy(struct row_store *store, uint32_t class_index);

static inline uint32_t row_store_class_at(const struct row_store *store, uint32_t chunk)
{
    return atomic_load_explicit(&store->shared_chunk_class[chunk], memory_order_relaxed);
}

static inline uint64_t row_store_line_of(const struct row_store *store, const uint64_t *row)
{
    return (uint64_t)(row - store->base) / LINE_WORDS;
}

static inline uint64_t *row_store_at(const struct row_store *store, uint64_t line)
{
    return store->base + line * LINE_WORDS;
}

/* Lines of the place at line: what bounds a copy. Any thread that holds a reference. */
static inline uint32_t row_store_lines(const struct row_store *store, uint64_t line)
{
    uint8_t class_index = atomic_load_explicit(
        &store->shared_chunk_class[line / ROW_STORE_CHUNK_LINES], memory_order_relaxed);
    return store->class[class_index].lines;
}
