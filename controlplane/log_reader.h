/* Reads the log of one shard: which segments there are, where the log ends, and the frames of a
 * range. Blocking calls of drivers/disk.h; one thread.
 *
 * End of the log. A segment that another one follows ends where that one says (before LSN): what
 * stands behind is of a write that failed. The last one ends with its last good frame; a later good
 * frame behind it makes the bad ones damage. Source: mirror_format.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/mirror_scan.h"
#include "drivers/disk.h"

struct log_reader;

struct log_end {
    uint64_t lsn;     /* Last good record; what came before the range when it has none. */
    int64_t apply_us; /* Of the last good frame; INT64_MIN: none. */
    uint64_t bytes;   /* Of good frames from `from` on. */
    uint64_t torn_bytes;
};

/* Where records are damaged. */
struct log_damage {
    uint64_t segment;
    uint64_t place;     /* Byte in it. */
    uint64_t first_lsn; /* Damaged or missing from here */
    uint64_t last_lsn;  /* to here, at least. */
    const char *reason; /* A constant sentence. */
    bool is_gone;       /* Nothing is broken: a running appliance let them go meanwhile. */
};

/* Lists and opens nothing yet; a directory without segments of the shard is an empty log. What was
 * moved to archives is no part of it: who continues the log needs none of that. */
MUST_USE enum result log_reader_open(struct disk *disk,
                                     const uint8_t store_id[MIRROR_STORE_ID_BYTES], uint32_t shard,
                                     struct log_reader **out_reader);
/* Adds the segments in archives (archives.h): the log reaches back as far as they do. Before the
 * epochs are set and anything is read. */
MUST_USE enum result log_reader_archives_add(struct log_reader *reader);
/* Both: the log as history has it. */
MUST_USE enum result log_reader_open_all(struct disk *disk,
                                         const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                                         uint32_t shard, struct log_reader **out_reader);
void log_reader_close(struct log_reader *reader); /* NULL is fine. */
/* Asked before each read; once true, calls below end with RESULT_STOPPED. */
void log_reader_stop_set(struct log_reader *reader, bool (*stop_asked)(void *context),
                         void *context);

uint32_t log_reader_segment_count(const struct log_reader *reader);
/* Of segments that were begun, in order. */
const struct mirror_segment *log_reader_segment(const struct log_reader *reader, uint32_t index);

/* Passes over segments of other epochs than first .. last, or of another number of shards: a log
 * goes on under the same names when that number changes. Before anything is read. */
void log_reader_epochs_set(struct log_reader *reader, uint32_t first_epoch, uint32_t last_epoch,
                           uint32_t shard_count);
/* Bytes of the segments from an index on. */
uint64_t log_reader_bytes(const struct log_reader *reader, uint32_t index);

/* Makes durable what a process that ended left to the kernel, from the segment with lsn + 1 on. */
MUST_USE enum result log_reader_sync(struct log_reader *reader, uint64_t lsn);
/* Finds the end, scanning from the segment that has the record behind lsn. RESULT_CORRUPT fills
 * out_damage. */
MUST_USE enum result log_reader_end(struct log_reader *reader, uint64_t lsn,
                                    struct log_end *out_end, struct log_damage *out_damage);

/* Index of the first segment from which on the log that is kept has no hole, and bytes of the
 * frames from there on. Before it, segments that were let go may have come back after a crash.
 * last_lsn: the log ended with it, and where the end is damaged or gone no segment is whole, so
 * that *out_index is their count; 0: the log goes on, and its end is whatever is there. */
MUST_USE enum result log_reader_whole(struct log_reader *reader, uint64_t last_lsn,
                                      uint32_t *out_index, uint64_t *out_bytes);

/* The same where only missing files make a hole: damage within the segments that are kept is for
 * log_reader_read() to tell. Reads less. */
MUST_USE enum result log_reader_kept(struct log_reader *reader, uint32_t *out_index);

/* A good frame and its entries, borrowed during the call. Anything but RESULT_OK ends the reading
 * and is returned. */
typedef enum result log_frame(void *context, const struct mirror_frame *frame,
                              const uint8_t *entries);
/* Calls frame for each that has records behind after_lsn, up to last_lsn (the end that was found).
 * RESULT_CORRUPT: a hole or a bad frame before it; out_damage says where. */
MUST_USE enum result log_reader_read(struct log_reader *reader, uint64_t after_lsn,
                                     uint64_t last_lsn, log_frame *frame, void *context,
                                     struct log_damage *out_damage);
