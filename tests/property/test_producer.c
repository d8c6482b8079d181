/* A lane of the producer library against a fake home over a network that loses, repeats and
 * reorders by seed, with crashes of the home, credit that comes and goes, and a virtual clock.
 *
 * Law: every event ends in exactly one callback; what was called durable is durable at the home,
 * once; what is not durable was called lost; once the faults stop, all is settled in bounded time.
 * SEED=n repeats a run. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <time.h>

#include "drivers/producer/producer_lane.h"
#include "tests/support/fake_home.h"

#define RUNS              2000u
#define EVENTS_MAX        1500u
#define FLIGHTS_MAX       4096u
#define DATAGRAM_MAX      256u
#define FAULTS_US         3000000
#define SETTLED_WITHIN_US 60000000

struct flight {
    int64_t at_us;
    bool to_home;
    uint32_t size;
    uint8_t data[DATAGRAM_MAX];
};

struct run {
    uint64_t seed;
    struct random random;
    struct producer_identity identity;
    struct producer_lane lane;
    struct fake_home home;
    int64_t now_us;
    int64_t commit_us;
    int64_t ack_us; /* The next one may go then. */
    bool ack_wanted;
    bool faults;
    double loss;
    double twice;
    int64_t delay_us; /* At most. */
    bool drops_oldest;
    uint32_t flight_count;
    uint64_t next_event;
    struct flight flight[FLIGHTS_MAX];
    uint16_t durable[FAKE_HOME_SEQUENCES_MAX]; /* Callbacks, by sequence. */
    uint16_t lost[FAKE_HOME_SEQUENCES_MAX];
    uint64_t sequence_of[EVENTS_MAX];
};

static void on_durable(void *context, uint16_t lane, uint64_t sequence, uint32_t events)
{
    struct run *run = context;
    (void)lane;
    (void)events;
    run->durable[sequence]++;
    assert_true(run->home.state[sequence] == FAKE_HOME_DURABLE);
}

static void on_lost(void *context, uint16_t lane, uint64_t sequence, uint32_t events,
                    enum producer_lost reason)
{
    struct run *run = context;
    (void)lane;
    (void)events;
    (void)reason;
    run->lost[sequence]++;
}

static bool chance(struct run *run, double share)
{
    return random_unit(&run->random) < share;
}

static int64_t below(struct run *run, int64_t limit)
{
    return (int64_t)random_below(&run->random, (uint64_t)limit);
}

static void fly(struct run *run, bool to_home, const uint8_t *data, uint32_t size)
{
    uint32_t copies = 1;
    assert_true(size <= DATAGRAM_MAX);
    if (run->faults) {
        copies = chance(run, run->loss) ? 0 : chance(run, run->twice) ? 2 : 1;
    }
    for (uint32_t i = 0; i < copies && run->flight_count < FLIGHTS_MAX; i++) {
        struct flight *flight = &run->flight[run->flight_count++];
        flight->at_us = run->now_us + 50 + below(run, run->delay_us);
        flight->to_home = to_home;
        flight->size = size;
        memcpy(flight->data, data, size);
    }
}

static void arrive(struct run *run, const struct flight *flight)
{
    struct wire_ack ack;
    if (flight->to_home) {
        run->ack_wanted |= fake_home_receive(&run->home, flight->data, flight->size);
    } else {
        assert_true(producer_ack_read(&run->identity, flight->data, flight->size, &ack));
        producer_lane_receive(&run->lane, run->now_us, &ack);
    }
}

static void network_turn(struct run *run)
{
    for (uint32_t i = 0; i < run->flight_count;) {
        if (run->flight[i].at_us > run->now_us) {
            i++;
            continue;
        }
        struct flight flight = run->flight[i];
        run->flight[i] = run->flight[--run->flight_count];
        arrive(run, &flight);
    }
}

static void home_turn(struct run *run)
{
    if (run->faults && chance(run, 0.002)) {
        fake_home_crash(&run->home);
    }
    if (run->faults && chance(run, 0.01)) {
        run->home.credit = (uint16_t)(chance(run, 0.4) ? 0 : below(run, 100));
    }
    if (!run->faults && run->home.credit == 0) {
        run->home.credit = 1;
    }
    if (run->now_us >= run->commit_us) {
        fake_home_commit(&run->home);
        run->commit_us = run->now_us + 200 + below(run, 3000);
        run->ack_wanted = run->ack_wanted || run->home.greatest > 0;
    }
    if (run->ack_wanted && run->now_us >= run->ack_us && run->home.producer != 0) {
        uint8_t data[WIRE_ACK_BYTES];
        fake_home_ack(&run->home, data);
        fly(run, false, data, sizeof(data));
        run->ack_us = run->now_us + 1000;
        run->ack_wanted = false;
    }
}

