/* Recovery: the tile files of a manifest. Each block is checked as it is loaded; the file counts as
 * whole when its size, its blocks and the crc over their crcs are what the manifest says. */
#include <string.h>

#include "controlplane/recovery_inside.h"
#include "dataplane/base/checksum.h"
#include "drivers/memory.h"

#define READ_BYTES (4 * TILE_BLOCK_BYTES_MAX)
/* Rows between asking for a bucket, asking for the row that it names, and loading. */
#define BUCKET_LEAD 16u
#define ROW_LEAD    8u

/* One file on its way in. */
struct file_load {
    struct recovery *recovery;
    struct replay *replay;
    const struct manifest_file *file;
    uint32_t shard;
    uint64_t store;
    uint8_t *buffer; /* READ_BYTES */
    uint64_t place;
    uint32_t blocks;
    uint64_t rows;
    uint32_t crc; /* Over the blocks' crcs. */
};

/* A row some rows ahead of the one that is loaded. */
struct row_ahead {
    enum replay_near near;
    uint32_t lead; /* Rows between. */
    uint32_t rows; /* Asked for so far. */
    uint32_t at;
};

/* Asks for rows up to the lead before row number `loaded`. */
static void ahead_move(const struct file_load *load, const uint8_t *content, uint32_t size,
                       uint32_t loaded, struct row_ahead *ahead)
{
    struct tile_row row;
    while (ahead->rows < loaded + ahead->lead &&
           tile_row_decode(content, size, &ahead->at, &row) == RESULT_OK) {
        replay_row_prefetch(load->replay, &row, ahead->near);
        ahead->rows++;
    }
}

static enum result rows_load(struct file_load *load, const uint8_t *content,
                             const struct tile_block *block)
{
    uint32_t at = 0;
    uint32_t count = 0;
    struct tile_row row;
    enum result result;
    struct row_ahead bucket = {.near = REPLAY_NEAR_BUCKET, .lead = BUCKET_LEAD};
    struct row_ahead entry = {.near = REPLAY_NEAR_ROW, .lead = ROW_LEAD};
    while ((result = tile_row_decode(content, block->size, &at, &row)) == RESULT_OK) {
        ahead_move(load, content, block->size, count, &bucket);
        ahead_move(load, content, block->size, count, &entry);
        result = replay_row(load->replay, &row);
        if (result != RESULT_OK) {
            return result;
        }
        count++;
    }
    load->rows += count;
    return result == RESULT_NOT_FOUND && count == block->count ? RESULT_OK : RESULT_CORRUPT;
}

static enum result lanes_load(struct file_load *load, const uint8_t *content,
                              const struct tile_block *block)
{
    if (block->size != block->count * TILE_LANE_BYTES) {
        return RESULT_CORRUPT;
    }
    for (uint32_t i = 0; i < block->count; i++) {
        struct tile_lane lane;
        tile_lane_decode(content, i, &lane);
        enum result result = replay_lane(load->replay, &lane);
        if (result != RESULT_OK) {
            return result;
        }
    }
    load->rows += block->count;
    return RESULT_OK;
}

/* Loads the block at data; *out_bytes is what it took. RESULT_TRUNCATED: more bytes are needed. */
static enum result block_load(struct file_load *load, const uint8_t *data, uint64_t size,
                              uint64_t *out_bytes)
{
    struct tile_block block;
    enum result result = tile_block_decode(data, size, &block);
    if (result != RESULT_OK) {
        return result;
    }
    if (block.store != load->store || block.shard != load->shard ||
        block.kind != load->file->kind || block.number != load->blocks) {
        return RESULT_CORRUPT;
    }
    load->crc = checksum_crc32c(load->crc, &block.crc, sizeof(block.crc));
    load->blocks++;
    *out_bytes = tile_block_bytes(block.size);
    const uint8_t *content = data + TILE_BLOCK_HEADER;
    return block.kind == TILE_ROWS ? rows_load(load, content, &block)
                                   : lanes_load(load, content, &block);
}

static enum result blocks_load(struct file_load *load, struct disk_file *open)
{
    uint64_t have = 0;
    uint64_t at = 0;
    while (load->place + at < load->file->size) {
        uint64_t bytes = 0;
        enum result result =
            have > at ? block_load(load, load->buffer + at, have - at, &bytes) : RESULT_TRUNCATED;
        if (result == RESULT_OK) {
            at += bytes;
            continue;
        }
        if (result != RESULT_TRUNCATED) {
            return result;
        }
        load->place += at;
        recovery_progress(load->recovery, at);
        if (recovery_is_stopped(load->recovery)) {
            return RESULT_STOPPED;
        }
        uint64_t size = 0;
        result = disk_file_read(open, load->place, load->buffer, READ_BYTES, &size);
        if (result != RESULT_OK) {
            return result;
        }
        if (at == 0 && size <= have) {
            return RESULT_CORRUPT; /* The file has no more, and the block wants it. */
        }
        have = size;
        at = 0;
    }
    load->place += at;
    return RESULT_OK;
}

static enum result file_load_run(struct file_load *load)
{
    struct disk_file *open;
    enum result result =
        disk_file_open(load->recovery->options.disk, load->file->name, DISK_READ, &open);
    if (result != RESULT_OK) {
        return result == RESULT_NOT_FOUND ? RESULT_CORRUPT : result;
    }
    uint64_t size = 0;
    result = disk_file_size(open, &size);
    if (result == RESULT_OK && size != load->file->size) {
        result = RESULT_CORRUPT;
    }
    if (result == RESULT_OK) {
        result = blocks_load(load, open);
    }
    disk_file_close(open);
    bool whole = load->place == load->file->size && load->blocks == load->file->block_count &&
                 load->rows == load->file->row_count && load->crc == load->file->crc;
    return result == RESULT_OK && !whole ? RESULT_CORRUPT : result;
}

enum result recovery_files_load(struct recovery *recovery, const struct manifest *manifest,
                                uint32_t shard, struct replay *replay,
                                char error[RECOVERY_ERROR_SIZE_MAX])
{
    uint8_t *buffer = heap_alloc(READ_BYTES);
    if (buffer == NULL) {
        return recovery_fail(error, RESULT_NO_MEMORY, "no memory to read files");
    }
    const struct manifest_shard *saved = &manifest->shard[shard];
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < saved->file_count; i++) {
        struct file_load load = {.recovery = recovery,
                                 .replay = replay,
                                 .file = &saved->file[i],
                                 .shard = shard,
                                 .store = mirror_store_of(recovery->epochs.store_id),
                                 .buffer = buffer};
        result = file_load_run(&load);
        recovery->report.load_bytes += load.place;
        if (result == RESULT_CORRUPT) {
            (void)recovery_fail(error, result, "%s is damaged at byte %llu", load.file->name,
                                (unsigned long long)load.place);
        } else if (result == RESULT_NO_SPACE) {
            (void)recovery_fail(error, result,
                                "what shard %u holds does not fit `state.memory` or "
                                "`state.lanes`: raise them",
                                shard);
        } else if (result != RESULT_OK) {
            (void)recovery_fail(error, result, "%s cannot be read: %s", load.file->name,
                                result_name(result));
        }
    }
    heap_free(buffer);
    return result;
}
