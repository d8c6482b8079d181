/* Writes a Parquet file from a table in text, for tests of readers of others.
 *
 * parquet_table IN OUT GROUP_ROWS GROUP_BYTES BATCH_ROWS
 * IN: a line `name type scale bits optional` per column (type: the number of enum parquet_type), an
 * empty line, then a line per row: cells between tabs. A cell is - (null), a number in decimal, the
 * bits of a double in hexadecimal, or x and the bytes of a string in hexadecimal. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/parquet_writer.h"

#define COLUMNS_MAX 64u

struct table {
    FILE *in;
    char *line;
    size_t line_size;
    struct parquet_column column[COLUMNS_MAX];
    uint32_t column_count;
    uint32_t batch_rows;
    uint8_t *valid[COLUMNS_MAX];
    void *data[COLUMNS_MAX];
};

static bool line_next(struct table *table)
{
    ssize_t size = getline(&table->line, &table->line_size, table->in);
    if (size > 0 && table->line[size - 1] == '\n') {
        table->line[size - 1] = '\0';
    }
    return size > 0;
}

static void columns_read(struct table *table)
{
    while (line_next(table) && table->line[0] != '\0') {
        struct parquet_column *column = &table->column[table->column_count++];
        unsigned type, scale, bits, optional;
        if (sscanf(table->line, "%255s %u %u %u %u", column->name, &type, &scale, &bits,
                   &optional) != 5) {
            abort();
        }
        column->type = (enum parquet_type)type;
        column->scale = (uint8_t)scale;
        column->bits = (uint8_t)bits;
        column->optional = optional != 0;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        table->valid[i] = malloc(table->batch_rows);
        table->data[i] = calloc(table->batch_rows, sizeof(__int128));
    }
}

static __int128 number_of(const char *text)
{
    bool negative = *text == '-';
    unsigned __int128 number = 0;
    for (text += negative; *text != '\0'; text++) {
        number = number * 10 + (unsigned)(*text - '0');
    }
    return (__int128)(negative ? -number : number);
}

static struct parquet_string string_of(const char *text)
{
    uint32_t size = (uint32_t)strlen(text + 1) / 2;
    char *bytes = malloc(size + 1u);
    for (uint32_t i = 0; i < size; i++) {
        char two[3] = {text[1 + 2 * i], text[2 + 2 * i], '\0'};
        bytes[i] = (char)strtoul(two, NULL, 16);
    }
    return (struct parquet_string){.data = bytes, .size = size};
}

static void cell_take(struct table *table, uint32_t i, uint32_t row, const char *text)
{
    table->valid[i][row] = strcmp(text, "-") != 0;
    if (!table->valid[i][row]) {
        return;
    }
    switch (table->column[i].type) {
    case PARQUET_BOOL:
        ((uint8_t *)table->data[i])[row] = text[0] == '1';
        break;
    case PARQUET_STRING:
    case PARQUET_BYTES:
        ((struct parquet_string *)table->data[i])[row] = string_of(text);
        break;
    case PARQUET_DOUBLE:
        ((uint64_t *)table->data[i])[row] = strtoull(text, NULL, 16);
        break;
    case PARQUET_DECIMAL_WIDE: {
        __int128 number = number_of(text);
        memcpy((uint8_t *)table->data[i] + row * sizeof(number), &number, sizeof(number));
        break;
    }
    case PARQUET_INT64:
    case PARQUET_UINT64:
    case PARQUET_TIMESTAMP_US:
    case PARQUET_DECIMAL:
    case PARQUET_DECIMAL_LONG:
        ((uint64_t *)table->data[i])[row] = (uint64_t)number_of(text);
        break;
    }
}

static void batch_free(struct table *table, uint32_t rows)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        bool strings =
            table->column[i].type == PARQUET_STRING || table->column[i].type == PARQUET_BYTES;
        for (uint32_t row = 0; strings && row < rows; row++) {
            if (table->valid[i][row]) {
                free((void *)(uintptr_t)((struct parquet_string *)table->data[i])[row].data);
            }
        }
    }
}

static enum result batch_write(struct table *table, struct parquet_writer *writer, uint32_t rows)
{
    struct parquet_values values[COLUMNS_MAX];
    for (uint32_t i = 0; i < table->column_count; i++) {
        values[i] = (struct parquet_values){
            .data = table->data[i], .valid = table->column[i].optional ? table->valid[i] : NULL};
    }
    enum result result = parquet_writer_append(writer, values, rows);
    batch_free(table, rows);
    return result;
}

static enum result rows_write(struct table *table, struct parquet_writer *writer)
{
    uint32_t rows = 0;
    enum result result = RESULT_OK;
    while (result == RESULT_OK && line_next(table)) {
        char *rest = table->line;
        for (uint32_t i = 0; i < table->column_count; i++) {
            cell_take(table, i, rows, strsep(&rest, "\t"));
        }
        if (++rows == table->batch_rows) {
            result = batch_write(table, writer, rows);
            rows = 0;
        }
    }
    return result == RESULT_OK ? batch_write(table, writer, rows) : result;
}

int main(int argc, char **argv)
{
    static struct table table;
    const struct parquet_pair pairs[] = {{"freshet.test", "a \"text\" \xc3\xa4"}, {"empty", ""}};
    struct parquet_writer *writer = NULL;
    if (argc != 6) {
        return 2;
    }
    const struct parquet_options options = {.pairs = pairs,
                                            .pair_count = 2,
                                            .group_rows = (uint32_t)strtoul(argv[3], NULL, 10),
                                            .group_bytes = (uint32_t)strtoul(argv[4], NULL, 10)};
    table.batch_rows = (uint32_t)strtoul(argv[5], NULL, 10);
    table.in = fopen(argv[1], "r");
    columns_read(&table);
    enum result result =
        parquet_writer_open(argv[2], table.column, table.column_count, &options, &writer);
    if (result == RESULT_OK) {
        result = rows_write(&table, writer);
    }
    if (result == RESULT_OK) {
        result = parquet_writer_finish(writer);
    }
    if (result != RESULT_OK) {
        fprintf(stderr, "%s: %s\n", result_name(result), strerror(errno));
    } else {
        printf("%llu %08x\n", (unsigned long long)parquet_writer_bytes(writer),
               parquet_writer_crc(writer));
    }
    parquet_writer_close(writer);
    return result == RESULT_OK ? 0 : 1;
}
