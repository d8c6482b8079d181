/* Keys of a running listener: read again while workers use them. */
#include "tests/support/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/keys_live.h"
#include "drivers/memory.h"

struct place {
    struct keys_live *live;
    struct keys *keys;
    char folder[64];
    char path[96];
    char error[KEYS_LIVE_ERROR_SIZE_MAX];
    _Atomic bool shared_stop;
};

static const struct prefix everywhere;

static void file_store(struct place *place)
{
    char error[KEYS_ERROR_SIZE_MAX];
    assert_int_equal(keys_store(place->path, place->keys, error), RESULT_OK);
}

static int place_open(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    place->live = heap_alloc_lines(sizeof(*place->live));
    place->keys = calloc(1, sizeof(*place->keys));
    assert_non_null(place->live);
    assert_non_null(place->keys);
    (void)snprintf(place->folder, sizeof(place->folder), "/tmp/freshet_live_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    (void)snprintf(place->path, sizeof(place->path), "%s/keys.yaml", place->folder);
    assert_int_equal(keys_add(place->keys, 7, &everywhere, (uint8_t[SIPHASH_KEY_BYTES]){1}),
                     RESULT_OK);
    file_store(place);
    *state = place;
    return 0;
}

static int place_close(void **state)
{
    struct place *place = *state;
    keys_live_close(place->live);
    heap_free(place->live);
    free(place->keys);
    (void)unlink(place->path);
    assert_int_equal(rmdir(place->folder), 0);
    free(place);
    return 0;
}

/* A worker that turns until it is stopped; counts turns in which producer 7 had no key of epoch 1
 * and none of epoch 2. */
static void *worker_run(void *argument)
{
    struct place *place = argument;
    uint64_t missing = 0;
    while (!atomic_load_explicit(&place->shared_stop, memory_order_relaxed)) {
        const struct keyring *keyring = keyring_door_enter(&place->live->door, 0);
        missing +=
            keyring_find(keyring, 7, 1) == NULL && keyring_find(keyring, 7, 2) == NULL ? 1 : 0;
    }
    keyring_door_leave(&place->live->door, 0);
    return (void *)(uintptr_t)missing;
}

static void new_keys_count_from_the_next_turn_on(void **state)
{
    struct place *place = *state;
    pthread_t thread;
    void *missing = NULL;
    assert_int_equal(keys_live_open(place->live, place->path, 1, place->error), RESULT_OK);
    assert_int_equal(place->live->producer_count, 1);
    assert_int_equal(pthread_create(&thread, NULL, worker_run, place), 0);
    assert_int_equal(keys_rotate(place->keys, 7, (uint8_t[SIPHASH_KEY_BYTES]){2}), RESULT_OK);
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(
            keys_add(place->keys, 100 + i, &everywhere, (uint8_t[SIPHASH_KEY_BYTES]){3}),
            RESULT_OK);
        file_store(place);
        assert_int_equal(keys_reload(place->live, place->error), RESULT_OK);
        assert_null(place->live->previous.base);
        assert_int_equal(place->live->producer_count, 2 + i);
        assert_int_equal(place->live->reload_count, 1 + i);
    }
    atomic_store_explicit(&place->shared_stop, true, memory_order_relaxed);
    assert_int_equal(pthread_join(thread, &missing), 0);
    assert_null(missing);
}

static void a_wrong_file_changes_nothing(void **state)
{
    struct place *place = *state;
    assert_int_equal(keys_live_open(place->live, place->path, 1, place->error), RESULT_OK);
    const struct keyring *before = keyring_door_enter(&place->live->door, 0);
    assert_int_equal(chmod(place->path, 0644), 0);
    assert_int_equal(keys_reload(place->live, place->error), RESULT_INVALID);
    assert_non_null(strstr(place->error, "run: chmod 600"));
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(keys_reload(place->live, place->error), RESULT_NOT_FOUND);
    assert_ptr_equal(keyring_door_enter(&place->live->door, 0), before);
    assert_non_null(keyring_find(before, 7, 1));
    assert_int_equal(place->live->reload_count, 0);
}

static void a_worker_that_does_not_turn_keeps_its_old_keys(void **state)
{
    struct place *place = *state;
    assert_int_equal(keys_live_open(place->live, place->path, 2, place->error), RESULT_OK);
    const struct keyring *before = keyring_door_enter(&place->live->door, 0);
    (void)keyring_door_enter(&place->live->door, 1);
    assert_int_equal(keys_reload(place->live, place->error), RESULT_OK);
    assert_non_null(place->live->previous.base);
    assert_non_null(keyring_find(before, 7, 1));
    (void)keyring_door_enter(&place->live->door, 0);
    assert_int_equal(keys_reload(place->live, place->error), RESULT_BUSY);
    keyring_door_leave(&place->live->door, 1);
    assert_int_equal(keys_reload(place->live, place->error), RESULT_OK);
}

static void a_start_without_keys_says_what_is_missing(void **state)
{
    struct place *place = *state;
    assert_int_equal(keys_live_open(place->live, "/nowhere/k.yaml", 1, place->error),
                     RESULT_NOT_FOUND);
    assert_string_equal(place->error,
                        "/nowhere/k.yaml: cannot be opened: No such file or directory");
    assert_null(keyring_door_enter(&place->live->door, 0));
}

#define PLACE_TEST(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(new_keys_count_from_the_next_turn_on),
        PLACE_TEST(a_wrong_file_changes_nothing),
        PLACE_TEST(a_worker_that_does_not_turn_keeps_its_old_keys),
        PLACE_TEST(a_start_without_keys_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
