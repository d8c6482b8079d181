/* The keys of the definition language: which place knows which, and which are built. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "config/node.h"

enum keyword_place {
#define PLACE(name, what) PLACE_##name,
#include "config/places.def"
#undef PLACE
    PLACE_COUNT
};

enum keyword {
#define KEYWORD(place, name, state, sentence) KEYWORD_##place##_##name,
#include "config/keywords.def"
#undef KEYWORD
    KEYWORD_COUNT
};

/* Values of one map by keyword; NULL where the map has none. */
struct keyword_values {
    const struct node *value[KEYWORD_COUNT];
};

/* Sorts the entries of a map by the keys of its place. Reports what is no map, an unknown key (with
 * the nearest known one), a key that is not built, a key without a value. */
void keyword_read_map(struct config *config, const struct node *map, enum keyword_place place,
                      struct keyword_values *out_values);

const char *keyword_name(enum keyword keyword);
