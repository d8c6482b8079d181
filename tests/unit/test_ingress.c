/* From datagrams to counted events: text of several streams, bursts' edges, schema versions between
 * shards, and every policy. */
#include "tests/support/unit.h"

#include <inttypes.h>
#include <stdio.h>

#include "dataplane/feature/wire.h"
#include "dataplane/worker_state.h"
#include "tests/support/workbench.h"

#define START_US INT64_C(1750000000000000)

static void get_equals(struct workbench *bench, const char *key, const char *feature,
                       const char *expected)
{
    assert_string_equal(workbench_get(bench, key, feature, INT64_MIN, NULL), expected);
}

static void bench_open(struct workbench *bench, const char *definitions, uint32_t shard_count)
{
    struct workbench_options options = {
        .definitions = definitions, .start_us = START_US, .shard_count = shard_count};
    workbench_open(bench, &options);
}

static const char two_streams[] = "streams:\n"
                                  "  small:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      k: {type: u64}\n"
                                  "  large:\n"
                                  "    id: 2\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      name: {type: string, size: 256}\n"
                                  "      x: {type: i64}\n"
                                  "      fill: {type: string, size: 256, optional: true}\n"
                                  "views:\n"
                                  "  s:\n"
                                  "    version: 1\n"
                                  "    entity: k\n"
                                  "    source: small\n"
                                  "    windows: [1h]\n"
                                  "    aggregates: {n: count()}\n"
                                  "  l:\n"
                                  "    version: 1\n"
                                  "    entity: name\n"
                                  "    source: large\n"
                                  "    windows: [1h]\n"
                                  "    aggregates: {n: count(), x: sum(x)}\n";

static void text_of_two_streams_may_mix_in_one_datagram(void **state)
{
    (void)state;
    for (uint32_t shards = 1; shards <= 2; shards++) {
        struct workbench bench;
        bench_open(&bench, two_streams, shards);
        /* Runs of both, of every length: each switch applies what came before. */
        uint32_t small = 0;
        uint32_t large = 0;
        for (uint32_t run = 1; run <= 12; run++) {
            char text[MESSAGE_SIZE_MAX];
            uint32_t at = 0;
            for (uint32_t i = 0; i < run; i++) {
                at += (uint32_t)snprintf(text + at, sizeof(text) - at, "small k=%ui\n", small++);
            }
            for (uint32_t i = 0; i < run; i++, large++) {
                at += (uint32_t)snprintf(text + at, sizeof(text) - at, "large name=\"n%u\",x=%ui\n",
                                         large, large);
                if (i % 3 == 2) {
                    at +=
                        (uint32_t)snprintf(text + at, sizeof(text) - at, "small k=%ui\n", small++);
                }
            }
            workbench_send(&bench, run % shards, text, at);
        }
        workbench_run(&bench);
        assert_int_equal(workbench_applied(&bench, 0), small);
        assert_int_equal(workbench_applied(&bench, 1), large);
        assert_int_equal(workbench_balance(&bench), 0);
        for (uint32_t i = 0; i < small; i++) {
            char key[32];
            (void)snprintf(key, sizeof(key), "k:%u", i);
            get_equals(&bench, key, "s.n_1h", "1");
        }
        for (uint32_t i = 0; i < large; i++) {
            char key[32];
            char value[32];
            (void)snprintf(key, sizeof(key), "name:n%u", i);
            (void)snprintf(value, sizeof(value), "%u", i);
            get_equals(&bench, key, "l.n_1h", "1");
            get_equals(&bench, key, "l.x_1h", value);
        }
        workbench_close(&bench);
    }
}

static const char widest[] = "streams:\n"
                             "  w:\n"
                             "    id: 1\n"
                             "    version: 1\n"
                             "    time: ts\n"
                             "    fields:\n"
                             "      ts: {type: timestamp}\n"
                             "      k: {type: u64}\n"
                             "      a: {type: string, size: 256, optional: true}\n"
                             "      b: {type: string, size: 256, optional: true}\n"
                             "      c: {type: string, size: 256, optional: true}\n"
                             "      d: {type: string, size: 256, optional: true}\n"
                             "      e: {type: string, size: 256, optional: true}\n"
                             "      f: {type: string, size: 256, optional: true}\n"
                             "      g: {type: string, size: 256, optional: true}\n"
                             "      h: {type: string, size: 256, optional: true}\n"
                             "views:\n"
                             "  v:\n"
                             "    version: 1\n"
                             "    entity: k\n"
                             "    source: w\n"
                             "    windows: [1h]\n"
                             "    aggregates: {n: count()}\n";

