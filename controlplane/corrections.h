/* The corrections of a data directory: the file `corrections`, which dataplane/feature/correction.h
 * specifies. It only grows: a new file has all that the one before had, is made durable and renamed
 * over it, so that one is always whole. */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/correction.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/row_set.h"
#include "dataplane/feature/schema.h"
#include "drivers/disk.h"

#define CORRECTIONS_NAME      "corrections"
#define CORRECTIONS_COUNT_MAX 1000000u

struct corrections {
    uint8_t *data; /* Owned: the file. NULL: there is none. */
    uint64_t size;
    uint32_t count;            /* Of records. */
    struct correction *record; /* Owned: all of them, oldest first. */
    uint32_t event_count;      /* Of those that are about events. */
    uint64_t number_last;      /* Of the newest; 0: none. */
    struct correction *item;   /* Owned: the set's. */
    struct correction_set set;
};

/* RESULT_OK also when there is no file. RESULT_CORRUPT: it is damaged, or of another store. */
MUST_USE enum result corrections_load(struct disk *disk,
                                      const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                                      struct corrections *out_corrections);
void corrections_free(struct corrections *corrections); /* Zeros are fine. */
/* Appends records and makes them durable; corrections stay as they were loaded. The directory is
 * locked. RESULT_NO_SPACE: the disk is full, or the file at its greatest size. */
MUST_USE enum result corrections_append(struct disk *disk,
                                        const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                                        const struct corrections *corrections,
                                        const struct correction *record, uint32_t count);

/* Rows of the plan's views that corrections from this epoch on are about: of what the event was,
 * and of all that it was said to be. The set's memory is *out_memory (heap_free() it); NULL and an
 * empty set when there are none. */
MUST_USE enum result corrections_rows(const struct corrections *corrections,
                                      const struct plan *plan, uint32_t epoch,
                                      struct row_set *out_rows, void **out_memory);

/* The same of these records alone, whenever they were made. */
MUST_USE enum result corrections_rows_of(const struct correction *record, uint32_t count,
                                         const struct plan *plan, struct row_set *out_rows,
                                         void **out_memory);

/* An event as the newest version of its stream's schema has it, in block->block_size bytes: later
 * fields are null. */
void correction_block(const struct schema *schema, const struct correction_event *event,
                      uint8_t *block);
