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

void sql_times_write(const struct plan_view *view, const int64_t *at, struct buffer *out)
{
    buffer_text(out, "WITH \"#at\" AS (\n  SELECT \"#q\",\n    \"#q\"");
    buffer_text(out, view->edges == EDGES_CLOSED_CLOSED ? " + 1" : "");
    buffer_text(out, " AS \"#end\"");
    for (uint32_t w = 0; w < view->window_count; w++) {
        window_write(view, &view->window[w], out);
    }
    buffer_text(out, "\n  FROM (SELECT ");
    sql_time_write(at, out);
    buffer_text(out, " AS \"#q\")\n),\n");
}

void sql_keys_write(const struct plan_view *view, struct buffer *out)
{
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
static void sessions_write(const struct plan_view *view, struct buffer *out)
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
            sql_keys_write(view, out);
            buffer_format(out, ") END AS \"#start_%s\"", window->name);
        }
    }
    buffer_text(out, "\n  FROM \"#place\"\n),\n");
}

/* Where an event stands among those of its key: for windows that are no spans of time. */
static void places_write(const struct plan_view *view, struct buffer *out)
{
    buffer_text(out, "\"#place\" AS (\n  SELECT *,\n    row_number() OVER (PARTITION BY ");
    sql_keys_write(view, out);
    buffer_text(out, " ORDER BY \"#time\" DESC, \"#order\" DESC) AS \"#rank\",\n"
                     "    lag(\"#time\") OVER (PARTITION BY ");
    sql_keys_write(view, out);
    buffer_text(out, " ORDER BY \"#time\") AS \"#before\",\n"
                     "    max(\"#time\") OVER (PARTITION BY ");
    sql_keys_write(view, out);
    buffer_text(out, ") AS \"#last\"\n  FROM \"#row\"\n),\n");
    sessions_write(view, out);
}

const char *sql_rows_write(const struct plan_view *view, struct buffer *out)
{
    buffer_text(out, "\"#row\" AS (\n  SELECT *\n  FROM \"#input\", \"#at\"\n"
                     "  WHERE \"#time\" < \"#end\"\n),\n");
    if (!has_window(view, WINDOW_SESSION) && !has_window(view, WINDOW_EVENTS)) {
        return "\"#row\"";
    }
    places_write(view, out);
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
