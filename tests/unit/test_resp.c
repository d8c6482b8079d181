#include "tests/support/unit.h"

#include <stdio.h>

#include "controlplane/resp.h"
#include "controlplane/resp_writer.h"
#include "dataplane/base/units.h"

/* Parses text that comes in pieces of step bytes and writes what came out as one line per request:
 * words in brackets; "!" and the error; "..." when more is wanted. */
static void parse_in_steps(const char *text, uint64_t size, uint64_t step, char *out,
                           uint64_t out_size)
{
    struct resp_parser parser;
    char *input = malloc(size + 1);
    uint64_t from = 0;
    uint64_t to = 0;
    uint64_t at = 0;
    out[0] = '\0';
    memcpy(input, text, size);
    resp_parser_init(&parser);
    while (true) {
        uint64_t used;
        enum resp_status status = resp_parse(&parser, input + from, to - from, &used);
        from += used;
        if (status == RESP_ERROR) {
            at += (uint64_t)snprintf(out + at, out_size - at, "!%s", parser.error);
            break;
        }
        if (status == RESP_MORE && to == size) {
            at += (uint64_t)snprintf(out + at, out_size - at, "%s", from == size ? "" : "...");
            break;
        }
        if (status == RESP_MORE) {
            to = to + step < size ? to + step : size;
            continue;
        }
        for (uint32_t i = 0; i < parser.argument_count; i++) {
            at += (uint64_t)snprintf(out + at, out_size - at, "[%.*s]",
                                     (int)parser.argument[i].size, parser.argument[i].data);
        }
        at += (uint64_t)snprintf(out + at, out_size - at, "\n");
    }
    assert_true(at < out_size);
    resp_parser_deinit(&parser);
    free(input);
}

static const struct {
    const char *text;
    const char *expected;
} requests[] = {
    {"*1\r\n$4\r\nPING\r\n", "[PING]\n"},
    {"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", "[ECHO][]\n"},
    {"*2\r\n$4\r\nECHO\r\n$4\r\na\r\nb\r\n", "[ECHO][a\r\nb]\n"},
    {"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nTIME\r\n", "[PING]\n[TIME]\n"},
    {"*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n", "[PING]\n"},
    {"*1\r\n$4\r\nPI", "..."},
    {"*2\r\n$4\r\nPING\r\n", "..."},
    {"*", "..."},
    {"PING\r\n", "[PING]\n"},
    {"PING\n", "[PING]\n"},
    {"\r\n\n  \r\nPING\r\n", "[PING]\n"},
    {"  ECHO   one\ttwo  \r\n", "[ECHO][one][two]\n"},
    {"ECHO \"a b\" 'c d'\r\n", "[ECHO][a b][c d]\n"},
    {"ECHO \"\\x41\\n\\t\\q\" 'it\\'s' ''\r\n", "[ECHO][A\n\tq][it's][]\n"},
    {"ECHO \"\\x4\"\r\n", "[ECHO][x4]\n"},
    {"PING\r\n*1\r\n$4\r\nTIME\r\nROLE\r\n", "[PING]\n[TIME]\n[ROLE]\n"},
    {"ECHO \"open\r\n", "!Protocol error: unbalanced quotes in request"},
    {"ECHO 'open\r\n", "!Protocol error: unbalanced quotes in request"},
    {"ECHO \"a\"b\r\n", "!Protocol error: unbalanced quotes in request"},
    {"*x\r\n", "!Protocol error: invalid multibulk length"},
    {"*\r\n", "!Protocol error: invalid multibulk length"},
    {"*01\r\n", "!Protocol error: invalid multibulk length"},
    {"*+1\r\n", "!Protocol error: invalid multibulk length"},
    {"*2147483648\r\n", "!Protocol error: invalid multibulk length"},
    {"*4097\r\n", "!Protocol error: invalid multibulk length, at most 4096 arguments"},
    {"*1\r\n:4\r\n", "!Protocol error: expected '$', got ':'"},
    {"*1\r\n$x\r\n", "!Protocol error: invalid bulk length"},
    {"*1\r\n$-1\r\n", "!Protocol error: invalid bulk length"},
    {"*1\r\n$\r\n", "!Protocol error: invalid bulk length"},
    {"*1\r\n$1048577\r\n", "!Protocol error: invalid bulk length, at most 1048576 bytes"},
};

static void requests_parse_as_redis_does_in_pieces_of_any_size(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(requests); i++) {
        uint64_t size = strlen(requests[i].text);
        for (uint64_t step = 1; step <= size; step++) {
            char out[512];
            parse_in_steps(requests[i].text, size, step, out, sizeof(out));
            assert_string_equal(out, requests[i].expected);
        }
    }
}

static void a_line_without_an_end_is_refused_at_its_limit(void **state)
{
    static const struct {
        const char *head;
        const char *expected;
    } rows[] = {
        {"a", "!Protocol error: too big inline request"},
        {"*1", "!Protocol error: too big mbulk count string"},
        {"*1\r\n$1", "!Protocol error: too big bulk count string"},
    };
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t size = strlen(rows[i].head) + RESP_INLINE_SIZE_MAX + 8;
        char *text = malloc(size);
        char out[512];
        memset(text, '1', size);
        memcpy(text, rows[i].head, strlen(rows[i].head));
        parse_in_steps(text, RESP_INLINE_SIZE_MAX - 8, 999, out, sizeof(out));
        assert_string_equal(out, "...");
        parse_in_steps(text, size, 999, out, sizeof(out));
        assert_string_equal(out, rows[i].expected);
        free(text);
    }
}

