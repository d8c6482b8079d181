/* What the parts of store_check.h share; no one else includes it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/epochs.h"
#include "controlplane/store_check.h"
#include "controlplane/store_directory.h"
#include "controlplane/store_file.h"
#include "dataplane/feature/manifest.h"

#define STORE_PATH_SIZE_MAX 4096u

/* The log of a shard as far as it was walked. */
struct shard_log {
    bool begun;
    uint64_t before_lsn; /* Of its oldest segment. */
    uint64_t first_lsn;  /* Of the segment walked last. */
    uint64_t last_lsn;
    uint32_t shard_count;          /* Another number of shards begins its logs anew. */
    const struct store_name *name; /* Of that segment. */
};

struct store_check {
    const char *path;
    store_line_visit *visit;
    void *context;
    struct store_sum *sum;
    struct store_directory directory;
    struct manifest *manifest; /* The one that is being checked. */
    struct manifest *newest;   /* The newest good one. */
    struct epochs *epochs;     /* Two: the one that counts, and room. */
    bool has_newest;
    bool has_epochs;
    bool has_store;
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    struct shard_log log[SHARDS_MAX];
};

/* Counts and visits the line with this text. */
void store_line_put(struct store_check *check, struct store_line *line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct store_line store_line_of(const struct store_name *name, enum store_state state);
/* Puts a line of damage; the file may be gone, or used again, by now: then that is said. */
void store_damage_put(struct store_check *check, const struct store_file *file,
                      struct store_line *line, const char *text);

/* Opens a file of the directory, or puts the line that says why not. path is its room for the name
 * and must live as long as the file is open. */
bool store_check_open(struct store_check *check, const struct store_name *name,
                      char path[STORE_PATH_SIZE_MAX], struct store_file *out_file);
/* All files of a directory are of one store: the first that says so decides. */
bool store_check_is_same(struct store_check *check, const uint8_t store_id[MIRROR_STORE_ID_BYTES]);

/* Whether the directory has the file now. */
bool store_check_is_there(const struct store_check *check, const struct store_name *name);
/* A tile file against what names it (by), read once however many do. Puts its line; false: it is
 * not good. */
bool store_check_tile(struct store_check *check, struct store_name *name,
                      const struct manifest_file *file, const uint8_t *store_id, const char *by);

/* store_check_backfill.c: what the next start goes on with. */
void store_check_backfill(struct store_check *check, const struct store_name *name);

/* store_check_log.c: one segment, and it against the one before; oldest first. */
void store_check_segment(struct store_check *check, const struct store_name *name);
/* The epochs: no log ends below the newest cut. */
void store_check_cut(struct store_check *check);
/* The newest manifest needs the log from behind its replay LSN on, at least to its walk's end. */
void store_check_replay(struct store_check *check);
