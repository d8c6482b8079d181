#include "controlplane/feature_read.h"

#include <string.h>
#include <time.h>

#include "controlplane/appliance.h"
#include "controlplane/backfill.h"
#include "controlplane/suggest.h"
#include "dataplane/feature/key.h"
#include "dataplane/feature/view_set.h"
#include "dataplane/mirror_door.h"
#include "drivers/memory.h"

/* A durable read looks that often whether its commit is through. */
#define DURABLE_LOOK_NS   50000
#define DURABLE_LOOKS_MAX 5000

static bool write_no_memory(struct command_call *call)
{
    resp_write_error(call->reply, "ERR no memory for a request of this size");
    return false;
}

/* Makes *array hold count elements. What it held is lost when it grows. */
static bool array_reserve(void **array, uint32_t *capacity, uint32_t count, uint64_t element_bytes)
{
    if (count <= *capacity) {
        return true;
    }
    uint32_t wanted = *capacity == 0 ? 64 : *capacity;
    while (wanted < count) {
        wanted *= 2;
    }
    heap_free(*array);
    *array = heap_alloc(wanted * element_bytes);
    *capacity = *array == NULL ? 0 : wanted;
    return *array != NULL;
}

static bool fields_reserve(struct command_call *call, uint32_t count)
{
    struct read_scratch *scratch = &call->host->scratch;
    uint32_t before = scratch->feature_capacity;
    uint32_t same = before;
    if (!array_reserve((void **)&scratch->feature, &same, count, sizeof(*scratch->feature)) ||
        !array_reserve((void **)&scratch->place, &before, count, sizeof(*scratch->place))) {
        scratch->feature_capacity = 0;
        return write_no_memory(call);
    }
    scratch->feature_capacity = same;
    if (!array_reserve((void **)&scratch->group, &scratch->group_capacity, VIEWS_MAX,
                       sizeof(*scratch->group))) {
        return write_no_memory(call);
    }
    return true;
}

/* A view that is not served yet: says so, and how far it is. False: the name is no such view's. */
static bool write_filling(struct command_call *call, const char *name, bool is_entity)
{
    struct backfill *backfill = call->host->appliance->backfill;
    const struct plan *next = backfill == NULL ? NULL : backfill_plan_next(backfill);
    uint32_t size = (uint32_t)strlen(name);
    int view = -1;
    if (next != NULL && is_entity) {
        view = plan_entity_find(next, name, size);
    } else if (next != NULL) {
        int feature = plan_feature_find(next, name, size);
        view = feature < 0 ? -1 : next->feature[feature].view;
    }
    if (view < 0) {
        return false;
    }
    struct backfill_report report;
    backfill_report_read(backfill, &report);
    resp_write_error(call->reply,
                     "ERR '%s' is of view '%s', whose history is being filled: %.0f %% so far "
                     "(freshet backfill)",
                     name, next->view[view].name, 100 * backfill_share(&report));
    return true;
}

static void write_unknown_entity(struct command_call *call, const struct resp_argument *argument,
                                 uint32_t entity_size)
{
    const struct plan *plan = call->host->plan;
    char show[96];
    char known[512];
    struct resp_argument entity = {.data = argument->data, .size = entity_size};
    struct suggest suggest = suggest_begin(argument->data, entity_size);
    struct buffer names;
    buffer_init(&names, sizeof(known) - 1);
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const char *name = plan->view[plan->entity_view[i]].entity;
        suggest_offer(&suggest, name);
        buffer_format(&names, "%s%s", names.size == 0 ? "" : ", ", name);
    }
    memcpy(known, names.size == 0 ? "" : names.data, names.size);
    known[names.size] = '\0';
    buffer_deinit(&names);
    (void)command_show(&entity, show, sizeof(show));
    if (write_filling(call, show, /* is_entity= */ true)) {
        return;
    }
    if (suggest.best != NULL) {
        resp_write_error(call->reply, "ERR unknown entity '%s'; did you mean '%s'?", show,
                         suggest.best);
    } else {
        resp_write_error(call->reply, "ERR unknown entity '%s'; known are: %s", show, known);
    }
}

bool read_key_split(struct command_call *call, const struct resp_argument *argument,
                    struct read_key *out_key)
{
    const struct plan *plan = call->host->plan;
    const char *colon = memchr(argument->data, ':', argument->size);
    if (colon == NULL) {
        char show[96];
        resp_write_error(call->reply, "ERR key '%s' is not of the form <entity>:<id>",
                         command_show(argument, show, sizeof(show)));
        return false;
    }
    uint32_t size = (uint32_t)(colon - argument->data);
    int view = plan_entity_find(plan, argument->data, size);
    if (view < 0) {
        write_unknown_entity(call, argument, size);
        return false;
    }
    *out_key = (struct read_key){
        .entity = plan->view[view].entity,
        .id = colon + 1,
        .id_size = argument->size - size - 1,
    };
    return true;
}

