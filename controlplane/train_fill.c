#include "controlplane/train_fill.h"

#include <string.h>

#include "drivers/memory.h"

#define SLICE_ROWS 256u

_Static_assert(THREADS_MAX <= UINT8_MAX, "whose text it is, one byte says");

enum result train_fill_init(struct train_fill *fill, struct train *train,
                            struct train_column *column)
{
    uint32_t members = threads_count(train->threads);
    fill->train = train;
    fill->column = column;
    fill->passes = train_pass_init(&fill->pass, train, column);
    for (uint32_t m = 0; m < members; m++) {
        buffer_init(&fill->text[m], 0);
    }
    train_fill_clear(fill);
    fill->sums = heap_alloc_lines(members * sizeof(*fill->sums));
    return fill->sums == NULL ? RESULT_NO_MEMORY : RESULT_OK;
}

void train_fill_deinit(struct train_fill *fill)
{
    for (uint32_t m = 0; m < threads_count(fill->train->threads); m++) {
        buffer_deinit(&fill->text[m]);
        if (fill->row[m] != NULL) {
            train_row_deinit(fill->row[m]);
        }
        heap_free(fill->row[m]);
    }
    heap_free(fill->sums);
}

struct train_row *train_fill_row(struct train_fill *fill, uint32_t member)
{
    if (fill->row[member] == NULL) {
        fill->row[member] = heap_alloc_lines(sizeof(*fill->row[member]));
        if (fill->row[member] != NULL) {
            train_row_init(fill->train, fill->row[member]);
        }
    }
    return fill->row[member];
}

void train_fill_clear(struct train_fill *fill)
{
    for (uint32_t m = 0; m < threads_count(fill->train->threads); m++) {
        train_texts_begin(&fill->text[m]);
    }
}

/* Where the next rows of a spool begin; false: they are not there. */
static bool rows_find(struct train_fill *fill, struct train_spool_reader *spool, uint32_t count)
{
    uint32_t items = fill->train->service->item_count;
    bool good = true;
    for (uint32_t i = 0; good && i < count; i++) {
        fill->begin[i] = spool->next;
        for (uint32_t item = 0; good && item < items; item++) {
            enum answer_status status;
            uint8_t flags;
            good = train_spool_pass(spool, &status, &flags);
        }
    }
    return good;
}

/* Puts one row's values and their statuses; returns the column that cannot hold its value, or
 * UINT32_MAX where all can. */
static uint32_t row_put(const struct train_fill *fill, const struct train_row *values, uint32_t row,
                        struct buffer *text)
{
    const struct train *train = fill->train;
    uint32_t at = 0;
    for (uint32_t item = 0; item < train->service->item_count; item++) {
        if (!train_column_put_answer(&fill->column[at], row, &values->value[item], text)) {
            return at;
        }
        at++;
        if (!train->options->no_status) {
            train_column_put_status(&fill->column[at++], row, values->value[item].status);
        }
    }
    return UINT32_MAX;
}

/* Row i of the call; as row_put(). */
static uint32_t row_fill(struct train_fill *fill, uint32_t i, uint32_t member)
{
    const struct train *train = fill->train;
    const struct train_source *source = fill->source;
    struct buffer *text = &fill->text[member];
    if (source->part != NULL && fill->passes) {
        return train_pass_row(&fill->pass, source->next + i, fill->first + i, &fill->sums[member],
                              text);
    }
    struct train_row *values = train_fill_row(fill, member);
    if (values == NULL) {
        atomic_store_explicit(&fill->shared_failed, true, memory_order_relaxed);
        return UINT32_MAX;
    }
    if (source->part != NULL) {
        train_row_compute(train, source->part, source->next + i, values);
    } else {
        struct train_spool_reader spool = {.next = fill->begin[i], .end = source->spool.end};
        if (!train_row_read(train, &spool, values)) {
            return 0;
        }
    }
    train_sums_add(&fill->sums[member], values, train->service->item_count);
    return row_put(fill, values, fill->first + i, text);
}

static void slice_fill(struct train_fill *fill, uint32_t slice, uint32_t member)
{
    uint32_t i = slice * SLICE_ROWS;
    uint32_t end = fill->count - i < SLICE_ROWS ? fill->count : i + SLICE_ROWS;
    uint32_t bad = UINT32_MAX;
    if (fill->source->part != NULL && fill->train->logged == NULL) {
        train_pack_enter(&fill->train->pack,
                         (uint64_t)(fill->source->next + i) * fill->train->view_count);
    }
    for (; bad == UINT32_MAX && i < end; i++) {
        bad = row_fill(fill, i, member);
        fill->owner[fill->first + i] = (uint8_t)member;
    }
    uint64_t place = bad == UINT32_MAX ? UINT64_MAX : (uint64_t)(i - 1) << 32 | bad;
    uint64_t least = atomic_load_explicit(&fill->shared_bad, memory_order_relaxed);
    while (place < least &&
           !atomic_compare_exchange_weak_explicit(&fill->shared_bad, &least, place,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* What goes on beside comes first: it may take as long as all slices. */
static void task_do(void *context, uint32_t task, uint32_t member)
{
    struct train_fill *fill = context;
    uint32_t others = fill->beside == NULL ? 0 : 1;
    if (task < others) {
        fill->beside(fill->beside_context);
    } else {
        slice_fill(fill, task - others, member);
    }
}

/* What the threads counted, and whether all texts had room. */
static bool members_end(struct train_fill *fill)
{
    bool good = !atomic_load_explicit(&fill->shared_failed, memory_order_relaxed);
    for (uint32_t m = 0; m < threads_count(fill->train->threads); m++) {
        train_sums_merge(&fill->train->sums, &fill->sums[m], fill->train->service->item_count);
        fill->sums[m] = (struct train_sums){.joined = 0};
        good = good && !fill->text[m].failed &&
               (fill->row[m] == NULL || !train_row_failed(fill->row[m]));
    }
    return good;
}

void train_fill_beside(struct train_fill *fill, train_beside *beside, void *context)
{
    fill->beside = beside;
    fill->beside_context = context;
}

enum result train_fill_rows(struct train_fill *fill, struct train_source *source, uint32_t first,
                            uint32_t count, uint32_t *out_row, uint32_t *out_column)
{
    if (source->part == NULL && !rows_find(fill, &source->spool, count)) {
        return RESULT_CORRUPT;
    }
    fill->source = source;
    fill->first = first;
    fill->count = count;
    atomic_store_explicit(&fill->shared_bad, UINT64_MAX, memory_order_relaxed);
    uint32_t tasks = (count + SLICE_ROWS - 1) / SLICE_ROWS + (fill->beside == NULL ? 0 : 1);
    threads_run(fill->train->threads, tasks, task_do, fill);
    fill->beside = NULL;
    source->next += count;
    source->rows_left -= count;
    uint64_t bad = atomic_load_explicit(&fill->shared_bad, memory_order_relaxed);
    if (bad != UINT64_MAX) {
        *out_row = (uint32_t)(bad >> 32);
        *out_column = (uint32_t)bad;
        return RESULT_INVALID;
    }
    return members_end(fill) ? RESULT_OK : RESULT_NO_MEMORY;
}
