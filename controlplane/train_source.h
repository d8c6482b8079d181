/* The values of a training set's rows, part by part: the spools of parts that are files, then the
 * last part, which is in memory. */
#pragma once

#include "controlplane/train_inside.h"

struct train_source {
    struct train *train;
    uint32_t part_count;
    uint32_t parts_opened;
    uint32_t rows_left; /* Of the part that is open: */
    /* row `next` on of a part that was answered, or, where that is NULL, the next of a spool. */
    const struct train_part *part;
    uint32_t next;
    struct train_spool_reader spool; /* Owned. */
};

void train_source_init(struct train_source *source, struct train *train, uint32_t part_count);
void train_source_deinit(struct train_source *source);
/* The part that the next row is in; an error where there is none. */
MUST_USE enum result train_source_enter(struct train_source *source);
/* The error of values that are none. */
enum result train_source_fail(const struct train_source *source);
