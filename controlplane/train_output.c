/* The training set itself: the label file's columns as they are, then the service's values, each
 * with its status. Parquet, or CSV by the end of its name. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/train_columns.h"
#include "controlplane/train_inside.h"
#include "controlplane/train_spool.h"
#include "drivers/memory.h"

#define STATUS_SUFFIX "__status"

struct output {
    struct train *train;
    struct parquet_writer *writer; /* NULL: CSV. */
    FILE *csv;
    uint32_t label_count;
    uint32_t column_count; /* Of all. */
    uint32_t rows;         /* Gathered. */
    struct train_column *column;
    struct parquet_values *values;
    struct buffer text; /* Of strings, while they are gathered. */
    struct train_spool_reader spool;
    uint32_t spool_row; /* That is next. */
    uint32_t part;      /* Spools that were opened. */
    uint32_t part_count;
};

static bool is_csv(const char *path)
{
    size_t size = strlen(path);
    return size > 4 && strcmp(path + size - 4, ".csv") == 0;
}

static enum result output_fail(const struct output *output, enum result result)
{
    if (result == RESULT_SYSTEM) {
        return train_fail(output->train, "%s: %s", output->train->options->out, strerror(errno));
    }
    return train_fail(output->train, "%s: cannot be written: %s", output->train->options->out,
                      result_name(result));
}

static bool name_is_taken(const struct output *output, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(output->column[i].parquet.name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds a column; two of one name are an error that the user can mend. */
static enum result column_add(struct output *output, const struct parquet_column *column)
{
    uint32_t at = output->column_count;
    if (name_is_taken(output, at, column->name)) {
        return train_fail(output->train,
                          "%s: its column `%s` is a value of the service too: "
                          "rename it",
                          output->train->options->labels, column->name);
    }
    enum result result = train_column_init(&output->column[at], column);
    output->column_count++;
    return result == RESULT_OK ? RESULT_OK : train_fail(output->train, "no memory");
}

static enum result columns_make(struct output *output)
{
    struct train *train = output->train;
    const struct label_column *label = label_table_columns(train->labels, &output->label_count);
    uint32_t most = output->label_count + 2 * train->service->item_count;
    output->column = heap_alloc_lines(most * sizeof(*output->column));
    output->values = heap_alloc(most * sizeof(*output->values));
    if (output->column == NULL || output->values == NULL) {
        return train_fail(train, "no memory");
    }
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < output->label_count; i++) {
        struct parquet_column column = train_column_of_label(&label[i]);
        result = column_add(output, &column);
    }
    for (uint32_t i = 0; result == RESULT_OK && i < train->service->item_count; i++) {
        struct parquet_column column =
            train_column_of_item(&train->config->plan, train->service, i);
        result = column_add(output, &column);
        if (result == RESULT_OK && !train->options->no_status) {
            struct parquet_column status = {.type = PARQUET_STRING};
            (void)snprintf(status.name, sizeof(status.name), "%.240s%s", column.name,
                           STATUS_SUFFIX);
            result = column_add(output, &status);
        }
    }
    return result;
}

static void columns_free(struct output *output)
{
    for (uint32_t i = 0; i < output->column_count; i++) {
        train_column_deinit(&output->column[i]);
    }
    heap_free(output->column);
    heap_free(output->values);
}

enum result train_output_check(struct train *train)
{
    struct output output = {.train = train};
    enum result result = columns_make(&output);
    columns_free(&output);
    return result;
}

static enum result file_open(struct output *output)
{
    struct train *train = output->train;
    if (is_csv(train->options->out)) {
        char tmp[TRAIN_PATH_SIZE_MAX];
        (void)snprintf(tmp, sizeof(tmp), "%s.tmp", train->options->out);
        output->csv = fopen(tmp, "we");
        return output->csv == NULL ? output_fail(output, RESULT_SYSTEM) : RESULT_OK;
    }
    struct parquet_column *column = heap_alloc(output->column_count * sizeof(*column));
    char fingerprint[32];
    char version[16];
    (void)snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64,
                   train->config->plan.fingerprint);
    (void)snprintf(version, sizeof(version), "%u", train->service->version);
    const struct parquet_pair pairs[] = {{"freshet.service", train->service->name},
                                         {"freshet.service_version", version},
                                         {"freshet.definitions", fingerprint},
                                         {"freshet.mode", train_mode_name(train)}};
    const struct parquet_options options = {.pairs = pairs, .pair_count = 4};
    if (column == NULL) {
        return output_fail(output, RESULT_NO_MEMORY);
    }
    for (uint32_t i = 0; i < output->column_count; i++) {
        column[i] = output->column[i].parquet;
    }
    enum result result = parquet_writer_open(train->options->out, column, output->column_count,
                                             &options, &output->writer);
    heap_free(column);
    return result == RESULT_OK ? RESULT_OK : output_fail(output, result);
}

