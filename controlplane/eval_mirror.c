/* freshet eval --mirror DIR: the same features, of the events that a data directory recorded. */
#include <stdio.h>
#include <string.h>

#include "controlplane/eval_inside.h"
#include "controlplane/mirror_history.h"
#include "dataplane/feature/key.h"
#include "drivers/memory.h"

#define MEMORY_BYTES (1 * GIB)
/* Later than anything that was applied. */
#define EVER_US (INT64_MAX / 2)

struct eval_mirror {
    struct mirror_history *history; /* Owns texts of answers. */
    struct answer *answer;          /* By feature of the plan. */
    uint16_t *feature;
    uint8_t key[KEY_SIZE_MAX];
};

/* A read of each view that is about the key, of all its features. */
static uint32_t reads_make(struct eval *eval, struct eval_mirror *mirror, struct history_read *read)
{
    const struct plan *plan = &eval->config->plan;
    const char *id = strchr(eval->key, ':') + 1;
    uint32_t count = 0;
    for (uint32_t f = 0; f < plan->feature_count; f++) {
        mirror->feature[f] = (uint16_t)f;
        mirror->answer[f] = (struct answer){.status = ANSWER_NOT_FOUND};
    }
    for (uint32_t v = 0; v < plan->view_count; v++) {
        const struct plan_view *view = &plan->view[v];
        if (!eval_view_is_of_key(eval, view)) {
            continue;
        }
        uint32_t size = key_parse(plan, view, id, (uint32_t)strlen(id), mirror->key);
        read[count++] = (struct history_read){.view = (uint16_t)v,
                                              .key = mirror->key,
                                              .key_size = (uint16_t)size,
                                              .time = eval->time,
                                              .at_us = eval->at_us,
                                              .known_us = EVER_US,
                                              .feature = &mirror->feature[view->feature_first],
                                              .feature_count = view->feature_count,
                                              .answer = &mirror->answer[view->feature_first]};
    }
    return count;
}

enum result eval_mirror_open(struct eval *eval, char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    const struct plan *plan = &eval->config->plan;
    struct mirror_history_options options = {.directory = eval->options->mirror,
                                             .plan = plan,
                                             .mode = HISTORY_KNOWN,
                                             .thread_count = 1,
                                             .memory_bytes = MEMORY_BYTES};
    struct history_read *read = heap_alloc((plan->view_count + 1) * sizeof(*read));
    eval->mirror = heap_alloc_lines(sizeof(*eval->mirror));
    bool memory = read != NULL && eval->mirror != NULL;
    if (memory) {
        eval->mirror->answer = heap_alloc((plan->feature_count + 1) * sizeof(struct answer));
        eval->mirror->feature = heap_alloc((plan->feature_count + 1) * sizeof(uint16_t));
        memory = eval->mirror->answer != NULL && eval->mirror->feature != NULL;
    }
    enum result result =
        memory ? mirror_history_open(&options, &eval->mirror->history, error) : RESULT_NO_MEMORY;
    if (!memory) {
        (void)snprintf(error, MIRROR_HISTORY_ERROR_SIZE_MAX, "the machine gave no memory");
    } else if (result == RESULT_OK) {
        uint32_t count = reads_make(eval, eval->mirror, read);
        result = mirror_history_read(eval->mirror->history, read, count, error);
    }
    heap_free(read);
    return result;
}

const struct answer *eval_mirror_answer(const struct eval *eval, uint16_t feature)
{
    return &eval->mirror->answer[feature];
}

void eval_mirror_close(struct eval *eval)
{
    if (eval->mirror != NULL) {
        mirror_history_close(eval->mirror->history);
        heap_free(eval->mirror->answer);
        heap_free(eval->mirror->feature);
        heap_free(eval->mirror);
    }
}
