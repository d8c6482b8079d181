/* Values of answered rows, on all threads: each takes some rows at a time, and what they made is
 * put together in the order of rows. */
#include <string.h>

#include "controlplane/train_inside.h"
#include "controlplane/train_logged.h"
#include "drivers/memory.h"

#define SLICE_ROWS         256u
#define SLICES_OF_A_MEMBER 4u /* At a time. */
#define ROWS_AHEAD         4u /* Of the one that is taken: its answers come near. */

struct slice {
    struct buffer values;
    enum result result;
    uint32_t item; /* That is too wide. */
};

struct spooling {
    struct train *train;
    const struct train_part *part;
    uint32_t first; /* Rows that are taken now. */
    uint32_t end;
    uint32_t slice_count;
    struct slice *slice;               /* Owned. */
    struct train_computing *computing; /* Owned; of each member. */
};

static void slice_spool(void *context, uint32_t task, uint32_t member)
{
    struct spooling *spooling = context;
    struct slice *slice = &spooling->slice[task];
    uint32_t row = spooling->first + task * SLICE_ROWS;
    uint32_t left = spooling->end - row;
    uint32_t end = row + (left < SLICE_ROWS ? left : SLICE_ROWS);
    slice->result = RESULT_OK;
    for (; slice->result == RESULT_OK && row < end; row++) {
        train_pack_prefetch(&spooling->train->pack,
                            (row + ROWS_AHEAD) * (uint64_t)spooling->train->view_count);
        slice->result =
            train_row_spool(spooling->train, spooling->part, &spooling->computing[member], row,
                            &slice->values, &slice->item);
    }
}

/* Puts together what slices made, in their order. */
static enum result slices_join(const struct spooling *spooling, uint32_t count,
                               struct buffer *values)
{
    struct train *train = spooling->train;
    for (uint32_t i = 0; i < count; i++) {
        struct slice *slice = &spooling->slice[i];
        if (slice->result != RESULT_OK) {
            return train_fail(train, "`%s`: a sum of more than 128 bits",
                              train->service->item[slice->item].name);
        }
        buffer_write(values, slice->values.data, slice->values.size);
        if (slice->values.failed || values->failed) {
            return train_fail(train, "no memory");
        }
        slice->values.size = 0;
    }
    return RESULT_OK;
}

static void rows_note(struct train *train, uint32_t rows)
{
    train->rows += rows;
    atomic_store_explicit(&train->shared_rows, train->rows, memory_order_relaxed);
}

static enum result slices_run(struct spooling *spooling, uint32_t first, uint32_t count,
                              struct buffer *values)
{
    enum result result = RESULT_OK;
    uint32_t rows_max = spooling->slice_count * SLICE_ROWS;
    for (uint32_t rows; result == RESULT_OK && count > 0; count -= rows, first += rows) {
        rows = count < rows_max ? count : rows_max;
        spooling->first = first;
        spooling->end = first + rows;
        uint32_t slices = (rows + SLICE_ROWS - 1) / SLICE_ROWS;
        threads_run(spooling->train->threads, slices, slice_spool, spooling);
        result = slices_join(spooling, slices, values);
        rows_note(spooling->train, rows);
    }
    return result;
}

static enum result spooling_init(struct train *train, const struct train_part *part,
                                 struct spooling *spooling)
{
    uint32_t members = threads_count(train->threads);
    *spooling = (struct spooling){
        .train = train, .part = part, .slice_count = members * SLICES_OF_A_MEMBER};
    spooling->slice = heap_alloc_lines(spooling->slice_count * sizeof(*spooling->slice));
    spooling->computing = heap_alloc_lines(members * sizeof(*spooling->computing));
    if (spooling->slice == NULL || spooling->computing == NULL) {
        return train_fail(train, "no memory");
    }
    for (uint32_t m = 0; m < members; m++) {
        train_computing_init(train, &spooling->computing[m]);
    }
    return RESULT_OK;
}

static void spooling_deinit(struct spooling *spooling)
{
    for (uint32_t i = 0; spooling->slice != NULL && i < spooling->slice_count; i++) {
        buffer_deinit(&spooling->slice[i].values);
    }
    heap_free(spooling->slice);
    heap_free(spooling->computing);
}

/* From what was served, one thread's: it looks into files. */
static enum result rows_spool_logged(struct train *train, const struct train_part *part,
                                     uint32_t first, uint32_t count, struct buffer *values)
{
    enum result result = RESULT_OK;
    for (uint32_t row = first; result == RESULT_OK && row < first + count; row++) {
        result = train_logged_spool(train, part, row, values);
    }
    rows_note(train, count);
    return result == RESULT_OK && values->failed ? train_fail(train, "no memory") : result;
}

enum result train_rows_spool(void *context, const struct train_part *part, uint32_t first,
                             uint32_t count)
{
    struct train_values *gathered = context;
    struct train *train = gathered->train;
    if (train->logged != NULL) {
        return rows_spool_logged(train, part, first, count, &gathered->values);
    }
    struct spooling spooling;
    enum result result = spooling_init(train, part, &spooling);
    result = result == RESULT_OK ? slices_run(&spooling, first, count, &gathered->values) : result;
    spooling_deinit(&spooling);
    return result;
}
