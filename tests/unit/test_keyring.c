/* Bursts against keys: who is let in, why not, and keys that change under way. SEED=n repeats. */
#include "tests/support/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_ack.h"
#include "dataplane/feature/wire_tag.h"
#include "dataplane/keyring.h"
#include "drivers/cpu.h"

#define PRODUCERS 3u
#define BYTES_MAX 1400u

static const struct producer_keys producers[PRODUCERS] = {
    {.producer = 7,
     .key_count = 2,
     .key = {{.epoch = 1, .bytes = {1, 2, 3}}, {.epoch = 2, .bytes = {4, 5, 6}}}},
    {.producer = 8, .key_count = 1, .key = {{.epoch = 1, .bytes = {7, 8, 9}}}},
    /* 192.0.2.0/24 */
    {.producer = 9,
     .key_count = 1,
     .key = {{.epoch = 255, .bytes = {10}}},
     .from = {.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 0}, .bits = 120}},
};

static const struct net_address inside = {
    .ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 77}};
static const struct net_address outside = {
    .ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 3, 77}};

static struct random random_state;

static struct keyring *keyring_make(const struct producer_keys *list, uint32_t count,
                                    siphash_four *four)
{
    void *memory = aligned_alloc(CACHE_LINE_BYTES, keyring_footprint(count));
    assert_non_null(memory);
    return keyring_init(memory, list, count, four);
}

static siphash_four *four_of_machine(void)
{
    return cpu_has_avx2() ? siphash_four_avx2 : siphash_four_scalar;
}

/* A message of size bytes with random events, tagged by key. */
static void message_make(uint64_t producer, const struct producer_key *key, uint32_t size,
                         uint8_t *data)
{
    struct wire_message wire = {.stream_id = 42,
                                .version = 1,
                                .producer = producer,
                                .key_epoch = key->epoch,
                                .sequence = random_next(&random_state),
                                .event_stride = 1,
                                .event_count = (uint16_t)(size - WIRE_EVENTS_OFFSET)};
    struct siphash_key secret = siphash_key_of(key->bytes);
    wire_encode(&wire, data);
    for (uint32_t i = WIRE_EVENTS_OFFSET; i < size; i++) {
        data[i] = (uint8_t)random_next(&random_state);
    }
    wire_tag_write(&secret, data, size);
}

static enum drop one_verify(const struct keyring *keyring, const uint8_t *data, uint32_t size,
                            const struct net_address *sender)
{
    struct net_message message = {.data = data, .size = size, .sender = *sender};
    uint8_t drop = 0;
    keyring_verify(keyring, &message, 1, &drop);
    return drop;
}

static void each_reason_is_named(void **state)
{
    (void)state;
    static const struct producer_key key = {.epoch = 1, .bytes = {1, 2, 3}};
    static const struct {
        uint64_t producer;
        uint8_t epoch;
        uint8_t key;
        const struct net_address *sender;
        enum drop drop;
    } rows[] = {
        {7, 1, 1, &inside, DROP_NONE},
        {7, 2, 4, &inside, DROP_NONE},
        {7, 2, 1, &inside, DROP_message_bad_tag}, /* the key of the other epoch */
        {7, 1, 4, &inside, DROP_message_bad_tag}, /* the other way round */
        {7, 0, 1, &inside, DROP_message_unknown_key},
        {7, 3, 4, &inside, DROP_message_unknown_key},
        {8, 1, 7, &outside, DROP_NONE},
        {8, 1, 1, &inside, DROP_message_bad_tag}, /* another producer's key */
        {8, 2, 7, &inside, DROP_message_unknown_key},
        {9, 255, 10, &inside, DROP_NONE},
        {9, 255, 10, &outside, DROP_message_not_allowed},
        {9, 1, 10, &outside, DROP_message_unknown_key},
        {10, 1, 1, &inside, DROP_message_unknown_key},
        {0, 0, 1, &inside, DROP_message_unknown_key},
        {UINT64_MAX, 1, 1, &inside, DROP_message_unknown_key},
    };
    struct keyring *keyring = keyring_make(producers, PRODUCERS, four_of_machine());
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t data[200];
        struct producer_key used = key;
        used.epoch = rows[i].epoch;
        memset(used.bytes, 0, sizeof(used.bytes));
        if (rows[i].key == 10) {
            used.bytes[0] = 10;
        } else {
            for (uint8_t b = 0; b < 3; b++) {
                used.bytes[b] = (uint8_t)(rows[i].key + b);
            }
        }
        message_make(rows[i].producer, &used, sizeof(data), data);
        enum drop drop = one_verify(keyring, data, sizeof(data), rows[i].sender);
        if (drop != rows[i].drop) {
            fail_msg("row %u: drop %u, expected %u", i, drop, rows[i].drop);
        }
    }
    free(keyring);
}

