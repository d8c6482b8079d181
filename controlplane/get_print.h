/* A reply of FS.GET ... WITHMETA for people, or as JSON:
 * feature, [value, status, flags, start, end, newest, q, shard:lsn], feature, ... */
#pragma once

#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdbool.h>

bool get_reply_is(const redisReply *reply);
/* A table on stdout. get_reply_is() was true, as below. */
void get_print(const redisReply *reply);
json_t *get_json(const redisReply *reply);
