/* Comparisons, and the least and greatest of two. */
#include "dataplane/feature/program_inside.h"

/* A condition of both values. */
#define COMPARE_LOOP(name, type, read, operator)                                                   \
    void program_step_##name(struct program_run *run)                                              \
    {                                                                                              \
        uint64_t rows = 0;                                                                         \
        EACH_ROW                                                                                   \
        {                                                                                          \
            type a = read(run->a[i]);                                                              \
            type b = read(run->b[i]);                                                              \
            rows |= (uint64_t)(a operator b) << i;                                                 \
        }                                                                                          \
        run->target->mask = rows;                                                                  \
    }

COMPARE_LOOP(number_equal, int64_t, (int64_t), ==)
COMPARE_LOOP(number_less, int64_t, (int64_t), <)
COMPARE_LOOP(number_less_equal, int64_t, (int64_t), <=)
COMPARE_LOOP(unsigned_less, uint64_t, (uint64_t), <)
COMPARE_LOOP(unsigned_less_equal, uint64_t, (uint64_t), <=)
COMPARE_LOOP(double_equal, double, real_of, ==)
COMPARE_LOOP(double_less, double, real_of, <)
COMPARE_LOOP(double_less_equal, double, real_of, <=)
#undef COMPARE_LOOP

/* The least or greatest of those that are not null. */
#define EXTREME_LOOP(name, type, read, operator)                                                   \
    void program_step_##name(struct program_run *run)                                              \
    {                                                                                              \
        EACH_ROW                                                                                   \
        {                                                                                          \
            bool null_a = (run->column_a->null >> i & 1) != 0;                                     \
            bool null_b = (run->column_b->null >> i & 1) != 0;                                     \
            type a = read(run->a[i]);                                                              \
            type b = read(run->b[i]);                                                              \
            bool second = null_a || (!null_b && b operator a);                                     \
            run->out[i] = second ? run->b[i] : run->a[i];                                          \
        }                                                                                          \
        run->target->null = run->column_a->null & run->column_b->null;                             \
    }

EXTREME_LOOP(number_least, int64_t, (int64_t), <)
EXTREME_LOOP(number_greatest, int64_t, (int64_t), >)
EXTREME_LOOP(unsigned_least, uint64_t, (uint64_t), <)
EXTREME_LOOP(unsigned_greatest, uint64_t, (uint64_t), >)
EXTREME_LOOP(double_least, double, real_of, <)
EXTREME_LOOP(double_greatest, double, real_of, >)
#undef EXTREME_LOOP
