/* The table of a stream in the lake: which columns its files have, and events to their values.
 *
 * First a column per field, in the order of the schema, then `_<field>_ns` of each timestamp that
 * counts nanoseconds, then what the record knows of the event. Where a field has the name of one of
 * the latter, that column gets one more '_' in front. docs/formats/lake.md says what is in them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/parquet_writer.h"
#include "dataplane/feature/burst.h"
#include "dataplane/feature/catalog.h"
#include "dataplane/feature/decode.h"

#define LAKE_BATCH_ROWS BURST_EVENTS_MAX

/* Columns behind the fields, in their order. */
enum lake_column {
#define LAKE_COLUMN(name, type, bits, optional) LAKE_COLUMN_##name,
#include "controlplane/lake_columns.def"
#undef LAKE_COLUMN
    LAKE_COLUMN_COUNT
};

#define LAKE_COLUMNS_MAX (2 * FIELDS_MAX + LAKE_COLUMN_COUNT)

struct lake_table {
    const struct catalog_stream *stream; /* Borrowed. */
    struct schema schema;
    struct decode_plan decode;
    uint32_t column_count;
    struct parquet_column column[LAKE_COLUMNS_MAX];
};

/* Events of one table and one schema version, and what their records say of them. */
struct lake_batch {
    uint8_t *events; /* Owned: rows of event_size bytes, one behind the other. */
    uint32_t rows;
    uint16_t event_size;
    uint16_t version;
    uint32_t verdicts; /* Every bit that a verdict has. */
    uint32_t verdict[LAKE_BATCH_ROWS];
    int64_t apply_us[LAKE_BATCH_ROWS];
    uint64_t lsn[LAKE_BATCH_ROWS];
    uint64_t producer[LAKE_BATCH_ROWS];
    uint64_t incarnation[LAKE_BATCH_ROWS];
    uint64_t lane[LAKE_BATCH_ROWS];
    uint64_t sequence[LAKE_BATCH_ROWS];
    uint64_t place[LAKE_BATCH_ROWS];
};

/* RESULT_NO_SPACE: the stream's events are longer than an event may be. */
MUST_USE enum result lake_table_init(struct lake_table *table, const struct catalog_stream *stream);

/* Whether the field counts what its column does not: it has a second one. */
static inline bool lake_field_is_ns(const struct schema_field *field)
{
    return field->type == FIELD_TYPE_timestamp && field->unit == TIME_UNIT_ns;
}

/* Room in which batches become values, one after the other. */
struct lake_values;

MUST_USE enum result lake_values_open(uint32_t shard, struct lake_values **out_values);
void lake_values_close(struct lake_values *values); /* NULL is fine. */

/* The values of a batch, one per column of the table; valid until the next call or change of the
 * batch. RESULT_NO_MEMORY. */
MUST_USE enum result lake_values_take(struct lake_values *values, const struct lake_table *table,
                                      const struct lake_batch *batch,
                                      const struct parquet_values **out_values);
