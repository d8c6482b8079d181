#include "controlplane/parity_reach.h"

#include "dataplane/base/units.h"

/* What an item is made of, in reads of its service. */
static uint32_t reads_of(const struct plan_service *service, uint32_t item,
                         uint16_t out_read[PROGRAM_INPUTS_MAX])
{
    const struct plan_service_item *asked = &service->item[item];
    uint32_t count = 0;
    if (!asked->is_computed) {
        out_read[count++] = asked->source;
        return count;
    }
    for (uint64_t rest = asked->inputs; rest != 0; rest &= rest - 1) {
        uint16_t number = service->program.input[__builtin_ctzll(rest)];
        if (number < SERVICE_INPUT_REQUEST) {
            out_read[count++] = number;
        }
    }
    return count;
}

/* How far the times of events are ahead of when they were recorded, at most. */
static int64_t future_us(const struct plan *plan, const struct plan_view *view)
{
    int64_t most_us = 0;
    for (uint32_t i = 0; i < plan_source_count(view); i++) {
        int64_t own_us = plan->stream[plan_source_stream(view, i)].future_us;
        most_us = own_us > most_us ? own_us : most_us;
    }
    return most_us;
}

static bool window_lacks(const struct plan_window *window, const struct answer *answer,
                         int64_t since_us)
{
    switch (window->kind) {
    case WINDOW_EVENTS:
    case WINDOW_LIFETIME:
        return true;
    case WINDOW_SESSION:
        return sub_clamped(answer->start_us, window->width_us) < since_us;
    case WINDOW_SLIDING:
    case WINDOW_TUMBLING:
    case WINDOW_HOPPING:
        break;
    }
    return answer->start_us < since_us;
}

static bool read_lacks(const struct plan *plan, const struct service_run *run, uint32_t read,
                       int64_t since_us)
{
    const struct answer *answer = &run->answer[run->base[read]];
    const struct plan_feature *feature = &plan->feature[run->service->read[read].feature];
    const struct plan_view *view = &plan->view[feature->view];
    int64_t from_us = add_clamped(since_us, future_us(plan, view));
    bool lacks = (answer->flags & ANSWER_FLAG_PARTIAL) != 0;
    if (!feature->is_derived) {
        return lacks || window_lacks(&view->window[feature->window], answer, from_us);
    }
    for (uint64_t rest = view->derived[feature->aggregate].inputs; rest != 0; rest &= rest - 1) {
        uint32_t input = view->derived_program.input[__builtin_ctzll(rest)];
        lacks = lacks || window_lacks(&view->window[input % view->window_count], answer, from_us);
    }
    return lacks;
}

bool parity_reach_lacks(const struct plan *plan, const struct service_run *run, uint32_t item,
                        int64_t since_us)
{
    uint16_t read[PROGRAM_INPUTS_MAX];
    uint32_t count = reads_of(run->service, item, read);
    bool lacks = false;
    for (uint32_t i = 0; i < count; i++) {
        lacks = lacks || read_lacks(plan, run, read[i], since_us);
    }
    return lacks;
}

/* Whether its answers hang on how far rows are folded; of a request all reads are of one time. */
static bool view_asks_folds(const struct plan_view *view, const struct served_record *record)
{
    return record->read[0].time != READ_NOW || plan_view_asks_horizon(view);
}

bool parity_reach_folded(const struct plan *plan, const struct service_run *run, uint32_t item,
                         const struct served_record *record, int64_t began_us)
{
    uint16_t read[PROGRAM_INPUTS_MAX];
    uint32_t count = reads_of(run->service, item, read);
    bool says = (record->item[item].flags & ANSWER_FLAG_APPROXIMATE) != 0;
    bool folded = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct answer *answer = &run->answer[run->base[read[i]]];
        bool reaches = answer->q_us < began_us || (says && answer->start_us < began_us);
        folded = folded || (reaches &&
                            view_asks_folds(&plan->view[run->service->read[read[i]].view], record));
    }
    return folded;
}
