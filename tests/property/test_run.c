/* The laws of runs: a group is what its events make it, in any order, added or merged, over any
 * partition, whatever its cap; sessions likewise. SEED=n repeats a failure, ROUNDS=n runs
 * longer. */
#include "dataplane/feature/run.h"

#include <stdio.h>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/run_session.h"
#include "dataplane/feature/sketch.h"
#include "tests/support/unit.h"

#define EVENTS_MAX   700u
#define SINGLE_WORDS (SINGLE_VALUES + 3u) /* A number, a string of two words. */

static struct {
    struct random random;
    uint64_t seed;
    struct plan_run run;
    uint64_t single[EVENTS_MAX][SINGLE_WORDS];
    uint32_t count;
    uint64_t group[5][RUN_BUFFER_WORDS];
} bench;

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static uint64_t below(uint64_t limit)
{
    return random_below(&bench.random, limit);
}

static void run_make(void)
{
    struct plan_run *run = &bench.run;
    bool is_string = below(3) == 0;
    *run = (struct plan_run){.kind = (enum run_kind)below(3),
                             .rank = (enum run_rank)below(4),
                             .is_string = is_string,
                             .single_word = is_string ? SINGLE_VALUES + 1 : SINGLE_VALUES,
                             .input_words = is_string ? 2 : 1};
    run->value_words = run->input_words;
    run->cap = 1 + (uint32_t)below(below(2) == 0 ? 5 : 200);
    if (run->kind == RUN_RANKED) {
        run->distinct = (run->rank == RANK_NEWEST || run->rank == RANK_OLDEST) && below(2) == 0;
        run->entry_words = (uint16_t)(2 + run->value_words);
    } else if (run->kind == RUN_SKETCH) {
        run->is_string = false;
        run->is_unsigned = true;
        run->value_words = 1;
        run->entry_words = 1;
        run->cap = SKETCH_WORDS;
    } else {
        run->bins = !is_string && below(2) == 0;
        run->part[0] = (struct plan_accumulator){
            .kind = ACCUMULATOR_COUNT, .field = FIELD_NONE, .word = run->value_words};
        run->part[1] = (struct plan_accumulator){.kind = ACCUMULATOR_SUM,
                                                 .field = 1,
                                                 .value_words = 1,
                                                 .word = (uint16_t)(run->value_words + 1),
                                                 .single_word = SINGLE_VALUES};
        run->part_count = (uint16_t)below(3);
        run->entry_words =
            (uint16_t)(run->value_words + (run->part_count > 0) + 2 * (run->part_count > 1));
    }
}

static void events_make(uint64_t different)
{
    bench.count = 1 + (uint32_t)below(EVENTS_MAX);
    for (uint32_t i = 0; i < bench.count; i++) {
        uint64_t value = below(different);
        uint64_t *single = bench.single[i];
        memset(single, 0, sizeof(bench.single[i]));
        single[SINGLE_TIME] = below(1000);
        single[SINGLE_ORDER] = below(3);
        single[SINGLE_VALUES] =
            value * (below(1000) == 0 ? UINT64_C(0x123456789abcdef) : 1) - different / 2;
        snprintf((char *)&single[SINGLE_VALUES + 1], 16, "s%llu", (unsigned long long)value);
    }
}

static uint64_t *group_build(const uint32_t *at, uint32_t count, uint64_t *buffer)
{
    uint64_t *trailer = run_clear(buffer, 0);
    for (uint32_t i = 0; i < count; i++) {
        trailer += run_add(&bench.run, trailer, trailer + RUN_TRAILER_WORDS, bench.single[at[i]]);
        assert_true(run_fits(&bench.run, trailer, (uint64_t)(trailer - buffer)));
    }
    return trailer;
}

static bool groups_equal(const uint64_t *a, const uint64_t *b)
{
    uint32_t words = run_words(&bench.run, a);
    return a[1] == b[1] && memcmp(a - words, b - words, words * sizeof(uint64_t)) == 0;
}

static void order_shuffle(uint32_t *at, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t j = (uint32_t)below(i + 1);
        at[i] = at[j];
        at[j] = i;
    }
}

