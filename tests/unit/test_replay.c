/* Records of a log back into rows, one entry at a time: verdicts, forwards, views, lanes. */
#include "dataplane/replay.h"

#include <stdio.h>

#include "dataplane/base/hash.h"
#include "dataplane/feature/row.h"
#include "dataplane/worker_state.h"
#include "tests/support/unit.h"
#include "tests/support/workbench.h"

#define START_US   INT64_C(1750000000000000)
#define SHARDS     2u
#define EPOCH      5u
#define EVENTS_MAX 8u
#define LANES      16u

enum { BY_K, BY_J }; /* Views; the same are their places in the stream. */

static const char definitions[] = "streams:\n"
                                  "  e:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    on_violation: null_field\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      k: {type: u64}\n"
                                  "      j: {type: u64}\n"
                                  "      x: {type: i64, min: 0}\n"
                                  "views:\n"
                                  "  by_k:\n"
                                  "    version: 1\n"
                                  "    entity: k\n"
                                  "    source: e\n"
                                  "    windows: [1h]\n"
                                  "    aggregates: {n: count(), s: sum(x)}\n"
                                  "  by_j:\n"
                                  "    version: 1\n"
                                  "    entity: j\n"
                                  "    source: e\n"
                                  "    windows: [1h]\n"
                                  "    aggregates: {n: count()}\n";

struct event {
    int64_t ts;
    uint64_t k;
    uint64_t j;
    int64_t x;
};

struct world {
    struct workbench bench;
    struct replay *replay;
    struct catalog catalog;
    struct replay_start start;
    struct replay_counts counts;
    uint64_t void_above; /* Home LSNs above it are void. */
    uint32_t forwards;   /* That AGAIN gave, */
    uint32_t owner;      /* the last one: for whom, */
    struct mesh_forward forward;
    struct event event; /* and of what. */
};

static struct world world;

static void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static uint64_t lsn(uint64_t number)
{
    return lsn_of(EPOCH - 1, number);
}

static bool on_void(void *context, uint32_t home, uint64_t home_lsn)
{
    assert_ptr_equal(context, &world);
    assert_int_equal(home, 1);
    return home_lsn > world.void_above;
}

static bool on_forward(void *context, uint32_t owner, const void *record, uint32_t size)
{
    assert_ptr_equal(context, &world);
    assert_int_equal(size, sizeof(world.forward) + sizeof(world.event));
    world.forwards++;
    world.owner = owner;
    memcpy(&world.forward, record, sizeof(world.forward));
    memcpy(&world.event, (const uint8_t *)record + sizeof(world.forward), sizeof(world.event));
    return true;
}

/* The store's shards are SHARDS; shard_count of them are to run. */
static void world_open_shards(uint32_t shard_count)
{
    struct workbench_options bench = {.definitions = definitions,
                                      .shard_count = shard_count,
                                      .state_bytes = 4 * MIB,
                                      .lanes_max = LANES,
                                      .start_us = START_US};
    world = (struct world){.void_above = UINT64_MAX};
    workbench_open(&world.bench, &bench);
    struct replay_options options = {.workers = world.bench.worker,
                                     .shard_count = shard_count,
                                     .old_shard_count = SHARDS,
                                     .plan = world.bench.plan,
                                     .epoch = EPOCH,
                                     .is_void = on_void,
                                     .forward = on_forward,
                                     .context = &world};
    ok(replay_open(&options, &world.replay));
    catalog_of_plan(world.bench.plan, &world.catalog);
    ok(replay_catalog(world.replay, &world.catalog));
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        world.start.watermark_us[s] = INT64_MIN;
    }
}

static void world_open(void)
{
    world_open_shards(SHARDS);
}

static void world_close(void)
{
    replay_close(world.replay);
    workbench_close(&world.bench);
}

static void pass_begin(enum replay_pass pass)
{
    replay_begin(world.replay, pass, &world.start);
}

static void pass_end(void)
{
    static const int64_t since_us[VIEWS_MAX];
    ok(replay_end(world.replay, &world.counts));
    for (uint32_t w = 0; w < world.bench.shard_count; w++) {
        worker_replayed(world.bench.worker[w], START_US, world.counts.forward_lsn, since_us);
    }
    workbench_run(&world.bench);
}

