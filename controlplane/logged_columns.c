#include "controlplane/logged_columns.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/service.h"
#include "dataplane/feature/text.h"
#include "dataplane/feature/text_number.h"
#include "drivers/memory.h"

#define TEXT_BYTES      (16 * MIB)
#define CELL_BYTES_MAX  sizeof(struct parquet_string)
#define WIDE_DIGITS_MAX 38u

_Static_assert(CELL_BYTES_MAX >= sizeof(__int128), "a cell of any type");

enum result logged_columns_init(struct logged_columns *columns, uint32_t capacity)
{
    *columns = (struct logged_columns){.text_size = TEXT_BYTES};
    columns->column = heap_alloc(capacity * sizeof(*columns->column));
    columns->values = heap_alloc(capacity * sizeof(*columns->values));
    columns->data = heap_alloc(capacity * sizeof(*columns->data));
    columns->valid = heap_alloc(capacity * sizeof(*columns->valid));
    columns->text = heap_alloc(columns->text_size);
    bool good = columns->column != NULL && columns->values != NULL && columns->data != NULL &&
                columns->valid != NULL && columns->text != NULL;
    return good ? RESULT_OK : RESULT_NO_MEMORY;
}

void logged_columns_deinit(struct logged_columns *columns)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        heap_free(columns->data[i]);
        heap_free(columns->valid[i]);
    }
    heap_free(columns->column);
    heap_free(columns->values);
    heap_free(columns->data);
    heap_free(columns->valid);
    heap_free(columns->text);
    *columns = (struct logged_columns){0};
}

enum result logged_columns_add(struct logged_columns *columns, const char *name,
                               enum parquet_type type, uint8_t scale)
{
    uint8_t *data = heap_alloc_lines(LOGGED_ROWS * CELL_BYTES_MAX);
    uint8_t *valid = heap_alloc_lines(LOGGED_ROWS);
    if (data == NULL || valid == NULL) {
        heap_free(data);
        heap_free(valid);
        return RESULT_NO_MEMORY;
    }
    struct parquet_column *column = &columns->column[columns->count];
    *column = (struct parquet_column){.type = type, .scale = scale, .optional = true};
    (void)snprintf(column->name, sizeof(column->name), "%s", name);
    columns->values[columns->count] = (struct parquet_values){.data = data, .valid = valid};
    columns->data[columns->count] = data;
    columns->valid[columns->count] = valid;
    columns->count++;
    return RESULT_OK;
}

/* A sum may be wider than 64 bits. */
static bool is_sum(const struct plan *plan, const struct plan_service_read *read)
{
    const struct plan_view *view = &plan->view[read->view];
    uint32_t base_count = (uint32_t)view->aggregate_count * view->window_count;
    if (read->place >= base_count) {
        return false;
    }
    enum aggregate_kind kind = view->aggregate[read->place / view->window_count].kind;
    return kind == AGGREGATE_sum || kind == AGGREGATE_sumsq;
}

enum parquet_type logged_type_of_item(const struct plan *plan, const struct plan_service *service,
                                      uint32_t item, uint8_t *out_scale)
{
    const struct plan_service_item *asked = &service->item[item];
    const struct plan_service_read *read =
        asked->is_computed ? NULL : &service->read[asked->source];
    struct expression_type type = asked->is_computed
                                      ? service->program.output_type[asked->source]
                                      : service_feature_type(plan, read->view, read->place);
    *out_scale = 0;
    switch (type.kind) {
    case TYPE_bool:
        return PARQUET_BOOL;
    case TYPE_number:
        *out_scale = type.scale;
        if (read != NULL && is_sum(plan, read)) {
            return PARQUET_DECIMAL_WIDE;
        }
        return type.scale > 0 ? PARQUET_DECIMAL_LONG : PARQUET_INT64;
    case TYPE_unsigned:
        return PARQUET_UINT64;
    case TYPE_time:
        return PARQUET_TIMESTAMP_US;
    case TYPE_double:
        return PARQUET_DOUBLE;
    case TYPE_string:
    case TYPE_null: /* Lists. */
        break;
    }
    return PARQUET_STRING;
}

enum parquet_type logged_type_of_label(enum label_type type)
{
    switch (type) {
    case LABEL_INTEGER:
        return PARQUET_INT64;
    case LABEL_DOUBLE:
        return PARQUET_DOUBLE;
    case LABEL_BOOL:
        return PARQUET_BOOL;
    case LABEL_TIME:
        return PARQUET_TIMESTAMP_US;
    case LABEL_TEXT:
        break;
    }
    return PARQUET_STRING;
}