static void a_request_may_not_pass_four_mebibytes(void **state)
{
    struct resp_parser parser;
    struct buffer input;
    char error[96] = "";
    uint64_t used;
    (void)state;
    buffer_init(&input, 0);
    resp_parser_init(&parser);
    buffer_text(&input, "*8\r\n");
    for (uint32_t i = 0; i < 8 && error[0] == '\0'; i++) {
        buffer_format(&input, "$%u\r\n", RESP_BULK_SIZE_MAX);
        if (resp_parse(&parser, input.data, input.size, &used) == RESP_ERROR) {
            memcpy(error, parser.error, sizeof(error));
        }
        memset(buffer_room(&input, RESP_BULK_SIZE_MAX), 'x', RESP_BULK_SIZE_MAX);
        buffer_took(&input, RESP_BULK_SIZE_MAX);
        buffer_text(&input, "\r\n");
    }
    assert_string_equal(error, "Protocol error: too big request, at most 4194304 bytes");
    assert_true(input.size < RESP_REQUEST_SIZE_MAX + RESP_BULK_SIZE_MAX);
    resp_parser_deinit(&parser);
    buffer_deinit(&input);
}

static void a_batch_of_500_keys_and_20_features_fits(void **state)
{
    struct resp_parser parser;
    struct buffer input;
    uint64_t used;
    (void)state;
    buffer_init(&input, 0);
    resp_parser_init(&parser);
    buffer_text(&input, "*525\r\n");
    for (uint32_t i = 0; i < 525; i++) {
        buffer_text(&input, "$8\r\ncard:123\r\n");
    }
    assert_int_equal(resp_parse(&parser, input.data, input.size, &used), RESP_REQUEST);
    assert_int_equal(parser.argument_count, 525);
    assert_int_equal(used, input.size);
    resp_parser_deinit(&parser);
    buffer_deinit(&input);
}

static void integers_are_strict(void **state)
{
    static const struct {
        const char *text;
        bool fits;
        int64_t value;
    } rows[] = {
        {"0", true, 0},   {"-1", true, -1},  {"9223372036854775807", true, INT64_MAX},
        {"", false, 0},   {"-", false, 0},   {"-9223372036854775808", true, INT64_MIN},
        {"01", false, 0}, {"-0", false, 0},  {"9223372036854775808", false, 0},
        {" 1", false, 0}, {"1 ", false, 0},  {"-9223372036854775809", false, 0},
        {"+1", false, 0}, {"1.0", false, 0}, {"99999999999999999999", false, 0},
    };
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        int64_t value = 0;
        assert_int_equal(resp_integer_read(rows[i].text, strlen(rows[i].text), &value),
                         rows[i].fits);
        assert_true(!rows[i].fits || value == rows[i].value);
    }
}

static void write_all(struct resp_writer *writer)
{
    resp_write_simple(writer, "OK");
    resp_write_error(writer, "ERR a\r\nb %d", 1);
    resp_write_integer(writer, 0);
    resp_write_integer(writer, INT64_MIN);
    resp_write_bulk(writer, "a\0b", 3);
    resp_write_text(writer, "");
    resp_write_verbatim(writer, "text", 4);
    resp_write_null(writer);
    resp_write_array(writer, 2);
    resp_write_set(writer, 1);
    resp_write_map(writer, 1);
}

static void replies_have_the_form_of_their_protocol(void **state)
{
    static const char resp2[] = "+OK\r\n-ERR a  b 1\r\n:0\r\n:-9223372036854775808\r\n"
                                "$3\r\na\0b\r\n$0\r\n\r\n$4\r\ntext\r\n$-1\r\n*2\r\n*1\r\n*2\r\n";
    static const char resp3[] = "+OK\r\n-ERR a  b 1\r\n:0\r\n:-9223372036854775808\r\n"
                                "$3\r\na\0b\r\n$0\r\n\r\n=8\r\ntxt:text\r\n_\r\n*2\r\n~1\r\n%1\r\n";
    (void)state;
    for (uint8_t protocol = 2; protocol <= 3; protocol++) {
        struct buffer out;
        buffer_init(&out, 0);
        struct resp_writer writer = {.out = &out, .protocol = protocol};
        write_all(&writer);
        assert_int_equal(out.size, protocol == 2 ? sizeof(resp2) - 1 : sizeof(resp3) - 1);
        assert_memory_equal(out.data, protocol == 2 ? resp2 : resp3, out.size);
        assert_int_equal(writer.error_count, 1);
        buffer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_parse_as_redis_does_in_pieces_of_any_size),
        cmocka_unit_test(a_line_without_an_end_is_refused_at_its_limit),
        cmocka_unit_test(a_request_may_not_pass_four_mebibytes),
        cmocka_unit_test(a_batch_of_500_keys_and_20_features_fits),
        cmocka_unit_test(integers_are_strict),
        cmocka_unit_test(replies_have_the_form_of_their_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
