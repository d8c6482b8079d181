#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "controlplane/appliance.h"
#include "controlplane/served_take.h"
#include "controlplane/server_inside.h"
#include "dataplane/base/assert.h"
#include "drivers/clock.h"

#define EVENTS_PER_TURN 64
#define LOOK_MS         1000

/* Its thread only. */
static void client_end(struct server_thread *thread, struct connection *connection)
{
    if (connection->queued) {
        struct connection **at = &thread->queue;
        while (*at != connection) {
            at = &(*at)->queue_next;
        }
        *at = connection->queue_next;
    }
    if (connection->waits) {
        struct connection **at = &thread->waits;
        while (*at != connection) {
            at = &(*at)->wait_next;
        }
        *at = connection->wait_next;
    }
    session_login_forget(thread->server->appliance, &connection->session);
    (void)epoll_ctl(thread->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
    server_client_give_back(thread->server, connection);
    counter_add(&thread->counters.shared_ended, 1);
}

static void client_turn(struct server_thread *thread, struct connection *connection, bool readable)
{
    if (!connection_turn(connection, &thread->host, &thread->counters, readable)) {
        client_end(thread, connection);
        return;
    }
    if (connection_login_waits(connection) && !connection->waits) {
        connection->waits = true;
        connection->wait_next = thread->waits;
        thread->waits = connection;
    }
    if (connection->more && !connection->queued && !connection_login_waits(connection) &&
        connection_output_waiting(connection) <= CONNECTION_OUTPUT_SOFT_BYTES) {
        connection->queued = true;
        connection->queue_next = thread->queue;
        thread->queue = connection;
    }
    uint32_t events = connection_events(connection);
    if (events != connection->events) {
        struct epoll_event event = {.events = events, .data.ptr = connection};
        connection->events = events;
        (void)epoll_ctl(thread->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
    }
}

/* One turn for each connection that had more to run than the last turn allowed. */
static void queue_turn(struct server_thread *thread)
{
    struct connection *connection = thread->queue;
    thread->queue = NULL;
    while (connection != NULL) {
        struct connection *next = connection->queue_next;
        connection->queued = false;
        connection->queue_next = NULL;
        client_turn(thread, connection, false);
        connection = next;
    }
}

/* A login no longer waits: one turn for each connection that may be meant. */
static void waits_turn(struct server_thread *thread)
{
    uint64_t count;
    struct connection *connection = thread->waits;
    ssize_t taken = read(thread->wake_fd, &count, sizeof(count));
    (void)taken; /* Nothing to take: it was for a turn that came before. */
    thread->waits = NULL;
    while (connection != NULL) {
        struct connection *next = connection->wait_next;
        connection->waits = false;
        connection->wait_next = NULL;
        client_turn(thread, connection, false);
        connection = next;
    }
}

static bool is_over_time(const struct server *server, const struct connection *connection,
                         int64_t now_ns)
{
    bool stalled = connection_output_waiting(connection) > 0 &&
                   now_ns - connection->progress_ns > server->stall_ns;
    bool unknown = connection->session.role == USER_ROLE_NONE &&
                   now_ns - connection->opened_ns > CONNECTION_LOGIN_NS;
    return stalled || unknown;
}

/* Closes clients that have not read a byte of their replies, or not said who they are, for too
 * long. */
static void stalled_close(struct server_thread *thread, int64_t now_ns)
{
    struct server *server = thread->server;
    for (uint32_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
        (void)pthread_mutex_lock(&server->lock);
        struct connection *connection = server->client[i];
        bool mine = connection != NULL && connection->thread == thread->index;
        (void)pthread_mutex_unlock(&server->lock);
        if (mine && is_over_time(server, connection, now_ns)) {
            connection->broken = true;
            counter_add(&thread->counters.shared_clients_closed, 1);
            client_end(thread, connection);
        }
    }
}

static void event_take(struct server_thread *thread, const struct epoll_event *event)
{
    struct server *server = thread->server;
    if (event->data.ptr == &thread->wake_fd) {
        thread->woken = true;
        return;
    }
    for (uint32_t kind = 0; kind < LISTENER_COUNT; kind++) {
        if (event->data.ptr == &server->listener_fd[kind]) {
            server_accept(server, (enum listener_kind)kind);
            return;
        }
    }
    struct connection *connection = event->data.ptr;
    /* Who waits for its login is not read from, so its end would be told again and again. */
    connection->broken |= connection_login_waits(connection) &&
                          (event->events & (uint32_t)(EPOLLHUP | EPOLLERR)) != 0;
    client_turn(thread, connection,
                (event->events & (uint32_t)(EPOLLIN | EPOLLHUP | EPOLLERR)) != 0);
}

/* Rows may be read from when they were loaded on: the reader comes then. */
static void reader_await(struct server_thread *thread)
{
    struct appliance *appliance = thread->server->appliance;
    /* Pairs with the release in appliance_open(). */
    if (thread->reader != NULL ||
        !atomic_load_explicit(&appliance->shared_loaded, memory_order_acquire)) {
        return;
    }
    if (reader_open(appliance->worker, appliance->shard_count, thread->index, &thread->reader) ==
        RESULT_OK) {
        thread->host.reader = thread->reader;
        reader_plan_set(thread->reader, thread->host.plan);
    }
}

static void *thread_run(void *argument)
{
    struct server_thread *thread = argument;
    struct epoll_event events[EVENTS_PER_TURN];
    /* Pairs with the release in server_close(). */
    while (!atomic_load_explicit(&thread->server->shared_stop, memory_order_acquire)) {
        if (thread->reader != NULL) {
            reader_offline(thread->reader);
        }
        int count = epoll_wait(thread->epoll_fd, events, EVENTS_PER_TURN,
                               thread->queue != NULL ? 0 : LOOK_MS);
        reader_await(thread);
        if (thread->reader != NULL) {
            reader_online(thread->reader);
        }
        /* Events first: a connection that ended in the queue could still be among them. */
        for (int i = 0; i < count; i++) {
            event_take(thread, &events[i]);
        }
        if (thread->woken) {
            thread->woken = false;
            waits_turn(thread);
        }
        queue_turn(thread);
        int64_t now_ns = clock_steady_ns();
        if (now_ns - thread->looked_ns > LOOK_MS * INT64_C(1000000)) {
            thread->looked_ns = now_ns;
            stalled_close(thread, now_ns);
        }
    }
    if (thread->reader != NULL) {
        reader_offline(thread->reader);
    }
    return NULL;
}

static bool watch(int epoll_fd, int fd, void *tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};
    return fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

enum result server_thread_open(struct server *server, uint32_t index)
{
    struct server_thread *thread = &server->thread[index];
    struct appliance *appliance = server->appliance;
    char name[24];
    enum result result = command_host_init(&thread->host, appliance, server, NULL);
    if (result == RESULT_OK && appliance->served != NULL) {
        result = served_take_open(served_thread_of(appliance->served, index), appliance->plan,
                                  &thread->host.take);
    }
    if (result != RESULT_OK) {
        return result;
    }
    thread->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->epoll_fd < 0 || thread->wake_fd < 0 ||
        !watch(thread->epoll_fd, thread->wake_fd, &thread->wake_fd)) {
        return RESULT_SYSTEM;
    }
    for (uint32_t kind = 0; kind < LISTENER_COUNT && index == 0; kind++) {
        if (!watch(thread->epoll_fd, server->listener_fd[kind], &server->listener_fd[kind])) {
            return RESULT_SYSTEM;
        }
    }
    (void)snprintf(name, sizeof(name), "serve-%u", index % 100);
    result = cpu_thread_start(&appliance->layout, -1, name, thread_run, thread, &thread->thread);
    thread->started = result == RESULT_OK;
    return result;
}

void server_thread_stop(struct server_thread *thread)
{
    uint64_t one = 1;
    if (thread->started) {
        ssize_t written = write(thread->wake_fd, &one, sizeof(one));
        ASSERT(written == (ssize_t)sizeof(one));
        (void)pthread_join(thread->thread, NULL);
    }
}

void server_thread_close(struct server_thread *thread)
{
    for (uint32_t i = 0; i < SERVER_CLIENTS_MAX && thread->started; i++) {
        struct connection *connection = thread->server->client[i];
        if (connection != NULL && connection->thread == thread->index) {
            client_end(thread, connection);
        }
    }
    if (thread->epoll_fd >= 0) {
        (void)close(thread->epoll_fd);
    }
    if (thread->wake_fd >= 0) {
        (void)close(thread->wake_fd);
    }
    command_host_deinit(&thread->host);
    if (thread->reader != NULL) {
        reader_close(thread->reader);
    }
}
