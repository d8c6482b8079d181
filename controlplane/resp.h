/* RESP2 and RESP3: an incremental parser of requests. resp_writer.h writes replies.
 *
 * Requests are what Redis takes: arrays of bulk strings, and inline commands with its quoting.
 * Texts of protocol errors are Redis' own; where a limit is ours, it is named after a comma.
 * Arguments stay where they were received: nothing is copied.
 * Sources: redis.io/docs/reference/protocol-spec; Redis 7.0, src/networking.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RESP_INLINE_SIZE_MAX  (64u * 1024) /* As Redis. Also a header line without its end. */
#define RESP_BULK_SIZE_MAX    (1024u * 1024)
#define RESP_ARGUMENTS_MAX    4096u /* 500 keys and 20 features need 525. */
#define RESP_REQUEST_SIZE_MAX (4u * 1024 * 1024)
/* Of clients that did not say who they are; as Redis. */
#define RESP_STRANGER_ARGUMENTS_MAX 10u
#define RESP_STRANGER_BULK_SIZE_MAX (16u * 1024)

struct resp_argument {
    const char *data; /* Into the input; valid until the input moves. */
    uint32_t size;
    uint32_t offset; /* From the request's first byte. */
};

enum resp_status {
    RESP_MORE,    /* The request is not complete yet. */
    RESP_REQUEST, /* argument[] holds a request of at least one argument. */
    RESP_ERROR,   /* error says what; nothing after it can be understood. */
};

struct resp_parser {
    uint32_t at;       /* Bytes of the current request that are understood. */
    uint32_t left;     /* Arguments of the current array still to come. */
    int32_t bulk_size; /* Of the argument being received; -1: its header comes next. */
    bool in_array;
    bool stranger; /* Set by the caller: the client has not said who it is. */
    uint32_t argument_count;
    uint32_t argument_capacity;
    struct resp_argument *argument; /* Owned. */
    char error[96];
};

void resp_parser_init(struct resp_parser *parser);
void resp_parser_deinit(struct resp_parser *parser);

/* Continues with the input: data is where the current request starts, size what is there of it and
 * after it. The same bytes must be there again, with more behind them, after RESP_MORE. Inline
 * requests are unquoted in place. out_used says how many bytes at the front are done with: the
 * caller passes what follows them next time. */
enum resp_status resp_parse(struct resp_parser *parser, char *data, uint64_t size,
                            uint64_t *out_used);

/* Bytes of a request that has begun but is not complete. */
static inline bool resp_parser_busy(const struct resp_parser *parser)
{
    return parser->at > 0 || parser->in_array;
}

/* Strict decimal int64 as Redis reads it: no '+', no spaces, no leading zeros. */
bool resp_integer_read(const char *data, uint64_t size, int64_t *out);
bool resp_is(const struct resp_argument *argument, const char *word); /* Ignoring case. */
