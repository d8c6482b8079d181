/* Rows against the oracle: random views, random events with times on edges, ties and nulls, any
 * order, folding at any moment. Every feature is compared bit for bit. SEED=n repeats a failure,
 * ROUNDS=n runs longer. */
#include "tests/support/unit.h"

#include <math.h>
#include <stdio.h>

#include "dataplane/base/hash.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/cell.h"
#include "dataplane/feature/ladder.h"
#include "dataplane/feature/row.h"
#include "dataplane/feature/row_read.h"
#include "tests/property/oracle.h"

#define SECOND        INT64_C(1000000)
#define EVENTS_MAX    120u /* Fewer than any cap. */
#define QUERIES       12u
#define ROW_LINES_MAX (ROW_SIZE_MAX / CACHE_LINE_BYTES)
#define TEXT_SIZE     12u

enum { FIELD_TS, FIELD_KEY, FIELD_A, FIELD_U, FIELD_D, FIELD_F, FIELD_B, FIELD_S, FIELD_TOTAL };
_Static_assert(FIELD_TOTAL == ORACLE_FIELDS_MAX, "the oracle holds these fields");

struct bench {
    struct random random;
    uint64_t seed;
    struct plan *plan;
    struct plan_view *view;
    struct oracle_event event[EVENTS_MAX];
    uint32_t count;
    uint64_t single[EVENTS_MAX][SINGLE_VALUES + FIELD_TOTAL * 2];
    uint64_t waiting[EVENTS_MAX][SINGLE_VALUES + FIELD_TOTAL * 2];
    struct burst burst;
    uint64_t scratch[ROW_LINES_MAX * 8 + 4096];
    uint64_t cell[6][CELL_WORDS_MAX];
    uint64_t settled[ROW_LINES_MAX * 8];
    struct row_read_space space;
    char strings[1 << 20];
    char texts[ORACLE_TEXTS_SIZE];
    struct answer expected[AGGREGATES_MAX * WINDOWS_MAX];
    struct answer actual[AGGREGATES_MAX * WINDOWS_MAX];
};

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static bool chance(struct bench *bench, uint64_t percent)
{
    return random_below(&bench->random, 100) < percent;
}

static void field_set(struct schema *schema, uint32_t field, const char *name, enum field_type type,
                      uint8_t scale, bool optional)
{
    struct schema_field *f = &schema->field[field];
    strcpy(f->name, name);
    f->type = type;
    f->id = (uint16_t)(field + 1);
    f->since = 1;
    f->size = type == FIELD_TYPE_string ? TEXT_SIZE : field_type_size(type);
    f->scale = scale;
    f->optional = optional;
}

static void schema_make(struct bench *bench, struct schema *schema)
{
    strcpy(schema->name, "event");
    schema->id = 1;
    schema->version = 1;
    schema->field_count = FIELD_TOTAL;
    schema->time_field = FIELD_TS;
    field_set(schema, FIELD_TS, "ts", FIELD_TYPE_timestamp, 0, false);
    field_set(schema, FIELD_KEY, "key", FIELD_TYPE_u64, 0, false);
    field_set(schema, FIELD_A, "a", FIELD_TYPE_i64, 0, chance(bench, 50));
    field_set(schema, FIELD_U, "u", FIELD_TYPE_u64, 0, chance(bench, 50));
    uint8_t scale = (uint8_t)random_below(&bench->random, SCALE_MAX + 1);
    field_set(schema, FIELD_D, "d", FIELD_TYPE_decimal, scale, chance(bench, 50));
    field_set(schema, FIELD_F, "f", FIELD_TYPE_f64, 6, chance(bench, 50));
    field_set(schema, FIELD_B, "b", FIELD_TYPE_bool, 0, chance(bench, 50));
    field_set(schema, FIELD_S, "s", FIELD_TYPE_string, 0, chance(bench, 50));
    assert_int_equal(schema_layout(schema), RESULT_OK);
}

