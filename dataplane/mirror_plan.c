#include "dataplane/mirror_plan.h"

#include <string.h>

#include "dataplane/base/assert.h"

void mirror_plan_init(struct mirror_plan *plan, struct arena *arena)
{
    *plan = (struct mirror_plan){.catalogs =
                                     arena_take(arena, MIRROR_PLAN_BYTES_MAX, CACHE_LINE_BYTES)};
}

void mirror_plan_note(struct mirror_plan *plan, const struct mirror_entry *entry)
{
    ASSERT(entry->kind == MIRROR_PLAN);
    ASSERT(entry->note_size <= CATALOG_BYTES_MAX);
    bool is_unrouted = mirror_plan_is_unrouted(entry);
    if (!is_unrouted) {
        plan->count = 0;
    } else if (plan->is_unrouted) {
        plan->count--;
    }
    uint32_t at = plan->count == 0 ? 0 : plan->size[0];
    memcpy(plan->catalogs + at, entry->note, entry->note_size);
    plan->size[plan->count++] = entry->note_size;
    plan->is_unrouted = is_unrouted;
    plan->version++;
}

void mirror_plan_copy(struct mirror_plan *plan, const struct mirror_plan *from)
{
    if (plan->version == from->version) {
        return;
    }
    uint8_t *catalogs = plan->catalogs;
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        bytes += from->size[i];
    }
    memcpy(catalogs, from->catalogs, bytes);
    *plan = *from;
    plan->catalogs = catalogs;
}

uint32_t mirror_plan_bytes(const struct mirror_plan *plan, uint32_t limit)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        bytes += mirror_note_bytes(MIRROR_PLAN, plan->size[i]);
    }
    return bytes <= limit ? bytes : 0;
}

void mirror_plan_encode(const struct mirror_plan *plan, uint64_t lsn, int64_t apply_us,
                        uint8_t *out)
{
    const uint8_t *catalog = plan->catalogs;
    for (uint32_t i = 0; i < plan->count; i++) {
        bool is_unrouted = plan->is_unrouted && i + 1 == plan->count;
        struct mirror_entry entry = {.kind = MIRROR_PLAN,
                                     .flags =
                                         (uint8_t)(MIRROR_PLAN_FLAG_REPEATED |
                                                   (is_unrouted ? MIRROR_PLAN_FLAG_UNROUTED : 0)),
                                     .apply_us = apply_us,
                                     .lsn = lsn,
                                     .note = catalog,
                                     .note_size = plan->size[i]};
        out += mirror_note_encode(&entry, out);
        catalog += plan->size[i];
    }
}
