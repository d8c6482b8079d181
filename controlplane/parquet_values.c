/* Values of each type to a chunk's page, and to its statistics. */
#include <string.h>

#include "controlplane/parquet_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

#define DECIMAL_MAX INT64_C(999999999999999999) /* 18 digits */

static void big_endian(unsigned __int128 number, uint32_t size, uint8_t *out)
{
    for (uint32_t i = size; i > 0; i--) {
        out[i - 1] = (uint8_t)number;
        number >>= 8;
    }
}

uint32_t parquet_number_encode(const struct parquet_chunk *chunk, __int128 number,
                               uint8_t out[PARQUET_NUMBER_SIZE])
{
    if (chunk->physical == PARQUET_PHYSICAL_FIXED) {
        big_endian((unsigned __int128)number, chunk->width, out);
    } else {
        memcpy(out, &number, chunk->width); /* Little-endian: its low bytes. */
    }
    return chunk->width;
}

/* Takes the bounds of some values of the chunk. */
static void bounds_take(struct parquet_statistics *statistics, __int128 least, __int128 greatest)
{
    if (!statistics->known || least < statistics->least.number) {
        statistics->least.number = least;
    }
    if (!statistics->known || greatest > statistics->greatest.number) {
        statistics->greatest.number = greatest;
    }
    statistics->known = true;
}

/* INT64 and what is stored as one. Bounds of the column's type. */
static bool signed_fits(const struct parquet_column *column, int64_t least, int64_t greatest)
{
    int64_t most = INT64_MAX;
    if (column->type == PARQUET_DECIMAL) {
        return least >= -DECIMAL_MAX && greatest <= DECIMAL_MAX;
    }
    if (column->type == PARQUET_INT64) {
        most = INT64_MAX >> (64 - column->bits);
    }
    return least >= -most - 1 && greatest <= most;
}

static bool bools_add(struct parquet_chunk *chunk, const uint8_t *value, uint32_t count)
{
    uint32_t at = chunk->page_values;
    uint64_t bytes = div_ceil(at + count, 8);
    uint64_t more = bytes - chunk->plain.size;
    char *room = buffer_room(&chunk->plain, more);
    if (room == NULL) {
        return false;
    }
    memset(room, 0, more);
    buffer_took(&chunk->plain, more);
    uint8_t any = 0;
    uint8_t all = 1;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t bit = value[i] != 0;
        chunk->plain.data[(at + i) / 8] |= (char)(bit << (at + i) % 8);
        any |= bit;
        all &= bit;
    }
    bounds_take(&chunk->statistics, all, any);
    return true;
}

/* Numbers of 64 bits as the column's width has them. */
static void words_write(const struct parquet_chunk *chunk, const uint64_t *value, uint32_t count,
                        uint8_t *out)
{
    if (chunk->width == sizeof(*value)) {
        memcpy(out, value, count * sizeof(*value));
        return;
    }
    if (chunk->width == sizeof(uint32_t)) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t narrow = (uint32_t)value[i];
            memcpy(out + i * sizeof(narrow), &narrow, sizeof(narrow));
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t swapped = __builtin_bswap64(value[i]);
        out[0] = (uint8_t)((int64_t)value[i] >> 63); /* The sign, in the ninth byte. */
        memcpy(out + 1, &swapped, sizeof(swapped));
        out += PARQUET_DECIMAL_LONG_SIZE;
    }
}

static enum result signed_add(struct parquet_chunk *chunk, const int64_t *value, uint32_t count,
                              uint8_t *out)
{
    int64_t least = value[0];
    int64_t greatest = value[0];
    for (uint32_t i = 1; i < count; i++) {
        least = value[i] < least ? value[i] : least;
        greatest = value[i] > greatest ? value[i] : greatest;
    }
    if (!signed_fits(&chunk->column, least, greatest)) {
        return RESULT_INVALID;
    }
    bounds_take(&chunk->statistics, least, greatest);
    words_write(chunk, (const uint64_t *)value, count, out);
    return RESULT_OK;
}

static enum result unsigned_add(struct parquet_chunk *chunk, const uint64_t *value, uint32_t count,
                                uint8_t *out)
{
    uint64_t least = value[0];
    uint64_t greatest = value[0];
    for (uint32_t i = 1; i < count; i++) {
        least = value[i] < least ? value[i] : least;
        greatest = value[i] > greatest ? value[i] : greatest;
    }
    if (greatest > UINT64_MAX >> (64 - chunk->column.bits)) {
        return RESULT_INVALID;
    }
    bounds_take(&chunk->statistics, least, greatest);
    words_write(chunk, value, count, out);
    return RESULT_OK;
}

static enum result wides_add(struct parquet_chunk *chunk, const __int128 *value, uint32_t count,
                             uint8_t *out)
{
    /* 38 digits. */
    const __int128 most = (__int128)(DECIMAL_MAX + 1) * (DECIMAL_MAX + 1) * 100 - 1;
    __int128 least = most;
    __int128 greatest = -most;
    for (uint32_t i = 0; i < count; i++) {
        __int128 number;
        memcpy(&number, value + i, sizeof(number));
        least = number < least ? number : least;
        greatest = number > greatest ? number : greatest;
        const uint64_t swapped[] = {__builtin_bswap64((uint64_t)(number >> 64)),
                                    __builtin_bswap64((uint64_t)number)};
        memcpy(out + i * sizeof(swapped), swapped, sizeof(swapped));
    }
    if (least < -most || greatest > most) {
        return RESULT_INVALID;
    }
    bounds_take(&chunk->statistics, least, greatest);
    return RESULT_OK;
}

