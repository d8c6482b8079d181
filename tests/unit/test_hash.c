#include "tests/support/unit.h"

#include "dataplane/base/hash.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"

struct slot_row {
    const char *key;
    uint16_t slot;
};

/* As `CLUSTER KEYSLOT` of redis-server 7.0 answers. */
static const struct slot_row slot_rows[] = {
    {"123456789", 12739},
    {"", 0},
    {"foo", 12182},
    {"foo{hash_tag}", 2515},
    {"hash_tag", 2515},
    {"bar{hash_tag}", 2515},
    {"{user1000}.following", 3443},
    {"{user1000}.followers", 3443},
    {"user1000", 3443},
    {"foo{}{bar}", 8363},
    {"foo{{bar}}zap", 4015},
    {"{bar", 4015},
    {"foo{bar}{zap}", 5061},
    {"bar", 5061},
};

static void check_slot(void **state)
{
    const struct slot_row *row = *state;
    assert_int_equal(hash_redis_slot(row->key, (uint32_t)strlen(row->key)), row->slot);
}

static void a_number_has_the_same_owner_without_a_call(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 5);
    uint64_t word = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        assert_int_equal(hash_owner_word(word), XXH3_64bits(&word, sizeof(word)));
        word = i < 64 ? UINT64_C(1) << i : random_next(&random);
    }
    word = UINT64_MAX;
    assert_int_equal(hash_owner_word(word), XXH3_64bits(&word, sizeof(word)));
}

static void an_open_brace_alone_hashes_the_whole_key(void **state)
{
    (void)state;
    const char *open_at_end = "card:4711{";
    const char *closed_before = "}card{";
    assert_int_not_equal(hash_redis_slot(open_at_end, 10), hash_redis_slot(open_at_end, 9));
    assert_int_equal(hash_redis_slot(closed_before, 6), hash_redis_slot("}card{", 6));
    assert_true(hash_redis_slot(closed_before, 6) < 16384);
}

static void bytes_after_the_size_are_not_read(void **state)
{
    (void)state;
    assert_int_equal(hash_redis_slot("foo{bar}", 3), 12182);
    assert_int_equal(hash_redis_slot("123456789xyz", 9), 12739);
    assert_int_equal(hash_redis_slot(NULL, 0), 0);
}

static void bytes_above_127_count_as_unsigned(void **state)
{
    (void)state;
    /* CRC16/XMODEM of one byte 0xff is 0x1ef0. */
    assert_int_equal(hash_redis_slot("\xff", 1), 0x1ef0);
}

/* The polynomial, bit by bit. */
static uint16_t crc16_of(const uint8_t *text, uint32_t size)
{
    uint32_t crc = 0;
    for (uint32_t bit = 0; bit < size * 8; bit++) {
        uint32_t in = (uint32_t)text[bit / 8] >> (7 - bit % 8) & 1;
        crc = ((crc << 1) ^ ((crc >> 15 ^ in) & 1) * 0x1021u) & 0xffffu;
    }
    return (uint16_t)crc;
}

static void slots_are_those_of_the_polynomial(void **state)
{
    (void)state;
    /* Two bytes lead to every register that a third one can meet. */
    for (uint32_t pair = 0; pair < 65536; pair++) {
        const uint8_t text[3] = {(uint8_t)(pair >> 8), (uint8_t)pair, (uint8_t)(pair * 37)};
        for (uint32_t size = 2; size <= 3; size++) {
            bool tagged = size == 3 && text[0] == '{' && text[2] == '}';
            uint16_t crc = tagged ? crc16_of(text + 1, 1) : crc16_of(text, size);
            assert_int_equal(hash_redis_slot((const char *)text, size), crc % 16384);
        }
    }
}

/* Known answers of XXH3-64, from xxHash's own tests (xsum_sanity_check.c): seed 0 over nothing, and
 * from two further implementations for the rest. A producer in any language must find these. */
static void owners_are_as_published(void **state)
{
    (void)state;
    assert_true(hash_owner("", 0) == UINT64_C(0x2d06800538d394c2));
    assert_int_equal(hash_vshard(UINT64_C(0x2d06800538d394c2)), 0x2d0);
    assert_int_equal(hash_vshard(UINT64_MAX), VSHARD_COUNT - 1);
    assert_int_equal(hash_vshard(0), 0);
}

static void a_secret_moves_every_key(void **state)
{
    (void)state;
    uint64_t same = 0;
    for (uint64_t key = 0; key < 1000; key++) {
        same += hash_table(&key, sizeof(key), 1) == hash_table(&key, sizeof(key), 2);
        assert_true(hash_table(&key, sizeof(key), 0) == hash_owner(&key, sizeof(key)));
    }
    assert_int_equal(same, 0);
}

static void lanes_of_a_producer_have_neighbouring_homes(void **state)
{
    (void)state;
    for (uint32_t shards = 1; shards <= 7; shards++) {
        for (uint16_t lane = 0; lane < 20; lane++) {
            uint32_t home = hash_home(77, lane, shards);
            assert_true(home < shards);
            assert_int_equal(hash_home(77, (uint16_t)(lane + 1), shards), (home + 1) % shards);
        }
    }
}

static void the_last_lane_does_not_wrap(void **state)
{
    (void)state;
    for (uint64_t producer = 0; producer < 1000; producer++) {
        uint64_t sum = (uint64_t)hash_producer(producer) + UINT16_MAX;
        assert_int_equal(hash_home(producer, UINT16_MAX, 12), sum % 12);
    }
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_COUNT(slot_rows) + 7] = {
        cmocka_unit_test(a_number_has_the_same_owner_without_a_call),
        cmocka_unit_test(an_open_brace_alone_hashes_the_whole_key),
        cmocka_unit_test(bytes_after_the_size_are_not_read),
        cmocka_unit_test(bytes_above_127_count_as_unsigned),
        cmocka_unit_test(slots_are_those_of_the_polynomial),
        cmocka_unit_test(owners_are_as_published),
        cmocka_unit_test(a_secret_moves_every_key),
        cmocka_unit_test(lanes_of_a_producer_have_neighbouring_homes),
        cmocka_unit_test(the_last_lane_does_not_wrap),
    };
    for (size_t i = 0; i < ARRAY_COUNT(slot_rows); i++) {
        tests[7 + i] = (struct CMUnitTest){.name = slot_rows[i].key,
                                           .test_func = check_slot,
                                           .initial_state = (void *)(uintptr_t)&slot_rows[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