static void csv_text_write(FILE *out, const char *text, uint32_t size)
{
    bool quotes = size == 0 || memchr(text, ',', size) != NULL || memchr(text, '"', size) != NULL ||
                  memchr(text, '\n', size) != NULL || memchr(text, '\r', size) != NULL;
    if (!quotes) {
        (void)fwrite(text, 1, size, out);
        return;
    }
    (void)fputc('"', out);
    for (uint32_t i = 0; i < size; i++) {
        if (text[i] == '"') {
            (void)fputc('"', out);
        }
        (void)fputc(text[i], out);
    }
    (void)fputc('"', out);
}

static void csv_separate(const struct output *output, uint32_t column)
{
    (void)fputc(column + 1 == output->column_count ? '\n' : ',', output->csv);
}

static void csv_head_write(const struct output *output)
{
    for (uint32_t i = 0; output->csv != NULL && i < output->column_count; i++) {
        const char *name = output->column[i].parquet.name;
        csv_text_write(output->csv, name, (uint32_t)strlen(name));
        csv_separate(output, i);
    }
}

static enum result rows_flush(struct output *output)
{
    if (output->csv != NULL || output->rows == 0) {
        return RESULT_OK;
    }
    for (uint32_t i = 0; i < output->column_count; i++) {
        output->values[i] = train_column_values(&output->column[i], output->rows, &output->text);
    }
    enum result result = parquet_writer_append(output->writer, output->values, output->rows);
    output->rows = 0;
    buffer_consume(&output->text, output->text.size);
    return result == RESULT_OK ? RESULT_OK : output_fail(output, result);
}

/* The spool that the next row is in. */
static enum result spool_enter(struct output *output)
{
    while (output->spool_row == output->spool.spool.rows) {
        char name[DISK_NAME_SIZE_MAX];
        if (output->part == output->part_count) {
            return train_fail(output->train, "%s: has more rows than before",
                              output->train->options->labels);
        }
        train_spool_close(&output->spool);
        train_spool_name(output->train, output->part, name);
        enum result result = train_spool_open(output->train->disk, name, &output->spool);
        if (result != RESULT_OK) {
            return train_fail(output->train, "%s: cannot be read: %s", name, result_name(result));
        }
        output->part++;
        output->spool_row = 0;
    }
    output->spool_row++;
    return RESULT_OK;
}

static enum result value_fail(const struct output *output, uint32_t column, uint64_t line)
{
    char place[256];
    label_place_format(output->train->labels, line, 0, place, sizeof(place));
    return train_fail(
        output->train,
        "%s: `%s` does not fit its column: it is of another type, or has more digits; "
        "a set that is CSV takes it",
        place, output->column[column].parquet.name);
}

static void csv_answer_write(const struct output *output, const struct answer *answer)
{
    char space[ANSWER_TEXT_SIZE_MAX];
    uint32_t size = 0;
    if (answer->kind == VALUE_STRING || answer->kind == VALUE_LIST) {
        csv_text_write(output->csv, answer->text, answer->text_size);
    } else if (answer->kind != VALUE_NULL) {
        size = answer_format(answer, space);
        csv_text_write(output->csv, space, size);
    }
}

