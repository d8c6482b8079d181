#include "controlplane/service_read.h"

#include <string.h>

#include "controlplane/suggest.h"
#include "dataplane/feature/view_set.h"

static const struct plan_service *
write_unknown_service(struct command_call *call, const struct resp_argument *name, uint32_t size)
{
    const struct plan *plan = call->host->plan;
    char show[96];
    struct resp_argument part = {.data = name->data, .size = size};
    struct suggest suggest = suggest_begin(name->data, size);
    for (uint32_t i = 0; i < plan->service_count; i++) {
        suggest_offer(&suggest, plan->service[i].name);
    }
    (void)command_show(&part, show, sizeof(show));
    if (plan->service_count == 0) {
        resp_write_error(call->reply, "ERR unknown service '%s'; the definitions have none", show);
    } else if (suggest.best != NULL) {
        resp_write_error(call->reply, "ERR unknown service '%s'; did you mean '%s'?", show,
                         suggest.best);
    } else {
        resp_write_error(call->reply, "ERR unknown service '%s'; one that is known is '%s'", show,
                         plan->service[0].name);
    }
    return NULL;
}

/* `name` or `name@version`; NULL after writing an error. */
static const struct plan_service *service_of(struct command_call *call,
                                             const struct resp_argument *name)
{
    const char *at = name->size == 0 ? NULL : memchr(name->data, '@', name->size);
    uint32_t size = at == NULL ? name->size : (uint32_t)(at - name->data);
    int index = service_find(call->host->plan, name->data, size);
    if (index < 0) {
        return write_unknown_service(call, name, size);
    }
    const struct plan_service *service = &call->host->plan->service[index];
    int64_t version;
    if (at != NULL && (!resp_integer_read(at + 1, name->size - size - 1, &version) ||
                       version != service->version)) {
        char show[96];
        resp_write_error(call->reply, "ERR '%s' is not there: service '%s' has version %u",
                         command_show(name, show, sizeof(show)), service->name, service->version);
        return NULL;
    }
    return service;
}

/* Place among the service's entities; -1 after writing an error. */
static int entity_find(struct command_call *call, const struct plan_service *service,
                       const struct resp_argument *argument)
{
    const struct plan *plan = call->host->plan;
    struct read_key key;
    char show[96];
    char known[SERVICE_ENTITIES_MAX * (NAME_SIZE_MAX + 2)];
    size_t size = 0;
    if (!read_key_split(call, argument, &key)) {
        return -1;
    }
    for (uint32_t e = 0; e < service->entity_count; e++) {
        const char *entity = plan->view[service->entity[e]].entity;
        if (strcmp(entity, key.entity) == 0) {
            return (int)e;
        }
        size_t length = strlen(entity);
        memcpy(known + size, ", ", 2);
        memcpy(known + size + 2, entity, length);
        size += 2 + length;
    }
    known[size] = '\0';
    resp_write_error(call->reply, "ERR key '%s' is of entity '%s', service '%s' is about: %s",
                     command_show(argument, show, sizeof(show)), key.entity, service->name,
                     known + 2);
    return -1;
}

/* Counts the keys of each entity; *out_rows is what the candidates make. */
static bool keys_sort(struct command_call *call, uint32_t first_key, uint32_t key_count,
                      uint32_t *out_rows)
{
    struct service_scratch *scratch = call->host->service;
    const struct plan_service *service = scratch->run.service;
    const struct plan *plan = call->host->plan;
    int candidates = -1;
    memset(scratch->key_count, 0, sizeof(scratch->key_count));
    for (uint32_t k = 0; k < key_count; k++) {
        int e = entity_find(call, service, &call->argument[first_key + k]);
        if (e < 0) {
            return false;
        }
        if (scratch->key_count[e]++ == 0) {
            scratch->key_first[e] = first_key + k;
        } else if (candidates >= 0 && candidates != e) {
            resp_write_error(
                call->reply,
                "ERR keys of '%s' and of '%s' are given more than once; one entity may "
                "have candidates",
                plan->view[service->entity[candidates]].entity,
                plan->view[service->entity[e]].entity);
            return false;
        } else {
            candidates = e;
        }
    }
    *out_rows = candidates < 0 ? 1 : scratch->key_count[candidates];
    return true;
}

