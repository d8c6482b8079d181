/* Scalars of definitions to values. Every function reports what is wrong at the node and returns
 * false; out is untouched then. A BROKEN node is passed over in silence. what names the value in
 * messages, as "`lateness`". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "config/node.h"

#define DURATION_US_MAX (INT64_C(36500) * 86400 * 1000000) /* A hundred years. */

bool scalar_is(struct config *config, const struct node *node, const char *what);
bool scalar_read_uint(struct config *config, const struct node *node, const char *what,
                      uint64_t min, uint64_t max, uint64_t *out_value);
bool scalar_read_bool(struct config *config, const struct node *node, const char *what,
                      bool *out_value);
/* us, ms, s, m, h, d; whole multiples of step_us. */
bool scalar_read_duration(struct config *config, const struct node *node, const char *what,
                          int64_t min_us, int64_t step_us, int64_t *out_us);
/* The same, of text that ends at its NUL: a whole number and a unit, at most DURATION_US_MAX;
 * reports nothing. */
bool duration_parse(const char *text, int64_t *out_us);
/* KiB, MiB, GiB, TiB. */
bool scalar_read_bytes(struct config *config, const struct node *node, const char *what,
                       uint64_t min, uint64_t max, uint64_t *out_bytes);
/* Any text of at most size_max - 1 bytes, with its NUL to out. */
bool scalar_read_text(struct config *config, const struct node *node, const char *what,
                      uint32_t size_max, char *out);
/* An identifier: [a-z_][a-z0-9_]*, at most NAME_SIZE_MAX - 1 characters. */
bool scalar_read_name(struct config *config, const struct node *node, const char *what, char *out);
/* The same with capitals too: a name that the data brings along. */
bool scalar_read_column(struct config *config, const struct node *node, const char *what,
                        char *out);
/* Index into names (count of them). */
bool scalar_read_choice(struct config *config, const struct node *node, const char *what,
                        const char *const *names, uint32_t count, uint32_t *out_index);

/* "5s", "1h", "90m": the greatest unit that divides. Returns out. */
#define DURATION_TEXT_SIZE_MAX 32
const char *duration_text(int64_t us, char out[DURATION_TEXT_SIZE_MAX]);

/* "4KiB", "256MiB", "50GiB", of whole KiB; the same way. */
#define BYTES_TEXT_SIZE_MAX 32
const char *bytes_text(uint64_t bytes, char out[BYTES_TEXT_SIZE_MAX]);
