/* A column of the row group that is open: what its pages are made of. */
#include <string.h>

#include "controlplane/parquet_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

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
        return chunk->column.type == PARQUET_DECIMAL_LONG ? PARQUET_DECIMAL_LONG_SIZE
                                                          : sizeof(__int128);
    }
    UNREACHABLE();
}

void parquet_chunk_init(struct parquet_chunk *chunk, const struct parquet_column *column)
{
    chunk->column = *column;
    if (chunk->column.bits == 0) {
        chunk->column.bits = 64;
    }
    chunk->physical = physical_of(&chunk->column);
    chunk->width = width_of(chunk);
    buffer_init(&chunk->plain, 0);
    buffer_init(&chunk->head, 0);
    buffer_init(&chunk->pages, 0);
    if (chunk->physical == PARQUET_PHYSICAL_BYTE_ARRAY) {
        chunk->dictionary = heap_alloc_lines(sizeof(*chunk->dictionary));
        chunk->indexed = chunk->dictionary != NULL;
    }
}

void parquet_chunk_deinit(struct parquet_chunk *chunk)
{
    buffer_deinit(&chunk->plain);
    buffer_deinit(&chunk->head);
    buffer_deinit(&chunk->pages);
    if (chunk->dictionary != NULL) {
        parquet_dictionary_deinit(chunk->dictionary);
    }
    heap_free(chunk->dictionary);
    heap_free(chunk->levels);
}

void parquet_chunk_clear(struct parquet_chunk *chunk)
{
    ASSERT(chunk->page_rows == 0);
    buffer_deinit(&chunk->pages); /* They may be large, and the next ones come late. */
    chunk->head.size = 0;
    chunk->has_head = false;
    chunk->indexed = chunk->dictionary != NULL;
    if (chunk->indexed) {
        parquet_dictionary_clear(chunk->dictionary);
    }
    chunk->rows = 0;
    chunk->plain_bytes = 0;
    chunk->statistics = (struct parquet_statistics){0};
}

uint64_t parquet_chunk_bytes(const struct parquet_chunk *chunk)
{
    uint64_t dictionary = chunk->dictionary == NULL ? 0 : chunk->dictionary->texts.size;
    return chunk->pages.size + chunk->plain.size + dictionary;
}

uint32_t parquet_type_bytes(enum parquet_type type)
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

/* Copies the values that are there to out, one behind the other. */
static void values_gather(const void *data, const uint8_t *valid, uint32_t stride, uint32_t rows,
                          void *out)
{
    uint8_t *next = out;
    for (uint32_t i = 0; i < rows; i++) {
        memcpy(next, (const uint8_t *)data + (uint64_t)i * stride, stride);
        next += valid[i] != 0 ? stride : 0;
    }
}

static void words_gather(const uint64_t *data, const uint8_t *valid, uint32_t rows, uint64_t *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows; i++) {
        out[count] = data[i];
        count += valid[i] != 0;
    }
}

/* The same of 16 bytes, numbers or strings; data is aligned as the caller has it. */
static void wides_gather(const void *data, const uint8_t *valid, uint32_t rows, __int128 *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows; i++) {
        memcpy(&out[count], (const uint8_t *)data + i * sizeof(*out), sizeof(*out));
        count += valid[i] != 0;
    }
}

static uint32_t valid_count(const uint8_t *valid, uint32_t rows)
{
    uint32_t count = 0;
    for (uint32_t i = 0; valid != NULL && i < rows; i++) {
        count += valid[i] != 0;
    }
    return valid == NULL ? rows : count;
}

/* Notes which rows are there, count of them. While a page has only nulls, or none, there is nothing
 * to note. False: no memory. */
static bool levels_add(struct parquet_chunk *chunk, const uint8_t *valid, uint32_t rows,
                       uint32_t count)
{
    bool same = (count == rows && chunk->page_values == chunk->page_rows) ||
                (count == 0 && chunk->page_values == 0);
    ASSERT(valid == NULL || chunk->column.optional);
    if (same && !chunk->mixed) {
        return true;
    }
    if (chunk->levels == NULL) {
        chunk->levels = heap_alloc(PARQUET_PAGE_ROWS);
        if (chunk->levels == NULL) {
            return false;
        }
    }
    if (!chunk->mixed) {
        memset(chunk->levels, chunk->page_values > 0, chunk->page_rows);
        chunk->mixed = true;
    }
    uint8_t *level = chunk->levels + chunk->page_rows;
    for (uint32_t i = 0; i < rows; i++) {
        level[i] = valid == NULL || valid[i] != 0;
    }
    return true;
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
    uint32_t stride = parquet_type_bytes(chunk->column.type);
    enum result result = RESULT_OK;
    ASSERT(rows <= PARQUET_SLICE_ROWS);
    for (uint32_t end = first + rows; first < end && result == RESULT_OK; first += rows) {
        rows = rows_fit(chunk, values, first, end - first);
        if (rows == 0) {
            return RESULT_INVALID;
        }
        const void *data = (const uint8_t *)values->data + (uint64_t)first * stride;
        const uint8_t *valid = values->valid == NULL ? NULL : values->valid + first;
        uint32_t count = valid_count(valid, rows);
        if (!levels_add(chunk, valid, rows, count)) {
            return RESULT_NO_MEMORY;
        }
        if (count < rows && count > 0 && stride == sizeof(uint64_t)) {
            words_gather(data, valid, rows, (uint64_t *)press->there);
            data = press->there;
        } else if (count < rows && count > 0 && stride == sizeof(__int128)) {
            wides_gather(data, valid, rows, press->there);
            data = press->there;
        } else if (count < rows && count > 0) {
            values_gather(data, valid, stride, rows, press->there);
            data = press->there;
        }
        if (count > 0) {
            result = parquet_values_add(chunk, data, count);
        }
        chunk->statistics.nulls += rows - count;
        chunk->page_rows += rows;
        chunk->page_values += count;
        bool full =
            chunk->page_rows == PARQUET_PAGE_ROWS || chunk->plain.size >= PARQUET_PAGE_BYTES;
        if (result == RESULT_OK && full) {
            result = parquet_page_close(chunk, press);
        }
    }
    return result;
}

bool parquet_chunk_leave_dictionary(struct parquet_chunk *chunk)
{
    struct buffer plain;
    buffer_init(&plain, 0);
    for (uint64_t at = 0; at < chunk->plain.size; at += sizeof(uint16_t)) {
        uint16_t number;
        memcpy(&number, chunk->plain.data + at, sizeof(number));
        struct parquet_string string = parquet_dictionary_at(chunk->dictionary, number);
        /* With its size, which stands in front of it. */
        buffer_write(&plain, string.data - PARQUET_STRING_SIZE_BYTES,
                     string.size + (uint64_t)PARQUET_STRING_SIZE_BYTES);
    }
    bool failed = plain.failed;
    if (failed) {
        buffer_deinit(&plain);
        return false;
    }
    buffer_deinit(&chunk->plain);
    chunk->plain = plain;
    chunk->indexed = false;
    return true;
}
