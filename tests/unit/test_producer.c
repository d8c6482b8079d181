/* The producer library through its public header, over loopback. */
#include "tests/support/unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/producer/producer.h"
#include "tests/support/fake_home.h"

#define THREADS           4u
#define EVENTS_PER_THREAD 1000u
#define EVENTS            (THREADS * EVENTS_PER_THREAD)

/* A home on a port of loopback; with `answers` a thread receives, commits and answers. */
struct server {
    int fd;
    char address[32];
    struct fake_home home; /* Owner: the thread. */
    pthread_t thread;
    _Atomic bool shared_stop;
};

static void server_open(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    const struct timeval patience = {.tv_usec = 1000};
    server->fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(server->fd >= 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(
        setsockopt(server->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    (void)snprintf(server->address, sizeof(server->address), "127.0.0.1:%u",
                   ntohs(address.sin_port));
    fake_home_init(&server->home, 64);
    /* What steering would send to port + 1 comes here, too: the lane's home is not known to be
     * anywhere else as long as no acknowledgement came, and tests of one port answer from it. */
    atomic_store(&server->shared_stop, false);
}

static void *server_run(void *argument)
{
    struct server *server = argument;
    while (!atomic_load(&server->shared_stop)) {
        uint8_t data[2048];
        struct sockaddr_in from;
        socklen_t from_size = sizeof(from);
        ssize_t size = recvfrom(server->fd, data, sizeof(data), 0, (struct sockaddr *)&from,
                                &from_size);
        if (size > 0 && fake_home_receive(&server->home, data, (uint32_t)size)) {
            fake_home_commit(&server->home);
            fake_home_ack(&server->home, data);
            (void)sendto(server->fd, data, WIRE_ACK_BYTES, 0, (struct sockaddr *)&from, from_size);
        }
    }
    return NULL;
}
