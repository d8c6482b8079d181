/* freshet keys: makes, changes and lists the keys of producers. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "config/keys.h"
#include "config/prefix_text.h"
#include "controlplane/client.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"
#include "drivers/secret.h"

#define FILE_DEFAULT "keys.yaml"

struct keys_options {
    const char *file;
    const char *from; /* NULL: everywhere. */
    const char *server;
    uint64_t producer; /* 0: not written. */
    bool show;
    bool json;
};

/* A key file in hand. */
struct keys_hand {
    struct keys *keys; /* In memory. */
    struct secret memory;
    struct config *config; /* For errors. */
    int folder;            /* Locked while the file is read and written anew; -1: not. */
};

/* Two that change a file at once would lose one change: the second waits. */
static int folder_lock(const char *path)
{
    char folder[CONFIG_PATH_SIZE_MAX] = ".";
    const char *slash = strrchr(path, '/');
    if (slash != NULL && (size_t)(slash - path) + 1 < sizeof(folder)) {
        memcpy(folder, path, (size_t)(slash - path) + 1);
        folder[slash - path + 1] = '\0';
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        (void)fprintf(stderr, "freshet keys: %s: %s\n", folder, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    return fd;
}

static void hand_close(struct keys_hand *hand)
{
    secret_free(&hand->memory);
    heap_free(hand->config);
    if (hand->folder >= 0) {
        (void)close(hand->folder);
    }
}

static void errors_print(const struct config *config)
{
    for (uint32_t i = 0; i < config->error_count && i < CONFIG_ERRORS_MAX; i++) {
        const struct config_error *error = &config->error[i];
        if (error->line == 0) {
            (void)fprintf(stderr, "%s: %s\n", error->file, error->text);
        } else {
            (void)fprintf(stderr, "%s:%u:%u: %s\n", error->file, error->line, error->column,
                          error->text);
        }
    }
}

/* Reads the file. Returns an exit code; says why it is not VERB_EXIT_OK. A file that is not there
 * is empty for whoever may make it. */
static int hand_open(const struct keys_options *options, bool change, bool make,
                     struct keys_hand *hand)
{
    *hand = (struct keys_hand){.folder = -1};
    hand->config = heap_alloc(sizeof(*hand->config));
    if (hand->config == NULL || secret_alloc(sizeof(struct keys), &hand->memory) != RESULT_OK) {
        (void)fprintf(stderr, "freshet keys: the machine gave no memory\n");
        return VERB_EXIT_FAILED;
    }
    hand->keys = hand->memory.base;
    if (change) {
        hand->folder = folder_lock(options->file);
        if (hand->folder < 0) {
            return VERB_EXIT_FAILED;
        }
    }
    enum result result = keys_load(options->file, hand->config, hand->keys);
    if (result == RESULT_OK || (result == RESULT_NOT_FOUND && make)) {
        return VERB_EXIT_OK;
    }
    errors_print(hand->config);
    return VERB_EXIT_CONFIG;
}

static json_t *producer_json(const struct producer_keys *producer)
{
    char from[PREFIX_TEXT_SIZE_MAX];
    json_t *epochs = json_array();
    for (uint32_t i = 0; i < producer->key_count; i++) {
        (void)json_array_append_new(epochs, json_integer(producer->key[i].epoch));
    }
    (void)prefix_text(&producer->from, from);
    /* Numbers above 2^53 do not survive every reader of JSON: a text. */
    char number[24];
    (void)snprintf(number, sizeof(number), "%" PRIu64, producer->producer);
    return json_pack("{s:s, s:o, s:o}", "producer", number, "epochs", epochs, "from",
                     from[0] == '\0' ? json_null() : json_string(from));
}

static int json_print(json_t *object)
{
    int exit_code = VERB_EXIT_OK;
    if (object == NULL || json_dumpf(object, stdout, JSON_INDENT(2)) != 0) {
        (void)fprintf(stderr, "freshet keys: the answer could not be written\n");
        exit_code = VERB_EXIT_FAILED;
    }
    printf("\n");
    json_decref(object);
    return exit_code;
}

static int keys_list(const struct keys_options *options)
{
    struct keys_hand hand;
    int exit_code = hand_open(options, false, false, &hand);
    if (exit_code == VERB_EXIT_OK && options->json) {
        json_t *list = json_array();
        for (uint32_t i = 0; i < hand.keys->producer_count; i++) {
            (void)json_array_append_new(list, producer_json(&hand.keys->producer[i]));
        }
        exit_code = json_print(json_pack("{s:s, s:o}", "file", options->file, "producers", list));
    } else if (exit_code == VERB_EXIT_OK) {
        printf("%-20s  %-8s  %s\n", "producer", "epochs", "from");
        for (uint32_t i = 0; i < hand.keys->producer_count; i++) {
            const struct producer_keys *producer = &hand.keys->producer[i];
            char from[PREFIX_TEXT_SIZE_MAX];
            char epochs[16];
            (void)snprintf(epochs, sizeof(epochs), producer->key_count == 2 ? "%u, %u" : "%u",
                           producer->key[0].epoch, producer->key[1].epoch);
            (void)prefix_text(&producer->from, from);
            printf("%-20" PRIu64 "  %-8s  %s\n", producer->producer, epochs,
                   from[0] == '\0' ? "everywhere" : from);
        }
    }
    hand_close(&hand);
    return exit_code;
}

/* What the producer's side has to know; the key itself only where it was asked for. */
static int change_print(const struct keys_options *options, const char *change,
                        const struct producer_keys *producer)
{
    const struct producer_key *newest = &producer->key[producer->key_count - 1];
    char hex[KEYS_HEX_SIZE_MAX];
    (void)keys_hex(newest->bytes, hex);
    int exit_code = VERB_EXIT_OK;
    if (options->json) {
        json_t *object = producer_json(producer);
        (void)json_object_set_new(object, "epoch", json_integer(newest->epoch));
        if (options->show) {
            (void)json_object_set_new(object, "key", json_string(hex));
        }
        exit_code = json_print(object);
    } else {
        printf("%s: producer %" PRIu64 ", epoch %u in %s\n", change, producer->producer,
               newest->epoch, options->file);
        if (options->show) {
            printf("key: %s\n", hex);
        }
        printf("then: freshet keys reload\n");
    }
    secret_wipe(hex, sizeof(hex));
    return exit_code;
}

static bool change_apply(const struct keys_options *options, struct keys *keys, bool add,
                         const struct prefix *from)
{
    uint8_t bytes[SIPHASH_KEY_BYTES];
    enum result result = secret_fill(bytes, sizeof(bytes));
    if (result == RESULT_OK) {
        result = add ? keys_add(keys, options->producer, from, bytes)
                     : keys_rotate(keys, options->producer, bytes);
    }
    secret_wipe(bytes, sizeof(bytes));
    if (result == RESULT_EXISTS) {
        (void)fprintf(stderr,
                      "freshet keys: producer %" PRIu64 " has keys in %s already; `freshet keys "
                      "rotate` gives it a new one\n",
                      options->producer, options->file);
    } else if (result == RESULT_NOT_FOUND) {
        (void)fprintf(stderr,
                      "freshet keys: producer %" PRIu64 " has no keys in %s; `freshet keys add` "
                      "makes its first one\n",
                      options->producer, options->file);
    } else if (result != RESULT_OK) {
        (void)fprintf(stderr, "freshet keys: %s\n", result_name(result));
    }
    return result == RESULT_OK;
}

static int keys_change(const struct keys_options *options, bool add, const struct prefix *from)
{
    struct keys_hand hand;
    char error[KEYS_ERROR_SIZE_MAX];
    int exit_code = hand_open(options, true, add, &hand);
    if (exit_code != VERB_EXIT_OK) {
        goto close;
    }
    exit_code = VERB_EXIT_FAILED;
    if (!change_apply(options, hand.keys, add, from)) {
        goto close;
    }
    if (keys_store(options->file, hand.keys, error) != RESULT_OK) {
        (void)fprintf(stderr, "freshet keys: %s\n", error);
        goto close;
    }
    exit_code =
        change_print(options, add ? "added" : "rotated", keys_find(hand.keys, options->producer));
close:
    hand_close(&hand);
    return exit_code;
}

/* Asks the running appliance to read its key files again. */
static int keys_ask_reload(const struct keys_options *options)
{
    static const char *const command[] = {"FS.KEYS", "RELOAD"};
    struct client client;
    if (!client_open(&client, "keys", options->server)) {
        return VERB_EXIT_FAILED;
    }
    redisReply *reply = client_command(&client, ARRAY_COUNT(command), command);
    if (reply != NULL) {
        printf("reloaded\n");
        freeReplyObject(reply);
    }
    client_close(&client);
    return reply != NULL ? VERB_EXIT_OK : VERB_EXIT_FAILED;
}

static int change_verb(const struct verb_usage *usage, const struct keys_options *options, bool add)
{
    struct prefix from = {0};
    if (options->producer == 0) {
        return verb_usage_error(usage, "%s needs --producer, a number from 1",
                                add ? "add" : "rotate");
    }
    if (options->from != NULL && !add) {
        return verb_usage_error(usage, "--from belongs to add; change it in the file");
    }
    if (options->from != NULL && !prefix_text_read(options->from, &from)) {
        return verb_usage_error(usage,
                                "--from %s: an address with its prefix is allowed, the bits "
                                "behind it zero, as 192.0.2.0/24",
                                options->from);
    }
    return keys_change(options, add, &from);
}

int keys_verb(int argc, char **argv)
{
    struct keys_options options = {.file = FILE_DEFAULT};
    const struct verb_option option[] = {
        {"file", "FILE", VERB_OPTION_TEXT, &options.file, "key file; else " FILE_DEFAULT},
        {"producer", "N", VERB_OPTION_NUMBER, &options.producer, "whose key, from 1"},
        {"from", "PREFIX", VERB_OPTION_TEXT, &options.from, "add: where it may send from"},
        {"show", NULL, VERB_OPTION_FLAG, &options.show, "add, rotate: print the new key, once"},
        {"server", "PATH|HOST:PORT", VERB_OPTION_TEXT, &options.server,
         "reload: " CLIENT_SERVER_SENTENCE},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "one JSON object on stdout"},
    };
    const struct verb_usage usage = {
        "keys",
        "add|rotate|list|reload",
        "add: makes the first key of a producer; the file is made when there is none.\n"
        "rotate: gives it a new key under the next epoch, keeps one older key.\n"
        "list: producers, epochs and prefixes; never a key.\n"
        "reload: the running appliance reads its key files again.\n",
        option,
        ARRAY_COUNT(option),
        1,
        1};
    int exit_code = VERB_EXIT_OK;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    if (strcmp(argv[1], "add") == 0 || strcmp(argv[1], "rotate") == 0) {
        return change_verb(&usage, &options, argv[1][0] == 'a');
    }
    if (strcmp(argv[1], "list") == 0) {
        return keys_list(&options);
    }
    if (strcmp(argv[1], "reload") == 0) {
        return keys_ask_reload(&options);
    }
    return verb_usage_error(&usage, "%s: add, rotate, list and reload are known", argv[1]);
}
