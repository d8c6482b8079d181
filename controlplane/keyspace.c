#include "controlplane/keyspace.h"

#include <string.h>

#include "controlplane/appliance.h"
#include "dataplane/counters.h"

uint64_t keyspace_rows(const struct appliance *appliance, uint32_t view)
{
    uint64_t rows = 0;
    for (uint32_t s = 0; s < appliance->shard_count; s++) {
        rows += counter_read(&worker_counters(appliance->worker[s])->view[view].shared_rows);
    }
    return rows;
}

uint64_t keyspace_size(const struct appliance *appliance)
{
    const struct plan *plan = appliance_plan(appliance);
    uint64_t largest[VIEWS_MAX] = {0}; /* Of an entity, at the index of its first view. */
    uint64_t sum = 0;
    for (uint32_t v = 0; v < plan->view_count; v++) {
        const char *entity = plan->view[v].entity;
        int first = plan_entity_find(plan, entity, (uint32_t)strlen(entity));
        uint64_t rows = keyspace_rows(appliance, v);
        largest[first] = rows > largest[first] ? rows : largest[first];
    }
    for (uint32_t v = 0; v < plan->view_count; v++) {
        sum += largest[v];
    }
    return sum;
}
