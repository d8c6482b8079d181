/* Columns of a training set in memory, some rows at a time: what a Parquet writer takes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/buffer.h"
#include "controlplane/label_table.h"
#include "controlplane/parquet_writer.h"
#include "dataplane/feature/answer.h"
#include "dataplane/feature/plan.h"

/* Rows that a column holds. */
#define TRAIN_COLUMN_ROWS 8192u

struct train_column {
    struct parquet_column parquet;
    uint8_t *data;  /* Owned; of strings places in the text that is shared. */
    uint8_t *valid; /* Owned. */
};

/* What a feature's or value's column holds: the same whatever the values are. */
struct parquet_column train_column_of_item(const struct plan *plan,
                                           const struct plan_service *service, uint32_t item);
struct parquet_column train_column_of_label(const struct label_column *label);

MUST_USE enum result train_column_init(struct train_column *column,
                                       const struct parquet_column *parquet);
void train_column_deinit(struct train_column *column);

/* Put a value into a row. False: the column cannot hold it. text: where strings go. */
bool train_column_put_answer(struct train_column *column, uint32_t row, const struct answer *answer,
                             struct buffer *text);
/* The same of a label, which its column holds. */
void train_column_put_cell(struct train_column *column, uint32_t row, const struct label_cell *cell,
                           struct buffer *text);
void train_column_put_null(struct train_column *column, uint32_t row);
/* A status's name, which train_texts_begin() wrote into the row's text. */
void train_column_put_status(struct train_column *column, uint32_t row, enum answer_status status);
/* Makes a text empty but for the names of statuses: many rows have one, written once. */
void train_texts_begin(struct buffer *text);
/* Points strings at the texts, which change no more; then its values. text[owner[i]] has those of
 * row i. */
struct parquet_values train_column_values(struct train_column *column, uint32_t rows,
                                          const struct buffer *text, const uint8_t *owner);
