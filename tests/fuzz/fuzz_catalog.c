/* A catalog as it stands in the log and in manifests: any bytes. What decodes encodes to the same
 * bytes. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct catalog catalog;
    static uint8_t again[CATALOG_BYTES_MAX];
    if (size <= UINT32_MAX && catalog_decode(data, (uint32_t)size, &catalog) == RESULT_OK) {
        ASSERT(catalog_encode(&catalog, again, sizeof(again)) == size);
        ASSERT(memcmp(again, data, size) == 0);
    }
    return 0;
}
