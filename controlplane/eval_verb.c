/* freshet eval: what definitions make of events, without a server: the unit test of a
 * definition. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/csv.h"
#include "controlplane/definitions.h"
#include "controlplane/eval_inside.h"
#include "controlplane/json_text.h"
#include "controlplane/verb.h"
#include "dataplane/base/drops.h"
#include "dataplane/feature/key.h"
#include "drivers/clock.h"
#include "drivers/memory.h"

#define LINE_BYTES_MAX 65536

int eval_failed(const char *what, const char *why)
{
    (void)fprintf(stderr, "freshet eval: %s: %s\n", what, why);
    return VERB_EXIT_FAILED;
}

/* A line of which fgets() shows no end, though the file goes on: a NUL is in it. */
static bool line_is_cut(const char *text, FILE *file)
{
    size_t size = strlen(text);
    return size < LINE_BYTES_MAX - 1 && (size == 0 || text[size - 1] != '\n') && feof(file) == 0;
}

/* Reads what is left of a line that did not fit. */
static void line_skip(struct eval *eval, FILE *file, const char *path)
{
    int c;
    do {
        c = getc(file);
    } while (c != '\n' && c != EOF);
    (void)fprintf(stderr, "freshet eval: %s:%u: longer than %d bytes\n", path, eval->line,
                  LINE_BYTES_MAX - 1);
    eval->wrong++;
}

bool eval_lines_each(const char *path, void (*line)(struct eval *eval, char *text, uint32_t size),
                     struct eval *eval)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *text = heap_alloc(LINE_BYTES_MAX);
    bool good = file != NULL && text != NULL;
    eval->line = 0;
    if (good) {
        csv_mark_take(file);
    }
    while (good && fgets(text, LINE_BYTES_MAX, file) != NULL) {
        uint32_t size = (uint32_t)strcspn(text, "\r\n");
        eval->line++;
        if (size == LINE_BYTES_MAX - 1) {
            line_skip(eval, file, path);
            continue;
        }
        if (line_is_cut(text, file)) {
            (void)fprintf(stderr, "freshet eval: %s:%u: a NUL byte, which is no text\n", path,
                          eval->line);
            eval->wrong++;
            continue;
        }
        text[size] = '\0';
        if (size > 0) {
            line(eval, text, size);
        }
    }
    good = good && ferror(file) == 0;
    if (file != NULL && file != stdin) {
        (void)fclose(file);
    }
    heap_free(text);
    return good;
}

static void event_send(struct eval *eval, char *text, uint32_t size)
{
    if (!evaluation_send(eval->evaluation, text, size)) {
        (void)fprintf(stderr,
                      "freshet eval: %s:%u: an event of %u bytes is longer than a datagram\n",
                      eval->options->events, eval->line, size);
        eval->wrong++;
    }
}

/* What was not applied is said, and is no error: a definition may mean it. */
static void drops_tell(const struct eval *eval)
{
    for (uint32_t drop = 1; drop < DROP_COUNT; drop++) {
        uint64_t count = evaluation_dropped(eval->evaluation, drop);
        if (count > 0) {
            (void)fprintf(stderr, "freshet eval: %" PRIu64 " not applied: %s (%s)\n", count,
                          drop_name((enum drop)drop), drop_sentence((enum drop)drop));
        }
    }
}

/* So is what a view could not take. Null keys are none of it: they say that the view is not meant.
 */
static void refusals_tell(const struct eval *eval)
{
    const struct plan *plan = &eval->config->plan;
    static const enum drop refusals[] = {DROP_view_memory, DROP_view_row_size};
    for (uint32_t view = 0; view < plan->view_count; view++) {
        for (uint32_t i = 0; i < ARRAY_COUNT(refusals); i++) {
            uint64_t count = evaluation_refused(eval->evaluation, view, refusals[i]);
            if (count > 0) {
                (void)fprintf(stderr,
                              "freshet eval: %" PRIu64 " refused by view `%s`: %s (%s; %s)\n",
                              count, plan->view[view].name, drop_name(refusals[i]),
                              drop_sentence(refusals[i]), drop_hint(refusals[i]));
            }
        }
    }
}

