#include "drivers/disk_inode.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

/* How a write is treated: every outcome of its sectors can come from EACH, the others make the
 * likely ones frequent. */
enum disk_mood {
    DISK_MOOD_KEPT,
    DISK_MOOD_LOST,
    DISK_MOOD_PREFIX, /* The first bytes, so that one sector is torn. */
    DISK_MOOD_EACH,   /* Each sector kept, lost, torn or garbage. */
    DISK_MOOD_COUNT,
};

struct disk_inode *disk_inode_make(struct disk_inodes *inodes)
{
    struct disk_inode *inode = heap_alloc_lines(sizeof(*inode));
    ASSERT(inode != NULL);
    inode->references = 1;
    struct disk_inode **place = &inodes->first;
    while (*place != NULL) {
        place = &(*place)->next;
    }
    *place = inode;
    return inode;
}

void disk_inode_hold(struct disk_inode *inode)
{
    if (inode != NULL) {
        inode->references++;
    }
}

static void dirty_drop_all(struct disk_inode *inode)
{
    for (uint32_t i = 0; i < inode->dirty_count; i++) {
        heap_free(inode->dirty[i].data);
    }
    inode->dirty_count = 0;
}

void disk_inode_release(struct disk_inodes *inodes, struct disk_inode *inode)
{
    if (inode == NULL || --inode->references > 0) {
        return;
    }
    struct disk_inode **place = &inodes->first;
    while (*place != inode) {
        place = &(*place)->next;
    }
    *place = inode->next;
    dirty_drop_all(inode);
    heap_free(inode->dirty);
    disk_image_deinit(&inode->image);
    heap_free(inode);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Lays what a dirty write has of [offset, offset + size) over data. */
static void dirty_overlay(const struct disk_dirty *dirty, uint64_t offset, uint8_t *data,
                          uint64_t size)
{
    uint64_t start = max_u64(dirty->offset, offset);
    uint64_t end = min_u64(dirty->offset + dirty->size, offset + size);
    if (start >= end) {
        return;
    }
    if (dirty->data == NULL) {
        memset(data + (start - offset), 0, end - start);
    } else {
        memcpy(data + (start - offset), dirty->data + (start - dirty->offset), end - start);
    }
}

void disk_inode_read(const struct disk_inode *inode, uint64_t offset, void *data, uint64_t size)
{
    disk_image_read(&inode->image, offset, data, size);
    for (uint32_t i = 0; i < inode->dirty_count; i++) {
        dirty_overlay(&inode->dirty[i], offset, data, size);
    }
}

void disk_inode_write(struct disk_inode *inode, uint64_t offset, const void *data, uint64_t size,
                      uint64_t order)
{
    if (size == 0) {
        return;
    }
    if (inode->dirty_count == inode->dirty_capacity) {
        inode->dirty_capacity = inode->dirty_capacity == 0 ? 8 : inode->dirty_capacity * 2;
        inode->dirty = heap_realloc(inode->dirty, inode->dirty_capacity * sizeof(inode->dirty[0]));
        ASSERT(inode->dirty != NULL);
    }
    struct disk_dirty *dirty = &inode->dirty[inode->dirty_count++];
    *dirty = (struct disk_dirty){.offset = offset, .size = size, .order = order};
    if (data != NULL) {
        dirty->data = heap_alloc(size);
        ASSERT(dirty->data != NULL);
        memcpy(dirty->data, data, size);
    }
    inode->size = max_u64(inode->size, offset + size);
}

static void dirty_commit(struct disk_inode *inode, struct disk_dirty *dirty)
{
    disk_image_write(&inode->image, dirty->offset, dirty->data, dirty->size);
    inode->size_durable = max_u64(inode->size_durable, dirty->offset + dirty->size);
    heap_free(dirty->data);
}

void disk_inode_commit(struct disk_inode *inode, uint64_t order)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < inode->dirty_count; i++) {
        if (inode->dirty[i].order < order) {
            dirty_commit(inode, &inode->dirty[i]);
        } else {
            inode->dirty[kept++] = inode->dirty[i];
        }
    }
    inode->dirty_count = kept;
}

/* The cache is written back before a write that passes it by. */
static void dirty_commit_under(struct disk_inode *inode, uint64_t offset, uint64_t size)
{
    for (uint32_t i = inode->dirty_count; i > 0; i--) {
        const struct disk_dirty *dirty = &inode->dirty[i - 1];
        if (dirty->offset < offset + size && offset < dirty->offset + dirty->size) {
            disk_inode_commit(inode, dirty->order + 1);
            return;
        }
    }
}

void disk_inode_write_durable(struct disk_inode *inode, uint64_t offset, const void *data,
                              uint64_t size)
{
    if (size == 0) {
        return;
    }
    dirty_commit_under(inode, offset, size);
    disk_image_write(&inode->image, offset, data, size);
    inode->size_durable = max_u64(inode->size_durable, offset + size);
    inode->size = max_u64(inode->size, offset + size);
}

static void sector_spoil(struct disk_inode *inode, uint64_t offset, struct random *random)
{
    uint64_t garbage[DISK_SECTOR_BYTES / 8];
    for (uint32_t i = 0; i < ARRAY_COUNT(garbage); i++) {
        garbage[i] = random_next(random);
    }
    disk_image_write(&inode->image, offset - offset % DISK_SECTOR_BYTES, garbage, sizeof(garbage));
}

