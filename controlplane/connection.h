/* One client: its socket, what it sent and was not run yet, what it was answered and did not read
 * yet. Owner: one serving thread.
 *
 * A client that does not read its replies is not read from above CONNECTION_OUTPUT_SOFT_BYTES, and
 * closed above the hard limit or after CONNECTION_STALL_NS without progress. One whose password is
 * being verified is not read from, and its requests wait. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "controlplane/buffer.h"
#include "controlplane/command.h"
#include "controlplane/resp.h"

#define CONNECTION_OUTPUT_SOFT_BYTES (UINT64_C(1) << 20)
#define CONNECTION_OUTPUT_HARD_BYTES (UINT64_C(64) << 20) /* Above any one reply. */
#define CONNECTION_COMMANDS_PER_TURN 64u
#define CONNECTION_STALL_NS          (INT64_C(60) * 1000000000)
#define CONNECTION_LOGIN_NS          (INT64_C(30) * 1000000000) /* To say who it is. */

/* What serving threads count; one writer each, any reader, relaxed. */
struct serving_counters {
    _Atomic uint64_t shared_commands;
    _Atomic uint64_t shared_errors;
    _Atomic uint64_t shared_bytes_in;
    _Atomic uint64_t shared_bytes_out;
    _Atomic uint64_t shared_clients_closed;
    _Atomic uint64_t shared_ended; /* Connections that are gone, whoever closed them. */
    struct histogram read_duration_ns;
    struct counters_objective objective[OBJECTIVES_MAX]; /* Of reads. */
};

struct connection {
    int fd;
    uint32_t slot; /* In the server's list. */
    uint32_t thread;
    uint32_t events; /* What epoll was last asked for. */
    struct session session;
    struct resp_parser parser;
    struct buffer input;
    struct buffer output;
    uint64_t input_used;  /* Bytes at the front of input that were run. */
    uint64_t output_sent; /* Bytes at the front of output that the kernel has. */
    int64_t opened_ns;    /* Monotonic, as the next two. */
    int64_t received_ns;  /* When the newest bytes came. */
    int64_t progress_ns;  /* When output last became empty or shorter. */
    bool more;            /* Input may hold a complete request. */
    bool ended;           /* The client sends no more. */
    bool broken;          /* The socket is dead. */
    bool killed;          /* By another client; under the server's lock. */
    bool closed_by_us;    /* Limit or protocol error. */
    bool queued;          /* In its thread's list of connections with more to run. */
    bool waits;           /* In its thread's list of those whose login is being verified. */
    struct connection *queue_next;
    struct connection *wait_next;
};

/* Takes fd over. */
void connection_open(struct connection *connection, int fd, uint64_t id, int64_t now_us);
void connection_close(struct connection *connection);

/* One turn: sends what waits, receives once when readable, runs at most
 * CONNECTION_COMMANDS_PER_TURN requests, sends again. Returns false when the connection is over
 * and shall be closed. */
bool connection_turn(struct connection *connection, struct command_host *host,
                     struct serving_counters *counters, bool readable);

static inline uint64_t connection_output_waiting(const struct connection *connection)
{
    return connection->output.size - connection->output_sent;
}
/* Whether its password is being verified. */
static inline bool connection_login_waits(const struct connection *connection)
{
    return connection->session.login != NULL;
}
/* EPOLLIN and EPOLLOUT, as its state asks for. */
uint32_t connection_events(const struct connection *connection);
