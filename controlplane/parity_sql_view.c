/* One moment of a view: its statement over the tables of what was drawn, row by row beside what
 * Freshet answers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/parity_sql_inside.h"
#include "controlplane/sql_feature.h"
#include "controlplane/sql_run.h"
#include "controlplane/sql_view.h"
#include "drivers/memory.h"

/* Sums are divided as doubles; what is derived is computed from such. */
#define UNITS_DIVIDED 2u
#define UNITS_DERIVED 4u

static bool kind_is_approximate(enum aggregate_kind kind)
{
    return kind == AGGREGATE_approx_distinct || kind == AGGREGATE_quantile ||
           kind == AGGREGATE_decayed_sum || !sql_aggregate_is_known(kind);
}

static bool kind_is_divided(enum aggregate_kind kind)
{
    return kind == AGGREGATE_avg || kind == AGGREGATE_var_pop || kind == AGGREGATE_var_samp ||
           kind == AGGREGATE_stddev_pop || kind == AGGREGATE_stddev_samp;
}

static uint32_t base_count(const struct plan_view *view)
{
    return (uint32_t)view->aggregate_count * view->window_count;
}

static bool place_is_approximate(const struct plan_view *view, uint32_t place)
{
    if (place < base_count(view)) {
        return kind_is_approximate(view->aggregate[place / view->window_count].kind);
    }
    const struct plan_derived *derived = &view->derived[place - base_count(view)];
    for (uint64_t rest = derived->inputs; rest != 0; rest &= rest - 1) {
        uint32_t input = view->derived_program.input[__builtin_ctzll(rest)];
        if (kind_is_approximate(view->aggregate[input / view->window_count].kind)) {
            return true;
        }
    }
    return false;
}

void parity_sql_features(struct parity_sql *parity, uint32_t view)
{
    const struct plan_view *v = &parity->config->plan.view[view];
    parity->view = view;
    parity->feature_count = 0;
    for (uint32_t place = 0; place < base_count(v) + v->derived_count; place++) {
        if (!place_is_approximate(v, place)) {
            parity->feature[parity->feature_count] = (uint16_t)(v->feature_first + place);
            parity->place[parity->feature_count++] = place;
        }
    }
}

static uint32_t units_allowed(const struct plan_view *view, uint32_t place)
{
    if (place >= base_count(view)) {
        return UNITS_DERIVED;
    }
    return kind_is_divided(view->aggregate[place / view->window_count].kind) ? UNITS_DIVIDED : 0;
}

static enum result refuse(const struct parity_sql *parity, const char *why,
                          char error[PARITY_ERROR_SIZE_MAX])
{
    (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "view `%s`: %.1024s",
                   parity->config->plan.view[parity->view].name, why);
    return RESULT_INVALID;
}

/* The answers of all keys as a table "#answers". */
static enum result answers_make(struct parity_sql *parity, int64_t at_us,
                                char error[PARITY_ERROR_SIZE_MAX])
{
    struct buffer sql;
    struct sql_problem problem = {.text = ""};
    char why[DUCKDB_ERROR_SIZE_MAX];
    buffer_init(&sql, 0);
    buffer_text(&sql, "CREATE OR REPLACE TEMP TABLE \"#answers\" AS\n");
    sql_view_write(&parity->config->plan, &parity->texts, parity->view, &at_us, &sql, &problem);
    enum result result = problem.text[0] != '\0' ? refuse(parity, problem.text, error)
                                                 : sql_run(parity->mirror.database, &sql, why);
    buffer_deinit(&sql);
    return result == RESULT_OK || problem.text[0] != '\0' ? result : refuse(parity, why, error);
}

/* Their columns, those of the compared features, and the statement that reads them behind the id.
 */
struct reading {
    struct parity_column column[PARITY_FEATURES_MAX];
    struct buffer select;
};

/* A feature's column, of which DuckDB says the name and the type. */
static void column_take(struct parity_sql *parity, struct reading *reading, uint32_t feature,
                        const char *type, uint32_t type_size)
{
    char name[SQL_NAME_SIZE_MAX];
    struct parity_column *column = &reading->column[feature];
    *column = parity_column_of(type, type_size);
    sql_feature_name(&parity->config->plan, parity->view, parity->place[feature], "", name);
    buffer_text(&reading->select, ", ");
    parity_column_write(column, type, type_size, name, &reading->select);
}

static void select_begin(const struct parity_sql *parity, struct buffer *out)
{
    buffer_text(out, "SELECT ");
    parity_id_write(&parity->config->plan.view[parity->view], out);
    buffer_text(out, " AS \"#id\"");
}

