/* The sender's loop on acked lanes, through the producer library: events that are not durable are
 * sent again, and each ends durable or lost with a reason. */
#pragma once

#include "drivers/producer/producer.h"
#include "perf/load/options.h"
#include "perf/load/sender.h"

/* A producer for the options and the maker's stream; NULL with error set. */
struct freshet_producer *sender_acked_open(const struct options *options,
                                           const struct event_maker *maker, uint64_t producer,
                                           char error[FRESHET_PRODUCER_ERROR_BYTES]);
/* By the timetable, until it ends or the sender is stopped; then waits, at most 10 s, for what is
 * not durable. Fills sender->acked. Thread: the sender's. */
void sender_acked_run(struct sender *sender);
