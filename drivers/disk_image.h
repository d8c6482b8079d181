/* Bytes of one simulated file, sparse: what was never written, or written with zeros alone, costs
 * nothing. It has no length of its own; what lies beyond the file is zeros. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DISK_IMAGE_PAGE_BYTES 4096u

struct disk_image {
    uint8_t **page; /* page_count of them; NULL: zeros. */
    uint64_t page_count;
};

void disk_image_deinit(struct disk_image *image);
void disk_image_read(const struct disk_image *image, uint64_t offset, void *data, uint64_t size);
/* False when the page of this offset is zeros that cost nothing. */
bool disk_image_has(const struct disk_image *image, uint64_t offset);
/* data NULL: zeros. */
void disk_image_write(struct disk_image *image, uint64_t offset, const void *data, uint64_t size);
/* Everything from size on becomes zeros. */
void disk_image_cut(struct disk_image *image, uint64_t size);
