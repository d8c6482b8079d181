/* When serving got to know the events that an export has: its rows have the T of their homes, but a
 * view knows an event from the T of its owner on, which the owner's log tells by a forward. Where a
 * view did not live when the event came it knows it by its home, as a backfill has it.
 *
 * Walks the log for a view's drawn events; shares nothing with what reads history. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/parity_export.h"
#include "controlplane/parity_mirror.h"

struct parity_known;

/* All borrowed. */
struct parity_known_options {
    const char *directory; /* The data directory. */
    const struct plan *plan;
    const struct parity_export *export;
    const uint64_t *first_lsn; /* Records before it are not read, by shard (SHARDS_MAX). */
};

/* An event of a key that was drawn. */
struct parity_known_event {
    uint64_t key_hash;
    uint64_t lsn;
    int64_t known_us; /* INT64_MAX: its view does not know it. */
    int64_t home_us;
    uint16_t shard;    /* Its home. */
    uint8_t source;    /* Of the view. */
    bool is_forwarded; /* Its owner has logged it. */
    bool waits;        /* It is another shard's. */
    uint8_t era;       /* That it came in: a run of epochs with one number of shards. */
};

struct parity_known_events {
    struct parity_known_event *event; /* Owned. */
    uint32_t count;
    uint32_t capacity;
};

MUST_USE enum result parity_known_open(const struct parity_known_options *options,
                                       struct parity_known **out_known,
                                       char error[PARITY_ERROR_SIZE_MAX]);
void parity_known_close(struct parity_known *known); /* NULL is fine. */

/* Sets known_us of a view's events, which come in any order and are sorted. out_limit_us: nothing
 * is known before it but what the export has. */
MUST_USE enum result parity_known_find(struct parity_known *known, uint32_t view,
                                       struct parity_known_events *events, int64_t *out_limit_us,
                                       char error[PARITY_ERROR_SIZE_MAX]);

/* Says of what was drawn when it was known, in place of its home's T: moments and tables go by that
 * from then on. */
MUST_USE enum result parity_mirror_known(struct parity_mirror *mirror, uint32_t view,
                                         struct parity_known *known, int64_t *out_limit_us,
                                         char error[PARITY_ERROR_SIZE_MAX]);
