/* From rows of the label file to reads: keys, times, requests. */
#include <stdatomic.h>
#include <string.h>

#include "controlplane/service_request.h"
#include "controlplane/threads.h"
#include "controlplane/train_inside.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/key.h"
#include "drivers/memory.h"

#define TIME_TEXT_MAX  64u
#define PLACE_SIZE_MAX 256u
#define SLICE_ROWS     256u

/* One row of a batch. */
struct label_row {
    struct train *train;
    const struct label_batch *batch;
    uint32_t number;         /* In the batch, */
    uint32_t index;          /* and in the part */
    struct train_part *part; /* that its reads go to. */
    struct chunks *text;     /* Of the part, this thread's. */
    bool tells;              /* What is wrong with it: the caller's thread alone. */
};

/* A row's cell of a column, which *out_known says more of. */
static const struct label_cell *cell_of(const struct label_row *row, int column,
                                        const struct label_column **out_known)
{
    uint32_t columns;
    *out_known = &label_table_columns(row->train->labels, &columns)[column];
    return &row->batch->cell[(uint64_t)row->number * columns + (uint32_t)column];
}

/* What stands in a cell that is wrong, for an error. */
static enum result cell_fail(const struct label_row *row, int column, const char *why)
{
    if (!row->tells) {
        return RESULT_INVALID;
    }
    const struct label_table *labels = row->train->labels;
    const struct label_column *known;
    const struct label_cell *cell = cell_of(row, column, &known);
    char place[PLACE_SIZE_MAX];
    char space[LABEL_NUMBER_SIZE_MAX];
    uint32_t size = 4;
    const char *text = cell->is_null ? "null" : label_cell_text(known, cell, space, &size);
    label_place_format(labels, row->batch->line[row->number], (uint32_t)column, place,
                       sizeof(place));
    return train_fail(row->train, "%s is `%.*s`: %s", place, (int)(size < 64 ? size : 64), text,
                      why);
}

static enum result time_parse(const struct label_row *row, int column, int64_t *out_us)
{
    const struct label_column *known;
    const struct label_cell *cell = cell_of(row, column, &known);
    char text[TIME_TEXT_MAX] = "";
    char space[LABEL_NUMBER_SIZE_MAX];
    uint32_t size = 0;
    const char *found = cell->is_null ? NULL : label_cell_text(known, cell, space, &size);
    if (found != NULL && size < sizeof(text)) {
        memcpy(text, found, size);
    }
    if (!verb_time_read(text, out_us)) {
        return cell_fail(row, column,
                         "no time; microseconds since 1970, or as 2026-01-31T12:00:00Z");
    }
    return RESULT_OK;
}

static enum result time_read(const struct label_row *row, int column, int64_t *out_us)
{
    const struct label_column *known;
    const struct label_cell *cell = cell_of(row, column, &known);
    if (!cell->is_null && known->type == LABEL_TIME) {
        *out_us = cell->word;
        return RESULT_OK;
    }
    return time_parse(row, column, out_us);
}

/* A part of a key as keys are written: of several, '%' and '|' are encoded. */
static uint32_t part_write(const char *text, uint32_t text_size, bool escapes, char *out)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < text_size; i++) {
        char c = text[i];
        if (escapes && (c == '%' || c == '|')) {
            memcpy(out + size, c == '%' ? "%25" : "%7C", 3);
            size += 3;
        } else {
            out[size++] = c;
        }
    }
    return size;
}

static enum result key_keep(const struct label_row *row, const uint8_t *key, uint32_t size,
                            const uint8_t **out_key, uint16_t *out_size)
{
    uint8_t *kept = chunks_take(row->text, size);
    if (kept == NULL) {
        return RESULT_NO_MEMORY;
    }
    memcpy(kept, key, size);
    *out_key = kept;
    *out_size = (uint16_t)size;
    return RESULT_OK;
}

