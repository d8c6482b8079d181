/* What objectives of freshness count, alone and in workers. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "dataplane/visible.h"
#include "tests/support/workbench.h"

#define START_US INT64_C(1750000000000000)

static const char definitions[] =
    "streams:\n"
    "  pay:\n"
    "    id: 1\n"
    "    time: ts\n"
    "    fields:\n"
    "      ts: {type: timestamp}\n"
    "      card: {type: u64}\n"
    "      shop: {type: string, size: 8, optional: true}\n"
    "views:\n"
    "  spend: {entity: card, source: pay, windows: [1h], aggregates: {n: count()},\n"
    "          slo: {freshness: 1ms, read: 1s, target: 99.9}}\n"
    "  sales: {entity: shop, source: pay, windows: [1h], aggregates: {n: count()}}\n"
    "  habit: {entity: card, source: pay, windows: [1d], aggregates: {n: count()}}\n"
    "services:\n"
    "  both: {features: [spend.n_1h, sales.n_1h], slo: {freshness: 2ms, target: 99}}\n";

/* Objectives in the order of the definitions. */
enum { SPEND_FRESHNESS, SPEND_READ, BOTH_FRESHNESS };

static struct plan *plan_make(struct config *config)
{
    assert_int_equal(config_load_text("f", definitions, sizeof(definitions) - 1, config),
                     RESULT_OK);
    assert_int_equal(config->plan.objective_count, 3);
    return &config->plan;
}

static void counts_are(const struct counters *counters, uint32_t objective, uint64_t good,
                       uint64_t total)
{
    assert_int_equal(counter_read(&counters->objective[objective].shared_good), good);
    assert_int_equal(counter_read(&counters->objective[objective].shared_total), total);
}

static void an_event_is_good_up_to_the_limit_and_bad_behind_it(void **state)
{
    (void)state;
    static const struct {
        int64_t duration_ns;
        uint64_t spend_good;
        uint64_t both_good;
    } row[] = {
        {0, 5, 8},       {999999, 5, 8},  {1000000, 5, 8}, {1000001, 0, 8},
        {2000000, 0, 8}, {2000001, 0, 0}, {-1, 5, 8},      {INT64_MAX, 0, 0},
    };
    struct config *config = calloc(1, sizeof(*config));
    const struct plan *plan = plan_make(config);
    for (size_t i = 0; i < ARRAY_COUNT(row); i++) {
        struct counters *counters = calloc(1, sizeof(*counters));
        struct visible visible;
        visible_init(&visible, plan);
        assert_true(visible_is_asked_for(&visible));
        counter_add(&counters->view[0].shared_applied, 5);
        counter_add(&counters->view[1].shared_applied, 3);
        counter_add(&counters->view[2].shared_applied, 100); /* Nobody asks for it. */
        visible_count(&visible, plan, counters, row[i].duration_ns);
        counts_are(counters, SPEND_FRESHNESS, row[i].spend_good, 5);
        counts_are(counters, BOTH_FRESHNESS, row[i].both_good, 8);
        counts_are(counters, SPEND_READ, 0, 0);
        free(counters);
    }
    free(config);
}

static void each_event_counts_once_and_earlier_lives_do_not(void **state)
{
    (void)state;
    struct config *config = calloc(1, sizeof(*config));
    struct counters *counters = calloc(1, sizeof(*counters));
    const struct plan *plan = plan_make(config);
    struct visible visible;
    visible_init(&visible, plan);
    counter_add(&counters->view[0].shared_applied, 1000);
    counter_add(&counters->view[0].shared_drop[DROP_view_memory], 10);
    visible_skip(&visible, counters);
    visible_count(&visible, plan, counters, 0);
    counts_are(counters, SPEND_FRESHNESS, 0, 0);
    counter_add(&counters->view[0].shared_applied, 1);
    visible_count(&visible, plan, counters, 0);
    visible_count(&visible, plan, counters, 0);
    counts_are(counters, SPEND_FRESHNESS, 1, 1);
    free(counters);
    free(config);
}

static void an_event_that_its_view_could_not_take_is_never_good(void **state)
{
    (void)state;
    struct config *config = calloc(1, sizeof(*config));
    struct counters *counters = calloc(1, sizeof(*counters));
    const struct plan *plan = plan_make(config);
    struct visible visible;
    visible_init(&visible, plan);
    counter_add(&counters->view[0].shared_applied, 4);
    counter_add(&counters->view[0].shared_drop[DROP_view_memory], 2);
    counter_add(&counters->view[0].shared_drop[DROP_view_row_size], 1);
    counter_add(&counters->view[0].shared_drop[DROP_view_key_null], 50);
    visible_count(&visible, plan, counters, 0);
    counts_are(counters, SPEND_FRESHNESS, 4, 7);
    free(counters);
    free(config);
}

static void workers_count_what_they_apply(uint32_t shard_count)
{
    struct workbench bench;
    struct workbench_options options = {
        .definitions = definitions, .start_us = START_US, .shard_count = shard_count};
    workbench_open(&bench, &options);
    for (uint32_t i = 0; i < 100; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), i % 4 == 0 ? "pay card=%u" : "pay,shop=a card=%u", i);
        workbench_send_text(&bench, i % shard_count, line);
        if (i % 7 == 0) {
            workbench_run(&bench);
            workbench_advance(&bench, 10);
        }
    }
    workbench_run(&bench);
    uint64_t good[3] = {0};
    uint64_t total[3] = {0};
    for (uint32_t s = 0; s < shard_count; s++) {
        for (uint32_t i = 0; i < 3; i++) {
            const struct counters_objective *counters =
                &worker_counters(bench.worker[s])->objective[i];
            good[i] += counter_read(&counters->shared_good);
            total[i] += counter_read(&counters->shared_total);
        }
    }
    /* The virtual clock stands still within a turn, so all are good. */
    assert_int_equal(total[SPEND_FRESHNESS], 100);
    assert_int_equal(good[SPEND_FRESHNESS], 100);
    assert_int_equal(total[BOTH_FRESHNESS], 175);
    assert_int_equal(good[BOTH_FRESHNESS], 175);
    assert_int_equal(total[SPEND_READ], 0);
    workbench_close(&bench);
}

static void workers_count_every_event_of_a_view_once(void **state)
{
    (void)state;
    workers_count_what_they_apply(1);
    workers_count_what_they_apply(3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_good_up_to_the_limit_and_bad_behind_it),
        cmocka_unit_test(each_event_counts_once_and_earlier_lives_do_not),
        cmocka_unit_test(an_event_that_its_view_could_not_take_is_never_good),
        cmocka_unit_test(workers_count_every_event_of_a_view_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
