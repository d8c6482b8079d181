/* Events made to order from a stream's schema: every field by its type and rules, keys by rank.
 *
 * A rank (a number from 1) stands for an entity: integer key parts carry it as it is, string parts
 * as `k<rank>`. Which fields are the key is taken from the first view of the stream. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/plan.h"
#include "perf/load/zipf.h"

#define EVENT_KEY_TEXT_SIZE_MAX (NAME_SIZE_MAX + KEY_PARTS_MAX * 24)

struct event_maker {
    const struct plan *plan;          /* Borrowed. */
    const struct plan_stream *stream; /* Borrowed. */
    const struct plan_view *view;     /* Borrowed; the first of the stream. */
    uint64_t key_fields;              /* Bit f: field f is a part of the view's key. */
    struct zipf zipf;
    double hot;      /* Share of events that go to rank 1. */
    bool in_turn;    /* Ranks come one after the other, and again from 1. */
    uint64_t before; /* The rank before, in turn. */
    struct random random;
};

/* The stream has at least one view. */
void event_maker_init(struct event_maker *maker, const struct plan *plan, uint32_t stream,
                      uint64_t keys, double zipf, double hot, uint64_t seed);

/* A rank as load and reads draw it: in turn, the hot one, or Zipf. */
uint64_t event_rank(struct event_maker *maker);

/* Index of the stream. */
static inline uint32_t event_stream(const struct event_maker *maker)
{
    return (uint32_t)(maker->stream - maker->plan->stream);
}

/* Writes one event of block_size bytes. */
void event_write(struct event_maker *maker, uint64_t rank, int64_t time_us, uint8_t *block);

/* Breaks a rule of the schema in a written event: a required string or number outside its enum or
 * range, a null key. */
void event_spoil(const struct event_maker *maker, uint8_t *block);

/* `<entity>:<id>` with its NUL; returns its length. */
uint32_t event_key_text(const struct event_maker *maker, uint64_t rank,
                        char out[EVENT_KEY_TEXT_SIZE_MAX]);
