/* freshet parity: answers of Freshet held against others' and its own record of them. */
#include <string.h>

#include "controlplane/parity_sql.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"

static const struct {
    const char *name;
    int (*call)(int argc, char **argv);
} parts[] = {
    {"--sql", parity_sql_verb},
};

int parity_verb(int argc, char **argv)
{
    const struct verb_usage usage = {
        .name = "parity",
        .arguments = "--sql FILE...",
        .description = "--sql: computes features a second time, by the SQL of their definitions.\n"
                       "Has its own --help.\n",
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
    return verb_usage_error(&usage, "no part \"%s\"; --sql is known", argv[1]);
}
