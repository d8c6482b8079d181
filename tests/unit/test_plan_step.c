/* Workers take a new plan while events come, and history for its new views: every event counts once
 * in them, however the steps fall. */
#include "dataplane/plan_step.h"

#include <stdio.h>

#include "dataplane/filling.h"
#include "dataplane/worker_state.h"
#include "tests/support/unit.h"
#include "tests/support/workbench.h"

#define START_US   INT64_C(1750000000000000)
#define SHARDS     3u
#define KEYS       40u
#define RING_LINES 1024u

#define STREAM                                                                                     \
    "streams:\n"                                                                                   \
    "  e: {id: 1, time: ts, fields: {ts: {type: timestamp}, k: {type: u64}, x: {type: i64}}}\n"    \
    "views:\n"                                                                                     \
    "  old: {version: 1, entity: k, source: e, windows: [1h], aggregates: {n: count()}}\n"

static const char before[] = STREAM;
static const char after[] =
    STREAM "  new: {version: 1, entity: k, source: e, where: x >= 0, windows: [1h],\n"
           "        aggregates: {n: count(), s: sum(x + 1)}}\n";

struct event {
    int64_t ts;
    uint64_t k;
    int64_t x;
};

struct world {
    struct workbench bench;
    struct config *config; /* Of the new plan. */
    struct ring ring[SHARDS];
    void *lines[SHARDS];
    struct plan_step step[4][SHARDS];
    uint64_t routes_lsn[SHARDS];
    uint64_t sequence;
    uint64_t sent[KEYS]; /* Events that the new view takes. */
    uint64_t sum[KEYS];
};

enum { OWNERS, HOMES, WHOLE, GIVEN_UP };

static struct world world;

static const struct plan *plan_new(void)
{
    return &world.config->plan;
}

static void steps_make(void)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        world.lines[i] = aligned_alloc(CACHE_LINE_BYTES, ring_footprint(RING_LINES));
        assert_non_null(world.lines[i]);
        ring_init(&world.ring[i], world.lines[i], RING_LINES);
        struct plan_step owners = {
            .plan = plan_new(), .route_end = 1, .filling = &world.ring[i], .part_first = 1};
        struct plan_step homes = owners;
        homes.route_end = plan_new()->view_count;
        struct plan_step whole = homes;
        whole.filling = NULL;
        whole.part_first = VIEWS_MAX;
        whole.forwards_lsn = world.routes_lsn;
        struct plan_step given_up = owners;
        given_up.filling = NULL;
        given_up.given_up = true;
        world.step[OWNERS][i] = owners;
        world.step[HOMES][i] = homes;
        world.step[WHOLE][i] = whole;
        world.step[GIVEN_UP][i] = given_up;
    }
}

static int world_open(void **state)
{
    (void)state;
    struct workbench_options options = {.definitions = before,
                                        .shard_count = SHARDS,
                                        .start_us = START_US,
                                        .state_bytes = 32 * MIB};
    memset(&world, 0, sizeof(world));
    workbench_open(&world.bench, &options);
    world.config = malloc(sizeof(*world.config));
    assert_non_null(world.config);
    assert_int_equal(config_load_text("f", after, strlen(after), world.config), RESULT_OK);
    steps_make();
    return 0;
}

static int world_close(void **state)
{
    (void)state;
    workbench_close(&world.bench);
    for (uint32_t i = 0; i < SHARDS; i++) {
        free(world.lines[i]);
    }
    free(world.config);
    return 0;
}

static struct event event_of(uint64_t number)
{
    return (struct event){
        .ts = START_US + (int64_t)number, .k = number * 7 % KEYS, .x = (int64_t)(number % 3) - 1};
}

static void event_count(const struct event *event)
{
    if (event->x >= 0) {
        world.sent[event->k]++;
        world.sum[event->k] += (uint64_t)event->x + 1;
    }
}

