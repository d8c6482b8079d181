/* From rows of the label file to reads: which column is which, keys, times, request. */
#include <string.h>

#include "controlplane/service_request.h"
#include "controlplane/train_inside.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/key.h"
#include "drivers/memory.h"

#define TIME_TEXT_MAX  64u
#define PLACE_SIZE_MAX 256u

static const char *const usual_times[] = {"q", "time", "ts", "timestamp", "event_timestamp"};

/* Column `<name>_q`. */
static int own_time_find(const struct train *train, const char *name)
{
    char column[NAME_SIZE_MAX + 3];
    (void)snprintf(column, sizeof(column), "%s_q", name);
    return label_table_column_find(train->labels, column);
}

/* Columns of an entity's key: one of its name, or one for each part. */
static enum result entity_find(struct train *train, uint32_t e)
{
    const struct plan *plan = &train->config->plan;
    const struct plan_view *view = &plan->view[train->service->entity[e]];
    struct train_entity *own = &train->entity[e];
    own->time = own_time_find(train, view->entity);
    own->part[0] = label_table_column_find(train->labels, view->entity);
    own->part_count = 1;
    if (own->part[0] >= 0) {
        return RESULT_OK;
    }
    const struct schema *schema = &plan->stream[view->stream].schema;
    for (uint32_t k = 0; k < view->key_count; k++) {
        const char *name = schema->field[view->key_field[k]].name;
        own->part[k] = label_table_column_find(train->labels, name);
        if (own->part[k] < 0) {
            return train_fail(train, "%s: has no column `%s` for the keys of entity `%s`%s%s%s",
                              train->options->labels, view->entity, view->entity,
                              view->key_count > 1 ? ", nor `" : "", view->key_count > 1 ? name : "",
                              view->key_count > 1 ? "`" : "");
        }
    }
    own->part_count = view->key_count;
    return RESULT_OK;
}

static bool column_is_key(const struct train *train, int column)
{
    bool is_key = false;
    for (uint32_t e = 0; e < train->service->entity_count; e++) {
        for (uint32_t k = 0; k < train->entity[e].part_count; k++) {
            is_key = is_key || train->entity[e].part[k] == column;
        }
    }
    return is_key;
}

/* The first of the usual ones that is no key. */
static int usual_time_find(const struct train *train)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(usual_times); i++) {
        int column = label_table_column_find(train->labels, usual_times[i]);
        if (column >= 0 && !column_is_key(train, column)) {
            return column;
        }
    }
    return TRAIN_COLUMN_NONE;
}

static enum result time_find(struct train *train)
{
    const char *asked = train->options->time;
    train->time =
        asked == NULL ? usual_time_find(train) : label_table_column_find(train->labels, asked);
    if (asked != NULL && train->time < 0) {
        return train_fail(train, "%s: has no column `%s` (--time)", train->options->labels, asked);
    }
    bool all_own = true;
    for (uint32_t v = 0; v < train->view_count; v++) {
        struct train_view *view = &train->view[v];
        view->time = own_time_find(train, train->config->plan.view[view->view].name);
        view->time = view->time < 0 ? train->entity[view->entity].time : view->time;
        all_own = all_own && view->time >= 0;
    }
    if (train->time < 0 && !all_own) {
        return train_fail(train,
                          "%s: has no column that says when: `q`, `time`, `ts`, `timestamp` or "
                          "`event_timestamp`; name another by --time",
                          train->options->labels);
    }
    return RESULT_OK;
}

enum result train_columns_find(struct train *train)
{
    for (uint32_t e = 0; e < train->service->entity_count; e++) {
        enum result result = entity_find(train, e);
        if (result != RESULT_OK) {
            return result;
        }
    }
    for (uint32_t i = 0; !train->options->from_logged && i < train->service->request_count; i++) {
        const struct schema_field *field = &train->service->request[i];
        train->request[i] = label_table_column_find(train->labels, field->name);
        if (train->request[i] < 0 && !field->optional) {
            return train_fail(train, "%s: has no column `%s`, which requests of `%s` need",
                              train->options->labels, field->name, train->service->name);
        }
    }
    return time_find(train);
}

