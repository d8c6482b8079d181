/* FS.*: features with their status and time, for one entity or many. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/appliance.h"
#include "controlplane/command.h"
#include "controlplane/feature_read.h"
#include "controlplane/report.h"

struct feature_options {
    const struct resp_argument *field;
    uint32_t field_count;
    bool with_meta;
    bool has_time; /* AT or LATEST was given. */
};

/* Reads a count at argument[at] of which that many arguments must follow. */
static bool count_read(struct command_call *call, uint32_t at, const char *what, uint32_t *out)
{
    char show[64];
    int64_t count;
    if (at >= call->count) {
        resp_write_error(call->reply, "ERR %s needs a count", what);
        return false;
    }
    const struct resp_argument *argument = &call->argument[at];
    if (!resp_integer_read(argument->data, argument->size, &count) || count < 1) {
        resp_write_error(call->reply, "ERR %s takes a count of 1 or more, not '%s'", what,
                         command_show(argument, show, sizeof(show)));
        return false;
    }
    if (count > (int64_t)(call->count - at - 1)) {
        resp_write_error(call->reply, "ERR %s says %" PRId64 ", only %u arguments follow", what,
                         count, call->count - at - 1);
        return false;
    }
    *out = (uint32_t)count;
    return true;
}

/* AT <us>. *at stands on the word and is moved behind what belongs to it. */
static bool option_at(struct command_call *call, uint32_t *at, struct read_request *request)
{
    char show[64];
    if (*at + 1 >= call->count) {
        resp_write_error(call->reply, "ERR AT needs a time in microseconds since 1970, UTC");
        return false;
    }
    const struct resp_argument *argument = &call->argument[*at + 1];
    if (!resp_integer_read(argument->data, argument->size, &request->at_us)) {
        resp_write_error(call->reply,
                         "ERR AT takes a time in microseconds since 1970, UTC, not '%s'",
                         command_show(argument, show, sizeof(show)));
        return false;
    }
    request->time = READ_AT;
    *at += 2;
    return true;
}

static bool option_level(struct command_call *call, uint32_t *at, struct read_request *request)
{
    char show[64];
    if (*at + 1 >= call->count) {
        resp_write_error(call->reply, "ERR LEVEL needs applied or durable");
        return false;
    }
    const struct resp_argument *argument = &call->argument[*at + 1];
    request->durable = resp_is(argument, "durable");
    if (request->durable && call->host->appliance->store == NULL) {
        resp_write_error(call->reply, "ERR LEVEL durable needs a store: set `data.directory`; "
                                      "without one only applied is allowed");
        return false;
    }
    if (!request->durable && !resp_is(argument, "applied")) {
        resp_write_error(call->reply, "ERR LEVEL takes applied or durable, not '%s'",
                         command_show(argument, show, sizeof(show)));
        return false;
    }
    *at += 2;
    return true;
}

static bool option_time_twice(struct command_call *call, struct feature_options *options)
{
    if (options->has_time) {
        resp_write_error(call->reply, "ERR AT and LATEST may be given only once, and not both");
        return true;
    }
    options->has_time = true;
    return false;
}

static bool option_parse(struct command_call *call, uint32_t *at, struct feature_options *options,
                         struct read_request *request)
{
    char show[64];
    const struct resp_argument *word = &call->argument[*at];
    if (resp_is(word, "WITHMETA")) {
        options->with_meta = true;
        *at += 1;
        return true;
    }
    if (resp_is(word, "LATEST")) {
        request->time = READ_LATEST;
        *at += 1;
        return !option_time_twice(call, options);
    }
    if (resp_is(word, "AT")) {
        return !option_time_twice(call, options) && option_at(call, at, request);
    }
    if (resp_is(word, "LEVEL")) {
        return option_level(call, at, request);
    }
    if (resp_is(word, "REQUEST")) {
        resp_write_error(call->reply, "ERR REQUEST is not built yet: it belongs to services, which "
                                      "this version does not know");
        return false;
    }
    resp_write_error(call->reply,
                     "ERR unknown option '%s' of %s; known are: AT, LATEST, LEVEL, WITHMETA",
                     command_show(word, show, sizeof(show)), call->command->name);
    return false;
}

/* Everything behind the keys, from argument[at]. */
static bool options_parse(struct command_call *call, uint32_t at, struct feature_options *options,
                          struct read_request *request)
{
    char show[64];
    if (at >= call->count) {
        resp_write_error(call->reply, "ERR %s needs FIELDS <n> <feature>...", call->command->name);
        return false;
    }
    if (resp_is(&call->argument[at], "SERVICE")) {
        resp_write_error(call->reply, "ERR SERVICE is not built yet: this version does not know "
                                      "services; FIELDS <n> <feature>... is allowed");
        return false;
    }
    if (!resp_is(&call->argument[at], "FIELDS")) {
        resp_write_error(call->reply, "ERR expected FIELDS <n> <feature>..., not '%s'",
                         command_show(&call->argument[at], show, sizeof(show)));
        return false;
    }
    if (!count_read(call, at + 1, "FIELDS", &options->field_count)) {
        return false;
    }
    options->field = &call->argument[at + 2];
    at += 2 + options->field_count;
    while (at < call->count) {
        if (!option_parse(call, &at, options, request)) {
            return false;
        }
    }
    return true;
}

