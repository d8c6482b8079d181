/* freshet replay: the records of a data directory once more. */
#include <stdio.h>
#include <string.h>

#include "controlplane/definitions.h"
#include "controlplane/replay_run.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"

struct replay_arguments {
    const char *since;
    const char *until;
    const char *view;
    uint64_t shards;
    struct replay_order order;
};

/* Times of records are after 1970. */
static bool time_take(const struct verb_usage *usage, const char *name, const char *text,
                      int64_t *out_us, int *out_exit)
{
    if (text == NULL || (verb_time_read(text, out_us) && *out_us > 0)) {
        return true;
    }
    *out_exit = verb_usage_error(
        usage, "--%s `%s` is no time; microseconds since 1970, or as 2026-01-31T12:00:00Z", name,
        text);
    return false;
}

static bool arguments_check(const struct verb_usage *usage, struct replay_arguments *arguments,
                            int *out_exit)
{
    struct replay_order *order = &arguments->order;
    if (order->data == NULL) {
        *out_exit = verb_usage_error(usage, "--data is needed: the data directory to read");
        return false;
    }
    if (order->into == NULL && !order->hash) {
        *out_exit = verb_usage_error(usage, "--into DIR, or --hash, is needed: what to make of it");
        return false;
    }
    if (!time_take(usage, "since", arguments->since, &order->since_us, out_exit) ||
        !time_take(usage, "until", arguments->until, &order->until_us, out_exit)) {
        return false;
    }
    if (order->until_us != 0 && order->until_us <= order->since_us) {
        *out_exit =
            verb_usage_error(usage, "--until is not after --since: nothing is between them");
    } else if (arguments->view != NULL && (order->until_us == 0 || order->since_us != 0)) {
        *out_exit = verb_usage_error(usage, "--view takes that view back to --until, which is "
                                            "needed; --since is not for it");
    } else if (arguments->shards > SHARDS_MAX) {
        *out_exit = verb_usage_error(usage, "--shards: 1 to %d are allowed", SHARDS_MAX);
    }
    order->shards = (uint32_t)arguments->shards;
    return *out_exit == VERB_EXIT_OK;
}

/* Finds the view; what is wrong is said. */
static bool view_take(struct replay_arguments *arguments)
{
    const struct plan *plan = &arguments->order.config->plan;
    const char *name = arguments->view;
    arguments->order.view = -1;
    if (name == NULL) {
        return true;
    }
    arguments->order.view = plan_view_find(plan, name, (uint32_t)strlen(name), 0);
    if (arguments->order.view < 0) {
        (void)fprintf(stderr, "freshet replay: no view `%s`; the definitions have:", name);
        for (uint32_t v = 0; v < plan->view_count; v++) {
            (void)fprintf(stderr, " %s", plan->view[v].name);
        }
        (void)fprintf(stderr, "\n");
    }
    return arguments->order.view >= 0;
}

int replay_verb(int argc, char **argv)
{
    struct replay_arguments arguments = {0};
    struct replay_order *order = &arguments.order;
    const struct verb_option option[] = {
        {"data", "DIR", VERB_OPTION_TEXT, &order->data, "the data directory to read"},
        {"into", "DIR", VERB_OPTION_TEXT, &order->into, "make a new data directory of it"},
        {"since", "TIME", VERB_OPTION_TEXT, &arguments.since,
         "only what was applied since, and nothing of checkpoints"},
        {"until", "TIME", VERB_OPTION_TEXT, &arguments.until, "only what was applied before it"},
        {"view", "NAME", VERB_OPTION_TEXT, &arguments.view,
         "take only this view back to --until; the others go on to the end"},
        {"shards", "N", VERB_OPTION_NUMBER, &arguments.shards,
         "shards of the new one; as the definitions say without it"},
        {"hash", NULL, VERB_OPTION_FLAG, &order->hash,
         "print the state hash, and that of each vshard; --into is not needed then"},
        {"json", NULL, VERB_OPTION_FLAG, &order->json, "one JSON object on stdout"},
    };
    const struct verb_usage usage = {
        .name = "replay",
        .arguments = "--data DIR --into DIR FILE...",
        .description =
            "Applies what a data directory recorded once more, by the verdicts that stand in the\n"
            "records, to the views of the definitions (as for freshet run), into a new data\n"
            "directory. The old one is only read, also beside a running appliance. A time is\n"
            "when a record was applied. Cut short, it is begun anew by the next try.\n",
        .option = option,
        .option_count = ARRAY_COUNT(option),
        .argument_min = 1,
        .argument_max = VERB_ARGUMENTS_MAX,
    };
    int exit_code = VERB_EXIT_OK;
    struct config *config = NULL;
    if (!verb_parse(&usage, &argc, argv, &exit_code) ||
        !arguments_check(&usage, &arguments, &exit_code)) {
        return exit_code;
    }
    exit_code = definitions_load(argv + 1, (uint32_t)argc - 1, order->json, &config);
    if (exit_code != VERB_EXIT_OK) {
        return exit_code;
    }
    order->config = config;
    exit_code = view_take(&arguments) ? replay_into_run(order) : VERB_EXIT_FAILED;
    definitions_free(config);
    return exit_code;
}
