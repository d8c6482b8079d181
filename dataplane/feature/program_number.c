/* Numbers: faults are looked for with the whole block first, by row only when there is one. */
#include <nmmintrin.h>
#include <string.h>

#include "dataplane/feature/decode.h"
#include "dataplane/feature/exact.h"
#include "dataplane/feature/program_inside.h"

/* a + b and a - b with a sign that says which rows overflowed. */
void program_step_number_add(struct program_run *run)
{
    ROW_COLUMNS;
    int64_t bad = 0;
    EACH_ROW
    {
        uint64_t sum = (uint64_t)left[i] + (uint64_t)right[i];
        bad |= (int64_t)(((uint64_t)left[i] ^ sum) & ((uint64_t)right[i] ^ sum));
        out[i] = (int64_t)sum;
    }
    if (bad < 0) {
        int64_t ignored;
        FAULT_ROWS(PROGRAM_FAULT_overflow, __builtin_add_overflow(left[i], right[i], &ignored));
    }
}

void program_step_number_subtract(struct program_run *run)
{
    ROW_COLUMNS;
    int64_t bad = 0;
    EACH_ROW
    {
        uint64_t difference = (uint64_t)left[i] - (uint64_t)right[i];
        bad |= (left[i] ^ right[i]) & (left[i] ^ (int64_t)difference);
        out[i] = (int64_t)difference;
    }
    if (bad < 0) {
        int64_t ignored;
        FAULT_ROWS(PROGRAM_FAULT_overflow, __builtin_sub_overflow(left[i], right[i], &ignored));
    }
}

/* Products of numbers that have 32 bits, two rows at a time, none of which overflows; false when
 * some have more. What lies behind the rows of the block is multiplied too, and means nothing. */
static inline bool multiply_narrow(struct program_run *run, const int64_t *restrict right,
                                   __m128i all_right)
{
    const int64_t *restrict left = run->a;
    int64_t *restrict out = run->out;
    const __m128i least = _mm_set1_epi64x(-(INT64_C(1) << 31));
    __m128i more = _mm_setzero_si128();
    EACH_TWO_ROWS
    {
        __m128i a = words_load(left + i);
        __m128i b = right == NULL ? all_right : words_load(right + i);
        more = _mm_or_si128(more, _mm_or_si128(_mm_sub_epi64(a, least), _mm_sub_epi64(b, least)));
        words_put(out + i, _mm_mul_epi32(a, b));
    }
    more = _mm_srli_epi64(more, 32);
    return _mm_testz_si128(more, more) != 0;
}

void program_step_number_multiply(struct program_run *run)
{
    ROW_COLUMNS;
    bool bad = false;
    if (multiply_narrow(run, run->b, _mm_setzero_si128())) {
        return;
    }
    EACH_ROW
    {
        bad |= __builtin_mul_overflow(left[i], right[i], &out[i]);
    }
    if (bad) {
        int64_t ignored;
        FAULT_ROWS(PROGRAM_FAULT_overflow, __builtin_mul_overflow(left[i], right[i], &ignored));
    }
}

void program_step_number_raise(struct program_run *run)
{
    ROW_COLUMNS;
    bool bad = false;
    int64_t by = run->immediate;
    if (multiply_narrow(run, NULL, _mm_set1_epi64x(by))) {
        return;
    }
    EACH_ROW
    {
        bad |= __builtin_mul_overflow(left[i], by, &out[i]);
    }
    if (bad) {
        int64_t ignored;
        FAULT_ROWS(PROGRAM_FAULT_overflow, __builtin_mul_overflow(left[i], by, &ignored));
    }
}

void program_step_number_modulo(struct program_run *run)
{
    ROW_COLUMNS;
    uint64_t rows = 0;
    EACH_ROW
    {
        int64_t by = right[i];
        rows |= (uint64_t)(by == 0) << i;
        /* x % -1 is 0; the least int64 would trap. */
        out[i] = by == 0 || by == -1 ? 0 : left[i] % by;
    }
    program_fault(run, PROGRAM_FAULT_zero_division, rows);
}

void program_step_unsigned_modulo(struct program_run *run)
{
    ROW_COLUMNS;
    uint64_t rows = 0;
    EACH_ROW
    {
        uint64_t by = (uint64_t)right[i];
        rows |= (uint64_t)(by == 0) << i;
        out[i] = by == 0 ? 0 : (int64_t)((uint64_t)left[i] % by);
    }
    program_fault(run, PROGRAM_FAULT_zero_division, rows);
}

/* Two rows at a time; what lies behind the rows of the block changes, too, and means nothing. */
static inline void number_sign(struct program_run *run, bool abs)
{
    ROW_COLUMNS;
    __m128i bad = _mm_setzero_si128();
    EACH_TWO_ROWS
    {
        __m128i value = words_load(left + i);
        /* All ones where the sign changes. */
        __m128i flips = abs ? _mm_cmpgt_epi64(_mm_setzero_si128(), value) : _mm_set1_epi64x(-1);
        __m128i changed = _mm_sub_epi64(_mm_xor_si128(value, flips), flips);
        bad = _mm_or_si128(bad, _mm_and_si128(value, changed)); /* Negative: has no other sign. */
        words_put(out + i, changed);
    }
    if (_mm_movemask_pd(_mm_castsi128_pd(bad)) != 0) {
        FAULT_ROWS(PROGRAM_FAULT_overflow, left[i] == INT64_MIN);
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
    ROW_COLUMNS;
    int64_t by = run->immediate;
    EACH_ROW
    {
        int64_t whole = left[i] / by;
        int64_t rest = left[i] % by;
        int64_t far = (rest < 0 ? -rest : rest) >= by - by / 2 ? 1 : 0;
        out[i] = whole + (left[i] < 0 ? -far : far);
    }
}

static void number_whole(struct program_run *run, bool ceil)
{
    ROW_COLUMNS;
    int64_t by = run->immediate;
    EACH_ROW
    {
        int64_t whole = left[i] / by;
        int64_t rest = left[i] % by;
        out[i] = whole + (ceil ? (rest > 0 ? 1 : 0) : (rest < 0 ? -1 : 0));
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
    ROW_COLUMNS;
    const int64_t exact = INT64_C(1) << 53;
    const double power = (double)exact_power10((uint32_t)run->immediate); /* Below 2^60, exact. */
    EACH_ROW
    {
        int64_t value = left[i];
        /* Both exact: one rounding. */
        double real = value >= -exact && value <= exact
                          ? (double)value / power
                          : exact_scaled(wide_from_i64(value), (uint32_t)run->immediate);
        out[i] = word_of(real);
    }
}

void program_step_unsigned_double(struct program_run *run)
{
    ROW_COLUMNS;
    EACH_ROW
    {
        out[i] = word_of(exact_scaled(wide_from_u64((uint64_t)left[i]), 0));
    }
}

/* Between number and unsigned: the bits stay, negative ones fault. */
static void sign_check(struct program_run *run)
{
    ROW_COLUMNS;
    uint64_t rows = 0;
    EACH_ROW
    {
        rows |= (uint64_t)(left[i] < 0) << i;
        out[i] = left[i];
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
    ROW_COLUMNS;
    uint64_t rows = 0;
    EACH_ROW
    {
        bool good = decode_quantise(real_of(left[i]), (uint8_t)run->immediate, &out[i]);
        rows |= (uint64_t)!good << i;
    }
    program_fault(run, PROGRAM_FAULT_overflow, rows);
}
