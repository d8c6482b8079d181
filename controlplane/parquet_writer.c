#include "controlplane/parquet_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/folder.h"
#include "controlplane/parquet_inside.h"
#include "controlplane/thrift_compact.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"
#include "drivers/memory.h"

#define MAGIC         "PAR1"
#define MAGIC_SIZE    4u
#define TMP_SUFFIX    ".tmp"
#define FILE_MODE     0644
#define SCALE_LONGEST 18u
#define SCALE_WIDEST  38u

struct parquet_writer {
    char path[PARQUET_PATH_SIZE_MAX];
    char tmp[PARQUET_PATH_SIZE_MAX]; /* "": the file has its name. */
    int fd;
    enum result result; /* Of the first call that failed. */
    int error;          /* errno of it. */
    uint64_t bytes;     /* Written so far. */
    uint32_t crc;       /* Of them. */
    uint64_t rows;
    uint32_t group_rows_max;
    uint32_t group_bytes_max;
    uint32_t group_rows;  /* Of the row group that is open. */
    uint32_t group_count; /* Written. */
    struct buffer groups; /* Their entries of the footer. */
    struct buffer pairs;
    uint32_t pair_count;
    struct threads *threads;     /* Borrowed; NULL: none. */
    struct parquet_press *press; /* Owned; of each of its members. */
    uint32_t column_count;
    struct parquet_chunk chunk[];
};

static bool column_is_good(const struct parquet_column *columns, uint32_t index)
{
    const struct parquet_column *column = &columns[index];
    bool wide = column->type == PARQUET_DECIMAL_WIDE;
    bool bits = column->bits == 0 || column->bits == 8 || column->bits == 16 ||
                column->bits == 32 || column->bits == 64;
    size_t size = strnlen(column->name, sizeof(column->name));
    if (size == 0 || size == sizeof(column->name) || !bits ||
        column->scale > (wide ? SCALE_WIDEST : SCALE_LONGEST)) {
        return false;
    }
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(columns[i].name, column->name) == 0) {
            return false;
        }
    }
    return true;
}

static bool columns_are_good(const struct parquet_column *columns, uint32_t count)
{
    if (count == 0 || count > PARQUET_COLUMNS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!column_is_good(columns, i)) {
            return false;
        }
    }
    return true;
}

static bool paths_set(struct parquet_writer *writer, const char *path)
{
    int size = snprintf(writer->tmp, sizeof(writer->tmp), "%s" TMP_SUFFIX, path);
    (void)snprintf(writer->path, sizeof(writer->path), "%s", path);
    return size > 0 && (size_t)size < sizeof(writer->tmp);
}

static enum result write_all(struct parquet_writer *writer, const void *data, uint64_t size)
{
    const uint8_t *next = data;
    writer->crc = checksum_crc32c(writer->crc, data, size);
    for (uint64_t left = size; left > 0;) {
        ssize_t put = write(writer->fd, next, left);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            errno = put == 0 ? EIO : errno;
            return RESULT_SYSTEM;
        }
        next += put;
        left -= (uint64_t)put;
    }
    writer->bytes += size;
    return RESULT_OK;
}

static void pairs_take(struct parquet_writer *writer, const struct parquet_options *options)
{
    writer->pair_count = options->pair_count;
    for (uint32_t i = 0; i < options->pair_count; i++) {
        const struct parquet_pair *pair = &options->pairs[i];
        struct thrift_writer thrift;
        thrift_writer_init(&thrift, &writer->pairs);
        thrift_binary(&thrift, 1, pair->name, (uint32_t)strlen(pair->name));
        thrift_binary(&thrift, 2, pair->text, (uint32_t)strlen(pair->text));
        thrift_struct_end(&thrift);
    }
}

