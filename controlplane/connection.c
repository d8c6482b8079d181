#include "controlplane/connection.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/appliance.h"
#include "dataplane/base/units.h"
#include "drivers/clock.h"

#define RECEIVE_BYTES (64u * 1024)
#define KEEP_BYTES    (64u * 1024) /* Empty buffers larger than this are given back. */

void connection_open(struct connection *connection, int fd, uint64_t id, int64_t now_us)
{
    memset(connection, 0, sizeof(*connection));
    connection->fd = fd;
    connection->received_ns = clock_steady_ns();
    connection->progress_ns = connection->received_ns;
    connection->opened_ns = connection->received_ns;
    session_init(&connection->session, id, now_us);
    resp_parser_init(&connection->parser);
    buffer_init(&connection->input, RESP_REQUEST_SIZE_MAX + 2 * RECEIVE_BYTES);
    buffer_init(&connection->output, CONNECTION_OUTPUT_HARD_BYTES);
}

/* What the client sent and we did not read would make the kernel throw our last reply away. */
static void input_discard(int fd)
{
    char bytes[4096];
    (void)shutdown(fd, SHUT_WR);
    for (int i = 0; i < 64 && recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0; i++) {
    }
}

void connection_close(struct connection *connection)
{
    if (!connection->broken && !connection->ended) {
        input_discard(connection->fd);
    }
    (void)close(connection->fd);
    resp_parser_deinit(&connection->parser);
    buffer_deinit(&connection->input);
    buffer_deinit(&connection->output);
}

static void output_send(struct connection *connection, struct serving_counters *counters)
{
    struct buffer *output = &connection->output;
    while (connection_output_waiting(connection) > 0) {
        ssize_t sent = send(connection->fd, output->data + connection->output_sent,
                            connection_output_waiting(connection), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            connection->broken |= errno != EAGAIN;
            break;
        }
        counter_add(&counters->shared_bytes_out, (uint64_t)sent);
        connection->output_sent += (uint64_t)sent;
        connection->progress_ns = clock_steady_ns();
    }
    if (connection_output_waiting(connection) == 0) {
        output->size = 0;
        connection->output_sent = 0;
        if (output->capacity > KEEP_BYTES) {
            buffer_deinit(output);
        }
    } else if (connection->output_sent > output->size / 2) {
        buffer_consume(output, connection->output_sent);
        connection->output_sent = 0;
    }
}

static void input_receive(struct connection *connection, struct serving_counters *counters)
{
    struct buffer *input = &connection->input;
    char *room = buffer_room(input, RECEIVE_BYTES);
    if (room == NULL) {
        connection->closed_by_us = true;
        return;
    }
    ssize_t received = recv(connection->fd, room, RECEIVE_BYTES, MSG_DONTWAIT);
    if (received < 0) {
        connection->broken |= errno != EAGAIN && errno != EINTR;
    } else if (received == 0) {
        connection->ended = true;
    } else {
        buffer_took(input, (uint64_t)received);
        counter_add(&counters->shared_bytes_in, (uint64_t)received);
        connection->received_ns = clock_steady_ns();
        connection->more = true;
    }
}

/* CLIENT REPLY OFF and SKIP: takes the reply back. */
static void reply_apply(struct session *session, struct buffer *output, uint64_t size_before)
{
    if (session->reply_off || session->reply_skip == 1) {
        output->size = size_before;
    }
    session->reply_skip = session->reply_skip == 2 ? 1 : 0;
}

