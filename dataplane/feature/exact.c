#include "dataplane/feature/exact.h"

#include <emmintrin.h>
#include <stdbool.h>
#include <string.h>

#include "dataplane/base/assert.h"

static const uint64_t powers10[] = {
    UINT64_C(1),
    UINT64_C(10),
    UINT64_C(100),
    UINT64_C(1000),
    UINT64_C(10000),
    UINT64_C(100000),
    UINT64_C(1000000),
    UINT64_C(10000000),
    UINT64_C(100000000),
    UINT64_C(1000000000),
    UINT64_C(10000000000),
    UINT64_C(100000000000),
    UINT64_C(1000000000000),
    UINT64_C(10000000000000),
    UINT64_C(100000000000000),
    UINT64_C(1000000000000000),
    UINT64_C(10000000000000000),
    UINT64_C(100000000000000000),
    UINT64_C(1000000000000000000),
};

uint64_t exact_power10(uint32_t exponent)
{
    ASSERT(exponent < ARRAY_COUNT(powers10));
    return powers10[exponent];
}

struct wide wide_from_words(const uint64_t *words, uint32_t count)
{
    ASSERT(count >= 1 && count <= WIDE_WORDS);
    struct wide wide = {{0}};
    memcpy(wide.word, words, count * sizeof(uint64_t));
    return wide;
}

/* quotient (64 or 65 significant bits) * 2^exponent, plus something below one unit when sticky:
 * rounded half to even. */
static double double_round(unsigned __int128 quotient, int exponent, bool sticky, bool negative)
{
    if (quotient == 0) {
        return 0;
    }
    uint64_t high = (uint64_t)(quotient >> 64);
    int bits = high != 0 ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)quotient);
    int drop = bits - (int)(DOUBLE_MANTISSA_BITS + 1);
    ASSERT(drop >= 2);
    uint64_t mantissa = (uint64_t)(quotient >> drop);
    unsigned __int128 rest = quotient & (((unsigned __int128)1 << drop) - 1);
    unsigned __int128 half = (unsigned __int128)1 << (drop - 1);
    if (rest > half || (rest == half && (sticky || (mantissa & 1) != 0))) {
        mantissa++;
    }
    int power = exponent + drop;
    if (mantissa >> (DOUBLE_MANTISSA_BITS + 1) != 0) {
        mantissa >>= 1;
        power++;
    }
    int biased = power + (int)DOUBLE_MANTISSA_BITS + DOUBLE_EXPONENT_BIAS;
    ASSERT(biased > 0);
    ASSERT(biased < 2 * DOUBLE_EXPONENT_BIAS + 1);
    uint64_t pattern = ((uint64_t)negative << 63) | ((uint64_t)biased << DOUBLE_MANTISSA_BITS) |
                       (mantissa & ((UINT64_C(1) << DOUBLE_MANTISSA_BITS) - 1));
    double value;
    memcpy(&value, &pattern, sizeof(value));
    return value;
}

/* Both fit one word: a single 128 by 64 division. */
static double divide_words(uint64_t numerator, uint64_t denominator, bool negative)
{
    if (numerator == 0) {
        return 0;
    }
    int up = __builtin_clzll(numerator);
    int down = __builtin_clzll(denominator);
    /* 2^127 <= n < 2^128 over 2^63 <= d < 2^64: a quotient of 64 or 65 bits. */
    unsigned __int128 n = (unsigned __int128)(numerator << up) << 64;
    uint64_t d = denominator << down;
    return double_round(n / d, -64 - up + down, n % d != 0, negative);
}

static uint32_t wide_bits(const struct wide *wide)
{
    for (uint32_t i = WIDE_WORDS; i-- > 0;) {
        if (wide->word[i] != 0) {
            return i * 64 + 64 - (uint32_t)__builtin_clzll(wide->word[i]);
        }
    }
    return 0;
}

