/* A part's rows answered. */
#include "controlplane/train_inside.h"
#include "dataplane/base/assert.h"

/* Rows [first, first + count) of the part; what the packs had before is consumed. */
static enum result rows_answer(struct train *train, struct train_part *part, uint32_t first,
                               uint32_t count)
{
    char error[MIRROR_HISTORY_ERROR_SIZE_MAX];
    uint64_t first_read = (uint64_t)first * train->view_count;
    struct history_read *read = &part->read[first_read];
    uint32_t reads = count * train->view_count;
    ASSERT((uint64_t)count * train->view_count <= UINT32_MAX);
    enum result result = RESULT_OK;
    train_pack_begin(&train->pack, first_read, reads);
    if (train->known != NULL) {
        train_pack_begin(&train->pack_known, first_read, reads);
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
