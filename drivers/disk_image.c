#include "drivers/disk_image.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/memory.h"

void disk_image_deinit(struct disk_image *image)
{
    for (uint64_t i = 0; i < image->page_count; i++) {
        heap_free(image->page[i]);
    }
    heap_free(image->page);
    *image = (struct disk_image){0};
}

static uint64_t part_size(uint64_t offset, uint64_t size)
{
    uint64_t room = DISK_IMAGE_PAGE_BYTES - offset % DISK_IMAGE_PAGE_BYTES;
    return size < room ? size : room;
}

static uint8_t *page_find(const struct disk_image *image, uint64_t offset)
{
    uint64_t index = offset / DISK_IMAGE_PAGE_BYTES;
    return index < image->page_count ? image->page[index] : NULL;
}

bool disk_image_has(const struct disk_image *image, uint64_t offset)
{
    return page_find(image, offset) != NULL;
}

void disk_image_read(const struct disk_image *image, uint64_t offset, void *data, uint64_t size)
{
    uint8_t *to = data;
    while (size > 0) {
        uint64_t part = part_size(offset, size);
        const uint8_t *page = page_find(image, offset);
        if (page == NULL) {
            memset(to, 0, part);
        } else {
            memcpy(to, page + offset % DISK_IMAGE_PAGE_BYTES, part);
        }
        offset += part;
        to += part;
        size -= part;
    }
}

static uint8_t *page_make(struct disk_image *image, uint64_t offset)
{
    uint64_t index = offset / DISK_IMAGE_PAGE_BYTES;
    if (index >= image->page_count) {
        uint64_t count = index + 1 + image->page_count / 2;
        image->page = heap_realloc(image->page, count * sizeof(image->page[0]));
        ASSERT(image->page != NULL);
        memset(image->page + image->page_count, 0,
               (count - image->page_count) * sizeof(image->page[0]));
        image->page_count = count;
    }
    if (image->page[index] == NULL) {
        image->page[index] = heap_alloc_lines(DISK_IMAGE_PAGE_BYTES);
        ASSERT(image->page[index] != NULL);
    }
    return image->page[index];
}

static bool is_zero(const uint8_t *data, uint64_t size)
{
    return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

static void image_zero(struct disk_image *image, uint64_t offset, uint64_t size)
{
    uint64_t end = image->page_count * DISK_IMAGE_PAGE_BYTES;
    if (offset >= end) {
        return;
    }
    size = size < end - offset ? size : end - offset;
    while (size > 0) {
        uint64_t part = part_size(offset, size);
        uint8_t *page = page_find(image, offset);
        if (page != NULL) {
            memset(page + offset % DISK_IMAGE_PAGE_BYTES, 0, part);
        }
        offset += part;
        size -= part;
    }
}

void disk_image_write(struct disk_image *image, uint64_t offset, const void *data, uint64_t size)
{
    if (data == NULL) {
        image_zero(image, offset, size);
        return;
    }
    const uint8_t *from = data;
    while (size > 0) {
        uint64_t part = part_size(offset, size);
        if (page_find(image, offset) != NULL || !is_zero(from, part)) {
            memcpy(page_make(image, offset) + offset % DISK_IMAGE_PAGE_BYTES, from, part);
        }
        offset += part;
        from += part;
        size -= part;
    }
}

void disk_image_cut(struct disk_image *image, uint64_t size)
{
    image_zero(image, size, UINT64_MAX - size);
}
