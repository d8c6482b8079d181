#include "controlplane/epochs.h"

#include <stddef.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"
#include "drivers/memory.h"

#define EPOCHS_NAME_NEW       EPOCHS_NAME ".spare"
#define EPOCHS_FORMAT_VERSION 1u
#define SLOTS                 2u
#define SLOT_HEADER           64u
#define SLOT_CRC_AT           12u
#define CUT_HEADER            8u

_Static_assert(SLOT_HEADER + EPOCHS_CUTS_MAX * (CUT_HEADER + SHARDS_MAX * sizeof(uint64_t)) <=
                   EPOCHS_SLOT_BYTES,
               "a slot holds all cuts");

/* Two slots in turns: the greatest generation's and the one before it. */
static uint64_t slot_offset(uint64_t generation)
{
    return generation % SLOTS * EPOCHS_SLOT_BYTES;
}

/* The crc of a slot's used bytes, its own four as zero. */
static uint32_t slot_crc(const uint8_t *slot, uint32_t used)
{
    static const uint8_t zero[sizeof(uint32_t)];
    uint32_t crc = checksum_crc32c(0, slot, SLOT_CRC_AT);
    crc = checksum_crc32c(crc, zero, sizeof(zero));
    return checksum_crc32c(crc, slot + SLOT_CRC_AT + sizeof(zero),
                           used - SLOT_CRC_AT - sizeof(zero));
}

static bool shard_count_is_good(uint32_t shard_count)
{
    return shard_count >= 1 && shard_count <= SHARDS_MAX;
}

/* True when the cuts are whole, in order, and of epochs that were. */
static bool cuts_are_good(struct bytes_reader reader, uint32_t count, uint32_t epoch)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t of = bytes_read_u32(&reader);
        uint32_t shard_count = bytes_read_u32(&reader);
        if (of <= before || of > epoch || !shard_count_is_good(shard_count)) {
            return false;
        }
        (void)bytes_read_view(&reader, shard_count * (uint32_t)sizeof(uint64_t));
        before = of;
    }
    return bytes_read_finish(&reader) == RESULT_OK && bytes_left(&reader) == 0;
}

static void cut_read(struct bytes_reader *reader, struct epoch_cut *out)
{
    *out = (struct epoch_cut){.epoch = bytes_read_u32(reader)};
    out->shard_count = bytes_read_u32(reader);
    for (uint32_t i = 0; i < out->shard_count; i++) {
        out->cut[i] = bytes_read_u64(reader);
    }
}

/* A slot's first bytes, as they stand there. */
struct slot_head {
    uint32_t crc;
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint64_t generation;
    uint32_t epoch;
    uint32_t shard_count;
    uint32_t cut_count;
    uint32_t used;
    int64_t created_us;
};

static enum result head_read(const uint8_t *slot, struct slot_head *out)
{
    struct bytes_reader reader = bytes_reader_of(slot, SLOT_HEADER);
    uint64_t magic = bytes_read_u64(&reader);
    uint32_t version = bytes_read_u32(&reader);
    if (magic != EPOCHS_MAGIC || version != EPOCHS_FORMAT_VERSION) {
        return RESULT_INVALID;
    }
    out->crc = bytes_read_u32(&reader);
    memcpy(out->store_id, bytes_read_view(&reader, MIRROR_STORE_ID_BYTES), MIRROR_STORE_ID_BYTES);
    out->generation = bytes_read_u64(&reader);
    out->epoch = bytes_read_u32(&reader);
    out->shard_count = bytes_read_u32(&reader);
    out->cut_count = bytes_read_u32(&reader);
    out->used = bytes_read_u32(&reader);
    out->created_us = bytes_read_i64(&reader);
    bool used_is_good = out->used >= SLOT_HEADER && out->used <= EPOCHS_SLOT_BYTES;
    return used_is_good ? RESULT_OK : RESULT_CORRUPT;
}

