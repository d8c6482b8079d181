#include "dataplane/feature/row_run.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/run.h"
#include "dataplane/feature/run_session.h"

/* An area while its groups are gone through from the newest to the oldest; what is kept is gathered
 * at its end. */
struct area {
    const struct plan_run *run;
    uint64_t *begin;
    uint64_t *at;   /* End of the groups not gone through. */
    uint64_t *kept; /* First word of those kept; they end at `end`. */
    uint64_t *end;
};

/* Words in front of the sizes, and in front of the areas. */
static uint64_t sizes_at(const struct plan_view *view, const uint64_t *row)
{
    return (uint64_t)row_key_lines(row_meta_load(row).key_size) * LINE_WORDS + view->cell_words;
}

static uint64_t areas_at(const struct plan_view *view, const uint64_t *row)
{
    struct row_meta meta = row_meta_load(row);
    return (uint64_t)row_head_words(view, meta.key_size) +
           (uint64_t)meta.cell_count * view->cell_words;
}

const uint64_t *row_run_area(const struct plan_view *view, const uint64_t *row, uint32_t run,
                             const uint64_t **out_end)
{
    const uint64_t *size = row + sizes_at(view, row);
    const uint64_t *area = row + areas_at(view, row);
    for (uint32_t i = 0; i < run; i++) {
        area += size[i];
    }
    *out_end = area + size[run];
    return area;
}

void row_run_clear(const struct plan_view *view, uint64_t *row)
{
    uint64_t *size = row + sizes_at(view, row);
    for (uint32_t i = 0; i < view->run_count; i++) {
        word_store(&size[i], 0);
    }
}

/* The trailer of the tile's group in the area, made when it is missing: then *end, of all areas,
 * moves. */
static uint64_t *group_place(const struct plan_run *run, uint64_t *begin, uint64_t *area_end,
                             uint64_t tag, uint64_t **end)
{
    uint64_t *at = area_end;
    while (at > begin) {
        uint64_t *trailer = at - RUN_TRAILER_WORDS;
        if (trailer[0] == tag) {
            return trailer;
        }
        if (cell_tag_before(trailer[0], tag)) {
            break;
        }
        at = run_entries(run, trailer);
    }
    words_move(at + RUN_TRAILER_WORDS, at, (uint32_t)(*end - at));
    *end += RUN_TRAILER_WORDS;
    return run_clear(at, tag);
}

static int64_t session_horizon_us(const struct plan_view *view, const struct ladder *ladder)
{
    return sub_clamped(ladder->fold_us, view->session_late_us);
}

/* True of the newest events, which stay whole. */
static bool run_is_of_events(const struct plan_run *run)
{
    return run->kind == RUN_RANKED && run->field == FIELD_NONE;
}

/* Whole events stay after the tiles of their time: then their tile is the lifetime. */
static uint64_t tag_of_run(const struct plan_run *run, uint64_t tag)
{
    bool stays = run_is_of_events(run) && tag == LADDER_EXPIRED;
    return stays ? cell_tag(INT64_MIN, CELL_LEVEL_LIFETIME) : tag;
}

static uint64_t *areas_end(const struct plan_view *view, uint64_t *row)
{
    return row + areas_at(view, row) + row_run_words(view, row, row_meta_load(row).key_size);
}

void row_run_add_at(const struct plan_view *view, const struct ladder *ladder, uint64_t *size,
                    uint64_t *begin, uint64_t *end, uint64_t tag, const uint64_t *single)
{
    for (uint32_t i = 0; i < view->run_count; begin += size[i++]) {
        const struct plan_run *run = &view->run[i];
        uint64_t place = tag_of_run(run, tag);
        bool gone = place == LADDER_EXPIRED ||
                    (run_is_of_events(run) && (int64_t)single[SINGLE_TIME] < ladder->expire_us);
        if (run->kind == RUN_SESSION || gone || !run_takes(run, single)) {
            continue;
        }
        uint64_t *before = end;
        uint64_t *trailer = group_place(run, begin, begin + size[i], place, &end);
        end += run_add(run, trailer, end, single);
        if (end != before) {
            word_store(&size[i], size[i] + (uint64_t)(end - before));
        }
    }
}

void row_run_add(const struct plan_view *view, const struct ladder *ladder, uint64_t *row,
                 uint64_t tag, const uint64_t *single)
{
    row_run_add_at(view, ladder, row + sizes_at(view, row), row + areas_at(view, row),
                   areas_end(view, row), tag, single);
}

