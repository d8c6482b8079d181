/* freshet quarantine: events that were set aside, read from the log. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/inspect.h"
#include "controlplane/quarantine.h"
#include "controlplane/quarantine_print.h"
#include "controlplane/verb.h"
#include "dataplane/base/drops.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/mirror_format.h"
#include "dataplane/feature/text_time.h"

#define LIMIT_DEFAULT 100u

struct quarantine_options {
    const char *stream;
    const char *field;
    const char *rule;
    const char *reason;
    const char *since;
    uint64_t limit;
    bool all;
    bool json;
};

/* "0:3:17": shard, epoch, number. */
static bool position_parse(const char *text, uint32_t *out_shard, uint64_t *out_lsn)
{
    unsigned shard;
    unsigned epoch;
    uint64_t number;
    int end = 0;
    if (sscanf(text, "%5u:%5u:%15" SCNu64 "%n", &shard, &epoch, &number, &end) != 3 ||
        text[end] != '\0' || shard >= SHARDS_MAX || epoch > UINT16_MAX ||
        number != lsn_number(number)) {
        return false;
    }
    *out_shard = shard;
    *out_lsn = lsn_of(epoch, number);
    return true;
}

/* "10m": so long ago; else microseconds, or RFC 3339. */
static bool since_parse(const char *text, int64_t *out_us)
{
    static const struct {
        const char *name;
        int64_t us;
    } unit[] = {{"s", US_PER_SECOND},
                {"m", 60 * US_PER_SECOND},
                {"h", 3600 * US_PER_SECOND},
                {"d", 86400 * US_PER_SECOND}};
    char *end;
    struct text_time time;
    struct timespec now;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool is_number = end != text && errno == 0;
    if (is_number && *end == '\0') {
        *out_us = number;
        return true;
    }
    for (size_t i = 0; is_number && number >= 0 && i < ARRAY_COUNT(unit); i++) {
        int64_t ago_us;
        if (strcmp(end, unit[i].name) == 0 &&
            !__builtin_mul_overflow((int64_t)number, unit[i].us, &ago_us)) {
            (void)clock_gettime(CLOCK_REALTIME, &now);
            *out_us = sub_clamped(now.tv_sec * US_PER_SECOND, ago_us);
            return true;
        }
    }
    return text_time_read_rfc3339(text, (uint32_t)strlen(text), &time) &&
           text_time_to_unit(time, TIME_UNIT_us, out_us);
}

/* Number of the verdict with the name, or that of the rule with it; -1. */
static int reason_find(const char *name, bool is_rule)
{
    const char *reason = is_rule ? NULL : name;
    for (uint32_t r = 0; is_rule && r < RULE_COUNT; r++) {
        if (strcmp(rule_name((enum rule)r), name) == 0) {
            reason = drop_name(rule_drop((enum rule)r));
        }
    }
    for (uint32_t v = VERDICT_applied + 1; reason != NULL && v <= UINT8_MAX; v++) {
        const char *known = verdict_name((uint8_t)v);
        if (known != NULL && strcmp(known, reason) == 0) {
            return (int)v;
        }
    }
    return -1;
}

static void rules_print(void)
{
    (void)fprintf(stderr, "rules:");
    for (uint32_t r = 0; r < RULE_COUNT; r++) {
        (void)fprintf(stderr, " %s", rule_name((enum rule)r));
    }
    (void)fprintf(stderr, "\nreasons:");
    for (uint32_t v = VERDICT_applied + 1; v <= UINT8_MAX; v++) {
        if (verdict_name((uint8_t)v) != NULL) {
            (void)fprintf(stderr, " %s", verdict_name((uint8_t)v));
        }
    }
    (void)fprintf(stderr, "\n");
}

/* False: what is wrong is said. */
static bool filter_make(const struct verb_usage *usage, const struct quarantine_options *options,
                        struct quarantine_filter *out_filter)
{
    const char *name = options->rule != NULL ? options->rule : options->reason;
    *out_filter = (struct quarantine_filter){.stream = options->stream,
                                             .field = options->field,
                                             .reason = -1,
                                             .all = options->all,
                                             .since_us = INT64_MIN,
                                             .limit = (uint32_t)options->limit};
    if (options->limit == 0 || options->limit > QUARANTINE_LIMIT_MAX) {
        (void)verb_usage_error(usage, "--limit takes a number from 1 to %u", QUARANTINE_LIMIT_MAX);
        return false;
    }
    if (options->rule != NULL && options->reason != NULL) {
        (void)verb_usage_error(usage, "--rule and --reason say the same; give one of them");
        return false;
    }
    if (name != NULL) {
        out_filter->reason = reason_find(name, options->rule != NULL);
    }
    if (name != NULL && out_filter->reason < 0) {
        (void)verb_usage_error(usage, "no %s %s", options->rule != NULL ? "rule" : "reason", name);
        rules_print();
        return false;
    }
    if (options->since != NULL && !since_parse(options->since, &out_filter->since_us)) {
        (void)verb_usage_error(usage,
                               "--since %s: 10m (so long ago; s, m, h, d), a time as "
                               "2026-01-31T12:00:00Z or microseconds since 1970 are allowed",
                               options->since);
        return false;
    }
    return true;
}

