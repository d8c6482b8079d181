/* Golden messages, whole, cut at every byte, and with every byte flipped. Each datagram lies at the
 * end of its own allocation, so that a sanitizer sees a read past it. */
#include "controlplane/encoder.h"
#include "dataplane/feature/decode.h"
#include "dataplane/feature/text.h"
#include "tests/support/golden_file.h"
#include "tests/support/transaction.h"

/* What became of one datagram of bytes. */
struct outcome {
    uint32_t events;
    uint32_t drops;
};

static void text_count(const uint8_t *data, uint32_t size, const struct schema *schema,
                       struct outcome *out)
{
    const struct schema *const schemas[] = {schema};
    struct text_cursor cursor = {.data = (const char *)data, .size = size};
    struct text_event event;
    uint8_t *block = malloc(schema->block_size);
    while (text_next(&cursor, schemas, 1, 0, 1, block, &event) != 0) {
        out->events += event.drop == DROP_NONE;
        out->drops += event.drop != DROP_NONE;
        assert_true(event.drop <= DROP_NONE);
        assert_true(event.offset <= size);
        assert_true(event.field < schema->field_count);
    }
    free(block);
}

static void wire_count(const uint8_t *data, uint32_t size, const struct schema *schema,
                       struct burst *burst, struct outcome *out)
{
    struct wire_message message;
    enum drop drop = wire_decode(data, size, &message);
    if (drop == DROP_NONE && message.stream_id != schema->id) {
        drop = DROP_message_unknown_stream;
    }
    if (drop == DROP_NONE) {
        drop = decode_check(schema, &message);
    }
    if (drop != DROP_NONE) {
        out->drops++;
        return;
    }
    struct decode_plan plan;
    decode_compile(schema, UINT64_MAX, &plan);
    burst->schema = schema;
    for (uint32_t first = 0; first < message.event_count;) {
        uint32_t left = message.event_count - first;
        uint32_t count = left < BURST_EVENTS_MAX ? left : BURST_EVENTS_MAX;
        burst->count = 0;
        decode_events(&plan, &message, first, count, burst);
        for (uint32_t i = 0; i < count; i++) {
            out->events += burst->drop[i] == DROP_NONE;
            out->drops += burst->drop[i] != DROP_NONE;
        }
        first += count;
    }
}

static struct outcome datagram_count(const uint8_t *data, uint32_t size,
                                     const struct schema *schema, struct burst *burst)
{
    struct outcome outcome = {0};
    uint8_t *copy = malloc(size + (size == 0));
    memcpy(copy, data, size);
    if (wire_is_text(copy, size)) {
        text_count(copy, size, schema, &outcome);
    } else {
        wire_count(copy, size, schema, burst, &outcome);
    }
    free(copy);
    return outcome;
}

static void the_golden_message_decodes_to_its_events(void **state)
{
    (void)state;
    struct golden golden;
    static struct schema schema;
    struct wire_message message;
    struct decode_plan plan;
    struct burst *burst = calloc(1, sizeof(*burst));
    golden_read("transaction.bin", &golden);
    transaction_schema(&schema, 1);
    assert_false(wire_is_text(golden.data, golden.size));
    assert_int_equal(wire_decode(golden.data, golden.size, &message), DROP_NONE);
    assert_int_equal(message.producer, 7);
    assert_int_equal(message.sequence, 42);
    assert_int_equal(message.incarnation, 1700000000);
    assert_int_equal(message.flags, WIRE_FLAG_UNACKED);
    assert_int_equal(message.event_count, 2);
    assert_int_equal(decode_check(&schema, &message), DROP_NONE);
    decode_compile(&schema, UINT64_MAX, &plan);
    burst->schema = &schema;
    decode_events(&plan, &message, 0, 2, burst);
    assert_int_equal(burst->count, 2);
    assert_int_equal(burst->drop[0], DROP_NONE);
    assert_int_equal(burst->drop[1], DROP_NONE);
    assert_int_equal(burst->time_us[1], 1700000000000001);
    assert_int_equal(burst->value[FIELD_CARD][0], 4711);
    assert_int_equal(burst->value[FIELD_AMOUNT][0], 950);
    assert_int_equal(burst->order[1], 42 << 16 | 1);
    assert_int_equal(burst->null_mask[0], 0);
    assert_int_equal(burst->null_mask[1], 1 << FIELD_MERCHANT);
    uint32_t size;
    assert_memory_equal(burst_string(burst, FIELD_STATUS, 1, &size), "declined", 8);
    assert_int_equal(size, 8);
    free(burst);
}

