/* A column's values to pages: PLAIN, with definition levels in front where there may be nulls. */
#include <string.h>

#include "controlplane/parquet_inside.h"
#include "controlplane/thrift_compact.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define ZSTD_LEVEL        1
#define DECIMAL_MAX       INT64_C(999999999999999999) /* 18 digits */
#define DECIMAL_LONG_SIZE 9u                          /* Bytes of 19 digits with their sign. */
#define STRING_SIZE_BYTES 4u
#define LEVELS_SIZE_BYTES 4u

_Static_assert(sizeof(struct parquet_string) <= sizeof(__int128), "a slice's strings fit its room");

static enum parquet_physical physical_of(const struct parquet_column *column)
{
    switch (column->type) {
    case PARQUET_BOOL:
        return PARQUET_PHYSICAL_BOOLEAN;
    case PARQUET_INT64:
    case PARQUET_UINT64:
        return column->bits < 64 ? PARQUET_PHYSICAL_INT32 : PARQUET_PHYSICAL_INT64;
    case PARQUET_TIMESTAMP_US:
    case PARQUET_DECIMAL:
        return PARQUET_PHYSICAL_INT64;
    case PARQUET_DOUBLE:
        return PARQUET_PHYSICAL_DOUBLE;
    case PARQUET_STRING:
    case PARQUET_BYTES:
        return PARQUET_PHYSICAL_BYTE_ARRAY;
    case PARQUET_DECIMAL_LONG:
    case PARQUET_DECIMAL_WIDE:
        return PARQUET_PHYSICAL_FIXED;
    }
    UNREACHABLE();
}

static uint32_t width_of(const struct parquet_chunk *chunk)
{
    switch (chunk->physical) {
    case PARQUET_PHYSICAL_BOOLEAN:
        return 1;
    case PARQUET_PHYSICAL_INT32:
        return sizeof(uint32_t);
    case PARQUET_PHYSICAL_INT64:
    case PARQUET_PHYSICAL_DOUBLE:
        return sizeof(uint64_t);
    case PARQUET_PHYSICAL_BYTE_ARRAY:
        return 0;
    case PARQUET_PHYSICAL_FIXED:
        return chunk->column.type == PARQUET_DECIMAL_LONG ? DECIMAL_LONG_SIZE : sizeof(__int128);
    }
    UNREACHABLE();
}

