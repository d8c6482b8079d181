#include "tests/support/unit.h"

#include <jansson.h>
#include <stdio.h>

#include "controlplane/report_render.h"
#include "controlplane/status_table.h"
#include "dataplane/base/units.h"

/* Big: one for all tests. */
static struct plan plan;
static struct snapshot snapshot;
static struct histogram freshness[FRESHNESS_STAGE_COUNT];
static struct lane_report lane[150];

static int figures_make(void **state)
{
    (void)state;
    plan.stream_count = 1;
    plan.view_count = 1;
    strcpy(plan.stream[0].schema.name, "transaction");
    strcpy(plan.stream[0].schema.field[0].name, "amount");
    plan.stream[0].schema.field_count = 1;
    plan.stream[0].schema.id = 1;
    plan.stream[0].schema.version = 2;
    strcpy(plan.view[0].name, "activity");
    strcpy(plan.view[0].entity, "card");
    snapshot.plan = &plan;
    snapshot.view_count_start = plan.view_count;
    snapshot.appliance = (struct snapshot_appliance){.version = "1.2.3",
                                                     .run_id = "0a",
                                                     .clock = "test",
                                                     .now_us = 10 * US_PER_SECOND,
                                                     .start_us = 4 * US_PER_SECOND,
                                                     .ready = true,
                                                     .ns_per_tick = 0.5};
    struct snapshot_stream *stream = &snapshot.stream[0];
    stream->received = 100;
    stream->applied = 80;
    stream->drop[DROP_message_duplicate] = 11;
    stream->drop[DROP_event_late] = 5;
    stream->drop[DROP_text_wrong_type] = 3;
    stream->watermark_us = 7 * US_PER_SECOND;
    snapshot.stream[STREAMS_MAX] = (struct snapshot_stream){.watermark_us = INT64_MIN};
    snapshot.view[0] = (struct snapshot_view){.applied = 80,
                                              .rows = 4,
                                              .bytes = 600,
                                              .apply_ticks = 4000,
                                              .apply_sampled = 20,
                                              .since_us = 4 * US_PER_SECOND};
    snapshot.view[0].drop[DROP_view_memory] = 2;
    snapshot.shard_count = 1;
    snapshot.shard[0] = (struct snapshot_shard){.core = 3, .pages = "4 KiB", .busy_ratio = 0.25};
    snapshot.shard[0].counter[COUNTER_busy_ticks] = 2000000000;
    snapshot.port_count = 1;
    strcpy(snapshot.port[0].name, "socket");
    snapshot.port[0].statistics.missed = 9;
    snapshot.port[0].statistics.sent = 11;
    snapshot.port[0].statistics.unsent = 12;
    for (uint32_t i = 0; i < ARRAY_COUNT(lane); i++) {
        lane[i] = (struct lane_report){
            .producer = i / 2, .lane = i % 2, .messages = 1000 - i / 2, .gaps = 1};
    }
    snapshot.lane = lane;
    snapshot.lane_count = 2;
    snapshot.freshness = freshness;
    plan.objective_count = 2;
    plan.objective[0] =
        (struct plan_objective){.kind = OBJECTIVE_READ, .limit_us = 1500, .target_ppm = 999000};
    plan.objective[1] = (struct plan_objective){
        .kind = OBJECTIVE_FRESHNESS, .of_service = true, .limit_us = 5, .target_ppm = 999999};
    plan.service_count = 1;
    strcpy(plan.service[0].name, "fraud");
    snapshot.objective[0] = (struct objective_figures){
        .good = 9, .total = 10, .burn = {{true, 14.5, 300}, [BURN_WINDOW_3d] = {true, 0.25, 600}}};
    histogram_record(&freshness[FRESHNESS_STAGE_event_to_readable], 2000000, 10);
    histogram_record(&snapshot.reads, 30000, 4);
    return 0;
}

static json_t *status_make(void)
{
    struct buffer text;
    buffer_init(&text, 0);
    report_status_render(&snapshot, &text);
    assert_false(text.failed);
    json_t *status = json_loadb(text.data, text.size, 0, NULL);
    assert_non_null(status);
    buffer_deinit(&text);
    return status;
}

