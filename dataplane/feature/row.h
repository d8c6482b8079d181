/* A row: all state of one entity in one view version, contiguous 64-byte lines.
 *
 *   word 0     version: odd while written; top bit: dead, moved elsewhere
 *   word 1     meta: see row_meta below
 *   word 2     apply time T of the last record (us)
 *   word 3     LSN of the last record: epoch in the top 16 bits, number below
 *   word 4     newest event time (us)
 *   word 5     greatest fold horizon that its cells were placed by (us)
 *   word 6..7  first 16 bytes of the key; longer keys go on in further lines
 *   then       the open cell, on its own line(s): the newest tile of the finest level; behind it
 *              the sizes of the view's runs in words (row_run.h), one word each
 *   then       closed cells, coarser levels first, each level by ascending start
 *   then       the areas of the view's runs
 *   ...        free
 *   at the end single events, newest at the lowest address, and behind them the floor: the greatest
 *              single event that the cap pushed out (when the meta says that there is one)
 *
 * So the common update touches the bucket and two lines and moves nothing. Words are stored by one
 * writer with word_store(); all functions here but row_read()'s are the owner's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/feature/cell.h"
#include "dataplane/feature/ladder.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/run.h"

#define ROW_VERSION          0u
#define ROW_META             1u
#define ROW_APPLY            2u
#define ROW_LSN              3u
#define ROW_NEWEST           4u
#define ROW_HORIZON          5u
#define ROW_KEY              6u
#define ROW_KEY_INLINE_BYTES 16u
#define ROW_VERSION_DEAD     (UINT64_C(1) << 63)

/* meta, from the top: Redis slot 14 bits | bit 9 of view | key size 10 | bits 5 to 0 of view |
 * bits 7 and 6 | walk due 1 | floor 1 | singles 13 | bit 8 of view | cells 15. The view lies in
 * parts so that rows of older tile files, which have bits 5 to 0 there and zeros in the other
 * places, read as they are. */
struct row_meta {
    uint16_t slot;
    uint16_t key_size;
    uint16_t view;
    bool has_floor;
    bool walk_due; /* Moved behind a checkpoint's walk before it was copied. */
    uint16_t single_count;
    uint16_t cell_count; /* Closed cells. */
};

#define ROW_CELLS_MAX    32767u /* Closed cells of a row. */
#define ROW_KEY_SIZE_MAX 1023u

_Static_assert(VIEWS_MAX <= 1024, "view index fits 10 bits");
_Static_assert(SINGLES_MAX + SINGLES_MAX / 4 + 1 < 8192, "single count fits 13 bits");

static inline struct row_meta row_meta_load(const uint64_t *row)
{
    uint64_t word = row[ROW_META];
    return (struct row_meta){.slot = (uint16_t)(word >> 50),
                             .key_size = (uint16_t)(word >> 39 & ROW_KEY_SIZE_MAX),
                             .view = (uint16_t)((word >> 33 & 0x3f) | (word >> 31 & 3) << 6 |
                                                (word >> 15 & 1) << 8 | (word >> 49 & 1) << 9),
                             .has_floor = (word >> 29 & 1) != 0,
                             .walk_due = (word >> 30 & 1) != 0,
                             .single_count = (uint16_t)(word >> 16 & 0x1fff),
                             .cell_count = (uint16_t)(word & ROW_CELLS_MAX)};
}

/* What the meta words of one view's keys of one size have in common. */
#define ROW_META_MATCH_MASK                                                                        \
    (UINT64_C(0x7ff) << 39 | UINT64_C(0x3f) << 33 | UINT64_C(3) << 31 | UINT64_C(1) << 15)

static inline uint64_t row_meta_match(uint32_t view, uint32_t key_size)
{
    return (uint64_t)key_size << 39 | (uint64_t)(view & 0x3f) << 33 |
           (uint64_t)(view >> 6 & 3) << 31 | (uint64_t)(view >> 8 & 1) << 15 |
           (uint64_t)(view >> 9 & 1) << 49;
}

