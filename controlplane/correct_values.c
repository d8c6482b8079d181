#include "controlplane/correct_values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/buffer.h"
#include "controlplane/mirror_history.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/answer.h"
#include "dataplane/feature/key.h"
#include "drivers/cpu.h"
#include "drivers/memory.h"

#define HISTORY_BYTES (1 * GIB)
/* Answers of one pass over the logs; an answer has some 140 bytes. */
#define ANSWERS_MAX   UINT64_C(1000000)
#define TEXT_NONE     UINT64_MAX
#define KEY_TEXT_SIZE (3u * KEY_SIZE_MAX + 64u)

/* A row that the run is about. */
struct row {
    uint16_t view;
    uint16_t key_size;
    const uint8_t *key; /* In the run's rows. */
    uint32_t change;    /* Of its changes, the first, */
    uint32_t changes;   /* and how many. */
};

/* A text: where it stands in the run's texts. */
struct value {
    enum answer_status status;
    uint64_t at; /* TEXT_NONE: there is no value. */
};

struct change {
    uint16_t feature;
    struct value before;
    struct value after;
};

struct correct_values {
    struct correct_values_options options;
    struct mirror_history *history;
    uint16_t *feature; /* Owned: all of the plan, in order. */
    /* The run that was read. */
    bool has_run;
    int64_t made_us;
    int64_t at_us;
    struct row_set rows;
    void *rows_memory; /* Owned. */
    struct row *row;   /* Owned; by view and key. */
    uint32_t row_count;
    struct change *change; /* Owned. */
    uint32_t change_count;
    uint32_t change_capacity;
    struct buffer texts; /* Each with its NUL. */
};

static enum result no_memory(char error[CORRECT_ERROR_SIZE_MAX])
{
    (void)snprintf(error, CORRECT_ERROR_SIZE_MAX, "no memory");
    return RESULT_NO_MEMORY;
}

enum result correct_values_open(const struct correct_values_options *options,
                                struct correct_values **out_values,
                                char error[CORRECT_ERROR_SIZE_MAX])
{
    uint16_t cores[CPU_COUNT_MAX];
    char why[MIRROR_HISTORY_ERROR_SIZE_MAX];
    const struct mirror_history_options history = {.directory = options->directory,
                                                   .plan = options->plan,
                                                   .mode = HISTORY_KNOWN,
                                                   .thread_count = cpu_list(cores),
                                                   .memory_bytes = HISTORY_BYTES};
    struct correct_values *values = heap_alloc_lines(sizeof(*values));
    if (values == NULL) {
        return no_memory(error);
    }
    values->options = *options;
    buffer_init(&values->texts, 0);
    values->feature = heap_alloc((options->plan->feature_count + 1) * sizeof(*values->feature));
    enum result result = values->feature == NULL ? no_memory(error) : RESULT_OK;
    for (uint32_t f = 0; result == RESULT_OK && f < options->plan->feature_count; f++) {
        values->feature[f] = (uint16_t)f;
    }
    if (result == RESULT_OK) {
        result = mirror_history_open(&history, &values->history, why);
        (void)snprintf(error, CORRECT_ERROR_SIZE_MAX, "%.500s", result == RESULT_OK ? "" : why);
    }
    if (result != RESULT_OK) {
        correct_values_close(values);
        return result;
    }
    *out_values = values;
    return RESULT_OK;
}

static void run_forget(struct correct_values *values)
{
    heap_free(values->rows_memory);
    heap_free(values->row);
    heap_free(values->change);
    buffer_deinit(&values->texts);
    buffer_init(&values->texts, 0);
    values->rows_memory = NULL;
    values->row = NULL;
    values->change = NULL;
    values->row_count = values->change_count = values->change_capacity = 0;
    values->has_run = false;
}

void correct_values_close(struct correct_values *values)
{
    if (values != NULL) {
        run_forget(values);
        buffer_deinit(&values->texts);
        mirror_history_close(values->history);
        heap_free(values->feature);
        heap_free(values);
    }
}

