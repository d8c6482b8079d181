/* Verbs of the command line: their exit codes, and the one way in which they read options.
 *
 * A verb is `int <name>_verb(int argc, char **argv)`, listed in verbs.def: argv[0] is its name,
 * argv[argc] is NULL; it returns an exit code and prints results to stdout, errors to stderr.
 * Options are --name, --name VALUE or --name=VALUE, anywhere among the arguments; `--` ends
 * them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum verb_exit {
    VERB_EXIT_OK = 0,
    VERB_EXIT_FAILED = 1,
    VERB_EXIT_USAGE = 2,
    VERB_EXIT_FINDINGS = 3, /* doctor found errors. */
    VERB_EXIT_CONFIG = 78,  /* EX_CONFIG: an invalid file. */
};

enum verb_option_kind {
    VERB_OPTION_FLAG,    /* out: bool */
    VERB_OPTION_TEXT,    /* out: const char *, borrowed from argv */
    VERB_OPTION_NUMBER,  /* out: uint64_t */
    VERB_OPTION_SECONDS, /* out: double, above 0 */
    VERB_OPTION_LIST,    /* out: struct verb_list; may be given again */
};

#define VERB_LIST_MAX 256u

/* Values of an option in the order that they were given; borrowed from argv. */
struct verb_list {
    uint32_t count;
    const char *value[VERB_LIST_MAX];
};

struct verb_option {
    const char *name;  /* Without "--". */
    const char *value; /* What stands for the value in the help text; NULL for flags. */
    enum verb_option_kind kind;
    void *out;
    const char *sentence;
};

struct verb_usage {
    const char *name;        /* Of the verb. */
    const char *arguments;   /* "ENTITY:ID [FEATURE...]" */
    const char *description; /* Whole lines. */
    const struct verb_option *option;
    uint32_t option_count;
    uint32_t argument_min;
    uint32_t argument_max;
};

#define VERB_ARGUMENTS_MAX 1024

/* Reads the options into their outs and moves the other arguments to argv[1 ..], *argc counts them
 * with argv[0]. Returns true to go on. False: everything is said (help on stdout, or what is wrong
 * and what is allowed on stderr) and *out_exit is the exit code. */
bool verb_parse(const struct verb_usage *usage, int *argc, char **argv, int *out_exit);

/* Prints "freshet <verb>: ..." and how to get help to stderr; returns VERB_EXIT_USAGE. */
int verb_usage_error(const struct verb_usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether both are there and one file or folder, by whatever name or link. */
bool verb_is_same_file(const char *a, const char *b);

/* A time as options take it: microseconds since 1970, or RFC 3339. */
bool verb_time_read(const char *text, int64_t *out_us);
/* For verb_usage_error(), with the option's name and the text. */
#define VERB_TIME_WRONG "--%s `%s` is no time; microseconds since 1970, or as 2026-01-31T12:00:00Z"

#define VERB(name, arguments, sentence) int name##_verb(int argc, char **argv);
#include "controlplane/verbs.def"
#undef VERB
