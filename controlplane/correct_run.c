/* freshet correct retract and replace: one file of corrections more, while no appliance runs. */
#include <inttypes.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/correct.h"
#include "controlplane/corrections.h"
#include "controlplane/event_file.h"
#include "controlplane/inspect.h"
#include "controlplane/store_check.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/decode.h"
#include "dataplane/feature/text.h"
#include "dataplane/feature/text_time.h"
#include "drivers/memory.h"

struct correct {
    const struct correct_order *order;
    struct correct_list *list;
    struct disk *disk; /* Locked. */
    struct epochs epochs;
    struct corrections corrections;
    struct store_log log;
    struct burst *burst;    /* To ask the rules of definitions. */
    struct schema schema;   /* As a plan of the store has it. */
    struct schema ruled;    /* With every broken rule dropping. */
    struct event_file file; /* Of the event that is parsed. */
    char who[CORRECTION_TEXT_SIZE_MAX + 1];
    int64_t now_us;
};

static int fail(const struct correct *correct, const char *why)
{
    (void)fprintf(stderr, "freshet correct: --data %s: %s\n", correct->order->data, why);
    return VERB_EXIT_FAILED;
}

static int fail_item(const struct correct_item *item, const char *why)
{
    (void)fprintf(stderr, "freshet correct: producer %" PRIu64 ", sequence %" PRIu64 ": %s\n",
                  item->producer, item->sequence, why);
    return VERB_EXIT_FAILED;
}

/* A store that is there, and that nobody runs. */
static int store_open(struct correct *correct)
{
    char why[DISK_ERROR_SIZE_MAX];
    struct disk_options options = {
        .driver = DISK_DRIVER_THREADS, .directory = correct->order->data, .read_only = true};
    enum result result = disk_open(&options, &correct->disk, why);
    if (result == RESULT_OK) {
        result = epochs_load(correct->disk, &correct->epochs);
        disk_close(correct->disk);
        correct->disk = NULL;
    }
    if (result != RESULT_OK || correct->epochs.epoch == 0) {
        return fail(correct, "no store is there, or none that ever ran");
    }
    options.read_only = false;
    result = disk_open(&options, &correct->disk, why);
    if (result != RESULT_OK) {
        correct->disk = NULL;
        return fail(correct, why);
    }
    result = disk_lock(correct->disk);
    if (result == RESULT_OK) {
        result = epochs_load(correct->disk, &correct->epochs);
    }
    if (result != RESULT_OK) {
        return fail(correct, result == RESULT_BUSY
                                 ? "an appliance runs on it: end it first; its next start builds "
                                   "the rows anew"
                                 : result_name(result));
    }
    result = corrections_load(correct->disk, correct->epochs.store_id, &correct->corrections);
    if (result != RESULT_OK) {
        return fail(correct, result == RESULT_CORRUPT ? "the file `" CORRECTIONS_NAME
                                                        "` is damaged; bring it back from a copy"
                                                      : result_name(result));
    }
    result = store_log_read(correct->order->data, &correct->log);
    return result == RESULT_OK ? VERB_EXIT_OK : fail(correct, result_name(result));
}

/* The stream as the definitions have it; NULL: they do not, or none were given. */
static const struct plan_stream *plan_stream_of(const struct correct *correct, uint16_t id)
{
    const struct config *config = correct->order->config;
    int stream = config == NULL ? -1 : plan_stream_find_id(&config->plan, id);
    return stream < 0 ? NULL : &config->plan.stream[stream];
}

/* The schema of an event: as the definitions have it, else as the newest plan of the store has. */
static const struct schema *schema_of(struct correct *correct, const struct correct_item *item)
{
    const struct plan_stream *stream = plan_stream_of(correct, item->stream_id);
    const struct catalog_stream *known =
        store_log_stream(&correct->log, item->stream_id, UINT32_MAX);
    if (stream != NULL) {
        return &stream->schema;
    }
    if (known == NULL || catalog_schema(known, &correct->schema) != RESULT_OK) {
        return NULL;
    }
    for (uint32_t f = 0; f < correct->schema.field_count; f++) {
        correct->schema.field[f].optional = known->field[f].optional != 0;
    }
    return &correct->schema;
}

/* The time that the event had, for a new one that says none. */
static int64_t time_of(const struct schema *schema, const struct correction_event *event)
{
    uint8_t block[EVENT_SIZE_MAX];
    int64_t value;
    int64_t us = INT64_MIN;
    const struct schema_field *field = &schema->field[schema->time_field];
    correction_block(schema, event, block);
    memcpy(&value, block + field->offset, sizeof(value));
    bool good = value != INT64_MIN &&
                text_time_to_unit(text_time_of_unit(value, field->unit), TIME_UNIT_us, &us);
    return good ? us : INT64_MIN;
}