static void producer_turn_once(struct run *run)
{
    if (run->faults && run->next_event < EVENTS_MAX && chance(run, 0.6)) {
        uint64_t *sequence = &run->sequence_of[run->next_event];
        bool taken = producer_lane_push(&run->lane, run->now_us, &run->next_event, sequence);
        if (!taken && run->drops_oldest) {
            producer_lane_drop_oldest(&run->lane);
            taken = producer_lane_push(&run->lane, run->now_us, &run->next_event, sequence);
            assert_true(taken);
        }
        run->next_event += taken ? 1 : 0;
    }
    uint32_t size;
    const uint8_t *data;
    uint64_t limit = producer_lane_limit(&run->lane);
    while ((data = producer_lane_take(&run->lane, run->now_us, run->now_us, &size)) != NULL) {
        uint64_t sequence;
        memcpy(&sequence, data + 24, sizeof(sequence));
        assert_true(sequence <= limit || size == 64); /* Credit holds for all but heartbeats. */
        fly(run, true, data, size);
    }
}

static void run_init(struct run *run, uint64_t seed, void **out_memory)
{
    *run = (struct run){.seed = seed};
    random_seed(&run->random, seed);
    run->faults = true;
    run->loss = random_unit(&run->random) * 0.6;
    run->twice = random_unit(&run->random) * 0.3;
    run->delay_us = 1 + below(run, chance(run, 0.5) ? 500 : 20000);
    run->drops_oldest = chance(run, 0.5);
    run->identity = (struct producer_identity){
        .producer = random_next(&run->random) | 1,
        .incarnation = 1,
        .stream_id = 1,
        .version = 1,
        .event_bytes = 8,
        .acked = true,
        .has_key = chance(run, 0.5),
        .key = {{1, 2}},
        .message_bytes = (uint32_t)(72 + 8 * below(run, 6)),
        .slot_count = (uint32_t)(PRODUCER_SLOTS_MIN + (uint32_t)below(run, 200)),
        .linger_us = below(run, 5000),
        .give_up_us = chance(run, 0.3) ? 1000 + below(run, 1000000) : 0,
        .seed = seed,
    };
    fake_home_init(&run->home, (uint16_t)below(run, 100));
    run->home.has_key = run->identity.has_key;
    run->home.key = run->identity.key;
    const struct producer_outcome outcome = {on_durable, on_lost, run};
    *out_memory = aligned_alloc(64, (producer_lane_footprint(&run->identity) + 63) / 64 * 64);
    assert_non_null(*out_memory);
    producer_lane_init(&run->lane, &run->identity, 9, &outcome, *out_memory);
}

static void run_check(const struct run *run)
{
    for (uint64_t id = 0; id < run->next_event; id++) {
        uint64_t sequence = run->sequence_of[id];
        assert_int_equal(run->durable[sequence] + run->lost[sequence], 1);
        assert_true(run->home.times[id] <= 1);
        if (run->durable[sequence] == 1) {
            assert_int_equal(run->home.times[id], 1);
        }
    }
    if (!run->drops_oldest && run->identity.give_up_us == 0) {
        assert_int_equal(run->lane.counts.events_durable, run->next_event);
    }
    assert_int_equal(run->home.bad_tags, 0);
    assert_int_equal(run->home.refused, 0);
}

static void run_whole(struct run *run, uint64_t seed)
{
    void *memory;
    run_init(run, seed, &memory);
    while (run->now_us < FAULTS_US) {
        run->now_us += 100 + below(run, 1000);
        network_turn(run);
        home_turn(run);
        producer_turn_once(run);
    }
    run->faults = false;
    int64_t end_us = run->now_us + SETTLED_WITHIN_US;
    while (producer_lane_events_held(&run->lane) > 0) {
        assert_true(run->now_us < end_us);
        run->now_us += 500;
        network_turn(run);
        home_turn(run);
        producer_turn_once(run);
    }
    run_check(run);
    free(memory);
}

static void every_event_is_durable_once_or_reported_lost(void **state)
{
    (void)state;
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL) * RUNS;
    struct run *run = malloc(sizeof(*run));
    assert_non_null(run);
    for (uint32_t i = 0; i < (text != NULL ? 1 : RUNS); i++) {
        run->seed = seed + i;
        *state = run;
        run_whole(run, seed + i);
    }
}

static int seed_print(void **state)
{
    struct run *run = *state;
    printf("SEED=%llu was the last one\n", (unsigned long long)run->seed);
    free(run);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_event_is_durable_once_or_reported_lost, seed_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
