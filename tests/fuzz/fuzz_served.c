/* A file of served answers: any bytes. What decodes encodes to the same bytes.
 *
 * Input: a byte of flags (1: the crc of a block is made right, so that its records are reached; 2:
 * the rest is a file's header, with its crc made right; 4: the rest is a file's name), then the
 * block, the header or the name. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"
#include "dataplane/feature/served_format.h"

#define FLAG_FIX    1u
#define FLAG_HEADER 2u
#define FLAG_NAME   4u
#define BYTES_MAX   (64u * 1024u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void name_check(const uint8_t *data, size_t size)
{
    char name[SERVED_NAME_SIZE_MAX] = {0};
    char again[SERVED_NAME_SIZE_MAX];
    uint64_t number;
    memcpy(name, data, size < sizeof(name) ? size : sizeof(name) - 1);
    if (served_name_parse(name, &number)) {
        served_name_format(number, again);
        ASSERT(strcmp(name, again) == 0);
    }
}

static void header_check(uint8_t *data, uint32_t size)
{
    uint8_t again[SERVED_FILE_HEADER];
    struct served_file file;
    if (size >= SERVED_FILE_HEADER) {
        memset(data + 12, 0, sizeof(uint32_t));
        uint32_t crc = checksum_crc32c(0, data, SERVED_FILE_HEADER);
        memcpy(data + 12, &crc, sizeof(crc));
    }
    if (served_file_decode(data, size, &file) == RESULT_OK) {
        served_file_encode(&file, again);
        ASSERT(memcmp(again, data, 12) == 0);
        ASSERT(memcmp(again + 16, data + 16, 32) == 0);
    }
}

static void records_check(const uint8_t *data, uint32_t size)
{
    static struct served_record record;
    static uint8_t again[SERVED_RECORD_BYTES_MAX];
    uint32_t at = 0;
    for (uint32_t begin = 0; served_record_decode(data, size, &at, &record) == RESULT_OK;
         begin = at) {
        ASSERT(at <= size);
        ASSERT(served_record_encode(&record, again, sizeof(again)) == at - begin);
        ASSERT(memcmp(again, data + begin, at - begin) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[BYTES_MAX];
    struct served_block block;
    uint32_t records_size;
    if (size < 1 + SERVED_BLOCK_HEADER || size > BYTES_MAX) {
        return 0;
    }
    uint32_t count = (uint32_t)size - 1;
    memcpy(bytes, data + 1, count);
    if ((data[0] & FLAG_NAME) != 0) {
        name_check(bytes, count);
        return 0;
    }
    if ((data[0] & FLAG_HEADER) != 0) {
        header_check(bytes, count);
        return 0;
    }
    memcpy(&records_size, bytes + 8, sizeof(records_size));
    if ((data[0] & FLAG_FIX) != 0 && records_size <= count - SERVED_BLOCK_HEADER) {
        uint32_t crc =
            checksum_crc32c(0, bytes + 8, SERVED_BLOCK_HEADER - 8 + (uint64_t)records_size);
        memcpy(bytes + 4, &crc, sizeof(crc));
    }
    if (served_block_decode(bytes, count, &block) == RESULT_OK) {
        records_check(bytes + SERVED_BLOCK_HEADER, block.size);
        uint8_t header[SERVED_BLOCK_HEADER];
        memcpy(header, bytes, sizeof(header));
        served_block_encode(&block, bytes);
        ASSERT(memcmp(header, bytes, sizeof(header)) == 0);
    }
    records_check(bytes, count);
    return 0;
}
