#include "config/keywords.h"

#include <string.h>

#include "config/errors.h"
#include "config/suggest.h"
#include "dataplane/base/units.h"

enum keyword_state { KEYWORD_BUILT, KEYWORD_LATER };

static const struct {
    enum keyword_place place;
    enum keyword_state state;
    const char *name;
    const char *sentence;
} keyword_table[] = {
#define KEYWORD(place, name, state, sentence) {PLACE_##place, KEYWORD_##state, #name, sentence},
#include "config/keywords.def"
#undef KEYWORD
};

static const char *const place_names[] = {
#define PLACE(name, what) what,
#include "config/places.def"
#undef PLACE
};

_Static_assert(ARRAY_COUNT(keyword_table) == KEYWORD_COUNT, "one row per keyword");

const char *keyword_name(enum keyword keyword)
{
    return keyword_table[keyword].name;
}

static void report_unknown(struct config *config, const struct node *key, enum keyword_place place)
{
    struct suggest suggest = suggest_for(key->text);
    for (uint32_t i = 0; i < KEYWORD_COUNT; i++) {
        if (keyword_table[i].place == place && keyword_table[i].state == KEYWORD_BUILT) {
            suggest_try(&suggest, keyword_table[i].name);
        }
    }
    char near[SUGGEST_TEXT_SIZE_MAX];
    error_at(config, key, "`%.64s` is no key of %s%s%s allowed: %s", key->text, place_names[place],
             suggest_text(&suggest, near), suggest.best == NULL ? ";" : "", suggest.allowed);
}

static void report_later(struct config *config, const struct node *value, uint32_t keyword)
{
    bool show = value->kind == NODE_SCALAR && value->size > 0 && value->size <= 32;
    error_at(config, value->key, "`%s%s%s` is not built yet (%s); remove it",
             keyword_table[keyword].name, show ? ": " : "", show ? value->text : "",
             keyword_table[keyword].sentence);
}

void keyword_read_map(struct config *config, const struct node *map, enum keyword_place place,
                      struct keyword_values *out_values)
{
    *out_values = (struct keyword_values){0};
    if (map->kind != NODE_MAP) {
        if (map->kind != NODE_BROKEN) {
            error_at(config, map, "%s is a map of `key: value` lines", place_names[place]);
        }
        return;
    }
    for (const struct node *entry = map->first; entry != NULL; entry = entry->next) {
        uint32_t found = KEYWORD_COUNT;
        for (uint32_t i = 0; i < KEYWORD_COUNT && found == KEYWORD_COUNT; i++) {
            if (keyword_table[i].place == place &&
                strcmp(keyword_table[i].name, entry->key->text) == 0) {
                found = i;
            }
        }
        if (found == KEYWORD_COUNT) {
            report_unknown(config, entry->key, place);
        } else if (keyword_table[found].state == KEYWORD_LATER) {
            report_later(config, entry, found);
        } else if (entry->kind == NODE_SCALAR && entry->size == 0 && !entry->quoted) {
            error_at(config, entry->key, "`%s` has no value: %s", entry->key->text,
                     keyword_table[found].sentence);
        } else {
            out_values->value[found] = entry;
        }
    }
}
