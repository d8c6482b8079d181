#include "controlplane/report_quality.h"

#define MILLIONTHS 1e6

/* One kind of limits: of nulls, or of shifts. */
struct limits {
    const char *name;
    uint64_t fields;
    const uint32_t *limit_millionths;
    const double *value;
};

static void limits_check(const struct snapshot *snapshot, uint32_t stream,
                         const struct limits *limits, report_check_visit *visit, void *context)
{
    const struct schema *schema = &snapshot->plan->stream[stream].schema;
    bool has_window = snapshot->stream[stream].quality.has_window;
    for (uint64_t fields = limits->fields; fields != 0; fields &= fields - 1) {
        uint32_t f = (uint32_t)__builtin_ctzll(fields);
        struct report_check check = {.name = limits->name,
                                     .field = schema->field[f].name,
                                     .limit = limits->limit_millionths[f] / MILLIONTHS,
                                     .known = has_window && limits->value[f] >= 0,
                                     .value = limits->value[f]};
        check.beyond = check.known && check.value > check.limit;
        visit(context, stream, &check);
    }
}

static void stream_check(const struct snapshot *snapshot, uint32_t stream,
                         report_check_visit *visit, void *context)
{
    const struct plan_quality *quality = &snapshot->plan->stream[stream].quality;
    const struct quality_report *report = &snapshot->stream[stream].quality;
    const struct limits limits[] = {
        {"null_rate", quality->null_fields, quality->null_limit_millionths, report->null_rate},
        {"shift", quality->shift_fields, quality->shift_limit_millionths, report->psi},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(limits); i++) {
        limits_check(snapshot, stream, &limits[i], visit, context);
    }
    if (quality->freshness_us > 0) {
        struct report_check check = {
            .name = "freshness",
            .limit = (double)quality->freshness_us / (double)US_PER_SECOND,
            .known = true,
            .value = (double)snapshot_newest_age_us(snapshot, stream) / (double)US_PER_SECOND,
        };
        check.beyond = check.value > check.limit;
        visit(context, stream, &check);
    }
}

void report_checks(const struct snapshot *snapshot, report_check_visit *visit, void *context)
{
    for (uint32_t s = 0; s < snapshot->plan->stream_count; s++) {
        stream_check(snapshot, s, visit, context);
    }
}

static void check_append(void *context, uint32_t stream, const struct report_check *check)
{
    json_t *checks = context;
    (void)stream;
    json_t *object = json_pack("{s:s, s:s?, s:f, s:b}", "check", check->name, "field", check->field,
                               "limit", check->limit, "beyond", check->beyond);
    (void)json_object_set_new(object, "value",
                              check->known ? json_real(check->value) : json_null());
    (void)json_array_append_new(checks, object);
}

json_t *report_quality_json(const struct snapshot *snapshot, uint32_t stream)
{
    const struct plan_quality *quality = &snapshot->plan->stream[stream].quality;
    if ((quality->null_fields | quality->shift_fields) == 0 && quality->freshness_us == 0) {
        return json_null();
    }
    json_t *checks = json_array();
    stream_check(snapshot, stream, check_append, checks);
    const struct quality_report *report = &snapshot->stream[stream].quality;
    return json_pack("{s:f, s:o, s:o}", "window_seconds",
                     (double)quality->window_us / (double)US_PER_SECOND, "window_events",
                     report->has_window ? json_integer((json_int_t)report->events) : json_null(),
                     "checks", checks);
}