/* Records of a run, and the earlier ones of the same events: what those said is what was before. */
static enum result about_find(const struct corrections *corrections, int64_t made_us, uint32_t only,
                              struct correction **out_record, uint32_t *out_count)
{
    struct correction *among = heap_alloc((corrections->count + 1) * sizeof(*among));
    struct correction *run = heap_alloc((corrections->count + 1) * sizeof(*run));
    uint32_t run_count = 0;
    *out_count = 0;
    if (among == NULL || run == NULL) {
        heap_free(among);
        heap_free(run);
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < corrections->count; i++) {
        const struct correction *record = &corrections->record[i];
        bool ours = only == UINT32_MAX ? record->made_us == made_us : i == only;
        if (ours && record->kind != CORRECTION_REBUILT) {
            run[run_count++] = *record;
        }
    }
    struct correction_set set;
    correction_set_init(&set, run, run_count);
    for (uint32_t i = 0; i < corrections->count; i++) {
        const struct correction *record = &corrections->record[i];
        bool same = record->kind != CORRECTION_REBUILT && record->made_us <= made_us &&
                    correction_find(&set, record->shard, record->lsn) != NULL;
        if (same) {
            among[(*out_count)++] = *record;
        }
    }
    heap_free(run);
    *out_record = among;
    return RESULT_OK;
}

static int row_compare(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    if (a->view != b->view) {
        return a->view < b->view ? -1 : 1;
    }
    uint32_t size = a->key_size < b->key_size ? a->key_size : b->key_size;
    int order = memcmp(a->key, b->key, size);
    return order != 0 ? order : (a->key_size > b->key_size) - (a->key_size < b->key_size);
}

static enum result rows_find(struct correct_values *values)
{
    struct correction *about;
    uint32_t count;
    enum result result =
        about_find(values->options.corrections, values->made_us, UINT32_MAX, &about, &count);
    if (result != RESULT_OK) {
        return result;
    }
    result = corrections_rows_of(about, count, values->options.plan, &values->rows,
                                 &values->rows_memory);
    heap_free(about);
    if (result != RESULT_OK || values->rows.count == 0) {
        return result;
    }
    values->row = heap_alloc(values->rows.count * sizeof(*values->row));
    if (values->row == NULL) {
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i <= values->rows.mask; i++) {
        const struct row_set_entry *entry = &values->rows.place[i];
        if (entry->key_size > 0) {
            values->row[values->row_count++] =
                (struct row){.view = entry->view,
                             .key_size = entry->key_size,
                             .key = values->rows.keys + entry->key_at};
        }
    }
    qsort(values->row, values->row_count, sizeof(*values->row), row_compare);
    return RESULT_OK;
}

static struct value value_note(struct correct_values *values, const struct answer *answer)
{
    char space[ANSWER_TEXT_SIZE_MAX];
    uint32_t size;
    if (answer->status == ANSWER_NOT_FOUND || answer->kind == VALUE_NULL) {
        return (struct value){.status = answer->status, .at = TEXT_NONE};
    }
    const char *text = answer_text(answer, space, &size);
    struct value value = {.status = answer->status, .at = values->texts.size};
    buffer_write(&values->texts, text, size);
    buffer_write(&values->texts, "", 1);
    return value;
}

static bool value_is_same(const struct correct_values *values, struct value value,
                          const struct answer *answer)
{
    char space[ANSWER_TEXT_SIZE_MAX];
    uint32_t size;
    bool none = answer->status == ANSWER_NOT_FOUND || answer->kind == VALUE_NULL;
    if (value.status != answer->status || none || value.at == TEXT_NONE) {
        return value.status == answer->status && none && value.at == TEXT_NONE;
    }
    const char *text = answer_text(answer, space, &size);
    const char *noted = values->texts.data + value.at;
    return strlen(noted) == size && memcmp(noted, text, size) == 0;
}

