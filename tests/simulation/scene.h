/* The definitions that every world runs, and events for them: two streams with two entities each,
 * so that events are forwarded; late, future, violating and keyless events; exact, composite,
 * lifetime and short-lived views. */
#pragma once

#include <stdint.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/plan.h"

#define SCENE_START_US        INT64_C(1750000000000000)
#define SCENE_EVENT_BYTES_MAX 48u
#define SCENE_STREAMS         2u

/* The plan, compiled once per process. */
const struct plan *scene_plan(void);
uint16_t scene_stream_id(uint32_t stream);
uint16_t scene_event_bytes(uint32_t stream);
/* Writes an event of the stream around now_us; returns its bytes. */
uint32_t scene_event_make(uint32_t stream, struct random *random, int64_t now_us, uint8_t *out);
/* What the log keeps of an event: a field that breaks a rule of `visit` is null there. */
void scene_event_normalise(uint16_t stream_id, uint8_t *event);
/* A datagram of line protocol; returns its bytes. */
uint32_t scene_text_make(struct random *random, int64_t now_us, char *out, uint32_t size);
