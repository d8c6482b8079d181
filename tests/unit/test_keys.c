/* Key files: what is taken, every error with its place, and the way to the disk and back. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/keys.h"
#include "config/prefix_text.h"
#include "dataplane/base/units.h"

#define KEY_A "00112233445566778899aabbccddeeff"
#define KEY_B "FFEEDDCCBBAA99887766554433221100"

struct place {
    struct config config;
    struct keys keys;
    struct keys again;
    char folder[64];
    char path[96];
};

static int place_open(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    (void)snprintf(place->folder, sizeof(place->folder), "/tmp/freshet_keys_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    (void)snprintf(place->path, sizeof(place->path), "%s/keys.yaml", place->folder);
    *state = place;
    return 0;
}

static int place_close(void **state)
{
    struct place *place = *state;
    (void)unlink(place->path);
    assert_int_equal(rmdir(place->folder), 0);
    free(place);
    return 0;
}

static const struct {
    const char *sentence;
    const char *text;
    const char *error; /* The first one. */
} rows[] = {
    {"nothing", "", "f: names no producer; `producers:` is needed"},
    {"an empty map", "{}", "f:1:1: a key file needs `producers`"},
    {"a word", "keys", "f:1:1: a key file is a map of `key: value` lines"},
    {"producers without a value", "producers:\n", "f:1:1: `producers` has no value: who may send"},
    {"no producer", "producers: []\n",
     "f:1:12: `producers` is a list of producers with their keys; `freshet keys add` makes one"},
    {"a map of producers", "producers: {7: x}\n",
     "f:1:12: `producers` is a list of producers with their keys; `freshet keys add` makes one"},
    {"a word as producer", "producers: [7]\n",
     "f:1:13: an entry of `producers` is a map of `key: value` lines"},
    {"a producer without keys", "producers: [{producer: 7}]\n",
     "f:1:13: a producer needs `producer` and `keys`"},
    {"producer 0, which is text's",
     "producers: [{producer: 0, keys: [{epoch: 1, key: " KEY_A "}]}]\n",
     "f:1:24: `producer` is `0`; a whole number from 1 to 18446744073709551615 is allowed"},
    {"no key", "producers: [{producer: 7, keys: []}]\n",
     "f:1:33: `keys` is a list of 1 or 2 keys, the older first"},
    {"three keys",
     "producers: [{producer: 7, keys: [{epoch: 1, key: " KEY_A "}, {epoch: 2, key: " KEY_A
     "}, {epoch: 3, key: " KEY_A "}]}]\n",
     "f:1:33: `keys` is a list of 1 or 2 keys, the older first"},
    {"a key without its epoch", "producers: [{producer: 7, keys: [{key: " KEY_A "}]}]\n",
     "f:1:34: a key needs `epoch` and `key`"},
    {"an epoch beyond a byte", "producers: [{producer: 7, keys: [{epoch: 256, key: " KEY_A "}]}]\n",
     "f:1:42: `epoch` is `256`; a whole number from 0 to 255 is allowed"},
    {"one epoch twice",
     "producers: [{producer: 7, keys: [{epoch: 1, key: " KEY_A "}, {epoch: 1, key: " KEY_B "}]}]\n",
     "f:1:93: epoch 1 stands twice; each key has its own"},
    {"one producer twice",
     "producers:\n"
     "- {producer: 7, keys: [{epoch: 1, key: " KEY_A "}]}\n"
     "- {producer: 7, keys: [{epoch: 1, key: " KEY_A "}]}\n",
     "f:3:14: producer 7 stands twice; one entry holds its keys"},
    {"a short key, which is not shown",
     "producers: [{producer: 7, keys: [{epoch: 1, key: 0011223344556677}]}]\n",
     "f:1:50: `key` is not 32 hexadecimal digits; `freshet keys add` makes one"},
    {"a key with a letter too far",
     "producers: [{producer: 7, keys: [{epoch: 1, key: g0112233445566778899aabbccddeeff}]}]\n",
     "f:1:50: `key` is not 32 hexadecimal digits; `freshet keys add` makes one"},
    {"a key whose colon was forgotten, which is not shown",
     "producers: [{producer: 7, keys: [{epoch: 1, " KEY_A ": key}]}]\n",
     "f:1:34: a key needs `epoch` and `key`"},
    {"a prefix with bits behind it",
     "producers: [{producer: 7, from: 192.0.2.1/24, keys: [{epoch: 1, key: " KEY_A "}]}]\n",
     "f:1:33: `from` is `192.0.2.1/24`; an address with its prefix is allowed, the bits behind it "
     "zero, as 192.0.2.0/24 or \"2001:db8::/32\""},
    {"an unknown key", "producers: [{producer: 7, form: x, keys: [{epoch: 1, key: " KEY_A "}]}]\n",
     "f:1:27: `form` is no key of an entry of `producers`; did you mean `from`? allowed: "
     "producer, keys, from"},
};

