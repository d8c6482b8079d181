#include "tests/support/unit.h"

#include <stdio.h>

#include "config/config.h"
#include "controlplane/appliance.h"
#include "controlplane/command.h"
#include "dataplane/base/units.h"
#include "tests/support/fake_reader.h"

static const char definition[] = "appliance:\n"
                                 "  state: {memory: 64MiB}\n"
                                 "streams:\n"
                                 "  pay:\n"
                                 "    id: 1\n"
                                 "    version: 1\n"
                                 "    time: ts\n"
                                 "    fields:\n"
                                 "      ts: {type: timestamp}\n"
                                 "      card: {type: u64}\n"
                                 "      shop: {type: string, size: 8}\n"
                                 "      amount: {type: decimal, scale: 2}\n"
                                 "views:\n"
                                 "  spend:\n"
                                 "    version: 1\n"
                                 "    entity: card\n"
                                 "    source: pay\n"
                                 "    windows: [10m, 1h]\n"
                                 "    aggregates: {n: count(), total: sum(amount)}\n"
                                 "  habit:\n"
                                 "    version: 1\n"
                                 "    entity: card\n"
                                 "    source: pay\n"
                                 "    windows: [1d]\n"
                                 "    aggregates: {n: count()}\n"
                                 "  sales:\n"
                                 "    version: 1\n"
                                 "    entity: shop\n"
                                 "    source: pay\n"
                                 "    windows: [1d]\n"
                                 "    aggregates: {n: count()}\n"
                                 "  drawer:\n"
                                 "    entity: till\n"
                                 "    key: card\n"
                                 "    source: pay\n"
                                 "    windows: [1d]\n"
                                 "    aggregates: {n: count()}\n"
                                 "services:\n"
                                 "  fraud:\n"
                                 "    version: 3\n"
                                 "    request:\n"
                                 "      amount: {type: decimal, scale: 2, min: 0}\n"
                                 "      note: {type: string, size: 8, optional: true}\n"
                                 "    features:\n"
                                 "      - {name: over, value: request.amount - spend.total_1h}\n"
                                 "      - sales.n_1d\n"
                                 "      - {feature: spend.total_1h, default: -1.5}\n"
                                 "      - {name: tag, value: request.note || '!', default: none}\n"
                                 "  fresh:\n"
                                 "    features:\n"
                                 "      - {feature: spend.n_1h, max_age: 1ms}\n"
                                 "      - {feature: habit.n_1d, max_age: 36500d}\n"
                                 "  wide:\n"
                                 "    features:\n"
                                 "      - {name: a0, value: drawer.n_1d + 0}\n"
                                 "      - {name: a1, value: drawer.n_1d + 1}\n"
                                 "      - {name: a2, value: drawer.n_1d + 2}\n"
                                 "      - {name: a3, value: drawer.n_1d + 3}\n"
                                 "      - {name: a4, value: drawer.n_1d + 4}\n"
                                 "      - {name: a5, value: drawer.n_1d + 5}\n"
                                 "      - {name: a6, value: drawer.n_1d + 6}\n"
                                 "      - {name: a7, value: drawer.n_1d + 7}\n"
                                 "      - {name: a8, value: drawer.n_1d + 8}\n"
                                 "      - {name: a9, value: drawer.n_1d + 9}\n"
                                 "      - {name: a10, value: drawer.n_1d + 10}\n"
                                 "      - {name: a11, value: drawer.n_1d + 11}\n"
                                 "      - {name: a12, value: drawer.n_1d + 12}\n"
                                 "      - {name: a13, value: drawer.n_1d + 13}\n"
                                 "      - {name: a14, value: drawer.n_1d + 14}\n"
                                 "      - {name: a15, value: drawer.n_1d + 15}\n"
                                 "      - {name: a16, value: drawer.n_1d + 16}\n"
                                 "      - {name: a17, value: drawer.n_1d + 17}\n"
                                 "      - {name: a18, value: drawer.n_1d + 18}\n"
                                 "      - {name: a19, value: drawer.n_1d + 19}\n"
                                 "      - {name: a20, value: drawer.n_1d + 20}\n"
                                 "      - {name: a21, value: drawer.n_1d + 21}\n";

