/* The RESP2/RESP3 server on a unix socket and TCP: every Redis client is an SDK.
 *
 * Serving threads with one epoll loop each, one struct reader each. A slow or silent client hurts
 * only itself: bounded input, bounded output, then it is not read until it reads. */
#pragma once

#include <stdint.h>

#include "dataplane/base/histogram.h"
#include "dataplane/base/result.h"

struct appliance;
struct server;

struct server_options {
    const char *unix_path; /* "" : off. A stale socket file is replaced, a live one is an error. */
    uint32_t unix_mode;    /* Of the socket's file: who may connect. */
    const char *tcp;       /* "127.0.0.1:6380"; port 0: the kernel picks; "" : off. */
    uint32_t thread_count;
    int64_t stall_ns; /* A client that reads nothing of its replies so long is closed; 0: 60 s. */
};

/* Listens and starts its threads; thread i uses reader thread_index i. error: see appliance.h. */
MUST_USE enum result server_open(struct appliance *appliance, const struct server_options *options,
                                 struct server **out_server, char *error, uint32_t error_size);
void server_close(struct server *server); /* NULL is fine. */
uint16_t server_tcp_port(const struct server *server);

/* For metrics and INFO; any thread. */
struct server_statistics {
    uint64_t connections_accepted;
    uint64_t connections_open;
    uint64_t connections_refused; /* Over the limit, or denied. */
    uint64_t logins_refused;      /* HTTP's too. */
    uint64_t commands;
    uint64_t errors; /* Commands answered with an error. */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t clients_closed; /* By us: output limit or protocol error. */
};
void server_statistics_read(const struct server *server, struct server_statistics *out);
/* Adds the durations (ns, request complete to reply queued) of feature reads to out. */
void server_read_duration(const struct server *server, struct histogram *out);
/* Adds the reads that an objective of the plan counts: the good ones first. */
void server_objective_read(const struct server *server, uint32_t objective, uint64_t *good,
                           uint64_t *total);
