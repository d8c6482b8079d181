/* freshet backfill: asks the running appliance to fill a view, and shows how far it is. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/backfill.h"
#include "controlplane/backfill_from.h"
#include "controlplane/client.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"

#define LOOK_NS (100 * NS_PER_SECOND / 1000)
/* FS.BACKFILL START view RATE n, and two words for each file. */
#define WORDS_MAX (5 + 2 * BACKFILL_PATHS_MAX)

struct backfill_options {
    const char *server;
    const char *user;
    uint64_t rate;
    bool json;
    struct backfill_from from; /* path NULL: the mirror alone. */
};

/* What was asked for, as words of a command. */
struct words {
    uint32_t count;
    const char *word[WORDS_MAX];
    char rate[24];
    char *path[BACKFILL_PATHS_MAX]; /* Owned; absolute, for the appliance is elsewhere. */
};

static void words_free(struct words *words)
{
    for (uint32_t i = 0; i < BACKFILL_PATHS_MAX; i++) {
        free(words->path[i]);
    }
}

/* False after saying why. */
static bool words_make(const struct backfill_options *options, int argc, char **argv,
                       struct words *out)
{
    *out = (struct words){.count = 3, .word = {"FS.BACKFILL", "START", argv[1]}};
    if (options->rate > 0) {
        (void)snprintf(out->rate, sizeof(out->rate), "%llu", (unsigned long long)options->rate);
        out->word[out->count++] = "RATE";
        out->word[out->count++] = out->rate;
    }
    for (int i = 2; i < argc; i++) {
        out->path[i - 2] = realpath(argv[i], NULL);
        if (out->path[i - 2] == NULL) {
            (void)fprintf(stderr, "freshet backfill: %s: %s\n", argv[i], strerror(errno));
            return false;
        }
        out->word[out->count++] = "FILE";
        out->word[out->count++] = out->path[i - 2];
    }
    return true;
}

static const char *text_of(const json_t *status, const char *name)
{
    const char *text = json_string_value(json_object_get(status, name));
    return text == NULL ? "" : text;
}

static double real_of(const json_t *status, const char *name)
{
    return json_number_value(json_object_get(status, name));
}

static void progress_print(const json_t *status, bool line_again)
{
    const json_t *left = json_object_get(status, "seconds_left");
    (void)fprintf(stderr, "%s%s %s: %3.0f %%, %lld events, %.0f a second", line_again ? "\r" : "",
                  text_of(status, "view"), text_of(status, "state"), 100 * real_of(status, "share"),
                  (long long)real_of(status, "events"), real_of(status, "events_per_second"));
    if (json_is_number(left)) {
        (void)fprintf(stderr, ", %.0f s left", json_number_value(left));
    }
    (void)fprintf(stderr, line_again ? "   " : "\n");
}

/* What was said last, once it is over: a new reference, or NULL with the reason on stderr. */
static json_t *backfill_await(struct client *client, bool json)
{
    static const char *const command[] = {"FS.BACKFILL", "STATUS"};
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    bool terminal = !json && isatty(STDERR_FILENO) == 1;
    for (uint32_t look = 0;; look++) {
        json_t *status = client_json(client, ARRAY_COUNT(command), command);
        const char *state = text_of(status, "state");
        bool over = strcmp(state, "done") == 0 || strcmp(state, "failed") == 0;
        bool shown = !json && status != NULL && (terminal || look % 50 == 49);
        if (shown && !over) {
            progress_print(status, terminal);
        }
        if (status == NULL || over) {
            (void)fprintf(stderr, "%s", terminal ? "\n" : "");
            return status;
        }
        json_decref(status);
        (void)nanosleep(&pause, NULL);
    }
}

