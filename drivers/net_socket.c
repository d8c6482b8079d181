/* Kernel UDP sockets: per queue one on everyone's port (SO_REUSEPORT: the kernel spreads senders)
 * and one of its own on port + 1 + queue. The own sockets are exclusive and bound first, so that a
 * second process on the same ports is refused instead of silently taking half of the senders. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "drivers/memory.h"
#include "drivers/net_driver.h"
#include "drivers/socket_queue.h"

#define RECEIVE_BUFFER_BYTES_DEFAULT (8 * MIB)
#define PORT_TRIES_MAX               32

struct socket_port {
    struct net_port net;
    struct sockaddr_storage address;
    socklen_t address_size;
    uint32_t buffer_wished_bytes;
    uint32_t buffer_bytes; /* What the kernel gave. */
    char listen[INET6_ADDRSTRLEN + 16];
    struct socket_queue *queue[]; /* net.queue_count of them. */
};

static const struct socket_port *port_of(const struct net_port *port)
{
    return (const struct socket_port *)port;
}

/* "127.0.0.1:4700" or "[::1]:4700". */
static bool address_parse(const char *text, struct sockaddr_storage *out, socklen_t *out_size,
                          uint16_t *out_port)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof(host)) {
        return false;
    }
    size_t size = (size_t)(colon - text);
    memcpy(host, text, size);
    host[size] = '\0';
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port > UINT16_MAX) {
        return false;
    }
    memset(out, 0, sizeof(*out));
    *out_port = (uint16_t)port;
    if (host[0] == '[' && host[size - 1] == ']') {
        host[size - 1] = '\0';
        struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)(void *)out;
        ip6->sin6_family = AF_INET6;
        *out_size = sizeof(*ip6);
        return inet_pton(AF_INET6, host + 1, &ip6->sin6_addr) == 1;
    }
    struct sockaddr_in *ip4 = (struct sockaddr_in *)(void *)out;
    ip4->sin_family = AF_INET;
    *out_size = sizeof(*ip4);
    return inet_pton(AF_INET, host, &ip4->sin_addr) == 1;
}

static void address_set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
    }
}

static uint16_t socket_number(int socket)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    if (getsockname(socket, (struct sockaddr *)&address, &size) != 0) {
        return 0;
    }
    return address.ss_family == AF_INET6
               ? ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port)
               : ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

static void socket_close(int *socket)
{
    if (*socket >= 0) {
        close(*socket);
    }
    *socket = -1;
}

static void sockets_close(struct socket_port *port)
{
    for (uint32_t i = 0; i < port->net.queue_count; i++) {
        socket_close(&port->queue[i]->socket[SOCKET_SHARED]);
        socket_close(&port->queue[i]->socket[SOCKET_OWN]);
    }
}

/* FORCE may pass net.core.rmem_max but needs CAP_NET_ADMIN; the kernel reports the double of what
 * was asked for, its own bookkeeping included. */
static uint32_t socket_grow(int socket, uint32_t wished_bytes)
{
    int wish = (int)(wished_bytes < INT32_MAX / 2 ? wished_bytes : INT32_MAX / 2);
    if (setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &wish, sizeof(wish)) != 0) {
        (void)setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &wish, sizeof(wish));
    }
    int given = 0;
    socklen_t size = sizeof(given);
    (void)getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &given, &size);
    return (uint32_t)given / 2;
}