/* One event to the home of a producer. */
static void event_send(uint64_t producer)
{
    struct event event = event_of(++world.sequence);
    struct wire_message message = {.stream_id = 1,
                                   .version = 1,
                                   .producer = producer,
                                   .sequence = world.sequence,
                                   .event_stride = sizeof(event),
                                   .event_count = 1};
    event_count(&event);
    workbench_send_message(&world.bench, 0, message, &event);
}

static void events_send(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        event_send(1 + i % 5);
    }
}

/* An event of before, as history of a home. */
static void history_push(uint32_t home)
{
    struct event event = event_of(++world.sequence);
    uint32_t owner = mesh_owner(hash_owner((const uint8_t *)&event.k, sizeof(event.k)), SHARDS);
    event_count(&event);
    if (event.x < 0) {
        return; /* Its condition was asked where it was read. */
    }
    struct filling_record *record =
        ring_push(&world.ring[owner], (uint32_t)(sizeof(*record) + sizeof(event)));
    assert_non_null(record);
    *record = (struct filling_record){.stream = 0,
                                      .version = 1,
                                      .event_size = sizeof(event),
                                      .home = (uint16_t)home,
                                      .views = 2,
                                      .order = world.sequence << 16,
                                      .watermark_us = event.ts};
    memcpy(record->event, &event, sizeof(event));
    ring_push_finish(&world.ring[owner]);
}

static void turns(uint32_t count)
{
    for (uint32_t i = 0; i < count * SHARDS; i++) {
        (void)worker_turn(world.bench.worker[i % SHARDS]);
        workbench_advance(&world.bench, 1);
    }
}

static void step_all(uint32_t stage)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        worker_step_set(world.bench.worker[i], &world.step[stage][i]);
    }
    turns(1);
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_true(worker_step_entered(world.bench.worker[i], &world.step[stage][i]));
    }
}

static void new_view_is_right(void)
{
    world.bench.plan = plan_new();
    reader_plan_set(world.bench.reader, plan_new());
    for (uint64_t k = 0; k < KEYS; k++) {
        char key[16];
        char count[24];
        char sum[24];
        (void)snprintf(key, sizeof(key), "k:%lu", k);
        (void)snprintf(count, sizeof(count), "%lu", world.sent[k]);
        (void)snprintf(sum, sizeof(sum), "%lu", world.sum[k]);
        assert_string_equal(workbench_get(&world.bench, key, "new.n_1h", INT64_MAX, NULL), count);
        assert_string_equal(workbench_get(&world.bench, key, "new.s_1h", INT64_MAX, NULL), sum);
    }
}

static uint64_t rows_of_new_view(void)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < SHARDS; i++) {
        rows += counter_read(&worker_counters(world.bench.worker[i])->view[1].shared_rows);
    }
    return rows;
}

/* Events whose home routes to the old view only are history: here they are given as such. */
static void history_and_live_events_count_once_each(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        history_push(i % SHARDS);
    }
    step_all(OWNERS);
    turns(1);
    assert_true(rows_of_new_view() > 0);
    /* One home after another begins to route, with events in between. */
    for (uint32_t home = 0; home < SHARDS; home++) {
        worker_step_set(world.bench.worker[home], &world.step[HOMES][home]);
        turns(1);
    }
    events_send(500);
    for (uint32_t i = 0; i < 200; i++) {
        history_push(i % SHARDS);
    }
    turns(30);
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_true(ring_is_drained(&world.ring[i]));
        world.routes_lsn[i] = worker_routes_lsn(world.bench.worker[i]);
    }
    step_all(WHOLE);
    events_send(100);
    turns(10);
    new_view_is_right();
    assert_int_equal(workbench_balance(&world.bench), 0);
}

static void homes_that_do_not_route_leave_the_new_view_alone(void **state)
{
    (void)state;
    step_all(OWNERS);
    events_send(200);
    turns(20);
    assert_int_equal(rows_of_new_view(), 0);
    assert_int_equal(workbench_applied(&world.bench, 0), 200);
}

