#include "config/service.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config/errors.h"
#include "config/objective.h"
#include "config/scalar.h"
#include "config/suggest.h"
#include "config/view_expression.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/service.h"
#include "dataplane/feature/text.h"

#define SAMPLE_DIGITS      6 /* A share with so many digits is in millionths. */
#define SAMPLE_PPM_MAX     1000000
#define SAMPLE_PPM_DEFAULT 1000

#define REFERENCE_FORM "a feature is view.feature, as activity.txn_count_10m"

static uint32_t view_feature_count(const struct plan_view *view)
{
    return (uint32_t)view->aggregate_count * view->window_count + view->derived_count;
}

/* Name of a feature before the plan has it. */
static void place_name(const struct plan_view *view, uint32_t place,
                       char out[FEATURE_NAME_SIZE_MAX])
{
    uint32_t base_count = (uint32_t)view->aggregate_count * view->window_count;
    if (place < base_count) {
        view_feature_name(view, place / view->window_count, place % view->window_count, out);
    } else {
        memcpy(out, view->derived[place - base_count].name, NAME_SIZE_MAX);
    }
}

/* "view" or "view@2" as an index; -1: there is none. */
static int view_find(const struct plan *plan, const char *text, uint32_t size)
{
    const char *at = size == 0 ? NULL : memchr(text, '@', size);
    uint32_t version = 0;
    for (const char *digit = at; at != NULL && ++digit < text + size;) {
        if (*digit < '0' || *digit > '9' || version > UINT16_MAX) {
            return -1;
        }
        version = version * 10 + (uint32_t)(*digit - '0');
    }
    if (at != NULL && version == 0) {
        return -1;
    }
    return plan_view_find(plan, text, at == NULL ? size : (uint32_t)(at - text), version);
}

