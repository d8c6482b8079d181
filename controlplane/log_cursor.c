#include "controlplane/log_cursor.h"

#include "controlplane/log_claim.h"
#include "controlplane/log_reader_inside.h"

void log_cursor_init(struct log_cursor *cursor, struct log_reader *reader, uint64_t after_lsn,
                     uint64_t last_lsn)
{
    *cursor = (struct log_cursor){.reader = reader, .after_lsn = after_lsn, .last_lsn = last_lsn};
    cursor->segment = log_reader_segment_find(reader, after_lsn);
}

void log_cursor_deinit(struct log_cursor *cursor)
{
    if (cursor->opened != NULL) {
        log_opened_give(cursor->opened);
    } else if (cursor->is_open) {
        disk_file_close(cursor->walk.file);
    }
    cursor->opened = NULL;
    cursor->is_open = false;
}

uint64_t log_cursor_segment_last(const struct log_cursor *cursor)
{
    uint64_t last = log_reader_segment_last(cursor->reader, cursor->segment);
    return last < cursor->last_lsn ? last : cursor->last_lsn;
}

/* A running appliance lets the oldest segments go, and uses their files again. RESULT_CORRUPT: this
 * one went, what it had from due_lsn on is missing. */
static enum result segment_check(struct log_cursor *cursor, uint64_t due_lsn,
                                 struct log_damage *out_damage)
{
    const struct log_file *file = log_reader_file(cursor->reader, cursor->segment);
    struct log_file now = {.number = file->number};
    enum result result = log_reader_header_read(cursor->reader, &now);
    bool same =
        result == RESULT_OK && now.begun && now.segment.before_lsn == file->segment.before_lsn;
    if (same || (result != RESULT_OK && result != RESULT_NOT_FOUND)) {
        return result;
    }
    log_damage_set(out_damage, file->number, 0, due_lsn, log_cursor_segment_last(cursor),
                   LOG_GONE_SENTENCE);
    out_damage->is_gone = true;
    return RESULT_CORRUPT;
}

enum result log_cursor_segment_enter(struct log_cursor *cursor, struct log_damage *out_damage)
{
    struct log_reader *reader = cursor->reader;
    while (cursor->after_lsn < cursor->last_lsn &&
           cursor->segment < log_reader_segment_count(reader)) {
        if (!cursor->is_open) {
            enum result result = log_reader_walk_open(
                reader, log_reader_file(reader, cursor->segment), &cursor->walk);
            if (result == RESULT_NOT_FOUND) {
                result = segment_check(cursor, cursor->walk.scan.due_lsn, out_damage);
                result = result == RESULT_OK ? RESULT_IO : result;
            }
            if (result != RESULT_OK) {
                return result;
            }
            cursor->is_open = true;
        }
        if (cursor->walk.scan.due_lsn <= log_cursor_segment_last(cursor)) {
            return RESULT_OK;
        }
        log_cursor_deinit(cursor);
        cursor->segment++;
    }
    return RESULT_NOT_FOUND;
}

/* The next good frame; whether it has a record that is wanted. */
static enum result frame_step(struct log_cursor *cursor, struct mirror_frame *out_frame,
                              const uint8_t **out_entries, bool *out_wanted,
                              struct log_damage *out_damage)
{
    enum result result = log_cursor_segment_enter(cursor, out_damage);
    if (result != RESULT_OK) {
        return result;
    }
    enum mirror_find find = MIRROR_FIND_end;
    uint64_t place = cursor->walk.scan.place;
    uint64_t due_lsn = cursor->walk.scan.due_lsn;
    result = log_walk_next(&cursor->walk, &find, out_frame, out_entries);
    if (result != RESULT_OK) {
        return result;
    }
    if (find != MIRROR_FIND_frame || mirror_frame_check(out_frame, *out_entries) != RESULT_OK) {
        result = segment_check(cursor, due_lsn, out_damage);
        if (result != RESULT_OK) {
            return result;
        }
        log_damage_set(
            out_damage, log_reader_file(cursor->reader, cursor->segment)->number, place, due_lsn,
            log_cursor_segment_last(cursor),
            mirror_find_sentence(find == MIRROR_FIND_frame ? MIRROR_FIND_bad_entries : find));
        return RESULT_CORRUPT;
    }
    *out_wanted =
        out_frame->count > 0 && out_frame->first_lsn + out_frame->count - 1 > cursor->after_lsn;
    return RESULT_OK;
}

enum result log_cursor_next(struct log_cursor *cursor, struct mirror_frame *out_frame,
                            const uint8_t **out_entries, struct log_damage *out_damage)
{
    bool wanted = false;
    enum result result = RESULT_OK;
    while (result == RESULT_OK && !wanted) {
        result = frame_step(cursor, out_frame, out_entries, &wanted, out_damage);
    }
    return result;
}

enum result log_reader_read(struct log_reader *reader, uint64_t after_lsn, uint64_t last_lsn,
                            log_frame *frame, void *context, struct log_damage *out_damage)
{
    struct log_cursor cursor;
    struct mirror_frame head;
    const uint8_t *entries;
    log_cursor_init(&cursor, reader, after_lsn, last_lsn);
    enum result result = RESULT_OK;
    while (result == RESULT_OK) {
        enum result next = log_cursor_next(&cursor, &head, &entries, out_damage);
        if (next == RESULT_NOT_FOUND) {
            break;
        }
        result = next == RESULT_OK ? frame(context, &head, entries) : next;
    }
    log_cursor_deinit(&cursor);
    return result;
}