static void windows_make(struct bench *bench)
{
    static const int64_t widths[] = {1, 3, 10, 59, 60, 61, 600, 720, 3600, 7200, 86400};
    struct plan_view *view = bench->view;
    for (uint32_t i = 0; i < ARRAY_COUNT(widths); i++) {
        if (chance(bench, 30)) {
            struct plan_window *window = &view->window[view->window_count++];
            snprintf(window->name, sizeof(window->name), "%us", (unsigned)widths[i]);
            window->width_us = widths[i] * SECOND;
        }
    }
    /* Aligned ones: whatever of these the ladder can cut. */
    for (uint32_t i = 0; i < ARRAY_COUNT(widths); i++) {
        struct plan_window window = {.kind = chance(bench, 50) ? WINDOW_TUMBLING : WINDOW_HOPPING,
                                     .width_us = widths[i] * SECOND};
        snprintf(window.name, sizeof(window.name), "a%us", (unsigned)widths[i]);
        if (window.kind == WINDOW_HOPPING) {
            window.step_us = window.width_us / (1 + (int64_t)random_below(&bench->random, 4));
        }
        if (view->window_count < 12 && chance(bench, 8) && window.width_us >= view->ladder_us[0] &&
            plan_window_level(view, &window) >= 0) {
            view->window[view->window_count++] = window;
        }
    }
    bool timed = view->window_count > 0;
    if (chance(bench, 15)) {
        view->window[view->window_count++] =
            (struct plan_window){.name = "n",
                                 .kind = WINDOW_EVENTS,
                                 .events = 1 + (uint32_t)random_below(&bench->random, 20)};
    }
    bool endless = chance(bench, 30);
    if (!timed || endless) {
        view->ttl_us = 200000 * SECOND;
    }
    if (view->window_count == 0 || endless) {
        view->window[view->window_count++].kind = WINDOW_LIFETIME;
    } else if (chance(bench, 15)) {
        /* No event here is too late for a session: see sessions_end_for_good(). */
        bench->plan->stream[0].lateness_us = 1000000 * SECOND;
        view->window[view->window_count++] = (struct plan_window){
            .name = "session", .kind = WINDOW_SESSION, .width_us = 1000 + 7 * SECOND};
    }
}

static bool view_has(const struct plan_view *view, enum window_kind kind)
{
    for (uint32_t i = 0; i < view->window_count; i++) {
        if (view->window[i].kind == kind) {
            return true;
        }
    }
    return false;
}

/* What stands behind the comma in a definition. */
static void parameter_make(struct bench *bench, struct plan_aggregate *aggregate)
{
    enum aggregate_kind kind = aggregate->kind;
    if (kind == AGGREGATE_quantile) {
        aggregate->parameter = 1 + (int64_t)random_below(&bench->random, 999999);
    } else if (kind == AGGREGATE_decayed_sum) {
        aggregate->parameter = 1000 + (int64_t)random_below(&bench->random, 4000 * 1000000u);
    } else if (kind == AGGREGATE_distinct || kind == AGGREGATE_histogram) {
        aggregate->parameter = 200; /* More than there are: caps have a test of their own. */
    } else if (kind > AGGREGATE_stddev_samp && kind != AGGREGATE_approx_distinct) {
        aggregate->parameter = 1 + (int64_t)random_below(&bench->random, 5);
    }
}

/* True when config/ would let the aggregate into the view. */
static bool aggregate_fits(const struct plan_view *view, const struct plan_aggregate *aggregate)
{
    bool run = aggregate->by != 0 || aggregate->kind > AGGREGATE_stddev_samp;
    return !(run && view_has(view, WINDOW_SESSION)) &&
           !(aggregate->kind == AGGREGATE_decayed_sum && view_has(view, WINDOW_LIFETIME));
}

static void aggregates_make(struct bench *bench)
{
    struct plan_view *view = bench->view;
    const struct schema *schema = &bench->plan->stream[0].schema;
    uint32_t wanted = 1 + (uint32_t)random_below(&bench->random, 10);
    while (view->aggregate_count < wanted) {
        struct plan_aggregate *aggregate = &view->aggregate[view->aggregate_count];
        enum aggregate_kind kind =
            (enum aggregate_kind)random_below(&bench->random, AGGREGATE_COUNT_OF);
        uint32_t field = FIELD_A + (uint32_t)random_below(&bench->random, FIELD_TOTAL - FIELD_A);
        bool any = kind == AGGREGATE_count || kind == AGGREGATE_first || kind == AGGREGATE_last ||
                   (kind > AGGREGATE_stddev_samp && kind != AGGREGATE_top_k &&
                    kind != AGGREGATE_bottom_k && kind != AGGREGATE_quantile &&
                    kind != AGGREGATE_decayed_sum);
        if (field == FIELD_S && !any) {
            continue;
        }
        *aggregate = (struct plan_aggregate){.kind = kind};
        snprintf(aggregate->name, sizeof(aggregate->name), "g%u", view->aggregate_count);
        aggregate->kind = kind;
        aggregate->field =
            kind == AGGREGATE_count && chance(bench, 50) ? FIELD_NONE : (uint8_t)field;
        aggregate->type = schema->field[field].type;
        aggregate->scale = schema->field[field].scale;
        parameter_make(bench, aggregate);
        if (kind <= AGGREGATE_stddev_samp && chance(bench, 20)) {
            aggregate->by =
                (uint8_t)(1 + FIELD_A + random_below(&bench->random, FIELD_TOTAL - FIELD_A));
        }
        view->aggregate_count =
            (uint8_t)(view->aggregate_count + (aggregate_fits(view, aggregate) ? 1 : 0));
    }
}