static void more_text_than_the_text_space_holds_is_applied_whole(void **state)
{
    (void)state;
    for (uint32_t shards = 1; shards <= 2; shards++) {
        struct workbench bench;
        bench_open(&bench, widest, shards);
        uint32_t events = 0;
        /* 2064-byte blocks from 10-byte lines. */
        while (events * 2064 < 3 * TEXT_SPACE_BYTES) {
            char text[MESSAGE_SIZE_MAX];
            uint32_t at = 0;
            while (at < sizeof(text) - 20) {
                at += (uint32_t)snprintf(text + at, sizeof(text) - at, "w k=%ui\n", events++);
            }
            workbench_send(&bench, 0, text, at);
        }
        workbench_run(&bench);
        assert_int_equal(workbench_applied(&bench, 0) +
                             workbench_dropped(&bench, 0, DROP_message_mesh_full),
                         events);
        if (shards == 1) {
            assert_int_equal(workbench_applied(&bench, 0), events);
        }
        assert_int_equal(workbench_balance(&bench), 0);
        uint32_t found = 0;
        for (uint32_t i = 0; i < events; i++) {
            char key[32];
            (void)snprintf(key, sizeof(key), "k:%u", i);
            const char *value = workbench_get(&bench, key, "v.n_1h", INT64_MIN, NULL);
            assert_true(value[0] == '\0' || strcmp(value, "1") == 0);
            found += value[0] != '\0';
        }
        assert_int_equal(found, workbench_applied(&bench, 0));
        workbench_close(&bench);
    }
}

struct small_event {
    int64_t ts;
    uint64_t k;
};

static void one_send(struct workbench *bench, uint64_t producer, uint64_t sequence)
{
    struct small_event event = {.ts = START_US, .k = producer};
    struct wire_message message = {.stream_id = 1,
                                   .version = 1,
                                   .producer = producer,
                                   .sequence = sequence,
                                   .event_stride = sizeof(event),
                                   .event_count = 1};
    workbench_send_message(bench, 0, message, &event);
    workbench_run(bench);
}

/* Law: what was heard of a moment ago is known, wherever the clock is set. */
static void a_clock_that_is_set_makes_no_lane_silent(void **state)
{
    (void)state;
    struct workbench bench;
    struct workbench_options options = {
        .definitions = two_streams, .start_us = START_US, .lanes_max = 1};
    workbench_open(&bench, &options);
    one_send(&bench, 1, 1);
    workbench_advance(&bench, 24 * 3600 * US_PER_SECOND);
    one_send(&bench, 2, 1);
    assert_int_equal(workbench_dropped(&bench, 0, DROP_message_lanes_full), 1);
    one_send(&bench, 1, 1);
    assert_int_equal(workbench_dropped(&bench, 0, DROP_message_duplicate), 1);
    workbench_advance(&bench, -48 * 3600 * US_PER_SECOND);
    one_send(&bench, 1, 1);
    assert_int_equal(workbench_dropped(&bench, 0, DROP_message_duplicate), 2);
    /* Ten minutes, turn after turn, are silence. */
    for (uint32_t second = 0; second <= LANE_IDLE_US / US_PER_SECOND; second++) {
        workbench_advance(&bench, US_PER_SECOND);
        workbench_run(&bench);
    }
    one_send(&bench, 2, 1);
    assert_int_equal(workbench_applied(&bench, 0), 2);
    workbench_close(&bench);
}

static void bursts_end_where_they_are_full(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 255, 256, 257, 511, 512, 513};
    for (uint32_t shards = 1; shards <= 2; shards++) {
        struct workbench bench;
        bench_open(&bench, two_streams, shards);
        static struct small_event event[MESSAGE_SIZE_MAX / sizeof(struct small_event)];
        uint32_t sent = 0;
        for (uint32_t m = 0; m < 2 * 8 * 8; m++) {
            uint32_t count = m % 2 == 0 ? sizes[m / 2 % 8] : sizes[m / 16];
            for (uint32_t e = 0; e < count; e++) {
                event[e] = (struct small_event){.ts = START_US, .k = sent++ % 300};
            }
            struct wire_message message = {.stream_id = 1,
                                           .version = 1,
                                           .producer = 1,
                                           .sequence = m + 1,
                                           .event_stride = sizeof(event[0]),
                                           .event_count = (uint16_t)count};
            workbench_send_message(&bench, 0, message, event);
            if (m % 2 == 1) {
                workbench_run(&bench);
                assert_int_equal(workbench_applied(&bench, 0), sent);
            }
        }
        assert_int_equal(workbench_balance(&bench), 0);
        for (uint32_t k = 0; k < 300; k++) {
            char key[32];
            char value[32];
            (void)snprintf(key, sizeof(key), "k:%u", k);
            (void)snprintf(value, sizeof(value), "%u", sent / 300 + (k < sent % 300));
            get_equals(&bench, key, "s.n_1h", value);
        }
        workbench_close(&bench);
    }
}