static struct config *config;
static struct appliance *appliance;
static struct fake_reader fake;
static struct command_host host;
static struct session session;
static struct buffer out;

static int set_up(void **state)
{
    (void)state;
    config = calloc(1, sizeof(*config));
    appliance = calloc(1, sizeof(*appliance));
    if (config_load_text("test", definition, sizeof(definition) - 1, config) != RESULT_OK) {
        (void)fprintf(stderr, "%u: %s\n", config->error[0].line, config->error[0].text);
        return 1;
    }
    appliance->config = config;
    appliance->plan = &config->plan;
    appliance->shard_count = 0;
    memcpy(appliance->run_id, "0123456789012345678901234567890123456789", 41);
    clock_open_virtual(&appliance->clock, 1234567890123456);
    fake.online = true;
    buffer_init(&out, 0);
    session_init(&session, 42, 0);
    session_admit(&session, USER_ROLE_OPERATE, -1);
    return command_host_init(&host, appliance, NULL, fake_reader_of(&fake)) == RESULT_OK ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    command_host_deinit(&host);
    buffer_deinit(&out);
    free(appliance);
    free(config);
    return 0;
}

/* Runs a request of words split at spaces; returns the reply with \r\n as '|', NUL-terminated. */
static const char *run_in(uint8_t protocol, const char *text)
{
    static char reply[65536];
    static char words[65536];
    static struct resp_argument argument[RESP_ARGUMENTS_MAX];
    uint32_t count = 0;
    (void)snprintf(words, sizeof(words), "%s", text);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
        argument[count++] = (struct resp_argument){.data = word, .size = (uint32_t)strlen(word)};
    }
    out.size = 0;
    session.protocol = protocol;
    struct resp_writer writer = {.out = &out, .protocol = protocol};
    (void)command_run(&host, &session, &writer, argument, count);
    assert_true(out.size < sizeof(reply));
    uint32_t at = 0;
    for (uint64_t i = 0; i < out.size; i++) {
        if (out.data[i] != '\r') {
            reply[at++] = out.data[i] == '\n' ? '|' : out.data[i];
        }
    }
    reply[at] = '\0';
    return reply;
}

