/* Any bytes as a key file: errors with places or keys that a keyring takes, never a crash, never a
 * leak, never a key in an error. */
#include <stdlib.h>
#include <string.h>

#include "config/keys.h"
#include "dataplane/base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void producer_check(const struct keys *keys, uint32_t index)
{
    const struct producer_keys *producer = &keys->producer[index];
    ASSERT(producer->producer > 0);
    ASSERT(keys_find(keys, producer->producer) == producer);
    ASSERT(producer->key_count >= 1);
    ASSERT(producer->key_count <= PRODUCER_KEYS_MAX);
    ASSERT(producer->key_count == 1 || producer->key[0].epoch != producer->key[1].epoch);
    ASSERT(producer->from.bits <= PREFIX_BITS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    static struct keys keys;
    enum result result = keys_load_text("fuzz.yaml", (const char *)data, size, &config, &keys);
    ASSERT((result == RESULT_OK) == (config.error_count == 0));
    for (uint32_t i = 0; i < config.error_count && i < CONFIG_ERRORS_MAX; i++) {
        ASSERT(config.error[i].text[0] != '\0');
        ASSERT(strstr(config.error[i].text, "00112233445566778899aabbccddeef") == NULL);
    }
    if (result == RESULT_OK) {
        ASSERT(keys.producer_count > 0);
        for (uint32_t i = 0; i < keys.producer_count; i++) {
            producer_check(&keys, i);
        }
    }
    return 0;
}
