/* One run of `freshet send`: its options, its events, its way of sending, and its account at the
 * end. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/client.h"
#include "controlplane/event_file.h"
#include "controlplane/progress.h"
#include "controlplane/send.h"
#include "controlplane/send_acked.h"
#include "controlplane/send_outcome.h"
#include "controlplane/sender_key.h"

struct send_run {
    /* Options. */
    const char *path; /* Of the events; "stdin". */
    const char *to;
    const char *config_path;
    const char *stream;
    const char *retime;
    const char *server;
    const char *keys; /* NULL: messages without tags. */
    uint64_t rate;
    uint64_t producer;
    uint64_t incarnation;
    bool is_acked;
    bool json;

    struct config *config;
    uint32_t stream_index;
    const struct schema *schema;
    struct event_file file;
    struct send_lane *lane;   /* Not acked. */
    struct send_acked *acked; /* Acked. */
    uint64_t bad_count;       /* Records that are no events. */
    int64_t end_ns;
    struct progress progress;

    /* With --retime: all events, before the first is sent. */
    uint8_t *kept;
    uint64_t kept_count;
    uint64_t kept_capacity;
    int64_t newest; /* Event time on the wire; INT64_MIN: none. */
};

/* The server's word for it. */
struct send_answer {
    bool known;
    struct send_outcome outcome;
    uint64_t lost;
};

uint64_t send_events_sent(const struct send_run *run);
/* What became of the run's events since before. */
void send_answer_ask(struct send_run *run, struct client *client, const struct send_outcome *before,
                     struct send_answer *out);
/* The whole account on stdout: text, or JSON. */
void send_answer_print(const struct send_run *run, const struct send_answer *answer);
