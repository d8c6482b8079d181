/* The exported mirror (Parquet: DIR/stream=NAME/...) as the tables that views in SQL read
 * (docs/sql.md): for some keys of a view, drawn by a seed, the events of its streams.
 *
 * One view at a time: parity_mirror_draw(), then parity_mirror_tables() for each moment. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/buffer.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/plan.h"
#include "drivers/duckdb.h"

#define PARITY_ERROR_SIZE_MAX 1536u

struct parity_mirror {
    struct duckdb_database *database; /* Owned. */
    const char *folder;               /* Borrowed, as the plan. */
    const struct plan *plan;
    /* Records are read from these LSNs on, by shard (SHARDS_MAX): what went before, nobody else
     * has. */
    const uint64_t *first_lsn;
};

/* Which events count: those applied, or, of streams that keep late ones, these too. */
enum parity_events { PARITY_EVENTS_APPLIED, PARITY_EVENTS_TRUE };

/* Ids as text has them, each with its NUL, in their order as bytes. */
struct parity_keys {
    uint32_t count;
    struct buffer texts;
};

/* Error, here and below: what cannot be read, and why. */
MUST_USE enum result parity_mirror_open(struct parity_mirror *mirror, const char *folder,
                                        const struct plan *plan,
                                        const struct duckdb_options *options,
                                        char error[PARITY_ERROR_SIZE_MAX]);
void parity_mirror_close(struct parity_mirror *mirror);

/* Draws up to key_max keys of the view, and gathers their events. RESULT_NOT_FOUND: the export has
 * no file of any of its streams. */
MUST_USE enum result parity_mirror_draw(struct parity_mirror *mirror, uint32_t view,
                                        enum parity_events events, uint64_t key_max, uint64_t seed,
                                        struct parity_keys *out_keys,
                                        char error[PARITY_ERROR_SIZE_MAX]);

/* The view's streams as tables: every event that counts. */
MUST_USE enum result parity_mirror_streams(struct parity_mirror *mirror, uint32_t view,
                                           enum parity_events events,
                                           char error[PARITY_ERROR_SIZE_MAX]);

/* An expression of SQL: the id of the key whose parts are "#key_1" and so on. */
void parity_id_write(const struct plan_view *view, struct buffer *out);

/* Moments of what was drawn, up to moment_max, ascending: times of events and one microsecond later
 * (TRUE), or one microsecond behind apply times (APPLIED); the last one is behind all of them. */
MUST_USE enum result parity_mirror_moments(struct parity_mirror *mirror, uint32_t view,
                                           enum parity_events events, uint32_t moment_max,
                                           uint64_t seed, int64_t *out_us, uint32_t *out_count,
                                           char error[PARITY_ERROR_SIZE_MAX]);

/* The view's streams as tables: what was drawn, of it what was applied before known_us. */
MUST_USE enum result parity_mirror_tables(struct parity_mirror *mirror, uint32_t view,
                                          int64_t known_us, char error[PARITY_ERROR_SIZE_MAX]);