const char *eval_value_shown(struct eval *eval, const char *value)
{
    char *out = eval->texts->shown;
    size_t at = 0;
    value = value == NULL ? "null" : value;
    for (; *value != '\0'; value++) {
        bool plain = (unsigned char)*value >= ' ' && *value != 0x7f;
        at += (size_t)snprintf(out + at, 5, plain ? "%c" : "\\x%02x", *value & 0xff);
    }
    out[at] = '\0';
    return out;
}

/* NULL: null. */
static const char *value_read(struct eval *eval, uint16_t feature)
{
    struct answer answer;
    const char *id = strchr(eval->key, ':') + 1;
    if (eval->mirror != NULL) {
        answer = *eval_mirror_answer(eval, feature);
    } else {
        evaluation_read(eval->evaluation, id, (uint32_t)strlen(id), &feature, 1, eval->time,
                        eval->at_us, &answer);
    }
    if (answer.status == ANSWER_NOT_FOUND || answer.kind == VALUE_NULL) {
        return NULL;
    }
    char *out = eval->texts->value;
    uint32_t text_size;
    const char *text = answer_text(&answer, out, &text_size);
    memmove(out, text, text_size);
    out[text_size] = '\0';
    return out;
}

bool eval_view_is_of_key(const struct eval *eval, const struct plan_view *view)
{
    size_t size = strlen(view->entity);
    return strncmp(eval->key, view->entity, size) == 0 && eval->key[size] == ':';
}

static void feature_print(struct eval *eval, const struct plan_view *view,
                          const struct plan_feature *feature, const char *value)
{
    char name[NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX];
    (void)snprintf(name, sizeof(name), "%s.%s", view->name, feature->name);
    if (eval->out == NULL) {
        printf("%s %s\n", name, eval_value_shown(eval, value));
    } else {
        json_object_set_new(eval->out, name, value == NULL ? json_null() : json_text(value));
    }
}

static void features_print(struct eval *eval)
{
    const struct plan *plan = &eval->config->plan;
    for (uint16_t f = 0; f < plan->feature_count; f++) {
        const struct plan_view *view = &plan->view[plan->feature[f].view];
        if (eval_view_is_of_key(eval, view)) {
            feature_print(eval, view, &plan->feature[f], value_read(eval, f));
        }
    }
}

void eval_difference_print(struct eval *eval, const char *name, uint32_t size, const char *is,
                           const char *expected)
{
    eval->wrong++;
    if (eval->out != NULL) {
        char key[EVAL_NAME_MAX];
        (void)snprintf(key, sizeof(key), "%.*s", (int)size, name);
        json_object_set_new(eval->out, key,
                            is == NULL ? json_null()
                                       : json_pack("{s:o, s:o}", "is", json_text(is), "expected",
                                                   json_text(expected)));
    } else if (is == NULL) {
        printf("%.*s: is no %s\n", (int)size, name,
               eval->options->service != NULL ? "`name value` that the service answers with"
                                              : "`view.feature value` that the definitions have");
    } else {
        printf("%.*s: is %s, expected %s\n", (int)size, name, is, expected);
    }
}

/* `view.feature value`, as they are printed; a # begins a comment. */
static void expectation_check(struct eval *eval, char *text, uint32_t size)
{
    char *value = strchr(text, ' ');
    if (text[0] == '#') {
        return;
    }
    (void)size;
    uint32_t name_size = value == NULL ? (uint32_t)strlen(text) : (uint32_t)(value - text);
    int feature = plan_feature_find(&eval->config->plan, text, name_size);
    if (value == NULL || feature < 0) {
        eval_difference_print(eval, text, name_size, NULL, NULL);
        return;
    }
    const char *is = value_read(eval, (uint16_t)feature);
    const char *shown = eval_value_shown(eval, is);
    eval->compared++;
    if (strcmp(shown, value + 1) != 0) {
        eval_difference_print(eval, text, name_size, shown, value + 1);
    }
}

