#include "controlplane/lake_places.h"

#include <string.h>

#include "controlplane/lake_manifest.h"
#include "drivers/memory.h"

#define SLOTS     (2 * LAKE_PLACES_MAX)
#define SLOT_FREE UINT32_MAX

_Static_assert((SLOTS & (SLOTS - 1)) == 0, "slots are found by a mask");
_Static_assert(LAKE_PLACES_MAX + STREAMS_MAX < SLOTS, "a slot is always free");

enum result lake_places_init(struct lake_places *places)
{
    /* One more for each stream: events without an hour. */
    places->place = heap_alloc((LAKE_PLACES_MAX + STREAMS_MAX) * sizeof(*places->place));
    places->slot = heap_alloc(SLOTS * sizeof(*places->slot));
    return places->place == NULL || places->slot == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

void lake_places_deinit(struct lake_places *places)
{
    heap_free(places->place);
    heap_free(places->slot);
}

void lake_places_clear(struct lake_places *places)
{
    places->count = 0;
    memset(places->slot, 0xff, SLOTS * sizeof(*places->slot));
}

/* The slot of the place, or the free one where it goes. */
static uint32_t *slot_find(struct lake_places *places, const struct lake_table *table, int64_t hour)
{
    uint64_t mixed = ((uint64_t)hour << 16 ^ table->stream->id) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(mixed >> 32) & (SLOTS - 1);
    for (; places->slot[at] != SLOT_FREE; at = (at + 1) & (SLOTS - 1)) {
        const struct lake_place *place = &places->place[places->slot[at]];
        if (place->table == table && place->hour == hour) {
            break;
        }
    }
    return &places->slot[at];
}

bool lake_places_find(struct lake_places *places, struct lake_table *table, int64_t hour,
                      uint32_t *out_index)
{
    uint32_t *slot = slot_find(places, table, hour);
    if (*slot == SLOT_FREE && places->count >= LAKE_PLACES_MAX) {
        hour = LAKE_HOUR_NONE;
        slot = slot_find(places, table, hour);
    }
    bool found = *slot != SLOT_FREE;
    if (!found) {
        *slot = places->count++;
        places->place[*slot] = (struct lake_place){.table = table, .hour = hour};
    }
    *out_index = *slot;
    return found;
}
