#include "dataplane/visible.h"

#include <string.h>

#include "dataplane/base/units.h"

void visible_init(struct visible *visible, const struct plan *plan)
{
    memset(visible, 0, sizeof(*visible));
    for (uint32_t i = 0; i < plan->objective_count; i++) {
        if (plan->objective[i].kind == OBJECTIVE_FRESHNESS) {
            visible->views |= plan->objective[i].views;
        }
    }
}

static uint64_t refused_read(const struct counters_view *view)
{
    return counter_read(&view->shared_drop[DROP_view_memory]) +
           counter_read(&view->shared_drop[DROP_view_row_size]);
}

void visible_skip(struct visible *visible, const struct counters *counters)
{
    for (uint32_t v = 0; v < VIEWS_MAX; v++) {
        visible->applied[v] = counter_read(&counters->view[v].shared_applied);
        visible->refused[v] = refused_read(&counters->view[v]);
    }
}

static void objective_count(const struct plan_objective *objective,
                            struct counters_objective *counters, const uint64_t applied[VIEWS_MAX],
                            const uint64_t refused[VIEWS_MAX], int64_t duration_ns)
{
    uint64_t good = 0;
    uint64_t bad = 0;
    for (uint64_t views = objective->views; views != 0; views &= views - 1) {
        uint32_t v = (uint32_t)__builtin_ctzll(views);
        good += applied[v];
        bad += refused[v];
    }
    if (good + bad == 0) {
        return;
    }
    counter_add(&counters->shared_total, good + bad);
    if (duration_ns <= objective->limit_us * NS_PER_US) {
        counter_add(&counters->shared_good, good);
    }
}

void visible_count(struct visible *visible, const struct plan *plan, struct counters *counters,
                   int64_t duration_ns)
{
    uint64_t applied[VIEWS_MAX];
    uint64_t refused[VIEWS_MAX];
    for (uint64_t views = visible->views; views != 0; views &= views - 1) {
        uint32_t v = (uint32_t)__builtin_ctzll(views);
        applied[v] = counter_read(&counters->view[v].shared_applied) - visible->applied[v];
        refused[v] = refused_read(&counters->view[v]) - visible->refused[v];
        visible->applied[v] += applied[v];
        visible->refused[v] += refused[v];
    }
    for (uint32_t i = 0; i < plan->objective_count; i++) {
        if (plan->objective[i].kind == OBJECTIVE_FRESHNESS) {
            objective_count(&plan->objective[i], &counters->objective[i], applied, refused,
                            duration_ns);
        }
    }
}

_Static_assert(VIEWS_MAX <= 64, "one bit per view");
