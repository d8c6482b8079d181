#include "config/keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/errors.h"
#include "config/keywords.h"
#include "config/prefix_text.h"
#include "config/scalar.h"

/* Bits of a mode that let anyone but the owner in. */
#define MODE_OTHERS 0077
/* So many hexadecimal digits in a row may be part of a key, unless they are a decimal number as a
 * producer's. */
#define HIDDEN_DIGITS_MIN 12
#define NUMBER_DIGITS_MAX 20

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Never shows what stands there: it may be most of a key. */
static bool hex_read(struct config *errors, const struct node *node, uint8_t out[SIPHASH_KEY_BYTES])
{
    if (!scalar_is(errors, node, "`key`")) {
        return false;
    }
    bool good = node->size == KEYS_HEX_SIZE_MAX - 1;
    for (uint32_t i = 0; good && i < SIPHASH_KEY_BYTES; i++) {
        int high = hex_digit(node->text[2 * i]);
        int low = hex_digit(node->text[2 * i + 1]);
        good = high >= 0 && low >= 0;
        out[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
    }
    if (!good) {
        error_at(errors, node, "`key` is not 32 hexadecimal digits; `freshet keys add` makes one");
    }
    return good;
}

static void key_read(struct config *errors, const struct node *map, struct producer_keys *producer)
{
    struct keyword_values values;
    uint64_t epoch;
    keyword_read_map(errors, map, PLACE_producer_key, &values);
    if (map->kind != NODE_MAP) {
        return;
    }
    struct producer_key *key = &producer->key[producer->key_count];
    const struct node *epoch_node = values.value[KEYWORD_producer_key_epoch];
    const struct node *key_node = values.value[KEYWORD_producer_key_key];
    if (node_map_find(map, "epoch") == NULL || node_map_find(map, "key") == NULL) {
        error_at(errors, map, "a key needs `epoch` and `key`");
        return;
    }
    if (epoch_node == NULL || key_node == NULL || !hex_read(errors, key_node, key->bytes) ||
        !scalar_read_uint(errors, epoch_node, "`epoch`", 0, UINT8_MAX, &epoch)) {
        return;
    }
    key->epoch = (uint8_t)epoch;
    if (producer->key_count > 0 && producer->key[0].epoch == key->epoch) {
        error_at(errors, epoch_node, "epoch %u stands twice; each key has its own", key->epoch);
        return;
    }
    producer->key_count++;
}

static void keys_list_read(struct config *errors, const struct node *list,
                           struct producer_keys *producer)
{
    if (list->kind == NODE_BROKEN) {
        return;
    }
    if (list->kind != NODE_LIST || list->size == 0 || list->size > PRODUCER_KEYS_MAX) {
        error_at(errors, list, "`keys` is a list of 1 or %u keys, the older first",
                 PRODUCER_KEYS_MAX);
        return;
    }
    for (const struct node *item = list->first; item != NULL; item = item->next) {
        key_read(errors, item, producer);
    }
}

static void producer_read(struct config *errors, const struct node *map, struct keys *keys)
{
    struct keyword_values values;
    const struct node *const *value = values.value;
    keyword_read_map(errors, map, PLACE_producer, &values);
    if (map->kind != NODE_MAP) {
        return;
    }
    struct producer_keys producer = {0};
    if (node_map_find(map, "producer") == NULL || node_map_find(map, "keys") == NULL) {
        error_at(errors, map, "a producer needs `producer` and `keys`");
        return;
    }
    const struct node *number = value[KEYWORD_producer_producer];
    if (number == NULL ||
        !scalar_read_uint(errors, number, "`producer`", 1, UINT64_MAX, &producer.producer)) {
        return;
    }
    if (keys_find(keys, producer.producer) != NULL) {
        error_at(errors, number, "producer %" PRIu64 " stands twice; one entry holds its keys",
                 producer.producer);
    }
    if (value[KEYWORD_producer_from] != NULL) {
        (void)prefix_scalar_read(errors, value[KEYWORD_producer_from], "`from`", &producer.from);
    }
    if (value[KEYWORD_producer_keys] != NULL) {
        keys_list_read(errors, value[KEYWORD_producer_keys], &producer);
    }
    keys->producer[keys->producer_count++] = producer;
    explicit_bzero(&producer, sizeof(producer));
}

static void root_read(struct config *errors, const char *name, const struct node *root,
                      struct keys *keys)
{
    struct keyword_values values;
    if (root == NULL || (root->kind == NODE_SCALAR && root->size == 0)) {
        error_in_file(errors, name, 0, 0, "names no producer; `producers:` is needed");
        return;
    }
    keyword_read_map(errors, root, PLACE_key_file, &values);
    if (root->kind != NODE_MAP) {
        return;
    }
    const struct node *list = values.value[KEYWORD_key_file_producers];
    if (node_map_find(root, "producers") == NULL) {
        error_at(errors, root, "a key file needs `producers`");
    }
    if (list == NULL || list->kind == NODE_BROKEN) {
        return;
    }
    if (list->kind != NODE_LIST || list->size == 0) {
        error_at(
            errors, list,
            "`producers` is a list of producers with their keys; `freshet keys add` makes one");
        return;
    }
    if (list->size > KEYS_PRODUCERS_MAX) {
        error_at(errors, list, "%u producers; at most %d are allowed", list->size,
                 KEYS_PRODUCERS_MAX);
        return;
    }
    for (const struct node *item = list->first; item != NULL; item = item->next) {
        producer_read(errors, item, keys);
    }
}

/* A key that is written in the wrong place is quoted like any wrong word: digits become stars. */
static void errors_hide_keys(struct config *errors)
{
    uint32_t kept =
        errors->error_count < CONFIG_ERRORS_MAX ? errors->error_count : CONFIG_ERRORS_MAX;
    for (uint32_t i = 0; i < kept; i++) {
        char *at = errors->error[i].text;
        while (*at != '\0') {
            size_t digits = strspn(at, "0123456789abcdefABCDEF");
            bool number = strspn(at, "0123456789") == digits && digits <= NUMBER_DIGITS_MAX;
            if (digits >= HIDDEN_DIGITS_MIN && !number) {
                memset(at, '*', digits);
            }
            at += digits > 0 ? digits : 1;
        }
    }
}

enum result keys_load_text(const char *name, const char *text, uint64_t size, struct config *errors,
                           struct keys *out_keys)
{
    struct node_tree tree;
    errors->error_count = 0;
    struct keys *keys = calloc(1, sizeof(*keys));
    if (keys == NULL) {
        error_in_file(errors, name, 0, 0, "the machine gave no memory for it");
        return RESULT_INVALID;
    }
    node_tree_init(&tree);
    const struct node *root = node_parse(&tree, errors, name, text, size);
    if (errors->error_count == 0) {
        root_read(errors, name, root, keys);
    }
    node_tree_deinit(&tree);
    error_sort(errors);
    errors_hide_keys(errors);
    bool good = errors->error_count == 0;
    if (good) {
        memcpy(out_keys, keys, sizeof(*keys));
    }
    explicit_bzero(keys, sizeof(*keys));
    free(keys);
    return good ? RESULT_OK : RESULT_INVALID;
}

/* Whether it is a file that only its owner can read. */
static bool mode_check(struct config *errors, const char *path, FILE *file)
{
    struct stat status;
    if (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) {
        error_in_file(errors, path, 0, 0, "is no file");
        return false;
    }
    if ((status.st_mode & MODE_OTHERS) != 0) {
        error_in_file(errors, path, 0, 0,
                      "has mode %04o, so others can read or change the keys; run: chmod 600 %s",
                      (unsigned)status.st_mode & 07777u, path);
        return false;
    }
    return true;
}

enum result keys_load(const char *path, struct config *errors, struct keys *out_keys)
{
    errors->error_count = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        enum result result = errno == ENOENT ? RESULT_NOT_FOUND : RESULT_INVALID;
        error_in_file(errors, path, 0, 0, "cannot be opened: %s", strerror(errno));
        return result;
    }
    enum result result = RESULT_INVALID;
    char *text = malloc(NODE_TEXT_SIZE_MAX + 1);
    if (text == NULL) {
        error_in_file(errors, path, 0, 0, "the machine gave no memory for it");
        goto close;
    }
    /* The stream keeps no copy of the keys. */
    (void)setvbuf(file, NULL, _IONBF, 0);
    if (!mode_check(errors, path, file)) {
        goto free_text;
    }
    size_t size = fread(text, 1, NODE_TEXT_SIZE_MAX + 1, file);
    if (ferror(file) != 0) {
        error_in_file(errors, path, 0, 0, "cannot be read: %s", strerror(errno));
    } else {
        result = keys_load_text(path, text, size, errors, out_keys);
    }
    explicit_bzero(text, size);
free_text:
    free(text);
close:
    (void)fclose(file);
    return result;
}
