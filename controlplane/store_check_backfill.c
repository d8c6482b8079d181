/* Checks what a backfill keeps for the next start. */
#include <string.h>

#include "controlplane/backfill_note.h"
#include "controlplane/store_check_inside.h"
#include "drivers/memory.h"

static enum result note_read(struct store_file *file, struct backfill_note *out_note)
{
    uint64_t size = file->size_bytes;
    uint8_t *data = size <= BACKFILL_NOTE_BYTES_MAX ? heap_alloc(size + 1) : NULL;
    enum result result = size > BACKFILL_NOTE_BYTES_MAX ? RESULT_CORRUPT
                         : data == NULL                 ? RESULT_NO_MEMORY
                                                        : RESULT_OK;
    uint64_t at = 0;
    while (result == RESULT_OK && at < size) {
        uint64_t count;
        const uint8_t *view = store_file_view(file, at, STORE_FILE_WINDOW, &count);
        result = count == 0 ? RESULT_TRUNCATED : RESULT_OK;
        memcpy(data + at, view, count);
        at += count;
    }
    result = result == RESULT_OK ? backfill_note_decode(data, (uint32_t)size, out_note) : result;
    heap_free(data);
    return result;
}

void store_check_backfill(struct store_check *check, const struct store_name *name)
{
    char path[STORE_PATH_SIZE_MAX];
    struct store_file file;
    struct backfill_note note;
    struct store_line line = store_line_of(name, STORE_DAMAGED);
    if (!store_check_open(check, name, path, &file)) {
        return;
    }
    enum result result = note_read(&file, &note);
    if (result != RESULT_OK) {
        store_damage_put(check, &file, &line, result_name(result));
        store_file_close(&file);
        return;
    }
    if (!store_check_is_same(check, note.store_id)) {
        store_damage_put(check, &file, &line, "it is of another store");
    } else {
        line.state = STORE_GOOD;
        store_line_put(check, &line, "view %s is filled, with %u new views", note.asked,
                       note.view_count);
    }
    backfill_note_free(&note);
    store_file_close(&file);
}
