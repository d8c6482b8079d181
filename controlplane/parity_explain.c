/* freshet parity explain: one recorded answer, event by event. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/event_show.h"
#include "controlplane/inspect.h"
#include "controlplane/parity_events.h"
#include "controlplane/parity_verb.h"
#include "controlplane/store_check.h"
#include "controlplane/verb.h"
#include "dataplane/feature/key.h"
#include "drivers/memory.h"

#define VERB "parity explain"

struct explain_options {
    const char *data;
    uint64_t nth;
    const char *service;
    const char *key;
    const char *q;
    const char *value;
};

struct explain {
    struct parity_source source;
    const struct explain_options *options;
    int64_t q_us; /* Of --q. */
    /* The record that is explained, in bytes of our own. */
    uint64_t nth;
    struct served_place place;
    uint8_t *bytes; /* Owned, SERVED_RECORD_BYTES_MAX, as the next one. */
    struct served_record *record;
    uint8_t *step_bytes;              /* Owned: the same record, as it was known after an event. */
    struct served_record *step;       /* Owned. */
    uint16_t view[SERVICE_READS_MAX]; /* Of its reads, in the plan. */
    bool follow[SERVICE_READS_MAX];   /* Those that the value hangs on. */
    int service;                      /* In the plan; -1: its definition is gone. */
    uint32_t item;                    /* That is followed. */
    struct parity_events events;
    struct event_show *show;
    struct catalog *catalog;
    uint32_t at;        /* Event that is printed. */
    uint32_t as_served; /* Events after which the value was the served one. */
    uint32_t last_as_served;
};

/* "card:4711" of a read; "" when there was no key. */
static void key_show(const struct explain *explain, const struct served_read *read, char *out,
                     uint32_t out_size)
{
    const struct plan *plan = &explain->source.config->plan;
    int view = plan_view_find(plan, read->view.data, read->view.size, read->version);
    uint32_t size = 0;
    if (view >= 0 && read->key.size > 0) {
        size = key_format(plan, &plan->view[view], (const uint8_t *)read->key.data, read->key.size,
                          out, out_size - 1);
    }
    out[size] = '\0';
}

#define KEY_TEXT_SIZE_MAX (3u * KEY_SIZE_MAX + 64u + 1u)

static bool record_has_key(const struct explain *explain, const struct served_record *record)
{
    char text[KEY_TEXT_SIZE_MAX];
    for (uint32_t r = 0; r < record->read_count; r++) {
        bool then = explain->options->q == NULL || record->read[r].q_us == explain->q_us;
        key_show(explain, &record->read[r], text, sizeof(text));
        if (then && strcmp(text, explain->options->key) == 0) {
            return true;
        }
    }
    return false;
}

static bool record_is_wanted(const struct explain *explain, const struct served_record *record,
                             uint64_t nth)
{
    const struct explain_options *options = explain->options;
    if (options->nth != 0) {
        return nth == options->nth;
    }
    return served_text_is(record->service, options->service) && record_has_key(explain, record);
}

/* The last record that is wanted, into bytes of our own. RESULT_NOT_FOUND: there is none. */
static enum result record_find(struct explain *explain)
{
    struct served_reader *reader = explain->source.reader;
    const struct served_record *record;
    enum result result;
    uint32_t size = 0;
    for (uint64_t nth = 1; (result = served_reader_next(reader, &record)) == RESULT_OK; nth++) {
        if (!record_is_wanted(explain, record, nth)) {
            continue;
        }
        const uint8_t *bytes = served_reader_bytes(reader, &size);
        memcpy(explain->bytes, bytes, size);
        explain->place = served_reader_place(reader);
        explain->nth = nth;
        if (explain->options->nth != 0) {
            break;
        }
    }
    if (result != RESULT_OK && result != RESULT_NOT_FOUND) {
        return result;
    }
    uint32_t at = 0;
    return explain->nth == 0 ? RESULT_NOT_FOUND
                             : served_record_decode(explain->bytes, size, &at, explain->record);
}

/* Index of the value that is followed: --value, else the first that differs. */
static uint32_t item_choose(const struct explain *explain, const struct parity_answer *answer)
{
    const struct served_record *record = explain->record;
    for (uint32_t i = 0; i < record->item_count; i++) {
        bool wanted = explain->options->value != NULL
                          ? served_text_is(record->item[i].name, explain->options->value)
                          : answer->outcome[i] != PARITY_equal;
        if (wanted) {
            return i;
        }
    }
    return explain->options->value != NULL ? record->item_count : 0;
}