static void select_end(const struct parity_sql *parity, struct buffer *out)
{
    const struct plan *plan = &parity->config->plan;
    const struct plan_view *view = &plan->view[parity->view];
    buffer_text(out, " FROM (SELECT *");
    for (uint32_t i = 0; i < view->key_count; i++) {
        buffer_format(out, ", \"%s\" AS \"#key_%" PRIu32 "\"",
                      plan->stream[view->stream].schema.field[view->key_field[i]].name, i + 1);
    }
    buffer_text(out, " FROM \"#answers\") ORDER BY \"#id\"");
}

/* Types of "#answers", whose columns are the key and then all features in their order. */
static enum result columns_read(struct parity_sql *parity, struct reading *reading,
                                char error[PARITY_ERROR_SIZE_MAX])
{
    static const char sql[] = "SELECT data_type FROM duckdb_columns() WHERE table_name = "
                              "'#answers' ORDER BY column_index";
    char why[DUCKDB_ERROR_SIZE_MAX];
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk = {.rows = 0};
    uint32_t keys = parity->config->plan.view[parity->view].key_count;
    uint32_t row = 0;
    uint32_t feature = 0;
    enum result result = duckdb_rows_open(parity->mirror.database, sql, &rows, why);
    if (result != RESULT_OK) {
        return refuse(parity, why, error);
    }
    select_begin(parity, &reading->select);
    do {
        result = duckdb_rows_next(rows, &chunk, why);
        for (uint32_t r = 0; result == RESULT_OK && r < chunk.rows; r++, row++) {
            bool is_wanted =
                feature < parity->feature_count && row == keys + parity->place[feature];
            if (is_wanted) {
                uint32_t size;
                const char *type = duckdb_value_text(&chunk.vector[0], r, &size);
                column_take(parity, reading, feature++, type, size);
            }
        }
    } while (result == RESULT_OK && chunk.rows > 0);
    duckdb_rows_close(rows);
    select_end(parity, &reading->select);
    if (result != RESULT_OK || feature != parity->feature_count) {
        return refuse(parity, result != RESULT_OK ? why : "its columns cannot be read", error);
    }
    return RESULT_OK;
}

/* Where the window ends that SQL has. */
static int64_t end_of(const struct plan_view *view, const struct plan_window *window, int64_t q_us)
{
    if (window->kind == WINDOW_HOPPING) {
        int64_t rest = q_us % window->step_us;
        return q_us - rest - (rest < 0 ? window->step_us : 0);
    }
    return q_us + (view->edges == EDGES_CLOSED_CLOSED ? 1 : 0);
}

/* By Freshet's own word: a cap or a time long past made it approximate, or its end says that events
 * behind the moment are in it. Of a derived feature, that of what it reads. */
static bool is_left_out(const struct parity_sql *parity, uint32_t feature, int64_t q_us,
                        const struct answer *answer)
{
    const struct plan_view *view = &parity->config->plan.view[parity->view];
    uint32_t place = parity->place[feature];
    const struct answer *own = &answer[feature];
    if (own->status == ANSWER_NOT_FOUND) {
        return false;
    }
    if ((own->flags & ANSWER_FLAG_APPROXIMATE) != 0) {
        return true;
    }
    if (place < base_count(view)) {
        return own->end_us != end_of(view, &view->window[place % view->window_count], q_us);
    }
    const struct plan_derived *derived = &view->derived[place - base_count(view)];
    for (uint64_t rest = derived->inputs; rest != 0; rest &= rest - 1) {
        uint32_t input = view->derived_program.input[__builtin_ctzll(rest)];
        for (uint32_t f = 0; f < feature; f++) {
            if (parity->place[f] == input && is_left_out(parity, f, q_us, answer)) {
                return true;
            }
        }
    }
    return false;
}

/* Empty windows of a row that only later events keep. */
static bool is_nothing(const struct answer *answer)
{
    char space[ANSWER_TEXT_SIZE_MAX];
    uint32_t size;
    if (answer->status == ANSWER_NOT_FOUND || answer->kind == VALUE_NULL) {
        return true;
    }
    const char *text = answer_text(answer, space, &size);
    return (size == 1 && text[0] == '0') || (size == 2 && memcmp(text, "{}", 2) == 0);
}