enum result parquet_chunk_init(struct parquet_chunk *chunk, const struct parquet_column *column)
{
    chunk->column = *column;
    if (chunk->column.bits == 0) {
        chunk->column.bits = 64;
    }
    chunk->physical = physical_of(&chunk->column);
    chunk->width = width_of(chunk);
    buffer_init(&chunk->plain, 0);
    buffer_init(&chunk->pages, 0);
    if (column->optional) {
        chunk->levels = heap_alloc(PARQUET_PAGE_ROWS);
    }
    return column->optional && chunk->levels == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

void parquet_chunk_deinit(struct parquet_chunk *chunk)
{
    buffer_deinit(&chunk->plain);
    buffer_deinit(&chunk->pages);
    heap_free(chunk->levels);
}

void parquet_chunk_clear(struct parquet_chunk *chunk)
{
    ASSERT(chunk->page_rows == 0);
    chunk->pages.size = 0;
    chunk->rows = 0;
    chunk->plain_bytes = 0;
    chunk->statistics = (struct parquet_statistics){0};
}

uint64_t parquet_chunk_bytes(const struct parquet_chunk *chunk)
{
    return chunk->pages.size + chunk->plain.size;
}

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
        out += DECIMAL_LONG_SIZE;
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
    for (uint32_t i = 0; i < count; i++) {
        __int128 number;
        memcpy(&number, value + i, sizeof(number));
        if (number < -most || number > most) {
            return RESULT_INVALID;
        }
        bounds_take(&chunk->statistics, number, number);
        big_endian((unsigned __int128)number, sizeof(number), out + i * sizeof(number));
    }
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

/* The first eight bytes, so that comparing them as a number compares them as bytes. */
static uint64_t text_prefix(const char *text, uint32_t size)
{
    uint64_t prefix = 0;
    memcpy(&prefix, text, size < sizeof(prefix) ? size : sizeof(prefix));
    return __builtin_bswap64(prefix);
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

static enum result strings_add(struct parquet_chunk *chunk, const struct parquet_string *value,
                               uint32_t count, uint8_t *out)
{
    struct parquet_statistics *statistics = &chunk->statistics;
    uint64_t least = 0;
    uint64_t greatest = 0;
    bool known = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = value[i].size;
        memcpy(out, &size, STRING_SIZE_BYTES);
        out += STRING_SIZE_BYTES;
        uint64_t prefix = 0;
        if (size > 0) {
            memcpy(out, value[i].data, size);
            out += size;
            prefix = text_prefix(value[i].data, size);
        }
        /* Most values lie between the bounds so far, which their prefixes tell. */
        if (!known || prefix <= least || prefix >= greatest) {
            text_bounds_take(statistics, &value[i]);
            least = text_prefix(statistics->least.text, statistics->least.size);
            greatest = text_prefix(statistics->greatest.text, statistics->greatest.size);
            known = true;
        }
    }
    return RESULT_OK;
}

/* Bytes that count values take on disk. */
static uint64_t values_bytes(const struct parquet_chunk *chunk, const void *value, uint32_t count)
{
    const struct parquet_string *string = value;
    uint64_t bytes = (uint64_t)count * STRING_SIZE_BYTES;
    if (chunk->width > 0) {
        return (uint64_t)count * chunk->width;
    }
    for (uint32_t i = 0; i < count; i++) {
        bytes += string[i].size;
    }
    return bytes;
}

static enum result values_add(struct parquet_chunk *chunk, const void *value, uint32_t count)
{
    enum result result = RESULT_OK;
    if (chunk->column.type == PARQUET_BOOL) {
        return bools_add(chunk, value, count) ? RESULT_OK : RESULT_NO_MEMORY;
    }
    uint64_t bytes = values_bytes(chunk, value, count);
    uint8_t *out = (uint8_t *)buffer_room(&chunk->plain, bytes);
    if (out == NULL) {
        return RESULT_NO_MEMORY;
    }
    switch (chunk->column.type) {
    case PARQUET_BOOL:
        break;
    case PARQUET_INT64:
    case PARQUET_TIMESTAMP_US:
    case PARQUET_DECIMAL:
    case PARQUET_DECIMAL_LONG:
        result = signed_add(chunk, value, count, out);
        break;
    case PARQUET_UINT64:
        result = unsigned_add(chunk, value, count, out);
        break;
    case PARQUET_DOUBLE:
        doubles_add(chunk, value, count, out);
        break;
    case PARQUET_STRING:
    case PARQUET_BYTES:
        result = strings_add(chunk, value, count, out);
        break;
    case PARQUET_DECIMAL_WIDE:
        result = wides_add(chunk, value, count, out);
        break;
    }
    if (result == RESULT_OK) {
        buffer_took(&chunk->plain, bytes);
    }
    return result;
}

/* Bytes of a value in the caller's memory. */
static uint32_t stride_of(enum parquet_type type)
{
    switch (type) {
    case PARQUET_BOOL:
        return sizeof(uint8_t);
    case PARQUET_STRING:
    case PARQUET_BYTES:
        return sizeof(struct parquet_string);
    case PARQUET_DECIMAL_WIDE:
        return sizeof(__int128);
    case PARQUET_INT64:
    case PARQUET_UINT64:
    case PARQUET_DOUBLE:
    case PARQUET_TIMESTAMP_US:
    case PARQUET_DECIMAL:
    case PARQUET_DECIMAL_LONG:
        return sizeof(uint64_t);
    }
    UNREACHABLE();
}

/* Copies the values that are there to out, one behind the other; returns how many. */
static uint32_t values_gather(const void *data, const uint8_t *level, uint32_t stride,
                              uint32_t rows, void *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows; i++) {
        memcpy((uint8_t *)out + (uint64_t)count * stride,
               (const uint8_t *)data + (uint64_t)i * stride, stride);
        count += level[i];
    }
    return count;
}

static uint32_t words_gather(const uint64_t *data, const uint8_t *level, uint32_t rows,
                             uint64_t *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows; i++) {
        out[count] = data[i];
        count += level[i];
    }
    return count;
}

/* Sets the levels of rows; returns how many are there. */
static uint32_t levels_add(struct parquet_chunk *chunk, const uint8_t *valid, uint32_t rows)
{
    uint32_t count = 0;
    if (chunk->levels == NULL) {
        ASSERT(valid == NULL);
        return rows;
    }
    uint8_t *level = chunk->levels + chunk->page_rows;
    if (valid == NULL) {
        memset(level, 1, rows);
        return rows;
    }
    for (uint32_t i = 0; i < rows; i++) {
        level[i] = valid[i] != 0;
        count += level[i];
    }
    return count;
}

/* Rows from first on that still go to the page, at least one; 0: a string is too long. */
static uint32_t rows_fit(const struct parquet_chunk *chunk, const struct parquet_values *values,
                         uint32_t first, uint32_t rows)
{
    uint32_t room = PARQUET_PAGE_ROWS - chunk->page_rows;
    uint32_t fit = rows < room ? rows : room;
    uint64_t bytes = chunk->plain.size;
    const struct parquet_string *string = values->data;
    for (uint32_t i = 0; i < fit && chunk->width == 0; i++) {
        if (bytes >= PARQUET_PAGE_BYTES) {
            return i;
        }
        if (values->valid == NULL || values->valid[first + i] != 0) {
            if (string[first + i].size > PARQUET_STRING_SIZE_MAX) {
                return i;
            }
            bytes += string[first + i].size;
        }
    }
    return fit;
}

