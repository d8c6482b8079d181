/* Series of answers: those that are recorded, what became of them, and what is promised of them. */
#include "controlplane/metrics.h"

void metrics_served_recorded(const struct metrics *metrics)
{
    metrics_plain_write(metrics, metrics->snapshot->served.recorded);
}

void metrics_served_dropped(const struct metrics *metrics)
{
    metrics_plain_write(metrics, metrics->snapshot->served.dropped);
}

void metrics_served_bytes(const struct metrics *metrics)
{
    metrics_plain_write(metrics, metrics->snapshot->served.bytes);
}

/* One series for each value of each service: the sum of its outcomes from first to last. */
static void parity_write(const struct metrics *metrics, uint32_t first, uint32_t last)
{
    const struct plan *plan = metrics->snapshot->parity_plan;
    uint32_t value = 0;
    for (uint32_t s = 0; metrics->snapshot->parity != NULL && s < plan->service_count; s++) {
        for (uint32_t i = 0; i < plan->service[s].item_count; i++, value++) {
            uint64_t sum = 0;
            for (uint32_t outcome = first; outcome <= last; outcome++) {
                sum += metrics->snapshot->parity[value][outcome];
            }
            metrics_series_pair(metrics, "service", plan->service[s].name, "feature",
                                plan->service[s].item[i].name);
            metrics_value_write(metrics, sum);
        }
    }
}

void metrics_parity_checked(const struct metrics *metrics)
{
    parity_write(metrics, PARITY_equal, PARITY_extra);
}

void metrics_parity_mismatch(const struct metrics *metrics)
{
    parity_write(metrics, PARITY_mismatch, PARITY_mismatch);
}

void metrics_parity_extra(const struct metrics *metrics)
{
    parity_write(metrics, PARITY_extra, PARITY_extra);
}

void metrics_parity_missing(const struct metrics *metrics)
{
    parity_write(metrics, PARITY_missing, PARITY_missing);
}

void metrics_parity_gone(const struct metrics *metrics)
{
    metrics_plain_write(metrics, metrics->snapshot->canary.gone);
}

void metrics_parity_failed(const struct metrics *metrics)
{
    metrics_plain_write(metrics, metrics->snapshot->canary.failed);
}

void metrics_parity_core_seconds(const struct metrics *metrics)
{
    metrics_plain_real_write(metrics, (double)metrics->snapshot->canary.cpu_ns / 1e9);
}

/* name{view="activity",objective="read"} without the value. */
static void objective_write(const struct metrics *metrics, uint32_t index)
{
    const struct plan *plan = metrics->snapshot->plan;
    const struct plan_objective *objective = &plan->objective[index];
    metrics_series_pair(metrics, objective->of_service ? "service" : "view",
                        objective_owner_name(plan, objective), "objective",
                        objective_kind_name(objective->kind));
}

void metrics_slo_good(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->plan->objective_count; i++) {
        objective_write(metrics, i);
        metrics_value_write(metrics, metrics->snapshot->objective[i].good);
    }
}

void metrics_slo_total(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->plan->objective_count; i++) {
        objective_write(metrics, i);
        metrics_value_write(metrics, metrics->snapshot->objective[i].total);
    }
}

void metrics_slo_target(const struct metrics *metrics)
{
    for (uint32_t i = 0; i < metrics->snapshot->plan->objective_count; i++) {
        objective_write(metrics, i);
        metrics_real_write(metrics, metrics->snapshot->plan->objective[i].target_ppm / 1e6);
    }
}