static int64_t integer_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void status_accounts_for_every_event(void **state)
{
    (void)state;
    json_t *status = status_make();
    const json_t *stream = json_array_get(json_object_get(status, "streams"), 0);
    assert_int_equal(integer_of(stream, "dropped"), 19);
    assert_int_equal(integer_of(stream, "balance"), 1);
    assert_int_equal(integer_of(status, "balance"), 1);
    assert_int_equal(integer_of(stream, "late"), 5);
    assert_int_equal(integer_of(stream, "duplicate"), 11);
    assert_int_equal(integer_of(json_object_get(stream, "drops"), "text_wrong_type"), 3);
    assert_int_equal(json_array_size(json_object_get(status, "streams")), 1);
    json_decref(status);
}

static void the_top_drop_is_never_a_duplicate_while_another_is_there(void **state)
{
    (void)state;
    json_t *status = status_make();
    const json_t *stream = json_array_get(json_object_get(status, "streams"), 0);
    const json_t *top = json_object_get(stream, "top_drop");
    assert_string_equal(json_string_value(json_object_get(top, "reason")), "event_late");
    assert_string_equal(json_string_value(json_object_get(top, "hint")),
                        drop_hint(DROP_event_late));
    json_decref(status);
    struct snapshot_stream only = {.drop = {[DROP_message_duplicate] = 1}};
    assert_int_equal(snapshot_top_drop(&only), DROP_message_duplicate);
    assert_int_equal(snapshot_top_drop(&(struct snapshot_stream){0}), DROP_NONE);
}

static void status_derives_ratios_lags_and_quantiles(void **state)
{
    (void)state;
    json_t *status = status_make();
    const json_t *stream = json_array_get(json_object_get(status, "streams"), 0);
    const json_t *view = json_array_get(json_object_get(status, "views"), 0);
    const json_t *readable =
        json_object_get(json_object_get(stream, "freshness"), "event_to_readable");
    assert_true(json_real_value(json_object_get(stream, "watermark_lag_seconds")) == 3.0);
    assert_true(json_real_value(json_object_get(view, "bytes_per_entity")) == 150.0);
    assert_true(json_real_value(json_object_get(view, "apply_ns_per_event")) == 100.0);
    assert_int_equal(json_integer_value(json_object_get(view, "since_us")), 4 * US_PER_SECOND);
    assert_int_equal(integer_of(view, "refused"), 2);
    assert_int_equal(integer_of(readable, "count"), 10);
    double p99_us = json_real_value(json_object_get(readable, "p99_us"));
    assert_true(p99_us >= 2000 && p99_us < 2080);
    assert_int_equal(integer_of(json_object_get(status, "reads"), "count"), 4);
    const json_t *listener = json_array_get(json_object_get(status, "listeners"), 0);
    assert_string_equal(json_string_value(json_object_get(listener, "listener")), "socket");
    assert_int_equal(integer_of(listener, "sent"), 11);
    assert_int_equal(integer_of(listener, "unsent"), 12);
    json_decref(status);
}

static void status_tells_every_objective(void **state)
{
    (void)state;
    json_t *status = status_make();
    const json_t *objectives = json_object_get(status, "objectives");
    assert_int_equal(json_array_size(objectives), 2);
    const json_t *read = json_array_get(objectives, 0);
    const json_t *burn = json_object_get(read, "burn");
    assert_string_equal(json_string_value(json_object_get(read, "view")), "activity");
    assert_string_equal(json_string_value(json_object_get(read, "objective")), "read");
    assert_int_equal(integer_of(read, "limit_us"), 1500);
    assert_true(json_real_value(json_object_get(read, "target_percent")) == 99.9);
    assert_int_equal(integer_of(read, "good"), 9);
    assert_int_equal(integer_of(read, "total"), 10);
    assert_int_equal(integer_of(read, "seconds"), 600);
    assert_true(json_real_value(json_object_get(burn, "5m")) == 14.5);
    assert_true(json_is_null(json_object_get(burn, "1h")));
    const json_t *fresh = json_array_get(objectives, 1);
    assert_string_equal(json_string_value(json_object_get(fresh, "service")), "fraud");
    assert_null(json_object_get(fresh, "view"));
    json_decref(status);
}

