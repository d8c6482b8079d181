/* Answers that wait for one system call, sendmmsg(2): all of them leave from one socket. Their
 * memory is reserved at start. Owner: the worker of the queue that they are counted for. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "drivers/net_driver.h"

#define SOCKET_ANSWERS_MAX 32

struct socket_answers {
    struct net_queue *net; /* Constant after init; counts sent and unsent. */
    int socket;            /* Borrowed; that of those waiting. */
    uint32_t count;
    struct mmsghdr header[SOCKET_ANSWERS_MAX];
    struct iovec vector[SOCKET_ANSWERS_MAX];
    struct sockaddr_in6 to[SOCKET_ANSWERS_MAX]; /* Or a sockaddr_in, which is shorter. */
    uint8_t data[SOCKET_ANSWERS_MAX][NET_ANSWER_SIZE_MAX];
};

void socket_answers_init(struct socket_answers *answers, struct net_queue *net);
/* Copies one answer; it leaves from socket, of family AF_INET or AF_INET6. When all places are
 * taken, or those waiting leave from another socket, they are sent first. False, and counted, when
 * the socket has no way to the address. */
bool socket_answers_push(struct socket_answers *answers, int socket, sa_family_t family,
                         const struct net_address *to, const void *data, uint32_t size);
/* Sends those waiting. What the kernel does not take at once is lost and counted. */
void socket_answers_flush(struct socket_answers *answers);
