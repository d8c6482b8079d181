/* Events of a view's further streams. */
#include "dataplane/base/assert.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/ladder.h"

void single_of_source(const struct plan_view *view, const struct burst *burst, uint32_t event,
                      uint64_t *single)
{
    const struct plan_source *source = plan_source_of(view, burst->stream);
    ASSERT(source != NULL);
    int64_t time_us = burst->time_us[event];
    uint64_t nulls = 0;
    single[SINGLE_TIME] =
        (uint64_t)(view->edges == EDGES_OPEN_CLOSED ? sub_clamped(time_us, 1) : time_us);
    single[SINGLE_ORDER] = burst->order[event];
    for (uint32_t i = 0; i < view->input_count; i++) {
        struct plan_input input = view->input[i];
        uint32_t field = source->input_field[i];
        uint64_t null = burst->null_mask[event] >> field & 1;
        nulls |= null << input.field;
        input.field = (uint8_t)field;
        if (input.is_string) {
            single_set_string(&input, burst, event, single);
        } else {
            single[input.word] = null != 0 ? 0 : (uint64_t)burst->value[field][event];
        }
    }
    single[SINGLE_NULLS] = nulls;
}

int64_t ladder_fold_us(const struct plan_view *view, const int64_t fold_us[STREAMS_MAX])
{
    int64_t own_us[SOURCES_MAX];
    for (uint32_t i = 0; i < plan_source_count(view); i++) {
        own_us[i] = fold_us[plan_source_stream(view, i)];
    }
    return ladder_fold_of_sources_us(view, own_us);
}

int64_t ladder_fold_of_sources_us(const struct plan_view *view, const int64_t *own_us)
{
    int64_t least_us = INT64_MAX;
    int64_t greatest_us = INT64_MIN;
    for (uint32_t i = 0; i < plan_source_count(view); i++) {
        least_us = own_us[i] < least_us ? own_us[i] : least_us;
        greatest_us = own_us[i] > greatest_us ? own_us[i] : greatest_us;
    }
    int64_t apart_us = sub_clamped(greatest_us, view->apart_us);
    return greatest_us == INT64_MIN ? INT64_MIN : least_us > apart_us ? least_us : apart_us;
}
