#include "controlplane/server_clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/appliance.h"
#include "controlplane/server_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

struct connection *server_client_take(struct server *server)
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

void server_client_show(struct server *server, struct connection *connection)
{
    connection->slot = (uint32_t)(connection - server->place);
    (void)pthread_mutex_lock(&server->lock);
    server->client[connection->slot] = connection;
    (void)pthread_mutex_unlock(&server->lock);
}

void server_client_give_back(struct server *server, struct connection *connection)
{
    (void)pthread_mutex_lock(&server->lock);
    server->client[connection->slot] = NULL;
    (void)pthread_mutex_unlock(&server->lock);
    connection_close(connection);
    (void)pthread_mutex_lock(&server->lock);
    server->taken[connection->slot] = false;
    (void)pthread_mutex_unlock(&server->lock);
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
                  " flags=N db=0 cmd=%s user=%s lib-name=%s lib-ver=%s\n",
                  session->id, session->peer, session->local, session->name,
                  (now_us - session->start_us) / US_PER_SECOND,
                  (now_us - active_us) / US_PER_SECOND,
                  command_name_of(session, command, sizeof(command)), session->user,
                  session->library, session->library_version);
}

/* Caller holds the server's lock. A killed client is gone for whoever asks, though its thread may
 * not have closed it yet. */
static bool client_fits(const struct connection *connection, const struct client_filter *filter)
{
    if (connection == NULL || connection->killed) {
        return false;
    }
    const struct session *session = &connection->session;
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
        if (client_fits(connection, filter)) {
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
        struct connection *connection = server->client[i];
        if (client_fits(connection, filter)) {
            /* Its descriptor stays open while it is listed: its thread sees the end and closes. */
            (void)shutdown(connection->fd, SHUT_RDWR);
            connection->killed = true;
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
