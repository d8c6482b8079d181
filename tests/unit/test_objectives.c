/* Which reads an objective counts, and which are good. */
#include "tests/support/unit.h"

#include "config/config.h"
#include "controlplane/objectives.h"

static const char definitions[] =
    "streams:\n"
    "  pay: {id: 1, time: ts, fields: {ts: {type: timestamp}, card: {type: u64}}}\n"
    "views:\n"
    "  spend: {entity: card, source: pay, windows: [1h], aggregates: {n: count()},\n"
    "          slo: {freshness: 1s, read: 1ms, target: 99.9}}\n"
    "  habit: {entity: card, source: pay, windows: [1h], aggregates: {n: count()}}\n"
    "services:\n"
    "  plain: {features: [spend.n_1h]}\n"
    "  fraud: {features: [spend.n_1h, habit.n_1h], slo: {read: 2ms, target: 99.95}}\n";

/* Objectives in the order of the definitions. */
enum { SPEND_FRESHNESS, SPEND_READ, FRAUD_READ, OBJECTIVES };
enum { SPEND = 1, HABIT = 2 };
enum { PLAIN, FRAUD };

static const struct {
    const char *sentence;
    uint64_t views;
    uint32_t service;
    int64_t duration_ns;
    bool failed;
    uint64_t good[OBJECTIVES];
    uint64_t total[OBJECTIVES];
} row[] = {
    {"a fast read of the view", SPEND, OBJECTIVE_SERVICE_NONE, 5, false, {0, 1, 0}, {0, 1, 0}},
    {"at the limit", SPEND, OBJECTIVE_SERVICE_NONE, 1000000, false, {0, 1, 0}, {0, 1, 0}},
    {"behind it", SPEND, OBJECTIVE_SERVICE_NONE, 1000001, false, {0, 0, 0}, {0, 1, 0}},
    {"an error", SPEND, OBJECTIVE_SERVICE_NONE, 5, true, {0, 0, 0}, {0, 1, 0}},
    {"another view", HABIT, OBJECTIVE_SERVICE_NONE, 5, false, {0, 0, 0}, {0, 0, 0}},
    {"two views", SPEND | HABIT, OBJECTIVE_SERVICE_NONE, 5, false, {0, 1, 0}, {0, 1, 0}},
    {"through a service", SPEND, PLAIN, 5, false, {0, 1, 0}, {0, 1, 0}},
    {"the service", SPEND | HABIT, FRAUD, 5, false, {0, 1, 1}, {0, 1, 1}},
    {"good for one of them", SPEND | HABIT, FRAUD, 1500000, false, {0, 0, 1}, {0, 1, 1}},
    {"the service too late", SPEND | HABIT, FRAUD, 2000001, false, {0, 0, 0}, {0, 1, 1}},
};

static void a_read_counts_for_what_it_reads(void **state)
{
    (void)state;
    struct config *config = calloc(1, sizeof(*config));
    assert_int_equal(config_load_text("f", definitions, sizeof(definitions) - 1, config),
                     RESULT_OK);
    assert_int_equal(config->plan.objective_count, OBJECTIVES);
    for (size_t r = 0; r < ARRAY_COUNT(row); r++) {
        struct counters_objective counters[OBJECTIVES] = {0};
        struct objective_read read = {.views = row[r].views, .service = row[r].service};
        objective_read_count(&config->plan, &read, row[r].duration_ns, row[r].failed, counters);
        for (uint32_t i = 0; i < OBJECTIVES; i++) {
            if (counter_read(&counters[i].shared_good) != row[r].good[i] ||
                counter_read(&counters[i].shared_total) != row[r].total[i]) {
                fail_msg("%s: objective %u", row[r].sentence, i);
            }
        }
    }
    free(config);
}

static void objectives_have_the_names_of_their_owners(void **state)
{
    (void)state;
    struct config *config = calloc(1, sizeof(*config));
    assert_int_equal(config_load_text("f", definitions, sizeof(definitions) - 1, config),
                     RESULT_OK);
    const struct plan_objective *objective = config->plan.objective;
    assert_string_equal(objective_owner_name(&config->plan, &objective[SPEND_READ]), "spend");
    assert_string_equal(objective_owner_name(&config->plan, &objective[FRAUD_READ]), "fraud");
    assert_string_equal(objective_kind_name(objective[SPEND_FRESHNESS].kind), "freshness");
    assert_string_equal(objective_kind_name(objective[FRAUD_READ].kind), "read");
    assert_int_equal(objective[SPEND_FRESHNESS].limit_us, 1000000);
    assert_int_equal(objective[FRAUD_READ].target_ppm, 999500);
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_counts_for_what_it_reads),
        cmocka_unit_test(objectives_have_the_names_of_their_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