static void plan_make(struct bench *bench)
{
    static const int64_t ladders[][4] = {
        {SECOND, 5 * SECOND, 60 * SECOND, 3600 * SECOND},
        {5 * SECOND, 60 * SECOND, 300 * SECOND, 3600 * SECOND},
        {1000, SECOND, 60 * SECOND, 600 * SECOND},
        {60 * SECOND, 3600 * SECOND, 6 * 3600 * SECOND, 86400 * SECOND}};
    struct plan *plan = bench->plan;
    memset(&plan->stream[0], 0, sizeof(plan->stream[0]));
    memset(&plan->view[0], 0, sizeof(plan->view[0]));
    plan->stream_count = 1;
    plan->view_count = 1;
    plan->feature_count = 0;
    schema_make(bench, &plan->stream[0].schema);
    plan->stream[0].shard_by = -1;
    struct plan_view *view = &plan->view[0];
    bench->view = view;
    strcpy(view->name, "view");
    strcpy(view->entity, "key");
    view->version = 1;
    view->key_field[0] = FIELD_KEY;
    view->key_count = 1;
    view->edges = (enum window_edges)random_below(&bench->random, 3);
    view->ladder_count = 4;
    memcpy(view->ladder_us, ladders[random_below(&bench->random, ARRAY_COUNT(ladders))],
           sizeof(ladders[0]));
    windows_make(bench);
    int64_t longest_us = 0;
    for (uint32_t i = 0; i < view->window_count; i++) {
        int64_t reach_us = plan_window_reach_us(&view->window[i]);
        longest_us = reach_us > longest_us ? reach_us : longest_us;
    }
    if (chance(bench, 50)) {
        longest_us = longest_us > 0 ? longest_us : 7200 * SECOND;
        view->exact_us = 1 + (int64_t)random_below(&bench->random, (uint64_t)longest_us);
    }
    view->raw_cap =
        chance(bench, 50) ? SINGLES_MAX : 1 + (uint32_t)random_below(&bench->random, 40);
    aggregates_make(bench);
    int bad = -1;
    assert_int_equal(plan_finish(plan, &bad), RESULT_OK);
}

static int64_t value_make(struct bench *bench, uint32_t field)
{
    if (field == FIELD_B) {
        return chance(bench, 50);
    }
    switch (random_below(&bench->random, 8)) {
    case 0:
        return INT64_MAX;
    case 1:
        return field == FIELD_U ? -2 : INT64_MIN + 1;
    case 2:
        return 0;
    case 3:
        return (int64_t)(random_next(&bench->random) >> 1);
    default: {
        int64_t small = (int64_t)random_below(&bench->random, 1000);
        return field != FIELD_U && chance(bench, 40) ? -small : small;
    }
    }
}

/* A time on an edge of a tile or window, beside one, or anywhere. */
static int64_t time_make(struct bench *bench, int64_t base_us, int64_t span_us)
{
    int64_t time_us = base_us + (int64_t)random_below(&bench->random, (uint64_t)span_us);
    int64_t level_us = bench->view->ladder_us[random_below(&bench->random, 4)];
    if (chance(bench, 60)) {
        int64_t rest = time_us % level_us;
        time_us -= rest < 0 ? rest + level_us : rest;
        time_us += (int64_t)random_below(&bench->random, 3) - 1;
    }
    return time_us;
}

static void events_make(struct bench *bench, int64_t base_us, int64_t span_us)
{
    const struct schema *schema = &bench->plan->stream[0].schema;
    bench->count = 1 + (uint32_t)random_below(&bench->random, EVENTS_MAX);
    uint64_t orders = chance(bench, 50) ? 4 : 1000000;
    for (uint32_t i = 0; i < bench->count; i++) {
        struct oracle_event *event = &bench->event[i];
        memset(event, 0, sizeof(*event));
        event->time_us = i > 0 && chance(bench, 20) ? bench->event[i - 1].time_us
                                                    : time_make(bench, base_us, span_us);
        event->order = random_below(&bench->random, orders) << 16 | random_below(&bench->random, 3);
        if (view_has(bench->view, WINDOW_EVENTS)) { /* Whole events have no other order. */
            event->order = event->order << 16 | i;
        }
        for (uint32_t f = FIELD_A; f < FIELD_TOTAL; f++) {
            if (schema->field[f].optional && chance(bench, 30)) {
                event->null_mask |= UINT64_C(1) << f;
            } else if (f == FIELD_S) {
                uint32_t size = 1 + (uint32_t)random_below(&bench->random, TEXT_SIZE);
                for (uint32_t c = 0; c < size; c++) {
                    event->text[f][c] =
                        (char)(1 + random_below(&bench->random, 0xbf)); /* No UTF-8. */
                }
            } else {
                event->value[f] = value_make(bench, f);
            }
        }
    }
}