static enum result writer_begin(struct parquet_writer *writer, const struct parquet_column *columns)
{
    for (uint32_t i = 0; i < writer->column_count; i++) {
        parquet_chunk_init(&writer->chunk[i], &columns[i]);
    }
    writer->press = heap_alloc_lines(threads_count(writer->threads) * sizeof(*writer->press));
    bool memory = writer->press != NULL && !writer->pairs.failed;
    for (uint32_t m = 0; memory && m < threads_count(writer->threads); m++) {
        writer->press[m].zstd = ZSTD_createCCtx();
        memory = writer->press[m].zstd != NULL;
    }
    if (!memory) {
        return RESULT_NO_MEMORY;
    }
    writer->fd = open(writer->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    return writer->fd < 0 ? RESULT_SYSTEM : write_all(writer, MAGIC, MAGIC_SIZE);
}

enum result parquet_writer_open(const char *path, const struct parquet_column *columns,
                                uint32_t column_count, const struct parquet_options *options,
                                struct parquet_writer **out_writer)
{
    const struct parquet_options none = {0};
    options = options == NULL ? &none : options;
    if (!columns_are_good(columns, column_count)) {
        return RESULT_INVALID;
    }
    struct parquet_writer *writer =
        heap_alloc_lines(sizeof(*writer) + column_count * sizeof(writer->chunk[0]));
    if (writer == NULL) {
        return RESULT_NO_MEMORY;
    }
    writer->fd = -1;
    writer->column_count = column_count;
    writer->threads = options->threads;
    writer->group_rows_max = options->group_rows > 0 ? options->group_rows : PARQUET_GROUP_ROWS;
    writer->group_bytes_max = options->group_bytes > 0 ? options->group_bytes : PARQUET_GROUP_BYTES;
    pairs_take(writer, options);
    enum result result = paths_set(writer, path) ? writer_begin(writer, columns) : RESULT_INVALID;
    if (result != RESULT_OK) {
        parquet_writer_close(writer);
        return result;
    }
    *out_writer = writer;
    return RESULT_OK;
}

/* Notes the first failure: nothing goes on behind it. */
static enum result failed(struct parquet_writer *writer, enum result result)
{
    writer->result = result;
    writer->error = errno;
    return result;
}

static enum result failed_before(const struct parquet_writer *writer)
{
    errno = writer->result == RESULT_OK ? errno : writer->error;
    return writer->result;
}

/* The first column's that failed. */
static enum result columns_run(struct parquet_writer *writer, threads_task *task, void *context)
{
    enum result result = RESULT_OK;
    threads_run(writer->threads, writer->column_count, task, context);
    for (uint32_t i = 0; i < writer->column_count && result == RESULT_OK; i++) {
        result = writer->chunk[i].result;
    }
    return result;
}

static void column_close(void *context, uint32_t column, uint32_t member)
{
    struct parquet_writer *writer = context;
    struct parquet_chunk *chunk = &writer->chunk[column];
    chunk->result = parquet_chunk_close(chunk, &writer->press[member]);
}

static enum result group_write(struct parquet_writer *writer)
{
    struct parquet_chunk *chunk = writer->chunk;
    uint64_t place = writer->bytes;
    if (writer->group_rows == 0) {
        return RESULT_OK;
    }
    enum result result = columns_run(writer, column_close, writer);
    for (uint32_t i = 0; i < writer->column_count && result == RESULT_OK; i++) {
        result = write_all(writer, chunk[i].head.data, chunk[i].head.size);
        if (result == RESULT_OK) {
            result = write_all(writer, chunk[i].pages.data, chunk[i].pages.size);
        }
    }
    if (result != RESULT_OK) {
        return result;
    }
    parquet_group_write(&writer->groups, chunk, writer->column_count, place, writer->group_rows,
                        writer->group_count++);
    for (uint32_t i = 0; i < writer->column_count; i++) {
        parquet_chunk_clear(&chunk[i]);
    }
    writer->rows += writer->group_rows;
    writer->group_rows = 0;
    return writer->groups.failed ? RESULT_NO_MEMORY : RESULT_OK;
}

uint64_t parquet_writer_held_bytes(const struct parquet_writer *writer)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < writer->column_count; i++) {
        bytes += parquet_chunk_bytes(&writer->chunk[i]);
    }
    return bytes;
}

static bool group_is_full(const struct parquet_writer *writer)
{
    return writer->group_rows == writer->group_rows_max ||
           parquet_writer_held_bytes(writer) >= writer->group_bytes_max;
}

struct slice {
    struct parquet_writer *writer;
    const struct parquet_values *values;
    uint32_t first;
    uint32_t rows;
};

static void column_append(void *context, uint32_t column, uint32_t member)
{
    const struct slice *slice = context;
    struct parquet_chunk *chunk = &slice->writer->chunk[column];
    chunk->result = parquet_chunk_append(chunk, &slice->writer->press[member],
                                         &slice->values[column], slice->first, slice->rows);
}

