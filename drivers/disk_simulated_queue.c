/* The queue of the simulated disk: one write at a time, which ends when its time has come. */
#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/disk_simulated_driver.h"
#include "drivers/memory.h"

static struct simulated_queue *queue_of(struct disk_queue *queue)
{
    return (struct simulated_queue *)queue;
}

static bool queue_is_alive(const struct simulated_queue *queue)
{
    return !queue->disk->is_crashed && queue->life == queue->disk->life;
}

static void write_forget(struct simulated_queue *queue)
{
    disk_inode_release(&queue->disk->inodes, queue->inode);
    queue->inode = NULL;
}

/* A crash at the operation takes the machine down with the write under way. */
static bool operation_crashes(struct simulated_disk *disk)
{
    simulated_count(disk);
    if (disk->operations == disk->crash_at) {
        disk_simulated_crash(&disk->disk);
        return true;
    }
    return false;
}

static bool queue_write(struct disk_queue *base, struct disk_file *base_file, uint32_t buffer,
                        const void *data, uint32_t size, uint64_t offset, uint64_t tag)
{
    (void)buffer;
    struct simulated_queue *queue = queue_of(base);
    const struct simulated_file *file = (const struct simulated_file *)base_file;
    struct simulated_disk *disk = queue->disk;
    ASSERT(file->mode == DISK_LOG);
    if (!queue_is_alive(queue) || file->life != disk->life) {
        return false;
    }
    if (simulated_chance(disk, disk->options.faults.refuse_ppm)) {
        simulated_fault_count(disk, NULL);
        return false;
    }
    disk->statistics.writes++;
    queue->inode = file->inode;
    disk_inode_hold(queue->inode);
    queue->data = data;
    memcpy(queue->copy, data, size);
    queue->size = size;
    queue->offset = offset;
    queue->tag = tag;
    queue->end_us = simulated_end_us(disk);
    queue->must_fail = disk->operations + 1 == disk->fail_at;
    return !operation_crashes(disk);
}

/* What of [0, size) of the write is as after a crash, and whether its length came through. */
static uint64_t write_decide(struct simulated_queue *queue)
{
    struct simulated_disk *disk = queue->disk;
    struct disk_inode *inode = queue->inode;
    uint64_t end = queue->offset + queue->size;
    if (end > inode->size_durable && random_below(&disk->random, 2) == 0) {
        inode->size_durable = end;
        inode->size = end > inode->size ? end : inode->size;
    }
    return disk_inode_decide(inode, queue->offset, queue->copy, queue->size, &disk->random);
}

void simulated_queue_crash(struct simulated_queue *queue)
{
    if (queue->inode != NULL) {
        queue->disk->statistics.sectors_torn += write_decide(queue);
        write_forget(queue);
    }
}

void simulated_queue_kill(struct simulated_queue *queue)
{
    if (queue->inode == NULL) {
        return;
    }
    struct random *random = &queue->disk->random;
    uint64_t sectors = queue->size / DISK_SECTOR_BYTES;
    uint64_t kept = random_below(random, 2) == 0 ? sectors : random_below(random, sectors + 1);
    disk_inode_write_durable(queue->inode, queue->offset, queue->copy, kept * DISK_SECTOR_BYTES);
    write_forget(queue);
}

static int64_t write_end_short(struct simulated_queue *queue)
{
    uint64_t sectors = queue->size / DISK_SECTOR_BYTES;
    uint64_t size = random_below(&queue->disk->random, sectors) * DISK_SECTOR_BYTES;
    disk_inode_write_durable(queue->inode, queue->offset, queue->copy, size);
    return (int64_t)size;
}

static int64_t write_end_misdirected(struct simulated_queue *queue)
{
    uint64_t blocks = queue->inode->size / DISK_BLOCK_BYTES;
    uint64_t count = queue->size / DISK_BLOCK_BYTES;
    uint64_t places = blocks >= count ? blocks - count + 1 : 1;
    uint64_t offset = random_below(&queue->disk->random, places) * DISK_BLOCK_BYTES;
    disk_inode_write_durable(queue->inode, offset, queue->copy, queue->size);
    return (int64_t)queue->size;
}

