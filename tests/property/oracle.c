#include "tests/property/oracle.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Unsigned, least significant limb first: 1024 bits are more than any product here needs. */
#define BIG_LIMBS 32

struct big {
    uint32_t limb[BIG_LIMBS];
};

static struct big big_from_u64(uint64_t value)
{
    return (struct big){.limb = {(uint32_t)value, (uint32_t)(value >> 32)}};
}

static struct big big_from_u128(unsigned __int128 value)
{
    struct big big = {0};
    for (int i = 0; i < 4; i++) {
        big.limb[i] = (uint32_t)(value >> (32 * i));
    }
    return big;
}

static int big_compare(const struct big *a, const struct big *b)
{
    for (int i = BIG_LIMBS; i-- > 0;) {
        if (a->limb[i] != b->limb[i]) {
            return a->limb[i] < b->limb[i] ? -1 : 1;
        }
    }
    return 0;
}

static struct big big_add(struct big a, struct big b)
{
    uint64_t carry = 0;
    for (int i = 0; i < BIG_LIMBS; i++) {
        carry += (uint64_t)a.limb[i] + b.limb[i];
        a.limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return a;
}

static struct big big_subtract(struct big a, struct big b)
{
    int64_t borrow = 0;
    for (int i = 0; i < BIG_LIMBS; i++) {
        borrow += (int64_t)a.limb[i] - b.limb[i];
        a.limb[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    return a;
}

static struct big big_multiply(struct big a, struct big b)
{
    struct big product = {0};
    for (int i = 0; i < BIG_LIMBS; i++) {
        uint64_t carry = 0;
        for (int j = 0; i + j < BIG_LIMBS; j++) {
            carry += (uint64_t)a.limb[i] * b.limb[j] + product.limb[i + j];
            product.limb[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    return product;
}

static struct big big_shift_left(struct big a, int bits)
{
    for (; bits > 0; bits--) {
        a = big_add(a, a);
    }
    return a;
}

static int big_bits(const struct big *a)
{
    for (int i = BIG_LIMBS * 32; i-- > 0;) {
        if ((a->limb[i / 32] >> (i % 32) & 1) != 0) {
            return i + 1;
        }
    }
    return 0;
}

static struct big big_power10(int exponent)
{
    struct big power = big_from_u64(1);
    for (; exponent > 0; exponent--) {
        power = big_multiply(power, big_from_u64(10));
    }
    return power;
}

/* numerator / denominator to the nearest double, half to even: schoolbook division to 60 bits or
 * more, what is left decides ties. */
static double big_divide(struct big numerator, struct big denominator)
{
    if (big_bits(&numerator) == 0) {
        return 0;
    }
    int shift = 60 - (big_bits(&numerator) - big_bits(&denominator));
    if (shift > 0) {
        numerator = big_shift_left(numerator, shift);
    } else {
        denominator = big_shift_left(denominator, -shift);
    }
    uint64_t quotient = 0;
    for (int i = 61; i >= 0; i--) {
        struct big part = big_shift_left(denominator, i);
        if (big_compare(&numerator, &part) >= 0) {
            numerator = big_subtract(numerator, part);
            quotient |= UINT64_C(1) << i;
        }
    }
    int drop = 0;
    while (quotient >> drop >= UINT64_C(1) << 53) {
        drop++;
    }
    uint64_t kept = quotient >> drop;
    uint64_t rest = quotient & ((UINT64_C(1) << drop) - 1);
    uint64_t half = UINT64_C(1) << (drop - 1);
    bool more = big_bits(&numerator) > 0;
    if (rest > half || (rest == half && (more || (kept & 1) != 0))) {
        kept++;
    }
    return ldexp((double)kept, drop - shift);
}

/* A signed sum: magnitude and sign. */
struct signed_big {
    struct big magnitude;
    bool negative;
};

static void signed_add(struct signed_big *sum, struct big magnitude, bool negative)
{
    if (sum->negative == negative) {
        sum->magnitude = big_add(sum->magnitude, magnitude);
    } else if (big_compare(&sum->magnitude, &magnitude) >= 0) {
        sum->magnitude = big_subtract(sum->magnitude, magnitude);
    } else {
        sum->magnitude = big_subtract(magnitude, sum->magnitude);
        sum->negative = negative;
    }
}

static struct wide signed_to_wide(const struct signed_big *sum)
{
    struct big value = sum->magnitude;
    if (sum->negative) {
        value = big_subtract((struct big){0}, value);
    }
    struct wide wide;
    for (int i = 0; i < 4; i++) {
        wide.word[i] = (uint64_t)value.limb[2 * i + 1] << 32 | value.limb[2 * i];
    }
    return wide;
}

static double signed_divide(const struct signed_big *sum, struct big denominator)
{
    double value = big_divide(sum->magnitude, denominator);
    return sum->negative && value != 0 ? -value : value;
}

static int64_t tile_start(int64_t time_us, int64_t width_us)
{
    int64_t rest = time_us % width_us;
    return time_us - (rest < 0 ? rest + width_us : rest);
}

static int64_t hop_us(const struct plan_view *view, const struct plan_window *window)
{
    int64_t hop = view->ladder_us[0];
    for (int i = 0; i < view->ladder_count; i++) {
        bool aligned =
            window->kind == WINDOW_SLIDING || (window->width_us % view->ladder_us[i] == 0 &&
                                               window->step_us % view->ladder_us[i] == 0);
        if (view->ladder_us[i] <= window->width_us / 12 && aligned) {
            hop = view->ladder_us[i];
        }
    }
    return hop;
}

static bool is_timed(const struct plan_window *window)
{
    return window->kind == WINDOW_SLIDING || window->kind == WINDOW_TUMBLING ||
           window->kind == WINDOW_HOPPING;
}

/* The oldest event that a read may still ask for. */
static int64_t reach_us(const struct plan_window *window)
{
    return window->width_us + (window->kind == WINDOW_HOPPING ? window->step_us : 0);
}

int64_t oracle_tile_us(const struct plan_view *view)
{
    int64_t finest = INT64_MAX;
    for (int i = 0; i < view->window_count; i++) {
        if (is_timed(&view->window[i])) {
            int64_t hop = hop_us(view, &view->window[i]);
            finest = hop < finest ? hop : finest;
        }
    }
    return finest == INT64_MAX ? view->ladder_us[0] : finest;
}

static int64_t ttl_us(const struct plan_view *view)
{
    int64_t ttl = view->ttl_us;
    for (int i = 0; view->ttl_us == 0 && i < view->window_count; i++) {
        if (is_timed(&view->window[i])) {
            int64_t span = reach_us(&view->window[i]) + hop_us(view, &view->window[i]);
            ttl = span > ttl ? span : ttl;
        }
    }
    return ttl;
}

/* Order of two events as far as one field can tell: time, order word, value bits. */
static int event_compare(const struct oracle_event *a, const struct oracle_event *b, uint8_t field,
                         bool is_string)
{
    if (a->time_us != b->time_us) {
        return a->time_us < b->time_us ? -1 : 1;
    }
    if (a->order != b->order) {
        return a->order < b->order ? -1 : 1;
    }
    if (is_string) {
        return memcmp(a->text[field], b->text[field], ORACLE_TEXT_SIZE);
    }
    uint64_t x = (uint64_t)a->value[field];
    uint64_t y = (uint64_t)b->value[field];
    return x < y ? -1 : x > y;
}

static bool value_less(const struct plan_aggregate *aggregate, int64_t a, int64_t b)
{
    return aggregate->type == FIELD_TYPE_u64 ? (uint64_t)a < (uint64_t)b : a < b;
}

static void number_set(struct answer *answer, const struct plan_aggregate *aggregate,
                       const struct signed_big *number, uint8_t scale)
{
    if (aggregate->type == FIELD_TYPE_f64) {
        answer->kind = VALUE_DOUBLE;
        answer->real = signed_divide(number, big_power10(scale));
    } else {
        answer->kind = VALUE_NUMBER;
        answer->number = signed_to_wide(number);
        answer->scale = scale;
    }
}

static struct signed_big value_big(const struct plan_aggregate *aggregate, int64_t value)
{
    struct signed_big big = {0};
    bool negative = aggregate->type != FIELD_TYPE_u64 && value < 0;
    signed_add(&big, big_from_u64(negative ? -(uint64_t)value : (uint64_t)value), negative);
    return big;
}

static void value_set(struct answer *answer, const struct plan_aggregate *aggregate,
                      const struct oracle_event *event)
{
    if (aggregate->type == FIELD_TYPE_string) {
        answer->kind = VALUE_STRING;
        answer->text = event->text[aggregate->field];
        answer->text_size = (uint32_t)strnlen(answer->text, ORACLE_TEXT_SIZE);
        return;
    }
    int64_t value = event->value[aggregate->field];
    if (aggregate->type == FIELD_TYPE_bool) {
        answer->kind = VALUE_BOOL;
        answer->number = (struct wide){.word = {value != 0}};
        return;
    }
    struct signed_big big = value_big(aggregate, value);
    number_set(answer, aggregate, &big, aggregate->scale);
}

void oracle_cell_answer(const struct plan_aggregate *aggregate,
                        const struct oracle_event *const *events, uint32_t count,
                        struct answer *answer)
{
    bool is_string = aggregate->type == FIELD_TYPE_string;
    const struct oracle_event *first = NULL;
    const struct oracle_event *last = NULL;
    const struct oracle_event *least = NULL;
    const struct oracle_event *greatest = NULL;
    struct signed_big sum = {0};
    struct signed_big squares = {0};
    uint64_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct oracle_event *event = events[i];
        if (aggregate->field == FIELD_NONE) {
            n++;
            continue;
        }
        if ((event->null_mask >> aggregate->field & 1) != 0) {
            continue;
        }
        n++;
        if (first == NULL || event_compare(event, first, aggregate->field, is_string) < 0) {
            first = event;
        }
        if (last == NULL || event_compare(event, last, aggregate->field, is_string) > 0) {
            last = event;
        }
        if (is_string) {
            continue;
        }
        int64_t value = event->value[aggregate->field];
        if (least == NULL || value_less(aggregate, value, least->value[aggregate->field])) {
            least = event;
        }
        if (greatest == NULL || value_less(aggregate, greatest->value[aggregate->field], value)) {
            greatest = event;
        }
        struct signed_big big = value_big(aggregate, value);
        signed_add(&sum, big.magnitude, big.negative);
        signed_add(&squares, big_multiply(big.magnitude, big.magnitude), false);
    }
    answer->kind = VALUE_NULL;
    answer->status = ANSWER_NULL_VALUE;
    if (aggregate->kind == AGGREGATE_count) {
        struct signed_big number = {.magnitude = big_from_u64(n)};
        answer->kind = VALUE_NUMBER;
        answer->number = signed_to_wide(&number);
        answer->scale = 0;
        answer->status = ANSWER_PRESENT;
        return;
    }
    bool is_variance =
        aggregate->kind >= AGGREGATE_var_pop && aggregate->kind <= AGGREGATE_stddev_samp;
    if (n < (is_variance ? 2 : 1)) {
        return;
    }
    answer->status = ANSWER_PRESENT;
    struct big numbers = big_from_u128(n);
    switch (aggregate->kind) {
    case AGGREGATE_sum:
        number_set(answer, aggregate, &sum, aggregate->scale);
        return;
    case AGGREGATE_sumsq:
        number_set(answer, aggregate, &squares, (uint8_t)(2 * aggregate->scale));
        return;
    case AGGREGATE_min:
        value_set(answer, aggregate, least);
        return;
    case AGGREGATE_max:
        value_set(answer, aggregate, greatest);
        return;
    case AGGREGATE_first:
        value_set(answer, aggregate, first);
        return;
    case AGGREGATE_last:
        value_set(answer, aggregate, last);
        return;
    case AGGREGATE_avg:
        answer->kind = VALUE_DOUBLE;
        answer->real = signed_divide(&sum, big_multiply(numbers, big_power10(aggregate->scale)));
        return;
    case AGGREGATE_var_pop:
    case AGGREGATE_var_samp:
    case AGGREGATE_stddev_pop:
    case AGGREGATE_stddev_samp: {
        bool sample =
            aggregate->kind == AGGREGATE_var_samp || aggregate->kind == AGGREGATE_stddev_samp;
        struct big top = big_subtract(big_multiply(numbers, squares.magnitude),
                                      big_multiply(sum.magnitude, sum.magnitude));
        struct big bottom = big_multiply(big_multiply(numbers, big_from_u64(n - sample)),
                                         big_power10(2 * aggregate->scale));
        double variance = big_divide(top, bottom);
        bool is_root = aggregate->kind >= AGGREGATE_stddev_pop;
        answer->kind = VALUE_DOUBLE;
        answer->real = is_root ? sqrt(variance) : variance;
        return;
    }
    case AGGREGATE_count:
    case AGGREGATE_last_k:
    case AGGREGATE_first_k:
    case AGGREGATE_last_k_distinct:
    case AGGREGATE_first_k_distinct:
    case AGGREGATE_top_k:
    case AGGREGATE_bottom_k:
    case AGGREGATE_distinct:
    case AGGREGATE_approx_distinct:
    case AGGREGATE_quantile:
    case AGGREGATE_histogram:
    case AGGREGATE_top_n:
    case AGGREGATE_decayed_sum:
    case AGGREGATE_COUNT_OF:
    default:
        assert(0);
    }
}

/* Time of the newest event that the cap pushed out: the one with exactly raw_cap events above. */
static bool cap_find(const struct plan_view *view, const struct oracle_event *events,
                     uint32_t count, int64_t shift_us, int64_t *out_us)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t above = 0;
        uint32_t same = 0;
        for (uint32_t j = 0; j < count; j++) {
            above += events[j].time_us > events[i].time_us;
            same += events[j].time_us == events[i].time_us;
        }
        if (above <= view->raw_cap && view->raw_cap < above + same) {
            *out_us = events[i].time_us - shift_us;
            return true;
        }
    }
    return false;
}

/* What folding to H left of a moment: the tile [start, end) that holds it, or nothing but the
 * lifetime (lost), which ends where the coarsest tiles begin. */
struct tile {
    int64_t start_us;
    int64_t end_us;
    bool lost;
};

static struct tile tile_at(const struct plan_view *view, int64_t time_us, int64_t fold_us)
{
    int64_t width_us = oracle_tile_us(view);
    int64_t horizon_us = INT64_MIN;
    for (;;) {
        /* Nobody cuts finer before the longest window that steps by this width starts. */
        int64_t longest_us = 0;
        int64_t next_us = INT64_MAX;
        for (int i = 0; i < view->window_count; i++) {
            int64_t hop = is_timed(&view->window[i]) ? hop_us(view, &view->window[i]) : 0;
            if (hop == width_us && reach_us(&view->window[i]) > longest_us) {
                longest_us = reach_us(&view->window[i]);
            }
            next_us = hop > width_us && hop < next_us ? hop : next_us;
        }
        int64_t finer_us = horizon_us;
        horizon_us = fold_us == INT64_MIN ? INT64_MIN : tile_start(fold_us - longest_us, width_us);
        if (time_us >= horizon_us) {
            struct tile tile = {.start_us = tile_start(time_us, width_us)};
            tile.end_us = tile.start_us + width_us;
            /* A tile whose later part is still finer ends there when asked up to there. */
            if (finer_us != INT64_MIN && time_us == finer_us - 1) {
                tile.end_us = finer_us;
            }
            return tile;
        }
        if (next_us == INT64_MAX) {
            return (struct tile){.start_us = horizon_us, .end_us = horizon_us, .lost = true};
        }
        width_us = next_us;
    }
}

/* One read of one row, before its windows. */
struct read {
    const struct plan_view *view;
    const struct oracle_event *events;
    uint32_t count;
    int64_t q_us;
    int64_t fold_us;
    int64_t since_us;
    int64_t shift_us;
    int64_t newest_us;
    int64_t single_us; /* Single events are kept from there on, above the cap. */
    bool capped;
    int64_t cap_us;
    char **texts;
};

struct end {
    int64_t us;
    uint8_t flags;
};

/* Where a window that should end at end_us ends. */
static struct end end_at(const struct read *read, int64_t end_us)
{
    const struct plan_view *view = read->view;
    bool cut =
        view->exact_us > 0 && end_us > read->single_us && (!read->capped || end_us > read->cap_us);
    if (cut || read->newest_us < end_us) {
        return (struct end){.us = end_us};
    }
    struct tile tile = tile_at(view, end_us - 1, read->fold_us);
    bool wide = tile.end_us - tile.start_us > oracle_tile_us(view) || tile.lost;
    return (struct end){.us = tile.end_us > end_us ? tile.end_us : end_us,
                        .flags = wide && tile.end_us > end_us ? ANSWER_FLAG_APPROXIMATE : 0};
}

/* Answers all aggregates over the events of [start, end); newest > 0: of only that many. */
static void window_answer(const struct read *read, const struct answer *span, int64_t start_us,
                          int64_t end_us, uint32_t newest, struct answer *out)
{
    const struct plan_view *view = read->view;
    static struct oracle_window window;
    window = (struct oracle_window){.view = view, .q_us = read->q_us, .shift_us = read->shift_us};
    for (uint32_t i = 0; i < read->count; i++) {
        const struct oracle_event *event = &read->events[i];
        int64_t time_us = event->time_us - read->shift_us;
        uint32_t newer = 0;
        for (uint32_t j = 0; newest > 0 && j < read->count; j++) {
            const struct oracle_event *other = &read->events[j];
            bool counts = other->time_us - read->shift_us < end_us;
            newer += counts && (other->time_us > event->time_us ||
                                (other->time_us == event->time_us && other->order > event->order));
        }
        if (time_us < start_us || time_us >= end_us || (newest > 0 && newer >= newest)) {
            continue;
        }
        struct tile tile = tile_at(view, time_us, read->fold_us);
        window.tile_us[window.count] = tile.lost ? INT64_MIN : tile.start_us;
        window.event[window.count++] = event;
    }
    for (int a = 0; a < view->aggregate_count; a++) {
        out[a] = *span;
        if (oracle_is_run(&view->aggregate[a])) {
            oracle_run_answer(&window, &view->aggregate[a], read->texts, &out[a]);
        } else {
            oracle_cell_answer(&view->aggregate[a], window.event, window.count, &out[a]);
        }
    }
}

static void timed_answer(const struct read *read, const struct plan_window *window,
                         struct answer *out)
{
    const struct plan_view *view = read->view;
    int64_t q_us = read->q_us;
    int64_t end_us = q_us + (view->edges == EDGES_CLOSED_CLOSED ? 1 : 0);
    int64_t start_us = q_us - window->width_us;
    if (window->kind == WINDOW_TUMBLING) {
        start_us = tile_start(q_us, window->width_us);
    } else if (window->kind == WINDOW_HOPPING) {
        end_us = tile_start(q_us, window->step_us);
        start_us = end_us - window->width_us;
    }
    struct end end = end_at(read, end_us);
    struct answer span = {.q_us = q_us, .flags = end.flags};
    bool exact = reach_us(window) <= view->exact_us;
    if (!exact || start_us < read->single_us || (read->capped && start_us <= read->cap_us)) {
        int64_t step_us = tile_start(start_us, hop_us(view, window));
        struct tile tile = tile_at(view, step_us, read->fold_us);
        start_us = tile.start_us;
        span.flags |= exact || start_us != step_us ? ANSWER_FLAG_APPROXIMATE : 0;
        span.flags |= tile.lost ? ANSWER_FLAG_PARTIAL | ANSWER_FLAG_APPROXIMATE : 0;
    }
    span.flags |= start_us < read->since_us ? ANSWER_FLAG_PARTIAL : 0;
    span.start_us = start_us;
    span.end_us = end.us > start_us ? end.us : start_us;
    window_answer(read, &span, start_us, end.us, 0, out);
}

/* The newest n events before the end. */
static void newest_answer(const struct read *read, const struct plan_window *window,
                          struct answer *out)
{
    struct end end = end_at(read, read->q_us + (read->view->edges == EDGES_CLOSED_CLOSED ? 1 : 0));
    struct answer span = {
        .q_us = read->q_us, .start_us = end.us, .end_us = end.us, .flags = end.flags};
    uint32_t found = 0;
    int64_t oldest_us = read->fold_us == INT64_MIN ? INT64_MIN : read->fold_us - ttl_us(read->view);
    for (uint32_t i = 0; i < read->count; i++) {
        const struct oracle_event *event = &read->events[i];
        int64_t time_us = event->time_us - read->shift_us;
        uint32_t newer = 0;
        for (uint32_t j = 0; j < read->count; j++) {
            const struct oracle_event *other = &read->events[j];
            bool counts = other->time_us - read->shift_us < end.us;
            newer += counts && (other->time_us > event->time_us ||
                                (other->time_us == event->time_us && other->order > event->order));
        }
        if (time_us < end.us && time_us >= oldest_us && newer < window->events) {
            span.start_us = time_us < span.start_us ? time_us : span.start_us;
            found++;
        }
    }
    span.flags |=
        found < window->events && span.start_us < read->since_us ? ANSWER_FLAG_PARTIAL : 0;
    window_answer(read, &span, oldest_us, end.us, window->events, out);
}

/* Grown from the newest event before q, event by event, until nothing is near. */
static void session_answer(const struct read *read, const struct plan_window *window,
                           struct answer *out)
{
    int64_t end_us = read->q_us + (read->view->edges == EDGES_CLOSED_CLOSED ? 1 : 0);
    int64_t gap_us = window->width_us;
    struct answer span = {.q_us = read->q_us, .start_us = end_us, .end_us = end_us};
    int64_t last_us = INT64_MIN;
    for (uint32_t i = 0; i < read->count; i++) {
        int64_t time_us = read->events[i].time_us - read->shift_us;
        last_us = time_us < end_us && time_us > last_us ? time_us : last_us;
    }
    int64_t first_us = last_us;
    for (bool grown = last_us != INT64_MIN; grown;) {
        grown = false;
        for (uint32_t i = 0; i < read->count; i++) {
            int64_t time_us = read->events[i].time_us - read->shift_us;
            bool near = time_us > first_us - gap_us && time_us < last_us + gap_us;
            if (near && (time_us < first_us || time_us > last_us)) {
                first_us = time_us < first_us ? time_us : first_us;
                last_us = time_us > last_us ? time_us : last_us;
                grown = true;
            }
        }
    }
    bool none = last_us == INT64_MIN || end_us >= last_us + gap_us;
    span.flags = read->q_us < read->fold_us ? ANSWER_FLAG_APPROXIMATE : 0;
    if (!none) {
        span.start_us = first_us;
        span.flags |= last_us >= end_us ? ANSWER_FLAG_APPROXIMATE : 0;
        span.end_us = last_us >= end_us ? last_us + 1 : end_us;
        span.flags |= first_us < read->since_us ? ANSWER_FLAG_PARTIAL : 0;
    }
    window_answer(read, &span, none ? INT64_MAX : first_us, none ? INT64_MIN : last_us + 1, 0, out);
}

bool oracle_answer(const struct plan_view *view, const struct oracle_event *events, uint32_t count,
                   int64_t q_us, int64_t fold_us, int64_t since_us, char *texts, struct answer *out)
{
    struct read read = {.view = view,
                        .events = events,
                        .count = count,
                        .q_us = q_us,
                        .fold_us = fold_us,
                        .since_us = since_us,
                        .shift_us = view->edges == EDGES_OPEN_CLOSED ? 1 : 0,
                        .newest_us = INT64_MIN,
                        .cap_us = INT64_MIN,
                        .texts = &texts};
    for (uint32_t i = 0; i < count; i++) {
        int64_t time_us = events[i].time_us - read.shift_us;
        read.newest_us = time_us > read.newest_us ? time_us : read.newest_us;
    }
    /* Age is that of the event as it was sent. */
    if (count == 0 || read.newest_us + read.shift_us < q_us - ttl_us(view)) {
        return false;
    }
    read.capped = view->exact_us > 0 && cap_find(view, events, count, read.shift_us, &read.cap_us);
    read.single_us = fold_us == INT64_MIN ? INT64_MIN : fold_us - view->exact_us;
    for (int w = 0; w < view->window_count; w++) {
        const struct plan_window *window = &view->window[w];
        struct answer *answers = &out[w * view->aggregate_count];
        if (is_timed(window)) {
            timed_answer(&read, window, answers);
        } else if (window->kind == WINDOW_EVENTS) {
            newest_answer(&read, window, answers);
        } else if (window->kind == WINDOW_SESSION) {
            session_answer(&read, window, answers);
        } else {
            /* A lifetime is the view's own, so it never reaches before it. */
            struct end end = end_at(&read, q_us + (view->edges == EDGES_CLOSED_CLOSED ? 1 : 0));
            struct answer span = {
                .start_us = INT64_MIN, .end_us = end.us, .q_us = q_us, .flags = end.flags};
            window_answer(&read, &span, INT64_MIN, end.us, 0, answers);
        }
    }
    return true;
}

bool oracle_answer_equals(const struct answer *a, const struct answer *b)
{
    if (a->kind != b->kind || a->status != b->status || a->flags != b->flags ||
        a->start_us != b->start_us || a->end_us != b->end_us) {
        return false;
    }
    switch (a->kind) {
    case VALUE_NULL:
        return true;
    case VALUE_NUMBER:
        return a->scale == b->scale && memcmp(&a->number, &b->number, sizeof(a->number)) == 0;
    case VALUE_BOOL:
        return memcmp(&a->number, &b->number, sizeof(a->number)) == 0;
    case VALUE_DOUBLE:
        return memcmp(&a->real, &b->real, sizeof(a->real)) == 0;
    case VALUE_STRING:
    case VALUE_LIST:
        return a->text_size == b->text_size && memcmp(a->text, b->text, a->text_size) == 0;
    default:
        assert(0);
    }
    return false;
}