static void store_set(bool has_store)
{
    snapshot.has_store = has_store;
    strcpy(snapshot.store.disk, "io_uring, O_DIRECT, RWF_DSYNC on ext4");
    snapshot.recovery = (struct recovery_report){.epoch = 7, .view = {RECOVERY_VIEW_REBUILT}};
    snapshot.store.checkpoint.generation = 12;
    snapshot.store.checkpoint.published_us = 8 * US_PER_SECOND;
    snapshot.shard[0].log_held = has_store ? MIRROR_HELD_FULL : MIRROR_HELD_NONE;
}

/* Every member, those of members too, stands in backquotes on the page. */
static void members_are_on(const json_t *object, const char *page)
{
    const char *name;
    const json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        char quoted[64];
        (void)snprintf(quoted, sizeof(quoted), "`%s`", name);
        if (json_is_array(value)) {
            (void)snprintf(quoted, sizeof(quoted), "`%s%s`", name,
                           json_is_object(json_array_get(value, 0)) ? "[]" : "");
            members_are_on(json_array_get(value, 0), page);
        } else if (json_is_object(value) && strcmp(name, "views") != 0) {
            members_are_on(value, page);
        }
        if (strstr(page, quoted) == NULL) {
            fail_msg("docs/operating/status.md has no %s", quoted);
        }
    }
}

static void every_member_of_the_store_is_on_its_page(void **state)
{
    (void)state;
    static char page[64 * KIB];
    (void)snprintf(page, sizeof(page), "%s/docs/operating/status.md", getenv("FRESHET_SOURCE"));
    FILE *file = fopen(page, "re");
    assert_non_null(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    (void)fclose(file);
    store_set(true);
    json_t *status = status_make();
    store_set(false);
    const json_t *store = json_object_get(status, "store");
    assert_int_equal(integer_of(store, "epoch"), 7);
    members_are_on(store, page);
    json_decref(status);
}

/* Metrics as one NUL-terminated text; the caller frees the buffer. */
static const char *metrics_make(struct buffer *text)
{
    buffer_init(text, 0);
    report_metrics_render(&snapshot, text);
    buffer_write(text, "", 1);
    assert_false(text->failed);
    return text->data;
}

static void parity_is_told_by_value_and_in_sum(void **state)
{
    (void)state;
    static uint64_t counts[2][PARITY_COUNT] = {{7, 2, 1, 4}, {10, 0, 0, 0}};
    static const char *const wanted[] = {
        "\nfreshet_served_recorded_total 15\n",
        "\nfreshet_served_dropped_total 3\n",
        "\nfreshet_parity_checked_total{service=\"fraud\",feature=\"a.n\"} 10\n",
        "\nfreshet_parity_mismatch_total{service=\"fraud\",feature=\"a.n\"} 2\n",
        "\nfreshet_parity_extra_total{service=\"fraud\",feature=\"a.n\"} 1\n",
        "\nfreshet_parity_missing_total{service=\"fraud\",feature=\"a.n\"} 4\n",
        "\nfreshet_parity_mismatch_total{service=\"fraud\",feature=\"b\"} 0\n",
        "\nfreshet_parity_core_seconds_total 0.5\n"};
    json_t *status = status_make();
    assert_true(json_is_null(json_object_get(status, "served")));
    json_decref(status);
    plan.service[0].item_count = 2;
    strcpy(plan.service[0].item[0].name, "a.n");
    strcpy(plan.service[0].item[1].name, "b");
    snapshot.parity_plan = &plan;
    snapshot.parity_count = 2;
    snapshot.parity = counts;
    snapshot.served = (struct served_report){.recorded = 15, .dropped = 3};
    snapshot.canary = (struct canary_report){.answers = 14, .cpu_ns = 500000000};
    struct buffer text;
    const char *metrics = metrics_make(&text);
    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        if (strstr(metrics, wanted[i]) == NULL) {
            fail_msg("no %s in:\n%s", wanted[i], metrics);
        }
    }
    buffer_deinit(&text);
    status = status_make();
    const json_t *parity = json_object_get(json_object_get(status, "served"), "parity");
    assert_int_equal(integer_of(parity, "checked"), 20);
    assert_int_equal(integer_of(parity, "mismatch"), 2);
    assert_int_equal(integer_of(parity, "extra"), 1);
    buffer_init(&text, 0);
    status_table_render(status, &text);
    buffer_write(&text, "", 1);
    assert_non_null(strstr(text.data, "15 answers recorded, 20 values checked, 3 DIFFER"));
    buffer_deinit(&text);
    json_decref(status);
    snapshot.parity = NULL;
    plan.service[0].item_count = 0;
}

