#include "dataplane/history_slots.h"

#include <stdbool.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

#define LARGE_BYTES (1 * MIB)

/* At most half of the places are taken, so a search ends. */
enum result history_slots_init(struct history_slots *slots, uint32_t count)
{
    uint64_t places = 64;
    while (places < 2 * (uint64_t)count) {
        places *= 2;
    }
    ASSERT(places <= UINT32_MAX);
    *slots = (struct history_slots){.mask = places - 1};
    uint64_t slot_bytes = places * sizeof(*slots->slot);
    uint64_t tag_bytes = places * sizeof(*slots->tag);
    uint64_t filter_bytes = (places << HISTORY_FILTER_SHIFT) / 8;
    if (slot_bytes >= LARGE_BYTES) {
        enum result result =
            memory_map(slot_bytes + tag_bytes + filter_bytes, /* touch= */ 0, &slots->region);
        if (result == RESULT_OK) {
            slots->slot = slots->region.base;
            slots->tag = (uint16_t *)(void *)((uint8_t *)slots->region.base + slot_bytes);
            slots->filter = (uint64_t *)(void *)((uint8_t *)slots->tag + tag_bytes);
        }
        return result;
    }
    slots->tag = heap_alloc(tag_bytes);
    slots->slot = heap_alloc_lines(slot_bytes);
    slots->filter = heap_alloc(filter_bytes);
    if (slots->tag == NULL || slots->slot == NULL || slots->filter == NULL) {
        history_slots_deinit(slots);
        return RESULT_NO_MEMORY;
    }
    memset(slots->tag, 0, tag_bytes);
    memset(slots->filter, 0, filter_bytes);
    return RESULT_OK;
}

void history_slots_deinit(struct history_slots *slots)
{
    if (slots->region.base != NULL) {
        memory_unmap(&slots->region);
    } else {
        heap_free(slots->tag);
        heap_free(slots->slot);
        heap_free(slots->filter);
    }
    *slots = (struct history_slots){0};
}

/* The row's place, or the free one where it would be; end: there is neither before it. */
static uint64_t place_find(const struct history_slots *slots, uint64_t hash, uint32_t view,
                           const uint8_t *key, uint32_t key_size, uint64_t end)
{
    uint16_t tag = history_slot_tag(hash);
    uint64_t word = history_slot_word(key, key_size);
    uint64_t place = history_slot_place(slots, hash);
    while (place != end && slots->tag[place] != 0 &&
           (slots->tag[place] != tag ||
            !history_slot_is(&slots->slot[place], hash, view, word, key, key_size))) {
        place = place + 1 == end ? end : (place + 1) & slots->mask;
    }
    return place;
}

uint32_t history_slot_add(struct history_slots *slots, uint64_t hash, uint32_t view,
                          const uint8_t *key, uint32_t key_size, uint64_t end)
{
    uint64_t place = place_find(slots, hash, view, key, key_size, end);
    if (place == end) {
        return HISTORY_SLOT_NONE;
    }
    if (slots->tag[place] == 0) {
        uint64_t bit = history_slot_bit(slots, hash);
        slots->filter[bit / 64] |= UINT64_C(1) << bit % 64;
        slots->tag[place] = history_slot_tag(hash);
        slots->slot[place] = (struct history_slot){.hash = hash,
                                                   .key_word = history_slot_word(key, key_size),
                                                   .key = key,
                                                   .view = (uint16_t)view,
                                                   .key_size = (uint16_t)key_size,
                                                   .due_us = INT64_MIN,
                                                   .came_us = INT64_MIN};
    }
    return (uint32_t)place;
}

uint32_t history_slot_find(const struct history_slots *slots, uint64_t hash, uint32_t view,
                           const uint8_t *key, uint32_t key_size)
{
    uint64_t place = place_find(slots, hash, view, key, key_size, HISTORY_SLOTS_ALL);
    return slots->tag[place] == 0 ? HISTORY_SLOT_NONE : (uint32_t)place;
}
