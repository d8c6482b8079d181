#include "controlplane/train_gathered.h"

#include <stdio.h>

#include "drivers/memory.h"

enum result train_gathered_init(struct train_gathered *gathered, struct label_table *table)
{
    const struct label_column *label = label_table_columns(table, &gathered->column_count);
    gathered->table = table;
    buffer_init(&gathered->text, 0);
    gathered->line = heap_alloc(TRAIN_COLUMN_ROWS * sizeof(*gathered->line));
    gathered->column = heap_alloc_lines(gathered->column_count * sizeof(*gathered->column));
    bool good = gathered->line != NULL && gathered->column != NULL;
    for (uint32_t i = 0; good && i < gathered->column_count; i++) {
        struct parquet_column column = train_column_of_label(&label[i]);
        good = train_column_init(&gathered->column[i], &column) == RESULT_OK;
    }
    return good ? RESULT_OK : RESULT_NO_MEMORY;
}

void train_gathered_deinit(struct train_gathered *gathered)
{
    for (uint32_t i = 0; gathered->column != NULL && i < gathered->column_count; i++) {
        train_column_deinit(&gathered->column[i]);
    }
    heap_free(gathered->column);
    heap_free(gathered->line);
    buffer_deinit(&gathered->text);
}

/* Rows behind those that are here. */
static void batch_put(struct train_gathered *gathered, const struct label_batch *batch)
{
    const struct label_cell *cell = batch->cell;
    for (uint32_t row = 0; row < batch->rows; row++) {
        gathered->line[gathered->rows] = batch->line[row];
        for (uint32_t i = 0; i < gathered->column_count; i++) {
            train_column_put_cell(&gathered->column[i], gathered->rows, cell++, &gathered->text);
        }
        gathered->rows++;
    }
}

void train_gathered_read(struct train_gathered *gathered)
{
    struct label_batch batch = {.rows = 1};
    enum result result = RESULT_OK;
    gathered->rows = 0;
    gathered->text.size = 0;
    while (result == RESULT_OK && batch.rows > 0 && gathered->rows < TRAIN_COLUMN_ROWS) {
        result = label_table_next(gathered->table, TRAIN_COLUMN_ROWS - gathered->rows, &batch,
                                  gathered->error);
        if (result == RESULT_OK) {
            batch_put(gathered, &batch);
        }
    }
    if (result == RESULT_OK && gathered->text.failed) {
        (void)snprintf(gathered->error, sizeof(gathered->error), "no memory");
        result = RESULT_NO_MEMORY;
    }
    gathered->result = result;
}

void train_gathered_values(struct train_gathered *gathered, struct parquet_values *values)
{
    static const uint8_t of_all[TRAIN_COLUMN_ROWS];
    for (uint32_t i = 0; i < gathered->column_count; i++) {
        values[i] =
            train_column_values(&gathered->column[i], gathered->rows, &gathered->text, of_all);
    }
}
