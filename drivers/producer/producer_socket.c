#include "drivers/producer/producer_socket.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/units.h"

#define BUFFER_BYTES (4 * 1024 * 1024)
/* The kernel's queues are full: so often, a millisecond apart, it is asked again. */
#define REFUSALS_MAX 20u

/* Splits at the last colon and takes brackets off. */
static bool address_split(const char *server, char *host, size_t host_size, const char **out_port)
{
    const char *colon = strrchr(server, ':');
    if (colon == NULL || colon == server || colon[1] == '\0') {
        return false;
    }
    size_t size = (size_t)(colon - server);
    if (server[0] == '[' && colon[-1] == ']') {
        server++;
        size -= 2;
    }
    if (size == 0 || size >= host_size) {
        return false;
    }
    memcpy(host, server, size);
    host[size] = '\0';
    *out_port = colon + 1;
    return true;
}

static void buffers_enlarge(int fd)
{
    int bytes = BUFFER_BYTES; /* As much of it as the system allows. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

enum result producer_socket_open(struct producer_socket *producer_socket, const char *server,
                                 char *error, uint32_t size)
{
    char host[256];
    const char *port;
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    producer_socket->fd = -1;
    if (!address_split(server, host, sizeof(host), &port)) {
        (void)snprintf(error, size, "%s: HOST:PORT is wanted", server);
        return RESULT_INVALID;
    }
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0) {
        (void)snprintf(error, size, "%s: %s", server, gai_strerror(code));
        return RESULT_NOT_FOUND;
    }
    if (found->ai_addrlen <= sizeof(producer_socket->server)) {
        memcpy(&producer_socket->server, found->ai_addr, found->ai_addrlen);
        producer_socket->server_size = found->ai_addrlen;
        producer_socket->fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    freeaddrinfo(found);
    if (producer_socket->fd < 0) {
        (void)snprintf(error, size, "%s: %s", server, strerror(errno));
        return RESULT_SYSTEM;
    }
    buffers_enlarge(producer_socket->fd);
    return RESULT_OK;
}

void producer_socket_close(struct producer_socket *producer_socket)
{
    if (producer_socket->fd >= 0) {
        (void)close(producer_socket->fd);
    }
    producer_socket->fd = -1;
}

static union producer_address address_of_port(const struct producer_socket *producer_socket,
                                              uint32_t port_offset)
{
    union producer_address to = producer_socket->server;
    in_port_t *port = to.any.sa_family == AF_INET6 ? &to.v6.sin6_port : &to.v4.sin_port;
    *port = htons((uint16_t)(ntohs(*port) + port_offset));
    return to;
}

bool producer_socket_send(const struct producer_socket *producer_socket, uint32_t port_offset,
                          const uint8_t *data, uint32_t size)
{
    const union producer_address to = address_of_port(producer_socket, port_offset);
    for (uint32_t refusals = 0; refusals < REFUSALS_MAX;) {
        if (sendto(producer_socket->fd, data, size, 0, &to.any, producer_socket->server_size) >=
            0) {
            return true;
        }
        if (errno == ENOBUFS) {
            const struct timespec pause = {.tv_nsec = 1000 * 1000};
            (void)nanosleep(&pause, NULL);
            refusals++;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return false;
}

static bool address_is_server(const struct producer_socket *producer_socket,
                              const union producer_address *from)
{
    const union producer_address *server = &producer_socket->server;
    if (from->any.sa_family != server->any.sa_family) {
        return false;
    }
    if (from->any.sa_family == AF_INET6) {
        return memcmp(&from->v6.sin6_addr, &server->v6.sin6_addr, sizeof(from->v6.sin6_addr)) == 0;
    }
    return from->v4.sin_addr.s_addr == server->v4.sin_addr.s_addr;
}

uint32_t producer_socket_receive(const struct producer_socket *producer_socket, uint8_t *data,
                                 uint32_t size, uint64_t *foreign)
{
    for (;;) {
        union producer_address from;
        socklen_t from_size = sizeof(from);
        ssize_t got =
            recvfrom(producer_socket->fd, data, size, MSG_DONTWAIT, &from.any, &from_size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return 0;
        }
        if (got > 0 && address_is_server(producer_socket, &from)) {
            return (uint32_t)got;
        }
        (*foreign)++;
    }
}

void producer_socket_wait(const struct producer_socket *producer_socket, int wake_fd,
                          int64_t wait_us)
{
    struct pollfd wait[] = {{.fd = producer_socket->fd, .events = POLLIN},
                            {.fd = wake_fd, .events = POLLIN}};
    const struct timespec limit = {.tv_sec = wait_us / US_PER_SECOND,
                                   .tv_nsec = wait_us % US_PER_SECOND * NS_PER_US};
    (void)ppoll(wait, wake_fd >= 0 ? 2 : 1, &limit, NULL);
}
