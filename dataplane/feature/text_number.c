#include "dataplane/feature/text_number.h"

#include <string.h>

#include "dataplane/base/assert.h"

/* Beyond this any exponent means zero or infinity, whatever the digits of a datagram are. */
#define POINT_MAX 100000

/* No halfway point between two doubles has more than 767 significant digits: what follows only
 * matters by being zero or not. */
#define DIGITS_MAX 800

/* Bits: 5^1125 and a number of 801 digits need 2661, a division 66 more. */
#define BIG_WORDS 44

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads [+-]digits behind an 'e' into out_exponent, clamped to POINT_MAX. */
static bool exponent_read(const char *at, const char *end, int64_t *out_exponent)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) {
        at++;
    }
    if (at == end) {
        return false;
    }
    int64_t exponent = 0;
    for (; at < end; at++) {
        if (!is_digit(*at)) {
            return false;
        }
        if (exponent < POINT_MAX) {
            exponent = exponent * 10 + (*at - '0');
        }
    }
    *out_exponent = negative ? -exponent : exponent;
    return true;
}

bool text_number_read(const char *text, uint32_t size, struct text_number *out_number)
{
    const char *at = text;
    const char *end = text + size;
    struct text_number number = {.is_zero = true};
    if (at < end && (*at == '-' || *at == '+')) {
        number.negative = *at == '-';
        at++;
    }
    uint32_t digit_count = 0;
    bool past_point = false;
    for (; at < end; at++) {
        if (*at == '.' && !past_point) {
            past_point = true;
            continue;
        }
        if (!is_digit(*at)) {
            break;
        }
        digit_count++;
        if (number.is_zero && *at != '0') {
            number.is_zero = false;
            number.digits = at;
        }
        if (number.is_zero) {
            number.point -= past_point;
        } else {
            number.point += !past_point;
        }
    }
    if (digit_count == 0) {
        return false;
    }
    number.digits_end = at;
    if (at < end) {
        int64_t exponent;
        if ((*at != 'e' && *at != 'E') || !exponent_read(at + 1, end, &exponent)) {
            return false;
        }
        number.point += exponent;
    }
    *out_number = number;
    return true;
}

/* Returns the next digit and moves past it, or -1 behind the last one. */
static int digit_next(const char **at, const char *end)
{
    if (*at < end && **at == '.') {
        ++*at;
    }
    if (*at == end) {
        return -1;
    }
    int digit = **at - '0';
    ++*at;
    return digit;
}

bool text_number_scaled(const struct text_number *number, uint32_t scale, uint64_t *out_magnitude)
{
    *out_magnitude = 0;
    if (number->is_zero) {
        return true;
    }
    int64_t integer_digits = number->point + scale;
    if (integer_digits > 20) {
        return false;
    }
    const char *at = number->digits;
    uint64_t magnitude = 0;
    for (int64_t i = 0; i < integer_digits; i++) {
        int digit = digit_next(&at, number->digits_end);
        if (__builtin_mul_overflow(magnitude, UINT64_C(10), &magnitude) ||
            __builtin_add_overflow(magnitude, (uint64_t)(digit < 0 ? 0 : digit), &magnitude)) {
            return false;
        }
    }
    for (;;) {
        int digit = digit_next(&at, number->digits_end);
        if (digit < 0) {
            *out_magnitude = magnitude;
            return true;
        }
        if (digit > 0) {
            return false;
        }
    }
}

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* (top + a rest below 1) * 2^exponent, rounded half to even; bit 63 of top is set; sticky: the rest
 * is not zero. False on overflow. */
static bool double_round(uint64_t top, bool sticky, int64_t exponent, double *out_value)
{
    /* The place of the last bit kept: 53 bits, fewer below 2^-1022. */
    int64_t drop = 11;
    if (exponent + drop < -1074) {
        drop = -1074 - exponent;
    }
    if (drop > 64) {
        *out_value = 0;
        return true;
    }
    uint64_t kept = drop == 64 ? 0 : top >> drop;
    uint64_t half = UINT64_C(1) << (drop - 1);
    uint64_t rest = drop == 64 ? top : top & (half + (half - 1));
    kept += rest > half || (rest == half && (sticky || (kept & 1) != 0));
    int64_t biased = exponent + drop + 1075;
    if (kept == UINT64_C(1) << 53) {
        kept >>= 1;
        biased++;
    }
    if (kept < UINT64_C(1) << 52) {
        *out_value = double_of_bits(kept); /* Subnormal: the biased exponent is 0. */
        return true;
    }
    if (biased >= 0x7ff) {
        return false;
    }
    *out_value = double_of_bits((uint64_t)biased << 52 | (kept & ((UINT64_C(1) << 52) - 1)));
    return true;
}

static bool double_of_u128(unsigned __int128 value, bool sticky, int64_t exponent,
                           double *out_value)
{
    uint64_t high = (uint64_t)(value >> 64);
    uint32_t zeros = high != 0 ? (uint32_t)__builtin_clzll(high)
                               : 64 + (uint32_t)__builtin_clzll((uint64_t)value);
    value <<= zeros;
    sticky |= (uint64_t)value != 0;
    return double_round((uint64_t)(value >> 64), sticky, exponent + 64 - zeros, out_value);
}

static uint64_t power_of_ten(uint32_t exponent)
{
    uint64_t power = 1;
    for (uint32_t i = 0; i < exponent; i++) {
        power *= 10;
    }
    return power;
}

/* Little-endian words; unused ones are zero. */
struct big {
    uint64_t word[BIG_WORDS];
    uint32_t used;
};