static int evaluate(struct eval *eval)
{
    char error[MIRROR_HISTORY_ERROR_SIZE_MAX];
    if (eval->options->mirror != NULL && eval_mirror_open(eval, error) != RESULT_OK) {
        return eval_failed(eval->options->mirror, error);
    }
    int sent = eval_tables_send(eval);
    if (sent != VERB_EXIT_OK) {
        return sent;
    }
    if (eval->options->events != NULL &&
        !eval_lines_each(eval->options->events, event_send, eval)) {
        return eval_failed(eval->options->events, strerror(errno));
    }
    drops_tell(eval);
    refusals_tell(eval);
    if (eval->options->service != NULL) {
        int exit_code = eval_service(eval);
        if (exit_code != VERB_EXIT_OK) {
            return exit_code;
        }
    } else if (eval->options->expect == NULL) {
        features_print(eval);
    } else if (!eval_lines_each(eval->options->expect, expectation_check, eval)) {
        return eval_failed(eval->options->expect, strerror(errno));
    }
    if (eval->options->expect != NULL && eval->compared == 0 && eval->wrong == 0) {
        return eval_failed(eval->options->expect, "expects nothing; lines as `feature value`");
    }
    return eval->wrong == 0 ? VERB_EXIT_OK : VERB_EXIT_FAILED;
}

/* The stream of events that name none: --stream, or the only one. -2: none has that name. */
static int stream_find(const struct plan *plan, const char *name)
{
    if (name == NULL) {
        return plan->stream_count == 1 ? 0 : -1;
    }
    int stream = plan_stream_find(plan, name, (uint32_t)strlen(name));
    return stream < 0 ? -2 : stream;
}

/* Whether some view is about the entity of a key, and the id is one by its type. */
static bool key_check(const struct verb_usage *usage, struct eval *eval, const char *key)
{
    const struct plan *plan = &eval->config->plan;
    eval->key = key;
    for (uint32_t v = 0; v < plan->view_count; v++) {
        const struct plan_view *view = &plan->view[v];
        uint8_t bytes[KEY_SIZE_MAX];
        if (!eval_view_is_of_key(eval, view)) {
            continue;
        }
        const char *id = key + strlen(view->entity) + 1;
        if (key_parse(plan, view, id, (uint32_t)strlen(id), bytes) == 0) {
            (void)verb_usage_error(usage, "--key: `%s` is no id of %s, by its type", id,
                                   view->entity);
            return false;
        }
        return true;
    }
    (void)verb_usage_error(usage, "--key `%s` is of no entity that a view is about, as card:4711",
                           key);
    return false;
}

/* Whether each table is of a stream. */
static bool tables_check(const struct verb_usage *usage, const struct eval *eval)
{
    for (uint32_t i = 0; i < eval->options->tables.count; i++) {
        int stream = -1;
        if (eval_table_path(eval, i, &stream) == NULL) {
            (void)verb_usage_error(usage, "--table takes STREAM=FILE, not `%s`",
                                   eval->options->tables.value[i]);
            return false;
        }
        if (stream < 0) {
            (void)verb_usage_error(usage, "--table `%s` is of no stream of the definitions",
                                   eval->options->tables.value[i]);
            return false;
        }
    }
    return true;
}

static int eval_run(const struct verb_usage *usage, const struct eval_options *options,
                    const struct config *config)
{
    struct eval eval = {.options = options, .config = config, .time = READ_LATEST};
    struct clock clock;
    clock_open(&clock);
    eval.now_us = clock_now_us(&clock);
    int stream = stream_find(&config->plan, options->stream);
    for (uint32_t i = 0; i < options->keys.count; i++) {
        if (!key_check(usage, &eval, options->keys.value[i])) {
            return VERB_EXIT_USAGE;
        }
    }
    if (!tables_check(usage, &eval)) {
        return VERB_EXIT_USAGE;
    }
    if (stream == -2) {
        return verb_usage_error(usage, "--stream `%s` is no stream of the definitions",
                                options->stream);
    }
    if (options->at != NULL) {
        eval.time = READ_AT;
        if (!verb_time_read(options->at, &eval.at_us)) {
            return verb_usage_error(usage, VERB_TIME_WRONG, "at", options->at);
        }
    }
    eval.texts = heap_alloc(sizeof(*eval.texts));
    if (eval.texts == NULL || evaluation_open(config, stream, &eval.evaluation) != RESULT_OK) {
        heap_free(eval.texts);
        return eval_failed("the worker", "the machine gave no memory");
    }
    eval.out = options->json ? json_object() : NULL;
    int exit_code = options->service == NULL ? VERB_EXIT_OK : eval_service_check(&eval);
    exit_code = exit_code == VERB_EXIT_OK ? evaluate(&eval) : exit_code;
    if (eval.out != NULL && exit_code != VERB_EXIT_USAGE) {
        (void)json_dumpf(eval.out, stdout, JSON_INDENT(2));
        printf("\n");
    }
    json_decref(eval.out);
    eval_mirror_close(&eval);
    evaluation_close(eval.evaluation);
    heap_free(eval.texts);
    return exit_code;
}

