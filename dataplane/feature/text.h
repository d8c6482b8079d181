/* Text datagrams to SBE blocks: Influx line protocol, NDJSON, an optional syslog prefix.
 *
 * A datagram holds lines (LF or CRLF); each is one event. A line that starts with '{' is a JSON
 * object, one that starts with '<' digits '>' has an RFC 3164 or 5424 syslog header that is
 * skipped, '#' starts a comment, anything else is line protocol:
 *     stream[,tag=value]* field=value[,field=value]* [nanoseconds]
 * Tags and fields are both fields of the stream. Values: 1, 1i, 1u, 1.5, 1e3, t/T/true, f/F/false,
 * "quoted", and in tags bare text; `\` escapes as the line protocol says. In JSON the member
 * `stream` (else the listener's stream) names the stream; null is null; numbers are read from their
 * digits, never through a double; an unknown member is a drop, as is a string longer than its
 * field. Without the time field the event gets the arrival time; with an explicit null it does not.
 * A field named twice is text_syntax, whichever came first; so is a line feed inside a quoted
 * string. A `stream` that is none of the listener's is message_unknown_stream, an object or array
 * as a value text_wrong_type.
 * Source: InfluxDB 1.x "Line protocol reference"; RFC 8259; RFC 3164; RFC 5424 section 6. */
#pragma once

#include <stdint.h>

#include "dataplane/base/drops.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/schema.h"

struct text_cursor {
    const char *data; /* Borrowed. */
    uint32_t size;
    uint32_t at;
};

/* What one line became. */
struct text_event {
    uint16_t stream; /* Index into the schemas. */
    enum drop drop;  /* DROP_NONE, or why the line is no event. */
    int field;       /* Field that was wrong, or -1. */
    uint32_t offset; /* Byte in the datagram where it went wrong; of an event: where it begins. */
};

/* Reads the next event line into block (EVENT_SIZE_MAX bytes, the stream's block_size are written).
 * Returns 0 at the end, 1 otherwise (out_event says whether it became an event).
 * schemas: schema_count pointers, borrowed. default_stream: index for JSON without `stream`, or -1.
 * arrival_us: time for events without one. */
int text_next(struct text_cursor *cursor, const struct schema *const *schemas,
              uint32_t schema_count, int default_stream, int64_t arrival_us, uint8_t *block,
              struct text_event *out_event);

/* Reads one JSON object (size bytes, no line feed) of a known stream into block, which the caller
 * cleared: members that are no fields are skipped whatever their value and counted in
 * *ignored. The time is not filled in. out_event as above, offsets count from line. */
void text_object_encode(const struct schema *schema, const char *line, uint32_t size,
                        uint8_t *block, uint32_t *ignored, struct text_event *out_event);

/* Writes one text value into the event block as the field's type (the one place where text becomes
 * a value: line protocol, JSON, CSV, AT-literals and enums of the definition language). text is the
 * bare value without quotes; quoted says whether it stood in the quotes of a string (JSON, line
 * protocol): then it is no bool. Numbers are taken from quotes, too: a u64 passes through
 * JavaScript that way. An empty text is null.
 *   integers   [+-]digits, a point and an exponent if the value is whole
 *   decimal    as many digits after the point as the scale, more if they are zeros
 *   f64        the nearest double; not NaN, not infinite
 *   bool       true t 1 false f 0, and True TRUE T ...
 *   timestamp  a whole number of units; else by `format:`, without one RFC 3339
 * The number that is the wire's null is no value, nor is a string with a NUL in it.
 * Returns DROP_NONE, DROP_text_wrong_type, DROP_text_too_long. */
enum drop text_value_encode(const struct schema_field *field, const char *text, uint32_t size,
                            bool quoted, uint8_t *block);

/* The same to decoded form (int64), for every type but string: `min`, `max` and `enum` of the
 * definition language (here the wire's null is a number like any other). Returns false when text is
 * no such value. */
bool text_value_parse(const struct schema_field *field, const char *text, uint32_t size,
                      int64_t *out_value);

/* Fills a block with the SBE null of every field. */
void text_block_clear(const struct schema *schema, uint8_t *block);
