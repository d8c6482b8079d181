#include "perf/load/querier.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "perf/load/reply.h"

#define QUERIER_PENDING_MAX    4096u /* Per connection; a power of two. */
#define QUERIER_OUT_BYTES      (256u * 1024)
#define QUERIER_IN_BYTES       (256u * 1024)
#define QUERIER_FEATURES_BYTES (OPTIONS_FEATURES_MAX * (NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX + 16))
#define QUERIER_LOOK_NS        (50 * 1000 * 1000)
#define QUERIER_DRAIN_NS       NS_PER_SECOND

struct querier_connection {
    int fd;
    uint32_t out_size;
    uint32_t out_at;
    uint32_t in_size;
    struct reply_scan scan;
    uint32_t pending_head; /* Oldest unanswered; both run free. */
    uint32_t pending_tail;
    int64_t pending_due_ns[QUERIER_PENDING_MAX];
    char out[QUERIER_OUT_BYTES];
    char in[QUERIER_IN_BYTES];
};

static void querier_count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static int querier_fail(char *error, const char *why)
{
    (void)snprintf(error, ENDPOINT_ERROR_SIZE_MAX, "%s", why);
    return -1;
}

/* Picks features of the maker's view, spread over all of them. */
static int querier_choose_features(struct querier *querier, char *error)
{
    const struct plan *plan = querier->maker.plan;
    const struct plan_view *view = querier->maker.view;
    uint32_t count = querier->options->features;
    if (count > view->feature_count) {
        count = view->feature_count;
    }
    querier->features = malloc(QUERIER_FEATURES_BYTES);
    if (querier->features == NULL || count == 0) {
        return querier_fail(error, "no memory, or a view without features");
    }
    querier->feature_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t feature = view->feature_first + i * view->feature_count / count;
        const char *name = plan->feature[feature].name;
        querier->features_size +=
            (uint32_t)snprintf(querier->features + querier->features_size,
                               QUERIER_FEATURES_BYTES - querier->features_size, "$%zu\r\n%s.%s\r\n",
                               strlen(view->name) + 1 + strlen(name), view->name, name);
    }
    return 0;
}

/* Writes one request behind the connection's others; false when there is no room. */
static bool querier_request(struct querier *querier, struct querier_connection *connection)
{
    uint32_t batch = querier->options->batch;
    uint32_t room = QUERIER_OUT_BYTES - connection->out_size;
    if (connection->pending_tail - connection->pending_head == QUERIER_PENDING_MAX ||
        room < 128 + batch * (EVENT_KEY_TEXT_SIZE_MAX + 8) + querier->features_size) {
        return false;
    }
    char *out = connection->out + connection->out_size;
    int size;
    if (batch == 1) {
        size = sprintf(out, "*%u\r\n$5\r\nHMGET\r\n", 2 + querier->feature_count);
    } else {
        size = sprintf(out, "*%u\r\n$7\r\nFS.MGET\r\n$%d\r\n%u\r\n",
                       4 + batch + querier->feature_count, snprintf(NULL, 0, "%u", batch), batch);
    }
    for (uint32_t i = 0; i < batch; i++) {
        char key[EVENT_KEY_TEXT_SIZE_MAX];
        uint32_t key_size = event_key_text(&querier->maker, event_rank(&querier->maker), key);
        size += sprintf(out + size, "$%u\r\n%s\r\n", key_size, key);
    }
    if (batch > 1) {
        size += sprintf(out + size, "$6\r\nFIELDS\r\n$%d\r\n%u\r\n",
                        snprintf(NULL, 0, "%u", querier->feature_count), querier->feature_count);
    }
    memcpy(out + size, querier->features, querier->features_size);
    connection->out_size += (uint32_t)size + querier->features_size;
    return true;
}

static void querier_break(struct querier *querier, struct querier_connection *connection)
{
    atomic_store_explicit(&querier->shared_broken, true, memory_order_relaxed);
    (void)close(connection->fd);
    connection->fd = -1;
}

