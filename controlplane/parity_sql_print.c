#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "controlplane/json_text.h"
#include "controlplane/parity_sql_inside.h"
#include "controlplane/verb.h"
#include "dataplane/feature/exact_format.h"

#define DIFFERENCES_SHOWN_MAX 20u
#define VALUE_SHOWN_MAX       200u

/* "view.feature" */
static void name_format(const struct parity_sql *parity, uint32_t feature, char *out, size_t size)
{
    const struct plan *plan = &parity->config->plan;
    (void)snprintf(out, size, "%s.%s", plan->view[plan->feature[feature].view].name,
                   plan->feature[feature].name);
}

static void answer_show(const struct answer *answer, char out[VALUE_SHOWN_MAX])
{
    char space[ANSWER_TEXT_SIZE_MAX];
    uint32_t size;
    if (answer->status == ANSWER_NOT_FOUND || answer->kind == VALUE_NULL) {
        (void)snprintf(out, VALUE_SHOWN_MAX, "%s", answer_status_name(answer->status));
        return;
    }
    const char *text = answer_text(answer, space, &size);
    (void)snprintf(out, VALUE_SHOWN_MAX, "%.*s", (int)size, text);
}

static void cell_show(const struct parity_column *column, const struct parity_cell *cell,
                      char out[VALUE_SHOWN_MAX])
{
    if (cell == NULL || cell->is_null) {
        (void)snprintf(out, VALUE_SHOWN_MAX, "%s", cell == NULL ? "no row" : "null");
    } else if (column->shape == PARITY_DOUBLE && __builtin_isfinite(cell->real)) {
        out[exact_format_double(cell->real, out)] = '\0';
    } else if (column->shape == PARITY_DOUBLE) {
        (void)snprintf(out, VALUE_SHOWN_MAX, "%f", cell->real);
    } else {
        (void)snprintf(out, VALUE_SHOWN_MAX, "%.*s", (int)cell->size, cell->text);
    }
}

/* One value on its line: control bytes as `?`. */
static void line_make(char *text)
{
    for (; *text != '\0'; text++) {
        bool plain = (unsigned char)*text >= ' ' && *text != 0x7f;
        *text = plain ? *text : '?';
    }
}

static void difference_tell(struct parity_sql *parity, uint32_t feature,
                            const struct parity_moment *moment, const char *id,
                            const struct answer *answer, const struct parity_column *column,
                            const struct parity_cell *cell)
{
    const char *entity = parity->config->plan.view[parity->view].entity;
    bool is_true = parity->events == PARITY_EVENTS_TRUE;
    char name[NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX];
    char value[2][VALUE_SHOWN_MAX];
    name_format(parity, feature, name, sizeof(name));
    answer_show(answer, value[0]);
    cell_show(column, cell, value[1]);
    if (parity->options->json) {
        json_t *key = json_pack("{s:s, s:o}", "entity", entity, "id", json_text(id));
        (void)json_array_append_new(parity->differences,
                                    json_pack("{s:s, s:o, s:I, s:s, s:o, s:o}", "feature", name,
                                              "key", key, "q", (json_int_t)moment->at_us, "as",
                                              is_true ? "true" : "known", "freshet",
                                              json_text(value[0]), "sql", json_text(value[1])));
        return;
    }
    char shown_id[VALUE_SHOWN_MAX];
    (void)snprintf(shown_id, sizeof(shown_id), "%s", id);
    line_make(shown_id);
    line_make(value[0]);
    line_make(value[1]);
    printf("%s of %s:%s at %" PRId64 ", as %s: Freshet has %s, SQL %s\n", name, entity, shown_id,
           moment->at_us, is_true ? "true" : "known", value[0], value[1]);
}

void parity_sql_count(struct parity_sql *parity, uint32_t feature, enum parity_match match,
                      const struct parity_moment *moment, const char *id,
                      const struct answer *answer, const struct parity_column *column,
                      const struct parity_cell *cell)
{
    struct parity_count *count = &parity->count[parity->feature[feature]];
    if (match == PARITY_MATCH_EQUAL) {
        count->equal++;
    } else if (match == PARITY_MATCH_NEAR) {
        count->near++;
    } else {
        count->different++;
        if (parity->different++ < DIFFERENCES_SHOWN_MAX) {
            difference_tell(parity, parity->feature[feature], moment, id, answer, column, cell);
        }
    }
}

void parity_sql_leave_out(struct parity_sql *parity, uint32_t feature)
{
    parity->count[parity->feature[feature]].left_out++;
}

static uint64_t compared(const struct parity_count *count)
{
    return count->equal + count->near + count->different;
}

static struct parity_count sum_of(const struct parity_sql *parity)
{
    struct parity_count sum = {.equal = 0};
    for (uint32_t f = 0; f < parity->config->plan.feature_count; f++) {
        sum.equal += parity->count[f].equal;
        sum.near += parity->count[f].near;
        sum.different += parity->count[f].different;
        sum.left_out += parity->count[f].left_out;
    }
    return sum;
}

static json_t *count_json(const struct parity_count *count)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "compared", (json_int_t)compared(count), "equal",
                     (json_int_t)count->equal, "near", (json_int_t)count->near, "different",
                     (json_int_t)count->different, "left_out", (json_int_t)count->left_out);
}

static void print_json(const struct parity_sql *parity, const struct parity_count *sum)
{
    json_t *features = json_object();
    for (uint32_t f = 0; f < parity->config->plan.feature_count; f++) {
        char name[NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX];
        if (compared(&parity->count[f]) + parity->count[f].left_out > 0) {
            name_format(parity, f, name, sizeof(name));
            (void)json_object_set_new(features, name, count_json(&parity->count[f]));
        }
    }
    json_t *all = count_json(sum);
    (void)json_object_set_new(all, "moments_known",
                              json_integer((json_int_t)parity->moments_known));
    (void)json_object_set_new(all, "features", features);
    (void)json_object_set(all, "differences", parity->differences);
    (void)json_dumpf(all, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(all);
}

static void row_print(const char *name, const struct parity_count *count)
{
    printf("%-40s %10" PRIu64 " %10" PRIu64 " %8" PRIu64 " %10" PRIu64 " %9" PRIu64 "\n", name,
           compared(count), count->equal, count->near, count->different, count->left_out);
}

static void print_text(const struct parity_sql *parity, const struct parity_count *sum)
{
    if (parity->different > DIFFERENCES_SHOWN_MAX) {
        printf("... and %" PRIu64 " more that differ\n", parity->different - DIFFERENCES_SHOWN_MAX);
    }
    printf("%-40s %10s %10s %8s %10s %9s\n", "feature", "compared", "equal", "near", "different",
           "left out");
    for (uint32_t f = 0; f < parity->config->plan.feature_count; f++) {
        char name[NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX];
        if (compared(&parity->count[f]) + parity->count[f].left_out > 0) {
            name_format(parity, f, name, sizeof(name));
            row_print(name, &parity->count[f]);
        }
    }
    row_print("all", sum);
}

int parity_sql_print(const struct parity_sql *parity)
{
    struct parity_count sum = sum_of(parity);
    if (parity->options->json) {
        print_json(parity, &sum);
    } else {
        print_text(parity, &sum);
    }
    if (compared(&sum) == 0) {
        (void)fprintf(stderr, "freshet parity --sql: nothing could be compared\n");
    }
    return sum.different == 0 && compared(&sum) > 0 ? VERB_EXIT_OK : VERB_EXIT_FAILED;
}
