/* What the files of `freshet parity --sql` share: options and state (parity_sql.c), one moment of a
 * view in SQL (parity_sql_view.c), counts and their print (parity_sql_print.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/parity_cell.h"
#include "controlplane/parity_corrected.h"
#include "controlplane/parity_export.h"
#include "controlplane/parity_known.h"
#include "controlplane/parity_mirror.h"
#include "controlplane/sql_texts.h"
#include "dataplane/history.h"

#define PARITY_MOMENTS_MAX  64u
#define PARITY_FEATURES_MAX (AGGREGATES_MAX * WINDOWS_MAX + DERIVED_MAX) /* Of a view. */

struct parity_sql_options {
    const char *data;   /* The data directory; NULL: that of the definitions. */
    const char *export; /* Where `freshet export` put Parquet. */
    const char *view;   /* NULL: all. */
    const char *at;     /* NULL: moments are drawn. */
    uint64_t keys;
    uint64_t times;
    uint64_t seed;
    bool json;
};

struct parity_count {
    uint64_t equal;
    uint64_t near; /* Doubles that SQL rounds twice: some units in the last place. */
    uint64_t different;
    uint64_t left_out; /* Approximate, or not cut at the moment, by Freshet's own word. */
};

struct parity_sql {
    const struct parity_sql_options *options;
    struct config *config;
    struct sql_texts texts;
    struct parity_mirror mirror;
    struct parity_export export;
    struct parity_corrected corrected;
    struct parity_known *known; /* While what was known is compared. */
    uint64_t moments_known;     /* Of all views, before the end. */
    struct parity_count *count; /* By feature; owned. */
    struct json_t *differences; /* With --json; the first ones. */
    uint64_t different;         /* So far. */

    /* The view that is compared. */
    uint32_t view;
    enum parity_events events;
    uint16_t feature_count;
    uint16_t feature[PARITY_FEATURES_MAX]; /* Of the plan, in the order of the view. */
    uint32_t place[PARITY_FEATURES_MAX];   /* Of each in the view. */
};

/* One moment of all keys that were read. */
struct parity_moment {
    int64_t at_us;
    int64_t known_us;
    uint32_t key_count;
    const char *const *id;           /* In their order as bytes. */
    const struct history_read *read; /* Of each key, this moment's. */
    uint32_t read_stride;
};

/* Features of the view that SQL says with the same value; others are left out. */
void parity_sql_features(struct parity_sql *parity, uint32_t view);

/* Runs the view's SQL for what parity_mirror_tables() made, and compares. */
MUST_USE enum result parity_sql_moment(struct parity_sql *parity,
                                       const struct parity_moment *moment,
                                       char error[PARITY_ERROR_SIZE_MAX]);

/* Counts; the first differences are told, each by its key and moment. cell: NULL: SQL has no row of
 * the key. */
void parity_sql_count(struct parity_sql *parity, uint32_t feature, enum parity_match match,
                      const struct parity_moment *moment, const char *id,
                      const struct answer *answer, const struct parity_column *column,
                      const struct parity_cell *cell);
void parity_sql_leave_out(struct parity_sql *parity, uint32_t feature);
/* Returns the exit code: 1 where something differs, or nothing was compared. */
int parity_sql_print(const struct parity_sql *parity);
