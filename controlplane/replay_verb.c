/* freshet replay: the records of a data directory once more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/definitions.h"
#include "controlplane/replay_run.h"
#include "controlplane/send.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"

#define SPEED_MIN 0.001
#define SPEED_MAX 1e6

struct replay_arguments {
    const char *since;
    const char *until;
    const char *view;
    const char *speed;
    uint64_t shards;
    struct replay_order order;
};

/* "10x", "0.5x", "max". */
static bool speed_read(const char *text, double *out_speed)
{
    char *end;
    if (strcmp(text, "max") == 0) {
        *out_speed = 0;
        return true;
    }
    *out_speed = strtod(text, &end);
    return end != text && strcmp(end, "x") == 0 && *out_speed >= SPEED_MIN &&
           *out_speed <= SPEED_MAX;
}

/* What only a listener is sent, or only a directory is made of, is for nothing else. */
static bool way_check(const struct verb_usage *usage, const struct replay_arguments *arguments,
                      int *out_exit)
{
    const struct replay_order *order = &arguments->order;
    bool sends = arguments->speed != NULL || order->shift || order->all || order->acked ||
                 order->keys != NULL;
    bool makes = order->hash || arguments->view != NULL || arguments->shards != 0;
    if (order->data == NULL) {
        *out_exit = verb_usage_error(usage, "--data is needed: the data directory to read");
    } else if (order->to != NULL && (order->into != NULL || makes)) {
        *out_exit =
            verb_usage_error(usage, "--to sends events; --into, --hash, --view and --shards "
                                    "are for a new directory");
    } else if (order->to == NULL && order->into == NULL && !order->hash) {
        *out_exit = verb_usage_error(
            usage, "--into DIR, --to HOST:PORT or --hash is needed: what to make of it");
    } else if (order->to == NULL && sends) {
        *out_exit = verb_usage_error(
            usage, "--speed, --shift, --all, --acked and --keys are for --to HOST:PORT");
    } else if (order->to != NULL && !send_address_is_good(order->to)) {
        *out_exit = verb_usage_error(usage, "--to %s: HOST:PORT is wanted, a port of 1 to 65535",
                                     order->to);
    } else if (order->incarnation > UINT32_MAX) {
        *out_exit = verb_usage_error(usage, "--incarnation: at most 4294967295");
    }
    return *out_exit == VERB_EXIT_OK;
}

/* Times of records are after 1970. */
static bool time_take(const struct verb_usage *usage, const char *name, const char *text,
                      int64_t *out_us, int *out_exit)
{
    if (text == NULL || (verb_time_read(text, out_us) && *out_us > 0)) {
        return true;
    }
    *out_exit = verb_usage_error(usage, VERB_TIME_WRONG, name, text);
    return false;
}

static bool arguments_check(const struct verb_usage *usage, struct replay_arguments *arguments,
                            int *out_exit)
{
    struct replay_order *order = &arguments->order;
    if (!way_check(usage, arguments, out_exit) ||
        !time_take(usage, "since", arguments->since, &order->since_us, out_exit) ||
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
    } else if (arguments->speed != NULL && !speed_read(arguments->speed, &order->speed)) {
        *out_exit = verb_usage_error(usage,
                                     "--speed %s: max, or so many times as fast as it was, as 1x, "
                                     "10x, 0.5x",
                                     arguments->speed);
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
    struct replay_arguments arguments = {
        .order = {.speed = 1, .producer = (uint64_t)getpid(), .incarnation = (uint64_t)time(NULL)}};
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
        {"to", "HOST:PORT", VERB_OPTION_TEXT, &order->to, "send its events there as new ones"},
        {"speed", "10x|max", VERB_OPTION_TEXT, &arguments.speed,
         "times as fast as they were applied; 1x without it"},
        {"shift", NULL, VERB_OPTION_FLAG, &order->shift,
         "move event times alike, so that the newest is now when all is sent"},
        {"all", NULL, VERB_OPTION_FLAG, &order->all, "send also what was not applied"},
        {"acked", NULL, VERB_OPTION_FLAG, &order->acked,
         "send again until the appliance says that all is durable"},
        {"producer", "N", VERB_OPTION_NUMBER, &order->producer,
         "identity of the first stream's sender, the others' follow; the process id without it"},
        {"incarnation", "N", VERB_OPTION_NUMBER, &order->incarnation,
         "greater at each start of a producer; seconds since 1970 without it"},
        {"keys", "FILE", VERB_OPTION_TEXT, &order->keys,
         "key file: tag messages with the senders' keys"},
        {"json", NULL, VERB_OPTION_FLAG, &order->json, "one JSON object on stdout"},
    };
    const struct verb_usage usage = {
        .name = "replay",
        .arguments = "--data DIR --into DIR | --to HOST:PORT | --hash FILE...",
        .description =
            "Applies what a data directory recorded once more, by the verdicts that stand in the\n"
            "records, to the views of the definitions (as for freshet run), into a new data\n"
            "directory. The old one is only read, also beside a running appliance. A time is\n"
            "when a record was applied. Cut short, it is begun anew by the next try.\n"
            "With --to its events go to a listener, as new ones.\n",
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
    if (!view_take(&arguments)) {
        exit_code = VERB_EXIT_FAILED;
    } else {
        exit_code = order->to != NULL ? replay_send_run(order) : replay_into_run(order);
    }
    definitions_free(config);
    return exit_code;
}
