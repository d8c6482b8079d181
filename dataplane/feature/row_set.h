/* A set of rows, by view and key: those that a replay leaves alone, or those that it is about. Open
 * addressing in memory that the caller has; it does not grow. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/limits.h"

struct row_set_entry {
    uint64_t hash;
    uint32_t key_at;   /* In keys. */
    uint16_t key_size; /* 0: the place is free. */
    uint16_t view;
    bool touched; /* The owner's: something was done to the row. */
};

struct row_set {
    uint32_t count;
    uint32_t capacity; /* Most rows. */
    uint32_t mask;     /* Places less one. */
    uint32_t keys_size;
    struct row_set_entry *place;
    uint8_t *keys;
};

/* Bytes of memory for so many rows whose keys have so many bytes together. */
uint64_t row_set_footprint(uint32_t rows_max, uint64_t key_bytes_max);
/* memory: row_set_footprint() of them, aligned to words. */
void row_set_init(struct row_set *set, uint32_t rows_max, void *memory);
/* Adds a row that is not there yet; there is room. */
void row_set_add(struct row_set *set, uint32_t view, const uint8_t *key, uint32_t key_size);
/* NULL: it is not there. */
struct row_set_entry *row_set_find(const struct row_set *set, uint32_t view, const uint8_t *key,
                                   uint32_t key_size);
