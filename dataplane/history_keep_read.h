/* The way back: a part's items, unpacked in the order in which they were added. Inline: it is in
 * the way of every event that a row takes. */
#pragma once

#include <string.h>

#include "dataplane/feature/cell.h"
#include "dataplane/history_keep.h"

#define HISTORY_GROUP_FIELDS 4u
/* That have their bytes in front of an item. */
#define HISTORY_FIRST_GROUPS 2u
/* Of packed items, that are asked for. */
#define HISTORY_BYTES_AHEAD 512u

/* Where the fields of a group end, by what the byte before them says: fields are read at once, not
 * each when the one before it was. */
extern const uint8_t history_keep_ends[256][HISTORY_GROUP_FIELDS];

struct history_keep_cursor {
    const struct history_block *block; /* NULL: at the end. */
    const uint8_t *at;
    uint32_t slot;      /* Of the next item, where there is one, */
    uint32_t stretch;   /* as is this. */
    const uint8_t *end; /* Of the block's items. */
    const struct history_keep_part *part;
    uint32_t slot_first; /* Of the part. */
    struct history_before before;
};

void history_keep_begin(const struct history_keep *keep, uint32_t part,
                        struct history_keep_cursor *cursor);
/* To a block; NULL: behind the last one. */
void history_keep_enter(struct history_keep_cursor *cursor, const struct history_block *block);

/* A group that is read. */
struct history_group {
    const uint8_t *at; /* Its first field. */
    uint32_t classes;
};

/* What is behind it. */
static inline const uint8_t *history_group_end(struct history_group group)
{
    return group.at + history_keep_ends[group.classes][HISTORY_GROUP_FIELDS - 1];
}

static inline uint64_t history_field_read(struct history_group group, uint32_t field)
{
    static const uint64_t mask[] = {0, UINT16_MAX, UINT32_MAX, UINT64_MAX};
    uint64_t value;
    uint32_t begin = field == 0 ? 0 : history_keep_ends[group.classes][field - 1];
    memcpy(&value, group.at + begin, sizeof(value));
    return value & mask[group.classes >> 2 * field & 3];
}

/* Of a number whose sign is its bit 0. */
static inline uint64_t history_sign_high(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

/* At an item: looks at what it begins with. */
static inline void history_item_enter(struct history_keep_cursor *cursor, const uint8_t *at)
{
    const struct history_group group = {.at = at + HISTORY_FIRST_GROUPS, .classes = at[0]};
    cursor->at = at;
    cursor->slot = cursor->slot_first + (uint32_t)history_field_read(group, 0);
    cursor->stretch = cursor->before.stretch + (uint32_t)history_field_read(group, 1);
}

/* The next item, of the words that it was added with; then the cursor is behind it. */
static inline void history_keep_next(struct history_keep_cursor *cursor, uint32_t words,
                                     struct history_item *item)
{
    struct history_before *before = &cursor->before;
    const uint8_t *at = cursor->at;
    __builtin_prefetch(at + HISTORY_BYTES_AHEAD);
    struct history_group group = {.at = at + HISTORY_FIRST_GROUPS, .classes = at[0]};
    uint64_t came = (uint64_t)before->came_us + history_sign_high(history_field_read(group, 2));
    item->slot = cursor->slot;
    item->stretch = cursor->stretch;
    item->came_us = (int64_t)came;
    item->words[SINGLE_TIME] = came + history_sign_high(history_field_read(group, 3));
    group = (struct history_group){.at = history_group_end(group), .classes = at[1]};
    item->words[SINGLE_ORDER] = before->order + history_sign_high(history_field_read(group, 0));
    uint32_t field = 1;
    for (uint32_t w = SINGLE_NULLS; w < words; w++) {
        if (field == HISTORY_GROUP_FIELDS) {
            at = history_group_end(group);
            group = (struct history_group){.at = at + 1, .classes = *at};
            field = 0;
        }
        item->words[w] = history_sign_high(history_field_read(group, field++));
    }
    *before = (struct history_before){
        .stretch = item->stretch, .came_us = item->came_us, .order = item->words[SINGLE_ORDER]};
    /* No block is without any. */
    at = history_group_end(group);
    if (at == cursor->end) {
        history_keep_enter(cursor, cursor->block->next);
    } else {
        history_item_enter(cursor, at);
    }
}