static void what_is_no_message_is_refused_without_a_look_at_keys(void **state)
{
    (void)state;
    static const char text[] = "transaction,card=1 amount=1 1700000000000000000 and more to read";
    struct keyring *keyring = keyring_make(producers, PRODUCERS, four_of_machine());
    uint8_t data[WIRE_EVENTS_OFFSET];
    message_make(7, &producers[0].key[0], sizeof(data), data);
    assert_int_equal(one_verify(keyring, data, sizeof(data), &inside), DROP_NONE);
    for (uint32_t size = 1; size < sizeof(data); size++) {
        assert_int_equal(one_verify(keyring, data, size, &inside), DROP_message_short);
    }
    assert_int_equal(one_verify(keyring, data, 0, &inside), DROP_message_empty);
    assert_int_equal(one_verify(keyring, (const uint8_t *)text, sizeof(text) - 1, &inside),
                     DROP_text_refused);
    struct net_message cut = {.data = data, .size = sizeof(data), .truncated = true};
    uint8_t drop;
    keyring_verify(keyring, &cut, 1, &drop);
    assert_int_equal(drop, DROP_message_too_long);
    free(keyring);
}

static void an_empty_keyring_lets_nobody_in(void **state)
{
    (void)state;
    struct keyring *keyring = keyring_make(NULL, 0, four_of_machine());
    uint8_t data[100];
    message_make(7, &producers[0].key[0], sizeof(data), data);
    assert_int_equal(keyring_producer_count(keyring), 0);
    assert_int_equal(one_verify(keyring, data, sizeof(data), &inside), DROP_message_unknown_key);
    free(keyring);
}

/* Law: no bit of an authenticated datagram can change. */
static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct keyring *keyring = keyring_make(producers, PRODUCERS, four_of_machine());
    uint8_t data[163];
    message_make(7, &producers[0].key[1], sizeof(data), data);
    for (uint32_t bit = 0; bit < sizeof(data) * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(one_verify(keyring, data, sizeof(data), &inside), DROP_NONE);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(one_verify(keyring, data, sizeof(data), &inside), DROP_NONE);
    for (uint32_t size = WIRE_EVENTS_OFFSET; size < sizeof(data); size++) {
        assert_int_equal(one_verify(keyring, data, size, &inside), DROP_message_bad_tag);
    }
    free(keyring);
}

struct mixed_burst {
    uint8_t data[NET_BURST_MAX][BYTES_MAX];
    struct net_message message[NET_BURST_MAX];
    enum drop expected[NET_BURST_MAX];
};

static void mixed_fill(struct mixed_burst *burst, uint32_t count, uint32_t sizes)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = WIRE_EVENTS_OFFSET + 24 * (uint32_t)random_below(&random_state, sizes);
        const struct producer_keys *producer = &producers[random_below(&random_state, PRODUCERS)];
        const struct producer_key *key =
            &producer->key[random_below(&random_state, producer->key_count)];
        message_make(producer->producer, key, size, burst->data[i]);
        burst->message[i] =
            (struct net_message){.data = burst->data[i], .size = size, .sender = inside};
        burst->expected[i] = DROP_NONE;
        switch (random_below(&random_state, 6)) {
        case 0:
            burst->data[i][random_below(&random_state, 8) + WIRE_TAG_OFFSET] ^= 1;
            burst->expected[i] = DROP_message_bad_tag;
            break;
        case 1:
            burst->data[i][WIRE_PRODUCER_OFFSET + 3] = 1;
            burst->expected[i] = DROP_message_unknown_key;
            break;
        case 2:
            burst->message[i].size = 20;
            burst->expected[i] = DROP_message_short;
            break;
        default:
            break;
        }
    }
}

