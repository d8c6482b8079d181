/* Lists and objects as JSON text: values of aggregates that are more than one value. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/answer.h"
#include "dataplane/feature/answer_aggregate.h"

/* A text on its way: `[1,2]` or `{"a":1}`. */
struct list {
    char *text;
    uint32_t size;
    uint32_t size_max;
    uint32_t count; /* Values begun. */
    bool is_object;
    bool cut; /* A value had no place: nothing behind it was written. */
};

/* Begins a text in what the space has left, at most ANSWER_LIST_SIZE_MAX. */
void list_begin(struct list *list, struct text_space *space, bool is_object);
/* Adds a value; false when it had no place. name: of an object's value, else NULL. Strings that are
 * no UTF-8 show U+FFFD in place of their broken bytes. */
bool list_add(struct list *list, const struct answer *name, const struct answer *value);
/* Ends the text and sets the answer to it. */
void list_end(struct list *list, struct text_space *space, struct answer *answer);