/* The n-th key, from 1 on, that a shard owns. */
static uint64_t key_of(uint32_t shard, uint32_t n)
{
    for (uint64_t key = 1;; key++) {
        n -= mesh_owner(hash_owner((const uint8_t *)&key, sizeof(key)), SHARDS) == shard;
        if (n == 0) {
            return key;
        }
    }
}

/* An event whose views all belong to a shard. */
static struct event event_of(uint32_t shard)
{
    return (struct event){
        .ts = START_US - 10, .k = key_of(shard, 1), .j = key_of(shard, 2), .x = 1};
}

/* Producer and lane whose home is the shard. */
static uint64_t producer_of(uint32_t shard)
{
    uint64_t producer = 1;
    while (hash_home(producer, 0, SHARDS) != shard) {
        producer++;
    }
    return producer;
}

static struct mirror_entry message_of(uint64_t number, const struct event *event, uint16_t count,
                                      const uint32_t *verdict)
{
    static const uint32_t applied[EVENTS_MAX];
    return (struct mirror_entry){.kind = MIRROR_MESSAGE,
                                 .flags = MIRROR_MESSAGE_FLAG_ACKED,
                                 .stream_id = 1,
                                 .version = 1,
                                 .apply_us = START_US,
                                 .lsn = lsn(number),
                                 .lsn_count = count,
                                 .producer = producer_of(0),
                                 .sequence = number,
                                 .incarnation = 1,
                                 .event_count = count,
                                 .event_stride = sizeof(*event),
                                 .verdicts = (const uint8_t *)(verdict != NULL ? verdict : applied),
                                 .events = (const uint8_t *)event};
}

static struct mirror_entry forward_of(uint64_t number, const struct event *event,
                                      uint64_t home_number, uint32_t views)
{
    struct mirror_entry entry = message_of(number, event, 1, NULL);
    entry.kind = MIRROR_FORWARD;
    entry.flags = 0;
    entry.home = 1;
    entry.home_lsn = lsn(home_number);
    entry.views = views;
    return entry;
}

static enum result replay(struct mirror_entry entry)
{
    enum result result = replay_entry(world.replay, &entry);
    return result == RESULT_OK ? replay_frame_end(world.replay) : result;
}

static int64_t read(const char *entity, uint64_t id, const char *feature)
{
    char key[32];
    (void)snprintf(key, sizeof(key), "%s:%lu", entity, id);
    return strtol(workbench_get(&world.bench, key, feature, INT64_MIN, NULL), NULL, 10);
}

/* What a view counts of an event's key; 0: there is no row. */
static int64_t count_of(uint32_t view, const struct event *event)
{
    return view == BY_K ? read("k", event->k, "by_k.n_1h") : read("j", event->j, "by_j.n_1h");
}

static void verdicts_are_obeyed_and_no_rule_is_asked_again(void **state)
{
    (void)state;
    static const struct {
        uint8_t reason;
        int64_t x;
        int64_t count;
    } row[] = {
        {VERDICT_applied, 1, 1},         {VERDICT_applied, -1, 1},
        {VERDICT_event_late, 1, 0},      {VERDICT_event_future, 1, 0},
        {VERDICT_event_type, 1, 0},      {VERDICT_event_required, 1, 0},
        {VERDICT_event_below_min, 1, 0}, {VERDICT_event_key_null, 1, 0},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        struct event event = event_of(0);
        uint32_t verdict = verdict_of(row[i].reason, 3, 0);
        event.x = row[i].x;
        world_open();
        pass_begin(REPLAY_OWN);
        ok(replay(message_of(1, &event, 1, &verdict)));
        pass_end();
        assert_int_equal(count_of(BY_K, &event), row[i].count);
        assert_int_equal(count_of(BY_J, &event), row[i].count);
        assert_int_equal(read("k", event.k, "by_k.s_1h"), row[i].count * row[i].x);
        assert_int_equal(world.counts.records, 2 * row[i].count);
        world_close();
    }
}

static void a_view_that_refused_an_event_does_not_take_it_now(void **state)
{
    (void)state;
    for (uint16_t refused = 0; refused < 4; refused++) {
        struct event event = event_of(0);
        uint32_t verdict = verdict_of(VERDICT_applied, 0, refused);
        world_open();
        pass_begin(REPLAY_OWN);
        ok(replay(message_of(1, &event, 1, &verdict)));
        pass_end();
        assert_int_equal(count_of(BY_K, &event), (refused & 1) == 0);
        assert_int_equal(count_of(BY_J, &event), (refused & 2) == 0);
        world_close();
    }
}

