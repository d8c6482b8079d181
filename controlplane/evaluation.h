/* Definitions at work without a server: one worker in this thread, on a simulated port and a
 * virtual clock, and a reader. What it answers is what the appliance would. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "dataplane/feature/answer.h"
#include "dataplane/feature/row_read.h"

struct evaluation;
struct redisReply;

/* stream: of events that name none; -1: they all do. config is borrowed. RESULT_NO_MEMORY. */
MUST_USE enum result evaluation_open(const struct config *config, int stream,
                                     struct evaluation **out_evaluation);
void evaluation_close(struct evaluation *evaluation); /* NULL is fine. */

/* One line of text, as a producer would send it; applied when this returns. False: it is longer
 * than a datagram. */
bool evaluation_send(struct evaluation *evaluation, const char *line, uint32_t size);

/* Events that were not applied, for one reason; of all streams. */
uint64_t evaluation_dropped(const struct evaluation *evaluation, uint32_t drop);

/* Events that the view refused, for one reason of scope VIEW. */
uint64_t evaluation_refused(const struct evaluation *evaluation, uint32_t view, uint32_t drop);

/* Answers features (indices into the plan, all of one view) of an id as text has it. Strings in
 * answers live until the next call. */
void evaluation_read(struct evaluation *evaluation, const char *id, uint32_t id_size,
                     const uint16_t *feature, uint16_t count, enum read_time time, int64_t at_us,
                     struct answer *answer);

/* One request as a client sends it, run by the code that serves. The reply in the form of RESP2,
 * errors too, is the caller's: freeReplyObject(). NULL: the machine gave no memory. */
struct redisReply *evaluation_command(struct evaluation *evaluation, const char *const *argument,
                                      uint32_t count);

/* Newest event time of all that was applied; INT64_MIN: nothing was. */
int64_t evaluation_newest_us(const struct evaluation *evaluation);
