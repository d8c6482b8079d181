/* Rows of events that were corrected (corrections.h): the log's reader regards corrections, an
 * export has events as they came, so these rows cannot be compared. */
#pragma once

#include "controlplane/corrections.h"
#include "controlplane/parity_mirror.h"

struct parity_corrected {
    struct corrections corrections;
    struct row_set rows;
    void *memory; /* Owned: of rows. */
};

/* RESULT_CORRUPT, RESULT_SYSTEM and so on: error says why. */
MUST_USE enum result parity_corrected_load(const char *directory,
                                           const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                                           const struct plan *plan,
                                           struct parity_corrected *out_corrected,
                                           char error[PARITY_ERROR_SIZE_MAX]);
void parity_corrected_free(struct parity_corrected *corrected);

/* Takes keys of the view whose events were corrected out; returns how many. */
uint32_t parity_corrected_take(const struct parity_corrected *corrected, const struct plan *plan,
                               uint32_t view, struct parity_keys *keys);
