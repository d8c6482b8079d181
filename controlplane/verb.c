#include "controlplane/verb.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dataplane/feature/text_time.h"

static void usage_print(const struct verb_usage *usage)
{
    printf("usage: freshet %s%s%s%s\n\n%s", usage->name, usage->arguments[0] == '\0' ? "" : " ",
           usage->arguments, usage->option_count == 0 ? "" : " [OPTION...]", usage->description);
    printf("\noptions:\n");
    for (uint32_t i = 0; i < usage->option_count; i++) {
        const struct verb_option *option = &usage->option[i];
        char left[64];
        (void)snprintf(left, sizeof(left), "--%s%s%s", option->name,
                       option->value == NULL ? "" : " ",
                       option->value == NULL ? "" : option->value);
        printf("  %-26s %s\n", left, option->sentence);
    }
    printf("  %-26s %s\n", "--help", "this text");
}

int verb_usage_error(const struct verb_usage *usage, const char *format, ...)
{
    va_list arguments;
    (void)fprintf(stderr, "freshet %s: ", usage->name);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "; see freshet %s --help\n", usage->name);
    return VERB_EXIT_USAGE;
}

/* name is not NUL-terminated. */
static const struct verb_option *option_find(const struct verb_usage *usage, const char *name,
                                             size_t size)
{
    for (uint32_t i = 0; i < usage->option_count; i++) {
        const struct verb_option *option = &usage->option[i];
        if (strlen(option->name) == size && memcmp(option->name, name, size) == 0) {
            return option;
        }
    }
    return NULL;
}

static bool option_store(const struct verb_option *option, const char *value)
{
    char *end = NULL;
    errno = 0;
    if (option->kind == VERB_OPTION_TEXT) {
        *(const char **)option->out = value;
        return true;
    }
    if (option->kind == VERB_OPTION_LIST) {
        struct verb_list *list = option->out;
        if (list->count == VERB_LIST_MAX) {
            return false;
        }
        list->value[list->count++] = value;
        return true;
    }
    if (option->kind == VERB_OPTION_NUMBER) {
        unsigned long long number = strtoull(value, &end, 10);
        *(uint64_t *)option->out = number;
        return isdigit((unsigned char)value[0]) != 0 && *end == '\0' && errno == 0;
    }
    double seconds = strtod(value, &end);
    *(double *)option->out = seconds;
    return end != value && *end == '\0' && isfinite(seconds) && seconds > 0;
}

static const char *option_wants(const struct verb_option *option)
{
    switch (option->kind) {
    case VERB_OPTION_NUMBER:
        return "a whole number";
    case VERB_OPTION_SECONDS:
        return "a number above 0";
    case VERB_OPTION_TEXT:
        return "a value";
    case VERB_OPTION_LIST:
        return "a value, at most 256 times";
    case VERB_OPTION_FLAG:
        break;
    }
    return "no value";
}

/* One argument that starts with "--". next is the argument behind it or NULL; *out_used says
 * whether it was taken as the value. Returns VERB_EXIT_OK or VERB_EXIT_USAGE. */
static int option_parse(const struct verb_usage *usage, const char *argument, const char *next,
                        bool *out_used)
{
    const char *name = argument + 2;
    const char *equals = strchr(name, '=');
    size_t size = equals == NULL ? strlen(name) : (size_t)(equals - name);
    const struct verb_option *option = option_find(usage, name, size);
    *out_used = false;
    if (option == NULL) {
        return verb_usage_error(usage, "no option --%.*s", (int)size, name);
    }
    if (option->kind == VERB_OPTION_FLAG) {
        if (equals != NULL) {
            return verb_usage_error(usage, "--%s takes no value", option->name);
        }
        *(bool *)option->out = true;
        return VERB_EXIT_OK;
    }
    const char *value = equals == NULL ? next : equals + 1;
    if (value == NULL) {
        return verb_usage_error(usage, "--%s takes %s", option->name, option_wants(option));
    }
    *out_used = equals == NULL;
    if (!option_store(option, value)) {
        return verb_usage_error(usage, "--%s takes %s, not \"%s\"", option->name,
                                option_wants(option), value);
    }
    return VERB_EXIT_OK;
}

bool verb_parse(const struct verb_usage *usage, int *argc, char **argv, int *out_exit)
{
    int kept = 1;
    bool options_over = false;
    for (int i = 1; i < *argc; i++) {
        char *argument = argv[i];
        if (options_over || argument[0] != '-' || argument[1] == '\0') {
            argv[kept++] = argument;
        } else if (strcmp(argument, "--") == 0) {
            options_over = true;
        } else if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            usage_print(usage);
            *out_exit = VERB_EXIT_OK;
            return false;
        } else if (argument[1] != '-') {
            *out_exit = verb_usage_error(usage, "no option %s", argument);
            return false;
        } else {
            bool used = false;
            *out_exit = option_parse(usage, argument, i + 1 < *argc ? argv[i + 1] : NULL, &used);
            if (*out_exit != VERB_EXIT_OK) {
                return false;
            }
            i += used ? 1 : 0;
        }
    }
    *argc = kept;
    argv[kept] = NULL;
    uint32_t count = (uint32_t)kept - 1;
    if (count < usage->argument_min) {
        *out_exit = verb_usage_error(
            usage, "%s is missing", usage->arguments[0] == '\0' ? "an argument" : usage->arguments);
        return false;
    }
    if (count > usage->argument_max) {
        *out_exit = verb_usage_error(usage, "\"%s\" is one argument too many",
                                     argv[usage->argument_max + 1]);
        return false;
    }
    return true;
}

bool verb_time_read(const char *text, int64_t *out_us)
{
    char *end;
    struct text_time time;
    errno = 0;
    *out_us = strtoll(text, &end, 10);
    if (*text != '\0' && *end == '\0' && errno == 0) {
        return true;
    }
    return text_time_read_rfc3339(text, (uint32_t)strlen(text), &time) &&
           text_time_to_unit(time, TIME_UNIT_us, out_us);
}

bool verb_is_same_file(const char *a, const char *b)
{
    struct stat status_a;
    struct stat status_b;
    return stat(a, &status_a) == 0 && stat(b, &status_b) == 0 &&
           status_a.st_dev == status_b.st_dev && status_a.st_ino == status_b.st_ino;
}
