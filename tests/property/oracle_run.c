#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/property/oracle.h"

bool oracle_is_run(const struct plan_aggregate *aggregate)
{
    return aggregate->by != 0 || aggregate->kind > AGGREGATE_stddev_samp;
}

static bool is_null(const struct oracle_event *event, uint32_t field)
{
    return (event->null_mask >> field & 1) != 0;
}

/* The type of a field is not in the view: aggregates say that of their own. */
struct column {
    uint8_t field;
    enum field_type type;
    uint8_t scale;
};

static int value_compare(const struct column *column, const struct oracle_event *a,
                         const struct oracle_event *b)
{
    if (column->type == FIELD_TYPE_string) {
        return memcmp(a->text[column->field], b->text[column->field], ORACLE_TEXT_SIZE);
    }
    int64_t x = a->value[column->field];
    int64_t y = b->value[column->field];
    if (column->type == FIELD_TYPE_u64) {
        return (uint64_t)x < (uint64_t)y ? -1 : (uint64_t)x > (uint64_t)y;
    }
    return x < y ? -1 : x > y;
}

static int bits_compare(const struct column *column, const struct oracle_event *a,
                        const struct oracle_event *b)
{
    struct column bits = *column;
    bits.type = column->type == FIELD_TYPE_string ? FIELD_TYPE_string : FIELD_TYPE_u64;
    return value_compare(&bits, a, b);
}

static int order_compare(const struct oracle_event *a, const struct oracle_event *b)
{
    if (a->time_us != b->time_us) {
        return a->time_us < b->time_us ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

/* The value as JSON has it; numbers and doubles print as the product prints single ones, which
 * tests/unit/test_answer.c and this suite look at by themselves. */
static char *value_print(const struct column *column, const struct oracle_event *event, char *out)
{
    if (column->type == FIELD_TYPE_string) {
        const unsigned char *text = (const unsigned char *)event->text[column->field];
        size_t size = strnlen((const char *)text, ORACLE_TEXT_SIZE);
        *out++ = '"';
        for (size_t i = 0; i < size; i++) {
            /* Test texts are ASCII, or broken in each byte that is not. */
            if (text[i] == '"' || text[i] == '\\') {
                out += sprintf(out, "\\%c", text[i]);
            } else if (text[i] < 0x20) {
                out += sprintf(out, "\\u%04x", text[i]);
            } else if (text[i] >= 0x80) {
                out += sprintf(out, "\xef\xbf\xbd");
            } else {
                *out++ = (char)text[i];
            }
        }
        *out++ = '"';
        return out;
    }
    struct plan_aggregate first = {.kind = AGGREGATE_first,
                                   .field = column->field,
                                   .type = column->type,
                                   .scale = column->scale};
    struct answer answer = {.kind = VALUE_NULL};
    oracle_cell_answer(&first, &event, 1, &answer);
    return out + answer_format(&answer, out);
}

static void list_set(struct answer *answer, char **texts, char *end)
{
    answer->kind = VALUE_LIST;
    answer->status = ANSWER_PRESENT;
    answer->text = *texts;
    answer->text_size = (uint32_t)(end - *texts);
    *texts = end;
}

/* What qsort() cannot be told otherwise. */
static struct {
    const struct column *column;
    enum aggregate_kind kind;
} sorting;

static int rank_compare(const void *left, const void *right)
{
    const struct oracle_event *a = *(const struct oracle_event *const *)left;
    const struct oracle_event *b = *(const struct oracle_event *const *)right;
    int order = order_compare(a, b);
    int value = value_compare(sorting.column, a, b);
    int bits = bits_compare(sorting.column, a, b);
    if (sorting.kind == AGGREGATE_last_k || sorting.kind == AGGREGATE_last_k_distinct) {
        return order != 0 ? -order : -bits;
    }
    if (sorting.kind == AGGREGATE_first_k || sorting.kind == AGGREGATE_first_k_distinct) {
        return order != 0 ? order : bits;
    }
    return sorting.kind == AGGREGATE_top_k ? -value : value;
}

/* Index of the first event before i with the same value; i: there is none. */
static uint32_t same_before(const struct column *column, const struct oracle_event **event,
                            uint32_t i)
{
    uint32_t j = 0;
    while (j < i && value_compare(column, event[j], event[i]) != 0) {
        j++;
    }
    return j;
}

static void ranked_answer(const struct plan_aggregate *aggregate, const struct column *column,
                          const struct oracle_event **event, uint32_t count, char **texts,
                          struct answer *answer)
{
    bool distinct = aggregate->kind == AGGREGATE_last_k_distinct ||
                    aggregate->kind == AGGREGATE_first_k_distinct;
    char *out = *texts;
    int64_t taken = 0;
    sorting.column = column;
    sorting.kind = aggregate->kind;
    qsort(event, count, sizeof(*event), rank_compare);
    *out++ = '[';
    for (uint32_t i = 0; i < count && taken < aggregate->parameter; i++) {
        if (!distinct || same_before(column, event, i) == i) {
            out += sprintf(out, taken++ > 0 ? "," : "");
            out = value_print(column, event[i], out);
        }
    }
    *out++ = ']';
    list_set(answer, texts, out);
}

static void quantile_answer(const struct plan_aggregate *aggregate, const struct column *column,
                            const struct oracle_event **event, uint32_t count,
                            struct answer *answer)
{
    sorting.column = column;
    sorting.kind = AGGREGATE_bottom_k;
    qsort(event, count, sizeof(*event), rank_compare);
    uint64_t rank = ((uint64_t)count * (uint64_t)aggregate->parameter + 999999) / 1000000;
    struct plan_aggregate first = *aggregate;
    first.kind = AGGREGATE_first;
    oracle_cell_answer(&first, &event[rank - 1], 1, answer);
}

/* For each different value of the column, in ascending order: how many, and what the aggregate says
 * of them. */
static void object_answer(const struct plan_aggregate *aggregate, const struct column *column,
                          const struct oracle_event **event, uint32_t count, char **texts,
                          struct answer *answer)
{
    char *out = *texts;
    sorting.column = column;
    sorting.kind = AGGREGATE_bottom_k;
    qsort(event, count, sizeof(*event), rank_compare);
    struct plan_aggregate inner = *aggregate;
    inner.by = 0;
    if (aggregate->kind == AGGREGATE_histogram) {
        inner.kind = AGGREGATE_count;
        inner.field = FIELD_NONE;
    }
    *out++ = '{';
    for (uint32_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && value_compare(column, event[i], event[next]) == 0;) {
            next++;
        }
        bool quoted = column->type == FIELD_TYPE_string;
        struct answer value = {.kind = VALUE_NULL};
        out += sprintf(out, "%s%s", i > 0 ? "," : "", quoted ? "" : "\"");
        out = value_print(column, event[i], out);
        out += sprintf(out, "%s:", quoted ? "" : "\"");
        oracle_cell_answer(&inner, &event[i], next - i, &value);
        if (value.kind == VALUE_STRING) {
            struct column text = {.field = aggregate->field, .type = FIELD_TYPE_string};
            struct oracle_event fake = {0};
            memcpy(fake.text[text.field], value.text, value.text_size);
            out = value_print(&text, &fake, out);
        } else if (value.kind == VALUE_NULL) {
            out += sprintf(out, "null");
        } else {
            out += answer_format(&value, out);
        }
    }
    *out++ = '}';
    list_set(answer, texts, out);
}

static void top_n_answer(const struct plan_aggregate *aggregate, const struct column *column,
                         const struct oracle_event **event, uint32_t count, char **texts,
                         struct answer *answer)
{
    uint32_t frequency[ORACLE_EVENTS_MAX] = {0};
    char *out = *texts;
    sorting.column = column;
    sorting.kind = AGGREGATE_bottom_k;
    qsort(event, count, sizeof(*event), rank_compare);
    for (uint32_t i = 0; i < count; i++) {
        frequency[same_before(column, event, i)]++;
    }
    *out++ = '[';
    for (int64_t n = 0; n < aggregate->parameter; n++) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < count; i++) {
            best = frequency[i] > frequency[best] ? i : best;
        }
        if (frequency[best] == 0) {
            break;
        }
        frequency[best] = 0;
        out += sprintf(out, n > 0 ? "," : "");
        out = value_print(column, event[best], out);
    }
    *out++ = ']';
    list_set(answer, texts, out);
}

