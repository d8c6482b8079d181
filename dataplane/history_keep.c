#include "dataplane/history_keep.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/limits.h"
#include "dataplane/history_keep_read.h"

#define GROUP_FIELDS HISTORY_GROUP_FIELDS
/* Before the words behind SINGLE_ORDER: slot, stretch, T and time in a group, order in the next. */
#define HEAD_FIELDS 5u
/* Fields are written and read as eight bytes each, what is behind them too. */
#define SLACK_BYTES sizeof(uint64_t)

/* Bytes of a field of the class that two bits are. */
#define CLASS_BYTES(class) ((1u << (class)) & ~1u)

#define FIELD_ENDS_1(g)                                                                            \
    {                                                                                              \
        CLASS_BYTES((g)&3), CLASS_BYTES((g)&3) + CLASS_BYTES((g) >> 2 & 3),                        \
            CLASS_BYTES((g)&3) + CLASS_BYTES((g) >> 2 & 3) + CLASS_BYTES((g) >> 4 & 3),            \
            CLASS_BYTES((g)&3) + CLASS_BYTES((g) >> 2 & 3) + CLASS_BYTES((g) >> 4 & 3) +           \
                CLASS_BYTES((g) >> 6)                                                              \
    }
#define FIELD_ENDS_4(g)                                                                            \
    FIELD_ENDS_1(g), FIELD_ENDS_1((g) + 1), FIELD_ENDS_1((g) + 2), FIELD_ENDS_1((g) + 3)
#define FIELD_ENDS_16(g)                                                                           \
    FIELD_ENDS_4(g), FIELD_ENDS_4((g) + 4), FIELD_ENDS_4((g) + 8), FIELD_ENDS_4((g) + 12)
#define FIELD_ENDS_64(g)                                                                           \
    FIELD_ENDS_16(g), FIELD_ENDS_16((g) + 16), FIELD_ENDS_16((g) + 32), FIELD_ENDS_16((g) + 48)

const uint8_t history_keep_ends[256][GROUP_FIELDS] = {FIELD_ENDS_64(0u), FIELD_ENDS_64(64u),
                                                      FIELD_ENDS_64(128u), FIELD_ENDS_64(192u)};

static uint64_t packed_bytes_max(uint32_t words)
{
    uint64_t fields = HEAD_FIELDS + words - SINGLE_NULLS;
    return fields * sizeof(uint64_t) + div_ceil(fields, GROUP_FIELDS) + SLACK_BYTES;
}

enum result history_keep_init(struct history_keep *keep, uint64_t bytes, uint32_t part_shift)
{
    ASSERT(sizeof(struct history_block) + packed_bytes_max(SINGLE_WORDS_MAX + SOURCES_MAX) <=
           HISTORY_BLOCK_BYTES);
    *keep = (struct history_keep){.bytes_max = bytes, .part_shift = part_shift};
    return memory_map(bytes, /* touch= */ 0, &keep->region);
}

void history_keep_deinit(struct history_keep *keep)
{
    if (keep->region.base != NULL) {
        memory_unmap(&keep->region);
    }
    *keep = (struct history_keep){0};
}

/* An empty block; NULL: all are taken. */
static struct history_block *block_take(struct history_keep *keep)
{
    struct history_block *block = keep->free;
    if (block != NULL) {
        keep->free = block->next;
    } else if (keep->bytes_max - keep->used >= HISTORY_BLOCK_BYTES) {
        block = (struct history_block *)((uint8_t *)keep->region.base + keep->used);
        keep->used += HISTORY_BLOCK_BYTES;
    } else {
        return NULL;
    }
    block->next = NULL;
    return block;
}