/* Of the tagged golden message; test_tags verifies it. */
static const struct siphash_key golden_key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};

static void encoder_check(bool tagged)
{
    static const char *const rows[2][5] = {
        {"1700000000000000", "4711", "books", "9.50", "ok"},
        {"1700000000000001", "4712", "", "1.2", "declined"},
    };
    static struct schema schema;
    struct encoder *encoder = calloc(1, sizeof(*encoder));
    transaction_schema(&schema, 1);
    assert_int_equal(
        encoder_init(encoder, &schema, 7, 1700000000, 0, WIRE_FLAG_UNACKED, ENCODER_MESSAGE_BYTES),
        RESULT_OK);
    encoder->sequence = 42;
    if (tagged) {
        encoder_key_set(encoder, 1, &golden_key);
    }
    for (uint32_t r = 0; r < 2; r++) {
        uint8_t *block = encoder_event(encoder);
        for (uint32_t f = 0; f < 5; f++) {
            assert_int_equal(text_value_encode(&schema.field[f], rows[r][f],
                                               (uint32_t)strlen(rows[r][f]), false, block),
                             DROP_NONE);
        }
        encoder_add(encoder);
    }
    uint32_t size = encoder_finish(encoder, 1700000000500000);
    golden_check(tagged ? "transaction_tagged.bin" : "transaction.bin", encoder->data, size);
    assert_int_equal(encoder->sequence, 43);
    free(encoder);
}

static void the_encoder_writes_the_golden_messages(void **state)
{
    (void)state;
    encoder_check(false);
    encoder_check(true);
}

static void text_twins_give_the_same_events(void **state)
{
    (void)state;
    struct golden golden;
    struct golden text;
    static struct schema schema;
    golden_read("transaction.bin", &golden);
    golden_read("transaction.txt", &text);
    transaction_schema(&schema, 1);
    const struct schema *const schemas[] = {&schema};
    struct text_cursor cursor = {.data = (const char *)text.data, .size = text.size};
    struct text_event event;
    uint8_t block[EVENT_SIZE_MAX];
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(text_next(&cursor, schemas, 1, -1, 0, block, &event), 1);
        assert_int_equal(event.drop, DROP_NONE);
        assert_memory_equal(block, golden.data + 64 + i * schema.block_size, schema.block_size);
    }
    assert_int_equal(text_next(&cursor, schemas, 1, -1, 0, block, &event), 0);
}

static void every_cut_and_flipped_byte_is_events_or_named_drops(void **state)
{
    (void)state;
    static const char *const names[] = {"transaction.bin", "transaction.txt"};
    struct burst *burst = calloc(1, sizeof(*burst));
    for (uint16_t version = 1; version <= 2; version++) {
        static struct schema schema;
        transaction_schema(&schema, version);
        for (uint32_t n = 0; n < 2; n++) {
            struct golden golden;
            golden_read(names[n], &golden);
            for (uint32_t size = 0; size < golden.size; size++) {
                struct outcome cut = datagram_count(golden.data, size, &schema, burst);
                bool binary = n == 0;
                assert_true(!binary || (cut.events == 0 && cut.drops == 1));
            }
            for (uint32_t at = 0; at < golden.size; at++) {
                for (uint32_t bit = 0; bit < 8; bit++) {
                    golden.data[at] ^= (uint8_t)(1u << bit);
                    (void)datagram_count(golden.data, golden.size, &schema, burst);
                    golden.data[at] ^= (uint8_t)(1u << bit);
                }
                golden.data[at] ^= 0xff;
                (void)datagram_count(golden.data, golden.size, &schema, burst);
                golden.data[at] ^= 0xff;
            }
        }
    }
    free(burst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_message_decodes_to_its_events),
        cmocka_unit_test(the_encoder_writes_the_golden_messages),
        cmocka_unit_test(text_twins_give_the_same_events),
        cmocka_unit_test(every_cut_and_flipped_byte_is_events_or_named_drops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