static void records_up_to_the_start_are_passed_over(void **state)
{
    (void)state;
    struct event event = event_of(0);
    world_open();
    world.start.replay_lsn = lsn(10);
    pass_begin(REPLAY_OWN);
    for (uint64_t number = 9; number <= 12; number++) {
        ok(replay(message_of(number, &event, 1, NULL)));
    }
    pass_end();
    assert_int_equal(count_of(BY_K, &event), 2);
    world_close();
}

/* Law: replaying twice is replaying once. */
static void a_record_that_its_row_has_is_passed_over(void **state)
{
    (void)state;
    struct event event = event_of(0);
    struct event other = {.ts = event.ts, .k = key_of(0, 3), .j = key_of(0, 4), .x = 1};
    world_open();
    for (uint64_t last = 3; last <= 5; last++) {
        pass_begin(REPLAY_OWN);
        for (uint64_t number = 1; number <= last; number++) {
            ok(replay(message_of(number, number == 2 ? &other : &event, 1, NULL)));
        }
        pass_end();
        assert_int_equal(count_of(BY_K, &event), last - 1);
        assert_int_equal(count_of(BY_K, &other), 1);
    }
    world_close();
}

static void a_void_forward_is_left_out_and_counted(void **state)
{
    (void)state;
    struct event event = event_of(0);
    world_open();
    world.void_above = lsn(20);
    world.start.forward_lsn[1] = lsn(3);
    pass_begin(REPLAY_OWN);
    ok(replay(forward_of(1, &event, 20, 1 << BY_K)));
    ok(replay(forward_of(2, &event, 21, 1 << BY_K)));
    ok(replay(forward_of(3, &event, 19, 1 << BY_J)));
    pass_end();
    assert_int_equal(count_of(BY_K, &event), 1);
    assert_int_equal(count_of(BY_J, &event), 1);
    assert_int_equal(world.counts.voided, 1);
    assert_int_equal(world.counts.forward_lsn[1], lsn(20));
    assert_int_equal(world.counts.forward_lsn[0], 0);
    /* Of no home that there was. */
    pass_begin(REPLAY_OWN);
    struct mirror_entry entry = forward_of(4, &event, 20, 1 << BY_K);
    entry.home = SHARDS;
    assert_int_equal(replay(entry), RESULT_CORRUPT);
    pass_end();
    world_close();
}

static void what_others_own_is_left_to_them(void **state)
{
    (void)state;
    struct event event = event_of(0);
    event.j = key_of(1, 1);
    world_open();
    pass_begin(REPLAY_OWN);
    ok(replay(message_of(1, &event, 1, NULL)));
    pass_end();
    assert_int_equal(count_of(BY_K, &event), 1);
    assert_int_equal(count_of(BY_J, &event), 0);
    world_close();
}

static void with_another_number_of_shards_a_log_gives_what_its_shard_owned(void **state)
{
    (void)state;
    struct event event = event_of(0);
    event.j = key_of(1, 1);
    world_open_shards(1);
    pass_begin(REPLAY_OWN);
    ok(replay(message_of(1, &event, 1, NULL)));
    pass_end();
    assert_int_equal(count_of(BY_K, &event), 1);
    assert_int_equal(count_of(BY_J, &event), 0);
    world_close();
}

static void watermarks_come_back_from_what_was_applied(void **state)
{
    (void)state;
    struct event event[3] = {event_of(0), event_of(0), event_of(0)};
    uint32_t verdict[3] = {0, 0, verdict_of(VERDICT_event_future, 0, 0)};
    event[1].ts = START_US - 5;
    event[2].ts = START_US - 1;
    world_open();
    world.bench.worker[1]->watermark_us[0] = START_US - 7;
    pass_begin(REPLAY_OWN);
    ok(replay(message_of(1, event, 3, verdict)));
    pass_end();
    assert_int_equal(world.bench.worker[0]->watermark_us[0], START_US - 5);
    assert_int_equal(world.bench.worker[1]->watermark_us[0], START_US - 7);
    assert_int_equal(world.counts.apply_us, START_US);
    /* The checkpoint's stands where it is greater; records never move it back, nor beyond T. */
    world.start.watermark_us[0] = START_US - 2;
    pass_begin(REPLAY_OWN);
    ok(replay(message_of(4, event, 1, NULL)));
    pass_end();
    assert_int_equal(world.bench.worker[0]->watermark_us[0], START_US - 2);
    event[0].ts = START_US + 3;
    pass_begin(REPLAY_OWN);
    ok(replay(message_of(5, event, 1, NULL)));
    pass_end();
    assert_int_equal(world.bench.worker[0]->watermark_us[0], START_US);
    world_close();
}