/* The 64 bits of a wide from bit `first` on; bits outside of it are zero. */
static uint64_t wide_window(const struct wide *wide, int first)
{
    uint64_t window = 0;
    int word = first >= 0 ? first / 64 : -((63 - first) / 64);
    uint32_t rest = (uint32_t)(first - word * 64);
    if (word >= 0 && word < (int)WIDE_WORDS) {
        window = wide->word[word] >> rest;
    }
    if (rest != 0 && word + 1 >= 0 && word + 1 < (int)WIDE_WORDS) {
        window |= wide->word[word + 1] << (64 - rest);
    }
    return window;
}

/* n has count + 1 words, d count words, both with their top bit set. Returns the quotient, 64 or 65
 * bits, and leaves the rest in n. Source: Knuth, volume 2, algorithm 4.3.1 D, two digits. */
static unsigned __int128 divide_normalised(uint64_t *n, const uint64_t *d, uint32_t count)
{
    unsigned __int128 quotient = 0;
    /* The first digit is 0 or 1: whether the top words of n hold d. */
    bool holds = true;
    for (uint32_t i = count; i-- > 0;) {
        if (n[i + 1] != d[i]) {
            holds = n[i + 1] > d[i];
            break;
        }
    }
    if (holds) {
        uint64_t borrow = 0;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t first = n[i + 1] - d[i];
            uint64_t borrowed = (uint64_t)(n[i + 1] < d[i]) | (uint64_t)(first < borrow);
            n[i + 1] = first - borrow;
            borrow = borrowed;
        }
        quotient = (unsigned __int128)1 << 64;
    }
    /* The second digit, from the top two words, is at most two too high. */
    unsigned __int128 top = (unsigned __int128)n[count] << 64 | n[count - 1];
    unsigned __int128 guess = top / d[count - 1];
    uint64_t digit = guess >> 64 != 0 ? UINT64_MAX : (uint64_t)guess;
    uint64_t carry = 0;
    uint64_t borrow = 0;
    for (uint32_t i = 0; i < count; i++) {
        unsigned __int128 product = (unsigned __int128)d[i] * digit + carry;
        carry = (uint64_t)(product >> 64);
        uint64_t low = (uint64_t)product;
        uint64_t first = n[i] - low;
        uint64_t borrowed = (uint64_t)(n[i] < low) | (uint64_t)(first < borrow);
        n[i] = first - borrow;
        borrow = borrowed;
    }
    bool negative = n[count] < carry || n[count] - carry < borrow;
    n[count] -= carry + borrow;
    while (negative) {
        digit--;
        uint64_t over = 0;
        for (uint32_t i = 0; i < count; i++) {
            unsigned __int128 sum = (unsigned __int128)n[i] + d[i] + over;
            n[i] = (uint64_t)sum;
            over = (uint64_t)(sum >> 64);
        }
        n[count] += over;
        negative = n[count] != 0;
    }
    return quotient | digit;
}

double exact_divide(struct wide numerator, struct wide denominator)
{
    ASSERT(!wide_is_negative(&denominator));
    bool negative = wide_is_negative(&numerator);
    if (negative) {
        numerator = wide_negate(numerator);
    }
    int n_bits = (int)wide_bits(&numerator);
    int d_bits = (int)wide_bits(&denominator);
    ASSERT(d_bits > 0);
    if (n_bits <= 64 && d_bits <= 64) {
        return divide_words(numerator.word[0], denominator.word[0], negative);
    }
    if (n_bits == 0) {
        return 0;
    }
    /* Shift d to whole words and n to one word more: a quotient of 64 or 65 bits. */
    int count = (d_bits + 63) / 64;
    int d_down = d_bits - 64 * count;
    int n_down = n_bits - 64 * (count + 1);
    uint64_t d[WIDE_WORDS];
    uint64_t n[WIDE_WORDS + 1];
    for (int i = 0; i < count; i++) {
        d[i] = wide_window(&denominator, d_down + 64 * i);
    }
    for (int i = 0; i <= count; i++) {
        n[i] = wide_window(&numerator, n_down + 64 * i);
    }
    bool sticky = false;
    for (int bit = 0; bit < n_down; bit += 64) {
        uint64_t lost = wide_window(&numerator, bit);
        sticky = sticky || (n_down - bit >= 64 ? lost : lost << (64 - (n_down - bit))) != 0;
    }
    unsigned __int128 quotient = divide_normalised(n, d, (uint32_t)count);
    for (int i = 0; i <= count; i++) {
        sticky = sticky || n[i] != 0;
    }
    return double_round(quotient, n_down - d_down, sticky, negative);
}

