#include "dataplane/feature/run_session.h"
#include "dataplane/base/assert.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/run.h"

static void session_include(const struct plan_view *view, uint64_t *entry, const uint64_t *single)
{
    int64_t time_us = (int64_t)single[SINGLE_TIME];
    if (time_us < (int64_t)entry[SESSION_FIRST]) {
        word_store(&entry[SESSION_FIRST], (uint64_t)time_us);
    }
    if (time_us > (int64_t)entry[SESSION_LAST]) {
        word_store(&entry[SESSION_LAST], (uint64_t)time_us);
    }
    for (uint32_t i = 0; i < view->accumulator_count; i++) {
        accumulator_add(&view->accumulator[i], entry + SESSION_CELL, single);
    }
}

/* True when the event at time_us, or a session that begins there, belongs to what ended at
 * last_us. */
static bool is_near(const struct plan_run *run, int64_t last_us, int64_t time_us)
{
    return time_us < add_clamped(last_us, run->gap_us);
}

int32_t session_add(const struct plan_view *view, const struct plan_run *run, uint64_t *trailer,
                    uint64_t *end, const uint64_t *single)
{
    int64_t time_us = (int64_t)single[SINGLE_TIME];
    uint32_t count = run_count(trailer);
    uint64_t *entries = run_entries(run, trailer);
    /* The first session that does not end a gap before the event; looked for from the newest. */
    uint32_t index = count;
    while (index > 0 &&
           is_near(run, (int64_t)entries[(uint64_t)(index - 1) * run->entry_words + SESSION_LAST],
                   time_us)) {
        index--;
    }
    uint64_t *entry = entries + (uint64_t)index * run->entry_words;
    bool joins = index < count && is_near(run, time_us, (int64_t)entry[SESSION_FIRST]);
    if (!joins) {
        word_store(&trailer[1], trailer[1] + 1);
        words_move(entry + run->entry_words, entry, (uint32_t)(end - entry));
        word_store(&entry[SESSION_FIRST], (uint64_t)time_us);
        word_store(&entry[SESSION_LAST], (uint64_t)time_us);
        for (uint32_t i = 0; i < view->accumulator_count; i++) {
            accumulator_clear(&view->accumulator[i], entry + SESSION_CELL);
        }
        session_include(view, entry, single);
        return (int32_t)run->entry_words;
    }
    session_include(view, entry, single);
    uint64_t *next = entry + run->entry_words;
    if (index + 1 == count ||
        !is_near(run, (int64_t)entry[SESSION_LAST], (int64_t)next[SESSION_FIRST])) {
        return 0;
    }
    word_store(&entry[SESSION_LAST], next[SESSION_LAST]);
    for (uint32_t i = 0; i < view->accumulator_count; i++) {
        accumulator_merge(&view->accumulator[i], entry + SESSION_CELL, next + SESSION_CELL);
    }
    word_store(&trailer[1], trailer[1] - 1);
    words_move(next, next + run->entry_words, (uint32_t)(end - next) - run->entry_words);
    return -(int32_t)run->entry_words;
}

uint32_t session_expire(const struct plan_run *run, uint64_t *trailer, uint64_t *end,
                        int64_t horizon_us)
{
    uint64_t *entries = run_entries(run, trailer);
    uint32_t gone = 0;
    while (gone < run_count(trailer) &&
           !is_near(run, (int64_t)entries[(uint64_t)gone * run->entry_words + SESSION_LAST],
                    horizon_us)) {
        gone++;
    }
    uint32_t words = gone * run->entry_words;
    if (gone > 0) {
        word_store(&trailer[1], trailer[1] - gone);
        words_move(entries, entries + words, (uint32_t)(end - entries) - words);
    }
    return words;
}

const uint64_t *session_find(const struct plan_run *run, const uint64_t *trailer, int64_t end_us)
{
    const uint64_t *entry = trailer;
    for (uint32_t left = run_count(trailer); left > 0; left--) {
        entry -= run->entry_words;
        if ((int64_t)entry[SESSION_FIRST] < end_us) {
            return is_near(run, (int64_t)entry[SESSION_LAST], end_us) ? entry : NULL;
        }
    }
    return NULL;
}
