/* Makes segments of the mirror in memory: what tests scan, inspect and damage. */
#pragma once

#include <string.h>

#include "dataplane/base/checksum.h"
#include "dataplane/feature/mirror_scan.h"

#define SEGMENT_STORE_ID   "store-id-of-test"
#define SEGMENT_EPOCH      3u
#define SEGMENT_TIME_US    INT64_C(1700000000000000)
#define SEGMENT_EVENT_SIZE 24u

struct segment_make {
    uint8_t *data; /* Borrowed; the segment, zeros at first. */
    uint64_t place;
    uint64_t next_lsn;
    uint64_t acked_lsn;
    uint32_t chain_crc;
    uint32_t entries_size; /* Of the frame that is being made. */
    uint32_t count;
    struct mirror_segment segment;
};

static inline void segment_make_begin(struct segment_make *make, uint8_t *data, uint32_t shard,
                                      uint64_t number, uint64_t first_number, uint64_t size_bytes)
{
    *make = (struct segment_make){.data = data, .place = MIRROR_SEGMENT_HEADER};
    make->segment = (struct mirror_segment){.number = number,
                                            .epoch = SEGMENT_EPOCH,
                                            .shard = shard,
                                            .shard_count = 2,
                                            .first_lsn = lsn_of(SEGMENT_EPOCH, first_number),
                                            .before_lsn = lsn_of(SEGMENT_EPOCH, first_number - 1),
                                            .created_us = SEGMENT_TIME_US,
                                            .size_bytes = size_bytes};
    memcpy(make->segment.store_id, SEGMENT_STORE_ID, MIRROR_STORE_ID_BYTES);
    mirror_segment_encode(&make->segment, data);
    make->chain_crc = make->segment.crc;
    make->next_lsn = make->segment.first_lsn;
    make->acked_lsn = make->segment.before_lsn;
}

static inline uint8_t *segment_make_entry(struct segment_make *make)
{
    return make->data + make->place + MIRROR_FRAME_HEADER + make->entries_size;
}

static inline void segment_make_added(struct segment_make *make, uint32_t size, uint32_t lsn_count)
{
    make->entries_size += size;
    make->count += lsn_count;
    make->next_lsn += lsn_count;
}

static inline void segment_make_message(struct segment_make *make, uint64_t sequence,
                                        uint16_t event_count)
{
    static const uint8_t events[8 * SEGMENT_EVENT_SIZE] = "events of a message, as they came";
    struct mirror_entry entry = {.kind = MIRROR_MESSAGE,
                                 .flags = MIRROR_MESSAGE_FLAG_ACKED,
                                 .stream_id = 1,
                                 .apply_us = SEGMENT_TIME_US,
                                 .lsn = make->next_lsn,
                                 .producer = 7,
                                 .sequence = sequence,
                                 .incarnation = 1700000000,
                                 .lane = 2,
                                 .version = 1,
                                 .event_count = event_count,
                                 .event_stride = SEGMENT_EVENT_SIZE,
                                 .events = events};
    segment_make_added(make, mirror_message_encode(&entry, segment_make_entry(make)),
                       event_count > 0 ? event_count : 1);
}

/* Closes the frame with what was added; nothing added: a witness. Returns its place. */
static inline uint64_t segment_make_frame(struct segment_make *make)
{
    uint64_t place = make->place;
    uint8_t *header = make->data + place;
    struct mirror_frame frame = {.size = make->entries_size,
                                 .shard = (uint16_t)make->segment.shard,
                                 .flags = make->count == 0 ? MIRROR_FRAME_FLAG_WITNESS : 0,
                                 .store = mirror_store_of(make->segment.store_id),
                                 .segment = make->segment.number,
                                 .first_lsn = make->next_lsn - make->count,
                                 .count = make->count,
                                 .previous_crc = make->chain_crc,
                                 .acked_lsn = make->acked_lsn,
                                 .apply_us = SEGMENT_TIME_US};
    mirror_frame_encode(&frame, checksum_crc32c(0, header + MIRROR_FRAME_HEADER, frame.size),
                        header);
    make->chain_crc = frame.crc;
    make->acked_lsn = make->next_lsn - 1;
    make->place += mirror_frame_bytes(frame.size);
    make->entries_size = 0;
    make->count = 0;
    return place;
}