/* Returns a bound socket, or -1 with errno set. */
static int socket_bind(struct socket_port *port, uint16_t number, bool shared)
{
    int fd = socket(port->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    address_set_port(&port->address, number);
    if ((shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        bind(fd, (struct sockaddr *)&port->address, port->address_size) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    port->buffer_bytes = socket_grow(fd, port->buffer_wished_bytes);
    return fd;
}

/* Binds all sockets for one number of everyone's port. On failure errno and out_number say why and
 * which; nothing stays open. */
static bool sockets_bind(struct socket_port *port, uint16_t number, uint32_t *out_number)
{
    for (uint32_t i = 0; i < port->net.queue_count; i++) {
        *out_number = number + 1 + i;
        int *own = &port->queue[i]->socket[SOCKET_OWN];
        *own = socket_bind(port, (uint16_t)*out_number, false);
        if (*own < 0) {
            goto fail;
        }
    }
    *out_number = number;
    for (uint32_t i = 0; i < port->net.queue_count; i++) {
        int *shared = &port->queue[i]->socket[SOCKET_SHARED];
        *shared = socket_bind(port, number, true);
        if (*shared < 0) {
            goto fail;
        }
    }
    port->net.number = number;
    return true;
fail:;
    int saved = errno;
    sockets_close(port);
    errno = saved;
    return false;
}

/* Port 0: asks the kernel for a number and tries to get its neighbours too. */
static bool sockets_bind_any(struct socket_port *port, uint32_t *out_number)
{
    for (int i = 0; i < PORT_TRIES_MAX; i++) {
        *out_number = 0;
        int probe = socket_bind(port, 0, false);
        if (probe < 0) {
            return false;
        }
        uint16_t number = socket_number(probe);
        close(probe);
        errno = EADDRINUSE;
        if (number + port->net.queue_count <= UINT16_MAX &&
            sockets_bind(port, number, out_number)) {
            return true;
        }
        if (errno != EADDRINUSE) {
            return false;
        }
    }
    return false;
}

static void error_of_bind(const struct socket_port *port, uint32_t number, int code, char *error)
{
    uint32_t last = port->net.number + port->net.queue_count;
    const char *listen = port->listen;
    switch (code) {
    case EADDRINUSE:
        net_error(error,
                  "%s: UDP port %u is in use (ports %u to %u are needed: one for all, one per "
                  "shard); stop who has it (`ss -ulpn 'sport = :%u'`) or choose another port",
                  listen, number, port->net.number, last, number);
        return;
    case EADDRNOTAVAIL:
        net_error(error,
                  "%s: no interface of this machine has this address (`ip address` lists "
                  "them; 0.0.0.0 means all)",
                  listen);
        return;
    case EACCES:
        net_error(error,
                  "%s: UDP port %u needs privileges; choose one above 1023, or give "
                  "CAP_NET_BIND_SERVICE",
                  listen, number);
        return;
    case EMFILE:
        net_error(error, "%s: no file descriptors left; raise `ulimit -n`", listen);
        return;
    default:
        net_error(error, "%s: cannot open UDP port %u: %s", listen, number, strerror(code));
        return;
    }
}

static void port_close(struct net_port *net)
{
    struct socket_port *port = (struct socket_port *)net;
    for (uint32_t i = 0; i < net->queue_count; i++) {
        struct socket_queue *queue = port->queue[i];
        if (queue != NULL) {
            socket_close(&queue->socket[SOCKET_SHARED]);
            socket_close(&queue->socket[SOCKET_OWN]);
            socket_queue_close(queue);
        }
    }
    heap_free(port);
}

static struct net_queue *port_queue(struct net_port *net, uint32_t index)
{
    return &port_of(net)->queue[index]->net;
}

static void port_describe(const struct net_port *net, char *out, uint32_t out_size)
{
    const struct socket_port *port = port_of(net);
    char host[INET6_ADDRSTRLEN] = "";
    if (port->address.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)&port->address)->sin6_addr,
                  host, sizeof(host));
    } else {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)&port->address)->sin_addr,
                  host, sizeof(host));
    }
    bool ip6 = port->address.ss_family == AF_INET6;
    int size =
        snprintf(out, out_size,
                 "kernel UDP %s%s%s:%u (all) and %u to %u (one per shard), "
                 "receive buffer %u KiB",
                 ip6 ? "[" : "", host, ip6 ? "]" : "", port->net.number, port->net.number + 1,
                 port->net.number + net->queue_count, port->buffer_bytes / 1024);
    if (port->buffer_bytes < port->buffer_wished_bytes && size > 0 && (uint32_t)size < out_size) {
        snprintf(out + size, out_size - (uint32_t)size,
                 " (%u wished: sysctl -w net.core.rmem_max=%u)", port->buffer_wished_bytes / 1024,
                 port->buffer_wished_bytes);
    }
}