static void answer_compare(struct parity_sql *parity, const struct reading *reading,
                           uint32_t feature, const struct parity_moment *moment, uint32_t key,
                           const struct parity_cell *cell)
{
    const struct plan_view *view = &parity->config->plan.view[parity->view];
    const struct history_read *read = &moment->read[(uint64_t)key * moment->read_stride];
    const struct answer *answer = &read->answer[feature];
    const struct parity_column *column = &reading->column[feature];
    enum parity_match match;
    /* What is derived of a row that only later events keep: SQL has no row to derive it of. */
    bool is_of_nothing = cell == NULL && answer->status != ANSWER_NOT_FOUND &&
                         parity->place[feature] >= base_count(view);
    if (is_of_nothing || is_left_out(parity, feature, moment->at_us, read->answer)) {
        parity_sql_leave_out(parity, feature);
        return;
    }
    if (cell == NULL) {
        match = is_nothing(answer) ? PARITY_MATCH_EQUAL : PARITY_MATCH_DIFFERENT;
    } else if (answer->status == ANSWER_NOT_FOUND) {
        match = PARITY_MATCH_DIFFERENT;
    } else {
        match =
            parity_cell_compare(column, cell, answer, units_allowed(view, parity->place[feature]));
    }
    parity_sql_count(parity, feature, match, moment, moment->id[key], answer, column, cell);
}

/* A key that SQL has no row of. */
static void absent_compare(struct parity_sql *parity, const struct reading *reading,
                           const struct parity_moment *moment, uint32_t key)
{
    for (uint32_t f = 0; f < parity->feature_count; f++) {
        answer_compare(parity, reading, f, moment, key, NULL);
    }
}

static void row_compare(struct parity_sql *parity, const struct reading *reading,
                        const struct parity_moment *moment, uint32_t key,
                        const struct duckdb_column *column, const struct duckdb_chunk *chunk,
                        uint32_t row)
{
    for (uint32_t f = 0; f < parity->feature_count; f++) {
        const struct duckdb_vector *vector = &chunk->vector[f + 1];
        struct parity_cell cell = {.is_null = !duckdb_value_is_there(vector, row)};
        if (!cell.is_null && reading->column[f].shape == PARITY_DOUBLE) {
            cell.real = duckdb_value_double(&column[f + 1], vector, row);
        } else if (!cell.is_null) {
            cell.text = duckdb_value_text(vector, row, &cell.size);
        }
        answer_compare(parity, reading, f, moment, key, &cell);
    }
}

/* -1, 0, 1: the id stands before, is, or stands behind the text. */
static int id_compare(const char *id, const char *text, uint32_t size)
{
    uint32_t id_size = (uint32_t)strlen(id);
    int order = memcmp(id, text, id_size < size ? id_size : size);
    return order != 0 ? order : (id_size > size) - (id_size < size);
}

static enum result rows_compare(struct parity_sql *parity, struct reading *reading,
                                const struct parity_moment *moment,
                                char error[PARITY_ERROR_SIZE_MAX])
{
    char why[DUCKDB_ERROR_SIZE_MAX];
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk = {.rows = 0};
    uint32_t count;
    uint32_t key = 0;
    enum result result = sql_rows_open(parity->mirror.database, &reading->select, &rows, why);
    if (result != RESULT_OK) {
        return refuse(parity, why, error);
    }
    const struct duckdb_column *column = duckdb_rows_columns(rows, &count);
    do {
        result = duckdb_rows_next(rows, &chunk, why);
        for (uint32_t r = 0; result == RESULT_OK && r < chunk.rows; r++) {
            uint32_t size;
            const char *id = duckdb_value_text(&chunk.vector[0], r, &size);
            while (key < moment->key_count && id_compare(moment->id[key], id, size) < 0) {
                absent_compare(parity, reading, moment, key++);
            }
            if (key < moment->key_count && id_compare(moment->id[key], id, size) == 0) {
                row_compare(parity, reading, moment, key++, column, &chunk, r);
            }
        }
    } while (result == RESULT_OK && chunk.rows > 0);
    duckdb_rows_close(rows);
    for (; result == RESULT_OK && key < moment->key_count; key++) {
        absent_compare(parity, reading, moment, key);
    }
    return result == RESULT_OK ? result : refuse(parity, why, error);
}

enum result parity_sql_moment(struct parity_sql *parity, const struct parity_moment *moment,
                              char error[PARITY_ERROR_SIZE_MAX])
{
    struct reading *reading = heap_alloc(sizeof(*reading));
    if (reading == NULL) {
        return refuse(parity, "the machine gave no memory", error);
    }
    buffer_init(&reading->select, 0);
    enum result result =
        parity_mirror_tables(&parity->mirror, parity->view, moment->known_us, error);
    result = result == RESULT_OK ? answers_make(parity, moment->at_us, error) : result;
    result = result == RESULT_OK ? columns_read(parity, reading, error) : result;
    result = result == RESULT_OK ? rows_compare(parity, reading, moment, error) : result;
    buffer_deinit(&reading->select);
    heap_free(reading);
    return result;
}
