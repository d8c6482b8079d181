#include "perf/load/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/units.h"

enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_COUNT,
    OPTION_NUMBER,
    OPTION_SHARE,
    OPTION_WAVE,
    OPTION_SECONDS
};

struct option_row {
    const char *name;
    const char *value; /* In the help; NULL: a flag. */
    enum option_kind kind;
    uint64_t min; /* OPTION_COUNT */
    uint64_t max;
    void *out;
    const char *sentence;
};

struct option_values { /* What needs a step between the command line and struct options. */
    double rate;
    const char *wave;
    uint64_t per_message;
    uint64_t lanes;
    uint64_t readers;
    uint64_t batch;
    uint64_t features;
};

static void options_defaults(struct options *options, struct option_values *values)
{
    *options = (struct options){
        .config = "config/examples/cards.yaml",
        .keys = 100000,
        .first = 1,
        .zipf = 0.99,
        .read_rate = 1000,
        .probe_rate = 50,
        .seconds = 10,
        .lost_max = UINT64_MAX,
        .seed = 1,
    };
    *values = (struct option_values){
        .rate = 100000, .per_message = 25, .lanes = 1, .readers = 1, .batch = 1, .features = 8};
}

static void options_usage(FILE *out, const struct option_row *rows, uint32_t count)
{
    (void)fprintf(
        out, "usage: freshet-load [OPTION...]\n"
             "Drives events at a running appliance and reads features from it, both in an open\n"
             "loop: every latency starts when the thing was due, not when it was sent.\n\n");
    for (uint32_t i = 0; i < count; i++) {
        char head[64];
        (void)snprintf(head, sizeof(head), "--%s%s%s", rows[i].name,
                       rows[i].value != NULL ? " " : "",
                       rows[i].value != NULL ? rows[i].value : "");
        (void)fprintf(out, "  %-32s %s\n", head, rows[i].sentence);
    }
    (void)fprintf(
        out,
        "  %-32s this text\n\n"
        "Shares are 0..1. WAVE is FACTORx:LENGTH[/PERIOD][@START]: 10x:5s@10s is ten times\n"
        "the rate for 5 s after 10 s, 11x:100ms/200ms a square wave. Ends with what was\n"
        "sent, applied, dropped (by reason) and lost, and with the quantiles of freshness\n"
        "and reads. Exit codes: 0 ok; 1 a bound was passed, or received - applied - drops\n"
        "is not 0; 2 usage; 78 an invalid definition file.\n",
        "--help");
}

static int option_fail(const struct option_row *row, const char *text, const char *allowed)
{
    (void)fprintf(stderr, "freshet-load: --%s %s: allowed is %s\n", row->name, text, allowed);
    return -1;
}

static int option_count_set(const struct option_row *row, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || text[0] == '-' || value < row->min ||
        value > row->max) {
        char allowed[80];
        (void)snprintf(allowed, sizeof(allowed), "a whole number, %llu to %llu",
                       (unsigned long long)row->min, (unsigned long long)row->max);
        return option_fail(row, text, allowed);
    }
    *(uint64_t *)row->out = value;
    return 0;
}

static int option_set(const struct option_row *row, const char *text)
{
    char *end;
    double number;
    struct schedule wave = {0};
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)row->out = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)row->out = text;
        return 0;
    case OPTION_COUNT:
        return option_count_set(row, text);
    case OPTION_WAVE:
        if (schedule_wave_parse(&wave, text) != 0) {
            return option_fail(row, text, "FACTORx:LENGTH[/PERIOD][@START], as 10x:5s@10s");
        }
        *(const char **)row->out = text;
        return 0;
    case OPTION_SECONDS:
        if (schedule_length_parse(text, &number) != strlen(text) || number <= 0) {
            return option_fail(row, text, "a length of time above 0, as 20, 20s or 500ms");
        }
        *(double *)row->out = number / 1e9;
        return 0;
    case OPTION_NUMBER:
    case OPTION_SHARE:
        number = strtod(text, &end);
        if (end == text || *end != '\0' || !isfinite(number) || number < 0 ||
            (row->kind == OPTION_SHARE && number > 1)) {
            return option_fail(row, text,
                               row->kind == OPTION_SHARE ? "a share, 0 to 1" : "a number from 0");
        }
        *(double *)row->out = number;
        return 0;
    }
    return -1;
}

