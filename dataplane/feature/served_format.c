#include "dataplane/feature/served_format.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"
#include "dataplane/feature/file_name.h"

#define FILE_CRC_AT      12u
#define FILE_FIELDS      48u
#define BLOCK_CRC_AT     4u
#define BLOCK_CRC_FROM   8u /* What follows the crc. */
#define NAME_DIGITS_MIN  8u
#define RECORD_BYTES_MIN (SERVED_RECORD_HEADER + SERVED_ALIGN)
#define VALUE_SIZE_MAX   ANSWER_LIST_SIZE_MAX
#define REQUEST_SIZE_MAX 1024u
#define STATUS_MAX       ANSWER_OUTSIDE_MAX_AGE
#define FLAGS_KNOWN      (ANSWER_FLAG_APPROXIMATE | ANSWER_FLAG_PARTIAL)

static uint32_t file_crc(const uint8_t header[SERVED_FILE_HEADER])
{
    return checksum_crc32c_around(header, SERVED_FILE_HEADER, FILE_CRC_AT);
}

void served_file_encode(const struct served_file *file, uint8_t header[SERVED_FILE_HEADER])
{
    struct bytes_writer writer = bytes_writer_of(header, SERVED_FILE_HEADER);
    bytes_write_u64(&writer, SERVED_FILE_MAGIC);
    bytes_write_u32(&writer, SERVED_FORMAT_VERSION);
    bytes_write_u32(&writer, 0);
    bytes_write(&writer, file->store_id, sizeof(file->store_id));
    bytes_write_u64(&writer, file->number);
    bytes_write_i64(&writer, file->created_us);
    ASSERT(writer.at == FILE_FIELDS);
    memset(header + FILE_FIELDS, 0, SERVED_FILE_HEADER - FILE_FIELDS);
    uint32_t crc = file_crc(header);
    memcpy(header + FILE_CRC_AT, &crc, sizeof(crc));
}

enum result served_file_decode(const uint8_t *data, uint64_t size, struct served_file *out_file)
{
    if (size < SERVED_FILE_HEADER) {
        return RESULT_TRUNCATED;
    }
    struct bytes_reader reader = bytes_reader_of(data, SERVED_FILE_HEADER);
    uint64_t magic = bytes_read_u64(&reader);
    uint32_t version = bytes_read_u32(&reader);
    uint32_t crc = bytes_read_u32(&reader);
    struct served_file file = {0};
    memcpy(file.store_id, bytes_read_view(&reader, sizeof(file.store_id)), sizeof(file.store_id));
    file.number = bytes_read_u64(&reader);
    file.created_us = bytes_read_i64(&reader);
    if (magic != SERVED_FILE_MAGIC) {
        return RESULT_INVALID;
    }
    if (file_crc(data) != crc) {
        return RESULT_CORRUPT;
    }
    if (version != SERVED_FORMAT_VERSION) {
        return RESULT_INVALID;
    }
    *out_file = file;
    return RESULT_OK;
}

static bool block_is_good(const struct served_block *block)
{
    return block->size <= SERVED_BLOCK_BYTES_MAX - SERVED_BLOCK_HEADER &&
           block->size % SERVED_ALIGN == 0 &&
           (uint64_t)block->count * RECORD_BYTES_MIN <= block->size;
}

static uint32_t block_crc(const uint8_t *data, uint32_t records_size)
{
    return checksum_crc32c(0, data + BLOCK_CRC_FROM,
                           SERVED_BLOCK_HEADER - BLOCK_CRC_FROM + (uint64_t)records_size);
}

void served_block_encode(const struct served_block *block, uint8_t *data)
{
    ASSERT(block_is_good(block));
    struct bytes_writer writer = bytes_writer_of(data, SERVED_BLOCK_HEADER);
    bytes_write_u32(&writer, SERVED_BLOCK_MAGIC);
    bytes_write_u32(&writer, 0);
    bytes_write_u32(&writer, block->size);
    bytes_write_u32(&writer, block->count);
    bytes_write_u64(&writer, block->file);
    bytes_write_u64(&writer, block->place);
    ASSERT(writer.at == SERVED_BLOCK_HEADER);
    uint32_t crc = block_crc(data, block->size);
    memcpy(data + BLOCK_CRC_AT, &crc, sizeof(crc));
}

enum result served_block_decode(const uint8_t *data, uint64_t size, struct served_block *out_block)
{
    struct served_block block = {0};
    if (size < SERVED_BLOCK_HEADER) {
        *out_block = block;
        return RESULT_TRUNCATED;
    }
    struct bytes_reader reader = bytes_reader_of(data, SERVED_BLOCK_HEADER);
    uint32_t magic = bytes_read_u32(&reader);
    uint32_t crc = bytes_read_u32(&reader);
    block.size = bytes_read_u32(&reader);
    block.count = bytes_read_u32(&reader);
    block.file = bytes_read_u64(&reader);
    block.place = bytes_read_u64(&reader);
    if (magic != SERVED_BLOCK_MAGIC || !block_is_good(&block)) {
        return RESULT_CORRUPT;
    }
    if (size - SERVED_BLOCK_HEADER < block.size) {
        *out_block = block;
        return RESULT_TRUNCATED;
    }
    if (block_crc(data, block.size) != crc) {
        return RESULT_CORRUPT;
    }
    *out_block = block;
    return RESULT_OK;
}

