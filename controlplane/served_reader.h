/* The served answers of a data directory, read back in the order in which they were written; also
 * beside the appliance that writes them. What they are: feature/served_format.h.
 *
 * A block that is not good is skipped when a good one follows in its file: damage, which is
 * counted. Else it is where the file ends: torn, or not written yet. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/served_format.h"

struct served_reader;

/* Where a record stands. */
struct served_place {
    uint64_t file;
    uint64_t block;   /* Byte in the file. */
    uint32_t at;      /* Among the block's records. */
    int64_t began_us; /* When the file was. */
};

struct served_reader_report {
    uint64_t files;
    uint64_t records;
    uint64_t damaged;    /* Places with bytes that cannot be read. */
    uint64_t torn_files; /* Whose end is what a crash left. */
};

/* RESULT_SYSTEM (errno), RESULT_NO_MEMORY. directory is borrowed. A directory without such files
 * has no records. */
MUST_USE enum result served_reader_open(const char *directory, struct served_reader **out_reader);
/* The same of one file alone. As served_reader_check() fails. */
MUST_USE enum result served_reader_open_file(const char *directory, uint64_t number,
                                             struct served_reader **out_reader);
void served_reader_close(struct served_reader *reader); /* NULL is fine. */

/* The next record; borrowed until the next call, as are its bytes. RESULT_NOT_FOUND: there is none,
 * for now: what is written later comes with a later call. RESULT_SYSTEM (errno). */
MUST_USE enum result served_reader_next(struct served_reader *reader,
                                        const struct served_record **out_record);
/* Of the record that came last: where it stands, and its encoded bytes. */
struct served_place served_reader_place(const struct served_reader *reader);
const uint8_t *served_reader_bytes(const struct served_reader *reader, uint32_t *out_size);
/* The record at a place that served_reader_place() gave; what comes next is what follows it.
 * RESULT_NOT_FOUND: its file was removed meanwhile. */
MUST_USE enum result served_reader_at(struct served_reader *reader,
                                      const struct served_place *place,
                                      const struct served_record **out_record);
/* Goes behind all that is there, without looking at it. */
MUST_USE enum result served_reader_skip_all(struct served_reader *reader);
/* One file alone: how many records are good, places that are damaged, and whether its end is torn.
 * RESULT_NOT_FOUND: it is gone; RESULT_TRUNCATED: it has no header yet; RESULT_CORRUPT: its header
 * is none. */
MUST_USE enum result served_reader_check(const char *directory, uint64_t number,
                                         struct served_reader_report *out);
void served_reader_report_read(const struct served_reader *reader,
                               struct served_reader_report *out);
