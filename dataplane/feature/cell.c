#include "dataplane/feature/cell.h"

#include <string.h>

#include "dataplane/base/assert.h"

void single_set_string(const struct plan_input *input, const struct burst *burst, uint32_t event,
                       uint64_t *single)
{
    uint32_t size;
    const char *text = burst_string(burst, input->field, event, &size);
    memset(&single[input->word], 0, input->words * sizeof(uint64_t));
    if (text != NULL) {
        memcpy(&single[input->word], text, size);
    }
}

int single_bits_compare(const uint64_t *a, const uint64_t *b, uint32_t count, bool is_string)
{
    if (is_string) {
        return memcmp(a, b, count * sizeof(uint64_t));
    }
    for (uint32_t i = 0; i < count; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
    }
    return 0;
}

int single_order_compare(const uint64_t *a, const uint64_t *b)
{
    if (a[SINGLE_TIME] != b[SINGLE_TIME]) {
        return (int64_t)a[SINGLE_TIME] < (int64_t)b[SINGLE_TIME] ? -1 : 1;
    }
    if (a[SINGLE_ORDER] != b[SINGLE_ORDER]) {
        return a[SINGLE_ORDER] < b[SINGLE_ORDER] ? -1 : 1;
    }
    return 0;
}

int single_compare(const struct plan_view *view, const uint64_t *a, const uint64_t *b)
{
    int order = single_order_compare(a, b);
    return order != 0 ? order
                      : single_bits_compare(a + SINGLE_NULLS, b + SINGLE_NULLS,
                                            view->single_words - SINGLE_NULLS, false);
}

static void sum_add(uint64_t *sum, uint64_t low, uint64_t high)
{
    uint64_t before = word_load(&sum[0]);
    uint64_t after = before + low;
    word_store(&sum[0], after);
    word_store(&sum[1], word_load(&sum[1]) + high + (after < before));
}

static void sumsq_add(uint64_t *sumsq, uint64_t low, uint64_t middle, uint64_t high)
{
    unsigned __int128 part = (unsigned __int128)word_load(&sumsq[0]) + low;
    word_store(&sumsq[0], (uint64_t)part);
    part = (part >> 64) + word_load(&sumsq[1]) + middle;
    word_store(&sumsq[1], (uint64_t)part);
    word_store(&sumsq[2], word_load(&sumsq[2]) + high + (uint64_t)(part >> 64));
}

static bool value_less(const struct plan_accumulator *accumulator, uint64_t a, uint64_t b)
{
    return accumulator->is_unsigned ? a < b : (int64_t)a < (int64_t)b;
}

/* Whether the (order, value) at `challenger` takes the place of the one at `holder`, of equal
 * times. */
static bool place_wins_tie(const struct plan_accumulator *accumulator,
                           const uint64_t *challenger_order, const uint64_t *challenger_value,
                           const uint64_t *holder)
{
    int order = single_order_compare(challenger_order, holder);
    if (order == 0) {
        order = single_bits_compare(challenger_value, holder + 2, accumulator->value_words,
                                    accumulator->is_string);
    }
    return accumulator->kind == ACCUMULATOR_LAST ? order > 0 : order < 0;
}

/* The same of any times: mostly they decide. */
static inline bool place_wins(const struct plan_accumulator *accumulator,
                              const uint64_t *challenger_order, const uint64_t *challenger_value,
                              const uint64_t *holder)
{
    int64_t time_us = (int64_t)challenger_order[SINGLE_TIME];
    int64_t held_us = (int64_t)holder[SINGLE_TIME];
    if (time_us != held_us) {
        return (time_us > held_us) == (accumulator->kind == ACCUMULATOR_LAST);
    }
    return place_wins_tie(accumulator, challenger_order, challenger_value, holder);
}

/* `first` starts at the greatest of all events, `last` at the least; the count beside it tells that
 * neither was one. */
void accumulator_clear(const struct plan_accumulator *accumulator, uint64_t *cell)
{
    uint64_t *word = cell + accumulator->word;
    switch (accumulator->kind) {
    case ACCUMULATOR_COUNT:
        word_store(word, 0);
        return;
    case ACCUMULATOR_SUM:
    case ACCUMULATOR_SUMSQ:
        for (uint32_t i = 0; i < (accumulator->kind == ACCUMULATOR_SUM ? 2u : 3u); i++) {
            word_store(word + i, 0);
        }
        return;
    case ACCUMULATOR_MIN:
        word_store(word, accumulator->is_unsigned ? UINT64_MAX : (uint64_t)INT64_MAX);
        return;
    case ACCUMULATOR_MAX:
        word_store(word, accumulator->is_unsigned ? 0 : (uint64_t)INT64_MIN);
        return;
    case ACCUMULATOR_FIRST:
        word_store(word, (uint64_t)INT64_MAX);
        for (uint32_t i = 0; i < accumulator->value_words + 1u; i++) {
            word_store(word + 1 + i, UINT64_MAX);
        }
        return;
    case ACCUMULATOR_LAST:
        word_store(word, (uint64_t)INT64_MIN);
        for (uint32_t i = 0; i < accumulator->value_words + 1u; i++) {
            word_store(word + 1 + i, 0);
        }
        return;
    }
    UNREACHABLE();
}

