#include "tests/support/unit.h"

#include "dataplane/feature/wire_ack.h"

static const struct wire_ack example = {.tag = 0x0102030405060708,
                                        .producer = UINT64_MAX,
                                        .durable = 77,
                                        .map = {UINT64_C(0x8000000000000001), 3},
                                        .incarnation = 9,
                                        .lane = 65535,
                                        .shard_count = 12,
                                        .credit = 4096,
                                        .key_epoch = 2,
                                        .flags = WIRE_ACK_FLAG_HELD,
                                        .epoch = 5};

static void what_is_encoded_is_decoded(void **state)
{
    (void)state;
    uint8_t data[WIRE_ACK_BYTES];
    struct wire_ack ack;
    wire_ack_encode(&example, data);
    assert_int_equal(wire_ack_decode(data, sizeof(data), &ack), RESULT_OK);
    assert_memory_equal(&ack, &example, sizeof(ack));
    assert_int_equal(data[0], 56);
    assert_int_equal(data[8], 0x08);
}

static void every_cut_is_truncated(void **state)
{
    (void)state;
    uint8_t data[WIRE_ACK_BYTES];
    struct wire_ack ack;
    wire_ack_encode(&example, data);
    for (uint32_t size = 0; size < WIRE_ACK_BYTES; size++) {
        assert_int_equal(wire_ack_decode(data, size, &ack), RESULT_TRUNCATED);
    }
}

static void what_is_no_acknowledgement_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset;
        uint8_t value;
    } row[] = {{0, 55}, {0, 57}, {1, 1}, {2, 0}, {4, 0}, {6, 0}};
    for (uint32_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        uint8_t data[WIRE_ACK_BYTES];
        struct wire_ack ack;
        wire_ack_encode(&example, data);
        data[row[i].offset] = row[i].value;
        assert_int_equal(wire_ack_decode(data, sizeof(data), &ack), RESULT_INVALID);
    }
}

static void the_tail_of_a_newer_version_is_skipped(void **state)
{
    (void)state;
    uint8_t data[WIRE_ACK_BYTES + 8] = {0};
    struct wire_ack ack;
    wire_ack_encode(&example, data);
    data[0] = 64;
    data[6] = 2;
    assert_int_equal(wire_ack_decode(data, sizeof(data), &ack), RESULT_OK);
    assert_int_equal(ack.durable, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(every_cut_is_truncated),
        cmocka_unit_test(what_is_no_acknowledgement_is_refused),
        cmocka_unit_test(the_tail_of_a_newer_version_is_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
