/* freshet parity: served answers held against the mirror, and features against the SQL of their
 * definitions. */
#include "controlplane/parity_verb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/definitions.h"
#include "controlplane/parity_sql.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "drivers/cpu.h"

/* Values at a time: each time reads the mirror. */
#define VALUES_MAX (1u << 19)
/* Of rows, beside the values themselves. */
#define MEMORY_BYTES (1 * GIB)

static const struct {
    const char *name;
    int (*call)(int argc, char **argv);
} parts[] = {
    {"report", parity_report_verb},
    {"explain", parity_explain_verb},
    {"--sql", parity_sql_verb},
};

int parity_verb(int argc, char **argv)
{
    const struct verb_usage usage = {
        .name = "parity",
        .arguments = "report|explain|--sql FILE...",
        .description =
            "report: computes all recorded answers of a data directory again from its mirror, and\n"
            "compares status and value of each, byte for byte.\n"
            "explain: walks through one of them, event by event.\n"
            "--sql: computes features a second time, by the SQL of their definitions.\n"
            "Each has its own --help; report and --sql take --json.\n",
        .argument_min = 1,
        .argument_max = VERB_ARGUMENTS_MAX,
    };
    int exit_code;
    for (size_t i = 0; argc > 1 && i < ARRAY_COUNT(parts); i++) {
        if (strcmp(argv[1], parts[i].name) == 0) {
            return parts[i].call(argc - 1, argv + 1);
        }
    }
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    return verb_usage_error(&usage, "no part \"%s\"; report, explain and --sql are known", argv[1]);
}

int parity_failed(const struct parity_source *source, const char *verb, enum result result)
{
    const char *why = result == RESULT_SYSTEM ? strerror(errno) : result_name(result);
    (void)fprintf(stderr, "freshet %s: %s: %s\n", verb, source->directory,
                  source->error[0] != '\0' ? source->error : why);
    return VERB_EXIT_FAILED;
}

static enum result parity_begin(struct parity_source *source)
{
    uint16_t core[CPU_COUNT_MAX];
    uint32_t cores = cpu_list(core);
    const struct parity_options options = {.plan = &source->config->plan,
                                           .directory = source->directory,
                                           .values_max = VALUES_MAX,
                                           .thread_count = cores < SHARDS_MAX ? cores : SHARDS_MAX,
                                           .memory_bytes = MEMORY_BYTES};
    return parity_open(&options, &source->parity);
}

int parity_source_open(struct parity_source *source, const char *verb, char *const *files,
                       uint32_t file_count, const char *data, bool json)
{
    *source = (struct parity_source){.directory = data};
    int exit_code = definitions_load(files, file_count, json, &source->config);
    if (exit_code != VERB_EXIT_OK) {
        return exit_code;
    }
    if (source->directory == NULL) {
        source->directory = source->config->options.data_directory;
    }
    if (source->directory[0] == '\0') {
        (void)fprintf(stderr,
                      "freshet %s: the definitions name no data.directory; --data says "
                      "which one\n",
                      verb);
        exit_code = VERB_EXIT_USAGE;
    } else {
        enum result result = served_reader_open(source->directory, &source->reader);
        if (result == RESULT_OK) {
            result = parity_begin(source);
        }
        exit_code = result == RESULT_OK ? VERB_EXIT_OK : parity_failed(source, verb, result);
    }
    if (exit_code != VERB_EXIT_OK) {
        parity_source_close(source);
    }
    return exit_code;
}

void parity_source_close(struct parity_source *source)
{
    parity_close(source->parity);
    served_reader_close(source->reader);
    definitions_free(source->config);
    *source = (struct parity_source){0};
}
