/* Numbers: faults are looked for with the whole block first, by row only when there is one. */
#include <string.h>

#include "dataplane/feature/decode.h"
#include "dataplane/feature/exact.h"
#include "dataplane/feature/program_inside.h"

/* a + b and a - b with a sign that says which rows overflowed. */
void program_step_number_add(struct program_run *run)
{
    int64_t bad = 0;
    EACH_ROW
    {
        uint64_t sum = (uint64_t)run->a[i] + (uint64_t)run->b[i];
        bad |= (int64_t)(((uint64_t)run->a[i] ^ sum) & ((uint64_t)run->b[i] ^ sum));
        run->out[i] = (int64_t)sum;
    }
    if (bad < 0) {
        int64_t ignored;
        uint64_t rows = 0;
        EACH_ROW
        {
            rows |= (uint64_t)__builtin_add_overflow(run->a[i], run->b[i], &ignored) << i;
        }
        program_fault(run, PROGRAM_FAULT_overflow, rows);
    }
}

void program_step_number_subtract(struct program_run *run)
{
    int64_t bad = 0;
    EACH_ROW
    {
        uint64_t difference = (uint64_t)run->a[i] - (uint64_t)run->b[i];
        bad |= (run->a[i] ^ run->b[i]) & (run->a[i] ^ (int64_t)difference);
        run->out[i] = (int64_t)difference;
    }
    if (bad < 0) {
        int64_t ignored;
        uint64_t rows = 0;
        EACH_ROW
        {
            rows |= (uint64_t)__builtin_sub_overflow(run->a[i], run->b[i], &ignored) << i;
        }
        program_fault(run, PROGRAM_FAULT_overflow, rows);
    }
}

void program_step_number_multiply(struct program_run *run)
{
    bool bad = false;
    EACH_ROW
    {
        bad |= __builtin_mul_overflow(run->a[i], run->b[i], &run->out[i]);
    }
    if (bad) {
        int64_t ignored;
        uint64_t rows = 0;
        EACH_ROW
        {
            rows |= (uint64_t)__builtin_mul_overflow(run->a[i], run->b[i], &ignored) << i;
        }
        program_fault(run, PROGRAM_FAULT_overflow, rows);
    }
}

void program_step_number_raise(struct program_run *run)
{
    bool bad = false;
    int64_t by = run->immediate;
    EACH_ROW
    {
        bad |= __builtin_mul_overflow(run->a[i], by, &run->out[i]);
    }
    if (bad) {
        int64_t ignored;
        uint64_t rows = 0;
        EACH_ROW
        {
            rows |= (uint64_t)__builtin_mul_overflow(run->a[i], by, &ignored) << i;
        }
        program_fault(run, PROGRAM_FAULT_overflow, rows);
    }
}

void program_step_number_modulo(struct program_run *run)
{
    uint64_t rows = 0;
    EACH_ROW
    {
        int64_t by = run->b[i];
        rows |= (uint64_t)(by == 0) << i;
        /* x % -1 is 0; the least int64 would trap. */
        run->out[i] = by == 0 || by == -1 ? 0 : run->a[i] % by;
    }
    program_fault(run, PROGRAM_FAULT_zero_division, rows);
}

void program_step_unsigned_modulo(struct program_run *run)
{
    uint64_t rows = 0;
    EACH_ROW
    {
        uint64_t by = (uint64_t)run->b[i];
        rows |= (uint64_t)(by == 0) << i;
        run->out[i] = by == 0 ? 0 : (int64_t)((uint64_t)run->a[i] % by);
    }
    program_fault(run, PROGRAM_FAULT_zero_division, rows);
}

static void number_sign(struct program_run *run, bool abs)
{
    bool bad = false;
    EACH_ROW
    {
        int64_t value = run->a[i];
        int64_t flips = abs ? value >> 63 : -1; /* All ones where the sign changes. */
        bad |= value == INT64_MIN;
        run->out[i] = (int64_t)(((uint64_t)value ^ (uint64_t)flips) - (uint64_t)flips);
    }
    if (bad) {
        uint64_t rows = 0;
        EACH_ROW
        {
            rows |= (uint64_t)(run->a[i] == INT64_MIN) << i;
        }
        program_fault(run, PROGRAM_FAULT_overflow, rows);
    }
}

void program_step_number_negate(struct program_run *run)
{
    number_sign(run, false);
}

void program_step_number_abs(struct program_run *run)
{
    number_sign(run, true);
}

void program_step_number_round(struct program_run *run)
{
    int64_t by = run->immediate;
    EACH_ROW
    {
        int64_t whole = run->a[i] / by;
        int64_t rest = run->a[i] % by;
        int64_t far = (rest < 0 ? -rest : rest) >= by - by / 2 ? 1 : 0;
        run->out[i] = whole + (run->a[i] < 0 ? -far : far);
    }
}

static void number_whole(struct program_run *run, bool ceil)
{
    int64_t by = run->immediate;
    EACH_ROW
    {
        int64_t whole = run->a[i] / by;
        int64_t rest = run->a[i] % by;
        run->out[i] = whole + (ceil ? (rest > 0 ? 1 : 0) : (rest < 0 ? -1 : 0));
    }
}

void program_step_number_floor(struct program_run *run)
{
    number_whole(run, false);
}

void program_step_number_ceil(struct program_run *run)
{
    number_whole(run, true);
}

void program_step_number_double(struct program_run *run)
{
    const int64_t exact = INT64_C(1) << 53;
    const double power = (double)exact_power10((uint32_t)run->immediate); /* Below 2^60, exact. */
    EACH_ROW
    {
        int64_t value = run->a[i];
        /* Both exact: one rounding. */
        double real = value >= -exact && value <= exact
                          ? (double)value / power
                          : exact_scaled(wide_from_i64(value), (uint32_t)run->immediate);
        run->out[i] = word_of(real);
    }
}

void program_step_unsigned_double(struct program_run *run)
{
    EACH_ROW
    {
        run->out[i] = word_of(exact_scaled(wide_from_u64((uint64_t)run->a[i]), 0));
    }
}

/* Between number and unsigned: the bits stay, negative ones fault. */
static void sign_check(struct program_run *run)
{
    uint64_t rows = 0;
    EACH_ROW
    {
        rows |= (uint64_t)(run->a[i] < 0) << i;
        run->out[i] = run->a[i];
    }
    program_fault(run, PROGRAM_FAULT_overflow, rows);
}

void program_step_number_unsigned(struct program_run *run)
{
    sign_check(run);
}

void program_step_unsigned_number(struct program_run *run)
{
    sign_check(run);
}

void program_step_double_number(struct program_run *run)
{
    uint64_t rows = 0;
    EACH_ROW
    {
        bool good = decode_quantise(real_of(run->a[i]), (uint8_t)run->immediate, &run->out[i]);
        rows |= (uint64_t)!good << i;
    }
    program_fault(run, PROGRAM_FAULT_overflow, rows);
}
