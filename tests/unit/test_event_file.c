/* Files of events: CSV and NDJSON, and what is said of what is no event. */
#include "tests/support/unit.h"

#include <inttypes.h>
#include <stdio.h>

#include "config/config.h"
#include "controlplane/event_file.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/text.h"

#define NOW_US INT64_C(1767225600000000) /* 2026-01-01 */

static const char definitions[] = "streams:\n"
                                  "  limit:\n"
                                  "    id: 1\n"
                                  "    time: at\n"
                                  "    fields:\n"
                                  "      at:     {type: timestamp, unit: s}\n"
                                  "      card:   {type: u32}\n"
                                  "      credit: {type: decimal, scale: 2}\n"
                                  "      name:   {type: string, size: 6, optional: true}\n"
                                  "      gold:   {type: bool, optional: true}\n";

static struct config *config;
static struct event_file file; /* Big. */

static int definitions_load(void **state)
{
    (void)state;
    config = calloc(1, sizeof(*config));
    return config_load_text("f", definitions, sizeof(definitions) - 1, config) == RESULT_OK ? 0 : 1;
}

static int definitions_free(void **state)
{
    (void)state;
    free(config);
    return 0;
}

/* at|card|credit|name|gold, numbers as they are on the wire. */
static int block_print(const struct schema *schema, const uint8_t *block, char *out, size_t size)
{
    int64_t at;
    uint32_t card;
    int64_t credit;
    char name[7] = "";
    memcpy(&at, block + schema->field[0].offset, sizeof(at));
    memcpy(&card, block + schema->field[1].offset, sizeof(card));
    memcpy(&credit, block + schema->field[2].offset, sizeof(credit));
    memcpy(name, block + schema->field[3].offset, 6);
    return snprintf(out, size, "%" PRId64 "|%" PRIu32 "|%" PRId64 "|%s|%u\n",
                    at == INT64_MIN ? -1 : at, card, credit == INT64_MIN ? -1 : credit, name,
                    block[schema->field[4].offset]);
}

static void file_read(const char *text, char *out, size_t out_size)
{
    const struct schema *schema = &config->plan.stream[0].schema;
    char error[EVENT_FILE_ERROR_SIZE_MAX];
    uint8_t block[EVENT_SIZE_MAX];
    size_t at = 0;
    FILE *in = text[0] == '\0' ? fopen("/dev/null", "r")
                               : fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(in);
    enum event_file_step step = EVENT_FILE_BAD;
    out[0] = '\0';
    if (event_file_open(&file, in, "f", schema, NOW_US, error) != RESULT_OK) {
        (void)snprintf(out, out_size, "%s\n", error);
        step = EVENT_FILE_END;
    }
    while (step == EVENT_FILE_EVENT || step == EVENT_FILE_BAD) {
        text_block_clear(schema, block);
        step = event_file_next(&file, block, error);
        if (step == EVENT_FILE_EVENT) {
            at += (size_t)block_print(schema, block, out + at, out_size - at);
        } else if (step != EVENT_FILE_END) {
            at += (size_t)snprintf(out + at, out_size - at, "%s\n", error);
        }
    }
    event_file_close(&file);
    (void)fclose(in);
}

static const struct {
    const char *text;
    const char *read;
} rows[] = {
    {"", ""},
    {"card,credit\n7,1.50\n", "1767225600|7|150||255\n"},
    {"\xef\xbb\xbf"
     "credit,card,at,name,gold\r\n2,8,2026-01-02T00:00:00Z,abc,true\r\n3,9,99,,\r\n",
     "1767312000|8|200|abc|1\n99|9|300||255\n"},
    {"card,colour,credit,name\n7,red,1,\"a,\"\"b\"\n\n8,blue,2,\"\"",
     "1767225600|7|100|a,\"b|255\n1767225600|8|200||255\n"},
    /* An empty time is null, no time at all is now. */
    {"at,card,credit\n,7,1\n", "-1|7|100||255\n"},
    {"{\"card\": 7, \"credit\": 1}\n{\"at\": null, \"card\": 8, \"credit\": 2.5, \"x\": [1]}\n",
     "1767225600|7|100||255\n-1|8|250||255\n"},
    {"\n\n {\"card\": 7, \"credit\": \"x\"}\n{\"card\": 8, \"credit\": 1, \"at\": 5}\n",
     "f:3:24: `credit`: a value that does not fit its field's type; a decimal with up to 2 digits "
     "after the point is allowed\n5|8|100||255\n"},
    {"{\"card\": 7}\nnonsense\n",
     "1767225600|7|-1||255\nf:2:1: no event: neither line protocol nor NDJSON; an object a line is "
     "allowed\n"},
    {"card,credit\n7,1.505\n8,2\n9,abc,3\nx,4\n",
     "f:2:3: `credit` is `1.505`; a decimal with up to 2 digits after the point is allowed\n"
     "1767225600|8|200||255\n"
     "f:4:1: 3 values; the header has 2 columns\n"
     "f:5:1: `card` is `x`; a whole number that u32 holds is allowed\n"},
    {"card,credit,name,gold\n7,1,\"\xc3\xa4\xc3\xb6\xc3\xbcx\",\n7,1,\xc3\xa4,maybe\n",
     "f:2:5: `name` is `\xc3\xa4\xc3\xb6\xc3\xbcx`; a text of up to 6 bytes is allowed\n"
     "f:3:7: `gold` is `maybe`; true or false is allowed\n"},
    {"card,credit,at\n7,1,noon\n",
     "f:2:5: `at` is `noon`; s since 1970, or a time as 2026-01-31T12:00:00Z is allowed\n"},
    {"card,credit\n7,\"1\"0\n8,2\n",
     "f:2:6: text behind a closing quote; a comma or the end of the line is allowed there, and a "
     "quote inside quotes stands twice\n1767225600|8|200||255\n"},
    {"card,credit\n7,\"1\n8,2\n", "f:2:3: the quote that begins here is not closed\n"},
    {"card,colour\n7,red\n",
     "f:1:1: no column `credit`, which stream `limit` needs; the first line names the columns\n"},
    {"card,credit,card\n", "f:1:13: two columns `card`; keep one\n"},
    {"at,card,credit,at\n", "f:1:16: two columns `at`; keep one\n"},
    {"card,\"credit\n", "f:1:6: the quote that begins here is not closed\n"},
    {"\n  7,1\n",
     "f:2:3: no column `card`, which stream `limit` needs; the first line names the columns\n"},
};

static void events_are_read_and_what_is_none_is_named_by_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char read[2048];
        file_read(rows[i].text, read, sizeof(read));
        if (strcmp(read, rows[i].read) != 0) {
            fail_msg("row %zu: read\n%sexpected\n%s", i, read, rows[i].read);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_read_and_what_is_none_is_named_by_its_place),
    };
    return cmocka_run_group_tests(tests, definitions_load, definitions_free);
}
