#include "perf/load/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/units.h"

#define ENDPOINT_SEND_BUFFER_BYTES (4 << 20)

static int endpoint_fail(char *error, const char *what, const char *why)
{
    (void)snprintf(error, ENDPOINT_ERROR_SIZE_MAX, "%s: %s", what, why);
    return -1;
}

/* HOST:PORT or [HOST]:PORT, numeric or by name. */
static int endpoint_connect_inet(const char *text, int type, char *error)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    size_t size = colon != NULL ? (size_t)(colon - text) : 0;
    if (colon == NULL || size == 0 || size >= sizeof(host)) {
        return endpoint_fail(error, text, "is not HOST:PORT");
    }
    bool bracket = text[0] == '[' && text[size - 1] == ']';
    size_t skip = bracket ? 1 : 0;
    memcpy(host, text + skip, size - 2 * skip);
    host[size - 2 * skip] = '\0';
    struct addrinfo hints = {.ai_socktype = type};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, colon + 1, &hints, &found);
    if (code != 0) {
        return endpoint_fail(error, text, gai_strerror(code));
    }
    int fd = socket(found->ai_family, type | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd >= 0 ? fd : endpoint_fail(error, text, strerror(errno));
}

static int endpoint_connect_unix(const char *path, char *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return endpoint_fail(error, path, "is longer than a socket path can be");
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        int saved = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return endpoint_fail(error, path, strerror(saved));
    }
    return fd;
}

int endpoint_open_udp(const char *to, char error[ENDPOINT_ERROR_SIZE_MAX])
{
    int fd = endpoint_connect_inet(to, SOCK_DGRAM, error);
    int bytes = ENDPOINT_SEND_BUFFER_BYTES;
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    }
    return fd;
}

int endpoint_open_query(const char *query, char error[ENDPOINT_ERROR_SIZE_MAX])
{
    if (strchr(query, '/') != NULL || strchr(query, ':') == NULL) {
        return endpoint_connect_unix(query, error);
    }
    int fd = endpoint_connect_inet(query, SOCK_STREAM, error);
    int yes = 1;
    if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    }
    return fd;
}

static int64_t endpoint_clock_ns(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

int64_t endpoint_now_ns(void)
{
    return endpoint_clock_ns(CLOCK_MONOTONIC);
}

int64_t endpoint_thread_ns(void)
{
    return endpoint_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t endpoint_time_us(void)
{
    return endpoint_clock_ns(CLOCK_REALTIME) / NS_PER_US;
}

void endpoint_sleep_until(int64_t at_ns)
{
    struct timespec at = {.tv_sec = at_ns / NS_PER_SECOND, .tv_nsec = at_ns % NS_PER_SECOND};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}
