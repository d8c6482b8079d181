#include "controlplane/log_walk.h"

#include <string.h>

void log_walk_init(struct log_walk *walk, const struct mirror_segment *segment, uint64_t file_bytes,
                   uint8_t *buffer)
{
    *walk = (struct log_walk){.buffer = buffer};
    mirror_scan_init(&walk->scan, segment);
    if (walk->scan.size_bytes > file_bytes) {
        /* Cut: whole blocks are left, at least the header's, which was read. */
        uint64_t blocks = file_bytes / MIRROR_BLOCK_BYTES * MIRROR_BLOCK_BYTES;
        walk->scan.size_bytes = blocks > MIRROR_SEGMENT_HEADER ? blocks : MIRROR_SEGMENT_HEADER;
    }
}

/* Bytes from place on, at least wanted of them if the file has as many. What of them is there goes
 * to the buffer's start; the rest is read behind it. */
static enum result bytes_at(struct log_walk *walk, uint64_t place, uint64_t wanted,
                            const uint8_t **out_data, uint64_t *out_size)
{
    uint64_t end = walk->buffer_place + walk->buffer_size;
    if (place < walk->buffer_place || place + wanted > end) {
        if (walk->stop_asked != NULL && walk->stop_asked(walk->stop_context)) {
            return RESULT_STOPPED;
        }
        uint64_t had = place >= walk->buffer_place && place < end ? end - place : 0;
        uint64_t size = 0;
        wanted = wanted > LOG_WALK_READ_BYTES ? wanted : LOG_WALK_READ_BYTES;
        if (had > 0) {
            memmove(walk->buffer, walk->buffer + (place - walk->buffer_place), had);
        }
        walk->buffer_place = place;
        walk->buffer_size = 0; /* Until the rest is read, too. */
        enum result result =
            disk_file_read(walk->file, place + had, walk->buffer + had, wanted - had, &size);
        if (result != RESULT_OK) {
            return result;
        }
        walk->buffer_size = had + size;
    }
    *out_data = walk->buffer + (place - walk->buffer_place);
    *out_size = walk->buffer_size - (place - walk->buffer_place);
    return RESULT_OK;
}

enum result log_walk_next(struct log_walk *walk, enum mirror_find *out_find,
                          struct mirror_frame *out_frame, const uint8_t **out_entries)
{
    uint64_t place = walk->scan.place;
    const uint8_t *data;
    uint64_t size;
    enum result result = bytes_at(walk, place, MIRROR_BLOCK_BYTES, &data, &size);
    if (result != RESULT_OK) {
        return result;
    }
    *out_find = mirror_scan_next(&walk->scan, data, size, out_frame);
    if (*out_find == MIRROR_FIND_more) {
        result = bytes_at(walk, place, mirror_frame_bytes(out_frame->size), &data, &size);
        if (result != RESULT_OK) {
            return result;
        }
        *out_find = mirror_scan_next(&walk->scan, data, size, out_frame);
    }
    *out_entries = data + MIRROR_FRAME_HEADER;
    return RESULT_OK;
}

enum result log_walk_later_find(struct log_walk *walk, uint64_t from, bool *out_found,
                                struct mirror_frame *out_frame)
{
    *out_found = false;
    for (uint64_t place = from; !*out_found && place < walk->scan.size_bytes;
         place += MIRROR_BLOCK_BYTES) {
        const uint8_t *data;
        uint64_t size;
        enum result result = bytes_at(walk, place, MIRROR_BLOCK_BYTES, &data, &size);
        if (result != RESULT_OK || size == 0) {
            return result;
        }
        uint32_t magic;
        memcpy(&magic, data, sizeof(magic));
        if (magic != MIRROR_FRAME_MAGIC) {
            continue; /* Most blocks: without a second look. */
        }
        result = bytes_at(walk, place, MIRROR_FRAME_BYTES_MAX, &data, &size);
        if (result != RESULT_OK) {
            return result;
        }
        *out_found = mirror_scan_is_later_frame(&walk->scan, data, size, out_frame);
    }
    return RESULT_OK;
}
