/* Values of answered rows, on all threads: each takes some rows at a time, and what they made is
 * put together in the order of rows. */
#include <string.h>

#include "controlplane/train_logged.h"
#include "controlplane/train_row.h"
#include "drivers/memory.h"

#define SLICE_ROWS         256u
#define SLICES_OF_A_MEMBER 4u /* At a time. */

struct spooling {
    struct train *train;
    const struct train_part *part;
    uint32_t first; /* Rows that are taken now. */
    uint32_t end;
    uint32_t slice_count;
    struct buffer *slice;  /* Owned. */
    struct train_row *row; /* Owned; of each member. */
};

static void slice_spool(void *context, uint32_t task, uint32_t member)
{
    struct spooling *spooling = context;
    const struct train *train = spooling->train;
    struct train_row *values = &spooling->row[member];
    uint32_t row = spooling->first + task * SLICE_ROWS;
    uint32_t left = spooling->end - row;
    uint32_t end = row + (left < SLICE_ROWS ? left : SLICE_ROWS);
    for (; row < end; row++) {
        train_row_compute(train, spooling->part, row, values);
        train_row_spool(train, values, &spooling->slice[task]);
    }
}

/* Puts together what slices made, in their order. */
static enum result slices_join(const struct spooling *spooling, uint32_t count,
                               struct buffer *values)
{
    struct train *train = spooling->train;
    for (uint32_t m = 0; m < threads_count(train->threads); m++) {
        values->failed |= train_row_failed(&spooling->row[m]);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct buffer *slice = &spooling->slice[i];
        buffer_write(values, slice->data, slice->size);
        if (slice->failed || values->failed) {
            return train_fail(train, "no memory");
        }
        slice->size = 0;
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
    spooling->row = heap_alloc_lines(members * sizeof(*spooling->row));
    if (spooling->slice == NULL || spooling->row == NULL) {
        return train_fail(train, "no memory");
    }
    for (uint32_t m = 0; m < members; m++) {
        train_row_init(train, &spooling->row[m]);
    }
    return RESULT_OK;
}

static void spooling_deinit(struct spooling *spooling)
{
    for (uint32_t i = 0; spooling->slice != NULL && i < spooling->slice_count; i++) {
        buffer_deinit(&spooling->slice[i]);
    }
    for (uint32_t m = 0; spooling->row != NULL && m < threads_count(spooling->train->threads);
         m++) {
        train_row_deinit(&spooling->row[m]);
    }
    heap_free(spooling->slice);
    heap_free(spooling->row);
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
    gathered->stays = train->logged == NULL && count == part->rows && part->rows < train->part_rows;
    if (gathered->stays) {
        rows_note(train, count);
        return RESULT_OK;
    }
    if (train->logged != NULL) {
        return rows_spool_logged(train, part, first, count, &gathered->values);
    }
    struct spooling spooling;
    enum result result = spooling_init(train, part, &spooling);
    result = result == RESULT_OK ? slices_run(&spooling, first, count, &gathered->values) : result;
    spooling_deinit(&spooling);
    return result;
}
