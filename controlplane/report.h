/* What the appliance says about itself, rendered once for every door: RESP (FS.STATUS, FS.DROPS),
 * HTTP, and through them the CLI verbs. JSON by jansson, metrics as Prometheus text 0.0.4. */
#pragma once

#include <stdint.h>

#include "controlplane/buffer.h"

struct appliance;

/* One JSON object: appliance, streams, views, shards, ports, freshness, reads.
 * docs/operating/status.md says what each member is. */
void report_status(const struct appliance *appliance, struct buffer *out);
/* The member `backfill` of it. */
void report_backfill(const struct appliance *appliance, struct buffer *out);
/* One JSON array of the shards' drop logs, entries with number > after[shard] (after NULL: all),
 * oldest first. */
void report_drops(const struct appliance *appliance, const uint64_t *after, struct buffer *out);
/* Prometheus text exposition. */
void report_metrics(const struct appliance *appliance, struct buffer *out);
