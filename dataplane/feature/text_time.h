/* Times as text: RFC 3339 and the strptime subset of `format:`, to seconds and nanoseconds since
 * 1970-01-01 UTC, proleptic Gregorian calendar. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature/schema.h"

struct text_time {
    int64_t seconds;
    uint32_t
        nanoseconds; /* Below one second: the time is seconds + nanoseconds, also before 1970. */
};

/* YYYY-MM-DD, 'T' or a space, HH:MM:SS[.fraction][Z|+HH:MM|-HH:MM]. Without an offset it is UTC;
 * second 60 is the next minute's first; fractions beyond nanoseconds are cut. */
bool text_time_read_rfc3339(const char *text, uint32_t size, struct text_time *out_time);

/* By a format of %Y %m %d %H %M %S %% and literal characters; fields have fixed width. */
bool text_time_read_format(const char *format, const char *text, uint32_t size,
                           struct text_time *out_time);

/* Count of units since 1970, floored; false outside int64. */
bool text_time_to_unit(struct text_time time, enum time_unit unit, int64_t *out_count);

/* The other way, exact. */
struct text_time text_time_of_unit(int64_t count, enum time_unit unit);