static void querier_write(struct querier *querier, struct querier_connection *connection)
{
    while (connection->out_at < connection->out_size) {
        ssize_t sent = write(connection->fd, connection->out + connection->out_at,
                             connection->out_size - connection->out_at);
        if (sent < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                querier_break(querier, connection);
            }
            return;
        }
        connection->out_at += (uint32_t)sent;
    }
    connection->out_size = 0;
    connection->out_at = 0;
}

static void querier_reply(struct querier *querier, struct querier_connection *connection,
                          const char *data, uint32_t size, int64_t now_ns)
{
    int64_t due_ns = connection->pending_due_ns[connection->pending_head++ % QUERIER_PENDING_MAX];
    histogram_record(&querier->latency_ns, now_ns > due_ns ? (uint64_t)(now_ns - due_ns) : 0, 1);
    if (connection->scan.error) {
        if (atomic_load_explicit(&querier->shared_errors, memory_order_relaxed) == 0) {
            uint32_t text =
                size < sizeof(querier->error_text) ? size : sizeof(querier->error_text) - 1;
            memcpy(querier->error_text, data, text);
            querier->error_text[strcspn(querier->error_text, "\r\n")] = '\0';
        }
        querier_count(&querier->shared_errors);
    }
}

static void querier_read(struct querier *querier, struct querier_connection *connection)
{
    for (;;) {
        ssize_t got = read(connection->fd, connection->in + connection->in_size,
                           QUERIER_IN_BYTES - connection->in_size);
        if (got <= 0) {
            if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
                querier_break(querier, connection);
            }
            return;
        }
        connection->in_size += (uint32_t)got;
        int64_t now_ns = endpoint_now_ns();
        uint32_t at = 0;
        uint32_t reply_at = 0;
        bool done = true;
        while (done && at < connection->in_size) {
            at +=
                reply_scan(&connection->scan, connection->in + at, connection->in_size - at, &done);
            if (done && connection->pending_head != connection->pending_tail) {
                querier_reply(querier, connection, connection->in + reply_at, at - reply_at,
                              now_ns);
            }
            reply_at = at;
        }
        memmove(connection->in, connection->in + at, connection->in_size - at);
        connection->in_size -= at;
        if (connection->scan.broken || connection->in_size == QUERIER_IN_BYTES) {
            querier_break(querier, connection);
            return;
        }
    }
}

/* Sends what is due, each request on the next connection that has room. */
static void querier_send_due(struct querier *querier, int64_t now_ns)
{
    double due_ns = (double)(now_ns - querier->start_ns);
    while (querier->schedule.at_ns <= due_ns) {
        struct querier_connection *connection = NULL;
        for (uint32_t i = 0; i < querier->connection_count && connection == NULL; i++) {
            struct querier_connection *next = &querier->connection[querier->next];
            querier->next = (querier->next + 1) % querier->connection_count;
            connection = next->fd >= 0 && querier_request(querier, next) ? next : NULL;
        }
        if (connection == NULL) {
            return; /* Still due, by its old time. */
        }
        connection->pending_due_ns[connection->pending_tail++ % QUERIER_PENDING_MAX] =
            querier->start_ns + (int64_t)querier->schedule.at_ns;
        querier_count(&querier->shared_requests);
        querier_write(querier, connection);
        schedule_advance(&querier->schedule, 1);
    }
}

static void querier_wait(struct querier *querier, int64_t until_ns)
{
    struct pollfd fds[OPTIONS_READERS_MAX];
    for (uint32_t i = 0; i < querier->connection_count; i++) {
        const struct querier_connection *connection = &querier->connection[i];
        fds[i] = (struct pollfd){.fd = connection->fd, .events = POLLIN};
        if (connection->out_at < connection->out_size) {
            fds[i].events |= POLLOUT;
        }
    }
    int64_t wait_ns = until_ns - endpoint_now_ns();
    wait_ns = wait_ns < 0 ? 0 : wait_ns < QUERIER_LOOK_NS ? wait_ns : QUERIER_LOOK_NS;
    struct timespec timeout = {.tv_nsec = wait_ns};
    if (ppoll(fds, querier->connection_count, &timeout, NULL) <= 0) {
        return;
    }
    for (uint32_t i = 0; i < querier->connection_count; i++) {
        if ((fds[i].revents & POLLOUT) != 0) {
            querier_write(querier, &querier->connection[i]);
        }
        if (querier->connection[i].fd >= 0 && (fds[i].revents & ~POLLOUT) != 0) {
            querier_read(querier, &querier->connection[i]);
        }
    }
}