static enum result slice_append(struct parquet_writer *writer, const struct parquet_values *values,
                                uint32_t first, uint32_t rows)
{
    struct slice slice = {.writer = writer, .values = values, .first = first, .rows = rows};
    enum result result = columns_run(writer, column_append, &slice);
    if (result != RESULT_OK) {
        return result;
    }
    writer->group_rows += rows;
    return group_is_full(writer) ? group_write(writer) : RESULT_OK;
}

enum result parquet_writer_append(struct parquet_writer *writer,
                                  const struct parquet_values *values, uint32_t rows)
{
    for (uint32_t first = 0, slice; first < rows && writer->result == RESULT_OK; first += slice) {
        uint32_t left = rows - first;
        uint32_t room = writer->group_rows_max - writer->group_rows;
        slice = left < room ? left : room;
        slice = slice < PARQUET_SLICE_ROWS ? slice : PARQUET_SLICE_ROWS;
        enum result result = slice_append(writer, values, first, slice);
        if (result != RESULT_OK) {
            return failed(writer, result);
        }
    }
    return failed_before(writer);
}

enum result parquet_writer_flush(struct parquet_writer *writer)
{
    if (writer->result != RESULT_OK) {
        return failed_before(writer);
    }
    enum result result = group_write(writer);
    return result == RESULT_OK ? RESULT_OK : failed(writer, result);
}

static enum result footer_write(struct parquet_writer *writer)
{
    struct buffer *footer = &writer->press[0].page;
    footer->size = 0;
    parquet_footer_write(footer, writer->chunk, writer->column_count, writer->rows, &writer->groups,
                         writer->group_count, &writer->pairs, writer->pair_count);
    if (footer->failed || footer->size > UINT32_MAX) {
        return RESULT_NO_MEMORY;
    }
    uint32_t size = (uint32_t)footer->size;
    buffer_write(footer, &size, sizeof(size));
    buffer_write(footer, MAGIC, MAGIC_SIZE);
    return footer->failed ? RESULT_NO_MEMORY : write_all(writer, footer->data, footer->size);
}

/* Durable first, then named: what stands under the name is whole after any crash. */
static enum result name_settle(struct parquet_writer *writer)
{
    if (fdatasync(writer->fd) != 0) {
        return RESULT_SYSTEM;
    }
    int fd = writer->fd;
    writer->fd = -1;
    if (close(fd) != 0 || rename(writer->tmp, writer->path) != 0) {
        return RESULT_SYSTEM;
    }
    writer->tmp[0] = '\0';
    return folder_sync_above(writer->path);
}

enum result parquet_writer_finish(struct parquet_writer *writer)
{
    if (writer->result != RESULT_OK) {
        return failed_before(writer);
    }
    enum result result = group_write(writer);
    if (result == RESULT_OK) {
        result = footer_write(writer);
    }
    if (result == RESULT_OK) {
        result = name_settle(writer);
    }
    return result == RESULT_OK ? RESULT_OK : failed(writer, result);
}

uint64_t parquet_writer_bytes(const struct parquet_writer *writer)
{
    return writer->bytes;
}

uint32_t parquet_writer_crc(const struct parquet_writer *writer)
{
    return writer->crc;
}

void parquet_writer_close(struct parquet_writer *writer)
{
    int error = errno;
    if (writer == NULL) {
        return;
    }
    if (writer->fd >= 0) {
        (void)close(writer->fd);
        (void)unlink(writer->tmp);
    } else if (writer->result != RESULT_OK && writer->tmp[0] != '\0') {
        (void)unlink(writer->tmp); /* Its name could not be given. */
    }
    for (uint32_t i = 0; i < writer->column_count; i++) {
        parquet_chunk_deinit(&writer->chunk[i]);
    }
    buffer_deinit(&writer->groups);
    buffer_deinit(&writer->pairs);
    for (uint32_t m = 0; writer->press != NULL && m < threads_count(writer->threads); m++) {
        buffer_deinit(&writer->press[m].page);
        buffer_deinit(&writer->press[m].packed);
        ZSTD_freeCCtx(writer->press[m].zstd);
    }
    heap_free(writer->press);
    heap_free(writer);
    errno = error;
}
