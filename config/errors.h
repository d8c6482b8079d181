/* Errors with their places, collected in struct config. */
#pragma once

#include <stdint.h>

#include "config/config.h"

struct node;

/* At a node; node->key's place is the same call with the key. */
void error_at(struct config *config, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* At a character (from 0) inside a scalar. */
void error_inside(struct config *config, const struct node *scalar, uint32_t character,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* line and column from 1; 0, 0 when the file itself is the problem. */
void error_in_file(struct config *config, const char *file, uint32_t line, uint32_t column,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Orders what is kept by file, line and column. */
void error_sort(struct config *config);
