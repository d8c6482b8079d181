#include "controlplane/resp.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "drivers/memory.h"

#define ARGUMENTS_FIRST 16u
#define ARGUMENTS_KEEP  256u

void resp_parser_init(struct resp_parser *parser)
{
    *parser = (struct resp_parser){.bulk_size = -1};
}

void resp_parser_deinit(struct resp_parser *parser)
{
    heap_free(parser->argument);
    parser->argument = NULL;
    parser->argument_capacity = 0;
}

static enum resp_status parser_fail(struct resp_parser *parser, const char *text)
{
    (void)snprintf(parser->error, sizeof(parser->error), "%s", text);
    return RESP_ERROR;
}

/* Forgets the current request. One huge request does not keep its memory. */
static void parser_restart(struct resp_parser *parser)
{
    parser->at = 0;
    parser->left = 0;
    parser->bulk_size = -1;
    parser->in_array = false;
    parser->argument_count = 0;
    if (parser->argument_capacity > ARGUMENTS_KEEP) {
        resp_parser_deinit(parser);
    }
}

static bool argument_push(struct resp_parser *parser, uint32_t offset, uint32_t size)
{
    if (parser->argument_count == parser->argument_capacity) {
        uint32_t capacity =
            parser->argument_capacity == 0 ? ARGUMENTS_FIRST : parser->argument_capacity * 2;
        struct resp_argument *argument =
            heap_realloc(parser->argument, capacity * sizeof(*argument));
        if (argument == NULL) {
            return false;
        }
        parser->argument = argument;
        parser->argument_capacity = capacity;
    }
    parser->argument[parser->argument_count++] =
        (struct resp_argument){.offset = offset, .size = size};
    return true;
}

