#include "controlplane/feature_options.h"

#include <inttypes.h>

#include "controlplane/appliance.h"

bool feature_count_read(struct command_call *call, uint32_t at, const char *what, uint32_t each,
                        uint32_t *out_count)
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
    uint32_t follow = call->count - at - 1;
    if (count > (int64_t)(follow / each)) {
        resp_write_error(call->reply, "ERR %s says %" PRId64 "%s, only %u arguments follow", what,
                         count, each > 1 ? " names with their values" : "", follow);
        return false;
    }
    *out_count = (uint32_t)count;
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

/* REQUEST <n> <name> <value>... */
static bool option_request(struct command_call *call, uint32_t *at, struct feature_options *options)
{
    if (options->request != NULL) {
        resp_write_error(call->reply, "ERR REQUEST may be given only once");
        return false;
    }
    if (!feature_count_read(call, *at + 1, "REQUEST", 2, &options->request_count)) {
        return false;
    }
    options->request = &call->argument[*at + 2];
    *at += 2 + 2 * options->request_count;
    return true;
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
    if (resp_is(word, "REQUEST") && options->service != NULL) {
        return option_request(call, at, options);
    }
    if (resp_is(word, "REQUEST")) {
        resp_write_error(call->reply, "ERR REQUEST belongs to SERVICE: FIELDS take no inputs");
        return false;
    }
    resp_write_error(call->reply,
                     "ERR unknown option '%s' of %s; known are: AT, LATEST, LEVEL, WITHMETA%s",
                     command_show(word, show, sizeof(show)), call->command->name,
                     options->service != NULL ? ", REQUEST" : "");
    return false;
}

/* FIELDS <n> <feature>... or SERVICE <name>. */
static bool what_parse(struct command_call *call, uint32_t *at, struct feature_options *options)
{
    char show[64];
    if (*at >= call->count) {
        resp_write_error(call->reply, "ERR %s needs FIELDS <n> <feature>... or SERVICE <name>",
                         call->command->name);
        return false;
    }
    if (resp_is(&call->argument[*at], "SERVICE")) {
        if (*at + 1 >= call->count) {
            resp_write_error(call->reply, "ERR SERVICE needs a name");
            return false;
        }
        options->service = &call->argument[*at + 1];
        *at += 2;
        return true;
    }
    if (!resp_is(&call->argument[*at], "FIELDS")) {
        resp_write_error(call->reply,
                         "ERR expected FIELDS <n> <feature>... or SERVICE <name>, not '%s'",
                         command_show(&call->argument[*at], show, sizeof(show)));
        return false;
    }
    if (!feature_count_read(call, *at + 1, "FIELDS", 1, &options->field_count)) {
        return false;
    }
    options->field = &call->argument[*at + 2];
    *at += 2 + options->field_count;
    return true;
}

bool feature_options_parse(struct command_call *call, uint32_t at, struct feature_options *options,
                           struct read_request *request)
{
    if (!what_parse(call, &at, options)) {
        return false;
    }
    while (at < call->count) {
        if (!option_parse(call, &at, options, request)) {
            return false;
        }
    }
    return true;
}