static uint64_t socket_missed(int socket)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof(info);
    if (getsockopt(socket, SOL_SOCKET, SO_MEMINFO, info, &size) != 0) {
        return 0;
    }
    return info[SK_MEMINFO_DROPS];
}

static uint64_t port_missed(const struct net_port *net)
{
    uint64_t missed = 0;
    for (uint32_t i = 0; i < net->queue_count; i++) {
        missed += socket_missed(port_of(net)->queue[i]->socket[SOCKET_SHARED]);
        missed += socket_missed(port_of(net)->queue[i]->socket[SOCKET_OWN]);
    }
    return missed;
}

static const struct net_operations socket_operations = {
    .close = port_close,
    .queue = port_queue,
    .describe = port_describe,
    .missed = port_missed,
    .receive = socket_queue_receive,
    .send = socket_queue_send,
    .send_finish = socket_queue_send_finish,
    .wait = socket_queue_wait,
};

/* What the queues need to know to answer, once the sockets are bound. */
static void queues_number(struct socket_port *port)
{
    for (uint32_t i = 0; i < port->net.queue_count; i++) {
        struct socket_queue *queue = port->queue[i];
        queue->number[SOCKET_SHARED] = port->net.number;
        queue->number[SOCKET_OWN] = (uint16_t)(port->net.number + 1 + i);
        queue->family = port->address.ss_family;
        queue->all = port->queue;
        queue->all_count = port->net.queue_count;
    }
}

enum result net_socket_open(const struct net_options *options, struct net_port **out_port,
                            char error[NET_ERROR_SIZE_MAX])
{
    struct socket_port *port =
        heap_alloc_lines(sizeof(*port) + options->queue_count * sizeof(port->queue[0]));
    if (port == NULL) {
        net_error(error, "%s: %s", options->listen, result_name(RESULT_NO_MEMORY));
        return RESULT_NO_MEMORY;
    }
    port->net =
        (struct net_port){.operations = &socket_operations, .queue_count = options->queue_count};
    port->buffer_wished_bytes = options->receive_buffer_bytes != 0
                                    ? options->receive_buffer_bytes
                                    : (uint32_t)RECEIVE_BUFFER_BYTES_DEFAULT;
    snprintf(port->listen, sizeof(port->listen), "%s", options->listen);
    enum result result = RESULT_INVALID;
    if (!address_parse(options->listen, &port->address, &port->address_size, &port->net.number)) {
        net_error(error, "%s: not an address and port; write \"127.0.0.1:4700\" or \"[::1]:4700\"",
                  port->listen);
        goto fail;
    }
    if (port->net.number + options->queue_count > UINT16_MAX) {
        net_error(error,
                  "%s: %u shards need ports up to %u, and the last one is 65535; choose a "
                  "lower port",
                  port->listen, options->queue_count, port->net.number + options->queue_count);
        goto fail;
    }
    result = RESULT_NO_MEMORY;
    for (uint32_t i = 0; i < options->queue_count; i++) {
        port->queue[i] = socket_queue_open(&socket_operations);
        if (port->queue[i] == NULL) {
            net_error(error, "%s: %s", port->listen, result_name(RESULT_NO_MEMORY));
            goto fail;
        }
    }
    uint32_t number = port->net.number;
    bool bound = port->net.number != 0 ? sockets_bind(port, port->net.number, &number)
                                       : sockets_bind_any(port, &number);
    if (!bound) {
        result = errno == EADDRINUSE ? RESULT_BUSY : RESULT_SYSTEM;
        error_of_bind(port, number, errno, error);
        goto fail;
    }
    queues_number(port);
    *out_port = &port->net;
    return RESULT_OK;
fail:
    port_close(&port->net);
    return result;
}