/* Makes room in the part for so many bytes; false: all blocks are taken. */
static bool room_make(struct history_keep *keep, struct history_keep_part *part, uint64_t bytes)
{
    struct history_block *last = part->last;
    if (last != NULL && (uint64_t)((uint8_t *)last + HISTORY_BLOCK_BYTES - part->at) >= bytes) {
        return true;
    }
    struct history_block *block = block_take(keep);
    if (block == NULL) {
        return false;
    }
    if (last == NULL) {
        part->first = block;
    } else {
        last->used = (uint64_t)(part->at - last->data);
        last->next = block;
    }
    part->last = block;
    part->at = block->data;
    part->before = (struct history_before){0};
    return true;
}

static uint64_t sign_low(uint64_t value)
{
    return value << 1 ^ (0 - (value >> 63));
}

/* Where the next field goes, and the group that it is of. */
struct packer {
    uint8_t *at;
    uint8_t *group;
    uint32_t classes; /* Of the group. */
    uint32_t field;
};

static inline void field_write(struct packer *packer, uint64_t value)
{
    uint32_t place = packer->field++ % GROUP_FIELDS;
    if (place == 0) {
        bool first = packer->field <= HISTORY_FIRST_GROUPS * GROUP_FIELDS;
        packer->group = first ? packer->group + 1 : packer->at++;
        packer->classes = 0;
    }
    uint32_t class = (uint32_t)(value != 0) + (value >> 16 != 0) + (value >> 32 != 0);
    memcpy(packer->at, &value, sizeof(value));
    packer->classes |= class << 2 * place;
    packer->at += CLASS_BYTES(class);
    if (place == GROUP_FIELDS - 1) {
        *packer->group = (uint8_t)packer->classes;
    }
}

bool history_keep_add(struct history_keep *keep, const struct history_item *item, uint32_t words)
{
    struct history_keep_part *part = &keep->part[item->slot >> keep->part_shift];
    if (!room_make(keep, part, packed_bytes_max(words))) {
        return false;
    }
    struct history_before *before = &part->before;
    struct packer packer = {.at = part->at + HISTORY_FIRST_GROUPS, .group = part->at - 1};
    ASSERT(item->stretch >= before->stretch && words >= SINGLE_VALUES);
    uint64_t came = (uint64_t)item->came_us;
    field_write(&packer, item->slot & ((1u << keep->part_shift) - 1));
    field_write(&packer, item->stretch - before->stretch);
    field_write(&packer, sign_low(came - (uint64_t)before->came_us));
    field_write(&packer, sign_low(item->words[SINGLE_TIME] - came));
    field_write(&packer, sign_low(item->words[SINGLE_ORDER] - before->order));
    for (uint32_t w = SINGLE_NULLS; w < words; w++) {
        field_write(&packer, sign_low(item->words[w]));
    }
    *before = (struct history_before){
        .stretch = item->stretch, .came_us = item->came_us, .order = item->words[SINGLE_ORDER]};
    *packer.group = (uint8_t)packer.classes;
    part->at = packer.at;
    part->items++;
    part->bytes += history_item_bytes(words);
    /* Where the part's next items go comes near, while others have theirs. */
    __builtin_prefetch(packer.at + CACHE_LINE_BYTES, 1, 2);
    return true;
}

void history_keep_give(struct history_keep *keep, uint32_t first, uint32_t end)
{
    for (uint32_t p = first; p < end; p++) {
        struct history_keep_part *part = &keep->part[p];
        if (part->last != NULL) {
            part->last->next = keep->free;
            keep->free = part->first;
            *part = (struct history_keep_part){.first = NULL};
        }
    }
}

void history_keep_begin(const struct history_keep *keep, uint32_t part,
                        struct history_keep_cursor *cursor)
{
    *cursor = (struct history_keep_cursor){.part = &keep->part[part],
                                           .slot_first = part << keep->part_shift};
    history_keep_enter(cursor, keep->part[part].first);
}

void history_keep_enter(struct history_keep_cursor *cursor, const struct history_block *block)
{
    cursor->block = block;
    if (block != NULL) {
        cursor->end = block == cursor->part->last ? cursor->part->at : block->data + block->used;
        cursor->before = (struct history_before){0};
        history_item_enter(cursor, block->data);
    }
}
