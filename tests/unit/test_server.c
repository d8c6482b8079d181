#include "tests/support/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "controlplane/access.h"
#include "controlplane/appliance.h"
#include "controlplane/command.h"
#include "controlplane/password.h"
#include "controlplane/server.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"

#define WAIT_MS 10000

static const char definition[] = "streams:\n"
                                 "  pay:\n"
                                 "    id: 1\n"
                                 "    version: 1\n"
                                 "    time: ts\n"
                                 "    fields: {ts: {type: timestamp}, card: {type: u64}}\n"
                                 "views:\n"
                                 "  spend:\n"
                                 "    version: 1\n"
                                 "    entity: card\n"
                                 "    source: pay\n"
                                 "    windows: [10m]\n"
                                 "    aggregates: {n: count()}\n";

static struct config *config;
static struct appliance *appliance;
static char folder[32];
static char path[100];
static char error[512];

static struct server_options options_of(const char *tcp, uint32_t threads)
{
    return (struct server_options){
        .unix_path = path, .unix_mode = 0660, .tcp = tcp, .thread_count = threads};
}

static int set_up(void **state)
{
    (void)state;
    config = calloc(1, sizeof(*config));
    appliance = calloc(1, sizeof(*appliance));
    if (config_load_text("test", definition, sizeof(definition) - 1, config) != RESULT_OK) {
        (void)fprintf(stderr, "%u: %s\n", config->error[0].line, config->error[0].text);
        return 1;
    }
    appliance->config = config;
    appliance->plan = &config->plan;
    cpu_layout_choose(1, &appliance->layout);
    clock_open(&appliance->clock);
    atomic_store(&appliance->shared_loaded, true);
    (void)snprintf(folder, sizeof(folder), "/tmp/freshet-test-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    (void)snprintf(path, sizeof(path), "%s/a/b/s.sock", folder);
    return 0;
}

static int tear_down(void **state)
{
    char inner[64];
    (void)state;
    (void)snprintf(inner, sizeof(inner), "%s/a/b", folder);
    (void)rmdir(inner);
    (void)snprintf(inner, sizeof(inner), "%s/a", folder);
    (void)rmdir(inner);
    int removed = rmdir(folder);
    free(appliance);
    free(config);
    return removed;
}

static struct server *open_server_as(const struct server_options *options)
{
    struct server *server = NULL;
    if (server_open(appliance, options, &server, error, sizeof(error)) != RESULT_OK) {
        print_error("%s\n", error);
    }
    assert_non_null(server);
    return server;
}

static struct server *open_server(uint32_t threads)
{
    struct server_options options = options_of("127.0.0.1:0", threads);
    return open_server_as(&options);
}

static int connect_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static int connect_tcp(const struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(server_tcp_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Sends what the socket takes without waiting for a reader. */
static void say(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Reads until size bytes are there, the other side closes, or nothing comes for WAIT_MS. */
static uint64_t hear(int fd, char *out, uint64_t size)
{
    uint64_t at = 0;
    while (at < size) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, WAIT_MS) != 1) {
            break;
        }
        ssize_t got = recv(fd, out + at, size - at, 0);
        if (got <= 0) {
            break;
        }
        at += (uint64_t)got;
    }
    return at;
}

static void expect(int fd, const char *text)
{
    char got[512] = "";
    uint64_t size = hear(fd, got, strlen(text));
    got[size] = '\0';
    assert_string_equal(got, text);
}

static void expect_end(int fd)
{
    char byte;
    assert_int_equal(hear(fd, &byte, 1), 0);
}

static void both_sockets_answer_with_any_number_of_threads(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= 3; threads++) {
        struct server *server = open_server(threads);
        int fds[8];
        for (uint32_t i = 0; i < ARRAY_COUNT(fds); i++) {
            fds[i] = i % 2 == 0 ? connect_unix() : connect_tcp(server);
            say(fds[i], "PING\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n");
        }
        for (uint32_t i = 0; i < ARRAY_COUNT(fds); i++) {
            expect(fds[i], "+PONG\r\n$2\r\nhi\r\n");
            say(fds[i], "HGET card:7 spend.n_10m\r\n");
            expect(fds[i], "$4\r\n0.07\r\n");
            (void)close(fds[i]);
        }
        server_close(server);
    }
}

