/* Answers of one row that the caller has to itself: a reader's copy, or a row of history.
 * Aggregates in one sweep, derived features behind them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/answer.h"
#include "dataplane/feature/derive.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/row_read.h"

/* Where answers are made. Cache line aligned, as the program's space is. */
struct row_answer_space {
    struct program_space program;
    struct row_read_space read;
    uint16_t feature[PROGRAM_INPUTS_MAX]; /* Inputs of derived features. */
    struct answer input[PROGRAM_INPUTS_MAX];
    char strings[PROGRAM_INPUTS_MAX * STRING_SIZE_MAX];
};

/* Answers what is asked of a row of `lines` lines in a place of ROW_SIZE_MAX bytes. False: the row
 * is past its ttl at q, or was at the horizon, and all are NOT_FOUND; absent_us is q then, if it
 * was swept. Texts of answers are in texts. */
bool row_answer(const struct row_asked *asked, uint64_t *row, uint32_t lines,
                const struct row_read_at *at, int64_t absent_us, struct answer *answer,
                struct row_answer_space *space, struct text_space *texts);
