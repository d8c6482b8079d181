/* An entity as a Redis hash: HMGET and its family, EXISTS, TYPE, TTL. */
#include <inttypes.h>
#include <string.h>

#include "controlplane/command.h"
#include "controlplane/feature_read.h"
#include "dataplane/base/units.h"

static void write_value(struct command_call *call, const struct answer *answer)
{
    char text[ANSWER_TEXT_SIZE_MAX];
    if (answer->status != ANSWER_PRESENT || answer->kind == VALUE_NULL) {
        resp_write_null(call->reply);
        return;
    }
    uint32_t size;
    const char *value = answer_text(answer, text, &size);
    resp_write_bulk(call->reply, value, size);
}

static bool has_value(const struct answer *answer)
{
    return answer->status == ANSWER_PRESENT && answer->kind != VALUE_NULL;
}

/* Reads the fields from argument[2] on of the key argument[1]. */
static bool read_asked(struct command_call *call, struct read_request *request)
{
    struct read_key key;
    *request = (struct read_request){.key_count = 1, .time = READ_NOW};
    return read_key_split(call, &call->argument[1], &key) &&
           read_fields_resolve(call, key.entity, &call->argument[2], call->count - 2, request) &&
           read_answers(call, &call->argument[1], request);
}

/* Reads all features of the key argument[1]; returns how many have a value in *out_present. */
static bool read_all(struct command_call *call, struct read_request *request, uint32_t *out_present)
{
    struct read_key key;
    *request = (struct read_request){.key_count = 1, .time = READ_NOW};
    if (!read_key_split(call, &call->argument[1], &key) ||
        !read_fields_all(call, key.entity, request) ||
        !read_answers(call, &call->argument[1], request)) {
        return false;
    }
    uint32_t present = 0;
    for (uint32_t i = 0; i < request->field_count; i++) {
        present += has_value(read_answer(call, request, 0, i)) ? 1 : 0;
    }
    *out_present = present;
    return true;
}

/* `view.feature`, as HKEYS and HGETALL name a feature. */
static void write_feature_name(struct command_call *call, const struct plan_feature *feature)
{
    resp_write_format(call->reply, "%s.%s", call->host->plan->view[feature->view].name,
                      feature->name);
}

void command_hmget(struct command_call *call)
{
    struct read_request request;
    if (!read_asked(call, &request)) {
        return;
    }
    resp_write_array(call->reply, request.field_count);
    for (uint32_t i = 0; i < request.field_count; i++) {
        write_value(call, read_answer(call, &request, 0, i));
    }
}

void command_hget(struct command_call *call)
{
    struct read_request request;
    if (read_asked(call, &request)) {
        write_value(call, read_answer(call, &request, 0, 0));
    }
}

void command_hexists(struct command_call *call)
{
    struct read_request request;
    if (read_asked(call, &request)) {
        resp_write_integer(call->reply, has_value(read_answer(call, &request, 0, 0)) ? 1 : 0);
    }
}

void command_hgetall(struct command_call *call)
{
    struct read_request request;
    uint32_t present;
    if (!read_all(call, &request, &present)) {
        return;
    }
    resp_write_map(call->reply, present);
    for (uint32_t i = 0; i < request.field_count; i++) {
        const struct answer *answer = read_answer(call, &request, 0, i);
        if (has_value(answer)) {
            write_feature_name(call, read_feature(call, i));
            write_value(call, answer);
        }
    }
}

void command_hkeys(struct command_call *call)
{
    struct read_request request;
    uint32_t present;
    if (!read_all(call, &request, &present)) {
        return;
    }
    resp_write_array(call->reply, present);
    for (uint32_t i = 0; i < request.field_count; i++) {
        if (has_value(read_answer(call, &request, 0, i))) {
            write_feature_name(call, read_feature(call, i));
        }
    }
}

void command_hlen(struct command_call *call)
{
    struct read_request request;
    uint32_t present;
    if (read_all(call, &request, &present)) {
        resp_write_integer(call->reply, present);
    }
}

/* Reads one feature per view of the entity of argument[at]. Returns false after an error. */
static bool read_presence(struct command_call *call, uint32_t at, struct read_request *request)
{
    struct read_key key;
    *request = (struct read_request){.key_count = 1, .time = READ_NOW};
    return read_key_split(call, &call->argument[at], &key) &&
           read_fields_one(call, key.entity, request) &&
           read_answers(call, &call->argument[at], request);
}

static bool is_found(struct command_call *call, const struct read_request *request)
{
    for (uint32_t g = 0; g < request->group_count; g++) {
        if (read_query(call, request, 0, g)->found) {
            return true;
        }
    }
    return false;
}

void command_exists(struct command_call *call)
{
    int64_t found = 0;
    for (uint32_t i = 1; i < call->count; i++) {
        struct read_request request;
        if (!read_presence(call, i, &request)) {
            return;
        }
        found += is_found(call, &request) ? 1 : 0;
    }
    resp_write_integer(call->reply, found);
}

void command_type(struct command_call *call)
{
    struct read_request request;
    if (read_presence(call, 1, &request)) {
        resp_write_simple(call->reply, is_found(call, &request) ? "hash" : "none");
    }
}

/* Microseconds until the last of the entity's rows passes its ttl; -1 when none is there. */
static bool read_ttl_us(struct command_call *call, int64_t *out_us)
{
    struct read_request request;
    if (!read_presence(call, 1, &request)) {
        return false;
    }
    *out_us = -1;
    for (uint32_t g = 0; g < request.group_count; g++) {
        const struct reader_query *query = read_query(call, &request, 0, g);
        if (!query->found) {
            continue;
        }
        int64_t end_us =
            add_clamped(query->answer->newest_us, call->host->plan->view[query->view].ttl_us);
        int64_t left_us = sub_clamped(end_us, query->answer->q_us);
        left_us = left_us > 0 ? left_us : 0;
        *out_us = left_us > *out_us ? left_us : *out_us;
    }
    return true;
}

void command_ttl(struct command_call *call)
{
    int64_t left_us;
    if (read_ttl_us(call, &left_us)) {
        /* -2: no such key, as Redis. */
        resp_write_integer(call->reply, left_us < 0 ? -2 : left_us / US_PER_SECOND);
    }
}

void command_pttl(struct command_call *call)
{
    int64_t left_us;
    if (read_ttl_us(call, &left_us)) {
        resp_write_integer(call->reply, left_us < 0 ? -2 : left_us / US_PER_MS);
    }
}
