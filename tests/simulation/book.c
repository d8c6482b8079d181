#include "tests/simulation/book.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/disk_simulated_driver.h"
#include "tests/simulation/law.h"

#define SEGMENTS_MAX 4096u

uint64_t book_peek(struct disk *disk, const char *name, uint64_t offset, void *data, uint64_t size)
{
    const struct disk_name *entry = disk_names_find(&simulated_disk_of(disk)->names, name);
    if (entry == NULL || entry->inode == NULL || offset >= entry->inode->size) {
        return 0;
    }
    uint64_t room = entry->inode->size - offset;
    size = size < room ? size : room;
    disk_inode_read(entry->inode, offset, data, size);
    return size;
}

void book_files(struct disk *disk, const char *prefix, book_visit *visit, void *context)
{
    const struct disk_name_table *seen = &simulated_disk_of(disk)->names.seen;
    for (uint32_t i = 0; i < seen->count; i++) {
        if (seen->name[i].inode != NULL &&
            strncmp(seen->name[i].name, prefix, strlen(prefix)) == 0) {
            visit(context, seen->name[i].name, seen->name[i].inode->size);
        }
    }
}

void book_init(struct book *book, struct disk *disk)
{
    *book = (struct book){.disk = disk};
    for (uint32_t i = 0; i < DRAW_SHARDS_MAX; i++) {
        book->shard[i].apply_us = INT64_MIN;
    }
}

void book_deinit(struct book *book)
{
    for (uint64_t i = 0; i < book->record_count; i++) {
        free(book->record[i].bytes);
    }
    free(book->record);
}

/* Segments of one shard that were begun, by number. */
struct segment_list {
    struct disk *disk;
    uint32_t shard;
    uint32_t count;
    struct {
        struct mirror_segment header;
        char name[DISK_NAME_SIZE_MAX];
    } segment[SEGMENTS_MAX];
};

static void segment_visit(void *context, const char *name, uint64_t size)
{
    struct segment_list *list = context;
    uint8_t block[MIRROR_BLOCK_BYTES];
    const char *slash = strrchr(name, '/');
    uint32_t shard;
    uint64_t number;
    struct mirror_segment header;
    if (size < sizeof(block) ||
        !mirror_name_parse(slash == NULL ? name : slash + 1, &shard, &number) ||
        shard != list->shard || book_peek(list->disk, name, 0, block, sizeof(block)) == 0 ||
        mirror_segment_decode(block, sizeof(block), &header) != RESULT_OK ||
        header.number != number || header.shard != shard) {
        return;
    }
    ASSERT(list->count < SEGMENTS_MAX);
    uint32_t at = list->count++;
    while (at > 0 && list->segment[at - 1].header.number > number) {
        list->segment[at] = list->segment[at - 1];
        at--;
    }
    list->segment[at].header = header;
    strncpy(list->segment[at].name, name, sizeof(list->segment[at].name) - 1);
}

static struct segment_list *segments_of(const struct book *book, uint32_t shard)
{
    static struct segment_list list;
    list.disk = book->disk;
    list.shard = shard;
    list.count = 0;
    book_files(book->disk, "mirror-", segment_visit, &list);
    book_files(book->disk, "archive/mirror-", segment_visit, &list);
    return &list;
}

/* The frame at a place of a file, if a good one of this segment begins there; its bytes are in a
 * buffer that the next call reuses. */
static const uint8_t *frame_at(const struct book *book, const char *name,
                               const struct mirror_segment *segment, uint64_t place,
                               struct mirror_frame *out_frame)
{
    static uint8_t data[MIRROR_FRAME_BYTES_MAX + MIRROR_BLOCK_BYTES];
    uint64_t size = book_peek(book->disk, name, place, data, MIRROR_BLOCK_BYTES);
    enum result result = mirror_frame_decode(data, size, out_frame);
    if (result == RESULT_TRUNCATED) {
        size = book_peek(book->disk, name, place, data, mirror_frame_bytes(out_frame->size));
        result = mirror_frame_decode(data, size, out_frame);
    }
    bool good = result == RESULT_OK && out_frame->segment == segment->number &&
                out_frame->shard == segment->shard &&
                memcmp(&out_frame->store, segment->store_id, sizeof(out_frame->store)) == 0;
    return good ? data : NULL;
}

static void record_add(struct book *book, uint32_t shard, const uint8_t *bytes, uint32_t size)
{
    if (book->record_count == book->record_capacity) {
        book->record_capacity = book->record_capacity == 0 ? 1024 : book->record_capacity * 2;
        book->record = realloc(book->record, book->record_capacity * sizeof(book->record[0]));
        ASSERT(book->record != NULL);
    }
    struct record *record = &book->record[book->record_count++];
    record->shard = shard;
    record->bytes = malloc(size);
    ASSERT(record->bytes != NULL);
    memcpy(record->bytes, bytes, size);
    uint32_t at = 0;
    enum result result = mirror_entry_decode(record->bytes, size, &at, &record->entry);
    ASSERT(result == RESULT_OK);
}