static int place_find(const struct plan_view *view, const char *text, uint32_t size)
{
    char name[FEATURE_NAME_SIZE_MAX];
    for (uint32_t i = 0; i < view_feature_count(view); i++) {
        place_name(view, i, name);
        if (strlen(name) == size && memcmp(name, text, size) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* Bytes of the separator at a place of a reference, as plan_feature_find() takes them; 0: none. */
static uint32_t separator_size(const char *reference, uint32_t size, uint32_t at)
{
    if (reference[at] == '.' || reference[at] == ':') {
        return 1;
    }
    return at + 1 < size && reference[at] == '_' && reference[at + 1] == '_' ? 2 : 0;
}

/* The nearest reference of all views. */
static const char *reference_near(const struct plan *plan, const char *wrong,
                                  char out[SUGGEST_TEXT_SIZE_MAX])
{
    char name[NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX];
    char best[NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX];
    struct suggest suggest = suggest_for(wrong);
    for (uint32_t v = 0; v < plan->view_count; v++) {
        const struct plan_view *view = &plan->view[v];
        size_t size = strlen(view->name);
        memcpy(name, view->name, size);
        name[size] = '.';
        for (uint32_t i = 0; i < view_feature_count(view); i++) {
            place_name(view, i, name + size + 1);
            suggest_try(&suggest, name);
            if (suggest.best == name) {
                memcpy(best, name, sizeof(best));
                suggest.best = best;
            }
        }
    }
    return suggest_text(&suggest, out);
}

/* What an unknown reference may mean was reported already. */
static bool is_told(const struct service_reader *reader, int view)
{
    const struct plan *plan = &reader->config->plan;
    if (view >= 0) {
        return reader->loader->view_broken[view];
    }
    for (uint32_t v = 0; v < plan->view_count; v++) {
        if (plan->view[v].name[0] == '\0') {
            return true;
        }
    }
    return false;
}

bool service_reference_find(struct service_reader *reader, const struct node *scalar,
                            uint32_t character, const char *reference, uint32_t size,
                            uint16_t *out_view, uint16_t *out_place)
{
    const struct plan *plan = &reader->config->plan;
    char wanted[SERVICE_FEATURE_NAME_SIZE_MAX] = "";
    char near[SUGGEST_TEXT_SIZE_MAX];
    int view = -1;
    bool separated = false;
    for (uint32_t i = 0; i < size; i++) {
        uint32_t separator = separator_size(reference, size, i);
        int found = separator == 0 ? -1 : view_find(plan, reference, i);
        separated = separated || separator != 0;
        if (found < 0) {
            continue;
        }
        view = found;
        int place = place_find(&plan->view[view], reference + i + separator, size - i - separator);
        if (place >= 0) {
            *out_view = (uint16_t)view;
            *out_place = (uint16_t)place;
            /* Types of a broken view are not to be relied on. */
            return !reader->loader->view_broken[view];
        }
    }
    if (is_told(reader, view)) {
        return false;
    }
    memcpy(wanted, reference, size < sizeof(wanted) ? size : sizeof(wanted) - 1);
    (void)reference_near(plan, wanted, near);
    error_inside(reader->config, scalar, character, "`%.80s` is no feature of any view%s%s", wanted,
                 near[0] == '\0' && !separated ? "; " REFERENCE_FORM : "", near);
    return false;
}

int service_read_place(struct plan_service *service, uint16_t view, uint16_t place)
{
    for (uint32_t i = 0; i < service->read_count; i++) {
        if (service->read[i].view == view && service->read[i].place == place) {
            return (int)i;
        }
    }
    if (service->read_count == SERVICE_READS_MAX) {
        return -1;
    }
    service->read[service->read_count] =
        (struct plan_service_read){.view = view, .place = place, .item = SERVICE_ITEM_NONE};
    return service->read_count++;
}

/* The feature of an item. */
static bool feature_read(struct service_reader *reader, const struct node *scalar,
                         struct plan_service_item *item)
{
    struct plan_service *service = reader->service;
    uint16_t view;
    uint16_t place;
    if (!scalar_is(reader->config, scalar, "a feature") ||
        !service_reference_find(reader, scalar, 0, scalar->text, scalar->size, &view, &place)) {
        return false;
    }
    int read = service_read_place(service, view, place);
    if (read < 0) {
        error_at(reader->config, scalar, "service `%s` reads more than %d features; split it",
                 service->name, SERVICE_READS_MAX);
        return false;
    }
    if (service->read[read].item != SERVICE_ITEM_NONE) {
        error_at(reader->config, scalar, "feature `%s` is there already, as `%s`; keep one",
                 scalar->text, service->item[service->read[read].item].name);
        return false;
    }
    item->source = (uint16_t)read;
    if (item->name[0] == '\0') {
        memcpy(item->name, scalar->text, scalar->size + 1);
    }
    return true;
}

static bool name_is_free(struct service_reader *reader, const struct node *at, const char *name)
{
    for (uint32_t i = 0; i < reader->service->item_count; i++) {
        if (strcmp(reader->service->item[i].name, name) == 0) {
            error_at(reader->config, at, "`%s` is a name in this service already; choose another",
                     name);
            return false;
        }
    }
    return true;
}

/* What belongs to either kind. */
static void details_read(struct service_reader *reader, const struct node *const *value,
                         struct plan_service_item *item)
{
    const struct plan_service *service = reader->service;
    const struct node *max_age = value[KEYWORD_service_feature_max_age];
    const struct node *otherwise = value[KEYWORD_service_feature_default];
    if (max_age != NULL && item->is_computed) {
        error_at(reader->config, max_age->key,
                 "`max_age` is for features of views; give it to those that `value` reads");
    } else if (max_age != NULL) {
        (void)scalar_read_duration(reader->config, max_age, "`max_age`", US_PER_MS, US_PER_MS,
                                   &item->max_age_us);
    }
    if (otherwise != NULL) {
        const struct plan_service_read *read = &service->read[item->is_computed ? 0 : item->source];
        struct expression_type type =
            item->is_computed
                ? service->program.output_type[item->source]
                : service_feature_type(&reader->config->plan, read->view, read->place);
        if (type.kind == TYPE_null && !item->is_computed) {
            error_at(reader->config, otherwise->key,
                     "`default` is for single values, and this feature is a list");
            return;
        }
        service_default_read(reader, otherwise, type, &item->otherwise);
    }
}

/* {feature, ...} or {name, value, ...}. Returns false after reporting. */
static bool item_map_read(struct service_reader *reader, const struct node *map,
                          struct plan_service_item *item)
{
    struct config *config = reader->config;
    struct keyword_values values;
    uint32_t errors = config->error_count;
    keyword_read_map(config, map, PLACE_service_feature, &values);
    const struct node *feature = values.value[KEYWORD_service_feature_feature];
    const struct node *name = values.value[KEYWORD_service_feature_name];
    const struct node *value = values.value[KEYWORD_service_feature_value];
    if (feature != NULL && value != NULL) {
        error_at(config, value->key, "`feature` and `value` exclude one another; keep one");
        return false;
    }
    if (feature == NULL && value == NULL) {
        if (config->error_count == errors) {
            error_at(config, map,
                     "an entry of `features` has a `feature`, or a `name` and a `value`");
        }
        return false;
    }
    if (value != NULL && node_map_find(map, "name") == NULL) {
        error_at(config, value->key, "`value` has no `name`, which answers call it by");
        return false;
    }
    if (name != NULL && !scalar_read_name(config, name, "`name`", item->name)) {
        return false;
    }
    bool good = value != NULL ? service_value_read(reader, value, item)
                              : feature_read(reader, feature, item);
    if (good) {
        details_read(reader, values.value, item);
    }
    return good && name_is_free(reader, name != NULL ? name : feature, item->name);
}

static void item_read(struct service_reader *reader, const struct node *node)
{
    struct plan_service *service = reader->service;
    struct plan_service_item *item = &service->item[service->item_count];
    *item = (struct plan_service_item){0};
    bool good = node->kind == NODE_MAP
                    ? item_map_read(reader, node, item)
                    : feature_read(reader, node, item) && name_is_free(reader, node, item->name);
    if (!good) {
        return;
    }
    if (!item->is_computed) {
        service->read[item->source].item = service->item_count;
    }
    service->item_count++;
}

static void features_read(struct service_reader *reader, const struct node *list)
{
    if (list->kind == NODE_BROKEN) {
        return;
    }
    if (list->kind != NODE_LIST || list->size == 0) {
        error_at(reader->config, list, "`features` is a list, as [activity.txn_count_10m]");
        return;
    }
    if (list->size > SERVICE_FEATURES_MAX) {
        error_at(reader->config, list, "%u features; at most %d are allowed", list->size,
                 SERVICE_FEATURES_MAX);
        return;
    }
    uint32_t errors = reader->config->error_count;
    uint32_t broken = 0;
    for (const struct node *item = list->first; item != NULL; item = item->next) {
        broken += item->kind == NODE_BROKEN;
        item_read(reader, item);
    }
    bool complete = errors == reader->config->error_count && broken == 0 &&
                    reader->service->item_count == list->size;
    if (complete && reader->service->read_count == 0) {
        error_at(
            reader->config, list,
            "the values of service `%s` read no feature of a view, so there is nothing to look "
            "up; name at least one",
            reader->service->name);
    }
}

static void request_read(struct service_reader *reader, const struct node *map)
{
    struct plan_service *service = reader->service;
    if (map->kind == NODE_BROKEN) {
        return;
    }
    if (map->kind != NODE_MAP || map->size == 0) {
        error_at(reader->config, map,
                 "`request` is a map of fields by name, as amount: {type: decimal, scale: 2}");
        return;
    }
    if (map->size > SERVICE_REQUEST_MAX) {
        error_at(reader->config, map->key, "%u fields of a request; at most %d are allowed",
                 map->size, SERVICE_REQUEST_MAX);
    }
    for (const struct node *field = map->first;
         field != NULL && service->request_count < SERVICE_REQUEST_MAX; field = field->next) {
        uint32_t index = service->request_count++;
        if (!field_read_request(reader->config, field, &service->request[index],
                                &service->request_enums)) {
            reader->requests_broken |= 1u << index;
        }
    }
}

static void log_read(struct config *config, const struct node *map, struct plan_service *service)
{
    const struct schema_field share = {.type = FIELD_TYPE_decimal, .scale = SAMPLE_DIGITS};
    struct keyword_values values;
    int64_t ppm;
    keyword_read_map(config, map, PLACE_service_log, &values);
    if (map->kind != NODE_MAP) {
        return;
    }
    const struct node *sample = values.value[KEYWORD_service_log_sample];
    if (node_map_find(map, "sample") == NULL) {
        error_at(config, map->key, "`log` has no `sample`; a share from 0 to 1, as 0.01");
    }
    if (sample == NULL || !scalar_is(config, sample, "`sample`")) {
        return;
    }
    if (!text_value_parse(&share, sample->text, sample->size, &ppm) || ppm < 0 ||
        ppm > SAMPLE_PPM_MAX) {
        error_at(config, sample,
                 "`sample` is `%.64s`; a share from 0 to 1, with up to %d digits after the point, "
                 "is allowed, as 0.01",
                 sample->text, SAMPLE_DIGITS);
        return;
    }
    service->log_sample_ppm = (uint32_t)ppm;
}

static void service_read(struct service_reader *reader, const struct node *map)
{
    struct config *config = reader->config;
    struct plan_service *service = reader->service;
    struct keyword_values values;
    uint64_t version;
    /* Reads, items and fields of the request are cleared as they are read, texts of enums
     * too. */
    memset(service, 0, offsetof(struct plan_service, read));
    service->request_enums.size = 0;
    service->version = 1;
    service->log_sample_ppm = SAMPLE_PPM_DEFAULT;
    reader->requests_broken = 0;
    (void)scalar_read_name(config, map->key, "a service's name", service->name);
    keyword_read_map(config, map, PLACE_service, &values);
    const struct node *const *value = values.value;
    if (map->kind == NODE_MAP && node_map_find(map, "features") == NULL) {
        error_at(config, map->key,
                 "service `%.64s` has no `features`; a list, as "
                 "[activity.txn_count_10m]",
                 map->key->text);
    }
    if (value[KEYWORD_service_version] != NULL &&
        scalar_read_uint(config, value[KEYWORD_service_version], "`version`", 1, UINT16_MAX,
                         &version)) {
        service->version = (uint16_t)version;
    }
    if (value[KEYWORD_service_request] != NULL) {
        request_read(reader, value[KEYWORD_service_request]);
    }
    if (value[KEYWORD_service_features] != NULL) {
        features_read(reader, value[KEYWORD_service_features]);
    }
    if (value[KEYWORD_service_log] != NULL) {
        log_read(config, value[KEYWORD_service_log], service);
    }
    if (value[KEYWORD_service_slo] != NULL) {
        uint16_t index = (uint16_t)(service - config->plan.service);
        objective_read(config, value[KEYWORD_service_slo],
                       &(struct plan_objective){.of_service = true, .owner = index});
    }
}

void service_read_all(struct loader *loader)
{
    struct config *config = loader->config;
    const struct node *map = loader->top[KEYWORD_top_services];
    if (map == NULL) {
        return;
    }
    if (map->size > SERVICES_MAX) {
        error_at(config, map->first->key, "%u services; at most %d are allowed", map->size,
                 SERVICES_MAX);
    }
    struct service_reader *reader = malloc(sizeof(*reader));
    if (reader == NULL) {
        error_at(config, map->key, "the machine gave no memory for it");
        return;
    }
    reader->loader = loader;
    reader->config = config;
    for (const struct node *service = map->first;
         service != NULL && config->plan.service_count < SERVICES_MAX; service = service->next) {
        uint16_t index = config->plan.service_count++;
        loader->service_node[index] = service->key;
        reader->service = &config->plan.service[index];
        service_read(reader, service);
    }
    free(reader);
}