static const struct {
    const char *request;
    const char *resp2;
    const char *resp3; /* NULL: as resp2. */
} replies[] = {
    {"HMGET card:7 spend.n_10m spend:n_1h habit__n_1d", "*3|$4|0.07|$4|1.07|$4|4.07|", NULL},
    {"HMGET card:7 habit.n_1d spend.n_1h habit.n_1d", "*3|$4|4.07|$4|1.07|$4|4.07|", NULL},
    {"hmget card:7 spend@1.n_10m", "*1|$4|0.07|", NULL},
    {"HMGET card:255 spend.n_10m", "*1|$-1|", "*1|_|"},
    {"HMGET card:254 spend.n_10m", "*1|$-1|", "*1|_|"},
    {"HMGET card:x spend.n_10m", "*1|$-1|", "*1|_|"},
    {"HMGET shop:Z sales.n_1d", "*1|$4|5.90|", NULL},
    {"HGET card:7 spend.n_1h", "$4|1.07|", NULL},
    {"HGET card:255 spend.n_1h", "$-1|", "_|"},
    {"HEXISTS card:7 spend.n_1h", ":1|", NULL},
    {"HEXISTS card:254 spend.n_1h", ":0|", NULL},
    {"HLEN card:7", ":5|", NULL},
    {"HLEN card:254", ":0|", NULL},
    {"HKEYS card:7",
     "*5|$11|spend.n_10m|$10|spend.n_1h|$15|spend.total_10m|$14|spend.total_1h|$10|habit.n_1d|",
     NULL},
    {"HGETALL shop:Z", "*2|$10|sales.n_1d|$4|5.90|", "%1|$10|sales.n_1d|$4|5.90|"},
    {"HGETALL card:255", "*0|", "%0|"},
    {"EXISTS card:7 card:255 shop:Z", ":2|", NULL},
    {"TYPE card:7", "+hash|", NULL},
    {"TYPE card:255", "+none|", NULL},
    {"TTL card:255", ":-2|", NULL},
    {"SCAN 0", "*2|$1|0|*5|$6|card:1|$6|card:2|$6|card:3|$6|card:4|$6|card:5|", NULL},
    {"SCAN 0 COUNT 2", "*2|$1|1|*1|$6|card:1|", NULL},
    {"SCAN 0 MATCH *:3", "*2|$1|0|*1|$6|card:3|", NULL},
    {"SCAN 0 TYPE string", "*2|$1|0|*0|", NULL},
    {"FS.GET card:7 FIELDS 2 spend.n_1h habit:n_1d",
     "*4|$10|spend.n_1h|$4|1.07|$10|habit:n_1d|$4|4.07|",
     "%2|$10|spend.n_1h|$4|1.07|$10|habit:n_1d|$4|4.07|"},
    {"FS.GET card:7 fields 1 spend.n_1h withmeta",
     "*2|$10|spend.n_1h|*8|$4|1.07|$7|PRESENT|$7|PARTIAL|$-1|:1005000000|:1000000000|:1005000000|"
     "$3|0:7|",
     "%1|$10|spend.n_1h|*8|$4|1.07|$7|PRESENT|$7|PARTIAL|_|:1005000000|:1000000000|:1005000000|"
     "$3|0:7|"},
    {"FS.GET card:255 FIELDS 1 spend.n_1h AT 77 WITHMETA",
     "*2|$10|spend.n_1h|*8|$-1|$9|NOT_FOUND|$0||$-1|:1005000000|$-1|:77|$3|0:0|", NULL},
    {"FS.MGET 2 card:7 shop:Z SERVICE fraud REQUEST 2 amount 10.00 note hi",
     "*1|*8|$4|over|$4|6.93|$10|sales.n_1d|$4|5.90|$14|spend.total_1h|$4|3.07|$3|tag|$3|hi!|",
     "*1|%4|$4|over|$4|6.93|$10|sales.n_1d|$4|5.90|$14|spend.total_1h|$4|3.07|$3|tag|$3|hi!|"},
    {"FS.MGET 3 card:7 shop:Z card:9 SERVICE fraud@3 REQUEST 1 amount 10",
     "*2|*8|$4|over|$4|6.93|$10|sales.n_1d|$4|5.90|$14|spend.total_1h|$4|3.07|$3|tag|$4|none|*8|$4|"
     "over|$4|6.91|$10|sales.n_1d|$4|5.90|$14|spend.total_1h|$4|3.09|$3|tag|$4|none|",
     "*2|%4|$4|over|$4|6.93|$10|sales.n_1d|$4|5.90|$14|spend.total_1h|$4|3.07|$3|tag|$4|none|%4|$4|"
     "over|$4|6.91|$10|sales.n_1d|$4|5.90|$14|spend.total_1h|$4|3.09|$3|tag|$4|none|"},
    {"FS.MGET 2 shop:Z shop:A service fraud request 2 amount 0 note x",
     "*2|*8|$4|over|$4|1.50|$10|sales.n_1d|$4|5.90|$14|spend.total_1h|$5|-1.50|$3|tag|$2|x!|*8|$4|"
     "over|$4|1.50|$10|sales.n_1d|$4|5.65|$14|spend.total_1h|$5|-1.50|$3|tag|$2|x!|",
     "*2|%4|$4|over|$4|1.50|$10|sales.n_1d|$4|5.90|$14|spend.total_1h|$5|-1.50|$3|tag|$2|x!|%4|$4|"
     "over|$4|1.50|$10|sales.n_1d|$4|5.65|$14|spend.total_1h|$5|-1.50|$3|tag|$2|x!|"},
    {"FS.GET card:7 SERVICE fraud REQUEST 1 amount 10",
     "*8|$4|over|$4|6.93|$10|sales.n_1d|$-1|$14|spend.total_1h|$4|3.07|$3|tag|$4|none|",
     "%4|$4|over|$4|6.93|$10|sales.n_1d|_|$14|spend.total_1h|$4|3.07|$3|tag|$4|none|"},
    {"FS.GET card:7 SERVICE fresh WITHMETA",
     "*4|$10|spend.n_1h|*8|$-1|$15|OUTSIDE_MAX_AGE|$7|PARTIAL|$-1|:1005000000|:1000000000|:"
     "1005000000|$3|0:7|$10|habit.n_1d|*8|$4|4.07|$7|PRESENT|",
     NULL},
    {"FS.GET shop:Z SERVICE fraud AT 77 WITHMETA REQUEST 1 amount 10",
     "*8|$4|over|*8|$5|11.50|$7|PRESENT|$0||$-1|:1005000000|$-1|:77|", NULL},
    {"FS.GET card:7 SERVICE fraud AT 77 WITHMETA REQUEST 1 amount 10",
     "*8|$4|over|*8|$4|6.93|$7|PRESENT|$7|PARTIAL|$-1|:1005000000|:1000000000|:77|$3|0:7|", NULL},
    {"FS.MGET 2 card:7 card:255 FIELDS 1 spend.n_1h LEVEL applied",
     "*2|*2|$10|spend.n_1h|$4|1.07|*2|$10|spend.n_1h|$-1|",
     "*2|%1|$10|spend.n_1h|$4|1.07|%1|$10|spend.n_1h|_|"},
    {"PING", "+PONG|", NULL},
    {"PING x", "$1|x|", NULL},
    {"ECHO x", "$1|x|", NULL},
    {"SELECT 0", "+OK|", NULL},
    {"TIME", "*2|$10|1234567890|$6|123456|", NULL},
    {"ROLE", "*3|$6|master|:0|*0|", NULL},
    {"DBSIZE", ":0|", NULL},
    {"CLIENT ID", ":42|", NULL},
    {"CLIENT GETNAME", "$-1|", "_|"},
    {"CLIENT SETINFO LIB-NAME x", "+OK|", NULL},
    {"CLIENT NO-EVICT on", "+OK|", NULL},
    {"COMMAND GETKEYS FS.MGET 2 a b FIELDS 1 c", "*2|$1|a|$1|b|", NULL},
    {"COMMAND GETKEYS EXISTS a b c", "*3|$1|a|$1|b|$1|c|", NULL},
    {"COMMAND GETKEYS HMGET a b c", "*1|$1|a|", NULL},
    {"CONFIG GET maxmemory-*", "*2|$16|maxmemory-policy|", "%1|$16|maxmemory-policy|"},
    {"CLUSTER KEYSLOT card:4711", ":", NULL},
    {"CLUSTER COUNTKEYSINSLOT 1", ":0|", NULL},
    {"SLOWLOG GET", "*0|", NULL},
    {"LATENCY LATEST", "*0|", NULL},
    {"READONLY", "+OK|", NULL},
    {"AUTH default secret", "+OK|", NULL},
    {"INFO cluster", "$30|# Cluster|cluster_enabled:1|", "=34|txt:# Cluster|cluster_enabled:1|"},

    /* Errors name the argument. */
    {"HMGET card:7 spend.n_1hh", "-ERR unknown feature 'spend.n_1hh'; did you mean 'spend.n_1h'?|",
     NULL},
    {"HMGET card:7 sales.n_1d",
     "-ERR feature 'sales.n_1d' is of entity 'shop', the key is of entity 'card'|", NULL},
    {"HMGET crd:7 spend.n_1h", "-ERR unknown entity 'crd'; did you mean 'card'?|", NULL},
    {"HMGET zebra:7 spend.n_1h", "-ERR unknown entity 'zebra'; known are: card, shop, till|", NULL},
    {"HMGET card spend.n_1h", "-ERR key 'card' is not of the form <entity>:<id>|", NULL},
    {"HMGET card:7",
     "-ERR wrong number of arguments for 'hmget' command; it takes: <entity>:<id> <feature>...|",
     NULL},
    {"HGET card:7 a b",
     "-ERR wrong number of arguments for 'hget' command; it takes: <entity>:<id> <feature>|", NULL},
    {"CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command; it takes: nothing|",
     NULL},
    {"SET a b", "-ERR read only; events arrive over UDP|", NULL},
    {"hset card:1 a b", "-ERR read only; events arrive over UDP|", NULL},
    {"XADD", "-ERR read only; events arrive over UDP|", NULL},
    {"HMGETT a b",
     "-ERR unknown command 'HMGETT', with args beginning with: 'a' 'b' ; did you mean 'HMGET'?|",
     NULL},
    {"FS.GET card:7 FIELDS 2 spend.n_1h", "-ERR FIELDS says 2, only 1 arguments follow|", NULL},
    {"FS.GET card:7 FIELDS x spend.n_1h", "-ERR FIELDS takes a count of 1 or more, not 'x'|", NULL},
    {"FS.GET card:7 FIELDS 1 spend.n_1h LEVEL durable",
     "-ERR LEVEL durable needs a store: set `data.directory`; without one only applied is "
     "allowed|",
     NULL},
    {"FS.GET card:7 FIELDS 1 spend.n_1h LEVEL best",
     "-ERR LEVEL takes applied or durable, not 'best'|", NULL},
    {"FS.GET card:7 FIELDS 1 spend.n_1h REQUEST 1 a b",
     "-ERR REQUEST belongs to SERVICE: FIELDS take no inputs|", NULL},
    {"FS.GET card:7 FIELDS 1 spend.n_1h AT noon",
     "-ERR AT takes a time in microseconds since 1970, UTC, not 'noon'|", NULL},
    {"FS.GET card:7 FIELDS 1 spend.n_1h AT 1 LATEST",
     "-ERR AT and LATEST may be given only once, and not both|", NULL},
    {"FS.GET card:7 FIELDS 1 spend.n_1h VERBOSE",
     "-ERR unknown option 'VERBOSE' of FS.GET; known are: AT, LATEST, LEVEL, WITHMETA|", NULL},
    {"FS.MGET 9 card:7 FIELDS 1 a", "-ERR numkeys says 9, only 4 arguments follow|", NULL},
    {"FS.MGET 2 card:7 shop:Z FIELDS 1 spend.n_1h",
     "-ERR key 'shop:Z' is of entity 'shop', the keys before it of 'card'|", NULL},
    {"FS.GET card:7 NOTHING fraud",
     "-ERR expected FIELDS <n> <feature>... or SERVICE <name>, not 'NOTHING'|", NULL},
    {"FS.GET card:7 FIELDS 1", "-ERR FIELDS says 1, only 0 arguments follow|", NULL},
    {"FS.GET card:7 WITHMETA SERVICE",
     "-ERR expected FIELDS <n> <feature>... or SERVICE <name>, not 'WITHMETA'|", NULL},
    {"FS.MGET 2 card:7 card:8 SERVICE", "-ERR SERVICE needs a name|", NULL},
    {"FS.GET card:7 SERVICE frod", "-ERR unknown service 'frod'; did you mean 'fraud'?|", NULL},
    {"FS.GET card:7 SERVICE zzzzzz", "-ERR unknown service 'zzzzzz'; one that is known is 'fraud'|",
     NULL},
    {"FS.GET card:7 SERVICE fraud@2", "-ERR 'fraud@2' is not there: service 'fraud' has version 3|",
     NULL},
    {"FS.GET card:7 SERVICE fraud@x", "-ERR 'fraud@x' is not there: service 'fraud' has version 3|",
     NULL},
    {"FS.GET card:7 SERVICE fraud",
     "-ERR service 'fraud' needs REQUEST amount, a decimal; it is not "
     "optional|",
     NULL},
    {"FS.GET card:7 SERVICE fraud REQUEST 2 amount 1",
     "-ERR REQUEST says 2 names with their values, "
     "only 2 arguments follow|",
     NULL},
    {"FS.GET card:7 SERVICE fraud REQUEST 1 amont 1",
     "-ERR unknown REQUEST field 'amont'; did you mean 'amount'?|", NULL},
    {"FS.GET card:7 SERVICE fraud REQUEST 1 amount 1.005",
     "-ERR REQUEST amount is '1.005', which is no decimal of scale 2|", NULL},
    {"FS.GET card:7 SERVICE fraud REQUEST 1 amount -1",
     "-ERR REQUEST amount is '-1', which its min, max or enum does not allow|", NULL},
    {"FS.GET card:7 SERVICE fraud REQUEST 2 amount 1 note ninechars",
     "-ERR REQUEST note has 9 bytes, at most 8 are allowed|", NULL},
    {"FS.GET card:7 SERVICE fraud REQUEST 2 amount 1 amount 1",
     "-ERR REQUEST amount is given twice|", NULL},
    {"FS.GET card:7 SERVICE fraud REQUEST 1 amount 1 REQUEST 1 amount 1",
     "-ERR REQUEST may be given only once|", NULL},
    {"FS.GET card:7 SERVICE fraud VERBOSE",
     "-ERR unknown option 'VERBOSE' of FS.GET; known are: AT, LATEST, LEVEL, WITHMETA, REQUEST|",
     NULL},
    {"FS.GET till:7 SERVICE fraud REQUEST 1 amount 1",
     "-ERR key 'till:7' is of entity 'till', service 'fraud' is about: card, shop|", NULL},
    {"FS.MGET 4 card:7 shop:Z card:8 shop:Y SERVICE fraud REQUEST 1 amount 1",
     "-ERR keys of 'card' and of 'shop' are given more than once; one entity may have candidates|",
     NULL},
    {"FS.DROPS AFTER 9 1", "-ERR '9' is no shard; there are 0, from 0|", NULL},
    {"SCAN x", "-ERR invalid cursor|", NULL},
    {"SCAN 0 COUNT 0", "-ERR COUNT takes a number of 1 or more, not '0'|", NULL},
    {"SCAN 0 MATCH",
     "-ERR syntax error at 'MATCH'; SCAN takes: <cursor> [MATCH <glob>] [COUNT <n>] [TYPE hash]|",
     NULL},
    {"SELECT 1", "-ERR DB index is out of range: there is only database 0|", NULL},
    {"HELLO 4", "-NOPROTO unsupported protocol version|", NULL},
    {"HELLO 2 AUTH other x", "-WRONGPASS invalid username-password pair or user is disabled.|",
     NULL},
    {"HELLO 2 BAD", "-ERR Syntax error in HELLO option 'BAD'|", NULL},
    {"CONFIG SET a b", "-ERR unknown subcommand 'SET' of CONFIG; known are: GET|", NULL},
    {"CLIENT KILL ID x", "-ERR Invalid client ID|", NULL},
};

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static void every_command_replies_in_the_form_of_its_protocol(void **state)
{
    uint32_t wrong = 0;
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(replies); i++) {
        const char *resp3 = replies[i].resp3 == NULL ? replies[i].resp2 : replies[i].resp3;
        for (uint8_t protocol = 2; protocol <= 3; protocol++) {
            const char *reply = run_in(protocol, replies[i].request);
            if (replies[i].resp3 == NULL && protocol == 3 && strstr(reply, "_|") != NULL) {
                continue; /* A null in it, compared in RESP2. */
            }
            const char *expected = protocol == 2 ? replies[i].resp2 : resp3;
            if (!starts_with(reply, expected)) {
                print_error("%s\n  %s\n  %s\n", replies[i].request, reply, expected);
                wrong++;
            }
        }
    }
    assert_int_equal(wrong, 0);
}

