/* Sends events of one stream on acked lanes, through the producer library: at the end each one is
 * durable or lost with a reason. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controlplane/send.h"
#include "controlplane/sender_key.h"
#include "dataplane/feature/plan.h"
#include "drivers/producer/producer.h"

/* A rate that paces nothing. */
#define SEND_ACKED_RATE_NONE (1000 * UINT64_C(1000000000))

struct send_acked_options {
    const char *to;               /* Borrowed during open. */
    const struct sender_key *key; /* The same; NULL: no authentication. */
    uint64_t producer;
    uint32_t incarnation;
    uint64_t rate; /* Events per second, above 0. */
    bool unacked;  /* Each message is sent once, and nobody says what became of it. */
    bool history;  /* For views that are filled later; on one lane, as an earlier run may have begun
                      (producer.h: `history`, `resumes`). */
};

struct send_acked {
    struct freshet_producer *producer; /* Owned. */
    const struct schema *schema;       /* Borrowed. */
    uint32_t stream;                   /* Index in the plan. */
    const struct plan_view *view;      /* Borrowed; whose key steers. NULL: none. */
    uint64_t rate;
    int64_t start_ns; /* Of the first event; 0: none yet. */
    int64_t end_ns;
    struct freshet_producer_stats stats; /* After finish. */
    uint64_t lost;
    uint8_t block[EVENT_SIZE_MAX]; /* The event being made. */
};

/* stream: an index of the plan. error says what is wrong. */
MUST_USE enum result send_acked_open(struct send_acked *acked,
                                     const struct send_acked_options *options,
                                     const struct plan *plan, uint32_t stream,
                                     char error[SEND_ERROR_SIZE_MAX]);
void send_acked_close(struct send_acked *acked);

/* Room for the next event, filled with nulls. */
uint8_t *send_acked_event(struct send_acked *acked);
/* Takes the event; sleeps to keep the rate, and waits while the buffer is full. */
MUST_USE enum result send_acked_add(struct send_acked *acked, char error[SEND_ERROR_SIZE_MAX]);
/* Waits until everything is durable, as long as anything moves; what is left after 30 s of
 * standstill is lost. Fills stats and lost. */
void send_acked_finish(struct send_acked *acked);

/* The account: text on stdout, or a new JSON object. */
void send_acked_print(const struct send_acked *acked);
json_t *send_acked_json(const struct send_acked *acked);
