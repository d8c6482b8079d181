/* Verdicts of a burst: late and future are decided once, at the home; what is dropped is counted
 * under one reason and, now and then, shown. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/drops.h"
#include "dataplane/feature/limits.h"

struct net_message;
struct schema;
struct worker;

#define JUDGE_NO_FIELD FIELDS_MAX

/* Late, future and history among the events that the schema let through; moves the watermark. */
void judge_burst(struct worker *worker);
/* Forwards bring their verdicts; only the owner's watermark moves. */
void judge_forwarded(struct worker *worker);
/* Whether an event that is dropped for this reason, at this field, is set aside by policy. */
bool judge_quarantines(const struct schema *schema, enum drop drop, uint32_t field);
/* Counts what became of the burst's events, and which rules were broken. */
void judge_count(struct worker *worker);
/* Puts a drop into the drop log, when one of its reason is due. message NULL: it has no bytes. */
void judge_note_drop(struct worker *worker, enum drop drop, uint32_t stream, uint32_t field,
                     uint32_t offset, const struct net_message *message);