/* A row's cell of a column, which *out_known says more of. */
static const struct label_cell *cell_of(const struct train *train, const struct label_batch *batch,
                                        uint32_t row, int column,
                                        const struct label_column **out_known)
{
    uint32_t columns;
    *out_known = &label_table_columns(train->labels, &columns)[column];
    return &batch->cell[(uint64_t)row * columns + (uint32_t)column];
}

/* What stands in a cell that is wrong, for an error. */
static enum result cell_fail(struct train *train, const struct label_batch *batch, uint32_t row,
                             int column, const char *why)
{
    const struct label_column *known;
    const struct label_cell *cell = cell_of(train, batch, row, column, &known);
    char place[PLACE_SIZE_MAX];
    char space[LABEL_NUMBER_SIZE_MAX];
    uint32_t size = 4;
    const char *text = cell->is_null ? "null" : label_cell_text(known, cell, space, &size);
    label_place_format(train->labels, batch->line[row], (uint32_t)column, place, sizeof(place));
    return train_fail(train, "%s is `%.*s`: %s", place, (int)(size < 64 ? size : 64), text, why);
}

static enum result time_parse(struct train *train, const struct label_batch *batch, uint32_t row,
                              int column, int64_t *out_us)
{
    const struct label_column *known;
    const struct label_cell *cell = cell_of(train, batch, row, column, &known);
    char text[TIME_TEXT_MAX] = "";
    char space[LABEL_NUMBER_SIZE_MAX];
    uint32_t size = 0;
    const char *found = cell->is_null ? NULL : label_cell_text(known, cell, space, &size);
    if (found != NULL && size < sizeof(text)) {
        memcpy(text, found, size);
    }
    if (!verb_time_read(text, out_us)) {
        return cell_fail(train, batch, row, column,
                         "no time; microseconds since 1970, or as 2026-01-31T12:00:00Z");
    }
    return RESULT_OK;
}

