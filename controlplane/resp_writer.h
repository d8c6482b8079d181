/* Replies of RESP2 and RESP3, written into a buffer; the writer knows which of both the client
 * speaks. What there is no memory for fails the buffer, not the call.
 * Source: redis.io/docs/reference/protocol-spec. */
#pragma once

#include <stdint.h>

#include "controlplane/buffer.h"

struct resp_writer {
    struct buffer *out;
    uint8_t protocol;     /* 2 or 3 */
    uint64_t error_count; /* Error replies written. */
};

void resp_write_simple(struct resp_writer *writer, const char *text);
/* text starts with its code: "ERR ...". Line ends become spaces. */
void resp_write_error(struct resp_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void resp_write_integer(struct resp_writer *writer, int64_t value);
void resp_write_bulk(struct resp_writer *writer, const void *data, uint64_t size);
void resp_write_text(struct resp_writer *writer, const char *text); /* A bulk string. */
void resp_write_format(struct resp_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* A bulk string. */
/* Text for people: a verbatim string in RESP3, a bulk string in RESP2. */
void resp_write_verbatim(struct resp_writer *writer, const void *data, uint64_t size);
void resp_write_null(struct resp_writer *writer);
void resp_write_array(struct resp_writer *writer, uint64_t count);
void resp_write_set(struct resp_writer *writer, uint64_t count); /* An array in RESP2. */
/* count pairs follow; a flat array in RESP2. */
void resp_write_map(struct resp_writer *writer, uint64_t pair_count);
