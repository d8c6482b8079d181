/* Progress of a verb: one line on stderr that is written over and over while it works. Where stderr
 * is no terminal, nothing. One thread at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shows;
    int64_t begin_ns;
    int64_t next_ns; /* When the next line is due. */
    uint32_t width;  /* Of the line that stands there; 0: none. */
};

/* wanted: false shows nothing anywhere, as with --quiet. */
void progress_begin(struct progress *progress, bool wanted);
/* Whether a line is to be written: the first at once, then some a second. */
bool progress_is_due(struct progress *progress);
/* Writes the line over the one before, due or not. */
__attribute__((format(printf, 2, 3))) void progress_show(struct progress *progress,
                                                         const char *format, ...);
/* What follows stands on a line of its own. Fine when nothing was shown. */
void progress_end(struct progress *progress);

/* Since the begin. */
double progress_seconds(const struct progress *progress);
/* Until all is done, if it goes on as so far; 0: nobody knows. */
double progress_seconds_left(const struct progress *progress, uint64_t done, uint64_t all);
