/* A world: one appliance, its producers, the network and the disk between and below them, and one
 * scheduler that picks by a seed what happens next. No thread, no clock, no system call: the same
 * seed is the same world, step by step.
 *
 * Two times. now_us only grows; disks, networks and producers live by it. The appliance's clock is
 * beside it, by an offset that jumps.
 *
 * The control thread is one: what it calls blocks in the disk, and the rest of the world goes on
 * inside world_wait(), but never the control thread itself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/simulation/book.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/life.h"
#include "tests/simulation/model.h"
#include "tests/simulation/network.h"
#include "tests/simulation/sender.h"
#include "tests/simulation/tally.h"

#define WORLD_ROTS_MAX 64u

struct world_rot {
    char name[DISK_NAME_SIZE_MAX];
    uint64_t offset;
    uint8_t mask;
};

struct world {
    struct draw draw;
    struct random random;
    const struct plan *plan;
    struct clock clock;
    int64_t now_us;
    int64_t offset_us; /* Of the appliance's clock. */
    int64_t frozen_us; /* Until then it stands still. */
    struct disk *disk;
    struct network network;
    struct senders senders;
    struct ledger ledger;
    struct book book;
    struct model model;
    struct producer_keys keys[SENDERS_MAX + 1];
    uint32_t key_count;
    struct life life;
    uint64_t durable_lsn[DRAW_SHARDS_MAX]; /* Of the last life, as it said. */
    uint64_t complete_lsn[DRAW_SHARDS_MAX];
    uint64_t state_bytes;
    int64_t stalled_us[DRAW_SHARDS_MAX];
    int64_t full_until_us;
    uint64_t step;
    uint64_t end_step; /* The life ends by force there; 0: it does not. */
    bool end_kills;
    bool calm;     /* Faults are over. */
    bool refused;  /* The store is damaged, and was refused: the world ends. */
    bool is_blind; /* Its logs no longer tell what is in the state: the same. */
    uint32_t rot_count;
    struct world_rot rot[WORLD_ROTS_MAX];
    uint64_t hash; /* Of all that happened. */
    uint64_t *vshards;
    uint64_t *vshards_model;
    uint64_t *scratch;
    struct tally tally;
};

/* Runs a seed from its draw to its end, and leaves what it counted in tally and hash. Breaks a law,
 * or returns. */
void world_run(struct world *world, const struct draw *draw);

/* One step, at most up to until_us: time never goes beyond it. */
void world_step(struct world *world, int64_t until_us);
/* Mixes a number into the hash. */
void world_note(struct world *world, uint64_t number);
