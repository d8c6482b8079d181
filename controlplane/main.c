/* freshet VERB: finds the verb and calls it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/suggest.h"
#include "controlplane/verb.h"
#include "controlplane/version.h"
#include "dataplane/base/units.h"

struct verb {
    const char *name;
    const char *arguments;
    const char *sentence;
    int (*call)(int argc, char **argv);
};

static const struct verb verbs[] = {
#define VERB(name, arguments, sentence) {#name, arguments, sentence, name##_verb},
#include "controlplane/verbs.def"
#undef VERB
};

static const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int verb_unknown(const char *name)
{
    struct suggest suggest = suggest_begin(name, (uint32_t)strlen(name));
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        suggest_offer(&suggest, verbs[i].name);
    }
    if (suggest.best == NULL) {
        (void)fprintf(stderr, "freshet: no verb \"%s\"; see freshet --help\n", name);
    } else {
        (void)fprintf(stderr, "freshet: no verb \"%s\"; did you mean \"%s\"?\n", name,
                      suggest.best);
    }
    return VERB_EXIT_USAGE;
}

static void verbs_print(FILE *out)
{
    (void)fprintf(out, "usage: freshet VERB [ARGUMENT...] [OPTION...]\n\n"
                       "Events over UDP in, fresh windowed features out.\n\nverbs:\n");
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        (void)fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].sentence);
    }
    (void)fprintf(out, "\nfreshet VERB --help says what a verb takes.\n"
                       "exit codes: 0 ok, 1 failed, 2 usage, 3 doctor found errors, "
                       "78 an invalid file\n");
}

static void verbs_print_json(void)
{
    printf("[");
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        printf("%s{\"verb\": \"%s\", \"arguments\": \"%s\", \"sentence\": \"%s\"}",
               i == 0 ? "" : ",\n ", verbs[i].name, verbs[i].arguments, verbs[i].sentence);
    }
    printf("]\n");
}

int help_verb(int argc, char **argv)
{
    bool json = false;
    const struct verb_option option[] = {
        {"json", NULL, VERB_OPTION_FLAG, &json, "the list of verbs as JSON"},
    };
    const struct verb_usage usage = {"help",
                                     "[VERB]",
                                     "Lists the verbs, or prints the help text of one.\n",
                                     option,
                                     ARRAY_COUNT(option),
                                     0,
                                     1};
    int exit_code = VERB_EXIT_OK;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    if (argc == 2) {
        const struct verb *verb = verb_find(argv[1]);
        if (verb == NULL) {
            return verb_usage_error(&usage, "no verb \"%s\"", argv[1]);
        }
        char help[] = "--help";
        char *arguments[] = {argv[1], help, NULL};
        return verb->call(2, arguments);
    }
    if (json) {
        verbs_print_json();
    } else {
        verbs_print(stdout);
    }
    return VERB_EXIT_OK;
}

int version_verb(int argc, char **argv)
{
    bool json = false;
    const struct verb_option option[] = {
        {"json", NULL, VERB_OPTION_FLAG, &json, "as JSON"},
    };
    const struct verb_usage usage = {
        "version", "", "Prints the version.\n", option, ARRAY_COUNT(option), 0, 0};
    int exit_code = VERB_EXIT_OK;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    printf(json ? "{\"version\": \"%s\"}\n" : "freshet %s\n", FRESHET_VERSION);
    return VERB_EXIT_OK;
}

int main(int argc, char **argv)
{
    /* A reader of our output that goes away is an error of write(), not our end. */
    (void)signal(SIGPIPE, SIG_IGN);
    /* So is a file that reaches the size that ulimit allows. */
    (void)signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        verbs_print(stderr);
        return VERB_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        verbs_print(stdout);
        return VERB_EXIT_OK;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    const struct verb *verb = verb_find(name);
    if (verb == NULL) {
        return verb_unknown(name);
    }
    int exit_code = verb->call(argc - 1, argv + 1);
    if (fflush(stdout) != 0 && exit_code == VERB_EXIT_OK) {
        return VERB_EXIT_FAILED;
    }
    return exit_code;
}