static void a_wrong_file_is_refused_with_its_place_and_without_its_keys(void **state)
{
    struct place *place = *state;
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct config_error *first = &place->config.error[0];
        char said[1024];
        enum result result =
            keys_load_text("f", rows[i].text, strlen(rows[i].text), &place->config, &place->keys);
        assert_true(result != RESULT_OK && place->config.error_count > 0);
        assert_int_equal(place->keys.producer_count, 0);
        (void)snprintf(said, sizeof(said), first->line == 0 ? "%s" : "%s:%u:%u", first->file,
                       first->line, first->column);
        (void)snprintf(said + strlen(said), sizeof(said) - strlen(said), ": %s", first->text);
        if (strcmp(said, rows[i].error) != 0) {
            print_error("%s: said\n%s\nexpected\n%s\n", rows[i].sentence, said, rows[i].error);
            wrong++;
        }
        for (uint32_t e = 0; e < place->config.error_count; e++) {
            assert_null(strstr(place->config.error[e].text, "0011223344"));
        }
    }
    assert_int_equal(wrong, 0);
}

static void a_good_file_is_taken_as_it_stands(void **state)
{
    struct place *place = *state;
    static const char text[] = "# keys\n"
                               "producers:\n"
                               "  - producer: 7\n"
                               "    from: 192.0.2.0/24\n"
                               "    keys:\n"
                               "      - {epoch: 1, key: \"" KEY_A "\"}\n"
                               "      - {epoch: 0, key: " KEY_B "}\n"
                               "  - {producer: 18446744073709551615, keys: [{epoch: 255, key: "
                               "11111111111111111111111111111111}]}\n";
    assert_int_equal(keys_load_text("f", text, sizeof(text) - 1, &place->config, &place->keys),
                     RESULT_OK);
    assert_int_equal(place->keys.producer_count, 2);
    const struct producer_keys *first = keys_find(&place->keys, 7);
    char prefix[PREFIX_TEXT_SIZE_MAX];
    char hex[KEYS_HEX_SIZE_MAX];
    assert_non_null(first);
    assert_int_equal(first->key_count, 2);
    assert_int_equal(first->key[0].epoch, 1);
    assert_int_equal(first->key[1].epoch, 0);
    assert_string_equal(keys_hex(first->key[0].bytes, hex), KEY_A);
    assert_int_equal(first->key[1].bytes[0], 0xff);
    assert_string_equal(prefix_text(&first->from, prefix), "192.0.2.0/24");
    const struct producer_keys *last = keys_find(&place->keys, UINT64_MAX);
    assert_non_null(last);
    assert_int_equal(last->key[0].epoch, 255);
    assert_int_equal(last->from.bits, 0);
    assert_null(keys_find(&place->keys, 8));
}

static void rotation_keeps_two_and_counts_epochs_round(void **state)
{
    struct place *place = *state;
    struct keys *keys = &place->keys;
    const struct prefix everywhere = {0};
    assert_int_equal(keys_rotate(keys, 7, (uint8_t[SIPHASH_KEY_BYTES]){1}), RESULT_NOT_FOUND);
    assert_int_equal(keys_add(keys, 7, &everywhere, (uint8_t[SIPHASH_KEY_BYTES]){1}), RESULT_OK);
    assert_int_equal(keys_add(keys, 7, &everywhere, (uint8_t[SIPHASH_KEY_BYTES]){2}),
                     RESULT_EXISTS);
    for (uint32_t turn = 2; turn < 600; turn++) {
        uint8_t bytes[SIPHASH_KEY_BYTES] = {(uint8_t)turn, (uint8_t)(turn >> 8)};
        assert_int_equal(keys_rotate(keys, 7, bytes), RESULT_OK);
        const struct producer_keys *producer = keys_find(keys, 7);
        assert_int_equal(producer->key_count, 2);
        assert_int_equal(producer->key[1].epoch, (uint8_t)turn);
        assert_memory_equal(producer->key[1].bytes, bytes, sizeof(bytes));
        assert_int_equal(producer->key[0].epoch, (uint8_t)(turn - 1));
        assert_int_equal(producer->key[0].bytes[0], (uint8_t)(turn - 1));
    }
}

