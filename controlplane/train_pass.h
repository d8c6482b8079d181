/* Where a service passes answers on as they are, a label's go from the pack to columns at once: no
 * answer of 128 bytes is made of each, and none is copied. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/train_columns.h"
#include "controlplane/train_inside.h"

/* Where one answer of a row goes. */
struct train_place {
    struct train_column *column; /* With its status's behind it. NULL: nobody asks for it. */
    uint8_t *data;               /* The column's, near: columns lie far apart. */
    uint8_t *valid;              /* The same. */
    uint32_t index;              /* Of the column. */
    uint16_t usual;              /* Form (answer_pack.h) of what it holds as it is packed, */
    bool is_usual;               /* if there is one: eight bytes, */
    bool is_wide;                /* then the same of their sign, */
    bool is_unsigned;            /* or they have none. */
};

struct train_pass {
    const struct train *train;
    struct train_place place[SERVICE_READS_MAX]; /* By answer of a row. */
};

/* columns: of the values, each with its status's behind it, if it has one; borrowed. False: some
 * value is computed, or has an age or a default; or rows are compared. */
bool train_pass_init(struct train_pass *pass, const struct train *train,
                     struct train_column *columns);
/* Puts row `index` of the part that was answered into a row of the columns, and counts its values.
 * Returns the first column that cannot hold its value; UINT32_MAX: all can. */
uint32_t train_pass_row(const struct train_pass *pass, uint32_t index, uint32_t row,
                        struct train_sums *sums, struct buffer *text);