/* What decode would have made of the events, then the view's singles. */
static void singles_make(struct bench *bench)
{
    const struct schema *schema = &bench->plan->stream[0].schema;
    uint8_t block[EVENT_SIZE_MAX] = {0};
    struct burst *burst = &bench->burst;
    burst->schema = schema;
    burst->count = 1;
    burst->event[0] = block;
    burst->event_size[0] = schema->block_size;
    assert_true(bench->view->single_words <= ARRAY_COUNT(bench->single[0]));
    for (uint32_t i = 0; i < bench->count; i++) {
        const struct oracle_event *event = &bench->event[i];
        burst->time_us[0] = event->time_us;
        burst->order[0] = event->order;
        burst->null_mask[0] = event->null_mask;
        for (uint32_t f = FIELD_A; f < FIELD_TOTAL; f++) {
            burst->value[f][0] = event->value[f];
        }
        memcpy(block + schema->field[FIELD_S].offset, event->text[FIELD_S], TEXT_SIZE);
        single_of_event(bench->view, burst, 0, bench->single[i]);
    }
}

struct built_row {
    uint64_t *words;
    uint32_t lines;
    struct row_waiting waiting;
};

static void row_grow(const struct plan_view *view, struct built_row *row, uint32_t lines)
{
    uint64_t *words = aligned_alloc(CACHE_LINE_BYTES, (size_t)lines * CACHE_LINE_BYTES);
    memset(words, 0, (size_t)lines * CACHE_LINE_BYTES);
    if (row->words != NULL) {
        row_move(view, row->words, row->lines, words, lines);
    }
    free(row->words);
    *row = (struct built_row){.words = words, .lines = lines};
}

/* Applies `count` events in the order of `permutation` while the watermark moves on; returns the
 * last fold horizon. Others of the shard may be ahead by up to ahead_us. */
static int64_t row_build(struct bench *bench, const uint32_t *permutation, uint32_t count,
                         int64_t history_us, uint64_t ahead_us, int64_t final_us,
                         struct built_row *out_row)
{
    const struct plan_view *view = bench->view;
    uint64_t key = 4711;
    struct built_row row = {0};
    row_grow(view, &row, row_lines_first(view, sizeof(key)));
    row_init(view, 0, (const uint8_t *)&key, sizeof(key), 77, row.words);
    int64_t fold_us = INT64_MIN;
    struct ladder ladder;
    ladder_init(view, fold_us, &ladder);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = permutation[i];
        while (row_apply(view, &ladder, row.words, row.lines, bench->single[at], 1, i + 1) ==
               ROW_FULL) {
            if (chance(bench, 50) &&
                row_fold(view, &ladder, row.words, row.lines, &bench->space.fold) > 0) {
                continue;
            }
            if (row.lines > row_lines_needed(view, row.words) + 512) {
                fprintf(stderr, "SEED=%llu event %u of %u has no place in %u lines, %u in use\n",
                        (unsigned long long)bench->seed, i, bench->count, row.lines,
                        row_lines_needed(view, row.words));
                fail();
            }
            row_grow(view, &row, row.lines + 1 + (uint32_t)random_below(&bench->random, 8));
        }
        int64_t horizon_us = bench->event[at].time_us - history_us +
                             (int64_t)random_below(&bench->random, ahead_us + 1);
        horizon_us = horizon_us > final_us ? final_us : horizon_us;
        if (chance(bench, 30) && horizon_us > fold_us) {
            fold_us = horizon_us;
            ladder_init(view, fold_us, &ladder);
        }
        if (chance(bench, 20)) {
            row_fold(view, &ladder, row.words, row.lines, &bench->space.fold);
        }
        if (chance(bench, 5)) {
            row_grow(view, &row,
                     row_lines_needed(view, row.words) + (uint32_t)random_below(&bench->random, 4));
        }
    }
    *out_row = row;
    return fold_us;
}

/* The events behind the first `count` of the permutation wait, by their times. */
static void row_wait(struct bench *bench, const uint32_t *permutation, uint32_t count,
                     struct built_row *row)
{
    const struct plan_view *view = bench->view;
    const size_t bytes = sizeof(bench->waiting[0]);
    struct ladder ladder;
    ladder_init(view, INT64_MIN, &ladder);
    row->waiting = (struct row_waiting){.single = bench->waiting[0],
                                        .stride = (uint32_t)(bytes / sizeof(uint64_t)),
                                        .count = bench->count - count};
    for (uint32_t i = 0; i < row->waiting.count; i++) {
        const uint64_t *single = bench->single[permutation[count + i]];
        uint32_t at = i;
        while (at > 0 && (int64_t)bench->waiting[at - 1][SINGLE_TIME] > (int64_t)single[0]) {
            at--;
        }
        memmove(bench->waiting[at + 1], bench->waiting[at], (i - at) * bytes);
        memcpy(bench->waiting[at], single, bytes);
        row_header_note(view, &ladder, row->words, (int64_t)single[SINGLE_TIME], 1, bench->count);
    }
}

