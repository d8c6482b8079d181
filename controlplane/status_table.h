/* FS.STATUS as tables for people: `status` and `top`. */
#pragma once

#include <jansson.h>

#include "controlplane/buffer.h"

/* status as docs/operating/status.md says; members that are missing show as "-". */
void status_table_render(const json_t *status, struct buffer *out);
/* One line of rates between two reports: what `top` writes where there is no terminal. previous may
 * be NULL. */
void status_line_render(const json_t *status, const json_t *previous, struct buffer *out);
