#include "tests/support/unit.h"

#include <math.h>

#include "dataplane/feature/decode.h"
#include "tests/support/transaction.h"

#define TIME_NULL INT64_MIN

/* One field `x` behind the time, both of them decoded from one event. */
struct bench {
    struct schema schema;
    struct burst burst;
    struct decode_plan plan;
    uint8_t block[64];
};

static struct bench *bench_make(enum field_type type)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    bench->schema.version = 1;
    transaction_field_add(&bench->schema, "ts", FIELD_TYPE_timestamp, 1);
    struct schema_field *x = transaction_field_add(&bench->schema, "x", type, 1);
    x->size = 8;
    x->optional = true;
    assert_int_equal(schema_layout(&bench->schema), RESULT_OK);
    return bench;
}

static void bench_decode(struct bench *bench, int64_t time, const void *x)
{
    const struct wire_message message = {
        .version = 1,
        .sequence = 1,
        .event_stride = bench->schema.block_size,
        .event_count = 1,
        .events = bench->block,
    };
    memcpy(bench->block, &time, 8);
    memcpy(bench->block + 8, x, bench->schema.field[1].size);
    decode_compile(&bench->schema, UINT64_MAX, &bench->plan);
    bench->burst.schema = &bench->schema;
    bench->burst.count = 0;
    burst_violations_clear(&bench->burst);
    decode_events(&bench->plan, &message, 0, 1, &bench->burst);
}

static void wire_numbers_become_values_or_null(void **state)
{
    (void)state;
    static const struct {
        enum field_type type;
        uint64_t wire;
        bool null;
        int64_t value;
    } rows[] = {
        {FIELD_TYPE_u8, 254, false, 254},
        {FIELD_TYPE_u8, 255, true, 0},
        {FIELD_TYPE_u16, 0xfffe, false, 0xfffe},
        {FIELD_TYPE_u16, 0xffff, true, 0},
        {FIELD_TYPE_u32, 0xfffffffe, false, 0xfffffffe},
        {FIELD_TYPE_u32, 0xffffffff, true, 0},
        {FIELD_TYPE_u64, UINT64_MAX - 1, false, -2},
        {FIELD_TYPE_u64, UINT64_MAX, true, 0},
        {FIELD_TYPE_i8, 0x81, false, -127},
        {FIELD_TYPE_i8, 0x80, true, 0},
        {FIELD_TYPE_i16, 0xffff, false, -1},
        {FIELD_TYPE_i16, 0x8000, true, 0},
        {FIELD_TYPE_i32, 0x80000001, false, -2147483647},
        {FIELD_TYPE_i32, 0x80000000, true, 0},
        {FIELD_TYPE_i64, UINT64_MAX, false, -1},
        {FIELD_TYPE_i64, UINT64_C(1) << 63, true, 0},
        {FIELD_TYPE_decimal, 950, false, 950},
        {FIELD_TYPE_bool, 1, false, 1},
        {FIELD_TYPE_bool, 255, true, 0},
        {FIELD_TYPE_string, 'a', false, 0},
        {FIELD_TYPE_string, (uint64_t)'b' << 8, true, 0},
    };
    for (uint32_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct bench *bench = bench_make(rows[r].type);
        bench_decode(bench, 5, &rows[r].wire);
        assert_int_equal(bench->burst.drop[0], DROP_NONE);
        assert_int_equal(bench->burst.null_mask[0] >> 1 & 1, rows[r].null);
        assert_int_equal(bench->burst.value[1][0], rows[r].value);
        assert_int_equal(bench->burst.time_us[0], 5);
        free(bench);
    }
}

static void times_become_microseconds_by_floor(void **state)
{
    (void)state;
    static const struct {
        enum time_unit unit;
        int64_t wire;
        int64_t us;
        bool bad;
    } rows[] = {
        {TIME_UNIT_us, -7, -7, false},
        {TIME_UNIT_ms, -7, -7000, false},
        {TIME_UNIT_s, 3, 3000000, false},
        {TIME_UNIT_ns, 1999, 1, false},
        {TIME_UNIT_ns, -1, -1, false},
        {TIME_UNIT_ns, -1000, -1, false},
        {TIME_UNIT_ns, -1001, -2, false},
        {TIME_UNIT_s, INT64_MAX / 1000000 + 1, 0, true},
        {TIME_UNIT_ms, INT64_MIN / 1000 - 1, 0, true},
    };
    for (uint32_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct bench *bench = bench_make(FIELD_TYPE_timestamp);
        bench->schema.field[1].unit = rows[r].unit;
        bench_decode(bench, 5, &rows[r].wire);
        assert_int_equal(bench->burst.value[1][0], rows[r].us);
        assert_int_equal(bench->burst.violation_count[1][RULE_type], rows[r].bad);
        free(bench);
    }
}

