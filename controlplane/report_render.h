/* The texts of report.h, from a snapshot. */
#pragma once

#include <jansson.h>

#include "controlplane/buffer.h"
#include "controlplane/snapshot.h"
#include "dataplane/drop_log.h"

void report_status_render(const struct snapshot *snapshot, struct buffer *out);
void report_metrics_render(const struct snapshot *snapshot, struct buffer *out);
/* One drop entry of a shard as a JSON object; a new reference. */
json_t *report_drop_json(const struct plan *plan, uint32_t shard, const struct drop_entry *entry);
/* Appends the object's text to out, and gives the reference up. */
void report_json_write(json_t *root, struct buffer *out);
/* Array of the objectives; a new reference. */
json_t *report_objectives_json(const struct snapshot *snapshot);
/* The last backfill, or the one under way. A new reference. */
json_t *report_backfill_json(const struct backfill_report *report);
/* What there is to say of the store; null without one. A new reference. */
json_t *report_store_json(const struct snapshot *snapshot);
/* Answers that are recorded and checked; null while none are. A new reference. */
json_t *report_served_json(const struct snapshot *snapshot);
