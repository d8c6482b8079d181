/* The server as its own files see it: its threads, its listeners and its table of connections.
 * server.c opens and closes, server_thread.c runs the loops, server_accept.c takes clients in,
 * server_clients.c keeps the table. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config/config.h"
#include "controlplane/command.h"
#include "controlplane/connection.h"
#include "controlplane/server.h"
#include "controlplane/server_clients.h"

/* What an epoll event is about, when it is no connection. */
enum listener_kind { LISTENER_UNIX, LISTENER_TCP, LISTENER_COUNT };

struct server_thread {
    struct server *server;
    uint32_t index;
    int epoll_fd;
    int wake_fd;
    bool started;
    pthread_t thread;
    struct reader *reader;
    struct command_host host;
    struct serving_counters counters;
    struct connection *queue; /* Connections with more to run. Owner: the thread. */
    struct connection *waits; /* Connections whose login is being verified. Owner: the thread. */
    bool woken;               /* wake_fd was written. */
    int64_t looked_ns;
    uint64_t assigned; /* Connections it was given. Owner: the accepting thread. */
};

struct server {
    struct appliance *appliance; /* Borrowed. */
    int64_t stall_ns;
    char unix_path[CONFIG_PATH_SIZE_MAX];
    int listener_fd[LISTENER_COUNT]; /* -1: off. */
    int spare_fd;                    /* Given up to refuse a client when descriptors run out. */
    char tcp_ip[64];
    uint16_t tcp_port;
    _Atomic bool shared_stop;
    uint32_t thread_count;
    struct server_thread *thread; /* Owned. */
    uint64_t id_next;             /* Owner: the accepting thread, which is thread 0. */
    _Atomic uint64_t shared_accepted;
    _Atomic uint64_t shared_refused;
    pthread_mutex_t lock; /* Of taken[], client[] and of the names in sessions. */
    bool taken[SERVER_CLIENTS_MAX];
    struct connection *client[SERVER_CLIENTS_MAX]; /* What others may see. */
    struct connection *place;                      /* Owned: SERVER_CLIENTS_MAX of them. */
};

/* A place for a connection, NULL when all are taken. Owner: the accepting thread. */
struct connection *server_client_take(struct server *server);
/* Makes a connection that is ready visible to all threads. */
void server_client_show(struct server *server, struct connection *connection);
/* Hides a connection from other threads, closes it, and gives its place back. */
void server_client_give_back(struct server *server, struct connection *connection);

/* IP and port as text; "" and 0 for a unix socket. */
void server_address_read(const struct sockaddr_storage *address, char *ip, uint32_t ip_size,
                         uint16_t *out_port);
/* Takes in some of the clients that wait at a listener. The accepting thread only. */
void server_accept(struct server *server, enum listener_kind kind);

/* Thread 0 accepts: it starts last. A thread that failed to open is closed like another. */
MUST_USE enum result server_thread_open(struct server *server, uint32_t index);
void server_thread_stop(struct server_thread *thread);
void server_thread_close(struct server_thread *thread); /* After all threads have stopped. */
