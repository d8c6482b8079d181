#include "dataplane/feature/manifest.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"
#include "dataplane/feature/file_name.h"

#define CRC_OFFSET            12u
#define SIZE_OFFSET           56u
#define HEADER_BYTES          64u
#define EPOCH_MAX             UINT16_MAX
#define GENERATION_DIGITS_MIN 10u

/* A file's name says what it is: kind and shard, and a generation that is not to come. */
static bool file_is_good(const struct manifest *manifest, uint32_t shard_index,
                         const struct manifest_file *file)
{
    uint64_t generation;
    uint32_t shard;
    enum tile_kind kind;
    return memchr(file->name, '\0', sizeof(file->name)) != NULL &&
           tile_name_parse(file->name, &generation, &shard, &kind) && kind == file->kind &&
           shard == shard_index && generation <= manifest->generation &&
           file->size % TILE_BLOCK_ALIGN == 0 &&
           file->size >= (uint64_t)file->block_count * TILE_BLOCK_ALIGN &&
           file->size <= (uint64_t)file->block_count * TILE_BLOCK_BYTES_MAX;
}

static bool shard_is_good(const struct manifest *manifest, uint32_t index)
{
    const struct manifest_shard *shard = &manifest->shard[index];
    if (shard->file_count > MANIFEST_FILES_MAX || shard->replay_lsn > shard->end_lsn) {
        return false;
    }
    for (uint32_t i = 0; i < shard->file_count; i++) {
        if (!file_is_good(manifest, index, &shard->file[i])) {
            return false;
        }
    }
    return true;
}

static bool manifest_is_good(const struct manifest *manifest)
{
    if (manifest->epoch > EPOCH_MAX || manifest->shard_count == 0 ||
        manifest->shard_count > SHARDS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        if (!shard_is_good(manifest, i)) {
            return false;
        }
    }
    return true;
}

static void header_write(struct bytes_writer *writer, const struct manifest *manifest)
{
    bytes_write_u64(writer, MANIFEST_MAGIC);
    bytes_write_u32(writer, MANIFEST_VERSION);
    bytes_write_u32(writer, 0);
    bytes_write(writer, manifest->store_id, MIRROR_STORE_ID_BYTES);
    bytes_write_u64(writer, manifest->generation);
    bytes_write_i64(writer, manifest->created_us);
    bytes_write_u32(writer, manifest->epoch);
    bytes_write_u32(writer, manifest->shard_count);
    ASSERT(writer->at == SIZE_OFFSET);
    bytes_write_u64(writer, 0); /* Both sizes: known at the end. */
}

static void file_write(struct bytes_writer *writer, const struct manifest_file *file)
{
    size_t length = strlen(file->name);
    bytes_write_u16(writer, (uint16_t)file->kind);
    bytes_write_u32(writer, file->block_count);
    bytes_write_u64(writer, file->row_count);
    bytes_write_u64(writer, file->size);
    bytes_write_u32(writer, file->crc);
    bytes_write_u8(writer, (uint8_t)length);
    bytes_write(writer, file->name, (uint32_t)length);
}

static void shard_write(struct bytes_writer *writer, const struct manifest *manifest,
                        const struct manifest_shard *shard)
{
    bytes_write_u64(writer, shard->replay_lsn);
    bytes_write_u64(writer, shard->end_lsn);
    bytes_write_i64(writer, shard->apply_us);
    bytes_write_u64(writer, shard->first_segment);
    for (uint32_t i = 0; i < manifest->catalog.stream_count; i++) {
        bytes_write_i64(writer, shard->watermark_us[i]);
    }
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        bytes_write_u64(writer, shard->forward_lsn[i]);
    }
    bytes_write_u32(writer, shard->file_count);
    for (uint32_t i = 0; i < shard->file_count; i++) {
        file_write(writer, &shard->file[i]);
    }
}

uint32_t manifest_encode(const struct manifest *manifest, uint8_t *data, uint32_t size)
{
    ASSERT(manifest_is_good(manifest));
    ASSERT(size > HEADER_BYTES);
    struct bytes_writer writer = bytes_writer_of(data, size);
    header_write(&writer, manifest);
    uint32_t catalog_size =
        catalog_encode(&manifest->catalog, data + HEADER_BYTES, size - HEADER_BYTES);
    writer.at += catalog_size;
    for (uint32_t i = 0; i < manifest->catalog.view_count; i++) {
        bytes_write_i64(&writer, manifest->since_us[i]);
    }
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        shard_write(&writer, manifest, &manifest->shard[i]);
    }
    ASSERT(bytes_write_finish(&writer) == RESULT_OK);
    uint32_t sizes[2] = {writer.at, catalog_size};
    memcpy(data + SIZE_OFFSET, sizes, sizeof(sizes));
    uint32_t crc = checksum_crc32c_around(data, writer.at, CRC_OFFSET);
    memcpy(data + CRC_OFFSET, &crc, sizeof(crc));
    return writer.at;
}

