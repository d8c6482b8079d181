#include "dataplane/patterns.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/decode.h"

#define PATTERN_WORDS ((PATTERNS_MAX + 63) / 64)

static void bits_take(const uint64_t words[PATTERN_WORDS], uint32_t event,
                      struct pattern_bits *bits)
{
    for (uint32_t w = 0; w < PATTERN_WORDS; w++) {
        for (uint64_t rest = words[w]; rest != 0; rest &= rest - 1) {
            uint32_t number = w * 64 + (uint32_t)__builtin_ctzll(rest);
            bits->block[event / PROGRAM_ROWS][number] |= UINT64_C(1) << event % PROGRAM_ROWS;
        }
    }
}

void patterns_fill(const struct pattern_table *table, const struct pattern_set *set,
                   struct pattern_scratch *scratch, const struct burst *burst,
                   struct pattern_bits *out_bits)
{
    ASSERT(set != NULL);
    for (uint32_t first = 0; first < burst->count; first += PROGRAM_ROWS) {
        memset(out_bits->block[first / PROGRAM_ROWS], 0, table->count * sizeof(uint64_t));
    }
    for (uint64_t fields = table->fields; fields != 0; fields &= fields - 1) {
        uint32_t field = (uint32_t)__builtin_ctzll(fields);
        for (uint32_t i = 0; i < burst->count; i++) {
            uint64_t words[PATTERN_WORDS] = {0};
            uint32_t size;
            const char *text = burst_string(burst, field, i, &size);
            if (text != NULL) {
                pattern_scan(set, scratch, field, text, size, words);
                bits_take(words, i, out_bits);
            }
        }
    }
}

void patterns_check(const struct pattern_table *table, const struct pattern_bits *bits,
                    struct burst *burst)
{
    for (uint32_t p = 0; table->rule_count > 0 && p < table->count; p++) {
        uint32_t field = table->pattern[p].field;
        for (uint32_t i = 0; table->pattern[p].kind == PATTERN_RULE && i < burst->count; i++) {
            bool null = (burst->null_mask[i] >> field & 1) != 0;
            bool matches = (bits->block[i / PROGRAM_ROWS][p] >> i % PROGRAM_ROWS & 1) != 0;
            if (!null && !matches) {
                decode_violate(burst, i, field, RULE_matches);
            }
        }
    }
}
