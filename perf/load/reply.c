#include "perf/load/reply.h"

#include <stdlib.h>
#include <string.h>

#define REPLY_NUMBER_SIZE_MAX 20

/* The number of a type line (after its type byte), -1 for null; false when there is none. */
static bool reply_number(const char *line, uint32_t size, int64_t *out_number)
{
    char text[REPLY_NUMBER_SIZE_MAX + 1];
    if (size == 0 || size > REPLY_NUMBER_SIZE_MAX) {
        return false;
    }
    memcpy(text, line, size);
    text[size] = '\0';
    char *end;
    *out_number = strtoll(text, &end, 10);
    return *end == '\0' && *out_number >= -1;
}

/* Takes one type line (without CR LF) of a value. */
static void reply_line(struct reply_scan *scan, const char *line, uint32_t size)
{
    int64_t number = 0;
    scan->values_left--;
    switch (line[0]) {
    case '+':
    case ':':
    case '_':
    case ',':
    case '#':
    case '(':
        return;
    case '-':
        scan->error = true;
        return;
    case '$':
    case '=':
    case '!':
        scan->broken = !reply_number(line + 1, size - 1, &number);
        if (number >= 0) {
            scan->bytes_left = (uint64_t)number + 2;
        }
        return;
    case '*':
    case '~':
    case '>':
        scan->broken = !reply_number(line + 1, size - 1, &number);
        scan->values_left += number > 0 ? (uint64_t)number : 0;
        return;
    case '%':
        scan->broken = !reply_number(line + 1, size - 1, &number);
        scan->values_left += number > 0 ? 2 * (uint64_t)number : 0;
        return;
    default:
        scan->broken = true;
        return;
    }
}

uint32_t reply_scan(struct reply_scan *scan, const char *data, uint32_t size, bool *out_done)
{
    uint32_t at = 0;
    *out_done = false;
    if (scan->values_left == 0 && scan->bytes_left == 0) {
        scan->values_left = 1;
        scan->error = false;
    }
    while (!scan->broken) {
        uint64_t take = scan->bytes_left < size - at ? scan->bytes_left : size - at;
        at += (uint32_t)take;
        scan->bytes_left -= take;
        if (scan->bytes_left > 0) {
            return at;
        }
        if (scan->values_left == 0) {
            *out_done = true;
            return at;
        }
        const char *end = memchr(data + at, '\n', size - at);
        if (end == NULL) {
            return at;
        }
        uint32_t line_size = (uint32_t)(end - (data + at));
        if (line_size < 2 || end[-1] != '\r') {
            scan->broken = true;
            return at;
        }
        reply_line(scan, data + at, line_size - 1);
        at += line_size + 1;
    }
    return at;
}