static void name_write(struct bytes_writer *writer, struct served_text name, uint32_t size_max)
{
    writer->failed |= name.size >= size_max;
    bytes_write_u8(writer, (uint8_t)name.size);
    bytes_write(writer, name.data, name.size);
}

static void read_write(struct bytes_writer *writer, const struct served_read *read)
{
    writer->failed |= read->key.size > KEY_SIZE_MAX;
    bytes_write_u16(writer, read->version);
    bytes_write_u8(writer, (uint8_t)read->time);
    bytes_write_u8(writer, read->found ? 1 : 0);
    bytes_write_u16(writer, read->shard);
    bytes_write_u16(writer, (uint16_t)read->key.size);
    bytes_write_i64(writer, read->at_us);
    bytes_write_i64(writer, read->known_us);
    bytes_write_i64(writer, read->q_us);
    bytes_write_u64(writer, read->lsn);
    name_write(writer, read->view, NAME_SIZE_MAX);
    bytes_write(writer, read->key.data, read->key.size);
}

static void value_write(struct bytes_writer *writer, const struct served_value *value)
{
    writer->failed |= value->text.size > REQUEST_SIZE_MAX;
    bytes_write_u8(writer, value->is_null ? 1 : 0);
    bytes_write_u16(writer, (uint16_t)value->text.size);
    name_write(writer, value->name, NAME_SIZE_MAX);
    bytes_write(writer, value->text.data, value->text.size);
}

static void item_write(struct bytes_writer *writer, const struct served_item *item)
{
    writer->failed |= item->text.size > VALUE_SIZE_MAX;
    bytes_write_u8(writer, (uint8_t)item->status);
    bytes_write_u8(writer, item->flags);
    bytes_write_u8(writer, (uint8_t)item->kind);
    bytes_write_u8(writer, 0);
    bytes_write_u32(writer, item->text.size);
    name_write(writer, item->name, SERVICE_FEATURE_NAME_SIZE_MAX);
    bytes_write(writer, item->text.data, item->text.size);
}

uint32_t served_record_encode(const struct served_record *record, uint8_t *data, uint32_t size)
{
    static const uint8_t zeros[SERVED_ALIGN];
    uint32_t room = size < SERVED_RECORD_BYTES_MAX ? size : (uint32_t)SERVED_RECORD_BYTES_MAX;
    struct bytes_writer writer = bytes_writer_of(data, room);
    bytes_write_u32(&writer, 0);
    bytes_write_u16(&writer, record->version);
    bytes_write_u16(&writer, record->read_count);
    bytes_write_i64(&writer, record->moment_us);
    bytes_write_u64(&writer, record->plan_print);
    bytes_write_u64(&writer, record->service_print);
    bytes_write_u16(&writer, record->item_count);
    bytes_write_u8(&writer, record->value_count);
    bytes_write_u8(&writer, 0);
    bytes_write_u32(&writer, record->row);
    name_write(&writer, record->service, NAME_SIZE_MAX);
    for (uint32_t i = 0; i < record->read_count; i++) {
        read_write(&writer, &record->read[i]);
    }
    for (uint32_t i = 0; i < record->value_count; i++) {
        value_write(&writer, &record->value[i]);
    }
    for (uint32_t i = 0; i < record->item_count; i++) {
        item_write(&writer, &record->item[i]);
    }
    bytes_write(&writer, zeros, (uint32_t)align_up(writer.at, SERVED_ALIGN) - writer.at);
    if (bytes_write_finish(&writer) != RESULT_OK) {
        return 0;
    }
    memcpy(data, &writer.at, sizeof(writer.at));
    return writer.at;
}

static struct served_text text_read(struct bytes_reader *reader, uint32_t size)
{
    const uint8_t *data = bytes_read_view(reader, size);
    return (struct served_text){.data = (const char *)data, .size = data == NULL ? 0 : size};
}

static struct served_text name_read(struct bytes_reader *reader, uint32_t size_max)
{
    uint32_t size = bytes_read_u8(reader);
    reader->failed |= size >= size_max;
    return text_read(reader, size);
}

/* 0 or 1. */
static bool flag_read(struct bytes_reader *reader)
{
    uint8_t flag = bytes_read_u8(reader);
    reader->failed |= flag > 1;
    return flag == 1;
}

static void zero_read(struct bytes_reader *reader)
{
    reader->failed |= bytes_read_u8(reader) != 0;
}