static bool change_push(struct correct_values *values, const struct change *change)
{
    if (values->change_count == values->change_capacity) {
        uint32_t capacity = values->change_capacity == 0 ? 64 : values->change_capacity * 2;
        struct change *grown = heap_realloc(values->change, capacity * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        values->change = grown;
        values->change_capacity = capacity;
    }
    values->change[values->change_count++] = *change;
    return true;
}

/* Some rows, and their answers: without the run's corrections, then with them. */
struct batch {
    struct row *row;
    uint32_t row_count;
    uint32_t answer_count;
    struct history_read *read;
    struct answer *answer;
    struct value *before; /* By answer. */
};

static void batch_free(struct batch *batch)
{
    heap_free(batch->read);
    heap_free(batch->answer);
    heap_free(batch->before);
}

static bool batch_alloc(struct batch *batch)
{
    batch->read = heap_alloc(batch->row_count * sizeof(*batch->read));
    batch->answer = heap_alloc(batch->answer_count * sizeof(*batch->answer));
    batch->before = heap_alloc(batch->answer_count * sizeof(*batch->before));
    return batch->read != NULL && batch->answer != NULL && batch->before != NULL;
}

static enum result batch_answer(struct correct_values *values, struct batch *batch,
                                uint64_t number_last, char error[CORRECT_ERROR_SIZE_MAX])
{
    char why[MIRROR_HISTORY_ERROR_SIZE_MAX];
    struct answer *answer = batch->answer;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        const struct row *row = &batch->row[i];
        const struct plan_view *view = &values->options.plan->view[row->view];
        batch->read[i] = (struct history_read){.view = row->view,
                                               .key_size = row->key_size,
                                               .key = row->key,
                                               .time = READ_AT,
                                               .at_us = values->at_us,
                                               .known_us = values->at_us,
                                               .feature_count = view->feature_count,
                                               .feature = &values->feature[view->feature_first],
                                               .answer = answer};
        answer += view->feature_count;
    }
    mirror_history_corrections_set(values->history, number_last);
    enum result result = mirror_history_read(values->history, batch->read, batch->row_count, why);
    if (result != RESULT_OK) {
        (void)snprintf(error, CORRECT_ERROR_SIZE_MAX, "%.500s", why);
    }
    return result;
}

static enum result batch_compare(struct correct_values *values, struct batch *batch,
                                 char error[CORRECT_ERROR_SIZE_MAX])
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        struct row *row = &batch->row[i];
        const struct plan_view *view = &values->options.plan->view[row->view];
        row->change = values->change_count;
        for (uint32_t f = 0; f < view->feature_count; f++, at++) {
            if (value_is_same(values, batch->before[at], &batch->answer[at])) {
                continue;
            }
            struct change change = {.feature = (uint16_t)(view->feature_first + f),
                                    .before = batch->before[at],
                                    .after = value_note(values, &batch->answer[at])};
            if (!change_push(values, &change)) {
                return no_memory(error);
            }
        }
        row->changes = values->change_count - row->change;
    }
    return values->texts.failed ? no_memory(error) : RESULT_OK;
}

static enum result batch_read(struct correct_values *values, struct batch *batch,
                              uint64_t number_before, uint64_t number_last,
                              char error[CORRECT_ERROR_SIZE_MAX])
{
    if (!batch_alloc(batch)) {
        return no_memory(error);
    }
    enum result result = batch_answer(values, batch, number_before, error);
    for (uint32_t i = 0; i < batch->answer_count && result == RESULT_OK; i++) {
        batch->before[i] = value_note(values, &batch->answer[i]);
    }
    if (result == RESULT_OK && values->texts.failed) {
        result = no_memory(error);
    }
    result = result == RESULT_OK ? batch_answer(values, batch, number_last, error) : result;
    return result == RESULT_OK ? batch_compare(values, batch, error) : result;
}

