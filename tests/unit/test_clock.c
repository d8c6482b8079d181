#include "tests/support/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "dataplane/base/units.h"
#include "drivers/clock.h"

static int64_t realtime_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

static void pause_ms(int64_t ms)
{
    struct timespec time = {.tv_nsec = ms * 1000000};
    nanosleep(&time, NULL);
}

/* Least distance of several looks: one look may lie beside a preemption. */
static int64_t distance_ns(const struct clock *clock)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < 100; i++) {
        int64_t away = clock_now_ns(clock) - realtime_ns();
        away = away < 0 ? -away : away;
        least = away < least ? away : least;
    }
    return least;
}

static void a_virtual_clock_moves_only_when_told(void **state)
{
    (void)state;
    struct clock clock;
    clock_open_virtual(&clock, 1234567);
    assert_int_equal(clock_now_us(&clock), 1234567);
    assert_int_equal(clock_now_ns(&clock), INT64_C(1234567000));
    pause_ms(2);
    clock_calibrate(&clock);
    assert_int_equal(clock_now_us(&clock), 1234567);
    assert_int_equal(clock_ticks_of(&clock), 1234567000);
    clock_set_virtual(&clock, 42);
    assert_int_equal(clock_now_us(&clock), 42);
    assert_string_equal(clock_describe(&clock), "virtual");
}

static void a_real_clock_is_near_realtime_and_stays_there(void **state)
{
    (void)state;
    struct clock clock;
    clock_open(&clock);
    print_message("%s, %.6f ns per tick\n", clock_describe(&clock), clock_ns_per_tick(&clock));
    assert_true(distance_ns(&clock) < 2 * NS_PER_SECOND / 1000);
    for (int i = 0; i < 5; i++) {
        pause_ms(20);
        clock_calibrate(&clock);
    }
    assert_true(distance_ns(&clock) < NS_PER_SECOND / 1000);
    assert_true(clock_ns_per_tick(&clock) > 0);
}

static void time_never_goes_back_without_a_step_of_realtime(void **state)
{
    (void)state;
    struct clock clock;
    clock_open(&clock);
    int64_t last = clock_now_ns(&clock);
    for (int i = 0; i < 200000; i++) {
        if (i % 1000 == 0) {
            clock_calibrate(&clock);
        }
        int64_t now = clock_now_ns(&clock);
        assert_true(now >= last || !clock.is_tsc);
        last = now;
    }
}

/* A clock whose base is off by so much is what a step of CLOCK_REALTIME leaves behind. */
static void off_by(struct clock *clock, int64_t ns)
{
    atomic_store(&clock->shared_base_ns, atomic_load(&clock->shared_base_ns) + ns);
}

static void a_step_is_taken_over_at_once_and_a_small_error_slowly(void **state)
{
    (void)state;
    struct clock clock;
    clock_open(&clock);
    if (!clock.is_tsc) {
        print_message("the TSC is not invariant here\n");
        return;
    }
    off_by(&clock, 5 * NS_PER_SECOND);
    pause_ms(15);
    clock_calibrate(&clock);
    assert_true(distance_ns(&clock) < NS_PER_SECOND / 1000);

    pause_ms(15);
    clock_calibrate(&clock);
    double rate = clock_ns_per_tick(&clock);
    off_by(&clock, 200 * NS_PER_US);
    pause_ms(15);
    clock_calibrate(&clock);
    /* 200 us ahead: slower by about 200 ppm, and still ahead. */
    double slowed = 1 - clock_ns_per_tick(&clock) / rate;
    assert_true(slowed > 50e-6 && slowed < 600e-6);
    assert_true(distance_ns(&clock) > 50 * NS_PER_US);
}

static void ticks_measure_time(void **state)
{
    (void)state;
    struct clock clock;
    clock_open(&clock);
    pause_ms(20);
    clock_calibrate(&clock);
    uint64_t ticks = clock_ticks();
    int64_t start = realtime_ns();
    pause_ms(20);
    int64_t real = realtime_ns() - start;
    double ours = (double)(clock_ticks() - ticks) * clock_ns_per_tick(&clock);
    assert_true(ours > 0.95 * (double)real && ours < 1.05 * (double)real + 5e6);
}

struct reader {
    struct clock *clock;
    _Atomic bool stop;
    int64_t worst_ns;
};

static void *read_all_the_time(void *argument)
{
    struct reader *reader = argument;
    while (!atomic_load(&reader->stop)) {
        int64_t before = realtime_ns();
        int64_t ours = clock_now_ns(reader->clock);
        int64_t after = realtime_ns();
        int64_t away = ours < before ? before - ours : ours > after ? ours - after : 0;
        reader->worst_ns = away > reader->worst_ns ? away : reader->worst_ns;
    }
    return NULL;
}

static void a_reader_never_sees_half_a_calibration(void **state)
{
    (void)state;
    struct clock clock;
    clock_open(&clock);
    struct reader reader = {.clock = &clock};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_all_the_time, &reader), 0);
    for (int i = 0; i < 100; i++) {
        for (int burst = 0; burst < 50; burst++) {
            clock_calibrate(&clock);
        }
        pause_ms(1);
    }
    atomic_store(&reader.stop, true);
    pthread_join(thread, NULL);
    /* Half a publication would be off by the whole uptime, in ticks or in nanoseconds. */
    assert_true(reader.worst_ns < NS_PER_SECOND / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_virtual_clock_moves_only_when_told),
        cmocka_unit_test(a_real_clock_is_near_realtime_and_stays_there),
        cmocka_unit_test(time_never_goes_back_without_a_step_of_realtime),
        cmocka_unit_test(a_step_is_taken_over_at_once_and_a_small_error_slowly),
        cmocka_unit_test(ticks_measure_time),
        cmocka_unit_test(a_reader_never_sees_half_a_calibration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
