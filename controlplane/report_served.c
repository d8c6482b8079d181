/* Recorded answers in the status: what was recorded, and what came of computing it again. */
#include <jansson.h>

#include "controlplane/report_render.h"
#include "controlplane/snapshot.h"
#include "dataplane/base/units.h"

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *parity_json(const struct snapshot *snapshot)
{
    const struct canary_report *canary = &snapshot->canary;
    uint64_t sum[PARITY_COUNT] = {0};
    for (uint32_t i = 0; i < snapshot->parity_count; i++) {
        for (uint32_t outcome = 0; outcome < PARITY_COUNT; outcome++) {
            sum[outcome] += snapshot->parity[i][outcome];
        }
    }
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f}", "answers", number(canary->answers), "checked",
        number(sum[PARITY_equal] + sum[PARITY_mismatch] + sum[PARITY_extra]), "mismatch",
        number(sum[PARITY_mismatch]), "extra", number(sum[PARITY_extra]), "missing",
        number(sum[PARITY_missing]), "gone", number(canary->gone), "failed", number(canary->failed),
        "core_seconds", (double)canary->cpu_ns / (double)NS_PER_SECOND);
}

json_t *report_served_json(const struct snapshot *snapshot)
{
    const struct served_report *served = &snapshot->served;
    if (snapshot->parity == NULL) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "recorded", number(served->recorded), "dropped",
                     number(served->dropped), "bytes", number(served->bytes), "files",
                     number(served->files), "parity", parity_json(snapshot));
}
