/* Checkpoints: tile files and manifests on the disk. */
#include <stdio.h>
#include <string.h>

#include "controlplane/checkpoint_inside.h"
#include "controlplane/segments.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"
#include "dataplane/feature/file_name.h"
#include "drivers/memory.h"

#define TMP_SIZE_MAX (TILE_NAME_SIZE_MAX + 8)

static void tmp_name(const char *name, char out[TMP_SIZE_MAX])
{
    (void)snprintf(out, TMP_SIZE_MAX, "%s" FILE_NAME_TMP, name);
}

/* What cannot be removed now is removed by a later prune. */
static void file_remove(struct checkpoint *checkpoint, const char *name)
{
    enum result result = disk_remove(checkpoint->options.disk, name);
    (void)result;
}

/* Makes a new file; one of that name, left by a try that failed, is removed first. */
static enum result file_create(struct disk *disk, const char *name, struct disk_file **out_file)
{
    enum result result = disk_file_open(disk, name, DISK_CREATE, out_file);
    if (result != RESULT_EXISTS) {
        return result;
    }
    result = disk_remove(disk, name);
    return result == RESULT_OK ? disk_file_open(disk, name, DISK_CREATE, out_file) : result;
}

static enum result file_begin(struct checkpoint *checkpoint, uint32_t shard, enum tile_kind kind,
                              struct checkpoint_file *file)
{
    *file = (struct checkpoint_file){.entry = {.kind = kind}};
    if (checkpoint->is_rows) {
        tile_filled_name_format(checkpoint->generation, shard, file->entry.name);
    } else {
        tile_name_format(checkpoint->generation, shard, kind, file->entry.name);
    }
    char name[TMP_SIZE_MAX];
    tmp_name(file->entry.name, name);
    return file_create(checkpoint->options.disk, name, &file->file);
}

enum result checkpoint_block_write(struct checkpoint *checkpoint, uint32_t shard,
                                   struct walk_block *from)
{
    bool rows = from->kind == WALK_BLOCK_ROWS;
    struct checkpoint_file *file =
        rows ? &checkpoint->shard[shard].rows : &checkpoint->shard[shard].lanes;
    if (file->file == NULL) {
        enum result result = file_begin(checkpoint, shard, rows ? TILE_ROWS : TILE_LANES, file);
        if (result != RESULT_OK) {
            return result;
        }
    }
    struct tile_block block = {.kind = file->entry.kind,
                               .shard = (uint16_t)shard,
                               .size = from->size,
                               .generation = checkpoint->generation,
                               .number = file->entry.block_count,
                               .count = from->count};
    memcpy(&block.store, checkpoint->options.store_id, sizeof(block.store));
    uint32_t bytes = tile_block_encode(&block, from->data);
    enum result result = disk_file_write(file->file, file->offset, from->data, bytes);
    if (result != RESULT_OK) {
        return result;
    }
    file->offset += bytes;
    file->entry.size = file->offset;
    file->entry.block_count++;
    file->entry.row_count += from->count;
    file->entry.crc = checksum_crc32c(file->entry.crc, &block.crc, sizeof(block.crc));
    return RESULT_OK;
}

static enum result file_finish(struct checkpoint *checkpoint, struct checkpoint_file *file)
{
    if (file->file == NULL) {
        return RESULT_OK;
    }
    enum result result = disk_file_sync(file->file);
    disk_file_close(file->file);
    file->file = NULL;
    if (result != RESULT_OK) {
        return result;
    }
    char name[TMP_SIZE_MAX];
    tmp_name(file->entry.name, name);
    return disk_rename(checkpoint->options.disk, name, file->entry.name);
}

enum result checkpoint_files_finish(struct checkpoint *checkpoint)
{
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < checkpoint->options.shard_count; i++) {
        result = file_finish(checkpoint, &checkpoint->shard[i].rows);
        if (result == RESULT_OK) {
            result = file_finish(checkpoint, &checkpoint->shard[i].lanes);
        }
    }
    return result == RESULT_OK ? disk_folder_sync(checkpoint->options.disk, "") : result;
}

