#include "controlplane/train_row.h"

#include <string.h>

#include "dataplane/base/units.h"

void train_row_init(const struct train *train, struct train_row *row)
{
    row->run = (struct service_run){
        .service = train->service, .answer = row->answer, .space = &row->space};
    for (uint32_t i = 0; i < train->service->read_count; i++) {
        row->run.base[i] = train->base[i];
    }
    buffer_init(&row->known, 0);
    buffer_init(&row->truly, 0);
}

void train_row_deinit(struct train_row *row)
{
    buffer_deinit(&row->known);
    buffer_deinit(&row->truly);
}

/* Computes the row from the answers of a pack. */
static void values_compute(const struct train *train, const struct train_part *part,
                           const struct train_pack *pack, uint32_t index, struct train_row *row)
{
    const struct plan_service *service = train->service;
    struct service_run *run = &row->run;
    for (uint32_t v = 0; v < train->view_count; v++) {
        const struct train_view *view = &train->view[v];
        train_pack_read(pack, (uint64_t)index * train->view_count + v, view->count,
                        &row->answer[view->first]);
    }
    run->request_null = UINT32_MAX;
    if (service->request_count > 0) {
        const int64_t *word = &part->request[(uint64_t)index * SERVICE_REQUEST_MAX];
        memcpy(run->request, word, service->request_count * sizeof(*word));
        run->request_null = part->request_null[index];
    }
    service_compute(run, 0, 1);
    for (uint32_t item = 0; item < service->item_count; item++) {
        service_answer(run, 0, 0, item, &row->value[item]);
    }
}

/* Whether something that serving could not know, or knew and should not have, explains that a row's
 * values are others: an event that came at q or later, or too late; one from q on that it had. */
static bool row_is_explained(const struct train *train, const struct train_part *part,
                             uint32_t index)
{
    for (uint32_t v = 0; v < train->view_count; v++) {
        const struct history_read *read = &part->read[(uint64_t)index * train->view_count + v];
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

/* Computes the row both ways, and flags the values that serving returned otherwise. */
static void row_compare(const struct train *train, const struct train_part *part, uint32_t index,
                        struct train_row *row)
{
    uint32_t count = train->service->item_count;
    uint64_t end[SERVICE_FEATURES_MAX];
    row->known.size = 0;
    values_compute(train, part, &train->pack_known, index, row);
    for (uint32_t item = 0; item < count; item++) {
        value_write(&row->known, &row->value[item]);
        end[item] = row->known.size;
    }
    values_compute(train, part, &train->pack, index, row);
    uint8_t differs =
        TRAIN_SPOOL_DIFFERS | (row_is_explained(train, part, index) ? 0 : TRAIN_SPOOL_UNEXPLAINED);
    for (uint32_t item = 0; item < count; item++) {
        uint64_t first = item == 0 ? 0 : end[item - 1];
        row->truly.size = 0;
        value_write(&row->truly, &row->value[item]);
        bool same = row->truly.size == end[item] - first &&
                    memcmp(row->truly.data, row->known.data + first, row->truly.size) == 0;
        row->flags[item] = same ? 0 : differs;
    }
}

void train_row_compute(const struct train *train, const struct train_part *part, uint32_t index,
                       struct train_row *row)
{
    if (train->known != NULL) {
        row_compare(train, part, index, row);
    } else {
        values_compute(train, part, &train->pack, index, row);
        memset(row->flags, 0, train->service->item_count);
    }
}

bool train_row_read(const struct train *train, struct train_spool_reader *spool,
                    struct train_row *row)
{
    bool good = true;
    for (uint32_t item = 0; good && item < train->service->item_count; item++) {
        good = train_spool_next(spool, &row->value[item], &row->flags[item]);
    }
    return good;
}

void train_row_spool(const struct train *train, const struct train_row *row, struct buffer *values)
{
    for (uint32_t item = 0; item < train->service->item_count; item++) {
        train_spool_add(values, &row->value[item], row->flags[item]);
    }
}

void train_sums_add(struct train_sums *sums, const struct train_row *row, uint32_t item_count)
{
    for (uint32_t item = 0; item < item_count; item++) {
        uint8_t flags = row->flags[item];
        sums->status[row->value[item].status]++;
        if (flags != 0) {
            sums->joined += (flags & TRAIN_SPOOL_JOINED) != 0;
            sums->differ[item] += (flags & TRAIN_SPOOL_DIFFERS) != 0;
            sums->unexplained[item] += (flags & TRAIN_SPOOL_UNEXPLAINED) != 0;
        }
    }
}

void train_sums_merge(struct train_sums *sums, const struct train_sums *other, uint32_t item_count)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(sums->status); i++) {
        sums->status[i] += other->status[i];
    }
    sums->joined += other->joined;
    for (uint32_t item = 0; item < item_count; item++) {
        sums->differ[item] += other->differ[item];
        sums->unexplained[item] += other->unexplained[item];
    }
}
