/* Comparisons, and the least and greatest of two. */
#include <nmmintrin.h>

#include "dataplane/feature/program_inside.h"

/* Two rows at a time are compared; the answers of sixteen, each 64 bits of ones or zeros, are
 * packed to a bit each. What lies behind the rows of the block is compared too, and means
 * nothing. */
#define GROUP_ROWS 16u

static inline __m128i halves_of(__m128i low, __m128i high)
{
    return _mm_castps_si128(
        _mm_shuffle_ps(_mm_castsi128_ps(low), _mm_castsi128_ps(high), _MM_SHUFFLE(2, 0, 2, 0)));
}

static inline uint64_t bits_of(const __m128i answer[GROUP_ROWS / 2])
{
    __m128i low = _mm_packs_epi32(halves_of(answer[0], answer[1]), halves_of(answer[2], answer[3]));
    __m128i high =
        _mm_packs_epi32(halves_of(answer[4], answer[5]), halves_of(answer[6], answer[7]));
    return (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_packs_epi16(low, high));
}

static inline __m128i unsigned_of(__m128i word)
{
    return _mm_xor_si128(word, _mm_set1_epi64x(INT64_MIN));
}

static inline __m128i not_of(__m128i answer)
{
    return _mm_xor_si128(answer, _mm_set1_epi64x(-1));
}

#define REAL(word) _mm_castsi128_pd(word)

/* A condition of both values: a and b are two rows each. */
#define COMPARE_LOOP(name, answer_of)                                                              \
    void program_step_##name(struct program_run *run)                                              \
    {                                                                                              \
        uint64_t mask = 0;                                                                         \
        for (uint32_t first = 0; first < run->rows; first += GROUP_ROWS) {                         \
            __m128i answer[GROUP_ROWS / 2];                                                        \
            for (uint32_t i = 0; i < GROUP_ROWS / 2; i++) {                                        \
                __m128i a = words_load(run->a + first + 2 * i);                                    \
                __m128i b = words_load(run->b + first + 2 * i);                                    \
                answer[i] = answer_of;                                                             \
            }                                                                                      \
            mask |= bits_of(answer) << first;                                                      \
        }                                                                                          \
        run->target->mask = mask;                                                                  \
    }

COMPARE_LOOP(number_equal, _mm_cmpeq_epi64(a, b))
COMPARE_LOOP(number_less, _mm_cmpgt_epi64(b, a))
COMPARE_LOOP(number_less_equal, not_of(_mm_cmpgt_epi64(a, b)))
COMPARE_LOOP(unsigned_less, _mm_cmpgt_epi64(unsigned_of(b), unsigned_of(a)))
COMPARE_LOOP(unsigned_less_equal, not_of(_mm_cmpgt_epi64(unsigned_of(a), unsigned_of(b))))
COMPARE_LOOP(double_equal, _mm_castpd_si128(_mm_cmpeq_pd(REAL(a), REAL(b))))
COMPARE_LOOP(double_less, _mm_castpd_si128(_mm_cmplt_pd(REAL(a), REAL(b))))
COMPARE_LOOP(double_less_equal, _mm_castpd_si128(_mm_cmple_pd(REAL(a), REAL(b))))
#undef COMPARE_LOOP

/* The least or greatest of those that are not null. */
#define EXTREME_LOOP(name, type, read, operator)                                                   \
    void program_step_##name(struct program_run *run)                                              \
    {                                                                                              \
        ROW_COLUMNS;                                                                               \
        if ((run->column_a->null | run->column_b->null) == 0) {                                    \
            EACH_ROW                                                                               \
            {                                                                                      \
                out[i] = read(right[i]) operator read(left[i]) ? right[i] : left[i];               \
            }                                                                                      \
            run->target->null = 0;                                                                 \
            return;                                                                                \
        }                                                                                          \
        EACH_ROW                                                                                   \
        {                                                                                          \
            bool null_a = (run->column_a->null >> i & 1) != 0;                                     \
            bool null_b = (run->column_b->null >> i & 1) != 0;                                     \
            type a = read(left[i]);                                                                \
            type b = read(right[i]);                                                               \
            bool second = null_a || (!null_b && b operator a);                                     \
            out[i] = second ? right[i] : left[i];                                                  \
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
