/* Many regexes at once: Hyperscan, one set per stream and within it a database per field, so that a
 * field's text is gone over once however many patterns look at it (X. Wang et al., "Hyperscan: A
 * Fast Multi-pattern Regex Matcher for Modern CPUs", NSDI 2019).
 *
 * A set is constant after it was opened and shared by all threads; a scratch belongs to one.
 * Opening allocates and takes time; a scan does neither more than its text is long. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"

#define PATTERN_ERROR_SIZE_MAX 256
/* Of one set. What a hundred patterns of 30 characters need is a tenth of it. */
#define PATTERN_SET_BYTES_MAX (1u << 20)

struct pattern_set;
struct pattern_scratch;

struct pattern_source {
    const char *regex; /* In Hyperscan's syntax, as dataplane/feature/regex.h makes them. */
    uint32_t number;   /* The bit that a match sets. */
    uint32_t field;
    bool utf8; /* A character is one of UTF-8, and what is none matches nothing. Without: a
                          character is a byte, newline too. */
};

/* Compiles; *out_index: the source that error is about, or count. RESULT_INVALID: it is no regex;
 * RESULT_NO_SPACE: the set would be above PATTERN_SET_BYTES_MAX; RESULT_NO_MEMORY. */
MUST_USE enum result pattern_set_open(const struct pattern_source *source, uint32_t count,
                                      struct pattern_set **out_set, uint32_t *out_index,
                                      char error[PATTERN_ERROR_SIZE_MAX]);
void pattern_set_close(struct pattern_set *set); /* NULL is fine. */
uint64_t pattern_set_bytes(const struct pattern_set *set);

/* For scans of any of the sets (NULL ones are left out), by one thread at a time. */
MUST_USE enum result pattern_scratch_open(struct pattern_set *const *set, uint32_t count,
                                          struct pattern_scratch **out_scratch);
void pattern_scratch_close(struct pattern_scratch *scratch); /* NULL is fine. */

/* Sets the bits, by their numbers, of the field's patterns that the text matches; others stay as
 * they are. No allocation, no lock. */
void pattern_scan(const struct pattern_set *set, struct pattern_scratch *scratch, uint32_t field,
                  const char *text, uint32_t size, uint64_t *bits);
