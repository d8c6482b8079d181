#include "tests/support/unit.h"

#include "dataplane/base/units.h"
#include "perf/load/reply.h"

static const struct {
    const char *text;
    uint32_t replies;
    uint32_t errors;
} rows[] = {
    {"+OK\r\n", 1, 0},
    {"-ERR no\r\n", 1, 1},
    {":12\r\n:-3\r\n", 2, 0},
    {"$5\r\nhello\r\n", 1, 0},
    {"$0\r\n\r\n", 1, 0},
    {"$-1\r\n*-1\r\n", 2, 0},
    {"*0\r\n*3\r\n$1\r\na\r\n$-1\r\n$2\r\n\r\n\r\n", 2, 0},
    {"*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n$1\r\nx\r\n+OK\r\n", 2, 0},
    {"%2\r\n+a\r\n,1.5\r\n+b\r\n_\r\n", 1, 0},
    {"~1\r\n#t\r\n", 1, 0},
    {"*2\r\n-ERR in\r\n:1\r\n", 1, 1},
};

/* Feeds text in pieces of at most piece bytes, as a socket would. */
static void feed(const char *text, uint32_t piece, uint32_t *out_replies, uint32_t *out_errors)
{
    struct reply_scan scan = {0};
    char buffer[256];
    uint32_t held = 0;
    uint32_t size = (uint32_t)strlen(text);
    *out_replies = 0;
    *out_errors = 0;
    for (uint32_t at = 0; at < size;) {
        uint32_t take = size - at < piece ? size - at : piece;
        memcpy(buffer + held, text + at, take);
        held += take;
        at += take;
        uint32_t used = 0;
        bool done = true;
        while (done && used < held) {
            used += reply_scan(&scan, buffer + used, held - used, &done);
            *out_replies += done;
            *out_errors += done && scan.error;
        }
        assert_false(scan.broken);
        memmove(buffer, buffer + used, held - used);
        held -= used;
    }
    assert_int_equal(held, 0);
}

static void replies_end_at_the_same_place_in_pieces_of_any_size(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (uint32_t piece = 1; piece <= strlen(rows[i].text); piece++) {
            uint32_t replies;
            uint32_t errors;
            feed(rows[i].text, piece, &replies, &errors);
            assert_int_equal(replies, rows[i].replies);
            assert_int_equal(errors, rows[i].errors);
        }
    }
}

static void bytes_that_are_no_resp_are_noticed(void **state)
{
    (void)state;
    static const char *const broken[] = {"hello\r\n", "$x\r\n", "*-5\r\n",
                                         "\r\n",      "+OK\n",  "$99999999999999999999999\r\n"};
    for (uint32_t i = 0; i < ARRAY_COUNT(broken); i++) {
        struct reply_scan scan = {0};
        bool done;
        (void)reply_scan(&scan, broken[i], (uint32_t)strlen(broken[i]), &done);
        assert_false(done);
        assert_true(scan.broken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_end_at_the_same_place_in_pieces_of_any_size),
        cmocka_unit_test(bytes_that_are_no_resp_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
