#include "drivers/socket_queue.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "drivers/memory.h"

#define BUFFER_BYTES 9024 /* NET_DATAGRAM_SIZE_MAX in whole cache lines. */
/* Bursts that one socket may give in a row while the other was last seen empty. */
#define TURNS_MAX 8

_Static_assert(BUFFER_BYTES >= NET_DATAGRAM_SIZE_MAX, "a message fits its buffer");

static struct socket_queue *queue_of(struct net_queue *queue)
{
    return (struct socket_queue *)queue;
}

struct socket_queue *socket_queue_open(const struct net_operations *operations)
{
    struct socket_queue *queue = heap_alloc_lines(sizeof(*queue));
    if (queue == NULL) {
        return NULL;
    }
    queue->buffer = heap_alloc_lines((uint64_t)NET_BURST_MAX * BUFFER_BYTES);
    if (queue->buffer == NULL) {
        heap_free(queue);
        return NULL;
    }
    queue->net.operations = operations;
    for (uint32_t side = 0; side < SOCKET_SIDES; side++) {
        queue->socket[side] = -1;
        socket_answers_init(&queue->answers[side], &queue->net);
    }
    for (uint32_t i = 0; i < NET_BURST_MAX; i++) {
        queue->vector[i] = (struct iovec){.iov_base = queue->buffer + (size_t)i * BUFFER_BYTES,
                                          .iov_len = NET_DATAGRAM_SIZE_MAX};
        queue->header[i].msg_hdr = (struct msghdr){.msg_name = &queue->sender[i],
                                                   .msg_namelen = sizeof(queue->sender[i]),
                                                   .msg_iov = &queue->vector[i],
                                                   .msg_iovlen = 1};
    }
    return queue;
}

void socket_queue_close(struct socket_queue *queue)
{
    if (queue != NULL) {
        heap_free(queue->buffer);
        heap_free(queue);
    }
}

static void sender_read(const struct sockaddr_in6 *from, uint16_t local_port,
                        struct net_address *out)
{
    *out = (struct net_address){.local_port = local_port};
    if (from->sin6_family == AF_INET6) {
        memcpy(out->ip, &from->sin6_addr, sizeof(out->ip));
        out->port = ntohs(from->sin6_port);
        return;
    }
    const struct sockaddr_in *ip4 = (const struct sockaddr_in *)(const void *)from;
    net_address_set_ip4(out, &ip4->sin_addr, ntohs(ip4->sin_port));
}

/* One system call per turn, also when both sockets are empty. Two busy sockets alternate; beside a
 * quiet one a busy socket gives up to TURNS_MAX bursts before the quiet one is asked again. */
static void side_choose(struct socket_queue *queue, bool empty)
{
    uint32_t other = 1 - queue->side;
    queue->quiet[queue->side] = empty;
    queue->turns++;
    if (empty || !queue->quiet[other] || queue->turns >= TURNS_MAX) {
        queue->side = other;
        queue->turns = 0;
    }
}

uint32_t socket_queue_receive(struct net_queue *net, struct net_burst *burst)
{
    struct socket_queue *queue = queue_of(net);
    uint16_t number = queue->number[queue->side];
    int got =
        recvmmsg(queue->socket[queue->side], queue->header, NET_BURST_MAX, MSG_DONTWAIT, NULL);
    side_choose(queue, got <= 0);
    burst->count = 0;
    if (got <= 0) {
        return 0;
    }
    uint32_t count = (uint32_t)got;
    for (uint32_t i = 0; i < count; i++) {
        struct mmsghdr *header = &queue->header[i];
        struct net_message *message = &burst->message[i];
        message->data = queue->vector[i].iov_base;
        message->size = header->msg_len;
        message->truncated = (header->msg_hdr.msg_flags & MSG_TRUNC) != 0;
        sender_read(&queue->sender[i], number, &message->sender);
        header->msg_hdr.msg_namelen = sizeof(queue->sender[i]);
    }
    return net_burst_finish(net, burst, count);
}

/* A datagram that came in on the own port of another queue is answered from that one's socket: the
 * kernel takes it from any thread, and a sender may listen to that port only. */
bool socket_queue_send(struct net_queue *net, const struct net_address *to, const void *data,
                       uint32_t size)
{
    struct socket_queue *queue = queue_of(net);
    enum socket_side side = SOCKET_SHARED;
    uint32_t index = (uint32_t)to->local_port - queue->number[SOCKET_SHARED] - 1;
    if (index < queue->all_count) {
        side = SOCKET_OWN;
        queue = queue->all[index];
    }
    return socket_answers_push(&queue_of(net)->answers[side], queue->socket[side], queue->family,
                               to, data, size);
}

void socket_queue_send_finish(struct net_queue *net)
{
    struct socket_queue *queue = queue_of(net);
    for (uint32_t side = 0; side < SOCKET_SIDES; side++) {
        if (queue->answers[side].count > 0) {
            socket_answers_flush(&queue->answers[side]);
        }
    }
}

void socket_queue_wait(struct net_queue *net, uint32_t timeout_us)
{
    struct socket_queue *queue = queue_of(net);
    struct pollfd poll[SOCKET_SIDES] = {
        {.fd = queue->socket[SOCKET_SHARED], .events = POLLIN},
        {.fd = queue->socket[SOCKET_OWN], .events = POLLIN},
    };
    struct timespec timeout = {.tv_sec = timeout_us / 1000000,
                               .tv_nsec = (long)(timeout_us % 1000000) * 1000};
    if (ppoll(poll, SOCKET_SIDES, &timeout, NULL) > 0) {
        queue->side = poll[SOCKET_SHARED].revents != 0 ? SOCKET_SHARED : SOCKET_OWN;
    }
}
