#include "controlplane/served_take.h"

#include <string.h>

#include "controlplane/appliance.h"
#include "controlplane/service_read.h"
#include "dataplane/feature/served_format.h"
#include "dataplane/feature/view_set.h"
#include "drivers/memory.h"

struct served_take {
    struct served_thread *thread;
    uint64_t service_print[SERVICES_MAX];
    struct served_record record;
    char text[SERVICE_FEATURES_MAX][ANSWER_TEXT_SIZE_MAX]; /* Of items that are no text. */
    uint8_t bytes[SERVED_RECORD_BYTES_MAX];
};

static void prints_make(struct served_take *take, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->service_count; i++) {
        take->service_print[i] = service_fingerprint(plan, &plan->service[i]);
    }
}

void served_take_follow(struct served_take *take, const struct plan *plan)
{
    prints_make(take, plan);
    served_thread_follow(take->thread, plan);
}

enum result served_take_open(struct served_thread *thread, const struct plan *plan,
                             struct served_take **out_take)
{
    struct served_take *take = heap_alloc(sizeof(*take));
    if (take == NULL) {
        return RESULT_NO_MEMORY;
    }
    take->thread = thread;
    prints_make(take, plan);
    *out_take = take;
    return RESULT_OK;
}

void served_take_close(struct served_take *take)
{
    heap_free(take);
}

static struct served_text text_of(const char *text)
{
    return (struct served_text){.data = text, .size = (uint32_t)strlen(text)};
}

static void read_take(const struct plan *plan, const struct reader_query *query,
                      struct served_read *read)
{
    const struct answer *answer = query->answer;
    *read = (struct served_read){
        .view = text_of(plan->view[query->view].name),
        .key = {.data = (const char *)query->key, .size = query->key_size},
        .version = plan->view[query->view].version,
        .shard = (uint16_t)answer->shard,
        .time = query->time,
        .found = query->found,
        .at_us = query->time == READ_AT ? query->at_us : 0,
        .known_us = query->known_us,
        .q_us = answer->q_us,
        .lsn = answer->lsn,
    };
}

/* The queries of a row: one for each view, in the order in which service_read() put them. */
static void reads_take(const struct command_call *call, uint32_t row, struct served_record *record)
{
    const struct service_run *run = &call->host->service->run;
    const struct reader_query *query = call->host->scratch.query;
    const struct plan_service *service = run->service;
    struct view_set seen = {{0}};
    record->read_count = 0;
    for (uint32_t i = 0; i < service->read_count; i++) {
        uint16_t view = service->read[i].view;
        if (view_set_has(&seen, view)) {
            continue;
        }
        view_set_add(&seen, view);
        bool is_each = run->step[i] > 0; /* Its entity has candidates: a query for each. */
        uint32_t count = is_each ? call->host->service->key_count[service->read[i].entity] : 1;
        read_take(call->host->plan, query + (is_each ? row : 0),
                  &record->read[record->read_count++]);
        query += count;
    }
}

static void values_take(const struct plan_service *service, const struct feature_options *options,
                        struct served_record *record)
{
    record->value_count = (uint8_t)service->request_count;
    for (uint32_t i = 0; i < service->request_count; i++) {
        struct served_value *value = &record->value[i];
        *value = (struct served_value){.name = text_of(service->request[i].name), .is_null = true};
        for (uint32_t r = 0; r < options->request_count; r++) {
            const struct resp_argument *pair = &options->request[2 * r];
            struct served_text name = {.data = pair[0].data, .size = pair[0].size};
            if (served_text_is(name, service->request[i].name)) {
                value->text = (struct served_text){.data = pair[1].data, .size = pair[1].size};
                value->is_null = pair[1].size == 0;
            }
        }
    }
}

static void items_take(const struct service_run *run, uint32_t first, uint32_t row,
                       struct served_take *take)
{
    struct served_record *record = &take->record;
    record->item_count = run->service->item_count;
    for (uint32_t i = 0; i < run->service->item_count; i++) {
        struct served_item *item = &record->item[i];
        struct answer answer;
        service_answer(run, first, row, i, &answer);
        *item = (struct served_item){.name = text_of(run->service->item[i].name),
                                     .status = answer.status,
                                     .flags = answer.flags,
                                     .kind = answer.kind};
        if (answer.kind != VALUE_NULL) {
            item->text.data = answer_text(&answer, take->text[i], &item->text.size);
        }
    }
}

static void row_take(struct command_call *call, const struct feature_options *options,
                     uint32_t first, uint32_t row)
{
    struct command_host *host = call->host;
    const struct service_run *run = &host->service->run;
    const struct plan_service *service = run->service;
    struct served_take *take = host->take;
    struct served_record *record = &take->record;
    record->moment_us = clock_now_us(&host->appliance->clock);
    record->plan_print = host->plan->fingerprint;
    record->service_print = take->service_print[service - host->plan->service];
    record->service = text_of(service->name);
    record->version = service->version;
    record->row = row;
    reads_take(call, row, record);
    values_take(service, options, record);
    items_take(run, first, row, take);
    served_push(take->thread, take->bytes,
                served_record_encode(record, take->bytes, sizeof(take->bytes)));
}

void served_take_row(struct command_call *call, const struct feature_options *options,
                     uint32_t first, uint32_t row)
{
    const struct command_host *host = call->host;
    uint32_t service = (uint32_t)(host->service->run.service - host->plan->service);
    if (host->take != NULL && served_is_due(host->take->thread, host->plan, service)) {
        row_take(call, options, first, row);
    }
}
