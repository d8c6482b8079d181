#include "controlplane/store_tile.h"

#include "dataplane/base/checksum.h"

/* The block at its place: NULL, or why there is none. */
static const char *block_read(struct store_file *file, uint64_t place, struct tile_block *out_block,
                              const uint8_t **out_data)
{
    uint64_t count;
    *out_data = store_file_view(file, place, TILE_BLOCK_BYTES_MAX, &count);
    enum result result = tile_block_decode(*out_data, count, out_block);
    if (result == RESULT_TRUNCATED ||
        (result == RESULT_OK && tile_block_bytes(out_block->size) > count)) {
        return "the file ends within the block";
    }
    return result == RESULT_OK ? NULL : "no block, or its crc is wrong";
}

/* A good crc over bad rows is a defect of the writer: said, too. */
static const char *rows_check(const struct tile_block *block, const uint8_t *content)
{
    struct tile_row row;
    uint32_t count = 0;
    uint32_t at = 0;
    enum result result;
    while ((result = tile_row_decode(content, block->size, &at, &row)) == RESULT_OK) {
        count++;
    }
    if (result != RESULT_NOT_FOUND) {
        return "a row does not fit its block";
    }
    return count == block->count ? NULL : "more or fewer rows than the block counts";
}

static const char *block_check(struct store_tile *out, const struct tile_block *block,
                               const uint8_t *content)
{
    if (out->block_count == 0) {
        out->kind = block->kind;
        out->shard = block->shard;
        out->store = block->store;
        out->generation = block->generation;
    }
    if (block->number != out->block_count) {
        return "the block has another number";
    }
    if (block->kind != out->kind || block->shard != out->shard || block->store != out->store ||
        block->generation != out->generation) {
        return "the block belongs to another file";
    }
    return block->kind == TILE_ROWS ? rows_check(block, content) : NULL;
}

void store_tile_check(struct store_file *file, store_block_visit *visit, void *context,
                      struct store_tile *out)
{
    *out = (struct store_tile){.result = RESULT_OK, .size_bytes = file->size_bytes};
    while (out->place < file->size_bytes) {
        struct tile_block block;
        const uint8_t *data;
        out->reason = block_read(file, out->place, &block, &data);
        if (out->reason == NULL) {
            out->reason = block_check(out, &block, data + TILE_BLOCK_HEADER);
        }
        if (out->reason != NULL) {
            out->result = RESULT_CORRUPT;
            return;
        }
        if (visit != NULL) {
            visit(context, out->place, &block, data + TILE_BLOCK_HEADER);
        }
        out->block_count++;
        out->row_count += block.count;
        out->crc = checksum_crc32c(out->crc, &block.crc, sizeof(block.crc));
        out->place += tile_block_bytes(block.size);
    }
}