static void an_owner_gets_again_what_it_lacks_and_no_more(void **state)
{
    (void)state;
    struct event event = event_of(1);
    struct event own = event_of(0);
    world_open();
    world.start.forward_lsn[1] = lsn(2);
    pass_begin(REPLAY_AGAIN);
    ok(replay(message_of(1, &event, 1, NULL)));
    ok(replay(message_of(2, &event, 1, NULL)));
    ok(replay(message_of(3, &own, 1, NULL)));
    assert_int_equal(world.forwards, 0);
    uint32_t verdict = verdict_of(VERDICT_applied, 0, 1 << BY_K);
    event.x = 77;
    ok(replay(message_of(4, &event, 1, &verdict)));
    assert_int_equal(world.forwards, 1);
    assert_int_equal(world.owner, 1);
    assert_int_equal(world.forward.kind, MESH_FORWARD);
    assert_int_equal(world.forward.home, 0);
    assert_int_equal(world.forward.home_lsn, lsn(4));
    assert_int_equal(world.forward.views, 1 << BY_J);
    assert_memory_equal(&world.event, &event, sizeof(event));
    pass_end();
    assert_int_equal(world.counts.again, 1);
    assert_int_equal(count_of(BY_J, &event), 0);
    assert_int_equal(count_of(BY_K, &own), 0);
    world_close();
}

static void history_is_for_rebuilt_views_that_its_plan_lacks(void **state)
{
    (void)state;
    for (uint32_t had = 0; had < 2; had++) {
        struct event event[3] = {event_of(0), event_of(0), event_of(0)};
        uint32_t verdict[3] = {verdict_of(VERDICT_event_below_min, 3, 0),
                               verdict_of(VERDICT_event_history, 0, 0),
                               verdict_of(VERDICT_event_history, 0, 0)};
        event[1].ts = START_US - 50 * US_PER_SECOND;
        event[2].ts = START_US - 40 * US_PER_SECOND;
        world_open();
        world.catalog.view_count = had == 0 ? 1 : 2;
        ok(replay_catalog(world.replay, &world.catalog));
        view_set_add(&world.start.rebuild_views, BY_J);
        pass_begin(REPLAY_OWN);
        ok(replay(message_of(1, event, 3, verdict)));
        pass_end();
        assert_int_equal(count_of(BY_K, &event[1]), 0);
        pass_begin(REPLAY_REBUILD);
        ok(replay(message_of(1, event, 3, verdict)));
        ok(replay(message_of(4, event, 1, NULL)));
        pass_end();
        assert_int_equal(count_of(BY_K, &event[1]), 0);
        assert_int_equal(count_of(BY_J, &event[1]), had == 0 ? 3 : 1);
        const struct replay_span *span = &world.counts.history[BY_J];
        assert_int_equal(span->some, had == 0);
        assert_int_equal(span->oldest_us, had == 0 ? event[1].ts : 0);
        assert_int_equal(span->newest_us, had == 0 ? event[2].ts : 0);
        assert_int_equal(world.counts.watermark_us[0], event[0].ts); /* By what came. */
        world_close();
    }
}

static void history_reaches_back_where_nothing_is_missing_behind_it(void **state)
{
    (void)state;
    static const struct {
        struct replay_span span;
        int64_t since_us;
        bool whole;
        int64_t want_us;
    } row[] = {
        {{false, 0, 0}, 100, true, 100},    {{true, 10, 90}, 100, true, 10},
        {{true, 10, 90}, 100, false, 100},  {{true, 10, 100}, 100, false, 10},
        {{true, 110, 120}, 100, true, 100},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        assert_int_equal(replay_span_since_us(&row[i].span, row[i].since_us, row[i].whole),
                         row[i].want_us);
    }
}

