#include "perf/benches/served.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "perf/load/endpoint.h"
#include "perf/load/reply.h"
#include "perf/load/schedule.h"

#define SERVED_START_NS   (10 * NS_PER_SECOND)
#define SERVED_DATA       "data"
#define SERVED_REPLY_SIZE (256u * 1024)

static int serving_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, why);
    return -1;
}

static int served_folder_make(struct served *served, const char *socket)
{
    *served = (struct served){.udp = -1, .folder = "/tmp/freshet-bench-XXXXXX"};
    if (mkdtemp(served->folder) == NULL) {
        served->folder[0] = '\0';
        return serving_fail("/tmp", strerror(errno));
    }
    (void)snprintf(served->socket, sizeof(served->socket), "%s/%s", served->folder, socket);
    return 0;
}

/* Starts argv with its output in folder/log. */
static int served_spawn(struct served *served, const char *const *argv)
{
    char log[96];
    (void)snprintf(log, sizeof(log), "%s/log", served->folder);
    served->pid = fork();
    if (served->pid == 0) {
        int fd = open(log, O_CREAT | O_WRONLY | O_TRUNC, 0600);
        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    if (served->pid < 0) {
        return serving_fail(argv[0], strerror(errno));
    }
    int64_t end_ns = endpoint_now_ns() + SERVED_START_NS;
    while (endpoint_now_ns() < end_ns && waitpid(served->pid, NULL, WNOHANG) == 0) {
        char error[ENDPOINT_ERROR_SIZE_MAX];
        int fd = endpoint_open_query(served->socket, error);
        if (fd >= 0) {
            bool answers = serving_ask(fd, "*1\r\n$4\r\nPING\r\n", 14, 1) == 0;
            (void)close(fd);
            if (answers) {
                return 0;
            }
        }
        endpoint_sleep_until(endpoint_now_ns() + 20 * 1000 * 1000);
    }
    return serving_fail(argv[0], "did not start; its output is in the folder's log");
}

/* more: NULL: without a data directory. */
static int served_config_write(const struct served *served, const char *more, char path[96])
{
    char data[160] = "";
    if (more != NULL) {
        (void)snprintf(data, sizeof(data),
                       "  data: {directory: %s/" SERVED_DATA
                       ", mirror: {segment: 16MiB, bytes: 256MiB}}\n",
                       served->folder);
    }
    (void)snprintf(path, 96, "%s/bench.yaml", served->folder);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return serving_fail(path, strerror(errno));
    }
    (void)fprintf(file,
                  "appliance:\n"
                  "  shards: 1\n"
                  "  ingest:\n"
                  "    - {driver: socket, listen: \"127.0.0.1:0\"}\n"
                  "  query: {unix: %s, tcp: \"127.0.0.1:0\", http: \"127.0.0.1:0\"}\n"
                  "  state: {memory: 4GiB}\n"
                  "%s%s%s",
                  served->socket, data, workload_definitions(), more == NULL ? "" : more);
    return fclose(file) == 0 ? 0 : serving_fail(path, strerror(errno));
}

/* The UDP port, from the banner that run --json prints first. */
static uint16_t served_port_read(const struct served *served)
{
    char path[96];
    char text[4096] = "";
    (void)snprintf(path, sizeof(path), "%s/log", served->folder);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        (void)fclose(file);
    }
    const char *number = strstr(text, "\"number\":");
    return number != NULL ? (uint16_t)strtoul(number + 9, NULL, 10) : 0;
}

static int served_open(struct served *served, uint64_t keys, const char *more)
{
    char program[512];
    char config[96];
    char to[32];
    char error[ENDPOINT_ERROR_SIZE_MAX];
    if (served_folder_make(served, "freshet.sock") != 0 ||
        served_config_write(served, more, config) != 0) {
        return -1;
    }
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 16);
    char *slash = size > 0 ? memrchr(program, '/', (size_t)size) : NULL;
    if (slash == NULL) {
        return serving_fail("/proc/self/exe", "cannot be read");
    }
    memcpy(slash, "/freshet", sizeof("/freshet"));
    const char *const argv[] = {program, "run", "--json", config, NULL};
    if (served_spawn(served, argv) != 0) {
        return -1;
    }
    served->udp_port = served_port_read(served);
    served->maker.keys = keys;
    random_seed(&served->maker.random, 3);
    served->maker.tile = calloc(keys, sizeof(*served->maker.tile));
    (void)snprintf(to, sizeof(to), "127.0.0.1:%u", served->udp_port);
    served->udp = endpoint_open_udp(to, error);
    return served->udp >= 0 && served->maker.tile != NULL ? 0 : serving_fail(to, error);
}

