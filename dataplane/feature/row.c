#include "dataplane/feature/row.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/row_run.h"

static uint64_t *open_cell_of(uint64_t *row, uint32_t key_size)
{
    return row + (uint64_t)row_key_lines(key_size) * LINE_WORDS;
}

static uint64_t *closed_cells_of(const struct plan_view *view, uint64_t *row, uint32_t key_size)
{
    return row + row_head_words(view, key_size);
}

/* End of the singles: single i (0 the oldest) starts (i + 1) * single_words below it. */
static uint64_t *singles_end_of(const struct plan_view *view, uint64_t *row, uint32_t lines,
                                bool has_floor)
{
    return row + (uint64_t)lines * LINE_WORDS - (has_floor ? view->single_words : 0);
}

static uint64_t *single_at(const struct plan_view *view, uint64_t *end, uint32_t index)
{
    return end - (uint64_t)(index + 1) * view->single_words;
}

static uint64_t words_needed(const struct plan_view *view, const uint64_t *row)
{
    struct row_meta meta = row_meta_load(row);
    return row_front_words(view, row, meta) + row_back_words(view, meta);
}

uint32_t row_free_words(const struct plan_view *view, const uint64_t *row, uint32_t lines)
{
    uint64_t used = words_needed(view, row);
    ASSERT(used <= (uint64_t)lines * LINE_WORDS);
    return (uint32_t)(lines * LINE_WORDS - used);
}

uint32_t row_lines_needed(const struct plan_view *view, const uint64_t *row)
{
    return (uint32_t)div_ceil(words_needed(view, row), LINE_WORDS);
}

uint32_t row_room_words(const struct plan_view *view)
{
    uint32_t words = view->cell_words;
    if (view->exact_us > 0 && view->single_words > words) {
        words = view->single_words;
    }
    return words + view->run_room_words;
}

uint32_t row_lines_first(const struct plan_view *view, uint32_t key_size)
{
    uint32_t words = row_head_words(view, key_size) + view->run_room_words;
    words += view->exact_us > 0 ? view->single_words : 0;
    return (uint32_t)div_ceil(words, LINE_WORDS);
}

void row_init(const struct plan_view *view, uint32_t view_index, const uint8_t *key,
              uint32_t key_size, uint16_t slot, uint64_t *row)
{
    ASSERT(key_size > 0 && key_size <= ROW_KEY_SIZE_MAX);
    row_meta_store(row, (struct row_meta){.slot = slot,
                                          .key_size = (uint16_t)key_size,
                                          .view = (uint16_t)view_index});
    word_store(&row[ROW_APPLY], (uint64_t)INT64_MIN);
    word_store(&row[ROW_LSN], 0);
    word_store(&row[ROW_NEWEST], (uint64_t)INT64_MIN);
    word_store(&row[ROW_HORIZON], (uint64_t)INT64_MIN);
    for (uint32_t at = 0; at < key_size || at < ROW_KEY_INLINE_BYTES; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        uint32_t left = at < key_size ? key_size - at : 0;
        memcpy(&word, key + at, left < sizeof(word) ? left : sizeof(word));
        word_store(&row[ROW_KEY + at / sizeof(word)], word);
    }
    word_store(open_cell_of(row, key_size), CELL_TAG_EMPTY);
    row_run_clear(view, row);
}

void row_restart(const struct plan_view *view, uint64_t *row)
{
    struct row_meta meta = row_meta_load(row);
    ASSERT(meta.key_size > 0);
    ASSERT(view->cell_lines > 0);
    meta.has_floor = false;
    meta.single_count = 0;
    meta.cell_count = 0;
    row_meta_store(row, meta);
    word_store(&row[ROW_NEWEST], (uint64_t)INT64_MIN);
    word_store(&row[ROW_HORIZON], (uint64_t)INT64_MIN);
    word_store(open_cell_of(row, meta.key_size), CELL_TAG_EMPTY);
    row_run_clear(view, row);
}

/* Index of the first of count cells that is not before tag; looks at the end first, because time
 * mostly moves forward. */
