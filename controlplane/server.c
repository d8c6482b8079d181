#include "controlplane/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/appliance.h"
#include "controlplane/connection.h"
#include "controlplane/listener.h"
#include "controlplane/server_clients.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

#define EVENTS_PER_TURN   64
#define ACCEPTS_PER_TURN  32u
#define KEEPALIVE_SECONDS 300
#define LOOK_MS           1000

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
    int64_t looked_ns;
    uint64_t assigned; /* Connections it was given. Owner: the accepting thread. */
};

struct server {
    struct appliance *appliance; /* Borrowed. */
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

static uint64_t clients_ended(const struct server *server)
{
    uint64_t ended = 0;
    for (uint32_t i = 0; i < server->thread_count; i++) {
        ended += counter_read(&server->thread[i].counters.shared_ended);
    }
    return ended;
}

/* A place for a connection, NULL when all are taken. */
static struct connection *client_take(struct server *server)
{
    struct connection *connection = NULL;
    (void)pthread_mutex_lock(&server->lock);
    for (uint32_t i = 0; i < SERVER_CLIENTS_MAX && connection == NULL; i++) {
        if (!server->taken[i]) {
            server->taken[i] = true;
            connection = &server->place[i];
        }
    }
    (void)pthread_mutex_unlock(&server->lock);
    return connection;
}

/* Makes a connection that is ready visible to all threads. */
static void client_list_add(struct server *server, struct connection *connection)
{
    connection->slot = (uint32_t)(connection - server->place);
    (void)pthread_mutex_lock(&server->lock);
    server->client[connection->slot] = connection;
    (void)pthread_mutex_unlock(&server->lock);
}

/* Hides a connection from other threads, closes it, and gives its place back. */
static void client_give_back(struct server *server, struct connection *connection)
{
    (void)pthread_mutex_lock(&server->lock);
    server->client[connection->slot] = NULL;
    (void)pthread_mutex_unlock(&server->lock);
    connection_close(connection);
    (void)pthread_mutex_lock(&server->lock);
    server->taken[connection->slot] = false;
    (void)pthread_mutex_unlock(&server->lock);
}

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
    (void)epoll_ctl(thread->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
    client_give_back(thread->server, connection);
    counter_add(&thread->counters.shared_ended, 1);
}

static void address_text(const struct sockaddr_storage *address, char *ip, uint32_t ip_size,
                         uint16_t *out_port)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    ip[0] = '\0';
    *out_port = 0;
    if (address->ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, ip, ip_size);
        *out_port = ntohs(v4->sin_port);
    } else if (address->ss_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, ip, ip_size);
        *out_port = ntohs(v6->sin6_port);
    }
}

static void address_join(const struct sockaddr_storage *address, char *out, uint32_t size)
{
    char ip[64];
    uint16_t port;
    address_text(address, ip, sizeof(ip), &port);
    (void)snprintf(out, size, address->ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip, port);
}

static void session_locate(struct server *server, struct connection *connection,
                           enum listener_kind kind)
{
    struct session *session = &connection->session;
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    if (kind == LISTENER_UNIX) {
        (void)snprintf(session->peer, sizeof(session->peer), "%.120s:0", server->unix_path);
        (void)snprintf(session->local, sizeof(session->local), "%.120s:0", server->unix_path);
        return;
    }
    if (getpeername(connection->fd, (struct sockaddr *)&address, &size) == 0) {
        address_join(&address, session->peer, sizeof(session->peer));
    }
    size = sizeof(address);
    if (getsockname(connection->fd, (struct sockaddr *)&address, &size) == 0) {
        address_join(&address, session->local, sizeof(session->local));
        address_text(&address, session->local_ip, sizeof(session->local_ip), &session->local_port);
    }
}

static void client_refuse(struct server *server, int fd)
{
    static const char text[] = "-ERR max number of clients reached\r\n";
    (void)send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(fd);
    counter_add(&server->shared_refused, 1);
}

static struct server_thread *thread_choose(struct server *server)
{
    struct server_thread *best = &server->thread[0];
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < server->thread_count; i++) {
        struct server_thread *thread = &server->thread[i];
        uint64_t open = thread->assigned - counter_read(&thread->counters.shared_ended);
        if (open < least) {
            least = open;
            best = thread;
        }
    }
    return best;
}

