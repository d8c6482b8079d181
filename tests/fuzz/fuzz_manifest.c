/* A manifest: any bytes. What decodes encodes to the same bytes.
 *
 * Input: a byte of flags (1: size and crc are made right, so that the content is reached; 2: the
 * rest is a file's name), then the file. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"
#include "dataplane/feature/manifest.h"

#define FLAG_FIX    1u
#define FLAG_NAME   2u
#define FILE_BYTES  (64u * 1024u)
#define SIZE_OFFSET 56u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void name_check(const uint8_t *data, size_t size)
{
    char name[MANIFEST_NAME_SIZE_MAX] = {0};
    char again[MANIFEST_NAME_SIZE_MAX];
    uint64_t generation;
    memcpy(name, data, size < sizeof(name) ? size : sizeof(name) - 1);
    if (manifest_name_parse(name, &generation)) {
        manifest_name_format(generation, again);
        ASSERT(strcmp(name, again) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[FILE_BYTES];
    static uint8_t again[MANIFEST_BYTES_MAX];
    static struct manifest manifest;
    if (size == 0 || size > FILE_BYTES) {
        return 0;
    }
    uint32_t count = (uint32_t)size - 1;
    memcpy(bytes, data + 1, count);
    if ((data[0] & FLAG_NAME) != 0) {
        name_check(bytes, count);
    }
    if ((data[0] & FLAG_FIX) != 0 && count >= SIZE_OFFSET + sizeof(count)) {
        memcpy(bytes + SIZE_OFFSET, &count, sizeof(count));
        memset(bytes + 12, 0, 4);
        uint32_t crc = checksum_crc32c(0, bytes, count);
        memcpy(bytes + 12, &crc, sizeof(crc));
    }
    if (manifest_decode(bytes, count, &manifest) == RESULT_OK) {
        ASSERT(manifest_encode(&manifest, again, sizeof(again)) == count);
        ASSERT(memcmp(again, bytes, count) == 0);
    }
    return 0;
}
