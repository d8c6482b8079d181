/* Lines of a lake's manifest: any bytes; what is read is within its limits, in order, and is read
 * again the same. */
#include <string.h>

#include "controlplane/lake_manifest.h"
#include "dataplane/base/assert.h"

static void known_check(const struct lake_known *known)
{
    for (uint32_t i = 1; i < known->whole_count; i++) {
        ASSERT(known->whole[i - 1] < known->whole[i]);
    }
    for (uint32_t i = 0; i < known->file_count; i++) {
        const struct lake_known_file *file = &known->file[i];
        ASSERT(memchr(file->stream, '\0', sizeof(file->stream)) != NULL);
        ASSERT(file->hour == LAKE_HOUR_NONE || lake_hour_has_place(file->hour));
        char path[LAKE_PATH_SIZE_MAX];
        lake_path_format(file->stream, file->hour, 0, 1, path);
        ASSERT(strstr(path, "..") == NULL);
        ASSERT(strstr(path + strlen("stream="), "//") == NULL);
    }
    bool lines = known->whole_count > 0 || known->file_count > 0;
    ASSERT(!lines || strlen(known->store) == LAKE_STORE_TEXT_SIZE - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lake_known known;
    struct lake_known again;
    struct lake_wrong wrong;
    uint64_t bytes = 0;
    uint64_t bytes_again = 0;
    const char *text = (const char *)data;
    enum result result = lake_manifest_decode(text, size, &known, &bytes, &wrong);
    if (result == RESULT_OK) {
        ASSERT(bytes <= size);
        ASSERT(bytes == 0 || text[bytes - 1] == '\n');
        ASSERT(lake_manifest_decode(text, bytes, &again, &bytes_again, &wrong) == RESULT_OK);
        ASSERT(bytes_again == bytes);
        ASSERT(again.whole_count == known.whole_count);
        ASSERT(again.file_count == known.file_count);
        known_check(&known);
        lake_known_free(&again);
    } else {
        ASSERT(result == RESULT_CORRUPT);
        ASSERT(wrong.line > 0);
        ASSERT(wrong.what != NULL);
    }
    lake_known_free(&known);
    return 0;
}
