#include "controlplane/train_columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/answer_pack.h"
#include "dataplane/base/utf8.h"
#include "dataplane/feature/service.h"
#include "drivers/memory.h"

#define DECIMAL_SCALE_MAX 38u
#define NUMBER_WORDS_MAX  2u /* That a column of the widest decimals holds. */
#define STATUS_NAME_SIZE  16u

static void name_set(struct parquet_column *column, const char *name)
{
    (void)snprintf(column->name, sizeof(column->name), "%s", name);
    column->optional = true;
}

static struct parquet_column column_of_type(struct expression_type type)
{
    switch (type.kind) {
    case TYPE_bool:
        return (struct parquet_column){.type = PARQUET_BOOL};
    case TYPE_number:
        return type.scale == 0
                   ? (struct parquet_column){.type = PARQUET_INT64}
                   : (struct parquet_column){.type = PARQUET_DECIMAL_LONG, .scale = type.scale};
    case TYPE_unsigned:
        return (struct parquet_column){.type = PARQUET_UINT64};
    case TYPE_time:
        return (struct parquet_column){.type = PARQUET_TIMESTAMP_US};
    case TYPE_double:
        return (struct parquet_column){.type = PARQUET_DOUBLE};
    case TYPE_string:
    case TYPE_null: /* Lists. */
        return (struct parquet_column){.type = PARQUET_STRING};
    }
    return (struct parquet_column){.type = PARQUET_STRING};
}

/* Sums are wider than what expressions can compute with. */
static struct parquet_column column_of_read(const struct plan *plan,
                                            const struct plan_service_read *read)
{
    const struct plan_view *view = &plan->view[read->view];
    const struct plan_feature *feature = &plan->feature[read->feature];
    const struct plan_aggregate *aggregate = &view->aggregate[feature->aggregate];
    bool sum = !feature->is_derived && aggregate->by == 0 && aggregate->type != FIELD_TYPE_f64 &&
               (aggregate->kind == AGGREGATE_sum || aggregate->kind == AGGREGATE_sumsq);
    uint32_t scale = aggregate->kind == AGGREGATE_sumsq ? 2u * aggregate->scale : aggregate->scale;
    if (sum && scale <= DECIMAL_SCALE_MAX) {
        return (struct parquet_column){.type = PARQUET_DECIMAL_WIDE, .scale = (uint8_t)scale};
    }
    return column_of_type(service_feature_type(plan, read->view, read->place));
}

struct parquet_column train_column_of_item(const struct plan *plan,
                                           const struct plan_service *service, uint32_t item)
{
    const struct plan_service_item *asked = &service->item[item];
    struct parquet_column column = asked->is_computed
                                       ? column_of_type(service->program.output_type[asked->source])
                                       : column_of_read(plan, &service->read[asked->source]);
    name_set(&column, asked->name);
    return column;
}

struct parquet_column train_column_of_label(const struct label_column *label)
{
    struct parquet_column column = {.type = PARQUET_STRING};
    switch (label->type) {
    case LABEL_TEXT:
        break;
    case LABEL_INTEGER:
        column.type = PARQUET_INT64;
        break;
    case LABEL_UNSIGNED:
        column.type = PARQUET_UINT64;
        break;
    case LABEL_DOUBLE:
        column.type = PARQUET_DOUBLE;
        break;
    case LABEL_BOOL:
        column.type = PARQUET_BOOL;
        break;
    case LABEL_TIME:
        column.type = PARQUET_TIMESTAMP_US;
        break;
    }
    name_set(&column, label->name);
    return column;
}