enum result parquet_chunk_append(struct parquet_chunk *chunk, struct parquet_press *press,
                                 const struct parquet_values *values, uint32_t first, uint32_t rows)
{
    uint32_t stride = stride_of(chunk->column.type);
    enum result result = RESULT_OK;
    ASSERT(rows <= PARQUET_SLICE_ROWS);
    for (uint32_t end = first + rows; first < end && result == RESULT_OK; first += rows) {
        rows = rows_fit(chunk, values, first, end - first);
        if (rows == 0) {
            return RESULT_INVALID;
        }
        const void *data = (const uint8_t *)values->data + (uint64_t)first * stride;
        const uint8_t *valid = values->valid == NULL ? NULL : values->valid + first;
        uint32_t count = levels_add(chunk, valid, rows);
        if (count < rows && count > 0) {
            const uint8_t *level = chunk->levels + chunk->page_rows;
            count = stride == sizeof(uint64_t)
                        ? words_gather(data, level, rows, (uint64_t *)press->there)
                        : values_gather(data, level, stride, rows, press->there);
            data = press->there;
        }
        if (count > 0) {
            result = values_add(chunk, data, count);
        }
        chunk->statistics.nulls += rows - count;
        chunk->page_rows += rows;
        chunk->page_values += count;
        bool full =
            chunk->page_rows == PARQUET_PAGE_ROWS || chunk->plain.size >= PARQUET_PAGE_BYTES;
        if (result == RESULT_OK && full) {
            result = parquet_chunk_close_page(chunk, press);
        }
    }
    return result;
}

/* Levels of one bit: one run where all are the same, else eight to the byte, least bit first.
 * Source: Encodings.md, "Run Length Encoding / Bit-Packing Hybrid". */
static void levels_write(const struct parquet_chunk *chunk, struct buffer *out)
{
    uint32_t rows = chunk->page_rows;
    uint64_t place = out->size;
    uint32_t size = 0;
    buffer_write(out, &size, LEVELS_SIZE_BYTES);
    if (chunk->page_values == rows || chunk->page_values == 0) {
        uint8_t level = chunk->page_values != 0;
        thrift_varint(out, (uint64_t)rows << 1);
        buffer_write(out, &level, 1);
    } else {
        uint32_t groups = (uint32_t)div_ceil(rows, 8);
        thrift_varint(out, (uint64_t)groups << 1 | 1);
        memset(chunk->levels + rows, 0, groups * 8 - rows);
        uint8_t *bits = (uint8_t *)buffer_room(out, groups);
        for (uint32_t i = 0; bits != NULL && i < groups; i++) {
            uint64_t eight;
            memcpy(&eight, chunk->levels + (uint64_t)i * 8, sizeof(eight));
            /* Byte k's lowest bit goes to bit k of the top byte. */
            bits[i] = (uint8_t)(eight * UINT64_C(0x0102040810204080) >> 56);
        }
        buffer_took(out, bits == NULL ? 0 : groups);
    }
    size = (uint32_t)(out->size - place - LEVELS_SIZE_BYTES);
    if (!out->failed) {
        memcpy(out->data + place, &size, LEVELS_SIZE_BYTES);
    }
}

static enum result page_pack(struct parquet_press *press)
{
    uint64_t bound = ZSTD_compressBound(press->page.size);
    press->packed.size = 0;
    char *room = buffer_room(&press->packed, bound);
    if (room == NULL) {
        return RESULT_NO_MEMORY;
    }
    size_t size =
        ZSTD_compressCCtx(press->zstd, room, bound, press->page.data, press->page.size, ZSTD_LEVEL);
    if (ZSTD_isError(size) != 0) {
        return RESULT_NO_MEMORY; /* The room is enough: nothing else can be wrong. */
    }
    buffer_took(&press->packed, size);
    return RESULT_OK;
}

enum result parquet_chunk_close_page(struct parquet_chunk *chunk, struct parquet_press *press)
{
    struct buffer *page = &press->page;
    if (chunk->page_rows == 0) {
        return RESULT_OK;
    }
    page->size = 0;
    if (chunk->levels != NULL) {
        levels_write(chunk, page);
    }
    buffer_write(page, chunk->plain.data, chunk->plain.size);
    enum result result = page->failed ? RESULT_NO_MEMORY : page_pack(press);
    if (result != RESULT_OK) {
        return result;
    }
    uint64_t before = chunk->pages.size;
    parquet_page_header_write(&chunk->pages, chunk->page_rows, (uint32_t)page->size,
                              (uint32_t)press->packed.size);
    chunk->plain_bytes += chunk->pages.size - before + page->size;
    buffer_write(&chunk->pages, press->packed.data, press->packed.size);
    chunk->rows += chunk->page_rows;
    chunk->page_rows = 0;
    chunk->page_values = 0;
    chunk->plain.size = 0;
    return chunk->pages.failed ? RESULT_NO_MEMORY : RESULT_OK;
}