/* What options want of one another. */
static int options_check(const struct verb_usage *usage, const struct eval_options *options)
{
    if (options->events != NULL && options->expect != NULL && strcmp(options->events, "-") == 0 &&
        strcmp(options->expect, "-") == 0) {
        return verb_usage_error(usage, "--events and --expect cannot both be stdin");
    }
    bool events = options->events != NULL || options->tables.count > 0;
    if ((!events && options->mirror == NULL) || options->keys.count == 0) {
        return verb_usage_error(usage, "--events (or --mirror) and --key are needed");
    }
    if (options->mirror != NULL && (events || options->service != NULL)) {
        return verb_usage_error(usage, "--mirror stands instead of --events and --table, and "
                                       "without --service (see freshet train)");
    }
    if (options->service == NULL && (options->keys.count > 1 || options->request.count > 0)) {
        return verb_usage_error(usage, "%s needs --service",
                                options->keys.count > 1 ? "more than one --key" : "--request");
    }
    for (uint32_t i = 0; i < options->request.count; i++) {
        if (strchr(options->request.value[i], '=') == NULL) {
            return verb_usage_error(usage, "--request takes NAME=VALUE, not `%s`",
                                    options->request.value[i]);
        }
    }
    return VERB_EXIT_OK;
}

int eval_verb(int argc, char **argv)
{
    struct eval_options options = {.events = NULL};
    const struct verb_option option[] = {
        {"events", "FILE", VERB_OPTION_TEXT, &options.events,
         "one event a line, JSON or line protocol; - is stdin"},
        {"mirror", "DIR", VERB_OPTION_TEXT, &options.mirror,
         "instead of events: those that a data directory recorded"},
        {"table", "STREAM=FILE", VERB_OPTION_LIST, &options.tables,
         "a batch table, CSV, NDJSON or Parquet, before the events"},
        {"key", "ENTITY:ID", VERB_OPTION_LIST, &options.keys,
         "whose features; of a service one for each of its entities"},
        {"service", "NAME", VERB_OPTION_TEXT, &options.service, "what that service answers"},
        {"request", "NAME=VALUE", VERB_OPTION_LIST, &options.request,
         "a field of the service's request"},
        {"at", "TIME", VERB_OPTION_TEXT, &options.at,
         "at that time; without it, behind the newest event"},
        {"stream", "NAME", VERB_OPTION_TEXT, &options.stream, "of JSON events that name none"},
        {"expect", "FILE", VERB_OPTION_TEXT, &options.expect,
         "lines as are printed: compare with them, exit 1 when one differs"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json,
         "one JSON object on stdout: values as text, or what differs"},
    };
    const struct verb_usage usage = {
        .name = "eval",
        .arguments = "FILE...",
        .description =
            "Applies events to the views of definition files, in this process, and prints every\n"
            "feature of one entity as `view.feature value`: the unit test of a definition.\n"
            "With --service it prints each value of the service's answer as `name value`.\n"
            "Events that are not applied are counted by reason on stderr.\n",
        .option = option,
        .option_count = ARRAY_COUNT(option),
        .argument_min = 1,
        .argument_max = VERB_ARGUMENTS_MAX,
    };
    int exit_code;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    exit_code = options_check(&usage, &options);
    if (exit_code != VERB_EXIT_OK) {
        return exit_code;
    }
    struct config *config;
    exit_code = definitions_load(&argv[1], (uint32_t)argc - 1, options.json, &config);
    if (exit_code == VERB_EXIT_OK) {
        exit_code = eval_run(&usage, &options, config);
        definitions_free(config);
    }
    return exit_code;
}
