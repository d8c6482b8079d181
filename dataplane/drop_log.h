/* The last drops of a shard, for people: `freshet drops`. At most one entry per second and reason,
 * so that a flood costs nothing. One writer, the worker; readers copy under a per-entry version. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/drops.h"
#include "dataplane/feature/limits.h"
#include "drivers/net.h"

#define DROP_LOG_ENTRIES 64
#define DROP_LOG_BYTES   48

struct drop_entry {
    uint64_t number; /* From 1, increasing per shard. */
    int64_t time_us;
    struct net_address sender;
    uint16_t drop;                 /* enum drop */
    uint16_t stream;               /* STREAMS_MAX: none. */
    uint16_t field;                /* FIELDS_MAX: none. */
    uint16_t byte_count;           /* Of bytes. */
    uint32_t offset;               /* Byte in the datagram where it went wrong. */
    uint8_t bytes[DROP_LOG_BYTES]; /* First bytes of the datagram. */
};

#define DROP_ENTRY_WORDS ((sizeof(struct drop_entry) + 7) / 8)

struct drop_log {
    struct {
        _Atomic uint64_t shared_version; /* Odd while it is written. */
        _Atomic uint64_t shared_word[DROP_ENTRY_WORDS];
    } slot[DROP_LOG_ENTRIES];
    uint64_t next_number;        /* Owner: worker. */
    int64_t last_us[DROP_COUNT]; /* Owner: worker. */
};

/* Worker only. True when an entry of this reason is due: one per second and reason. */
bool drop_log_due(const struct drop_log *log, enum drop drop, int64_t now_us);
void drop_log_add(struct drop_log *log, const struct drop_entry *entry);

/* Any thread. Copies entries with number > after, oldest first; returns their count. */
uint32_t drop_log_read(const struct drop_log *log, uint64_t after,
                       struct drop_entry out[DROP_LOG_ENTRIES]);
