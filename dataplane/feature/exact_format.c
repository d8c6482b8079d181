#include "dataplane/feature/exact_format.h"

#include <stdbool.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/exact.h"

#define DECIMAL_CHUNK_DIGITS 19u

/* Divides in place by 10^19, returns the rest. */
static uint64_t wide_divide_chunk(struct wide *wide)
{
    const uint64_t chunk = UINT64_C(10000000000000000000);
    unsigned __int128 rest = 0;
    uint32_t words = WIDE_WORDS;
    while (words > 1 && wide->word[words - 1] == 0) {
        words--;
    }
    /* Nearly every value that is printed is one word. */
    if (words == 1) {
        uint64_t word = wide->word[0];
        wide->word[0] = word / chunk;
        return word % chunk;
    }
    for (uint32_t i = words; i-- > 0;) {
        rest = (rest << 64) | wide->word[i];
        wide->word[i] = (uint64_t)(rest / chunk);
        rest %= chunk;
    }
    return (uint64_t)rest;
}

uint32_t exact_format_wide(struct wide value, uint32_t scale, char *out)
{
    bool negative = wide_is_negative(&value);
    if (negative) {
        value = wide_negate(value);
    }
    char digits[96]; /* Least significant first. */
    uint32_t count = 0;
    while ((value.word[1] | value.word[2] | value.word[3]) != 0) {
        uint64_t chunk = wide_divide_chunk(&value);
        for (uint32_t i = 0; i < DECIMAL_CHUNK_DIGITS; i++, chunk /= 10) {
            digits[count++] = (char)('0' + chunk % 10);
        }
    }
    for (uint64_t rest = value.word[0]; rest != 0; rest /= 10) {
        digits[count++] = (char)('0' + rest % 10);
    }
    while (count < scale + 1) {
        digits[count++] = '0';
    }
    uint32_t length = 0;
    if (negative) {
        out[length++] = '-';
    }
    while (count > 0) {
        if (count == scale) {
            out[length++] = '.';
        }
        out[length++] = digits[--count];
    }
    return length;
}

/* Natural numbers of variable length for the slow paths: enough for 2^1130 (the least subnormal
 * double as a fraction needs 1074 + 53 bits). */
#define NATURAL_WORDS 20u

struct natural {
    uint32_t count; /* Words in use; the top one is not zero. */
    uint64_t word[NATURAL_WORDS];
};

static void natural_trim(struct natural *n)
{
    while (n->count > 0 && n->word[n->count - 1] == 0) {
        n->count--;
    }
}

static struct natural natural_from_words(const uint64_t *words, uint32_t count)
{
    struct natural n = {.count = count};
    memcpy(n.word, words, count * sizeof(uint64_t));
    natural_trim(&n);
    return n;
}

static int natural_compare(const struct natural *a, const struct natural *b)
{
    if (a->count != b->count) {
        return a->count < b->count ? -1 : 1;
    }
    for (uint32_t i = a->count; i-- > 0;) {
        if (a->word[i] != b->word[i]) {
            return a->word[i] < b->word[i] ? -1 : 1;
        }
    }
    return 0;
}

static void natural_multiply_small(struct natural *n, uint64_t by)
{
    uint64_t carry = 0;
    for (uint32_t i = 0; i < n->count; i++) {
        unsigned __int128 product = (unsigned __int128)n->word[i] * by + carry;
        n->word[i] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
    if (carry != 0) {
        ASSERT(n->count < NATURAL_WORDS);
        n->word[n->count++] = carry;
    }
}

static void natural_shift_left(struct natural *n, uint32_t bits)
{
    if (n->count == 0 || bits == 0) {
        return;
    }
    uint32_t words = bits / 64;
    uint32_t rest = bits % 64;
    ASSERT(n->count + words + 1 <= NATURAL_WORDS);
    n->word[n->count] = 0;
    for (uint32_t i = n->count + 1; i-- > 0;) {
        uint64_t high = n->word[i] << rest;
        uint64_t low = rest != 0 && i > 0 ? n->word[i - 1] >> (64 - rest) : 0;
        n->word[i + words] = high | low;
    }
    memset(n->word, 0, words * sizeof(uint64_t));
    n->count += words + 1;
    natural_trim(n);
}

/* a -= b, a >= b. */
static void natural_subtract(struct natural *a, const struct natural *b)
{
    uint64_t borrow = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        uint64_t minus = i < b->count ? b->word[i] : 0;
        uint64_t first = a->word[i] - minus;
        uint64_t second = first - borrow;
        borrow = (a->word[i] < minus) | (first < borrow);
        a->word[i] = second;
    }
    ASSERT(borrow == 0);
    natural_trim(a);
}

