#include "controlplane/store_segment.h"

struct segment_walk {
    struct store_file *file;
    struct mirror_scan scan;
    store_frame_visit *visit;
    void *context;
    struct store_segment *out;
};

static enum mirror_find walk_look(struct segment_walk *walk, struct mirror_frame *out_frame,
                                  const uint8_t **out_data)
{
    uint64_t count;
    *out_data = store_file_view(walk->file, walk->scan.place, MIRROR_FRAME_BYTES_MAX, &count);
    return mirror_scan_next(&walk->scan, *out_data, count, out_frame);
}

/* The next good frame of this segment behind the place where the scan stopped; false: none. */
static bool walk_find_later(struct segment_walk *walk, uint64_t *out_place,
                            struct mirror_frame *out_frame)
{
    const struct mirror_scan *scan = &walk->scan;
    for (uint64_t place = scan->place; place < scan->size_bytes; place += MIRROR_BLOCK_BYTES) {
        uint64_t count;
        const uint8_t *data = store_file_view(walk->file, place, MIRROR_BLOCK_BYTES, &count);
        struct mirror_frame head;
        enum result result = mirror_frame_decode(data, count, &head);
        if (result == RESULT_TRUNCATED && head.segment == scan->segment) {
            data = store_file_view(walk->file, place, mirror_frame_bytes(head.size), &count);
        }
        if (result != RESULT_NOT_FOUND &&
            mirror_scan_is_later_frame(scan, data, count, out_frame)) {
            *out_place = place;
            return true;
        }
    }
    return false;
}

static void walk_visit(struct segment_walk *walk, const struct store_break *at,
                       const struct mirror_frame *frame, const uint8_t *entries)
{
    if (walk->visit != NULL) {
        walk->visit(walk->context, at, frame, entries);
    }
}

static void walk_note_damage(struct segment_walk *walk, const struct store_break *at)
{
    if (walk->out->break_count++ == 0) {
        walk->out->damage = *at;
    }
    walk->out->state = STORE_SEGMENT_DAMAGED;
}

static void walk_frame(struct segment_walk *walk, uint64_t place, const struct mirror_frame *frame,
                       const uint8_t *data)
{
    const uint8_t *entries = data + MIRROR_FRAME_HEADER;
    struct store_break at = {.find = MIRROR_FIND_frame, .place = place};
    if (mirror_frame_check(frame, entries) != RESULT_OK) {
        at = (struct store_break){.find = MIRROR_FIND_bad_entries,
                                  .place = place,
                                  .next_place = walk->scan.place,
                                  .first_lsn = frame->first_lsn,
                                  .last_lsn = walk->scan.due_lsn - 1};
        walk_note_damage(walk, &at);
    }
    walk->out->last_lsn = walk->scan.due_lsn - 1;
    walk->out->acked_lsn = walk->scan.acked_lsn;
    walk->out->frame_count++;
    walk_visit(walk, &at, frame, entries);
}

/* Goes on at a good frame behind bad bytes. */
static void walk_resume(struct segment_walk *walk, enum mirror_find find, uint64_t place,
                        const struct mirror_frame *frame)
{
    struct store_break at = {.find = find,
                             .place = walk->scan.place,
                             .next_place = place,
                             .first_lsn = walk->scan.due_lsn,
                             .last_lsn = frame->first_lsn - 1};
    walk_note_damage(walk, &at);
    walk_visit(walk, &at, NULL, NULL);
    walk->scan.place = place;
    walk->scan.due_lsn = frame->first_lsn;
    walk->scan.chain_crc = frame->previous_crc;
}

/* A place that a crash in the middle of a write can leave. What the file's earlier life left, or
 * zeros, are the end of what was written. */
static bool find_is_torn(enum mirror_find find)
{
    return find != MIRROR_FIND_nothing && find != MIRROR_FIND_end &&
           find != MIRROR_FIND_other_segment && find != MIRROR_FIND_no_frame;
}

