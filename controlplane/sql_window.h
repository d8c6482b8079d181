/* Windows in SQL: their times at q, where each event stands for those that are no times, and the
 * condition that an event is in one. */
#pragma once

#include "controlplane/buffer.h"
#include "dataplane/feature/plan.h"

/* What a statement answers. */
struct sql_moments {
    const int64_t *at; /* All keys at this time; NULL: at the parameter $q... */
    bool of_labels;    /* ... or each row of a table "#labels": its key at its "#q". */
};

/* The time: a number, or the parameter $q where at is NULL. */
void sql_time_write(const int64_t *at, struct buffer *out);
/* The columns of which each value gets a row, with commas between: the key's, behind the label. */
void sql_keys_write(const struct plan_view *view, const struct sql_moments *moments,
                    struct buffer *out);

/* The first part, "#at": q, the end, and where each window starts and ends. */
void sql_times_write(const struct plan_view *view, const struct sql_moments *moments,
                     struct buffer *out);
/* Parts behind "#input": events before the end, beside these times, and their places. Returns the
 * last one's name. Static. */
const char *sql_rows_write(const struct plan_view *view, const struct sql_moments *moments,
                           struct buffer *out);
/* The condition that one of those is in the window; false: every one is. */
bool sql_window_write(const struct plan_window *window, struct buffer *out);
