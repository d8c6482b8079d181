#include "controlplane/backfill_rows.h"

#include <stdio.h>
#include <string.h>

#include "controlplane/store_tile.h"
#include "dataplane/feature/file_name.h"
#include "dataplane/feature/mirror_scan.h"
#include "dataplane/filling_door.h"

#define PATH_SIZE_MAX 4096u

/* A walk over a file's rows. */
struct rows_walk {
    const struct backfill_rows *rows;
    uint32_t shard;
    enum result result; /* The first that was not RESULT_OK ends it. */
    /* Of those that are handed on; NULL: they are checked. */
    struct ring *ring;
    bool (*pause)(const void *context);
    const void *context;
};

static void block_check(struct rows_walk *walk, const struct tile_block *block,
                        const uint8_t *content)
{
    const struct backfill_rows *rows = walk->rows;
    struct tile_row row;
    uint32_t at = 0;
    while (walk->result == RESULT_OK &&
           tile_row_decode(content, block->size, &at, &row) == RESULT_OK) {
        bool ours =
            filling_row_check(rows->plan, rows->view_first, walk->shard, rows->shard_count, &row);
        walk->result = ours ? RESULT_OK : RESULT_CORRUPT;
    }
}

/* Lets the worker take what is there. */
static void pause_once(struct rows_walk *walk)
{
    ring_push_finish(walk->ring);
    if (!walk->pause(walk->context)) {
        walk->result = RESULT_STOPPED;
    }
}

/* The content is borrowed during the call only: also at the end, the worker takes it all. */
static void block_hand(struct rows_walk *walk, const struct tile_block *block,
                       const uint8_t *content)
{
    struct tile_row row;
    uint32_t at = 0;
    while (walk->result == RESULT_OK &&
           tile_row_decode(content, block->size, &at, &row) == RESULT_OK) {
        while (walk->result == RESULT_OK && !filling_row_push(walk->ring, &row)) {
            pause_once(walk);
        }
    }
    ring_push_finish(walk->ring);
    while (!ring_is_drained(walk->ring)) {
        pause_once(walk);
    }
}

static void block_visit(void *context, uint64_t place, const struct tile_block *block,
                        const uint8_t *content)
{
    struct rows_walk *walk = context;
    (void)place;
    if (walk->result != RESULT_OK || block->kind != TILE_ROWS) {
        return;
    }
    /* Checked again before they are handed on: nobody else's bytes come to a worker. */
    block_check(walk, block, content);
    if (walk->result == RESULT_OK && walk->ring != NULL) {
        block_hand(walk, block, content);
    }
}

/* What of the file is not as the note says; NULL: nothing. */
static const char *difference_of(const struct backfill_rows *rows, uint32_t shard,
                                 const struct store_tile *tile)
{
    const struct manifest_file *file = &rows->place->stand[shard].rows;
    if (tile->size_bytes != file->size || tile->block_count != file->block_count ||
        tile->row_count != file->row_count) {
        return "it has another size";
    }
    if (tile->crc != file->crc) {
        return "its crc is another";
    }
    bool same = tile->kind == TILE_ROWS && tile->shard == shard &&
                tile->generation == rows->place->generation &&
                tile->store == mirror_store_of(rows->store_id);
    return same ? NULL : "it is of another store, shard or generation";
}

static enum result file_walk(struct rows_walk *walk, const char **out_reason)
{
    const struct backfill_rows *rows = walk->rows;
    char path[PATH_SIZE_MAX];
    struct store_file file;
    struct store_tile tile;
    (void)snprintf(path, sizeof(path), "%s/%s", rows->directory,
                   rows->place->stand[walk->shard].rows.name);
    enum result result = store_file_open(&file, path);
    if (result != RESULT_OK) {
        *out_reason = "it cannot be read";
        return result == RESULT_NO_MEMORY ? result : RESULT_CORRUPT;
    }
    store_tile_check(&file, block_visit, walk, &tile);
    store_file_close(&file);
    const char *difference =
        tile.result == RESULT_OK ? difference_of(rows, walk->shard, &tile) : tile.reason;
    *out_reason = difference != NULL ? difference : "a row is none of its views";
    return walk->result != RESULT_OK ? walk->result
           : difference == NULL      ? RESULT_OK
                                     : RESULT_CORRUPT;
}

enum result backfill_rows_check(const struct backfill_rows *rows, uint32_t shard,
                                char reason[BACKFILL_ROWS_REASON_SIZE_MAX])
{
    struct rows_walk walk = {.rows = rows, .shard = shard};
    const struct manifest_file *file = &rows->place->stand[shard].rows;
    const char *why = "";
    enum result result = file->block_count == 0 ? RESULT_OK : file_walk(&walk, &why);
    if (result != RESULT_OK) {
        (void)snprintf(reason, BACKFILL_ROWS_REASON_SIZE_MAX, "%s: %s", file->name, why);
    }
    return result;
}

enum result backfill_rows_hand(const struct backfill_rows *rows, uint32_t shard, struct ring *ring,
                               bool (*pause)(const void *context), const void *context)
{
    struct rows_walk walk = {
        .rows = rows, .shard = shard, .ring = ring, .pause = pause, .context = context};
    const char *why;
    return rows->place->stand[shard].rows.block_count == 0 ? RESULT_OK : file_walk(&walk, &why);
}

struct prune {
    struct disk *disk;
    const struct backfill_place *place; /* NULL: none. */
    uint32_t shard_count;
};

static bool rows_are_named(const struct prune *prune, uint64_t generation, uint32_t shard)
{
    const struct backfill_place *place = prune->place;
    return place != NULL && generation == place->generation && shard < prune->shard_count &&
           place->stand[shard].rows.block_count > 0;
}

static void prune_visit(void *context, const char *name, uint64_t size)
{
    const struct prune *prune = context;
    char bare[TILE_NAME_SIZE_MAX];
    uint64_t generation;
    uint32_t shard;
    (void)size;
    bool tmp = file_name_is_tmp(name, bare, sizeof(bare));
    bool rows = tile_filled_name_parse(tmp ? bare : name, &generation, &shard);
    bool goes = rows ? tmp || !rows_are_named(prune, generation, shard)
                     : tmp && strcmp(bare, BACKFILL_NOTE_NAME) == 0;
    if (goes) {
        enum result result = disk_remove(prune->disk, name);
        (void)result;
    }
}

enum result backfill_rows_prune(struct disk *disk, const struct backfill_note *note)
{
    struct prune prune = {.disk = disk,
                          .place = note == NULL ? NULL : note->place,
                          .shard_count = note == NULL ? 0 : note->shard_count};
    return disk_folder_list(disk, "", prune_visit, &prune);
}
