/* freshet verify: whether a data directory is whole. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/inspect.h"
#include "controlplane/store_check.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"

static void line_print(void *context, const struct store_line *line)
{
    (void)context;
    printf("%-8s %-28s %s\n", store_state_name(line->state), line->name, line->text);
    (void)fflush(stdout);
}

static void lsn_set(json_t *object, const char *name, uint64_t lsn)
{
    if (lsn != 0) {
        json_object_set_new(object, name, inspect_lsn_json(lsn));
    }
}

static void line_append(void *context, const struct store_line *line)
{
    json_t *list = context;
    json_t *object = json_pack("{s:s, s:s, s:s}", "file", line->name, "state",
                               store_state_name(line->state), "sentence", line->text);
    if (line->shard >= 0) {
        json_object_set_new(object, "shard", json_integer(line->shard));
    }
    lsn_set(object, "first_lsn", line->first_lsn);
    lsn_set(object, "last_lsn", line->last_lsn);
    lsn_set(object, "lost_first_lsn", line->lost_first_lsn);
    lsn_set(object, "lost_last_lsn", line->lost_last_lsn);
    json_array_append_new(list, object);
}

static void sum_print(const struct store_sum *sum)
{
    printf("\n%s:", sum->count[STORE_DAMAGED] > 0 ? "damaged" : "good");
    for (enum store_state state = 0; state < STORE_STATE_COUNT; state++) {
        if (sum->count[state] > 0) {
            printf(" %u %s,", sum->count[state], store_state_name(state));
        }
    }
    printf(" %u manifests to recover from\n", sum->manifest_count);
}

static json_t *sum_json(const struct store_sum *sum, json_t *files)
{
    json_t *counts = json_object();
    for (enum store_state state = 0; state < STORE_STATE_COUNT; state++) {
        json_object_set_new(counts, store_state_name(state), json_integer(sum->count[state]));
    }
    return json_pack("{s:b, s:i, s:o, s:O}", "ok", sum->count[STORE_DAMAGED] == 0, "manifests",
                     (int)sum->manifest_count, "counts", counts, "files", files);
}

int verify_verb(int argc, char **argv)
{
    bool json = false;
    const struct verb_option option[] = {
        {"json", NULL, VERB_OPTION_FLAG, &json, "one JSON object on stdout"},
    };
    const struct verb_usage usage = {
        .name = "verify",
        .arguments = "DIR",
        .description =
            "Checks a data directory, also beside a running appliance; reads only. Every\n"
            "manifest with its files, every segment, and the log of each shard across them.\n"
            "A line per file: good, torn (what a crash leaves at the end of a log), empty,\n"
            "unnamed, gone (vanished meanwhile), other, damaged. Exit code 1 when something\n"
            "is damaged: the line names shard and LSNs.\n",
        .option = option,
        .option_count = ARRAY_COUNT(option),
        .argument_min = 1,
        .argument_max = 1,
    };
    int exit_code;
    struct store_sum sum;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    json_t *files = json ? json_array() : NULL;
    enum result result = store_check(argv[1], json ? line_append : line_print, files, &sum);
    if (result != RESULT_OK) {
        (void)fprintf(stderr, "freshet verify: %s: %s\n", argv[1],
                      result == RESULT_SYSTEM ? strerror(errno) : result_name(result));
        json_decref(files);
        return VERB_EXIT_FAILED;
    }
    exit_code = sum.count[STORE_DAMAGED] > 0 ? VERB_EXIT_FAILED : VERB_EXIT_OK;
    if (json) {
        exit_code = inspect_object_print(sum_json(&sum, files), exit_code);
        json_decref(files);
    } else {
        sum_print(&sum);
    }
    return exit_code;
}
