/* freshet get: features of one entity, with all that there is to know about them. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/client.h"
#include "controlplane/get_print.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"

/* Each input is two words, and some stand around them. */
#define SERVICE_ARGUMENTS_MAX     ((CLIENT_ARGUMENTS_MAX - 10u) / 2)
#define ARGUMENTS_BESIDE_FEATURES 8u /* FS.GET key FIELDS n AT us WITHMETA, and one to spare. */

struct get_options {
    const char *server;
    const char *user;
    const char *service;
    const char *at;
    bool latest;
    bool json;
};

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

static int form_unknown(const struct client *client)
{
    (void)fprintf(stderr, "freshet get: %s answered in another form; is it another server?\n",
                  client->server);
    return VERB_EXIT_FAILED;
}

/* Takes it. */
static void json_print(json_t *json)
{
    (void)json_dumpf(json, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(json);
}

/* AT, LATEST and WITHMETA; returns the new count. */
static uint32_t options_add(const struct get_options *options, const char **argument, uint32_t at)
{
    if (options->at != NULL) {
        argument[at++] = "AT";
        argument[at++] = options->at;
    }
    if (options->latest) {
        argument[at++] = "LATEST";
    }
    argument[at++] = "WITHMETA";
    return at;
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
    at = options_add(options, argument, at);
    redisReply *reply = client_command(client, at, argument);
    if (reply == NULL) {
        return VERB_EXIT_FAILED;
    }
    int exit_code = VERB_EXIT_OK;
    if (!get_reply_is(reply)) {
        exit_code = form_unknown(client);
    } else if (options->json) {
        json_print(get_json(reply));
    } else {
        get_print(reply);
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

/* The rows of a service's answer. */
static int rows_print(const struct client *client, const redisReply *reply, bool json)
{
    bool good = reply->type == REDIS_REPLY_ARRAY;
    for (size_t i = 0; good && i < reply->elements; i++) {
        good = get_reply_is(reply->element[i]);
    }
    if (!good) {
        return form_unknown(client);
    }
    json_t *rows = json ? json_array() : NULL;
    for (size_t i = 0; i < reply->elements; i++) {
        if (json) {
            (void)json_array_append_new(rows, get_json(reply->element[i]));
        } else {
            printf("%s", i == 0 ? "" : "\n");
            get_print(reply->element[i]);
        }
    }
    if (json) {
        json_print(rows);
    }
    return VERB_EXIT_OK;
}

/* NAME=VALUE, no key: `=` comes before any `:`. */
static bool is_input(const char *argument)
{
    return argument[strcspn(argument, "=:")] == '=';
}

/* FS.MGET <numkeys> <key>... SERVICE <name> REQUEST <n> <name> <value>...; inputs are cut at their
 * `=`. */
static int service_get(struct client *client, const struct get_options *options, char **given,
                       uint32_t count)
{
    const char *argument[CLIENT_ARGUMENTS_MAX];
    char key_count_text[16];
    char input_count_text[16];
    uint32_t inputs = 0;
    uint32_t at = 2;
    for (uint32_t i = 0; i < count; i++) {
        inputs += is_input(given[i]);
    }
    (void)snprintf(key_count_text, sizeof(key_count_text), "%u", count - inputs);
    (void)snprintf(input_count_text, sizeof(input_count_text), "%u", inputs);
    argument[0] = "FS.MGET";
    argument[1] = key_count_text;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_input(given[i])) {
            argument[at++] = given[i];
        }
    }
    argument[at++] = "SERVICE";
    argument[at++] = options->service;
    if (inputs > 0) {
        argument[at++] = "REQUEST";
        argument[at++] = input_count_text;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (is_input(given[i])) {
            char *value = strchr(given[i], '=');
            *value = '\0';
            argument[at++] = given[i];
            argument[at++] = value + 1;
        }
    }
    at = options_add(options, argument, at);
    redisReply *reply = client_command(client, at, argument);
    if (reply == NULL) {
        return VERB_EXIT_FAILED;
    }
    int exit_code = rows_print(client, reply, options->json);
    freeReplyObject(reply);
    return exit_code;
}

int get_verb(int argc, char **argv)
{
    struct get_options options = {0};
    const struct verb_option option[] = {
        {"server", "PATH|HOST:PORT", VERB_OPTION_TEXT, &options.server, CLIENT_SERVER_SENTENCE},
        {"user", "NAME", VERB_OPTION_TEXT, &options.user, CLIENT_USER_SENTENCE},
        {"service", "NAME", VERB_OPTION_TEXT, &options.service, "all that a service answers with"},
        {"at", "US", VERB_OPTION_TEXT, &options.at, "as of that time, microseconds since 1970"},
        {"latest", NULL, VERB_OPTION_FLAG, &options.latest, "as of the entity's newest event"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "one JSON object on stdout"},
    };
    const struct verb_usage usage = {
        "get",
        "ENTITY:ID [FEATURE...]",
        "Reads features of one entity, all of them when none is named:\n"
        "  freshet get card:4711 activity.txn_count_10m\n"
        "With --service the arguments are the keys of its entities, in any order, and\n"
        "NAME=VALUE for each field of its request:\n"
        "  freshet get --service fraud card:4711 shop:corner amount=12.50\n",
        option,
        ARRAY_COUNT(option),
        1,
        VERB_ARGUMENTS_MAX};
    int exit_code = VERB_EXIT_OK;
    struct client client;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    if (strchr(argv[1], ':') == NULL && options.service == NULL) {
        return verb_usage_error(&usage, "\"%s\" is no ENTITY:ID, as card:4711 is", argv[1]);
    }
    if (options.at != NULL && options.latest) {
        return verb_usage_error(&usage, "--at and --latest exclude one another");
    }
    if (argc - 1 > (int)SERVICE_ARGUMENTS_MAX && options.service != NULL) {
        return verb_usage_error(&usage, "at most %u keys and inputs are allowed",
                                SERVICE_ARGUMENTS_MAX);
    }
    if (!client_open_as(&client, "get", options.server, options.user)) {
        return VERB_EXIT_FAILED;
    }
    exit_code = options.service != NULL
                    ? service_get(&client, &options, argv + 1, (uint32_t)argc - 1)
                    : entity_get(&client, &options, argv + 1, (uint32_t)argc - 1);
    client_close(&client);
    return exit_code;
}