static inline void row_meta_store(uint64_t *row, struct row_meta meta)
{
    word_store(&row[ROW_META], row_meta_match(meta.view, meta.key_size) |
                                   (uint64_t)meta.slot << 50 | (uint64_t)meta.walk_due << 30 |
                                   (uint64_t)meta.has_floor << 29 |
                                   (uint64_t)meta.single_count << 16 | meta.cell_count);
}

/* Physical room above the cap, so that pushing out moves many at a time. */
static inline uint32_t row_singles_most(const struct plan_view *view)
{
    return view->raw_cap + view->raw_cap / 4 + 1;
}

/* Lines of header and key; the open cell starts behind them. */
static inline uint32_t row_key_lines(uint32_t key_size)
{
    return key_size <= ROW_KEY_INLINE_BYTES
               ? 1
               : 1 + (key_size - ROW_KEY_INLINE_BYTES + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES;
}

/* Lines of header, key and open cell. */
static inline uint32_t row_head_lines(const struct plan_view *view, uint32_t key_size)
{
    return row_key_lines(key_size) + view->cell_lines;
}

/* Words in front of the closed cells: whole lines, but of a view with runs, whose first entries
 * often fit what is left of the open cell's last line. */
static inline uint32_t row_head_words(const struct plan_view *view, uint32_t key_size)
{
    return view->run_count == 0
               ? row_head_lines(view, key_size) * LINE_WORDS
               : row_key_lines(key_size) * LINE_WORDS + view->cell_words + view->run_count;
}

/* Words of runs, as the row says: what it says may be torn, then the sum may be anything. */
static inline uint64_t row_run_words(const struct plan_view *view, const uint64_t *row,
                                     uint32_t key_size)
{
    const uint64_t *size = row + (uint64_t)row_key_lines(key_size) * LINE_WORDS + view->cell_words;
    uint64_t words = 0;
    for (uint32_t i = 0; i < view->run_count; i++) {
        words += (uint32_t)size[i];
    }
    return words;
}

/* Words of the row's front: head, closed cells and runs. */
static inline uint64_t row_front_words(const struct plan_view *view, const uint64_t *row,
                                       struct row_meta meta)
{
    return (uint64_t)row_head_words(view, meta.key_size) +
           (uint64_t)meta.cell_count * view->cell_words + row_run_words(view, row, meta.key_size);
}

/* Words of its back: single events and the floor. */
static inline uint64_t row_back_words(const struct plan_view *view, struct row_meta meta)
{
    return ((uint64_t)meta.single_count + meta.has_floor) * view->single_words;
}

/* Lines that a row with one event needs. */
uint32_t row_lines_first(const struct plan_view *view, uint32_t key_size);

/* Makes an empty row. Version stays as it is (the store's). */
void row_init(const struct plan_view *view, uint32_t view_index, const uint8_t *key,
              uint32_t key_size, uint16_t slot, uint64_t *row);

/* Empties a row whose last event is past its ttl, all but its key, Redis slot and LSN. */
void row_restart(const struct plan_view *view, uint64_t *row);

/* Inline: this is the compare of every probe. */
static inline bool row_key_equals(const uint64_t *row, uint32_t view_index, const uint8_t *key,
                                  uint32_t key_size)
{
    if ((row[ROW_META] & ROW_META_MATCH_MASK) != row_meta_match(view_index, key_size)) {
        return false;
    }
    if (key_size == sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, key, sizeof(word));
        return row[ROW_KEY] == word;
    }
    return memcmp(&row[ROW_KEY], key, key_size) == 0;
}

enum row_outcome {
    ROW_APPLIED,
    ROW_OPENED, /* Applied, and it took a new cell. */
    ROW_FULL,   /* Nothing changed: fold or grow, then again. */
};

/* Applies one event (single of the view, edges applied): row has `lines` lines. */
MUST_USE enum row_outcome row_apply(const struct plan_view *view, const struct ladder *ladder,
                                    uint64_t *row, uint32_t lines, const uint64_t *single,
                                    int64_t apply_us, uint64_t lsn);

