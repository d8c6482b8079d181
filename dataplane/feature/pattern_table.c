#include "dataplane/feature/pattern_table.h"

#include <string.h>

#include "dataplane/base/assert.h"

static bool regex_make(enum pattern_kind kind, const char *text, uint32_t size,
                       char out[REGEX_SIZE_MAX])
{
    struct regex_error error;
    return kind == PATTERN_LIKE ? regex_from_like(text, size, out)
                                : regex_from_text(text, size, out, &error);
}

static bool can_be_regex(enum pattern_kind kind, const char *text, uint32_t size)
{
    return regex_make(kind, text, size, NULL);
}

int pattern_table_add(struct pattern_table *table, enum pattern_kind kind, uint32_t field,
                      const char *text, uint32_t size)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct pattern *known = &table->pattern[i];
        if (known->kind == kind && known->field == field && known->size == size &&
            memcmp(table->text + known->text, text, size) == 0) {
            return (int)i;
        }
    }
    if (table->count == PATTERNS_MAX || table->text_size + size > PATTERN_TEXTS_MAX ||
        !can_be_regex(kind, text, size)) {
        return -1;
    }
    table->pattern[table->count] = (struct pattern){
        .kind = kind, .field = (uint8_t)field, .size = (uint16_t)size, .text = table->text_size};
    memcpy(table->text + table->text_size, text, size);
    table->text_size = (uint16_t)(table->text_size + size);
    table->rule_count = (uint16_t)(table->rule_count + (kind == PATTERN_RULE ? 1 : 0));
    table->fields |= UINT64_C(1) << field;
    return (int)table->count++;
}

void pattern_table_regex(const struct pattern_table *table, uint32_t number,
                         char out[REGEX_SIZE_MAX])
{
    const struct pattern *pattern = &table->pattern[number];
    bool made = regex_make(pattern->kind, table->text + pattern->text, pattern->size, out);
    ASSERT(made);
}