/* Law: a row has taken all of a T or nothing, so no two bursts of a turn share one. */
static void each_burst_has_its_own_apply_time(void **state)
{
    (void)state;
    struct workbench bench;
    struct answer answer;
    bench_open(&bench, two_streams, 1);
    workbench_advance(&bench, 1000);
    int64_t first_us = clock_now_us(&bench.clock);
    workbench_send_text(&bench, 0,
                        "small k=1i\nlarge name=\"a\",x=1i\nsmall k=1i\nsmall k=1i\n"
                        "large name=\"a\",x=1i\n");
    workbench_run(&bench);
    assert_string_equal(workbench_get(&bench, "k:1", "s.n_1h", INT64_MIN, &answer), "3");
    assert_int_equal(answer.q_us, first_us + 4);
    workbench_close(&bench);
}

/* T does not run away from the clock where there is a burst in every few nanoseconds. */
static void bursts_share_an_apply_time_that_is_ahead_of_the_clock(void **state)
{
    (void)state;
    struct workbench bench;
    struct answer answer;
    bench_open(&bench, two_streams, 1);
    int64_t first_us = clock_now_us(&bench.clock);
    uint32_t sent = 0;
    for (; sent < 5000; sent++) {
        workbench_send_text(&bench, 0, "small k=1i\nlarge name=\"a\",x=1i\n");
        workbench_run(&bench);
    }
    (void)workbench_get(&bench, "k:1", "s.n_1h", INT64_MIN, &answer);
    assert_true(answer.q_us > first_us + 5000);
    assert_true(answer.q_us < first_us + 5000 + 2 * US_PER_MS);
    workbench_close(&bench);
}

/* --- versions ------------------------------------------------------------------------------- */

static const char versions[] =
    "streams:\n"
    "  e:\n"
    "    id: 1\n"
    "    version: 3\n"
    "    time: ts\n"
    "    fields:\n"
    "      ts: {type: timestamp}\n"
    "      k: {type: u32}\n"
    "      x: {type: i64}\n"
    "      y: {type: i16, optional: true, since: 2}\n"
    "      z: {type: string, size: 4, optional: true, since: 3}\n"
    "views:\n"
    "  by_k:\n"
    "    version: 1\n"
    "    entity: k\n"
    "    source: e\n"
    "    windows: [1h]\n"
    "    aggregates: {n: count(), x: sum(x), y: sum(y), ny: count(y), z: last(z)}\n"
    "  by_x:\n"
    "    version: 1\n"
    "    entity: x\n"
    "    source: e\n"
    "    windows: [1h]\n"
    "    aggregates: {n: count(), y: sum(y), z: last(z)}\n";

static const uint16_t size_at[] = {0, 20, 22, 26};

/* Events of any version, with a tail behind it that nobody knows. */
static void version_send(struct workbench *bench, uint32_t shard, uint16_t version, uint32_t tail,
                         uint64_t sequence)
{
    uint8_t block[40 * 64];
    uint32_t known = version < 4 ? version : 3;
    uint32_t stride = size_at[known] + tail;
    memset(block, 0x5a, sizeof(block));
    for (uint32_t i = 0; i < 40; i++) {
        int64_t ts = START_US;
        uint32_t k = (uint32_t)sequence * 100 + i;
        int64_t x = 1000 + k;
        int16_t y = 7;
        uint8_t *at = block + i * stride;
        memcpy(at, &ts, 8);
        memcpy(at + 8, &k, 4);
        memcpy(at + 12, &x, 8);
        if (known >= 2) {
            memcpy(at + 20, &y, 2);
        }
        if (known >= 3) {
            memcpy(at + 22, "abcd", 4);
        }
    }
    struct wire_message message = {.stream_id = 1,
                                   .version = version,
                                   .producer = 1,
                                   .sequence = sequence,
                                   .event_stride = (uint16_t)stride,
                                   .event_count = 40};
    workbench_send_message(bench, shard, message, block);
}