static void text_print(struct served_text text, bool is_null)
{
    if (is_null) {
        printf("null");
    } else {
        printf("%.*s", (int)text.size, text.data);
    }
}

static void reads_print(const struct explain *explain)
{
    static const char *const asked[] = {"now", "LATEST", "AT"};
    for (uint32_t r = 0; r < explain->record->read_count; r++) {
        const struct served_read *read = &explain->record->read[r];
        char key[KEY_TEXT_SIZE_MAX];
        char q[INSPECT_TIME_SIZE_MAX];
        char known[INSPECT_TIME_SIZE_MAX];
        char lsn[STORE_LSN_SIZE_MAX];
        key_show(explain, read, key, sizeof(key));
        printf("  view %u: %.*s@%u of %s, asked %s: q %s, known before %s, shard %u, last record "
               "%s\n",
               r, (int)read->view.size, read->view.data, read->version,
               key[0] == '\0' ? "no key" : key, asked[read->time],
               inspect_time_format(read->q_us, q), inspect_time_format(read->known_us, known),
               read->shard, read->lsn == 0 ? "none" : store_lsn_format(read->lsn, lsn));
    }
}

static void answer_print(const struct explain *explain, const struct parity_answer *answer)
{
    const struct served_record *record = explain->record;
    char moment[INSPECT_TIME_SIZE_MAX];
    char name[SERVED_NAME_SIZE_MAX];
    served_name_format(explain->place.file, name);
    printf("#%" PRIu64 " %.*s@%u, answered %s (%s, block %" PRIu64 ", byte %u)\n", explain->nth,
           (int)record->service.size, record->service.data, record->version,
           inspect_time_format(record->moment_us, moment), name, explain->place.block,
           explain->place.at);
    reads_print(explain);
    for (uint32_t i = 0; i < record->value_count; i++) {
        printf("  request %.*s = ", (int)record->value[i].name.size, record->value[i].name.data);
        text_print(record->value[i].text, record->value[i].is_null);
        printf("\n");
    }
    for (uint32_t i = 0; i < record->item_count; i++) {
        const struct served_item *item = &record->item[i];
        printf("  %.*s: %s, served %s ", (int)item->name.size, item->name.data,
               parity_outcome_name(answer->outcome[i]), answer_status_name(item->status));
        text_print(item->text, item->kind == VALUE_NULL);
        if (answer->outcome[i] != PARITY_equal && answer->service >= 0) {
            printf(", by the mirror %s ", answer_status_name(answer->status[i]));
            text_print(answer->again[i], answer->is_null[i]);
        }
        printf("\n");
    }
}

static void first_visit(void *context, const struct parity_answer *answer)
{
    struct explain *explain = context;
    explain->item = item_choose(explain, answer);
    explain->service = answer->service;
    answer_print(explain, answer);
}

static void fields_print(struct explain *explain, const struct parity_event *event)
{
    struct buffer text;
    const struct catalog_stream *stream = &explain->catalog->stream[event->stream];
    if (!event_show_take(explain->show, stream, event->version, event->bytes, event->size)) {
        printf(" (cannot be read)");
        return;
    }
    buffer_init(&text, 0);
    for (uint32_t f = 0; f < stream->field_count; f++) {
        buffer_format(&text, " %s=", stream->field[f].name);
        event_show_text(explain->show, f, &text);
    }
    printf("%.*s", (int)text.size, text.data == NULL ? "" : text.data);
    buffer_deinit(&text);
}

static void event_print(struct explain *explain, const struct parity_event *event)
{
    const struct catalog_stream *stream = &explain->catalog->stream[event->stream];
    char time[INSPECT_TIME_SIZE_MAX];
    char lsn[STORE_LSN_SIZE_MAX];
    printf("%5u  %s  %u:%s  ", explain->at + 1, inspect_time_format(event->apply_us, time),
           event->shard, store_lsn_format(event->lsn, lsn));
    if (event->is_forward) {
        printf("of home %u:%s", event->home, store_lsn_format(event->home_lsn, lsn));
    } else {
        printf("producer %" PRIu64 " sequence %" PRIu64, event->producer, event->sequence);
    }
    printf("  view %u  %s%s  %s:", event->read, verdict_name(verdict_reason(event->verdict)),
           event->refused ? ", refused by the view" : "", stream->name);
    fields_print(explain, event);
}

/* Whether what comes next has another apply time than the event before. */
static bool event_ends_moment(const struct explain *explain)
{
    const struct parity_event *event = explain->events.event;
    uint32_t next = explain->at;
    return next == explain->events.count || event[next].apply_us != event[next - 1].apply_us;
}

