/* Numbers against oracles that share no code: text to double against strtod, quantisation against
 * the double's whole decimal expansion. SEED=n repeats a run. */
#include "tests/support/unit.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "dataplane/base/random.h"
#include "dataplane/feature/decode.h"
#include "dataplane/feature/text_number.h"

#define CASES 20000u

static uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static double random_double(struct random *random)
{
    double value;
    do {
        uint64_t bits = random_next(random);
        memcpy(&value, &bits, sizeof(value));
    } while (isnan(value) || isinf(value));
    return value;
}

static void text_check(const char *text)
{
    struct text_number number;
    double expected = strtod(text, NULL);
    double value = 0;
    assert_true(text_number_read(text, (uint32_t)strlen(text), &number));
    bool fits = text_number_double(&number, &value);
    if (fits == (isinf(expected) != 0) || (fits && memcmp(&value, &expected, sizeof(value)) != 0)) {
        fail_msg("%s: %a, strtod has %a", text, value, expected);
    }
}

static void text_becomes_the_double_that_strtod_gives(void **state)
{
    (void)state;
    static const char *const hard[] = {
        "0",
        "-0",
        "0.1",
        "1e23",
        "8.533e+68",
        "9007199254740993",
        "9007199254740992.99999999999999999",
        "9007199254740993.00000000000000000000000000000000000000000001",
        "5e-324",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
        "1.797693134862315807e308",
        "1.797693134862315808e308",
        "1e309",
        "1e400",
        "1e-400",
        "123456789012345678901234567890e-300",
        "0000.000000000000000000000000000000000000001e39",
    };
    struct random random;
    char text[2048];
    for (uint32_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++) {
        text_check(hard[i]);
    }
    random_seed(&random, seed_of_run());
    for (uint32_t i = 0; i < CASES; i++) {
        double value = random_double(&random);
        (void)snprintf(text, sizeof(text), "%.*e", (int)random_below(&random, 25), value);
        text_check(text);
        (void)snprintf(text, sizeof(text), "%llu.%llue%d", (unsigned long long)random_next(&random),
                       (unsigned long long)random_next(&random),
                       (int)random_below(&random, 60) - 30);
        text_check(text);
        /* Half way between two neighbours, exactly, and just above. */
        long double half =
            (long double)value + ((long double)nextafter(value, INFINITY) - (long double)value) / 2;
        if (i % 8 == 0 && !isinf((double)half)) {
            (void)snprintf(text, sizeof(text), "%.800Le", half);
            text_check(text);
        }
    }
}

/* x * 10^scale half to even, from "%.1100f": glibc prints every digit that a double has. */
static bool quantise_slowly(double x, uint32_t scale, int64_t *out_value)
{
    char text[1600];
    (void)snprintf(text, sizeof(text), "%.1100f", fabs(x));
    char *point = strchr(text, '.');
    memmove(point, point + 1, scale);
    char *rest = point + scale + 1; /* One shorter: the point stood there. */
    point[scale] = '\0';
    unsigned __int128 magnitude = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (magnitude > (unsigned __int128)1 << 100) {
            return false;
        }
        magnitude = magnitude * 10 + (unsigned)(*at - '0');
    }
    bool tie = rest[0] == '5' && strspn(rest + 1, "0") == strlen(rest + 1);
    magnitude += tie ? (magnitude & 1) : rest[0] >= '5';
    unsigned __int128 limit = ((unsigned __int128)1 << 63) - (signbit(x) == 0);
    *out_value = (int64_t)(signbit(x) ? 0 - (uint64_t)magnitude : (uint64_t)magnitude);
    return magnitude <= limit;
}

static void quantisation_equals_the_whole_decimal_expansion(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, seed_of_run());
    for (uint32_t i = 0; i < CASES; i++) {
        uint32_t scale = (uint32_t)random_below(&random, SCALE_MAX + 1);
        double x = random_double(&random);
        switch (random_below(&random, 4)) {
        case 0: /* Ties. */
            x = ldexp((double)(int64_t)random_below(&random, 1000000),
                      -(int)random_below(&random, 20));
            break;
        case 1: /* Near the ends of int64. */
            x = ldexp(random_unit(&random), (int)random_below(&random, 66));
            break;
        case 2:
            x = random_unit(&random) / 1000;
            break;
        default:
            break;
        }
        x = random_below(&random, 2) == 0 ? x : -x;
        int64_t value = 0;
        int64_t expected = 0;
        bool fits = quantise_slowly(x, scale, &expected);
        if (decode_quantise(x, (uint8_t)scale, &value) != fits || (fits && value != expected)) {
            fail_msg("%a at scale %u: %lld, the expansion has %lld", x, scale, (long long)value,
                     (long long)expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_the_double_that_strtod_gives),
        cmocka_unit_test(quantisation_equals_the_whole_decimal_expansion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