static void the_socket_file_is_private_replaced_when_stale_and_refused_when_live(void **state)
{
    struct stat status;
    struct server *second = NULL;
    struct server_options options = options_of("", 1);
    (void)state;
    struct server *server = open_server(1);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
    assert_int_equal(server_open(appliance, &options, &second, error, sizeof(error)), RESULT_BUSY);
    assert_non_null(strstr(error, "is served by a running process"));
    server_close(server);
    assert_int_equal(stat(path, &status), -1);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(stale);
    server = open_server(1);
    server_close(server);

    int file = open(path, O_CREAT | O_WRONLY, 0600);
    (void)close(file);
    assert_int_equal(server_open(appliance, &options, &second, error, sizeof(error)),
                     RESULT_EXISTS);
    assert_non_null(strstr(error, "is no socket"));
    assert_int_equal(stat(path, &status), 0);
    (void)unlink(path);
}

static void a_wrong_address_is_refused_with_its_text(void **state)
{
    struct server *server = NULL;
    struct server_options options = options_of("localhost", 1);
    (void)state;
    assert_int_equal(server_open(appliance, &options, &server, error, sizeof(error)),
                     RESULT_INVALID);
    assert_non_null(strstr(error, "'localhost'"));
}

static void requests_in_flight_at_half_close_are_answered(void **state)
{
    struct server *server = open_server(1);
    int fd = connect_unix();
    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        say(fd, "PING\r\n");
    }
    (void)shutdown(fd, SHUT_WR);
    for (uint32_t i = 0; i < 200; i++) {
        expect(fd, "+PONG\r\n");
    }
    expect_end(fd);
    (void)close(fd);
    server_close(server);
}

static void a_protocol_error_is_told_and_ends_only_its_client(void **state)
{
    struct server_statistics statistics;
    struct server *server = open_server(1);
    int good = connect_unix();
    int bad = connect_tcp(server);
    (void)state;
    say(bad, "PING\r\n*1\r\n$x\r\nPING\r\n");
    expect(bad, "+PONG\r\n-ERR Protocol error: invalid bulk length\r\n");
    expect_end(bad);
    say(good, "PING\r\n");
    expect(good, "+PONG\r\n");
    server_statistics_read(server, &statistics);
    assert_int_equal(statistics.clients_closed, 1);
    assert_int_equal(statistics.errors, 1);
    assert_int_equal(statistics.connections_open, 1);
    (void)close(good);
    (void)close(bad);
    server_close(server);
}

static void garbage_of_many_clients_hurts_nobody(void **state)
{
    struct server *server = open_server(2);
    int good = connect_unix();
    struct random random;
    const char *seed_text = getenv("SEED");
    uint64_t seed = seed_text == NULL ? 1 : strtoull(seed_text, NULL, 10);
    (void)state;
    print_message("SEED=%llu\n", (unsigned long long)seed);
    random_seed(&random, seed);
    for (uint32_t i = 0; i < 100; i++) {
        char bytes[512];
        int fd = connect_tcp(server);
        for (uint32_t j = 0; j < sizeof(bytes); j++) {
            static const char likely[] = "*$\r\n0123456789\"'\\PINGHMGET card:";
            bytes[j] = random_below(&random, 4) == 0
                           ? (char)random_next(&random)
                           : likely[random_below(&random, sizeof(likely) - 1)];
        }
        (void)send(fd, bytes, 1 + random_below(&random, sizeof(bytes)), MSG_NOSIGNAL);
        say(good, "PING\r\n");
        expect(good, "+PONG\r\n");
        (void)close(fd);
    }
    (void)close(good);
    server_close(server);
}

