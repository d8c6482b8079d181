#include "controlplane/buffer.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/memory.h"

#define BUFFER_FIRST_BYTES 256u

void buffer_init(struct buffer *buffer, uint64_t size_max)
{
    *buffer = (struct buffer){.size_max = size_max};
}

void buffer_deinit(struct buffer *buffer)
{
    heap_free(buffer->data);
    *buffer = (struct buffer){.size_max = buffer->size_max};
}

char *buffer_room(struct buffer *buffer, uint64_t more)
{
    if (buffer->failed || more > UINT64_MAX / 4 - buffer->size ||
        (buffer->size_max != 0 && buffer->size + more > buffer->size_max)) {
        buffer->failed = true;
        return NULL;
    }
    uint64_t needed = buffer->size + more;
    if (needed > buffer->capacity) {
        uint64_t capacity = buffer->capacity == 0 ? BUFFER_FIRST_BYTES : buffer->capacity;
        while (capacity < needed) {
            capacity *= 2;
        }
        char *data = heap_realloc(buffer->data, capacity);
        if (data == NULL) {
            buffer->failed = true;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->size;
}

void buffer_took(struct buffer *buffer, uint64_t count)
{
    ASSERT(count <= buffer->capacity - buffer->size);
    buffer->size += count;
}

void buffer_write(struct buffer *buffer, const void *data, uint64_t size)
{
    if (size == 0) {
        return;
    }
    char *room = buffer_room(buffer, size);
    if (room != NULL) {
        memcpy(room, data, size);
        buffer->size += size;
    }
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_write(buffer, text, strlen(text));
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->failed = true;
        return;
    }
    char *room = buffer_room(buffer, (uint64_t)length + 1);
    if (room == NULL) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(room, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size += (uint64_t)length;
}

void buffer_consume(struct buffer *buffer, uint64_t count)
{
    ASSERT(count <= buffer->size);
    buffer->size -= count;
    if (buffer->size > 0 && count > 0) {
        memmove(buffer->data, buffer->data + count, buffer->size);
    }
}