/* An event, and the value after it. */
static void step_visit(void *context, const struct parity_answer *answer)
{
    struct explain *explain = context;
    bool as_served = answer->outcome[explain->item] == PARITY_equal;
    event_print(explain, &explain->events.event[explain->at]);
    explain->at++;
    if (!event_ends_moment(explain)) {
        printf("\n"); /* They were applied at once. */
        return;
    }
    printf("  -> ");
    text_print(answer->again[explain->item], answer->is_null[explain->item]);
    printf("%s\n", as_served ? "  = served" : "");
    explain->as_served += as_served ? 1 : 0;
    explain->last_as_served = as_served ? explain->at : explain->last_as_served;
}

/* The answer as it would have been when nothing behind the event was known; NULL: as it was. */
static enum result step_add(struct explain *explain, const struct parity_event *event)
{
    struct served_record *step = explain->step;
    uint32_t at = 0;
    *step = *explain->record;
    for (uint32_t r = 0; event != NULL && r < step->read_count; r++) {
        struct served_read *read = &step->read[r];
        int64_t known_us = event->apply_us + 1;
        read->time = READ_AT;
        read->at_us = read->q_us;
        read->known_us = known_us < read->known_us ? known_us : read->known_us;
    }
    uint32_t size = served_record_encode(step, explain->step_bytes, SERVED_RECORD_BYTES_MAX);
    enum result result = served_record_decode(explain->step_bytes, size, &at, step);
    return result == RESULT_OK ? parity_add(explain->source.parity, step, explain->step_bytes, size,
                                            &explain->place)
                               : result;
}

static enum result steps_print(struct explain *explain)
{
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < explain->events.count; i++) {
        result = step_add(explain, &explain->events.event[i]);
        if (result == RESULT_NO_SPACE) {
            result = parity_run(explain->source.parity, step_visit, explain, explain->source.error);
            if (result == RESULT_OK) {
                result = step_add(explain, &explain->events.event[i]);
            }
        }
    }
    return result == RESULT_OK
               ? parity_run(explain->source.parity, step_visit, explain, explain->source.error)
               : result;
}

static void end_print(const struct explain *explain)
{
    const struct parity_events *events = &explain->events;
    if (events->more) {
        printf("(older events are not shown)\n");
    }
    if (events->damaged > 0) {
        printf("%u segments have bytes that cannot be read; freshet verify says where\n",
               events->damaged);
    }
    if (events->count == 0) {
        printf("no event of the value's rows was known\n");
    } else if (explain->as_served == 0) {
        printf("after none of these events is the value the served one\n");
    } else if (explain->last_as_served == events->count) {
        printf("the value is the served one after the last event\n");
    } else {
        printf("the value was the served one after event %u, and is no longer\n",
               explain->last_as_served);
    }
}

/* Whether an item hangs on a view. */
static bool item_reads(const struct plan_service *service, uint32_t item, uint16_t view)
{
    const struct plan_service_item *asked = &service->item[item];
    if (!asked->is_computed) {
        return service->read[asked->source].view == view;
    }
    for (uint64_t rest = asked->inputs; rest != 0; rest &= rest - 1) {
        uint32_t input = service->program.input[__builtin_ctzll(rest)];
        if (input < SERVICE_INPUT_REQUEST && service->read[input].view == view) {
            return true;
        }
    }
    return false;
}

/* The record's views in the plan, and which of them the value hangs on: all, where its definition
 * is gone. */
static bool views_find(struct explain *explain)
{
    const struct plan *plan = &explain->source.config->plan;
    for (uint32_t r = 0; r < explain->record->read_count; r++) {
        const struct served_read *read = &explain->record->read[r];
        int view = plan_view_find(plan, read->view.data, read->view.size, read->version);
        if (view < 0) {
            return false;
        }
        explain->view[r] = (uint16_t)view;
        explain->follow[r] = explain->service < 0 || item_reads(&plan->service[explain->service],
                                                                explain->item, (uint16_t)view);
    }
    return true;
}

