#include "dataplane/feature/row_set.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/base/units.h"

#define PLACES_MIN 16u

/* Half of the places stay free. */
static uint64_t places_of(uint32_t rows_max)
{
    uint64_t places = PLACES_MIN;
    while (places < 2 * (uint64_t)rows_max) {
        places *= 2;
    }
    return places;
}

uint64_t row_set_footprint(uint32_t rows_max, uint64_t key_bytes_max)
{
    return places_of(rows_max) * sizeof(struct row_set_entry) +
           align_up(key_bytes_max, sizeof(uint64_t));
}

void row_set_init(struct row_set *set, uint32_t rows_max, void *memory)
{
    uint64_t places = places_of(rows_max);
    ASSERT(places <= UINT32_MAX);
    *set = (struct row_set){.capacity = rows_max,
                            .mask = (uint32_t)places - 1,
                            .place = memory,
                            .keys = (uint8_t *)memory + places * sizeof(struct row_set_entry)};
    memset(set->place, 0, places * sizeof(struct row_set_entry));
}

/* Where the row is, or would be. */
static struct row_set_entry *place_of(const struct row_set *set, uint32_t view, const uint8_t *key,
                                      uint32_t key_size)
{
    uint64_t hash = hash_table(key, key_size, view);
    for (uint64_t at = hash;; at++) {
        struct row_set_entry *place = &set->place[at & set->mask];
        bool same = place->hash == hash && place->view == view && place->key_size == key_size &&
                    memcmp(set->keys + place->key_at, key, key_size) == 0;
        if (place->key_size == 0 || same) {
            return place;
        }
    }
}

void row_set_add(struct row_set *set, uint32_t view, const uint8_t *key, uint32_t key_size)
{
    ASSERT(key_size > 0 && key_size <= KEY_SIZE_MAX);
    struct row_set_entry *place = place_of(set, view, key, key_size);
    if (place->key_size != 0) {
        return;
    }
    ASSERT(set->count < set->capacity);
    *place = (struct row_set_entry){.hash = hash_table(key, key_size, view),
                                    .key_at = set->keys_size,
                                    .key_size = (uint16_t)key_size,
                                    .view = (uint16_t)view};
    memcpy(set->keys + set->keys_size, key, key_size);
    set->keys_size += key_size;
    set->count++;
}

struct row_set_entry *row_set_find(const struct row_set *set, uint32_t view, const uint8_t *key,
                                   uint32_t key_size)
{
    struct row_set_entry *place =
        set->count == 0 || key_size == 0 ? NULL : place_of(set, view, key, key_size);
    return place == NULL || place->key_size == 0 ? NULL : place;
}
