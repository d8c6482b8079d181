/* History of views that are new in a plan of workers that run: records of the log, read again on a
 * control thread (replay.h, FILL) and handed to the owner of each row through a ring.
 *
 * They are applied as a start does that rebuilds the view: folding goes by what the records of
 * their home had found by then, not by what is now, because a row that history has not filled yet
 * must not be taken for one that is past its ttl. Adding commutes, so live events of the view may
 * come in between. */
#pragma once

#include <stdint.h>

#include "dataplane/filling_door.h"

struct worker;

/* First in each record. */
enum filling_kind { FILLING_EVENT, FILLING_ROW, FILLING_PLACE };

struct filling_record {
    uint32_t kind;
    uint32_t views; /* Bit i: view i of the stream. */
    uint16_t stream;
    uint16_t version;
    uint16_t event_size; /* 0: it tells the home's watermark alone. */
    uint16_t home;
    uint64_t order;
    int64_t watermark_us; /* Of the stream at its home, before the record's turn. */
    uint8_t event[];
};

struct filling_row {
    uint32_t kind;
    struct tile_row row;
};

struct filling_stand {
    uint32_t kind;
    struct filling_place place;
};

/* Once a turn, when its bursts are applied: takes some records, fewer in a turn with events. */
void filling_turn(struct worker *worker);