static void answer_print(const char *who, const struct answer *answer)
{
    char space[ANSWER_TEXT_SIZE_MAX];
    uint32_t size;
    const char *text = answer_text(answer, space, &size);
    fprintf(stderr, "  %s: kind %d '%.*s' %s flags %u [%lld, %lld)\n", who, (int)answer->kind,
            (int)size, text, answer_status_name(answer->status), answer->flags,
            (long long)answer->start_us, (long long)answer->end_us);
}

static void failure_print(const struct bench *bench, uint32_t feature, int64_t q_us,
                          int64_t fold_us)
{
    const struct plan_view *view = bench->view;
    uint32_t a = bench->plan->feature[feature].aggregate;
    uint32_t w = bench->plan->feature[feature].window;
    const struct plan_aggregate *aggregate = &view->aggregate[a];
    fprintf(stderr,
            "SEED=%llu %s(field %d) over %lld us, ladder %lld %lld %lld %lld, tile %lld, edges %d,"
            " exact %lld, cap %u, q %lld, fold %lld, %u events\n",
            (unsigned long long)bench->seed, aggregate_name(aggregate->kind), aggregate->field,
            (long long)view->window[w].width_us, (long long)view->ladder_us[0],
            (long long)view->ladder_us[1], (long long)view->ladder_us[2],
            (long long)view->ladder_us[3], (long long)oracle_tile_us(view), (int)view->edges,
            (long long)view->exact_us, view->raw_cap, (long long)q_us, (long long)fold_us,
            bench->count);
    for (uint32_t i = 0; i < bench->count && bench->count <= 12; i++) {
        uint32_t f = aggregate->field == FIELD_NONE ? FIELD_A : aggregate->field;
        fprintf(stderr, "  event %lld order %llx null %d value %lld\n",
                (long long)bench->event[i].time_us, (unsigned long long)bench->event[i].order,
                (int)(bench->event[i].null_mask >> f & 1), (long long)bench->event[i].value[f]);
    }
    answer_print("expected", &bench->expected[w * view->aggregate_count + a]);
    answer_print("actual", &bench->actual[feature - view->feature_first]);
}

static double double_of(const struct answer *answer)
{
    if (answer->kind == VALUE_DOUBLE) {
        return answer->real;
    }
    const struct wide *wide = &answer->number;
    return (double)(__int128)((unsigned __int128)wide->word[1] << 64 | wide->word[0]);
}

/* As the oracle has it, bit for bit; quantiles within their bins, decayed sums within what double
 * arithmetic of the oracle's can tell. Before the horizon, kinds that keep only the best are looked
 * at by their flags, and by being the same in any order. */
static bool answer_good(const struct plan_view *view, const struct plan_feature *feature,
                        const struct answer *expected, const struct answer *actual, bool early)
{
    const struct plan_aggregate *aggregate = &view->aggregate[feature->aggregate];
    struct answer wanted = *expected;
    bool ranked = (aggregate->run != RUN_NONE && view->run[aggregate->run].kind == RUN_RANKED) ||
                  view->window[feature->window].kind == WINDOW_EVENTS;
    if (ranked && early) {
        wanted = *actual;
        wanted.flags = expected->flags | ANSWER_FLAG_APPROXIMATE;
        wanted.end_us = expected->end_us;
        wanted.start_us = view->window[feature->window].kind == WINDOW_EVENTS ? actual->start_us
                                                                              : expected->start_us;
        if (view->window[feature->window].kind == WINDOW_EVENTS) {
            wanted.flags |= actual->flags & ANSWER_FLAG_PARTIAL;
            return ((wanted.flags ^ actual->flags) & ANSWER_FLAG_APPROXIMATE) == 0;
        }
        return oracle_answer_equals(&wanted, actual);
    }
    bool near = aggregate->by == 0 &&
                (aggregate->kind == AGGREGATE_quantile || aggregate->kind == AGGREGATE_decayed_sum);
    if (near && expected->kind != VALUE_NULL && actual->kind == expected->kind) {
        double tolerance;
        memcpy(&tolerance, &expected->number.word[0], sizeof(tolerance));
        double apart = fabs(double_of(expected) - double_of(actual));
        double most = aggregate->kind == AGGREGATE_quantile
                          ? fabs(double_of(expected)) / 128 * (1 + 1e-12)
                          : tolerance * 1e-8;
        if (apart > most) {
            return false;
        }
        wanted.number = actual->number;
        wanted.real = actual->real;
    }
    return oracle_answer_equals(&wanted, actual);
}

/* Of everything that was answered. */
static uint64_t answers_hash(const struct bench *bench)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < bench->view->feature_count; i++) {
        const struct answer *answer = &bench->actual[i];
        char space[ANSWER_TEXT_SIZE_MAX];
        uint32_t size;
        const char *text = answer_text(answer, space, &size);
        hash = XXH3_64bits_withSeed(text, size, hash);
        const int64_t words[] = {answer->start_us, answer->end_us, answer->flags,
                                 (int64_t)answer->kind};
        hash = XXH3_64bits_withSeed(words, sizeof(words), hash);
    }
    return hash;
}