static void version_check(struct workbench *bench, uint16_t version, uint32_t k)
{
    char key[32];
    char value[32];
    (void)snprintf(key, sizeof(key), "k:%u", k);
    (void)snprintf(value, sizeof(value), "%u", 1000 + k);
    get_equals(bench, key, "by_k.n_1h", "1");
    get_equals(bench, key, "by_k.x_1h", value);
    get_equals(bench, key, "by_k.ny_1h", version >= 2 ? "1" : "0");
    get_equals(bench, key, "by_k.y_1h", version >= 2 ? "7" : "");
    get_equals(bench, key, "by_k.z_1h", version >= 3 ? "abcd" : "");
    (void)snprintf(key, sizeof(key), "x:%u", 1000 + k);
    get_equals(bench, key, "by_x.n_1h", "1");
    get_equals(bench, key, "by_x.y_1h", version >= 2 ? "7" : "");
    get_equals(bench, key, "by_x.z_1h", version >= 3 ? "abcd" : "");
}

static void events_of_every_version_mean_the_same_at_any_owner(void **state)
{
    (void)state;
    for (uint32_t shards = 1; shards <= 4; shards++) {
        struct workbench bench;
        bench_open(&bench, versions, shards);
        uint64_t sequence = 0;
        for (uint32_t tail = 0; tail < 10; tail += 3) {
            for (uint16_t version = 1; version <= 5; version++) {
                version_send(&bench, version % shards, version, tail, ++sequence);
                workbench_run(&bench);
                for (uint32_t i = 0; i < 40; i++) {
                    version_check(&bench, version, (uint32_t)sequence * 100 + i);
                }
            }
        }
        assert_int_equal(workbench_applied(&bench, 0), 40 * sequence);
        assert_int_equal(workbench_balance(&bench), 0);
        workbench_close(&bench);
    }
}

static void events_shorter_than_their_version_are_refused(void **state)
{
    (void)state;
    struct workbench bench;
    bench_open(&bench, versions, 2);
    uint8_t block[64] = {0};
    for (uint16_t version = 1; version <= 5; version++) {
        struct wire_message message = {.stream_id = 1,
                                       .version = version,
                                       .producer = 1,
                                       .sequence = version,
                                       .event_stride =
                                           (uint16_t)(size_at[version < 4 ? version : 3] - 1),
                                       .event_count = 1};
        workbench_send_message(&bench, 0, message, block);
    }
    workbench_run(&bench);
    assert_int_equal(workbench_dropped(&bench, 0, DROP_message_event_size), 5);
    assert_int_equal(workbench_balance(&bench), 0);
    workbench_close(&bench);
}

/* --- policies ------------------------------------------------------------------------------- */

struct policy_row {
    const char *policy;
    enum drop drop;
    uint64_t applied;
    uint64_t quarantined;
    uint64_t violations;
    const char *count;
    const char *sum;
};

static void each_policy_for_broken_rules_is_kept(void **state)
{
    (void)state;
    static const struct policy_row rows[] = {
        {"drop", DROP_event_below_min, 1, 0, 1, "1", "5"},
        {"quarantine", DROP_event_below_min, 1, 1, 1, "1", "5"},
        {"null_field", DROP_NONE, 2, 0, 1, "2", "5"},
        {"count", DROP_NONE, 2, 0, 1, "2", "0"},
    };
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char yaml[1024];
        (void)snprintf(yaml, sizeof(yaml),
                       "streams:\n"
                       "  e:\n"
                       "    id: 1\n"
                       "    version: 1\n"
                       "    time: ts\n"
                       "    on_violation: %s\n"
                       "    fields:\n"
                       "      ts: {type: timestamp}\n"
                       "      k: {type: u64}\n"
                       "      x: {type: i64, min: 0, optional: true}\n"
                       "views:\n"
                       "  v:\n"
                       "    version: 1\n"
                       "    entity: k\n"
                       "    source: e\n"
                       "    windows: [1h]\n"
                       "    aggregates: {n: count(), x: sum(x)}\n",
                       rows[i].policy);
        struct workbench bench;
        bench_open(&bench, yaml, 2);
        workbench_send_text(&bench, 0, "e k=1i,x=5i\ne k=1i,x=-5i\n");
        workbench_run(&bench);
        get_equals(&bench, "k:1", "v.n_1h", rows[i].count);
        get_equals(&bench, "k:1", "v.x_1h", rows[i].sum);
        assert_int_equal(workbench_applied(&bench, 0), rows[i].applied);
        if (rows[i].drop != DROP_NONE) {
            assert_int_equal(workbench_dropped(&bench, 0, rows[i].drop), 1);
        }
        uint64_t quarantined = 0;
        uint64_t violations = 0;
        for (uint32_t w = 0; w < 2; w++) {
            const struct counters_stream *stream = &worker_counters(bench.worker[w])->stream[0];
            quarantined += counter_read(&stream->shared_quarantined);
            violations += counter_read(&stream->shared_violation[2][RULE_min]);
        }
        assert_int_equal(quarantined, rows[i].quarantined);
        assert_int_equal(violations, rows[i].violations);
        assert_int_equal(workbench_balance(&bench), 0);
        workbench_close(&bench);
    }
}

