/* Names of files in a data directory: text and decimal numbers of a least width. A name has one
 * spelling: what a parser takes, the formatter of the same name writes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FILE_NAME_DIGITS_MAX 20u /* Of 2^64 - 1. */
#define FILE_NAME_TMP        ".tmp"

/* Append to a name; return what follows. Room is the caller's to see to: all names here have a
 * static bound. The last text of a name brings its NUL. */
char *file_name_put_text(char *out, const char *text);
char *file_name_put_number(char *out, uint64_t number, uint32_t digits_min);

/* Take from a name (NUL-terminated); return what follows, or NULL when something else stands there
 * or name is NULL, so that a parser checks once. */
const char *file_name_take_text(const char *name, const char *text);
const char *file_name_take_number(const char *name, uint32_t digits_min, uint64_t *out_number);

/* True for the name of a file that was not written whole: out, of size bytes, is what it would have
 * been called. False too where out has no room for it. */
bool file_name_is_tmp(const char *name, char *out, uint32_t size);
