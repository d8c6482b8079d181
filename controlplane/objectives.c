#include "controlplane/objectives.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "controlplane/appliance.h"
#include "controlplane/server.h"
#include "drivers/memory.h"

struct objectives {
    const struct appliance *appliance; /* Borrowed. */
    pthread_mutex_t lock;              /* Of burn[]. */
    struct burn burn[];                /* Per objective of the plan. */
};

const char *objective_kind_name(enum objective_kind kind)
{
    return kind == OBJECTIVE_FRESHNESS ? "freshness" : "read";
}

const char *objective_owner_name(const struct plan *plan, const struct plan_objective *objective)
{
    return objective->of_service ? plan->service[objective->owner].name
                                 : plan->view[objective->owner].name;
}

static bool is_about(const struct plan_objective *objective, const struct objective_read *read)
{
    if (objective->kind != OBJECTIVE_READ) {
        return false;
    }
    return objective->of_service ? objective->owner == read->service
                                 : (read->views >> objective->owner & 1) != 0;
}

void objective_read_count(const struct plan *plan, const struct objective_read *read,
                          int64_t duration_ns, bool failed, struct counters_objective *counters)
{
    for (uint32_t i = 0; i < plan->objective_count; i++) {
        const struct plan_objective *objective = &plan->objective[i];
        if (!is_about(objective, read)) {
            continue;
        }
        counter_add(&counters[i].shared_total, 1);
        if (!failed && duration_ns <= objective->limit_us * NS_PER_US) {
            counter_add(&counters[i].shared_good, 1);
        }
    }
}

static int64_t second_now(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Good first: what is counted in between may then only look bad for a moment. */
static struct burn_point point_take(const struct appliance *appliance, uint32_t index)
{
    struct burn_point point = {.second = second_now()};
    if (appliance->plan->objective[index].kind == OBJECTIVE_READ) {
        server_objective_read(appliance->server, index, &point.good, &point.total);
    }
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        const struct counters *counters = worker_counters(appliance->worker[i]);
        point.good += counter_read(&counters->objective[index].shared_good);
        point.total += counter_read(&counters->objective[index].shared_total);
    }
    point.total = point.total > point.good ? point.total : point.good;
    return point;
}

enum result objectives_open(const struct appliance *appliance, struct objectives **out_objectives)
{
    uint64_t bytes =
        sizeof(struct objectives) + appliance->plan->objective_count * sizeof(struct burn);
    struct objectives *objectives = heap_alloc(bytes);
    if (objectives == NULL) {
        return RESULT_NO_MEMORY;
    }
    memset(objectives, 0, bytes);
    objectives->appliance = appliance;
    (void)pthread_mutex_init(&objectives->lock, NULL);
    objectives_note(objectives);
    *out_objectives = objectives;
    return RESULT_OK;
}

void objectives_close(struct objectives *objectives)
{
    if (objectives != NULL) {
        (void)pthread_mutex_destroy(&objectives->lock);
        heap_free(objectives);
    }
}

void objectives_note(struct objectives *objectives)
{
    (void)pthread_mutex_lock(&objectives->lock);
    for (uint32_t i = 0; i < objectives->appliance->plan->objective_count; i++) {
        struct burn_point now = point_take(objectives->appliance, i);
        burn_note(&objectives->burn[i], &now);
    }
    (void)pthread_mutex_unlock(&objectives->lock);
}

void objectives_read(struct objectives *objectives, struct objective_figures *out)
{
    const struct plan *plan = objectives->appliance->plan;
    (void)pthread_mutex_lock(&objectives->lock);
    for (uint32_t i = 0; i < plan->objective_count; i++) {
        struct burn_point now = point_take(objectives->appliance, i);
        out[i] = (struct objective_figures){.good = now.good, .total = now.total};
        for (uint32_t w = 0; w < BURN_WINDOW_COUNT; w++) {
            out[i].burn[w] = burn_read(&objectives->burn[i], &now, (enum burn_window)w,
                                       plan->objective[i].target_ppm);
        }
    }
    (void)pthread_mutex_unlock(&objectives->lock);
}