static void file_drop(struct checkpoint *checkpoint, struct checkpoint_file *file)
{
    char name[TMP_SIZE_MAX];
    disk_file_close(file->file);
    if (file->entry.name[0] != '\0') {
        tmp_name(file->entry.name, name);
        file_remove(checkpoint, name);             /* Under the one name or the other: */
        file_remove(checkpoint, file->entry.name); /* no manifest has it. */
    }
    *file = (struct checkpoint_file){0};
}

void checkpoint_files_drop(struct checkpoint *checkpoint)
{
    for (uint32_t i = 0; i < checkpoint->options.shard_count; i++) {
        file_drop(checkpoint, &checkpoint->shard[i].rows);
        file_drop(checkpoint, &checkpoint->shard[i].lanes);
    }
}

/* Files of a shard: those to go on from, then what this walk wrote. */
static void shard_files(const struct checkpoint *checkpoint, uint32_t index,
                        struct manifest_shard *out)
{
    const struct checkpoint_shard *shard = &checkpoint->shard[index];
    const struct manifest *base = checkpoint_base(checkpoint);
    out->file_count = 0;
    for (uint32_t i = 0; !shard->whole && i < base->shard[index].file_count; i++) {
        if (base->shard[index].file[i].kind == TILE_ROWS) {
            out->file[out->file_count++] = base->shard[index].file[i];
        }
    }
    if (shard->rows.entry.block_count > 0) {
        out->file[out->file_count++] = shard->rows.entry;
    }
    if (shard->lanes.entry.block_count > 0) {
        out->file[out->file_count++] = shard->lanes.entry;
    }
}

static void manifest_make(struct checkpoint *checkpoint, int64_t now_us)
{
    const struct checkpoint_options *options = &checkpoint->options;
    struct manifest *manifest = checkpoint->next;
    memset(manifest, 0, sizeof(*manifest));
    memcpy(manifest->store_id, options->store_id, sizeof(manifest->store_id));
    manifest->generation = checkpoint->generation;
    manifest->created_us = now_us;
    manifest->epoch = options->epoch;
    manifest->shard_count = options->shard_count;
    catalog_of_plan(checkpoint->plan, &manifest->catalog);
    memcpy(manifest->since_us, checkpoint->since_us, sizeof(manifest->since_us));
    for (uint32_t i = 0; i < options->shard_count; i++) {
        const struct walk_summary *summary = &checkpoint->shard[i].summary;
        struct manifest_shard *out = &manifest->shard[i];
        out->replay_lsn = summary->start_lsn;
        out->end_lsn = summary->end_lsn;
        out->apply_us = summary->apply_us;
        memcpy(out->watermark_us, summary->watermark_us, sizeof(out->watermark_us));
        memcpy(out->forward_lsn, summary->forward_lsn, sizeof(out->forward_lsn));
        shard_files(checkpoint, i, out);
        /* What it may have to forward again counts too. */
        uint64_t needed = summary->start_lsn;
        for (uint32_t owner = 0; owner < options->shard_count; owner++) {
            uint64_t lsn = checkpoint->shard[owner].summary.forward_lsn[i];
            needed = owner != i && lsn < needed ? lsn : needed;
        }
        out->first_segment =
            options->segments == NULL ? 0 : segments_find(options->segments, i, needed);
    }
}

/* The manifest is in its file, durable, under a name that does not count yet. */
static enum result manifest_write(struct checkpoint *checkpoint, const char *name)
{
    uint32_t size = manifest_encode(checkpoint->next, checkpoint->bytes, MANIFEST_BYTES_MAX);
    struct disk_file *file;
    enum result result = file_create(checkpoint->options.disk, name, &file);
    if (result != RESULT_OK) {
        return result;
    }
    result = disk_file_write(file, 0, checkpoint->bytes, size);
    if (result == RESULT_OK) {
        result = disk_file_sync(file);
    }
    disk_file_close(file);
    return result;
}

/* The newest stands first; what was loaded makes way for the first one that is published. */
static void kept_push(struct checkpoint *checkpoint)
{
    struct manifest *last = checkpoint->kept[MANIFESTS_KEPT];
    if (checkpoint->has_loaded) {
        checkpoint->has_loaded = false;
        checkpoint->kept_count = 0;
    }
    for (uint32_t i = MANIFESTS_KEPT; i > 0; i--) {
        checkpoint->kept[i] = checkpoint->kept[i - 1];
    }
    checkpoint->kept[0] = checkpoint->next;
    checkpoint->next = last;
    if (checkpoint->kept_count < MANIFESTS_KEPT) {
        checkpoint->kept_count++;
    }
}