static void walk_end(struct segment_walk *walk, enum mirror_find find)
{
    struct store_segment *out = walk->out;
    out->end = (struct store_break){.find = find,
                                    .place = walk->scan.place,
                                    .first_lsn = walk->scan.due_lsn,
                                    .last_lsn = walk->scan.due_lsn - 1};
    if (walk->file->size_bytes < out->segment.size_bytes) {
        out->cut = true;
        out->state = STORE_SEGMENT_DAMAGED;
    }
    if (out->state == STORE_SEGMENT_GOOD && find_is_torn(find)) {
        out->state = STORE_SEGMENT_TORN;
    }
}

static void walk_frames(struct segment_walk *walk)
{
    bool again = false;
    for (;;) {
        struct mirror_frame frame;
        const uint8_t *data;
        uint64_t place = walk->scan.place;
        enum mirror_find find = walk_look(walk, &frame, &data);
        if (find == MIRROR_FIND_frame) {
            walk_frame(walk, place, &frame, data);
            again = false;
            continue;
        }
        if (find == MIRROR_FIND_end || !walk_find_later(walk, &place, &frame)) {
            walk_end(walk, find);
            return;
        }
        if (!again) {
            /* Frames are written in order: what stands before a good one stands there by now. */
            store_file_refresh(walk->file);
            again = true;
            continue;
        }
        walk_resume(walk, find, place, &frame);
        again = false;
    }
}

/* The good frame of this segment at the place; what a header says is believed only for its length.
 */
static bool frame_read(struct store_file *file, uint64_t place, uint32_t shard, uint64_t number,
                       struct mirror_frame *out_frame)
{
    uint64_t count;
    const uint8_t *data = store_file_view(file, place, MIRROR_BLOCK_BYTES, &count);
    enum result result = mirror_frame_decode(data, count, out_frame);
    if (result == RESULT_TRUNCATED && out_frame->segment == number) {
        data = store_file_view(file, place, mirror_frame_bytes(out_frame->size), &count);
        result = mirror_frame_decode(data, count, out_frame);
    }
    return result == RESULT_OK && out_frame->segment == number && out_frame->shard == shard;
}

/* Without its header a file is a segment that was not begun, or one whose good frames nobody can
 * place any more. A frame right behind the header proves nothing: both are one write, and that can
 * tear. */
static void headless_check(struct segment_walk *walk, uint32_t shard, uint64_t number)
{
    struct store_segment *out = walk->out;
    out->state = out->header == RESULT_CORRUPT ? STORE_SEGMENT_TORN : STORE_SEGMENT_EMPTY;
    for (uint64_t place = MIRROR_SEGMENT_HEADER + MIRROR_BLOCK_BYTES;
         place < walk->file->size_bytes; place += MIRROR_BLOCK_BYTES) {
        struct mirror_frame frame;
        if (frame_read(walk->file, place, shard, number, &frame)) {
            const struct store_break at = {.find = MIRROR_FIND_no_frame,
                                           .next_place = place,
                                           .first_lsn = lsn_of(lsn_epoch(frame.first_lsn), 0),
                                           .last_lsn = frame.first_lsn - 1};
            walk_note_damage(walk, &at);
            return;
        }
    }
}

void store_segment_check(struct store_file *file, uint32_t shard, uint64_t number,
                         store_frame_visit *visit, void *context, struct store_segment *out)
{
    struct segment_walk walk = {.file = file, .visit = visit, .context = context, .out = out};
    uint64_t count;
    *out = (struct store_segment){.state = STORE_SEGMENT_GOOD};
    const uint8_t *block = store_file_view(file, 0, MIRROR_BLOCK_BYTES, &count);
    out->header = mirror_segment_decode(block, count, &out->segment);
    if (out->header == RESULT_OK &&
        (out->segment.number != number || out->segment.shard != shard)) {
        out->state = STORE_SEGMENT_EMPTY;
        return;
    }
    if (out->header != RESULT_OK) {
        headless_check(&walk, shard, number);
        return;
    }
    mirror_scan_init(&walk.scan, &out->segment);
    out->last_lsn = out->segment.before_lsn;
    walk_frames(&walk);
}