/* Whether the event's rules allow it: all of the definitions but patterns; without them, types and
 * what is required. */
static bool rules_allow(struct correct *correct, const struct schema *schema, const uint8_t *block,
                        char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    const struct wire_message message = {.stream_id = schema->id,
                                         .version = schema->version,
                                         .event_stride = schema->block_size,
                                         .event_count = 1,
                                         .events = block};
    struct decode_plan decode;
    struct burst *burst = correct->burst;
    memset(burst, 0, sizeof(*burst));
    correct->ruled = *schema;
    schema_policy_set(&correct->ruled, VIOLATION_DROP);
    decode_compile(&correct->ruled, UINT64_MAX, &decode);
    burst->schema = &correct->ruled;
    decode_events(&decode, &message, 0, 1, burst);
    if (burst->drop[0] == DROP_NONE) {
        return true;
    }
    (void)snprintf(error, EVENT_FILE_ERROR_SIZE_MAX, "field `%s`: %s (%s)",
                   schema->field[burst->drop_field[0]].name, drop_name(burst->drop[0]),
                   drop_sentence(burst->drop[0]));
    return false;
}

/* An event from the future was none when it was applied either: its row would be as new as that for
 * good. Of the event that rules_allow() decoded last. */
static bool time_allows(const struct correct *correct, const struct correct_item *item,
                        char error[EVENT_FILE_ERROR_SIZE_MAX])
{
    const struct plan_stream *stream = plan_stream_of(correct, correct->ruled.id);
    if (stream == NULL ||
        correct->burst->time_us[0] <= add_clamped(item->apply_us, stream->future_us)) {
        return true;
    }
    (void)snprintf(error, EVENT_FILE_ERROR_SIZE_MAX, "field `%s`: %s (%s), of when it was applied",
                   correct->ruled.field[correct->ruled.time_field].name,
                   drop_name(DROP_event_future), drop_sentence(DROP_event_future));
    return false;
}

static int event_parse(struct correct *correct, struct correct_item *item)
{
    char error[EVENT_FILE_ERROR_SIZE_MAX];
    struct event_file *file = &correct->file;
    const struct schema *schema = schema_of(correct, item);
    if (schema == NULL) {
        return fail_item(item, "neither definitions nor the store have its stream");
    }
    uint8_t *block = heap_alloc(schema->block_size);
    FILE *in = fmemopen(item->event, strlen(item->event), "r");
    if (block == NULL || in == NULL) {
        heap_free(block);
        if (in != NULL) {
            (void)fclose(in);
        }
        return fail_item(item, "no memory");
    }
    text_block_clear(schema, block);
    enum result opened =
        event_file_open(file, in, "event", schema, time_of(schema, &item->was), error);
    bool good = opened == RESULT_OK && event_file_next(file, block, error) == EVENT_FILE_EVENT;
    if (opened == RESULT_OK && good && file->ignored > 0) {
        (void)snprintf(error, sizeof(error), "it has %u members that are no fields of `%s`",
                       file->ignored, schema->name);
        good = false;
    }
    good = good && rules_allow(correct, schema, block, error) && time_allows(correct, item, error);
    event_file_close(file);
    (void)fclose(in);
    item->is = (struct correction_event){schema->version, schema->block_size, block};
    return good ? VERB_EXIT_OK : fail_item(item, error);
}

/* How far back the view looks: without end where a window is no span of time. */
static int64_t view_reach_us(const struct plan_view *view)
{
    int64_t reach_us = 0;
    for (uint32_t w = 0; w < view->window_count; w++) {
        int64_t own_us = plan_window_reach_us(&view->window[w]);
        own_us = own_us == 0 ? INT64_MAX : own_us;
        reach_us = own_us > reach_us ? own_us : reach_us;
    }
    return reach_us;
}

/* Rows are built anew from what is kept: what they know beyond that would be lost. */
static int loss_check(const struct correct *correct)
{
    char time[INSPECT_TIME_SIZE_MAX];
    int64_t since_us = correct_kept_since_us(correct->order->data, &correct->log, &correct->epochs);
    const struct config *config = correct->order->config;
    if (since_us == INT64_MIN || correct->order->forget_older) {
        return VERB_EXIT_OK;
    }
    (void)inspect_time_format(since_us, time);
    if (config == NULL) {
        (void)fprintf(stderr,
                      "freshet correct: the mirror is kept since %s only, and rows are built anew "
                      "from it: name the definitions, to see whether their windows reach back "
                      "beyond, or say --forget-older\n",
                      time);
        return VERB_EXIT_FAILED;
    }
    for (uint32_t i = 0; i < correct->list->count; i++) {
        const struct plan_stream *stream =
            plan_stream_of(correct, correct->list->item[i].stream_id);
        for (uint32_t v = 0; stream != NULL && v < stream->view_count; v++) {
            const struct plan_view *view = &config->plan.view[stream->view[v]];
            if (sub_clamped(correct->now_us, view_reach_us(view)) < since_us) {
                (void)fprintf(stderr,
                              "freshet correct: view `%s` looks back further than the mirror, "
                              "which is kept since %s: its rows would lose what is older; say "
                              "--forget-older if they may\n",
                              view->name, time);
                return VERB_EXIT_FAILED;
            }
        }
    }
    return VERB_EXIT_OK;
}

