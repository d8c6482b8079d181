/* The epochs of a store: which lives of the appliance there were, and up to where the logs of each
 * are believed. A file of two slots, written in turns, so that one is always whole. This comment is
 * the specification of the file `epochs`; numbers are little-endian.
 *
 *   slot i at i * EPOCHS_SLOT_BYTES, of the generations whose remainder by two is i:
 *      0 magic u64 | 8 format version u32 = 1 | 12 crc u32 of the slot's used bytes, itself as zero
 *     16 store id 16 bytes | 32 generation u64 (the greater one counts) | 40 epoch u32: the newest
 *     44 shard count u32 of it | 48 count u32 of cuts | 52 used bytes u32 | 56 created i64 us
 *     64 per cut, oldest first: epoch u32 | shard count u32 | cut u64 per shard
 *
 * cut: LSN of the last durable record of a shard in that epoch, or of an epoch before when it wrote
 * none. Forwards whose home LSN is of the epoch and above its home's cut are void, for ever. The
 * oldest cuts leave when the slot is full: nothing that is replayed is that old.
 *
 * A claim writes a new file of the slot that was read and the next one, and renames it; on a full
 * disk it writes the next one over the older slot. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/mirror_format.h"
#include "drivers/disk.h"

#define EPOCHS_NAME       "epochs"
#define EPOCHS_MAGIC      UINT64_C(0x314f504548535246) /* "FRSHEPO1" */
#define EPOCHS_SLOT_BYTES (64 * KIB)
#define EPOCHS_CUTS_MAX   96u
#define EPOCH_MAX         65535u /* 16 bits of an LSN. */

struct epoch_cut {
    uint32_t epoch;
    uint32_t shard_count;
    uint64_t cut[SHARDS_MAX];
};

struct epochs {
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint64_t generation;
    int64_t created_us; /* Of the store. */
    uint32_t epoch;     /* 0: none yet. */
    uint32_t shard_count;
    uint32_t cut_count;
    struct epoch_cut cut[EPOCHS_CUTS_MAX];
};

/* Reads the newest whole slot. RESULT_NOT_FOUND: a new directory; RESULT_CORRUPT: neither slot is
 * whole. */
MUST_USE enum result epochs_load(struct disk *disk, struct epochs *out_epochs);
/* Makes the file of a new store, with epoch 0. */
MUST_USE enum result epochs_create(struct disk *disk, const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                                   int64_t now_us, struct epochs *out_epochs);
/* Claims the next epoch for shard_count shards, together with the cut of the one before (NULL:
 * there was none): durable when it returns RESULT_OK. After any other result nobody may go on: the
 * claim may or may not have been made. RESULT_NO_SPACE: epochs are used up, or the disk is. */
MUST_USE enum result epochs_claim(struct disk *disk, struct epochs *epochs, uint32_t shard_count,
                                  const struct epoch_cut *cut);
/* True when a forward with this home LSN was never durable at its home. */
bool epochs_is_void(const struct epochs *epochs, uint32_t home, uint64_t home_lsn);
/* Takes a cut that the log itself tells (an EPOCH entry), if it is not known. */
void epochs_learn(struct epochs *epochs, const struct epoch_cut *cut);
/* Reads a slot's bytes; for inspection and fuzzing. RESULT_TRUNCATED, RESULT_INVALID (no slot, or
 * of another format version), RESULT_CORRUPT. */
MUST_USE enum result epochs_decode(const uint8_t *slot, uint32_t size, struct epochs *out_epochs);
