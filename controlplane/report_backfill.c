/* Backfills in the status, and for their verb. */
#include "controlplane/json_text.h"
#include "controlplane/report_render.h"
#include "dataplane/base/units.h"

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

json_t *report_backfill_json(const struct backfill_report *report)
{
    double seconds = (double)report->elapsed_us / (double)US_PER_SECOND;
    double left = backfill_seconds_left(report);
    json_t *root = json_object();
    (void)json_object_set_new(root, "state", json_string(backfill_state_name(report->state)));
    if (report->state == BACKFILL_IDLE) {
        return root;
    }
    (void)json_object_set_new(root, "view", json_string(report->view));
    (void)json_object_set_new(root, "version",
                              report->version == 0 ? json_null() : json_integer(report->version));
    (void)json_object_set_new(root, "views", number(report->view_count));
    (void)json_object_set_new(root, "starts", number(report->starts));
    (void)json_object_set_new(root, "share", json_real(backfill_share(report)));
    (void)json_object_set_new(root, "events", number(report->events));
    (void)json_object_set_new(root, "bytes", number(report->bytes_done));
    (void)json_object_set_new(root, "bytes_all", number(report->bytes_all));
    (void)json_object_set_new(root, "bytes_kept", number(report->bytes_kept));
    (void)json_object_set_new(root, "bytes_saved", number(report->bytes_saved));
    (void)json_object_set_new(root, "again",
                              report->again[0] == '\0' ? json_null() : json_text(report->again));
    (void)json_object_set_new(root, "rate_limit",
                              report->rate == 0 ? json_null() : number(report->rate));
    (void)json_object_set_new(root, "events_per_second",
                              json_real(seconds > 0 ? (double)report->events / seconds : 0));
    (void)json_object_set_new(root, "seconds", json_real(seconds));
    (void)json_object_set_new(root, "seconds_left", left < 0 ? json_null() : json_real(left));
    (void)json_object_set_new(root, "begin_us", json_integer(report->begin_us));
    (void)json_object_set_new(root, "since_us",
                              report->since_us == 0 ? json_null() : json_integer(report->since_us));
    (void)json_object_set_new(root, "history_us",
                              report->history_us == INT64_MAX ? json_null()
                                                              : json_integer(report->history_us));
    (void)json_object_set_new(root, "bad_files", json_boolean(report->bad_files));
    (void)json_object_set_new(root, "error_count", number(report->error_count));
    (void)json_object_set_new(root, "error",
                              report->error[0] == '\0' ? json_null() : json_text(report->error));
    return root;
}