static void big_multiply_add(struct big *big, uint64_t by, uint64_t add)
{
    unsigned __int128 carry = add;
    for (uint32_t i = 0; i < big->used; i++) {
        carry += (unsigned __int128)big->word[i] * by;
        big->word[i] = (uint64_t)carry;
        carry >>= 64;
    }
    if (carry != 0) {
        ASSERT(big->used < BIG_WORDS);
        big->word[big->used++] = (uint64_t)carry;
    }
}

static void big_multiply_power(struct big *big, uint64_t base, uint32_t exponent)
{
    for (uint32_t i = 0; i < exponent; i++) {
        big_multiply_add(big, base, 0);
    }
}

static uint32_t big_bits(const struct big *big)
{
    return big->used * 64 - (uint32_t)__builtin_clzll(big->word[big->used - 1]);
}

static void big_shift_left(struct big *big, uint32_t bits)
{
    uint32_t words = bits / 64;
    uint32_t rest = bits % 64;
    ASSERT(big->used + words + 1 <= BIG_WORDS);
    for (uint32_t i = big->used + 1; i-- > 0;) {
        uint64_t low = i > 0 && rest != 0 ? big->word[i - 1] >> (64 - rest) : 0;
        uint64_t high = i < big->used ? big->word[i] << rest : 0;
        big->word[i + words] = high | low;
    }
    memset(big->word, 0, words * sizeof(big->word[0]));
    big->used += words + 1;
    while (big->used > 1 && big->word[big->used - 1] == 0) {
        big->used--;
    }
}

static bool big_at_least(const struct big *a, const struct big *b)
{
    for (uint32_t i = BIG_WORDS; i-- > 0;) {
        if (a->word[i] != b->word[i]) {
            return a->word[i] > b->word[i];
        }
    }
    return true;
}

static void big_subtract(struct big *a, const struct big *b)
{
    uint64_t borrow = 0;
    for (uint32_t i = 0; i < BIG_WORDS; i++) {
        uint64_t word = a->word[i] - b->word[i];
        uint64_t next = a->word[i] < b->word[i] || word < borrow;
        a->word[i] = word - borrow;
        borrow = next;
    }
    while (a->used > 1 && a->word[a->used - 1] == 0) {
        a->used--;
    }
}

static bool big_is_zero(const struct big *big)
{
    return big->used == 1 && big->word[0] == 0;
}

/* number / power, correctly rounded, times 2^exponent. */
static bool big_divide(struct big *number, struct big *power, int64_t exponent, double *out_value)
{
    /* Align so that the quotient has bit 63 or 64 as its highest, then divide bit by bit. */
    int64_t shift = 64 + (int64_t)big_bits(power) - (int64_t)big_bits(number);
    if (shift >= 64) {
        big_shift_left(number, (uint32_t)(shift - 64));
    } else {
        big_shift_left(power, (uint32_t)(64 - shift));
    }
    unsigned __int128 quotient = 0;
    for (uint32_t i = 0; i <= 64; i++) {
        quotient <<= 1;
        if (big_at_least(number, power)) {
            big_subtract(number, power);
            quotient |= 1;
        }
        big_shift_left(number, 1);
    }
    return double_of_u128(quotient, !big_is_zero(number), exponent - shift, out_value);
}

/* Any number: the digits as one big integer, over a power of five. */
static bool double_slow(const struct text_number *number, double *out_value)
{
    struct big digits = {.used = 1};
    struct big power = {.word = {1}, .used = 1};
    const char *at = number->digits;
    int64_t count = 0;
    int digit;
    while (count < DIGITS_MAX && (digit = digit_next(&at, number->digits_end)) >= 0) {
        big_multiply_add(&digits, 10, (uint64_t)digit);
        count++;
    }
    bool more = false;
    while ((digit = digit_next(&at, number->digits_end)) >= 0) {
        more |= digit > 0;
    }
    if (more) {
        big_multiply_add(&digits, 10, 1);
        count++;
    }
    int64_t exponent = number->point - count;
    if (exponent >= 0) {
        big_multiply_power(&digits, 5, (uint32_t)exponent);
    } else {
        big_multiply_power(&power, 5, (uint32_t)-exponent);
    }
    return big_divide(&digits, &power, exponent, out_value);
}

/* Up to 19 digits and a power of ten within 64 bits: one 128-bit product or quotient. Returns
 * false when the number is not such. */
static bool double_fast(const struct text_number *number, double *out_value)
{
    const char *at = number->digits;
    uint64_t mantissa = 0;
    int64_t count = 0;
    int digit;
    while ((digit = digit_next(&at, number->digits_end)) >= 0) {
        if (count == 19) {
            return false;
        }
        mantissa = mantissa * 10 + (uint64_t)digit;
        count++;
    }
    int64_t exponent = number->point - count;
    if (exponent < -19 || exponent > 19) {
        return false;
    }
    if (exponent >= 0) {
        unsigned __int128 product = (unsigned __int128)mantissa * power_of_ten((uint32_t)exponent);
        return double_of_u128(product, false, 0, out_value);
    }
    uint64_t divisor = power_of_ten((uint32_t)-exponent);
    uint32_t shift = 64 + (uint32_t)__builtin_clzll(mantissa);
    unsigned __int128 dividend = (unsigned __int128)mantissa << shift;
    return double_of_u128(dividend / divisor, dividend % divisor != 0, -(int64_t)shift, out_value);
}

bool text_number_double(const struct text_number *number, double *out_value)
{
    double value = 0;
    if (!number->is_zero && number->point > 310) {
        return false;
    }
    if (!number->is_zero && number->point > -330 && !double_fast(number, &value) &&
        !double_slow(number, &value)) {
        return false;
    }
    *out_value = number->negative ? -value : value;
    return true;
}