/* One row: its labels, then what the spool has for it. */
static enum result row_write(struct output *output, const struct label_cell *cell, uint64_t line)
{
    enum result result = spool_enter(output);
    uint32_t row = output->rows;
    uint32_t at = 0;
    for (; result == RESULT_OK && at < output->label_count; at++) {
        if (output->csv != NULL) {
            if (!cell[at].is_null) {
                csv_text_write(output->csv, cell[at].text, cell[at].size);
            }
            csv_separate(output, at);
        } else if (!train_column_put_cell(&output->column[at], row, &cell[at], &output->text)) {
            return value_fail(output, at, line);
        }
    }
    for (uint32_t item = 0; result == RESULT_OK && item < output->train->service->item_count;
         item++) {
        struct answer answer;
        uint8_t flags;
        if (!train_spool_next(&output->spool, &answer, &flags)) {
            return train_fail(output->train, "part %u is damaged: remove %s.parts and run again",
                              output->part - 1, output->train->options->out);
        }
        const char *status = answer_status_name(answer.status);
        output->train->status_count[answer.status]++;
        output->train->joined += (flags & TRAIN_SPOOL_JOINED) != 0;
        output->train->differ[item] += (flags & TRAIN_SPOOL_DIFFERS) != 0;
        output->train->unexplained[item] += (flags & TRAIN_SPOOL_UNEXPLAINED) != 0;
        if (output->csv != NULL) {
            csv_answer_write(output, &answer);
            csv_separate(output, at);
        } else if (!train_column_put_answer(&output->column[at], row, &answer, &output->text)) {
            return value_fail(output, at, line);
        }
        at++;
        if (output->train->options->no_status) {
            continue;
        }
        if (output->csv != NULL) {
            csv_text_write(output->csv, status, (uint32_t)strlen(status));
            csv_separate(output, at);
        } else {
            train_column_put_text(&output->column[at], row, status, (uint32_t)strlen(status),
                                  &output->text);
        }
        at++;
    }
    output->rows += output->csv == NULL;
    return result;
}

static enum result rows_write(struct output *output)
{
    struct train *train = output->train;
    enum result result = RESULT_OK;
    train->rows = 0;
    for (;;) {
        struct label_batch batch;
        char error[LABEL_ERROR_SIZE_MAX];
        result = label_table_next(train->labels, TRAIN_COLUMN_ROWS - output->rows, &batch, error);
        if (result != RESULT_OK) {
            return train_fail(train, "%s", error);
        }
        if (batch.rows == 0) {
            return rows_flush(output);
        }
        for (uint32_t row = 0; result == RESULT_OK && row < batch.rows; row++) {
            result = row_write(output, &batch.cell[(uint64_t)row * output->label_count],
                               batch.line[row]);
        }
        train->rows += batch.rows;
        if (result == RESULT_OK && output->rows == TRAIN_COLUMN_ROWS) {
            result = rows_flush(output);
        }
        if (result != RESULT_OK) {
            return result;
        }
        if (output->text.failed) {
            return train_fail(train, "no memory");
        }
    }
}

static enum result csv_finish(struct output *output)
{
    char tmp[TRAIN_PATH_SIZE_MAX];
    (void)snprintf(tmp, sizeof(tmp), "%s.tmp", output->train->options->out);
    bool good =
        fflush(output->csv) == 0 && ferror(output->csv) == 0 && fdatasync(fileno(output->csv)) == 0;
    good = fclose(output->csv) == 0 && good;
    output->csv = NULL;
    good = good && rename(tmp, output->train->options->out) == 0;
    return good ? RESULT_OK : output_fail(output, RESULT_SYSTEM);
}

enum result train_output_write(struct train *train, uint32_t part_count)
{
    struct output output = {.train = train, .part_count = part_count};
    char error[LABEL_ERROR_SIZE_MAX];
    buffer_init(&output.text, 0);
    enum result result = label_table_rewind(train->labels, error);
    result = result == RESULT_OK ? columns_make(&output) : train_fail(train, "%s", error);
    result = result == RESULT_OK ? file_open(&output) : result;
    if (result == RESULT_OK) {
        csv_head_write(&output);
        result = rows_write(&output);
    }
    if (result == RESULT_OK && output.csv != NULL) {
        result = csv_finish(&output);
    } else if (result == RESULT_OK) {
        result = parquet_writer_finish(output.writer);
        result = result == RESULT_OK ? RESULT_OK : output_fail(&output, result);
    }
    parquet_writer_close(output.writer);
    if (output.csv != NULL) {
        (void)fclose(output.csv);
    }
    train_spool_close(&output.spool);
    buffer_deinit(&output.text);
    columns_free(&output);
    return result;
}
