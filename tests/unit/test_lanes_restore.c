/* Acked lanes against a list of what became of every sequence, and what a restart makes of
 * them. */
#include "tests/support/lane_bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/tile_format.h"

#define RANGE 60000u

enum fate { FATE_NONE, FATE_ACCEPTED, FATE_DURABLE, FATE_GIVEN_UP };

/* All that is known of one lane, the long way. */
struct model {
    enum fate fate[RANGE];
    uint64_t base;
    uint64_t top;
    uint64_t oldest; /* What the producer holds. */
    uint64_t messages;
    uint64_t gaps;
};

static void model_advance(struct model *model)
{
    while (model->fate[model->base + 1] >= FATE_DURABLE) {
        model->base++;
    }
    model->top = model->base > model->top ? model->base : model->top;
}

static void model_give_up(struct model *model, uint64_t oldest)
{
    uint64_t before;
    do {
        before = model->base;
        for (uint64_t s = before + 1; s < oldest && s <= before + LANE_WINDOW; s++) {
            if (model->fate[s] == FATE_NONE) {
                model->fate[s] = FATE_GIVEN_UP;
                model->gaps++;
                model->top = s > model->top ? s : model->top;
            }
        }
        model_advance(model);
    } while (model->base != before);
}

static void model_check(const struct model *model)
{
    uint64_t base;
    uint64_t map[2];
    uint64_t holes = 0;
    lane_durable_map(only_lane(), &base, map);
    assert_int_equal(base, model->base);
    for (uint64_t i = 0; i < 128; i++) {
        assert_int_equal(map[i / 64] >> (i % 64) & 1, model->fate[base + 1 + i] >= FATE_DURABLE);
    }
    for (uint64_t s = model->base + 1; s <= model->top; s++) {
        holes += model->fate[s] == FATE_NONE;
    }
    struct lane_report report = report_of();
    assert_int_equal(report.holes, holes);
    assert_int_equal(report.gaps, model->gaps);
    assert_int_equal(report.messages, model->messages);
    assert_int_equal(report.gaps + report.holes + report.messages, model->top);
}

static void model_send(struct model *model, struct random *random)
{
    static const uint64_t jump[] = {4094, 4095, 4096, 4097, 9000};
    uint64_t sequence = model->top + 1;
    switch (random_below(random, 8)) {
    case 0:
        sequence = model->base + jump[random_below(random, 5)];
        break;
    case 1:
    case 2:
        sequence = model->base + random_below(random, 300);
        break;
    case 3:
        sequence = model->top + random_below(random, 40);
        break;
    default:
        break;
    }
    sequence = sequence > 0 ? sequence : 1;
    if (random_below(random, 40) == 0 && model->oldest < sequence) {
        model->oldest += random_below(random, sequence - model->oldest + 1);
    }
    if (model->oldest <= sequence) {
        model_give_up(model, model->oldest);
    }
    enum drop expected = DROP_NONE;
    if (sequence > model->base + LANE_WINDOW) {
        expected = DROP_message_beyond_window;
    } else if (sequence <= model->base || model->fate[sequence] != FATE_NONE) {
        expected = DROP_message_duplicate;
    }
    assert_int_equal(accept_of(sequence, model->oldest), expected);
    if (expected == DROP_NONE) {
        model->fate[sequence] = FATE_ACCEPTED;
        model->messages++;
        model->top = sequence > model->top ? sequence : model->top;
    }
}

static void model_land(struct model *model, struct random *random)
{
    uint64_t sequence = model->base + 1 + random_below(random, model->top - model->base + 1);
    bool near = random_below(random, 2) == 0;
    for (; sequence > model->base && near && model->fate[sequence] != FATE_ACCEPTED; sequence--) {
    }
    if (model->fate[sequence] == FATE_ACCEPTED) {
        model->fate[sequence] = FATE_DURABLE;
        model_advance(model);
        durable(sequence);
    }
}

/* A life of a lane up to a random moment. */
static void model_live(struct model *model, struct random *random, uint32_t steps)
{
    memset(model, 0, sizeof(*model));
    model->oldest = 1;
    assert_int_equal(heartbeat_of(1, 1), DROP_NONE);
    for (uint32_t i = 0; i < steps && model->top + 20000 < RANGE; i++) {
        if (random_below(random, 2) == 0) {
            model_send(model, random);
        } else {
            model_land(model, random);
        }
        if (i % 64 == 0) {
            model_check(model);
        }
    }
    model_check(model);
}

static void seed_take(struct random *random)
{
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%" PRIu64 "\n", seed);
    random_seed(random, seed);
}

static struct model model;