static uint32_t cell_lower_bound(const struct plan_view *view, const uint64_t *cells,
                                 uint32_t count, uint64_t tag)
{
    if (count == 0 || cell_tag_before(cells[(uint64_t)(count - 1) * view->cell_words], tag)) {
        return count;
    }
    uint32_t low = 0;
    while (low < count) {
        uint32_t middle = low + (count - low) / 2;
        if (cell_tag_before(cells[(uint64_t)middle * view->cell_words], tag)) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return low;
}

/* The closed cell with this tag, made (cleared) when it is missing; NULL when there is no room. */
static uint64_t *cell_place(const struct plan_view *view, uint64_t *row, uint32_t lines,
                            uint64_t tag)
{
    struct row_meta meta = row_meta_load(row);
    uint64_t *cells = closed_cells_of(view, row, meta.key_size);
    uint32_t index = cell_lower_bound(view, cells, meta.cell_count, tag);
    uint64_t *cell = cells + (uint64_t)index * view->cell_words;
    if (index < meta.cell_count && cell[0] == tag) {
        return cell;
    }
    if (meta.cell_count == ROW_CELLS_MAX || row_free_words(view, row, lines) < view->cell_words) {
        return NULL;
    }
    words_move(cell + view->cell_words, cell,
               (uint32_t)(meta.cell_count - index) * view->cell_words +
                   (uint32_t)row_run_words(view, row, meta.key_size));
    cell_clear(view, cell, tag);
    meta.cell_count++;
    row_meta_store(row, meta);
    return cell;
}

/* Puts one event into its tile's cell. */
static enum row_outcome cell_put(const struct plan_view *view, const struct ladder *ladder,
                                 uint64_t *row, uint32_t lines, const uint64_t *single,
                                 uint64_t *out_tag)
{
    int64_t time_us = (int64_t)single[SINGLE_TIME];
    uint64_t *open = open_cell_of(row, row_meta_load(row).key_size);
    uint64_t tag = open[0];
    *out_tag = tag;
    /* The open tile takes its events without a look at the horizon: it folds later. */
    if (tag != CELL_TAG_EMPTY &&
        (uint64_t)time_us - (uint64_t)cell_start_us(tag) < (uint64_t)view->level_us[0]) {
        cell_add(view, open, single);
        return ROW_APPLIED;
    }
    uint64_t place = ladder_place(view, ladder, time_us, 0);
    *out_tag = place;
    if (place == LADDER_EXPIRED) {
        return ROW_APPLIED;
    }
    if (cell_level(place) != 0 ||
        (tag != CELL_TAG_EMPTY && cell_start_us(place) < cell_start_us(tag))) {
        uint32_t before = row_meta_load(row).cell_count;
        uint64_t *cell = cell_place(view, row, lines, place);
        if (cell == NULL) {
            return ROW_FULL;
        }
        cell_add(view, cell, single);
        return row_meta_load(row).cell_count > before ? ROW_OPENED : ROW_APPLIED;
    }
    if (tag != CELL_TAG_EMPTY) {
        uint64_t *closed = cell_place(view, row, lines, tag);
        if (closed == NULL) {
            return ROW_FULL;
        }
        cell_merge(view, closed, open);
    }
    cell_clear(view, open, place);
    cell_add(view, open, single);
    return ROW_OPENED;
}

/* Puts one event into its tile: its cell, and the groups of its runs. */
static enum row_outcome tile_add(const struct plan_view *view, const struct ladder *ladder,
                                 uint64_t *row, uint32_t lines, const uint64_t *single)
{
    uint64_t tag;
    if (view->run_count > 0 && row_free_words(view, row, lines) < row_room_words(view)) {
        return ROW_FULL;
    }
    enum row_outcome outcome = cell_put(view, ladder, row, lines, single, &tag);
    if (view->run_count > 0 && outcome != ROW_FULL) {
        row_run_add(view, ladder, row, tag, single);
    }
    return outcome;
}

/* True when the event is above what the cap has pushed out. */
static bool single_above_floor(const struct plan_view *view, uint64_t *row, uint32_t lines,
                               struct row_meta meta, const uint64_t *single)
{
    return !meta.has_floor ||
           single_compare(view, single, singles_end_of(view, row, lines, true)) > 0;
}

static enum row_outcome single_insert(const struct plan_view *view, uint64_t *row, uint32_t lines,
                                      const uint64_t *single)
{
    struct row_meta meta = row_meta_load(row);
    if (meta.single_count >= row_singles_most(view) ||
        row_free_words(view, row, lines) < view->single_words) {
        return ROW_FULL;
    }
    uint64_t *end = singles_end_of(view, row, lines, meta.has_floor);
    uint32_t index = meta.single_count;
    while (index > 0 && single_compare(view, single, single_at(view, end, index - 1)) < 0) {
        index--;
    }
    uint64_t *lowest = end - (uint64_t)meta.single_count * view->single_words;
    words_move(lowest - view->single_words, lowest,
               (uint32_t)(meta.single_count - index) * view->single_words);
    words_store(single_at(view, end, index), single, view->single_words);
    meta.single_count++;
    row_meta_store(row, meta);
    return ROW_OPENED;
}

enum row_outcome row_apply(const struct plan_view *view, const struct ladder *ladder, uint64_t *row,
                           uint32_t lines, const uint64_t *single, int64_t apply_us, uint64_t lsn)
{
    int64_t time_us = (int64_t)single[SINGLE_TIME];
    enum row_outcome outcome;
    if (view->run_count > 0 && row_free_words(view, row, lines) < row_room_words(view)) {
        return ROW_FULL;
    }
    if (view->exact_us > 0 && time_us >= ladder->single_horizon_us &&
        single_above_floor(view, row, lines, row_meta_load(row), single)) {
        outcome = single_insert(view, row, lines, single);
    } else {
        outcome = tile_add(view, ladder, row, lines, single);
    }
    if (outcome != ROW_FULL && view->has_sessions) {
        row_run_add_session(view, ladder, row, single);
    }
    if (outcome != ROW_FULL) {
        row_header_note(view, ladder, row, time_us, apply_us, lsn);
    }
    return outcome;
}

bool row_apply_open_runs(const struct plan_view *view, const struct ladder *ladder, uint64_t *row,
                         uint32_t lines, const uint64_t *single, int64_t apply_us, uint64_t lsn)
{
    struct row_meta meta = row_meta_load(row);
    uint64_t *open = open_cell_of(row, meta.key_size);
    int64_t time_us = (int64_t)single[SINGLE_TIME];
    uint64_t into = (uint64_t)time_us - (uint64_t)cell_start_us(open[0]);
    if (view->exact_us > 0 || view->has_sessions || open[0] == CELL_TAG_EMPTY ||
        into >= (uint64_t)view->level_us[0]) {
        return false;
    }
    uint64_t *size = open + view->cell_words;
    uint64_t *begin =
        closed_cells_of(view, row, meta.key_size) + (uint64_t)meta.cell_count * view->cell_words;
    uint64_t *end = begin + row_run_words(view, row, meta.key_size);
    if (end + view->run_room_words > row + (uint64_t)lines * LINE_WORDS) {
        return false;
    }
    cell_add(view, open, single);
    row_run_add_at(view, ladder, size, begin, end, open[0], single);
    row_header_note(view, ladder, row, time_us, apply_us, lsn);
    return true;
}

static void cell_swap(const struct plan_view *view, uint64_t *a, uint64_t *b)
{
    for (uint32_t i = 0; i < view->cell_words; i++) {
        uint64_t word = word_load(&a[i]);
        word_store(&a[i], word_load(&b[i]));
        word_store(&b[i], word);
    }
}

/* Gives every closed cell its place at the horizon, merges those that meet, closes the gaps. The
 * prefix that was written stays sorted: a promoted run already stands behind the coarser level. */
static uint32_t cells_fold(const struct plan_view *view, const struct ladder *ladder, uint64_t *row)
{
    struct row_meta meta = row_meta_load(row);
    uint64_t *cells = closed_cells_of(view, row, meta.key_size);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < meta.cell_count; i++) {
        uint64_t *cell = cells + (uint64_t)i * view->cell_words;
        uint64_t tag = cell[0];
        if (cell_level(tag) != CELL_LEVEL_LIFETIME) {
            tag = ladder_place(view, ladder, cell_start_us(tag), cell_level(tag));
        }
        if (tag == LADDER_EXPIRED) {
            continue;
        }
        uint32_t index = cell_lower_bound(view, cells, kept, tag);
        uint64_t *target = cells + (uint64_t)index * view->cell_words;
        if (index < kept && target[0] == tag) {
            cell_merge(view, target, cell);
            continue;
        }
        uint64_t *last = cells + (uint64_t)kept * view->cell_words;
        words_move(last, cell, view->cell_words);
        word_store(&last[0], tag);
        for (uint32_t at = kept; at > index; at--) {
            cell_swap(view, cells + (uint64_t)at * view->cell_words,
                      cells + (uint64_t)(at - 1) * view->cell_words);
        }
        kept++;
    }
    uint32_t gone = meta.cell_count - kept;
    words_move(cells + (uint64_t)kept * view->cell_words,
               cells + (uint64_t)meta.cell_count * view->cell_words,
               (uint32_t)row_run_words(view, row, meta.key_size));
    meta.cell_count = (uint16_t)kept;
    row_meta_store(row, meta);
    return gone;
}

