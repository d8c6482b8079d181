/* freshet correct: events that should have been others, or none. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/correct.h"
#include "controlplane/definitions.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "dataplane/base/utf8.h"

/* No sequence is that great: producers count from 1. */
#define NOT_GIVEN UINT64_MAX

struct correct_arguments {
    const char *action;
    const char *file;
    const char *event;
    uint64_t producer;
    uint64_t incarnation;
    uint64_t lane;
    uint64_t sequence;
    uint64_t place;
    bool values;
    const char *at;
    struct correct_order order;
};

static bool is_one(const struct correct_arguments *arguments)
{
    return strcmp(arguments->action, "list") != 0 && arguments->file == NULL;
}

/* False: what is wrong is said. */
static bool one_check(const struct verb_usage *usage, const struct correct_arguments *arguments,
                      int *out_exit)
{
    bool replaces = strcmp(arguments->action, "replace") == 0;
    if (arguments->producer == NOT_GIVEN || arguments->incarnation == NOT_GIVEN ||
        arguments->sequence == NOT_GIVEN) {
        *out_exit = verb_usage_error(
            usage, "--producer, --incarnation and --sequence are needed: who sent the event");
    } else if (arguments->incarnation > UINT32_MAX || arguments->lane > UINT16_MAX ||
               arguments->place > UINT16_MAX) {
        *out_exit = verb_usage_error(usage, "--incarnation is at most %u, --lane and --place %u",
                                     UINT32_MAX, UINT16_MAX);
    } else if (replaces != (arguments->event != NULL)) {
        *out_exit = verb_usage_error(usage, replaces ? "--event JSON is needed: what it should "
                                                       "have been"
                                                     : "--event is for replace");
    }
    return *out_exit == VERB_EXIT_OK;
}

static bool is_printable(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == '\x7f') {
            return false;
        }
    }
    return utf8_is_valid(text, (uint32_t)size);
}

static bool arguments_check(const struct verb_usage *usage, struct correct_arguments *arguments,
                            int argc, int *out_exit)
{
    const char *action = arguments->action;
    bool lists = strcmp(action, "list") == 0;
    bool known = lists || strcmp(action, "retract") == 0 || strcmp(action, "replace") == 0;
    if (arguments->order.data == NULL) {
        *out_exit = verb_usage_error(usage, "--data is needed: the data directory");
    } else if (!known && arguments->file == NULL) {
        *out_exit = verb_usage_error(usage, "%s: retract, replace and list are known", action);
    } else if (lists && !arguments->values && (argc > 2 || arguments->at != NULL)) {
        *out_exit = verb_usage_error(usage, "list takes definitions and --at with --values alone");
    } else if (lists && arguments->values && argc == 2) {
        *out_exit = verb_usage_error(usage, "--values needs definitions: whose features");
    } else if (lists && arguments->file != NULL) {
        *out_exit = verb_usage_error(usage, "list takes no --file");
    } else if (!lists && (arguments->values || arguments->at != NULL)) {
        *out_exit = verb_usage_error(usage, "--values and --at are for list");
    } else if (arguments->order.why != NULL &&
               strlen(arguments->order.why) > CORRECTION_TEXT_SIZE_MAX) {
        *out_exit = verb_usage_error(usage, "--why: at most %u bytes", CORRECTION_TEXT_SIZE_MAX);
    } else if (arguments->order.why != NULL && !is_printable(arguments->order.why)) {
        *out_exit = verb_usage_error(usage, "--why: one line of UTF-8 without control characters");
    } else if (arguments->file != NULL && known) {
        *out_exit = verb_usage_error(usage, "--file says itself what is retracted and replaced");
    } else if (is_one(arguments)) {
        (void)one_check(usage, arguments, out_exit);
    }
    return *out_exit == VERB_EXIT_OK;
}

static int items_read(const struct correct_arguments *arguments, struct correct_list *list)
{
    char error[CORRECT_ERROR_SIZE_MAX];
    if (arguments->file == NULL) {
        struct correct_item item = {
            .replaces = arguments->event != NULL,
            .producer = arguments->producer,
            .sequence = arguments->sequence,
            .incarnation = (uint32_t)arguments->incarnation,
            .lane = (uint16_t)arguments->lane,
            .place = (uint16_t)arguments->place,
            .event = arguments->event != NULL
                         ? correct_text_copy(arguments->event, strlen(arguments->event))
                         : NULL};
        bool good =
            (arguments->event == NULL) == (item.event == NULL) && correct_list_add(list, &item);
        return good ? VERB_EXIT_OK : VERB_EXIT_FAILED;
    }
    FILE *in = fopen(arguments->file, "re");
    if (in == NULL) {
        (void)fprintf(stderr, "freshet correct: cannot read %s: %m\n", arguments->file);
        return VERB_EXIT_FAILED;
    }
    enum result result = correct_list_read(in, arguments->file, list, error);
    (void)fclose(in);
    if (result != RESULT_OK) {
        (void)fprintf(stderr, "freshet correct: %s\n", error);
        return VERB_EXIT_FAILED;
    }
    return VERB_EXIT_OK;
}

