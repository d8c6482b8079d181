/* freshet drops: the last events that were not applied, and why. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/client.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/limits.h"

#define FOLLOW_EVERY_NS (500 * 1000 * 1000)

struct drops_options {
    const char *server;
    const char *user;
    double seconds; /* Of --follow; 0: until interrupted. */
    bool follow;
    bool json;
};

static const char *text_of(const json_t *object, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL || text[0] == '\0' ? otherwise : text;
}

static int64_t integer_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void drop_print(const json_t *drop)
{
    int64_t time_us = integer_of(drop, "time_us");
    time_t seconds = (time_t)(time_us / US_PER_SECOND);
    struct tm utc;
    char time_text[32];
    (void)gmtime_r(&seconds, &utc);
    (void)strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S", &utc);
    printf("%s.%06d shard %" PRId64 "  %s: %s\n", time_text, (int)(time_us % US_PER_SECOND),
           integer_of(drop, "shard"), text_of(drop, "reason", "-"), text_of(drop, "sentence", "-"));
    printf("    from %s, stream %s, field %s, at byte %" PRId64 "\n", text_of(drop, "sender", "-"),
           text_of(drop, "stream", "-"), text_of(drop, "field", "-"), integer_of(drop, "offset"));
    printf("    first bytes: %s\n    hint: %s\n", text_of(drop, "bytes", "-"),
           text_of(drop, "hint", "-"));
}

/* Prints what is new and remembers it: after[shard] is the number of the last one shown. */
static void drops_print(const json_t *drops, bool json_lines, uint64_t after[SHARDS_MAX])
{
    size_t i;
    const json_t *drop;
    json_array_foreach(drops, i, drop)
    {
        int64_t shard = integer_of(drop, "shard");
        if (json_lines) {
            (void)json_dumpf(drop, stdout, JSON_COMPACT);
            printf("\n");
        } else {
            drop_print(drop);
        }
        if (shard >= 0 && shard < SHARDS_MAX) {
            after[shard] = (uint64_t)integer_of(drop, "number");
        }
    }
    (void)fflush(stdout);
}

static json_t *drops_ask(struct client *client, const uint64_t after[SHARDS_MAX])
{
    const char *argument[2 + 2 * SHARDS_MAX] = {"FS.DROPS", "AFTER"};
    char text[SHARDS_MAX][2][24];
    uint32_t count = 2;
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
        if (after[shard] == 0) {
            continue;
        }
        (void)snprintf(text[shard][0], sizeof(text[shard][0]), "%u", shard);
        (void)snprintf(text[shard][1], sizeof(text[shard][1]), "%" PRIu64, after[shard]);
        argument[count++] = text[shard][0];
        argument[count++] = text[shard][1];
    }
    return client_json(client, count == 2 ? 1 : count, argument);
}

static int drops_run(struct client *client, const struct drops_options *options)
{
    const struct timespec pause = {.tv_nsec = FOLLOW_EVERY_NS};
    uint64_t after[SHARDS_MAX] = {0};
    for (uint32_t round = 0;; round++) {
        json_t *drops = drops_ask(client, after);
        if (drops == NULL) {
            return VERB_EXIT_FAILED;
        }
        if (options->json && !options->follow) {
            (void)json_dumpf(drops, stdout, JSON_INDENT(2));
            printf("\n");
        } else {
            drops_print(drops, options->json, after);
        }
        if (!options->follow && !options->json && json_array_size(drops) == 0) {
            printf("no drops\n");
        }
        json_decref(drops);
        double elapsed = (double)round * FOLLOW_EVERY_NS / 1e9;
        if (!options->follow || ferror(stdout) != 0 ||
            (options->seconds > 0 && elapsed >= options->seconds)) {
            return VERB_EXIT_OK;
        }
        (void)nanosleep(&pause, NULL);
    }
}

int drops_verb(int argc, char **argv)
{
    struct drops_options options = {0};
    const struct verb_option option[] = {
        {"server", "PATH|HOST:PORT", VERB_OPTION_TEXT, &options.server, CLIENT_SERVER_SENTENCE},
        {"user", "NAME", VERB_OPTION_TEXT, &options.user, CLIENT_USER_SENTENCE},
        {"follow", NULL, VERB_OPTION_FLAG, &options.follow, "wait for more"},
        {"for", "SECONDS", VERB_OPTION_SECONDS, &options.seconds, "with --follow: how long"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json,
         "a JSON array; with --follow an object per line"},
    };
    const struct verb_usage usage = {
        "drops",
        "",
        "Shows the last 64 drops of each shard, at most one per second and reason: why, who sent "
        "it,\nwhich field, where in the datagram, its first bytes, and what to do about it.\n",
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
    exit_code = drops_run(&client, &options);
    client_close(&client);
    return exit_code;
}
