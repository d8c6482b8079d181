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

static enum result time_find(struct train *train)
{
    const char *asked = train->options->time;
    train->time = asked == NULL ? TRAIN_COLUMN_NONE : label_table_column_find(train->labels, asked);
    if (asked != NULL && train->time < 0) {
        return train_fail(train, "%s: has no column `%s` (--time)", train->options->labels, asked);
    }
    for (uint32_t i = 0; asked == NULL && train->time < 0 && i < ARRAY_COUNT(usual_times); i++) {
        train->time = label_table_column_find(train->labels, usual_times[i]);
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

/* What stands in a cell that is wrong, for an error. */
static enum result cell_fail(struct train *train, const struct label_batch *batch, uint32_t row,
                             int column, const char *why)
{
    uint32_t columns;
    (void)label_table_columns(train->labels, &columns);
    const struct label_cell *cell = &batch->cell[(uint64_t)row * columns + (uint32_t)column];
    char place[PLACE_SIZE_MAX];
    label_place_format(train->labels, batch->line[row], (uint32_t)column, place, sizeof(place));
    return train_fail(train, "%s is `%.*s`: %s", place,
                      cell->is_null ? 4 : (int)(cell->size < 64 ? cell->size : 64),
                      cell->is_null ? "null" : cell->text, why);
}

static enum result time_read(struct train *train, const struct label_batch *batch, uint32_t row,
                             int column, int64_t *out_us)
{
    uint32_t columns;
    const struct label_column *known = label_table_columns(train->labels, &columns);
    const struct label_cell *cell = &batch->cell[(uint64_t)row * columns + (uint32_t)column];
    if (!cell->is_null && known[column].type == LABEL_TIME) {
        *out_us = cell->word;
        return RESULT_OK;
    }
    char text[TIME_TEXT_MAX];
    uint32_t size = cell->is_null || cell->size >= sizeof(text) ? 0 : cell->size;
    memcpy(text, cell->text == NULL ? "" : cell->text, size);
    text[size] = '\0';
    if (!verb_time_read(text, out_us)) {
        return cell_fail(train, batch, row, column,
                         "no time; microseconds since 1970, or as 2026-01-31T12:00:00Z");
    }
    return RESULT_OK;
}

/* A part of a key as keys are written: of several, '%' and '|' are encoded. */
static uint32_t part_write(const struct label_cell *cell, bool escapes, char *out)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < cell->size; i++) {
        char c = cell->text[i];
        if (escapes && (c == '%' || c == '|')) {
            memcpy(out + size, c == '%' ? "%25" : "%7C", 3);
            size += 3;
        } else {
            out[size++] = c;
        }
    }
    return size;
}

/* The key of a row's entity: *out_size 0 when it has none. */
static enum result key_read(struct train *train, const struct label_batch *batch, uint32_t row,
                            uint32_t e, struct train_part *part, const uint8_t **out_key,
                            uint16_t *out_size)
{
    const struct plan *plan = &train->config->plan;
    const struct plan_view *view = &plan->view[train->service->entity[e]];
    const struct train_entity *own = &train->entity[e];
    uint32_t columns;
    (void)label_table_columns(train->labels, &columns);
    char id[3 * KEY_SIZE_MAX + KEY_PARTS_MAX];
    uint32_t size = 0;
    *out_size = 0;
    for (uint32_t k = 0; k < own->part_count; k++) {
        const struct label_cell *cell =
            &batch->cell[(uint64_t)row * columns + (uint32_t)own->part[k]];
        size += k > 0 ? 1 : 0;
        if (cell->is_null || size + 3 * (uint64_t)cell->size > sizeof(id)) {
            return RESULT_OK; /* No key: nobody is meant. */
        }
        if (k > 0) {
            id[size - 1] = '|';
        }
        size += part_write(cell, own->part_count > 1, id + size);
    }
    uint8_t parsed[KEY_SIZE_MAX];
    *out_size = (uint16_t)key_parse(plan, view, id, size, parsed);
    uint8_t *key = chunks_take(&part->text, *out_size);
    if (key == NULL) {
        return RESULT_NO_MEMORY;
    }
    memcpy(key, parsed, *out_size);
    *out_key = key;
    return RESULT_OK;
}

static enum result request_read(struct train *train, const struct label_batch *batch, uint32_t row,
                                struct train_part *part)
{
    const struct plan_service *service = train->service;
    uint32_t columns;
    (void)label_table_columns(train->labels, &columns);
    int64_t *word = &part->request[(uint64_t)part->rows * SERVICE_REQUEST_MAX];
    part->request_null[part->rows] = UINT32_MAX;
    for (uint32_t i = 0; i < service->request_count; i++) {
        if (train->request[i] < 0) {
            continue;
        }
        const struct label_cell *cell =
            &batch->cell[(uint64_t)row * columns + (uint32_t)train->request[i]];
        if (cell->is_null || cell->size == 0) {
            if (!service->request[i].optional) {
                return cell_fail(train, batch, row, train->request[i],
                                 "requests need it: the field is not optional");
            }
            continue;
        }
        uint8_t *text = chunks_take(&part->text, cell->size);
        if (text == NULL) {
            return RESULT_NO_MEMORY;
        }
        memcpy(text, cell->text, cell->size);
        if (service_request_word(service, i, (const char *)text, cell->size, &word[i]) !=
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