static void a_view_that_is_rebuilt_takes_all_and_the_others_nothing(void **state)
{
    (void)state;
    struct event event = event_of(0);
    /* The view of then refused what this one may take. */
    uint32_t verdict = verdict_of(VERDICT_applied, 0, 1 << BY_J);
    world_open();
    view_set_add(&world.start.rebuild_views, BY_J);
    pass_begin(REPLAY_OWN);
    ok(replay(message_of(1, &event, 1, &verdict)));
    ok(replay(message_of(2, &event, 1, NULL)));
    pass_end();
    assert_int_equal(count_of(BY_K, &event), 2);
    assert_int_equal(count_of(BY_J, &event), 0);
    pass_begin(REPLAY_REBUILD);
    ok(replay(message_of(1, &event, 1, &verdict)));
    ok(replay(message_of(2, &event, 1, NULL)));
    ok(replay(forward_of(3, &event, 1, 1 << BY_J))); /* Its home's log has it. */
    pass_end();
    assert_int_equal(count_of(BY_K, &event), 2);
    assert_int_equal(count_of(BY_J, &event), 2);
    world_close();
}

static void a_plan_in_the_log_says_what_views_were_where(void **state)
{
    (void)state;
    static uint8_t note[CATALOG_BYTES_MAX];
    struct event event = event_of(0);
    world_open();
    struct catalog_view *view = world.catalog.view;
    struct catalog_view first = view[0];
    view[0] = view[1];
    view[1] = first;
    view[0].place = 0;
    view[1].place = 1;
    struct mirror_entry plan = {.kind = MIRROR_PLAN,
                                .lsn = lsn(2),
                                .lsn_count = 1,
                                .note = note,
                                .note_size = catalog_encode(&world.catalog, note, sizeof(note))};
    pass_begin(REPLAY_OWN);
    ok(replay(forward_of(1, &event, 1, 1 << BY_K)));
    ok(replay(plan));
    ok(replay(forward_of(3, &event, 2, 1 << BY_K)));
    ok(replay(forward_of(4, &event, 3, 1 << BY_K)));
    pass_end();
    assert_int_equal(count_of(BY_K, &event), 1);
    assert_int_equal(count_of(BY_J, &event), 2);
    world_close();
}

static void a_stream_that_no_plan_has_is_damage_but_to_a_rebuild(void **state)
{
    (void)state;
    struct event event = event_of(0);
    struct mirror_entry entry = message_of(1, &event, 1, NULL);
    entry.stream_id = 9;
    world_open();
    pass_begin(REPLAY_OWN);
    assert_int_equal(replay(entry), RESULT_CORRUPT);
    pass_begin(REPLAY_REBUILD);
    ok(replay(entry));
    /* Events that are shorter than their schema. */
    entry = message_of(1, &event, 1, NULL);
    entry.event_stride = sizeof(event) - 8;
    pass_begin(REPLAY_OWN);
    assert_int_equal(replay(entry), RESULT_CORRUPT);
    world_close();
}

static void a_row_comes_back_if_it_is_one_of_its_view(void **state)
{
    (void)state;
    static uint64_t words[ROW_SIZE_MAX / sizeof(uint64_t)];
    uint64_t key = key_of(0, 1);
    world_open();
    const struct plan_view *view = &world.bench.plan->view[BY_J];
    row_init(view, BY_J, (const uint8_t *)&key, sizeof(key), 0, words);
    uint32_t front = row_head_lines(view, sizeof(key)) * LINE_WORDS - 1;
    struct tile_row row = {.front_words = front, .words = (const uint8_t *)(words + 1)};
    const _Atomic uint64_t *rows = &worker_counters(world.bench.worker[0])->view[BY_J].shared_rows;
    pass_begin(REPLAY_OWN);
    ok(replay_row(world.replay, &row));
    assert_int_equal(counter_read(rows), 1);
    row.front_words = front + 1;
    assert_int_equal(replay_row(world.replay, &row), RESULT_CORRUPT);
    row.front_words = front;
    row.back_words = 1;
    assert_int_equal(replay_row(world.replay, &row), RESULT_CORRUPT);
    row.back_words = 0;
    struct row_meta meta = row_meta_load(words);
    row_meta_store(words, (struct row_meta){.key_size = 0, .view = BY_J});
    assert_int_equal(replay_row(world.replay, &row), RESULT_CORRUPT);
    row_meta_store(words, (struct row_meta){.key_size = 8, .view = BY_J + 1});
    assert_int_equal(replay_row(world.replay, &row), RESULT_CORRUPT);
    row_meta_store(words, meta);
    /* Of a view that is gone: nothing to load. */
    world.catalog.view[BY_J].version++;
    world.catalog.view[BY_J].fingerprint++;
    key = key_of(0, 2);
    memcpy(&words[ROW_KEY], &key, sizeof(key));
    ok(replay_catalog(world.replay, &world.catalog));
    ok(replay_row(world.replay, &row));
    assert_int_equal(counter_read(rows), 1);
    pass_end();
    assert_int_equal(world.counts.rows, 1);
    world_close();
}

