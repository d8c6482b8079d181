#include "tests/support/unit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "controlplane/threads.h"
#include "dataplane/base/units.h"

#define TASKS_MAX 1000u

struct call {
    uint32_t members;
    uint32_t done[TASKS_MAX]; /* By whoever had the task: nobody else writes it. */
    uint32_t number;
    _Atomic uint32_t inside[THREADS_MAX];
    _Atomic uint32_t twice;
};

static void task_note(void *context, uint32_t task, uint32_t member)
{
    struct call *call = context;
    assert_true(member < call->members);
    if (atomic_fetch_add(&call->inside[member], 1) != 0) {
        atomic_fetch_add(&call->twice, 1);
    }
    call->done[task] += call->number;
    atomic_fetch_sub(&call->inside[member], 1);
}

static void each_task_is_done_once_before_the_call_returns(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 2, 63, TASKS_MAX};
    for (uint32_t members = 1; members <= 9; members += 4) {
        struct threads *threads;
        assert_int_equal(threads_open(members, &threads), RESULT_OK);
        assert_int_equal(threads_count(threads), members);
        for (uint32_t call_number = 1; call_number <= 40; call_number++) {
            struct call *call = calloc(1, sizeof(*call));
            uint32_t count = counts[call_number % 5];
            call->members = members;
            call->number = call_number;
            threads_run(threads, count, task_note, call);
            for (uint32_t task = 0; task < TASKS_MAX; task++) {
                assert_int_equal(call->done[task], task < count ? call_number : 0);
            }
            assert_int_equal(atomic_load(&call->twice), 0);
            free(call);
        }
        threads_close(threads);
    }
}

static void task_count(void *context, uint32_t task, uint32_t member)
{
    uint64_t *done = context;
    (void)member;
    done[task]++;
}

/* Threads are awake from the call before, or asleep, or in between. */
static void calls_may_follow_one_another_at_once_or_later(void **state)
{
    (void)state;
    static const struct timespec pauses[] = {
        {.tv_nsec = 0}, {.tv_nsec = 20000}, {.tv_nsec = 400000}};
    for (uint32_t members = 2; members <= 10; members += 4) {
        struct threads *threads;
        uint64_t done[4] = {0};
        uint64_t wanted[4] = {0};
        assert_int_equal(threads_open(members, &threads), RESULT_OK);
        for (uint32_t call = 0; call < 6000; call++) {
            uint32_t count = 1 + call % ARRAY_COUNT(done);
            for (uint32_t task = 0; task < count; task++) {
                wanted[task]++;
            }
            threads_run(threads, count, task_count, done);
            assert_memory_equal(done, wanted, sizeof(done));
            const struct timespec *pause = &pauses[call / 100 % ARRAY_COUNT(pauses)];
            if (pause->tv_nsec > 0 && call % 5 == 0) {
                (void)nanosleep(pause, NULL);
            }
        }
        threads_close(threads);
    }
}

static void task_order(void *context, uint32_t task, uint32_t member)
{
    uint32_t *next = context;
    assert_int_equal(member, 0);
    assert_int_equal(task, *next);
    (*next)++;
}

static void without_threads_the_caller_does_all_in_order(void **state)
{
    (void)state;
    uint32_t next = 0;
    threads_run(NULL, 100, task_order, &next);
    assert_int_equal(next, 100);
    assert_int_equal(threads_count(NULL), 1);
    threads_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_is_done_once_before_the_call_returns),
        cmocka_unit_test(calls_may_follow_one_another_at_once_or_later),
        cmocka_unit_test(without_threads_the_caller_does_all_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
