/* What the producer library sends, byte for byte, and its hashes: what the Python producer
 * is held against. With UPDATE_GOLDEN set the files become what they are compared with. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "dataplane/base/hash.h"
#include "drivers/producer/producer_lane.h"

#define FILE_MAX 65536u

static void golden_check(const char *name, const void *data, size_t size)
{
    static uint8_t golden[FILE_MAX];
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/tests/golden/messages/%s", getenv("FRESHET_SOURCE"),
                   name);
    if (getenv("UPDATE_GOLDEN") != NULL) {
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(data, 1, size, out), size);
        assert_int_equal(fclose(out), 0);
    }
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(golden, 1, sizeof(golden), file), size);
    (void)fclose(file);
    assert_memory_equal(golden, data, size);
}

/* A lane of 7 * 10^18 that sends a heartbeat, two full messages and a part; appended to data. */
static size_t lane_write(bool has_key, bool acked, uint8_t *data)
{
    const struct producer_outcome outcome = {0};
    struct producer_identity identity = {
        .producer = UINT64_C(7000000000000000000),
        .incarnation = 1700000000,
        .stream_id = 301,
        .version = 2,
        .event_bytes = 24,
        .key_epoch = has_key ? 9 : 0,
        .has_key = has_key,
        .acked = acked,
        .message_bytes = 64 + 24 * 3,
        .slot_count = 8,
    };
    for (uint8_t i = 0; i < SIPHASH_KEY_BYTES; i++) {
        ((uint8_t *)&identity.key)[i] = (uint8_t)(0xf0 + i);
    }
    struct producer_lane lane;
    uint64_t sequence;
    size_t size = 0;
    void *memory = aligned_alloc(64, (producer_lane_footprint(&identity) + 63) / 64 * 64);
    assert_non_null(memory);
    producer_lane_init(&lane, &identity, 513, &outcome, memory);
    producer_lane_ask(&lane);
    for (uint8_t event = 0; event < 8; event++) {
        uint8_t block[24];
        uint32_t count;
        for (uint8_t i = 0; i < sizeof(block); i++) {
            block[i] = (uint8_t)(event * 31 + i);
        }
        const uint8_t *taken = event == 0 ? producer_lane_take(&lane, 0, 1000, &count) : NULL;
        if (taken != NULL) {
            memcpy(data, taken, count);
            size = count;
        }
        assert_true(producer_lane_push(&lane, 0, block, &sequence));
    }
    producer_lane_hurry(&lane);
    for (int64_t n = 1; n <= 3; n++) {
        uint32_t count;
        const uint8_t *taken = producer_lane_take(&lane, 0, 1000000 * n, &count);
        assert_non_null(taken);
        memcpy(data + size, taken, count);
        size += count;
    }
    free(memory);
    return size;
}

static void what_is_sent_is_what_it_was(void **state)
{
    (void)state;
    static uint8_t data[FILE_MAX];
    size_t size = lane_write(false, true, data);
    size += lane_write(true, true, data + size);
    size += lane_write(false, false, data + size);
    golden_check("producer.bin", data, size);
}

static void hashes_of_keys_of_every_size_are_what_they_were(void **state)
{
    (void)state;
    static char text[FILE_MAX];
    uint8_t key[1100];
    int at = 0;
    for (uint32_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(i * 7 + 3);
    }
    for (uint32_t size = 0; size <= sizeof(key); size += size < 300 ? 1 : 100) {
        at += snprintf(text + at, sizeof(text) - (size_t)at, "%u %016llx\n", size,
                       (unsigned long long)hash_owner(key, size));
    }
    golden_check("producer_hashes.txt", text, (size_t)at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_is_what_it_was),
        cmocka_unit_test(hashes_of_keys_of_every_size_are_what_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
