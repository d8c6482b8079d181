#include "controlplane/sql_window.h"

#include <inttypes.h>
#include <stdio.h>

void sql_time_write(const int64_t *at, struct buffer *out)
{
    if (at == NULL) {
        buffer_text(out, "CAST($q AS BIGINT)");
    } else {
        buffer_format(out, "CAST(%" PRId64 " AS BIGINT)", *at);
    }
}

/* floor(q - back, step) */
static void floor_write(int64_t back_us, int64_t step_us, struct buffer *out)
{
    char from[32] = "\"#q\"";
    if (back_us > 0) {
        (void)snprintf(from, sizeof(from), "\"#q\" - %" PRId64, back_us);
    }
    buffer_format(out, "%s - ((%s) %% %" PRId64 " + %" PRId64 ") %% %" PRId64, from, from, step_us,
                  step_us, step_us);
}

/* Where windows start, and end before q. Sessions and events are not times of their own. */
static void window_write(const struct plan_view *view, const struct plan_window *window,
                         struct buffer *out)
{
    if (window->kind > WINDOW_HOPPING) {
        return;
    }
    buffer_text(out, ",\n    ");
    if (window->kind == WINDOW_TUMBLING) {
        floor_write(0, window->width_us, out);
    } else if (window->kind == WINDOW_HOPPING) {
        floor_write(0, window->step_us, out);
        buffer_format(out, " AS \"#end_%s\",\n    \"#end_%s\" - %" PRId64, window->name,
                      window->name, window->width_us);
    } else if (view->exact_us < plan_window_reach_us(window)) {
        floor_write(window->width_us, view->level_us[window->level], out);
    } else {
        buffer_format(out, "\"#q\" - %" PRId64, window->width_us);
    }
    buffer_format(out, " AS \"#start_%s\"", window->name);
}

/* A row of each label: its id, its key under other names, its time. */
static void labels_write(const struct plan_view *view, struct buffer *out)
{
    buffer_text(out, "SELECT \"#label\"");
    for (uint32_t i = 0; i < view->key_count; i++) {
        buffer_format(out, ", \"#key_%u\" AS \"#at_%u\"", i + 1, i + 1);
    }
    buffer_text(out, ", CAST(\"#q\" AS BIGINT) AS \"#q\" FROM \"#labels\"");
}

void sql_times_write(const struct plan_view *view, const struct sql_moments *moments,
                     struct buffer *out)
{
    buffer_text(out, "WITH \"#at\" AS (\n  SELECT ");
    buffer_text(out, moments->of_labels ? "*" : "\"#q\"");
    buffer_text(out, ",\n    \"#q\"");
    buffer_text(out, view->edges == EDGES_CLOSED_CLOSED ? " + 1" : "");
    buffer_text(out, " AS \"#end\"");
    for (uint32_t w = 0; w < view->window_count; w++) {
        window_write(view, &view->window[w], out);
    }
    buffer_text(out, "\n  FROM (");
    if (moments->of_labels) {
        labels_write(view, out);
    } else {
        buffer_text(out, "SELECT ");
        sql_time_write(moments->at, out);
        buffer_text(out, " AS \"#q\"");
    }
    buffer_text(out, ")\n),\n");
}

void sql_keys_write(const struct plan_view *view, const struct sql_moments *moments,
                    struct buffer *out)
{
    buffer_text(out, moments->of_labels ? "\"#label\", " : "");
    for (uint32_t i = 0; i < view->key_count; i++) {
        buffer_format(out, "%s\"#key_%u\"", i == 0 ? "" : ", ", i + 1);
    }
}

static bool has_window(const struct plan_view *view, enum window_kind kind)
{
    for (uint32_t w = 0; w < view->window_count; w++) {
        if (view->window[w].kind == kind) {
            return true;
        }
    }
    return false;
}

/* The session that the end is in begins at the newest pause, unless there has been one since. */
static void sessions_write(const struct plan_view *view, const struct sql_moments *moments,
                           struct buffer *out)
{
    buffer_text(out, "\"#session\" AS (\n  SELECT *");
    for (uint32_t w = 0; w < view->window_count; w++) {
        const struct plan_window *window = &view->window[w];
        if (window->kind == WINDOW_SESSION) {
            buffer_format(out,
                          ",\n    CASE WHEN \"#end\" < \"#last\" + %" PRId64
                          " THEN max(CASE WHEN \"#before\" IS NULL OR \"#time\" >= "
                          "\"#before\" + %" PRId64 " THEN \"#time\" END) OVER (PARTITION BY ",
                          window->width_us, window->width_us);
            sql_keys_write(view, moments, out);
            buffer_format(out, ") END AS \"#start_%s\"", window->name);
        }
    }
    buffer_text(out, "\n  FROM \"#place\"\n),\n");
}

/* Where an event stands among those of its key: for windows that are no spans of time. */
static void places_write(const struct plan_view *view, const struct sql_moments *moments,
                         struct buffer *out)
{
    buffer_text(out, "\"#place\" AS (\n  SELECT *,\n    row_number() OVER (PARTITION BY ");
    sql_keys_write(view, moments, out);
    buffer_text(out, " ORDER BY \"#time\" DESC, \"#order\" DESC) AS \"#rank\",\n"
                     "    lag(\"#time\") OVER (PARTITION BY ");
    sql_keys_write(view, moments, out);
    buffer_text(out, " ORDER BY \"#time\") AS \"#before\",\n"
                     "    max(\"#time\") OVER (PARTITION BY ");
    sql_keys_write(view, moments, out);
    buffer_text(out, ") AS \"#last\"\n  FROM \"#row\"\n),\n");
    sessions_write(view, moments, out);
}

/* The events of each label are those of its key; none that is past the ttl is in a span of time. */
static void labels_match_write(const struct plan_view *view, bool spans, struct buffer *out)
{
    for (uint32_t i = 0; i < view->key_count; i++) {
        buffer_format(out, "\n    AND \"#key_%u\" = \"#at_%u\"", i + 1, i + 1);
    }
    if (spans && !has_window(view, WINDOW_LIFETIME)) {
        buffer_format(out, "\n    AND \"#time\" >= \"#q\" - %" PRId64, view->ttl_us + 1);
    }
}

const char *sql_rows_write(const struct plan_view *view, const struct sql_moments *moments,
                           struct buffer *out)
{
    bool spans = !has_window(view, WINDOW_SESSION) && !has_window(view, WINDOW_EVENTS);
    buffer_text(out, "\"#row\" AS (\n  SELECT *\n  FROM \"#input\", \"#at\"\n"
                     "  WHERE \"#time\" < \"#end\"");
    if (moments->of_labels) {
        labels_match_write(view, spans, out);
    }
    buffer_text(out, "\n),\n");
    if (spans) {
        return "\"#row\"";
    }
    places_write(view, moments, out);
    return "\"#session\"";
}

bool sql_window_write(const struct plan_window *window, struct buffer *out)
{
    switch (window->kind) {
    case WINDOW_SLIDING:
    case WINDOW_TUMBLING:
    case WINDOW_SESSION:
        buffer_format(out, "\"#time\" >= \"#start_%s\"", window->name);
        return true;
    case WINDOW_HOPPING:
        buffer_format(out, "\"#time\" >= \"#start_%s\" AND \"#time\" < \"#end_%s\"", window->name,
                      window->name);
        return true;
    case WINDOW_EVENTS:
        buffer_format(out, "\"#rank\" <= %" PRIu32, window->events);
        return true;
    case WINDOW_LIFETIME:
        break;
    }
    return false;
}
