/* Events of a table to the values of its columns. */
#include <string.h>

#include "controlplane/lake_table.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/utf8.h"
#include "dataplane/feature/mirror_format.h"
#include "drivers/memory.h"

struct lake_values {
    struct burst burst;
    struct parquet_values value[LAKE_COLUMNS_MAX];
    uint8_t valid[FIELDS_MAX][LAKE_BATCH_ROWS];
    struct parquet_string string[FIELDS_MAX][LAKE_BATCH_ROWS];
    uint8_t boolean[FIELDS_MAX][LAKE_BATCH_ROWS];
    uint64_t word[FIELDS_MAX][LAKE_BATCH_ROWS]; /* Doubles, nanoseconds. */
    char *escaped;                              /* Owned: of the batch. */
    uint64_t escaped_size;
    uint64_t escaped_capacity;
    bool any_raw; /* Of the batch. */
    uint8_t raw_valid[LAKE_BATCH_ROWS];
    struct parquet_string raw[LAKE_BATCH_ROWS];
    struct parquet_string verdict[LAKE_BATCH_ROWS];
    uint8_t field_valid[LAKE_BATCH_ROWS];
    struct parquet_string field[LAKE_BATCH_ROWS];
    uint8_t quarantined[LAKE_BATCH_ROWS];
    uint64_t refused_views[LAKE_BATCH_ROWS];
    uint64_t version[LAKE_BATCH_ROWS];

    /* Constant. */
    uint64_t shard[LAKE_BATCH_ROWS];
    struct parquet_string applied[LAKE_BATCH_ROWS];
    uint8_t none[LAKE_BATCH_ROWS]; /* Zeros: not quarantined, nothing there. */
    uint64_t zero[LAKE_BATCH_ROWS];
};

static struct parquet_string string_of(const char *text)
{
    return (struct parquet_string){.data = text, .size = (uint32_t)strlen(text)};
}

enum result lake_values_open(uint32_t shard, struct lake_values **out_values)
{
    struct lake_values *values = heap_alloc_lines(sizeof(*values));
    if (values == NULL) {
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < LAKE_BATCH_ROWS; i++) {
        values->shard[i] = shard;
        values->applied[i] = string_of(verdict_name(VERDICT_applied));
    }
    *out_values = values;
    return RESULT_OK;
}

void lake_values_close(struct lake_values *values)
{
    if (values != NULL) {
        heap_free(values->escaped);
        heap_free(values);
    }
}

/* The field's bytes in a row. */
static const uint8_t *bytes_of(const struct lake_batch *batch, const struct schema_field *field,
                               uint32_t row)
{
    return batch->events + (uint64_t)row * batch->event_size + field->offset;
}

static void raw_need(struct lake_values *values, const struct lake_batch *batch, uint32_t row)
{
    if (!values->any_raw) {
        memset(values->raw_valid, 0, sizeof(values->raw_valid));
        values->any_raw = true;
    }
    values->raw_valid[row] = 1;
    values->raw[row] = (struct parquet_string){.data = (const char *)batch->events +
                                                       (uint64_t)row * batch->event_size,
                                               .size = batch->event_size};
}

/* Nulls that stand for bytes of no value: such rows are kept whole. */
static void bad_find(struct lake_values *values, const struct lake_batch *batch, uint32_t f)
{
    const struct schema_field *field = &values->burst.schema->field[f];
    bool has_bad = field->type == FIELD_TYPE_bool || field->type == FIELD_TYPE_f64 ||
                   field->type == FIELD_TYPE_timestamp;
    for (uint32_t row = 0; has_bad && row < batch->rows; row++) {
        bool given = (uint32_t)field->offset + field->size <= values->burst.event_size[row];
        if (given && values->valid[f][row] == 0 &&
            !schema_bytes_are_null(field, bytes_of(batch, field, row))) {
            raw_need(values, batch, row);
        }
    }
}

