/* One run of the load: its threads, its connection for commands, and what came out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "perf/load/options.h"
#include "perf/load/probe.h"
#include "perf/load/querier.h"
#include "perf/load/sender.h"
#include "perf/load/status.h"

struct load {
    const struct options *options; /* Borrowed. */
    const struct plan *plan;       /* Borrowed. */
    redisContext *context;         /* Owned; commands of the main thread. */
    struct event_maker maker;
    struct sender_key key;          /* With --key-file. */
    struct freshet_producer *acked; /* Owned; NULL without --acked. */
    struct sender sender;
    struct querier querier;
    struct probe probe;
    struct status before;
    bool interrupted;
};

/* What the run ends with. */
struct load_result {
    struct sender_counts sent;
    uint64_t sent_all;    /* Events, probes included. */
    struct status server; /* Differences over the run; balance is absolute. */
    int64_t lost;         /* Sent and never received. */
    double seconds;
};

void load_result_make(struct load *load, const struct status *after, double seconds,
                      struct load_result *out);
/* Names of bounds that were passed, each to stderr; returns their number. */
uint32_t load_bounds_check(const struct load *load, const struct load_result *result);
void load_print_text(const struct load *load, const struct load_result *result);
void load_print_json(const struct load *load, const struct load_result *result, uint32_t failed);

/* The live table, every second: values since the last call beside those since the start. */
struct load_table {
    bool terminal;
    uint32_t lines; /* Printed last time. */
    int64_t last_ns;
    uint64_t last_sent;
    uint64_t last_applied;
    struct histogram last_read; /* As it was at the last call. */
    struct histogram last_fresh;
};
void load_table_init(struct load_table *table);
void load_table_print(struct load *load, struct load_table *table);
