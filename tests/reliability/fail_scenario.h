/* A small scenario with a failure somewhere in it: a store is made, paid into and left; started
 * from its log, checkpointed, paid into and left; started from both, paid into, checkpointed.
 * Whatever failed, and whoever ended by it: what was acknowledged is there afterwards, nothing
 * counts twice, and every start without a failure works. */
#pragma once

#include "tests/reliability/machine.h"

/* What must not be. */
struct scenario_broken {
    uint64_t lost;    /* Acknowledged, and not counted. */
    uint64_t twice;   /* Counted more often than sent. */
    uint64_t amounts; /* Keys with a sum that no such events have. */
    uint64_t refused; /* Starts that found damage, or failed with nothing failing. */
    uint64_t
        rebuilt; /* Views that a start made anew from the log, with the definitions as they were. */
    uint64_t unnamed;    /* Starts that failed without a reason, or with another one. */
    uint64_t stuck;      /* Something never ended. */
    uint64_t heap_bytes; /* Not given back. */
};

struct scenario {
    uint64_t seed;
    uint32_t allowed; /* How a step may fail: bits of enum result. */
    /* Before each life, and when a step has returned; false when nothing fails any more. */
    bool (*life_begins)(struct scenario *scenario);
    void (*step_ends)(struct scenario *scenario);
    /* From now on nothing fails. False: nothing did, and nobody has to look. */
    bool (*all_ends)(struct scenario *scenario);
    void *context;
    /* While it runs, and then: how it went. */
    struct machine *machine;
    struct disk *disk;
    uint64_t lives_ended; /* By the failure. */
    uint64_t checkpoints_failed;
    struct scenario_broken broken;
};

/* machine: open, and with no life. Its disk is made anew, and closed. */
void scenario_run(struct scenario *scenario, struct machine *machine);
/* All of them. */
uint64_t scenario_broken_count(const struct scenario_broken *broken);
void scenario_broken_add(struct scenario_broken *sum, const struct scenario_broken *broken);
void scenario_broken_print(const struct scenario_broken *broken);
