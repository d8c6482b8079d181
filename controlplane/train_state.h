/* What a training run keeps beside its spools, so that one that was cut short goes on with the same
 * bytes: up to where the mirror counts, and how many rows a part has. This comment is the format's
 * specification; numbers are little-endian.
 *
 *   0 magic u64 | 8 format version u32 = 1 | 12 CRC-32C u32 of all that follows
 *  16 identity u64 | 24 part rows u32 | 28 shards u32 | 32 last LSN u64 per shard */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/limits.h"
#include "drivers/disk.h"

struct train_state {
    uint64_t identity; /* Of definitions, labels, mirror and mode. */
    uint32_t part_rows;
    uint64_t last_lsn[SHARDS_MAX];
};

#define TRAIN_STATE_BYTES (32u + SHARDS_MAX * 8u)

/* RESULT_NOT_FOUND; RESULT_CORRUPT; as disk_file_read() fails. */
MUST_USE enum result train_state_read(struct disk *disk, const char *name,
                                      struct train_state *out_state);
MUST_USE enum result train_state_write(struct disk *disk, const char *name,
                                       const struct train_state *state);
MUST_USE enum result train_state_decode(const uint8_t *data, uint64_t size,
                                        struct train_state *out_state);
