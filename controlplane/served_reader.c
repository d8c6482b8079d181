#include "controlplane/served_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/file.h"
#include "drivers/memory.h"

#define PATH_SIZE_MAX 4096u
#define CAPACITY_MIN  16u

struct served_reader {
    const char *directory; /* Borrowed. */
    uint64_t *number;      /* Owned: of the files, ascending. */
    uint32_t count;
    uint32_t capacity;
    bool is_alone;       /* Of one file. */
    int fd;              /* Of the file in hand; -1: none. */
    uint64_t file;       /* Its number; the last one's when none is in hand. */
    int64_t began_us;    /* And when it was begun. */
    uint64_t next_place; /* Of the block behind the one in hand. */
    uint8_t *block;      /* Owned, SERVED_BLOCK_BYTES_MAX; records behind the header. */
    struct served_block of;
    uint32_t at;      /* Next record of the block in hand. */
    uint32_t last_at; /* The one that came last. */
    struct served_record *record;
    struct served_reader_report report;
};

static int number_compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static bool number_add(struct served_reader *reader, uint64_t number)
{
    if (reader->count == reader->capacity) {
        uint32_t capacity = reader->capacity > 0 ? 2 * reader->capacity : CAPACITY_MIN;
        uint64_t *numbers = heap_realloc(reader->number, capacity * sizeof(*numbers));
        if (numbers == NULL) {
            return false;
        }
        reader->number = numbers;
        reader->capacity = capacity;
    }
    reader->number[reader->count++] = number;
    return true;
}

/* The files as they are now. */
static enum result directory_list(struct served_reader *reader)
{
    DIR *stream = opendir(reader->directory);
    if (stream == NULL) {
        return RESULT_SYSTEM;
    }
    bool good = true;
    reader->count = 0;
    for (struct dirent *entry = readdir(stream); entry != NULL && good; entry = readdir(stream)) {
        uint64_t number;
        if (served_name_parse(entry->d_name, &number)) {
            good = number_add(reader, number);
        }
    }
    (void)closedir(stream);
    if (reader->count > 0) {
        qsort(reader->number, reader->count, sizeof(*reader->number), number_compare);
    }
    return good ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result served_reader_open(const char *directory, struct served_reader **out_reader)
{
    struct served_reader *reader = heap_alloc_lines(sizeof(*reader));
    if (reader == NULL) {
        return RESULT_NO_MEMORY;
    }
    reader->directory = directory;
    reader->fd = -1;
    reader->block = heap_alloc(SERVED_BLOCK_BYTES_MAX);
    reader->record = heap_alloc(sizeof(*reader->record));
    enum result result =
        reader->block == NULL || reader->record == NULL ? RESULT_NO_MEMORY : directory_list(reader);
    if (result != RESULT_OK) {
        int error = errno;
        served_reader_close(reader);
        errno = error;
        return result;
    }
    *out_reader = reader;
    return RESULT_OK;
}

void served_reader_close(struct served_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->fd >= 0) {
        (void)close(reader->fd);
    }
    heap_free(reader->number);
    heap_free(reader->block);
    heap_free(reader->record);
    heap_free(reader);
}

/* Reads up to size bytes; fewer at the file's end, or where it cannot be read. */
static uint64_t bytes_read(const struct served_reader *reader, uint64_t place, uint8_t *data,
                           uint64_t size)
{
    uint64_t done;
    enum result result = file_read_at(reader->fd, place, data, size, &done);
    (void)result; /* Bytes that are missing are told as damage. */
    return done;
}

/* Takes a file in hand. RESULT_NOT_FOUND: it is gone. RESULT_TRUNCATED: it was only just made, or a
 * crash cut it. */
static enum result file_take(struct served_reader *reader, uint64_t number)
{
    char name[SERVED_NAME_SIZE_MAX];
    char path[PATH_SIZE_MAX];
    uint8_t header[SERVED_FILE_HEADER];
    struct served_file file;
    if (reader->fd >= 0) {
        (void)close(reader->fd);
    }
    served_name_format(number, name);
    (void)snprintf(path, sizeof(path), "%s/%s", reader->directory, name);
    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    reader->file = number;
    reader->next_place = sizeof(header);
    reader->of = (struct served_block){0};
    reader->at = 0;
    if (reader->fd < 0) {
        return RESULT_NOT_FOUND;
    }
    enum result result =
        served_file_decode(header, bytes_read(reader, 0, header, sizeof(header)), &file);
    if (result == RESULT_OK && file.number == number) {
        reader->began_us = file.created_us;
        return RESULT_OK;
    }
    (void)close(reader->fd);
    reader->fd = -1;
    return result == RESULT_TRUNCATED ? RESULT_TRUNCATED : RESULT_CORRUPT;
}

/* The block at a place, whole: it is there, good, and says that it stands there. */
static bool block_read(struct served_reader *reader, uint64_t place)
{
    struct served_block block;
    uint64_t got = bytes_read(reader, place, reader->block, SERVED_BLOCK_HEADER);
    enum result result = served_block_decode(reader->block, got, &block);
    if (result == RESULT_TRUNCATED && got == SERVED_BLOCK_HEADER) {
        got += bytes_read(reader, place + got, reader->block + got, block.size);
        result = served_block_decode(reader->block, got, &block);
    }
    if (result != RESULT_OK || block.file != reader->file || block.place != place) {
        return false;
    }
    reader->of = block;
    reader->at = 0;
    reader->next_place = place + SERVED_BLOCK_HEADER + block.size;
    return true;
}

