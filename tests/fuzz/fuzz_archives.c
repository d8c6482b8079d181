/* The file that names archives: any bytes; what decodes names folders below a directory. */
#include <string.h>

#include "controlplane/archives.h"
#include "dataplane/base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct archives archives;
    if (archives_decode((const char *)data, size, &archives) != RESULT_OK) {
        return 0;
    }
    ASSERT(archives.count <= ARCHIVES_MAX);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < archives.count; i++) {
        const char *folder = archives.folder[i];
        ASSERT(folder[0] != '\0');
        ASSERT(folder[0] != '/');
        ASSERT(strstr(folder, "//") == NULL);
        ASSERT(strncmp(folder, "../", 3) != 0);
        ASSERT(strstr(folder, "/../") == NULL);
        bytes += strlen(folder) + 1;
    }
    ASSERT(bytes == size);
    return 0;
}
