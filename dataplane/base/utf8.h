/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool utf8_is_valid(const char *text, uint32_t size);