void row_run_add_session(const struct plan_view *view, const struct ladder *ladder, uint64_t *row,
                         const uint64_t *single)
{
    uint64_t *size = row + sizes_at(view, row);
    uint64_t *begin = row + areas_at(view, row);
    uint64_t *end = areas_end(view, row);
    for (uint32_t i = 0; i < view->run_count; begin += size[i++]) {
        const struct plan_run *run = &view->run[i];
        if (run->kind != RUN_SESSION) {
            continue;
        }
        uint64_t *before = end;
        uint64_t *trailer = group_place(run, begin, begin + size[i], CELL_TAG_EMPTY, &end);
        /* Only those that the horizon leaves: whether others were dropped must not matter. */
        uint32_t gone = session_expire(run, trailer, end, session_horizon_us(view, ladder));
        end -= gone;
        end += session_add(view, run, trailer - gone, end, single);
        word_store(&size[i], size[i] + (uint64_t)(end - before));
    }
}

/* Keeps a group of `words` words (trailer included) that stands anywhere outside the kept ones, in
 * front of them. */
static void area_keep(struct area *area, const uint64_t *group, uint32_t words)
{
    area->kept -= words;
    words_move(area->kept, group, words);
}

/* Keeps a group at its place among those kept; merges it with one of the same tag. */
static void area_place(struct area *area, uint64_t tag, struct row_fold_space *space)
{
    uint64_t *buffer = space->buffer[0];
    uint64_t *second = space->buffer[1];
    const struct plan_run *run = area->run;
    uint64_t *trailer = area->at - RUN_TRAILER_WORDS;
    uint64_t *entries = run_entries(run, trailer);
    uint32_t words = (uint32_t)(area->at - entries);
    area->at = entries;
    memcpy(buffer, entries, words * sizeof(uint64_t));
    buffer[words - RUN_TRAILER_WORDS] = tag;
    /* Kept groups from the newest on, as far as they do not stand before the tag. */
    uint64_t *at = area->end;
    while (at > area->kept) {
        uint64_t *other = at - RUN_TRAILER_WORDS;
        uint64_t *other_entries = run_entries(run, other);
        if (other[0] == tag) {
            uint64_t *merged = run_merge(run, buffer + words - RUN_TRAILER_WORDS, other, second);
            uint32_t below = (uint32_t)(other_entries - area->kept);
            words = run_words(run, merged) + RUN_TRAILER_WORDS;
            uint64_t *kept = at - words - below;
            words_move(kept, area->kept, below);
            words_store(at - words, second, words);
            area->kept = kept;
            return;
        }
        if (cell_tag_before(other[0], tag)) {
            break;
        }
        at = other_entries;
    }
    uint32_t below = (uint32_t)(at - area->kept);
    words_move(area->kept - words, area->kept, below);
    area->kept -= words;
    words_store(at - words, buffer, words);
}

static uint64_t group_tag_at(const struct plan_view *view, const struct ladder *ladder,
                             const struct plan_run *run, uint64_t tag)
{
    uint32_t level = cell_level(tag);
    return level == CELL_LEVEL_LIFETIME
               ? tag
               : tag_of_run(run, ladder_place(view, ladder, cell_start_us(tag), level));
}

/* True when some group has another place at the horizon. */
static bool area_moves(const struct plan_view *view, const struct ladder *ladder,
                       const struct area *area)
{
    const uint64_t *at = area->end;
    while (at > area->begin) {
        const uint64_t *trailer = at - RUN_TRAILER_WORDS;
        if (group_tag_at(view, ladder, area->run, trailer[0]) != trailer[0]) {
            return true;
        }
        at = run_entries_const(area->run, trailer);
    }
    return false;
}

static void area_fold(const struct plan_view *view, const struct ladder *ladder, struct area *area,
                      struct row_fold_space *space)
{
    while (area->at > area->begin) {
        uint64_t *trailer = area->at - RUN_TRAILER_WORDS;
        uint64_t tag = group_tag_at(view, ladder, area->run, trailer[0]);
        if (tag == LADDER_EXPIRED) {
            area->at = run_entries(area->run, trailer);
        } else {
            area_place(area, tag, space);
        }
    }
}

/* Keeps of a group the entries that fewer than the cap outrank among those of its own and newer
 * tiles that begin before the horizon: a window up to now that has an entry has those too, as no
 * read from the horizon on cuts such a tile. best: what newer ones have; what this one has is
 * added. Returns its new trailer. ranks: else all are kept, but whole events past the ttl. */
static uint64_t *group_prune(const struct ladder *ladder, struct area *area, bool ranks,
                             uint64_t *best)
{
    const struct plan_run *run = area->run;
    const uint64_t *trailer = area->at - RUN_TRAILER_WORDS;
    uint64_t *entries = area->at - RUN_TRAILER_WORDS - run_words(run, trailer);
    uint64_t tag = trailer[0];
    uint32_t kept = 0;
    bool counts = cell_level(tag) == CELL_LEVEL_LIFETIME || cell_start_us(tag) < ladder->fold_us;
    int64_t oldest_us = run_is_of_events(run) ? ladder->expire_us : INT64_MIN;
    for (uint32_t i = 0; counts && ranks && i < run_count(trailer); i++) {
        const uint64_t *entry = entries + (uint64_t)i * run->entry_words;
        best += run_add_entry(run, best, best + RUN_TRAILER_WORDS, entry);
    }
    for (uint32_t i = run_count(trailer); i-- > 0;) {
        const uint64_t *entry = entries + (uint64_t)i * run->entry_words;
        if ((int64_t)entry[SINGLE_TIME] < oldest_us || (ranks && run_outranks(run, best, entry))) {
            continue;
        }
        if (kept++ == 0) {
            area_keep(area, (uint64_t[RUN_TRAILER_WORDS]){tag, 0}, RUN_TRAILER_WORDS);
        }
        area_keep(area, entry, run->entry_words);
    }
    if (kept > 0) {
        word_store(&area->kept[(uint64_t)kept * run->entry_words + 1], kept);
    }
    area->at = entries;
    return best;
}

