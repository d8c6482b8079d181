#include "controlplane/file_hash.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/base/hash.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define READ_BYTES (256 * KIB)

static enum result bytes_hash(FILE *file, XXH3_state_t *state, uint8_t *data)
{
    size_t size;
    if (XXH3_128bits_reset(state) != XXH_OK) {
        return RESULT_NO_MEMORY;
    }
    while ((size = fread(data, 1, READ_BYTES, file)) > 0) {
        if (XXH3_128bits_update(state, data, size) != XXH_OK) {
            return RESULT_NO_MEMORY;
        }
    }
    return ferror(file) == 0 ? RESULT_OK : RESULT_IO;
}

enum result file_hash_read(const char *path, uint8_t out_digest[FILE_HASH_BYTES])
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return RESULT_SYSTEM;
    }
    XXH3_state_t *state = XXH3_createState();
    uint8_t *data = heap_alloc(READ_BYTES);
    enum result result =
        state == NULL || data == NULL ? RESULT_NO_MEMORY : bytes_hash(file, state, data);
    if (result == RESULT_OK) {
        XXH128_canonical_t canonical;
        XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
        memcpy(out_digest, canonical.digest, FILE_HASH_BYTES);
    }
    (void)fclose(file);
    (void)XXH3_freeState(state);
    heap_free(data);
    return result;
}
