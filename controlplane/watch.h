/* What the log says of a running appliance: how its state came back, what was dropped, when its
 * logs are held, its checkpoints or its lake fail, how backfills go, and how it ended. One thread,
 * once a second. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/log.h"
#include "dataplane/base/drops.h"
#include "dataplane/feature/limits.h"

struct appliance;

struct watch {
    const struct appliance *appliance; /* Borrowed, as log. */
    struct log *log;
    uint64_t drops[DROP_COUNT];
    uint32_t held[SHARDS_MAX];
    uint64_t checkpoints_failed;
    uint64_t lake_failed;
    uint64_t lake_lost;
    bool backfill_told;
    int64_t backfill_ended_us; /* When the one began whose end was told. */
};

/* After appliance_open(). */
void watch_begin(struct watch *watch, const struct appliance *appliance, struct log *log);
/* One line for each thing that changed since the last call. */
void watch_look(struct watch *watch);
/* After appliance_close(): whether a last checkpoint has all. */
void watch_end(const struct watch *watch);