static void a_batch_is_one_read_and_resolves_its_fields_once(void **state)
{
    static char request[16384];
    int at = snprintf(request, sizeof(request), "FS.MGET 500");
    (void)state;
    for (uint32_t i = 0; i < 500; i++) {
        at += snprintf(request + at, sizeof(request) - (size_t)at, " card:%u", i);
    }
    (void)snprintf(request + at, sizeof(request) - (size_t)at,
                   " FIELDS 2 spend.n_10m habit.n_1d LATEST");
    fake.read_count = 0;
    fake.query_count = 0;
    const char *reply = run_in(2, request);
    assert_true(starts_with(reply, "*500|*4|$11|spend.n_10m|$4|0.00|$10|habit.n_1d|$4|4.00|"));
    assert_int_equal(fake.read_count, 1);
    assert_int_equal(fake.query_count, 1000);
    assert_int_equal(fake.time, READ_LATEST);
}

static void a_command_leaves_word_of_what_it_read(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        uint64_t views; /* Bits: spend, habit, sales, drawer. */
        uint32_t service;
    } row[] = {
        {"HMGET card:7 spend.n_10m spend.n_1h", 1, OBJECTIVE_SERVICE_NONE},
        {"HGETALL card:7", 3, OBJECTIVE_SERVICE_NONE},
        {"FS.GET shop:Z FIELDS 1 sales.n_1d", 4, OBJECTIVE_SERVICE_NONE},
        {"FS.GET card:7 SERVICE fresh", 3, 1},
        {"FS.MGET 2 card:7 shop:Z SERVICE fraud REQUEST 1 amount 10", 5, 0},
        {"HMGET card:7 nosuch.n_1h", 0, OBJECTIVE_SERVICE_NONE},
        {"PING", 0, OBJECTIVE_SERVICE_NONE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(row); i++) {
        host.read = (struct objective_read){.service = OBJECTIVE_SERVICE_NONE};
        (void)run_in(2, row[i].request);
        if (host.read.views != row[i].views || host.read.service != row[i].service) {
            fail_msg("%s: views %llu, service %u", row[i].request,
                     (unsigned long long)host.read.views, host.read.service);
        }
    }
}

