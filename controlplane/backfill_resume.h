/* A backfill that the process before did not end (backfill_note.h), as a start finds it: goes on
 * when the files of the start bring the same views beside what was served, and is dropped
 * otherwise. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/backfill_note.h"
#include "dataplane/base/result.h"

#define BACKFILL_WHY_SIZE_MAX 256

struct backfill_resume {
    const struct config *files; /* Of the start; borrowed. */
    struct backfill_note note;
    /* What runs meanwhile: what was served before, with the options of the files, which it names
     * as its own. Owned; NULL: the backfill is dropped, why says it. */
    struct config *config;
    char why[BACKFILL_WHY_SIZE_MAX];
};

/* Before the data directory is locked. config: of the files of the start, kept texts and all.
 * *out_resume is NULL where nothing is to go on. Damage drops what it is in. */
MUST_USE enum result backfill_resume_open(const struct config *config, uint32_t shard_count,
                                          struct backfill_resume **out_resume);
void backfill_resume_close(struct backfill_resume *resume); /* NULL is fine. */