struct time_row {
    const char *late;
    int64_t offset_us; /* Of the second event, from the first. */
    enum drop drop;
};

static void a_drop_names_the_byte_of_its_field_or_of_its_line(void **state)
{
    (void)state;
    static const char yaml[] = "streams:\n"
                               "  e:\n"
                               "    id: 1\n"
                               "    version: 1\n"
                               "    time: ts\n"
                               "    lateness: 1s\n"
                               "    fields:\n"
                               "      ts: {type: timestamp}\n"
                               "      k: {type: u64}\n"
                               "      x: {type: i64, min: 0, max: 9}\n"
                               "views:\n"
                               "  v:\n"
                               "    version: 1\n"
                               "    entity: k\n"
                               "    source: e\n"
                               "    windows: [1h]\n"
                               "    aggregates: {n: count()}\n";
    static const char text[] = "e k=1i,x=5i\n"
                               "  \n"
                               "e k=1i,x=-5i\n"
                               "# a comment\n"
                               "{\"stream\": \"e\", \"k\": 1, \"x\": 10}\n"
                               "e k=1i,x=ten\n"
                               "e k=1i,x=1i 1000\n";
    static const struct {
        enum drop drop;
        const char *at; /* In text; NULL: in the message, byte `byte`. */
        uint32_t byte;
        uint32_t field;
    } rows[] = {
        {DROP_event_below_min, "e k=1i,x=-5i", 0, 2},
        {DROP_event_above_max, "{", 0, 2},
        {DROP_text_wrong_type, "ten", 0, 2},
        {DROP_event_late, "e k=1i,x=1i 1000", 0, FIELDS_MAX},
        {DROP_event_required, NULL, WIRE_EVENTS_OFFSET + 24 + 8, 1},
    };
    static struct drop_entry entry[DROP_LOG_ENTRIES];
    struct workbench bench;
    bench_open(&bench, yaml, 1);
    workbench_send_text(&bench, 0, "e k=1i,x=5i\n");
    workbench_run(&bench);
    workbench_send_text(&bench, 0, text);
    int64_t events[2][3] = {{START_US, 1, 1}, {START_US, -1, 1}};
    workbench_send_message(&bench, 0,
                           (struct wire_message){.stream_id = 1,
                                                 .version = 1,
                                                 .producer = 1,
                                                 .sequence = 1,
                                                 .event_stride = sizeof(events[0]),
                                                 .event_count = 2},
                           events);
    workbench_run(&bench);
    uint32_t count = drop_log_read(worker_drop_log(bench.worker[0]), 0, entry);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t found = 0;
        while (found < count && entry[found].drop != rows[i].drop) {
            found++;
        }
        assert_true(found < count);
        assert_int_equal(entry[found].offset, rows[i].at == NULL
                                                  ? rows[i].byte
                                                  : (uint32_t)(strstr(text, rows[i].at) - text));
        assert_int_equal(entry[found].field, rows[i].field);
    }
    assert_int_equal(count, sizeof(rows) / sizeof(rows[0]));
    workbench_close(&bench);
}

