#include "controlplane/resp_writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HEADER_SIZE_MAX 24u
#define TEXT_SIZE_MAX   1024u

/* Returns the size of what fits. */
__attribute__((format(printf, 2, 0))) static uint64_t
text_format(char out[TEXT_SIZE_MAX], const char *format, va_list arguments)
{
    int length = vsnprintf(out, TEXT_SIZE_MAX, format, arguments);
    if (length < 0) {
        return 0;
    }
    return length < (int)TEXT_SIZE_MAX ? (uint64_t)length : TEXT_SIZE_MAX - 1;
}

/* Writes "<type><value>\r\n" at out; returns its size. */
static uint32_t header_format(char out[HEADER_SIZE_MAX], char type, uint64_t value)
{
    char digits[20];
    uint32_t count = 0;
    uint32_t at = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    out[at++] = type;
    while (count > 0) {
        out[at++] = digits[--count];
    }
    out[at++] = '\r';
    out[at++] = '\n';
    return at;
}

static void write_header(struct resp_writer *writer, char type, uint64_t value)
{
    char *room = buffer_room(writer->out, HEADER_SIZE_MAX);
    if (room != NULL) {
        buffer_took(writer->out, header_format(room, type, value));
    }
}

void resp_write_simple(struct resp_writer *writer, const char *text)
{
    buffer_write(writer->out, "+", 1);
    buffer_text(writer->out, text);
    buffer_write(writer->out, "\r\n", 2);
}

void resp_write_error(struct resp_writer *writer, const char *format, ...)
{
    char text[TEXT_SIZE_MAX];
    va_list arguments;
    va_start(arguments, format);
    uint64_t size = text_format(text, format, arguments);
    va_end(arguments);
    for (uint64_t i = 0; i < size; i++) {
        if (text[i] == '\r' || text[i] == '\n') {
            text[i] = ' ';
        }
    }
    writer->error_count++;
    buffer_write(writer->out, "-", 1);
    buffer_write(writer->out, text, size);
    buffer_write(writer->out, "\r\n", 2);
}

void resp_write_integer(struct resp_writer *writer, int64_t value)
{
    if (value >= 0) {
        write_header(writer, ':', (uint64_t)value);
        return;
    }
    buffer_write(writer->out, ":", 1);
    write_header(writer, '-', 0 - (uint64_t)value);
}

void resp_write_bulk(struct resp_writer *writer, const void *data, uint64_t size)
{
    char *room = buffer_room(writer->out, HEADER_SIZE_MAX + size + 2);
    if (room == NULL) {
        return;
    }
    uint64_t at = header_format(room, '$', size);
    if (size > 0) {
        memcpy(room + at, data, size);
        at += size;
    }
    memcpy(room + at, "\r\n", 2);
    buffer_took(writer->out, at + 2);
}

void resp_write_text(struct resp_writer *writer, const char *text)
{
    resp_write_bulk(writer, text, strlen(text));
}

void resp_write_format(struct resp_writer *writer, const char *format, ...)
{
    char text[TEXT_SIZE_MAX];
    va_list arguments;
    va_start(arguments, format);
    uint64_t size = text_format(text, format, arguments);
    va_end(arguments);
    resp_write_bulk(writer, text, size);
}

void resp_write_verbatim(struct resp_writer *writer, const void *data, uint64_t size)
{
    if (writer->protocol < 3) {
        resp_write_bulk(writer, data, size);
        return;
    }
    write_header(writer, '=', size + 4);
    buffer_write(writer->out, "txt:", 4);
    buffer_write(writer->out, data, size);
    buffer_write(writer->out, "\r\n", 2);
}

void resp_write_null(struct resp_writer *writer)
{
    buffer_text(writer->out, writer->protocol < 3 ? "$-1\r\n" : "_\r\n");
}

void resp_write_array(struct resp_writer *writer, uint64_t count)
{
    write_header(writer, '*', count);
}

void resp_write_set(struct resp_writer *writer, uint64_t count)
{
    write_header(writer, writer->protocol < 3 ? '*' : '~', count);
}

void resp_write_map(struct resp_writer *writer, uint64_t pair_count)
{
    if (writer->protocol < 3) {
        write_header(writer, '*', pair_count * 2);
    } else {
        write_header(writer, '%', pair_count);
    }
}
