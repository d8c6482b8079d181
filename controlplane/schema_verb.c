/* freshet schema export --sbe: what producers generate code from. */
#include <stdio.h>
#include <string.h>

#include "controlplane/definitions.h"
#include "controlplane/schema_export.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"

/* One document per stream, or the one asked for. False: said why. */
static bool schemas_print(const struct plan *plan, const char *stream)
{
    bool found = false;
    struct buffer text;
    buffer_init(&text, 0);
    for (uint32_t s = 0; s < plan->stream_count; s++) {
        const struct schema *schema = &plan->stream[s].schema;
        if (stream == NULL || strcmp(stream, schema->name) == 0) {
            schema_export_sbe(schema, &text);
            found = true;
        }
    }
    bool written = found && !text.failed && fwrite(text.data, 1, text.size, stdout) == text.size;
    buffer_deinit(&text);
    if (!found) {
        (void)fprintf(stderr, "freshet schema: no stream `%s`\n", stream == NULL ? "" : stream);
    }
    return written;
}

int schema_verb(int argc, char **argv)
{
    bool sbe = false;
    bool json = false;
    const char *stream = NULL;
    const struct verb_option option[] = {
        {"sbe", NULL, VERB_OPTION_FLAG, &sbe, "as SBE 1.0 message schema (XML)"},
        {"stream", "NAME", VERB_OPTION_TEXT, &stream, "only this one; else every stream"},
        {"json", NULL, VERB_OPTION_FLAG, &json, "errors of the files as JSON"},
    };
    const struct verb_usage usage = {
        "schema",
        "export --sbe FILE...",
        "Writes the schema of each stream, one document after the other; --stream picks one.\n",
        option,
        ARRAY_COUNT(option),
        2,
        VERB_ARGUMENTS_MAX};
    int exit_code = VERB_EXIT_OK;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    if (strcmp(argv[1], "export") != 0) {
        return verb_usage_error(&usage, "%s: only `export` is known", argv[1]);
    }
    if (!sbe) {
        return verb_usage_error(&usage, "export needs --sbe, the one format there is");
    }
    struct config *config = NULL;
    exit_code = definitions_load(argv + 2, (uint32_t)argc - 2, json, &config);
    if (exit_code == VERB_EXIT_OK && !schemas_print(&config->plan, stream)) {
        exit_code = VERB_EXIT_FAILED;
    }
    definitions_free(config);
    return exit_code;
}