static struct correction_text text_of(const char *text)
{
    return (struct correction_text){text, (uint8_t)(text == NULL ? 0 : strlen(text))};
}

static int corrections_make(struct correct *correct)
{
    const struct correct_list *list = correct->list;
    struct correction *record = heap_alloc(list->count * sizeof(*record));
    if (record == NULL) {
        return fail(correct, "no memory");
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const struct correct_item *item = &list->item[i];
        record[i] =
            (struct correction){.kind = item->replaces ? CORRECTION_REPLACE : CORRECTION_RETRACT,
                                .number = correct->corrections.number_last + 1 + i,
                                .made_us = correct->now_us,
                                .epoch = correct->epochs.epoch,
                                .apply_us = item->apply_us,
                                .lsn = item->lsn,
                                .producer = item->producer,
                                .sequence = item->sequence,
                                .incarnation = item->incarnation,
                                .shard = item->shard,
                                .lane = item->lane,
                                .place = item->place,
                                .stream_id = item->stream_id,
                                .was = item->was,
                                .is = item->is,
                                .who = text_of(correct->who),
                                .why = text_of(correct->order->why)};
    }
    enum result result = corrections_append(correct->disk, correct->epochs.store_id,
                                            &correct->corrections, record, list->count);
    heap_free(record);
    return result == RESULT_OK ? VERB_EXIT_OK : fail(correct, result_name(result));
}

static int made_print(const struct correct *correct)
{
    const struct correct_list *list = correct->list;
    uint64_t first = correct->corrections.number_last + 1;
    if (correct->order->json) {
        return inspect_object_print(json_pack("{s:I, s:I, s:I}", "first", (json_int_t)first,
                                              "count", (json_int_t)list->count, "epoch",
                                              (json_int_t)correct->epochs.epoch),
                                    VERB_EXIT_OK);
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const struct correct_item *item = &list->item[i];
        char lsn[STORE_LSN_SIZE_MAX];
        printf("%" PRIu64 " %s  record %u:%s  producer %" PRIu64 ", sequence %" PRIu64
               ", place %u\n",
               first + i, item->replaces ? "replaced" : "retracted", item->shard,
               store_lsn_format(item->lsn, lsn), item->producer, item->sequence, item->place);
    }
    printf("the next start builds the rows of these events anew\n");
    return VERB_EXIT_OK;
}

static int run(struct correct *correct)
{
    char error[CORRECT_ERROR_SIZE_MAX];
    int exit_code = store_open(correct);
    if (exit_code == VERB_EXIT_OK &&
        correct_find(correct->order->data, &correct->log, correct->list, error) != RESULT_OK) {
        exit_code = fail(correct, error);
    }
    for (uint32_t i = 0; exit_code == VERB_EXIT_OK && i < correct->list->count; i++) {
        struct correct_item *item = &correct->list->item[i];
        exit_code = item->replaces ? event_parse(correct, item) : VERB_EXIT_OK;
    }
    exit_code = exit_code == VERB_EXIT_OK ? loss_check(correct) : exit_code;
    exit_code = exit_code == VERB_EXIT_OK ? corrections_make(correct) : exit_code;
    return exit_code == VERB_EXIT_OK ? made_print(correct) : exit_code;
}

int correct_run(const struct correct_order *order, struct correct_list *list)
{
    struct timespec now;
    struct correct *correct = heap_alloc_lines(sizeof(*correct));
    struct burst *burst = heap_alloc_lines(sizeof(*burst));
    if (correct == NULL || burst == NULL) {
        heap_free(correct);
        heap_free(burst);
        (void)fprintf(stderr, "freshet correct: no memory\n");
        return VERB_EXIT_FAILED;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const struct passwd *user = getpwuid(getuid());
    correct->order = order;
    correct->list = list;
    correct->burst = burst;
    correct->now_us = (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / NS_PER_US;
    (void)snprintf(correct->who, sizeof(correct->who), "%s",
                   user != NULL ? user->pw_name : "unknown");
    int exit_code = run(correct);
    store_log_free(&correct->log);
    corrections_free(&correct->corrections);
    disk_close(correct->disk);
    heap_free(burst);
    heap_free(correct);
    return exit_code;
}
