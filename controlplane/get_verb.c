/* freshet get: features of one entity, with all that there is to know about them. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/buffer.h"
#include "controlplane/client.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"

#define META_FIELDS               8u
#define ARGUMENTS_BESIDE_FEATURES 8u /* FS.GET key FIELDS n AT us WITHMETA, and one to spare. */

struct get_options {
    const char *server;
    const char *user;
    const char *at;
    bool latest;
    bool json;
};

static const char *reply_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ? reply->str
                                                                                  : NULL;
}

/* Bytes of the UTF-8 character at the front of text, 0 when none is there. */
static size_t character_size(const char *text, size_t size)
{
    for (size_t n = 1; n <= 4 && n <= size; n++) {
        json_t *one = json_stringn(text, n);
        json_decref(one);
        if (one != NULL) {
            return n;
        }
    }
    return 0;
}

/* A producer's strings may hold any bytes, JSON only UTF-8: the rest is U+FFFD. */
static json_t *text_json(const char *text, size_t size)
{
    struct buffer utf8;
    buffer_init(&utf8, 0);
    for (size_t at = 0; at < size;) {
        size_t n = character_size(text + at, size - at);
        buffer_write(&utf8, n > 0 ? text + at : "\xef\xbf\xbd", n > 0 ? n : 3);
        at += n > 0 ? n : 1;
    }
    json_t *string =
        utf8.failed ? json_null() : json_stringn(utf8.size > 0 ? utf8.data : "", utf8.size);
    buffer_deinit(&utf8);
    return string;
}

/* A value for a terminal: a producer's control bytes must not move its cursor. */
static const char *text_printable(const redisReply *reply, struct buffer *out)
{
    const char *text = reply_text(reply);
    out->size = 0;
    if (text == NULL) {
        return "null";
    }
    for (size_t at = 0; at < reply->len; at++) {
        if ((unsigned char)text[at] < ' ' || text[at] == 0x7f) {
            buffer_format(out, "\\x%02x", (unsigned)(unsigned char)text[at]);
        } else {
            buffer_write(out, text + at, 1);
        }
    }
    buffer_write(out, "", 1);
    return out->failed ? "null" : out->data;
}

static json_t *reply_json(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) {
        return json_integer(reply->integer);
    }
    const char *text = reply_text(reply);
    return text == NULL ? json_null() : text_json(text, reply->len);
}

/* Microseconds as UTC, "-" for none. */
static const char *time_format(const redisReply *reply, char *out, size_t size)
{
    if (reply->type != REDIS_REPLY_INTEGER) {
        return "-";
    }
    int64_t micros = reply->integer;
    time_t seconds = (time_t)(floor_to(micros, US_PER_SECOND) / US_PER_SECOND);
    struct tm utc;
    char text[32];
    if (gmtime_r(&seconds, &utc) == NULL) {
        (void)snprintf(out, size, "%" PRId64, micros);
        return out;
    }
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(out, size, "%s.%06d", text, (int)(micros - floor_to(micros, US_PER_SECOND)));
    return out;
}

/* reply: feature, [value, status, flags, start, end, newest, q, shard:lsn], feature, ... */
static bool reply_is_features(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0) {
        return false;
    }
    for (size_t i = 0; i < reply->elements; i += 2) {
        const redisReply *meta = reply->element[i + 1];
        if (reply_text(reply->element[i]) == NULL || meta->type != REDIS_REPLY_ARRAY ||
            meta->elements != META_FIELDS) {
            return false;
        }
    }
    return true;
}

static void features_print(const redisReply *reply)
{
    char start[48];
    char end[48];
    char newest[48];
    struct buffer value;
    buffer_init(&value, 0);
    size_t width = strlen("feature");
    for (size_t i = 0; i < reply->elements; i += 2) {
        width = reply->element[i]->len > width ? reply->element[i]->len : width;
    }
    printf("%-*s  %-20s %-15s %-11s %-26s %-26s %s\n", (int)width, "feature", "value", "status",
           "flags", "from", "to", "newest event");
    for (size_t i = 0; i < reply->elements; i += 2) {
        redisReply **meta = reply->element[i + 1]->element;
        const char *status = reply_text(meta[1]);
        const char *flags = reply_text(meta[2]);
        printf("%-*s  %-20s %-15s %-11s %-26s %-26s %s\n", (int)width, reply->element[i]->str,
               text_printable(meta[0], &value), status == NULL ? "-" : status,
               flags == NULL || flags[0] == '\0' ? "-" : flags,
               time_format(meta[3], start, sizeof(start)), time_format(meta[4], end, sizeof(end)),
               time_format(meta[5], newest, sizeof(newest)));
    }
    buffer_deinit(&value);
}

