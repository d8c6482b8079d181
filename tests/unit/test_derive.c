/* Derived features: what they make of the features of their view, through the reader. */
#include "dataplane/base/units.h"
#include "dataplane/feature/derive.h"
#include "tests/support/unit.h"
#include "tests/support/workbench.h"

#define START_US (INT64_C(1700000000) * US_PER_SECOND)

static const char definitions[] = "streams:\n"
                                  "  s:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: t\n"
                                  "    fields:\n"
                                  "      t: {type: timestamp}\n"
                                  "      k: {type: u64}\n"
                                  "      n: {type: u64, optional: true}\n"
                                  "      d: {type: decimal, scale: 2, optional: true}\n"
                                  "      f: {type: f64, scale: 2, optional: true}\n"
                                  "      b: {type: bool, optional: true}\n"
                                  "      w: {type: string, size: 8, optional: true}\n"
                                  "views:\n"
                                  "  v:\n"
                                  "    version: 1\n"
                                  "    entity: k\n"
                                  "    source: s\n"
                                  "    windows: [10m, 1h]\n"
                                  "    aggregates:\n"
                                  "      c: count()\n"
                                  "      n_sum: sum(n)\n"
                                  "      n_last: last(n)\n"
                                  "      d_sum: sum(d)\n"
                                  "      d_sq: sumsq(d)\n"
                                  "      d_avg: avg(d)\n"
                                  "      f_sum: sum(f)\n"
                                  "      b_last: last(b)\n"
                                  "      w_last: last(w)\n"
                                  "      t_max: max(t)\n"
                                  "    derived:\n"
                                  "      count_more: c_1h - c_10m\n"
                                  "      n_more: n_sum_1h + 1\n"
                                  "      n_same: n_last_1h\n"
                                  "      d_twice: d_sum_1h * 2\n"
                                  "      d_square: d_sq_1h\n"
                                  "      d_share: d_sum_10m / d_sum_1h\n"
                                  "      d_far: abs(d_avg_1h - 1e0)\n"
                                  "      f_half: f_sum_1h / 2\n"
                                  "      b_not: NOT b_last_1h\n"
                                  "      w_long: w_last_1h || '!'\n"
                                  "      w_known: coalesce(w_last_10m, w_last_1h, 'none')\n"
                                  "      t_hour: hour(t_max_1h)\n";

struct row {
    const char *feature;
    const char *value;
};

static void rows_hold(struct workbench *bench, const char *key, const struct row *rows,
                      uint32_t count)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < count; i++) {
        const char *value = workbench_get(bench, key, rows[i].feature, INT64_MAX, NULL);
        if (strcmp(value, rows[i].value) != 0) {
            print_error("%s is %s, must be %s\n", rows[i].feature, value, rows[i].value);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void bench_open(struct workbench *bench, const char *text)
{
    const struct workbench_options options = {.definitions = definitions, .start_us = START_US};
    workbench_open(bench, &options);
    workbench_send_text(bench, 0, text);
    workbench_run(bench);
}

static void values_of_every_type_are_computed(void **state)
{
    (void)state;
    struct workbench bench;
    static const struct row rows[] = {
        {"v.count_more", "1"}, {"v.n_more", "8"},        {"v.n_same", "5"},
        {"v.d_twice", "8.00"}, {"v.d_square", "8.5000"}, {"v.d_share", "0.625"},
        {"v.d_far", "1"},      {"v.f_half", "0.25"},     {"v.b_not", "false"},
        {"v.w_long", "new!"},  {"v.w_known", "new"},     {"v.t_hour", "22"},
    };
    bench_open(&bench, "s k=1i,n=2i,d=1.5,f=0.5,b=f,w=\"old\" 1699997000000000000\n"
                       "s k=1i,n=5i,d=2.5,b=t,w=\"new\" 1699999900000000000\n");
    rows_hold(&bench, "k:1", rows, ARRAY_COUNT(rows));
    workbench_close(&bench);
}

static void null_and_what_does_not_fit_are_null(void **state)
{
    (void)state;
    struct workbench bench;
    struct answer answer;
    static const struct row rows[] = {
        {"v.count_more", "0"}, {"v.n_more", ""},      {"v.n_same", "18446744073709551614"},
        {"v.d_twice", ""},     {"v.d_share", ""},     {"v.b_not", ""},
        {"v.w_long", ""},      {"v.w_known", "none"},
    };
    bench_open(&bench, "s k=1i,n=18446744073709551614u 1699999900000000000\n");
    rows_hold(&bench, "k:1", rows, ARRAY_COUNT(rows));
    (void)workbench_get(&bench, "k:1", "v.d_twice", INT64_MAX, &answer);
    assert_int_equal(answer.status, ANSWER_NULL_VALUE);
    (void)workbench_get(&bench, "k:2", "v.w_known", INT64_MAX, &answer);
    assert_int_equal(answer.status, ANSWER_NOT_FOUND);
    workbench_close(&bench);
}

static void an_answer_says_what_its_inputs_say(void **state)
{
    (void)state;
    struct workbench bench;
    struct answer narrow;
    struct answer wide;
    struct answer derived;
    bench_open(&bench, "s k=1i,n=2i,d=1.5 1699999900000000000\n");
    (void)workbench_get(&bench, "k:1", "v.d_sum_10m", INT64_MAX, &narrow);
    (void)workbench_get(&bench, "k:1", "v.d_sum_1h", INT64_MAX, &wide);
    (void)workbench_get(&bench, "k:1", "v.d_share", INT64_MAX, &derived);
    assert_true(wide.start_us < narrow.start_us);
    assert_int_equal(derived.start_us, wide.start_us);
    assert_int_equal(derived.end_us, wide.end_us);
    assert_int_equal(derived.flags, narrow.flags | wide.flags);
    assert_int_equal(derived.newest_us, wide.newest_us);
    assert_int_equal(derived.q_us, wide.q_us);
    assert_int_equal(derived.lsn, wide.lsn);
    workbench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_type_are_computed),
        cmocka_unit_test(null_and_what_does_not_fit_are_null),
        cmocka_unit_test(an_answer_says_what_its_inputs_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
