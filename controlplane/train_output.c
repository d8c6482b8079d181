/* The training set itself: the label file's columns as they are, then the service's values, each
 * with its status. Parquet, or CSV by the end of its name. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/train_csv.h"
#include "controlplane/train_fill.h"
#include "controlplane/train_gathered.h"
#include "drivers/memory.h"

#define STATUS_SUFFIX "__status"

struct output {
    struct train *train;
    struct parquet_writer *writer; /* NULL: CSV. */
    enum result finished;          /* Of its last call. */
    FILE *csv;
    uint32_t label_count;
    uint32_t column_count; /* Of all. */
    struct train_column *column;
    struct parquet_values *values;
    struct train_fill *fill; /* Owned. */
    struct train_source source;
    /* Labels whose values are put, and those that are read beside it. */
    struct train_gathered labels[2];
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

static enum result label_name_check(const struct output *output, const char *name)
{
    return strlen(name) < PARQUET_NAME_SIZE_MAX
               ? RESULT_OK
               : train_fail(output->train,
                            "%s: the name of its column `%.32s...` has more than %u bytes: "
                            "shorten it",
                            output->train->options->labels, name, PARQUET_NAME_SIZE_MAX - 1);
}

/* What the user can mend where a value of the service has a column's name. */
static const char *name_mend(const struct plan_service *service, const char *name)
{
    for (uint32_t i = 0; i < service->request_count; i++) {
        if (strcmp(service->request[i].name, name) == 0) {
            return ", and a field of its request: give that value another `name` in the service";
        }
    }
    return ": rename it";
}

/* Adds a column; two of one name are an error that the user can mend. */
static enum result column_add(struct output *output, const struct parquet_column *column)
{
    uint32_t at = output->column_count;
    if (name_is_taken(output, at, column->name)) {
        return train_fail(output->train, "%s: its column `%s` is a value of the service too%s",
                          output->train->options->labels, column->name,
                          name_mend(output->train->service, column->name));
    }
    output->column[at].parquet = *column;
    output->column_count++;
    return RESULT_OK;
}

/* Names and types of all columns. */
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
        result = label_name_check(output, label[i].name);
        result = result == RESULT_OK ? column_add(output, &column) : result;
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

static void csv_tmp_path(const struct output *output, char out[TRAIN_PATH_SIZE_MAX])
{
    (void)snprintf(out, TRAIN_PATH_SIZE_MAX, "%s.tmp", output->train->options->out);
}

