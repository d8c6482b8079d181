#include "controlplane/train_fill.h"

#include <string.h>

#define SLICE_ROWS 128u

_Static_assert(THREADS_MAX <= UINT8_MAX, "whose text it is, one byte says");

void train_fill_init(struct train_fill *fill, struct train *train, struct train_column *column)
{
    fill->train = train;
    fill->column = column;
    for (uint32_t i = 0; i <= THREADS_MAX; i++) {
        buffer_init(&fill->text[i], 0);
    }
}

void train_fill_deinit(struct train_fill *fill)
{
    for (uint32_t i = 0; i <= THREADS_MAX; i++) {
        buffer_deinit(&fill->text[i]);
    }
}

void train_fill_clear(struct train_fill *fill)
{
    for (uint32_t i = 0; i <= THREADS_MAX; i++) {
        fill->text[i].size = 0;
    }
}

/* Passes over one row's values and counts them. */
static bool row_pass(struct train *train, struct train_spool_reader *spool)
{
    for (uint32_t item = 0; item < train->service->item_count; item++) {
        enum answer_status status;
        uint8_t flags;
        if (!train_spool_pass(spool, &status, &flags)) {
            return false;
        }
        train->status_count[status]++;
        if (flags != 0) {
            train->joined += (flags & TRAIN_SPOOL_JOINED) != 0;
            train->differ[item] += (flags & TRAIN_SPOOL_DIFFERS) != 0;
            train->unexplained[item] += (flags & TRAIN_SPOOL_UNEXPLAINED) != 0;
        }
    }
    return true;
}

/* One row's values and their statuses; returns the column that cannot hold its value, or UINT32_MAX
 * where all can. */
static uint32_t row_fill(struct train_fill *fill, uint32_t row, struct buffer *text)
{
    const struct train *train = fill->train;
    struct train_spool_reader spool = {.next = fill->begin[row - fill->first], .end = fill->end};
    uint32_t at = 0;
    for (uint32_t item = 0; item < train->service->item_count; item++) {
        struct answer answer;
        uint8_t flags;
        if (!train_spool_next(&spool, &answer, &flags) ||
            !train_column_put_answer(&fill->column[at], row, &answer, text)) {
            return at;
        }
        at++;
        if (!train->options->no_status) {
            const char *status = answer_status_name(answer.status);
            train_column_put_text(&fill->column[at++], row, status, (uint32_t)strlen(status), text);
        }
    }
    return UINT32_MAX;
}

static void slice_fill(void *context, uint32_t task, uint32_t member)
{
    struct train_fill *fill = context;
    uint32_t row = fill->first + task * SLICE_ROWS;
    uint32_t last = fill->first + fill->count;
    uint32_t end = last - row < SLICE_ROWS ? last : row + SLICE_ROWS;
    uint32_t bad = UINT32_MAX;
    for (; bad == UINT32_MAX && row < end; row++) {
        bad = row_fill(fill, row, &fill->text[member + 1]);
        fill->owner[row] = (uint8_t)(member + 1);
    }
    uint64_t place = bad == UINT32_MAX ? UINT64_MAX : (uint64_t)(row - 1 - fill->first) << 32 | bad;
    uint64_t least = atomic_load_explicit(&fill->shared_bad, memory_order_relaxed);
    while (place < least &&
           !atomic_compare_exchange_weak_explicit(&fill->shared_bad, &least, place,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

enum result train_fill_rows(struct train_fill *fill, struct train_spool_reader *spool,
                            uint32_t first, uint32_t count, uint32_t *out_row, uint32_t *out_column)
{
    for (uint32_t i = 0; i < count; i++) {
        fill->begin[i] = spool->next;
        if (!row_pass(fill->train, spool)) {
            return RESULT_CORRUPT;
        }
    }
    fill->end = spool->end;
    fill->first = first;
    fill->count = count;
    atomic_store_explicit(&fill->shared_bad, UINT64_MAX, memory_order_relaxed);
    threads_run(fill->train->threads, (count + SLICE_ROWS - 1) / SLICE_ROWS, slice_fill, fill);
    uint64_t bad = atomic_load_explicit(&fill->shared_bad, memory_order_relaxed);
    if (bad != UINT64_MAX) {
        *out_row = (uint32_t)(bad >> 32);
        *out_column = (uint32_t)bad;
        return RESULT_INVALID;
    }
    bool failed = false;
    for (uint32_t i = 0; i <= THREADS_MAX; i++) {
        failed |= fill->text[i].failed;
    }
    return failed ? RESULT_NO_MEMORY : RESULT_OK;
}