static enum result time_read(struct train *train, const struct label_batch *batch, uint32_t row,
                             int column, int64_t *out_us)
{
    const struct label_column *known;
    const struct label_cell *cell = cell_of(train, batch, row, column, &known);
    if (!cell->is_null && known->type == LABEL_TIME) {
        *out_us = cell->word;
        return RESULT_OK;
    }
    return time_parse(train, batch, row, column, out_us);
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

static enum result key_keep(struct train_part *part, const uint8_t *key, uint32_t size,
                            const uint8_t **out_key, uint16_t *out_size)
{
    uint8_t *kept = chunks_take(&part->text, size);
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
key_of_texts(const struct train *train, const struct label_batch *batch, uint32_t row, uint32_t e,
             struct train_part *part, const uint8_t **out_key, uint16_t *out_size)
{
    const struct plan *plan = &train->config->plan;
    const struct train_entity *own = &train->entity[e];
    char id[3 * KEY_SIZE_MAX + KEY_PARTS_MAX];
    uint32_t size = 0;
    for (uint32_t k = 0; k < own->part_count; k++) {
        const struct label_column *known;
        const struct label_cell *cell = cell_of(train, batch, row, own->part[k], &known);
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
    return key_keep(part, parsed, size, out_key, out_size);
}

/* Keys that are a number, and come as one. */
static bool key_is_number(const struct train *train, const struct plan_view *view,
                          const struct label_column *column)
{
    return key_has_column(view, &train->config->plan.stream[view->stream].schema, view->stream) &&
           (column->type == LABEL_INTEGER || column->type == LABEL_UNSIGNED);
}

/* The key of a row's entity: *out_size 0 when it has none. */
static enum result key_read(struct train *train, const struct label_batch *batch, uint32_t row,
                            uint32_t e, struct train_part *part, const uint8_t **out_key,
                            uint16_t *out_size)
{
    const struct plan *plan = &train->config->plan;
    const struct plan_view *view = &plan->view[train->service->entity[e]];
    const struct label_column *known;
    const struct label_cell *cell = cell_of(train, batch, row, train->entity[e].part[0], &known);
    uint8_t key[sizeof(cell->word)];
    *out_size = 0;
    if (!key_is_number(train, view, known)) {
        return key_of_texts(train, batch, row, e, part, out_key, out_size);
    }
    if (cell->is_null) {
        return RESULT_OK;
    }
    uint32_t size = key_of_number(plan, view, cell->word, known->type == LABEL_UNSIGNED, key);
    return key_keep(part, key, size, out_key, out_size);
}

static enum result request_read(struct train *train, const struct label_batch *batch, uint32_t row,
                                struct train_part *part)
{
    const struct plan_service *service = train->service;
    int64_t *word = &part->request[(uint64_t)part->rows * SERVICE_REQUEST_MAX];
    part->request_null[part->rows] = UINT32_MAX;
    for (uint32_t i = 0; i < service->request_count; i++) {
        if (train->request[i] < 0) {
            continue;
        }
        const struct label_column *known;
        const struct label_cell *cell = cell_of(train, batch, row, train->request[i], &known);
        char space[LABEL_NUMBER_SIZE_MAX];
        uint32_t size = 0;
        const char *found = cell->is_null ? NULL : label_cell_text(known, cell, space, &size);
        if (size == 0) {
            if (!service->request[i].optional) {
                return cell_fail(train, batch, row, train->request[i],
                                 "requests need it: the field is not optional");
            }
            continue;
        }
        uint8_t *text = chunks_take(&part->text, size);
        if (text == NULL) {
            return RESULT_NO_MEMORY;
        }
        memcpy(text, found, size);
        if (service_request_word(service, i, (const char *)text, size, &word[i]) !=
            SERVICE_REQUEST_GOOD) {
            return cell_fail(train, batch, row, train->request[i],
                             "not what the service's request allows");
        }
        part->request_null[part->rows] &= ~(1u << i);
    }
    return RESULT_OK;
}

/* The reads of one row. */
static enum result row_read_make(struct train *train, const struct label_batch *batch, uint32_t row,
                                 struct train_part *part)
{
    const struct plan_service *service = train->service;
    const uint8_t *key[SERVICE_ENTITIES_MAX] = {0};
    uint16_t key_size[SERVICE_ENTITIES_MAX] = {0};
    for (uint32_t e = 0; e < service->entity_count; e++) {
        enum result result = key_read(train, batch, row, e, part, &key[e], &key_size[e]);
        if (result != RESULT_OK) {
            return result;
        }
    }
    for (uint32_t v = 0; v < train->view_count; v++) {
        const struct train_view *view = &train->view[v];
        int64_t q_us;
        enum result result =
            time_read(train, batch, row, view->time >= 0 ? view->time : train->time, &q_us);
        if (result != RESULT_OK) {
            return result;
        }
        uint64_t number = (uint64_t)part->rows * train->view_count + v;
        part->read[number] = (struct history_read){.view = view->view,
                                                   .key = key[view->entity],
                                                   .key_size = key_size[view->entity],
                                                   .time = READ_NOW,
                                                   .known_us = q_us,
                                                   .feature_count = view->count,
                                                   .feature = &train->feature[view->first],
                                                   .number = number};
    }
    bool asks = service->request_count > 0 && !train->options->from_logged;
    return asks ? request_read(train, batch, row, part) : RESULT_OK;
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
        for (uint32_t row = 0; result == RESULT_OK && row < batch.rows; row++) {
            result = row_read_make(train, &batch, row, part);
            part->rows++;
        }
    }
    return result;
}

void train_part_free(struct train_part *part)
{
    chunks_free(&part->text);
    memory_unmap(&part->region);
    heap_free(part->request);
    heap_free(part->request_null);
    *part = (struct train_part){.rows = 0};
}