int serving_open_freshet(struct served *served, uint64_t keys)
{
    return served_open(served, keys, NULL);
}

int serving_open_durable(struct served *served, uint64_t keys, const char *more)
{
    return served_open(served, keys, more);
}

int serving_open_redis(struct served *served)
{
    if (served_folder_make(served, "redis.sock") != 0) {
        return -1;
    }
    const char *const argv[] = {"redis-server", "--port",      "0",  "--unixsocket",
                                served->socket, "--save",      "",   "--appendonly",
                                "no",           "--daemonize", "no", NULL};
    return served_spawn(served, argv);
}

/* The data directory, if there is one. */
static void served_data_remove(const struct served *served)
{
    char path[160 + NAME_MAX];
    (void)snprintf(path, sizeof(path), "%s/" SERVED_DATA, served->folder);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        (void)snprintf(path, sizeof(path), "%s/" SERVED_DATA "/%s", served->folder, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(folder);
    (void)snprintf(path, sizeof(path), "%s/" SERVED_DATA, served->folder);
    (void)rmdir(path);
}

void serving_close(struct served *served)
{
    if (served->pid > 0) {
        (void)kill(served->pid, SIGTERM);
        (void)waitpid(served->pid, NULL, 0);
    }
    if (served->udp >= 0) {
        (void)close(served->udp);
    }
    free(served->maker.tile);
    static const char *const names[] = {"log", "bench.yaml", "freshet.sock", "redis.sock",
                                        "dump.rdb"};
    for (uint32_t i = 0; i < ARRAY_COUNT(names) && served->folder[0] != '\0'; i++) {
        char path[96];
        (void)snprintf(path, sizeof(path), "%s/%s", served->folder, names[i]);
        (void)unlink(path);
    }
    if (served->folder[0] != '\0') {
        served_data_remove(served);
        (void)rmdir(served->folder);
    }
    *served = (struct served){.udp = -1};
}

void serving_send(struct served *served, uint64_t events, double rate, int64_t start_us,
                  int64_t end_us)
{
    struct schedule schedule;
    uint64_t messages = div_ceil(events, WORKLOAD_EVENTS_PER_MESSAGE);
    int64_t start_ns = endpoint_now_ns();
    schedule_init(&schedule, rate / WORKLOAD_EVENTS_PER_MESSAGE);
    for (uint64_t i = 0; i < messages; i++) {
        uint8_t data[MESSAGE_SIZE_MAX];
        double share = (double)i / (double)messages;
        uint32_t size = workload_message(
            &served->maker, start_us + (int64_t)(share * (double)(end_us - start_us)), data);
        if (schedule.at_ns > (double)(endpoint_now_ns() - start_ns)) {
            endpoint_sleep_until(start_ns + (int64_t)schedule.at_ns);
        }
        (void)send(served->udp, data, size, 0);
        schedule_advance(&schedule, 1);
    }
}

int serving_connect(const struct served *served)
{
    char error[ENDPOINT_ERROR_SIZE_MAX];
    int fd = endpoint_open_query(served->socket, error);
    return fd >= 0 ? fd : serving_fail(served->socket, error);
}

int serving_ask(int fd, const char *request, uint64_t size, uint64_t replies)
{
    static _Thread_local char data[SERVED_REPLY_SIZE];
    struct reply_scan scan = {0};
    uint64_t sent = 0;
    uint32_t held = 0;
    while (replies > 0) {
        struct pollfd ready = {.fd = fd, .events = (short)(POLLIN | (sent < size ? POLLOUT : 0))};
        if (sent < size && poll(&ready, 1, -1) > 0 && (ready.revents & POLLOUT) != 0) {
            ssize_t put = send(fd, request + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (put < 0 && errno != EAGAIN) {
                return -1;
            }
            sent += put > 0 ? (uint64_t)put : 0;
            if ((ready.revents & POLLIN) == 0) {
                continue;
            }
        }
        ssize_t got = recv(fd, data + held, sizeof(data) - held, 0);
        if (got <= 0) {
            return -1;
        }
        held += (uint32_t)got;
        uint32_t at = 0;
        bool done = true;
        while (done && at < held) {
            at += reply_scan(&scan, data + at, held - at, &done);
            replies -= done;
            if (scan.broken || (done && scan.error)) {
                return -1;
            }
        }
        memmove(data, data + at, held - at);
        held -= at;
    }
    return 0;
}
