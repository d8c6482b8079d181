/* What `freshet replay` is asked for, and its two ways: into a new data directory, or to a
 * listener. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct replay_order {
    const struct config *config; /* Borrowed, as all pointers. */
    const char *data;            /* Read, never written. */
    const char *into;            /* NULL: only the state hash is wanted. */
    int64_t since_us;            /* Records with T in [since, until); 0: without that end. */
    int64_t until_us;
    uint32_t shards; /* 0: as the definitions have it. */
    int view;        /* The only one that is taken back to until_us; -1: all are. */
    bool hash;
    bool json;
    /* To a listener. */
    const char *to;   /* HOST:PORT; NULL: into. */
    const char *keys; /* NULL: messages without tags. */
    double speed;     /* Times as fast as they were applied; 0: as fast as it goes. */
    uint64_t producer;
    uint64_t incarnation;
    bool acked;
    bool shift; /* Event times, so that the newest is now when all is sent. */
    bool all;   /* Also what was not applied. */
};

/* Both return an exit code; what went wrong is said. */
int replay_into_run(const struct replay_order *order);
int replay_send_run(const struct replay_order *order);
