#include "controlplane/train_spool.h"

#include <string.h>

#include "controlplane/answer_pack.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"
#include "drivers/memory.h"

#define SPOOL_MAGIC   UINT64_C(0x314c4f4f50535246) /* "FRSPOOL1" */
#define SPOOL_VERSION 2u
#define SPOOL_CHECKED 16u /* The CRC is of what begins here. */

_Static_assert(((TRAIN_SPOOL_DIFFERS | TRAIN_SPOOL_UNEXPLAINED | TRAIN_SPOOL_JOINED) &
                ~ANSWER_PACK_FLAGS) == 0,
               "flags stand beside a status");

void train_spool_add(struct buffer *values, const struct answer *answer, uint8_t flags)
{
    answer_pack(answer, flags, values);
}

/* The header with the CRC of itself, from SPOOL_CHECKED on, and of the values. */
static void header_make(const struct train_spool *spool, const struct buffer *values,
                        uint8_t header[TRAIN_SPOOL_HEADER])
{
    struct bytes_writer writer = bytes_writer_of(header, TRAIN_SPOOL_HEADER);
    bytes_write_u64(&writer, SPOOL_MAGIC);
    bytes_write_u32(&writer, SPOOL_VERSION);
    bytes_write_u32(&writer, 0);
    bytes_write_u64(&writer, spool->identity);
    bytes_write_u32(&writer, spool->part);
    bytes_write_u32(&writer, spool->rows);
    bytes_write_u32(&writer, spool->items);
    bytes_write_u32(&writer, 0);
    bytes_write_u64(&writer, values->size);
    uint32_t crc = checksum_crc32c(0, header + SPOOL_CHECKED, TRAIN_SPOOL_HEADER - SPOOL_CHECKED);
    crc = checksum_crc32c(crc, values->data, values->size);
    memcpy(header + SPOOL_CHECKED - sizeof(crc), &crc, sizeof(crc));
}

enum result train_spool_write(struct disk *disk, const char *name, const struct train_spool *spool,
                              const struct buffer *values)
{
    uint8_t header[TRAIN_SPOOL_HEADER];
    const struct disk_piece pieces[] = {{header, sizeof(header)}, {values->data, values->size}};
    header_make(spool, values, header);
    return disk_file_replace(disk, name, pieces, ARRAY_COUNT(pieces));
}

enum result train_spool_decode(const uint8_t *data, uint64_t size,
                               struct train_spool_reader *out_reader)
{
    if (size < TRAIN_SPOOL_HEADER) {
        return RESULT_CORRUPT;
    }
    struct bytes_reader reader = bytes_reader_of(data, TRAIN_SPOOL_HEADER);
    uint64_t magic = bytes_read_u64(&reader);
    uint32_t version = bytes_read_u32(&reader);
    uint32_t crc = bytes_read_u32(&reader);
    struct train_spool spool = {.identity = bytes_read_u64(&reader)};
    spool.part = bytes_read_u32(&reader);
    spool.rows = bytes_read_u32(&reader);
    spool.items = bytes_read_u32(&reader);
    (void)bytes_read_u32(&reader);
    uint64_t bytes = bytes_read_u64(&reader);
    bool good = magic == SPOOL_MAGIC && version == SPOOL_VERSION &&
                bytes == size - TRAIN_SPOOL_HEADER &&
                crc == checksum_crc32c(0, data + SPOOL_CHECKED, size - SPOOL_CHECKED);
    if (!good) {
        return RESULT_CORRUPT;
    }
    *out_reader = (struct train_spool_reader){
        .spool = spool, .next = data + TRAIN_SPOOL_HEADER, .end = data + size};
    return RESULT_OK;
}

enum result train_spool_open(struct disk *disk, const char *name,
                             struct train_spool_reader *out_reader)
{
    uint8_t *data;
    uint64_t size;
    enum result result = disk_file_read_all(disk, name, UINT64_MAX, &data, &size);
    if (result != RESULT_OK) {
        return result;
    }
    result = train_spool_decode(data, size, out_reader);
    if (result != RESULT_OK) {
        heap_free(data);
        return result;
    }
    out_reader->data = data;
    return RESULT_OK;
}

void train_spool_take(const struct train_spool *spool, struct buffer *values,
                      struct train_spool_reader *out_reader)
{
    uint8_t *data = (uint8_t *)values->data;
    *out_reader = (struct train_spool_reader){
        .spool = *spool, .data = data, .next = data, .end = data + values->size};
    buffer_init(values, 0);
}

void train_spool_close(struct train_spool_reader *reader)
{
    heap_free(reader->data);
    *reader = (struct train_spool_reader){.data = NULL};
}

bool train_spool_pass(struct train_spool_reader *reader, enum answer_status *out_status,
                      uint8_t *out_flags)
{
    const uint8_t *behind = answer_pack_pass(reader->next, reader->end, out_status, out_flags);
    reader->next = behind == NULL ? reader->end : behind;
    return behind != NULL;
}

bool train_spool_next(struct train_spool_reader *reader, struct answer *out_answer,
                      uint8_t *out_flags)
{
    const uint8_t *behind = answer_unpack(reader->next, reader->end, out_answer, out_flags);
    reader->next = behind == NULL ? reader->end : behind;
    return behind != NULL;
}