static enum drop accept_of(uint64_t producer, uint64_t sequence)
{
    struct lane_message message = {
        .producer = producer, .sequence = sequence, .oldest = 1, .incarnation = 1};
    struct lane *lane;
    return lanes_accept_acked(&world.bench.worker[0]->lanes, &message, false, START_US, &lane);
}

static void a_message_that_is_sent_again_counts_no_more(void **state)
{
    (void)state;
    struct event event = event_of(0);
    world_open();
    pass_begin(REPLAY_OWN);
    ok(replay(message_of(2, &event, 1, NULL)));
    struct mirror_entry text = message_of(3, &event, 1, NULL);
    text.flags = MIRROR_MESSAGE_FLAG_TEXT;
    text.producer = 0;
    text.lane = 1;
    ok(replay(text));
    pass_end();
    assert_int_equal(count_of(BY_K, &event), 2);
    assert_int_equal(accept_of(producer_of(0), 2), DROP_message_duplicate);
    assert_int_equal(accept_of(producer_of(0), 1), DROP_NONE);
    assert_int_equal(accept_of(producer_of(0), 3), DROP_NONE);
    struct lane_report report[2];
    assert_int_equal(worker_lanes(world.bench.worker[0], report, 2), 1); /* Text has none. */
    world_close();
}

static void lanes_beyond_their_places_are_refused(void **state)
{
    (void)state;
    struct tile_lane lane = {.incarnation = 1, .flags = TILE_LANE_FLAG_ACKED, .seen_us = START_US};
    uint32_t taken = 0;
    world_open();
    pass_begin(REPLAY_OWN);
    for (lane.producer = 1; taken <= LANES; lane.producer++) {
        if (hash_home(lane.producer, 0, SHARDS) != 0) {
            continue;
        }
        assert_int_equal(replay_lane(world.replay, &lane),
                         taken < LANES ? RESULT_OK : RESULT_NO_SPACE);
        taken++;
    }
    pass_end();
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_are_obeyed_and_no_rule_is_asked_again),
        cmocka_unit_test(a_view_that_refused_an_event_does_not_take_it_now),
        cmocka_unit_test(records_up_to_the_start_are_passed_over),
        cmocka_unit_test(a_record_that_its_row_has_is_passed_over),
        cmocka_unit_test(a_void_forward_is_left_out_and_counted),
        cmocka_unit_test(what_others_own_is_left_to_them),
        cmocka_unit_test(with_another_number_of_shards_a_log_gives_what_its_shard_owned),
        cmocka_unit_test(watermarks_come_back_from_what_was_applied),
        cmocka_unit_test(an_owner_gets_again_what_it_lacks_and_no_more),
        cmocka_unit_test(history_is_for_rebuilt_views_that_its_plan_lacks),
        cmocka_unit_test(history_reaches_back_where_nothing_is_missing_behind_it),
        cmocka_unit_test(a_view_that_is_rebuilt_takes_all_and_the_others_nothing),
        cmocka_unit_test(a_plan_in_the_log_says_what_views_were_where),
        cmocka_unit_test(a_stream_that_no_plan_has_is_damage_but_to_a_rebuild),
        cmocka_unit_test(a_row_comes_back_if_it_is_one_of_its_view),
        cmocka_unit_test(a_message_that_is_sent_again_counts_no_more),
        cmocka_unit_test(lanes_beyond_their_places_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
