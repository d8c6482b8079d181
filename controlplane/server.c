#include "controlplane/server.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/access.h"
#include "controlplane/appliance.h"
#include "controlplane/listener.h"
#include "controlplane/server_inside.h"
#include "dataplane/base/assert.h"

static enum result listeners_open(struct server *server, const struct server_options *options,
                                  char *error, uint32_t error_size)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    if (options->unix_path[0] != '\0') {
        enum result result =
            listener_open_unix(options->unix_path, options->unix_mode,
                               &server->listener_fd[LISTENER_UNIX], error, error_size);
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
            server_address_read(&address, server->tcp_ip, sizeof(server->tcp_ip),
                                &server->tcp_port);
        }
    }
    return RESULT_OK;
}

static struct server *server_make(struct appliance *appliance, const struct server_options *options)
{
    uint32_t thread_count = options->thread_count;
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
    server->stall_ns = options->stall_ns > 0 ? options->stall_ns : CONNECTION_STALL_NS;
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
    struct server *server = server_make(appliance, options);
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
        result = server_thread_open(server, i - 1);
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
        server_thread_stop(&server->thread[i]);
    }
    for (uint32_t i = 0; i < server->thread_count; i++) {
        server_thread_close(&server->thread[i]);
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

static uint64_t clients_ended(const struct server *server)
{
    uint64_t ended = 0;
    for (uint32_t i = 0; i < server->thread_count; i++) {
        ended += counter_read(&server->thread[i].counters.shared_ended);
    }
    return ended;
}

void server_statistics_read(const struct server *server, struct server_statistics *out)
{
    uint64_t ended = clients_ended(server);
    *out = (struct server_statistics){
        .connections_accepted = counter_read(&server->shared_accepted),
        .connections_refused = counter_read(&server->shared_refused),
        .logins_refused = access_logins_refused(server->appliance->access),
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

void server_objective_read(const struct server *server, uint32_t objective, uint64_t *good,
                           uint64_t *total)
{
    for (uint32_t i = 0; i < server->thread_count; i++) {
        const struct counters_objective *counters =
            &server->thread[i].counters.objective[objective];
        *good += counter_read(&counters->shared_good);
        *total += counter_read(&counters->shared_total);
    }
}