/* Rows where the field is there; NULL: all. */
static const uint8_t *valid_take(struct lake_values *values, const struct lake_batch *batch,
                                 uint32_t f, uint64_t nulls)
{
    if ((nulls >> f & 1) == 0) {
        return NULL;
    }
    for (uint32_t row = 0; row < batch->rows; row++) {
        values->valid[f][row] = (values->burst.null_mask[row] >> f & 1) == 0;
    }
    bad_find(values, batch, f);
    return values->valid[f];
}

/* Text with each byte that is no UTF-8 as a character of its own, U+EF80 to U+EFFF. False: no
 * memory. */
static bool text_escape(struct lake_values *values, const struct lake_batch *batch,
                        struct parquet_string *text)
{
    uint64_t most = (uint64_t)batch->rows * batch->event_size * UTF8_ESCAPE_SIZE;
    if (values->escaped_capacity < most) {
        ASSERT(values->escaped_size == 0); /* Texts of this batch stay where they are. */
        heap_free(values->escaped);
        values->escaped = heap_alloc(most);
        values->escaped_capacity = values->escaped == NULL ? 0 : most;
    }
    if (values->escaped == NULL) {
        return false;
    }
    char *out = values->escaped + values->escaped_size;
    uint32_t size = 0;
    for (uint32_t at = 0; at < text->size;) {
        uint32_t step = utf8_character_size(text->data + at, text->size - at);
        if (step > 0) {
            memcpy(out + size, text->data + at, step);
            size += step;
            at += step;
            continue;
        }
        utf8_byte_escape(text->data[at++], out + size);
        size += UTF8_ESCAPE_SIZE;
    }
    *text = (struct parquet_string){.data = out, .size = size};
    values->escaped_size += size;
    return true;
}

static bool strings_take(struct lake_values *values, const struct lake_batch *batch, uint32_t f)
{
    const struct schema_field *field = &values->burst.schema->field[f];
    struct parquet_string *string = values->string[f];
    for (uint32_t row = 0; row < batch->rows; row++) {
        if ((values->burst.null_mask[row] >> f & 1) != 0) {
            continue;
        }
        const char *text = (const char *)bytes_of(batch, field, row);
        bool valid;
        uint32_t size = utf8_field_size(text, field->size, &valid);
        string[row] = (struct parquet_string){.data = text, .size = size};
        if (!valid) {
            raw_need(values, batch, row);
            if (!text_escape(values, batch, &string[row])) {
                return false;
            }
        }
    }
    values->value[f].data = string;
    return true;
}

/* Words of eight bytes as they stand in the events, where there are any. */
static const uint64_t *words_take(struct lake_values *values, const struct lake_batch *batch,
                                  uint32_t f)
{
    const struct schema_field *field = &values->burst.schema->field[f];
    for (uint32_t row = 0; row < batch->rows; row++) {
        if ((uint32_t)field->offset + field->size <= values->burst.event_size[row]) {
            memcpy(&values->word[f][row], bytes_of(batch, field, row), sizeof(uint64_t));
        }
    }
    return values->word[f];
}

static bool field_take(struct lake_values *values, const struct lake_batch *batch, uint32_t f)
{
    enum field_type type = values->burst.schema->field[f].type;
    if (type == FIELD_TYPE_string) {
        return strings_take(values, batch, f);
    }
    if (type == FIELD_TYPE_bool) {
        for (uint32_t row = 0; row < batch->rows; row++) {
            values->boolean[f][row] = (uint8_t)values->burst.value[f][row];
        }
        values->value[f].data = values->boolean[f];
    } else if (type == FIELD_TYPE_f64) {
        values->value[f].data = words_take(values, batch, f);
    } else {
        values->value[f].data = values->burst.value[f];
    }
    return true;
}

