/* freshet correct list: who corrected what and when, what became of it, and what it changed. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/correct.h"
#include "controlplane/correct_values.h"
#include "controlplane/corrections.h"
#include "controlplane/epochs.h"
#include "controlplane/event_show.h"
#include "controlplane/inspect.h"
#include "controlplane/json_text.h"
#include "controlplane/store_check.h"
#include "controlplane/verb.h"
#include "drivers/memory.h"

struct show {
    const struct correct_listing *listing;
    struct correct_values *values; /* NULL: they are not asked for. */
    struct epochs epochs;
    struct corrections corrections;
    struct store_log log;
    struct event_show *event;
};

/* Whether a start has regarded it. */
static bool is_pending(const struct show *show, const struct correction *record)
{
    return show->epochs.epoch <= record->epoch;
}

static const struct catalog_stream *stream_of(const struct show *show,
                                              const struct correction *record)
{
    return store_log_stream(&show->log, record->stream_id, UINT32_MAX);
}

/* An event's fields; NULL: there is none, or they cannot be told. */
static json_t *event_json(struct show *show, const struct correction *record,
                          const struct correction_event *event)
{
    const struct catalog_stream *stream = stream_of(show, record);
    if (event->size == 0 || stream == NULL ||
        !event_show_take(show->event, stream, event->version, event->data, event->size)) {
        return json_null();
    }
    json_t *fields = json_object();
    for (uint32_t f = 0; f < stream->field_count; f++) {
        json_object_set_new(fields, stream->field[f].name, event_show_json(show->event, f));
    }
    return fields;
}

/* What starts built anew since this correction was the newest that they regarded. */
static json_t *rebuilt_json(const struct show *show, const struct correction *record)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < show->corrections.count; i++) {
        const struct correction *rebuilt = &show->corrections.record[i];
        if (rebuilt->kind == CORRECTION_REBUILT && rebuilt->number >= record->number) {
            json_array_append_new(
                list, json_pack("{s:s%, s:i, s:I, s:I, s:I}", "view", rebuilt->view.data,
                                (size_t)rebuilt->view.size, "version", (int)rebuilt->view_version,
                                "rows", (json_int_t)rebuilt->rows, "epoch",
                                (json_int_t)rebuilt->epoch, "at_us", (json_int_t)rebuilt->made_us));
        }
    }
    return list;
}

static const struct plan_view *view_of(const struct show *show, uint16_t feature)
{
    const struct plan *plan = &show->listing->config->plan;
    return &plan->view[plan->feature[feature].view];
}

struct change_list {
    const struct show *show;
    json_t *list;
};

static void change_json(void *context, const char *key, const struct correct_change *change)
{
    const struct change_list *changes = context;
    const struct plan *plan = &changes->show->listing->config->plan;
    json_t *object = json_object();
    json_object_set_new(object, "view", json_string(view_of(changes->show, change->feature)->name));
    json_object_set_new(object, "key", json_text(key));
    json_object_set_new(object, "feature", json_string(plan->feature[change->feature].name));
    json_object_set_new(object, "before",
                        change->before == NULL ? json_null() : json_text(change->before));
    json_object_set_new(object, "before_status", json_string(change->before_status));
    json_object_set_new(object, "after",
                        change->after == NULL ? json_null() : json_text(change->after));
    json_object_set_new(object, "after_status", json_string(change->after_status));
    json_array_append_new(changes->list, object);
}

/* False: there was no memory. */
static bool values_json(struct show *show, uint32_t index, json_t *object)
{
    struct change_list changes = {.show = show, .list = json_array()};
    enum result result = correct_values_visit(show->values, index, change_json, &changes);
    json_object_set_new(object, "values_at_us", json_integer(correct_values_at_us(show->values)));
    json_object_set_new(object, "values", changes.list);
    return result == RESULT_OK;
}

static json_t *record_json(struct show *show, const struct correction *record)
{
    const struct catalog_stream *stream = stream_of(show, record);
    json_t *object =
        json_pack("{s:I, s:I, s:s%, s:s%, s:s}", "number", (json_int_t)record->number, "made_us",
                  (json_int_t)record->made_us, "who", record->who.data, (size_t)record->who.size,
                  "why", record->why.data, (size_t)record->why.size, "action",
                  record->kind == CORRECTION_REPLACE ? "replace" : "retract");
    json_object_set_new(object, "stream", stream == NULL ? json_null() : json_string(stream->name));
    json_object_set_new(object, "producer", json_integer((json_int_t)record->producer));
    json_object_set_new(object, "incarnation", json_integer(record->incarnation));
    json_object_set_new(object, "lane", json_integer(record->lane));
    json_object_set_new(object, "sequence", json_integer((json_int_t)record->sequence));
    json_object_set_new(object, "place", json_integer(record->place));
    json_object_set_new(object, "shard", json_integer(record->shard));
    json_object_set_new(object, "lsn", inspect_lsn_json(record->lsn));
    json_object_set_new(object, "applied_us", json_integer(record->apply_us));
    json_object_set_new(object, "was", event_json(show, record, &record->was));
    json_object_set_new(object, "is", event_json(show, record, &record->is));
    json_object_set_new(object, "pending", json_boolean(is_pending(show, record)));
    json_object_set_new(object, "rebuilt", rebuilt_json(show, record));
    return object;
}