/* Definitions stand behind the action; with --file all arguments are theirs. */
static int make(struct correct_arguments *arguments, int argc, char **argv)
{
    struct correct_list list = {0};
    struct config *config = NULL;
    int first = arguments->file != NULL ? 1 : 2;
    int exit_code = VERB_EXIT_OK;
    if (argc > first) {
        exit_code = definitions_load(argv + first, (uint32_t)(argc - first), arguments->order.json,
                                     &config);
    }
    exit_code = exit_code == VERB_EXIT_OK ? items_read(arguments, &list) : exit_code;
    if (exit_code == VERB_EXIT_OK) {
        arguments->order.config = config;
        exit_code = correct_run(&arguments->order, &list);
    }
    correct_list_free(&list);
    definitions_free(config);
    return exit_code;
}

static int list(const struct verb_usage *usage, const struct correct_arguments *arguments, int argc,
                char **argv)
{
    struct config *config = NULL;
    int64_t at_us;
    struct correct_listing listing = {.data = arguments->order.data, .json = arguments->order.json};
    if (arguments->at != NULL && !verb_time_read(arguments->at, &at_us)) {
        return verb_usage_error(usage, VERB_TIME_WRONG, "at", arguments->at);
    }
    listing.at_us = arguments->at == NULL ? NULL : &at_us;
    int exit_code = VERB_EXIT_OK;
    if (argc > 2) {
        exit_code = definitions_load(argv + 2, (uint32_t)(argc - 2), listing.json, &config);
    }
    if (exit_code == VERB_EXIT_OK) {
        listing.config = config;
        exit_code = correct_show(&listing);
    }
    definitions_free(config);
    return exit_code;
}

int correct_verb(int argc, char **argv)
{
    struct correct_arguments arguments = {
        .producer = NOT_GIVEN, .incarnation = NOT_GIVEN, .sequence = NOT_GIVEN};
    struct correct_order *order = &arguments.order;
    const struct verb_option option[] = {
        {"data", "DIR", VERB_OPTION_TEXT, &order->data, "the data directory; nobody runs on it"},
        {"producer", "P", VERB_OPTION_NUMBER, &arguments.producer, "who sent the event"},
        {"incarnation", "I", VERB_OPTION_NUMBER, &arguments.incarnation, "in which life"},
        {"lane", "L", VERB_OPTION_NUMBER, &arguments.lane, "on which lane; 0 without it"},
        {"sequence", "S", VERB_OPTION_NUMBER, &arguments.sequence, "in which message"},
        {"place", "N", VERB_OPTION_NUMBER, &arguments.place,
         "at which place of it, from 0; 0 without it"},
        {"event", "JSON", VERB_OPTION_TEXT, &arguments.event,
         "replace: the whole event as it should have been; without a time it keeps its own"},
        {"file", "FILE", VERB_OPTION_TEXT, &arguments.file,
         "many, from CSV or NDJSON: action, producer, incarnation, lane, sequence, place, event"},
        {"why", "TEXT", VERB_OPTION_TEXT, &order->why, "a note for those who list it"},
        {"forget-older", NULL, VERB_OPTION_FLAG, &order->forget_older,
         "also where rows lose what the mirror keeps no longer"},
        {"values", NULL, VERB_OPTION_FLAG, &arguments.values,
         "list: features of the rows concerned, before and after, where they differ"},
        {"at", "TIME", VERB_OPTION_TEXT, &arguments.at,
         "list --values: at that time; when each was noted without it"},
        {"json", NULL, VERB_OPTION_FLAG, &order->json, "JSON on stdout"},
    };
    const struct verb_usage usage = {
        .name = "correct",
        .arguments = "--data DIR retract|replace|list [FILE...]",
        .description =
            "Notes that a recorded event should not have been (retract), or should have been\n"
            "another one (replace), and lists what was noted. The mirror stays as it is; every\n"
            "replay regards it, and the next start builds the rows of these events anew from the\n"
            "records that are kept. FILE...: definitions, whose rules hold for new events.\n",
        .option = option,
        .option_count = ARRAY_COUNT(option),
        .argument_min = 0,
        .argument_max = VERB_ARGUMENTS_MAX,
    };
    int exit_code = VERB_EXIT_OK;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    arguments.action = argc > 1 ? argv[1] : "";
    if (!arguments_check(&usage, &arguments, argc, &exit_code)) {
        return exit_code;
    }
    return strcmp(arguments.action, "list") == 0 ? list(&usage, &arguments, argc, argv)
                                                 : make(&arguments, argc, argv);
}
