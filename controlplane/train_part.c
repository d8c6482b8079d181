/* A part's rows answered, and the values of their service. */
#include "controlplane/train_inside.h"
#include "controlplane/train_logged.h"
#include "dataplane/base/assert.h"

/* Rows [first, first + count) of the part. */
static enum result rows_answer(struct train *train, struct train_part *part, uint32_t first,
                               uint32_t count)
{
    char error[MIRROR_HISTORY_ERROR_SIZE_MAX];
    ASSERT((uint64_t)count * train->view_count <= UINT32_MAX);
    enum result result =
        mirror_history_read(train->mirror, &part->read[(uint64_t)first * train->view_count],
                            count * train->view_count, error);
    if (result != RESULT_OK && result != RESULT_NO_SPACE) {
        (void)train_fail(train, "%s", error);
    } else if (result == RESULT_NO_SPACE && count == 1) {
        (void)train_fail(train,
                         "the rows of one label do not fit the memory: allow more by --memory");
    }
    return result;
}

enum result train_rows_answer(struct train *train, struct train_part *part, uint32_t first,
                              uint32_t count, train_rows *each, void *context)
{
    enum result result = train->logged != NULL ? RESULT_OK : rows_answer(train, part, first, count);
    if (result == RESULT_OK) {
        return each(context, part, first, count);
    }
    if (result != RESULT_NO_SPACE || count == 1) {
        return result;
    }
    uint32_t half = count / 2;
    result = train_rows_answer(train, part, first, half, each, context);
    return result == RESULT_OK
               ? train_rows_answer(train, part, first + half, count - half, each, context)
               : result;
}

enum result train_row_items(struct train *train, const struct train_part *part,
                            struct service_run *run, uint32_t row, train_item *each, void *context)
{
    const struct plan_service *service = train->service;
    if (train->logged != NULL) {
        return train_logged_items(train, part, row, each, context);
    }
    run->answer = part->answer;
    for (uint32_t i = 0; i < service->read_count; i++) {
        run->base[i] = train->base[i];
        run->step[i] = service->read_count;
    }
    run->request_null = UINT32_MAX;
    if (service->request_count > 0) {
        const int64_t *word = &part->request[(uint64_t)row * SERVICE_REQUEST_MAX];
        for (uint32_t i = 0; i < service->request_count; i++) {
            run->request[i] = word[i];
        }
        run->request_null = part->request_null[row];
    }
    service_compute(run, row, 1);
    for (uint32_t item = 0; item < service->item_count; item++) {
        struct answer answer;
        service_answer(run, row, row, item, &answer);
        enum result result = each(context, item, &answer);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return RESULT_OK;
}
