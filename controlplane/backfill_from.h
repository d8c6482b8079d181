/* freshet backfill --from: events of a file into the mirror of the running appliance, as history of
 * their stream. They are sent as any producer sends, acknowledged when they are durable, and marked
 * (wire.h: WIRE_FLAG_HISTORY): no view that runs takes them, every view that is filled from then on
 * does. Who sends is known by what the file has, so a file that was sent before, whole or in part,
 * counts once. See docs/decisions/0034. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controlplane/client.h"

struct backfill_from {
    const char *verb; /* For errors. */
    const char *view;
    const char *path; /* Of the events: CSV, NDJSON, Parquet. */
    char *const *definition;
    uint32_t definition_count;
    const char *stream; /* NULL: the view's only one. */
    const char *to;     /* NULL: the first listener on sockets that the definitions name. */
    const char *keys;   /* NULL: no authentication. */
    uint64_t producer;  /* 0: by what the file has. */
    uint64_t incarnation;
    uint64_t rate;      /* Events a second; 0: as fast as they are durable. */
    const char *before; /* Events of that time or later are passed over; NULL: when the store was
                           made: those came by themselves. */
    bool json;
};

/* Returns an exit code, after saying on stderr what is wrong; VERB_EXIT_OK: all are durable, and
 * *out_account is a new object that says how many. */
int backfill_from_load(const struct backfill_from *from, struct client *client,
                       json_t **out_account);
