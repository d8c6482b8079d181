/* A growing byte buffer with a limit and a sticky error: every renderer and every connection writes
 * into one. Memory comes from the control-plane heap. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct buffer {
    char *data; /* Owned. Not NUL-terminated. */
    uint64_t size;
    uint64_t capacity;
    uint64_t size_max; /* Constant; 0: no limit. */
    bool failed;       /* The limit or the heap refused; what was written before stays. */
};

void buffer_init(struct buffer *buffer, uint64_t size_max);
void buffer_deinit(struct buffer *buffer);
/* Makes room for more bytes and returns where to write them, NULL on failure; buffer_took() says
 * how many were written. */
char *buffer_room(struct buffer *buffer, uint64_t more);
void buffer_took(struct buffer *buffer, uint64_t count);
void buffer_write(struct buffer *buffer, const void *data, uint64_t size);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Drops count bytes from the front. */
void buffer_consume(struct buffer *buffer, uint64_t count);
