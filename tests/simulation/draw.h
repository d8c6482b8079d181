/* What a seed decides once, before its world begins: how many shards, who sends how much, what the
 * network, the disk and the machine do to them. Everything else a seed decides step by step.
 *
 * A draw is small on purpose: low rates, many crashes. Faults are interesting by how dense they
 * are, not by the load beside them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "drivers/disk_simulated.h"

#define DRAW_SHARDS_MAX 4u

enum draw_profile { DRAW_LIGHT, DRAW_FULL };

/* Chances in millionths per datagram. */
struct draw_network {
    uint32_t lost_ppm;
    uint32_t twice_ppm;
    uint32_t again_ppm;   /* An old datagram comes once more. */
    uint32_t corrupt_ppm; /* Only where tags tell. */
    uint32_t delay_us_min;
    uint32_t delay_us_max; /* Above the minimum they overtake each other. */
};

struct draw {
    uint64_t seed;
    enum draw_profile profile;
    uint32_t shard_count; /* Of the first life. */
    bool reshards;        /* Some start with another. */
    uint32_t lives;       /* Before the last one, which is left in peace. */
    uint32_t life_steps_max;
    uint32_t recovery_crash_percent; /* A start is cut short. */
    /* Traffic. */
    uint32_t senders;
    uint32_t gap_us; /* Between a sender's events, about. */
    bool keys;       /* Messages are authenticated; then there is no text. */
    bool text;
    bool wild; /* A sender that keeps to no rule. */
    struct draw_network network;
    /* Disk. */
    struct disk_simulated_faults disk;
    uint32_t latency_us_min;
    uint32_t latency_us_max;
    bool fills; /* Now and then it is full for a while. */
    bool lies;  /* Writes that it says it made are lost, or lie elsewhere. */
    bool rots;  /* A byte changes while the machine is down. */
    /* Appliance. */
    uint64_t state_bytes; /* Per shard. */
    uint64_t segment_bytes;
    int64_t keep_us;
    uint64_t keep_bytes;
    bool archive;
    int64_t checkpoint_us;
    bool clock_jumps;
};

/* shard_count 0: the seed decides. */
void draw_make(uint64_t seed, enum draw_profile profile, uint32_t shard_count, struct draw *out);
/* One line per group, for whoever has to understand a seed. */
void draw_print(FILE *file, const struct draw *draw);
