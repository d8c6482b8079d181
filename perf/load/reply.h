/* Finds where RESP replies end, in bytes that come in pieces. Values are skipped, not built. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct reply_scan {
    uint64_t values_left; /* Of the reply under way; 0: between replies. */
    uint64_t bytes_left;  /* Of a bulk string under way, its CR LF included. */
    bool error;           /* The reply under way, or the last one, is an error reply. */
    bool broken;          /* Sticky: these bytes are no RESP. */
};

/* Scans up to the end of one reply. Returns the bytes taken; out_done says whether the reply ended
 * with them. Bytes not taken must be offered again, with more behind them. */
uint32_t reply_scan(struct reply_scan *scan, const char *data, uint32_t size, bool *out_done);