static void write_unknown_feature(struct command_call *call, const char *entity,
                                  const struct resp_argument *field)
{
    char show[FEATURE_NAME_SIZE_MAX + NAME_SIZE_MAX];
    char near[FEATURE_NAME_SIZE_MAX + NAME_SIZE_MAX + 16];
    (void)command_show(field, show, sizeof(show));
    if (write_filling(call, show, /* is_entity= */ false)) {
        return;
    }
    plan_feature_suggest(call->host->plan, entity, field->data, field->size, near, sizeof(near));
    if (near[0] != '\0') {
        resp_write_error(call->reply, "ERR unknown feature '%s'; did you mean '%s'?", show, near);
    } else {
        resp_write_error(call->reply, "ERR unknown feature '%s' of entity '%s'", show, entity);
    }
}

/* Sorts the features, which lie in scratch->feature in asked order, into groups by view. Asked
 * fields keep their place through scratch->place. */
static void groups_make(struct command_call *call, uint32_t count, struct read_request *request)
{
    struct read_scratch *scratch = &call->host->scratch;
    const struct plan *plan = call->host->plan;
    struct view_set seen = {{0}};
    request->field_count = count;
    request->group_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t view = plan->feature[scratch->feature[i]].view;
        if (!view_set_has(&seen, view)) {
            view_set_add(&seen, view);
            scratch->group_of_view[view] = (uint16_t)request->group_count;
            scratch->group[request->group_count++] = (struct read_group){.view = view};
        }
        scratch->place[i] = scratch->group[scratch->group_of_view[view]].count++;
    }
    uint32_t first = 0;
    for (uint32_t g = 0; g < request->group_count; g++) {
        scratch->group[g].first = first;
        first += scratch->group[g].count;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint16_t view = plan->feature[scratch->feature[i]].view;
        scratch->place[i] += scratch->group[scratch->group_of_view[view]].first;
    }
}

/* Moves the features to the places that groups_make() gave them. */
static bool groups_order(struct command_call *call, uint32_t count, uint16_t *asked)
{
    struct read_scratch *scratch = &call->host->scratch;
    if (asked == NULL) {
        return write_no_memory(call);
    }
    memcpy(asked, scratch->feature, count * sizeof(*asked));
    for (uint32_t i = 0; i < count; i++) {
        scratch->feature[scratch->place[i]] = asked[i];
    }
    return true;
}

static bool fields_group(struct command_call *call, uint32_t count, struct read_request *request)
{
    groups_make(call, count, request);
    if (request->group_count <= 1) {
        return true;
    }
    uint16_t *asked = heap_alloc(count * sizeof(*asked));
    bool done = groups_order(call, count, asked);
    heap_free(asked);
    return done;
}