static void whole_waits_for_forwards_up_to_the_cut(void **state)
{
    (void)state;
    step_all(OWNERS);
    step_all(HOMES);
    for (uint32_t i = 0; i < SHARDS; i++) {
        world.routes_lsn[i] = worker_routes_lsn(world.bench.worker[i]);
    }
    world.routes_lsn[1]++; /* Home 1 has not said yet that all forwards of its next record went. */
    worker_step_set(world.bench.worker[0], &world.step[WHOLE][0]);
    turns(2);
    assert_false(worker_step_entered(world.bench.worker[0], &world.step[WHOLE][0]));
    while (world.bench.worker[1]->shard.lsn < world.routes_lsn[1]) {
        events_send(5);
        turns(2);
    }
    turns(2);
    assert_true(worker_step_entered(world.bench.worker[0], &world.step[WHOLE][0]));
    assert_true(world.bench.worker[0]->mirror.forward_lsn[1] >= world.routes_lsn[1]);
}

static void rows_of_a_view_that_is_given_up_go(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        history_push(i % SHARDS);
    }
    step_all(OWNERS);
    step_all(HOMES);
    events_send(100);
    turns(20);
    assert_int_equal(rows_of_new_view(), KEYS);
    step_all(GIVEN_UP);
    events_send(100);
    for (uint32_t i = 0; i < 100 && rows_of_new_view() > 0; i++) {
        turns(1000);
        workbench_advance(&world.bench, US_PER_SECOND);
    }
    assert_int_equal(rows_of_new_view(), 0);
    assert_int_equal(workbench_applied(&world.bench, 0), 200);
}

static void scans_pass_over_rows_that_are_not_served(void *context, uint16_t view,
                                                     const uint8_t *key, uint32_t key_size)
{
    uint32_t *rows = context;
    (void)key;
    (void)key_size;
    assert_int_equal(view, 0);
    (*rows)++;
}

static void a_reader_of_the_old_plan_sees_its_views_only(void **state)
{
    (void)state;
    uint32_t rows = 0;
    step_all(OWNERS);
    step_all(HOMES);
    events_send(200);
    turns(20);
    assert_int_equal(rows_of_new_view(), KEYS);
    assert_int_equal(reader_scan(world.bench.reader, 0, 1u << 20,
                                 scans_pass_over_rows_that_are_not_served, &rows),
                     0);
    assert_int_equal(rows, KEYS);
    assert_string_equal(workbench_get(&world.bench, "k:7", "old.n_1h", INT64_MAX, NULL), "5");
}

/* What a worker had filled: its rows as a walk copies them, and where it stood. */
struct filled {
    uint8_t *content; /* Owned; of one block. */
    uint32_t size;
    struct filling_place place;
};

/* Its new view's rows are few: one block, and the end. */
static void filled_take(struct worker *worker, struct filled *out)
{
    const struct walk_scope scope = {.view_first = 1, .view_end = 2, .rows_alone = true};
    struct walk *walk = &worker->walk;
    struct arena arena;
    uint64_t size = align_up(walk_footprint(true), CACHE_LINE_BYTES);
    void *memory = aligned_alloc(CACHE_LINE_BYTES, size);
    assert_non_null(memory);
    memset(memory, 0, size);
    arena_init(&arena, memory, size);
    walk_init(walk, true, &arena);
    worker_walk_scope(worker, &scope);
    worker_walk_begin(worker, 1, 0);
    turns(10);
    const struct walk_block *rows = worker_walk_take(worker, 0);
    const struct walk_block *end = worker_walk_take(worker, 1);
    assert_non_null(rows);
    assert_int_equal(rows->kind, WALK_BLOCK_ROWS);
    assert_non_null(end);
    assert_int_equal(end->kind, WALK_BLOCK_END);
    out->size = rows->size;
    out->content = malloc(rows->size);
    assert_non_null(out->content);
    memcpy(out->content, rows->data + TILE_BLOCK_HEADER, rows->size);
    worker_filling_place(worker, &out->place);
    walk->enabled = false;
    free(memory);
}