static void late_and_future_begin_one_microsecond_past_their_bounds(void **state)
{
    (void)state;
    const int64_t minute_us = 60 * US_PER_SECOND;
    const int64_t second_us = US_PER_SECOND;
    const struct time_row rows[] = {
        {"drop", -minute_us, DROP_NONE},
        {"drop", -minute_us - 1, DROP_event_late},
        {"ledger", -minute_us, DROP_NONE},
        {"ledger", -minute_us - 1, DROP_event_late},
        {"apply", -minute_us - 1, DROP_NONE},
        {"apply", -10 * minute_us, DROP_NONE},
        /* The second turn's apply time is 1 us past the clock of the first. */
        {"drop", 3 * second_us + 1, DROP_NONE},
        {"drop", 3 * second_us + 2, DROP_event_future},
        {"ledger", 3 * second_us + 2, DROP_event_future},
        {"apply", 3 * second_us + 2, DROP_event_future},
    };
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char yaml[1024];
        (void)snprintf(yaml, sizeof(yaml),
                       "streams:\n"
                       "  e:\n"
                       "    id: 1\n"
                       "    version: 1\n"
                       "    time: ts\n"
                       "    lateness: 1m\n"
                       "    future: 3s\n"
                       "    late: %s\n"
                       "    fields:\n"
                       "      ts: {type: timestamp}\n"
                       "      k: {type: u64}\n"
                       "views:\n"
                       "  v:\n"
                       "    version: 1\n"
                       "    entity: k\n"
                       "    source: e\n"
                       "    windows: [1h]\n"
                       "    aggregates: {n: count()}\n",
                       rows[i].late);
        struct workbench bench;
        bench_open(&bench, yaml, 1);
        for (uint32_t m = 0; m < 2; m++) {
            struct small_event event = {.ts = START_US + (m == 0 ? 0 : rows[i].offset_us), .k = 1};
            struct wire_message message = {.stream_id = 1,
                                           .version = 1,
                                           .producer = 1,
                                           .sequence = m + 1,
                                           .event_stride = sizeof(event),
                                           .event_count = 1};
            workbench_send_message(&bench, 0, message, &event);
            (void)worker_turn(bench.worker[0]);
        }
        assert_int_equal(workbench_applied(&bench, 0), rows[i].drop == DROP_NONE ? 2 : 1);
        if (rows[i].drop != DROP_NONE) {
            assert_int_equal(workbench_dropped(&bench, 0, rows[i].drop), 1);
        }
        uint64_t quarantined =
            counter_read(&worker_counters(bench.worker[0])->stream[0].shared_quarantined);
        assert_int_equal(quarantined, rows[i].drop == DROP_event_future);
        assert_int_equal(workbench_balance(&bench), 0);
        workbench_close(&bench);
    }
}

/* --- keys and views ------------------------------------------------------------------------- */

static const char optional_keys[] = "streams:\n"
                                    "  e:\n"
                                    "    id: 1\n"
                                    "    version: 1\n"
                                    "    time: ts\n"
                                    "    fields:\n"
                                    "      ts: {type: timestamp}\n"
                                    "      a: {type: u64, optional: true}\n"
                                    "      b: {type: string, size: 8, optional: true}\n"
                                    "views:\n"
                                    "  by_a:\n"
                                    "    version: 1\n"
                                    "    entity: a\n"
                                    "    source: e\n"
                                    "    windows: [1h]\n"
                                    "    aggregates: {n: count()}\n"
                                    "  by_b:\n"
                                    "    version: 1\n"
                                    "    entity: b\n"
                                    "    source: e\n"
                                    "    windows: [1h]\n"
                                    "    aggregates: {n: count()}\n";

static const char one_view[] = "streams:\n"
                               "  e:\n"
                               "    id: 1\n"
                               "    version: 1\n"
                               "    time: ts\n"
                               "    fields:\n"
                               "      ts: {type: timestamp}\n"
                               "      k: {type: u64, optional: true}\n"
                               "views:\n"
                               "  v:\n"
                               "    version: 1\n"
                               "    entity: k\n"
                               "    source: e\n"
                               "    windows: [1h]\n"
                               "    aggregates: {n: count()}\n";