/* The next key of an entity from argument `at` on; moves behind it. NULL: it has none. */
static const struct resp_argument *key_next(const struct command_call *call, uint32_t entity,
                                            uint32_t *at)
{
    const struct service_scratch *scratch = call->host->service;
    const char *name = call->host->plan->view[scratch->run.service->entity[entity]].entity;
    size_t size = strlen(name);
    if (scratch->key_count[entity] == 0) {
        return NULL;
    }
    for (;; (*at)++) {
        const struct resp_argument *key = &call->argument[*at];
        if (key->size > size && key->data[size] == ':' && memcmp(key->data, name, size) == 0) {
            (*at)++;
            return key;
        }
    }
}

/* What one view of the service is asked, for all its keys. */
struct batch {
    uint32_t queries;
    uint32_t answers;
    uint32_t features;
};

/* Adds the queries of a view whose reads are not placed yet. */
static bool view_add(struct command_call *call, const struct read_request *request, uint16_t view,
                     uint16_t entity, struct batch *batch)
{
    struct service_scratch *own = call->host->service;
    struct read_scratch *scratch = &call->host->scratch;
    const struct plan_service *service = own->run.service;
    uint16_t *feature = &own->feature[batch->features];
    uint32_t keys = own->key_count[entity] > 1 ? own->key_count[entity] : 1;
    uint32_t at = own->key_first[entity];
    uint16_t count = 0;
    for (uint32_t i = 0; i < service->read_count; i++) {
        if (service->read[i].view == view) {
            own->run.base[i] = batch->answers + count;
            feature[count++] = service->read[i].feature;
        }
    }
    for (uint32_t i = 0; i < service->read_count; i++) {
        if (service->read[i].view == view) {
            own->run.step[i] = keys > 1 ? count : 0;
        }
    }
    for (uint32_t k = 0; k < keys; k++) {
        struct reader_query *query = &scratch->query[batch->queries++];
        *query = (struct reader_query){
            .view = view,
            .time = request->time,
            .at_us = request->at_us,
            .feature_count = count,
            .feature = feature,
            .answer = scratch->answer + batch->answers,
        };
        batch->answers += count;
        if (!read_query_key(call, query, key_next(call, entity, &at))) {
            return false;
        }
    }
    batch->features += count;
    return true;
}

static bool reads_run(struct command_call *call, const struct read_request *request, uint32_t rows)
{
    struct service_scratch *own = call->host->service;
    const struct plan_service *service = own->run.service;
    struct view_set seen = {{0}};
    struct batch batch = {0};
    if (!read_reserve(call, rows * service->read_count, rows * service->read_count)) {
        return false;
    }
    for (uint32_t i = 0; i < service->read_count; i++) {
        const struct plan_service_read *read = &service->read[i];
        if (view_set_has(&seen, read->view)) {
            continue;
        }
        view_set_add(&seen, read->view);
        if (!view_add(call, request, read->view, read->entity, &batch)) {
            return false;
        }
    }
    objective_mark(&call->host->marks,
                   call->host->objectives.of_service[service - call->host->plan->service]);
    own->run.answer = call->host->scratch.answer;
    own->run.space = &own->space;
    return read_run(call, request, batch.answers, batch.queries);
}

bool service_read(struct command_call *call, uint32_t first_key, uint32_t key_count,
                  const struct feature_options *options, struct read_request *request,
                  uint32_t *out_rows)
{
    const struct plan_service *service = service_of(call, options->service);
    if (service == NULL) {
        return false;
    }
    struct service_run *run = &call->host->service->run;
    run->service = service;
    if (!service_request_read(call, options, run) ||
        !keys_sort(call, first_key, key_count, out_rows)) {
        return false;
    }
    uint32_t wide =
        service->item_count > service->read_count ? service->item_count : service->read_count;
    if (*out_rows > COMMAND_VALUES_MAX / wide) {
        resp_write_error(call->reply,
                         "ERR %u candidates times %u features are %llu values, at most %u per "
                         "request",
                         *out_rows, wide, (unsigned long long)*out_rows * wide, COMMAND_VALUES_MAX);
        return false;
    }
    return reads_run(call, request, *out_rows);
}
