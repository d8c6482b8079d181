/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Bytes of the character that begins at text, of left > 0 bytes; 0: none does. */
uint32_t utf8_character_size(const char *text, uint32_t left);

bool utf8_is_valid(const char *text, uint32_t size);

/* A byte that is no UTF-8 as a character of its own, U+EF00 plus itself. */
#define UTF8_ESCAPE_SIZE 3u
void utf8_byte_escape(char byte, char out[UTF8_ESCAPE_SIZE]);

/* Bytes of a text that ends before its first NUL, or with its field of size bytes; and whether it
 * is valid. One look at each byte, where there are only ASCII's. */
uint32_t utf8_field_size(const char *text, uint32_t size, bool *out_valid);