/* Moves the oldest singles into tiles: those before the horizon, and those above the cap, which
 * raise the floor. Stops where a tile would need room that is not there. */
static uint32_t singles_fold(const struct plan_view *view, const struct ladder *ladder,
                             uint64_t *row, uint32_t lines)
{
    struct row_meta meta = row_meta_load(row);
    uint64_t *end = singles_end_of(view, row, lines, meta.has_floor);
    uint32_t above_cap = meta.single_count > view->raw_cap ? meta.single_count - view->raw_cap : 0;
    uint32_t gone = 0;
    while (gone < meta.single_count) {
        const uint64_t *single = single_at(view, end, gone);
        bool old = (int64_t)single[SINGLE_TIME] < ladder->single_horizon_us;
        if ((!old && gone >= above_cap) || tile_add(view, ladder, row, lines, single) == ROW_FULL) {
            break;
        }
        gone++;
    }
    if (gone == 0) {
        return 0;
    }
    meta = row_meta_load(row);
    const uint64_t *pushed = single_at(view, end, gone - 1);
    bool raises = (int64_t)pushed[SINGLE_TIME] >= ladder->single_horizon_us;
    uint64_t *new_end = end;
    if (raises) {
        uint64_t *floor = row + (uint64_t)lines * LINE_WORDS - view->single_words;
        words_move(floor, pushed, view->single_words);
        new_end = floor;
    }
    uint32_t kept = meta.single_count - gone;
    words_move(new_end - (uint64_t)kept * view->single_words,
               end - (uint64_t)meta.single_count * view->single_words, kept * view->single_words);
    meta.single_count = (uint16_t)kept;
    meta.has_floor = meta.has_floor || raises;
    row_meta_store(row, meta);
    return gone;
}