/* Reads argv by rows. Returns 1 to go on, 0 after --help, -1 on a mistake. */
static int options_read(int argc, char **argv, const struct option_row *rows, uint32_t count)
{
    for (int i = 1; i < argc; i++) {
        const char *name = strncmp(argv[i], "--", 2) == 0 ? argv[i] + 2 : "";
        if (strcmp(name, "help") == 0) {
            options_usage(stdout, rows, count);
            return 0;
        }
        size_t size = strcspn(name, "=");
        const struct option_row *row = NULL;
        for (uint32_t r = 0; r < count && size > 0; r++) {
            if (strlen(rows[r].name) == size && strncmp(rows[r].name, name, size) == 0) {
                row = &rows[r];
            }
        }
        if (row == NULL) {
            (void)fprintf(stderr,
                          "freshet-load: no option \"%s\"; freshet-load --help lists them\n",
                          argv[i]);
            return -1;
        }
        const char *value = name[size] == '=' ? name + size + 1 : NULL;
        if (row->kind == OPTION_FLAG && value != NULL) {
            return option_fail(row, value, "no value");
        }
        if (row->kind != OPTION_FLAG && value == NULL) {
            if (i + 1 == argc) {
                return option_fail(row, "(nothing)", row->value);
            }
            value = argv[++i];
        }
        if (option_set(row, value) != 0) {
            return -1;
        }
    }
    return 1;
}