/* Law: what a message gets depends on no other message of its burst. */
static void bursts_of_every_count_and_mix_are_judged_one_by_one(void **state)
{
    (void)state;
    static struct mixed_burst burst;
    siphash_four *forms[] = {siphash_four_scalar, four_of_machine()};
    for (uint32_t form = 0; form < 2; form++) {
        struct keyring *keyring = keyring_make(producers, PRODUCERS, forms[form]);
        for (uint32_t round = 0; round < 20 * (NET_BURST_MAX + 1); round++) {
            uint32_t count = round % (NET_BURST_MAX + 1);
            uint8_t drop[NET_BURST_MAX + 1];
            mixed_fill(&burst, count, 1 + round % 5);
            memset(drop, 0xee, sizeof(drop));
            keyring_verify(keyring, burst.message, count, drop);
            for (uint32_t i = 0; i < count; i++) {
                assert_int_equal(drop[i], burst.expected[i]);
            }
            assert_int_equal(drop[count], 0xee);
        }
        free(keyring);
    }
}

static void many_producers_are_all_found_and_no_others(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 2, 3, 4, 5, 1000, 4096};
    for (uint32_t c = 0; c < ARRAY_COUNT(counts); c++) {
        uint32_t count = counts[c];
        struct producer_keys *list = calloc(count, sizeof(*list));
        assert_non_null(list);
        for (uint32_t i = 0; i < count; i++) {
            list[i].producer = i * UINT64_C(3);
            list[i].key_count = 1;
            memcpy(list[i].key[0].bytes, &i, sizeof(i));
        }
        struct keyring *keyring = keyring_make(list, count, four_of_machine());
        assert_int_equal(keyring_producer_count(keyring), count);
        for (uint32_t i = 0; i < count; i++) {
            const struct siphash_key *key = keyring_find(keyring, i * UINT64_C(3), 0);
            assert_non_null(key);
            assert_true(key->word[0] == i);
            assert_null(keyring_find(keyring, i * UINT64_C(3), 1));
            assert_null(keyring_find(keyring, i * UINT64_C(3) + 1, 0));
        }
        free(keyring);
        free(list);
    }
}

static void a_producer_twice_is_our_mistake(void **state)
{
    (void)state;
    const struct producer_keys twice[] = {producers[1], producers[1]};
    void *memory = aligned_alloc(CACHE_LINE_BYTES, keyring_footprint(2));
    assert_non_null(memory);
    expect_assert_failure((void)keyring_init(memory, twice, 2, siphash_four_scalar));
    free(memory);
}

static void allowed_prefixes_ask_only_for_the_sender(void **state)
{
    (void)state;
    struct net_message message[2] = {{.sender = inside}, {.sender = outside}};
    uint8_t drop[2];
    prefix_verify(&producers[2].from, 1, message, 2, drop);
    assert_int_equal(drop[0], DROP_NONE);
    assert_int_equal(drop[1], DROP_message_not_allowed);
    prefix_verify(NULL, 0, message, 2, drop);
    assert_int_equal(drop[0], DROP_message_not_allowed);
}