/* What the record's run changed is read, if that is asked for. False: it cannot be, and that was
 * said. */
static bool values_read(struct show *show, uint32_t index)
{
    char error[CORRECT_ERROR_SIZE_MAX];
    if (show->values == NULL || correct_values_read(show->values, index, error) == RESULT_OK) {
        return true;
    }
    (void)fprintf(stderr, "freshet correct: --values: %s\n", error);
    return false;
}

static int list_json(struct show *show)
{
    json_t *list = json_array();
    bool good = true;
    for (uint32_t i = 0; good && i < show->corrections.count; i++) {
        if (show->corrections.record[i].kind == CORRECTION_REBUILT) {
            continue;
        }
        json_t *object = record_json(show, &show->corrections.record[i]);
        good = values_read(show, i) && (show->values == NULL || values_json(show, i, object));
        json_array_append_new(list, object);
    }
    if (!good) {
        json_decref(list);
        return VERB_EXIT_FAILED;
    }
    return inspect_object_print(list, VERB_EXIT_OK);
}

static void field_append(struct show *show, const struct catalog_stream *stream,
                         const struct correction_event *event, uint32_t field, struct buffer *out)
{
    if (event->size == 0) {
        buffer_text(out, "not at all");
    } else if (event_show_take(show->event, stream, event->version, event->data, event->size)) {
        event_show_text(show->event, field, out);
    } else {
        buffer_text(out, "?");
    }
}

/* Fields that differ, before and after; of a retracted event all. */
static void fields_print(struct show *show, const struct correction *record)
{
    const struct catalog_stream *stream = stream_of(show, record);
    struct buffer was;
    struct buffer is;
    buffer_init(&was, 0);
    buffer_init(&is, 0);
    for (uint32_t f = 0; stream != NULL && f < stream->field_count; f++) {
        buffer_consume(&was, was.size);
        buffer_consume(&is, is.size);
        field_append(show, stream, &record->was, f, &was);
        field_append(show, stream, &record->is, f, &is);
        bool same = was.size == is.size && memcmp(was.data, is.data, was.size) == 0;
        if (record->is.size == 0) {
            printf("     %-16s %.*s\n", stream->field[f].name, (int)was.size, was.data);
        } else if (!same) {
            printf("     %-16s %.*s -> %.*s\n", stream->field[f].name, (int)was.size, was.data,
                   (int)is.size, is.data);
        }
    }
    buffer_deinit(&was);
    buffer_deinit(&is);
}

static void rebuilt_print(const struct show *show, const struct correction *record)
{
    if (is_pending(show, record)) {
        printf("     the next start builds its rows anew\n");
        return;
    }
    for (uint32_t i = 0; i < show->corrections.count; i++) {
        const struct correction *rebuilt = &show->corrections.record[i];
        char time[INSPECT_TIME_SIZE_MAX];
        if (rebuilt->kind == CORRECTION_REBUILT && rebuilt->number >= record->number) {
            printf("     %s  built anew: %" PRIu64 " rows of %.*s\n",
                   inspect_time_format(rebuilt->made_us, time), rebuilt->rows,
                   (int)rebuilt->view.size, rebuilt->view.data);
        }
    }
}

struct change_print {
    const struct show *show;
    bool any;
    char row[NAME_SIZE_MAX + 3 * KEY_SIZE_MAX + 64]; /* That was told last. */
};

static void change_print(void *context, const char *key, const struct correct_change *change)
{
    struct change_print *print = context;
    const struct plan *plan = &print->show->listing->config->plan;
    char row[sizeof(print->row)];
    (void)snprintf(row, sizeof(row), "%s of %s", view_of(print->show, change->feature)->name, key);
    if (!print->any || strcmp(row, print->row) != 0) {
        printf("       %s\n", row);
        memcpy(print->row, row, sizeof(row));
    }
    print->any = true;
    printf("         %-16s %s -> %s\n", plan->feature[change->feature].name,
           change->before == NULL ? change->before_status : change->before,
           change->after == NULL ? change->after_status : change->after);
}

