/* SipHash-2-4 against its authors' vectors, and the four lanes against the one. SEED=n repeats. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <time.h>

#include "dataplane/base/random.h"
#include "dataplane/base/siphash.h"

#define VECTOR_COUNT 64u
#define INPUT_BYTES  1500u

/* Of the inputs "", 00, 00 01, ... under the key 00 01 ... 0f: vectors.h of the authors' code. */
static const uint64_t vector[VECTOR_COUNT] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
    0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
    0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
    0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
    0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
    0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
    0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
    0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
    0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
    0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
    0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
    0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

static uint8_t input[SIPHASH_LANES][INPUT_BYTES];
static struct siphash_key keys[SIPHASH_LANES];
static struct random random_state;

static struct siphash_key vector_key(void)
{
    uint8_t bytes[SIPHASH_KEY_BYTES];
    for (uint8_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = i;
    }
    return siphash_key_of(bytes);
}

static int setup(void **state)
{
    (void)state;
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    printf("SEED=%llu\n", (unsigned long long)seed);
    random_seed(&random_state, seed);
    for (uint32_t lane = 0; lane < SIPHASH_LANES; lane++) {
        keys[lane] = (struct siphash_key){{random_next(&random_state), random_next(&random_state)}};
        for (uint32_t i = 0; i < INPUT_BYTES; i++) {
            input[lane][i] = (uint8_t)random_next(&random_state);
        }
    }
    return 0;
}

static void the_authors_vectors_are_found(void **state)
{
    (void)state;
    struct siphash_key key = vector_key();
    for (uint32_t size = 0; size < VECTOR_COUNT; size++) {
        uint8_t bytes[VECTOR_COUNT];
        for (uint8_t i = 0; i < size; i++) {
            bytes[i] = i;
        }
        assert_true(siphash_tag(&key, bytes, size, SIPHASH_NO_HOLE) == vector[size]);
    }
}

static void a_hole_counts_as_zeros_and_as_nothing_else(void **state)
{
    (void)state;
    for (uint32_t size = 16; size < 100; size++) {
        uint8_t holed[100];
        memcpy(holed, input[0], size);
        memset(holed + 8, 0, 8);
        uint64_t expected = siphash_tag(&keys[0], holed, size, SIPHASH_NO_HOLE);
        assert_true(siphash_tag(&keys[0], input[0], size, 8) == expected);
        assert_true(siphash_tag(&keys[0], input[0], size, 0) != expected);
        assert_true(siphash_tag(&keys[0], input[0], size, SIPHASH_NO_HOLE) != expected);
    }
}

static void four_check(siphash_four *four, uint32_t size, uint32_t hole, uint32_t shift)
{
    const struct siphash_key *key[SIPHASH_LANES];
    const uint8_t *data[SIPHASH_LANES];
    uint64_t tag[SIPHASH_LANES];
    for (uint32_t lane = 0; lane < SIPHASH_LANES; lane++) {
        key[lane] = &keys[lane];
        data[lane] = input[lane] + shift * lane;
    }
    four(key, data, size, hole, tag);
    for (uint32_t lane = 0; lane < SIPHASH_LANES; lane++) {
        assert_true(tag[lane] == siphash_tag(key[lane], data[lane], size, hole));
    }
}

static void four_lanes_find_what_one_finds(void **state)
{
    (void)state;
    siphash_four *form[] = {siphash_four_scalar, siphash_four_avx2};
    uint32_t count = __builtin_cpu_supports("avx2") ? 2 : 1;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t size = 0; size <= INPUT_BYTES - 9; size += size < 300 ? 1 : 97) {
            four_check(form[i], size, SIPHASH_NO_HOLE, size % 4);
            if (size >= 16) {
                four_check(form[i], size, 8, size % 4);
                four_check(form[i], size, (size - 8) & ~7u, 0);
            }
        }
    }
}

static void a_hole_past_the_end_is_our_mistake(void **state)
{
    (void)state;
    expect_assert_failure((void)siphash_tag(&keys[0], input[0], 15, 8));
    expect_assert_failure((void)siphash_tag(&keys[0], input[0], 7, 0));
    expect_assert_failure((void)siphash_tag(&keys[0], input[0], 32, 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_authors_vectors_are_found),
        cmocka_unit_test(a_hole_counts_as_zeros_and_as_nothing_else),
        cmocka_unit_test(four_lanes_find_what_one_finds),
        cmocka_unit_test(a_hole_past_the_end_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
