#include "controlplane/log_claim.h"

#include "controlplane/log_reader_inside.h"
#include "drivers/memory.h"

struct log_opened {
    struct disk_file *file;
    uint32_t uses;
};

void log_opened_give(struct log_opened *opened)
{
    opened->uses--;
    if (opened->uses == 0) {
        disk_file_close(opened->file);
        heap_free(opened);
    }
}

/* The cursor's file is shared from now on. */
static enum result file_share(struct log_cursor *cursor)
{
    if (cursor->opened != NULL) {
        return RESULT_OK;
    }
    struct log_opened *opened = heap_alloc(sizeof(*opened));
    if (opened == NULL) {
        return RESULT_NO_MEMORY;
    }
    *opened = (struct log_opened){.file = cursor->walk.file, .uses = 1};
    cursor->opened = opened;
    return RESULT_OK;
}

/* Frames from where the cursor stands, as far as headers are as they are due. */
static enum result headers_claim(struct log_cursor *cursor, struct log_claim *claim)
{
    struct mirror_scan *scan = &cursor->walk.scan;
    uint64_t last_lsn = log_cursor_segment_last(cursor);
    claim->place = scan->place;
    claim->size = 0;
    claim->count = 0;
    while (claim->count < LOG_FRAMES_MAX && scan->due_lsn <= last_lsn) {
        uint8_t header[MIRROR_FRAME_HEADER];
        struct mirror_scan next = *scan;
        uint64_t size = 0;
        enum result result =
            disk_file_read(cursor->walk.file, scan->place, header, sizeof(header), &size);
        if (result != RESULT_OK) {
            return result;
        }
        if (size < sizeof(header) ||
            !mirror_scan_believe(&next, header, &claim->frame[claim->count])) {
            break; /* Damage, if nothing is claimed before it. */
        }
        uint64_t bytes = next.place - claim->place;
        if (claim->count > 0 && bytes > LOG_WALK_READ_BYTES) {
            break;
        }
        *scan = next;
        claim->size = bytes;
        claim->count++;
    }
    return RESULT_OK;
}

enum result log_claim_next(struct log_cursor *cursor, struct log_claim *claim,
                           struct log_damage *out_damage)
{
    enum result result = log_cursor_segment_enter(cursor, out_damage);
    result = result == RESULT_OK ? file_share(cursor) : result;
    result = result == RESULT_OK ? headers_claim(cursor, claim) : result;
    if (result != RESULT_OK) {
        return result;
    }
    claim->segment = cursor->segment;
    claim->after_lsn = cursor->after_lsn;
    if (claim->count == 0) {
        return log_claim_damage(cursor, claim, out_damage);
    }
    claim->opened = cursor->opened;
    claim->opened->uses++;
    return RESULT_OK;
}

enum result log_claim_read(struct log_claim *claim)
{
    uint64_t size = 0;
    uint64_t at = 0;
    uint32_t wanted = 0;
    enum result result =
        disk_file_read(claim->opened->file, claim->place, claim->buffer, claim->size, &size);
    claim->kinds = 0;
    for (uint32_t f = 0; result == RESULT_OK && f < claim->count; f++) {
        const struct mirror_frame *frame = &claim->frame[f];
        const uint8_t *data = claim->buffer + at;
        const uint8_t *entries = data + MIRROR_FRAME_HEADER;
        uint32_t kinds = 0;
        at += mirror_frame_bytes(frame->size);
        bool good = at <= size && mirror_scan_is(frame, data, at <= size ? size : 0) &&
                    mirror_frame_check_kinds(frame, entries, &kinds) == RESULT_OK;
        result = good ? RESULT_OK : RESULT_CORRUPT;
        if (frame->count > 0 && frame->first_lsn + frame->count - 1 > claim->after_lsn) {
            claim->kinds |= kinds;
            claim->frame[wanted] = *frame;
            claim->entries[wanted++] = entries;
        }
    }
    claim->count = wanted;
    return result;
}

void log_claim_give(struct log_claim *claim)
{
    if (claim->opened != NULL) {
        log_opened_give(claim->opened);
        claim->opened = NULL;
    }
}

enum result log_claim_damage(const struct log_cursor *cursor, const struct log_claim *claim,
                             struct log_damage *out_damage)
{
    struct log_reader *reader = cursor->reader;
    struct log_cursor again;
    struct mirror_frame frame;
    const uint8_t *entries;
    uint64_t last_lsn = log_reader_segment_last(reader, claim->segment);
    last_lsn = last_lsn < cursor->last_lsn ? last_lsn : cursor->last_lsn;
    log_cursor_init(&again, reader, log_reader_segment(reader, claim->segment)->before_lsn,
                    last_lsn);
    enum result result = RESULT_OK;
    while (result == RESULT_OK) {
        result = log_cursor_next(&again, &frame, &entries, out_damage);
    }
    log_cursor_deinit(&again);
    /* Good now: what was read before was not what stands there. */
    return result == RESULT_NOT_FOUND ? RESULT_IO : result;
}
