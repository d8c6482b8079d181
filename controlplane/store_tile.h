/* A tile file held against its format: block by block, and rows or lanes in each. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/store_file.h"
#include "dataplane/feature/tile_format.h"

struct store_tile {
    enum result result; /* RESULT_OK; RESULT_CORRUPT: see place and reason. */
    const char *reason; /* A constant phrase. */
    uint64_t place;     /* Of the block that is bad. */
    enum tile_kind kind;
    uint32_t shard;
    uint64_t store;
    uint64_t generation;
    uint32_t block_count;
    uint64_t row_count; /* Rows, or lanes. */
    uint64_t size_bytes;
    uint32_t crc; /* Over the blocks' crcs. */
};

/* Called for each good block. */
typedef void store_block_visit(void *context, uint64_t place, const struct tile_block *block,
                               const uint8_t *content);

/* Walks the file; all its blocks must be of the first one's kind, shard, store and generation.
 * visit may be NULL. */
void store_tile_check(struct store_file *file, store_block_visit *visit, void *context,
                      struct store_tile *out);