static void read_read(struct bytes_reader *reader, struct served_read *read)
{
    read->version = bytes_read_u16(reader);
    read->time = (enum read_time)bytes_read_u8(reader);
    read->found = flag_read(reader);
    read->shard = bytes_read_u16(reader);
    uint32_t key_size = bytes_read_u16(reader);
    read->at_us = bytes_read_i64(reader);
    read->known_us = bytes_read_i64(reader);
    read->q_us = bytes_read_i64(reader);
    read->lsn = bytes_read_u64(reader);
    read->view = name_read(reader, NAME_SIZE_MAX);
    read->key = text_read(reader, key_size);
    reader->failed |=
        key_size > KEY_SIZE_MAX || (uint32_t)read->time > READ_AT || read->shard >= SHARDS_MAX;
}

static void value_read(struct bytes_reader *reader, struct served_value *value)
{
    value->is_null = flag_read(reader);
    uint32_t size = bytes_read_u16(reader);
    value->name = name_read(reader, NAME_SIZE_MAX);
    value->text = text_read(reader, size);
    reader->failed |= size > REQUEST_SIZE_MAX;
}

static void item_read(struct bytes_reader *reader, struct served_item *item)
{
    item->status = (enum answer_status)bytes_read_u8(reader);
    item->flags = bytes_read_u8(reader);
    item->kind = (enum value_kind)bytes_read_u8(reader);
    zero_read(reader);
    uint32_t size = bytes_read_u32(reader);
    item->name = name_read(reader, SERVICE_FEATURE_NAME_SIZE_MAX);
    item->text = text_read(reader, size);
    reader->failed |= size > VALUE_SIZE_MAX || (uint32_t)item->status > STATUS_MAX ||
                      (item->flags & ~FLAGS_KNOWN) != 0 || (uint32_t)item->kind > VALUE_LIST ||
                      (item->kind == VALUE_NULL && size > 0);
}

static void lists_read(struct bytes_reader *reader, struct served_record *record)
{
    record->service = name_read(reader, NAME_SIZE_MAX);
    reader->failed |= record->read_count > SERVICE_READS_MAX ||
                      record->value_count > SERVICE_REQUEST_MAX ||
                      record->item_count > SERVICE_FEATURES_MAX;
    for (uint32_t i = 0; !reader->failed && i < record->read_count; i++) {
        read_read(reader, &record->read[i]);
    }
    for (uint32_t i = 0; !reader->failed && i < record->value_count; i++) {
        value_read(reader, &record->value[i]);
    }
    for (uint32_t i = 0; !reader->failed && i < record->item_count; i++) {
        item_read(reader, &record->item[i]);
    }
}

enum result served_record_decode(const uint8_t *data, uint32_t size, uint32_t *at,
                                 struct served_record *out_record)
{
    ASSERT(*at <= size);
    if (*at == size) {
        return RESULT_NOT_FOUND;
    }
    struct bytes_reader reader = bytes_reader_of(data + *at, size - *at);
    uint32_t bytes = bytes_read_u32(&reader);
    if (reader.failed || bytes > reader.size || bytes % SERVED_ALIGN != 0 ||
        bytes > SERVED_RECORD_BYTES_MAX) {
        return RESULT_CORRUPT;
    }
    reader.size = bytes;
    reader.failed = bytes < reader.at;
    out_record->version = bytes_read_u16(&reader);
    out_record->read_count = bytes_read_u16(&reader);
    out_record->moment_us = bytes_read_i64(&reader);
    out_record->plan_print = bytes_read_u64(&reader);
    out_record->service_print = bytes_read_u64(&reader);
    out_record->item_count = bytes_read_u16(&reader);
    out_record->value_count = bytes_read_u8(&reader);
    zero_read(&reader);
    out_record->row = bytes_read_u32(&reader);
    lists_read(&reader, out_record);
    while (!reader.failed && bytes_left(&reader) > 0) {
        reader.failed = bytes_left(&reader) >= SERVED_ALIGN;
        zero_read(&reader);
    }
    if (bytes_read_finish(&reader) != RESULT_OK) {
        return RESULT_CORRUPT;
    }
    *at += bytes;
    return RESULT_OK;
}

void served_name_format(uint64_t number, char out[SERVED_NAME_SIZE_MAX])
{
    out = file_name_put_text(out, "served-");
    out = file_name_put_number(out, number, NAME_DIGITS_MIN);
    (void)file_name_put_text(out, ".log");
}

bool served_name_parse(const char *name, uint64_t *out_number)
{
    uint64_t number = 0;
    const char *rest = file_name_take_text(name, "served-");
    rest = file_name_take_number(rest, NAME_DIGITS_MIN, &number);
    rest = file_name_take_text(rest, ".log");
    if (rest == NULL || *rest != '\0') {
        return false;
    }
    *out_number = number;
    return true;
}

bool served_text_is(struct served_text text, const char *name)
{
    return strlen(name) == text.size && memcmp(name, text.data, text.size) == 0;
}
