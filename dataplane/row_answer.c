#include "dataplane/row_answer.h"

#include <string.h>

#include "dataplane/base/units.h"

/* The view's inputs in a sweep of their own, then the program. */
static void row_derive(const struct row_asked *asked, const uint64_t *row, uint32_t lines,
                       const struct row_read_at *at, struct answer *answer,
                       struct row_answer_space *space, struct text_space *texts)
{
    const struct plan_view *view = asked->view;
    const struct program *program = &view->derived_program;
    struct text_space strings = {.data = space->strings, .size = sizeof(space->strings)};
    struct row_asked inputs;
    for (uint32_t i = 0; i < program->input_count; i++) {
        space->feature[i] = (uint16_t)(view->feature_first + program->input[i]);
    }
    row_asked_init(&inputs, asked->plan, view, space->feature, program->input_count);
    row_read(&inputs, row, lines, at, space->input, &space->read, &strings);
    derive_run(view, space->input, &space->program);
    for (uint32_t i = 0; i < asked->feature_count; i++) {
        const struct plan_feature *wanted = &asked->plan->feature[asked->feature[i]];
        if (!wanted->is_derived) {
            continue;
        }
        derive_answer(view, wanted->aggregate, space->input, &space->program, &answer[i]);
        if (answer[i].kind == VALUE_STRING) {
            char *kept = texts->data + texts->used;
            memcpy(kept, answer[i].text, answer[i].text_size);
            answer[i].text = kept;
            texts->used += answer[i].text_size;
        }
    }
}

bool row_answer(const struct row_asked *asked, uint64_t *row, uint32_t lines,
                const struct row_read_at *at, int64_t absent_us, struct answer *answer,
                struct row_answer_space *space, struct text_space *texts)
{
    const struct plan_view *view = asked->view;
    /* A sweep may have taken it, or may not have come to it yet. */
    bool swept = !row_read_alive(view, row, at->fold_us);
    if (swept || !row_read_alive(view, row, at->q_us)) {
        row_read_absent(swept ? absent_us : at->q_us, at->shard, asked->feature_count, answer);
        return false;
    }
    lines = row_read_settle(view, row, lines, ROW_SIZE_MAX / CACHE_LINE_BYTES, at, &space->read);
    row_read(asked, row, lines, at, answer, &space->read, texts);
    if (asked->any_derived) {
        row_derive(asked, row, lines, at, answer, space, texts);
    }
    return true;
}
