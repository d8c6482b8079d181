/* What a simulation does to its disk: crashes, kills, damage, faults, counts. */
#include "dataplane/base/assert.h"
#include "drivers/disk_simulated_driver.h"

void disk_simulated_faults_set(struct disk *disk, const struct disk_simulated_faults *faults)
{
    simulated_disk_of(disk)->options.faults = *faults;
}

void disk_simulated_capacity_set(struct disk *disk, uint64_t capacity_bytes)
{
    simulated_disk_of(disk)->options.capacity_bytes = capacity_bytes;
}

static void process_end(struct simulated_disk *disk)
{
    disk->is_crashed = true;
    disk->is_locked = false;
    disk->crash_at = 0;
    disk->fail_at = 0;
    simulated_span_end(disk);
    disk->life++;
}

static bool is_in_flight(const struct simulated_disk *disk)
{
    bool found = disk->in_flight > 0;
    for (const struct simulated_queue *queue = disk->queues; queue != NULL; queue = queue->next) {
        found = found || queue->inode != NULL;
    }
    return found;
}

void disk_simulated_crash(struct disk *base)
{
    struct simulated_disk *disk = simulated_disk_of(base);
    disk->statistics.crashes++;
    disk->statistics.crashes_in_flight += is_in_flight(disk);
    process_end(disk);
    for (struct simulated_queue *queue = disk->queues; queue != NULL; queue = queue->next) {
        simulated_queue_crash(queue);
    }
    for (struct disk_inode *inode = disk->inodes.first; inode != NULL; inode = inode->next) {
        disk->statistics.sectors_torn += disk_inode_drop(inode, &disk->random);
    }
    disk_names_drop(&disk->names, &disk->random);
}

bool disk_simulated_is_crashed(const struct disk *disk)
{
    return ((const struct simulated_disk *)disk)->is_crashed;
}

void disk_simulated_restart(struct disk *base)
{
    struct simulated_disk *disk = simulated_disk_of(base);
    ASSERT(disk->is_crashed);
    disk->is_crashed = false;
}

void disk_simulated_kill(struct disk *base)
{
    struct simulated_disk *disk = simulated_disk_of(base);
    process_end(disk);
    for (struct simulated_queue *queue = disk->queues; queue != NULL; queue = queue->next) {
        simulated_queue_kill(queue);
    }
}

static struct disk_inode *inode_find(const struct simulated_disk *disk, const char *name)
{
    const struct disk_name *entry = disk_names_find(&disk->names, name);
    return entry == NULL ? NULL : entry->inode;
}

bool disk_simulated_flip(struct disk *disk, const char *name, uint64_t offset, uint8_t mask)
{
    struct disk_inode *inode = inode_find(simulated_disk_of(disk), name);
    if (inode == NULL || offset >= inode->size_durable) {
        return false;
    }
    uint8_t byte;
    disk_image_read(&inode->image, offset, &byte, 1);
    byte ^= mask;
    disk_image_write(&inode->image, offset, &byte, 1);
    return true;
}

bool disk_simulated_cut(struct disk *disk, const char *name, uint64_t size)
{
    struct disk_inode *inode = inode_find(simulated_disk_of(disk), name);
    if (inode == NULL || size > inode->size) {
        return false;
    }
    disk_inode_cut(inode, size);
    return true;
}

void disk_simulated_crash_after(struct disk *base, uint64_t count)
{
    struct simulated_disk *disk = simulated_disk_of(base);
    disk->crash_at = count == 0 ? 0 : disk->operations + count;
}

void disk_simulated_fail_after(struct disk *base, uint64_t count)
{
    struct simulated_disk *disk = simulated_disk_of(base);
    disk->fail_at = count == 0 ? 0 : disk->operations + count;
}

void disk_simulated_span_after(struct disk *base, uint64_t count, uint64_t length,
                               const struct disk_simulated_faults *faults)
{
    struct simulated_disk *disk = simulated_disk_of(base);
    ASSERT(count > 0);
    ASSERT(length > 0);
    simulated_span_end(disk);
    disk->span_from = disk->operations + count;
    disk->span_to = disk->span_from + length;
    disk->span_faults = *faults;
}

uint64_t disk_simulated_operations(const struct disk *disk)
{
    return ((const struct simulated_disk *)disk)->operations;
}

void disk_simulated_statistics(const struct disk *disk, struct disk_simulated_statistics *out)
{
    *out = ((const struct simulated_disk *)disk)->statistics;
}
