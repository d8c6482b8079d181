/* What the files of `freshet eval` share: features of an entity (eval_verb.c), answers of a service
 * (eval_service.c), batch tables (eval_table.c), a data directory's events (eval_mirror.c). */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controlplane/evaluation.h"
#include "controlplane/mirror_history.h"
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
    const char *mirror; /* Instead of events: a data directory. */
    struct verb_list keys;
    struct verb_list tables; /* STREAM=FILE */
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
    struct eval_mirror *mirror; /* NULL: events are evaluated. */
    struct eval_texts *texts;
    const char *key; /* Whose features; of a service unused. */
    enum read_time time;
    int64_t at_us;
    int64_t now_us; /* When it began. */
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

bool eval_view_is_of_key(const struct eval *eval, const struct plan_view *view);

/* Reads all features of the key from the mirror. On failure error says why. */
MUST_USE enum result eval_mirror_open(struct eval *eval, char error[MIRROR_HISTORY_ERROR_SIZE_MAX]);
const struct answer *eval_mirror_answer(const struct eval *eval, uint16_t feature);
void eval_mirror_close(struct eval *eval); /* Also of one that was not opened. */

/* Path of a --table; NULL where it has no `=`. *out_stream: -1, there is none of that name. */
const char *eval_table_path(const struct eval *eval, uint32_t table, int *out_stream);
/* Applies the rows of all tables; they were checked. Exit code of what went wrong. */
int eval_tables_send(struct eval *eval);
