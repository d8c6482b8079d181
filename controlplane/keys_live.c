#include "controlplane/keys_live.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dataplane/base/assert.h"
#include "drivers/cpu.h"
#include "drivers/memory.h"

#define PASS_WAITS   1000
#define PASS_WAIT_NS (1000 * 1000)

static void error_first(const struct config *config, char error[KEYS_LIVE_ERROR_SIZE_MAX])
{
    const struct config_error *first = &config->error[0];
    ASSERT(config->error_count > 0);
    if (first->line == 0) {
        (void)snprintf(error, KEYS_LIVE_ERROR_SIZE_MAX, "%s: %s", first->file, first->text);
    } else {
        (void)snprintf(error, KEYS_LIVE_ERROR_SIZE_MAX, "%s:%u:%u: %s", first->file, first->line,
                       first->column, first->text);
    }
}

static enum result keys_read(const char *path, struct keys *keys,
                             char error[KEYS_LIVE_ERROR_SIZE_MAX])
{
    /* Only its errors are used: pages that nobody touches cost nothing. */
    struct config *config = heap_alloc(sizeof(*config));
    if (config == NULL) {
        (void)snprintf(error, KEYS_LIVE_ERROR_SIZE_MAX, "%s: no memory to read it", path);
        return RESULT_NO_MEMORY;
    }
    enum result result = keys_load(path, config, keys);
    if (result != RESULT_OK) {
        error_first(config, error);
    }
    heap_free(config);
    return result;
}

/* A keyring of the file's keys in memory of its own. */
static enum result keyring_read(const char *path, struct secret *out_secret,
                                char error[KEYS_LIVE_ERROR_SIZE_MAX])
{
    struct secret loaded = {0};
    struct secret ring = {0};
    enum result result = secret_alloc(sizeof(struct keys), &loaded);
    if (result != RESULT_OK) {
        (void)snprintf(error, KEYS_LIVE_ERROR_SIZE_MAX, "%s: no memory for keys", path);
        return result;
    }
    struct keys *keys = loaded.base;
    result = keys_read(path, keys, error);
    if (result != RESULT_OK) {
        goto wipe;
    }
    result = secret_alloc(keyring_footprint(keys->producer_count), &ring);
    if (result != RESULT_OK) {
        (void)snprintf(error, KEYS_LIVE_ERROR_SIZE_MAX, "%s: no memory for keys", path);
        goto wipe;
    }
    (void)keyring_init(ring.base, keys->producer, keys->producer_count,
                       cpu_has_avx2() ? siphash_four_avx2 : siphash_four_scalar);
    *out_secret = ring;
wipe:
    secret_free(&loaded);
    return result;
}

static void keys_publish(struct keys_live *live, const struct secret *ring)
{
    live->previous = live->current;
    live->current = *ring;
    live->producer_count = keyring_producer_count(ring->base);
    keyring_door_publish(&live->door, ring->base);
}

enum result keys_live_open(struct keys_live *live, const char *path, uint32_t worker_count,
                           char error[KEYS_LIVE_ERROR_SIZE_MAX])
{
    ASSERT(strlen(path) < sizeof(live->path));
    struct secret ring;
    memset(live, 0, sizeof(*live));
    memcpy(live->path, path, strlen(path) + 1);
    keyring_door_init(&live->door, worker_count);
    enum result result = keyring_read(path, &ring, error);
    if (result == RESULT_OK) {
        keys_publish(live, &ring);
    }
    return result;
}

static void passed_wait(struct keys_live *live)
{
    for (uint32_t i = 0; i < PASS_WAITS && !keyring_door_passed(&live->door); i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = PASS_WAIT_NS}, NULL);
    }
    if (keyring_door_passed(&live->door)) {
        secret_free(&live->previous);
    }
}

enum result keys_reload(struct keys_live *live, char error[KEYS_LIVE_ERROR_SIZE_MAX])
{
    struct secret ring;
    if (live->previous.base != NULL) {
        passed_wait(live);
    }
    if (live->previous.base != NULL) {
        (void)snprintf(error, KEYS_LIVE_ERROR_SIZE_MAX,
                       "%s: a worker has not taken the last change yet; try again", live->path);
        return RESULT_BUSY;
    }
    enum result result = keyring_read(live->path, &ring, error);
    if (result == RESULT_OK) {
        keys_publish(live, &ring);
        live->reload_count++;
        passed_wait(live);
    }
    return result;
}

void keys_live_close(struct keys_live *live)
{
    secret_free(&live->previous);
    secret_free(&live->current);
}