static void area_prune(const struct ladder *ladder, struct area *area, bool ranks,
                       struct row_fold_space *space)
{
    uint64_t *best = run_clear(space->buffer[0], 0);
    while (area->at > area->begin) {
        best = group_prune(ladder, area, ranks, best);
    }
}

/* Closes the gap in front of what was kept. Returns its words. */
static uint32_t area_close(struct area *area, uint64_t *end)
{
    uint32_t gone = (uint32_t)(area->kept - area->begin);
    words_move(area->begin, area->kept, (uint32_t)(end - area->kept));
    return gone;
}

static struct area area_of(const struct plan_run *run, uint64_t *begin, uint64_t words)
{
    return (struct area){.run = run,
                         .begin = begin,
                         .at = begin + words,
                         .kept = begin + words,
                         .end = begin + words};
}

/* Returns the words that one run gave up; end: of all areas. */
static uint32_t run_fold(const struct plan_view *view, const struct ladder *ladder,
                         const struct plan_run *run, uint64_t *begin, uint64_t words, uint64_t *end,
                         struct row_fold_space *space)
{
    uint32_t gone = 0;
    struct area area = area_of(run, begin, words);
    if (words == 0) {
        return 0;
    }
    if (run->kind == RUN_SESSION) {
        return session_expire(run, area.end - RUN_TRAILER_WORDS, end,
                              session_horizon_us(view, ladder));
    }
    if (area_moves(view, ladder, &area)) {
        area_fold(view, ladder, &area, space);
        gone = area_close(&area, end);
    }
    bool ranks = run->kind == RUN_RANKED && view->windows_reach_now;
    if ((ranks || run_is_of_events(run)) && words > gone) {
        area = area_of(run, begin, words - gone);
        area_prune(ladder, &area, ranks, space);
        gone += area_close(&area, end - gone);
    }
    return gone;
}

uint32_t row_run_fold(const struct plan_view *view, const struct ladder *ladder, uint64_t *row,
                      struct row_fold_space *space)
{
    uint64_t *size = row + sizes_at(view, row);
    uint64_t *begin = row + areas_at(view, row);
    uint64_t *end = areas_end(view, row);
    uint32_t gone = 0;
    for (uint32_t i = 0; i < view->run_count; begin += size[i++]) {
        uint32_t words = run_fold(view, ladder, &view->run[i], begin, size[i], end, space);
        word_store(&size[i], size[i] - words);
        end -= words;
        gone += words > 0 ? 1 : 0;
    }
    return gone;
}

static bool area_check(const struct plan_run *run, const uint64_t *begin, const uint64_t *end)
{
    bool first = true;
    uint64_t after = 0;
    while (end > begin) {
        if (end - begin < (int64_t)RUN_TRAILER_WORDS) {
            return false;
        }
        const uint64_t *trailer = end - RUN_TRAILER_WORDS;
        bool ordered = first || cell_tag_before(trailer[0], after);
        if (!run_fits(run, trailer, (uint64_t)(trailer - begin)) || !ordered ||
            cell_level(trailer[0]) > CELL_LEVEL_LIFETIME + (run->kind == RUN_SESSION)) {
            return false;
        }
        after = trailer[0];
        first = false;
        end = run_entries_const(run, trailer);
    }
    return true;
}

bool row_run_check(const struct plan_view *view, const uint64_t *row, uint64_t words)
{
    const uint64_t *size = row + sizes_at(view, row);
    const uint64_t *begin = row + areas_at(view, row);
    uint64_t left = words - (uint64_t)(begin - row);
    for (uint32_t i = 0; i < view->run_count; i++) {
        if (size[i] > left || !area_check(&view->run[i], begin, begin + size[i])) {
            return false;
        }
        begin += size[i];
        left -= size[i];
    }
    return left == 0;
}

bool row_check(const struct plan_view *view, const uint64_t *row, uint64_t front, uint64_t back)
{
    struct row_meta meta = row_meta_load(row);
    if (meta.key_size == 0 || back != row_back_words(view, meta)) {
        return false;
    }
    uint64_t cells_end = (uint64_t)row_head_words(view, meta.key_size) +
                         (uint64_t)meta.cell_count * view->cell_words;
    return front >= cells_end && row_run_check(view, row, front);
}
