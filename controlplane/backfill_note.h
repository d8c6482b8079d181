/* What a start needs to go on with a backfill that the process before did not end: the file
 * `backfill` of a data directory, there from before the workers know the new plan until a
 * checkpoint has its views. This comment is its specification; docs/formats/backfill.md is the same
 * for people. Numbers are little-endian, names a length u8 and as many bytes.
 *
 *    0 magic u64 | 8 format version u32 = 2 | 12 crc u32 of the whole file, itself as zero
 *   16 store id 16 bytes | 32 size of the file u32 | 36 shard count u32
 *   40 events a second u64 (0: no bound) | 48 begun i64 us | 56 starts u32 that worked on it
 *   60 streams u16 of the new plan | 62 views u16 that are new in it | 64 name that was asked for
 *   then per new view: name | version u16 | fingerprint u64
 *   then texts u16 of the definitions that are served meanwhile, per text:
 *     size of the name u16, name | size u32, bytes
 *   then a u8: 0, or 1 and the place that it goes on from:
 *     fingerprint u64 of the new plan | corrections u64 | generation u64 of the files of rows
 *     bytes u64 that were read | begins u32 | first epoch u32 of the era that was being read
 *     logs u16 of that era | shard u16 whose log it was | apply time i64 of the turn there
 *     what the turn folds by: i64 per stream
 *     catalog (dataplane/feature/catalog.h) by which the log was read: size u32, bytes
 *     per new view: span of history u8 (1: some), oldest i64, newest i64
 *     per log of the era: read up to LSN u64, u8 (1: by the new plan), a watermark i64 per stream
 *     per shard, its worker: home u16 (64: none), a horizon i64 per stream
 *       its rows: blocks u32, rows u64, size u64, crc u32 (tile_format.h; blocks 0: there are none)
 *
 * Corrections: size of that file u32 in the upper half, its crc in the lower; 0: there is none.
 * Begins: a crc of where the logs of all eras begin and, but for the last one, end. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/manifest.h"
#include "dataplane/feature/mirror_format.h"
#include "dataplane/filling_door.h"
#include "dataplane/replay.h"
#include "drivers/disk.h"

#define BACKFILL_NOTE_NAME      "backfill"
#define BACKFILL_NOTE_MAGIC     UINT64_C(0x31464b4248535246) /* "FRSHBKF1" */
#define BACKFILL_NOTE_VERSION   2u
#define BACKFILL_NOTE_BYTES_MAX (64 * MIB)

struct backfill_view {
    char name[NAME_SIZE_MAX];
    uint16_t version;
    uint64_t fingerprint;
};

/* A log of the era. */
struct backfill_log {
    uint64_t done_lsn;
    bool planned;                      /* What follows was written under the new plan. */
    int64_t watermark_us[STREAMS_MAX]; /* By index in the new plan. */
};

/* A shard's worker and rows. */
struct backfill_stand {
    struct filling_place filling;
    struct manifest_file rows;
};

/* What was filled when the reader stood between two frames: all history up to one place of each
 * log, and nothing else. */
struct backfill_place {
    uint64_t plan;        /* Fingerprint of the new one. */
    uint64_t corrections; /* Those that were obeyed. */
    uint64_t generation;
    uint64_t bytes_done;
    uint32_t begins; /* Of all logs. */
    uint32_t epoch;  /* The first of the era that was being read. */
    uint16_t log_count;
    uint16_t shard;                         /* Whose log was being read, */
    int64_t turn_us;                        /* in this turn, */
    int64_t turn_watermark_us[STREAMS_MAX]; /* which folds by these, */
    uint8_t *catalog;                       /* by this one, encoded. Owned. */
    uint32_t catalog_size;
    struct replay_span history[VIEWS_MAX]; /* Of the new views, in the note's order. */
    struct backfill_log log[SHARDS_MAX];
    struct backfill_stand stand[SHARDS_MAX];
};

struct backfill_note {
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint32_t shard_count;
    uint64_t rate;
    int64_t begin_us;
    uint32_t starts;
    uint16_t stream_count;
    uint16_t view_count;
    char asked[NAME_SIZE_MAX];
    struct backfill_view *view;   /* Owned. */
    struct config_texts texts;    /* Owned. */
    struct backfill_place *place; /* Owned; NULL: it begins with the mirror. */
};

void backfill_place_free(struct backfill_place *place); /* NULL is fine. */
/* NULL: no memory. */
struct backfill_place *backfill_place_copy(const struct backfill_place *place);
/* Zeros are fine. */
void backfill_note_free(struct backfill_note *note);
/* The file's bytes, *out_size of them (heap_free() them); NULL: no memory, or more than
 * BACKFILL_NOTE_BYTES_MAX. */
uint8_t *backfill_note_encode(const struct backfill_note *note, uint32_t *out_size);
/* RESULT_TRUNCATED, RESULT_INVALID (no note, another format version, a number beyond its limit),
 * RESULT_CORRUPT, RESULT_NO_MEMORY. Nothing is owned on failure. */
MUST_USE enum result backfill_note_decode(const uint8_t *data, uint32_t size,
                                          struct backfill_note *out_note);

/* RESULT_NOT_FOUND: there is none. */
MUST_USE enum result backfill_note_read(struct disk *disk, struct backfill_note *out_note);
/* Durable when it returns RESULT_OK. */
MUST_USE enum result backfill_note_write(struct disk *disk, const struct backfill_note *note);
/* Durable too; one that is not there is fine. */
MUST_USE enum result backfill_note_remove(struct disk *disk);
