/* freshet sql: the views and services of definitions as statements for DuckDB. */
#include <stdio.h>
#include <string.h>

#include "controlplane/definitions.h"
#include "controlplane/sql_service.h"
#include "controlplane/sql_view.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/service.h"

struct sql_options {
    const char *view;
    const char *service;
    const char *at;
    bool tables;
    bool labels;
    bool json;
};

/* Which statements are written. */
struct sql_choice {
    bool tables;
    bool labels;
    bool all;
    int view; /* Below 0: none, unless all are. */
    int service;
    const int64_t *at;
};

static int failed(const char *why)
{
    (void)fprintf(stderr, "freshet sql: %s\n", why);
    return VERB_EXIT_FAILED;
}

static void view_print(const struct plan *plan, const struct sql_texts *texts, uint32_t view,
                       const struct sql_choice *choice, struct buffer *out,
                       struct sql_problem *problem)
{
    buffer_text(out, out->size == 0 ? "" : "\n");
    if (choice->labels) {
        sql_view_labels_write(plan, texts, view, out, problem);
    } else {
        sql_view_write(plan, texts, view, choice->at, out, problem);
    }
}

static void service_print(const struct plan *plan, const struct sql_texts *texts, uint32_t service,
                          const int64_t *at, struct buffer *out, struct sql_problem *problem)
{
    buffer_text(out, out->size == 0 ? "" : "\n");
    sql_service_write(plan, texts, service, at, out, problem);
}

static void tables_print(const struct plan *plan, struct buffer *out, struct sql_problem *problem)
{
    for (uint32_t s = 0; s < plan->stream_count; s++) {
        buffer_text(out, out->size == 0 ? "" : "\n");
        sql_table_write(&plan->stream[s].schema, out, problem);
    }
}

static int statements_print(const struct plan *plan, const struct sql_texts *texts,
                            const struct sql_choice *choice)
{
    struct buffer out;
    struct sql_problem problem = {.text = ""};
    buffer_init(&out, 0);
    if (choice->tables) {
        tables_print(plan, &out, &problem);
    }
    for (uint32_t v = 0; v < plan->view_count; v++) {
        if (choice->all || (int)v == choice->view) {
            view_print(plan, texts, v, choice, &out, &problem);
        }
    }
    for (uint32_t s = 0; s < plan->service_count && !choice->labels; s++) {
        if (choice->all || (int)s == choice->service) {
            service_print(plan, texts, s, choice->at, &out, &problem);
        }
    }
    bool good = !out.failed && !texts->failed;
    int exit_code = problem.text[0] != '\0' ? failed(problem.text)
                    : !good                 ? failed("the machine gave no memory")
                                            : VERB_EXIT_OK;
    if (exit_code == VERB_EXIT_OK && fwrite(out.data, 1, out.size, stdout) != out.size) {
        exit_code = failed("stdout cannot be written");
    }
    buffer_deinit(&out);
    return exit_code;
}

static int sql_run(const struct verb_usage *usage, const struct sql_options *options,
                   const struct plan *plan, const struct sql_texts *texts)
{
    int64_t at_us = 0;
    int view = -1;
    int service = -1;
    if (options->at != NULL && !verb_time_read(options->at, &at_us)) {
        return verb_usage_error(usage, VERB_TIME_WRONG, "at", options->at);
    }
    if (options->view != NULL) {
        view = plan_view_find(plan, options->view, (uint32_t)strlen(options->view), 0);
        if (view < 0) {
            return verb_usage_error(usage, "--view `%s` is no view of the definitions",
                                    options->view);
        }
    }
    if (options->service != NULL) {
        service = service_find(plan, options->service, (uint32_t)strlen(options->service));
        if (service < 0) {
            return verb_usage_error(usage, "--service `%s` is no service of the definitions",
                                    options->service);
        }
    }
    if (options->labels && (options->service != NULL || options->at != NULL)) {
        return verb_usage_error(usage, "--labels is of views, whose times are those of the labels");
    }
    const struct sql_choice choice = {
        .tables = options->tables,
        .labels = options->labels,
        .all = !options->tables && options->view == NULL && options->service == NULL,
        .view = view,
        .service = service,
        .at = options->at == NULL ? NULL : &at_us,
    };
    return statements_print(plan, texts, &choice);
}

int sql_verb(int argc, char **argv)
{
    struct sql_options options = {.view = NULL};
    const struct verb_option option[] = {
        {"view", "NAME", VERB_OPTION_TEXT, &options.view, "only this view"},
        {"service", "NAME", VERB_OPTION_TEXT, &options.service, "only this service"},
        {"at", "TIME", VERB_OPTION_TEXT, &options.at,
         "at that time; without it, the parameter $q is one"},
        {"labels", NULL, VERB_OPTION_FLAG, &options.labels,
         "views at the keys and times of a table \"#labels\" instead"},
        {"tables", NULL, VERB_OPTION_FLAG, &options.tables,
         "the tables of the streams as CREATE TABLE"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "errors of the files as JSON"},
    };
    const struct verb_usage usage = {
        .name = "sql",
        .arguments = "FILE...",
        .description =
            "Writes each view as a SELECT for DuckDB, over a table with the events of its stream:\n"
            "every feature of every key at a time. Each service as one over those: its values, "
            "for\n"
            "keys and a request that are parameters. docs/sql.md says what the tables hold.\n",
        .option = option,
        .option_count = ARRAY_COUNT(option),
        .argument_min = 1,
        .argument_max = VERB_ARGUMENTS_MAX,
    };
    int exit_code;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    struct config *config;
    struct sql_texts texts;
    sql_texts_init(&texts);
    exit_code = definitions_load_telling(&argv[1], (uint32_t)argc - 1, options.json, sql_texts_tell,
                                         &texts, &config);
    if (exit_code == VERB_EXIT_OK) {
        exit_code = sql_run(&usage, &options, &config->plan, &texts);
        definitions_free(config);
    }
    sql_texts_deinit(&texts);
    return exit_code;
}
