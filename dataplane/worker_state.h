/* What a worker is made of: for the files of dataplane/ that are its stages. Not a door.
 *
 * Owner of everything is the worker thread but for fields that start with shared_ and what their
 * own headers say. */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/acks.h"
#include "dataplane/base/arena.h"
#include "dataplane/base/ring.h"
#include "dataplane/feature/burst.h"
#include "dataplane/feature/compute.h"
#include "dataplane/feature/text.h"
#include "dataplane/lanes.h"
#include "dataplane/mesh.h"
#include "dataplane/mirror.h"
#include "dataplane/plan_door.h"
#include "dataplane/publish.h"
#include "dataplane/shard.h"
#include "dataplane/visible.h"
#include "dataplane/walk.h"
#include "dataplane/worker.h"

/* Events per turn after which no further message is begun, and the time after which none is. */
#define TURN_EVENTS_MAX BURST_EVENTS_MAX
#define TURN_US_MAX     16u
/* More time from one turn to the next is a clock that was set, or a thread that did not run. */
#define TURN_LEAP_US       US_PER_SECOND
#define SAMPLE_RING_LINES  256u
#define SAMPLE_INTERVAL_US US_PER_MS
/* Room in the log that a record of the mesh may need. */
#define FORWARD_ENTRY_MAX (MIRROR_FORWARD_HEADER + EVENT_SIZE_MAX)
/* Normalised text events of one burst. */
#define TEXT_SPACE_BYTES (256 * KIB)

/* What the turn keeps of a port between receive and release. */
struct worker_intake {
    struct net_burst burst;
    uint32_t next;               /* Message not yet taken. */
    uint8_t drop[NET_BURST_MAX]; /* What authentication says of each; DROP_NONE: go on. */
};

/* Where the events of the burst came from, for drops and samples, and where their verdicts go. */
struct burst_origin {
    const struct net_message *message[BURST_EVENTS_MAX];
    uint8_t *verdict[BURST_EVENTS_MAX]; /* u32 in the log's buffer; NULL: there is no log. */
    uint8_t *record[BURST_EVENTS_MAX];  /* The event's bytes there. */
    uint32_t line[BURST_EVENTS_MAX];    /* Text: byte of the datagram where the event begins. */
};

struct worker_turn_state {
    int64_t apply_us;   /* T of the burst that is gathered or was applied last. */
    int64_t arrival_ns; /* When the turn took its messages. */
    uint64_t end_ticks; /* No message is begun after. */
    uint32_t events;    /* Taken so far. */
    bool is_published;  /* Readers have seen T: what comes needs another. */
    bool sampled;       /* A sample of this turn waits in sample. */
    struct worker_sample sample;
};

struct worker {
    /* Constant after init, but for what comes with another plan (plan_door.h). */
    struct worker_options options;
    const struct schema *schema[STREAMS_MAX];
    const struct plan *plan_first; /* That it was made with. */
    int64_t since_us[VIEWS_MAX];   /* When a view's history begins. */
    uint64_t turn_ticks_max;
    /* Plans and history. Owner: control thread, */
    _Atomic(const struct plan_step *) shared_step;
    /* and from here on: worker. */
    const struct plan_step *step; /* NULL: the first plan. */
    _Atomic(const struct plan_step *) shared_step_entered;
    _Atomic uint64_t shared_routes_lsn;
    uint8_t routed[STREAMS_MAX]; /* Views of each stream that events of this home go to. */
    struct ring *filling;        /* NULL: none comes. Borrowed. */
    uint32_t filling_home;       /* Whose horizons these are: */
    int64_t filling_fold_us[STREAMS_MAX];
    int64_t filling_watermark_us; /* Of the burst. */
    _Atomic uint64_t shared_filling_refused;
    struct worker_turn_state turn;
    int64_t heard_us; /* Time without leaps: what the silence of lanes is measured by. */
    struct worker_intake intake[WORKER_PORTS_MAX];
    const struct keyring *keyring[WORKER_PORTS_MAX]; /* Of this turn. */
    uint32_t intake_first;                           /* Port that the next turn begins with. */
    struct lanes lanes;
    struct mesh mesh;
    struct mirror mirror;
    struct acks acks;
    struct walk walk;
    struct shard shard;
    /* Forwards that homes send again after a crash: taken before the mesh. Borrowed. */
    const void *const *again;
    uint32_t again_count;
    uint32_t again_at;
    _Atomic uint32_t shared_again_left;
    struct burst *burst;
    struct program_space *program_space;
    struct pattern_bits *pattern_bits;
    struct burst_origin *origin;
    bool burst_forwarded;    /* The burst holds forwards: routed and judged already. */
    bool burst_is_history;   /* The burst holds events for views that are filled later. */
    uint32_t *forward_views; /* Per event of such a burst: mask of the stream's views. */
    struct shard_batch batch[VIEWS_PER_STREAM_MAX];
    uint8_t *text_space;
    uint32_t text_used;
    uint64_t text_sequence;
    int64_t watermark_us[STREAMS_MAX];       /* Moved by records. */
    int64_t watermark_burst_us[STREAMS_MAX]; /* Before the burst: what late means. */
    uint32_t stream_moved; /* Of the burst before, whose records moved its watermark, */
    int64_t moved_us;      /* and its T. */
    int64_t sample_next_us;
    uint32_t sample_bursts; /* That were asked for a sample. */
    struct visible visible;
    struct counters *counters;
    struct counters_monitor *monitor[STREAMS_MAX]; /* NULL: the stream is not watched. */
    struct drop_log *drop_log;
    struct ring sample_ring;     /* Producer: worker; consumer: the sampling thread. */
    _Atomic bool shared_drain;   /* Owner: control thread. */
    _Atomic bool shared_drained; /* Nothing is left, and nothing more is asked for. */
    alignas(CACHE_LINE_BYTES) _Atomic int64_t shared_apply_us;
    struct publish_fold fold;
};