bool read_fields_resolve(struct command_call *call, const char *entity,
                         const struct resp_argument *fields, uint32_t count,
                         struct read_request *request)
{
    const struct plan *plan = call->host->plan;
    if (!fields_reserve(call, count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        int feature = name_cache_find(&call->host->names, fields[i].data, fields[i].size);
        if (feature < 0) {
            write_unknown_feature(call, entity, &fields[i]);
            return false;
        }
        const struct plan_view *view = &plan->view[plan->feature[feature].view];
        if (strcmp(view->entity, entity) != 0) {
            char show[FEATURE_NAME_SIZE_MAX + NAME_SIZE_MAX];
            resp_write_error(call->reply,
                             "ERR feature '%s' is of entity '%s', the key is of entity '%s'",
                             command_show(&fields[i], show, sizeof(show)), view->entity, entity);
            return false;
        }
        call->host->scratch.feature[i] = (uint16_t)feature;
    }
    return fields_group(call, count, request);
}

static bool fields_every(struct command_call *call, const char *entity, uint32_t per_view_max,
                         struct read_request *request)
{
    const struct plan *plan = call->host->plan;
    uint32_t count = 0;
    if (!fields_reserve(call, FEATURES_MAX)) {
        return false;
    }
    for (uint32_t v = 0; v < plan->view_count; v++) {
        const struct plan_view *view = &plan->view[v];
        if (strcmp(view->entity, entity) != 0 || !plan_view_is_newest(plan, v)) {
            continue;
        }
        for (uint32_t f = 0; f < view->feature_count && f < per_view_max; f++) {
            call->host->scratch.feature[count++] = (uint16_t)(view->feature_first + f);
        }
    }
    return fields_group(call, count, request);
}

bool read_fields_all(struct command_call *call, const char *entity, struct read_request *request)
{
    return fields_every(call, entity, FEATURES_MAX, request);
}

bool read_fields_one(struct command_call *call, const char *entity, struct read_request *request)
{
    return fields_every(call, entity, 1, request);
}

bool read_query_key(struct command_call *call, struct reader_query *query,
                    const struct resp_argument *key)
{
    struct buffer *bytes = &call->host->scratch.key;
    const struct plan *plan = call->host->plan;
    /* The bytes may still move: an offset until all are there. */
    query->key = (const uint8_t *)(uintptr_t)bytes->size;
    query->key_size = 0;
    if (key == NULL) {
        return true;
    }
    const char *id = (const char *)memchr(key->data, ':', key->size) + 1;
    char *room = buffer_room(bytes, KEY_SIZE_MAX);
    if (room == NULL) {
        bytes->failed = false;
        return write_no_memory(call);
    }
    query->key_size = (uint16_t)key_parse(plan, &plan->view[query->view], id,
                                          key->size - (uint32_t)(id - key->data), (uint8_t *)room);
    buffer_took(bytes, query->key_size);
    return true;
}

static bool queries_make(struct command_call *call, const struct resp_argument *keys,
                         const struct read_request *request)
{
    struct read_scratch *scratch = &call->host->scratch;
    uint32_t q = 0;
    for (uint32_t k = 0; k < request->key_count; k++) {
        for (uint32_t g = 0; g < request->group_count; g++, q++) {
            const struct read_group *group = &scratch->group[g];
            struct reader_query *query = &scratch->query[q];
            *query = (struct reader_query){
                .view = group->view,
                .time = request->time,
                .at_us = request->at_us,
                .feature_count = (uint16_t)group->count,
                .feature = scratch->feature + group->first,
                .answer = scratch->answer + (uint64_t)k * request->field_count + group->first,
            };
            if (!read_query_key(call, query, &keys[k])) {
                return false;
            }
        }
    }
    return true;
}

/* LSN up to which a shard's records, and the home records of its forwards, are durable. */
static uint64_t complete_lsn(const struct appliance *appliance, uint32_t shard)
{
    /* Acquire, pairs with release L2 in mirror_complete_turn(). */
    return atomic_load_explicit(&worker_mirror(appliance->worker[shard])->shared_complete_lsn,
                                memory_order_acquire);
}

/* Waits until what was read is durable: a commit or two. The answers stay as they were read. */
static bool answers_await(struct command_call *call, uint32_t count)
{
    const struct appliance *appliance = call->host->appliance;
    const struct answer *answer = call->host->scratch.answer;
    struct timespec pause = {.tv_nsec = DURABLE_LOOK_NS};
    uint32_t looks = 0;
    for (uint32_t i = 0; i < count; i++) {
        while (answer[i].lsn > complete_lsn(appliance, answer[i].shard)) {
            if (looks++ == DURABLE_LOOKS_MAX) {
                resp_write_error(call->reply,
                                 "ERR what was read is not durable yet after %u ms: the disk is "
                                 "slow, full or failed (freshet status); LEVEL applied does not "
                                 "wait",
                                 DURABLE_LOOKS_MAX * DURABLE_LOOK_NS / 1000000);
                return false;
            }
            (void)nanosleep(&pause, NULL);
        }
    }
    return true;
}

bool read_reserve(struct command_call *call, uint32_t answers, uint32_t queries)
{
    struct read_scratch *scratch = &call->host->scratch;
    scratch->key.size = 0;
    if (!array_reserve((void **)&scratch->answer, &scratch->answer_capacity, answers,
                       sizeof(*scratch->answer)) ||
        !array_reserve((void **)&scratch->query, &scratch->query_capacity, queries,
                       sizeof(*scratch->query))) {
        return write_no_memory(call);
    }
    return true;
}

bool read_run(struct command_call *call, const struct read_request *request, uint32_t answers,
              uint32_t queries)
{
    struct read_scratch *scratch = &call->host->scratch;
    for (uint32_t i = 0; i < queries; i++) {
        scratch->query[i].key =
            (const uint8_t *)scratch->key.data + (uintptr_t)scratch->query[i].key;
        objective_mark(&call->host->marks, call->host->objectives.of_view[scratch->query[i].view]);
    }
    reader_read(call->host->reader, scratch->query, queries);
    return !request->durable || answers_await(call, answers);
}

bool read_answers(struct command_call *call, const struct resp_argument *keys,
                  struct read_request *request)
{
    uint64_t values = (uint64_t)request->key_count * request->field_count;
    uint32_t queries = request->key_count * request->group_count;
    if (values > COMMAND_VALUES_MAX) {
        resp_write_error(call->reply,
                         "ERR %u keys times %u features are %llu values, at most %u per request",
                         request->key_count, request->field_count, (unsigned long long)values,
                         COMMAND_VALUES_MAX);
        return false;
    }
    return read_reserve(call, (uint32_t)values, queries) && queries_make(call, keys, request) &&
           read_run(call, request, (uint32_t)values, queries);
}

const struct answer *read_answer(const struct command_call *call,
                                 const struct read_request *request, uint32_t key, uint32_t field)
{
    const struct read_scratch *scratch = &call->host->scratch;
    return &scratch->answer[(uint64_t)key * request->field_count + scratch->place[field]];
}

const struct plan_feature *read_feature(const struct command_call *call, uint32_t field)
{
    const struct read_scratch *scratch = &call->host->scratch;
    return &call->host->plan->feature[scratch->feature[scratch->place[field]]];
}

const struct reader_query *read_query(const struct command_call *call,
                                      const struct read_request *request, uint32_t key,
                                      uint32_t group)
{
    return &call->host->scratch.query[(uint64_t)key * request->group_count + group];
}
