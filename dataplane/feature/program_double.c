/* Doubles, without libm. */
#include "dataplane/feature/program_inside.h"

#define EXPONENT_MASK UINT64_C(0x7ff0000000000000)

/* What is infinite or no number is null. */
static void double_check(struct program_run *run)
{
    ROW_COLUMNS;
    bool bad = false;
    EACH_ROW
    {
        bad |= ((uint64_t)out[i] & EXPONENT_MASK) == EXPONENT_MASK;
    }
    if (bad) {
        FAULT_ROWS(PROGRAM_FAULT_overflow, ((uint64_t)out[i] & EXPONENT_MASK) == EXPONENT_MASK);
    }
}

#define DOUBLE_LOOP(name, expression)                                                              \
    void program_step_##name(struct program_run *run)                                              \
    {                                                                                              \
        ROW_COLUMNS;                                                                               \
        EACH_ROW                                                                                   \
        {                                                                                          \
            double a = real_of(left[i]);                                                           \
            double b = real_of(right[i]);                                                          \
            out[i] = word_of(expression);                                                          \
        }                                                                                          \
        double_check(run);                                                                         \
    }

DOUBLE_LOOP(double_add, a + b)
DOUBLE_LOOP(double_subtract, a - b)
DOUBLE_LOOP(double_multiply, a *b)
#undef DOUBLE_LOOP

void program_step_double_divide(struct program_run *run)
{
    ROW_COLUMNS;
    uint64_t zero = 0;
    EACH_ROW
    {
        double by = real_of(right[i]);
        zero |= (uint64_t)(by == 0.0) << i;
        out[i] = word_of(by == 0.0 ? 0.0 : real_of(left[i]) / by);
    }
    program_fault(run, PROGRAM_FAULT_zero_division, zero);
    double_check(run);
}

static void double_sign(struct program_run *run, bool abs)
{
    ROW_COLUMNS;
    const uint64_t sign = UINT64_C(1) << 63;
    EACH_ROW
    {
        uint64_t word = (uint64_t)left[i];
        out[i] = (int64_t)(abs ? word & ~sign : word ^ sign);
    }
}

void program_step_double_negate(struct program_run *run)
{
    double_sign(run, false);
}

void program_step_double_abs(struct program_run *run)
{
    double_sign(run, true);
}

/* To whole numbers without libm; from 2^52 on each double is one. */
static double double_whole(double value, enum program_code code)
{
    const double whole_from = 4503599627370496.0;
    if (!(value > -whole_from && value < whole_from)) {
        return value;
    }
    double cut = (double)(int64_t)value; /* Towards zero. */
    double rest = value - cut;
    double out = cut;
    if (code == PROGRAM_double_floor) {
        out = rest < 0 ? cut - 1 : cut;
    } else if (code == PROGRAM_double_ceil) {
        out = rest > 0 ? cut + 1 : cut;
    } else if (rest >= 0.5 || rest <= -0.5) {
        out = rest > 0 ? cut + 1 : cut - 1;
    }
    return out;
}

static void double_to_whole(struct program_run *run, enum program_code code)
{
    ROW_COLUMNS;
    EACH_ROW
    {
        out[i] = word_of(double_whole(real_of(left[i]), code));
    }
}

void program_step_double_floor(struct program_run *run)
{
    double_to_whole(run, PROGRAM_double_floor);
}

void program_step_double_ceil(struct program_run *run)
{
    double_to_whole(run, PROGRAM_double_ceil);
}

void program_step_double_round(struct program_run *run)
{
    double_to_whole(run, PROGRAM_double_round);
}
