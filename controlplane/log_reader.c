#include "controlplane/log_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/log_reader_inside.h"
#include "dataplane/base/assert.h"
#include "drivers/memory.h"

static void file_add(void *context, const char *name, uint64_t size)
{
    struct log_reader *reader = context;
    uint32_t shard;
    uint64_t number;
    if (!mirror_name_parse(name, &shard, &number) || shard != reader->shard ||
        reader->listed != RESULT_OK) {
        return;
    }
    if (reader->file_count == reader->file_capacity) {
        uint32_t capacity = reader->file_capacity == 0 ? 64 : reader->file_capacity * 2;
        struct log_file *file = heap_realloc(reader->file, capacity * sizeof(*file));
        if (file == NULL) {
            reader->listed = RESULT_NO_MEMORY;
            return;
        }
        reader->file = file;
        reader->file_capacity = capacity;
    }
    reader->file[reader->file_count++] =
        (struct log_file){.number = number, .size = size, .folder = reader->listing};
}

static int file_compare(const void *left, const void *right)
{
    const struct log_file *a = left;
    const struct log_file *b = right;
    if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }
    return (a->folder > b->folder) - (a->folder < b->folder);
}

static enum result file_open_in(struct log_reader *reader, const struct log_file *file,
                                uint32_t folder, enum disk_mode mode, struct disk_file **out_file)
{
    char name[MIRROR_NAME_SIZE_MAX];
    char path[ARCHIVES_PATH_SIZE_MAX];
    mirror_name_format(reader->shard, file->number, name);
    if (folder == 0) {
        return disk_file_open(reader->disk, name, mode, out_file);
    }
    (void)snprintf(path, sizeof(path), "%s/%s", reader->archives.folder[folder - 1], name);
    return disk_file_open(reader->disk, path, mode, out_file);
}

/* Where it was; or in an archive, where a running appliance may have moved it meanwhile. */
static enum result file_open(struct log_reader *reader, const struct log_file *file,
                             enum disk_mode mode, struct disk_file **out_file)
{
    enum result result = file_open_in(reader, file, file->folder, mode, out_file);
    for (uint32_t i = 1; result == RESULT_NOT_FOUND && i <= reader->archives.count; i++) {
        result = file_open_in(reader, file, i, mode, out_file);
    }
    return result;
}

enum result log_reader_header_read(struct log_reader *reader, struct log_file *file)
{
    struct disk_file *open;
    enum result result = file_open(reader, file, DISK_READ, &open);
    if (result != RESULT_OK) {
        return result;
    }
    uint64_t size = 0;
    result = disk_file_read(open, 0, reader->buffer, MIRROR_BLOCK_BYTES, &size);
    disk_file_close(open);
    if (result != RESULT_OK) {
        return result;
    }
    struct mirror_segment *segment = &file->segment;
    file->begun = mirror_segment_decode(reader->buffer, size, segment) == RESULT_OK &&
                  memcmp(segment->store_id, reader->store_id, sizeof(reader->store_id)) == 0 &&
                  segment->shard == reader->shard && segment->number == file->number;
    return RESULT_OK;
}

/* Reads headers that were not read yet. A file that went since its folder was listed is as one that
 * had gone before. */
static enum result headers_read(struct log_reader *reader)
{
    uint32_t kept = 0;
    enum result result = RESULT_OK;
    reader->begun_count = 0;
    for (uint32_t i = 0; result == RESULT_OK && i < reader->file_count; i++) {
        struct log_file *file = &reader->file[i];
        result = file->looked ? RESULT_OK : log_reader_header_read(reader, file);
        if (result == RESULT_NOT_FOUND) {
            result = RESULT_OK;
            continue;
        }
        file->looked = true;
        reader->file[kept] = *file;
        if (file->begun) {
            reader->begun[reader->begun_count++] = kept;
        }
        kept++;
    }
    reader->file_count = kept;
    return result;
}

/* By number, each once: one that moved while folders were listed is in both. */
static void files_sort(struct log_reader *reader)
{
    uint32_t kept = 0;
    qsort(reader->file, reader->file_count, sizeof(*reader->file), file_compare);
    for (uint32_t i = 0; i < reader->file_count; i++) {
        if (kept == 0 || reader->file[kept - 1].number != reader->file[i].number) {
            reader->file[kept++] = reader->file[i];
        }
    }
    reader->file_count = kept;
}

/* Adds the files of a folder: 0 is the directory, others are archives. One that was taken away has
 * none. */
