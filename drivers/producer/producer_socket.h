/* The UDP socket of a producer: unconnected, so that acknowledgements may come from any port of the
 * server's address, and only from there. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"

union producer_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct producer_socket {
    int fd;
    socklen_t server_size;
    union producer_address server; /* With everyone's port. */
};

/* server: HOST:PORT or [ADDRESS]:PORT. On failure error (size bytes) is a sentence. */
MUST_USE enum result producer_socket_open(struct producer_socket *socket, const char *server,
                                          char *error, uint32_t size);
void producer_socket_close(struct producer_socket *socket);

/* To the server's port + port_offset. Waits for the kernel's own buffer; false when it refuses. */
bool producer_socket_send(const struct producer_socket *socket, uint32_t port_offset,
                          const uint8_t *data, uint32_t size);
/* The next datagram that is there, its bytes, from the server's address; 0: none. *foreign
 * counts those from elsewhere, which are thrown away. */
uint32_t producer_socket_receive(const struct producer_socket *socket, uint8_t *data, uint32_t size,
                                 uint64_t *foreign);
/* Until a datagram is there, or wake_fd (-1: none) is readable, or wait_us are over. */
void producer_socket_wait(const struct producer_socket *socket, int wake_fd, int64_t wait_us);
