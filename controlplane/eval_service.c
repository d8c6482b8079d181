/* freshet eval --service: the request runs through the commands that serve (FS.MGET), so keys,
 * request fields, defaults, ages and values are theirs. An entity whose key is given more than once
 * has candidates: a row each, printed behind the candidate's key. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/eval_inside.h"
#include "controlplane/json_text.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define FIXED_ARGUMENTS 8u /* FS.MGET n SERVICE name AT us REQUEST n */
#define NUMBER_SIZE_MAX 24u

/* Microseconds of the request: --at, else just behind the newest event. */
static int64_t time_of(const struct eval *eval)
{
    int64_t newest_us = evaluation_newest_us(eval->evaluation);
    if (eval->options->at != NULL) {
        return eval->at_us;
    }
    return newest_us == INT64_MIN ? 0 : add_clamped(newest_us, 1);
}

/* The words of the request; names and values of its fields go to text. */
static uint32_t words_make(const struct eval *eval, const char **word, char *text,
                           char number[3][NUMBER_SIZE_MAX])
{
    const struct eval_options *options = eval->options;
    uint32_t at = 0;
    (void)snprintf(number[0], NUMBER_SIZE_MAX, "%u", options->keys.count);
    (void)snprintf(number[1], NUMBER_SIZE_MAX, "%" PRId64, time_of(eval));
    (void)snprintf(number[2], NUMBER_SIZE_MAX, "%u", options->request.count);
    word[at++] = "FS.MGET";
    word[at++] = number[0];
    for (uint32_t i = 0; i < options->keys.count; i++) {
        word[at++] = options->keys.value[i];
    }
    word[at++] = "SERVICE";
    word[at++] = options->service;
    word[at++] = "AT";
    word[at++] = number[1];
    if (options->request.count > 0) {
        word[at++] = "REQUEST";
        word[at++] = number[2];
    }
    for (uint32_t i = 0; i < options->request.count; i++) {
        size_t size = strlen(options->request.value[i]) + 1;
        memcpy(text, options->request.value[i], size);
        char *equals = strchr(text, '=');
        *equals = '\0';
        word[at++] = text;
        word[at++] = equals + 1;
        text += size;
    }
    return at;
}

/* Its rows, or NULL after saying why there are none; *out_exit is the exit code then. */
static redisReply *rows_ask(struct eval *eval, int *out_exit)
{
    const struct eval_options *options = eval->options;
    char number[3][NUMBER_SIZE_MAX];
    size_t text_size = 1;
    for (uint32_t i = 0; i < options->request.count; i++) {
        text_size += strlen(options->request.value[i]) + 1;
    }
    char *text = heap_alloc(text_size);
    const char **word = heap_alloc(
        (FIXED_ARGUMENTS + options->keys.count + 2 * options->request.count) * sizeof(*word));
    redisReply *reply = NULL;
    if (text != NULL && word != NULL) {
        uint32_t count = words_make(eval, word, text, number);
        reply = evaluation_command(eval->evaluation, word, count);
    }
    heap_free(word);
    heap_free(text);
    if (reply == NULL) {
        *out_exit = eval_failed("the service", "the machine gave no memory");
    } else if (reply->type == REDIS_REPLY_ERROR) {
        const char *space = strchr(reply->str, ' ');
        (void)fprintf(stderr, "freshet eval: %s\n", space == NULL ? reply->str : space + 1);
        freeReplyObject(reply);
        reply = NULL;
        *out_exit = VERB_EXIT_USAGE;
    }
    return reply;
}

int eval_service_check(struct eval *eval)
{
    int exit_code = VERB_EXIT_OK;
    redisReply *reply = rows_ask(eval, &exit_code);
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return exit_code;
}

static bool is_same_entity(const char *key, const char *other)
{
    size_t size = strcspn(key, ":") + 1;
    return strncmp(key, other, size) == 0;
}

static uint32_t keys_like(const struct verb_list *keys, const char *key)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < keys->count; i++) {
        count += is_same_entity(key, keys->value[i]);
    }
    return count;
}

/* The key of a row: among those of the entity that has several. */
static const char *candidate_of(const struct eval *eval, size_t row)
{
    const struct verb_list *keys = &eval->options->keys;
    size_t seen = 0;
    for (uint32_t i = 0; i < keys->count; i++) {
        if (keys_like(keys, keys->value[i]) > 1 && seen++ == row) {
            return keys->value[i];
        }
    }
    return "";
}

static const char *value_of(const redisReply *value)
{
    return value->type == REDIS_REPLY_STRING ? value->str : NULL;
}

/* "name", or "item:7 name" where there are candidates. */
static const char *row_name(const struct eval *eval, size_t row, const char *name,
                            char out[EVAL_NAME_MAX])
{
    if (eval->reply->elements == 1) {
        return name;
    }
    (void)snprintf(out, EVAL_NAME_MAX, "%s %s", candidate_of(eval, row), name);
    return out;
}

static void row_print(struct eval *eval, size_t row)
{
    const redisReply *pairs = eval->reply->element[row];
    json_t *object = eval->out;
    if (eval->out != NULL && eval->reply->elements > 1) {
        object = json_object();
        (void)json_object_set_new(eval->out, candidate_of(eval, row), object);
    }
    for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
        const char *name = pairs->element[i]->str;
        const char *value = value_of(pairs->element[i + 1]);
        char full[EVAL_NAME_MAX];
        if (object != NULL) {
            (void)json_object_set_new(object, name, value == NULL ? json_null() : json_text(value));
            continue;
        }
        printf("%s %s\n", row_name(eval, row, name, full), eval_value_shown(eval, value));
    }
}

/* The value that a line begins with the name of; moves *text behind it. */
static const redisReply *value_find(const struct eval *eval, const char **text)
{
    for (size_t row = 0; row < eval->reply->elements; row++) {
        const redisReply *pairs = eval->reply->element[row];
        for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
            char full[EVAL_NAME_MAX];
            const char *name = row_name(eval, row, pairs->element[i]->str, full);
            size_t size = strlen(name);
            if (strncmp(*text, name, size) == 0 && (*text)[size] == ' ') {
                *text += size + 1;
                return pairs->element[i + 1];
            }
        }
    }
    return NULL;
}

/* A line as they are printed; a # begins a comment. */
static void line_check(struct eval *eval, char *text, uint32_t size)
{
    const char *expected = text;
    if (text[0] == '#') {
        return;
    }
    const redisReply *reply = value_find(eval, &expected);
    if (reply == NULL) {
        bool one = eval->reply->elements == 1;
        eval_difference_print(eval, text, one ? (uint32_t)strcspn(text, " ") : size, NULL, NULL);
        return;
    }
    const char *shown = eval_value_shown(eval, value_of(reply));
    eval->compared++;
    if (strcmp(shown, expected) != 0) {
        eval_difference_print(eval, text, (uint32_t)(expected - text) - 1, shown, expected);
    }
}

int eval_service(struct eval *eval)
{
    int exit_code = VERB_EXIT_OK;
    redisReply *reply = rows_ask(eval, &exit_code);
    if (reply == NULL) {
        return exit_code;
    }
    eval->reply = reply;
    if (eval->options->expect == NULL) {
        for (size_t row = 0; row < reply->elements; row++) {
            row_print(eval, row);
        }
    } else if (!eval_lines_each(eval->options->expect, line_check, eval)) {
        exit_code = eval_failed(eval->options->expect, strerror(errno));
    }
    eval->reply = NULL;
    freeReplyObject(reply);
    return exit_code;
}