static bool slot_is_good(const struct slot_head *head, const uint8_t *slot)
{
    bool shards =
        head->epoch == 0 ? head->shard_count == 0 : shard_count_is_good(head->shard_count);
    return head->crc == slot_crc(slot, head->used) && shards && head->epoch <= EPOCH_MAX &&
           head->cut_count <= EPOCHS_CUTS_MAX &&
           cuts_are_good(bytes_reader_of(slot + SLOT_HEADER, head->used - SLOT_HEADER),
                         head->cut_count, head->epoch);
}

enum result epochs_decode(const uint8_t *slot, uint32_t size, struct epochs *out_epochs)
{
    if (size < SLOT_HEADER) {
        return RESULT_TRUNCATED;
    }
    struct slot_head head;
    enum result result = head_read(slot, &head);
    if (result != RESULT_OK) {
        return result;
    }
    if (head.used > size) {
        return RESULT_TRUNCATED;
    }
    if (!slot_is_good(&head, slot)) {
        return RESULT_CORRUPT;
    }
    *out_epochs = (struct epochs){.generation = head.generation,
                                  .created_us = head.created_us,
                                  .epoch = head.epoch,
                                  .shard_count = head.shard_count,
                                  .cut_count = head.cut_count};
    memcpy(out_epochs->store_id, head.store_id, MIRROR_STORE_ID_BYTES);
    struct bytes_reader reader = bytes_reader_of(slot + SLOT_HEADER, head.used - SLOT_HEADER);
    for (uint32_t i = 0; i < head.cut_count; i++) {
        cut_read(&reader, &out_epochs->cut[i]);
    }
    return RESULT_OK;
}

static void cut_write(struct bytes_writer *writer, const struct epoch_cut *cut)
{
    bytes_write_u32(writer, cut->epoch);
    bytes_write_u32(writer, cut->shard_count);
    bytes_write(writer, cut->cut, cut->shard_count * (uint32_t)sizeof(uint64_t));
}

/* Writes the slot's EPOCHS_SLOT_BYTES, zeros behind the used ones; returns the used ones. */
static uint32_t epochs_encode(const struct epochs *epochs, uint8_t *slot)
{
    uint32_t used = SLOT_HEADER;
    for (uint32_t i = 0; i < epochs->cut_count; i++) {
        used += CUT_HEADER + epochs->cut[i].shard_count * (uint32_t)sizeof(uint64_t);
    }
    memset(slot, 0, EPOCHS_SLOT_BYTES);
    struct bytes_writer writer = bytes_writer_of(slot, EPOCHS_SLOT_BYTES);
    bytes_write_u64(&writer, EPOCHS_MAGIC);
    bytes_write_u32(&writer, EPOCHS_FORMAT_VERSION);
    bytes_write_u32(&writer, 0);
    bytes_write(&writer, epochs->store_id, MIRROR_STORE_ID_BYTES);
    bytes_write_u64(&writer, epochs->generation);
    bytes_write_u32(&writer, epochs->epoch);
    bytes_write_u32(&writer, epochs->shard_count);
    bytes_write_u32(&writer, epochs->cut_count);
    bytes_write_u32(&writer, used);
    bytes_write_i64(&writer, epochs->created_us);
    for (uint32_t i = 0; i < epochs->cut_count; i++) {
        cut_write(&writer, &epochs->cut[i]);
    }
    ASSERT(bytes_write_finish(&writer) == RESULT_OK);
    ASSERT(writer.at == used);
    uint32_t crc = slot_crc(slot, used);
    memcpy(slot + SLOT_CRC_AT, &crc, sizeof(crc));
    return used;
}