/* Returns a hash of the answers, 0 when there is none. */
static uint64_t row_compare(struct bench *bench, const struct built_row *row, int64_t q_us,
                            int64_t fold_us, int64_t since_us)
{
    const struct plan_view *view = bench->view;
    bool found = oracle_answer(view, bench->event, bench->count, q_us, fold_us, since_us,
                               bench->texts, bench->expected);
    if (found != row_read_alive(view, row->words, q_us)) {
        fprintf(stderr, "SEED=%llu found %d at %lld, edges %d, ttl %lld\n",
                (unsigned long long)bench->seed, found, (long long)q_us, (int)view->edges,
                (long long)view->ttl_us);
        fail();
    }
    if (!found) {
        return 0;
    }
    uint16_t feature[AGGREGATES_MAX * WINDOWS_MAX];
    for (uint32_t i = 0; i < view->feature_count; i++) {
        feature[i] = (uint16_t)(view->feature_first + i);
    }
    struct row_read_at at = {
        .q_us = q_us, .fold_us = fold_us, .since_us = since_us, .waiting = row->waiting};
    struct text_space texts = {
        .data = bench->strings, .size = sizeof(bench->strings), .list_left = 1 << 19};
    memcpy(bench->settled, row->words, (size_t)row->lines * CACHE_LINE_BYTES);
    uint32_t lines =
        row_read_settle(view, bench->settled, row->lines, ROW_LINES_MAX, &at, &bench->space);
    struct row_asked asked;
    row_asked_init(&asked, bench->plan, view, feature, view->feature_count);
    row_read(&asked, bench->settled, lines, &at, bench->actual, &bench->space, &texts);
    for (uint32_t i = 0; i < view->feature_count; i++) {
        const struct plan_feature *f = &bench->plan->feature[feature[i]];
        const struct answer *expected =
            &bench->expected[f->window * view->aggregate_count + f->aggregate];
        if (!answer_good(view, f, expected, &bench->actual[i], q_us < fold_us)) {
            failure_print(bench, feature[i], q_us, fold_us);
            fail();
        }
    }
    return answers_hash(bench);
}

static int64_t query_make(struct bench *bench, int64_t base_us, int64_t span_us)
{
    const struct plan_view *view = bench->view;
    switch (random_below(&bench->random, 3)) {
    case 0:
        return time_make(bench, base_us, span_us + 7200 * SECOND);
    case 1: {
        int64_t width_us = view->window[random_below(&bench->random, view->window_count)].width_us;
        return bench->event[random_below(&bench->random, bench->count)].time_us + width_us +
               (int64_t)random_below(&bench->random, 3) - 1;
    }
    default:
        return bench->event[random_below(&bench->random, bench->count)].time_us +
               (int64_t)random_below(&bench->random, 3) - 1;
    }
}

static void permutation_make(struct bench *bench, bool sorted, uint32_t *permutation)
{
    for (uint32_t i = 0; i < bench->count; i++) {
        uint32_t at = i;
        if (!sorted) {
            at = (uint32_t)random_below(&bench->random, i + 1);
        } else {
            while (at > 0 && bench->event[permutation[at - 1]].time_us > bench->event[i].time_us) {
                at--;
            }
        }
        if (sorted) {
            memmove(&permutation[at + 1], &permutation[at], (i - at) * sizeof(*permutation));
            permutation[at] = i;
        } else {
            permutation[i] = permutation[at];
            permutation[at] = i;
        }
    }
}

/* Whether events of the view may wait in front of its cells. */
static bool view_lets_wait(const struct plan_view *view)
{
    return view->exact_us == 0 && view->run_count == 0;
}