/* Writes requests for big replies until the socket takes no more for a while; returns the bytes
 * that went in. */
static uint64_t flood(int fd)
{
    static char request[65536];
    int size = snprintf(request, sizeof(request), "*2\r\n$4\r\nECHO\r\n$60000\r\n%060000d\r\n", 0);
    uint64_t sent = 0;
    while (sent < 256 * MIB) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        if (poll(&ready, 1, 500) != 1) {
            break;
        }
        ssize_t took = send(fd, request + sent % (uint64_t)size,
                            (size_t)size - sent % (uint64_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (took < 0) {
            break;
        }
        sent += (uint64_t)took;
    }
    return sent;
}

static void a_client_that_does_not_read_is_not_read_from_and_others_are_served(void **state)
{
    struct server_statistics statistics;
    struct server *server = open_server(1);
    int slow = connect_unix();
    int good = connect_unix();
    (void)state;
    uint64_t sent = flood(slow);
    assert_true(sent > CACHE_LINE_BYTES);
    assert_true(sent < 16 * MIB);
    server_statistics_read(server, &statistics);
    assert_true(statistics.bytes_in < 16 * MIB);
    for (uint32_t i = 0; i < 100; i++) {
        say(good, "HGET card:7 spend.n_10m\r\n");
        expect(good, "$4\r\n0.07\r\n");
    }
    /* When it reads at last, everything it asked for is there. */
    static char reply[65536];
    uint64_t wanted = sent / 60026; /* Whole requests. */
    for (uint64_t i = 0; i < wanted; i++) {
        assert_int_equal(hear(slow, reply, 60010), 60010);
        assert_memory_equal(reply, "$60000\r\n000", 11);
    }
    (void)close(slow);
    (void)close(good);
    server_close(server);
}

static void a_client_that_reads_nothing_for_too_long_is_closed_and_idle_ones_stay(void **state)
{
    static char reply[65536];
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    struct server_statistics statistics = {0};
    struct server_options options = options_of("", 1);
    options.stall_ns = INT64_C(1000000000);
    struct server *server = open_server_as(&options);
    int idle = connect_unix();
    int slow = connect_unix();
    (void)state;
    say(idle, "PING\r\n");
    expect(idle, "+PONG\r\n");
    uint64_t sent = flood(slow);
    bool closed = false; /* One number after the other. */
    for (uint32_t i = 0; i < 2 * WAIT_MS / 20 && !closed; i++) {
        server_statistics_read(server, &statistics);
        closed = statistics.clients_closed > 0 && statistics.connections_open < 2;
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(statistics.clients_closed, 1);
    assert_int_equal(statistics.connections_open, 1);
    /* What the kernel has of its replies, and then the end. */
    uint64_t heard = 0;
    uint64_t got;
    while ((got = hear(slow, reply, sizeof(reply))) > 0) {
        heard += got;
    }
    assert_true(heard < sent);
    say(idle, "PING\r\n");
    expect(idle, "+PONG\r\n");
    (void)close(slow);
    (void)close(idle);
    server_close(server);
}

static void a_long_pipeline_does_not_hold_up_another_client(void **state)
{
    struct server *server = open_server(1);
    int busy = connect_unix();
    int good = connect_unix();
    static char pipeline[65536];
    uint64_t size = 0;
    (void)state;
    while (size + 32 < sizeof(pipeline)) {
        size += (uint64_t)snprintf(pipeline + size, sizeof(pipeline) - size,
                                   "HGET card:7 spend.n_10m\r\n");
    }
    say(busy, pipeline);
    say(good, "PING\r\n");
    expect(good, "+PONG\r\n");
    uint64_t count = size / strlen("HGET card:7 spend.n_10m\r\n");
    for (uint64_t i = 0; i < count; i++) {
        expect(busy, "$4\r\n0.07\r\n");
    }
    struct histogram *durations = calloc(1, sizeof(*durations));
    server_read_duration(server, durations);
    assert_int_equal(histogram_count(durations), count);
    free(durations);
    (void)close(busy);
    (void)close(good);
    server_close(server);
}

/* Resets of connections that have more to run: their end comes from two sides at once. */
static void a_client_that_vanishes_in_the_middle_of_a_pipeline_ends_once(void **state)
{
    const struct linger reset = {.l_onoff = 1};
    const struct timespec pause = {.tv_nsec = 1000000};
    struct server *server = open_server(1);
    struct server_statistics statistics = {0};
    int kept = connect_tcp(server);
    static char pipeline[65536];
    (void)state;
    for (uint64_t i = 0; i + 7 < sizeof(pipeline); i += 6) {
        memcpy(pipeline + i, "PING\r\n", 6);
    }
    for (uint32_t round = 0; round < 100; round++) {
        int fd[16];
        for (uint32_t i = 0; i < ARRAY_COUNT(fd); i++) {
            fd[i] = connect_tcp(server);
            (void)setsockopt(fd[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            say(fd[i], pipeline);
        }
        (void)nanosleep(&pause, NULL);
        for (uint32_t i = 0; i < ARRAY_COUNT(fd); i++) {
            (void)close(fd[i]);
        }
    }
    say(kept, "PING\r\n");
    expect(kept, "+PONG\r\n");
    for (uint32_t i = 0; i < WAIT_MS && (i == 0 || statistics.connections_open != 1); i++) {
        (void)nanosleep(&pause, NULL);
        server_statistics_read(server, &statistics);
    }
    assert_int_equal(statistics.connections_open, 1);
    (void)close(kept);
    server_close(server);
}

static void clients_over_the_limit_are_told_so(void **state)
{
    static int fds[1024];
    struct server *server = open_server(1);
    uint32_t count = 0;
    (void)state;
    while (count < ARRAY_COUNT(fds)) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd < 0) {
            break; /* Both ends are ours: descriptors may run out first. */
        }
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        fds[count++] = fd;
    }
    /* Whichever limit is met first, the last client is told. */
    (void)close(fds[--count]);
    int last = connect_unix();
    bool refused = false;
    struct timespec pause = {.tv_nsec = 10000000};
    for (uint32_t i = 0; i < 500 && !refused; i++) {
        struct server_statistics statistics;
        server_statistics_read(server, &statistics);
        refused = statistics.connections_refused > 0;
        (void)nanosleep(&pause, NULL);
    }
    (void)close(last);
    for (uint32_t i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
    if (count + 1 < ARRAY_COUNT(fds)) {
        assert_true(refused);
    }
    server_close(server);
}

static void clients_are_listed_named_and_killed(void **state)
{
    struct server *server = open_server(2);
    int one = connect_tcp(server);
    int two = connect_unix();
    char list[1024] = "";
    (void)state;
    say(one, "CLIENT SETNAME first\r\n");
    expect(one, "+OK\r\n");
    say(two, "CLIENT LIST\r\n");
    struct pollfd ready = {.fd = two, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
    assert_true(recv(two, list, sizeof(list) - 1, 0) > 0);
    assert_non_null(strstr(list, "id=1 addr=127.0.0.1:"));
    assert_non_null(strstr(list, "name=first"));
    assert_non_null(strstr(list, "cmd=client|setname user=default"));
    assert_non_null(strstr(list, "id=2 addr="));
    say(two, "CLIENT KILL ID 1\r\n");
    expect(two, ":1\r\n");
    expect_end(one);
    say(two, "CLIENT KILL ID 1\r\nCLIENT KILL 1.2.3.4:5\r\n");
    expect(two, ":0\r\n-ERR No such client\r\n");
    (void)close(one);
    (void)close(two);
    server_close(server);
}

static void replies_can_be_turned_off(void **state)
{
    struct server *server = open_server(1);
    int fd = connect_unix();
    (void)state;
    say(fd, "CLIENT REPLY SKIP\r\nECHO a\r\nECHO b\r\n");
    expect(fd, "$1\r\nb\r\n");
    say(fd, "CLIENT REPLY OFF\r\nECHO c\r\nCLIENT REPLY ON\r\nQUIT\r\n");
    expect(fd, "+OK\r\n+OK\r\n");
    expect_end(fd);
    (void)close(fd);
    server_close(server);
}

/* Opens the users `model`, who reads, and `admin`, who operates; the password of each is its name
 * twice. */
static void users_open(void)
{
    static const struct {
        const char *name;
        const char *password;
        enum user_role role;
    } rows[] = {{"model", "modelmodel", USER_ROLE_READ},
                {"admin", "adminadmin", USER_ROLE_OPERATE}};
    char file[64];
    char text[USERS_ERROR_SIZE_MAX];
    struct users *users = calloc(1, sizeof(*users));
    assert_non_null(users);
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct user *user = &users->user[users->count++];
        (void)snprintf(user->name, sizeof(user->name), "%s", rows[i].name);
        user->role = rows[i].role;
        assert_int_equal(password_hash(rows[i].password, user->hash), RESULT_OK);
    }
    (void)snprintf(file, sizeof(file), "%s/users.yaml", folder);
    assert_int_equal(users_save(file, users, text), RESULT_OK);
    free(users);
    assert_int_equal(
        access_open(file, &appliance->layout, &appliance->access, error, sizeof(error)), RESULT_OK);
    (void)unlink(file);
}

static void users_close(struct server *server)
{
    access_stop(appliance->access);
    server_close(server);
    access_close(appliance->access);
    appliance->access = NULL;
}

static const char noauth[] = "-NOAUTH Authentication required.\r\n";
static const char wrongpass[] =
    "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

static void with_users_tcp_says_nothing_before_auth_and_then_what_the_role_may(void **state)
{
    (void)state;
    users_open();
    struct server *server = open_server(2);
    int fd = connect_tcp(server);
    say(fd, "PING\r\nHGET card:7 spend.n_10m\r\nSET a b\r\nCLIENT ID\r\n");
    for (uint32_t i = 0; i < 4; i++) {
        expect(fd, noauth);
    }
    say(fd, "AUTH model modelmodel\r\nHGET card:7 spend.n_10m\r\nCONFIG GET port\r\n");
    expect(fd, "+OK\r\n$4\r\n0.07\r\n-NOPERM this user has no permissions to run the 'config|get' "
               "command; it takes the role operate\r\n");
    say(fd, "AUTH admin adminadmin\r\nCONFIG GET databases\r\nRESET\r\nPING\r\nQUIT\r\n");
    expect(fd, "+OK\r\n*2\r\n$9\r\ndatabases\r\n$1\r\n1\r\n+RESET\r\n");
    expect(fd, noauth);
    expect(fd, "+OK\r\n");
    expect_end(fd);
    (void)close(fd);
    users_close(server);
}

static void requests_behind_a_login_wait_for_it_and_keep_their_order(void **state)
{
    (void)state;
    users_open();
    struct server *server = open_server(1);
    int fd = connect_tcp(server);
    int other = connect_unix();
    /* A name of HELLO is taken only with its password. */
    say(fd, "HELLO 3 AUTH model wrong SETNAME a\r\nPING\r\n");
    say(fd, "CLIENT REPLY SKIP\r\nAUTH model modelmodel\r\nECHO after\r\n");
    /* Nobody else waits. */
    say(other, "PING\r\nCLIENT INFO\r\n");
    expect(other, "+PONG\r\n");
    expect(fd, wrongpass);
    expect(fd, noauth);
    expect(fd, noauth); /* CLIENT REPLY */
    expect(fd, "+OK\r\n$5\r\nafter\r\n");
    say(fd, "HELLO 3 AUTH nobody x AUTH admin adminadmin SETNAME b\r\nCLIENT GETNAME\r\n");
    expect(fd, "%8\r\n");
    (void)close(fd);
    (void)close(other);
    users_close(server);
}

static void a_connection_has_a_bounded_number_of_failed_logins(void **state)
{
    (void)state;
    users_open();
    struct server *server = open_server(1);
    int fd = connect_tcp(server);
    for (uint32_t i = 0; i < SESSION_FAILURES_MAX; i++) {
        say(fd, i % 2 == 0 ? "AUTH model bad\r\n" : "AUTH nobody bad\r\n");
    }
    say(fd, "AUTH model modelmodel\r\n");
    for (uint32_t i = 0; i < SESSION_FAILURES_MAX; i++) {
        expect(fd, wrongpass);
    }
    expect_end(fd);
    (void)close(fd);
    users_close(server);
}

static void who_leaves_while_a_login_is_verified_leaves_nothing_behind(void **state)
{
    struct server_statistics statistics;
    (void)state;
    users_open();
    struct server *server = open_server(2);
    for (uint32_t i = 0; i < 40; i++) {
        int fd = i % 2 == 0 ? connect_tcp(server) : connect_unix();
        say(fd, i % 3 == 0 ? "AUTH model modelmodel\r\nPING\r\n" : "AUTH model wrong\r\n");
        if (i % 4 == 0) {
            const struct linger reset = {.l_onoff = 1, .l_linger = 0};
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        (void)close(fd);
    }
    int64_t end_ms = WAIT_MS;
    do {
        const struct timespec pause = {.tv_nsec = 10000000};
        (void)nanosleep(&pause, NULL);
        server_statistics_read(server, &statistics);
        end_ms -= 10;
    } while (statistics.connections_open > 0 && end_ms > 0);
    assert_int_equal(statistics.connections_open, 0);
    /* Some that still wait when the server closes. */
    int last = connect_tcp(server);
    say(last, "AUTH model wrong\r\n");
    users_close(server);
    (void)close(last);
}

static void a_stranger_cannot_make_the_server_keep_much(void **state)
{
    (void)state;
    users_open();
    struct server *server = open_server(1);
    int fd = connect_tcp(server);
    say(fd, "*11\r\n");
    expect(fd, "-ERR Protocol error: unauthenticated multibulk length\r\n");
    expect_end(fd);
    (void)close(fd);
    fd = connect_tcp(server);
    say(fd, "*2\r\n$4\r\nAUTH\r\n$16385\r\n");
    expect(fd, "-ERR Protocol error: unauthenticated bulk length\r\n");
    expect_end(fd);
    (void)close(fd);
    users_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sockets_answer_with_any_number_of_threads),
        cmocka_unit_test(the_socket_file_is_private_replaced_when_stale_and_refused_when_live),
        cmocka_unit_test(a_wrong_address_is_refused_with_its_text),
        cmocka_unit_test(requests_in_flight_at_half_close_are_answered),
        cmocka_unit_test(a_protocol_error_is_told_and_ends_only_its_client),
        cmocka_unit_test(garbage_of_many_clients_hurts_nobody),
        cmocka_unit_test(a_client_that_does_not_read_is_not_read_from_and_others_are_served),
        cmocka_unit_test(a_client_that_reads_nothing_for_too_long_is_closed_and_idle_ones_stay),
        cmocka_unit_test(a_long_pipeline_does_not_hold_up_another_client),
        cmocka_unit_test(a_client_that_vanishes_in_the_middle_of_a_pipeline_ends_once),
        cmocka_unit_test(clients_over_the_limit_are_told_so),
        cmocka_unit_test(clients_are_listed_named_and_killed),
        cmocka_unit_test(replies_can_be_turned_off),
        cmocka_unit_test(with_users_tcp_says_nothing_before_auth_and_then_what_the_role_may),
        cmocka_unit_test(requests_behind_a_login_wait_for_it_and_keep_their_order),
        cmocka_unit_test(a_connection_has_a_bounded_number_of_failed_logins),
        cmocka_unit_test(who_leaves_while_a_login_is_verified_leaves_nothing_behind),
        cmocka_unit_test(a_stranger_cannot_make_the_server_keep_much),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
