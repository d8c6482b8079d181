/* freshet checkpoint: asks the running appliance for a checkpoint, and waits until it counts. */
#include <stdio.h>
#include <time.h>

#include "controlplane/client.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "drivers/clock.h"

#define WAIT_SECONDS_DEFAULT 120.0
#define LOOK_NS              (20 * NS_PER_SECOND / 1000)

struct checkpoint_order {
    const char *server;
    const char *user;
    double wait_seconds;
    bool json;
};

/* What FS.STATUS says of checkpoints: a new reference, or NULL with the reason on stderr. */
static json_t *checkpoint_look(struct client *client)
{
    static const char *const command[] = {"FS.STATUS"};
    json_t *status = client_json(client, ARRAY_COUNT(command), command);
    json_t *checkpoint = json_object_get(json_object_get(status, "store"), "checkpoint");
    if (status != NULL && checkpoint == NULL) {
        (void)fprintf(stderr, "freshet checkpoint: %s has no store: set `data.directory`\n",
                      client->server);
    }
    json_incref(checkpoint);
    json_decref(status);
    return checkpoint;
}

static json_int_t number_of(const json_t *checkpoint, const char *name)
{
    return json_integer_value(json_object_get(checkpoint, name));
}

/* Begins one. The count that tells that it is published, or -1 with the reason on stderr. */
static json_int_t checkpoint_begin(struct client *client)
{
    static const char *const command[] = {"FS.CHECKPOINT"};
    redisReply *reply = client_command(client, ARRAY_COUNT(command), command);
    json_int_t asked = -1;
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
        asked = reply->integer;
    }
    freeReplyObject(reply);
    return asked;
}

/* Waits until the count is reached; what is said of it then, or NULL with the reason on stderr. */
static json_t *checkpoint_await(struct client *client, const struct checkpoint_order *options,
                                json_int_t asked, json_int_t failed_before)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    int64_t end_ns = clock_steady_ns() + (int64_t)(options->wait_seconds * (double)NS_PER_SECOND);
    json_t *checkpoint = checkpoint_look(client);
    while (checkpoint != NULL && number_of(checkpoint, "count") < asked) {
        bool failed = number_of(checkpoint, "failed") > failed_before;
        json_decref(checkpoint);
        checkpoint = NULL;
        if (failed) {
            (void)fprintf(stderr, "freshet checkpoint: it could not be written; is the disk full? "
                                  "(freshet status, freshet doctor)\n");
        } else if (clock_steady_ns() > end_ns) {
            (void)fprintf(stderr,
                          "freshet checkpoint: not published within %g s; it goes on, and freshet "
                          "status shows it (--timeout waits longer)\n",
                          options->wait_seconds);
        } else {
            (void)nanosleep(&pause, NULL);
            checkpoint = checkpoint_look(client);
        }
    }
    return checkpoint;
}

static void checkpoint_print(const json_t *checkpoint, bool json)
{
    json_int_t generation = number_of(checkpoint, "generation");
    json_int_t rows = number_of(checkpoint, "rows");
    json_int_t bytes = number_of(checkpoint, "bytes");
    double seconds = json_real_value(json_object_get(checkpoint, "duration_seconds"));
    if (json) {
        printf("{\"generation\": %lld, \"rows\": %lld, \"bytes\": %lld, \"seconds\": %.6f}\n",
               generation, rows, bytes, seconds);
    } else {
        printf("checkpoint %lld: %lld rows, %lld bytes, in %.3f s\n", generation, rows, bytes,
               seconds);
    }
}

static int checkpoint_run(struct client *client, const struct checkpoint_order *options)
{
    json_t *checkpoint = checkpoint_look(client);
    if (checkpoint == NULL) {
        return VERB_EXIT_FAILED;
    }
    json_int_t failed_before = number_of(checkpoint, "failed");
    json_decref(checkpoint);
    json_int_t asked = checkpoint_begin(client);
    if (asked < 0) {
        return VERB_EXIT_FAILED;
    }
    checkpoint = checkpoint_await(client, options, asked, failed_before);
    if (checkpoint == NULL) {
        return VERB_EXIT_FAILED;
    }
    checkpoint_print(checkpoint, options->json);
    json_decref(checkpoint);
    return VERB_EXIT_OK;
}

int checkpoint_verb(int argc, char **argv)
{
    struct checkpoint_order options = {.wait_seconds = WAIT_SECONDS_DEFAULT};
    const struct verb_option option[] = {
        {"server", "PATH|HOST:PORT", VERB_OPTION_TEXT, &options.server, CLIENT_SERVER_SENTENCE},
        {"user", "NAME", VERB_OPTION_TEXT, &options.user, CLIENT_USER_SENTENCE},
        {"timeout", "SECONDS", VERB_OPTION_SECONDS, &options.wait_seconds,
         "wait that long at most (120)"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "one JSON object on stdout"},
    };
    const struct verb_usage usage = {"checkpoint",
                                     "",
                                     "Begins a checkpoint of the running appliance and waits until "
                                     "a restart would load it.\n",
                                     option,
                                     ARRAY_COUNT(option),
                                     0,
                                     0};
    int exit_code = VERB_EXIT_OK;
    struct client client;
    if (!client_verb_open(&client, &usage, &argc, argv, &options.server, &options.user,
                          &exit_code)) {
        return exit_code;
    }
    exit_code = checkpoint_run(&client, &options);
    client_close(&client);
    return exit_code;
}