/* Reads the slot of one generation's turn. RESULT_NOT_FOUND: it is not whole. */
static enum result slot_read(struct disk_file *file, uint64_t turn, uint8_t *buffer,
                             struct epochs *out_epochs)
{
    uint64_t size;
    enum result result = disk_file_read(file, slot_offset(turn), buffer, EPOCHS_SLOT_BYTES, &size);
    if (result != RESULT_OK) {
        return result;
    }
    if (epochs_decode(buffer, (uint32_t)size, out_epochs) != RESULT_OK ||
        slot_offset(out_epochs->generation) != slot_offset(turn)) {
        return RESULT_NOT_FOUND;
    }
    return RESULT_OK;
}

/* Reads both slots: a slot that cannot be read might be the newer one, so then there is none. */
static enum result slots_read(struct disk_file *file, uint8_t *buffer, struct epochs *slot,
                              struct epochs *out_epochs)
{
    bool found = false;
    for (uint32_t turn = 0; turn < SLOTS; turn++) {
        enum result result = slot_read(file, turn, buffer, slot);
        if (result == RESULT_NOT_FOUND) {
            continue;
        }
        if (result != RESULT_OK) {
            return result;
        }
        if (!found || slot->generation > out_epochs->generation) {
            *out_epochs = *slot;
        }
        found = true;
    }
    return found ? RESULT_OK : RESULT_CORRUPT;
}

enum result epochs_load(struct disk *disk, struct epochs *out_epochs)
{
    struct disk_file *file;
    enum result result = disk_file_open(disk, EPOCHS_NAME, DISK_READ, &file);
    if (result != RESULT_OK) {
        return result;
    }
    uint8_t *buffer = heap_alloc_lines(EPOCHS_SLOT_BYTES);
    struct epochs *slot = heap_alloc(2 * sizeof(*slot));
    result = RESULT_NO_MEMORY;
    if (buffer != NULL && slot != NULL) {
        result = slots_read(file, buffer, &slot[0], &slot[1]);
    }
    if (result == RESULT_OK) {
        *out_epochs = slot[1];
    }
    heap_free(slot);
    heap_free(buffer);
    disk_file_close(file);
    return result;
}

/* Writes a slot and makes it durable. */
static enum result slot_write(struct disk_file *file, const struct epochs *epochs)
{
    uint8_t *buffer = heap_alloc_lines(EPOCHS_SLOT_BYTES);
    if (buffer == NULL) {
        return RESULT_NO_MEMORY;
    }
    uint64_t size = align_up(epochs_encode(epochs, buffer), DISK_BLOCK_BYTES);
    enum result result = disk_file_write(file, slot_offset(epochs->generation), buffer, size);
    if (result == RESULT_OK) {
        result = disk_file_sync(file);
    }
    heap_free(buffer);
    return result;
}

/* The spare file, both slots there: what the next claim is written to. Made ahead, so that a disk
 * that is full meanwhile does not keep the next start from its epoch. */
static enum result spare_open(struct disk *disk, struct disk_file **out_file)
{
    uint64_t size = 0;
    enum result result = disk_file_open(disk, EPOCHS_NAME_NEW, DISK_WRITE, out_file);
    if (result == RESULT_OK) {
        result = disk_file_size(*out_file, &size);
        if (result == RESULT_OK && size == SLOTS * EPOCHS_SLOT_BYTES) {
            return RESULT_OK;
        }
        disk_file_close(*out_file);
        result = result == RESULT_OK ? disk_remove(disk, EPOCHS_NAME_NEW) : result;
    }
    if (result != RESULT_OK && result != RESULT_NOT_FOUND) {
        return result;
    }
    result = disk_file_open(disk, EPOCHS_NAME_NEW, DISK_CREATE, out_file);
    if (result == RESULT_OK) {
        result = disk_file_fill(*out_file, SLOTS * EPOCHS_SLOT_BYTES);
        if (result != RESULT_OK) {
            disk_file_close(*out_file);
        }
    }
    return result;
}

