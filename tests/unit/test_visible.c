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
enum { SPEND, SALES, HABIT };

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

/* A plan's counting, with nothing noted. */
struct scene {
    struct config *config;
    const struct plan *plan;
    struct counters *counters;
    struct visible visible;
};

static struct scene *scene_open(void)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    scene->config = calloc(1, sizeof(*scene->config));
    scene->counters = calloc(1, sizeof(*scene->counters));
    scene->plan = plan_make(scene->config);
    visible_init(&scene->visible, scene->plan);
    return scene;
}

static void scene_close(struct scene *scene)
{
    free(scene->counters);
    free(scene->config);
    free(scene);
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
    for (size_t i = 0; i < ARRAY_COUNT(row); i++) {
        struct scene *scene = scene_open();
        visible_note(&scene->visible, SPEND, 5, 0);
        visible_note(&scene->visible, SALES, 3, 0);
        visible_count(&scene->visible, scene->plan, scene->counters, row[i].duration_ns);
        counts_are(scene->counters, SPEND_FRESHNESS, row[i].spend_good, 5);
        counts_are(scene->counters, BOTH_FRESHNESS, row[i].both_good, 8);
        counts_are(scene->counters, SPEND_READ, 0, 0);
        scene_close(scene);
    }
}

static void views_without_an_objective_are_not_noted(void **state)
{
    (void)state;
    struct scene *scene = scene_open();
    visible_note(&scene->visible, HABIT, 100, 5);
    visible_note(&scene->visible, SPEND, 0, 0);
    assert_false(visible_is_noted(&scene->visible));
    visible_note(&scene->visible, SPEND, 1, 0);
    assert_true(visible_is_noted(&scene->visible));
    scene_close(scene);
}

static void what_was_noted_counts_once(void **state)
{
    (void)state;
    struct scene *scene = scene_open();
    for (uint32_t burst = 0; burst < 3; burst++) {
        visible_note(&scene->visible, SPEND, 2, 0);
        visible_note(&scene->visible, SALES, 1, 0);
    }
    visible_count(&scene->visible, scene->plan, scene->counters, 0);
    counts_are(scene->counters, SPEND_FRESHNESS, 6, 6);
    counts_are(scene->counters, BOTH_FRESHNESS, 9, 9);
    assert_false(visible_is_noted(&scene->visible));
    visible_count(&scene->visible, scene->plan, scene->counters, 0);
    counts_are(scene->counters, SPEND_FRESHNESS, 6, 6);
    visible_note(&scene->visible, SPEND, 1, 0);
    visible_count(&scene->visible, scene->plan, scene->counters, 0);
    counts_are(scene->counters, SPEND_FRESHNESS, 7, 7);
    counts_are(scene->counters, BOTH_FRESHNESS, 10, 10);
    scene_close(scene);
}

static void an_event_that_its_view_could_not_take_is_never_good(void **state)
{
    (void)state;
    struct scene *scene = scene_open();
    visible_note(&scene->visible, SPEND, 4, 3);
    visible_note(&scene->visible, SALES, 0, 1);
    visible_count(&scene->visible, scene->plan, scene->counters, 0);
    counts_are(scene->counters, SPEND_FRESHNESS, 4, 7);
    counts_are(scene->counters, BOTH_FRESHNESS, 4, 8);
    scene_close(scene);
}

/* A state of 16 MiB is full after some rows: those that were refused are bad, and nothing else. */
static void a_worker_without_memory_counts_what_it_refuses(void **state)
{
    (void)state;
    struct workbench bench;
    struct workbench_options options = {
        .definitions = definitions, .start_us = START_US, .state_bytes = 16 * MIB};
    workbench_open(&bench, &options);
    for (uint32_t i = 0; i < 100000; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "pay card=%u", i);
        workbench_send_text(&bench, 0, line);
        if (i % 64 == 0) {
            workbench_run(&bench);
        }
    }
    workbench_run(&bench);
    uint64_t refused = workbench_view_dropped(&bench, SPEND, DROP_view_memory);
    assert_true(refused > 0);
    counts_are(worker_counters(bench.worker[0]), SPEND_FRESHNESS, 100000 - refused, 100000);
    workbench_close(&bench);
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
        cmocka_unit_test(views_without_an_objective_are_not_noted),
        cmocka_unit_test(what_was_noted_counts_once),
        cmocka_unit_test(an_event_that_its_view_could_not_take_is_never_good),
        cmocka_unit_test(a_worker_without_memory_counts_what_it_refuses),
        cmocka_unit_test(workers_count_every_event_of_a_view_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
