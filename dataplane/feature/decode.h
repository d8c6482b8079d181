/* Events of a message to columns of a burst, by a plan compiled from the schema: an offset table,
 * no per-field calls. Holds each field against its rules on the way, but for `matches`. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/drops.h"
#include "dataplane/feature/burst.h"
#include "dataplane/feature/schema.h"
#include "dataplane/feature/wire.h"

/* One field's work, in schema order. Compiled once, constant on the hot path. */
struct decode_plan {
    uint64_t skipped; /* Bit f: field f is not decoded; it reads as null. */
    uint32_t step_count;
    struct {
        uint8_t kind; /* decode.c's enum: how bytes become a value. */
        uint8_t field;
        uint16_t offset;
        uint16_t end;  /* offset + size: present when the writer's block reaches it. */
        uint8_t rules; /* Bit r: is held against enum rule r. */
    } step[FIELDS_MAX];
};

/* fields_used: bit f set when a view, key or pattern reads field f. The time field, required fields
 * and fields with rules are decoded anyway. */
void decode_compile(const struct schema *schema, uint64_t fields_used,
                    struct decode_plan *out_plan);

/* The same for events whose verdicts were given before: no rule is asked again. */
void decode_compile_judged(const struct decode_plan *plan, struct decode_plan *out_plan);

/* Only these fields and the time, of events whose verdicts were given before. */
void decode_compile_only(const struct schema *schema, uint64_t fields,
                         struct decode_plan *out_plan);

/* Whether the message's events can be decoded: DROP_NONE, or DROP_message_event_size when its
 * stride is below what its declared version needs. The message passed wire_decode and is of this
 * stream. decode_events() may only see messages that passed. */
enum drop decode_check(const struct schema *schema, const struct wire_message *message);

/* x * 10^scale rounded half to even, exactly. False when x is infinite or NaN, or the result is
 * outside int64. scale <= SCALE_MAX. */
bool decode_quantise(double x, uint8_t scale, int64_t *out_value);

/* Appends events [first, first + count) of message to the burst: event, event_size, time_us, order,
 * null_mask, value, drop, drop_field; does what the policies of broken rules say. lsn is left to
 * the caller. The burst has room and is of this schema. Events borrow the message's bytes.
 *
 * Fields beyond the writer's block are null. Every broken rule counts in violation_count; the first
 * of an event that its policy drops, in schema order, decides drop and drop_field. An event whose
 * time is null or no time is dropped whatever the policy. A value of no valid type reads as null
 * under `count`. */
void decode_events(const struct decode_plan *plan, const struct wire_message *message,
                   uint32_t first, uint32_t count, struct burst *burst);

/* Counts a broken rule of an event and does what its policy says. */
__attribute__((noinline, cold)) void decode_violate(struct burst *burst, uint32_t event,
                                                    uint32_t field, enum rule rule);
