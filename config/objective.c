#include "config/objective.h"

#include "config/errors.h"
#include "config/keywords.h"
#include "config/scalar.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/text.h"

#define PERCENT_SCALE 4 /* A percentage with so many digits is in millionths. */
#define WHOLE_PPM     1000000

static bool target_read(struct config *config, const struct node *target, uint32_t *out_ppm)
{
    const struct schema_field percent = {.type = FIELD_TYPE_decimal, .scale = PERCENT_SCALE};
    int64_t ppm;
    if (!scalar_is(config, target, "`target`")) {
        return false;
    }
    if (!text_value_parse(&percent, target->text, target->size, &ppm) || ppm <= 0 ||
        ppm >= WHOLE_PPM) {
        error_at(config, target,
                 "`target` is `%.64s`; a percentage above 0 and below 100, with up to %d digits "
                 "after the point, is allowed, as 99.9",
                 target->text, PERCENT_SCALE);
        return false;
    }
    *out_ppm = (uint32_t)ppm;
    return true;
}

/* Adds the objective when its limit is one; NULL: it was not written. */
static void limit_read(struct config *config, const struct node *limit, const char *what,
                       enum objective_kind kind, struct plan_objective objective)
{
    if (limit == NULL || !scalar_read_duration(config, limit, what, 1, 1, &objective.limit_us)) {
        return;
    }
    struct plan *plan = &config->plan;
    ASSERT(plan->objective_count < OBJECTIVES_MAX);
    objective.kind = kind;
    plan->objective[plan->objective_count++] = objective;
}

void objective_read(struct config *config, const struct node *map,
                    const struct plan_objective *owner)
{
    struct keyword_values values;
    const struct node *const *value = values.value;
    struct plan_objective objective = *owner;
    keyword_read_map(config, map, PLACE_slo, &values);
    if (map->kind != NODE_MAP) {
        return;
    }
    if (node_map_find(map, "freshness") == NULL && node_map_find(map, "read") == NULL) {
        error_at(config, map->key,
                 "`slo` sets no limit; `freshness`, `read` or both are allowed, as freshness: 1s");
    }
    if (node_map_find(map, "target") == NULL) {
        error_at(config, map->key, "`slo` has no `target`; a percentage, as 99.9");
    }
    if (value[KEYWORD_slo_target] != NULL) {
        (void)target_read(config, value[KEYWORD_slo_target], &objective.target_ppm);
    }
    limit_read(config, value[KEYWORD_slo_freshness], "`freshness`", OBJECTIVE_FRESHNESS, objective);
    limit_read(config, value[KEYWORD_slo_read], "`read`", OBJECTIVE_READ, objective);
}