static void candidates_share_one_read_of_the_others(void **state)
{
    static char request[16384];
    int at = snprintf(request, sizeof(request), "FS.MGET 501 shop:Z");
    (void)state;
    for (uint32_t i = 0; i < 500; i++) {
        at += snprintf(request + at, sizeof(request) - (size_t)at, " card:%u", i % 200);
    }
    (void)snprintf(request + at, sizeof(request) - (size_t)at, " SERVICE fraud REQUEST 1 amount 5");
    fake.read_count = 0;
    fake.query_count = 0;
    const char *reply = run_in(2, request);
    assert_true(starts_with(reply, "*500|*8|$4|over|$4|2.00|$10|sales.n_1d|$4|5.90|"));
    for (uint32_t i = 0; i < 500; i++) {
        char value[32];
        uint32_t key = i % 200;
        (void)snprintf(value, sizeof(value), "$14|spend.total_1h|$4|3.%02u|", key % 100);
        if (key >= 100) {
            (void)snprintf(value, sizeof(value), "$14|spend.total_1h|$4|4.%02u|", key % 100);
        }
        reply = strstr(reply, "$14|spend.total_1h|");
        assert_non_null(reply);
        assert_true(starts_with(reply, value));
        reply++;
    }
    assert_int_equal(fake.read_count, 1);
    assert_int_equal(fake.query_count, 501);
}