/* False: there was no memory. */
static bool values_print(struct show *show, uint32_t index)
{
    struct change_print print = {.show = show};
    char time[INSPECT_TIME_SIZE_MAX];
    if (show->values == NULL) {
        return true;
    }
    printf("     at %s\n", inspect_time_format(correct_values_at_us(show->values), time));
    bool good = correct_values_visit(show->values, index, change_print, &print) == RESULT_OK;
    if (!print.any) {
        printf("       no feature of its rows differs\n");
    }
    return good;
}

static int list_print(struct show *show)
{
    for (uint32_t i = 0; i < show->corrections.count; i++) {
        const struct correction *record = &show->corrections.record[i];
        const struct catalog_stream *stream = stream_of(show, record);
        char time[INSPECT_TIME_SIZE_MAX];
        char lsn[STORE_LSN_SIZE_MAX];
        if (record->kind == CORRECTION_REBUILT) {
            continue;
        }
        printf("%-4" PRIu64 " %s  %s %s %u:%s  producer %" PRIu64 ", incarnation %u, lane %u, "
               "sequence %" PRIu64 ", place %u\n     by %.*s%s%.*s\n",
               record->number, inspect_time_format(record->made_us, time),
               record->kind == CORRECTION_REPLACE ? "replaced" : "retracted",
               stream == NULL ? "event" : stream->name, record->shard,
               store_lsn_format(record->lsn, lsn), record->producer, record->incarnation,
               record->lane, record->sequence, record->place, (int)record->who.size,
               record->who.data, record->why.size > 0 ? ": " : "", (int)record->why.size,
               record->why.size > 0 ? record->why.data : "");
        fields_print(show, record);
        rebuilt_print(show, record);
        if (!values_read(show, i) || !values_print(show, i)) {
            return VERB_EXIT_FAILED;
        }
    }
    return VERB_EXIT_OK;
}

static enum result show_open(struct show *show, const char *directory,
                             char error[DISK_ERROR_SIZE_MAX])
{
    const struct disk_options options = {
        .driver = DISK_DRIVER_THREADS, .directory = directory, .read_only = true};
    struct disk *disk;
    enum result result = disk_open(&options, &disk, error);
    if (result != RESULT_OK) {
        return result;
    }
    result = epochs_load(disk, &show->epochs);
    const char *what =
        result == RESULT_CORRUPT ? "the file `epochs` is damaged" : "no store is there";
    if (result == RESULT_OK) {
        result = corrections_load(disk, show->epochs.store_id, &show->corrections);
        what = "the file `" CORRECTIONS_NAME "` is damaged; bring it back from a copy";
    }
    bool told = result == RESULT_NOT_FOUND || result == RESULT_CORRUPT;
    disk_close(disk);
    if (result == RESULT_OK) {
        result = store_log_read(directory, &show->log);
    }
    if (result == RESULT_OK) {
        result = event_show_open(&show->event);
    }
    (void)snprintf(error, DISK_ERROR_SIZE_MAX, "%.180s: %s", directory,
                   told ? what : result_name(result));
    return result;
}

/* What corrections changed needs definitions, and some correction. */
static enum result values_open(struct show *show, char error[CORRECT_ERROR_SIZE_MAX])
{
    const struct correct_listing *listing = show->listing;
    if (listing->config == NULL || show->corrections.event_count == 0) {
        return RESULT_OK;
    }
    const struct correct_values_options options = {.directory = listing->data,
                                                   .plan = &listing->config->plan,
                                                   .corrections = &show->corrections,
                                                   .at_us = listing->at_us};
    return correct_values_open(&options, &show->values, error);
}

int correct_show(const struct correct_listing *listing)
{
    char error[CORRECT_ERROR_SIZE_MAX];
    struct show *show = heap_alloc(sizeof(*show));
    if (show == NULL) {
        (void)fprintf(stderr, "freshet correct: no memory\n");
        return VERB_EXIT_FAILED;
    }
    memset(show, 0, sizeof(*show));
    show->listing = listing;
    int exit_code = VERB_EXIT_FAILED;
    if (show_open(show, listing->data, error) != RESULT_OK) {
        (void)fprintf(stderr, "freshet correct: --data %s\n", error);
    } else if (values_open(show, error) != RESULT_OK) {
        (void)fprintf(stderr, "freshet correct: --values: %s\n", error);
    } else {
        exit_code = listing->json ? list_json(show) : list_print(show);
    }
    correct_values_close(show->values);
    event_show_close(show->event);
    store_log_free(&show->log);
    corrections_free(&show->corrections);
    heap_free(show);
    return exit_code;
}