enum result train_column_init(struct train_column *column, const struct parquet_column *parquet)
{
    column->parquet = *parquet;
    column->data = heap_alloc((uint64_t)TRAIN_COLUMN_ROWS * parquet_type_bytes(parquet->type));
    column->valid = heap_alloc(TRAIN_COLUMN_ROWS);
    return column->data == NULL || column->valid == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

void train_column_deinit(struct train_column *column)
{
    heap_free(column->data);
    heap_free(column->valid);
    *column = (struct train_column){.data = NULL};
}

static void put(struct train_column *column, uint32_t row, const void *value)
{
    uint32_t width = parquet_type_bytes(column->parquet.type);
    uint8_t *at = column->data + (uint64_t)row * width;
    if (width == sizeof(uint64_t)) {
        memcpy(at, value, sizeof(uint64_t));
    } else if (width == sizeof(__int128)) {
        memcpy(at, value, sizeof(__int128));
    } else {
        memcpy(at, value, width);
    }
}

/* A string that is in the row's text, which moves while it grows: its place in it, of which
 * train_column_values() makes its address. */
static void put_string(struct train_column *column, uint32_t row, uint64_t place, uint32_t size)
{
    struct parquet_string value = {.data = (const char *)(uintptr_t)place, .size = size};
    column->valid[row] = 1;
    put(column, row, &value);
}

/* As a lake has it: a byte that is no UTF-8 becomes a character, since readers refuse others. */
static void text_write(struct buffer *text, const char *string, uint32_t size)
{
    if (utf8_is_valid(string, size)) {
        buffer_write(text, string, size);
        return;
    }
    for (uint32_t at = 0, step; at < size; at += step) {
        char escaped[UTF8_ESCAPE_SIZE];
        step = utf8_character_size(string + at, size - at);
        if (step > 0) {
            buffer_write(text, string + at, step);
            continue;
        }
        utf8_byte_escape(string[at], escaped);
        buffer_write(text, escaped, sizeof(escaped));
        step = 1;
    }
}

static void put_text(struct train_column *column, uint32_t row, const char *string, uint32_t size,
                     struct buffer *text)
{
    uint64_t place = text->size;
    text_write(text, string, size);
    put_string(column, row, place, (uint32_t)(text->size - place));
}

/* The value as a double; exactly rounded from its digits where it is a number. */
static double double_of(const struct answer *answer)
{
    char digits[ANSWER_TEXT_SIZE_MAX + 1];
    if (answer->kind == VALUE_DOUBLE) {
        return answer->real;
    }
    digits[answer_format(answer, digits)] = '\0';
    return strtod(digits, NULL);
}

/* The 128 bits of a number that has no more. */
static __int128 number_of(const struct answer *answer)
{
    return (__int128)((unsigned __int128)answer->number.word[1] << 64 | answer->number.word[0]);
}

static bool number_put(struct train_column *column, uint32_t row, const struct answer *answer)
{
    __int128 number = number_of(answer);
    uint64_t word = (uint64_t)number;
    if (answer_pack_words(&answer->number) > NUMBER_WORDS_MAX) {
        return false;
    }
    switch (column->parquet.type) {
    case PARQUET_DECIMAL_WIDE:
        put(column, row, &number);
        return answer->scale == column->parquet.scale;
    case PARQUET_UINT64:
        put(column, row, &word);
        return answer->scale == 0 && number >= 0 && number <= UINT64_MAX;
    case PARQUET_INT64:
    case PARQUET_TIMESTAMP_US:
    case PARQUET_DECIMAL:
    case PARQUET_DECIMAL_LONG:
        put(column, row, &word);
        return answer->scale == column->parquet.scale && number >= INT64_MIN && number <= INT64_MAX;
    case PARQUET_BOOL:
    case PARQUET_DOUBLE:
    case PARQUET_STRING:
    case PARQUET_BYTES:
        break;
    }
    return false;
}

bool train_column_put_answer(struct train_column *column, uint32_t row, const struct answer *answer,
                             struct buffer *text)
{
    enum parquet_type type = column->parquet.type;
    column->valid[row] = answer->kind != VALUE_NULL;
    bool is_number = answer->kind == VALUE_NUMBER || answer->kind == VALUE_DOUBLE;
    if (answer->kind == VALUE_NULL) {
        train_column_put_null(column, row);
        return true;
    }
    if (type == PARQUET_DOUBLE && is_number) {
        double real = double_of(answer);
        put(column, row, &real);
        return true;
    }
    if (answer->kind == VALUE_NUMBER) {
        return number_put(column, row, answer);
    }
    if (answer->kind == VALUE_BOOL && type == PARQUET_BOOL) {
        uint8_t truth = answer->number.word[0] != 0;
        put(column, row, &truth);
        return true;
    }
    if (type != PARQUET_STRING || answer->kind == VALUE_BOOL) {
        return false;
    }
    put_text(column, row, answer->text, answer->text_size, text);
    return true;
}

void train_column_put_cell(struct train_column *column, uint32_t row, const struct label_cell *cell,
                           struct buffer *text)
{
    uint8_t truth = cell->word != 0;
    if (cell->is_null) {
        train_column_put_null(column, row);
        return;
    }
    if (column->parquet.type == PARQUET_STRING) {
        put_text(column, row, cell->text, cell->size, text);
        return;
    }
    column->valid[row] = 1;
    put(column, row, column->parquet.type == PARQUET_BOOL ? (const void *)&truth : &cell->word);
}

void train_column_put_null(struct train_column *column, uint32_t row)
{
    uint32_t width = parquet_type_bytes(column->parquet.type);
    column->valid[row] = 0;
    memset(column->data + (uint64_t)row * width, 0, width);
}

void train_column_put_status(struct train_column *column, uint32_t row, enum answer_status status)
{
    put_string(column, row, (uint64_t)status * STATUS_NAME_SIZE,
               (uint32_t)strlen(answer_status_name(status)));
}

void train_texts_begin(struct buffer *text)
{
    text->size = 0;
    for (uint32_t i = 0; i <= ANSWER_OUTSIDE_MAX_AGE; i++) {
        char name[STATUS_NAME_SIZE] = {0};
        const char *known = answer_status_name((enum answer_status)i);
        memcpy(name, known, strnlen(known, sizeof(name)));
        buffer_write(text, name, sizeof(name));
    }
}

struct parquet_values train_column_values(struct train_column *column, uint32_t rows,
                                          const struct buffer *text, const uint8_t *owner)
{
    struct parquet_string *string = (struct parquet_string *)(void *)column->data;
    for (uint32_t i = 0; column->parquet.type == PARQUET_STRING && i < rows; i++) {
        string[i].data = text[owner[i]].data + (uintptr_t)string[i].data;
    }
    return (struct parquet_values){.data = column->data,
                                   .valid = column->parquet.optional ? column->valid : NULL};
}
