#include "controlplane/report_render.h"

static json_t *burn_json(const struct objective_figures *figures)
{
    json_t *object = json_object();
    for (uint32_t w = 0; w < BURN_WINDOW_COUNT; w++) {
        const struct burn_rate *burn = &figures->burn[w];
        (void)json_object_set_new(object, burn_window_name((enum burn_window)w),
                                  burn->known ? json_real(burn->rate) : json_null());
    }
    return object;
}

static json_t *objective_json(const struct snapshot *snapshot, uint32_t index)
{
    const struct plan_objective *objective = &snapshot->plan->objective[index];
    const struct objective_figures *figures = &snapshot->objective[index];
    return json_pack(
        "{s:s, s:s, s:I, s:f, s:I, s:I, s:I, s:o}", objective->of_service ? "service" : "view",
        objective_owner_name(snapshot->plan, objective), "objective",
        objective_kind_name(objective->kind), "limit_us", (json_int_t)objective->limit_us,
        "target_percent", objective->target_ppm / 1e4, "good", (json_int_t)figures->good, "total",
        (json_int_t)figures->total, "seconds", (json_int_t)figures->burn[BURN_WINDOW_3d].seconds,
        "burn", burn_json(figures));
}

json_t *report_objectives_json(const struct snapshot *snapshot)
{
    json_t *objectives = json_array();
    for (uint32_t i = 0; i < snapshot->plan->objective_count; i++) {
        (void)json_array_append_new(objectives, objective_json(snapshot, i));
    }
    return objectives;
}
