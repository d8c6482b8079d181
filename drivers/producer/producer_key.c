/* Keys as files. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "drivers/producer/producer.h"

/* Hexadecimal digits, and some white space around them. */
#define FILE_BYTES_MAX 256

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool key_of_hex(const char *text, size_t size, uint8_t out_key[FRESHET_PRODUCER_KEY_BYTES])
{
    while (size > 0 && isspace((unsigned char)text[size - 1]) != 0) {
        size--;
    }
    while (size > 0 && isspace((unsigned char)text[0]) != 0) {
        text++;
        size--;
    }
    if (size != 2 * (size_t)FRESHET_PRODUCER_KEY_BYTES) {
        return false;
    }
    for (size_t i = 0; i < FRESHET_PRODUCER_KEY_BYTES; i++) {
        int high = digit_value(text[2 * i]);
        int low = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out_key[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

enum freshet_producer_result
freshet_producer_key_of_file(const char *path, uint8_t out_key[FRESHET_PRODUCER_KEY_BYTES])
{
    char data[FILE_BYTES_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return FRESHET_PRODUCER_SYSTEM;
    }
    ssize_t size = read(fd, data, sizeof(data));
    int error = errno;
    (void)close(fd);
    errno = error;
    if (size < 0) {
        return FRESHET_PRODUCER_SYSTEM;
    }
    bool good = key_of_hex(data, (size_t)size, out_key);
    if (!good && size == FRESHET_PRODUCER_KEY_BYTES) {
        memcpy(out_key, data, FRESHET_PRODUCER_KEY_BYTES);
        good = true;
    }
    explicit_bzero(data, sizeof(data));
    return good ? FRESHET_PRODUCER_OK : FRESHET_PRODUCER_INVALID;
}