static void too_many_candidates_are_an_error_that_says_the_limit(void **state)
{
    static char request[40000];
    int at = snprintf(request, sizeof(request), "FS.MGET 3000");
    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        at += snprintf(request + at, sizeof(request) - (size_t)at, " till:1");
    }
    (void)snprintf(request + at, sizeof(request) - (size_t)at, " SERVICE wide");
    assert_string_equal(run_in(2, request),
                        "-ERR 3000 candidates times 22 features are 66000 values, at most 65536 "
                        "per request|");
}

static void too_many_values_are_an_error_that_says_the_limit(void **state)
{
    static char request[40000];
    int at = snprintf(request, sizeof(request), "FS.MGET 2000");
    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        at += snprintf(request + at, sizeof(request) - (size_t)at, " card:1");
    }
    at += snprintf(request + at, sizeof(request) - (size_t)at, " FIELDS 40");
    for (uint32_t i = 0; i < 40; i++) {
        at += snprintf(request + at, sizeof(request) - (size_t)at, " spend.n_1h");
    }
    assert_string_equal(run_in(2, request), "-ERR 2000 keys times 40 features are 80000 values, at "
                                            "most 65536 per request|");
}

static void time_to_live_is_that_of_the_newest_row(void **state)
{
    int64_t ttl_us = 0;
    char expected[64];
    (void)state;
    for (uint32_t v = 0; v < 2; v++) {
        ttl_us = config->plan.view[v].ttl_us > ttl_us ? config->plan.view[v].ttl_us : ttl_us;
    }
    int64_t left_us = FAKE_NEWEST_US + ttl_us - FAKE_Q_US;
    (void)snprintf(expected, sizeof(expected), ":%lld|", (long long)(left_us / 1000));
    assert_string_equal(run_in(2, "PTTL card:7"), expected);
    (void)snprintf(expected, sizeof(expected), ":%lld|", (long long)(left_us / 1000000));
    assert_string_equal(run_in(2, "TTL card:7"), expected);
}