bool options_parse(int argc, char **argv, struct options *options, int *out_exit)
{
    struct option_values values;
    options_defaults(options, &values);
    const struct option_row rows[] = {
        {"config", "FILE", OPTION_TEXT, 0, 0, &options->config,
         "definitions (config/examples/cards.yaml)"},
        {"stream", "NAME", OPTION_TEXT, 0, 0, &options->stream, "stream to send (the first)"},
        {"to", "HOST:PORT", OPTION_TEXT, 0, 0, &options->to, "where events go (as FILE says)"},
        {"query", "PATH|HOST:PORT", OPTION_TEXT, 0, 0, &options->query,
         "where features are read ($FRESHET_SERVER, else as FILE says)"},
        {"rate", "EVENTS", OPTION_NUMBER, 0, 0, &values.rate, "events per second (100000)"},
        {"burst", "WAVE", OPTION_WAVE, 0, 0, &values.wave, "square wave over the rate"},
        {"keys", "N", OPTION_COUNT, 1, UINT64_C(1) << 40, &options->keys, "entities (100000)"},
        {"zipf", "EXPONENT", OPTION_NUMBER, 0, 0, &options->zipf, "skew of keys, 0 is none (0.99)"},
        {"hot", "SHARE", OPTION_SHARE, 0, 0, &options->hot, "of events to one more hot key (0)"},
        {"in-turn", NULL, OPTION_FLAG, 0, 0, &options->in_turn,
         "keys one after the other instead of drawn"},
        {"first", "KEY", OPTION_COUNT, 1, UINT64_C(1) << 40, &options->first,
         "where keys in turn begin (1)"},
        {"late", "SHARE", OPTION_SHARE, 0, 0, &options->late,
         "of events older than the stream's lateness (0)"},
        {"duplicate", "SHARE", OPTION_SHARE, 0, 0, &options->duplicate,
         "of messages sent twice (0)"},
        {"malformed", "SHARE", OPTION_SHARE, 0, 0, &options->malformed,
         "of events that break the format or a rule (0)"},
        {"bad-tags", "SHARE", OPTION_SHARE, 0, 0, &options->bad_tags,
         "of messages with a wrong tag, needs --key-file (0)"},
        {"key-file", "FILE", OPTION_TEXT, 0, 0, &options->key_file,
         "tags messages by the newest key of --producer in it"},
        {"events-per-message", "N", OPTION_COUNT, 1, 4096, &values.per_message, "(25)"},
        {"lanes", "N", OPTION_COUNT, 1, OPTIONS_LANES_MAX, &values.lanes,
         "sequences of the producer (1)"},
        {"producer", "ID", OPTION_COUNT, 1, UINT64_MAX, &options->producer,
         "producer id (made from time and process)"},
        {"readers", "N", OPTION_COUNT, 0, OPTIONS_READERS_MAX, &values.readers,
         "connections that read (1)"},
        {"read-rate", "REQUESTS", OPTION_NUMBER, 0, 0, &options->read_rate,
         "requests per second, all readers together (1000)"},
        {"batch", "N", OPTION_COUNT, 1, OPTIONS_BATCH_MAX, &values.batch,
         "entities per request: 1 is HMGET, more is FS.MGET (1)"},
        {"features", "N", OPTION_COUNT, 1, OPTIONS_FEATURES_MAX, &values.features,
         "features per entity (8)"},
        {"probe-rate", "PROBES", OPTION_NUMBER, 0, 0, &options->probe_rate,
         "freshness probes per second, 0 is none (50)"},
        {"seconds", "LENGTH", OPTION_SECONDS, 0, 0, &options->seconds, "how long (10)"},
        {"max-p99", "US", OPTION_NUMBER, 0, 0, &options->read_p99_max_us,
         "fail when read p99 is above"},
        {"max-freshness-p99", "US", OPTION_NUMBER, 0, 0, &options->freshness_p99_max_us,
         "fail when freshness p99 is above"},
        {"max-lost", "EVENTS", OPTION_COUNT, 0, UINT64_MAX - 1, &options->lost_max,
         "fail when more are lost on the way"},
        {"seed", "N", OPTION_COUNT, 0, UINT64_MAX, &options->seed, "of everything random (1)"},
        {"acked", NULL, OPTION_FLAG, 0, 0, &options->acked,
         "send again until all is durable; fail when something is lost"},
        {"live", NULL, OPTION_FLAG, 0, 0, &options->live, "a table that is renewed every second"},
        {"json", NULL, OPTION_FLAG, 0, 0, &options->json, "the end as one JSON object"},
    };
    int verdict = options_read(argc, argv, rows, ARRAY_COUNT(rows));
    if (verdict == 1 && values.rate == 0) {
        (void)fprintf(stderr, "freshet-load: --rate 0: allowed is a number above 0\n");
        verdict = -1;
    }
    if (verdict == 1 && options->key_file != NULL && (options->producer == 0 || options->acked)) {
        (void)fprintf(stderr, "freshet-load: --key-file: with --producer, and not with --acked\n");
        verdict = -1;
    }
    if (verdict == 1 && options->bad_tags > 0 && options->key_file == NULL) {
        (void)fprintf(stderr, "freshet-load: --bad-tags: with --key-file\n");
        verdict = -1;
    }
    if (verdict == 1 && options->acked &&
        (options->late > 0 || options->duplicate > 0 || options->malformed > 0)) {
        (void)fprintf(stderr, "freshet-load: --acked: not with --late, --duplicate, --malformed\n");
        verdict = -1;
    }
    if (verdict != 1) {
        *out_exit = verdict == 0 ? OPTIONS_EXIT_OK : OPTIONS_EXIT_USAGE;
        return false;
    }
    schedule_init(&options->events, values.rate);
    if (values.wave != NULL) {
        (void)schedule_wave_parse(&options->events, values.wave);
    }
    options->events_per_message = (uint32_t)values.per_message;
    options->lanes = (uint32_t)values.lanes;
    options->readers = (uint32_t)values.readers;
    options->batch = (uint32_t)values.batch;
    options->features = (uint32_t)values.features;
    return true;
}
