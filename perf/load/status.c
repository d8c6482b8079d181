#include "perf/load/status.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "dataplane/base/units.h"

#define STATUS_QUIET_NS    (50 * 1000 * 1000)
#define STATUS_QUIET_TRIES 100

static uint64_t status_member(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static void status_parse(const json_t *root, struct status *out)
{
    size_t i;
    json_t *item;
    *out = (struct status){
        .received = status_member(root, "received"),
        .applied = status_member(root, "applied"),
        .dropped = status_member(root, "dropped"),
        .balance = json_integer_value(json_object_get(root, "balance")),
    };
    json_array_foreach(json_object_get(root, "listeners"), i, item)
    {
        out->missed += status_member(item, "missed");
    }
    json_array_foreach(json_object_get(root, "streams"), i, item)
    {
        const json_t *drops = json_object_get(item, "drops");
        for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
            out->drop[drop] += status_member(drops, drop_name((enum drop)drop));
        }
    }
}

int status_read(redisContext *context, struct status *out, char error[ENDPOINT_ERROR_SIZE_MAX])
{
    redisReply *reply = redisCommand(context, "FS.STATUS");
    json_error_t why;
    json_t *root = NULL;
    if (reply == NULL) {
        (void)snprintf(error, ENDPOINT_ERROR_SIZE_MAX, "FS.STATUS: %s", context->errstr);
        return -1;
    }
    if (reply->type == REDIS_REPLY_STRING) {
        root = json_loadb(reply->str, reply->len, 0, &why);
    }
    if (!json_is_object(root) || json_object_get(root, "received") == NULL) {
        (void)snprintf(error, ENDPOINT_ERROR_SIZE_MAX, "FS.STATUS: the answer is not its JSON: %s",
                       reply->type == REDIS_REPLY_ERROR ? reply->str : "other members");
        json_decref(root);
        freeReplyObject(reply);
        return -1;
    }
    status_parse(root, out);
    json_decref(root);
    freeReplyObject(reply);
    return 0;
}

int status_read_quiet(redisContext *context, struct status *out,
                      char error[ENDPOINT_ERROR_SIZE_MAX])
{
    struct status before;
    if (status_read(context, &before, error) != 0) {
        return -1;
    }
    for (uint32_t i = 0; i < STATUS_QUIET_TRIES; i++) {
        endpoint_sleep_until(endpoint_now_ns() + STATUS_QUIET_NS);
        if (status_read(context, out, error) != 0) {
            return -1;
        }
        if (out->received == before.received && out->balance == 0) {
            return 0;
        }
        before = *out;
    }
    return 0;
}

void status_subtract(const struct status *after, const struct status *before, struct status *out)
{
    *out = (struct status){
        .received = after->received - before->received,
        .applied = after->applied - before->applied,
        .dropped = after->dropped - before->dropped,
        .balance = after->balance,
        .missed = after->missed - before->missed,
    };
    for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
        out->drop[drop] = after->drop[drop] - before->drop[drop];
    }
}