enum result checkpoint_publish(struct checkpoint *checkpoint, int64_t now_us,
                               bool *out_indeterminate)
{
    char name[MANIFEST_NAME_SIZE_MAX];
    char tmp[TMP_SIZE_MAX];
    manifest_make(checkpoint, now_us);
    manifest_name_format(checkpoint->generation, name);
    tmp_name(name, tmp);
    enum result result = manifest_write(checkpoint, tmp);
    if (result != RESULT_OK) {
        file_remove(checkpoint, tmp);
        return result;
    }
    *out_indeterminate = true;
    result = disk_rename(checkpoint->options.disk, tmp, name);
    if (result == RESULT_OK) {
        result = disk_folder_sync(checkpoint->options.disk, "");
    }
    if (result == RESULT_OK) {
        kept_push(checkpoint);
        for (uint32_t i = 0; i < checkpoint->options.shard_count; i++) {
            /* The files are the manifest's now; their sizes are still reported. */
            checkpoint->shard[i].rows.entry.name[0] = '\0';
            checkpoint->shard[i].lanes.entry.name[0] = '\0';
        }
    }
    return result;
}

/* Names that may go. */
#define PRUNE_MAX 64u

struct prune {
    const struct checkpoint *checkpoint;
    uint32_t count;
    char name[PRUNE_MAX][TMP_SIZE_MAX];
};

static bool file_is_kept(const struct checkpoint *checkpoint, const char *name)
{
    for (uint32_t k = 0; k < checkpoint->kept_count; k++) {
        const struct manifest *manifest = checkpoint->kept[k];
        for (uint32_t i = 0; i < manifest->shard_count; i++) {
            for (uint32_t f = 0; f < manifest->shard[i].file_count; f++) {
                if (strcmp(manifest->shard[i].file[f].name, name) == 0) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* Nothing is being written now: what is not whole was left by a process that was killed. */
static void prune_look(void *context, const char *name, uint64_t size)
{
    struct prune *prune = context;
    const struct checkpoint *checkpoint = prune->checkpoint;
    uint64_t oldest = checkpoint->kept[checkpoint->kept_count - 1]->generation;
    char bare[TMP_SIZE_MAX];
    uint64_t generation;
    uint32_t shard;
    enum tile_kind kind;
    (void)size;
    bool tmp = file_name_is_tmp(name, bare, sizeof(bare));
    const char *whole = tmp ? bare : name;
    bool manifest = manifest_name_parse(whole, &generation);
    bool goes = manifest ? tmp || generation < oldest
                         : tile_name_parse(whole, &generation, &shard, &kind) &&
                               generation <= checkpoint->generation &&
                               (tmp || !file_is_kept(checkpoint, name));
    if (goes && prune->count < PRUNE_MAX && strlen(name) < TMP_SIZE_MAX) {
        memcpy(prune->name[prune->count++], name, strlen(name) + 1);
    }
}

void checkpoint_prune(struct checkpoint *checkpoint)
{
    struct prune *prune = heap_alloc(sizeof(*prune));
    if (prune == NULL) {
        return; /* Next time. */
    }
    *prune = (struct prune){.checkpoint = checkpoint};
    if (disk_folder_list(checkpoint->options.disk, "", prune_look, prune) == RESULT_OK) {
        /* Manifests first: none may name a file that is gone. */
        for (uint32_t pass = 0; pass < 2; pass++) {
            for (uint32_t i = 0; i < prune->count; i++) {
                uint64_t generation;
                bool manifest = manifest_name_parse(prune->name[i], &generation);
                if (manifest == (pass == 0)) {
                    file_remove(checkpoint, prune->name[i]);
                }
            }
            if (pass == 0 && disk_folder_sync(checkpoint->options.disk, "") != RESULT_OK) {
                break;
            }
        }
    }
    heap_free(prune);
}
