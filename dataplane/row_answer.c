#include "dataplane/row_answer.h"

#include <string.h>

#include "dataplane/base/units.h"

static bool any_derived(const struct plan *plan, const uint16_t *feature, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (plan->feature[feature[i]].is_derived) {
            return true;
        }
    }
    return false;
}

/* The view's inputs in a sweep of their own, then the program. */
static void row_derive(const struct plan *plan, const struct plan_view *view, const uint64_t *row,
                       uint32_t lines, const struct row_read_at *at, const uint16_t *feature,
                       uint32_t feature_count, struct answer *answer,
                       struct row_answer_space *space, struct text_space *texts)
{
    const struct program *program = &view->derived_program;
    struct text_space strings = {.data = space->strings, .size = sizeof(space->strings)};
    for (uint32_t i = 0; i < program->input_count; i++) {
        space->feature[i] = (uint16_t)(view->feature_first + program->input[i]);
    }
    row_read(plan, view, row, lines, at, space->feature, program->input_count, space->input,
             &space->read, &strings);
    derive_run(view, space->input, &space->program);
    for (uint32_t i = 0; i < feature_count; i++) {
        const struct plan_feature *asked = &plan->feature[feature[i]];
        if (!asked->is_derived) {
            continue;
        }
        derive_answer(view, asked->aggregate, space->input, &space->program, &answer[i]);
        if (answer[i].kind == VALUE_STRING) {
            char *kept = texts->data + texts->used;
            memcpy(kept, answer[i].text, answer[i].text_size);
            answer[i].text = kept;
            texts->used += answer[i].text_size;
        }
    }
}

bool row_answer(const struct plan *plan, const struct plan_view *view, uint64_t *row,
                uint32_t lines, const struct row_read_at *at, int64_t absent_us,
                const uint16_t *feature, uint32_t feature_count, struct answer *answer,
                struct row_answer_space *space, struct text_space *texts)
{
    /* A sweep may have taken it, or may not have come to it yet. */
    bool swept = !row_read_alive(view, row, at->fold_us);
    if (swept || !row_read_alive(view, row, at->q_us)) {
        row_read_absent(swept ? absent_us : at->q_us, at->shard, feature_count, answer);
        return false;
    }
    lines = row_read_settle(view, row, lines, ROW_SIZE_MAX / CACHE_LINE_BYTES, at, &space->read);
    row_read(plan, view, row, lines, at, feature, feature_count, answer, &space->read, texts);
    if (view->derived_count > 0 && any_derived(plan, feature, feature_count)) {
        row_derive(plan, view, row, lines, at, feature, feature_count, answer, space, texts);
    }
    return true;
}