/* All digits of a number times 10^scale; false when it does not fit. */
static bool wide_read(const char *text, uint32_t size, uint32_t scale, __int128 *out_value)
{
    bool negative = size > 0 && text[0] == '-';
    uint32_t digits = 0;
    uint32_t behind = 0;
    bool point = false;
    __int128 value = 0;
    for (uint32_t i = negative ? 1 : 0; i < size; i++) {
        if (text[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9' || (digits == WIDE_DIGITS_MAX)) {
            return false;
        }
        value = value * 10 + (text[i] - '0');
        digits += value != 0;
        behind += point ? 1 : 0;
    }
    for (; behind < scale; behind++) {
        if (digits == WIDE_DIGITS_MAX) {
            return false;
        }
        value *= 10;
        digits += value != 0;
    }
    *out_value = negative ? -value : value;
    return behind == scale && size > (negative ? 1u : 0u);
}

static bool double_read(const char *text, uint32_t size, double *out_value)
{
    struct text_number number;
    return text_number_read(text, size, &number) && text_number_double(&number, out_value);
}

static bool integer_read(const struct parquet_column *column, const char *text, uint32_t size,
                         int64_t *out_value)
{
    struct schema_field field = {.type = FIELD_TYPE_i64};
    if (column->type == PARQUET_UINT64) {
        field.type = FIELD_TYPE_u64;
    } else if (column->type == PARQUET_BOOL) {
        field.type = FIELD_TYPE_bool;
    } else if (column->type == PARQUET_DECIMAL_LONG) {
        field.type = FIELD_TYPE_decimal;
        field.scale = column->scale;
    }
    return text_value_parse(&field, text, size, out_value);
}

static bool string_keep(struct logged_columns *columns, const char *text, uint32_t size,
                        struct parquet_string *out_string)
{
    if (columns->text_size - columns->text_used < size) {
        return false;
    }
    char *kept = columns->text + columns->text_used;
    memcpy(kept, size == 0 ? "" : text, size);
    columns->text_used += size;
    *out_string = (struct parquet_string){.data = kept, .size = size};
    return true;
}

bool logged_columns_put(struct logged_columns *columns, uint32_t column, const char *text,
                        uint32_t size)
{
    const struct parquet_column *of = &columns->column[column];
    uint8_t *data = columns->data[column];
    uint32_t row = columns->rows;
    int64_t integer = 0;
    bool good;
    ASSERT(column < columns->count);
    switch (of->type) {
    case PARQUET_BOOL:
        good = integer_read(of, text, size, &integer);
        data[row] = (uint8_t)integer;
        break;
    case PARQUET_DOUBLE:
        good = double_read(text, size, &((double *)(void *)data)[row]);
        break;
    case PARQUET_STRING:
    case PARQUET_BYTES:
        good = string_keep(columns, text, size, &((struct parquet_string *)(void *)data)[row]);
        break;
    case PARQUET_DECIMAL_WIDE:
        good = wide_read(text, size, of->scale, &((__int128 *)(void *)data)[row]);
        break;
    case PARQUET_INT64:
    case PARQUET_UINT64:
    case PARQUET_TIMESTAMP_US:
    case PARQUET_DECIMAL:
    case PARQUET_DECIMAL_LONG:
    default:
        good = integer_read(of, text, size, &((int64_t *)(void *)data)[row]);
        break;
    }
    columns->valid[column][row] = good ? 1 : 0;
    return good;
}

void logged_columns_put_null(struct logged_columns *columns, uint32_t column)
{
    columns->valid[column][columns->rows] = 0;
}

void logged_columns_put_time(struct logged_columns *columns, uint32_t column, int64_t time_us)
{
    ((int64_t *)(void *)columns->data[column])[columns->rows] = time_us;
    columns->valid[column][columns->rows] = 1;
}

void logged_columns_next(struct logged_columns *columns)
{
    ASSERT(columns->rows < LOGGED_ROWS);
    columns->rows++;
}

bool logged_columns_are_full(const struct logged_columns *columns, uint64_t size)
{
    return columns->rows == LOGGED_ROWS || columns->text_size - columns->text_used < size;
}

enum result logged_columns_flush(struct logged_columns *columns, struct parquet_writer *writer)
{
    enum result result = columns->rows == 0
                             ? RESULT_OK
                             : parquet_writer_append(writer, columns->values, columns->rows);
    columns->rows = 0;
    columns->text_used = 0;
    return result;
}
