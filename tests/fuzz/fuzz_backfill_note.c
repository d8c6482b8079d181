/* What a backfill keeps for the next start: any bytes. What decodes encodes to the same bytes.
 *
 * Input: a byte of flags (1: size and crc are made right, so that the content is reached), then the
 * file. */
#include <string.h>

#include "controlplane/backfill_note.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"
#include "drivers/memory.h"

#define FLAG_FIX    1u
#define FILE_BYTES  (64u * 1024u)
#define CRC_OFFSET  12u
#define SIZE_OFFSET 32u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[FILE_BYTES];
    struct backfill_note note;
    if (size == 0 || size > FILE_BYTES) {
        return 0;
    }
    uint32_t count = (uint32_t)size - 1;
    memcpy(bytes, data + 1, count);
    if ((data[0] & FLAG_FIX) != 0 && count >= SIZE_OFFSET + sizeof(count)) {
        memcpy(bytes + SIZE_OFFSET, &count, sizeof(count));
        memset(bytes + CRC_OFFSET, 0, 4);
        uint32_t crc = checksum_crc32c(0, bytes, count);
        memcpy(bytes + CRC_OFFSET, &crc, sizeof(crc));
    }
    if (backfill_note_decode(bytes, count, &note) == RESULT_OK) {
        uint32_t again_size = 0;
        uint8_t *again = backfill_note_encode(&note, &again_size);
        ASSERT(again != NULL);
        ASSERT(again_size == count);
        ASSERT(memcmp(again, bytes, count) == 0);
        heap_free(again);
        backfill_note_free(&note);
    }
    return 0;
}