static void case_check(struct bench *bench, uint64_t seed)
{
    static const int64_t bases[] = {0, INT64_C(1700000000000000), -INT64_C(1000000000000)};
    static const int64_t spans[] = {30, 600, 7200, 100000};
    bench->seed = seed;
    random_seed(&bench->random, seed);
    plan_make(bench);
    int64_t base_us = bases[random_below(&bench->random, ARRAY_COUNT(bases))];
    int64_t span_us = spans[random_below(&bench->random, ARRAY_COUNT(spans))] * SECOND;
    events_make(bench, base_us, span_us);
    singles_make(bench);

    int64_t history_us = (int64_t)random_below(&bench->random, (uint64_t)span_us + 1);
    uint64_t ahead_us = chance(bench, 50) ? 0 : (uint64_t)span_us;
    int64_t final_us =
        base_us + (int64_t)random_below(&bench->random, (uint64_t)(2 * span_us)) - history_us;
    uint32_t permutation[EVENTS_MAX];
    struct built_row row[3];
    int64_t fold_us = INT64_MIN;
    for (uint32_t i = 0; i < 3; i++) {
        bool waits = i == 2 && view_lets_wait(bench->view);
        uint32_t count =
            waits ? (uint32_t)random_below(&bench->random, bench->count) : bench->count;
        permutation_make(bench, i == 0, permutation);
        int64_t reached_us =
            row_build(bench, permutation, count, history_us, ahead_us, final_us, &row[i]);
        fold_us = reached_us > fold_us ? reached_us : fold_us;
        row_wait(bench, permutation, count, &row[i]);
    }
    for (uint32_t i = 0; i < QUERIES; i++) {
        int64_t q_us = query_make(bench, base_us, span_us);
        if (q_us < fold_us && chance(bench, 50)) {
            q_us = fold_us + (int64_t)random_below(&bench->random, 2);
        }
        int64_t since_us = chance(bench, 50) ? INT64_MIN : query_make(bench, base_us, span_us);
        uint64_t one = row_compare(bench, &row[0], q_us, fold_us, since_us);
        if (row_compare(bench, &row[1], q_us, fold_us, since_us) != one ||
            row_compare(bench, &row[2], q_us, fold_us, since_us) != one) {
            fprintf(stderr, "SEED=%llu answers of three orders differ at q %lld, fold %lld\n",
                    (unsigned long long)seed, (long long)q_us, (long long)fold_us);
            fail();
        }
    }
    struct ladder ladder;
    ladder_init(bench->view, fold_us, &ladder);
    uint64_t hash[2];
    for (uint32_t i = 0; i < 2; i++) {
        hash[i] = row_state_hash(bench->view, &ladder, row[i].words, row[i].lines, bench->scratch,
                                 ROW_LINES_MAX, &bench->space.fold);
    }
    for (uint32_t i = 0; i < 3; i++) {
        free(row[i].words);
    }
    if (hash[0] != hash[1]) {
        fprintf(stderr, "SEED=%llu state hashes of two orders differ\n", (unsigned long long)seed);
        fail();
    }
}

static void rows_answer_as_the_oracle_in_any_order(void **state)
{
    struct bench *bench = *state;
    uint64_t rounds = number_of("ROUNDS", 300);
    if (getenv("SEED") != NULL) {
        case_check(bench, number_of("SEED", 0));
        return;
    }
    for (uint64_t seed = 1; seed <= rounds; seed++) {
        case_check(bench, seed);
    }
}

/* Cells of random events, by the order given. */
static void cell_build(struct bench *bench, const uint32_t *at, uint32_t count, uint64_t *cell)
{
    cell_clear(bench->view, cell, 0);
    for (uint32_t i = 0; i < count; i++) {
        cell_add(bench->view, cell, bench->single[at[i]]);
    }
}

static void cells_merge_lawfully(void **state)
{
    struct bench *bench = *state;
    uint64_t(*cell)[CELL_WORDS_MAX] = bench->cell;
    for (uint64_t seed = number_of("SEED", 1), end = seed + 500; seed < end; seed++) {
        bench->seed = seed;
        random_seed(&bench->random, seed);
        plan_make(bench);
        events_make(bench, 0, 30 * SECOND);
        singles_make(bench);
        assert_true(bench->view->cell_words <= CELL_WORDS_MAX);
        size_t size = bench->view->cell_words * sizeof(uint64_t);
        uint32_t permutation[EVENTS_MAX];
        permutation_make(bench, false, permutation);
        uint32_t x = (uint32_t)random_below(&bench->random, bench->count + 1);
        uint32_t y = x + (uint32_t)random_below(&bench->random, bench->count - x + 1);
        const struct plan_view *view = bench->view;

        cell_build(bench, permutation, bench->count, cell[0]);
        /* (a b) c = a (b c) = add(a ++ b ++ c) */
        cell_build(bench, permutation, x, cell[1]);
        cell_build(bench, permutation + x, y - x, cell[2]);
        cell_build(bench, permutation + y, bench->count - y, cell[3]);
        memcpy(cell[4], cell[1], size);
        cell_merge(view, cell[4], cell[2]);
        cell_merge(view, cell[4], cell[3]);
        memcpy(cell[5], cell[2], size);
        cell_merge(view, cell[5], cell[3]);
        cell_merge(view, cell[5], cell[1]); /* Commuted too. */
        bool associative = memcmp(cell[0], cell[4], size) == 0;
        bool commutative = memcmp(cell[0], cell[5], size) == 0;
        /* Identity on both sides. */
        cell_clear(view, cell[1], 0);
        memcpy(cell[2], cell[1], size);
        cell_merge(view, cell[2], cell[0]);
        cell_merge(view, cell[4], cell[1]);
        bool identity = memcmp(cell[0], cell[2], size) == 0 && memcmp(cell[0], cell[4], size) == 0;
        /* Any order of adding. */
        permutation_make(bench, true, permutation);
        cell_build(bench, permutation, bench->count, cell[3]);
        bool unordered = memcmp(cell[0], cell[3], size) == 0;
        if (!associative || !commutative || !identity || !unordered) {
            fprintf(stderr, "SEED=%llu associative %d commutative %d identity %d unordered %d\n",
                    (unsigned long long)seed, associative, commutative, identity, unordered);
            fail();
        }
    }
}

