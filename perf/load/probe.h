/* The thread that measures freshness from outside: an event for an entity that the load never
 * touches, then HMGET again and again until its count moves. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "controlplane/sender_key.h"
#include "dataplane/base/histogram.h"
#include "perf/load/endpoint.h"
#include "perf/load/event.h"
#include "perf/load/options.h"

struct probe {
    const struct options *options; /* Borrowed. */
    struct event_maker maker;
    uint64_t producer;
    const struct sender_key *key;                        /* Borrowed; NULL: no tags. */
    char feature[NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX]; /* The count() with the longest window. */
    int fd;                                              /* UDP, borrowed. */
    void *context;                                       /* Owned; the query connection. */
    pthread_t thread;
    bool started;
    _Atomic bool shared_stop;
    /* Owner: the thread. */
    struct histogram latency_ns;     /* Due to readable. */
    _Atomic uint64_t shared_sent;    /* Events. */
    _Atomic uint64_t shared_unseen;  /* Not readable within a second. */
    _Atomic uint64_t shared_skipped; /* Not sent: an unseen one took their time. */
};

/* Returns 0 (also when no probe is wanted), or -1 with error set; probe_stop() is right in both
 * cases. A view without count() cannot be probed: that is an error. */
int probe_start(struct probe *probe, const struct options *options, const struct event_maker *maker,
                uint64_t producer, const struct sender_key *key, int fd,
                char error[ENDPOINT_ERROR_SIZE_MAX]);
void probe_stop(struct probe *probe);