/* Rows from one on, as many as one pass has room for. */
static struct batch batch_of(const struct correct_values *values, uint32_t first)
{
    struct batch batch = {.row = &values->row[first]};
    for (uint32_t i = first; i < values->row_count; i++) {
        uint32_t features = values->options.plan->view[values->row[i].view].feature_count;
        if (batch.row_count > 0 && batch.answer_count + features > ANSWERS_MAX) {
            break;
        }
        batch.answer_count += features;
        batch.row_count++;
    }
    return batch;
}

static enum result rows_read(struct correct_values *values, uint64_t number_before,
                             uint64_t number_last, char error[CORRECT_ERROR_SIZE_MAX])
{
    enum result result = RESULT_OK;
    for (uint32_t first = 0; first < values->row_count && result == RESULT_OK;) {
        struct batch batch = batch_of(values, first);
        result = batch_read(values, &batch, number_before, number_last, error);
        batch_free(&batch);
        first += batch.row_count;
    }
    return result;
}

enum result correct_values_read(struct correct_values *values, uint32_t record,
                                char error[CORRECT_ERROR_SIZE_MAX])
{
    const struct corrections *corrections = values->options.corrections;
    int64_t made_us = corrections->record[record].made_us;
    uint64_t number_first = UINT64_MAX;
    uint64_t number_last = 0;
    if (values->has_run && values->made_us == made_us) {
        return RESULT_OK;
    }
    run_forget(values);
    for (uint32_t i = 0; i < corrections->count; i++) {
        const struct correction *own = &corrections->record[i];
        if (own->kind != CORRECTION_REBUILT && own->made_us == made_us) {
            number_first = own->number < number_first ? own->number : number_first;
            number_last = own->number > number_last ? own->number : number_last;
        }
    }
    values->made_us = made_us;
    values->at_us = values->options.at_us == NULL ? made_us : *values->options.at_us;
    enum result result = rows_find(values);
    if (result != RESULT_OK) {
        return no_memory(error);
    }
    result = rows_read(values, number_first - 1, number_last, error);
    values->has_run = result == RESULT_OK;
    return result;
}

int64_t correct_values_at_us(const struct correct_values *values)
{
    return values->at_us;
}

static const char *value_text(const struct correct_values *values, struct value value)
{
    return value.at == TEXT_NONE ? NULL : values->texts.data + value.at;
}

static void row_visit(const struct correct_values *values, const struct row *row,
                      correct_change_visit *visit, void *context)
{
    const struct plan *plan = values->options.plan;
    char key[KEY_TEXT_SIZE + 1];
    uint32_t size =
        key_format(plan, &plan->view[row->view], row->key, row->key_size, key, KEY_TEXT_SIZE);
    key[size] = '\0';
    for (uint32_t i = 0; i < row->changes; i++) {
        const struct change *change = &values->change[row->change + i];
        const struct correct_change told = {
            .feature = change->feature,
            .before = value_text(values, change->before),
            .after = value_text(values, change->after),
            .before_status = answer_status_name(change->before.status),
            .after_status = answer_status_name(change->after.status)};
        visit(context, key, &told);
    }
}

enum result correct_values_visit(const struct correct_values *values, uint32_t record,
                                 correct_change_visit *visit, void *context)
{
    const struct corrections *corrections = values->options.corrections;
    struct correction *about;
    uint32_t count;
    struct row_set rows = {0};
    void *memory = NULL;
    enum result result = about_find(corrections, values->made_us, record, &about, &count);
    if (result != RESULT_OK) {
        return result;
    }
    result = corrections_rows_of(about, count, values->options.plan, &rows, &memory);
    heap_free(about);
    for (uint32_t i = 0; result == RESULT_OK && rows.count > 0 && i < values->row_count; i++) {
        const struct row *row = &values->row[i];
        if (row->changes > 0 && row_set_find(&rows, row->view, row->key, row->key_size) != NULL) {
            row_visit(values, row, visit, context);
        }
    }
    heap_free(memory);
    return result;
}