/* Puts a new file in the place of the one that is there, if any. A slot whose sync failed in an
 * earlier process may still be read and pass for durable, and so may the file's name: the kernel
 * keeps its pages and holds them for clean. Hence a new file, with what was read and what comes
 * next. before: the generation before, NULL when there was none.
 * Source: Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020. */
static enum result file_replace(struct disk *disk, const struct epochs *before,
                                const struct epochs *epochs)
{
    struct disk_file *file;
    enum result result = spare_open(disk, &file);
    if (result != RESULT_OK) {
        return result;
    }
    if (before != NULL) {
        result = slot_write(file, before);
    }
    if (result == RESULT_OK) {
        result = slot_write(file, epochs);
    }
    disk_file_close(file);
    if (result == RESULT_OK) {
        result = disk_rename(disk, EPOCHS_NAME_NEW, EPOCHS_NAME);
    }
    if (result == RESULT_OK) {
        result = disk_folder_sync(disk, "");
    }
    /* The next spare; without one the next claim makes it. */
    if (result == RESULT_OK && spare_open(disk, &file) == RESULT_OK) {
        disk_file_close(file);
    }
    return result;
}

enum result epochs_create(struct disk *disk, const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                          int64_t now_us, struct epochs *out_epochs)
{
    struct epochs *epochs = heap_alloc_lines(sizeof(*epochs));
    if (epochs == NULL) {
        return RESULT_NO_MEMORY;
    }
    memcpy(epochs->store_id, store_id, MIRROR_STORE_ID_BYTES);
    epochs->created_us = now_us;
    enum result result = file_replace(disk, NULL, epochs);
    if (result == RESULT_OK) {
        *out_epochs = *epochs;
    }
    heap_free(epochs);
    return result;
}

enum result epochs_claim(struct disk *disk, struct epochs *epochs, uint32_t shard_count,
                         const struct epoch_cut *cut)
{
    ASSERT(shard_count_is_good(shard_count));
    if (epochs->epoch == EPOCH_MAX) {
        return RESULT_NO_SPACE;
    }
    struct epochs *next = heap_alloc(sizeof(*next));
    if (next == NULL) {
        return RESULT_NO_MEMORY;
    }
    *next = *epochs;
    next->generation++;
    next->epoch++;
    next->shard_count = shard_count;
    if (cut != NULL) {
        epochs_learn(next, cut);
    }
    enum result result = file_replace(disk, epochs, next);
    if (result == RESULT_OK) {
        *epochs = *next;
    }
    heap_free(next);
    return result;
}

bool epochs_is_void(const struct epochs *epochs, uint32_t home, uint64_t home_lsn)
{
    uint32_t epoch = lsn_epoch(home_lsn);
    for (uint32_t i = 0; i < epochs->cut_count; i++) {
        const struct epoch_cut *cut = &epochs->cut[i];
        if (cut->epoch == epoch) {
            return home >= cut->shard_count || home_lsn > cut->cut[home];
        }
    }
    return false;
}

void epochs_learn(struct epochs *epochs, const struct epoch_cut *cut)
{
    ASSERT(shard_count_is_good(cut->shard_count));
    uint32_t at = epochs->cut_count;
    while (at > 0 && epochs->cut[at - 1].epoch >= cut->epoch) {
        at--;
    }
    bool known = at < epochs->cut_count && epochs->cut[at].epoch == cut->epoch;
    bool full = epochs->cut_count == EPOCHS_CUTS_MAX;
    if (known || cut->epoch == 0 || cut->epoch > epochs->epoch || (full && at == 0)) {
        return;
    }
    if (full) {
        /* The oldest leaves, and what is below the new one moves down. */
        at--;
        memmove(&epochs->cut[0], &epochs->cut[1], at * sizeof(epochs->cut[0]));
    } else {
        memmove(&epochs->cut[at + 1], &epochs->cut[at],
                (epochs->cut_count - at) * sizeof(epochs->cut[0]));
        epochs->cut_count++;
    }
    epochs->cut[at] = *cut;
}
