#include "controlplane/glob.h"

#include <ctype.h>

static int fold(char c, bool nocase)
{
    return nocase ? tolower((unsigned char)c) : (unsigned char)c;
}

/* Matches one character against the set that starts after '[' at pattern[at]. out_next is where the
 * pattern goes on; a set without its end takes the rest, as Redis does. */
static bool set_match(const char *pattern, uint32_t size, uint32_t at, char c, bool nocase,
                      uint32_t *out_next)
{
    bool negated = at < size && pattern[at] == '^';
    bool found = false;
    at += negated ? 1 : 0;
    for (; at < size && pattern[at] != ']'; at++) {
        if (pattern[at] == '\\' && at + 1 < size) {
            at++;
            found |= fold(pattern[at], nocase) == fold(c, nocase);
        } else if (at + 2 < size && pattern[at + 1] == '-') {
            int from = fold(pattern[at], nocase);
            int to = fold(pattern[at + 2], nocase);
            int value = fold(c, nocase);
            found |= from <= to ? from <= value && value <= to : to <= value && value <= from;
            at += 2;
        } else {
            found |= fold(pattern[at], nocase) == fold(c, nocase);
        }
    }
    *out_next = at < size ? at + 1 : size;
    return found != negated;
}

/* Matches one character of text; out_next is where the pattern goes on. Not called on '*'. */
static bool one_match(const char *pattern, uint32_t size, uint32_t at, char c, bool nocase,
                      uint32_t *out_next)
{
    switch (pattern[at]) {
    case '?':
        *out_next = at + 1;
        return true;
    case '[':
        return set_match(pattern, size, at + 1, c, nocase, out_next);
    case '\\':
        at += at + 1 < size ? 1 : 0;
        break;
    default:
        break;
    }
    *out_next = at + 1;
    return fold(pattern[at], nocase) == fold(c, nocase);
}

/* Only the last '*' is ever tried again: an earlier one cannot help where a later one failed. */
bool glob_match(const char *pattern, uint32_t pattern_size, const char *text, uint32_t text_size,
                bool nocase)
{
    uint32_t p = 0;
    uint32_t t = 0;
    uint32_t star = UINT32_MAX;
    uint32_t star_text = 0;
    while (t < text_size) {
        uint32_t next = 0;
        if (p < pattern_size && pattern[p] == '*') {
            star = ++p;
            star_text = t;
        } else if (p < pattern_size &&
                   one_match(pattern, pattern_size, p, text[t], nocase, &next)) {
            p = next;
            t++;
        } else if (star != UINT32_MAX) {
            p = star;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern_size && pattern[p] == '*') {
        p++;
    }
    return p == pattern_size;
}