/* Adds a non-null input. */
static inline void value_add(const struct plan_accumulator *accumulator, uint64_t *cell,
                             const uint64_t *single)
{
    uint64_t *word = cell + accumulator->word;
    const uint64_t *value = single + accumulator->single_word;
    switch (accumulator->kind) {
    case ACCUMULATOR_COUNT:
        word_store(word, word_load(word) + 1);
        return;
    case ACCUMULATOR_SUM: {
        uint64_t sign = accumulator->is_unsigned ? 0 : (uint64_t)((int64_t)*value >> 63);
        sum_add(word, *value, sign);
        return;
    }
    case ACCUMULATOR_SUMSQ: {
        bool negative = !accumulator->is_unsigned && (int64_t)*value < 0;
        uint64_t magnitude = negative ? 0 - *value : *value;
        unsigned __int128 square = (unsigned __int128)magnitude * magnitude;
        sumsq_add(word, (uint64_t)square, (uint64_t)(square >> 64), 0);
        return;
    }
    case ACCUMULATOR_MIN:
        if (value_less(accumulator, *value, word_load(word))) {
            word_store(word, *value);
        }
        return;
    case ACCUMULATOR_MAX:
        if (value_less(accumulator, word_load(word), *value)) {
            word_store(word, *value);
        }
        return;
    case ACCUMULATOR_FIRST:
    case ACCUMULATOR_LAST:
        if (place_wins(accumulator, single, value, word)) {
            words_store(word, single, 2);
            words_store(word + 2, value, accumulator->value_words);
        }
        return;
    }
    UNREACHABLE();
}

void accumulator_add(const struct plan_accumulator *accumulator, uint64_t *cell,
                     const uint64_t *single)
{
    if (accumulator->field == FIELD_NONE || (single[SINGLE_NULLS] >> accumulator->field & 1) == 0) {
        value_add(accumulator, cell, single);
    }
}

void accumulator_merge(const struct plan_accumulator *accumulator, uint64_t *target,
                       const uint64_t *source)
{
    uint64_t *word = target + accumulator->word;
    const uint64_t *other = source + accumulator->word;
    switch (accumulator->kind) {
    case ACCUMULATOR_COUNT:
        word_store(word, word_load(word) + other[0]);
        return;
    case ACCUMULATOR_SUM:
        sum_add(word, other[0], other[1]);
        return;
    case ACCUMULATOR_SUMSQ:
        sumsq_add(word, other[0], other[1], other[2]);
        return;
    case ACCUMULATOR_MIN:
        if (value_less(accumulator, other[0], word_load(word))) {
            word_store(word, other[0]);
        }
        return;
    case ACCUMULATOR_MAX:
        if (value_less(accumulator, word_load(word), other[0])) {
            word_store(word, other[0]);
        }
        return;
    case ACCUMULATOR_FIRST:
    case ACCUMULATOR_LAST:
        if (place_wins(accumulator, other, other + 2, word)) {
            words_store(word, other, 2u + accumulator->value_words);
        }
        return;
    }
    UNREACHABLE();
}

static void sum_merge_run(uint64_t *word, const uint64_t *other, uint32_t stride, uint32_t count)
{
    unsigned __int128 sum = (unsigned __int128)word[1] << 64 | word[0];
    for (uint32_t i = 0; i < count; i++, other += stride) {
        sum += (unsigned __int128)other[1] << 64 | other[0];
    }
    word_store(&word[0], (uint64_t)sum);
    word_store(&word[1], (uint64_t)(sum >> 64));
}

/* Least or greatest of count words, compared after flipping: nothing for unsigned words,
 * the sign bit for signed ones. */
static void extreme_merge_run(uint64_t *word, const uint64_t *other, uint32_t stride,
                              uint32_t count, uint64_t flip, bool greatest)
{
    uint64_t best = word[0] ^ flip;
    for (uint32_t i = 0; i < count; i++, other += stride) {
        uint64_t value = other[0] ^ flip;
        bool better = greatest ? value > best : value < best;
        best = better ? value : best;
    }
    word_store(word, best ^ flip);
}

void accumulator_merge_run(const struct plan_accumulator *accumulator, uint64_t *target,
                           const uint64_t *source, uint32_t cell_words, uint32_t count)
{
    uint64_t *word = target + accumulator->word;
    const uint64_t *other = source + accumulator->word;
    uint64_t flip = accumulator->is_unsigned ? 0 : UINT64_C(1) << 63;
    switch (accumulator->kind) {
    case ACCUMULATOR_COUNT: {
        uint64_t sum = word[0];
        for (uint32_t i = 0; i < count; i++, other += cell_words) {
            sum += other[0];
        }
        word_store(word, sum);
        return;
    }
    case ACCUMULATOR_SUM:
        sum_merge_run(word, other, cell_words, count);
        return;
    case ACCUMULATOR_MIN:
        extreme_merge_run(word, other, cell_words, count, flip, /* greatest= */ false);
        return;
    case ACCUMULATOR_MAX:
        extreme_merge_run(word, other, cell_words, count, flip, /* greatest= */ true);
        return;
    case ACCUMULATOR_SUMSQ:
    case ACCUMULATOR_FIRST:
    case ACCUMULATOR_LAST:
        for (uint32_t i = 0; i < count; i++, source += cell_words) {
            accumulator_merge(accumulator, target, source);
        }
        return;
    }
    UNREACHABLE();
}

