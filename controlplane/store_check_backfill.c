/* Checks what a backfill keeps for the next start. */
#include <inttypes.h>
#include <stdio.h>
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

/* Rows of a shard that the note names. */
static void rows_check(struct store_check *check, const struct store_file *note_file,
                       const struct backfill_note *note, uint32_t shard)
{
    const struct manifest_file *file = &note->place->stand[shard].rows;
    struct store_name *name = store_directory_find(&check->directory, file->name);
    struct store_name late = {.kind = STORE_NAME_FILLED, .shard = shard};
    /* A running appliance may have replaced both since the directory was read. */
    late.number = note->place->generation;
    (void)snprintf(late.name, sizeof(late.name), "%s", file->name);
    if (name != NULL || store_check_is_there(check, &late)) {
        (void)store_check_tile(check, name != NULL ? name : &late, file, note->store_id,
                               BACKFILL_NOTE_NAME);
        return;
    }
    bool same = store_file_is_named(note_file);
    struct store_line line = {
        .name = file->name, .shard = (int32_t)shard, .state = same ? STORE_DAMAGED : STORE_GONE};
    store_line_put(check, &line, BACKFILL_NOTE_NAME " names it, and it is not there");
}

/* What the next start goes on from. */
static void place_check(struct store_check *check, const struct store_file *note_file,
                        const struct backfill_note *note)
{
    for (uint32_t i = 0; note->place != NULL && i < note->shard_count; i++) {
        if (note->place->stand[i].rows.block_count > 0) {
            rows_check(check, note_file, note, i);
        }
    }
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
        store_line_put(check, &line,
                       "view %s is filled, with %u new views; %" PRIu64 " bytes of the mirror are "
                       "in rows that are kept",
                       note.asked, note.view_count,
                       note.place == NULL ? 0 : note.place->bytes_done);
        place_check(check, &file, &note);
    }
    backfill_note_free(&note);
    store_file_close(&file);
}
