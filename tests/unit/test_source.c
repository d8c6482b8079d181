/* What a view makes of several streams: one fold horizon, and one shape of events. */
#include "dataplane/feature/cell.h"
#include "dataplane/feature/ladder.h"
#include "tests/support/unit.h"

#define NEVER INT64_MIN

static void folding_waits_for_the_slowest_source_that_is_near(void **state)
{
    (void)state;
    static const struct {
        const char *sentence;
        int64_t own_us[3];
        int64_t apart_us;
        int64_t fold_us;
    } row[] = {
        {"no source has begun", {NEVER, NEVER, NEVER}, 10, NEVER},
        {"one has, and waits for the others", {NEVER, 500, NEVER}, 10, 490},
        {"the least counts", {503, 500, 507}, 10, 500},
        {"one that has not begun may begin that far behind", {503, NEVER, 507}, 10, 497},
        {"and then moves nothing back", {503, -1000000, 507}, 10, 497},
        {"as far apart as it waits", {500, 510, 505}, 10, 500},
        {"one that is further behind does not hold the others", {499, 510, 505}, 10, 500},
        {"nor does one that rests for ever", {-1000000, 510, 505}, 10, 500},
        {"without patience the furthest counts", {500, 510, 505}, 0, 510},
        {"before the beginning of time", {NEVER + 5, NEVER + 7, NEVER + 9}, 100, NEVER + 5},
    };
    struct plan_view view = {.stream = 4, .other_count = 2};
    view.other[0].stream = 0;
    view.other[1].stream = 7;
    for (uint32_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        int64_t by_stream_us[STREAMS_MAX] = {0};
        by_stream_us[4] = row[i].own_us[0];
        by_stream_us[0] = row[i].own_us[1];
        by_stream_us[7] = row[i].own_us[2];
        view.apart_us = row[i].apart_us;
        assert_int_equal(ladder_fold_of_sources_us(&view, row[i].own_us), row[i].fold_us);
        assert_int_equal(ladder_fold_us(&view, by_stream_us), row[i].fold_us);
    }
}

static void a_view_of_one_stream_folds_by_its_horizon(void **state)
{
    (void)state;
    const struct plan_view view = {.stream = 2};
    int64_t by_stream_us[STREAMS_MAX] = {1, 2, 77, 4};
    assert_int_equal(ladder_fold_us(&view, by_stream_us), 77);
    by_stream_us[2] = NEVER;
    assert_int_equal(ladder_fold_us(&view, by_stream_us), NEVER);
}

/* Fields 5, 3 of the first stream are 1, 6 of the other. */
static void an_event_of_a_further_stream_looks_like_one_of_the_first(void **state)
{
    (void)state;
    static struct burst burst;
    struct plan_view view = {.stream = 1,
                             .other_count = 1,
                             .input_count = 2,
                             .input_fields = 1 << 5 | 1 << 3,
                             .single_words = SINGLE_VALUES + 2};
    view.input[0] = (struct plan_input){.field = 5, .word = SINGLE_VALUES, .words = 1};
    view.input[1] = (struct plan_input){.field = 3, .word = SINGLE_VALUES + 1, .words = 1};
    view.other[0].stream = 2;
    view.other[0].input_field[0] = 1;
    view.other[0].input_field[1] = 6;
    burst.count = 1;
    burst.time_us[0] = 1000;
    burst.order[0] = 9;
    for (uint32_t nulls = 0; nulls < 4; nulls++) {
        static uint64_t single[2][SINGLE_WORDS_MAX];
        for (uint32_t i = 0; i < 2; i++) {
            burst.stream = i == 0 ? 1 : 2;
            uint32_t a = i == 0 ? 5 : 1;
            uint32_t b = i == 0 ? 3 : 6;
            burst.value[a][0] = 111;
            burst.value[b][0] = -222;
            /* What the view does not read is null, too. */
            burst.null_mask[0] = (uint64_t)(nulls & 1) << a | (uint64_t)(nulls >> 1) << b | 1 << 4;
            single_of_event(&view, &burst, 0, single[i]);
        }
        assert_memory_equal(single[0], single[1], view.single_words * sizeof(uint64_t));
        assert_int_equal(single[0][SINGLE_NULLS],
                         (uint64_t)(nulls & 1) << 5 | (uint64_t)(nulls >> 1) << 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folding_waits_for_the_slowest_source_that_is_near),
        cmocka_unit_test(a_view_of_one_stream_folds_by_its_horizon),
        cmocka_unit_test(an_event_of_a_further_stream_looks_like_one_of_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
