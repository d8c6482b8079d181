#include "controlplane/lake_table.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "dataplane/base/assert.h"

static enum parquet_type type_of(enum field_type type)
{
    switch (type) {
    case FIELD_TYPE_u8:
    case FIELD_TYPE_u16:
    case FIELD_TYPE_u32:
    case FIELD_TYPE_u64:
        return PARQUET_UINT64;
    case FIELD_TYPE_i8:
    case FIELD_TYPE_i16:
    case FIELD_TYPE_i32:
    case FIELD_TYPE_i64:
        return PARQUET_INT64;
    case FIELD_TYPE_bool:
        return PARQUET_BOOL;
    case FIELD_TYPE_f64:
        return PARQUET_DOUBLE;
    case FIELD_TYPE_decimal:
        return PARQUET_DECIMAL_LONG;
    case FIELD_TYPE_string:
        return PARQUET_STRING;
    case FIELD_TYPE_timestamp:
        return PARQUET_TIMESTAMP_US;
    case FIELD_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}

/* Readers know no case in names of columns. */
static bool name_is_taken(const struct lake_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcasecmp(table->column[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static struct parquet_column *column_add(struct lake_table *table, const char *name,
                                         enum parquet_type type)
{
    struct parquet_column *column = &table->column[table->column_count];
    char free_name[PARQUET_NAME_SIZE_MAX];
    (void)snprintf(free_name, sizeof(free_name), "%s", name);
    while (name_is_taken(table, free_name)) {
        size_t size = strlen(free_name);
        ASSERT(size + 1 < sizeof(free_name));
        memmove(free_name + 1, free_name, size + 1);
        free_name[0] = '_';
    }
    *column = (struct parquet_column){.type = type};
    memcpy(column->name, free_name, sizeof(column->name));
    table->column_count++;
    return column;
}

static void field_add(struct lake_table *table, const struct schema_field *field)
{
    struct parquet_column *column = column_add(table, field->name, type_of(field->type));
    column->optional = true;
    column->scale = field->type == FIELD_TYPE_decimal ? field->scale : 0;
    if (column->type == PARQUET_INT64 || column->type == PARQUET_UINT64) {
        column->bits = (uint8_t)(8 * field->size);
    }
}

static void record_columns_add(struct lake_table *table)
{
#define LAKE_COLUMN(column_name, column_type, column_bits, column_optional)                        \
    {.name = "_" #column_name,                                                                     \
     .type = PARQUET_##column_type,                                                                \
     .bits = (column_bits),                                                                        \
     .optional = (column_optional)},
    static const struct parquet_column columns[] = {
#include "controlplane/lake_columns.def"
    };
#undef LAKE_COLUMN
    for (uint32_t i = 0; i < LAKE_COLUMN_COUNT; i++) {
        struct parquet_column *added = column_add(table, columns[i].name, columns[i].type);
        added->bits = columns[i].bits;
        added->optional = columns[i].optional;
    }
}

enum result lake_table_init(struct lake_table *table, const struct catalog_stream *stream)
{
    char name[NAME_SIZE_MAX + sizeof("__ns")];
    struct decode_plan plan;
    *table = (struct lake_table){.stream = stream};
    enum result result = catalog_schema(stream, &table->schema);
    if (result != RESULT_OK) {
        return result;
    }
    decode_compile(&table->schema, UINT64_MAX, &plan);
    decode_compile_judged(&plan, &table->decode);
    for (uint32_t f = 0; f < table->schema.field_count; f++) {
        field_add(table, &table->schema.field[f]);
    }
    for (uint32_t f = 0; f < table->schema.field_count; f++) {
        if (lake_field_is_ns(&table->schema.field[f])) {
            (void)snprintf(name, sizeof(name), "_%s_ns", table->schema.field[f].name);
            column_add(table, name, PARQUET_INT64)->optional = true;
        }
    }
    record_columns_add(table);
    return RESULT_OK;
}