/* LSNs go on without a hole, T never back, and forward over a restart. */
static void order_check(const struct book_shard *shard, uint32_t index,
                        const struct mirror_entry *entry)
{
    bool new_epoch = lsn_epoch(entry->lsn) != lsn_epoch(shard->last_lsn);
    bool follows =
        new_epoch ? entry->lsn == lsn_of(lsn_epoch(entry->lsn), 1) && entry->lsn > shard->last_lsn
                  : entry->lsn == shard->last_lsn + 1;
    if (!follows) {
        law_broken("LSNs go on without a hole", "shard %u: %lx after %lx", index, entry->lsn,
                   shard->last_lsn);
    }
    if (entry->apply_us < shard->apply_us || (new_epoch && entry->apply_us == shard->apply_us)) {
        law_broken("T grows", "shard %u, LSN %lx: %ld after %ld", index, entry->lsn,
                   entry->apply_us, shard->apply_us);
    }
}

/* Takes the records of a good frame that are new. */
static void frame_read(struct book *book, uint32_t index, const struct mirror_frame *frame,
                       const uint8_t *data)
{
    struct book_shard *shard = &book->shard[index];
    const uint8_t *entries = data + MIRROR_FRAME_HEADER;
    struct mirror_entry entry;
    enum result result;
    uint32_t at = 0;
    uint32_t before = 0;
    shard->acked_lsn = frame->acked_lsn > shard->acked_lsn ? frame->acked_lsn : shard->acked_lsn;
    while ((result = mirror_entry_decode(entries, frame->size, &at, &entry)) == RESULT_OK) {
        if (entry.lsn > shard->last_lsn && lsn_epoch(entry.lsn) > book->closed_epoch) {
            order_check(shard, index, &entry);
            record_add(book, index, entries + before, at - before);
            shard->last_lsn = entry.lsn + entry.lsn_count - 1;
            shard->apply_us = entry.apply_us;
        }
        before = at;
    }
    if (result != RESULT_NOT_FOUND) {
        law_broken("a good frame has good entries", "shard %u, segment %lu", index, frame->segment);
    }
}

/* True when the frame goes on where the log stands; or it is one that was written before. */
static bool frame_is_due(const struct book_shard *shard, const struct mirror_frame *frame)
{
    bool new_epoch = lsn_epoch(frame->first_lsn) > lsn_epoch(shard->last_lsn);
    return new_epoch ? frame->first_lsn == lsn_of(lsn_epoch(frame->first_lsn), 1)
                     : frame->first_lsn <= shard->last_lsn + 1;
}

static void shard_read(struct book *book, uint32_t index)
{
    struct book_shard *shard = &book->shard[index];
    const struct segment_list *list = segments_of(book, index);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct mirror_segment *header = &list->segment[i].header;
        if (header->number < shard->segment) {
            continue;
        }
        if (header->number > shard->segment || shard->place == 0) {
            shard->segment = header->number;
            shard->place = MIRROR_SEGMENT_HEADER;
        }
        struct mirror_frame frame;
        const uint8_t *data;
        while ((data = frame_at(book, list->segment[i].name, header, shard->place, &frame)) !=
                   NULL &&
               frame_is_due(shard, &frame)) {
            frame_read(book, index, &frame, data);
            shard->place += mirror_frame_bytes(frame.size);
        }
    }
}

void book_read(struct book *book)
{
    for (uint32_t i = 0; i < DRAW_SHARDS_MAX; i++) {
        shard_read(book, i);
    }
}

void book_cut(struct book *book, uint32_t epoch, const uint64_t *cut)
{
    book->closed_epoch = epoch;
    uint64_t kept = book->settled_count;
    for (uint64_t i = book->settled_count; i < book->record_count; i++) {
        struct record *record = &book->record[i];
        if (record->entry.lsn > cut[record->shard]) {
            free(record->bytes);
            continue;
        }
        book->record[kept++] = *record;
    }
    book->record_count = kept;
    for (uint32_t i = 0; i < DRAW_SHARDS_MAX; i++) {
        struct book_shard *shard = &book->shard[i];
        shard->last_lsn = cut[i] < shard->last_lsn ? cut[i] : shard->last_lsn;
        shard->apply_us = INT64_MIN;
        for (uint64_t r = book->record_count; r > 0 && shard->apply_us == INT64_MIN; r--) {
            const struct record *record = &book->record[r - 1];
            shard->apply_us = record->shard == i ? record->entry.apply_us : shard->apply_us;
        }
    }
}

uint64_t book_evidence(const struct book *book, uint32_t shard)
{
    const struct segment_list *list = segments_of(book, shard);
    uint64_t evidence = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct mirror_segment *header = &list->segment[i].header;
        evidence = header->before_lsn > evidence ? header->before_lsn : evidence;
        for (uint64_t place = MIRROR_SEGMENT_HEADER; place < header->size_bytes;
             place += MIRROR_BLOCK_BYTES) {
            struct mirror_frame frame;
            if (frame_at(book, list->segment[i].name, header, place, &frame) == NULL) {
                continue;
            }
            uint64_t last = frame.count > 0 ? frame.first_lsn + frame.count - 1 : frame.acked_lsn;
            evidence = last > evidence ? last : evidence;
            evidence = frame.acked_lsn > evidence ? frame.acked_lsn : evidence;
        }
    }
    return evidence;
}
