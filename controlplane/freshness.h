/* How fresh a feature is when a reader can see it: real events, followed from their own time and
 * their arrival until the real read path shows them.
 *
 * One thread with its own reader takes the samples that workers offer. A sample says when its turn
 * was published, the moment from which any read shows it: a sleeping observer's own wake-up would
 * measure the observer. The thread then reads the row as every client does, checks that the event
 * is in it, and adds what that read took. */
#pragma once

#include <stdint.h>

#include "dataplane/base/histogram.h"
#include "dataplane/base/result.h"

struct appliance;
struct freshness;

enum freshness_stage {
#define FRESHNESS_STAGE(name, sentence) FRESHNESS_STAGE_##name,
#include "controlplane/freshness_stages.def"
#undef FRESHNESS_STAGE
    FRESHNESS_STAGE_COUNT
};

const char *freshness_stage_name(enum freshness_stage stage);

/* Uses reader thread_index. */
MUST_USE enum result freshness_open(struct appliance *appliance, uint32_t thread_index,
                                    struct freshness **out_freshness);
void freshness_close(struct freshness *freshness); /* NULL is fine. */

/* Any thread. Nanoseconds; negative spans (an event from the future) count as 0. */
const struct histogram *freshness_histogram(const struct freshness *freshness, uint32_t view,
                                            enum freshness_stage stage);
/* Samples whose row a read did not show: refused by the memory cap, or past its ttl by then. */
uint64_t freshness_unseen(const struct freshness *freshness);
