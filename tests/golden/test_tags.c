/* A golden message with a tag: the tag of docs/formats/wire.md, and no bit of it can change. */
#include "tests/support/golden_file.h"

#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_tag.h"
#include "dataplane/keyring.h"
#include "drivers/cpu.h"

static const struct producer_keys producer = {
    .producer = 7,
    .key_count = 1,
    .key = {{.epoch = 1, .bytes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}}};

static enum drop verify(siphash_four *four, const struct golden *golden, uint32_t copies)
{
    struct net_message message[SIPHASH_LANES];
    uint8_t drop[SIPHASH_LANES];
    void *memory = aligned_alloc(CACHE_LINE_BYTES, keyring_footprint(1));
    assert_non_null(memory);
    const struct keyring *keyring = keyring_init(memory, &producer, 1, four);
    for (uint32_t i = 0; i < copies; i++) {
        message[i] = (struct net_message){.data = golden->data, .size = golden->size};
    }
    keyring_verify(keyring, message, copies, drop);
    for (uint32_t i = 1; i < copies; i++) {
        assert_int_equal(drop[i], drop[0]);
    }
    free(memory);
    return drop[0];
}

static void the_tag_of_a_message_is_the_golden_one(void **state)
{
    (void)state;
    struct golden made;
    struct siphash_key key = siphash_key_of(producer.key[0].bytes);
    golden_read("transaction.bin", &made);
    assert_true(made.size >= WIRE_EVENTS_OFFSET);
    made.data[WIRE_KEY_EPOCH_OFFSET] = producer.key[0].epoch;
    wire_tag_write(&key, made.data, made.size);
    golden_check("transaction_tagged.bin", made.data, made.size);
}

/* Law: an authenticated datagram is taken whole and unchanged, or not at all. */
static void every_flipped_bit_and_every_cut_is_refused(void **state)
{
    (void)state;
    siphash_four *forms[] = {siphash_four_scalar,
                             cpu_has_avx2() ? siphash_four_avx2 : siphash_four_scalar};
    struct golden golden;
    golden_read("transaction_tagged.bin", &golden);
    for (uint32_t form = 0; form < 2; form++) {
        uint32_t copies = form == 0 ? 1 : SIPHASH_LANES;
        assert_int_equal(verify(forms[form], &golden, copies), DROP_NONE);
        for (uint32_t bit = 0; bit < golden.size * 8; bit++) {
            golden.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(verify(forms[form], &golden, copies), DROP_NONE);
            golden.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        uint32_t whole = golden.size;
        for (golden.size = 0; golden.size < whole; golden.size++) {
            assert_int_not_equal(verify(forms[form], &golden, copies), DROP_NONE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tag_of_a_message_is_the_golden_one),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