static void each_rule_has_its_reason(void **state)
{
    (void)state;
    static const struct {
        enum field_type type;
        int64_t wire;
        bool optional;
        enum drop drop;
    } rows[] = {
        {FIELD_TYPE_i64, INT64_MIN, false, DROP_event_required},
        {FIELD_TYPE_i64, INT64_MIN, true, DROP_NONE},
        {FIELD_TYPE_i64, 9, true, DROP_event_below_min},
        {FIELD_TYPE_i64, 10, true, DROP_NONE},
        {FIELD_TYPE_i64, 20, true, DROP_NONE},
        {FIELD_TYPE_i64, 21, true, DROP_event_above_max},
        {FIELD_TYPE_u64, -2, true, DROP_event_above_max}, /* 2^64 - 2 */
        {FIELD_TYPE_i64, 15, true, DROP_event_not_in_enum},
        {FIELD_TYPE_bool, 7, true, DROP_event_type},
        {FIELD_TYPE_bool, 7, false, DROP_event_type},
        {FIELD_TYPE_f64, 0x7ff0000000000000, true, DROP_event_type},
        {FIELD_TYPE_f64, 0x7ff8000000000000, false, DROP_event_required},
    };
    for (uint32_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        for (int policy = VIOLATION_QUARANTINE; policy <= VIOLATION_COUNT; policy++) {
            struct bench *bench = bench_make(rows[r].type);
            struct schema_field *x = &bench->schema.field[1];
            x->optional = rows[r].optional;
            x->has_min = x->has_max =
                rows[r].type == FIELD_TYPE_i64 || rows[r].type == FIELD_TYPE_u64;
            x->min = 10;
            x->max = 20;
            x->enum_count = rows[r].type == FIELD_TYPE_i64 ? 2 : 0;
            x->enum_number[0] = rows[r].wire == 15 ? 16 : rows[r].wire;
            x->enum_number[1] = 20;
            schema_policy_set(&bench->schema, (enum violation_policy)policy);
            bench_decode(bench, 5, &rows[r].wire);
            bool drops = policy == VIOLATION_QUARANTINE || policy == VIOLATION_DROP;
            assert_int_equal(bench->burst.drop[0], drops ? rows[r].drop : DROP_NONE);
            if (rows[r].drop != DROP_NONE) {
                enum rule rule = rule_of_drop(rows[r].drop);
                assert_int_equal(bench->burst.violation_count[1][rule], 1);
                assert_int_equal(bench->burst.violations, 1);
                assert_int_equal(bench->burst.drop_field[0], drops ? 1 : 0);
            }
            if (rows[r].drop != DROP_NONE && policy == VIOLATION_NULL_FIELD) {
                assert_int_equal(bench->burst.null_mask[0], 2);
            }
            free(bench);
        }
    }
}

static void an_event_without_time_is_dropped_whatever_the_policy(void **state)
{
    (void)state;
    uint64_t x = 1;
    for (int policy = VIOLATION_QUARANTINE; policy <= VIOLATION_COUNT; policy++) {
        struct bench *bench = bench_make(FIELD_TYPE_u64);
        schema_policy_set(&bench->schema, (enum violation_policy)policy);
        bench_decode(bench, TIME_NULL, &x);
        assert_int_equal(bench->burst.drop[0], DROP_event_required);
        bench->schema.field[0].unit = TIME_UNIT_s;
        bench_decode(bench, INT64_MAX, &x);
        assert_int_equal(bench->burst.drop[0], DROP_event_type);
        free(bench);
    }
}

static void the_first_broken_rule_decides_and_all_count(void **state)
{
    (void)state;
    struct bench *bench = bench_make(FIELD_TYPE_bool);
    uint8_t x = 9;
    bench_decode(bench, TIME_NULL, &x);
    assert_int_equal(bench->burst.drop[0], DROP_event_required);
    assert_int_equal(bench->burst.drop_field[0], 0);
    assert_int_equal(bench->burst.violation_count[1][RULE_type], 1);
    free(bench);
}

