/* The card of a training set: what it was made of, so that it can be made again. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/json_text.h"
#include "controlplane/train_logged.h"
#include "dataplane/base/units.h"

static void hex_set(json_t *object, const char *name, const void *bytes, uint32_t size)
{
    char text[2 * MIRROR_STORE_ID_BYTES + 1] = "";
    const uint8_t *byte = bytes;
    for (uint32_t i = 0; i < size && i < MIRROR_STORE_ID_BYTES; i++) {
        (void)snprintf(text + 2 * (size_t)i, 3, "%02x", byte[i]);
    }
    (void)json_object_set_new(object, name, json_string(text));
}

static void number_set(json_t *object, const char *name, uint64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%016" PRIx64, number);
    (void)json_object_set_new(object, name, json_string(text));
}

static json_t *mirror_make(const struct train *train)
{
    const struct mirror_range *range = mirror_history_range(train->mirror);
    json_t *mirror = json_object();
    json_t *shards = json_array();
    hex_set(mirror, "store", range->store_id, sizeof(range->store_id));
    (void)json_object_set_new(mirror, "corrections",
                              json_integer((json_int_t)mirror_history_corrections(train->mirror)));
    (void)json_object_set_new(mirror, "since_us", json_integer(range->since_us));
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        if (range->last_lsn[i] != 0) {
            json_t *shard = json_object();
            (void)json_object_set_new(shard, "shard", json_integer(i));
            (void)json_object_set_new(shard, "first_lsn",
                                      json_integer((json_int_t)range->first_lsn[i]));
            (void)json_object_set_new(shard, "last_lsn",
                                      json_integer((json_int_t)range->last_lsn[i]));
            (void)json_array_append_new(shards, shard);
        }
    }
    (void)json_object_set_new(mirror, "shards", shards);
    return mirror;
}

/* By feature, how many values serving returned otherwise. */
static json_t *differences_make(const struct train *train)
{
    json_t *differences = json_object();
    for (uint32_t i = 0; i < train->service->item_count; i++) {
        if (train->sums.differ[i] > 0) {
            json_t *own = json_object();
            (void)json_object_set_new(own, "differ",
                                      json_integer((json_int_t)train->sums.differ[i]));
            (void)json_object_set_new(own, "unexplained",
                                      json_integer((json_int_t)train->sums.unexplained[i]));
            (void)json_object_set_new(differences, train->service->item[i].name, own);
        }
    }
    return differences;
}

static json_t *card_make(const struct train *train)
{
    json_t *card = json_object();
    json_t *service = json_object();
    json_t *labels = json_object();
    json_t *statuses = json_object();
    json_t *command = json_array();
    (void)json_object_set_new(service, "name", json_string(train->service->name));
    (void)json_object_set_new(service, "version", json_integer(train->service->version));
    (void)json_object_set_new(card, "service", service);
    number_set(card, "definitions", train->config->plan.fingerprint);
    (void)json_object_set_new(card, "mode", json_string(train_mode_name(train)));
    if (train->logged != NULL) {
        (void)json_object_set_new(card, "logged", train_logged_json(train));
    } else {
        (void)json_object_set_new(card, "mirror", mirror_make(train));
    }
    (void)json_object_set_new(labels, "file", json_text(train->options->labels));
    hex_set(labels, "xxh3_128", train->label_hash, sizeof(train->label_hash));
    (void)json_object_set_new(labels, "rows", json_integer((json_int_t)train->rows));
    (void)json_object_set_new(card, "labels", labels);
    for (uint32_t i = 0; i < ARRAY_COUNT(train->sums.status); i++) {
        (void)json_object_set_new(statuses, answer_status_name((enum answer_status)i),
                                  json_integer((json_int_t)train->sums.status[i]));
    }
    (void)json_object_set_new(card, "values_by_status", statuses);
    if (train->known != NULL) {
        (void)json_object_set_new(card, "against_as_known", differences_make(train));
    }
    for (int i = 0; i < train->options->argument_count; i++) {
        (void)json_array_append_new(command, json_text(train->options->arguments[i]));
    }
    (void)json_object_set_new(card, "command", command);
    return card;
}

void train_card_path(const struct train *train, char out[TRAIN_PATH_SIZE_MAX])
{
    (void)snprintf(out, TRAIN_PATH_SIZE_MAX, "%s.card.json", train->options->out);
}

void train_card_remove(const struct train *train)
{
    char path[TRAIN_PATH_SIZE_MAX];
    train_card_path(train, path);
    (void)unlink(path);
}

enum result train_card_write(struct train *train)
{
    char path[TRAIN_PATH_SIZE_MAX];
    char tmp[TRAIN_PATH_SIZE_MAX + 8];
    train_card_path(train, path);
    (void)snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    json_t *card = card_make(train);
    FILE *file = fopen(tmp, "we");
    bool good = file != NULL && json_dumpf(card, file, JSON_INDENT(2)) == 0 &&
                fputc('\n', file) != EOF && fflush(file) == 0;
    good = (file == NULL || fclose(file) == 0) && good;
    good = good && rename(tmp, path) == 0;
    enum result result = good ? RESULT_OK : train_fail(train, "%s: %s", path, strerror(errno));
    json_decref(card);
    if (!good) {
        (void)unlink(tmp);
    }
    return result;
}