static int64_t write_end_whole(struct simulated_queue *queue)
{
    disk_inode_write_durable(queue->inode, queue->offset, queue->copy, queue->size);
    queue->disk->statistics.bytes_written += queue->size;
    return (int64_t)queue->size;
}

static bool write_lacks_space(const struct simulated_queue *queue)
{
    uint64_t end = queue->offset + queue->size;
    uint64_t size = queue->inode->size;
    return end > size && simulated_is_full(queue->disk, end - size);
}

/* Decides how the write ends, and does it. */
static int64_t write_end(struct simulated_queue *queue)
{
    struct simulated_disk *disk = queue->disk;
    const struct disk_simulated_faults *faults = &disk->options.faults;
    struct disk_simulated_statistics *statistics = &disk->statistics;
    if (queue->must_fail || simulated_chance(disk, faults->broken_ppm)) {
        simulated_fault_count(disk, &statistics->faults_broken);
        write_decide(queue);
        return DISK_OUTCOME_BROKEN;
    }
    if (write_lacks_space(queue)) {
        return DISK_OUTCOME_FULL;
    }
    if (simulated_chance(disk, faults->full_ppm)) {
        simulated_fault_count(disk, &statistics->faults_full);
        write_decide(queue);
        return DISK_OUTCOME_FULL;
    }
    if (simulated_chance(disk, faults->again_ppm)) {
        simulated_fault_count(disk, &statistics->faults_again);
        write_decide(queue);
        return DISK_OUTCOME_AGAIN;
    }
    if (simulated_chance(disk, faults->short_ppm)) {
        simulated_fault_count(disk, &statistics->faults_short);
        return write_end_short(queue);
    }
    if (simulated_chance(disk, faults->misdirect_ppm)) {
        simulated_fault_count(disk, NULL);
        return write_end_misdirected(queue);
    }
    if (simulated_chance(disk, faults->lost_ppm)) {
        simulated_fault_count(disk, NULL);
        return (int64_t)queue->size;
    }
    return write_end_whole(queue);
}

static bool queue_poll(struct disk_queue *base, struct disk_completion *out_completion)
{
    struct simulated_queue *queue = queue_of(base);
    struct simulated_disk *disk = queue->disk;
    if (!queue_is_alive(queue) || simulated_now_us(disk) < queue->end_us) {
        return false;
    }
    if (operation_crashes(disk)) {
        return false;
    }
    /* The device reads the buffer until the end: its owner has left it alone. */
    ASSERT(memcmp(queue->copy, queue->data, queue->size) == 0);
    queue->must_fail = queue->must_fail || disk->operations == disk->fail_at;
    *out_completion = (struct disk_completion){.tag = queue->tag, .outcome = write_end(queue)};
    write_forget(queue);
    return true;
}

static void queue_close(struct disk_queue *base)
{
    struct simulated_queue *queue = queue_of(base);
    /* The kernel finishes what is under way. */
    if (queue->inode != NULL) {
        write_end_whole(queue);
        write_forget(queue);
    }
    struct simulated_queue **place = &queue->disk->queues;
    while (*place != queue) {
        place = &(*place)->next;
    }
    *place = queue->next;
    heap_free(queue->copy);
    heap_free(queue);
}

static const struct disk_queue_operations queue_operations = {
    .close = queue_close,
    .write = queue_write,
    .poll = queue_poll,
};

enum result simulated_queue_open(struct disk *base, const struct disk_queue_options *options,
                                 struct disk_queue **out_queue)
{
    struct simulated_disk *disk = simulated_disk_of(base);
    if (disk->is_crashed) {
        return RESULT_CLOSED;
    }
    struct simulated_queue *queue = heap_alloc_lines(sizeof(*queue));
    uint8_t *copy = heap_alloc(options->buffer_bytes);
    if (queue == NULL || copy == NULL) {
        heap_free(queue);
        heap_free(copy);
        return RESULT_NO_MEMORY;
    }
    *queue = (struct simulated_queue){
        .queue.operations = &queue_operations, .disk = disk, .life = disk->life, .copy = copy};
    struct simulated_queue **place = &disk->queues;
    while (*place != NULL) {
        place = &(*place)->next;
    }
    *place = queue;
    *out_queue = &queue->queue;
    return RESULT_OK;
}
