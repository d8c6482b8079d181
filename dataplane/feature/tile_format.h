/* Tile files on disk: the rows of a shard, or its lanes, as blocks. This comment is their
 * specification; docs/formats/tile.md is the same for people. Numbers are little-endian.
 *
 * A file is blocks one behind the other, each starting on 4 KiB and padded to it with zeros. It is
 * immutable once it has its name; the manifest that names it knows its size and the crc over its
 * blocks' crcs.
 *
 * Block: 64 bytes of header, then the content:
 *    0 magic u32 | 4 crc u32: CRC32C of bytes 8 to the content's end
 *    8 size of the content u32 | 12 kind u16 | 14 shard u16
 *   16 store id, its first 8 bytes | 24 generation u64
 *   32 number of the block in its file u32 | 36 count of rows or lanes u32 | 40 zeros, to 64
 *
 * ROWS: rows one behind the other, each
 *    0 front u32: words from the row's second word on through its last closed cell, or its last run
 *    4 back u32: words of single events and floor, at the row's end
 *    8 front words, then back words, u64 each: a row of row.h without its version word and without
 *      the free room between front and back. Its meta (row.h) names the view by its index in the
 *      plan that wrote it (the manifest's catalog).
 * LANES: lanes one behind the other, each TILE_LANE_BYTES:
 *    0 producer u64 | 8 incarnation u32 | 12 lane u16 | 14 flags u16 (1: acked)
 *   16 base u64 | 24 top u64 | 32 seen i64 us | 40 the window's 64 words, u64 each (lanes.h) */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/limits.h"

#define TILE_BLOCK_ALIGN  4096u
#define TILE_BLOCK_MAGIC  0x314c4954u /* "TIL1" */
#define TILE_BLOCK_HEADER 64u
#define TILE_ROW_HEADER   8u
/* Header and key of a row without its version word: one line at least. */
#define TILE_ROW_FRONT_WORDS_MIN (LINE_WORDS - 1u)
#define TILE_ROW_BYTES_MIN       (TILE_ROW_HEADER + TILE_ROW_FRONT_WORDS_MIN * 8u)
#define TILE_ROW_WORDS_MAX       (ROW_SIZE_MAX / 8u - 1u)
#define TILE_WINDOW_WORDS        64u
#define TILE_LANE_BYTES          (40u + TILE_WINDOW_WORDS * 8u)
#define TILE_LANE_FLAG_ACKED     0x1u
/* Content that a writer gathers before it closes a block; a longer row has a block of its own. */
#define TILE_BLOCK_TARGET    (256 * KIB)
#define TILE_BLOCK_BYTES_MAX (ROW_SIZE_MAX + TILE_BLOCK_TARGET + TILE_BLOCK_ALIGN)

enum tile_kind { TILE_ROWS = 1, TILE_LANES = 2 };

struct tile_block {
    enum tile_kind kind;
    uint16_t shard;
    uint32_t size; /* Of the content. */
    uint64_t store;
    uint64_t generation;
    uint32_t number;
    uint32_t count;
    uint32_t crc;
};

/* block: room for header, content and padding; the content is at block + TILE_BLOCK_HEADER already.
 * Writes header and padding, fills out->crc; returns the bytes of the whole block. */
uint32_t tile_block_encode(struct tile_block *block, uint8_t *data);
static inline uint64_t tile_block_bytes(uint32_t content_size)
{
    return align_up(TILE_BLOCK_HEADER + (uint64_t)content_size, TILE_BLOCK_ALIGN);
}
/* Reads a header and its content (size: bytes there are from the header on): RESULT_OK,
 * RESULT_TRUNCATED (more bytes are needed: tile_block_bytes(out_block->size) of them, as far as the
 * unchecked header can be believed), RESULT_CORRUPT (no block, a wrong crc, or a number beyond its
 * limit). Padding is not looked at. */
MUST_USE enum result tile_block_decode(const uint8_t *data, uint64_t size,
                                       struct tile_block *out_block);

struct tile_row {
    uint32_t front_words;
    uint32_t back_words;
    const uint8_t *words; /* Borrowed; front then back. */
};

/* The row at *at of a good block's content; moves *at behind it. RESULT_OK, RESULT_NOT_FOUND at the
 * end, RESULT_CORRUPT when lengths do not fit the content or the largest row. */
MUST_USE enum result tile_row_decode(const uint8_t *content, uint32_t size, uint32_t *at,
                                     struct tile_row *out_row);

struct tile_lane {
    uint64_t producer;
    uint32_t incarnation;
    uint16_t lane;
    uint16_t flags;
    uint64_t base;
    uint64_t top;
    int64_t seen_us;
    uint64_t window[TILE_WINDOW_WORDS];
};

/* Lane i of a block's content; i is below the count of a good block, or size / TILE_LANE_BYTES. */
void tile_lane_decode(const uint8_t *content, uint32_t index, struct tile_lane *out_lane);
void tile_lane_encode(const struct tile_lane *lane, uint8_t *out);

/* "tiles-0000000012-003.rows" and ".lanes": generation and shard. */
#define TILE_NAME_SIZE_MAX 40u
void tile_name_format(uint64_t generation, uint32_t shard, enum tile_kind kind,
                      char out[TILE_NAME_SIZE_MAX]);
bool tile_name_parse(const char *name, uint64_t *out_generation, uint32_t *out_shard,
                     enum tile_kind *out_kind);
/* "backfill-0000000012-003.rows": rows of views that are being filled. */
void tile_filled_name_format(uint64_t generation, uint32_t shard, char out[TILE_NAME_SIZE_MAX]);
bool tile_filled_name_parse(const char *name, uint64_t *out_generation, uint32_t *out_shard);