static void decayed_answer(const struct oracle_window *window,
                           const struct plan_aggregate *aggregate, struct answer *answer)
{
    long double sum = 0;
    long double magnitude = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < window->count; i++) {
        const struct oracle_event *event = window->event[i];
        if (is_null(event, aggregate->field)) {
            continue;
        }
        int64_t value = event->value[aggregate->field];
        bool is_unsigned = aggregate->type == FIELD_TYPE_u64;
        long double age = (long double)window->q_us - window->tile_us[i];
        long double x = is_unsigned ? (long double)(uint64_t)value : (long double)value;
        long double weight = age <= 0 ? 1 : exp2l(-age / aggregate->parameter);
        sum += x * weight;
        magnitude += fabsl(x) * (weight + 1e-8L); /* Beyond 2^-60 all is nothing. */
        n++;
    }
    if (n == 0) {
        return;
    }
    long double scale = powl(10, aggregate->scale);
    double tolerance = (double)(magnitude / scale);
    answer->kind = VALUE_DOUBLE;
    answer->status = ANSWER_PRESENT;
    answer->real = (double)(sum / scale);
    memcpy(&answer->number.word[0], &tolerance, sizeof(tolerance));
}

void oracle_run_answer(const struct oracle_window *window, const struct plan_aggregate *aggregate,
                       char **texts, struct answer *answer)
{
    const struct oracle_event *event[ORACLE_EVENTS_MAX];
    struct column column = {
        .field = aggregate->field, .type = aggregate->type, .scale = aggregate->scale};
    if (aggregate->by != 0) {
        const struct plan_run *run = &window->view->run[aggregate->run];
        column = (struct column){
            .field = (uint8_t)(aggregate->by - 1), .type = run->type, .scale = run->scale};
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < window->count; i++) {
        if (!is_null(window->event[i], column.field)) {
            event[count++] = window->event[i];
        }
    }
    answer->kind = VALUE_NULL;
    answer->status = ANSWER_NULL_VALUE;
    bool counts = aggregate->by == 0 && (aggregate->kind == AGGREGATE_distinct ||
                                         aggregate->kind == AGGREGATE_approx_distinct);
    if (counts) {
        uint64_t different = 0;
        for (uint32_t i = 0; i < count; i++) {
            different += same_before(&column, event, i) == i;
        }
        answer->kind = VALUE_NUMBER;
        answer->status = ANSWER_PRESENT;
        answer->number = (struct wide){.word = {different}};
    } else if (count == 0) {
        return;
    } else if (aggregate->by != 0 || aggregate->kind == AGGREGATE_histogram) {
        object_answer(aggregate, &column, event, count, texts, answer);
    } else if (aggregate->kind == AGGREGATE_quantile) {
        quantile_answer(aggregate, &column, event, count, answer);
    } else if (aggregate->kind == AGGREGATE_top_n) {
        top_n_answer(aggregate, &column, event, count, texts, answer);
    } else if (aggregate->kind == AGGREGATE_decayed_sum) {
        decayed_answer(window, aggregate, answer);
    } else {
        ranked_answer(aggregate, &column, event, count, texts, answer);
    }
}
