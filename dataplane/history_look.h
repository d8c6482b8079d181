/* Events of several messages, looked at together: whether rows take them. Each step asks for the
 * memory that the next one needs, of all events, so that none waits for it: keys and hashes, then a
 * bit of the filter, then tags of 16 bits, then rows, then the bytes of the events that rows take.
 * A stream of a team's hand has one; events stay in the order in which they came. Private to
 * history_*.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/history_inside.h"

/* A view's row of an event. */
struct history_ask {
    uint64_t hash;      /* history_slot_hash() */
    uint64_t word;      /* history_slot_word() */
    const uint8_t *key; /* NULL: a number, all in the word. */
    uint32_t place;     /* Where the row may be. */
    uint16_t key_size;
    uint8_t event; /* Of the probe. */
    uint8_t w;     /* Among the stream's views that are asked for. */
};

_Static_assert(BURST_EVENTS_MAX <= UINT8_MAX + 1, "an event of the probe is one byte");

struct history_look {
    struct burst probe;                  /* Time and keys. */
    int64_t came_us[BURST_EVENTS_MAX];   /* T; TRUE, INT64_MAX: it was too late. */
    int64_t before_us[BURST_EVENTS_MAX]; /* Reads that are due behind it know the event. */
    uint32_t views[BURST_EVENTS_MAX];    /* Places of views that take it: their rows are */
    uint32_t row[VIEWS_PER_STREAM_MAX][BURST_EVENTS_MAX]; /* these. */
    uint32_t picked_count;                                /* Events that some view takes, */
    uint8_t picked[BURST_EVENTS_MAX];                     /* in their order. */
    uint32_t ask_count;
    struct history_ask *ask; /* Owned; BURST_EVENTS_MAX of each view. */
    uint8_t *key;            /* Owned; of each view, KEY_STRIDE apart: those that are no number. */
    uint8_t *copy;           /* Owned; bytes of the events that were picked. */
};

MUST_USE enum result history_look_open(uint32_t view_count, struct history_look **out_look);
void history_look_close(struct history_look *look); /* NULL is fine. */

/* Adds events of a record; those of history->take are asked for. The probe has room, and their
 * bytes stay until history_look_pick(). */
void history_look_add(struct history *history, uint32_t stream, uint32_t shard,
                      const struct mirror_entry *entry, const struct wire_message *wire,
                      struct history_part part, uint32_t count);
/* Picks the events that rows take: they are the stream's burst then, which was empty, with
 * own->views; look->picked says which. The probe is empty again. */
void history_look_pick(struct history *history, struct history_stream *own);