static int result_print(const json_t *status, bool json)
{
    bool done = strcmp(text_of(status, "state"), "done") == 0;
    if (json) {
        (void)json_dumpf(status, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
        printf("\n");
    }
    if (done && !json) {
        char since[32] = "";
        time_t second = (time_t)(real_of(status, "since_us") / (double)US_PER_SECOND);
        struct tm utc;
        if (gmtime_r(&second, &utc) != NULL) {
            (void)strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", &utc);
        }
        printf("%s@%d: %lld events in %.3f s, history since %s; it is served, and a restart loads "
               "it\n",
               text_of(status, "view"), (int)real_of(status, "version"),
               (long long)real_of(status, "events"), real_of(status, "seconds"), since);
    }
    if (done) {
        return VERB_EXIT_OK;
    }
    long long more = (long long)real_of(status, "error_count") - 1;
    (void)fprintf(stderr, "%s%s\n",
                  json_is_true(json_object_get(status, "bad_files")) ? "" : "freshet backfill: ",
                  text_of(status, "error"));
    if (more > 0) {
        (void)fprintf(stderr, "%lld more error%s; freshet check shows those of the files alone\n",
                      more, more == 1 ? "" : "s");
    }
    return json_is_true(json_object_get(status, "bad_files")) ? VERB_EXIT_CONFIG : VERB_EXIT_FAILED;
}

static bool options_check(const struct verb_usage *usage, struct backfill_options *options,
                          int argc, int *out_exit)
{
    struct backfill_from *from = &options->from;
    bool identified = from->producer != 0 || from->incarnation != 0;
    *out_exit = VERB_EXIT_OK;
    if (from->path == NULL) {
        bool alone = from->stream == NULL && from->to == NULL && from->keys == NULL &&
                     from->before == NULL && !identified;
        if (!alone) {
            *out_exit = verb_usage_error(usage, "--stream, --to, --before, --keys, --producer and "
                                                "--incarnation are for --from");
        }
    } else if (argc < 3) {
        *out_exit = verb_usage_error(usage, "--from needs the definitions: name their files");
    } else if (identified && (from->producer == 0 || from->incarnation == 0)) {
        *out_exit = verb_usage_error(
            usage, "--producer needs --incarnation: one for each file, greater than those before");
    } else if (from->keys != NULL && from->producer == 0) {
        *out_exit = verb_usage_error(usage, "--keys needs --producer, whose key it is");
    } else if (from->incarnation > UINT32_MAX) {
        *out_exit = verb_usage_error(usage, "--incarnation: at most 4294967295");
    }
    return *out_exit == VERB_EXIT_OK;
}

/* Says where the view does not go back as far as its file; false: it lacks events of it. */
static bool history_check(const json_t *status, const json_t *account)
{
    const json_t *oldest = json_object_get(account, "oldest_us");
    const json_t *since = json_object_get(status, "since_us");
    bool alone = json_is_true(json_object_get(account, "alone"));
    if (account == NULL || !alone || json_integer_value(since) <= json_integer_value(oldest)) {
        return true;
    }
    const json_t *taken = json_object_get(status, "history_us");
    bool has_oldest =
        json_is_integer(taken) && json_integer_value(taken) <= json_integer_value(oldest);
    (void)fprintf(stderr, "freshet backfill: %s\n",
                  has_oldest
                      ? "what came between the file and what is kept of the mirror may be "
                        "missing: windows that reach before that are PARTIAL"
                      : "the view lacks events of the file: they broke a rule (see freshet drops), "
                        "or are in logs that are kept no longer. Such a file is loaded again under "
                        "a --producer and --incarnation of its own, for a newer version of the "
                        "view");
    return has_oldest;
}

/* account: of what was loaded from a file before; NULL: nothing. Stolen. */
static int backfill_run(struct client *client, const struct words *words, bool json,
                        json_t *account)
{
    redisReply *reply = client_command(client, words->count, words->word);
    json_t *status = reply == NULL ? NULL : backfill_await(client, json);
    freeReplyObject(reply);
    int exit_code = VERB_EXIT_FAILED;
    if (status != NULL) {
        (void)json_object_set(status, "from", account == NULL ? json_null() : account);
        exit_code = result_print(status, json);
        bool has_file = exit_code != VERB_EXIT_OK || history_check(status, account);
        exit_code = has_file ? exit_code : VERB_EXIT_FAILED;
    }
    json_decref(status);
    json_decref(account);
    return exit_code;
}

/* The file's events first, if any; then the view. */
static int file_and_view(struct client *client, struct backfill_options *options, int argc,
                         char **argv)
{
    struct words words;
    json_t *account = NULL;
    int exit_code = words_make(options, argc, argv, &words) ? VERB_EXIT_OK : VERB_EXIT_FAILED;
    if (exit_code == VERB_EXIT_OK && options->from.path != NULL) {
        options->from.view = argv[1];
        options->from.definition = argv + 2;
        options->from.definition_count = (uint32_t)argc - 2;
        options->from.rate = options->rate;
        options->from.json = options->json;
        exit_code = backfill_from_load(&options->from, client, &account);
    }
    bool whole = json_integer_value(json_object_get(account, "not_events")) == 0;
    if (exit_code == VERB_EXIT_OK) {
        exit_code = backfill_run(client, &words, options->json, account);
        exit_code = exit_code == VERB_EXIT_OK && !whole ? VERB_EXIT_FAILED : exit_code;
    }
    words_free(&words);
    return exit_code;
}

int backfill_verb(int argc, char **argv)
{
    struct backfill_options options = {.from = {.verb = "backfill"}};
    struct backfill_from *from = &options.from;
    const struct verb_option option[] = {
        {"from", "FILE", VERB_OPTION_TEXT, &from->path,
         "events of before the store was made: CSV, NDJSON or Parquet"},
        {"before", "TIME", VERB_OPTION_TEXT, &from->before,
         "of the file, only events before it (when the store was made)"},
        {"stream", "NAME", VERB_OPTION_TEXT, &from->stream,
         "what the file's events are (the view's stream, where it has one)"},
        {"to", "HOST:PORT", VERB_OPTION_TEXT, &from->to,
         "where the appliance takes events (the definitions' first listener)"},
        {"keys", "FILE", VERB_OPTION_TEXT, &from->keys,
         "key file: tag messages with --producer's key"},
        {"producer", "N", VERB_OPTION_NUMBER, &from->producer,
         "identity of the file's sender (a number of what the file has)"},
        {"incarnation", "N", VERB_OPTION_NUMBER, &from->incarnation,
         "with --producer: one for each file, greater than those before"},
        {"rate", "EVENTS", VERB_OPTION_NUMBER, &options.rate,
         "of history, a second (as many as the shards take beside what comes)"},
        {"server", "PATH|HOST:PORT", VERB_OPTION_TEXT, &options.server, CLIENT_SERVER_SENTENCE},
        {"user", "NAME", VERB_OPTION_TEXT, &options.user, CLIENT_USER_SENTENCE},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "one JSON object on stdout at the end"},
    };
    const struct verb_usage usage = {
        "backfill",
        "VIEW [--from FILE] [DEFINITIONS...]",
        "Gives a view that is new in the definition files, or has a newer version there, its\n"
        "history from the mirror of the running appliance, and waits until it is served. Without\n"
        "files it reads those again that the appliance was started with. What else is new in them\n"
        "is filled with it; streams and options must be as they run. Ending this verb ends\n"
        "nothing: asking again shows how far it is.\n"
        "With --from the events of a file go into the mirror first, as history of their stream:\n"
        "views that are filled from then on take them, those that run do not. The same file\n"
        "counts once: when this was ended, the same command goes on. Exit 1 also when records of\n"
        "the file are no events: the view is served without them.\n",
        option,
        ARRAY_COUNT(option),
        1,
        1 + BACKFILL_PATHS_MAX};
    int exit_code = VERB_EXIT_OK;
    struct client client;
    if (!verb_parse(&usage, &argc, argv, &exit_code) ||
        !options_check(&usage, &options, argc, &exit_code)) {
        return exit_code;
    }
    if (!client_open_as(&client, usage.name, options.server, options.user)) {
        return VERB_EXIT_FAILED;
    }
    exit_code = file_and_view(&client, &options, argc, argv);
    client_close(&client);
    return exit_code;
}
