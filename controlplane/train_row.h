/* The values of one label's row: of its answers, or as a spool has them; and sums of many rows. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/buffer.h"
#include "controlplane/train_inside.h"
#include "controlplane/train_spool.h"
#include "dataplane/feature/service.h"

/* Any thread's own. What is in it is borrowed until the next row takes its place. */
struct train_row {
    struct answer value[SERVICE_FEATURES_MAX]; /* By item of the service. */
    uint8_t flags[SERVICE_FEATURES_MAX];       /* TRAIN_SPOOL_*. */
    /* Where values are computed. */
    struct service_run run;
    struct program_space space;
    struct answer answer[SERVICE_READS_MAX];
    struct buffer known; /* Owned; what is compared, printed. */
    struct buffer truly; /* Owned. */
};

void train_row_init(const struct train *train, struct train_row *row);
void train_row_deinit(struct train_row *row); /* Zeros are fine. */
/* Whether rows could not be compared, for want of memory. It stays so. */
static inline bool train_row_failed(const struct train_row *row)
{
    return row->known.failed || row->truly.failed;
}
/* Row `index` of a part whose answers the train's packs have. Not from what was served. */
void train_row_compute(const struct train *train, const struct train_part *part, uint32_t index,
                       struct train_row *row);
/* The next row of a spool; false: it has none. */
bool train_row_read(const struct train *train, struct train_spool_reader *spool,
                    struct train_row *row);
/* Adds it to the bytes of a spool. */
void train_row_spool(const struct train *train, const struct train_row *row, struct buffer *values);

/* Counts the values of a row. */
void train_sums_add(struct train_sums *sums, const struct train_row *row, uint32_t item_count);
void train_sums_merge(struct train_sums *sums, const struct train_sums *other, uint32_t item_count);