/* Singles that stand stride words apart. */
struct single_run {
    const uint64_t *single;
    int64_t stride;
    uint32_t count;
};

/* What a field comes to in them, as accumulators have it. */
struct field_run {
    uint64_t count; /* Of values that are not null. */
    unsigned __int128 sum;
    uint64_t least;
    uint64_t greatest;
};

static struct field_run field_run_of(const struct plan_accumulator *accumulator,
                                     struct single_run run)
{
    uint64_t null_bit = UINT64_C(1) << accumulator->field;
    uint64_t flip = accumulator->is_unsigned ? 0 : UINT64_C(1) << 63;
    uint64_t least = UINT64_MAX; /* Flipped, as extreme_merge_run() has them. */
    uint64_t greatest = 0;
    struct field_run field = {.count = 0};
    for (uint32_t i = 0; i < run.count; i++, run.single += run.stride) {
        uint64_t value = run.single[accumulator->single_word];
        uint64_t flipped = value ^ flip;
        if ((run.single[SINGLE_NULLS] & null_bit) != 0) {
            continue;
        }
        uint64_t sign = flip == 0 ? 0 : (uint64_t)((int64_t)value >> 63);
        field.count++;
        field.sum += (unsigned __int128)sign << 64 | value;
        least = flipped < least ? flipped : least;
        greatest = flipped > greatest ? flipped : greatest;
    }
    field.least = least ^ flip;
    field.greatest = greatest ^ flip;
    return field;
}

static void field_run_add(const struct plan_accumulator *accumulator, uint64_t *cell,
                          const struct field_run *field)
{
    uint64_t *word = cell + accumulator->word;
    if (accumulator->kind == ACCUMULATOR_COUNT) {
        word_store(word, word_load(word) + field->count);
    } else if (accumulator->kind == ACCUMULATOR_SUM) {
        sum_add(word, (uint64_t)field->sum, (uint64_t)(field->sum >> 64));
    } else if (accumulator->kind == ACCUMULATOR_MIN) {
        if (value_less(accumulator, field->least, word_load(word))) {
            word_store(word, field->least);
        }
    } else if (value_less(accumulator, word_load(word), field->greatest)) {
        word_store(word, field->greatest);
    }
}

static void single_run_add(const struct plan_accumulator *accumulator, uint64_t *cell,
                           struct single_run run)
{
    for (uint32_t i = 0; i < run.count; i++, run.single += run.stride) {
        accumulator_add(accumulator, cell, run.single);
    }
}

void accumulators_add_run(const struct plan_view *view, uint64_t needed, uint64_t *cell,
                          const uint64_t *single, int64_t stride, uint32_t count)
{
    const struct single_run run = {.single = single, .stride = stride, .count = count};
    struct field_run field;
    uint32_t known = FIELD_NONE; /* What `field` is of. */
    for (uint64_t rest = count == 0 ? 0 : needed; rest != 0; rest &= rest - 1) {
        const struct plan_accumulator *accumulator = &view->accumulator[__builtin_ctzll(rest)];
        uint64_t *word = cell + accumulator->word;
        if (accumulator->kind == ACCUMULATOR_SUMSQ || accumulator->kind == ACCUMULATOR_FIRST ||
            accumulator->kind == ACCUMULATOR_LAST) {
            single_run_add(accumulator, cell, run);
        } else if (accumulator->field == FIELD_NONE) {
            word_store(word, word_load(word) + count);
        } else {
            if (accumulator->field != known) {
                field = field_run_of(accumulator, run);
                known = accumulator->field;
            }
            field_run_add(accumulator, cell, &field);
        }
    }
}

void cell_clear(const struct plan_view *view, uint64_t *cell, uint64_t tag)
{
    word_store(&cell[0], tag);
    for (uint32_t i = 0; i < view->accumulator_count; i++) {
        accumulator_clear(&view->accumulator[i], cell);
    }
}

void cell_add(const struct plan_view *view, uint64_t *cell, const uint64_t *single)
{
    const struct plan_accumulator *accumulator = view->accumulator;
    uint32_t count = view->accumulator_count;
    uint64_t nulls = single[SINGLE_NULLS];
    if (nulls == 0) {
        for (uint32_t i = 0; i < count; i++) {
            value_add(&accumulator[i], cell, single);
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        accumulator_add(&accumulator[i], cell, single);
    }
}

void cell_merge(const struct plan_view *view, uint64_t *target, const uint64_t *source)
{
    for (uint32_t i = 0; i < view->accumulator_count; i++) {
        accumulator_merge(&view->accumulator[i], target, source);
    }
}
