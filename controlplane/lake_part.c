#include "controlplane/lake_part.h"

#include <stdio.h>
#include <string.h>

#include "controlplane/folder.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define GROUP_BYTES (16u << 20)

struct lake_part {
    const struct lake_table *table; /* Borrowed. */
    struct lake_values *values;     /* Borrowed. */
    struct parquet_writer *writer;
    struct lake_file file;
    struct lake_batch batch;
};

static enum result writer_open(struct lake_part *part, const char *path)
{
    const struct parquet_pair pairs[] = {{"freshet.stream", part->file.stream}};
    const struct parquet_options options = {
        .pairs = pairs, .pair_count = ARRAY_COUNT(pairs), .group_bytes = GROUP_BYTES};
    return parquet_writer_open(path, part->table->column, part->table->column_count, &options,
                               &part->writer);
}

enum result lake_part_open(const char *root, const struct lake_table *table, int64_t hour,
                           uint32_t shard, uint64_t segment, struct lake_values *values,
                           struct lake_part **out_part)
{
    char path[LAKE_ROOT_SIZE_MAX + LAKE_PATH_SIZE_MAX];
    struct lake_part *part = heap_alloc_lines(sizeof(*part));
    if (part == NULL) {
        return RESULT_NO_MEMORY;
    }
    part->table = table;
    part->values = values;
    part->file = (struct lake_file){.hour = hour,
                                    .shard = shard,
                                    .segment = segment,
                                    .event_us_min = INT64_MAX,
                                    .event_us_max = INT64_MIN,
                                    .apply_us_min = INT64_MAX,
                                    .apply_us_max = INT64_MIN,
                                    .lsn_min = UINT64_MAX};
    memcpy(part->file.stream, table->stream->name, sizeof(part->file.stream));
    lake_path_format(part->file.stream, hour, shard, segment, part->file.path);
    (void)snprintf(path, sizeof(path), "%s/%s", root, part->file.path);
    part->batch.events = heap_alloc((uint64_t)LAKE_BATCH_ROWS * table->schema.block_size);
    enum result result = part->batch.events == NULL ? RESULT_NO_MEMORY : folder_make_above(path);
    if (result == RESULT_OK) {
        result = writer_open(part, path);
    }
    if (result != RESULT_OK) {
        lake_part_close(part);
        return result;
    }
    *out_part = part;
    return RESULT_OK;
}

static void bounds_take(struct lake_file *file, const struct lake_batch *batch,
                        const struct parquet_values *time)
{
    const int64_t *time_us = time->data;
    for (uint32_t i = 0; i < batch->rows; i++) {
        int64_t apply_us = batch->apply_us[i];
        uint64_t lsn = batch->lsn[i];
        file->apply_us_min = apply_us < file->apply_us_min ? apply_us : file->apply_us_min;
        file->apply_us_max = apply_us > file->apply_us_max ? apply_us : file->apply_us_max;
        file->lsn_min = lsn < file->lsn_min ? lsn : file->lsn_min;
        file->lsn_max = lsn > file->lsn_max ? lsn : file->lsn_max;
        if (time->valid == NULL || time->valid[i] != 0) {
            file->event_us_min = time_us[i] < file->event_us_min ? time_us[i] : file->event_us_min;
            file->event_us_max = time_us[i] > file->event_us_max ? time_us[i] : file->event_us_max;
        }
    }
}

static void version_take(struct lake_file *file, uint16_t version)
{
    for (uint32_t i = 0; i < file->version_count; i++) {
        if (file->version[i] == version) {
            return;
        }
    }
    if (file->version_count < LAKE_VERSIONS_MAX) {
        file->version[file->version_count++] = version;
    }
}

static enum result batch_write(struct lake_part *part)
{
    struct lake_batch *batch = &part->batch;
    const struct parquet_values *values;
    if (batch->rows == 0) {
        return RESULT_OK;
    }
    enum result result = lake_values_take(part->values, part->table, batch, &values);
    if (result == RESULT_OK) {
        bounds_take(&part->file, batch, &values[part->table->schema.time_field]);
        version_take(&part->file, batch->version);
        part->file.rows += batch->rows;
        result = parquet_writer_append(part->writer, values, batch->rows);
    }
    batch->rows = 0;
    batch->verdicts = 0;
    return result;
}

/* Rows of a batch have one version and one size. */
static enum result batch_begin(struct lake_part *part, uint16_t version, uint16_t size)
{
    struct lake_batch *batch = &part->batch;
    if (batch->rows == LAKE_BATCH_ROWS || batch->version != version || batch->event_size != size) {
        enum result result = batch_write(part);
        batch->version = version;
        batch->event_size = size;
        return result;
    }
    return RESULT_OK;
}

enum result lake_part_append(struct lake_part *part, const struct mirror_entry *entry, uint32_t i)
{
    struct lake_batch *batch = &part->batch;
    uint16_t stride = entry->event_stride;
    uint16_t size =
        stride < part->table->schema.block_size ? stride : part->table->schema.block_size;
    enum result result = batch_begin(part, entry->version, size);
    if (result != RESULT_OK) {
        return result;
    }
    uint32_t row = batch->rows++;
    uint32_t verdict = mirror_entry_verdict(entry, i);
    memcpy(batch->events + (uint64_t)row * size, entry->events + (uint64_t)i * stride, size);
    batch->verdict[row] = verdict;
    batch->verdicts |= verdict;
    batch->apply_us[row] = entry->apply_us;
    batch->lsn[row] = entry->lsn + i;
    batch->producer[row] = entry->producer;
    batch->incarnation[row] = entry->incarnation;
    batch->lane[row] = entry->lane;
    batch->sequence[row] = entry->sequence;
    batch->place[row] = (uint64_t)entry->place + i;
    return RESULT_OK;
}

uint64_t lake_part_held_bytes(const struct lake_part *part)
{
    return parquet_writer_held_bytes(part->writer);
}

enum result lake_part_flush(struct lake_part *part)
{
    return parquet_writer_flush(part->writer);
}

enum result lake_part_finish(struct lake_part *part, struct lake_file *out_file)
{
    enum result result = batch_write(part);
    if (result == RESULT_OK) {
        result = parquet_writer_finish(part->writer);
    }
    if (result == RESULT_OK) {
        part->file.bytes = parquet_writer_bytes(part->writer);
        part->file.crc = parquet_writer_crc(part->writer);
        *out_file = part->file;
    }
    return result;
}

void lake_part_close(struct lake_part *part)
{
    if (part == NULL) {
        return;
    }
    parquet_writer_close(part->writer);
    heap_free(part->batch.events);
    heap_free(part);
}