static void write_time(struct resp_writer *reply, int64_t time_us)
{
    if (time_us == INT64_MIN) {
        resp_write_null(reply);
    } else {
        resp_write_integer(reply, time_us);
    }
}

static void write_answer(struct resp_writer *reply, const struct answer *answer, bool with_meta)
{
    char text[ANSWER_TEXT_SIZE_MAX];
    if (with_meta) {
        resp_write_array(reply, 8);
    }
    if (answer->status == ANSWER_PRESENT && answer->kind != VALUE_NULL) {
        resp_write_bulk(reply, text, answer_format(answer, text));
    } else {
        resp_write_null(reply);
    }
    if (with_meta) {
        resp_write_text(reply, answer_status_name(answer->status));
        resp_write_text(reply, answer_flags_name(answer->flags));
        write_time(reply, answer->start_us);
        write_time(reply, answer->end_us);
        write_time(reply, answer->newest_us);
        resp_write_integer(reply, answer->q_us);
        resp_write_format(reply, "%u:%" PRIu64, answer->shard, answer->lsn);
    }
}

static void write_entity(struct command_call *call, const struct read_request *request,
                         const struct feature_options *options, uint32_t key)
{
    resp_write_map(call->reply, options->field_count);
    for (uint32_t f = 0; f < options->field_count; f++) {
        resp_write_bulk(call->reply, options->field[f].data, options->field[f].size);
        write_answer(call->reply, read_answer(call, request, key, f), options->with_meta);
    }
}

/* All keys are of one entity, or the fields could not be theirs. */
static bool keys_split(struct command_call *call, const struct resp_argument *keys, uint32_t count,
                       struct read_key *out_first)
{
    if (!read_key_split(call, &keys[0], out_first)) {
        return false;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct read_key key;
        if (!read_key_split(call, &keys[i], &key)) {
            return false;
        }
        if (strcmp(key.entity, out_first->entity) != 0) {
            char show[96];
            resp_write_error(
                call->reply, "ERR key '%s' is of entity '%s', the keys before it of '%s'",
                command_show(&keys[i], show, sizeof(show)), key.entity, out_first->entity);
            return false;
        }
    }
    return true;
}

static bool features_read(struct command_call *call, uint32_t first_key, uint32_t key_count,
                          struct feature_options *options, struct read_request *request)
{
    const struct resp_argument *keys = &call->argument[first_key];
    struct read_key key;
    *options = (struct feature_options){0};
    *request = (struct read_request){.key_count = key_count, .time = READ_NOW};
    return options_parse(call, first_key + key_count, options, request) &&
           keys_split(call, keys, key_count, &key) &&
           read_fields_resolve(call, key.entity, options->field, options->field_count, request) &&
           read_answers(call, keys, request);
}

void command_fs_get(struct command_call *call)
{
    struct feature_options options;
    struct read_request request;
    if (features_read(call, 1, 1, &options, &request)) {
        write_entity(call, &request, &options, 0);
    }
}

void command_fs_mget(struct command_call *call)
{
    struct feature_options options;
    struct read_request request;
    uint32_t key_count;
    if (!count_read(call, 1, "numkeys", &key_count) ||
        !features_read(call, 2, key_count, &options, &request)) {
        return;
    }
    resp_write_array(call->reply, key_count);
    for (uint32_t k = 0; k < key_count; k++) {
        write_entity(call, &request, &options, k);
    }
}

static void write_text(struct command_call *call)
{
    struct buffer *text = &call->host->text;
    if (text->failed) {
        resp_write_error(call->reply, "ERR no memory for the report");
    } else {
        resp_write_bulk(call->reply, text->data, text->size);
    }
    buffer_deinit(text);
}

void command_fs_status(struct command_call *call)
{
    report_status(call->host->appliance, &call->host->text);
    write_text(call);
}

void command_fs_drops(struct command_call *call)
{
    uint64_t after[SHARDS_MAX] = {0};
    char show[64];
    if (call->count > 1 && (!resp_is(&call->argument[1], "AFTER") || call->count % 2 != 0)) {
        resp_write_error(call->reply, "ERR FS.DROPS takes: %s", call->command->syntax);
        return;
    }
    for (uint32_t i = 2; i + 1 < call->count; i += 2) {
        const struct resp_argument *pair = &call->argument[i];
        int64_t shard;
        int64_t number;
        if (!resp_integer_read(pair[0].data, pair[0].size, &shard) || shard < 0 ||
            shard >= (int64_t)call->host->appliance->shard_count) {
            resp_write_error(call->reply, "ERR '%s' is no shard; there are %u, from 0",
                             command_show(&pair[0], show, sizeof(show)),
                             call->host->appliance->shard_count);
            return;
        }
        if (!resp_integer_read(pair[1].data, pair[1].size, &number) || number < 0) {
            resp_write_error(call->reply, "ERR '%s' is no number of a drop",
                             command_show(&pair[1], show, sizeof(show)));
            return;
        }
        after[shard] = (uint64_t)number;
    }
    report_drops(call->host->appliance, after, &call->host->text);
    write_text(call);
}
