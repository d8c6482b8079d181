/* A manifest: the file that names a recoverable state. This comment is its specification; numbers
 * are little-endian, docs/formats/manifest.md is the same for people.
 *
 *    0 magic u64 | 8 format version u32 = 1 | 12 crc u32 of the whole file, itself as zero
 *   16 store id 16 bytes | 32 generation u64 | 40 created i64 us
 *   48 epoch u32 | 52 shard count u32 | 56 size of the file u32 | 60 size of the catalog u32
 *   then the catalog (catalog.h), then per view of it: since i64 us
 *   then per shard:
 *     replay LSN u64: its log is replayed from behind it | end LSN u64: of the walk's end
 *     apply time i64 | first segment needed u64
 *     watermark i64 per stream of the catalog
 *     forward LSN u64 per shard: forwards of that home up to it are in the rows, or came before
 *     files u32, then per file:
 *       kind u16 | block count u32 | rows u64 | size u64 | crc u32 | name: u8 length and bytes
 *
 * A file's name is that of its kind and shard (tile_name_format()), of this generation or before.
 * Files are in the order in which they were written: base, deltas, lanes. A row or lane of a later
 * file replaces one of an earlier. Immutable once named; three generations are kept. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/catalog.h"
#include "dataplane/feature/mirror_format.h"
#include "dataplane/feature/tile_format.h"

#define MANIFEST_MAGIC     UINT64_C(0x314e414d48535246) /* "FRSHMAN1" */
#define MANIFEST_VERSION   1u
#define MANIFEST_FILES_MAX 40u /* Per shard: a base, deltas, lanes. */
#define MANIFESTS_KEPT     3u

struct manifest_file {
    char name[TILE_NAME_SIZE_MAX];
    enum tile_kind kind;
    uint32_t block_count;
    uint64_t row_count;
    uint64_t size;
    uint32_t crc; /* CRC32C over the blocks' crcs, in order. */
};

struct manifest_shard {
    uint64_t replay_lsn;
    uint64_t end_lsn;
    int64_t apply_us;
    uint64_t first_segment;
    int64_t watermark_us[STREAMS_MAX];
    uint64_t forward_lsn[SHARDS_MAX];
    uint32_t file_count;
    struct manifest_file file[MANIFEST_FILES_MAX];
};

struct manifest {
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint64_t generation;
    int64_t created_us;
    uint32_t epoch;
    uint32_t shard_count;
    struct catalog catalog;
    int64_t since_us[VIEWS_MAX];
    struct manifest_shard shard[SHARDS_MAX];
};

/* Bytes that any manifest fits in. */
#define MANIFEST_BYTES_MAX                                                                         \
    (64u + CATALOG_BYTES_MAX + VIEWS_MAX * 8u +                                                    \
     SHARDS_MAX * (64u + STREAMS_MAX * 8u + SHARDS_MAX * 8u +                                      \
                   MANIFEST_FILES_MAX * (40u + TILE_NAME_SIZE_MAX)))

/* Returns the bytes written; size is MANIFEST_BYTES_MAX at least. */
uint32_t manifest_encode(const struct manifest *manifest, uint8_t *data, uint32_t size);
/* RESULT_OK, RESULT_TRUNCATED, RESULT_INVALID (no manifest, another format version, a number beyond
 * its limit), RESULT_CORRUPT (crc, or the file is longer than it says). *out_manifest is written in
 * any case: it is too large for the stack. */
MUST_USE enum result manifest_decode(const uint8_t *data, uint32_t size,
                                     struct manifest *out_manifest);

/* "manifest-0000000012". */
#define MANIFEST_NAME_SIZE_MAX 32u
void manifest_name_format(uint64_t generation, char out[MANIFEST_NAME_SIZE_MAX]);
bool manifest_name_parse(const char *name, uint64_t *out_generation);
