/* Reads, by serving threads, in place: find the row, copy it under its sequence lock, sweep it once
 * for all windows. Never blocks a worker, never waits for one.
 *
 * A door: controlplane/ includes it. One struct reader per serving thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/answer.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/row_read.h"

struct reader;
struct worker;

/* One entity in one view. Input first, then output. */
struct reader_query {
    uint16_t view;
    uint16_t key_size;
    const uint8_t *key;  /* As key.h makes it; key_size 0: no such key, NOT_FOUND. */
    enum read_time time; /* READ_NOW on a view with `leading: newest` reads as READ_LATEST. */
    int64_t at_us;
    uint16_t feature_count;
    const uint16_t *feature; /* Indices into plan.feature, all of this view, any order. */
    struct answer *answer;   /* One per feature. */
    bool found;              /* Out: the row exists and is within its ttl. */
    int64_t known_us;        /* Out: it was answered from exactly the records with T < known_us. */
};

/* Bytes and thread slots are reserved at start. workers: shard_count pointers, borrowed for the
 * reader's life. thread_index: 0 .. readers_max - 1 of the workers' options, one per thread. */
MUST_USE enum result reader_open(struct worker *const *workers, uint32_t shard_count,
                                 uint32_t thread_index, struct reader **out_reader);
void reader_close(struct reader *reader);
/* The reading thread only. Indices of queries are of this plan from now on; the workers have
 * entered it. The first one is that of their start. */
void reader_plan_set(struct reader *reader, const struct plan *plan);

/* Answers that one reader_read() may ask for: what bounds the reader's space for strings. */
#define READER_ANSWERS_MAX 131072u
/* Lists of one batch; one that has no place is cut, APPROXIMATE. */
#define READER_LIST_BYTES (UINT64_C(64) << 20)

/* Answers all queries, prefetching across them. At most READER_ANSWERS_MAX answers in all. Strings
 * in answers stay valid until the next call with this reader. Reads of one view of one entity are
 * consistent with one another. */
void reader_read(struct reader *reader, struct reader_query *queries, uint32_t count);

/* A thread that stops reading for longer than some milliseconds must say so, or rows that moved are
 * never freed: offline before sleeping, online after. reader_read() needs online. */
void reader_offline(struct reader *reader);
void reader_online(struct reader *reader);

/* Visits rows of all shards for SCAN: calls visit for each row in the part of the hash space after
 * cursor until at least count were visited or the space ends. Returns the next cursor, 0 at the
 * end. Start with 0. Every row that exists from start to end is visited at least once. */
typedef void reader_visit(void *context, uint16_t view, const uint8_t *key, uint32_t key_size);
uint64_t reader_scan(struct reader *reader, uint64_t cursor, uint32_t count, reader_visit *visit,
                     void *context);
