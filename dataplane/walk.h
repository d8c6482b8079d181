/* The walk of a checkpoint: copies the rows that changed since the last one, a quantum per turn,
 * into blocks of tile files. Fuzzy: a row is copied as it is when the walk comes by; its LSN tells
 * replay which records it has.
 *
 *   idle -> rows (the slabs, by line) -> moved (rows that moved behind the cursor) -> lanes -> idle
 *
 * A row that moves from before the cursor to behind it would be missed: its new place is noted and
 * copied later. One that is removed needs no note: it was past its ttl, and an event that meets
 * such a row begins it anew (shard.c), so that it makes no difference whether a checkpoint still
 * has it. When there are more moved rows than notes, the walk begins again.
 *
 * Owner: worker. Blocks change hands by their state; mirror_door.h and walk_door.h say what the
 * control plane sees. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/arena.h"
#include "dataplane/shard.h"
#include "dataplane/walk_door.h"

struct worker;

#define WALK_MOVED_MAX 65536u
#define WALK_ROWS_BUSY 128u       /* Rows looked at per turn with events, */
#define WALK_ROWS_IDLE 1024u      /* and per turn without. */
#define WALK_BYTES_MAX (64 * KIB) /* Copied per turn. */
#define WALK_LANES_MAX 8u         /* Lanes per turn. */

enum walk_state { WALK_IDLE, WALK_ROWS, WALK_MOVED, WALK_LANES, WALK_END };

struct walk {
    /* Constant after init. */
    bool enabled;
    /* Owner: worker. */
    enum walk_state state;
    uint64_t generation;     /* Of the walk under way, or the last one. */
    uint64_t since_lsn;      /* Rows above it are copied, */
    struct walk_scope scope; /* of these views. */
    uint64_t cursor;         /* Line of the region; rows that start before it were looked at. */
    uint32_t lane;
    uint32_t block;      /* Being filled. */
    uint32_t block_used; /* Bytes of content. */
    uint32_t block_count;
    uint64_t row_count;
    uint64_t *moved; /* Ring of lines. A row that is noted says so itself: row_meta.walk_due. */
    uint32_t moved_head;
    uint32_t moved_tail;
    struct walk_block *blocks; /* WALK_BLOCKS. */
    struct walk_summary summary;
    _Atomic uint64_t shared_request;   /* Generation wanted; owner: control. */
    _Atomic uint64_t shared_since_lsn; /* Owner: control, as the next. */
    _Atomic uint32_t shared_view_first;
    _Atomic uint32_t shared_view_end;
    _Atomic bool shared_rows_alone;
};

uint64_t walk_footprint(bool enabled);
void walk_init(struct walk *walk, bool enabled, struct arena *arena);
/* Once a turn, after publish. */
void walk_turn(struct worker *worker);
/* True while a walk is under way and has room to copy to. */
bool walk_may_go_on(const struct walk *walk);
/* A row moved from old_line to line (row: its new place): if the walk has passed the new place, and
 * not the old one, the row is noted to be copied there. */
void walk_note_moved(struct walk *walk, uint64_t *row, uint64_t line, uint64_t old_line);
/* False while a walk has to copy so many noted rows that more of them would hold it up. */
bool walk_bears_moves(const struct walk *walk);