bool resp_integer_read(const char *data, uint64_t size, int64_t *out)
{
    bool negative = size > 0 && data[0] == '-';
    uint64_t at = negative ? 1 : 0;
    if (size - at == 0 || size - at > 19 || (data[at] == '0' && size != 1)) {
        return false;
    }
    uint64_t value = 0;
    for (; at < size; at++) {
        if (data[at] < '0' || data[at] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(data[at] - '0');
    }
    if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return false;
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool resp_is(const struct resp_argument *argument, const char *word)
{
    return strlen(word) == argument->size && strncasecmp(argument->data, word, argument->size) == 0;
}

/* A line that starts at parser->at and ends with CR and one more byte, as Redis cuts it. Returns
 * false when its end is not there yet. */
static bool line_find(const struct resp_parser *parser, const char *data, uint64_t size,
                      uint32_t *out_end)
{
    uint64_t span = size - parser->at;
    if (span > RESP_INLINE_SIZE_MAX + 2) {
        span = RESP_INLINE_SIZE_MAX + 2;
    }
    const char *end = memchr(data + parser->at, '\r', span);
    if (end == NULL || (uint64_t)(end - data) + 2 > size) {
        return false;
    }
    *out_end = (uint32_t)(end - data);
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Unquotes one escape of a "..." word at data[at], which is its backslash. Returns bytes read. */
static uint32_t escape_read(const char *data, uint32_t at, uint32_t end, char *out)
{
    if (at + 3 < end && data[at + 1] == 'x' && hex_digit(data[at + 2]) >= 0 &&
        hex_digit(data[at + 3]) >= 0) {
        *out = (char)(hex_digit(data[at + 2]) * 16 + hex_digit(data[at + 3]));
        return 4;
    }
    switch (data[at + 1]) {
    case 'n':
        *out = '\n';
        break;
    case 'r':
        *out = '\r';
        break;
    case 't':
        *out = '\t';
        break;
    case 'b':
        *out = '\b';
        break;
    case 'a':
        *out = '\a';
        break;
    default:
        *out = data[at + 1];
        break;
    }
    return 2;
}

/* Reads one word of an inline request in place. Returns where it ended, or UINT32_MAX when quotes
 * do not balance. */
static uint32_t inline_word(char *data, uint32_t at, uint32_t end, uint32_t *out_size)
{
    uint32_t to = at;
    uint32_t first = at;
    char quote = 0;
    while (at < end) {
        if (quote == 0) {
            if (is_space(data[at]) || data[at] == '\0') {
                break;
            }
            if (data[at] == '"' || data[at] == '\'') {
                quote = data[at++];
            } else {
                data[to++] = data[at++];
            }
        } else if (quote == '"' && data[at] == '\\' && at + 1 < end) {
            char byte = 0;
            at += escape_read(data, at, end, &byte);
            data[to++] = byte;
        } else if (quote == '\'' && data[at] == '\\' && at + 1 < end && data[at + 1] == '\'') {
            data[to++] = '\'';
            at += 2;
        } else if (data[at] == quote) {
            if (at + 1 < end && !is_space(data[at + 1])) {
                return UINT32_MAX;
            }
            at++;
            quote = 0;
            break;
        } else {
            data[to++] = data[at++];
        }
    }
    *out_size = to - first;
    return quote == 0 ? at : UINT32_MAX;
}

/* One inline request. RESP_REQUEST with argument_count 0: an empty line. */
static enum resp_status inline_parse(struct resp_parser *parser, char *data, uint64_t size)
{
    uint64_t span = size < RESP_INLINE_SIZE_MAX + 1 ? size : RESP_INLINE_SIZE_MAX + 1;
    const char *newline = memchr(data, '\n', span);
    if (newline == NULL) {
        return span > RESP_INLINE_SIZE_MAX
                   ? parser_fail(parser, "Protocol error: too big inline request")
                   : RESP_MORE;
    }
    uint32_t end = (uint32_t)(newline - data);
    parser->at = end + 1;
    if (end > 0 && data[end - 1] == '\r') {
        end--;
    }
    uint32_t at = 0;
    while (true) {
        while (at < end && is_space(data[at])) {
            at++;
        }
        if (at >= end || data[at] == '\0') {
            return RESP_REQUEST;
        }
        uint32_t first = at;
        uint32_t word_size = 0;
        at = inline_word(data, at, end, &word_size);
        if (at == UINT32_MAX) {
            return parser_fail(parser, "Protocol error: unbalanced quotes in request");
        }
        if (parser->argument_count >= RESP_ARGUMENTS_MAX ||
            !argument_push(parser, first, word_size)) {
            return parser_fail(parser, "Protocol error: too many arguments in inline request");
        }
    }
}

/* The "*<count>" line. */
static enum resp_status array_begin(struct resp_parser *parser, const char *data, uint64_t size)
{
    uint32_t end;
    if (!line_find(parser, data, size, &end)) {
        return size - parser->at > RESP_INLINE_SIZE_MAX
                   ? parser_fail(parser, "Protocol error: too big mbulk count string")
                   : RESP_MORE;
    }
    int64_t count;
    if (!resp_integer_read(data + 1, end - 1, &count) || count > INT32_MAX) {
        return parser_fail(parser, "Protocol error: invalid multibulk length");
    }
    if (count > (int64_t)RESP_ARGUMENTS_MAX) {
        return parser_fail(parser,
                           "Protocol error: invalid multibulk length, at most 4096 arguments");
    }
    if (parser->stranger && count > (int64_t)RESP_STRANGER_ARGUMENTS_MAX) {
        return parser_fail(parser, "Protocol error: unauthenticated multibulk length");
    }
    parser->at = end + 2;
    parser->in_array = true;
    parser->left = count > 0 ? (uint32_t)count : 0;
    return RESP_REQUEST;
}

/* The "$<size>" line of the next argument. */
static enum resp_status bulk_begin(struct resp_parser *parser, const char *data, uint64_t size)
{
    uint32_t end;
    if (!line_find(parser, data, size, &end)) {
        return size - parser->at > RESP_INLINE_SIZE_MAX
                   ? parser_fail(parser, "Protocol error: too big bulk count string")
                   : RESP_MORE;
    }
    if (data[parser->at] != '$') {
        char c = data[parser->at];
        (void)snprintf(parser->error, sizeof(parser->error),
                       "Protocol error: expected '$', got '%c'", c == '\0' ? ' ' : c);
        return RESP_ERROR;
    }
    int64_t bulk_size;
    if (!resp_integer_read(data + parser->at + 1, end - parser->at - 1, &bulk_size) ||
        bulk_size < 0) {
        return parser_fail(parser, "Protocol error: invalid bulk length");
    }
    if (bulk_size > (int64_t)RESP_BULK_SIZE_MAX) {
        return parser_fail(parser, "Protocol error: invalid bulk length, at most 1048576 bytes");
    }
    if (parser->stranger && bulk_size > (int64_t)RESP_STRANGER_BULK_SIZE_MAX) {
        return parser_fail(parser, "Protocol error: unauthenticated bulk length");
    }
    if (end + 2 + (uint64_t)bulk_size + 2 > RESP_REQUEST_SIZE_MAX) {
        return parser_fail(parser, "Protocol error: too big request, at most 4194304 bytes");
    }
    parser->at = end + 2;
    parser->bulk_size = (int32_t)bulk_size;
    return RESP_REQUEST;
}

static enum resp_status array_parse(struct resp_parser *parser, const char *data, uint64_t size)
{
    if (!parser->in_array) {
        enum resp_status status = array_begin(parser, data, size);
        if (status != RESP_REQUEST) {
            return status;
        }
    }
    while (parser->left > 0) {
        if (parser->bulk_size < 0) {
            enum resp_status status =
                parser->at < size ? bulk_begin(parser, data, size) : RESP_MORE;
            if (status != RESP_REQUEST) {
                return status;
            }
        }
        uint32_t bulk_size = (uint32_t)parser->bulk_size;
        if (size - parser->at < (uint64_t)bulk_size + 2) {
            return RESP_MORE;
        }
        if (!argument_push(parser, parser->at, bulk_size)) {
            return parser_fail(parser, "Protocol error: no memory for the request");
        }
        parser->at += bulk_size + 2;
        parser->bulk_size = -1;
        parser->left--;
    }
    return RESP_REQUEST;
}

enum resp_status resp_parse(struct resp_parser *parser, char *data, uint64_t size,
                            uint64_t *out_used)
{
    uint64_t used = 0;
    *out_used = 0;
    if (!resp_parser_busy(parser)) {
        parser_restart(parser);
    }
    while (used < size) {
        char *request = data + used;
        enum resp_status status = request[0] == '*' ? array_parse(parser, request, size - used)
                                                    : inline_parse(parser, request, size - used);
        if (status == RESP_ERROR) {
            return RESP_ERROR;
        }
        if (status == RESP_MORE) {
            break;
        }
        used += parser->at;
        if (parser->argument_count > 0) {
            for (uint32_t i = 0; i < parser->argument_count; i++) {
                parser->argument[i].data = request + parser->argument[i].offset;
            }
            parser->at = 0;
            parser->in_array = false;
            *out_used = used;
            return RESP_REQUEST;
        }
        parser_restart(parser);
    }
    *out_used = used;
    return RESP_MORE;
}
