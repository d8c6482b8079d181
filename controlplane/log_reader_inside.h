/* What the files of the log's reader share. */
#pragma once

#include "controlplane/archives.h"
#include "controlplane/log_cursor.h"
#include "controlplane/log_reader.h"
#include "controlplane/log_walk.h"

/* A segment's file: begun, or only prepared (its header is none, or of an earlier life). */
struct log_file {
    uint64_t number;
    uint64_t size;
    uint32_t folder; /* 0: the directory; else 1 + the archive's place. */
    bool looked;     /* Its header was read. */
    bool begun;
    struct mirror_segment segment; /* When begun. */
};

#define LOG_GONE_SENTENCE "it is kept no longer: its segment went while the log was read"

struct log_reader {
    struct disk *disk; /* Borrowed. */
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint32_t shard;
    struct archives archives; /* That were added. */
    uint32_t listing;         /* The folder that is listed, as a file's. */
    uint32_t file_count;
    uint32_t file_capacity;
    struct log_file *file; /* By number. */
    uint32_t begun_count;
    uint32_t *begun; /* Indices of files that were. */
    uint8_t *buffer; /* LOG_WALK_BUFFER_BYTES */
    enum result listed;
    bool (*stop_asked)(void *context); /* NULL: nobody asks. */
    void *stop_context;
};

/* Fills begun and segment, by number. RESULT_NOT_FOUND: the file is gone. */
MUST_USE enum result log_reader_header_read(struct log_reader *reader, struct log_file *file);
/* Of the begun ones. */
const struct log_file *log_reader_file(const struct log_reader *reader, uint32_t index);
/* Index of the segment that has the record behind lsn: the last that begins at or before it. */
uint32_t log_reader_segment_find(const struct log_reader *reader, uint64_t lsn);
/* Where a segment has to end for the next one to go on: UINT64_MAX for the last. */
uint64_t log_reader_segment_last(const struct log_reader *reader, uint32_t index);
/* Opens walk->file; the walk uses the reader's buffer. */
MUST_USE enum result log_reader_walk_open(struct log_reader *reader, const struct log_file *file,
                                          struct log_walk *walk);
void log_damage_set(struct log_damage *damage, uint64_t segment, uint64_t place, uint64_t first,
                    uint64_t last, const char *reason);

/* The last record that is wanted of the cursor's segment. */
uint64_t log_cursor_segment_last(const struct log_cursor *cursor);
/* Opens the segment that the next frame is in. RESULT_NOT_FOUND: there is none. */
MUST_USE enum result log_cursor_segment_enter(struct log_cursor *cursor,
                                              struct log_damage *out_damage);
