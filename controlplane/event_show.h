/* A recorded event, field by field, by the schema that its log or manifest keeps: what people and
 * programs read when no definition file is at hand. Values are those of the bytes: no rule is
 * asked. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "controlplane/buffer.h"
#include "dataplane/base/result.h"
#include "dataplane/feature/catalog.h"

struct event_show;

MUST_USE enum result event_show_open(struct event_show **out_show);
void event_show_close(struct event_show *show); /* NULL is fine. */

/* Takes an event of size bytes that a writer of version made. The event is borrowed until the next
 * take, the stream until the close: the same one is laid out once. False: the stream's schema is
 * none that can be laid out, or the event is shorter than its version says. */
bool event_show_take(struct event_show *show, const struct catalog_stream *stream, uint16_t version,
                     const uint8_t *event, uint16_t size);

/* The value of a field of the stream for people: numbers exactly, times as RFC 3339, strings in
 * quotes with \xNN for what cannot be printed, "null", "not given" where the writer's version lacks
 * it, "no value (0x07)" for bytes that are no value of the type. */
void event_show_text(const struct event_show *show, uint32_t field, struct buffer *out);
/* For programs: integers as numbers (beyond 63 bits as a string), decimals as strings of their
 * digits, f64 as numbers, timestamps in microseconds, null for everything that is no value. A new
 * reference. */
json_t *event_show_json(const struct event_show *show, uint32_t field);