struct wide wide_multiply(const struct wide *a, const struct wide *b)
{
    struct wide product = {{0}};
    for (uint32_t i = 0; i < WIDE_WORDS; i++) {
        uint64_t carry = 0;
        for (uint32_t j = 0; i + j < WIDE_WORDS; j++) {
            unsigned __int128 part =
                (unsigned __int128)a->word[i] * b->word[j] + product.word[i + j] + carry;
            product.word[i + j] = (uint64_t)part;
            carry = (uint64_t)(part >> 64);
        }
    }
    return product;
}

struct wide wide_add(struct wide a, struct wide b)
{
    uint64_t carry = 0;
    for (uint32_t i = 0; i < WIDE_WORDS; i++) {
        unsigned __int128 sum = (unsigned __int128)a.word[i] + b.word[i] + carry;
        a.word[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
    return a;
}

static struct wide wide_subtract(const struct wide *a, const struct wide *b)
{
    struct wide difference;
    uint64_t borrow = 0;
    for (uint32_t i = 0; i < WIDE_WORDS; i++) {
        uint64_t first = a->word[i] - b->word[i];
        difference.word[i] = first - borrow;
        borrow = (a->word[i] < b->word[i]) | (first < borrow);
    }
    return difference;
}

double exact_square_root(double value)
{
    return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(value)));
}

double exact_mean(__int128 sum, uint64_t n, uint32_t scale)
{
    ASSERT(n > 0);
    unsigned __int128 denominator = (unsigned __int128)n * exact_power10(scale);
    unsigned __int128 magnitude = sum < 0 ? 0 - (unsigned __int128)sum : (unsigned __int128)sum;
    if (magnitude >> 64 == 0 && denominator >> 64 == 0) {
        return divide_words((uint64_t)magnitude, (uint64_t)denominator, sum < 0);
    }
    return exact_divide(
        wide_from_i128(sum),
        wide_from_words((const uint64_t[]){(uint64_t)denominator, (uint64_t)(denominator >> 64)},
                        2));
}

double exact_scaled(struct wide value, uint32_t scale)
{
    struct wide denominator = wide_from_u64(exact_power10(scale > SCALE_MAX ? SCALE_MAX : scale));
    if (scale > SCALE_MAX) {
        struct wide rest = wide_from_u64(exact_power10(scale - SCALE_MAX));
        denominator = wide_multiply(&denominator, &rest);
    }
    return exact_divide(value, denominator);
}

double exact_variance(__int128 sum, const uint64_t sumsq[3], uint64_t n, uint32_t scale, int sample)
{
    uint64_t divisor = sample != 0 ? n - 1 : n;
    ASSERT(n > 0 && divisor > 0);
    struct wide count = wide_from_u64(n);
    struct wide squares = wide_from_words(sumsq, 3);
    struct wide magnitude = wide_from_i128(sum < 0 ? -sum : sum);
    struct wide left = wide_multiply(&count, &squares);
    struct wide right = wide_multiply(&magnitude, &magnitude);
    struct wide numerator = wide_subtract(&left, &right);
    struct wide by = wide_from_u64(divisor);
    struct wide power = wide_from_u64(exact_power10(scale));
    struct wide denominator = wide_multiply(&count, &by);
    denominator = wide_multiply(&denominator, &power);
    denominator = wide_multiply(&denominator, &power);
    return exact_divide(numerator, denominator);
}
