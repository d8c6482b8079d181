/* "Did you mean": the nearest of several words. */
#pragma once

#include <stdint.h>

#define SUGGEST_ALLOWED_SIZE_MAX 384

/* Keeps the best candidate for a wrong word, and the list of all, call by call. */
struct suggest {
    const char *wrong; /* Borrowed. */
    const char *best;  /* Borrowed; NULL: none is near. */
    uint32_t distance; /* Of the best one. */
    uint32_t allowed_size;
    char allowed[SUGGEST_ALLOWED_SIZE_MAX]; /* "a, b, c"; ends where the room does. */
};

struct suggest suggest_for(const char *wrong);
void suggest_try(struct suggest *suggest, const char *candidate);

#define SUGGEST_TEXT_SIZE_MAX 128
/* "; did you mean `best`?", or "" when none is near. Returns out. */
const char *suggest_text(const struct suggest *suggest, char out[SUGGEST_TEXT_SIZE_MAX]);
