/* The file of corrections: any bytes. What decodes encodes to the same bytes, and its set finds the
 * newest of each event.
 *
 * Input: a byte (1: size and crc are made right, so that records are reached), then the file. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"
#include "dataplane/feature/correction.h"

#define FILE_BYTES  (64u * 1024u)
#define RECORDS_MAX (FILE_BYTES / 40u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct correction record[RECORDS_MAX];
static uint8_t again[CORRECTION_RECORD_BYTES_MAX];

static void head_fix(uint8_t *bytes, uint32_t size)
{
    memcpy(bytes + 32, &size, sizeof(size));
    memset(bytes + 12, 0, 4);
    uint32_t crc = checksum_crc32c(0, bytes, size);
    memcpy(bytes + 12, &crc, sizeof(crc));
}

static void set_check(uint32_t count)
{
    static struct correction item[RECORDS_MAX];
    struct correction_set set;
    memcpy(item, record, count * sizeof(item[0]));
    correction_set_init(&set, item, count);
    for (uint32_t i = 0; i < count && i < 16; i++) {
        const struct correction *found = correction_find(&set, record[i].shard, record[i].lsn);
        ASSERT(found != NULL);
        ASSERT(found->number >= record[i].number);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[FILE_BYTES];
    struct correction_head head;
    if (size == 0 || size > FILE_BYTES) {
        return 0;
    }
    uint32_t count = (uint32_t)size - 1;
    memcpy(bytes, data + 1, count);
    if ((data[0] & 1) != 0 && count >= CORRECTION_HEAD_BYTES) {
        head_fix(bytes, count);
    }
    if (correction_decode_head(bytes, count, &head) != RESULT_OK) {
        return 0;
    }
    uint64_t at = CORRECTION_HEAD_BYTES;
    uint64_t begin = at;
    uint32_t records = 0;
    while (correction_decode_record(bytes, count, &at, &record[records]) == RESULT_OK) {
        ASSERT(correction_encode_record(&record[records], again) == at - begin);
        ASSERT(memcmp(again, bytes + begin, at - begin) == 0);
        begin = at;
        records++;
    }
    set_check(records);
    return 0;
}