/* Looks behind a bad block for a good one: blocks stand on multiples of 8. */
static bool block_find(struct served_reader *reader, uint64_t place)
{
    uint8_t piece[4096];
    uint64_t got;
    for (; (got = bytes_read(reader, place, piece, sizeof(piece))) >= SERVED_ALIGN; place += got) {
        got -= got % SERVED_ALIGN;
        for (uint64_t i = 0; i < got; i += SERVED_ALIGN) {
            uint32_t magic;
            memcpy(&magic, piece + i, sizeof(magic));
            if (magic == SERVED_BLOCK_MAGIC && block_read(reader, place + i)) {
                return true;
            }
        }
    }
    return false;
}

/* The next block of the file in hand. */
static bool block_next(struct served_reader *reader)
{
    uint64_t place = reader->next_place;
    if (block_read(reader, place)) {
        return true;
    }
    if (!block_find(reader, place + SERVED_ALIGN)) {
        return false;
    }
    reader->report.damaged++;
    return true;
}

/* The next file that can be read, when there is one. */
static enum result file_next(struct served_reader *reader, bool *out_there)
{
    uint8_t byte;
    enum result result = directory_list(reader);
    *out_there = false;
    for (uint32_t i = 0; result == RESULT_OK && i < reader->count && !*out_there; i++) {
        if (reader->number[i] <= reader->file) {
            continue;
        }
        uint64_t before = reader->file;
        if (reader->fd >= 0 && bytes_read(reader, reader->next_place, &byte, 1) > 0) {
            reader->report.torn_files++;
        }
        enum result taken = file_take(reader, reader->number[i]);
        *out_there = taken == RESULT_OK;
        reader->report.files += *out_there ? 1 : 0;
        reader->report.damaged += taken == RESULT_CORRUPT ? 1 : 0;
        if (taken == RESULT_TRUNCATED && i + 1 == reader->count) {
            reader->file = before; /* Its header may still come. */
        }
    }
    return result;
}

static enum result record_decode(struct served_reader *reader)
{
    reader->last_at = reader->at;
    enum result result = served_record_decode(reader->block + SERVED_BLOCK_HEADER, reader->of.size,
                                              &reader->at, reader->record);
    if (result == RESULT_CORRUPT) {
        /* A good crc over bad bytes: the rest of the block means nothing. */
        reader->report.damaged++;
        reader->at = reader->of.size;
    }
    return result;
}

enum result served_reader_next(struct served_reader *reader,
                               const struct served_record **out_record)
{
    for (;;) {
        enum result result = record_decode(reader);
        if (result == RESULT_OK) {
            reader->report.records++;
            *out_record = reader->record;
            return RESULT_OK;
        }
        if (reader->fd >= 0 && block_next(reader)) {
            continue;
        }
        if (reader->is_alone) {
            return RESULT_NOT_FOUND;
        }
        bool there;
        result = file_next(reader, &there);
        if (result != RESULT_OK || !there) {
            return result == RESULT_OK ? RESULT_NOT_FOUND : result;
        }
    }
}

struct served_place served_reader_place(const struct served_reader *reader)
{
    return (struct served_place){.file = reader->file,
                                 .block = reader->of.place,
                                 .at = reader->last_at,
                                 .began_us = reader->began_us};
}

const uint8_t *served_reader_bytes(const struct served_reader *reader, uint32_t *out_size)
{
    *out_size = reader->at - reader->last_at;
    return reader->block + SERVED_BLOCK_HEADER + reader->last_at;
}

enum result served_reader_at(struct served_reader *reader, const struct served_place *place,
                             const struct served_record **out_record)
{
    bool in_hand = reader->fd >= 0 && reader->file == place->file;
    if (!in_hand && file_take(reader, place->file) != RESULT_OK) {
        return RESULT_NOT_FOUND;
    }
    bool has_block = in_hand && reader->of.size > 0 && reader->of.place == place->block;
    if (!has_block && !block_read(reader, place->block)) {
        return RESULT_NOT_FOUND;
    }
    if (place->at >= reader->of.size) {
        return RESULT_NOT_FOUND;
    }
    reader->at = place->at;
    *out_record = reader->record;
    return record_decode(reader) == RESULT_OK ? RESULT_OK : RESULT_NOT_FOUND;
}

enum result served_reader_skip_all(struct served_reader *reader)
{
    enum result result = directory_list(reader);
    if (result != RESULT_OK || reader->count == 0) {
        return result;
    }
    uint64_t newest = reader->number[reader->count - 1];
    if ((reader->fd < 0 || reader->file != newest) && file_take(reader, newest) != RESULT_OK) {
        reader->file = newest - 1; /* Its header may still come. */
    }
    while (reader->fd >= 0 && block_next(reader)) {
    }
    reader->at = reader->of.size;
    return RESULT_OK;
}

enum result served_reader_open_file(const char *directory, uint64_t number,
                                    struct served_reader **out_reader)
{
    struct served_reader *reader;
    enum result result = served_reader_open(directory, &reader);
    if (result != RESULT_OK) {
        return result;
    }
    reader->is_alone = true;
    result = file_take(reader, number);
    if (result != RESULT_OK) {
        served_reader_close(reader);
        return result;
    }
    *out_reader = reader;
    return RESULT_OK;
}

enum result served_reader_check(const char *directory, uint64_t number,
                                struct served_reader_report *out)
{
    struct served_reader *reader;
    const struct served_record *record;
    uint8_t byte;
    enum result result = served_reader_open_file(directory, number, &reader);
    if (result != RESULT_OK) {
        return result;
    }
    while (served_reader_next(reader, &record) == RESULT_OK) {
    }
    if (bytes_read(reader, reader->next_place, &byte, 1) > 0) {
        reader->report.torn_files++;
    }
    *out = reader->report;
    served_reader_close(reader);
    return RESULT_OK;
}

void served_reader_report_read(const struct served_reader *reader, struct served_reader_report *out)
{
    *out = reader->report;
}
