/* What readers see of a worker's horizons: those of the T that they know, whatever is applied
 * meanwhile. */
#include "tests/support/unit.h"

#include <stdlib.h>

#include "dataplane/publish.h"
#include "dataplane/worker_state.h"

#define HISTORY_US 10

static struct worker *worker;
static struct plan *plan;
static struct plan_view view;

static int set_up(void **state)
{
    (void)state;
    static const int64_t none[STREAMS_MAX];
    worker = aligned_alloc(CACHE_LINE_BYTES, align_up(sizeof(*worker), CACHE_LINE_BYTES));
    plan = calloc(1, sizeof(*plan));
    assert_non_null(worker);
    assert_non_null(plan);
    memset(worker, 0, sizeof(*worker));
    plan->stream[0].history_us = HISTORY_US;
    plan->stream[1].history_us = HISTORY_US;
    worker->options.plan = plan;
    worker->stream_moved = STREAM_NONE;
    worker->moved_us = INT64_MAX;
    publish_fold_set(&worker->fold, none, STREAMS_MAX);
    view = (struct plan_view){.stream = 0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(worker);
    free(plan);
    return 0;
}

/* A burst of a stream whose records move its watermark; T and horizon as of its begin. */
static void burst_apply(uint32_t stream, int64_t watermark_us)
{
    publish_burst_begin(worker);
    worker->watermark_us[stream] = watermark_us;
    publish_burst_end(worker, stream);
}

static void turn_begin(int64_t t_us)
{
    worker->turn = (struct worker_turn_state){.apply_us = t_us, .arrival_ns = t_us * NS_PER_US};
}

static void expect(int64_t t_us, int64_t fold_us)
{
    int64_t found_us;
    assert_true(publish_fold_read(&worker->fold, &view, t_us, &found_us));
    assert_int_equal(found_us, fold_us);
}

static void a_horizon_is_of_the_records_before_a_t(void **state)
{
    (void)state;
    turn_begin(1000);
    burst_apply(0, 500);
    expect(1000, 0); /* Its own events do not move it. */
    burst_apply(0, 600);
    expect(1001, 500 - HISTORY_US);
    expect(1000, 0); /* Who knows only the first one still goes by what was before. */
    publish_burst_begin(worker);
    expect(1002, 600 - HISTORY_US); /* A row may have this burst before it is published. */
    expect(1001, 500 - HISTORY_US);
}

static void who_knows_too_little_looks_again(void **state)
{
    (void)state;
    int64_t fold_us;
    turn_begin(1000);
    burst_apply(0, 500);
    burst_apply(0, 600);
    burst_apply(0, 700);
    assert_false(publish_fold_read(&worker->fold, &view, 1000, &fold_us));
    expect(1001, 500 - HISTORY_US);
}

static void an_idle_turn_lets_the_last_burst_count(void **state)
{
    (void)state;
    turn_begin(1000);
    burst_apply(0, 500);
    worker->turn.events = 1;
    publish_turn_end(worker);
    expect(1000, 0);
    turn_begin(2000);
    publish_turn_end(worker);
    expect(2000, 500 - HISTORY_US);
    expect(1999, 0);
}

static void streams_move_one_by_one(void **state)
{
    (void)state;
    turn_begin(1000);
    burst_apply(0, 500);
    burst_apply(1, 900);
    burst_apply(1, 950);
    expect(1001, 500 - HISTORY_US);
    expect(1002, 500 - HISTORY_US);
    view.stream = 1;
    expect(1001, 0);
    expect(1002, 900 - HISTORY_US);
}

static void bursts_that_share_a_t_keep_what_was_before_it(void **state)
{
    (void)state;
    turn_begin(1000);
    burst_apply(0, 500);
    worker->turn.arrival_ns = -2 * US_PER_SECOND * NS_PER_US; /* Far ahead of the clock. */
    burst_apply(0, 600);
    burst_apply(0, 700);
    publish_burst_begin(worker);
    expect(1001, 700 - HISTORY_US);
    expect(1000, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_horizon_is_of_the_records_before_a_t, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_knows_too_little_looks_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_idle_turn_lets_the_last_burst_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams_move_one_by_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bursts_that_share_a_t_keep_what_was_before_it, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
