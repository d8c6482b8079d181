/* Command line of freshet-load. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "perf/load/schedule.h"

#define OPTIONS_READERS_MAX  256
#define OPTIONS_BATCH_MAX    1024
#define OPTIONS_FEATURES_MAX 64
#define OPTIONS_LANES_MAX    64

enum options_exit {
    OPTIONS_EXIT_OK = 0,
    OPTIONS_EXIT_FAILED = 1,
    OPTIONS_EXIT_USAGE = 2,
    OPTIONS_EXIT_CONFIG = 78,
};

struct options {
    const char *config;
    const char *stream; /* NULL: the first one. */
    const char *to;     /* HOST:PORT; NULL: as the definitions say. */
    const char *query;  /* PATH or HOST:PORT; NULL: $FRESHET_SERVER, else as the definitions say. */
    struct schedule events; /* --rate and --burst. */
    uint64_t keys;
    double zipf;
    double hot; /* Shares: 0..1. */
    double late;
    double duplicate;
    double malformed;
    double bad_tags;      /* Share of messages. */
    const char *key_file; /* NULL: messages carry no tag. */
    uint32_t events_per_message;
    uint32_t lanes;
    uint64_t producer; /* 0: made from the time and the process id. */
    uint32_t readers;
    double read_rate;  /* Requests per second, all readers together. */
    uint32_t batch;    /* Entities per request. */
    uint32_t features; /* Per entity. */
    double probe_rate; /* Freshness probes per second; 0: none. */
    double seconds;
    double read_p99_max_us;      /* 0: no bound. */
    double freshness_p99_max_us; /* 0: no bound. */
    uint64_t lost_max;           /* UINT64_MAX: no bound. */
    uint64_t seed;
    bool in_turn;
    uint64_t first; /* Key in turn. */
    bool acked;
    bool live;
    bool json;
};

/* Returns true to go on; else everything is said and *out_exit is the exit code. */
bool options_parse(int argc, char **argv, struct options *options, int *out_exit);
