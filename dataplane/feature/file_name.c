#include "dataplane/feature/file_name.h"

#include <string.h>

#include "dataplane/base/assert.h"

char *file_name_put_text(char *out, const char *text)
{
    size_t length = strlen(text);
    memcpy(out, text, length + 1);
    return out + length;
}

char *file_name_put_number(char *out, uint64_t number, uint32_t digits_min)
{
    char digits[FILE_NAME_DIGITS_MAX];
    uint32_t count = 0;
    ASSERT(digits_min > 0 && digits_min <= FILE_NAME_DIGITS_MAX);
    for (; number > 0 || count < digits_min; number /= 10) {
        digits[count++] = (char)('0' + number % 10);
    }
    while (count > 0) {
        *out++ = digits[--count];
    }
    *out = '\0';
    return out;
}

const char *file_name_take_text(const char *name, const char *text)
{
    size_t length = strlen(text);
    return name != NULL && strncmp(name, text, length) == 0 ? name + length : NULL;
}

const char *file_name_take_number(const char *name, uint32_t digits_min, uint64_t *out_number)
{
    uint64_t number = 0;
    uint32_t count = 0;
    if (name == NULL) {
        return NULL;
    }
    for (; name[count] >= '0' && name[count] <= '9'; count++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(name[count] - '0'), &number)) {
            return NULL;
        }
    }
    if (count < digits_min || (count > digits_min && name[0] == '0')) {
        return NULL;
    }
    *out_number = number;
    return name + count;
}

bool file_name_is_tmp(const char *name, char *out, uint32_t size)
{
    size_t length = strlen(name);
    size_t ending = strlen(FILE_NAME_TMP);
    bool is_tmp = length > ending && strcmp(name + length - ending, FILE_NAME_TMP) == 0 &&
                  length - ending < size;
    if (is_tmp) {
        memcpy(out, name, length - ending);
        out[length - ending] = '\0';
    }
    return is_tmp;
}
