/* A part's rows answered, and the values of their service. */
#include <string.h>

#include "controlplane/train_inside.h"
#include "dataplane/base/assert.h"

/* Rows [first, first + count) of the part; what the packs had before is consumed. */
static enum result rows_answer(struct train *train, struct train_part *part, uint32_t first,
                               uint32_t count)
{
    char error[MIRROR_HISTORY_ERROR_SIZE_MAX];
    struct history_read *read = &part->read[(uint64_t)first * train->view_count];
    uint32_t reads = count * train->view_count;
    ASSERT((uint64_t)count * train->view_count <= UINT32_MAX);
    enum result result = RESULT_OK;
    train_pack_clear(&train->pack);
    train_pack_clear(&train->pack_known);
    if (train->known != NULL) {
        result = mirror_history_read(train->known, read, reads, error);
    }
    result = result == RESULT_OK ? mirror_history_read(train->mirror, read, reads, error) : result;
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

void train_computing_init(const struct train *train, struct train_computing *computing)
{
    struct service_run *run = &computing->run;
    *run = (struct service_run){
        .service = train->service, .answer = computing->answer, .space = &computing->space};
    for (uint32_t i = 0; i < train->service->read_count; i++) {
        run->base[i] = train->base[i];
    }
}

/* Computes one row from the answers of a pack. */
static void row_compute(const struct train *train, const struct train_part *part,
                        const struct train_pack *pack, uint32_t row,
                        struct train_computing *computing)
{
    const struct plan_service *service = train->service;
    struct service_run *run = &computing->run;
    for (uint32_t v = 0; v < train->view_count; v++) {
        const struct train_view *view = &train->view[v];
        train_pack_read(pack, (uint64_t)row * train->view_count + v, view->count,
                        &computing->answer[view->first]);
    }
    run->request_null = UINT32_MAX;
    if (service->request_count > 0) {
        const int64_t *word = &part->request[(uint64_t)row * SERVICE_REQUEST_MAX];
        memcpy(run->request, word, service->request_count * sizeof(*word));
        run->request_null = part->request_null[row];
    }
    service_compute(run, 0, 1);
}

/* Whether something that serving could not know, or knew and should not have, explains that a row's
 * values are others: an event that came at q or later, or too late; one from q on that it had. */
static bool row_is_explained(const struct train *train, const struct train_part *part, uint32_t row)
{
    for (uint32_t v = 0; v < train->view_count; v++) {
        const struct history_read *read = &part->read[(uint64_t)row * train->view_count + v];
        int64_t newest_us = train_pack_newest_us(&train->pack_known, read->number);
        if (read->is_hindsight || newest_us >= read->known_us) {
            return true;
        }
    }
    return false;
}

/* An answer as it is compared, in bytes that stay: its status and what is printed. */
static void value_write(struct buffer *out, const struct answer *answer)
{
    char space[ANSWER_TEXT_SIZE_MAX];
    uint32_t size;
    const char *text = answer_text(answer, space, &size);
    uint32_t head[3] = {answer->status, answer->kind, size};
    buffer_write(out, head, sizeof(head));
    buffer_write(out, text, size);
}

/* Sets the flags of a row's items whose values serving returned otherwise. */
static void row_compare(const struct train *train, const struct train_part *part,
                        struct train_computing *computing, uint32_t row, uint8_t *flags)
{
    uint32_t count = train->service->item_count;
    uint64_t end[SERVICE_FEATURES_MAX];
    struct answer answer;
    struct buffer known;
    struct buffer truly;
    buffer_init(&known, 0);
    buffer_init(&truly, 0);
    row_compute(train, part, &train->pack_known, row, computing);
    for (uint32_t item = 0; item < count; item++) {
        service_answer(&computing->run, 0, 0, item, &answer);
        value_write(&known, &answer);
        end[item] = known.size;
    }
    row_compute(train, part, &train->pack, row, computing);
    uint8_t differs =
        TRAIN_SPOOL_DIFFERS | (row_is_explained(train, part, row) ? 0 : TRAIN_SPOOL_UNEXPLAINED);
    for (uint32_t item = 0; item < count; item++) {
        uint64_t first = item == 0 ? 0 : end[item - 1];
        service_answer(&computing->run, 0, 0, item, &answer);
        buffer_consume(&truly, truly.size);
        value_write(&truly, &answer);
        bool same = truly.size == end[item] - first &&
                    memcmp(truly.data, known.data + first, truly.size) == 0;
        flags[item] = same ? 0 : differs;
    }
    buffer_deinit(&known);
    buffer_deinit(&truly);
}

enum result train_row_spool(const struct train *train, const struct train_part *part,
                            struct train_computing *computing, uint32_t row, struct buffer *values,
                            uint32_t *out_item)
{
    uint8_t flags[SERVICE_FEATURES_MAX] = {0};
    if (train->known != NULL) {
        row_compare(train, part, computing, row, flags);
    } else {
        row_compute(train, part, &train->pack, row, computing);
    }
    for (uint32_t item = 0; item < train->service->item_count; item++) {
        struct answer answer;
        service_answer(&computing->run, 0, 0, item, &answer);
        if (train_spool_add(values, &answer, flags[item]) != RESULT_OK) {
            *out_item = item;
            return RESULT_INVALID;
        }
    }
    return RESULT_OK;
}
