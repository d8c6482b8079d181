#include "controlplane/pattern_sets.h"

#include <stdio.h>
#include <string.h>

#include "drivers/memory.h"

/* Patterns of a table on their way to a set. */
struct draft {
    char regex[PATTERNS_MAX][REGEX_SIZE_MAX];
    struct pattern_source source[PATTERNS_MAX];
};

static enum result set_open(const struct pattern_table *table, uint32_t first, uint32_t count,
                            struct pattern_set **out_set, char error[PATTERN_ERROR_SIZE_MAX])
{
    struct draft *draft = heap_alloc(sizeof(*draft));
    uint32_t index;
    if (draft == NULL) {
        (void)snprintf(error, PATTERN_ERROR_SIZE_MAX, "the machine gave no memory for it");
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct pattern *pattern = &table->pattern[first + i];
        pattern_table_regex(table, first + i, draft->regex[i]);
        draft->source[i] = (struct pattern_source){.regex = draft->regex[i],
                                                   .number = first + i,
                                                   .field = pattern->field,
                                                   .utf8 = pattern->kind != PATTERN_LIKE};
    }
    enum result result = pattern_set_open(draft->source, count, out_set, &index, error);
    heap_free(draft);
    return result;
}

enum result pattern_sets_open(const struct plan *plan, uint32_t threads,
                              struct pattern_sets *out_sets, char error[PATTERN_ERROR_SIZE_MAX])
{
    enum result result = RESULT_OK;
    bool any = false;
    memset(out_sets, 0, sizeof(*out_sets));
    for (uint32_t i = 0; result == RESULT_OK && i < plan->stream_count; i++) {
        const struct pattern_table *table = &plan->stream[i].patterns;
        if (table->count > 0) {
            any = true;
            result = set_open(table, 0, table->count, &out_sets->set[i], error);
        }
    }
    for (uint32_t i = 0; any && result == RESULT_OK && i < threads; i++) {
        (void)snprintf(error, PATTERN_ERROR_SIZE_MAX, "the machine gave no memory for it");
        result = pattern_scratch_open(out_sets->set, plan->stream_count, &out_sets->scratch[i]);
        out_sets->scratch_count += result == RESULT_OK ? 1 : 0;
    }
    if (result != RESULT_OK) {
        pattern_sets_close(out_sets);
    }
    return result;
}

void pattern_sets_close(struct pattern_sets *sets)
{
    for (uint32_t i = 0; i < sets->scratch_count; i++) {
        pattern_scratch_close(sets->scratch[i]);
    }
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        pattern_set_close(sets->set[i]);
    }
    memset(sets, 0, sizeof(*sets));
}

bool pattern_sets_try(const struct pattern_table *table, uint32_t first, uint32_t count,
                      char error[PATTERN_ERROR_SIZE_MAX])
{
    struct pattern_set *set;
    if (set_open(table, first, count, &set, error) != RESULT_OK) {
        return false;
    }
    pattern_set_close(set);
    return true;
}