static int failed(const char *directory, enum result result)
{
    (void)fprintf(stderr, "freshet quarantine: %s: %s\n", directory,
                  result == RESULT_SYSTEM ? strerror(errno) : result_name(result));
    return VERB_EXIT_FAILED;
}

/* Shows what was read, and gives it back. */
static int events_show(const char *directory, struct quarantine *quarantine, bool json, bool one)
{
    struct event_show *show;
    enum result result = event_show_open(&show);
    if (result != RESULT_OK) {
        quarantine_free(quarantine);
        return failed(directory, result);
    }
    int exit_code = VERB_EXIT_OK;
    if (json && one) {
        exit_code =
            inspect_object_print(quarantine_event_json(show, &quarantine->event[0]), exit_code);
    } else if (json) {
        json_t *list = json_array();
        for (uint32_t i = 0; i < quarantine->count; i++) {
            json_array_append_new(list, quarantine_event_json(show, &quarantine->event[i]));
        }
        exit_code = inspect_object_print(list, exit_code);
    } else if (one) {
        quarantine_event_print(show, &quarantine->event[0]);
    } else {
        quarantine_list_print(show, quarantine);
    }
    if (quarantine->more) {
        (void)fprintf(stderr, "freshet quarantine: there are older ones; --limit shows more\n");
    }
    if (quarantine->damaged_count > 0) {
        (void)fprintf(stderr,
                      "freshet quarantine: bytes that cannot be read in %u of the segments; see "
                      "freshet verify\n",
                      quarantine->damaged_count);
    }
    event_show_close(show);
    quarantine_free(quarantine);
    return exit_code;
}

static int list_verb(const struct verb_usage *usage, const char *directory,
                     const struct quarantine_options *options)
{
    struct quarantine_filter filter;
    struct quarantine quarantine;
    if (!filter_make(usage, options, &filter)) {
        return VERB_EXIT_USAGE;
    }
    enum result result = quarantine_read(directory, &filter, &quarantine);
    return result != RESULT_OK ? failed(directory, result)
                               : events_show(directory, &quarantine, options->json, false);
}

static int show_verb(const struct verb_usage *usage, const char *directory, const char *position,
                     const struct quarantine_options *options)
{
    struct quarantine quarantine;
    uint32_t shard;
    uint64_t lsn;
    if (!position_parse(position, &shard, &lsn)) {
        return verb_usage_error(
            usage, "%s is no position; shard:epoch:number is one, as list shows it", position);
    }
    enum result result = quarantine_find(directory, shard, lsn, &quarantine);
    if (result == RESULT_NOT_FOUND) {
        (void)fprintf(stderr, "freshet quarantine: %s: the log has no event at %s\n", directory,
                      position);
        return VERB_EXIT_FAILED;
    }
    return result != RESULT_OK ? failed(directory, result)
                               : events_show(directory, &quarantine, options->json, true);
}

int quarantine_verb(int argc, char **argv)
{
    struct quarantine_options options = {.limit = LIMIT_DEFAULT};
    const struct verb_option option[] = {
        {"stream", "NAME", VERB_OPTION_TEXT, &options.stream, "list: only of this stream"},
        {"field", "NAME", VERB_OPTION_TEXT, &options.field, "list: only where its rule was broken"},
        {"rule", "NAME", VERB_OPTION_TEXT, &options.rule, "list: only this rule, as max"},
        {"reason", "NAME", VERB_OPTION_TEXT, &options.reason, "list: the same, as event_above_max"},
        {"since", "TIME", VERB_OPTION_TEXT, &options.since, "list: decided since, as 10m"},
        {"limit", "N", VERB_OPTION_NUMBER, &options.limit, "list: the newest N (100)"},
        {"all", NULL, VERB_OPTION_FLAG, &options.all, "list: every event that was not applied"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "JSON on stdout"},
    };
    const struct verb_usage usage = {
        .name = "quarantine",
        .arguments = "list DIR | show DIR POSITION",
        .description =
            "list: events that were set aside, from the log of a data directory, newest last.\n"
            "show: one of them, all fields. Reads only, also beside a running appliance.\n",
        .option = option,
        .option_count = ARRAY_COUNT(option),
        .argument_min = 2,
        .argument_max = 3,
    };
    int exit_code = VERB_EXIT_OK;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    if (strcmp(argv[1], "list") == 0 && argc == 3) {
        return list_verb(&usage, argv[2], &options);
    }
    if (strcmp(argv[1], "show") == 0 && argc == 4) {
        return show_verb(&usage, argv[2], argv[3], &options);
    }
    return verb_usage_error(&usage, "%s: list DIR and show DIR POSITION are known", argv[1]);
}
