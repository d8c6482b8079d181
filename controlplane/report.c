#include "controlplane/report.h"

#include "controlplane/appliance.h"
#include "controlplane/backfill.h"
#include "controlplane/report_render.h"
#include "controlplane/snapshot.h"

void report_status(const struct appliance *appliance, struct buffer *out)
{
    struct snapshot *snapshot = NULL;
    if (snapshot_take(appliance, &snapshot) != RESULT_OK) {
        out->failed = true;
        return;
    }
    report_status_render(snapshot, out);
    snapshot_free(snapshot);
}

void report_backfill(const struct appliance *appliance, struct buffer *out)
{
    struct backfill_report report;
    backfill_report_read(appliance->backfill, &report);
    report_json_write(report_backfill_json(&report), out);
}

void report_metrics(const struct appliance *appliance, struct buffer *out)
{
    struct snapshot *snapshot = NULL;
    if (snapshot_take(appliance, &snapshot) != RESULT_OK) {
        out->failed = true;
        return;
    }
    report_metrics_render(snapshot, out);
    snapshot_free(snapshot);
}