static void request_run(struct connection *connection, struct command_host *host,
                        struct serving_counters *counters)
{
    struct session *session = &connection->session;
    struct resp_writer reply = {.out = &connection->output, .protocol = session->protocol};
    uint64_t size_before = connection->output.size;
    host->marks.count = 0;
    const struct command *command = command_run(host, session, &reply, connection->parser.argument,
                                                connection->parser.argument_count);
    if (connection_login_waits(connection)) {
        return; /* It runs again, from the parser's arguments, and answers then. */
    }
    reply_apply(session, &connection->output, size_before);
    counter_add(&counters->shared_commands, 1);
    counter_add(&counters->shared_errors, reply.error_count);
    if (command != NULL && (command->flags & COMMAND_FLAG_READ) != 0) {
        int64_t duration_ns = clock_steady_ns() - connection->received_ns;
        histogram_record(&counters->read_duration_ns, (uint64_t)duration_ns, 1);
        objective_marks_count(&host->marks, host->plan, duration_ns, reply.error_count > 0,
                              counters->objective);
    }
    if (connection->output.failed) {
        connection->closed_by_us = true;
    }
}

static void protocol_error(struct connection *connection, struct serving_counters *counters)
{
    struct resp_writer reply = {.out = &connection->output,
                                .protocol = connection->session.protocol};
    resp_write_error(&reply, "ERR %s", connection->parser.error);
    counter_add(&counters->shared_errors, 1);
    connection->session.close_after_reply = true;
    connection->closed_by_us = true;
}

/* Drops the requests that were run from the front of the input. */
static void input_compact(struct connection *connection)
{
    buffer_consume(&connection->input, connection->input_used);
    connection->input_used = 0;
    if (connection->input.size == 0 && connection->input.capacity > KEEP_BYTES) {
        buffer_deinit(&connection->input);
    }
}

static void requests_run(struct connection *connection, struct command_host *host,
                         struct serving_counters *counters)
{
    struct buffer *input = &connection->input;
    atomic_store_explicit(&connection->session.shared_active_us,
                          clock_now_us(&host->appliance->clock), memory_order_relaxed);
    for (uint32_t i = 0; i < CONNECTION_COMMANDS_PER_TURN; i++) {
        if (connection_login_waits(connection) ||
            connection_output_waiting(connection) > CONNECTION_OUTPUT_SOFT_BYTES ||
            connection->session.close_after_reply || connection->closed_by_us) {
            return;
        }
        uint64_t used = 0;
        connection->parser.stranger = connection->session.role == USER_ROLE_NONE;
        enum resp_status status =
            resp_parse(&connection->parser, input->data + connection->input_used,
                       input->size - connection->input_used, &used);
        connection->input_used += used;
        if (status == RESP_REQUEST) {
            request_run(connection, host, counters);
        } else if (status == RESP_ERROR) {
            protocol_error(connection, counters);
        } else {
            connection->more = false;
            input_compact(connection);
            return;
        }
    }
}

static bool is_over(const struct connection *connection)
{
    bool answered = connection_output_waiting(connection) == 0;
    if (connection->broken || connection->output.failed) {
        return true;
    }
    if (connection->closed_by_us && !connection->session.close_after_reply) {
        return true;
    }
    return answered && !connection_login_waits(connection) &&
           (connection->session.close_after_reply || (connection->ended && !connection->more));
}

bool connection_turn(struct connection *connection, struct command_host *host,
                     struct serving_counters *counters, bool readable)
{
    output_send(connection, counters);
    if (readable && !connection_login_waits(connection) && !connection->more &&
        !connection->ended && !connection->broken && !connection->session.close_after_reply) {
        input_receive(connection, counters);
    }
    if (session_login_ready(host->appliance, &connection->session)) {
        request_run(connection, host, counters);
    }
    if (connection->more && !connection->broken) {
        requests_run(connection, host, counters);
        output_send(connection, counters);
    }
    if (is_over(connection)) {
        counter_add(&counters->shared_clients_closed, connection->closed_by_us ? 1 : 0);
        return false;
    }
    return true;
}

uint32_t connection_events(const struct connection *connection)
{
    uint64_t waiting = connection_output_waiting(connection);
    bool reads = waiting <= CONNECTION_OUTPUT_SOFT_BYTES && !connection->ended &&
                 !connection_login_waits(connection) && !connection->more &&
                 !connection->session.close_after_reply;
    return (reads ? (uint32_t)EPOLLIN : 0u) | (waiting > 0 ? (uint32_t)EPOLLOUT : 0u);
}
