/* What corrections mean for a start: the rows that they are about are not taken from the
 * checkpoint, nor from the log behind it alone, but built anew from all records that are kept. The
 * next checkpoint has them right. */
#include <string.h>

#include "controlplane/recovery_layer.h"
#include "drivers/memory.h"

void recovery_rows_free(struct recovery *recovery)
{
    heap_free(recovery->rows_memory);
    recovery->rows_memory = NULL;
    recovery->rows = (struct row_set){0};
}

enum result recovery_rows_find(struct recovery *recovery, const struct manifest *manifest,
                               char error[RECOVERY_ERROR_SIZE_MAX])
{
    recovery_rows_free(recovery);
    enum result result = corrections_rows(&recovery->corrections, recovery->options.plan,
                                          manifest == NULL ? 0 : manifest->epoch, &recovery->rows,
                                          &recovery->rows_memory);
    return result == RESULT_OK
               ? RESULT_OK
               : recovery_fail(error, result, "no memory for the rows of corrections");
}

/* Of each view that has some: how many rows were built anew. Whether it can be noted is no reason
 * to end: the rows are right. */
static void rebuilt_note(struct recovery *recovery)
{
    const struct plan *plan = recovery->options.plan;
    uint64_t rows[VIEWS_MAX] = {0};
    struct correction *record = heap_alloc(VIEWS_MAX * sizeof(*record));
    uint32_t count = 0;
    for (uint32_t i = 0; i <= recovery->rows.mask; i++) {
        const struct row_set_entry *entry = &recovery->rows.place[i];
        rows[entry->view] += entry->key_size > 0 && entry->touched ? 1 : 0;
    }
    for (uint32_t v = 0; v < plan->view_count; v++) {
        recovery->report.corrected_rows += rows[v];
        if (rows[v] > 0 && record != NULL) {
            const struct plan_view *view = &plan->view[v];
            record[count++] = (struct correction){
                .kind = CORRECTION_REBUILT,
                .number = recovery->corrections.number_last,
                .made_us = recovery->options.now_us,
                .epoch = recovery->report.epoch,
                .rows = rows[v],
                .view_version = view->version,
                .view = {.data = view->name, .size = (uint8_t)strlen(view->name)}};
        }
    }
    if (count > 0) {
        enum result result = corrections_append(recovery->options.disk, recovery->epochs.store_id,
                                                &recovery->corrections, record, count);
        (void)result;
    }
    heap_free(record);
}

enum result recovery_rows_rebuild(struct recovery *recovery, struct worker *const *workers,
                                  char error[RECOVERY_ERROR_SIZE_MAX])
{
    struct recovery_layer layer = {.views = view_set_first(recovery->options.plan->view_count),
                                   .which = REPLAY_ROWS_ONLY,
                                   .rows = &recovery->rows,
                                   .rows_only = true,
                                   .settles = recovery_reshards(recovery)};
    for (uint32_t v = 0; v < recovery->options.plan->view_count; v++) {
        if (view_set_has(&recovery->rebuild_views, v)) {
            view_set_remove(&layer.views, v); /* All of them are built anew. */
        }
    }
    struct recovery_layers *layers;
    enum result result = recovery_layers_open(recovery, workers, error, &layers);
    if (result != RESULT_OK) {
        return result;
    }
    result = recovery_layer_run(layers, &layer);
    recovery_layers_close(layers);
    if (result == RESULT_OK) {
        rebuilt_note(recovery);
    }
    return result;
}