static void tables_say_what_a_restart_would_find(void **state)
{
    (void)state;
    static const struct {
        bool has_store;
        const char *wanted;
    } row[] = {
        {false, "freshet 1.2.3, up 6 s, ready\n  durability: memory only\n"},
        {true, "freshet 1.2.3, up 6 s, ready\n"
               "  durability: io_uring, O_DIRECT, RWF_DSYNC on ext4\n"},
        {true, "  store: epoch 7, checkpoint 12 (2 s ago); LOG OF SHARD 0 HELD: disk full\n"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(row); i++) {
        store_set(row[i].has_store);
        json_t *status = status_make();
        store_set(false);
        struct buffer text;
        buffer_init(&text, 0);
        status_table_render(status, &text);
        buffer_write(&text, "", 1);
        if (strstr(text.data, row[i].wanted) == NULL) {
            fail_msg("no \"%s\" in:\n%s", row[i].wanted, text.data);
        }
        buffer_deinit(&text);
        json_decref(status);
    }
}

static void tables_show_what_status_says(void **state)
{
    (void)state;
    static const char *const wanted[] = {"received - applied - dropped = 1",
                                         "transaction",
                                         "activity",
                                         "event_late 5",
                                         "4 KiB",
                                         "150 B",
                                         "100 ns",
                                         "3.0 s",
                                         "25.0%",
                                         "2.0 ms / 2.0 ms",
                                         "freshet 1.2.3, up 6 s, ready",
                                         "\nview or service  objective ",
                                         "\nactivity         read          1.5 ms      99.9% "
                                         "          10   90.0000%     14.50        -        -     "
                                         "0.25\n",
                                         "\nfraud            freshness     5.0 us   99.9999% "
                                         "           0          -         -        -        -     "
                                         "   -\n"};
    json_t *status = status_make();
    struct buffer text;
    buffer_init(&text, 0);
    status_table_render(status, &text);
    status_line_render(status, NULL, &text);
    buffer_write(&text, "", 1);
    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        if (strstr(text.data, wanted[i]) == NULL) {
            fail_msg("no \"%s\" in:\n%s", wanted[i], text.data);
        }
    }
    buffer_deinit(&text);
    json_decref(status);
}

static void tables_survive_a_report_without_members(void **state)
{
    (void)state;
    json_t *status = json_loads("{\"streams\": [{}], \"views\": [{}], \"shards\": [1], "
                                "\"listeners\": \"x\", \"lanes\": [null]}",
                                0, NULL);
    struct buffer text;
    buffer_init(&text, 0);
    status_table_render(status, &text);
    status_line_render(status, status, &text);
    assert_true(text.size > 0 && !text.failed);
    buffer_deinit(&text);
    json_decref(status);
}

static void metrics_carry_the_figures(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "# TYPE freshet_ingest_events_total counter\n",
        "\nfreshet_build_info{version=\"1.2.3\"} 1\n",
        "\nfreshet_ingest_events_total{stream=\"transaction\"} 100\n",
        "\nfreshet_ingest_dropped_total{stream=\"transaction\",reason=\"event_late\"} 5\n",
        "\nfreshet_watermark_lag_seconds{stream=\"transaction\"} 3\n",
        "\nfreshet_view_refused_total{view=\"activity\",reason=\"view_memory\"} 2\n",
        "\nfreshet_view_apply_seconds_total{view=\"activity\"} 2e-06\n",
        "\nfreshet_core_busy_seconds_total{shard=\"0\"} 1\n",
        "\nfreshet_listener_missed_total{listener=\"0\"} 9\n",
        "\nfreshet_listener_sent_total{listener=\"0\"} 11\n",
        "\nfreshet_listener_unsent_total{listener=\"0\"} 12\n",
        "stage=\"event_to_readable\",le=\"0.001\"} 0\n",
        "stage=\"event_to_readable\",le=\"0.0025\"} 10\n",
        "stage=\"event_to_readable\",le=\"+Inf\"} 10\n",
        "freshness_seconds_sum{view=\"activity\",stage=\"event_to_readable\"} 0.02\n",
        "\nfreshet_query_duration_seconds_count 4\n",
        "\nfreshet_query_duration_seconds_bucket{le=\"0.00005\"} 4\n",
        "\nfreshet_ingest_sequence_gaps_total{producer=\"0\"} 2\n",
        "\nfreshet_slo_good_total{view=\"activity\",objective=\"read\"} 9\n",
        "\nfreshet_slo_total{view=\"activity\",objective=\"read\"} 10\n",
        "\nfreshet_slo_total{service=\"fraud\",objective=\"freshness\"} 0\n",
        "\nfreshet_slo_target_ratio{view=\"activity\",objective=\"read\"} 0.999\n",
        "\nfreshet_slo_target_ratio{service=\"fraud\",objective=\"freshness\"} 0.999999\n",
    };
    struct buffer text;
    const char *metrics = metrics_make(&text);
    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        if (strstr(metrics, wanted[i]) == NULL) {
            fail_msg("no \"%s\" in:\n%s", wanted[i], metrics);
        }
    }
    buffer_deinit(&text);
}

