#include "dataplane/drop_log.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

bool drop_log_due(const struct drop_log *log, enum drop drop, int64_t now_us)
{
    ASSERT(drop < DROP_COUNT);
    int64_t last_us = log->last_us[drop];
    return last_us == 0 || now_us - last_us >= US_PER_SECOND || now_us < last_us;
}

void drop_log_add(struct drop_log *log, const struct drop_entry *entry)
{
    uint64_t words[DROP_ENTRY_WORDS] = {0};
    struct drop_entry numbered = *entry;
    numbered.number = ++log->next_number;
    memcpy(words, &numbered, sizeof(numbered));
    log->last_us[entry->drop] = entry->time_us;
    uint32_t index = (uint32_t)(numbered.number % DROP_LOG_ENTRIES);
    _Atomic uint64_t *version = &log->slot[index].shared_version;
    uint64_t before = atomic_load_explicit(version, memory_order_relaxed);
    atomic_store_explicit(version, before + 1, memory_order_relaxed);
    for (uint32_t i = 0; i < DROP_ENTRY_WORDS; i++) {
        /* Release L1, pairs with acquire L2 in entry_read(): who sees a word sees the odd
         * version. */
        atomic_store_explicit(&log->slot[index].shared_word[i], words[i], memory_order_release);
    }
    /* Release L3, pairs with acquire L4 in entry_read(). */
    atomic_store_explicit(version, before + 2, memory_order_release);
}

/* Returns false when the slot is empty or was written meanwhile. */
static bool entry_read(const struct drop_log *log, uint32_t index, struct drop_entry *out)
{
    uint64_t words[DROP_ENTRY_WORDS];
    /* Acquire L4, pairs with release L3. */
    uint64_t before = atomic_load_explicit(&log->slot[index].shared_version, memory_order_acquire);
    for (uint32_t i = 0; i < DROP_ENTRY_WORDS; i++) {
        /* Acquire L2, pairs with release L1. */
        words[i] = atomic_load_explicit(&log->slot[index].shared_word[i], memory_order_acquire);
    }
    uint64_t after = atomic_load_explicit(&log->slot[index].shared_version, memory_order_relaxed);
    memcpy(out, words, sizeof(*out));
    return before == after && before % 2 == 0 && before != 0;
}

uint32_t drop_log_read(const struct drop_log *log, uint64_t after,
                       struct drop_entry out[DROP_LOG_ENTRIES])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < DROP_LOG_ENTRIES; i++) {
        struct drop_entry entry;
        if (!entry_read(log, i, &entry) || entry.number <= after) {
            continue;
        }
        uint32_t at = count++;
        while (at > 0 && out[at - 1].number > entry.number) {
            out[at] = out[at - 1];
            at--;
        }
        out[at] = entry;
    }
    return count;
}
