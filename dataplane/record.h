/* Records of the mirror log: what came, as it came, and what was decided of it. Without a log
 * nothing here does anything. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lane;
struct mesh_forward;
struct mirror_entry;
struct shard_batch;
struct wire_message;
struct worker;

/* Begins the message's record, with its events; verdicts follow as they are decided, until the
 * turn's end. lane: of an acked message, else NULL. Returns the entry; NULL without a log. */
uint8_t *record_message(struct worker *worker, const struct wire_message *wire, uint32_t place,
                        bool text, struct lane *lane);
/* Records one forward, as its home sent it; it is event `at` of the burst. */
void record_forward(struct worker *worker, const struct mesh_forward *forward, uint32_t at);
/* Writes an entry without events, at the turn's T and an LSN of its own. There is room. */
void record_note(struct worker *worker, struct mirror_entry *entry);
/* Writes the verdicts of the burst. Fields that a rule made null become null in the record, so that
 * who reads it needs no rule. */
void record_burst(struct worker *worker);
/* A refusal of view v (of the stream) is part of the event's verdict. */
void record_refused(struct worker *worker, uint32_t v, const struct shard_batch *batch);
