#include "controlplane/train_state.h"

#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"

#define STATE_MAGIC   UINT64_C(0x3154535253524654) /* "TFRSRST1" */
#define STATE_VERSION 1u
#define STATE_CHECKED 16u

enum result train_state_decode(const uint8_t *data, uint64_t size, struct train_state *out_state)
{
    struct bytes_reader reader =
        bytes_reader_of(data, size < TRAIN_STATE_BYTES ? (uint32_t)size : TRAIN_STATE_BYTES);
    uint64_t magic = bytes_read_u64(&reader);
    uint32_t version = bytes_read_u32(&reader);
    uint32_t crc = bytes_read_u32(&reader);
    struct train_state state = {.identity = bytes_read_u64(&reader)};
    state.part_rows = bytes_read_u32(&reader);
    uint32_t shards = bytes_read_u32(&reader);
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        state.last_lsn[i] = bytes_read_u64(&reader);
    }
    bool good = !reader.failed && size == TRAIN_STATE_BYTES && magic == STATE_MAGIC &&
                version == STATE_VERSION && shards == SHARDS_MAX && state.part_rows > 0 &&
                crc == checksum_crc32c(0, data + STATE_CHECKED, TRAIN_STATE_BYTES - STATE_CHECKED);
    if (!good) {
        return RESULT_CORRUPT;
    }
    *out_state = state;
    return RESULT_OK;
}

enum result train_state_read(struct disk *disk, const char *name, struct train_state *out_state)
{
    uint8_t data[TRAIN_STATE_BYTES + 1];
    uint64_t size = 0;
    struct disk_file *file;
    enum result result = disk_file_open(disk, name, DISK_READ, &file);
    if (result != RESULT_OK) {
        return result;
    }
    result = disk_file_read(file, 0, data, sizeof(data), &size);
    disk_file_close(file);
    return result == RESULT_OK ? train_state_decode(data, size, out_state) : result;
}

enum result train_state_write(struct disk *disk, const char *name, const struct train_state *state)
{
    uint8_t data[TRAIN_STATE_BYTES];
    struct bytes_writer writer = bytes_writer_of(data, sizeof(data));
    bytes_write_u64(&writer, STATE_MAGIC);
    bytes_write_u32(&writer, STATE_VERSION);
    bytes_write_u32(&writer, 0);
    bytes_write_u64(&writer, state->identity);
    bytes_write_u32(&writer, state->part_rows);
    bytes_write_u32(&writer, SHARDS_MAX);
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        bytes_write_u64(&writer, state->last_lsn[i]);
    }
    uint32_t crc = checksum_crc32c(0, data + STATE_CHECKED, sizeof(data) - STATE_CHECKED);
    memcpy(data + STATE_CHECKED - sizeof(crc), &crc, sizeof(crc));
    return disk_file_replace(disk, name, &(struct disk_piece){data, sizeof(data)}, 1);
}
