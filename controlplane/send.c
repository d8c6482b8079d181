#include "controlplane/send.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "dataplane/feature/wire.h"
#include "drivers/clock.h"

/* A message waits at most that long for its last event. */
#define FILLS_PER_SECOND   100u
#define BATCHES_PER_SECOND 1000u
#define HOST_SIZE_MAX      256u

int64_t send_time_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / NS_PER_US;
}

/* Splits at the last colon and takes brackets off. */
static bool address_split(const char *to, char *host, size_t host_size, const char **out_port)
{
    const char *colon = strrchr(to, ':');
    if (colon == NULL || colon == to || colon[1] == '\0') {
        return false;
    }
    size_t size = (size_t)(colon - to);
    if (to[0] == '[' && colon[-1] == ']') {
        to++;
        size -= 2;
    }
    if (size == 0 || size >= host_size) {
        return false;
    }
    memcpy(host, to, size);
    host[size] = '\0';
    *out_port = colon + 1;
    return true;
}

bool send_address_is_good(const char *to)
{
    char host[HOST_SIZE_MAX];
    const char *port;
    if (!address_split(to, host, sizeof(host), &port) || port[0] < '0' || port[0] > '9') {
        return false;
    }
    char *end;
    unsigned long number = strtoul(port, &end, 10);
    return *end == '\0' && number >= 1 && number <= UINT16_MAX;
}

static int socket_connect(const char *to, char error[SEND_ERROR_SIZE_MAX])
{
    char host[HOST_SIZE_MAX];
    const char *port;
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (!address_split(to, host, sizeof(host), &port)) {
        (void)snprintf(error, SEND_ERROR_SIZE_MAX, "--to %s: HOST:PORT is wanted", to);
        return -1;
    }
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0) {
        (void)snprintf(error, SEND_ERROR_SIZE_MAX, "--to %s: %s", to, gai_strerror(code));
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        (void)snprintf(error, SEND_ERROR_SIZE_MAX, "--to %s: %s", to, strerror(errno));
        (void)close(fd);
        fd = -1;
    } else if (fd < 0) {
        (void)snprintf(error, SEND_ERROR_SIZE_MAX, "--to %s: %s", to, strerror(errno));
    }
    freeaddrinfo(found);
    return fd;
}

static uint64_t between(uint64_t value, uint64_t least, uint64_t greatest)
{
    return value < least ? least : value > greatest ? greatest : value;
}

enum result send_lane_open(struct send_lane *lane, const char *to, const struct schema *schema,
                           uint64_t producer, uint32_t incarnation, uint64_t rate,
                           char error[SEND_ERROR_SIZE_MAX])
{
    uint32_t one_event = WIRE_EVENTS_OFFSET + schema->block_size;
    uint32_t bytes = one_event > ENCODER_MESSAGE_BYTES ? one_event : ENCODER_MESSAGE_BYTES;
    lane->socket = -1;
    if (encoder_init(&lane->encoder, schema, producer, incarnation, 0, WIRE_FLAG_UNACKED, bytes) !=
        RESULT_OK) {
        (void)snprintf(error, SEND_ERROR_SIZE_MAX, "an event of %s fits no message", schema->name);
        return RESULT_NO_SPACE;
    }
    lane->encoder.event_max =
        (uint16_t)between(rate / FILLS_PER_SECOND, 1, lane->encoder.event_max);
    lane->batch_max =
        (uint32_t)between(rate / BATCHES_PER_SECOND / lane->encoder.event_max, 1, SEND_BATCH_MAX);
    lane->rate = rate;
    lane->start_ns = 0;
    lane->events_sent = 0;
    lane->messages_sent = 0;
    lane->batch_count = 0;
    lane->batch_events = 0;
    lane->socket = socket_connect(to, error);
    return lane->socket < 0 ? RESULT_SYSTEM : RESULT_OK;
}

void send_lane_close(struct send_lane *lane)
{
    if (lane->socket >= 0) {
        (void)close(lane->socket);
    }
    lane->socket = -1;
}

/* Until the events sent so far are due. */
static void rate_wait(struct send_lane *lane)
{
    if (lane->start_ns == 0) {
        lane->start_ns = clock_steady_ns();
    }
    int64_t due_ns = lane->start_ns +
                     (int64_t)((unsigned __int128)lane->events_sent * NS_PER_SECOND / lane->rate);
    const struct timespec due = {.tv_sec = due_ns / NS_PER_SECOND,
                                 .tv_nsec = due_ns % NS_PER_SECOND};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {
    }
}

static enum result batch_send(struct send_lane *lane, char error[SEND_ERROR_SIZE_MAX])
{
    struct mmsghdr header[SEND_BATCH_MAX] = {0};
    struct iovec part[SEND_BATCH_MAX];
    if (lane->batch_count == 0) {
        return RESULT_OK;
    }
    for (uint32_t i = 0; i < lane->batch_count; i++) {
        part[i] = (struct iovec){.iov_base = lane->data[i], .iov_len = lane->size[i]};
        header[i].msg_hdr.msg_iov = &part[i];
        header[i].msg_hdr.msg_iovlen = 1;
    }
    rate_wait(lane);
    for (uint32_t sent = 0; sent < lane->batch_count;) {
        int count = sendmmsg(lane->socket, header + sent, lane->batch_count - sent, 0);
        if (count > 0) {
            sent += (uint32_t)count;
        } else if (errno == ENOBUFS) {
            (void)usleep(1000);
        } else if (errno != EINTR) {
            (void)snprintf(error, SEND_ERROR_SIZE_MAX, "%s",
                           errno == ECONNREFUSED ? "nobody listens there" : strerror(errno));
            return RESULT_SYSTEM;
        }
    }
    lane->messages_sent += lane->batch_count;
    lane->events_sent += lane->batch_events;
    lane->batch_count = 0;
    lane->batch_events = 0;
    return RESULT_OK;
}

enum result send_lane_step(struct send_lane *lane, bool all, char error[SEND_ERROR_SIZE_MAX])
{
    uint32_t events = lane->encoder.event_count;
    if (encoder_is_full(&lane->encoder) || (all && events > 0)) {
        uint32_t i = lane->batch_count++;
        lane->size[i] = encoder_finish(&lane->encoder, send_time_us());
        memcpy(lane->data[i], lane->encoder.data, lane->size[i]);
        lane->batch_events += events;
    }
    return all || lane->batch_count == lane->batch_max ? batch_send(lane, error) : RESULT_OK;
}
