/* What the files of `freshet eval` share: features of an entity (eval_verb.c), answers of a service
 * (eval_service.c). */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controlplane/evaluation.h"
#include "controlplane/verb.h"

#define EVAL_VALUE_MAX (ANSWER_LIST_SIZE_MAX + 1)
/* Every byte of a value as \xNN, and a NUL. */
#define EVAL_SHOWN_MAX (4 * EVAL_VALUE_MAX)
#define EVAL_NAME_MAX  2048u /* A key and the name of a value. */

/* A value as it is served, and as it is shown. */
struct eval_texts {
    char value[EVAL_VALUE_MAX];
    char shown[EVAL_SHOWN_MAX];
};

struct eval_options {
    const char *events;
    struct verb_list keys;
    const char *service;
    struct verb_list request; /* NAME=VALUE */
    const char *at;
    const char *stream;
    const char *expect;
    bool json;
};

struct eval {
    const struct eval_options *options;
    const struct config *config;
    struct evaluation *evaluation;
    struct eval_texts *texts;
    const char *key; /* Whose features; of a service unused. */
    enum read_time time;
    int64_t at_us;
    uint32_t wrong;
    uint32_t compared;
    uint32_t line; /* Of the file that is read. */
    json_t *out;   /* With --json: features by name; or what differs from what was expected. */
    const struct redisReply *reply; /* Rows of the service while they are compared. */
};

/* Says why on stderr; returns VERB_EXIT_FAILED. */
int eval_failed(const char *what, const char *why);
/* Calls for each line of a file, without its end, that is not empty. Returns false when it cannot
 * be read. */
bool eval_lines_each(const char *path, void (*line)(struct eval *eval, char *text, uint32_t size),
                     struct eval *eval);
/* The value (NULL: null) with bytes that would end a line, or do worse, as \xNN; in eval->texts. */
const char *eval_value_shown(struct eval *eval, const char *value);
/* is NULL: the line is none that could be. */
void eval_difference_print(struct eval *eval, const char *name, uint32_t size, const char *is,
                           const char *expected);

/* Whether the request is one, before any event: VERB_EXIT_USAGE after saying why not. */
int eval_service_check(struct eval *eval);
/* Prints the answer, or compares it. Exit code of what went wrong besides. */
int eval_service(struct eval *eval);
