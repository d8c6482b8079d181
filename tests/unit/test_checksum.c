/* CRC-32C against the definition, one bit at a time. SEED=n repeats a run. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <time.h>

#include "dataplane/base/checksum.h"
#include "dataplane/base/random.h"

#define DATA_BYTES    20000u
#define LENGTHS_SMALL 301u
#define ALIGNMENTS    16u

static uint8_t data[DATA_BYTES + ALIGNMENTS];
static struct random random_state;

static uint32_t crc_bitwise(uint32_t crc, const uint8_t *bytes, uint64_t size)
{
    crc = ~crc;
    for (uint64_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
        }
    }
    return ~crc;
}

static int setup(void **state)
{
    (void)state;
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    printf("SEED=%llu\n", (unsigned long long)seed);
    random_seed(&random_state, seed);
    for (uint32_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)random_next(&random_state);
    }
    return 0;
}

static void known_answers_are_found(void **state)
{
    (void)state;
    uint8_t bytes[32];
    assert_int_equal(checksum_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(checksum_crc32c(0, NULL, 0), 0);
    /* RFC 3720, B.4: 32 bytes of zeros, of ones, ascending. */
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(checksum_crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(checksum_crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
    for (uint8_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = i;
    }
    assert_int_equal(checksum_crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
}

static void small_lengths_agree_at_every_alignment(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < ALIGNMENTS; at++) {
        for (uint32_t size = 0; size < LENGTHS_SMALL; size++) {
            assert_int_equal(checksum_crc32c(0, data + at, size), crc_bitwise(0, data + at, size));
        }
    }
}

static void lengths_around_the_streams_agree(void **state)
{
    (void)state;
    static const uint32_t around[] = {384, 768, 1152, 3072, 3072 + 384, 6144, 9216 + 384};
    for (uint32_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
        for (uint32_t size = around[i] - 9; size <= around[i] + 9; size++) {
            assert_int_equal(checksum_crc32c(0, data + i, size), crc_bitwise(0, data + i, size));
        }
    }
}

static void random_long_inputs_agree(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t at = (uint32_t)random_below(&random_state, ALIGNMENTS);
        uint32_t size = (uint32_t)random_below(&random_state, DATA_BYTES + 1);
        uint32_t before = (uint32_t)random_next(&random_state);
        assert_int_equal(checksum_crc32c(before, data + at, size),
                         crc_bitwise(before, data + at, size));
    }
}

static void calls_chain_at_every_cut(void **state)
{
    (void)state;
    uint32_t whole = checksum_crc32c(0, data, 4000);
    for (uint32_t cut = 0; cut <= 4000; cut++) {
        uint32_t head = checksum_crc32c(0, data, cut);
        assert_int_equal(checksum_crc32c(head, data + cut, 4000 - cut), whole);
    }
}

static void each_flipped_bit_shows(void **state)
{
    (void)state;
    uint32_t whole = checksum_crc32c(0, data, 500);
    for (uint32_t bit = 0; bit < 500 * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(checksum_crc32c(0, data, 500), whole);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_are_found),
        cmocka_unit_test(small_lengths_agree_at_every_alignment),
        cmocka_unit_test(lengths_around_the_streams_agree),
        cmocka_unit_test(random_long_inputs_agree),
        cmocka_unit_test(calls_chain_at_every_cut),
        cmocka_unit_test(each_flipped_bit_shows),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
