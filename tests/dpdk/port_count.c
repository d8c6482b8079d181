/* Opens one DPDK port, counts what comes, answers who asks, and prints the counters as JSON: the
 * receiving side of test_links.py. Ends when its standard input does, or after 60 seconds. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/clock.h"
#include "drivers/eal.h"
#include "tests/dpdk/port_count.h"

#define SECONDS_MAX 60
#define QUEUES_MAX  8

static bool input_ended(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static void report(struct net_port *port, uint32_t queue_count, uint64_t bytes,
                   const uint64_t *queue_datagrams)
{
    struct net_statistics seen;
    net_port_statistics(port, &seen);
    printf("{\"frames\":%lu,\"datagrams\":%lu,\"answered\":%lu,\"missed\":%lu,\"bytes\":%lu,",
           seen.frames, seen.datagrams, seen.answered, seen.missed, bytes);
    printf("\"sent\":%lu,\"unsent\":%lu,", seen.sent, seen.unsent);
    printf("\"drops\":%lu,\"queues\":[", port_drops(&seen));
    for (uint32_t i = 0; i < queue_count; i++) {
        printf("%s%lu", i == 0 ? "" : ",", queue_datagrams[i]);
    }
    printf("]");
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        if (drop_scope(drop) == DROP_SCOPE_FRAME) {
            printf(",\"%s\":%lu", drop_name(drop), seen.drop[drop]);
        }
    }
    printf("}\n");
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr, "usage: %s VDEV ADDRESS PORT QUEUES\n", argv[0]);
        return 2;
    }
    struct net_options options = {.driver = NET_DRIVER_ETHDEV,
                                  .vdev = argv[1],
                                  .address = argv[2],
                                  .port = (uint16_t)atoi(argv[3]),
                                  .queue_count = (uint32_t)atoi(argv[4])};
    struct net_port *port;
    char error[NET_ERROR_SIZE_MAX];
    if (net_port_open(&options, &port, error) != RESULT_OK) {
        (void)fprintf(stderr, "%s\n", error);
        return 1;
    }
    char text[NET_ERROR_SIZE_MAX];
    net_port_describe(port, text, sizeof(text));
    printf("%s\n", text);
    (void)fflush(stdout);
    uint64_t queue_datagrams[QUEUES_MAX] = {0};
    uint64_t bytes = 0;
    double end = port_seconds() + SECONDS_MAX;
    while (!input_ended() && port_seconds() < end) {
        bytes += port_drain(port, options.queue_count, UINT64_MAX, 0.02, queue_datagrams);
    }
    bytes += port_drain(port, options.queue_count, UINT64_MAX, 0.3, queue_datagrams);
    report(port, options.queue_count, bytes, queue_datagrams);
    net_port_close(port);
    eal_close();
    return 0;
}