static void file_read(struct bytes_reader *reader, struct manifest_file *file)
{
    file->kind = (enum tile_kind)bytes_read_u16(reader);
    file->block_count = bytes_read_u32(reader);
    file->row_count = bytes_read_u64(reader);
    file->size = bytes_read_u64(reader);
    file->crc = bytes_read_u32(reader);
    uint8_t length = bytes_read_u8(reader);
    const uint8_t *name = bytes_read_view(reader, length);
    /* A name that is too long becomes an empty one, which no check lets pass. */
    if (name != NULL && length < TILE_NAME_SIZE_MAX && memchr(name, '\0', length) == NULL) {
        memcpy(file->name, name, length);
    }
}

static void shard_read(struct bytes_reader *reader, const struct manifest *manifest,
                       struct manifest_shard *shard)
{
    shard->replay_lsn = bytes_read_u64(reader);
    shard->end_lsn = bytes_read_u64(reader);
    shard->apply_us = bytes_read_i64(reader);
    shard->first_segment = bytes_read_u64(reader);
    for (uint32_t i = 0; i < manifest->catalog.stream_count; i++) {
        shard->watermark_us[i] = bytes_read_i64(reader);
    }
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        shard->forward_lsn[i] = bytes_read_u64(reader);
    }
    shard->file_count = bytes_read_u32(reader);
    for (uint32_t i = 0; i < shard->file_count && i < MANIFEST_FILES_MAX; i++) {
        file_read(reader, &shard->file[i]);
    }
}

/* The parts behind the header, of a file whose crc holds. */
static bool content_read(struct bytes_reader *reader, uint32_t catalog_size,
                         struct manifest *manifest)
{
    const uint8_t *catalog = bytes_read_view(reader, catalog_size);
    if (catalog == NULL || manifest->shard_count > SHARDS_MAX ||
        catalog_decode(catalog, catalog_size, &manifest->catalog) != RESULT_OK) {
        return false;
    }
    for (uint32_t i = 0; i < manifest->catalog.view_count; i++) {
        manifest->since_us[i] = bytes_read_i64(reader);
    }
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        shard_read(reader, manifest, &manifest->shard[i]);
    }
    return !reader->failed && bytes_left(reader) == 0;
}

enum result manifest_decode(const uint8_t *data, uint32_t size, struct manifest *out_manifest)
{
    struct bytes_reader reader = bytes_reader_of(data, size);
    uint64_t magic = bytes_read_u64(&reader);
    uint32_t version = bytes_read_u32(&reader);
    if (!reader.failed && (magic != MANIFEST_MAGIC || version != MANIFEST_VERSION)) {
        return RESULT_INVALID;
    }
    memset(out_manifest, 0, sizeof(*out_manifest));
    uint32_t crc = bytes_read_u32(&reader);
    const uint8_t *store_id = bytes_read_view(&reader, MIRROR_STORE_ID_BYTES);
    out_manifest->generation = bytes_read_u64(&reader);
    out_manifest->created_us = bytes_read_i64(&reader);
    out_manifest->epoch = bytes_read_u32(&reader);
    out_manifest->shard_count = bytes_read_u32(&reader);
    uint32_t file_size = bytes_read_u32(&reader);
    uint32_t catalog_size = bytes_read_u32(&reader);
    if (reader.failed || file_size > size) {
        return RESULT_TRUNCATED;
    }
    if (file_size != size || checksum_crc32c_around(data, size, CRC_OFFSET) != crc) {
        return RESULT_CORRUPT;
    }
    memcpy(out_manifest->store_id, store_id, MIRROR_STORE_ID_BYTES);
    return content_read(&reader, catalog_size, out_manifest) && manifest_is_good(out_manifest)
               ? RESULT_OK
               : RESULT_INVALID;
}

void manifest_name_format(uint64_t generation, char out[MANIFEST_NAME_SIZE_MAX])
{
    char *at = file_name_put_text(out, "manifest-");
    (void)file_name_put_number(at, generation, GENERATION_DIGITS_MIN);
}

bool manifest_name_parse(const char *name, uint64_t *out_generation)
{
    uint64_t generation = 0;
    const char *at = file_name_take_text(name, "manifest-");
    at = file_name_take_number(at, GENERATION_DIGITS_MIN, &generation);
    if (at == NULL || *at != '\0') {
        return false;
    }
    *out_generation = generation;
    return true;
}