static void history_is_recorded_and_neither_applied_nor_late_and_moves_no_watermark(void **state)
{
    (void)state;
    static const struct {
        int64_t offset_us;
        uint64_t k;
        enum drop drop;
    } row[] = {
        {-40 * 86400 * US_PER_SECOND, 1, DROP_event_history},
        {0, 1, DROP_event_history},
        {20 * US_PER_SECOND, 1, DROP_event_future},
        {-1, UINT64_MAX, DROP_event_history}, /* Keys are those of the views that take it. */
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        struct workbench bench;
        bench_open(&bench, one_view, 1);
        struct small_event event = {.ts = START_US + row[i].offset_us, .k = row[i].k};
        struct wire_message message = {.stream_id = 1,
                                       .version = 1,
                                       .flags = WIRE_FLAG_HISTORY,
                                       .producer = 1,
                                       .sequence = 1,
                                       .event_stride = sizeof(event),
                                       .event_count = 1};
        workbench_send_message(&bench, 0, message, &event);
        (void)worker_turn(bench.worker[0]);
        assert_int_equal(workbench_applied(&bench, 0), 0);
        assert_int_equal(workbench_dropped(&bench, 0, row[i].drop), 1);
        assert_int_equal(workbench_balance(&bench), 0);
        const struct counters_stream *stream = &worker_counters(bench.worker[0])->stream[0];
        assert_int_equal(atomic_load(&stream->shared_watermark_us), INT64_MIN);
        /* Beside it what comes is applied, in the same turn too. */
        message.flags = 0;
        message.sequence = 2;
        event = (struct small_event){.ts = START_US, .k = 1};
        workbench_send_message(&bench, 0, message, &event);
        message.flags = WIRE_FLAG_HISTORY;
        message.sequence = 3;
        workbench_send_message(&bench, 0, message, &event);
        (void)worker_turn(bench.worker[0]);
        assert_int_equal(workbench_applied(&bench, 0), 1);
        assert_int_equal(workbench_balance(&bench), 0);
        workbench_close(&bench);
    }
}

static void a_null_key_leaves_out_its_view_and_no_key_at_all_the_event(void **state)
{
    (void)state;
    for (uint32_t shards = 1; shards <= 3; shards++) {
        struct workbench bench;
        bench_open(&bench, optional_keys, shards);
        workbench_send_text(&bench, 0,
                            "e a=1i,b=\"x\"\n"
                            "e a=1i\n"
                            "e b=\"x\"\n"
                            "e b=\"x\"\n"
                            "{\"stream\":\"e\"}\n");
        workbench_run(&bench);
        get_equals(&bench, "a:1", "by_a.n_1h", "2");
        get_equals(&bench, "b:x", "by_b.n_1h", "3");
        assert_int_equal(workbench_view_dropped(&bench, 0, DROP_view_key_null), 3);
        assert_int_equal(workbench_view_dropped(&bench, 1, DROP_view_key_null), 2);
        assert_int_equal(workbench_dropped(&bench, 0, DROP_event_key_null), 1);
        assert_int_equal(workbench_applied(&bench, 0), 4);
        assert_int_equal(workbench_balance(&bench), 0);
        workbench_close(&bench);
    }
}

static void sixteen_views_of_one_stream_all_see_every_event(void **state)
{
    (void)state;
    for (uint32_t shards = 1; shards <= 5; shards += 2) {
        char yaml[16384];
        int at = snprintf(yaml, sizeof(yaml),
                          "streams:\n"
                          "  e:\n"
                          "    id: 1\n"
                          "    version: 1\n"
                          "    time: ts\n"
                          "    fields:\n"
                          "      ts: {type: timestamp}\n");
        for (uint32_t v = 0; v < VIEWS_PER_STREAM_MAX; v++) {
            at += snprintf(yaml + at, sizeof(yaml) - (size_t)at, "      f%u: {type: u64}\n", v);
        }
        at += snprintf(yaml + at, sizeof(yaml) - (size_t)at, "views:\n");
        for (uint32_t v = 0; v < VIEWS_PER_STREAM_MAX; v++) {
            at += snprintf(yaml + at, sizeof(yaml) - (size_t)at,
                           "  v%u:\n"
                           "    version: 1\n"
                           "    entity: f%u\n"
                           "    source: e\n"
                           "    windows: [1h]\n"
                           "    aggregates: {n: count(), s: sum(f0)}\n",
                           v, v);
        }
        struct workbench bench;
        bench_open(&bench, yaml, shards);
        for (uint32_t i = 0; i < 100; i++) {
            char text[2048];
            int size = snprintf(text, sizeof(text), "e ");
            for (uint32_t v = 0; v < VIEWS_PER_STREAM_MAX; v++) {
                size += snprintf(text + size, sizeof(text) - (size_t)size, "%sf%u=%ui",
                                 v > 0 ? "," : "", v, i % (v + 1));
            }
            workbench_send_text(&bench, i % shards, text);
        }
        workbench_run(&bench);
        assert_int_equal(workbench_applied(&bench, 0), 100);
        assert_int_equal(workbench_balance(&bench), 0);
        for (uint32_t v = 0; v < VIEWS_PER_STREAM_MAX; v++) {
            for (uint32_t k = 0; k <= v; k++) {
                char key[32];
                char feature[32];
                char value[32];
                (void)snprintf(key, sizeof(key), "f%u:%u", v, k);
                (void)snprintf(feature, sizeof(feature), "v%u.n_1h", v);
                (void)snprintf(value, sizeof(value), "%u", 100 / (v + 1) + (k < 100 % (v + 1)));
                get_equals(&bench, key, feature, value);
            }
        }
        workbench_close(&bench);
    }
}