/* A view over several streams may see its horizon move back; what was folded stays folded. */
static inline void row_horizon_note(const struct ladder *ladder, uint64_t *row)
{
    if (ladder->fold_us > (int64_t)row[ROW_HORIZON]) {
        word_store(&row[ROW_HORIZON], (uint64_t)ladder->fold_us);
    }
}

/* What every applied record leaves in the header. */
static inline void row_header_note(const struct plan_view *view, const struct ladder *ladder,
                                   uint64_t *row, int64_t time_us, int64_t apply_us, uint64_t lsn)
{
    int64_t event_us = view->edges == EDGES_OPEN_CLOSED ? add_clamped(time_us, 1) : time_us;
    if (event_us > (int64_t)row[ROW_NEWEST]) {
        word_store(&row[ROW_NEWEST], (uint64_t)event_us);
    }
    word_store(&row[ROW_APPLY], (uint64_t)apply_us);
    word_store(&row[ROW_LSN], lsn);
    row_horizon_note(ladder, row);
}

/* The common case of row_apply(), inline: a view without single events and runs, and an event of
 * the open tile. The open tile takes its events without a look at the horizon: it folds later.
 * Returns false, with nothing changed, in every other case. */
static inline bool row_apply_open(const struct plan_view *view, const struct ladder *ladder,
                                  uint64_t *row, const uint64_t *single, int64_t apply_us,
                                  uint64_t lsn)
{
    if (view->exact_us > 0 || view->run_count > 0) {
        return false;
    }
    uint64_t *open =
        row +
        (uint64_t)row_key_lines((uint32_t)(row[ROW_META] >> 39) & ROW_KEY_SIZE_MAX) * LINE_WORDS;
    int64_t time_us = (int64_t)single[SINGLE_TIME];
    uint64_t into = (uint64_t)time_us - (uint64_t)cell_start_us(open[0]);
    if (open[0] == CELL_TAG_EMPTY || into >= (uint64_t)view->level_us[0]) {
        return false;
    }
    cell_add(view, open, single);
    row_header_note(view, ladder, row, time_us, apply_us, lsn);
    return true;
}

/* The same of a view with runs, of a row of `lines` lines; false too when it lacks room. */
bool row_apply_open_runs(const struct plan_view *view, const struct ladder *ladder, uint64_t *row,
                         uint32_t lines, const uint64_t *single, int64_t apply_us, uint64_t lsn);

/* Room that one more event may need: below it row_apply() is ROW_FULL. */
uint32_t row_room_words(const struct plan_view *view);

/* Where groups of runs are merged. */
struct row_fold_space {
    uint64_t buffer[2][RUN_BUFFER_WORDS];
};

/* Folds what the horizon allows and pushes single events above the cap out, as far as there is
 * room. Answers do not change. Returns how many cells, singles and runs went or became smaller. */
uint32_t row_fold(const struct plan_view *view, const struct ladder *ladder, uint64_t *row,
                  uint32_t lines, struct row_fold_space *space);

/* Words neither head, cells nor singles use. */
uint32_t row_free_words(const struct plan_view *view, const uint64_t *row, uint32_t lines);

/* Least lines that hold the row's content. */
uint32_t row_lines_needed(const struct plan_view *view, const uint64_t *row);

/* Copies content (all but the version) to a place of other size; it fits. */
void row_move(const struct plan_view *view, const uint64_t *source, uint32_t source_lines,
              uint64_t *target, uint32_t target_lines);

static inline int64_t row_newest_us(const uint64_t *row)
{
    return (int64_t)row[ROW_NEWEST];
}

/* Hash of the canonical form at a horizon: folded, expired, LSN, apply time, version and capacity
 * left out (DESIGN: state hash). 0 when the row is past its ttl. scratch holds the row's words
 * (lines * 8) plus view->cell_words. */
uint64_t row_state_hash(const struct plan_view *view, const struct ladder *ladder,
                        const uint64_t *row, uint32_t lines, uint64_t *scratch,
                        uint32_t scratch_lines, struct row_fold_space *space);