/* The shortest digits that read back are found here by trying all lengths. */
static void every_view_and_count_fits_the_meta_word(void **state)
{
    (void)state;
    uint64_t row[LINE_WORDS] = {0};
    for (uint32_t view = 0; view < VIEWS_MAX; view++) {
        for (uint32_t flags = 0; flags < 4; flags++) {
            const struct row_meta meta = {
                .slot = (uint16_t)(16383 - view),
                .key_size = (uint16_t)(ROW_KEY_SIZE_MAX - view % ROW_KEY_SIZE_MAX),
                .view = (uint16_t)view,
                .has_floor = (flags & 1) != 0,
                .walk_due = (flags & 2) != 0,
                .single_count = (uint16_t)(view * 8 % 8192),
                .cell_count = (uint16_t)(ROW_CELLS_MAX - view)};
            row_meta_store(row, meta);
            struct row_meta again = row_meta_load(row);
            assert_int_equal(again.slot, meta.slot);
            assert_int_equal(again.key_size, meta.key_size);
            assert_int_equal(again.view, meta.view);
            assert_int_equal(again.has_floor, meta.has_floor);
            assert_int_equal(again.walk_due, meta.walk_due);
            assert_int_equal(again.single_count, meta.single_count);
            assert_int_equal(again.cell_count, meta.cell_count);
            for (uint32_t other = 0; other < VIEWS_MAX; other++) {
                bool same =
                    (row[ROW_META] & ROW_META_MATCH_MASK) == row_meta_match(other, meta.key_size);
                assert_int_equal(same, other == view);
            }
        }
    }
}

/* As rows were written when a plan had at most 64 views: slot 14 bits | key size 11 | view 6 | 0 |
 * walk due | floor | singles 13 | cells 16. */
static void a_meta_word_of_old_tile_files_reads_as_it_was_written(void **state)
{
    (void)state;
    for (uint64_t view = 0; view < 64; view++) {
        uint64_t row[LINE_WORDS] = {0};
        row[ROW_META] = (view * 200) << 50 | (view + 8) << 39 | view << 33 | (view & 1) << 30 |
                        (view >> 1 & 1) << 29 | (view * 100) << 16 | view * 250;
        struct row_meta meta = row_meta_load(row);
        assert_int_equal(meta.slot, view * 200);
        assert_int_equal(meta.key_size, view + 8);
        assert_int_equal(meta.view, view);
        assert_int_equal(meta.walk_due, view & 1);
        assert_int_equal(meta.has_floor, view >> 1 & 1);
        assert_int_equal(meta.single_count, view * 100);
        assert_int_equal(meta.cell_count, view * 250);
    }
}

static void doubles_print_in_their_shortest_form(void **state)
{
    struct bench *bench = *state;
    random_seed(&bench->random, number_of("SEED", 1));
    for (uint32_t i = 0; i < 20000; i++) {
        union {
            uint64_t bits;
            double real;
        } value = {.bits = random_next(&bench->random)};
        if (chance(bench, 50)) {
            value.real = (double)(int64_t)random_below(&bench->random, 1000000) / 1000;
        }
        if ((value.bits >> 52 & 0x7ff) == 0x7ff) {
            continue;
        }
        struct answer answer = {.kind = VALUE_DOUBLE, .real = value.real};
        char text[ANSWER_TEXT_SIZE_MAX];
        uint32_t size = answer_format(&answer, text);
        text[size] = '\0';
        char tried[64];
        int digits = 0;
        do {
            snprintf(tried, sizeof(tried), "%.*e", digits++, value.real);
        } while (strtod(tried, NULL) != value.real);
        int shown = 0;
        int pending = 0;
        for (const char *c = text; *c != '\0' && *c != 'e'; c++) {
            if (*c >= '1' && *c <= '9') {
                shown += pending + 1;
                pending = 0;
            } else if (*c == '0' && shown > 0) {
                pending++;
            }
        }
        if (strtod(text, NULL) != value.real || (value.real != 0 && shown != digits)) {
            fprintf(stderr, "%a printed as %s, shortest %s\n", value.real, text, tried);
            fail();
        }
    }
}

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    bench->plan = calloc(1, sizeof(*bench->plan));
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    free(bench->plan);
    free(bench);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_answer_as_the_oracle_in_any_order),
        cmocka_unit_test(cells_merge_lawfully),
        cmocka_unit_test(every_view_and_count_fits_the_meta_word),
        cmocka_unit_test(a_meta_word_of_old_tile_files_reads_as_it_was_written),
        cmocka_unit_test(doubles_print_in_their_shortest_form),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