static void doubles_add(struct parquet_chunk *chunk, const double *value, uint32_t count,
                        uint8_t *out)
{
    struct parquet_statistics *statistics = &chunk->statistics;
    double least = statistics->known ? statistics->least.real : value[0];
    double greatest = statistics->known ? statistics->greatest.real : value[0];
    bool numbers = true;
    for (uint32_t i = 0; i < count; i++) {
        numbers &= value[i] == value[i];
        least = value[i] < least ? value[i] : least;
        greatest = value[i] > greatest ? value[i] : greatest;
    }
    statistics->known = true;
    statistics->lost |= !numbers;
    statistics->least.real = least;
    statistics->greatest.real = greatest;
    memcpy(out, value, count * sizeof(*value));
}

static int text_compare(const struct parquet_string *left, const struct parquet_bound *right)
{
    uint32_t size = left->size < right->size ? left->size : right->size;
    int by = size == 0 ? 0 : memcmp(left->data, right->text, size);
    return by != 0 ? by : (left->size > right->size) - (left->size < right->size);
}

static void text_take(struct parquet_bound *bound, const struct parquet_string *text)
{
    bound->size = text->size < sizeof(bound->text) ? text->size : (uint32_t)sizeof(bound->text);
    memcpy(bound->text, text->data, bound->size);
}

static void text_bounds_take(struct parquet_statistics *statistics,
                             const struct parquet_string *text)
{
    bool is_long = text->size > PARQUET_STATISTICS_STRING_MAX;
    if (!statistics->known || text_compare(text, &statistics->least) < 0) {
        text_take(&statistics->least, text);
        statistics->least_cut = is_long;
    }
    if (!statistics->known || text_compare(text, &statistics->greatest) > 0) {
        text_take(&statistics->greatest, text);
        statistics->great_lost |= is_long;
    }
    statistics->known = true;
}

/* The strings as PLAIN has them. */
static bool strings_write(struct parquet_chunk *chunk, const struct parquet_string *value,
                          uint32_t count)
{
    struct parquet_statistics *statistics = &chunk->statistics;
    uint64_t bytes = (uint64_t)count * PARQUET_STRING_SIZE_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        bytes += value[i].size;
    }
    uint8_t *out = (uint8_t *)buffer_room(&chunk->plain, bytes);
    if (out == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = value[i].size;
        memcpy(out, &size, PARQUET_STRING_SIZE_BYTES);
        out += PARQUET_STRING_SIZE_BYTES;
        if (size > 0) {
            memcpy(out, value[i].data, size);
            out += size;
        }
        text_bounds_take(statistics, &value[i]);
    }
    buffer_took(&chunk->plain, bytes);
    return true;
}

/* Strings as places in the dictionary, as far as it takes them; returns how many. A new one may be
 * a bound, one that is there is none. */
static uint32_t strings_look_up(struct parquet_chunk *chunk, const struct parquet_string *value,
                                uint32_t count)
{
    uint16_t *index = (uint16_t *)(void *)buffer_room(&chunk->plain, count * sizeof(*index));
    uint32_t known = chunk->dictionary->count;
    uint32_t taken = 0;
    for (; index != NULL && taken < count; taken++) {
        const struct parquet_string *string = &value[taken];
        if (taken > 0 && string->data == string[-1].data && string->size == string[-1].size) {
            index[taken] = index[taken - 1]; /* One text for many rows, as names are. */
            continue;
        }
        if (!parquet_dictionary_find(chunk->dictionary, string, &index[taken])) {
            break;
        }
        if (index[taken] == known) {
            text_bounds_take(&chunk->statistics, string);
            known++;
        }
    }
    buffer_took(&chunk->plain, taken * sizeof(*index));
    return taken;
}

static enum result strings_add(struct parquet_chunk *chunk, const struct parquet_string *value,
                               uint32_t count)
{
    uint32_t taken = 0;
    if (chunk->indexed) {
        taken = strings_look_up(chunk, value, count);
        if (taken < count && !parquet_chunk_leave_dictionary(chunk)) {
            return RESULT_NO_MEMORY;
        }
    }
    bool good = taken == count || strings_write(chunk, value + taken, count - taken);
    return good ? RESULT_OK : RESULT_NO_MEMORY;
}

enum result parquet_values_add(struct parquet_chunk *chunk, const void *value, uint32_t count)
{
    enum result result = RESULT_OK;
    if (chunk->column.type == PARQUET_BOOL) {
        return bools_add(chunk, value, count) ? RESULT_OK : RESULT_NO_MEMORY;
    }
    if (chunk->physical == PARQUET_PHYSICAL_BYTE_ARRAY) {
        return strings_add(chunk, value, count);
    }
    uint64_t bytes = (uint64_t)count * chunk->width;
    /* A page with so many values will be full: room for all of them, once. */
    bool fills = chunk->page_values >= PARQUET_PAGE_ROWS / 8;
    uint64_t left = (uint64_t)(PARQUET_PAGE_ROWS - chunk->page_values) * chunk->width;
    uint8_t *out = (uint8_t *)buffer_room(&chunk->plain, fills && left > bytes ? left : bytes);
    if (out == NULL) {
        return RESULT_NO_MEMORY;
    }
    if (chunk->column.type == PARQUET_UINT64) {
        result = unsigned_add(chunk, value, count, out);
    } else if (chunk->column.type == PARQUET_DOUBLE) {
        doubles_add(chunk, value, count, out);
    } else if (chunk->column.type == PARQUET_DECIMAL_WIDE) {
        result = wides_add(chunk, value, count, out);
    } else {
        result = signed_add(chunk, value, count, out);
    }
    if (result == RESULT_OK) {
        buffer_took(&chunk->plain, bytes);
    }
    return result;
}
