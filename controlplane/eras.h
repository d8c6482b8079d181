/* Eras of a store: runs of epochs with one number of shards, and what is kept of the logs of each.
 * Under another number the logs go on by the same names, so that a segment's epoch and number of
 * shards tell the era that it is of. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/epochs.h"
#include "controlplane/log_reader.h"

#define ERAS_MAX (EPOCHS_CUTS_MAX + 1)

/* Records of an era are of its shards. */
struct era {
    uint32_t first_epoch; /* 0: of the oldest era. */
    uint32_t last_epoch;  /* EPOCH_MAX: it goes on. */
    uint32_t shard_count;
    /* What era_log_note() found. */
    bool has_hole;                  /* Some log of it is gone. */
    int64_t begin_us;               /* Of what is kept; INT64_MAX: nothing is. */
    int64_t since_us;               /* All is kept from here on; INT64_MIN: from its begin on. */
    uint64_t after_lsn[SHARDS_MAX]; /* Records from the next one on are kept, */
    uint64_t last_lsn[SHARDS_MAX];  /* up to this one, which the cut of its last epoch tells. */
};

struct eras {
    uint32_t count; /* Oldest first. */
    struct era era[ERAS_MAX];
};

/* Of all epochs whose cuts are known. running: and of the newest one, which goes on. Older ones,
 * whose cuts have left the file, are in none. */
void eras_of_epochs(const struct epochs *epochs, bool running, struct eras *out_eras);
/* A reader of the era's segments of one log, in archives too if those are wanted. */
MUST_USE enum result era_log_open(struct disk *disk, const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                                  const struct era *era, uint32_t shard, bool archives,
                                  struct log_reader **out_reader);
/* Before the logs of an era are noted (again). */
void era_notes_begin(struct era *era);
/* What is kept of one log: the reader's segments from this one on. */
void era_log_note(struct era *era, uint32_t shard, const struct log_reader *reader, uint32_t first);
/* All logs are noted: whether anything is kept. */
bool eras_keep_some(const struct eras *eras);
/* Then: since when all records of the store are kept. now_us: what it is when the
 * end of the last era is gone. */
int64_t eras_since_us(const struct eras *eras, int64_t created_us, int64_t now_us);
