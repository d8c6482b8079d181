/* Real servers for a while, in a folder of their own: build/freshet beside this program, and
 * redis-server as the peer; and a blocking client that waits for whole replies. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "perf/benches/workload.h"

struct served {
    pid_t pid;
    char folder[64];
    char socket[96];
    uint16_t udp_port;     /* Of freshet. */
    int udp;               /* Connected to it; -1: none. */
    struct workload maker; /* Of messages: config, keys, random and sequence only. */
};

/* Starts build/freshet with the benchmark's definitions. Returns 0, or -1 (said on stderr).
 * serving_close() is right in both cases. */
int serving_open_freshet(struct served *served, uint64_t keys);
/* The same with a data directory in the folder, and more definitions behind the benchmark's. */
int serving_open_durable(struct served *served, uint64_t keys, const char *more);
int serving_open_redis(struct served *served);
void serving_close(struct served *served);

/* Sends events, paced at the rate, times from start_us to end_us; returns when sent. */
void serving_send(struct served *served, uint64_t events, double rate, int64_t start_us,
                  int64_t end_us);

/* Connects to the server's socket; -1: said on stderr. */
int serving_connect(const struct served *served);
/* Writes the request and reads until so many replies came. Returns 0, or -1 when the connection
 * broke or a reply is an error. */
int serving_ask(int fd, const char *request, uint64_t size, uint64_t replies);