/* The answer, then the events of its rows with the value after each. */
static enum result explain_print(struct explain *explain)
{
    const struct plan *plan = &explain->source.config->plan;
    enum result result = step_add(explain, NULL);
    if (result == RESULT_OK) {
        result = parity_run(explain->source.parity, first_visit, explain, explain->source.error);
    }
    if (result != RESULT_OK) {
        return result;
    }
    if (explain->item == explain->record->item_count) {
        (void)snprintf(explain->source.error, sizeof(explain->source.error),
                       "--value `%.64s` is no value of this answer", explain->options->value);
        return RESULT_INVALID;
    }
    if (!views_find(explain)) {
        printf("the definitions no longer have its views\n");
        return RESULT_OK;
    }
    result = parity_events_read(explain->source.directory, plan, explain->record, explain->view,
                                explain->follow, &explain->events);
    if (result == RESULT_OK) {
        const struct served_item *item = &explain->record->item[explain->item];
        printf("\n%u events of its rows, in the order in which they were applied; "
               "%.*s after each\n",
               explain->events.count, (int)item->name.size, item->name.data);
        result = steps_print(explain);
    }
    if (result == RESULT_OK) {
        end_print(explain);
    }
    return result;
}

static enum result explain_open(struct explain *explain)
{
    explain->bytes = heap_alloc(SERVED_RECORD_BYTES_MAX);
    explain->step_bytes = heap_alloc(SERVED_RECORD_BYTES_MAX);
    explain->record = heap_alloc(sizeof(*explain->record));
    explain->step = heap_alloc(sizeof(*explain->step));
    explain->catalog = heap_alloc(sizeof(*explain->catalog));
    if (explain->bytes == NULL || explain->step_bytes == NULL || explain->record == NULL ||
        explain->step == NULL || explain->catalog == NULL) {
        return RESULT_NO_MEMORY;
    }
    catalog_of_plan(&explain->source.config->plan, explain->catalog);
    return event_show_open(&explain->show);
}

static void explain_close(struct explain *explain)
{
    parity_events_free(&explain->events);
    event_show_close(explain->show);
    heap_free(explain->bytes);
    heap_free(explain->step_bytes);
    heap_free(explain->record);
    heap_free(explain->step);
    heap_free(explain->catalog);
}

static int explain_run(struct explain *explain)
{
    enum result result = explain_open(explain);
    if (result == RESULT_OK) {
        result = record_find(explain);
    }
    if (result == RESULT_NOT_FOUND) {
        (void)fprintf(stderr, "freshet " VERB ": no such answer is recorded in %s\n",
                      explain->source.directory);
        return VERB_EXIT_FAILED;
    }
    if (result == RESULT_OK) {
        result = explain_print(explain);
    }
    return result == RESULT_OK ? VERB_EXIT_OK : parity_failed(&explain->source, VERB, result);
}

int parity_explain_verb(int argc, char **argv)
{
    struct explain_options options = {.data = NULL};
    const struct verb_option option[] = {
        {"data", "DIR", VERB_OPTION_TEXT, &options.data,
         "the data directory; else that of the definitions"},
        {"nth", "N", VERB_OPTION_NUMBER, &options.nth, "the answer that report calls #N"},
        {"service", "NAME", VERB_OPTION_TEXT, &options.service,
         "the newest answer of this service for --key"},
        {"key", "ENTITY:ID", VERB_OPTION_TEXT, &options.key, "a key that it was asked for"},
        {"q", "TIME", VERB_OPTION_TEXT, &options.q, "the one with this query time"},
        {"value", "NAME", VERB_OPTION_TEXT, &options.value,
         "the value to follow; else the first that differs"},
    };
    const struct verb_usage usage = {
        .name = VERB,
        .arguments = "FILE...",
        .description =
            "Shows one recorded answer: what was asked, what was served, what it is by the "
            "mirror;\n"
            "then every event of its rows in the order in which they were applied: apply time,\n"
            "LSN, producer and sequence, verdict, fields, and the value after it.\n",
        .option = option,
        .option_count = ARRAY_COUNT(option),
        .argument_min = 1,
        .argument_max = VERB_ARGUMENTS_MAX,
    };
    int exit_code;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    if ((options.nth == 0) == (options.service == NULL && options.key == NULL)) {
        return verb_usage_error(&usage, "either --nth, or --service and --key, say which answer");
    }
    if (options.nth == 0 && (options.service == NULL || options.key == NULL)) {
        return verb_usage_error(&usage, "--service and --key belong together");
    }
    struct explain explain = {.options = &options};
    if (options.q != NULL && !verb_time_read(options.q, &explain.q_us)) {
        return verb_usage_error(&usage, VERB_TIME_WRONG, "q", options.q);
    }
    exit_code = parity_source_open(&explain.source, usage.name, &argv[1], (uint32_t)argc - 1,
                                   options.data, /* json= */ false);
    if (exit_code == VERB_EXIT_OK) {
        exit_code = explain_run(&explain);
        explain_close(&explain);
        parity_source_close(&explain.source);
    }
    return exit_code;
}
