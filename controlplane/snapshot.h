/* All figures of the appliance at one moment, summed over shards: what every report renders from.
 * The renderers take nothing else, so tests render figures that they made up. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/backfill.h"
#include "controlplane/canary.h"
#include "controlplane/freshness.h"
#include "controlplane/objectives.h"
#include "controlplane/quality.h"
#include "controlplane/served.h"
#include "controlplane/server.h"
#include "controlplane/store.h"
#include "dataplane/base/histogram.h"
#include "dataplane/base/result.h"
#include "dataplane/counters.h"
#include "dataplane/feature/plan.h"
#include "dataplane/worker.h"
#include "drivers/net.h"

#define SNAPSHOT_LANES_MAX 4096

struct snapshot_stream {
    uint64_t received;
    uint64_t applied;
    uint64_t quarantined;
    uint64_t drop[DROP_COUNT];
    uint64_t violation[FIELDS_MAX][RULE_COUNT];
    int64_t watermark_us; /* Greatest of all shards; INT64_MIN: none yet. */
    struct quality_report quality;
};

struct snapshot_view {
    uint64_t applied;
    uint64_t rows;
    uint64_t bytes;
    uint64_t drop[DROP_COUNT]; /* Scope VIEW. */
    uint64_t apply_ticks;      /* Of sampled bursts. */
    uint64_t apply_sampled;
    int64_t since_us; /* When every shard had begun to take its events. */
};

struct snapshot_shard {
    uint16_t core;
    uint64_t counter[COUNTER_COUNT];
    uint64_t memory_used_bytes;
    uint64_t memory_taken_bytes;
    uint64_t memory_cap_bytes;
    const char *pages;
    double busy_ratio;
    double events_per_second;
    /* Of its log; zeros without a store. */
    uint64_t log_durable_lsn;
    uint64_t log_complete_lsn;
    uint64_t log_held; /* MIRROR_HELD_*: 0 unless it waits for space, or is dead. */
    uint64_t log_gathered_bytes;
    uint64_t log_segment;
    uint64_t log_commit_p50_us;
    uint64_t log_commit_p99_us;
    uint64_t segments_kept;
    uint64_t segments_kept_bytes;
    uint64_t segments_ready;
};

struct snapshot_port {
    char name[NET_ERROR_SIZE_MAX];
    uint16_t number;
    struct net_statistics statistics;
};

struct snapshot_appliance {
    const char *version;
    const char *run_id;
    const char *clock;
    int64_t now_us;
    int64_t start_us;
    bool ready;
    bool sleeps;
    bool cores_shared;
    uint32_t serving_threads;
    uint64_t heap_bytes;
    double ns_per_tick;
    uint64_t freshness_unseen;
};

struct snapshot {
    const struct plan *plan;   /* Borrowed. */
    uint32_t view_count_start; /* Views of it that were there at the start. */
    struct snapshot_appliance appliance;
    struct snapshot_stream stream[STREAMS_MAX + 1]; /* The last: what names no stream. */
    struct snapshot_view view[VIEWS_MAX];
    uint32_t shard_count;
    struct snapshot_shard shard[SHARDS_MAX];
    uint32_t port_count;
    struct snapshot_port port[WORKER_PORTS_MAX];
    uint32_t lane_count;
    struct lane_report *lane; /* Owned; most messages first. */
    const struct histogram
        *freshness; /* Borrowed, [view][stage], of views of the start; NULL: none. */
    struct server_statistics server;
    struct histogram reads; /* Nanoseconds. */
    struct objective_figures objective[OBJECTIVES_MAX];
    bool has_store;
    struct store_report store;
    struct recovery_report recovery;
    struct backfill_report backfill;
    /* Zeros while no answers are recorded. */
    struct served_report served;
    struct canary_report canary;
    const struct plan *parity_plan; /* Borrowed: of whose services parity has the values. */
    uint32_t parity_count;
    uint64_t (*parity)[PARITY_COUNT]; /* Owned: as canary_values_read() has it; NULL: no canary. */
};

struct appliance;

/* Allocates; snapshot_free() it. Any thread. */
MUST_USE enum result snapshot_take(const struct appliance *appliance,
                                   struct snapshot **out_snapshot);
void snapshot_free(struct snapshot *snapshot); /* NULL is fine. */

/* True for the reasons why events of a stream were not applied: of scope MESSAGE and EVENT. */
bool snapshot_drop_is_of_stream(enum drop drop);
/* Events of a stream that were not applied: the sum of these drops. */
uint64_t snapshot_drops(const struct snapshot_stream *stream);
/* How old the newest event of a stream is; before there is one, how long the process waits. */
int64_t snapshot_newest_age_us(const struct snapshot *snapshot, uint32_t stream);
/* received - applied - drops: 0 at any quiet moment. */
int64_t snapshot_balance(const struct snapshot_stream *stream);
/* Its greatest drop, DROP_NONE when there is none. Duplicates count last: they are normal. */
enum drop snapshot_top_drop(const struct snapshot_stream *stream);
/* Streams to report: the nameless one, which is last, only when it has counts. */
uint32_t snapshot_stream_count(const struct snapshot *snapshot);
const struct snapshot_stream *snapshot_stream_at(const struct snapshot *snapshot, uint32_t stream);
/* Name of a stream for people: "(none)" for the nameless one. */
const char *snapshot_stream_name(const struct snapshot *snapshot, uint32_t stream);