static uint32_t querier_pending(const struct querier *querier)
{
    uint32_t pending = 0;
    for (uint32_t i = 0; i < querier->connection_count; i++) {
        const struct querier_connection *connection = &querier->connection[i];
        pending += connection->fd >= 0 ? connection->pending_tail - connection->pending_head : 0;
    }
    return pending;
}

/* What was never answered counts with its age: a hang must not look like silence. */
static void querier_bury(struct querier *querier)
{
    int64_t now_ns = endpoint_now_ns();
    for (uint32_t i = 0; i < querier->connection_count; i++) {
        struct querier_connection *connection = &querier->connection[i];
        while (connection->pending_head != connection->pending_tail) {
            int64_t due_ns =
                connection->pending_due_ns[connection->pending_head++ % QUERIER_PENDING_MAX];
            histogram_record(&querier->latency_ns, (uint64_t)(now_ns - due_ns), 1);
            querier_count(&querier->shared_unanswered);
        }
    }
}

static void *querier_run(void *argument)
{
    struct querier *querier = argument;
    double end_ns = querier->options->seconds * 1e9;
    (void)prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    while (querier->schedule.at_ns < end_ns &&
           !atomic_load_explicit(&querier->shared_stop, memory_order_relaxed)) {
        int64_t now_ns = endpoint_now_ns();
        querier_send_due(querier, now_ns);
        int64_t next_ns = querier->start_ns + (int64_t)querier->schedule.at_ns;
        /* Already due means no connection has room: replies make it. */
        querier_wait(querier, next_ns > now_ns ? next_ns : now_ns + NS_PER_US * 1000);
    }
    int64_t end_of_wait_ns = endpoint_now_ns() + QUERIER_DRAIN_NS;
    while (querier_pending(querier) > 0 && endpoint_now_ns() < end_of_wait_ns) {
        querier_wait(querier, end_of_wait_ns);
    }
    querier_bury(querier);
    return NULL;
}

int querier_start(struct querier *querier, const struct options *options,
                  const struct event_maker *maker, char error[ENDPOINT_ERROR_SIZE_MAX])
{
    *querier = (struct querier){.options = options, .maker = *maker};
    random_seed(&querier->maker.random, options->seed ^ UINT64_C(0x71756572696572));
    if (options->readers == 0 || options->read_rate == 0) {
        return 0;
    }
    schedule_init(&querier->schedule, options->read_rate);
    if (querier_choose_features(querier, error) != 0) {
        return -1;
    }
    querier->connection = calloc(options->readers, sizeof(*querier->connection));
    if (querier->connection == NULL) {
        return querier_fail(error, "no memory for the connections");
    }
    for (uint32_t i = 0; i < options->readers; i++) {
        int fd = endpoint_open_query(options->query, error);
        if (fd < 0) {
            return -1;
        }
        querier->connection[i].fd = fd;
        querier->connection_count++;
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    querier->start_ns = endpoint_now_ns();
    if (pthread_create(&querier->thread, NULL, querier_run, querier) != 0) {
        return querier_fail(error, "no thread for the readers");
    }
    querier->started = true;
    return 0;
}

void querier_stop(struct querier *querier)
{
    if (querier->started) {
        atomic_store_explicit(&querier->shared_stop, true, memory_order_relaxed);
        (void)pthread_join(querier->thread, NULL);
    }
    for (uint32_t i = 0; i < querier->connection_count; i++) {
        if (querier->connection[i].fd >= 0) {
            (void)close(querier->connection[i].fd);
        }
    }
    free(querier->connection);
    free(querier->features);
    querier->connection = NULL;
    querier->features = NULL;
    querier->connection_count = 0;
    querier->started = false;
}