static enum result folder_add(struct log_reader *reader, uint32_t folder)
{
    const char *name = folder == 0 ? "" : reader->archives.folder[folder - 1];
    reader->listing = folder;
    enum result result = disk_folder_list(reader->disk, name, file_add, reader);
    if (result == RESULT_NOT_FOUND && folder > 0) {
        return RESULT_OK;
    }
    return result == RESULT_OK ? reader->listed : result;
}

static enum result files_look(struct log_reader *reader)
{
    if (reader->file_count == 0) {
        return RESULT_OK;
    }
    files_sort(reader);
    uint32_t *begun = heap_realloc(reader->begun, reader->file_count * sizeof(uint32_t));
    if (begun == NULL) {
        return RESULT_NO_MEMORY;
    }
    reader->begun = begun;
    return headers_read(reader);
}

enum result log_reader_open(struct disk *disk, const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                            uint32_t shard, struct log_reader **out_reader)
{
    struct log_reader *reader = heap_alloc(sizeof(*reader));
    if (reader == NULL) {
        return RESULT_NO_MEMORY;
    }
    *reader = (struct log_reader){.disk = disk, .shard = shard, .listed = RESULT_OK};
    memcpy(reader->store_id, store_id, sizeof(reader->store_id));
    reader->buffer = heap_alloc(LOG_WALK_BUFFER_BYTES);
    enum result result = reader->buffer == NULL ? RESULT_NO_MEMORY : folder_add(reader, 0);
    result = result == RESULT_OK ? files_look(reader) : result;
    if (result != RESULT_OK) {
        log_reader_close(reader);
        return result;
    }
    *out_reader = reader;
    return RESULT_OK;
}

enum result log_reader_archives_add(struct log_reader *reader)
{
    enum result result = archives_load(reader->disk, &reader->archives);
    for (uint32_t i = 1; result == RESULT_OK && i <= reader->archives.count; i++) {
        result = folder_add(reader, i);
    }
    return result == RESULT_OK ? files_look(reader) : result;
}

enum result log_reader_open_all(struct disk *disk, const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                                uint32_t shard, struct log_reader **out_reader)
{
    struct log_reader *reader;
    enum result result = log_reader_open(disk, store_id, shard, &reader);
    if (result != RESULT_OK) {
        return result;
    }
    result = log_reader_archives_add(reader);
    if (result != RESULT_OK) {
        log_reader_close(reader);
        return result;
    }
    *out_reader = reader;
    return RESULT_OK;
}

void log_reader_close(struct log_reader *reader)
{
    if (reader != NULL) {
        heap_free(reader->file);
        heap_free(reader->begun);
        heap_free(reader->buffer);
        heap_free(reader);
    }
}

void log_reader_stop_set(struct log_reader *reader, bool (*stop_asked)(void *context),
                         void *context)
{
    reader->stop_asked = stop_asked;
    reader->stop_context = context;
}

uint32_t log_reader_segment_count(const struct log_reader *reader)
{
    return reader->begun_count;
}

const struct log_file *log_reader_file(const struct log_reader *reader, uint32_t index)
{
    ASSERT(index < reader->begun_count);
    return &reader->file[reader->begun[index]];
}

const struct mirror_segment *log_reader_segment(const struct log_reader *reader, uint32_t index)
{
    return &log_reader_file(reader, index)->segment;
}

void log_reader_epochs_set(struct log_reader *reader, uint32_t first_epoch, uint32_t last_epoch,
                           uint32_t shard_count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < reader->begun_count; i++) {
        const struct mirror_segment *segment = log_reader_segment(reader, i);
        if (segment->epoch >= first_epoch && segment->epoch <= last_epoch &&
            segment->shard_count == shard_count) {
            reader->begun[kept++] = reader->begun[i];
        }
    }
    reader->begun_count = kept;
}

uint64_t log_reader_bytes(const struct log_reader *reader, uint32_t index)
{
    uint64_t bytes = 0;
    for (uint32_t i = index; i < reader->begun_count; i++) {
        bytes += log_reader_file(reader, i)->size;
    }
    return bytes;
}

uint32_t log_reader_segment_find(const struct log_reader *reader, uint64_t lsn)
{
    uint32_t index = 0;
    while (index + 1 < reader->begun_count &&
           log_reader_segment(reader, index + 1)->before_lsn <= lsn) {
        index++;
    }
    return index;
}