static void a_file_of_too_many_producers_is_refused(void **state)
{
    struct place *place = *state;
    const uint64_t size_max = (KEYS_PRODUCERS_MAX + 2) * 100;
    char *text = malloc(size_max);
    assert_non_null(text);
    uint64_t size = (uint64_t)snprintf(text, size_max, "producers:\n");
    for (uint32_t i = 0; i <= KEYS_PRODUCERS_MAX; i++) {
        size +=
            (uint64_t)snprintf(text + size, size_max - size,
                               "- {producer: %u, keys: [{epoch: 1, key: '%032u'}]}\n", i + 1, i);
    }
    assert_int_equal(keys_load_text("f", text, size, &place->config, &place->keys), RESULT_INVALID);
    assert_string_equal(place->config.error[0].text, "1025 producers; at most 1024 are allowed");
    free(text);
}

static void a_full_file_takes_no_more(void **state)
{
    struct place *place = *state;
    const struct prefix everywhere = {0};
    const uint8_t bytes[SIPHASH_KEY_BYTES] = {1};
    for (uint64_t i = 1; i <= KEYS_PRODUCERS_MAX; i++) {
        assert_int_equal(keys_add(&place->keys, i, &everywhere, bytes), RESULT_OK);
        assert_int_equal(keys_rotate(&place->keys, i, bytes), RESULT_OK);
    }
    assert_int_equal(keys_add(&place->keys, 100000, &everywhere, bytes), RESULT_NO_SPACE);
    char error[KEYS_ERROR_SIZE_MAX];
    assert_int_equal(keys_store(place->path, &place->keys, error), RESULT_OK);
    assert_int_equal(keys_load(place->path, &place->config, &place->again), RESULT_OK);
    assert_int_equal(place->again.producer_count, KEYS_PRODUCERS_MAX);
}

static void what_is_stored_is_loaded_and_only_for_its_owner(void **state)
{
    struct place *place = *state;
    char error[KEYS_ERROR_SIZE_MAX];
    struct stat status;
    struct prefix from;
    assert_true(prefix_text_read("2001:db8::/32", &from));
    assert_int_equal(keys_load(place->path, &place->config, &place->again), RESULT_NOT_FOUND);
    mode_t mask = umask(0);
    for (uint8_t i = 1; i <= 3; i++) {
        uint8_t bytes[SIPHASH_KEY_BYTES] = {i, 0xab, 0xcd};
        assert_int_equal(keys_add(&place->keys, UINT64_MAX - i, &from, bytes), RESULT_OK);
        assert_int_equal(keys_rotate(&place->keys, UINT64_MAX - i, bytes), RESULT_OK);
        assert_int_equal(keys_store(place->path, &place->keys, error), RESULT_OK);
        assert_int_equal(keys_load(place->path, &place->config, &place->again), RESULT_OK);
        assert_memory_equal(&place->keys, &place->again, sizeof(place->keys));
        assert_int_equal(stat(place->path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
    }
    (void)umask(mask);
}

static void a_file_that_others_can_read_is_refused(void **state)
{
    struct place *place = *state;
    char error[KEYS_ERROR_SIZE_MAX];
    const struct prefix everywhere = {0};
    static const mode_t modes[] = {0644, 0640, 0604, 0620, 0602, 0601, 0777};
    assert_int_equal(keys_add(&place->keys, 7, &everywhere, (uint8_t[SIPHASH_KEY_BYTES]){1}),
                     RESULT_OK);
    assert_int_equal(keys_store(place->path, &place->keys, error), RESULT_OK);
    for (uint32_t i = 0; i < ARRAY_COUNT(modes); i++) {
        assert_int_equal(chmod(place->path, modes[i]), 0);
        assert_int_equal(keys_load(place->path, &place->config, &place->again), RESULT_INVALID);
        assert_int_equal(place->config.error_count, 1);
        assert_non_null(strstr(place->config.error[0].text, "run: chmod 600 /tmp/"));
    }
    assert_int_equal(chmod(place->path, 0400), 0);
    assert_int_equal(keys_load(place->path, &place->config, &place->again), RESULT_OK);
    assert_int_equal(keys_load(place->folder, &place->config, &place->again), RESULT_INVALID);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
    struct place *place = *state;
    char error[KEYS_ERROR_SIZE_MAX];
    assert_int_equal(keys_store("/nowhere/keys.yaml", &place->keys, error), RESULT_SYSTEM);
    assert_string_equal(error, "/nowhere/keys.yaml: cannot be written: No such file or directory");
}

#define PLACE_TEST(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(a_wrong_file_is_refused_with_its_place_and_without_its_keys),
        PLACE_TEST(a_good_file_is_taken_as_it_stands),
        PLACE_TEST(rotation_keeps_two_and_counts_epochs_round),
        PLACE_TEST(a_file_of_too_many_producers_is_refused),
        PLACE_TEST(a_full_file_takes_no_more),
        PLACE_TEST(what_is_stored_is_loaded_and_only_for_its_owner),
        PLACE_TEST(a_file_that_others_can_read_is_refused),
        PLACE_TEST(a_folder_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
