/* A plan that follows the one that runs, and what comes with it: its definitions, patterns,
 * catalog, and the steps by which the workers take it (plan_door.h). Kept for the life of the
 * workers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/pattern_sets.h"
#include "dataplane/base/result.h"
#include "dataplane/base/ring.h"
#include "dataplane/plan_door.h"

struct appliance;

#define SUCCESSION_ERROR_SIZE_MAX 512

/* GIVEN_UP is instead of HOMES or WHOLE. */
enum succession_stage {
    SUCCESSION_OWNERS,
    SUCCESSION_HOMES,
    SUCCESSION_WHOLE,
    SUCCESSION_GIVEN_UP,
    SUCCESSION_STAGE_COUNT
};

struct succession {
    struct appliance *appliance; /* Borrowed. */
    struct config *config;       /* Its plan. */
    struct config_texts texts;
    uint32_t view_first;          /* Views from here on are new. */
    uint32_t error_count;         /* Of the definitions. */
    struct pattern_sets patterns; /* The last scratch is for the thread that reads history. */
    uint8_t *catalog;
    uint32_t catalog_size;
    int64_t since_us[VIEWS_MAX];
    uint64_t
        routes_lsn[SHARDS_MAX]; /* Of each home, once HOMES was entered; WHOLE waits for them. */
    struct ring *ring;          /* Of each shard, while history comes; else NULL. */
    uint8_t *ring_lines;
    struct plan_step step[SUCCESSION_STAGE_COUNT][SHARDS_MAX];
};

/* Loads and compiles definitions beside those that run. RESULT_INVALID: they are wrong, and error
 * has the first of error_count; nothing is open on failure. */
MUST_USE enum result succession_open(struct appliance *appliance,
                                     const struct config_running *running, const char *const *paths,
                                     uint32_t path_count, struct succession **out_succession,
                                     uint32_t *out_error_count,
                                     char error[SUCCESSION_ERROR_SIZE_MAX]);
void succession_close(struct succession *succession); /* After the workers; NULL is fine. */

/* Hands a stage to the workers. */
void succession_set(struct succession *succession, enum succession_stage stage);
/* True once all have entered it. */
bool succession_is_entered(const struct succession *succession, enum succession_stage stage);
/* After WHOLE or GIVEN_UP was entered: no history comes any more. */
void succession_rings_free(struct succession *succession);
