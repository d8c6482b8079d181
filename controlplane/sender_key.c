#include "controlplane/sender_key.h"

#include <inttypes.h>
#include <stdio.h>

#include "drivers/memory.h"
#include "drivers/secret.h"

static enum result key_pick(const char *path, const struct keys *keys, uint64_t producer,
                            struct sender_key *out_key, char error[SENDER_KEY_ERROR_SIZE_MAX])
{
    const struct producer_keys *found = keys_find(keys, producer);
    if (found == NULL) {
        (void)snprintf(error, SENDER_KEY_ERROR_SIZE_MAX, "%s: producer %" PRIu64 " has no key",
                       path, producer);
        return RESULT_NOT_FOUND;
    }
    const struct producer_key *newest = &found->key[found->key_count - 1];
    out_key->epoch = newest->epoch;
    out_key->secret = siphash_key_of(newest->bytes);
    return RESULT_OK;
}

enum result sender_key_read(const char *path, uint64_t producer, struct sender_key *out_key,
                            char error[SENDER_KEY_ERROR_SIZE_MAX])
{
    struct secret memory = {0};
    struct config *config = heap_alloc(sizeof(*config)); /* For its errors. */
    enum result result = RESULT_NO_MEMORY;
    if (config == NULL || secret_alloc(sizeof(struct keys), &memory) != RESULT_OK) {
        (void)snprintf(error, SENDER_KEY_ERROR_SIZE_MAX, "%s: no memory to read it", path);
        goto free_memory;
    }
    result = keys_load(path, config, memory.base);
    if (result == RESULT_OK) {
        result = key_pick(path, memory.base, producer, out_key, error);
    } else {
        const struct config_error *first = &config->error[0];
        (void)snprintf(error, SENDER_KEY_ERROR_SIZE_MAX, "%s:%u:%u: %s", first->file, first->line,
                       first->column, first->text);
    }
free_memory:
    secret_free(&memory);
    heap_free(config);
    return result;
}