static enum result file_open(struct output *output)
{
    struct train *train = output->train;
    if (is_csv(train->options->out)) {
        char tmp[TRAIN_PATH_SIZE_MAX];
        csv_tmp_path(output, tmp);
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
    const struct parquet_options options = {
        .pairs = pairs, .pair_count = 4, .threads = train->threads};
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

static void csv_separate(const struct output *output, uint32_t column)
{
    (void)fputc(column + 1 == output->column_count ? '\n' : ',', output->csv);
}

static void csv_head_write(const struct output *output)
{
    for (uint32_t i = 0; output->csv != NULL && i < output->column_count; i++) {
        const char *name = output->column[i].parquet.name;
        train_csv_text(output->csv, name, (uint32_t)strlen(name));
        csv_separate(output, i);
    }
}

static enum result value_fail(const struct output *output, uint32_t column, uint64_t line)
{
    char place[LABEL_LINE_SIZE_MAX];
    label_line_format(output->train->labels, line, place);
    return train_fail(
        output->train,
        "%s: `%s` does not fit its column: it is of another type, or has more digits; "
        "a set that is CSV takes it",
        place, output->column[column].parquet.name);
}

/* One row of CSV: its labels, then its values. */
static enum result row_print(struct output *output, const struct label_cell *cell)
{
    struct train *train = output->train;
    struct train_row *row = train_fill_row(output->fill, 0);
    enum result result = train_source_enter(&output->source);
    result = row == NULL ? train_fail(train, "no memory") : result;
    uint32_t at = 0;
    const struct label_column *label = label_table_columns(train->labels, &output->label_count);
    for (; result == RESULT_OK && at < output->label_count; at++) {
        char space[LABEL_NUMBER_SIZE_MAX];
        uint32_t size;
        if (!cell[at].is_null) {
            const char *text = label_cell_text(&label[at], &cell[at], space, &size);
            train_csv_text(output->csv, text, size);
        }
        csv_separate(output, at);
    }
    if (result != RESULT_OK) {
        return result;
    }
    if (output->source.part != NULL) {
        train_row_compute(train, output->source.part, output->source.next++, row);
    } else if (!train_row_read(train, &output->source.spool, row)) {
        return train_source_fail(&output->source);
    }
    train_sums_add(&train->sums, row, train->service->item_count);
    for (uint32_t item = 0; item < train->service->item_count; item++) {
        train_csv_answer(output->csv, &row->value[item]);
        csv_separate(output, at++);
        if (!train->options->no_status) {
            const char *status = answer_status_name(row->value[item].status);
            train_csv_text(output->csv, status, (uint32_t)strlen(status));
            csv_separate(output, at++);
        }
    }
    output->source.rows_left--;
    return RESULT_OK;
}

static enum result batch_print(struct output *output, const struct label_batch *batch)
{
    enum result result = RESULT_OK;
    for (uint32_t row = 0; result == RESULT_OK && row < batch->rows; row++) {
        result = row_print(output, &batch->cell[(uint64_t)row * output->label_count]);
    }
    return result;
}

static enum result rows_print(struct output *output)
{
    struct train *train = output->train;
    struct label_batch batch = {.rows = 1};
    enum result result = RESULT_OK;
    while (result == RESULT_OK && batch.rows > 0) {
        char error[LABEL_ERROR_SIZE_MAX];
        result = label_table_next(train->labels, TRAIN_COLUMN_ROWS, &batch, error);
        result = result == RESULT_OK ? batch_print(output, &batch) : train_fail(train, "%s", error);
        train->rows += result == RESULT_OK ? batch.rows : 0;
    }
    return result;
}

/* The values of all rows that are gathered. */
static enum result values_put(struct output *output, const struct train_gathered *gathered)
{
    enum result result = RESULT_OK;
    for (uint32_t first = 0, count; result == RESULT_OK && first < gathered->rows; first += count) {
        uint32_t row;
        uint32_t column;
        result = train_source_enter(&output->source);
        if (result != RESULT_OK) {
            return result;
        }
        uint32_t left = gathered->rows - first;
        count = left < output->source.rows_left ? left : output->source.rows_left;
        result = train_fill_rows(output->fill, &output->source, first, count, &row, &column);
        if (result == RESULT_INVALID) {
            return value_fail(output, output->label_count + column, gathered->line[first + row]);
        }
        if (result != RESULT_OK) {
            return result == RESULT_CORRUPT ? train_source_fail(&output->source)
                                            : train_fail(output->train, "no memory");
        }
    }
    return result;
}

static enum result rows_append(struct output *output, struct train_gathered *gathered)
{
    struct train_fill *fill = output->fill;
    train_gathered_values(gathered, output->values);
    for (uint32_t i = output->label_count; i < output->column_count; i++) {
        output->values[i] =
            train_column_values(&output->column[i], gathered->rows, fill->text, fill->owner);
    }
    enum result result = parquet_writer_append(output->writer, output->values, gathered->rows);
    output->train->rows += gathered->rows;
    train_fill_clear(fill);
    return result == RESULT_OK ? RESULT_OK : output_fail(output, result);
}

static void labels_read_beside(void *context)
{
    train_gathered_read(context);
}

/* While a batch's values are put, the labels of the next one are read. */
static enum result rows_write(struct output *output)
{
    struct train_gathered *now = &output->labels[0];
    struct train_gathered *next = &output->labels[1];
    enum result result = RESULT_OK;
    train_gathered_read(now);
    while (result == RESULT_OK && now->result == RESULT_OK && now->rows > 0) {
        train_fill_beside(output->fill, labels_read_beside, next);
        result = values_put(output, now);
        result = result == RESULT_OK ? rows_append(output, now) : result;
        struct train_gathered *read = next;
        next = now;
        now = read;
    }
    return result == RESULT_OK && now->result != RESULT_OK
               ? train_fail(output->train, "%s", now->error)
               : result;
}

static enum result csv_finish(struct output *output)
{
    char tmp[TRAIN_PATH_SIZE_MAX];
    csv_tmp_path(output, tmp);
    bool good =
        fflush(output->csv) == 0 && ferror(output->csv) == 0 && fdatasync(fileno(output->csv)) == 0;
    good = good && rename(tmp, output->train->options->out) == 0;
    return good ? RESULT_OK : output_fail(output, RESULT_SYSTEM);
}

/* What has not got its name goes: half a set only fills its disk. */
static void csv_close(struct output *output, bool is_whole)
{
    char tmp[TRAIN_PATH_SIZE_MAX];
    csv_tmp_path(output, tmp);
    if (output->csv != NULL) {
        (void)fclose(output->csv);
        (void)(is_whole ? 0 : unlink(tmp));
    }
}

/* A file waits for its disk: meanwhile memory is given back. */
static void parquet_end(void *context, uint32_t task, uint32_t member)
{
    struct output *output = context;
    (void)member;
    if (task == 0) {
        output->finished = parquet_writer_finish(output->writer);
    } else {
        train_rows_close(output->train);
    }
}

static enum result parquet_finish(struct output *output)
{
    enum result result = parquet_writer_flush(output->writer);
    if (result == RESULT_OK) {
        threads_run(output->train->threads, 2, parquet_end, output);
        result = output->finished;
    }
    if (result != RESULT_OK) {
        result = parquet_writer_flush(output->writer); /* The same once more: with its errno. */
    }
    return result == RESULT_OK ? RESULT_OK : output_fail(output, result);
}

/* What rows are in before they are written; of labels, what is gathered has its own. */
static enum result fill_open(struct output *output)
{
    struct train *train = output->train;
    enum result result = RESULT_OK;
    for (uint32_t i = output->label_count; result == RESULT_OK && i < output->column_count; i++) {
        result = train_column_init(&output->column[i], &output->column[i].parquet);
    }
    output->fill = result == RESULT_OK ? heap_alloc_lines(sizeof(*output->fill)) : NULL;
    if (output->fill == NULL) {
        return train_fail(train, "no memory");
    }
    result = train_fill_init(output->fill, train, output->column + output->label_count);
    for (uint32_t i = 0; result == RESULT_OK && i < ARRAY_COUNT(output->labels); i++) {
        result = train_gathered_init(&output->labels[i], train->labels);
    }
    return result == RESULT_OK ? RESULT_OK : train_fail(train, "no memory");
}

enum result train_output_write(struct train *train, uint32_t part_count)
{
    struct output output = {.train = train};
    train_source_init(&output.source, train, part_count);
    char error[LABEL_ERROR_SIZE_MAX];
    enum result result = label_table_rewind(train->labels, error);
    result = result == RESULT_OK ? columns_make(&output) : train_fail(train, "%s", error);
    result = result == RESULT_OK ? file_open(&output) : result;
    result = result == RESULT_OK ? fill_open(&output) : result;
    if (result == RESULT_OK) {
        train->rows = 0;
        csv_head_write(&output);
        result = output.csv != NULL ? rows_print(&output) : rows_write(&output);
    }
    if (result == RESULT_OK) {
        train_card_remove(train);
        result = output.csv != NULL ? csv_finish(&output) : parquet_finish(&output);
    }
    parquet_writer_close(output.writer);
    csv_close(&output, result == RESULT_OK);
    train_source_deinit(&output.source);
    if (output.fill != NULL) {
        train_fill_deinit(output.fill);
    }
    heap_free(output.fill);
    train_gathered_deinit(&output.labels[0]);
    train_gathered_deinit(&output.labels[1]);
    columns_free(&output);
    return result;
}