static void natural_add(struct natural *a, const struct natural *b)
{
    uint64_t carry = 0;
    uint32_t count = a->count > b->count ? a->count : b->count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t left = i < a->count ? a->word[i] : 0;
        uint64_t right = i < b->count ? b->word[i] : 0;
        unsigned __int128 sum = (unsigned __int128)left + right + carry;
        a->word[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
    a->count = count;
    if (carry != 0) {
        ASSERT(a->count < NATURAL_WORDS);
        a->word[a->count++] = carry;
    }
}

#define SHORTEST_DIGITS_MAX 17u

/* The same digits where everything fits one word: what most features are. value = r / s with the
 * gaps up and down above s, 1/10 <= r / s < 1 and s < 2^59. */
static uint32_t shortest_digits_word(uint64_t r, uint64_t s, uint64_t gap, bool even,
                                     char digits[SHORTEST_DIGITS_MAX])
{
    uint32_t count = 0;
    for (;;) {
        r *= 10;
        gap *= 10;
        uint32_t digit = 0;
        for (uint32_t step = 8; step > 0; step /= 2) {
            if (r >= step * s) {
                r -= step * s;
                digit += step;
            }
        }
        bool low = r < gap || (r == gap && even);
        bool high = r + gap > s || (r + gap == s && even);
        if (!low && !high) {
            ASSERT(count < SHORTEST_DIGITS_MAX - 1);
            digits[count++] = (char)('0' + digit);
            continue;
        }
        if (low && high) {
            high = 2 * r > s || (2 * r == s && (digit & 1) != 0);
        }
        digits[count++] = (char)('0' + digit + (high ? 1u : 0u));
        return count;
    }
}

/* True when the value with this mantissa and exponent can go by shortest_digits_word(): at least 1,
 * below 2^53, and no power of two (whose gaps differ). */
static bool shortest_fits_word(uint64_t mantissa, int exponent)
{
    return exponent < 0 && exponent >= -(int)DOUBLE_MANTISSA_BITS &&
           mantissa != UINT64_C(1) << DOUBLE_MANTISSA_BITS;
}

/* A value between its neighbours: value = r / s, the gap above = up / s, the gap below = down / s
 * (both gaps halved). */
struct interval {
    struct natural r;
    struct natural s;
    struct natural up;
    struct natural down;
    bool even; /* Both ends round to the value. */
};

static void interval_init(struct interval *interval, uint64_t mantissa, int exponent, bool low_edge)
{
    interval->even = (mantissa & 1) == 0;
    interval->r = natural_from_words(&mantissa, 1);
    interval->s = natural_from_words((const uint64_t[]){1}, 1);
    interval->up = natural_from_words((const uint64_t[]){1}, 1);
    uint32_t extra = low_edge ? 2 : 1;
    if (exponent >= 0) {
        natural_shift_left(&interval->r, (uint32_t)exponent + extra);
        natural_shift_left(&interval->s, extra);
        natural_shift_left(&interval->up, (uint32_t)exponent);
    } else {
        natural_shift_left(&interval->r, extra);
        natural_shift_left(&interval->s, (uint32_t)-exponent + extra);
    }
    interval->down = interval->up;
    if (low_edge) {
        natural_shift_left(&interval->up, 1);
    }
}

static void interval_multiply_ten(struct interval *interval)
{
    natural_multiply_small(&interval->r, 10);
    natural_multiply_small(&interval->up, 10);
    natural_multiply_small(&interval->down, 10);
}

/* Below 0, 0 or above 0: where the upper end stands against 1. */
static int interval_compare_top(const struct interval *interval)
{
    struct natural top = interval->r;
    natural_add(&top, &interval->up);
    return natural_compare(&top, &interval->s);
}

/* Scales so that the first digit comes next, 1/10 <= value / 10^point < 1; returns point. Its
 * estimate from the value's bits (log10(2) ~ 1233 / 4096) is at most one too low. */
static int interval_scale(struct interval *interval, int magnitude)
{
    int point = (int)(((int64_t)magnitude * 1233) >> 12);
    for (int i = 0; i < point; i++) {
        natural_multiply_small(&interval->s, 10);
    }
    for (int i = 0; i > point; i--) {
        interval_multiply_ten(interval);
    }
    for (;;) {
        int compared = interval_compare_top(interval);
        if (compared < 0 || (compared == 0 && !interval->even)) {
            return point;
        }
        natural_multiply_small(&interval->s, 10);
        point++;
    }
}

static uint32_t interval_digits(struct interval *interval, char digits[SHORTEST_DIGITS_MAX])
{
    uint32_t count = 0;
    for (;;) {
        interval_multiply_ten(interval);
        uint32_t digit = 0;
        while (natural_compare(&interval->r, &interval->s) >= 0) {
            natural_subtract(&interval->r, &interval->s);
            digit++;
        }
        int compared_low = natural_compare(&interval->r, &interval->down);
        int compared_high = interval_compare_top(interval);
        bool low = compared_low < 0 || (compared_low == 0 && interval->even);
        bool high = compared_high > 0 || (compared_high == 0 && interval->even);
        if (!low && !high) {
            ASSERT(count < SHORTEST_DIGITS_MAX - 1);
            digits[count++] = (char)('0' + digit);
            continue;
        }
        if (low && high) {
            /* Both digits read back: the nearer one, and the even one in the middle, as everyone
             * else prints it. */
            natural_shift_left(&interval->r, 1);
            int half = natural_compare(&interval->r, &interval->s);
            high = half > 0 || (half == 0 && (digit & 1) != 0);
        }
        digits[count++] = (char)('0' + digit + (high ? 1 : 0));
        return count;
    }
}

/* Shortest digits of a positive finite double, without trailing zeros: value = 0.d1d2... *
 * 10^point. Returns the number of digits. */
static uint32_t shortest_digits(double value, char digits[SHORTEST_DIGITS_MAX], int *out_point)
{
    uint64_t pattern;
    memcpy(&pattern, &value, sizeof(pattern));
    uint64_t mantissa = pattern & ((UINT64_C(1) << DOUBLE_MANTISSA_BITS) - 1);
    int biased = (int)(pattern >> DOUBLE_MANTISSA_BITS & 0x7ff);
    bool low_edge = mantissa == 0 && biased > 1; /* The gap below is half the gap above. */
    if (biased > 0) {
        mantissa |= UINT64_C(1) << DOUBLE_MANTISSA_BITS;
    } else {
        biased = 1;
    }
    int exponent = biased - DOUBLE_EXPONENT_BIAS - (int)DOUBLE_MANTISSA_BITS;
    if (shortest_fits_word(mantissa, exponent)) {
        /* value = 2 mantissa / 2^(1 - exponent); scaled by the power of ten above it. */
        bool even = (mantissa & 1) == 0;
        uint64_t r = 2 * mantissa;
        uint64_t s = UINT64_C(1) << (1 - exponent);
        *out_point = 0;
        while (r + 1 > s || (r + 1 == s && even)) {
            s *= 10;
            ++*out_point;
        }
        return shortest_digits_word(r, s, 1, even, digits);
    }
    struct interval interval;
    interval_init(&interval, mantissa, exponent, low_edge);
    *out_point = interval_scale(&interval, exponent + 64 - __builtin_clzll(mantissa) - 1);
    return interval_digits(&interval, digits);
}

uint32_t exact_format_double(double value, char *out)
{
    ASSERT(value - value == 0);
    uint32_t length = 0;
    if (value < 0) {
        out[length++] = '-';
        value = -value;
    }
    if (value == 0) {
        out[length++] = '0';
        return length;
    }
    char digits[SHORTEST_DIGITS_MAX];
    int point;
    uint32_t count = shortest_digits(value, digits, &point);
    int exponent = point - 1;
    if (exponent < -5 || exponent > 16) {
        out[length++] = digits[0];
        if (count > 1) {
            out[length++] = '.';
            memcpy(out + length, digits + 1, count - 1);
            length += count - 1;
        }
        out[length++] = 'e';
        out[length++] = exponent < 0 ? '-' : '+';
        uint32_t size = (uint32_t)(exponent < 0 ? -exponent : exponent);
        if (size >= 100) {
            out[length++] = (char)('0' + size / 100);
        }
        out[length++] = (char)('0' + size / 10 % 10);
        out[length++] = (char)('0' + size % 10);
        return length;
    }
    if (point <= 0) {
        out[length++] = '0';
        out[length++] = '.';
        for (int i = point; i < 0; i++) {
            out[length++] = '0';
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if ((int)i == point && i > 0) {
            out[length++] = '.';
        }
        out[length++] = digits[i];
    }
    for (int i = (int)count; i < point; i++) {
        out[length++] = '0';
    }
    return length;
}