uint32_t row_fold(const struct plan_view *view, const struct ladder *ladder, uint64_t *row,
                  uint32_t lines, struct row_fold_space *space)
{
    uint32_t gone = cells_fold(view, ladder, row);
    if (view->run_count > 0) {
        gone += row_run_fold(view, ladder, row, space);
    }
    if (view->exact_us > 0) {
        gone += singles_fold(view, ladder, row, lines);
    }
    row_horizon_note(ladder, row);
    return gone;
}

void row_move(const struct plan_view *view, const uint64_t *source, uint32_t source_lines,
              uint64_t *target, uint32_t target_lines)
{
    struct row_meta meta = row_meta_load(source);
    ASSERT(words_needed(view, source) <= (uint64_t)target_lines * LINE_WORDS);
    uint32_t front = (uint32_t)row_front_words(view, source, meta);
    uint32_t back = (uint32_t)row_back_words(view, meta);
    words_store(target + 1, source + 1, front - 1);
    words_store(target + (uint64_t)target_lines * LINE_WORDS - back,
                source + (uint64_t)source_lines * LINE_WORDS - back, back);
}

uint64_t row_state_hash(const struct plan_view *view, const struct ladder *ladder,
                        const uint64_t *row, uint32_t lines, uint64_t *scratch,
                        uint32_t scratch_lines, struct row_fold_space *space)
{
    if (row_newest_us(row) < ladder->expire_us) {
        return 0;
    }
    row_move(view, row, lines, scratch, scratch_lines);
    (void)row_fold(view, ladder, scratch, scratch_lines, space); /* The open cell finds room. */
    struct row_meta meta = row_meta_load(scratch);
    uint64_t *open = open_cell_of(scratch, meta.key_size);
    if (open[0] != CELL_TAG_EMPTY) {
        uint64_t *closed = cell_place(view, scratch, scratch_lines, open[0]);
        ASSERT(closed != NULL);
        cell_merge(view, closed, open);
        word_store(&open[0], CELL_TAG_EMPTY);
    }
    /* Tiles that singles fold to may open new cells in front of the open one: fold until quiet. */
    while (row_fold(view, ladder, scratch, scratch_lines, space) != 0) {
        if (open[0] != CELL_TAG_EMPTY) {
            uint64_t *closed = cell_place(view, scratch, scratch_lines, open[0]);
            ASSERT(closed != NULL);
            cell_merge(view, closed, open);
            word_store(&open[0], CELL_TAG_EMPTY);
        }
    }
    meta = row_meta_load(scratch);
    uint64_t *end = singles_end_of(view, scratch, scratch_lines, meta.has_floor);
    bool floor_counts = meta.has_floor && (int64_t)end[SINGLE_TIME] >= ladder->single_horizon_us;
    uint64_t hash = XXH3_64bits_withSeed(&scratch[ROW_KEY], meta.key_size, view->fingerprint);
    hash = XXH3_64bits_withSeed(&scratch[ROW_NEWEST], sizeof(uint64_t), hash);
    uint64_t words =
        (uint64_t)meta.cell_count * view->cell_words + row_run_words(view, scratch, meta.key_size);
    hash = XXH3_64bits_withSeed(closed_cells_of(view, scratch, meta.key_size),
                                words * sizeof(uint64_t), hash);
    uint64_t singles = (uint64_t)meta.single_count + (floor_counts ? 1 : 0);
    hash = XXH3_64bits_withSeed(end - (uint64_t)meta.single_count * view->single_words,
                                singles * view->single_words * sizeof(uint64_t), hash);
    return hash | 1;
}