static void a_session_keeps_what_it_was_told(void **state)
{
    (void)state;
    assert_string_equal(run_in(2, "CLIENT SETNAME me"), "+OK|");
    assert_string_equal(run_in(2, "CLIENT GETNAME"), "$2|me|");
    assert_true(starts_with(run_in(2, "HELLO 3 AUTH default x SETNAME you"), "%8|$6|server|"));
    assert_int_equal(session.protocol, 3);
    assert_string_equal(run_in(3, "CLIENT GETNAME"), "$3|you|");
    assert_string_equal(run_in(3, "RESET"), "+RESET|");
    assert_int_equal(session.protocol, 2);
    assert_string_equal(run_in(2, "CLIENT GETNAME"), "$-1|");
    assert_string_equal(run_in(2, "CLIENT REPLY OFF"), "");
    assert_true(session.reply_off);
    assert_string_equal(run_in(2, "CLIENT REPLY ON"), "+OK|");
    assert_string_equal(run_in(2, "QUIT"), "+OK|");
    assert_true(session.close_after_reply);
    session.close_after_reply = false;
}

static void a_cross_protocol_request_ends_the_connection(void **state)
{
    (void)state;
    assert_true(starts_with(run_in(2, "POST / HTTP/1.1"), "-ERR unknown command"));
    assert_true(session.close_after_reply);
    session.close_after_reply = false;
}