static void an_old_keyring_is_passed_when_every_worker_entered_again(void **state)
{
    (void)state;
    static struct keyring_door door;
    struct keyring *old = keyring_make(producers, 1, siphash_four_scalar);
    struct keyring *new = keyring_make(producers, PRODUCERS, siphash_four_scalar);
    keyring_door_init(&door, 3);
    assert_null(keyring_door_enter(&door, 0));
    assert_true(keyring_door_passed(&door));
    keyring_door_publish(&door, old);
    assert_false(keyring_door_passed(&door));
    for (uint32_t i = 0; i < 3; i++) {
        assert_ptr_equal(keyring_door_enter(&door, i), old);
    }
    assert_true(keyring_door_passed(&door));
    keyring_door_publish(&door, new);
    assert_ptr_equal(keyring_door_enter(&door, 1), new);
    assert_ptr_equal(keyring_door_enter(&door, 0), new);
    assert_ptr_equal(keyring_door_enter(&door, 0), new);
    assert_false(keyring_door_passed(&door));
    keyring_door_leave(&door, 2);
    assert_true(keyring_door_passed(&door));
    expect_assert_failure(keyring_door_publish(&door, old));
    free(old);
    free(new);
}

struct door_world {
    struct keyring_door door;
    _Atomic bool shared_stop;
    _Atomic uint64_t shared_turns;
};

struct door_worker {
    struct door_world *world;
    uint32_t index;
    uint64_t refused;
};

static void *door_worker_run(void *argument)
{
    struct door_worker *worker = argument;
    uint8_t data[100] = {0};
    struct producer_keys producer = producers[1];
    struct siphash_key key = siphash_key_of(producer.key[0].bytes);
    struct wire_message wire = {.stream_id = 42, .version = 1, .producer = 8, .key_epoch = 1};
    wire_encode(&wire, data);
    wire_tag_write(&key, data, sizeof(data));
    while (!atomic_load_explicit(&worker->world->shared_stop, memory_order_relaxed)) {
        const struct keyring *keyring = keyring_door_enter(&worker->world->door, worker->index);
        worker->refused += one_verify(keyring, data, sizeof(data), &inside) != DROP_NONE;
        atomic_fetch_add_explicit(&worker->world->shared_turns, 1, memory_order_relaxed);
    }
    keyring_door_leave(&worker->world->door, worker->index);
    return NULL;
}

/* Law: a worker never sees half a keyring, nor one that was wiped. ThreadSanitizer watches. */
static void keys_change_while_workers_run(void **state)
{
    (void)state;
    static struct door_world world;
    struct door_worker workers[2] = {{&world, 0, 0}, {&world, 1, 0}};
    pthread_t thread[2];
    struct keyring *current = keyring_make(producers, PRODUCERS, siphash_four_scalar);
    keyring_door_init(&world.door, 2);
    keyring_door_publish(&world.door, current);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, door_worker_run, &workers[i]), 0);
    }
    for (uint32_t change = 0; change < 100; change++) {
        struct keyring *next =
            keyring_make(producers, change % 2 == 0 ? 2 : PRODUCERS, siphash_four_scalar);
        keyring_door_publish(&world.door, next);
        while (!keyring_door_passed(&world.door)) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 10000}, NULL);
        }
        memset(current, 0, keyring_footprint(keyring_producer_count(current)));
        free(current);
        current = next;
    }
    atomic_store_explicit(&world.shared_stop, true, memory_order_relaxed);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(workers[i].refused, 0);
    }
    assert_true(atomic_load_explicit(&world.shared_turns, memory_order_relaxed) > 0);
    free(current);
}

static int setup(void **state)
{
    (void)state;
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    printf("SEED=%llu\n", (unsigned long long)seed);
    random_seed(&random_state, seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reason_is_named),
        cmocka_unit_test(what_is_no_message_is_refused_without_a_look_at_keys),
        cmocka_unit_test(an_empty_keyring_lets_nobody_in),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(bursts_of_every_count_and_mix_are_judged_one_by_one),
        cmocka_unit_test(many_producers_are_all_found_and_no_others),
        cmocka_unit_test(a_producer_twice_is_our_mistake),
        cmocka_unit_test(allowed_prefixes_ask_only_for_the_sender),
        cmocka_unit_test(an_old_keyring_is_passed_when_every_worker_entered_again),
        cmocka_unit_test(keys_change_while_workers_run),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