static uint32_t filled_push(const struct filled *filled, uint32_t shard)
{
    struct tile_row row;
    uint32_t at = 0;
    uint32_t count = 0;
    for (; tile_row_decode(filled->content, filled->size, &at, &row) == RESULT_OK; count++) {
        assert_true(filling_row_check(plan_new(), 1, shard, SHARDS, &row));
        assert_false(filling_row_check(plan_new(), 2, shard, SHARDS, &row));
        assert_false(filling_row_check(plan_new(), 1, (shard + 1) % SHARDS, SHARDS, &row));
        row.back_words++;
        assert_false(filling_row_check(plan_new(), 1, shard, SHARDS, &row));
        row.back_words--;
        assert_true(filling_row_push(&world.ring[shard], &row));
    }
    assert_true(filling_place_push(&world.ring[shard], &filled->place));
    ring_push_finish(&world.ring[shard]);
    return count;
}

/* Rows and horizons of a process before, then the rest of history and live events. */
static void rows_that_were_filled_go_on_in_another_process(void **state)
{
    (void)state;
    struct filled filled[SHARDS];
    uint32_t rows = 0;
    step_all(OWNERS);
    for (uint32_t i = 0; i < 300; i++) {
        history_push(i % SHARDS);
    }
    turns(20);
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_true(ring_is_drained(&world.ring[i]));
        filled_take(world.bench.worker[i], &filled[i]);
        assert_true(filled[i].place.home < SHARDS);
    }
    uint64_t rows_before = rows_of_new_view();
    struct world before_world = world;
    assert_int_equal(world_close(NULL), 0);
    assert_int_equal(world_open(NULL), 0);
    world.sequence = before_world.sequence;
    memcpy(world.sent, before_world.sent, sizeof(world.sent));
    memcpy(world.sum, before_world.sum, sizeof(world.sum));
    for (uint32_t i = 0; i < SHARDS; i++) {
        rows += filled_push(&filled[i], i);
    }
    for (uint32_t i = 0; i < 200; i++) {
        history_push(i % SHARDS);
    }
    step_all(OWNERS);
    turns(20);
    assert_int_equal(rows, rows_before);
    assert_int_equal(rows_of_new_view(), rows_before);
    step_all(HOMES);
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_true(ring_is_drained(&world.ring[i]));
        assert_int_equal(worker_filling_refused(world.bench.worker[i]), 0);
        world.routes_lsn[i] = worker_routes_lsn(world.bench.worker[i]);
        free(filled[i].content);
    }
    events_send(100);
    turns(10);
    step_all(WHOLE);
    turns(10);
    new_view_is_right();
}

static void where_a_worker_stood_is_where_it_stands(void **state)
{
    (void)state;
    struct filling_place place = {.home = 2};
    struct filling_place is;
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        place.fold_us[s] = START_US + s;
    }
    worker_filling_place(world.bench.worker[0], &is);
    assert_int_equal(is.home, SHARDS_MAX);
    assert_true(filling_place_push(&world.ring[0], &place));
    ring_push_finish(&world.ring[0]);
    step_all(OWNERS);
    turns(2);
    worker_filling_place(world.bench.worker[0], &is);
    assert_int_equal(is.home, 2);
    assert_memory_equal(is.fold_us, place.fold_us, sizeof(is.fold_us));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(history_and_live_events_count_once_each, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(homes_that_do_not_route_leave_the_new_view_alone,
                                        world_open, world_close),
        cmocka_unit_test_setup_teardown(whole_waits_for_forwards_up_to_the_cut, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(rows_of_a_view_that_is_given_up_go, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(rows_that_were_filled_go_on_in_another_process, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(where_a_worker_stood_is_where_it_stands, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(a_reader_of_the_old_plan_sees_its_views_only, world_open,
                                        world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
