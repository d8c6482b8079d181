#include "dataplane/feature/ladder.h"

#include "dataplane/feature/cell.h"

void ladder_init(const struct plan_view *view, int64_t fold_us, struct ladder *out_ladder)
{
    for (uint32_t i = 0; i < view->level_count; i++) {
        out_ladder->horizon_us[i] =
            floor_to(sub_clamped(fold_us, view->level_keep_us[i]), view->level_us[i]);
    }
    out_ladder->single_horizon_us = sub_clamped(fold_us, view->exact_us);
    out_ladder->expire_us = sub_clamped(fold_us, view->ttl_us);
    out_ladder->fold_us = fold_us;
}

uint64_t ladder_place(const struct plan_view *view, const struct ladder *ladder, int64_t time_us,
                      uint32_t level)
{
    for (uint32_t i = level; i < view->level_count; i++) {
        if (time_us >= ladder->horizon_us[i]) {
            return cell_tag(floor_to(time_us, view->level_us[i]), i);
        }
    }
    return view->has_lifetime ? cell_tag(INT64_MIN, CELL_LEVEL_LIFETIME) : LADDER_EXPIRED;
}