static void client_begin(struct server *server, int fd, enum listener_kind kind)
{
    int on = 1;
    int idle_s = KEEPALIVE_SECONDS;
    struct server_thread *thread = thread_choose(server);
    struct connection *connection = client_take(server);
    if (connection == NULL) {
        client_refuse(server, fd);
        return;
    }
    connection_open(connection, fd, server->id_next, clock_now_us(&server->appliance->clock));
    connection->thread = thread->index;
    connection->events = EPOLLIN;
    session_locate(server, connection, kind);
    if (kind == LISTENER_TCP) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    }
    client_list_add(server, connection);
    server->id_next++;
    thread->assigned++;
    counter_add(&server->shared_accepted, 1);
    /* Last: from here on the connection belongs to its thread. */
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        /* The kernel has no memory for it: as if it had never come. */
        client_give_back(server, connection);
        thread->assigned--;
        counter_add(&server->shared_accepted, UINT64_MAX);
        counter_add(&server->shared_refused, 1);
    }
}

/* Descriptors ran out: a client that waits forever is worse than one that is told. */
static void accept_without_descriptors(struct server *server, int listener_fd)
{
    if (server->spare_fd >= 0) {
        (void)close(server->spare_fd);
        int fd = accept4(listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            client_refuse(server, fd);
        }
        server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

static void clients_accept(struct server *server, enum listener_kind kind)
{
    int listener_fd = server->listener_fd[kind];
    for (uint32_t i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            client_begin(server, fd, kind);
        } else if (errno == EMFILE || errno == ENFILE) {
            accept_without_descriptors(server, listener_fd);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

static void client_turn(struct server_thread *thread, struct connection *connection, bool readable)
{
    if (!connection_turn(connection, &thread->host, &thread->counters, readable)) {
        client_end(thread, connection);
        return;
    }
    if (connection->more && !connection->queued &&
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

/* Closes clients that have not read a byte of their replies for too long. */
static void stalled_close(struct server_thread *thread, int64_t now_ns)
{
    struct server *server = thread->server;
    for (uint32_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
        (void)pthread_mutex_lock(&server->lock);
        struct connection *connection = server->client[i];
        bool mine = connection != NULL && connection->thread == thread->index;
        (void)pthread_mutex_unlock(&server->lock);
        if (mine && connection_output_waiting(connection) > 0 &&
            now_ns - connection->progress_ns > CONNECTION_STALL_NS) {
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
        return; /* shared_stop is looked at next. */
    }
    for (uint32_t kind = 0; kind < LISTENER_COUNT; kind++) {
        if (event->data.ptr == &server->listener_fd[kind]) {
            clients_accept(server, (enum listener_kind)kind);
            return;
        }
    }
    client_turn(thread, event->data.ptr,
                (event->events & (uint32_t)(EPOLLIN | EPOLLHUP | EPOLLERR)) != 0);
}

static void *thread_run(void *argument)
{
    struct server_thread *thread = argument;
    struct epoll_event events[EVENTS_PER_TURN];
    /* Pairs with the release in server_close(). */
    while (!atomic_load_explicit(&thread->server->shared_stop, memory_order_acquire)) {
        reader_offline(thread->reader);
        int count = epoll_wait(thread->epoll_fd, events, EVENTS_PER_TURN,
                               thread->queue != NULL ? 0 : LOOK_MS);
        reader_online(thread->reader);
        /* Events first: a connection that ended in the queue could still be among them. */
        for (int i = 0; i < count; i++) {
            event_take(thread, &events[i]);
        }
        queue_turn(thread);
        int64_t now_ns = connection_now_ns();
        if (now_ns - thread->looked_ns > LOOK_MS * INT64_C(1000000)) {
            thread->looked_ns = now_ns;
            stalled_close(thread, now_ns);
        }
    }
    reader_offline(thread->reader);
    return NULL;
}

static bool watch(int epoll_fd, int fd, void *tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};
    return fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static enum result thread_open(struct server *server, uint32_t index)
{
    struct server_thread *thread = &server->thread[index];
    struct appliance *appliance = server->appliance;
    char name[24];
    enum result result =
        reader_open(appliance->worker, appliance->shard_count, index, &thread->reader);
    if (result != RESULT_OK) {
        return result;
    }
    /* It comes online in its own thread, before its first read. */
    reader_offline(thread->reader);
    result = command_host_init(&thread->host, appliance, server, thread->reader);
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

static void thread_stop(struct server_thread *thread)
{
    uint64_t one = 1;
    if (thread->started) {
        ssize_t written = write(thread->wake_fd, &one, sizeof(one));
        ASSERT(written == (ssize_t)sizeof(one));
        (void)pthread_join(thread->thread, NULL);
    }
}

/* After all threads have stopped. */
static void thread_close(struct server_thread *thread)
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

static enum result listeners_open(struct server *server, const struct server_options *options,
                                  char *error, uint32_t error_size)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    if (options->unix_path[0] != '\0') {
        enum result result = listener_open_unix(
            options->unix_path, &server->listener_fd[LISTENER_UNIX], error, error_size);
        if (result != RESULT_OK) {
            return result;
        }
        (void)snprintf(server->unix_path, sizeof(server->unix_path), "%s", options->unix_path);
    }
    if (options->tcp[0] != '\0') {
        enum result result =
            listener_open_tcp(options->tcp, &server->listener_fd[LISTENER_TCP], error, error_size);
        if (result != RESULT_OK) {
            return result;
        }
        if (getsockname(server->listener_fd[LISTENER_TCP], (struct sockaddr *)&address, &size) ==
            0) {
            address_text(&address, server->tcp_ip, sizeof(server->tcp_ip), &server->tcp_port);
        }
    }
    return RESULT_OK;
}

static struct server *server_make(struct appliance *appliance, uint32_t thread_count)
{
    struct server *server = heap_alloc(sizeof(*server));
    struct server_thread *thread = heap_alloc(thread_count * sizeof(*thread));
    struct connection *place = heap_alloc(SERVER_CLIENTS_MAX * sizeof(*place));
    if (server == NULL || thread == NULL || place == NULL) {
        heap_free(server);
        heap_free(thread);
        heap_free(place);
        return NULL;
    }
    memset(server, 0, sizeof(*server));
    memset(thread, 0, thread_count * sizeof(*thread));
    server->appliance = appliance;
    server->listener_fd[LISTENER_UNIX] = -1;
    server->listener_fd[LISTENER_TCP] = -1;
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    server->id_next = 1;
    server->place = place;
    server->thread = thread;
    server->thread_count = thread_count;
    (void)pthread_mutex_init(&server->lock, NULL);
    for (uint32_t i = 0; i < thread_count; i++) {
        thread[i].server = server;
        thread[i].index = i;
        thread[i].epoll_fd = -1;
        thread[i].wake_fd = -1;
    }
    return server;
}

enum result server_open(struct appliance *appliance, const struct server_options *options,
                        struct server **out_server, char *error, uint32_t error_size)
{
    ASSERT(options->thread_count > 0);
    struct server *server = server_make(appliance, options->thread_count);
    *out_server = NULL;
    if (server == NULL) {
        (void)snprintf(error, error_size, "query: %s", result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    enum result result = listeners_open(server, options, error, error_size);
    if (result != RESULT_OK) {
        goto fail;
    }
    /* The accepting thread comes last: it hands connections to the others. */
    for (uint32_t i = options->thread_count; i > 0; i--) {
        result = thread_open(server, i - 1);
        if (result != RESULT_OK) {
            (void)snprintf(error, error_size, "query: no serving thread %u: %s", i - 1,
                           result_name(result));
            goto fail;
        }
    }
    *out_server = server;
    return RESULT_OK;
fail:
    server_close(server);
    return result;
}

void server_close(struct server *server)
{
    if (server == NULL) {
        return;
    }
    /* Pairs with the acquire in thread_run(). */
    atomic_store_explicit(&server->shared_stop, true, memory_order_release);
    for (uint32_t i = 0; i < server->thread_count; i++) {
        thread_stop(&server->thread[i]);
    }
    for (uint32_t i = 0; i < server->thread_count; i++) {
        thread_close(&server->thread[i]);
    }
    for (uint32_t kind = 0; kind < LISTENER_COUNT; kind++) {
        if (server->listener_fd[kind] >= 0) {
            (void)close(server->listener_fd[kind]);
        }
    }
    if (server->unix_path[0] != '\0') {
        (void)unlink(server->unix_path);
    }
    if (server->spare_fd >= 0) {
        (void)close(server->spare_fd);
    }
    (void)pthread_mutex_destroy(&server->lock);
    heap_free(server->thread);
    heap_free(server->place);
    heap_free(server);
}

uint16_t server_tcp_port(const struct server *server)
{
    return server->tcp_port;
}

void server_tcp_address(const struct server *server, char *ip, uint32_t ip_size, uint16_t *out_port)
{
    (void)snprintf(ip, ip_size, "%s", server == NULL ? "" : server->tcp_ip);
    *out_port = server == NULL ? 0 : server->tcp_port;
}

void server_statistics_read(const struct server *server, struct server_statistics *out)
{
    uint64_t ended = clients_ended(server);
    *out = (struct server_statistics){
        .connections_accepted = counter_read(&server->shared_accepted),
        .connections_refused = counter_read(&server->shared_refused),
    };
    out->connections_open = out->connections_accepted - ended;
    for (uint32_t i = 0; i < server->thread_count; i++) {
        const struct serving_counters *counters = &server->thread[i].counters;
        out->commands += counter_read(&counters->shared_commands);
        out->errors += counter_read(&counters->shared_errors);
        out->bytes_in += counter_read(&counters->shared_bytes_in);
        out->bytes_out += counter_read(&counters->shared_bytes_out);
        out->clients_closed += counter_read(&counters->shared_clients_closed);
    }
}

void server_read_duration(const struct server *server, struct histogram *out)
{
    for (uint32_t i = 0; i < server->thread_count; i++) {
        histogram_merge(out, &server->thread[i].counters.read_duration_ns);
    }
}

static const char *command_name_of(const struct session *session, char *out, uint32_t size)
{
    uint32_t index = atomic_load_explicit(&session->shared_command, memory_order_relaxed);
    if (index >= command_count) {
        return "NULL";
    }
    const struct command *command = &command_table[index];
    (void)snprintf(out, size, "%s%s%s", command->container == NULL ? "" : command->container,
                   command->container == NULL ? "" : "|", command->name);
    for (uint32_t i = 0; out[i] != '\0'; i++) {
        out[i] = out[i] >= 'A' && out[i] <= 'Z' ? (char)(out[i] + 'a' - 'A') : out[i];
    }
    return out;
}

void server_client_describe(const struct session *session, int64_t now_us, struct buffer *out)
{
    char command[64];
    int64_t active_us = atomic_load_explicit(&session->shared_active_us, memory_order_relaxed);
    buffer_format(out,
                  "id=%" PRIu64 " addr=%s laddr=%s name=%s age=%" PRId64 " idle=%" PRId64
                  " flags=N db=0 cmd=%s user=default lib-name=%s lib-ver=%s\n",
                  session->id, session->peer, session->local, session->name,
                  (now_us - session->start_us) / US_PER_SECOND,
                  (now_us - active_us) / US_PER_SECOND,
                  command_name_of(session, command, sizeof(command)), session->library,
                  session->library_version);
}

static bool client_fits(const struct session *session, const struct client_filter *filter)
{
    return (filter->id == 0 || filter->id == session->id) &&
           (filter->except_id == 0 || filter->except_id != session->id) &&
           (filter->peer == NULL || strcmp(filter->peer, session->peer) == 0);
}

void server_clients_list(struct server *server, const struct client_filter *filter,
                         struct buffer *out)
{
    if (server == NULL) {
        return;
    }
    int64_t now_us = clock_now_us(&server->appliance->clock);
    (void)pthread_mutex_lock(&server->lock);
    for (uint32_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
        const struct connection *connection = server->client[i];
        if (connection != NULL && client_fits(&connection->session, filter)) {
            server_client_describe(&connection->session, now_us, out);
        }
    }
    (void)pthread_mutex_unlock(&server->lock);
}

uint32_t server_clients_kill(struct server *server, const struct client_filter *filter)
{
    uint32_t count = 0;
    if (server == NULL) {
        return 0;
    }
    (void)pthread_mutex_lock(&server->lock);
    for (uint32_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
        const struct connection *connection = server->client[i];
        if (connection != NULL && client_fits(&connection->session, filter)) {
            /* Its descriptor stays open while it is listed: its thread sees the end and closes. */
            (void)shutdown(connection->fd, SHUT_RDWR);
            count++;
        }
    }
    (void)pthread_mutex_unlock(&server->lock);
    return count;
}

void server_client_rename(struct server *server, char *target, const struct resp_argument *name)
{
    ASSERT(name->size < SESSION_NAME_SIZE_MAX);
    if (server != NULL) {
        (void)pthread_mutex_lock(&server->lock);
    }
    memcpy(target, name->data, name->size);
    target[name->size] = '\0';
    if (server != NULL) {
        (void)pthread_mutex_unlock(&server->lock);
    }
}
