/* The file of epochs, slot by slot, as inspection wants it (epochs_load() gives the one that
 * counts). */
#pragma once

#include "controlplane/epochs.h"
#include "controlplane/store_file.h"

#define STORE_EPOCHS_SLOTS 2u

/* RESULT_OK; RESULT_NOT_FOUND: zeros, or the file ends before; RESULT_CORRUPT: not whole, or of the
 * other slot. */
MUST_USE enum result store_epochs_read(struct store_file *file, uint32_t slot,
                                       struct epochs *out_epochs);
/* The slot that counts. RESULT_CORRUPT: none is whole. scratch is room for another. */
MUST_USE enum result store_epochs_newest(struct store_file *file, struct epochs *out_epochs,
                                         struct epochs *scratch);
/* True when the first bytes of some slot say that it is this file. */
bool store_epochs_is(struct store_file *file);