/* A key that is text, or has several parts. Apart, as most are numbers: its memory is zeroed. */
__attribute__((noinline)) static enum result
key_of_texts(const struct label_row *row, uint32_t e, const uint8_t **out_key, uint16_t *out_size)
{
    const struct train *train = row->train;
    const struct plan *plan = &train->config->plan;
    const struct train_entity *own = &train->entity[e];
    char id[3 * KEY_SIZE_MAX + KEY_PARTS_MAX];
    uint32_t size = 0;
    for (uint32_t k = 0; k < own->part_count; k++) {
        const struct label_column *known;
        const struct label_cell *cell = cell_of(row, own->part[k], &known);
        char space[LABEL_NUMBER_SIZE_MAX];
        uint32_t text_size = 0;
        const char *text = cell->is_null ? NULL : label_cell_text(known, cell, space, &text_size);
        size += k > 0 ? 1 : 0;
        if (text == NULL || size + 3 * (uint64_t)text_size > sizeof(id)) {
            return RESULT_OK; /* No key: nobody is meant. */
        }
        if (k > 0) {
            id[size - 1] = '|';
        }
        size += part_write(text, text_size, own->part_count > 1, id + size);
    }
    uint8_t parsed[KEY_SIZE_MAX];
    size = key_parse(plan, &plan->view[train->service->entity[e]], id, size, parsed);
    return key_keep(row, parsed, size, out_key, out_size);
}

/* Keys that are a number, and come as one. */
static bool key_is_number(const struct train *train, const struct plan_view *view,
                          const struct label_column *column)
{
    return key_has_column(view, &train->config->plan.stream[view->stream].schema, view->stream) &&
           (column->type == LABEL_INTEGER || column->type == LABEL_UNSIGNED);
}

/* The key of a row's entity: *out_size 0 when it has none. */
static enum result key_read(const struct label_row *row, uint32_t e, const uint8_t **out_key,
                            uint16_t *out_size)
{
    const struct train *train = row->train;
    const struct plan *plan = &train->config->plan;
    const struct plan_view *view = &plan->view[train->service->entity[e]];
    const struct label_column *known;
    const struct label_cell *cell = cell_of(row, train->entity[e].part[0], &known);
    uint8_t key[sizeof(cell->word)];
    *out_size = 0;
    if (!key_is_number(train, view, known)) {
        return key_of_texts(row, e, out_key, out_size);
    }
    if (cell->is_null) {
        return RESULT_OK;
    }
    uint32_t size = key_of_number(plan, view, cell->word, known->type == LABEL_UNSIGNED, key);
    return key_keep(row, key, size, out_key, out_size);
}

static enum result request_read(const struct label_row *row)
{
    const struct train *train = row->train;
    const struct plan_service *service = train->service;
    int64_t *word = &row->part->request[(uint64_t)row->index * SERVICE_REQUEST_MAX];
    uint32_t null = UINT32_MAX;
    for (uint32_t i = 0; i < service->request_count; i++) {
        if (train->request[i] < 0) {
            continue;
        }
        const struct label_column *known;
        const struct label_cell *cell = cell_of(row, train->request[i], &known);
        char space[LABEL_NUMBER_SIZE_MAX];
        uint32_t size = 0;
        const char *found = cell->is_null ? NULL : label_cell_text(known, cell, space, &size);
        if (size == 0) {
            if (!service->request[i].optional) {
                return cell_fail(row, train->request[i],
                                 "requests need it: the field is not optional");
            }
            continue;
        }
        uint8_t *text = chunks_take(row->text, size);
        if (text == NULL) {
            return RESULT_NO_MEMORY;
        }
        memcpy(text, found, size);
        if (service_request_word(service, i, (const char *)text, size, &word[i]) !=
            SERVICE_REQUEST_GOOD) {
            return cell_fail(row, train->request[i], "not what the service's request allows");
        }
        null &= ~(1u << i);
    }
    row->part->request_null[row->index] = null;
    return RESULT_OK;
}

/* The reads of one row. */
static enum result row_read_make(const struct label_row *row)
{
    const struct train *train = row->train;
    const struct plan_service *service = train->service;
    const uint8_t *key[SERVICE_ENTITIES_MAX] = {0};
    uint16_t key_size[SERVICE_ENTITIES_MAX] = {0};
    for (uint32_t e = 0; e < service->entity_count; e++) {
        enum result result = key_read(row, e, &key[e], &key_size[e]);
        if (result != RESULT_OK) {
            return result;
        }
    }
    for (uint32_t v = 0; v < train->view_count; v++) {
        const struct train_view *view = &train->view[v];
        int64_t q_us;
        enum result result = time_read(row, view->time >= 0 ? view->time : train->time, &q_us);
        if (result != RESULT_OK) {
            return result;
        }
        uint64_t number = (uint64_t)row->index * train->view_count + v;
        row->part->read[number] = (struct history_read){.view = view->view,
                                                        .key = key[view->entity],
                                                        .key_size = key_size[view->entity],
                                                        .time = READ_NOW,
                                                        .known_us = q_us,
                                                        .feature_count = view->count,
                                                        .feature = &train->feature[view->first],
                                                        .number = number};
    }
    bool asks = service->request_count > 0 && !train->options->from_logged;
    return asks ? request_read(row) : RESULT_OK;
}