static void every_command_is_told_with_its_keys_and_meaning(void **state)
{
    char request[128];
    (void)state;
    for (uint32_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        if ((command->flags & COMMAND_FLAG_WRITE) != 0 || command->container != NULL) {
            continue;
        }
        (void)snprintf(request, sizeof(request), "COMMAND INFO %s", command->name);
        assert_true(starts_with(run_in(2, request), "*1|*10|$"));
        (void)snprintf(request, sizeof(request), "COMMAND DOCS %s", command->name);
        assert_true(starts_with(run_in(2, request), "*2|$"));
        assert_non_null(strstr(run_in(2, request), command->sentence));
        assert_true(command->sentence[0] != '\0');
    }
    assert_true(starts_with(run_in(3, "COMMAND INFO nosuch"), "*1|_|"));
    assert_true(starts_with(run_in(2, "COMMAND INFO client|id"), "*1|*10|$9|client|id|"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_replies_in_the_form_of_its_protocol),
        cmocka_unit_test(a_batch_is_one_read_and_resolves_its_fields_once),
        cmocka_unit_test(a_command_leaves_word_of_what_it_read),
        cmocka_unit_test(candidates_share_one_read_of_the_others),
        cmocka_unit_test(too_many_candidates_are_an_error_that_says_the_limit),
        cmocka_unit_test(too_many_values_are_an_error_that_says_the_limit),
        cmocka_unit_test(time_to_live_is_that_of_the_newest_row),
        cmocka_unit_test(a_session_keeps_what_it_was_told),
        cmocka_unit_test(a_cross_protocol_request_ends_the_connection),
        cmocka_unit_test(every_command_is_told_with_its_keys_and_meaning),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