/* One rule that was broken, and one window of what is watched. */
static void quality_set(struct plan_quality *quality)
{
    struct schema_field *field = &plan.stream[0].schema.field[0];
    field->has_min = true;
    field->policy[RULE_min] = VIOLATION_NULL_FIELD;
    snapshot.stream[0].violation[0][RULE_min] = 6;
    *quality = (struct plan_quality){.window_us = 60 * US_PER_SECOND,
                                     .freshness_us = US_PER_SECOND,
                                     .null_fields = 1,
                                     .shift_fields = 1,
                                     .null_limit_millionths = {250000},
                                     .shift_limit_millionths = {100000}};
    struct quality_report *report = &snapshot.stream[0].quality;
    report->has_window = true;
    report->events = 8;
    report->null_rate[0] = 0.25;
    report->psi[0] = 0.125;
}

static void texts_have(const char *text, const char *const *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strstr(text, wanted[i]) == NULL) {
            fail_msg("no \"%s\" in:\n%s", wanted[i], text);
        }
    }
}

static void rules_and_limits_are_in_every_report(void **state)
{
    (void)state;
    static const char *const metrics[] = {
        "\nfreshet_dq_violations_total{stream=\"transaction\",field=\"amount\",rule=\"min\"} 6\n",
        "\nfreshet_dq_null_ratio{stream=\"transaction\",field=\"amount\"} 0.25\n",
        "\nfreshet_dq_shift_psi{stream=\"transaction\",field=\"amount\"} 0.125\n",
        "\nfreshet_dq_freshness_seconds{stream=\"transaction\"} 3\n",
        ",field=\"amount\",check=\"null_rate\"} 0\n",
        ",field=\"amount\",check=\"shift\"} 1\n",
        ",field=\"\",check=\"freshness\"} 1\n",
    };
    static const char *const tables[] = {
        "amount           min        broken 6 times: null_field\n",
        "amount           null_rate  0.25, limit 0.25\n",
        "amount           shift      0.125, limit 0.1: BEYOND\n",
        "-                freshness  3, limit 1: BEYOND\n",
    };
    static const char *const members[] = {
        "\"violations\":{\"event_below_min\":6}",
        "\"rules\":[{\"field\":\"amount\",\"rule\":\"min\",\"policy\":\"null_field\",\"count\":6}]",
        "\"window_events\":8",
    };
    struct plan_quality *quality = &plan.stream[0].quality;
    quality_set(quality);
    struct buffer text;
    texts_have(metrics_make(&text), metrics, ARRAY_COUNT(metrics));
    buffer_deinit(&text);
    json_t *status = status_make();
    buffer_init(&text, 0);
    status_table_render(status, &text);
    report_json_write(status, &text); /* Gives it up. */
    buffer_write(&text, "", 1);
    texts_have(text.data, tables, ARRAY_COUNT(tables));
    texts_have(text.data, members, ARRAY_COUNT(members));
    buffer_deinit(&text);
    *quality = (struct plan_quality){0};
    snapshot.stream[0].quality.has_window = false;
}

