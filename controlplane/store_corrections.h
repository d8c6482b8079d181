/* The file of corrections as a check wants it: whether it is whole, and how much is in it. */
#pragma once

#include "controlplane/store_file.h"
#include "dataplane/feature/correction.h"

/* out_events: corrections of events, without the notes of what was built anew. RESULT_OK, or what
 * is wrong with the file; RESULT_NO_MEMORY. */
MUST_USE enum result store_corrections_read(struct store_file *file,
                                            struct correction_head *out_head, uint32_t *out_events);
