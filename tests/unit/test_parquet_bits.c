/* Packed numbers and differences, read again by slow and obvious readers. SEED= repeats a run. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "controlplane/parquet_bits.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"

#define VALUES_MAX 1000u

static struct random numbers;

/* Bit by bit. */
static uint64_t number_read(const uint8_t *data, uint64_t *bit, uint32_t width)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < width; i++, (*bit)++) {
        number |= (uint64_t)(data[*bit / 8] >> *bit % 8 & 1) << i;
    }
    return number;
}

static uint64_t varint_read(const uint8_t *data, uint64_t *at)
{
    uint64_t number = 0;
    for (uint32_t shift = 0;; shift += 7) {
        uint8_t byte = data[(*at)++];
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return number;
        }
    }
}

static int64_t signed_read(const uint8_t *data, uint64_t *at)
{
    uint64_t number = varint_read(data, at);
    return (int64_t)(number >> 1 ^ -(number & 1));
}

static void numbers_of_every_width_are_packed(void **state)
{
    (void)state;
    uint64_t number[VALUES_MAX];
    for (uint32_t width = 0; width <= 64; width++) {
        uint32_t count = (uint32_t)random_below(&numbers, VALUES_MAX);
        struct buffer out;
        buffer_init(&out, 0);
        for (uint32_t i = 0; i < count; i++) {
            number[i] = width == 0 ? 0 : random_next(&numbers) >> (64 - width);
            assert_true(parquet_bits_of(number[i]) <= width);
        }
        parquet_bits_pack(&out, number, count, width);
        assert_int_equal(out.size, ((uint64_t)count * width + 7) / 8);
        uint64_t bit = 0;
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(number_read((const uint8_t *)out.data, &bit, width), number[i]);
        }
        buffer_deinit(&out);
    }
}

/* By the page of the format, integers of size bytes. */
static void differences_check(const uint8_t *data, uint64_t size, const int64_t *integer,
                              uint32_t count, uint32_t bytes)
{
    uint64_t at = 0;
    assert_int_equal(varint_read(data, &at), 128);
    assert_int_equal(varint_read(data, &at), 4);
    assert_int_equal(varint_read(data, &at), count);
    uint64_t last = (uint64_t)signed_read(data, &at);
    assert_int_equal((int64_t)last, integer[0]);
    for (uint32_t i = 1; i < count;) {
        int64_t least = signed_read(data, &at);
        const uint8_t *width = data + at;
        at += 4;
        for (uint32_t part = 0; part < 4 && i < count; part++) {
            uint64_t bit = at * 8;
            assert_true(width[part] <= 8 * bytes);
            for (uint32_t v = 0; v < 32; v++, i++) {
                uint64_t above = number_read(data, &bit, width[part]);
                last += (uint64_t)least + above;
                last = bytes == 4 ? (uint64_t)(int32_t)last : last;
                assert_true(i >= count || (int64_t)last == integer[i]);
            }
            at += 4u * width[part];
        }
    }
    assert_int_equal(at, size);
}

static void integers_are_what_their_differences_say(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 2, 32, 33, 34, 128, 129, 130, 257, VALUES_MAX};
    int64_t wide[VALUES_MAX];
    int32_t narrow[VALUES_MAX];
    for (uint32_t round = 0; round < 20 * ARRAY_COUNT(counts); round++) {
        uint32_t count = counts[round % ARRAY_COUNT(counts)];
        uint32_t shift = (uint32_t)random_below(&numbers, 64);
        bool is_narrow = random_below(&numbers, 2) == 0;
        struct buffer out;
        buffer_init(&out, 0);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t ends = random_below(&numbers, 9);
            wide[i] = ends == 0   ? INT64_MAX
                      : ends == 1 ? INT64_MIN
                                  : (int64_t)(random_next(&numbers) >> shift);
            narrow[i] = (int32_t)wide[i];
            wide[i] = is_narrow ? narrow[i] : wide[i];
        }
        if (is_narrow) {
            parquet_delta_write(&out, narrow, count, sizeof(narrow[0]));
        } else {
            parquet_delta_write(&out, wide, count, sizeof(wide[0]));
        }
        differences_check((const uint8_t *)out.data, out.size, wide, count, is_narrow ? 4 : 8);
        buffer_deinit(&out);
    }
}

static void what_counts_up_takes_next_to_nothing(void **state)
{
    (void)state;
    int64_t integer[VALUES_MAX];
    struct buffer out;
    buffer_init(&out, 0);
    for (uint32_t i = 0; i < VALUES_MAX; i++) {
        integer[i] = INT64_C(1) << 50 | i;
    }
    parquet_delta_write(&out, integer, VALUES_MAX, sizeof(integer[0]));
    assert_true(out.size < 60);
    buffer_deinit(&out);
}

int main(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text == NULL ? (uint64_t)(uintptr_t)&text >> 4 : strtoull(text, NULL, 0);
    printf("SEED=%llu\n", (unsigned long long)seed);
    random_seed(&numbers, seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_width_are_packed),
        cmocka_unit_test(integers_are_what_their_differences_say),
        cmocka_unit_test(what_counts_up_takes_next_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
