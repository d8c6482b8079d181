/* The thread that reads features by the timetable, over several connections, pipelining where
 * replies are slow: an open loop. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/histogram.h"
#include "perf/load/endpoint.h"
#include "perf/load/event.h"
#include "perf/load/options.h"

struct querier_connection;

struct querier {
    const struct options *options; /* Borrowed. */
    struct event_maker maker;
    struct schedule schedule;
    uint32_t connection_count;
    struct querier_connection *connection; /* Owned. */
    char *features;                        /* Owned; RESP bulk strings of the features. */
    uint32_t features_size;
    uint32_t feature_count;
    uint32_t next; /* Owner: the thread; whose turn it is. */
    int64_t start_ns;
    pthread_t thread;
    bool started;
    _Atomic bool shared_stop;
    /* Owner: the thread. */
    struct histogram latency_ns; /* Due to reply complete. */
    _Atomic uint64_t shared_requests;
    _Atomic uint64_t shared_errors;           /* Error replies. */
    _Atomic uint64_t shared_unanswered;       /* Never answered; in latency_ns with their age. */
    _Atomic bool shared_broken;               /* A connection was closed or sent no RESP. */
    char error_text[ENDPOINT_ERROR_SIZE_MAX]; /* First error reply; read after stop. */
};

/* Opens the connections and starts the thread. Returns 0, or -1 with error set; querier_stop() is
 * right in both cases. */
int querier_start(struct querier *querier, const struct options *options,
                  const struct event_maker *maker, char error[ENDPOINT_ERROR_SIZE_MAX]);
/* Ends the thread (what is under way gets a second) and closes the connections. */
void querier_stop(struct querier *querier);
