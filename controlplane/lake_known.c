/* Segments and files that a manifest has. Files of a segment are forgotten when it is whole. */
#include <string.h>

#include "controlplane/lake_manifest_inside.h"
#include "drivers/memory.h"

#define CAPACITY_MIN 64u
#define SHARD_BITS   6u

_Static_assert(SHARDS_MAX == 1u << SHARD_BITS, "a shard fits the low bits of a key");

/* Numbers of segments have 58 bits and more to go. */
static uint64_t key_of(uint32_t shard, uint64_t segment)
{
    return segment << SHARD_BITS | shard;
}

void lake_known_free(struct lake_known *known)
{
    heap_free(known->whole);
    heap_free(known->file);
    *known = (struct lake_known){0};
}

/* Place of the first key at or above it. */
static uint32_t whole_place(const struct lake_known *known, uint64_t key)
{
    uint32_t low = 0;
    uint32_t high = known->whole_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (known->whole[middle] < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool lake_known_segment(const struct lake_known *known, uint32_t shard, uint64_t segment)
{
    uint64_t key = key_of(shard, segment);
    uint32_t place = whole_place(known, key);
    return place < known->whole_count && known->whole[place] == key;
}

bool lake_known_file(const struct lake_known *known, uint32_t shard, uint64_t segment,
                     const char *stream, int64_t hour)
{
    uint64_t key = key_of(shard, segment);
    for (uint32_t i = 0; i < known->file_count; i++) {
        const struct lake_known_file *file = &known->file[i];
        if (file->key == key && file->hour == hour && strcmp(file->stream, stream) == 0) {
            return true;
        }
    }
    return lake_known_segment(known, shard, segment);
}

/* Makes room for one more; items: a pointer to their array. */
static bool room_make(void **items, uint32_t count, uint32_t *capacity, uint64_t size)
{
    if (count < *capacity) {
        return true;
    }
    uint32_t more = *capacity > 0 ? 2 * *capacity : CAPACITY_MIN;
    void *grown = heap_realloc(*items, more * size);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *capacity = more;
    return true;
}

enum result lake_known_add_file(struct lake_known *known, const struct lake_file *file)
{
    void *items = known->file;
    if (lake_known_file(known, file->shard, file->segment, file->stream, file->hour)) {
        return RESULT_OK;
    }
    if (!room_make(&items, known->file_count, &known->file_capacity, sizeof(*known->file))) {
        return RESULT_NO_MEMORY;
    }
    known->file = items;
    struct lake_known_file *added = &known->file[known->file_count++];
    *added =
        (struct lake_known_file){.key = key_of(file->shard, file->segment), .hour = file->hour};
    memcpy(added->stream, file->stream, sizeof(added->stream));
    return RESULT_OK;
}

static void files_forget(struct lake_known *known, uint64_t key)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < known->file_count; i++) {
        if (known->file[i].key != key) {
            known->file[kept++] = known->file[i];
        }
    }
    known->file_count = kept;
}

enum result lake_known_add_segment(struct lake_known *known, uint32_t shard, uint64_t segment)
{
    uint64_t key = key_of(shard, segment);
    void *items = known->whole;
    if (lake_known_segment(known, shard, segment)) {
        return RESULT_OK;
    }
    if (!room_make(&items, known->whole_count, &known->whole_capacity, sizeof(*known->whole))) {
        return RESULT_NO_MEMORY;
    }
    known->whole = items;
    uint32_t place = whole_place(known, key);
    memmove(known->whole + place + 1, known->whole + place,
            (known->whole_count - place) * sizeof(*known->whole));
    known->whole[place] = key;
    known->whole_count++;
    files_forget(known, key);
    return RESULT_OK;
}