static void a_lane_agrees_with_a_list_of_every_fate(void **state)
{
    (void)state;
    struct random random;
    seed_take(&random);
    for (uint32_t round = 0; round < 60; round++) {
        bench_open(2);
        model_live(&model, &random, 1 + (uint32_t)random_below(&random, 1500));
        bench_close();
    }
}

/* After a restart the producer sends all that it holds once more. */
static void resend_check(void)
{
    for (uint64_t s = 1; s <= base_of(); s++) {
        assert_true(model.fate[s] >= FATE_DURABLE);
    }
    for (uint64_t s = model.oldest; s <= model.top; s++) {
        enum drop drop = accept_of(s, model.oldest);
        if (model.fate[s] == FATE_DURABLE) {
            assert_int_equal(drop, DROP_message_duplicate);
        } else if (model.fate[s] != FATE_GIVEN_UP) {
            assert_int_equal(drop, DROP_NONE);
            durable(s);
        }
    }
}

/* Law: whatever the order of the records, nothing that a producer may hold passes for durable, and
 * nothing that is durable counts again. */
static void records_in_any_order_restore_no_more_and_no_less_than_is_durable(void **state)
{
    (void)state;
    static uint64_t record[RANGE];
    struct random random;
    seed_take(&random);
    for (uint32_t round = 0; round < 60; round++) {
        bench_open(2);
        model_live(&model, &random, 1 + (uint32_t)random_below(&random, 1500));
        bench_close();
        uint32_t count = 0;
        for (uint64_t s = 1; s <= model.top; s++) {
            if (model.fate[s] == FATE_DURABLE) {
                uint64_t place = random_below(&random, ++count);
                record[count - 1] = record[place];
                record[place] = s;
            }
        }
        bench_open(2);
        for (uint32_t i = 0; i < count; i++) {
            struct lane_message message = message_of(record[i], 0);
            assert_true(lanes_restore(&bench.lanes, &message, true, 1));
        }
        if (count > 0) {
            resend_check();
        }
        bench_close();
    }
}

static void records_of_an_older_incarnation_restore_nothing(void **state)
{
    (void)state;
    struct lane_message message = message_of(10, 0);
    bench_open(1);
    assert_true(lanes_restore(&bench.lanes, &message, true, 1));
    message.incarnation--;
    message.sequence = 11;
    assert_true(lanes_restore(&bench.lanes, &message, true, 1));
    assert_int_equal(accept_of(11, 1), DROP_NONE);
    assert_int_equal(accept_of(10, 1), DROP_message_duplicate);
    message.incarnation += 2;
    message.sequence = 3;
    assert_true(lanes_restore(&bench.lanes, &message, true, 1));
    assert_int_equal(report_of().incarnation, INCARNATION + 1);
    message.producer++;
    assert_false(lanes_restore(&bench.lanes, &message, true, 1));
    bench_close();
}

/* Law: a lane whose records are all durable is the same after a checkpoint and back. */
static void a_lane_that_is_saved_and_restored_goes_on_as_before(void **state)
{
    (void)state;
    struct random random;
    seed_take(&random);
    for (uint32_t round = 0; round < 40; round++) {
        bench_open(2);
        model_live(&model, &random, 1 + (uint32_t)random_below(&random, 1500));
        struct tile_lane saved;
        uint8_t bytes[TILE_LANE_BYTES];
        assert_true(lanes_save(&bench.lanes, 0, &saved));
        assert_false(lanes_save(&bench.lanes, 1, &saved));
        assert_true(lanes_save(&bench.lanes, 0, &saved));
        tile_lane_encode(&saved, bytes);
        bench_close();
        bench_open(2);
        tile_lane_decode(bytes, 0, &saved);
        assert_true(lanes_restore_window(&bench.lanes, &saved));
        uint64_t known = 0;
        for (uint64_t s = 1; s <= model.top; s++) {
            model.fate[s] = model.fate[s] == FATE_ACCEPTED ? FATE_DURABLE : model.fate[s];
            known += model.fate[s] == FATE_NONE;
        }
        model_advance(&model);
        assert_int_equal(base_of(), model.base);
        assert_int_equal(report_of().holes, known);
        /* Records that the checkpoint had already change nothing. */
        for (uint64_t s = 1; s <= model.top; s++) {
            struct lane_message message = message_of(s, 0);
            if (model.fate[s] == FATE_DURABLE) {
                assert_true(lanes_restore(&bench.lanes, &message, true, 1));
            }
        }
        assert_int_equal(base_of(), model.base);
        resend_check();
        bench_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_agrees_with_a_list_of_every_fate),
        cmocka_unit_test(records_in_any_order_restore_no_more_and_no_less_than_is_durable),
        cmocka_unit_test(records_of_an_older_incarnation_restore_nothing),
        cmocka_unit_test(a_lane_that_is_saved_and_restored_goes_on_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
