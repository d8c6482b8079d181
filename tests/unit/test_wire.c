#include "tests/support/unit.h"

#include "dataplane/feature/wire.h"

/* A message of two events of 8 bytes; each row changes one u16 of it. */
static uint32_t message_make(uint8_t data[128])
{
    struct wire_message message = {
        .stream_id = 3,
        .version = 1,
        .lane = 5,
        .flags = 1,
        .key_epoch = 2,
        .tag = 11,
        .producer = UINT64_MAX,
        .sequence = 13,
        .oldest = 12,
        .send_time_us = -1,
        .incarnation = 17,
        .map_version = 19,
        .event_stride = 8,
        .event_count = 2,
    };
    memset(data, 0xab, 128);
    assert_int_equal(wire_encode(&message, data), WIRE_EVENTS_OFFSET);
    return WIRE_EVENTS_OFFSET + 16;
}

static void what_is_encoded_is_decoded(void **state)
{
    (void)state;
    uint8_t data[128];
    uint32_t size = message_make(data);
    struct wire_message m;
    assert_int_equal(wire_decode(data, size, &m), DROP_NONE);
    assert_int_equal(m.stream_id, 3);
    assert_int_equal(m.lane, 5);
    assert_int_equal(m.key_epoch, 2);
    assert_true(m.producer == UINT64_MAX);
    assert_int_equal(m.sequence, 13);
    assert_int_equal(m.oldest, 12);
    assert_int_equal(m.send_time_us, -1);
    assert_int_equal(m.incarnation, 17);
    assert_int_equal(m.map_version, 19);
    assert_int_equal(m.event_stride, 8);
    assert_int_equal(m.event_count, 2);
    assert_ptr_equal(m.events, data + 64);
}

static void each_broken_number_has_its_reason(void **state)
{
    (void)state;
    static const struct {
        uint32_t at;
        uint16_t value;
        enum drop drop;
    } rows[] = {
        {0, 51, DROP_message_root_size},
        {0, 256, DROP_message_root_size},
        {0, 0, DROP_message_root_size},
        {0, 200, DROP_message_short},
        {2, 4, DROP_message_schema_id},
        {4, 4, DROP_message_schema_id},
        {6, 0, DROP_message_version},
        {60, 7, DROP_message_size},
        {60, 9, DROP_message_size},
        {62, 1, DROP_message_size},
        {62, 65535, DROP_message_size},
        {62, 0, DROP_message_size},
        {6, 9, DROP_NONE},
    };
    for (uint32_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        uint8_t data[128];
        struct wire_message m;
        uint32_t size = message_make(data);
        memcpy(data + rows[r].at, &rows[r].value, 2);
        assert_int_equal(wire_decode(data, size, &m), rows[r].drop);
    }
}

static void reserved_stream_ids_are_refused(void **state)
{
    (void)state;
    uint8_t data[128];
    struct wire_message m;
    uint32_t size = message_make(data);
    uint16_t id = 65000;
    memcpy(data + 2, &id, 2);
    memcpy(data + 4, &id, 2);
    assert_int_equal(wire_decode(data, size, &m), DROP_message_schema_id);
}

static void a_longer_root_block_is_skipped(void **state)
{
    (void)state;
    uint8_t data[256] = {0};
    uint8_t made[128];
    struct wire_message m;
    (void)message_make(made);
    memcpy(data, made, 60);
    data[0] = 60;
    memcpy(data + 68, made + 60, 20);
    assert_int_equal(wire_decode(data, 88, &m), DROP_NONE);
    assert_ptr_equal(m.events, data + 72);
    assert_int_equal(m.event_count, 2);
}

static void sizes_at_the_ends_have_their_reasons(void **state)
{
    (void)state;
    static uint8_t data[MESSAGE_SIZE_MAX + 1];
    struct wire_message m;
    uint8_t made[128];
    (void)message_make(made);
    memcpy(data, made, 64);
    assert_int_equal(wire_decode(data, 0, &m), DROP_message_empty);
    assert_int_equal(wire_decode(data, 7, &m), DROP_message_short);
    assert_int_equal(wire_decode(data, 63, &m), DROP_message_short);
    assert_int_equal(wire_decode(data, sizeof(data), &m), DROP_message_too_long);
}

static void text_is_told_from_messages(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        uint32_t size;
        bool text;
    } rows[] = {
        {"abc", 3, true},  {"{}", 2, true},        {"[", 1, true},    {"<13>", 4, true},
        {"#c", 2, true},   {"\n", 1, true},        {"_x", 2, true},   {" x", 2, true},
        {"4\0", 2, false}, {"<\0", 2, false},      {"a\0", 2, false}, {"1abc", 4, false},
        {"", 0, false},    {"\xff\xfe", 2, false},
    };
    for (uint32_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        assert_int_equal(wire_is_text((const uint8_t *)rows[r].data, rows[r].size), rows[r].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(each_broken_number_has_its_reason),
        cmocka_unit_test(reserved_stream_ids_are_refused),
        cmocka_unit_test(a_longer_root_block_is_skipped),
        cmocka_unit_test(sizes_at_the_ends_have_their_reasons),
        cmocka_unit_test(text_is_told_from_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
