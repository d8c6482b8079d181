/* hiredis against a running appliance: argv[1] is its unix socket, argv[2] its TCP port. Exit 1
 * with a line on stderr when a reply is not as expected. The entities are those of expect.js. */
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void check(int holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "hiredis: %s\n", what);
        failures++;
    }
}

static int is_text(const redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_STRING && strcmp(reply->str, text) == 0;
}

static void read_values(redisContext *context)
{
    redisReply *reply =
        redisCommand(context, "HMGET card:4711 activity.txn_count_10m activity.amount_sum_1h");
    check(reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
              is_text(reply->element[0], "3") && is_text(reply->element[1], "28.50"),
          "HMGET card:4711");
    freeReplyObject(reply);
    reply = redisCommand(context, "HMGET card:%d activity.txn_count_10m", 4799);
    check(reply != NULL && reply->elements == 1 && reply->element[0]->type == REDIS_REPLY_NIL,
          "HMGET card:4799");
    freeReplyObject(reply);
    reply = redisCommand(context, "FS.GET card:4711 FIELDS 1 activity.txn_count_10m WITHMETA");
    check(reply != NULL && reply->elements == 2 && reply->element[1]->elements == 8 &&
              is_text(reply->element[1]->element[1], "PRESENT"),
          "FS.GET card:4711 WITHMETA");
    freeReplyObject(reply);
    reply = redisCommand(context, "SET a b");
    check(reply != NULL && reply->type == REDIS_REPLY_ERROR &&
              strcmp(reply->str, "ERR read only; events arrive over UDP") == 0,
          "SET");
    freeReplyObject(reply);
}

static void read_pipeline(redisContext *context)
{
    for (int i = 0; i < 1000; i++) {
        (void)redisAppendCommand(context, "HGET card:4712 activity.amount_sum_1h");
    }
    for (int i = 0; i < 1000; i++) {
        void *reply = NULL;
        int result = redisGetReply(context, &reply);
        check(result == REDIS_OK && is_text(reply, "1.25"), "pipelined HGET");
        freeReplyObject(reply);
        if (result != REDIS_OK) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    redisContext *contexts[2] = {redisConnectUnix(argv[1]),
                                 redisConnect("127.0.0.1", atoi(argv[2]))};
    for (int i = 0; i < 2; i++) {
        check(contexts[i] != NULL && contexts[i]->err == 0, "connect");
        if (failures == 0) {
            read_values(contexts[i]);
            read_pipeline(contexts[i]);
        }
        redisFree(contexts[i]);
    }
    return failures == 0 ? 0 : 1;
}