static void case_check(uint64_t seed)
{
    uint32_t at[EVENTS_MAX];
    bench.seed = seed;
    random_seed(&bench.random, seed);
    run_make();
    events_make(1 + below(below(2) == 0 ? 20 : 1000));
    order_shuffle(at, bench.count);
    uint32_t x = (uint32_t)below(bench.count + 1);
    uint32_t y = x + (uint32_t)below(bench.count - x + 1);
    uint64_t *all = group_build(at, bench.count, bench.group[0]);
    uint64_t *a = group_build(at, x, bench.group[1]);
    uint64_t *b = group_build(at + x, y - x, bench.group[2]);
    uint64_t *c = group_build(at + y, bench.count - y, bench.group[3]);
    /* (a b) c = add(a ++ b ++ c) */
    uint64_t *ab = run_merge(&bench.run, a, b, bench.group[4]);
    uint64_t *left = run_merge(&bench.run, ab, c, bench.group[1]);
    bool associates = groups_equal(all, left);
    /* (c b) a, where a is made again in another order. */
    uint64_t *cb = run_merge(&bench.run, c, b, bench.group[4]);
    for (uint32_t i = x; i-- > 0;) {
        uint32_t j = (uint32_t)below(x);
        uint32_t one = at[i];
        at[i] = at[j];
        at[j] = one;
    }
    a = group_build(at, x, bench.group[1]);
    bool commutes = groups_equal(all, run_merge(&bench.run, cb, a, bench.group[2]));
    uint64_t *none = run_clear(bench.group[3], 0);
    bool identity = groups_equal(all, run_merge(&bench.run, all, none, bench.group[4])) &&
                    groups_equal(all, run_merge(&bench.run, none, all, bench.group[1]));
    if (!associates || !commutes || !identity) {
        fail_msg("SEED=%llu kind %d rank %d distinct %d cap %u: associates %d commutes %d identity "
                 "%d",
                 (unsigned long long)seed, (int)bench.run.kind, (int)bench.run.rank,
                 bench.run.distinct, bench.run.cap, associates, commutes, identity);
    }
}

static void groups_merge_lawfully(void **state)
{
    (void)state;
    uint64_t rounds = number_of("ROUNDS", 1500);
    uint64_t first = number_of("SEED", 1);
    printf("SEED=%llu\n", (unsigned long long)first);
    for (uint64_t seed = first; seed < first + rounds; seed++) {
        case_check(seed);
    }
}

/* The slow way: events sorted by time, cut where the pause is long. */
static void sessions_are_what_pauses_leave(void **state)
{
    (void)state;
    static struct plan_view view = {.accumulator_count = 1, .cell_words = 2};
    view.accumulator[0] =
        (struct plan_accumulator){.kind = ACCUMULATOR_COUNT, .field = FIELD_NONE, .word = 1};
    struct plan_run *run = &bench.run;
    for (uint64_t seed = number_of("SEED", 1), end = seed + 500; seed < end; seed++) {
        random_seed(&bench.random, seed);
        int64_t gap_us = 2 + (int64_t)below(60);
        *run = (struct plan_run){
            .kind = RUN_SESSION, .gap_us = gap_us, .cap = UINT32_MAX, .entry_words = 3};
        bench.count = 1 + (uint32_t)below(200);
        uint32_t at_time[2000] = {0};
        uint64_t *trailer = run_clear(bench.group[0], 0);
        for (uint32_t i = 0; i < bench.count; i++) {
            uint64_t time_us = below(2000);
            at_time[time_us]++;
            bench.single[i][SINGLE_TIME] = time_us;
            trailer +=
                session_add(&view, run, trailer, trailer + RUN_TRAILER_WORDS, bench.single[i]);
        }
        const uint64_t *entry = bench.group[0];
        int64_t last_us = INT64_MIN;
        for (int64_t time_us = 0; time_us < 2000; time_us++) {
            if (at_time[time_us] == 0) {
                continue;
            }
            if (last_us != INT64_MIN && time_us - last_us >= gap_us) {
                entry += run->entry_words;
            }
            assert_true(entry < trailer);
            bool begins = last_us == INT64_MIN || time_us - last_us >= gap_us;
            assert_true(!begins || (int64_t)entry[SESSION_FIRST] == time_us);
            assert_true((int64_t)entry[SESSION_LAST] >= time_us);
            assert_true(entry[SESSION_CELL + 1] >= at_time[time_us]);
            last_us = time_us;
        }
        assert_ptr_equal(entry + run->entry_words, trailer);
        uint64_t total = 0;
        for (entry = bench.group[0]; entry < trailer; entry += run->entry_words) {
            total += entry[SESSION_CELL + 1];
        }
        assert_int_equal(total, bench.count);
        /* Over once the pause is as long as the gap. */
        assert_ptr_equal(session_find(run, trailer, last_us + gap_us), NULL);
        assert_ptr_equal(session_find(run, trailer, last_us + gap_us - 1),
                         trailer - run->entry_words);
        uint32_t gone =
            session_expire(run, trailer, trailer + RUN_TRAILER_WORDS, last_us + gap_us - 1);
        assert_int_equal(run_count(trailer - gone), 1);
        trailer -= gone;
        gone = session_expire(run, trailer, trailer + RUN_TRAILER_WORDS, last_us + gap_us);
        assert_int_equal(run_count(trailer - gone), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_merge_lawfully),
        cmocka_unit_test(sessions_are_what_pauses_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
