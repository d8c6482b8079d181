#include "dataplane/feature/run.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/bins.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/sketch.h"

/* What an entry is found by: of an event, or of an entry. */
struct run_mark {
    const uint64_t *order; /* RANKED: time and order word. */
    const uint64_t *value;
    uint64_t bin; /* SPLIT by bins: what value points to. */
};

uint32_t run_words(const struct plan_run *run, const uint64_t *trailer)
{
    return (trailer[1] & RUN_DENSE) != 0 ? SKETCH_WORDS : run_count(trailer) * run->entry_words;
}

uint64_t *run_clear(uint64_t *buffer, uint64_t tag)
{
    word_store(&buffer[0], tag);
    word_store(&buffer[1], 0);
    return buffer;
}

bool run_takes(const struct plan_run *run, const uint64_t *single)
{
    return run->field == FIELD_NONE || (single[SINGLE_NULLS] >> run->field & 1) == 0;
}

/* Of values: below 0, 0 or above 0. */
static int values_compare(const struct plan_run *run, const uint64_t *a, const uint64_t *b)
{
    if (run->is_string) {
        return memcmp(a, b, run->value_words * sizeof(uint64_t));
    }
    for (uint32_t i = 0; i < run->value_words; i++) {
        if (a[i] != b[i]) {
            bool less = run->is_unsigned ? a[i] < b[i] : (int64_t)a[i] < (int64_t)b[i];
            return less ? -1 : 1;
        }
    }
    return 0;
}

/* Below 0: a stands before b in a group. A total order: equal entries are alike. */
static int marks_compare(const struct plan_run *run, const struct run_mark *a,
                         const struct run_mark *b)
{
    if (run->kind != RUN_RANKED) {
        return values_compare(run, a->value, b->value);
    }
    int order = single_order_compare(a->order, b->order);
    bool by_order = run->rank == RANK_NEWEST || run->rank == RANK_OLDEST;
    int value = by_order ? single_bits_compare(a->value, b->value, run->value_words, run->is_string)
                         : values_compare(run, a->value, b->value);
    switch (run->rank) {
    case RANK_NEWEST:
        return order != 0 ? -order : -value;
    case RANK_OLDEST:
        return order != 0 ? order : value;
    case RANK_GREATEST:
        return value != 0 ? -value : -order;
    case RANK_LEAST:
        return value != 0 ? value : -order;
    }
    UNREACHABLE();
}

static struct run_mark mark_of_entry(const struct plan_run *run, const uint64_t *entry)
{
    return (struct run_mark){.order = entry, .value = run->kind == RUN_RANKED ? entry + 2 : entry};
}

/* mark->value may point into the mark. */
static void mark_of_single(const struct plan_run *run, const uint64_t *single,
                           struct run_mark *mark)
{
    mark->order = single;
    mark->value = single + run->single_word;
    if (run->bins) {
        mark->bin = (uint64_t)bin_of(single[run->single_word], run->is_unsigned);
        mark->value = &mark->bin;
    } else if (run->kind == RUN_SKETCH) {
        mark->bin = sketch_hash(single + run->single_word, run->input_words);
        mark->value = &mark->bin;
    }
}

/* The same where a key is one word: what most categories are. Compared after flipping the sign bit
 * of signed ones. */
static uint32_t word_lower_bound(const uint64_t *entries, uint32_t stride, uint32_t count,
                                 uint64_t key, uint64_t flip)
{
    uint32_t low = 0;
    key ^= flip;
    while (count > 0) {
        uint32_t half = count / 2;
        bool below = (entries[(uint64_t)(low + half) * stride] ^ flip) < key;
        low = below ? low + half + 1 : low;
        count = below ? count - half - 1 : half;
    }
    return low;
}

