/* What came of checked answers, summed by service and value; for numbers, how far apart they were.
 *
 * The distribution is that of Chronon's consistency job: SMAPE, the mean of |served - mirror| over
 * half of |served| + |mirror|, here with the greatest such error and how many were below powers of
 * ten. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/parity.h"

/* 0, then below 1e-12, 1e-9, 1e-6, 1e-3, 1e-1, and from there on. */
#define PARITY_ERRORS 7u
#define PARITY_SHOWN  10u /* Differences that are kept as they were found. */

struct parity_item_sum {
    char name[SERVICE_FEATURE_NAME_SIZE_MAX];
    uint64_t count[PARITY_COUNT];
    uint64_t numbers; /* Of those that were compared as numbers. */
    double error_sum;
    double error_max;
    uint64_t error[PARITY_ERRORS];
};

struct parity_service_sum {
    char name[NAME_SIZE_MAX];
    uint16_t version;
    bool is_gone; /* Its definition is gone, or another by now. */
    uint64_t print;
    uint64_t answers;
    uint16_t item_count;
    struct parity_item_sum *item; /* Owned. */
};

#define PARITY_TEXT_SIZE_MAX 256u

/* One value that differs. */
struct parity_difference {
    uint64_t nth;
    char service[NAME_SIZE_MAX];
    char item[SERVICE_FEATURE_NAME_SIZE_MAX];
    enum parity_outcome outcome;
    enum answer_status served_status;
    enum answer_status status;
    bool served_null;
    bool null;
    char served[PARITY_TEXT_SIZE_MAX]; /* Cut. */
    char again[PARITY_TEXT_SIZE_MAX];
    int64_t moment_us;
};

struct parity_sum {
    struct parity_service_sum *service; /* Owned. */
    uint32_t service_count;
    uint64_t answers;
    uint64_t values[PARITY_COUNT];
    uint32_t shown;
    struct parity_difference difference[PARITY_SHOWN];
    bool failed; /* No memory: something is not counted. */
};

/* A sum is zero before. */
void parity_sum_add(struct parity_sum *sum, const struct parity_answer *answer);
void parity_sum_deinit(struct parity_sum *sum);

/* Least error of each class of parity_item_sum.error, as text: "0", "< 1e-12", ... */
const char *parity_error_name(uint32_t index);
/* Mean of the errors; 0 without any. */
double parity_smape(const struct parity_item_sum *item);
