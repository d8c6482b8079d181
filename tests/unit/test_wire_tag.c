#include "tests/support/unit.h"

#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_ack.h"
#include "dataplane/feature/wire_tag.h"

static const struct siphash_key key = {{1, 2}};
static const struct wire_message example = {
    .stream_id = 42, .version = 1, .producer = 7, .sequence = 9, .key_epoch = 3};

static void the_offsets_are_those_of_the_format(void **state)
{
    (void)state;
    uint8_t data[WIRE_EVENTS_OFFSET];
    struct wire_message message;
    assert_int_equal(wire_encode(&example, data), sizeof(data));
    assert_int_equal(data[WIRE_PRODUCER_OFFSET], 7);
    assert_int_equal(data[WIRE_KEY_EPOCH_OFFSET], 3);
    data[WIRE_TAG_OFFSET] = 0xab;
    assert_int_equal(wire_decode(data, sizeof(data), &message), DROP_NONE);
    assert_int_equal(message.tag, 0xab);
}

static void a_written_tag_is_the_tag_of_what_carries_it(void **state)
{
    (void)state;
    uint8_t data[WIRE_EVENTS_OFFSET];
    struct wire_message message;
    wire_encode(&example, data);
    uint64_t before = wire_tag(&key, data, sizeof(data));
    wire_tag_write(&key, data, sizeof(data));
    assert_int_equal(wire_decode(data, sizeof(data), &message), DROP_NONE);
    assert_true(message.tag == before);
    assert_true(wire_tag(&key, data, sizeof(data)) == before);
}

static void every_bit_but_the_tags_own_changes_the_tag(void **state)
{
    (void)state;
    uint8_t data[WIRE_EVENTS_OFFSET + 5] = {0};
    wire_encode(&example, data);
    uint64_t tag = wire_tag(&key, data, sizeof(data));
    for (uint32_t bit = 0; bit < sizeof(data) * 8; bit++) {
        bool own = bit / 64 == 1;
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(wire_tag(&key, data, sizeof(data)) == tag, own);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(wire_tag(&key, data, sizeof(data) - 1) != tag);
}

static void bytes_short_of_a_tag_are_our_mistake(void **state)
{
    (void)state;
    uint8_t data[16] = {0};
    expect_assert_failure((void)wire_tag(&key, data, 15));
    assert_true(wire_tag(&key, data, 16) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_offsets_are_those_of_the_format),
        cmocka_unit_test(a_written_tag_is_the_tag_of_what_carries_it),
        cmocka_unit_test(every_bit_but_the_tags_own_changes_the_tag),
        cmocka_unit_test(bytes_short_of_a_tag_are_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
