/* Redis' patterns: * ? [a-z] [^a] and '\' before a character that stands for itself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Neither is NUL-terminated. Time is bounded by the product of the two sizes. */
bool glob_match(const char *pattern, uint32_t pattern_size, const char *text, uint32_t text_size,
                bool nocase);
