/* Spools of training sets: any bytes; values of what decodes end where the bytes do, also behind a
 * CRC that is right. */
#include <string.h>

#include "controlplane/train_spool.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t copy[1u << 16];
    if (size > sizeof(copy)) {
        return 0;
    }
    memcpy(copy, data, size);
    if (size > TRAIN_SPOOL_HEADER) {
        /* Most of what is made up has a wrong one: set right, so that the values are reached. */
        uint32_t crc = checksum_crc32c(0, copy + 16, size - 16);
        uint64_t bytes = size - TRAIN_SPOOL_HEADER;
        memcpy(copy + 40, &bytes, sizeof(bytes));
        crc = checksum_crc32c(0, copy + 16, size - 16);
        memcpy(copy + 12, &crc, sizeof(crc));
    }
    struct train_spool_reader reader;
    if (train_spool_decode(copy, size, &reader) != RESULT_OK) {
        return 0;
    }
    struct answer answer;
    uint8_t flags;
    uint64_t seen = 0;
    while (train_spool_next(&reader, &answer, &flags)) {
        ASSERT(answer.status <= ANSWER_OUTSIDE_MAX_AGE);
        if (answer.kind == VALUE_STRING || answer.kind == VALUE_LIST) {
            ASSERT((const uint8_t *)answer.text + answer.text_size <= reader.end);
        }
        ASSERT(++seen <= size);
    }
    return 0;
}
