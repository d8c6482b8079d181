#include "controlplane/definitions.h"
#include "controlplane/json_text.h"

#include <jansson.h>
#include <stdio.h>

#include "controlplane/pattern_sets.h"
#include "controlplane/verb.h"
#include "drivers/memory.h"

static uint32_t errors_kept(const struct config *config)
{
    return config->error_count < CONFIG_ERRORS_MAX ? config->error_count : CONFIG_ERRORS_MAX;
}

static void errors_print(const struct config *config)
{
    for (uint32_t i = 0; i < errors_kept(config); i++) {
        const struct config_error *error = &config->error[i];
        if (error->line == 0) {
            (void)fprintf(stderr, "%s: %s\n", error->file, error->text);
        } else {
            (void)fprintf(stderr, "%s:%u:%u: %s\n", error->file, error->line, error->column,
                          error->text);
        }
    }
    (void)fprintf(stderr, "%u error%s; nothing was started\n", config->error_count,
                  config->error_count == 1 ? "" : "s");
}

static void errors_print_json(const struct config *config)
{
    json_t *errors = json_array();
    for (uint32_t i = 0; i < errors_kept(config); i++) {
        const struct config_error *error = &config->error[i];
        (void)json_array_append_new(
            errors, json_pack("{s:o, s:i, s:i, s:o}", "file", json_text(error->file), "line",
                              (int)error->line, "column", (int)error->column, "text",
                              json_text(error->text)));
    }
    json_t *root =
        json_pack("{s:i, s:o}", "error_count", (int)config->error_count, "errors", errors);
    (void)json_dumpf(root, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(root);
}

int definitions_load(char *const *paths, uint32_t path_count, bool json, struct config **out_config)
{
    return definitions_load_telling(paths, path_count, json, NULL, NULL, out_config);
}

static struct config *config_alloc(void)
{
    struct config *config = heap_alloc(sizeof(*config));
    if (config == NULL) {
        (void)fprintf(stderr, "freshet: no memory for the definitions\n");
    }
    return config;
}

/* Hands on what was loaded, or says what is wrong with it. */
static int config_judge(struct config *config, enum result result, bool json,
                        struct config **out_config)
{
    if (result == RESULT_OK) {
        *out_config = config;
        return VERB_EXIT_OK;
    }
    if (json) {
        errors_print_json(config);
    } else {
        errors_print(config);
    }
    heap_free(config);
    return VERB_EXIT_CONFIG;
}

int definitions_load_telling(char *const *paths, uint32_t path_count, bool json,
                             config_expression_tell *tell, void *tell_context,
                             struct config **out_config)
{
    *out_config = NULL;
    struct config *config = config_alloc();
    if (config == NULL) {
        return VERB_EXIT_FAILED;
    }
    /* argv's strings are never written through this. */
    const char *const *names = (const char *const *)paths;
    return config_judge(
        config,
        config_load_telling(names, path_count, pattern_sets_try, tell, tell_context, config), json,
        out_config);
}

int definitions_load_keeping(char *const *paths, uint32_t path_count, bool json,
                             struct config_texts *out_texts, struct config **out_config)
{
    *out_config = NULL;
    *out_texts = (struct config_texts){0};
    struct config *config = config_alloc();
    if (config == NULL) {
        return VERB_EXIT_FAILED;
    }
    const char *const *names = (const char *const *)paths;
    enum result result =
        config_load_keeping(names, path_count, pattern_sets_try, out_texts, config);
    int exit_code = config_judge(config, result, json, out_config);
    if (exit_code == VERB_EXIT_OK) {
        config->texts = out_texts;
        config->path = names;
        config->path_count = path_count;
    }
    return exit_code;
}

void definitions_free(struct config *config)
{
    heap_free(config);
}