/* Index of the first of count entries that does not stand before the mark. */
static uint32_t entry_lower_bound(const struct plan_run *run, const uint64_t *entries,
                                  uint32_t count, const struct run_mark *mark, bool *out_found)
{
    if (run->kind != RUN_RANKED && run->value_words == 1 && !run->is_string) {
        uint64_t flip = run->is_unsigned ? 0 : UINT64_C(1) << 63;
        uint32_t at = word_lower_bound(entries, run->entry_words, count, *mark->value, flip);
        *out_found = at < count && entries[(uint64_t)at * run->entry_words] == *mark->value;
        return at;
    }
    uint32_t low = 0;
    uint32_t high = count;
    *out_found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct run_mark other = mark_of_entry(run, entries + (uint64_t)middle * run->entry_words);
        int compared = marks_compare(run, &other, mark);
        *out_found = *out_found || compared == 0;
        if (compared < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The entry of count that has the mark's value; count when there is none. */
static uint32_t entry_of_value(const struct plan_run *run, const uint64_t *entries, uint32_t count,
                               const struct run_mark *mark)
{
    for (uint32_t i = 0; i < count; i++) {
        struct run_mark other = mark_of_entry(run, entries + (uint64_t)i * run->entry_words);
        if (values_compare(run, other.value, mark->value) == 0) {
            return i;
        }
    }
    return count;
}

static void entry_write(const struct plan_run *run, const struct run_mark *mark, uint64_t *entry)
{
    if (run->kind == RUN_RANKED) {
        words_store(entry, mark->order, 2);
        words_store(entry + 2, mark->value, run->value_words);
        return;
    }
    words_store(entry, mark->value, run->value_words);
    for (uint32_t i = 0; i < run->part_count; i++) {
        accumulator_clear(&run->part[i], entry);
    }
}

static void parts_add(const struct plan_run *run, uint64_t *entry, const uint64_t *single)
{
    for (uint32_t i = 0; i < run->part_count; i++) {
        accumulator_add(&run->part[i], entry, single);
    }
}

/* Makes place for entry `index` of a group of count; the last falls out when it is full. Returns
 * the words that the group grew by. */
static uint32_t entry_open(const struct plan_run *run, uint64_t *trailer, uint64_t *end,
                           uint32_t index)
{
    uint32_t count = run_count(trailer);
    uint64_t *entry = run_entries(run, trailer) + (uint64_t)index * run->entry_words;
    if (count == run->cap) {
        words_move(entry + run->entry_words, entry, (count - 1 - index) * run->entry_words);
        return 0;
    }
    word_store(&trailer[1], trailer[1] + 1);
    words_move(entry + run->entry_words, entry, (uint32_t)(end - entry));
    return run->entry_words;
}

static uint32_t ranked_add(const struct plan_run *run, uint64_t *trailer, uint64_t *end,
                           const struct run_mark *mark)
{
    uint32_t count = run_count(trailer);
    uint64_t *entries = run_entries(run, trailer);
    bool found;
    uint32_t index = entry_lower_bound(run, entries, count, mark, &found);
    if (index == run->cap) {
        return 0;
    }
    uint32_t same = run->distinct ? entry_of_value(run, entries, count, mark) : count;
    if (same < index || (same == index && found)) {
        return 0; /* The value has a better place, or this one. */
    }
    if (same < count) {
        uint64_t *entry = entries + (uint64_t)index * run->entry_words;
        words_move(entry + run->entry_words, entry, (same - index) * run->entry_words);
        entry_write(run, mark, entry);
        return 0;
    }
    uint32_t grown = entry_open(run, trailer, end, index);
    entry_write(run, mark, entries + (uint64_t)index * run->entry_words);
    return grown;
}

static uint32_t split_add(const struct plan_run *run, uint64_t *trailer, uint64_t *end,
                          const struct run_mark *mark, const uint64_t *single)
{
    uint32_t count = run_count(trailer);
    uint64_t *entries = run_entries(run, trailer);
    bool found;
    uint32_t index = entry_lower_bound(run, entries, count, mark, &found);
    uint64_t *entry = entries + (uint64_t)index * run->entry_words;
    uint32_t grown = 0;
    if (!found) {
        if (count == run->cap) {
            word_store(&trailer[1], trailer[1] | RUN_TRUNCATED);
        }
        if (index == run->cap) {
            return 0;
        }
        grown = entry_open(run, trailer, end, index);
        entry_write(run, mark, entry);
    }
    parts_add(run, entry, single);
    return grown;
}

/* Turns a full group of hashes into registers, in the same words. */
static void sketch_spread(const struct plan_run *run, uint64_t *trailer)
{
    uint64_t hash[SKETCH_WORDS];
    uint64_t *entries = run_entries(run, trailer);
    ASSERT(run_count(trailer) == SKETCH_WORDS);
    memcpy(hash, entries, sizeof(hash));
    for (uint32_t i = 0; i < SKETCH_WORDS; i++) {
        word_store(&entries[i], 0);
    }
    for (uint32_t i = 0; i < SKETCH_WORDS; i++) {
        sketch_add_hash(entries, hash[i]);
    }
    word_store(&trailer[1], RUN_DENSE);
}

static uint32_t sketch_add(const struct plan_run *run, uint64_t *trailer, uint64_t *end,
                           const struct run_mark *mark)
{
    uint64_t *entries = run_entries(run, trailer);
    if ((trailer[1] & RUN_DENSE) != 0) {
        sketch_add_hash(entries, *mark->value);
        return 0;
    }
    bool found;
    uint32_t count = run_count(trailer);
    uint32_t index = entry_lower_bound(run, entries, count, mark, &found);
    if (found) {
        return 0;
    }
    if (count == SKETCH_WORDS) {
        sketch_spread(run, trailer);
        sketch_add_hash(entries, *mark->value);
        return 0;
    }
    uint32_t grown = entry_open(run, trailer, end, index);
    entry_write(run, mark, entries + index);
    return grown;
}

uint32_t run_add(const struct plan_run *run, uint64_t *trailer, uint64_t *end,
                 const uint64_t *single)
{
    struct run_mark mark;
    mark_of_single(run, single, &mark);
    switch (run->kind) {
    case RUN_RANKED:
        return ranked_add(run, trailer, end, &mark);
    case RUN_SPLIT:
        return split_add(run, trailer, end, &mark, single);
    case RUN_SKETCH:
        return sketch_add(run, trailer, end, &mark);
    case RUN_SESSION:
        break;
    }
    UNREACHABLE();
}

static uint64_t *sketch_merge_groups(const struct plan_run *run, const uint64_t *a,
                                     const uint64_t *b, uint64_t *out)
{
    uint64_t *trailer = out + SKETCH_WORDS;
    const uint64_t *groups[2] = {a, b};
    memset(out, 0, SKETCH_WORDS * sizeof(uint64_t));
    for (uint32_t g = 0; g < 2; g++) {
        const uint64_t *entries = run_entries_const(run, groups[g]);
        if ((groups[g][1] & RUN_DENSE) != 0) {
            sketch_merge(out, entries);
        }
        for (uint32_t i = 0; i < run_count(groups[g]); i++) {
            sketch_add_hash(out, entries[i]);
        }
    }
    trailer[0] = a[0];
    trailer[1] = RUN_DENSE;
    return trailer;
}

/* The way of two sorted groups through each other. */
struct merging {
    const struct plan_run *run;
    const uint64_t *a;
    const uint64_t *b;
    uint32_t a_left;
    uint32_t b_left;
};

/* Writes the next entry; false when there is none. */
static bool merging_next(struct merging *merging, uint64_t *out)
{
    const struct plan_run *run = merging->run;
    if (merging->a_left == 0 && merging->b_left == 0) {
        return false;
    }
    int compared = merging->a_left == 0 ? 1 : -1;
    if (merging->a_left > 0 && merging->b_left > 0) {
        struct run_mark a = mark_of_entry(run, merging->a);
        struct run_mark b = mark_of_entry(run, merging->b);
        compared = marks_compare(run, &a, &b);
    }
    memcpy(out, compared <= 0 ? merging->a : merging->b, run->entry_words * sizeof(uint64_t));
    for (uint32_t i = 0; compared == 0 && i < run->part_count; i++) {
        accumulator_merge(&run->part[i], out, merging->b);
    }
    if (compared <= 0) {
        merging->a += run->entry_words;
        merging->a_left--;
    }
    /* Two events that nothing tells apart are two. */
    bool both = compared == 0 && run->kind != RUN_RANKED;
    if (compared > 0 || both) {
        merging->b += run->entry_words;
        merging->b_left--;
    }
    return true;
}

uint64_t *run_merge(const struct plan_run *run, const uint64_t *a, const uint64_t *b, uint64_t *out)
{
    ASSERT(run->kind != RUN_SESSION);
    uint64_t flags = (a[1] | b[1]) & (RUN_TRUNCATED | RUN_DENSE);
    if ((flags & RUN_DENSE) != 0) {
        return sketch_merge_groups(run, a, b, out);
    }
    struct merging merging = {.run = run,
                              .a = run_entries_const(run, a),
                              .b = run_entries_const(run, b),
                              .a_left = run_count(a),
                              .b_left = run_count(b)};
    uint32_t count = 0;
    uint64_t *at = out;
    while (count < run->cap && merging_next(&merging, at)) {
        struct run_mark mark = mark_of_entry(run, at);
        if (!run->distinct || entry_of_value(run, out, count, &mark) == count) {
            at += run->entry_words;
            count++;
        }
    }
    bool lost = merging.a_left + merging.b_left > 0;
    if (lost && run->kind == RUN_SKETCH) {
        return sketch_merge_groups(run, a, b, out);
    }
    flags |= lost && run->kind == RUN_SPLIT ? RUN_TRUNCATED : 0;
    at[0] = a[0];
    at[1] = flags | count;
    return at;
}

uint32_t run_add_entry(const struct plan_run *run, uint64_t *trailer, uint64_t *end,
                       const uint64_t *entry)
{
    struct run_mark mark = mark_of_entry(run, entry);
    return ranked_add(run, trailer, end, &mark);
}

bool run_outranks(const struct plan_run *run, const uint64_t *trailer, const uint64_t *entry)
{
    bool found;
    struct run_mark mark = mark_of_entry(run, entry);
    const uint64_t *entries = run_entries_const(run, trailer);
    uint32_t index = entry_lower_bound(run, entries, run_count(trailer), &mark, &found);
    return index == run->cap ||
           (run->distinct && entry_of_value(run, entries, index, &mark) < index);
}

bool run_fits(const struct plan_run *run, const uint64_t *trailer, uint64_t size_words)
{
    uint64_t info = trailer[1];
    if ((info & ~(RUN_TRUNCATED | RUN_DENSE | UINT32_MAX)) != 0) {
        return false;
    }
    if ((info & RUN_DENSE) != 0) {
        return run->kind == RUN_SKETCH && run_count(trailer) == 0 && SKETCH_WORDS <= size_words;
    }
    return run_count(trailer) <= run->cap &&
           (uint64_t)run_count(trailer) * run->entry_words <= size_words;
}
