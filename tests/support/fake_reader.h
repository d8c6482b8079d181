/* A reader without rows behind it: commands are tested for what they make of a request and of
 * answers, not for the answers. Link it instead of dataplane/reader.c.
 *
 * A key is found when its first byte is not 0xff and it is not empty. Feature f answers the number
 * 100 * f + first byte of the key, with scale 2; the first byte 0xfe answers NULL_VALUE. */
#pragma once

#include <stdint.h>

#include "dataplane/reader.h"

struct fake_reader {
    uint32_t read_count; /* Calls of reader_read(). */
    uint32_t query_count;
    enum read_time time; /* Of the last query. */
    int64_t at_us;
    bool online;
};

#define FAKE_NEWEST_US INT64_C(1000000000)
#define FAKE_Q_US      INT64_C(1005000000)

struct reader *fake_reader_of(struct fake_reader *fake);
