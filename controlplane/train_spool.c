#include "controlplane/train_spool.h"

#include <string.h>

#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"
#include "dataplane/feature/exact.h"
#include "drivers/memory.h"

#define SPOOL_MAGIC   UINT64_C(0x314c4f4f50535246) /* "FRSPOOL1" */
#define SPOOL_VERSION 1u
#define SPOOL_CHECKED 16u /* The CRC is of what begins here. */

#define FLAGS (TRAIN_SPOOL_DIFFERS | TRAIN_SPOOL_UNEXPLAINED | TRAIN_SPOOL_JOINED)

enum result train_spool_add(struct buffer *values, const struct answer *answer, uint8_t flags)
{
    uint8_t head[3 + 2 * sizeof(uint64_t)] = {(uint8_t)(answer->status | flags),
                                              (uint8_t)answer->kind, answer->scale};
    uint64_t sign = wide_is_negative(&answer->number) ? UINT64_MAX : 0;
    switch (answer->kind) {
    case VALUE_NULL:
        buffer_write(values, head, 3);
        return RESULT_OK;
    case VALUE_NUMBER:
        if (answer->number.word[2] != sign || answer->number.word[3] != sign ||
            (answer->number.word[1] ^ sign) >> 63 != 0) {
            return RESULT_INVALID;
        }
        memcpy(head + 3, answer->number.word, 2 * sizeof(uint64_t));
        buffer_write(values, head, sizeof(head));
        return RESULT_OK;
    case VALUE_DOUBLE:
        memcpy(head + 3, &answer->real, sizeof(answer->real));
        buffer_write(values, head, 3 + sizeof(answer->real));
        return RESULT_OK;
    case VALUE_BOOL:
        memcpy(head + 3, answer->number.word, 1);
        buffer_write(values, head, 3 + 1);
        return RESULT_OK;
    case VALUE_STRING:
    case VALUE_LIST:
        memcpy(head + 3, &answer->text_size, sizeof(answer->text_size));
        buffer_write(values, head, 3 + sizeof(answer->text_size));
        buffer_write(values, answer->text, answer->text_size);
        return RESULT_OK;
    }
    return RESULT_INVALID;
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
    struct disk_file *file;
    uint64_t size = 0;
    uint64_t got = 0;
    enum result result = disk_file_open(disk, name, DISK_READ, &file);
    if (result != RESULT_OK) {
        return result;
    }
    result = disk_file_size(file, &size);
    uint8_t *data = heap_alloc(size + 1);
    result = result == RESULT_OK && data == NULL ? RESULT_NO_MEMORY : result;
    result = result == RESULT_OK ? disk_file_read(file, 0, data, size, &got) : result;
    disk_file_close(file);
    result = result == RESULT_OK ? train_spool_decode(data, got, out_reader) : result;
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

/* size bytes, or NULL. */
static const uint8_t *take(struct train_spool_reader *reader, uint64_t size)
{
    const uint8_t *taken = reader->next;
    if ((uint64_t)(reader->end - reader->next) < size) {
        reader->next = reader->end;
        return NULL;
    }
    reader->next += size;
    return taken;
}

/* Takes a value's head: how it is held against what may stand there. */
static const uint8_t *head_take(struct train_spool_reader *reader)
{
    const uint8_t *head = take(reader, 3);
    bool good =
        head != NULL && (head[0] & ~FLAGS) <= ANSWER_OUTSIDE_MAX_AGE && head[1] <= VALUE_LIST;
    return good ? head : NULL;
}

bool train_spool_pass(struct train_spool_reader *reader, enum answer_status *out_status,
                      uint8_t *out_flags)
{
    static const uint8_t bytes[] = {
        [VALUE_NULL] = 0, [VALUE_NUMBER] = sizeof(__int128), [VALUE_DOUBLE] = sizeof(double),
        [VALUE_BOOL] = 1, [VALUE_STRING] = sizeof(uint32_t), [VALUE_LIST] = sizeof(uint32_t)};
    const uint8_t *head = head_take(reader);
    if (head == NULL) {
        return false;
    }
    *out_status = (enum answer_status)(head[0] & ~FLAGS);
    *out_flags = head[0] & FLAGS;
    const uint8_t *value = take(reader, bytes[head[1]]);
    if (value == NULL || (head[1] != VALUE_STRING && head[1] != VALUE_LIST)) {
        return value != NULL;
    }
    uint32_t size;
    memcpy(&size, value, sizeof(size));
    return take(reader, size) != NULL;
}

bool train_spool_next(struct train_spool_reader *reader, struct answer *out_answer,
                      uint8_t *out_flags)
{
    const uint8_t *head = head_take(reader);
    *out_answer = (struct answer){.status = ANSWER_NOT_FOUND};
    if (head == NULL) {
        return false;
    }
    *out_flags = head[0] & FLAGS;
    out_answer->status = (enum answer_status)(head[0] & ~FLAGS);
    out_answer->kind = (enum value_kind)head[1];
    out_answer->scale = head[2];
    const uint8_t *bytes = head;
    __int128 number = 0;
    switch (out_answer->kind) {
    case VALUE_NULL:
        break;
    case VALUE_NUMBER:
        bytes = take(reader, sizeof(number));
        memcpy(&number, bytes == NULL ? head : bytes, bytes == NULL ? 0 : sizeof(number));
        out_answer->number = wide_from_i128(number);
        break;
    case VALUE_DOUBLE:
        bytes = take(reader, sizeof(out_answer->real));
        memcpy(&out_answer->real, bytes == NULL ? head : bytes,
               bytes == NULL ? 0 : sizeof(out_answer->real));
        break;
    case VALUE_BOOL:
        bytes = take(reader, 1);
        out_answer->number.word[0] = bytes == NULL ? 0 : bytes[0];
        break;
    case VALUE_STRING:
    case VALUE_LIST:
        bytes = take(reader, sizeof(out_answer->text_size));
        memcpy(&out_answer->text_size, bytes == NULL ? head : bytes,
               bytes == NULL ? 0 : sizeof(out_answer->text_size));
        bytes = bytes == NULL ? NULL : take(reader, out_answer->text_size);
        out_answer->text = (const char *)bytes;
        break;
    }
    return bytes != NULL;
}