/* Three eighths each kept or lost, one torn, one garbage. True when it was kept. */
static bool sector_decide(struct disk_inode *inode, uint64_t offset, const uint8_t *data,
                          uint64_t size, struct random *random)
{
    switch (random_below(random, 8)) {
    case 0:
    case 1:
    case 2:
        disk_image_write(&inode->image, offset, data, size);
        return true;
    case 3:
    case 4:
    case 5:
        return false;
    case 6:
        disk_image_write(&inode->image, offset, data, random_below(random, size));
        return false;
    default:
        sector_spoil(inode, offset, random);
        return false;
    }
}

static uint64_t sector_size(uint64_t offset, uint64_t size)
{
    return min_u64(DISK_SECTOR_BYTES - offset % DISK_SECTOR_BYTES, size);
}

static uint64_t decide_each(struct disk_inode *inode, uint64_t offset, const uint8_t *data,
                            uint64_t size, struct random *random)
{
    uint64_t spoilt = 0;
    while (size > 0) {
        uint64_t part = sector_size(offset, size);
        spoilt += !sector_decide(inode, offset, data, part, random);
        offset += part;
        data = data == NULL ? NULL : data + part;
        size -= part;
    }
    return spoilt;
}

/* Zeros over what was never written are zeros, kept or lost, so only what is there is decided, and
 * some sectors are spoilt wherever they are: a filled log has thousands that are alike. */
#define ZERO_SECTORS_SPOILT_MAX 8u

static uint64_t decide_zeros(struct disk_inode *inode, uint64_t offset, uint64_t size,
                             struct random *random)
{
    uint64_t spoilt = 0;
    uint64_t end = min_u64(offset + size, inode->image.page_count * DISK_IMAGE_PAGE_BYTES);
    for (uint64_t at = offset; at < end;) {
        uint64_t next = min_u64(align_up(at + 1, DISK_IMAGE_PAGE_BYTES), end);
        if (disk_image_has(&inode->image, at)) {
            spoilt += decide_each(inode, at, NULL, next - at, random);
        }
        at = next;
    }
    for (uint64_t left = random_below(random, ZERO_SECTORS_SPOILT_MAX + 1); left > 0; left--) {
        sector_spoil(inode, offset + random_below(random, size), random);
        spoilt++;
    }
    return spoilt;
}

static uint64_t decide_prefix(struct disk_inode *inode, uint64_t offset, const uint8_t *data,
                              uint64_t size, struct random *random)
{
    uint64_t kept = random_below(random, size);
    disk_image_write(&inode->image, offset, data, kept);
    return div_ceil(size - kept, DISK_SECTOR_BYTES);
}

static uint64_t decide_by_mood(struct disk_inode *inode, uint64_t offset, const void *data,
                               uint64_t size, enum disk_mood mood, struct random *random)
{
    switch (mood) {
    case DISK_MOOD_KEPT:
        disk_image_write(&inode->image, offset, data, size);
        return 0;
    case DISK_MOOD_LOST:
        return div_ceil(size, DISK_SECTOR_BYTES);
    case DISK_MOOD_PREFIX:
        return decide_prefix(inode, offset, data, size, random);
    case DISK_MOOD_EACH:
        return data == NULL ? decide_zeros(inode, offset, size, random)
                            : decide_each(inode, offset, data, size, random);
    case DISK_MOOD_COUNT:
        break;
    }
    UNREACHABLE();
}

uint64_t disk_inode_decide(struct disk_inode *inode, uint64_t offset, const void *data,
                           uint64_t size, struct random *random)
{
    if (size == 0) {
        return 0;
    }
    enum disk_mood mood = (enum disk_mood)random_below(random, DISK_MOOD_COUNT);
    uint64_t spoilt = decide_by_mood(inode, offset, data, size, mood, random);
    disk_image_cut(&inode->image, inode->size_durable);
    return spoilt;
}

uint64_t disk_inode_drop(struct disk_inode *inode, struct random *random)
{
    for (uint32_t i = 0; i < inode->dirty_count; i++) {
        uint64_t end = inode->dirty[i].offset + inode->dirty[i].size;
        if (end > inode->size_durable) {
            if (random_below(random, 2) == 0) {
                break;
            }
            inode->size_durable = end;
        }
    }
    uint64_t spoilt = 0;
    for (uint32_t i = 0; i < inode->dirty_count; i++) {
        const struct disk_dirty *dirty = &inode->dirty[i];
        spoilt += disk_inode_decide(inode, dirty->offset, dirty->data, dirty->size, random);
    }
    dirty_drop_all(inode);
    inode->size = inode->size_durable;
    return spoilt;
}

void disk_inode_cut(struct disk_inode *inode, uint64_t size)
{
    ASSERT(size <= inode->size);
    disk_inode_commit(inode, UINT64_MAX);
    disk_image_cut(&inode->image, size);
    inode->size_durable = size;
    inode->size = size;
}

uint64_t disk_inodes_bytes(const struct disk_inodes *inodes)
{
    uint64_t sum = 0;
    for (const struct disk_inode *inode = inodes->first; inode != NULL; inode = inode->next) {
        sum += inode->size;
    }
    return sum;
}
