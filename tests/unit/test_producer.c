/* The producer library through its public header, over loopback. */
#include "tests/support/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/producer/producer.h"
#include "tests/support/fake_home.h"

#define THREADS           4u
#define EVENTS_PER_THREAD 1000u
#define EVENTS            (THREADS * EVENTS_PER_THREAD)
#define MESSAGE_BYTES     (64u + 8u)

/* One shard: everyone's port and the home's own behind it, served by a thread. */
struct server {
    int fd[2];
    char address[32];
    struct fake_home home; /* Owner: the thread, while it runs. */
    bool is_deaf;          /* Only everyone's port is heard. */
    pthread_t thread;
    _Atomic bool shared_stop;
};

static int port_bind(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void server_open(struct server *server)
{
    uint16_t port = (uint16_t)(20000 + getpid() % 20000);
    for (;; port += 2) {
        server->fd[0] = port_bind(port);
        server->fd[1] = port_bind((uint16_t)(port + 1));
        if (server->fd[0] >= 0 && server->fd[1] >= 0) {
            break;
        }
        (void)close(server->fd[0]);
        (void)close(server->fd[1]);
    }
    (void)snprintf(server->address, sizeof(server->address), "127.0.0.1:%u", port);
    fake_home_init(&server->home, 64);
    atomic_store(&server->shared_stop, false);
}

static void server_answer(struct server *server, int fd)
{
    uint8_t data[2048];
    struct sockaddr_in from;
    socklen_t from_size = sizeof(from);
    ssize_t size =
        recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
    bool heard = fd == server->fd[0] || !server->is_deaf;
    if (size > 0 && heard && fake_home_receive(&server->home, data, (uint32_t)size)) {
        fake_home_commit(&server->home);
        fake_home_ack(&server->home, data);
        (void)sendto(fd, data, WIRE_ACK_BYTES, 0, (struct sockaddr *)&from, from_size);
    }
}

static void *server_run(void *argument)
{
    struct server *server = argument;
    while (!atomic_load(&server->shared_stop)) {
        struct pollfd wait[] = {{.fd = server->fd[0], .events = POLLIN},
                                {.fd = server->fd[1], .events = POLLIN}};
        (void)poll(wait, 2, 5);
        server_answer(server, server->fd[0]);
        server_answer(server, server->fd[1]);
    }
    return NULL;
}

static struct server *server_start(bool is_deaf)
{
    static struct server server;
    server.is_deaf = is_deaf;
    server_open(&server);
    assert_int_equal(pthread_create(&server.thread, NULL, server_run, &server), 0);
    return &server;
}

static void server_stop(struct server *server)
{
    atomic_store(&server->shared_stop, true);
    (void)pthread_join(server->thread, NULL);
    (void)close(server->fd[0]);
    (void)close(server->fd[1]);
}

static struct freshet_producer_options options_of(const char *address)
{
    struct freshet_producer_options options;
    freshet_producer_options_init(&options);
    options.server = address;
    options.producer = 77;
    options.stream = 1;
    options.event_bytes = 8;
    return options;
}

static struct freshet_producer *producer_open(const struct freshet_producer_options *options)
{
    struct freshet_producer *producer;
    char error[FRESHET_PRODUCER_ERROR_BYTES] = "";
    if (freshet_producer_open(options, &producer, error) != FRESHET_PRODUCER_OK) {
        fail_msg("%s", error);
    }
    return producer;
}

static void each_bad_option_is_named(void **state)
{
    (void)state;
    static const char *const name[] = {"server",  "HOST:PORT",    "stream",
                                       "version", "event_bytes",  "message_bytes",
                                       "lanes",   "buffer_bytes", "policy"};
    for (uint32_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        struct freshet_producer_options options = options_of("127.0.0.1:9");
        struct freshet_producer *producer = (struct freshet_producer *)&options;
        char error[FRESHET_PRODUCER_ERROR_BYTES] = "";
        options.server = i == 0 ? NULL : i == 1 ? "nowhere" : options.server;
        options.stream = i == 2 ? 65000 : options.stream;
        options.version = i == 3 ? 0 : options.version;
        options.event_bytes = i == 4 ? 0 : options.event_bytes;
        options.message_bytes = i == 5 ? 71 : options.message_bytes;
        options.lanes = i == 6 ? 65 : options.lanes;
        options.buffer_bytes = i == 7 ? 16 * 4 * 1408 - 1 : options.buffer_bytes;
        options.policy = i == 8 ? (enum freshet_producer_policy)3 : options.policy;
        assert_int_equal(freshet_producer_open(&options, &producer, error),
                         FRESHET_PRODUCER_INVALID);
        assert_null(producer);
        assert_non_null(strstr(error, name[i]));
        assert_int_equal(freshet_producer_open(&options, &producer, NULL),
                         FRESHET_PRODUCER_INVALID);
    }
}

struct inside {
    struct freshet_producer *producer;
    uint64_t durable;
    uint64_t lost[FRESHET_PRODUCER_REASON_COUNT];
};

static void on_durable(void *context, uint16_t lane, uint64_t sequence, uint32_t events)
{
    struct inside *inside = context;
    struct freshet_producer_stats stats;
    (void)lane;
    (void)sequence;
    inside->durable += events;
    assert_int_equal(freshet_producer_send(inside->producer, NULL, 0, &inside->durable),
                     FRESHET_PRODUCER_INSIDE);
    assert_int_equal(freshet_producer_poll(inside->producer, 0), FRESHET_PRODUCER_INSIDE);
    assert_int_equal(freshet_producer_flush(inside->producer, 0), FRESHET_PRODUCER_INSIDE);
    freshet_producer_stats(inside->producer, &stats);
    assert_int_equal(stats.events_durable, inside->durable);
}

static void on_lost(void *context, uint16_t lane, uint64_t sequence, uint32_t events,
                    enum freshet_producer_reason reason)
{
    struct inside *inside = context;
    (void)lane;
    (void)sequence;
    inside->lost[reason] += events;
}

static void callbacks_find_the_door_shut(void **state)
{
    (void)state;
    struct server *server = server_start(false);
    struct inside inside = {0};
    struct freshet_producer_options options = options_of(server->address);
    options.durable = on_durable;
    options.context = &inside;
    inside.producer = producer_open(&options);
    for (uint64_t event = 0; event < 100; event++) {
        assert_int_equal(freshet_producer_send(inside.producer, &event, 8, &event),
                         FRESHET_PRODUCER_OK);
    }
    assert_int_equal(freshet_producer_flush(inside.producer, 10000000), FRESHET_PRODUCER_OK);
    assert_int_equal(inside.durable, 100);
    assert_true(freshet_producer_due_us(inside.producer) == UINT64_MAX);
    freshet_producer_close(inside.producer);
    server_stop(server);
}

/* Nobody answers: what the policies do, and what closing says. */
static void a_full_buffer_is_refused_or_drops_the_oldest(void **state)
{
    (void)state;
    static struct server server;
    server_open(&server);
    for (int drops = 0; drops < 2; drops++) {
        struct inside inside = {0};
        struct freshet_producer_options options = options_of(server.address);
        struct freshet_producer_stats stats;
        options.message_bytes = MESSAGE_BYTES;
        options.lanes = 1;
        options.buffer_bytes = 4 * 128;
        options.policy = drops != 0 ? FRESHET_PRODUCER_DROP_OLDEST : FRESHET_PRODUCER_REFUSE;
        options.lost = on_lost;
        options.context = &inside;
        inside.producer = producer_open(&options);
        for (uint64_t event = 0; event < 6; event++) {
            uint16_t lane;
            uint64_t sequence;
            bool full = drops == 0 && event >= 4;
            assert_int_equal(
                freshet_producer_send_to(inside.producer, NULL, 0, &event, &lane, &sequence),
                full ? FRESHET_PRODUCER_FULL : FRESHET_PRODUCER_OK);
            assert_true(full || sequence == event + 1);
        }
        assert_int_equal(freshet_producer_flush(inside.producer, 5000), FRESHET_PRODUCER_TIMEOUT);
        freshet_producer_stats(inside.producer, &stats);
        assert_int_equal(stats.events_refused, drops != 0 ? 0 : 2);
        assert_int_equal(stats.events_held, 4);
        freshet_producer_close(inside.producer);
        assert_int_equal(inside.lost[FRESHET_PRODUCER_LOST_DROPPED], drops != 0 ? 2 : 0);
        assert_int_equal(inside.lost[FRESHET_PRODUCER_LOST_CLOSED], 4);
    }
    (void)close(server.fd[0]);
    (void)close(server.fd[1]);
}

static void a_home_that_cannot_be_reached_is_reached_by_everyone_s_port(void **state)
{
    (void)state;
    struct server *server = server_start(true);
    struct freshet_producer_options options = options_of(server->address);
    struct freshet_producer *producer = producer_open(&options);
    for (uint64_t event = 0; event < 200; event++) {
        assert_int_equal(freshet_producer_send(producer, &event, 8, &event), FRESHET_PRODUCER_OK);
        assert_int_equal(freshet_producer_poll(producer, 100), FRESHET_PRODUCER_OK);
    }
    assert_int_equal(freshet_producer_flush(producer, 20000000), FRESHET_PRODUCER_OK);
    freshet_producer_close(producer);
    server_stop(server);
}

struct sending {
    struct freshet_producer *producer;
    uint64_t first;
    pthread_t thread;
};

static void *sending_run(void *argument)
{
    struct sending *sending = argument;
    for (uint64_t i = 0; i < EVENTS_PER_THREAD; i++) {
        uint64_t event = sending->first + i;
        if (freshet_producer_send(sending->producer, NULL, 0, &event) != FRESHET_PRODUCER_OK) {
            return sending;
        }
    }
    return NULL;
}

static void threads_send(bool with_thread)
{
    struct server *server = server_start(false);
    struct freshet_producer_options options = options_of(server->address);
    struct freshet_producer_stats stats;
    struct sending sending[THREADS];
    options.message_bytes = MESSAGE_BYTES; /* One event: blocks need not be in order. */
    options.lanes = 1;
    options.buffer_bytes = 64 * 128; /* Blocks. */
    struct freshet_producer *producer = producer_open(&options);
    if (with_thread) {
        assert_int_equal(freshet_producer_start_thread(producer), FRESHET_PRODUCER_OK);
        assert_int_equal(freshet_producer_start_thread(producer), FRESHET_PRODUCER_INVALID);
        assert_int_equal(freshet_producer_poll(producer, 0), FRESHET_PRODUCER_INVALID);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        sending[i] =
            (struct sending){.producer = producer, .first = (uint64_t)i * EVENTS_PER_THREAD};
        assert_int_equal(pthread_create(&sending[i].thread, NULL, sending_run, &sending[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        void *failed;
        (void)pthread_join(sending[i].thread, &failed);
        assert_null(failed);
    }
    assert_int_equal(freshet_producer_flush(producer, 20000000), FRESHET_PRODUCER_OK);
    freshet_producer_stats(producer, &stats);
    assert_int_equal(stats.events_taken, EVENTS);
    assert_int_equal(stats.events_durable, EVENTS);
    assert_int_equal(stats.shard_count, 1);
    freshet_producer_close(producer);
    server_stop(server);
    for (uint32_t id = 0; id < EVENTS; id++) {
        assert_int_equal(server->home.times[id], 1);
    }
}

static void many_threads_may_send_and_block(void **state)
{
    (void)state;
    threads_send(false);
}

static void many_threads_may_send_beside_the_library_s_own(void **state)
{
    (void)state;
    threads_send(true);
}

static void keys_are_read_from_files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        enum freshet_producer_result result;
        uint8_t last;
    } row[] = {
        {"000102030405060708090a0b0c0d0e0F\n", 33, FRESHET_PRODUCER_OK, 15},
        {"  000102030405060708090a0b0c0d0eff", 34, FRESHET_PRODUCER_OK, 255},
        {"0123456789abcdef", 16, FRESHET_PRODUCER_OK, 'f'},
        {"000102030405060708090a0b0c0d0e0", 31, FRESHET_PRODUCER_INVALID, 0},
        {"000102030405060708090a0b0c0d0e0g", 32, FRESHET_PRODUCER_INVALID, 0},
        {"", 0, FRESHET_PRODUCER_INVALID, 0},
    };
    uint8_t key[FRESHET_PRODUCER_KEY_BYTES];
    for (uint32_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        char path[] = "/tmp/freshet-key-XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, row[i].text, row[i].size), row[i].size);
        (void)close(fd);
        assert_int_equal(freshet_producer_key_of_file(path, key), row[i].result);
        if (row[i].result == FRESHET_PRODUCER_OK) {
            assert_int_equal(key[15], row[i].last);
        }
        (void)unlink(path);
    }
    assert_int_equal(freshet_producer_key_of_file("/nowhere/key", key), FRESHET_PRODUCER_SYSTEM);
    assert_int_equal(errno, ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_bad_option_is_named),
        cmocka_unit_test(callbacks_find_the_door_shut),
        cmocka_unit_test(a_full_buffer_is_refused_or_drops_the_oldest),
        cmocka_unit_test(a_home_that_cannot_be_reached_is_reached_by_everyone_s_port),
        cmocka_unit_test(many_threads_may_send_and_block),
        cmocka_unit_test(many_threads_may_send_beside_the_library_s_own),
        cmocka_unit_test(keys_are_read_from_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
