/* Patterns of definitions as regexes that every engine reads alike.
 *
 * LIKE becomes bytes: `.` is any byte, a character is a byte and the continuation bytes behind it,
 * as like_matches() counts them.
 *
 * REGEXP takes what RE2 and Hyperscan have in common, and writes the rest of the meaning out: $ is
 * the end of the text alone (\z), \s the five spaces of RE2. A character is one of UTF-8:
 *
 *   . ^ $ | ( ) (?: ) (?P<name> ) (?i) (?s) (?i: ) [ ] [^ ] [:alpha:] * + ? {n} {n,} {n,m}, lazy
 * too
 *   \d \w \s \D \W \S \b \B \A \z \t \n \r \f \v \a \x7f \x{20ac} and \ before punctuation
 *
 * Repeats are bounded as RE2 has it: written out, a pattern has at most REGEX_POSITIONS_MAX
 * characters. That also bounds the time of its compilation, before it begins. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define REGEX_TEXT_MAX      256u   /* Bytes of a pattern. */
#define REGEX_SIZE_MAX      12288u /* Of what is made of it, with its NUL. */
#define REGEX_POSITIONS_MAX 1000u
#define REGEX_DEPTH_MAX     32u

struct regex_error {
    uint32_t at;     /* Byte of the pattern. */
    const char *why; /* With what is allowed. Static. */
};

/* out may be NULL: then only whether it can be done is of interest.
 *
 * False: it is longer than REGEX_TEXT_MAX or no UTF-8, so like_matches() has to do it. */
bool regex_from_like(const char *like, uint32_t size, char out[REGEX_SIZE_MAX]);

/* False: *out_error says why. */
bool regex_from_text(const char *text, uint32_t size, char out[REGEX_SIZE_MAX],
                     struct regex_error *out_error);