/* Before the first window there is nothing to be beyond of; freshness waits from the start on. */
static void what_is_not_known_is_not_beyond(void **state)
{
    (void)state;
    struct plan_quality *quality = &plan.stream[0].quality;
    quality_set(quality);
    quality->null_limit_millionths[0] = 0;
    snapshot.stream[0].quality.has_window = false;
    snapshot.stream[0].watermark_us = INT64_MIN;
    struct buffer text;
    const char *metrics = metrics_make(&text);
    assert_null(strstr(metrics, "\nfreshet_dq_null_ratio{"));
    assert_null(strstr(metrics, "\nfreshet_dq_shift_psi{"));
    assert_non_null(strstr(metrics, ",check=\"null_rate\"} 0\n"));
    assert_non_null(strstr(metrics, "\nfreshet_dq_freshness_seconds{stream=\"transaction\"} 6\n"));
    buffer_deinit(&text);
    snapshot.stream[0].watermark_us = 7 * US_PER_SECOND;
    *quality = (struct plan_quality){0};
}

static void producers_beyond_a_hundred_are_one_series(void **state)
{
    (void)state;
    static struct lane_report many[105];
    struct lane_report *before = snapshot.lane;
    for (uint32_t i = 0; i < ARRAY_COUNT(many); i++) {
        many[i] = (struct lane_report){.producer = i, .messages = 1000 - i, .gaps = 1};
    }
    snapshot.lane = many;
    snapshot.lane_count = ARRAY_COUNT(many);
    struct buffer text;
    const char *metrics = metrics_make(&text);
    assert_non_null(strstr(metrics, "\nfreshet_ingest_sequence_gaps_total{producer=\"99\"} 1\n"));
    assert_null(strstr(metrics, "producer=\"100\""));
    assert_non_null(
        strstr(metrics, "\nfreshet_ingest_sequence_gaps_total{producer=\"other\"} 5\n"));
    buffer_deinit(&text);
    snapshot.lane = before;
    snapshot.lane_count = 2;
}

static void a_drop_shows_field_sender_and_printable_bytes(void **state)
{
    (void)state;
    struct drop_entry entry = {
        .number = 7,
        .drop = DROP_text_wrong_type,
        .stream = 0,
        .field = 0,
        .offset = 12,
        .byte_count = 4,
        .bytes = {'a', '\\', 0, 0xff},
        .sender = {.ip = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}, .port = 99}};
    json_t *drop = report_drop_json(&plan, 1, &entry);
    assert_string_equal(json_string_value(json_object_get(drop, "field")), "amount");
    assert_string_equal(json_string_value(json_object_get(drop, "stream")), "transaction");
    assert_string_equal(json_string_value(json_object_get(drop, "bytes")), "a\\\\\\x00\\xff");
    assert_string_equal(json_string_value(json_object_get(drop, "sender")), "127.0.0.1:99");
    assert_int_equal(integer_of(drop, "number"), 7);
    json_decref(drop);
    entry.stream = STREAMS_MAX;
    entry.field = FIELDS_MAX;
    entry.sender = (struct net_address){.ip = {[15] = 1}, .port = 5};
    drop = report_drop_json(&plan, 1, &entry);
    assert_true(json_is_null(json_object_get(drop, "field")));
    assert_true(json_is_null(json_object_get(drop, "stream")));
    assert_string_equal(json_string_value(json_object_get(drop, "sender")), "[::1]:5");
    json_decref(drop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_accounts_for_every_event),
        cmocka_unit_test(the_top_drop_is_never_a_duplicate_while_another_is_there),
        cmocka_unit_test(status_derives_ratios_lags_and_quantiles),
        cmocka_unit_test(status_tells_every_objective),
        cmocka_unit_test(every_member_of_the_store_is_on_its_page),
        cmocka_unit_test(parity_is_told_by_value_and_in_sum),
        cmocka_unit_test(tables_say_what_a_restart_would_find),
        cmocka_unit_test(tables_show_what_status_says),
        cmocka_unit_test(tables_survive_a_report_without_members),
        cmocka_unit_test(metrics_carry_the_figures),
        cmocka_unit_test(rules_and_limits_are_in_every_report),
        cmocka_unit_test(what_is_not_known_is_not_beyond),
        cmocka_unit_test(producers_beyond_a_hundred_are_one_series),
        cmocka_unit_test(a_drop_shows_field_sender_and_printable_bytes),
    };
    return cmocka_run_group_tests(tests, figures_make, NULL);
}
