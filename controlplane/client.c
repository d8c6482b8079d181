#include "controlplane/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/verb.h"

#define CONNECT_SECONDS 3
#define ANSWER_SECONDS  10
#define HOST_SIZE_MAX   256

/* HOST:PORT, "[::1]:6380"; a path has a slash or no colon. */
static bool server_is_path(const char *server)
{
    return strchr(server, '/') != NULL || strchr(server, ':') == NULL;
}

static redisContext *tcp_connect(const char *server, struct timeval timeout)
{
    char host[HOST_SIZE_MAX];
    const char *colon = strrchr(server, ':');
    size_t size = (size_t)(colon - server);
    bool bracketed = size >= 2 && server[0] == '[' && colon[-1] == ']';
    char *end;
    long port = strtol(colon + 1, &end, 10);
    if (size - (bracketed ? 2 : 0) >= sizeof(host) || end == colon + 1 || *end != '\0' ||
        port < 1 || port > UINT16_MAX) {
        return NULL;
    }
    (void)snprintf(host, sizeof(host), "%.*s", (int)(bracketed ? size - 2 : size),
                   bracketed ? server + 1 : server);
    return redisConnectWithTimeout(host, (int)port, timeout);
}

bool client_try(struct client *client, const char *verb, const char *server,
                char error[CLIENT_ERROR_SIZE_MAX])
{
    const struct timeval connect_timeout = {.tv_sec = CONNECT_SECONDS};
    const struct timeval answer_timeout = {.tv_sec = ANSWER_SECONDS};
    const char *environment = getenv("FRESHET_SERVER");
    if (server == NULL) {
        server =
            environment != NULL && environment[0] != '\0' ? environment : CLIENT_SERVER_DEFAULT;
    }
    *client = (struct client){.verb = verb, .server = server};
    if (server[0] != '\0') {
        client->context = server_is_path(server)
                              ? redisConnectUnixWithTimeout(server, connect_timeout)
                              : tcp_connect(server, connect_timeout);
    }
    if (client->context == NULL || client->context->err != 0) {
        (void)snprintf(error, CLIENT_ERROR_SIZE_MAX, "no server at %s: %s",
                       server[0] != '\0' ? server : "\"\"",
                       client->context == NULL ? "not a PATH or HOST:PORT, the port 1 to 65535"
                                               : client->context->errstr);
        client_close(client);
        return false;
    }
    (void)redisSetTimeout(client->context, answer_timeout);
    return true;
}

/* A variable of the environment that says something, else NULL. */
static const char *environment_of(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool client_login(struct client *client, const char *user)
{
    const char *password = environment_of("FRESHET_PASSWORD");
    user = user != NULL ? user : environment_of("FRESHET_USER");
    if (user == NULL) {
        return true;
    }
    if (password == NULL) {
        (void)fprintf(stderr, "freshet %s: the password of %s is missing: set FRESHET_PASSWORD\n",
                      client->verb, user);
        return false;
    }
    const char *argument[] = {"AUTH", user, password};
    redisReply *reply = client_command(client, 3, argument);
    bool taken = reply != NULL;
    freeReplyObject(reply);
    return taken;
}

bool client_open(struct client *client, const char *verb, const char *server)
{
    return client_open_as(client, verb, server, NULL);
}

bool client_open_as(struct client *client, const char *verb, const char *server, const char *user)
{
    char error[CLIENT_ERROR_SIZE_MAX];
    if (client_try(client, verb, server, error)) {
        bool taken = client_login(client, user);
        if (!taken) {
            client_close(client);
        }
        return taken;
    }
    (void)fprintf(stderr,
                  "freshet %s: %s\n"
                  "start one with: freshet run FILE..., or name another with --server PATH or "
                  "--server HOST:PORT, or in FRESHET_SERVER\n",
                  verb, error);
    return false;
}

bool client_verb_open(struct client *client, const struct verb_usage *usage, int *argc, char **argv,
                      const char *const *server, const char *const *user, int *out_exit)
{
    if (!verb_parse(usage, argc, argv, out_exit)) {
        return false;
    }
    if (!client_open_as(client, usage->name, *server, *user)) {
        *out_exit = VERB_EXIT_FAILED;
        return false;
    }
    return true;
}

void client_close(struct client *client)
{
    if (client->context != NULL) {
        redisFree(client->context);
    }
    client->context = NULL;
}

redisReply *client_command(struct client *client, uint32_t count, const char *const *argument)
{
    const char *pointer[CLIENT_ARGUMENTS_MAX];
    size_t size[CLIENT_ARGUMENTS_MAX];
    if (count > CLIENT_ARGUMENTS_MAX) {
        (void)fprintf(stderr, "freshet %s: more than %d arguments\n", client->verb,
                      CLIENT_ARGUMENTS_MAX);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        pointer[i] = argument[i];
        size[i] = strlen(argument[i]);
    }
    redisReply *reply = redisCommandArgv(client->context, (int)count, pointer, size);
    if (reply == NULL) {
        (void)fprintf(stderr, "freshet %s: the server at %s went away: %s\n", client->verb,
                      client->server, client->context->errstr);
        return NULL;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        const char *text = strncmp(reply->str, "ERR ", 4) == 0 ? reply->str + 4 : reply->str;
        bool stranger = strncmp(text, "NOAUTH ", 7) == 0;
        (void)fprintf(stderr, "freshet %s: %s%s\n", client->verb, text,
                      stranger ? " Give --user NAME, and its password in FRESHET_PASSWORD" : "");
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

json_t *client_json(struct client *client, uint32_t count, const char *const *argument)
{
    redisReply *reply = client_command(client, count, argument);
    if (reply == NULL) {
        return NULL;
    }
    json_error_t error;
    json_t *json = NULL;
    if (reply->type == REDIS_REPLY_STRING) {
        json = json_loadb(reply->str, reply->len, 0, &error);
    }
    if (json == NULL) {
        (void)fprintf(stderr, "freshet %s: %s at %s answered no JSON; is it another server?\n",
                      client->verb, argument[0], client->server);
    }
    freeReplyObject(reply);
    return json;
}
