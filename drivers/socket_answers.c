#include "drivers/socket_answers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

void socket_answers_init(struct socket_answers *answers, struct net_queue *net)
{
    answers->net = net;
    answers->socket = -1;
    answers->count = 0;
    for (uint32_t i = 0; i < SOCKET_ANSWERS_MAX; i++) {
        answers->vector[i].iov_base = answers->data[i];
        answers->header[i].msg_hdr = (struct msghdr){
            .msg_name = &answers->to[i], .msg_iov = &answers->vector[i], .msg_iovlen = 1};
    }
}

/* Returns the size of the socket address, or 0 when the family cannot reach it. */
static socklen_t address_write(const struct net_address *to, sa_family_t family,
                               struct sockaddr_in6 *out)
{
    if (to->port == 0) {
        return 0;
    }
    if (family == AF_INET6) {
        *out = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(to->port)};
        memcpy(&out->sin6_addr, to->ip, sizeof(to->ip));
        return sizeof(*out);
    }
    struct sockaddr_in *ip4 = (struct sockaddr_in *)(void *)out;
    *ip4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(to->port)};
    return net_address_ip4(to, &ip4->sin_addr) ? sizeof(*ip4) : 0;
}

bool socket_answers_push(struct socket_answers *answers, int socket, sa_family_t family,
                         const struct net_address *to, const void *data, uint32_t size)
{
    if (answers->count == SOCKET_ANSWERS_MAX || answers->socket != socket) {
        socket_answers_flush(answers);
        answers->socket = socket;
    }
    uint32_t at = answers->count;
    answers->header[at].msg_hdr.msg_namelen = address_write(to, family, &answers->to[at]);
    if (answers->header[at].msg_hdr.msg_namelen == 0) {
        net_count(&answers->net->shared_unsent, 1);
        return false;
    }
    memcpy(answers->data[at], data, size);
    answers->vector[at].iov_len = size;
    answers->count++;
    return true;
}

void socket_answers_flush(struct socket_answers *answers)
{
    uint32_t at = 0;
    uint32_t sent = 0;
    while (at < answers->count) {
        int taken =
            sendmmsg(answers->socket, answers->header + at, answers->count - at, MSG_DONTWAIT);
        if (taken > 0) {
            sent += (uint32_t)taken;
            at += (uint32_t)taken;
        } else if (errno == EAGAIN || errno == ENOBUFS) {
            break; /* No room: what is left is lost. */
        } else {
            at++; /* No way to this one, which keeps nobody else from his answer. */
        }
    }
    net_count(&answers->net->shared_sent, sent);
    net_count(&answers->net->shared_unsent, answers->count - sent);
    answers->count = 0;
}
