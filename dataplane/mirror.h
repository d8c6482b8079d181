/* The mirror writer of a shard: gathers what the turns decided, as entries of one frame, while the
 * frame before is on its way to the disk. What it says to be durable is.
 *
 *   gathering -> sealed (header, crc) -> in flight -> durable: acknowledged, its buffer free again
 *
 * Two buffers: one gathers, one is in flight. A commit begins when none is in flight and something
 * has waited long enough, and takes all that was gathered: nothing is split, so a message's records
 * lie in one frame. When both buffers are full, messages are refused before they are accepted. The
 * first of a segment's frames that has records begins with the plan by which they were written.
 *
 * A write that failed is never believed to have done nothing: the segment is sealed at what is
 * durable and the frame goes to a new one. Two such in a row, and the shard's log is dead: reads go
 * on, nothing is accepted. Owner: worker; the rings meet the keeper of segments. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/arena.h"
#include "dataplane/base/histogram.h"
#include "dataplane/base/ring.h"
#include "dataplane/feature/mirror_format.h"
#include "dataplane/lanes.h"
#include "dataplane/mirror_door.h"
#include "dataplane/mirror_plan.h"
#include "drivers/disk.h"

#define MIRROR_BUFFERS      DISK_QUEUE_BUFFERS
#define MIRROR_BUFFER_BYTES (MIRROR_SEGMENT_HEADER + MIRROR_FRAME_BYTES_MAX)
#define MIRROR_ENTRIES_MAX  ((uint32_t)(MIRROR_FRAME_BYTES_MAX - MIRROR_FRAME_HEADER))
/* Acked messages of one frame: none is smaller than its entry without events. */
#define MIRROR_NOTES_MAX (MIRROR_ENTRIES_MAX / MIRROR_MESSAGE_HEADER + 1)
/* What waits that long, or is that much, is committed. */
#define MIRROR_COMMIT_US    US_PER_MS
#define MIRROR_COMMIT_BYTES (256 * KIB)
/* Between tries at a disk that is full, or has no segment ready. */
#define MIRROR_RETRY_US   (10 * US_PER_MS)
#define MIRROR_AGAIN_MAX  1000u
#define MIRROR_RING_LINES 64u

/* An acked message in a frame: whom its durability concerns. */
struct mirror_waiter {
    struct lane *lane;
    struct lane_message message;
};

struct mirror_buffer {
    uint8_t *segment_header; /* 4 KiB, and right behind it: */
    uint8_t *frame;          /* MIRROR_FRAME_BYTES_MAX */
    uint32_t used;           /* Bytes of entries. */
    uint32_t crc_done;       /* Of which are in crc. */
    uint32_t crc;
    uint64_t first_lsn;
    uint64_t last_lsn;
    int64_t since_us;        /* When its first entry came. */
    int64_t apply_us;        /* Of its latest. */
    struct mirror_plan plan; /* In force before its first entry, */
    bool has_plan;           /* which is among its entries by now. */
    uint32_t waiter_count;
    struct mirror_waiter *waiter;
    uint64_t forward_lsn[SHARDS_MAX]; /* Per home: greatest LSN of its forwards up to this frame. */
};

enum mirror_state {
    MIRROR_IDLE,   /* Nothing in flight. */
    MIRROR_FLYING, /* One write is. */
    MIRROR_RETRY,  /* The write has to be made again, at retry_us. */
    MIRROR_DEAD,   /* Read only. */
};

/* Frames that are durable here but wait for homes: see mirror_complete_turn(). */
struct mirror_pending {
    uint64_t lsn;
    uint64_t forward_lsn[SHARDS_MAX];
};
#define MIRROR_PENDING_MAX 8u

struct mirror {
    /* Constant after open. */
    bool enabled;
    uint32_t shard;
    uint32_t shard_count;
    uint32_t epoch;
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint64_t segment_bytes;
    struct disk_queue *queue;
    /* Owner: worker. */
    struct mirror_buffer buffer[MIRROR_BUFFERS];
    uint32_t gathering; /* Index of the buffer that takes entries. */
    enum mirror_state state;
    struct mirror_plan plan;   /* In force behind all that was appended. */
    struct disk_file *segment; /* NULL: none yet. */
    bool segment_has_plan;     /* One of its frames had records. */
    uint64_t segment_number;
    uint64_t segment_offset; /* Where the next frame goes. */
    uint64_t segment_lsn;    /* First one of the segment. */
    uint64_t sealed_lsn;     /* What the log before this segment ends with. */
    uint32_t chain_crc;
    uint64_t durable_lsn;
    bool witness_due; /* Something was acknowledged that no later frame vouches for. */
    int64_t durable_us;
    /* The write in flight. */
    const uint8_t *write_data;
    uint32_t write_left;
    uint64_t write_offset;
    uint64_t write_end; /* Of the frame, in the segment. */
    uint32_t write_frame_crc;
    int64_t write_start_us;
    int64_t write_us; /* How long the last one took. */
    uint32_t again_count;
    uint32_t broken_count; /* In a row. */
    int64_t retry_us;
    uint64_t tag;
    struct ring ready;                /* Producer: the keeper. struct mirror_ready */
    struct ring sealed;               /* Producer: worker. struct mirror_sealed */
    uint64_t forward_lsn[SHARDS_MAX]; /* Of all forwards appended so far. */
    struct mirror_pending pending[MIRROR_PENDING_MAX];
    uint32_t pending_count;
    struct mirror_shared shared;
};

uint64_t mirror_footprint(bool enabled);
void mirror_init(struct mirror *mirror, bool enabled, uint32_t shard, uint32_t shard_count,
                 struct arena *arena);
/* Before the first turn. next_lsn: the last LSN that was given before this epoch's first. */
void mirror_open(struct mirror *mirror, const struct mirror_options *options);

/* True when an entry of bytes fits what is gathered now. Always, when there is no log. */
bool mirror_has_room(const struct mirror *mirror, uint32_t bytes);

/* Appends an entry that has room; returns its first byte, whose verdicts the caller sets until the
 * turn's end. NULL when there is no log. waiter: its lane when it waits for an acknowledgement. */
uint8_t *mirror_append(struct mirror *mirror, const struct mirror_entry *entry,
                       struct lane *waiter);

/* Once at the end of each turn, after all verdicts are set. on_durable hears of each acked message
 * whose frame became durable. */
typedef void mirror_on_durable(void *context, const struct mirror_waiter *waiter);
void mirror_turn(struct mirror *mirror, int64_t now_us, mirror_on_durable *on_durable,
                 void *context);

/* Moves the complete LSN (shared_complete_lsn) up to what the homes' durable LSNs allow. home_lsn:
 * shared_durable_lsn of each shard. */
void mirror_complete_turn(struct mirror *mirror, const uint64_t home_lsn[SHARDS_MAX]);

/* True when nothing is gathered or in flight. */
static inline bool mirror_is_quiet(const struct mirror *mirror)
{
    return !mirror->enabled || mirror->state == MIRROR_DEAD ||
           (mirror->state == MIRROR_IDLE && mirror->buffer[mirror->gathering].used == 0 &&
            !mirror->witness_due);
}