enum result log_reader_sync(struct log_reader *reader, uint64_t lsn)
{
    enum result result = RESULT_OK;
    for (uint32_t i = log_reader_segment_find(reader, lsn);
         result == RESULT_OK && i < reader->begun_count; i++) {
        struct disk_file *file;
        result = file_open(reader, log_reader_file(reader, i), DISK_WRITE, &file);
        if (result == RESULT_OK) {
            result = disk_file_sync(file);
            disk_file_close(file);
        }
    }
    return result;
}

enum result log_reader_walk_open(struct log_reader *reader, const struct log_file *file,
                                 struct log_walk *walk)
{
    log_walk_init(walk, &file->segment, file->size, reader->buffer);
    walk->stop_asked = reader->stop_asked;
    walk->stop_context = reader->stop_context;
    return file_open(reader, file, DISK_READ, &walk->file);
}

void log_damage_set(struct log_damage *damage, uint64_t segment, uint64_t place, uint64_t first,
                    uint64_t last, const char *reason)
{
    *damage = (struct log_damage){.segment = segment,
                                  .place = place,
                                  .first_lsn = first,
                                  .last_lsn = last > first ? last : first,
                                  .reason = reason};
}

uint64_t log_reader_segment_last(const struct log_reader *reader, uint32_t index)
{
    return index + 1 < reader->begun_count ? log_reader_segment(reader, index + 1)->before_lsn
                                           : UINT64_MAX;
}

/* What is known of the log's end after one of its segments. */
struct segment_end {
    struct log_end *end;
    struct log_damage *damage;
};

/* Segments have their whole length before anything is written to them: a shorter one was cut, and
 * nobody knows what was there. */
static bool segment_is_cut(const struct log_file *file)
{
    return file->size < (file->begun ? file->segment.size_bytes : MIRROR_SEGMENT_BYTES_MIN);
}

/* Scans one segment to its end. */
static enum result segment_scan(struct log_reader *reader, uint32_t index, struct segment_end out)
{
    const struct log_file *file = log_reader_file(reader, index);
    uint64_t last = log_reader_segment_last(reader, index);
    struct log_walk walk;
    enum result result = log_reader_walk_open(reader, file, &walk);
    enum mirror_find find = MIRROR_FIND_frame;
    struct mirror_frame frame;
    const uint8_t *entries;
    while (result == RESULT_OK && find == MIRROR_FIND_frame && walk.scan.due_lsn <= last) {
        uint64_t before = walk.scan.place;
        result = log_walk_next(&walk, &find, &frame, &entries);
        out.end->bytes += walk.scan.place - before;
    }
    if (result != RESULT_OK) {
        goto done;
    }
    out.end->lsn = walk.scan.due_lsn - 1 > out.end->lsn ? walk.scan.due_lsn - 1 : out.end->lsn;
    if (walk.scan.frame_count == 0) {
        out.end->lsn = file->segment.before_lsn;
    }
    out.end->apply_us =
        walk.scan.apply_us > out.end->apply_us ? walk.scan.apply_us : out.end->apply_us;
    if (last != UINT64_MAX) {
        if (out.end->lsn < last) {
            log_damage_set(out.damage, file->number, walk.scan.place, out.end->lsn + 1, last,
                           "a frame is bad, and a later segment goes on behind it");
            result = RESULT_CORRUPT;
        }
        goto done;
    }
    if (segment_is_cut(file)) {
        log_damage_set(out.damage, file->number, file->size, out.end->lsn + 1, out.end->lsn + 1,
                       "the file is shorter than its segment");
        result = RESULT_CORRUPT;
        goto done;
    }
    bool later = false;
    result = log_walk_later_find(&walk, walk.scan.place, &later, &frame);
    if (result == RESULT_OK && later) {
        log_damage_set(out.damage, file->number, walk.scan.place, walk.scan.due_lsn,
                       frame.first_lsn - 1, "a frame is bad, and a later one is good");
        result = RESULT_CORRUPT;
    }
    if (find != MIRROR_FIND_frame && find != MIRROR_FIND_end) {
        out.end->torn_bytes += MIRROR_BLOCK_BYTES;
    }
done:
    disk_file_close(walk.file);
    return result;
}

/* Files behind the last segment that seem not begun: one good frame may be a first write that was
 * torn; more mean that the header is damaged. */