static void verdicts_take(struct lake_values *values, const struct lake_table *table,
                          const struct lake_batch *batch)
{
    for (uint32_t row = 0; row < batch->rows; row++) {
        uint32_t verdict = batch->verdict[row];
        uint8_t reason = verdict_reason(verdict);
        uint32_t f = verdict_field(verdict);
        const char *name = verdict_name(reason);
        values->verdict[row] = string_of(name != NULL ? name : "?");
        values->quarantined[row] = verdict_is_quarantined(verdict);
        values->refused_views[row] = verdict >> 16;
        values->field_valid[row] = verdict_is_of_rule(reason) && f < table->schema.field_count;
        if (values->field_valid[row] != 0) {
            values->field[row] = string_of(table->schema.field[f].name);
        }
    }
}

static void record_take(struct lake_values *values, const struct lake_table *table,
                        const struct lake_batch *batch, struct parquet_values *out)
{
    bool plain = batch->verdicts == 0;
    if (!plain) {
        verdicts_take(values, table, batch);
    }
    for (uint32_t row = 0; row < batch->rows; row++) {
        values->version[row] = batch->version;
    }
    out[LAKE_COLUMN_apply_time].data = batch->apply_us;
    out[LAKE_COLUMN_lsn].data = batch->lsn;
    out[LAKE_COLUMN_shard].data = values->shard;
    out[LAKE_COLUMN_producer].data = batch->producer;
    out[LAKE_COLUMN_incarnation].data = batch->incarnation;
    out[LAKE_COLUMN_lane].data = batch->lane;
    out[LAKE_COLUMN_sequence].data = batch->sequence;
    out[LAKE_COLUMN_place].data = batch->place;
    out[LAKE_COLUMN_schema_version].data = values->version;
    out[LAKE_COLUMN_verdict].data = plain ? values->applied : values->verdict;
    out[LAKE_COLUMN_field] = (struct parquet_values){
        .data = values->field, .valid = plain ? values->none : values->field_valid};
    out[LAKE_COLUMN_quarantined].data = plain ? values->none : values->quarantined;
    out[LAKE_COLUMN_refused_views].data = plain ? values->zero : values->refused_views;
    out[LAKE_COLUMN_raw] = (struct parquet_values){
        .data = values->raw, .valid = values->any_raw ? values->raw_valid : values->none};
}

static uint64_t events_decode(struct lake_values *values, const struct lake_table *table,
                              const struct lake_batch *batch)
{
    const struct wire_message message = {.version = batch->version,
                                         .event_stride = batch->event_size,
                                         .event_count = (uint16_t)batch->rows,
                                         .events = batch->events};
    values->burst.schema = &table->schema;
    values->burst.count = 0;
    decode_events(&table->decode, &message, 0, batch->rows, &values->burst);
    uint64_t nulls = 0;
    for (uint32_t row = 0; row < batch->rows; row++) {
        nulls |= values->burst.null_mask[row];
    }
    return nulls;
}

enum result lake_values_take(struct lake_values *values, const struct lake_table *table,
                             const struct lake_batch *batch,
                             const struct parquet_values **out_values)
{
    uint32_t field_count = table->schema.field_count;
    uint64_t nulls = events_decode(values, table, batch);
    values->any_raw = false;
    values->escaped_size = 0;
    memset(values->value, 0, table->column_count * sizeof(values->value[0]));
    for (uint32_t f = 0; f < field_count; f++) {
        values->value[f].valid = valid_take(values, batch, f, nulls);
        if (!field_take(values, batch, f)) {
            return RESULT_NO_MEMORY;
        }
    }
    uint32_t at = field_count;
    for (uint32_t f = 0; f < field_count; f++) {
        if (lake_field_is_ns(&table->schema.field[f])) {
            values->value[at++] = (struct parquet_values){.data = words_take(values, batch, f),
                                                          .valid = values->value[f].valid};
        }
    }
    record_take(values, table, batch, &values->value[at]);
    *out_values = values->value;
    return RESULT_OK;
}
