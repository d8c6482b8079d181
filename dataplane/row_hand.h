/* A row that the shard is writing: locked against readers, folded, moved to a larger or smaller
 * place while events go in. Worker only. */
#pragma once

#include <stdint.h>

#include "dataplane/base/drops.h"
#include "dataplane/feature/ladder.h"
#include "dataplane/feature/row.h"
#include "dataplane/shard.h"

struct row_hand {
    uint64_t *row;
    uint64_t *old; /* Place that the table still names; NULL when it names row. */
    uint32_t lines;
};

/* Odd: readers retry. Release W1 of the words that follow orders it before them. */
static inline void row_lock(uint64_t *row)
{
    word_store(&row[ROW_VERSION], row[ROW_VERSION] | 1);
}

/* Release W2, pairs with the acquire of the version in the reader's copy. */
static inline void row_unlock(uint64_t *row)
{
    word_store(&row[ROW_VERSION], (row[ROW_VERSION] | 1) + 1);
}

/* Lines of the place that a row has. */
static inline uint32_t row_place_lines(const struct shard *shard, const uint64_t *row)
{
    return row_store_lines(&shard->store, row_store_line_of(&shard->store, row));
}

/* Adds lines (negative: gives back) to what the view's rows take. */
void row_hand_account(struct shard *shard, uint32_t view_index, int64_t lines);

/* Moves the row in hand to a place of at least lines. False when there is none. */
bool row_hand_move(struct shard *shard, uint32_t view_index, struct row_hand *hand, uint32_t lines);

/* The same to a place that was taken for it. */
void row_hand_move_to(struct shard *shard, uint32_t view_index, struct row_hand *hand,
                      uint64_t *place);

/* Applies one event (a single of the view) to the row in hand, folding and growing it as need be.
 * Returns DROP_NONE, or why the view refuses the event. */
enum drop row_hand_apply(struct shard *shard, uint32_t view_index, const struct ladder *ladder,
                         const uint64_t *single, uint64_t lsn, struct row_hand *hand);

/* Lets the table's entry name where the row is now, and the old place die. */
void row_hand_publish(struct shard *shard, struct row_hand *hand, uint64_t *entry);
