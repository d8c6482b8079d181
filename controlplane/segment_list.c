#include "controlplane/segment_list.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/memory.h"

#define CAPACITY_FIRST 16u

void segment_list_deinit(struct segment_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        disk_file_close(list->segment[i].file);
    }
    heap_free(list->segment);
    *list = (struct segment_list){.segment = NULL};
}

enum result segment_list_reserve(struct segment_list *list)
{
    if (list->count < list->capacity) {
        return RESULT_OK;
    }
    uint32_t capacity = list->capacity == 0 ? CAPACITY_FIRST : list->capacity * 2;
    struct segment *segment = heap_realloc(list->segment, capacity * sizeof(*segment));
    if (segment == NULL) {
        return RESULT_NO_MEMORY;
    }
    list->segment = segment;
    list->capacity = capacity;
    return RESULT_OK;
}

static void segment_place(struct segment_list *list, uint32_t at, const struct segment *segment)
{
    ASSERT(list->count < list->capacity);
    memmove(&list->segment[at + 1], &list->segment[at],
            (list->count - at) * sizeof(list->segment[0]));
    list->segment[at] = *segment;
    list->count++;
    if (segment->number > list->number_last) {
        list->number_last = segment->number;
    }
}

void segment_list_insert(struct segment_list *list, const struct segment *segment)
{
    ASSERT(list->kept == list->count);
    uint32_t at = list->kept;
    while (at > 0 && list->segment[at - 1].number > segment->number) {
        at--;
    }
    segment_place(list, at, segment);
    list->kept++;
    list->kept_bytes += segment->bytes;
}

void segment_list_push(struct segment_list *list, const struct segment *segment)
{
    ASSERT(list->count == 0 || list->segment[list->count - 1].number < segment->number);
    segment_place(list, list->count, segment);
}

void segment_list_seal(struct segment_list *list, const struct mirror_sealed *sealed)
{
    ASSERT(list->kept < list->count);
    struct segment *segment = &list->segment[list->kept];
    ASSERT(segment->number == sealed->number);
    ASSERT(segment->file == sealed->file);
    disk_file_close(segment->file);
    segment->file = NULL;
    segment->first_lsn = sealed->first_lsn;
    segment->before_lsn = list->end_lsn;
    segment->apply_us = sealed->apply_us;
    segment->broken = sealed->broken != 0;
    list->end_lsn = sealed->last_lsn;
    list->kept++;
    list->kept_bytes += segment->bytes;
}

void segment_list_drop(struct segment_list *list)
{
    ASSERT(list->kept > 0);
    list->kept--;
    list->count--;
    list->kept_bytes -= list->segment[0].bytes;
    memmove(&list->segment[0], &list->segment[1], list->count * sizeof(list->segment[0]));
}

uint32_t segment_list_ready(const struct segment_list *list, uint64_t current)
{
    uint32_t count = 0;
    for (uint32_t i = list->kept; i < list->count; i++) {
        count += list->segment[i].number > current;
    }
    return count;
}

uint64_t segment_list_find(const struct segment_list *list, uint64_t lsn)
{
    if (list->kept == 0 || lsn >= list->end_lsn) {
        return list->kept < list->count ? list->segment[list->kept].number : list->number_last + 1;
    }
    uint32_t at = list->kept - 1;
    while (at > 0 && list->segment[at].before_lsn > lsn) {
        at--;
    }
    return list->segment[at].number;
}