static enum result part_alloc(struct train *train, uint32_t rows, struct train_part *part)
{
    uint64_t count = rows;
    uint64_t fields = train->service->request_count == 0 ? 0 : SERVICE_REQUEST_MAX;
    uint64_t reads = count * train->view_count * sizeof(struct history_read);
    enum result result = memory_map(reads + 1, /* touch= */ 0, &part->region);
    part->read = part->region.base;
    part->request = heap_alloc((count * fields + 1) * sizeof(*part->request));
    part->request_null = heap_alloc((count + 1) * sizeof(*part->request_null));
    return result != RESULT_OK || part->request == NULL || part->request_null == NULL
               ? RESULT_NO_MEMORY
               : RESULT_OK;
}

/* Rows of a batch that threads take. */
struct batch_task {
    struct train *train;
    const struct label_batch *batch;
    struct train_part *part;
    /* Some row is wrong, or has no memory. It says nothing else. */
    _Atomic bool shared_failed;
};

static void slice_read(void *context, uint32_t slice, uint32_t member)
{
    struct batch_task *task = context;
    uint32_t first = slice * SLICE_ROWS;
    uint32_t left = task->batch->rows - first;
    uint32_t end = first + (left < SLICE_ROWS ? left : SLICE_ROWS);
    struct label_row row = {.train = task->train,
                            .batch = task->batch,
                            .part = task->part,
                            .text = &task->part->text[member]};
    for (row.number = first; row.number < end; row.number++) {
        row.index = task->part->rows + row.number;
        if (row_read_make(&row) != RESULT_OK) {
            atomic_store_explicit(&task->shared_failed, true, memory_order_relaxed);
            return;
        }
    }
}

/* The first row that is wrong, once more, and what is wrong with it. */
static enum result batch_fail(struct batch_task *task)
{
    struct label_row row = {.train = task->train,
                            .batch = task->batch,
                            .part = task->part,
                            .text = &task->part->text[0],
                            .tells = true};
    enum result result = RESULT_OK;
    for (; result == RESULT_OK && row.number < task->batch->rows; row.number++) {
        row.index = task->part->rows + row.number;
        result = row_read_make(&row);
    }
    return result == RESULT_OK ? RESULT_NO_MEMORY : result;
}

static enum result batch_read(struct train *train, const struct label_batch *batch,
                              struct train_part *part)
{
    struct batch_task task = {.train = train, .batch = batch, .part = part};
    uint32_t slices = (uint32_t)div_ceil(batch->rows, SLICE_ROWS);
    threads_run(train->threads, slices, slice_read, &task);
    if (atomic_load_explicit(&task.shared_failed, memory_order_relaxed)) {
        return batch_fail(&task);
    }
    part->rows += batch->rows;
    return RESULT_OK;
}

enum result train_part_read(struct train *train, uint32_t rows_max, struct train_part *part)
{
    *part = (struct train_part){.rows = 0};
    enum result result = part_alloc(train, rows_max, part);
    while (result == RESULT_OK && part->rows < rows_max) {
        struct label_batch batch;
        char error[LABEL_ERROR_SIZE_MAX];
        result = label_table_next(train->labels, rows_max - part->rows, &batch, error);
        if (result != RESULT_OK) {
            return train_fail(train, "%s", error);
        }
        if (batch.rows == 0) {
            break;
        }
        result = batch_read(train, &batch, part);
    }
    return result;
}

void train_part_free(struct train_part *part)
{
    for (uint32_t m = 0; m < THREADS_MAX; m++) {
        chunks_free(&part->text[m]);
    }
    memory_unmap(&part->region);
    heap_free(part->request);
    heap_free(part->request_null);
    *part = (struct train_part){.rows = 0};
}
