#include "controlplane/store_corrections.h"

#include <string.h>

#include "drivers/memory.h"

/* The whole file, a window at a time; false: it ends before. */
static bool file_copy(struct store_file *file, uint8_t *data)
{
    uint64_t at = 0;
    while (at < file->size_bytes) {
        uint64_t count;
        const uint8_t *view = store_file_view(file, at, STORE_FILE_WINDOW, &count);
        if (count == 0) {
            return false;
        }
        memcpy(data + at, view, count);
        at += count;
    }
    return true;
}

static enum result records_count(const uint8_t *data, const struct correction_head *head,
                                 uint32_t *out_events)
{
    uint64_t at = CORRECTION_HEAD_BYTES;
    uint32_t records = 0;
    struct correction record;
    enum result result;
    *out_events = 0;
    while ((result = correction_decode_record(data, head->size, &at, &record)) == RESULT_OK) {
        records++;
        *out_events += record.kind == CORRECTION_REBUILT ? 0 : 1;
    }
    return result == RESULT_NOT_FOUND && records == head->count ? RESULT_OK : RESULT_CORRUPT;
}

enum result store_corrections_read(struct store_file *file, struct correction_head *out_head,
                                   uint32_t *out_events)
{
    if (file->size_bytes > CORRECTION_FILE_BYTES_MAX) {
        return RESULT_CORRUPT;
    }
    uint8_t *data = heap_alloc(file->size_bytes + 1);
    if (data == NULL) {
        return RESULT_NO_MEMORY;
    }
    enum result result = file_copy(file, data)
                             ? correction_decode_head(data, file->size_bytes, out_head)
                             : RESULT_TRUNCATED;
    if (result == RESULT_OK) {
        result = records_count(data, out_head, out_events);
    }
    heap_free(data);
    return result;
}
