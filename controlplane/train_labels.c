/* Which column of the label file is which: keys, times, requests. */
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