static void older_events_end_early_and_newer_tails_are_ignored(void **state)
{
    (void)state;
    static const struct {
        uint16_t version;
        uint16_t stride;
        enum drop drop;
        uint16_t event_size;
        uint64_t null_mask;
    } rows[] = {
        {1, 48, DROP_NONE, 48, 7u << FIELD_TIP},
        {1, 65, DROP_NONE, 48, 7u << FIELD_TIP},
        {2, 65, DROP_NONE, 65, 0},
        {3, 70, DROP_NONE, 65, 0},
        {2, 64, DROP_message_event_size, 0, 0},
        {1, 47, DROP_message_event_size, 0, 0},
        {3, 64, DROP_message_event_size, 0, 0},
    };
    static struct schema schema;
    struct decode_plan plan;
    struct burst *burst = calloc(1, sizeof(*burst));
    uint8_t blocks[3][128];
    transaction_schema(&schema, 2);
    decode_compile(&schema, UINT64_MAX, &plan);
    burst->schema = &schema;
    for (uint32_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        uint8_t *bytes = (uint8_t *)blocks;
        memset(blocks, 1, sizeof(blocks));
        for (uint32_t i = 0; i < 3; i++) {
            memcpy(bytes + i * rows[r].stride + 40, "ok\0x\0\0\0\0", 8);
            memset(bytes + i * rows[r].stride + 34, 0, 6);
        }
        const struct wire_message message = {.version = rows[r].version,
                                             .sequence = 9,
                                             .event_stride = rows[r].stride,
                                             .event_count = 3,
                                             .events = bytes};
        assert_int_equal(decode_check(&schema, &message), rows[r].drop);
        if (rows[r].drop != DROP_NONE) {
            continue;
        }
        burst->count = 2;
        decode_events(&plan, &message, 1, 2, burst);
        assert_int_equal(burst->count, 4);
        for (uint32_t i = 2; i < 4; i++) {
            assert_int_equal(burst->drop[i], DROP_NONE);
            assert_int_equal(burst->event_size[i], rows[r].event_size);
            assert_int_equal(burst->null_mask[i], rows[r].null_mask);
            assert_int_equal(burst->order[i], 9 << 16 | (i - 1));
            assert_ptr_equal(burst->event[i], bytes + (i - 1) * rows[r].stride);
        }
    }
    free(burst);
}

static void fields_that_nobody_reads_are_null(void **state)
{
    (void)state;
    static struct schema schema;
    struct decode_plan plan;
    transaction_schema(&schema, 2);
    decode_compile(&schema, 0, &plan);
    assert_int_equal(plan.skipped, 1 << FIELD_MERCHANT | 7 << FIELD_TIP);
    assert_int_equal(plan.step_count, 4);
    decode_compile(&schema, 1 << FIELD_TIP, &plan);
    assert_int_equal(plan.step_count, 5);
}

static void doubles_are_quantised_half_to_even(void **state)
{
    (void)state;
    static const struct {
        double x;
        uint8_t scale;
        bool fits;
        int64_t value;
    } rows[] = {
        {0.5, 0, true, 0},       {1.5, 0, true, 2},
        {2.5, 0, true, 2},       {-0.5, 0, true, 0},
        {-1.5, 0, true, -2},     {0.1, 6, true, 100000},
        {1.005, 2, true, 100},   {0.125, 2, true, 12},
        {0.375, 2, true, 38},    {-0.0, 6, true, 0},
        {4.9e-324, 18, true, 0}, {0x1p62, 0, true, INT64_C(1) << 62},
        {0x1p63, 0, false, 0},   {-0x1p63, 0, true, INT64_MIN},
        {9.3, 18, false, 0},     {1e300, 0, false, 0},
        {1e-18, 18, true, 1},    {5e-19, 18, true, 1},
        {INFINITY, 0, false, 0},
    };
    for (uint32_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        int64_t value = 0;
        assert_int_equal(decode_quantise(rows[r].x, rows[r].scale, &value), rows[r].fits);
        assert_true(!rows[r].fits || value == rows[r].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wire_numbers_become_values_or_null),
        cmocka_unit_test(times_become_microseconds_by_floor),
        cmocka_unit_test(each_rule_has_its_reason),
        cmocka_unit_test(an_event_without_time_is_dropped_whatever_the_policy),
        cmocka_unit_test(the_first_broken_rule_decides_and_all_count),
        cmocka_unit_test(older_events_end_early_and_newer_tails_are_ignored),
        cmocka_unit_test(fields_that_nobody_reads_are_null),
        cmocka_unit_test(doubles_are_quantised_half_to_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