static void features_print_json(const redisReply *reply)
{
    static const char *const name[META_FIELDS] = {"value",  "status",    "flags", "start_us",
                                                  "end_us", "newest_us", "q_us",  "lsn"};
    json_t *root = json_object();
    for (size_t i = 0; i < reply->elements; i += 2) {
        json_t *feature = json_object();
        for (uint32_t m = 0; m < META_FIELDS; m++) {
            (void)json_object_set_new(feature, name[m],
                                      reply_json(reply->element[i + 1]->element[m]));
        }
        (void)json_object_set_new(root, reply->element[i]->str, feature);
    }
    (void)json_dumpf(root, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(root);
}

/* What to ask for when no feature is named: all that the entity can have. NULL: said why. */
static redisReply *features_known(struct client *client, const char *key)
{
    const char *argument[] = {"HKEYS", key};
    redisReply *reply = client_command(client, 2, argument);
    if (reply != NULL && (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)) {
        (void)fprintf(stderr, "freshet get: nothing is known of %s\n", key);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

static int features_get(struct client *client, const struct get_options *options, const char *key,
                        const char *const *feature, uint32_t count)
{
    const char *argument[CLIENT_ARGUMENTS_MAX];
    char count_text[16];
    uint32_t at = 0;
    if (count > CLIENT_ARGUMENTS_MAX - ARGUMENTS_BESIDE_FEATURES) {
        count = CLIENT_ARGUMENTS_MAX - ARGUMENTS_BESIDE_FEATURES;
        (void)fprintf(stderr, "freshet get: only the first %u features\n", count);
    }
    (void)snprintf(count_text, sizeof(count_text), "%u", count);
    argument[at++] = "FS.GET";
    argument[at++] = key;
    argument[at++] = "FIELDS";
    argument[at++] = count_text;
    for (uint32_t i = 0; i < count; i++) {
        argument[at++] = feature[i];
    }
    if (options->at != NULL) {
        argument[at++] = "AT";
        argument[at++] = options->at;
    }
    if (options->latest) {
        argument[at++] = "LATEST";
    }
    argument[at++] = "WITHMETA";
    redisReply *reply = client_command(client, at, argument);
    if (reply == NULL) {
        return VERB_EXIT_FAILED;
    }
    int exit_code = VERB_EXIT_OK;
    if (!reply_is_features(reply)) {
        (void)fprintf(stderr, "freshet get: %s answered in another form; is it another server?\n",
                      client->server);
        exit_code = VERB_EXIT_FAILED;
    } else if (options->json) {
        features_print_json(reply);
    } else {
        features_print(reply);
    }
    freeReplyObject(reply);
    return exit_code;
}

static int entity_get(struct client *client, const struct get_options *options, char **argument,
                      uint32_t count)
{
    const char *feature[CLIENT_ARGUMENTS_MAX];
    uint32_t feature_count = 0;
    redisReply *known = NULL;
    if (count == 1) {
        known = features_known(client, argument[0]);
        if (known == NULL) {
            return VERB_EXIT_FAILED;
        }
        for (size_t i = 0; i < known->elements && i < CLIENT_ARGUMENTS_MAX; i++) {
            feature[feature_count++] = known->element[i]->str;
        }
    } else {
        for (uint32_t i = 1; i < count && i < CLIENT_ARGUMENTS_MAX; i++) {
            feature[feature_count++] = argument[i];
        }
    }
    int exit_code = features_get(client, options, argument[0], feature, feature_count);
    if (known != NULL) {
        freeReplyObject(known);
    }
    return exit_code;
}

int get_verb(int argc, char **argv)
{
    struct get_options options = {0};
    const struct verb_option option[] = {
        {"server", "PATH|HOST:PORT", VERB_OPTION_TEXT, &options.server, CLIENT_SERVER_SENTENCE},
        {"user", "NAME", VERB_OPTION_TEXT, &options.user, CLIENT_USER_SENTENCE},
        {"at", "US", VERB_OPTION_TEXT, &options.at, "as of that time, microseconds since 1970"},
        {"latest", NULL, VERB_OPTION_FLAG, &options.latest, "as of the entity's newest event"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "one JSON object on stdout"},
    };
    const struct verb_usage usage = {
        "get",
        "ENTITY:ID [FEATURE...]",
        "Reads features of one entity, all of them when none is named:\n"
        "  freshet get card:4711 activity.txn_count_10m\n",
        option,
        ARRAY_COUNT(option),
        1,
        VERB_ARGUMENTS_MAX};
    int exit_code = VERB_EXIT_OK;
    struct client client;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    if (strchr(argv[1], ':') == NULL) {
        return verb_usage_error(&usage, "\"%s\" is no ENTITY:ID, as card:4711 is", argv[1]);
    }
    if (options.at != NULL && options.latest) {
        return verb_usage_error(&usage, "--at and --latest exclude one another");
    }
    if (!client_open_as(&client, "get", options.server, options.user)) {
        return VERB_EXIT_FAILED;
    }
    exit_code = entity_get(&client, &options, argv + 1, (uint32_t)argc - 1);
    client_close(&client);
    return exit_code;
}