static enum result unbegun_check(struct log_reader *reader, uint64_t end_lsn,
                                 struct log_damage *damage)
{
    uint64_t last =
        reader->begun_count == 0 ? 0 : log_reader_file(reader, reader->begun_count - 1)->number;
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < reader->file_count; i++) {
        const struct log_file *file = &reader->file[i];
        if (file->begun || file->number <= last) {
            continue;
        }
        if (segment_is_cut(file)) {
            log_damage_set(damage, file->number, file->size, end_lsn + 1, end_lsn + 1,
                           "the file is shorter than any segment");
            return RESULT_CORRUPT;
        }
        struct log_file as_begun = *file;
        as_begun.segment = (struct mirror_segment){.number = file->number,
                                                   .shard = reader->shard,
                                                   .first_lsn = end_lsn + 1,
                                                   .size_bytes = file->size};
        memcpy(as_begun.segment.store_id, reader->store_id, sizeof(reader->store_id));
        struct log_walk walk;
        struct mirror_frame frame;
        bool later = false;
        result = log_reader_walk_open(reader, &as_begun, &walk);
        if (result == RESULT_OK) {
            result = log_walk_later_find(&walk, MIRROR_SEGMENT_HEADER + MIRROR_BLOCK_BYTES, &later,
                                         &frame);
            disk_file_close(walk.file);
        }
        if (result == RESULT_OK && later) {
            log_damage_set(damage, file->number, 0, end_lsn + 1, frame.first_lsn,
                           "a segment's header is bad, and frames behind it are good");
            result = RESULT_CORRUPT;
        }
    }
    return result;
}

enum result log_reader_end(struct log_reader *reader, uint64_t lsn, struct log_end *out_end,
                           struct log_damage *out_damage)
{
    *out_end = (struct log_end){.apply_us = INT64_MIN};
    struct segment_end out = {.end = out_end, .damage = out_damage};
    uint32_t first = log_reader_segment_find(reader, lsn);
    if (reader->begun_count > 0) {
        out_end->lsn = log_reader_segment(reader, first)->before_lsn;
        if (out_end->lsn > lsn) {
            log_damage_set(out_damage, log_reader_segment(reader, first)->number, 0, lsn + 1,
                           out_end->lsn, "the segments that had these records are gone");
            return RESULT_CORRUPT;
        }
    }
    enum result result = RESULT_OK;
    for (uint32_t i = first; result == RESULT_OK && i < reader->begun_count; i++) {
        result = segment_scan(reader, i, out);
    }
    if (result == RESULT_OK) {
        result = unbegun_check(reader, out_end->lsn, out_damage);
    }
    if (result == RESULT_OK && out_end->lsn < lsn && lsn_number(lsn) == 0) {
        out_end->lsn = lsn; /* An epoch begins there, of which nothing was logged yet. */
    }
    if (result == RESULT_OK && out_end->lsn < lsn) {
        log_damage_set(out_damage, 0, 0, out_end->lsn + 1, lsn,
                       "the log ends before what a checkpoint has seen durable");
        result = RESULT_CORRUPT;
    }
    return result;
}

/* Where a segment ends; RESULT_CORRUPT: by damage. */
static enum result segment_end_find(struct log_reader *reader, uint32_t index,
                                    struct log_end *out_end)
{
    struct log_damage damage;
    *out_end = (struct log_end){.apply_us = INT64_MIN};
    return segment_scan(reader, index, (struct segment_end){.end = out_end, .damage = &damage});
}

enum result log_reader_whole(struct log_reader *reader, uint64_t last_lsn, uint32_t *out_index,
                             uint64_t *out_bytes)
{
    *out_index = 0;
    *out_bytes = 0;
    for (uint32_t i = 0; i < reader->begun_count; i++) {
        struct log_end end;
        enum result result = segment_end_find(reader, i, &end);
        if (result != RESULT_OK && result != RESULT_CORRUPT) {
            return result;
        }
        bool last = i + 1 == reader->begun_count;
        bool bad = last ? end.lsn < last_lsn : result == RESULT_CORRUPT;
        *out_index = bad ? i + 1 : *out_index;
        *out_bytes = bad ? 0 : *out_bytes + end.bytes;
    }
    return RESULT_OK;
}

enum result log_reader_kept(struct log_reader *reader, uint32_t *out_index)
{
    *out_index = 0;
    for (uint32_t i = 0; i + 1 < reader->begun_count; i++) {
        if (log_reader_file(reader, i + 1)->number == log_reader_file(reader, i)->number + 1) {
            continue;
        }
        struct log_end end;
        enum result result = segment_end_find(reader, i, &end);
        if (result == RESULT_CORRUPT) {
            *out_index = i + 1;
        } else if (result != RESULT_OK) {
            return result;
        }
    }
    return RESULT_OK;
}
