#include "dataplane/visible.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

static bool service_reads(const struct plan_service *service, uint32_t view)
{
    for (uint32_t i = 0; i < service->read_count; i++) {
        if (service->read[i].view == view) {
            return true;
        }
    }
    return false;
}

static bool is_about(const struct plan *plan, const struct plan_objective *objective, uint32_t view)
{
    if (objective->kind != OBJECTIVE_FRESHNESS) {
        return false;
    }
    return objective->of_service ? service_reads(&plan->service[objective->owner], view)
                                 : objective->owner == view;
}

void visible_init(struct visible *visible, const struct plan *plan)
{
    uint32_t count = 0;
    memset(visible, 0, sizeof(*visible));
    for (uint32_t v = 0; v < VIEWS_MAX; v++) {
        visible->link_first[v] = (uint16_t)count;
        for (uint32_t i = 0; v < plan->view_count && i < plan->objective_count; i++) {
            if (is_about(plan, &plan->objective[i], v)) {
                ASSERT(count < VISIBLE_LINKS_MAX);
                visible->link[count++] = (uint16_t)i;
            }
        }
    }
    visible->link_first[VIEWS_MAX] = (uint16_t)count;
}

static void view_count(const struct visible *visible, uint32_t view, const struct plan *plan,
                       struct counters *counters, int64_t duration_ns)
{
    for (uint32_t l = visible->link_first[view]; l < visible->link_first[view + 1]; l++) {
        const struct plan_objective *objective = &plan->objective[visible->link[l]];
        struct counters_objective *out = &counters->objective[visible->link[l]];
        counter_add(&out->shared_total, visible->applied[view] + visible->refused[view]);
        if (duration_ns <= objective->limit_us * NS_PER_US) {
            counter_add(&out->shared_good, visible->applied[view]);
        }
    }
}

void visible_count(struct visible *visible, const struct plan *plan, struct counters *counters,
                   int64_t duration_ns)
{
    for (uint32_t i = 0; i < visible->touched_count; i++) {
        uint32_t view = visible->touched[i];
        view_count(visible, view, plan, counters, duration_ns);
        visible->applied[view] = 0;
        visible->refused[view] = 0;
    }
    visible->touched_count = 0;
}

_Static_assert(VISIBLE_LINKS_MAX <= UINT16_MAX, "link_first counts them");