static void what_names_no_stream_is_counted_apart(void **state)
{
    (void)state;
    struct workbench bench;
    bench_open(&bench, two_streams, 2);
    struct small_event event[3] = {{START_US, 1}, {START_US, 2}, {START_US, 3}};
    struct wire_message message = {.stream_id = 77,
                                   .version = 1,
                                   .producer = 1,
                                   .sequence = 1,
                                   .event_stride = sizeof(event[0]),
                                   .event_count = 3};
    workbench_send_message(&bench, 0, message, event);
    message.event_count = 0;
    workbench_send_message(&bench, 1, message, event);
    workbench_send_text(&bench, 0, "# nothing but a comment\n");
    workbench_run(&bench);
    assert_int_equal(workbench_dropped(&bench, STREAMS_MAX, DROP_message_unknown_stream), 4);
    assert_int_equal(workbench_received(&bench, 0), 0);
    assert_int_equal(workbench_counter(&bench, COUNTER_messages), 3);
    assert_int_equal(workbench_balance(&bench), 0);
    workbench_close(&bench);
}

static void heartbeats_are_work_and_move_the_window(void **state)
{
    (void)state;
    struct workbench bench;
    bench_open(&bench, two_streams, 1);
    for (uint64_t i = 0; i < 100; i++) {
        struct wire_message message = {
            .stream_id = 1, .version = 1, .producer = 1, .sequence = 1 + 2 * i, .event_stride = 16};
        workbench_send_message(&bench, 0, message, "");
    }
    /* A turn that took only heartbeats is no idle one: more may wait. */
    assert_int_not_equal(worker_turn(bench.worker[0]), 0);
    workbench_run(&bench);
    assert_int_equal(workbench_counter(&bench, COUNTER_heartbeats), 100);
    struct lane_report report[2];
    assert_int_equal(worker_lanes(bench.worker[0], report, 2), 1);
    assert_int_equal(report[0].messages, 100);
    assert_int_equal(report[0].holes, 99);
    assert_int_equal(workbench_received(&bench, 0), 0);
    workbench_close(&bench);
}

static void a_message_of_a_size_that_no_datagram_has_is_refused(void **state)
{
    (void)state;
    struct workbench bench;
    bench_open(&bench, two_streams, 1);
    static uint8_t data[MESSAGE_SIZE_MAX + 100];
    memset(data, 'x', sizeof(data));
    workbench_send(&bench, 0, data, sizeof(data));
    workbench_run(&bench);
    assert_int_equal(workbench_dropped(&bench, STREAMS_MAX, DROP_message_too_long), 1);
    assert_int_equal(workbench_balance(&bench), 0);
    workbench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_is_set_makes_no_lane_silent),
        cmocka_unit_test(text_of_two_streams_may_mix_in_one_datagram),
        cmocka_unit_test(more_text_than_the_text_space_holds_is_applied_whole),
        cmocka_unit_test(bursts_end_where_they_are_full),
        cmocka_unit_test(each_burst_has_its_own_apply_time),
        cmocka_unit_test(bursts_share_an_apply_time_that_is_ahead_of_the_clock),
        cmocka_unit_test(events_of_every_version_mean_the_same_at_any_owner),
        cmocka_unit_test(events_shorter_than_their_version_are_refused),
        cmocka_unit_test(each_policy_for_broken_rules_is_kept),
        cmocka_unit_test(a_drop_names_the_byte_of_its_field_or_of_its_line),
        cmocka_unit_test(history_is_recorded_and_neither_applied_nor_late_and_moves_no_watermark),
        cmocka_unit_test(late_and_future_begin_one_microsecond_past_their_bounds),
        cmocka_unit_test(a_null_key_leaves_out_its_view_and_no_key_at_all_the_event),
        cmocka_unit_test(sixteen_views_of_one_stream_all_see_every_event),
        cmocka_unit_test(what_names_no_stream_is_counted_apart),
        cmocka_unit_test(heartbeats_are_work_and_move_the_window),
        cmocka_unit_test(a_message_of_a_size_that_no_datagram_has_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
