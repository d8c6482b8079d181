/* freshet status, freshet top: FS.STATUS once, or every second. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/client.h"
#include "controlplane/status_table.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"

static json_t *status_ask(struct client *client)
{
    const char *argument[] = {"FS.STATUS"};
    return client_json(client, 1, argument);
}

static void table_print(const json_t *status, const json_t *previous, bool tables)
{
    struct buffer text;
    buffer_init(&text, 0);
    if (tables) {
        status_table_render(status, &text);
    } else {
        status_line_render(status, previous, &text);
    }
    (void)fwrite(text.data, 1, text.size, stdout);
    buffer_deinit(&text);
}

int status_verb(int argc, char **argv)
{
    const char *server = NULL;
    const char *user = NULL;
    bool json = false;
    const struct verb_option option[] = {
        {"server", "PATH|HOST:PORT", VERB_OPTION_TEXT, &server, CLIENT_SERVER_SENTENCE},
        {"user", "NAME", VERB_OPTION_TEXT, &user, CLIENT_USER_SENTENCE},
        {"json", NULL, VERB_OPTION_FLAG, &json, "the whole report as JSON"},
    };
    const struct verb_usage usage = {"status",
                                     "",
                                     "Says what the appliance did so far: streams, views, shards, "
                                     "listeners, producers, times.\n",
                                     option,
                                     ARRAY_COUNT(option),
                                     0,
                                     0};
    int exit_code = VERB_EXIT_OK;
    struct client client;
    if (!client_verb_open(&client, &usage, &argc, argv, &server, &user, &exit_code)) {
        return exit_code;
    }
    json_t *status = status_ask(&client);
    if (status == NULL) {
        exit_code = VERB_EXIT_FAILED;
    } else if (json) {
        (void)json_dumpf(status, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        printf("\n");
    } else {
        table_print(status, NULL, true);
    }
    json_decref(status);
    client_close(&client);
    return exit_code;
}

struct top_options {
    const char *server;
    const char *user;
    double seconds; /* 0: until interrupted. */
    bool json;
};

static void top_print(const struct top_options *options, const json_t *status,
                      const json_t *previous)
{
    bool terminal = isatty(STDOUT_FILENO) != 0;
    if (options->json) {
        (void)json_dumpf(status, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
        printf("\n");
    } else {
        if (terminal) {
            /* Home, then erase to the end: no flicker. */
            printf("\033[H\033[J");
            table_print(status, previous, true);
            printf("\n");
        }
        table_print(status, previous, false);
    }
    (void)fflush(stdout);
}

static int top_run(struct client *client, const struct top_options *options)
{
    const struct timespec second = {.tv_sec = 1};
    json_t *previous = NULL;
    int exit_code = VERB_EXIT_OK;
    for (uint32_t elapsed = 0;; elapsed++) {
        json_t *status = status_ask(client);
        if (status == NULL) {
            exit_code = VERB_EXIT_FAILED;
            break;
        }
        top_print(options, status, previous);
        json_decref(previous);
        previous = status;
        if (ferror(stdout) != 0 || (options->seconds > 0 && elapsed >= options->seconds)) {
            break;
        }
        (void)nanosleep(&second, NULL);
    }
    json_decref(previous);
    return exit_code;
}

int top_verb(int argc, char **argv)
{
    struct top_options options = {0};
    const struct verb_option option[] = {
        {"server", "PATH|HOST:PORT", VERB_OPTION_TEXT, &options.server, CLIENT_SERVER_SENTENCE},
        {"user", "NAME", VERB_OPTION_TEXT, &options.user, CLIENT_USER_SENTENCE},
        {"for", "SECONDS", VERB_OPTION_SECONDS, &options.seconds, "end by itself after that long"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "a JSON report per line"},
    };
    const struct verb_usage usage = {
        "top",
        "",
        "Shows the status again every second; one line per second where there is no terminal.\n",
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
    exit_code = top_run(&client, &options);
    client_close(&client);
    return exit_code;
}
