/* The plan by which a buffer's first records were written. The first frame of each segment repeats
 * it: when older segments were let go, what is kept still tells what its records were written by.
 * Memory of the arena; owner: worker. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/arena.h"
#include "dataplane/feature/catalog.h"
#include "dataplane/feature/mirror_format.h"

/* A plan, and one that is unrouted still behind it: what that one means hangs on the one before. */
#define MIRROR_PLAN_NOTES_MAX 2u
#define MIRROR_PLAN_BYTES_MAX (MIRROR_PLAN_NOTES_MAX * CATALOG_BYTES_MAX)

struct mirror_plan {
    uint8_t *catalogs; /* MIRROR_PLAN_BYTES_MAX; one behind the other. */
    uint64_t version;  /* How many notes there were; 0: no plan yet. */
    uint32_t count;    /* Of catalogs. */
    uint32_t size[MIRROR_PLAN_NOTES_MAX];
    bool is_unrouted; /* The last one. */
};

void mirror_plan_init(struct mirror_plan *plan, struct arena *arena);
/* The plan from an entry of kind MIRROR_PLAN on. */
void mirror_plan_note(struct mirror_plan *plan, const struct mirror_entry *entry);
void mirror_plan_copy(struct mirror_plan *plan, const struct mirror_plan *from);
/* Of the entries that repeat it; 0: none, or more than limit. */
uint32_t mirror_plan_bytes(const struct mirror_plan *plan, uint32_t limit);
/* Writes them at out, which has room; lsn and apply_us: of the record behind them. */
void mirror_plan_encode(const struct mirror_plan *plan, uint64_t lsn, int64_t apply_us,
                        uint8_t *out);
