/* What the readers of line protocol, JSON and syslog share; only text*.c include it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/text.h"

/* The event that a line becomes. */
struct text_builder {
    const struct schema *const *schemas; /* Borrowed, as everything here. */
    uint32_t schema_count;
    int default_stream;
    const char *datagram;        /* What offsets count from. */
    const struct schema *schema; /* NULL until the stream is known. */
    uint8_t *block;
    uint64_t seen;     /* Bit f: field f was given. */
    uint32_t *ignored; /* Counts members that are no fields; NULL: they are an error. */
    struct text_event *event;
};

enum text_kind {
    TEXT_TAG,    /* Bare text of any type. */
    TEXT_BARE,   /* A number or bool as it stands. */
    TEXT_QUOTED, /* A string. */
    TEXT_NULL,
    TEXT_NESTED, /* An object or array: no value. */
};

/* A name or value, escapes resolved. */
struct text_token {
    const char *data;
    uint32_t size;
    bool too_long; /* Longer than any name or string may be: data holds nothing. */
};

/* Where escapes are resolved to: no name and no string is longer. */
#define TEXT_SCRATCH_SIZE STRING_SIZE_MAX

/* Notes why the line is no event, at a byte of the datagram; false, to return. */
bool text_fail(struct text_builder *builder, enum drop reason, int field, const char *at);

/* By name; false, and noted, when there is no such stream. */
bool text_stream_choose(struct text_builder *builder, const struct text_token *name,
                        const char *at);
/* By index in builder->schemas. */
void text_stream_set(struct text_builder *builder, uint32_t stream);

/* Gives a field its value; false, and noted, when it cannot. name_at and at are their places. */
bool text_field_put(struct text_builder *builder, const struct text_token *name,
                    const char *name_at, enum text_kind kind, const struct text_token *value,
                    const char *at);

/* Gives the time field a time; false, and noted, when it has one or cannot hold it. */
bool text_time_put(struct text_builder *builder, int64_t nanoseconds, const char *at);

/* Each reads the line [at, end) to its end: true when it is an event. */
bool text_line_read(struct text_builder *builder, const char *at, const char *end);
bool text_json_read(struct text_builder *builder, const char *at, const char *end);

/* Start of the message behind `<PRI>` and the header of RFC 3164 or 5424; NULL when at is no
 * `<PRI>` or its RFC 5424 header is cut. */
const char *text_syslog_skip(const char *at, const char *end);
