/* The walk of a checkpoint, block by block: what it copies, what it waits for, and rows that move
 * behind it. */
#include "tests/support/unit.h"

#include "dataplane/base/hash.h"
#include "dataplane/feature/row.h"
#include "dataplane/worker_state.h"
#include "tests/support/workbench.h"

#define START_US  INT64_C(1750000000000000)
#define BATCH     50u
#define TURNS_MAX 1000u
#define PRODUCERS 20u

static const char definitions[] = "streams:\n"
                                  "  e:\n"
                                  "    id: 1\n"
                                  "    version: 1\n"
                                  "    time: ts\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      k: {type: u64}\n"
                                  "      x: {type: i64}\n"
                                  "views:\n"
                                  "  v:\n"
                                  "    version: 1\n"
                                  "    entity: k\n"
                                  "    source: e\n"
                                  "    windows: [1h]\n"
                                  "    exact: 1h\n"
                                  "    raw_cap: 64\n"
                                  "    aggregates: {n: count(), m: max(x)}\n";

struct event {
    int64_t ts;
    uint64_t k;
    int64_t x;
};

/* A worker with a walk and no log, and one that gets what the walk copies. */
struct world {
    struct workbench bench;
    struct workbench copy;
    void *memory;
    struct worker *worker;
    struct walk *walk;
    uint64_t sequence;
    uint64_t generation;
    uint64_t blocks; /* Taken so far. */
    /* Of the walk under way. */
    uint64_t rows;
    uint64_t lanes;
    uint64_t lsn_max;
    uint64_t rows_of_key; /* Of them, of watched_key. */
    uint64_t watched_key;
    enum walk_kind kind; /* Of the last block. */
};

static struct world world;

static void world_open(void)
{
    struct workbench_options options = {
        .definitions = definitions, .start_us = START_US, .state_bytes = 32 * MIB};
    world = (struct world){.watched_key = UINT64_MAX};
    workbench_open(&world.bench, &options);
    workbench_open(&world.copy, &options);
    world.worker = world.bench.worker[0];
    world.walk = &world.worker->walk;
    uint64_t size = align_up(walk_footprint(true), CACHE_LINE_BYTES);
    struct arena arena;
    world.memory = aligned_alloc(CACHE_LINE_BYTES, size);
    assert_non_null(world.memory);
    memset(world.memory, 0, size);
    arena_init(&arena, world.memory, size);
    walk_init(world.walk, true, &arena);
    world.worker->shard.walk = world.walk;
}

static void world_close(void)
{
    workbench_close(&world.copy);
    workbench_close(&world.bench);
    free(world.memory);
}

static void turn(void)
{
    (void)worker_turn(world.worker);
    workbench_advance(&world.bench, 1);
}

/* Events of keys first .. first + count - 1, `each` of each. */
static void events_apply(uint64_t first, uint64_t count, uint32_t each)
{
    struct event event[BATCH];
    for (uint64_t done = 0; done < count * each;) {
        struct wire_message message = {
            .stream_id = 1,
            .version = 1,
            .producer = 1 + world.sequence % PRODUCERS,
            .sequence = ++world.sequence,
            .event_stride = sizeof(event[0]),
        };
        for (; message.event_count < BATCH && done < count * each; done++) {
            event[message.event_count++] = (struct event){
                .ts = START_US, .k = first + done / each, .x = (int64_t)world.sequence};
        }
        workbench_send_message(&world.bench, 0, message, event);
        turn();
    }
}

static void walk_ask(uint64_t since_lsn)
{
    world.rows = world.lanes = world.lsn_max = world.rows_of_key = 0;
    worker_walk_begin(world.worker, ++world.generation, since_lsn);
}

static void rows_restore(const struct walk_block *block)
{
    struct tile_row row;
    uint32_t at = 0;
    uint32_t count = 0;
    const uint8_t *content = block->data + TILE_BLOCK_HEADER;
    for (; tile_row_decode(content, block->size, &at, &row) == RESULT_OK; count++) {
        const uint64_t *words = (const uint64_t *)(const void *)row.words;
        world.lsn_max = words[ROW_LSN - 1] > world.lsn_max ? words[ROW_LSN - 1] : world.lsn_max;
        world.rows_of_key += words[ROW_KEY - 1] == world.watched_key;
        assert_int_equal(shard_row_restore(&world.copy.worker[0]->shard, 0, words, row.front_words,
                                           row.back_words),
                         RESULT_OK);
    }
    assert_int_equal(at, block->size);
    assert_int_equal(count, block->count);
    world.rows += count;
}

static void lanes_restore_block(const struct walk_block *block)
{
    assert_int_equal(block->size, block->count * TILE_LANE_BYTES);
    for (uint32_t i = 0; i < block->count; i++) {
        struct tile_lane lane;
        tile_lane_decode(block->data + TILE_BLOCK_HEADER, i, &lane);
        assert_true(lanes_restore_window(&world.copy.worker[0]->lanes, &lane));
    }
    world.lanes += block->count;
}

/* Takes what is full; false when there was nothing. */
static bool blocks_take(void)
{
    struct walk_block *block = worker_walk_take(world.worker, world.blocks);
    if (block == NULL) {
        return false;
    }
    world.kind = block->kind;
    if (block->kind == WALK_BLOCK_ROWS) {
        assert_int_equal(world.lanes, 0);
        rows_restore(block);
    } else if (block->kind == WALK_BLOCK_LANES) {
        lanes_restore_block(block);
    }
    worker_walk_give(world.worker, block);
    world.blocks++;
    return true;
}

static void walk_finish(void)
{
    for (uint32_t i = 0; i < TURNS_MAX; i++) {
        turn();
        while (blocks_take()) {
            if (world.kind == WALK_BLOCK_END) {
                return;
            }
        }
    }
    fail_msg("the walk does not end");
}

static uint64_t line_of(uint64_t key)
{
    struct shard *shard = &world.worker->shard;
    uint64_t hash = hash_table((const uint8_t *)&key, sizeof(key), shard->secret);
    uint64_t *segment = table_segment(&shard->table, hash);
    uint64_t *bucket = table_bucket(segment, hash);
    uint32_t index = 0;
    const uint64_t *entry;
    while ((entry = table_find(segment, &bucket, &index, hash)) != NULL) {
        if (row_store_at(&shard->store, entry_line(*entry))[ROW_KEY] == key) {
            return entry_line(*entry);
        }
    }
    fail_msg("key %lu has no row", key);
    return 0;
}

static uint64_t state_hash(struct workbench *bench)
{
    memcpy(bench->worker[0]->watermark_us, world.worker->watermark_us,
           sizeof(world.worker->watermark_us));
    return workbench_state_hash(bench);
}

static void nothing_is_copied_before_it_is_asked_for_and_then_once(void **state)
{
    (void)state;
    world_open();
    events_apply(0, 100, 1);
    for (uint32_t i = 0; i < 10; i++) {
        turn();
    }
    assert_false(blocks_take());
    walk_ask(0);
    walk_finish();
    for (uint32_t i = 0; i < 10; i++) {
        turn();
    }
    assert_false(blocks_take());
    assert_int_equal(worker_walk_index(world.worker), world.blocks);
    world_close();
}

static void a_walk_copies_rows_then_lanes_and_they_are_the_state(void **state)
{
    (void)state;
    world_open();
    events_apply(0, 5000, 3);
    uint64_t start_lsn = world.worker->shard.lsn;
    walk_ask(0);
    walk_finish();
    const struct walk_summary *summary = worker_walk_summary(world.worker);
    assert_int_equal(world.rows, 5000);
    assert_int_equal(summary->row_count, 5000);
    assert_int_equal(summary->generation, world.generation);
    assert_int_equal(summary->start_lsn, start_lsn);
    assert_int_equal(summary->end_lsn, world.lsn_max);
    assert_int_equal(summary->watermark_us[0], START_US);
    assert_true(state_hash(&world.copy) == state_hash(&world.bench));
    /* A lane of the copy refuses what the worker's took. */
    assert_int_equal(world.lanes, PRODUCERS);
    for (uint64_t s = 1; s <= world.sequence; s++) {
        assert_int_equal(lanes_accept(&world.copy.worker[0]->lanes, 1 + (s - 1) % PRODUCERS, 0, 1,
                                      s, 0, START_US),
                         DROP_message_duplicate);
    }
    world_close();
}

static void a_walk_since_an_lsn_copies_what_changed_above_it(void **state)
{
    (void)state;
    world_open();
    events_apply(0, 1000, 1);
    walk_ask(0);
    walk_finish();
    uint64_t since_lsn = worker_walk_summary(world.worker)->start_lsn;
    assert_int_equal(since_lsn, world.lsn_max);
    walk_ask(since_lsn);
    walk_finish();
    assert_int_equal(world.rows, 0);
    events_apply(300, 7, 2);
    walk_ask(since_lsn);
    walk_finish();
    assert_int_equal(world.rows, 7);
    assert_true(state_hash(&world.copy) == state_hash(&world.bench));
    /* The first of these records is above it, the one before is not. */
    walk_ask(worker_walk_summary(world.worker)->end_lsn - 1);
    walk_finish();
    assert_int_equal(world.rows, 1);
    world_close();
}

static void a_row_is_noted_where_only_its_new_place_was_passed(void **state)
{
    (void)state;
    static const struct {
        enum walk_state state;
        uint64_t old_line;
        uint64_t line;
        bool due; /* Noted already, where it was. */
        bool noted;
    } row[] = {
        {WALK_ROWS, 100, 99, false, true},   {WALK_ROWS, 5000, 0, false, true},
        {WALK_ROWS, 100, 100, false, false}, {WALK_ROWS, 101, 100, false, false},
        {WALK_ROWS, 99, 98, false, false},   {WALK_ROWS, 0, 99, false, false},
        {WALK_ROWS, 99, 100, false, false},  {WALK_ROWS, 98, 97, true, true},
        {WALK_ROWS, 98, 100, true, false},   {WALK_MOVED, 100, 99, false, true},
        {WALK_IDLE, 100, 99, false, false},  {WALK_LANES, 100, 99, false, false},
        {WALK_END, 100, 99, false, false},
    };
    world_open();
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        uint64_t words[LINE_WORDS] = {0};
        row_meta_store(words, (struct row_meta){.walk_due = row[i].due});
        world.walk->state = row[i].state;
        world.walk->cursor = 100;
        uint32_t before = world.walk->moved_tail;
        walk_note_moved(world.walk, words, row[i].line, row[i].old_line);
        assert_int_equal(world.walk->moved_tail - before, row[i].noted);
        assert_int_equal(row_meta_load(words).walk_due, row[i].due || row[i].noted);
        if (row[i].noted) {
            assert_int_equal(world.walk->moved[before], row[i].line);
        }
    }
    walk_note_moved(NULL, NULL, 99, 100); /* Nobody walks. */
    world.walk->state = WALK_IDLE;
    world_close();
}

static void a_walk_of_some_views_leaves_out_the_others_and_lanes(void **state)
{
    (void)state;
    static const struct {
        struct walk_scope scope;
        uint32_t rows;
        uint32_t lanes;
        bool noted; /* A row that moves behind it. */
    } row[] = {
        {{0, 1, false}, 1000, PRODUCERS, true},
        {{0, 1, true}, 1000, 0, true},
        {{1, 2, true}, 0, 0, false},
        {{0, 0, false}, 0, PRODUCERS, false},
        {{0, VIEWS_MAX, false}, 1000, PRODUCERS, true},
    };
    world_open();
    events_apply(0, 1000, 1);
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        worker_walk_scope(world.worker, &row[i].scope);
        walk_ask(0);
        walk_finish();
        assert_int_equal(world.rows, row[i].rows);
        assert_int_equal(world.lanes, row[i].lanes);
        uint64_t words[LINE_WORDS] = {0};
        world.walk->state = WALK_ROWS;
        world.walk->cursor = 100;
        uint32_t before = world.walk->moved_tail;
        walk_note_moved(world.walk, words, 99, 100);
        assert_int_equal(world.walk->moved_tail - before, row[i].noted);
        world.walk->moved_tail = before;
        world.walk->state = WALK_IDLE;
    }
    world_close();
}

static void more_moved_rows_than_notes_begin_the_walk_again(void **state)
{
    (void)state;
    world_open();
    uint64_t words[LINE_WORDS] = {0};
    world.walk->state = WALK_MOVED;
    world.walk->cursor = 100;
    for (uint32_t i = 0; i < WALK_MOVED_MAX; i++) {
        walk_note_moved(world.walk, words, 99, 100);
    }
    assert_int_equal(world.walk->state, WALK_MOVED);
    assert_int_equal(world.walk->cursor, 100);
    walk_note_moved(world.walk, words, 99, 100);
    assert_int_equal(world.walk->state, WALK_ROWS);
    assert_int_equal(world.walk->cursor, 0);
    assert_int_equal(world.walk->moved_tail, world.walk->moved_head);
    world.walk->state = WALK_IDLE;
    world_close();
}

/* Rows of one event fill a chunk and go on in another, behind that of grown rows: one that grows
 * there moves to before the walk. */
static void a_row_that_moves_behind_the_walk_is_copied_once_as_it_is_there(void **state)
{
    (void)state;
    const uint64_t keys = 20000;
    world_open();
    events_apply(0, 1, 1);
    uint64_t first_line = line_of(0);
    while (line_of(0) == first_line) {
        events_apply(0, 1, 1);
    }
    uint64_t grown_chunk = line_of(0) / ROW_STORE_CHUNK_LINES;
    events_apply(1, keys, 1);
    world.watched_key = keys;
    uint64_t old_line = line_of(keys);
    assert_true(old_line / ROW_STORE_CHUNK_LINES > grown_chunk);
    walk_ask(0);
    do {
        turn();
        while (blocks_take()) {
        }
    } while (world.walk->cursor / ROW_STORE_CHUNK_LINES <= grown_chunk);
    while (line_of(keys) == old_line) {
        events_apply(keys, 1, 1);
    }
    assert_true(line_of(keys) < world.walk->cursor);
    assert_true(world.walk->cursor <= old_line);
    walk_finish();
    assert_int_equal(world.rows_of_key, 1);
    assert_int_equal(world.rows, keys + 1);
    assert_true(state_hash(&world.copy) == state_hash(&world.bench));
    /* It is noted no longer. */
    const uint64_t *row = row_store_at(&world.worker->shard.store, line_of(keys));
    assert_false(row_meta_load(row).walk_due);
    world_close();
}

static uint64_t packed(void)
{
    return workbench_counter(&world.bench, COUNTER_rows_packed);
}

/* Most rows of one event grow and leave their chunks sparse, the first one less than the others:
 * what is left in those is packed into it when the walk has just gone by. */
static void rows_that_are_packed_behind_the_walk_are_copied_there(void **state)
{
    (void)state;
    const uint64_t keys = 32000;
    world_open();
    reader_offline(world.bench.reader);
    world.worker->shard.pack_debt = UINT32_MAX / 2; /* Not yet. */
    events_apply(0, keys, 1);
    uint64_t end = (line_of(0) / ROW_STORE_CHUNK_LINES + 1) * ROW_STORE_CHUNK_LINES;
    for (uint64_t k = keys; k > 0; k -= 8) { /* The first chunk has room last: it is used first. */
        events_apply(k - 8, line_of(k - 8) < end ? 5 : 7, 3);
    }
    uint64_t rows = keys;
    while (row_store_chunks_free(&world.worker->shard.store) > 1) {
        events_apply(rows, 100, 12);
        rows += 100;
    }
    walk_ask(0);
    while (world.walk->cursor < end) {
        turn();
        (void)blocks_take();
    }
    assert_int_equal(packed(), 0);
    world.worker->shard.pack_debt = 0;
    walk_finish();
    assert_true(packed() > 1000);
    assert_true(world.rows >= rows);
    assert_int_equal(workbench_view_dropped(&world.bench, 0, DROP_view_memory), 0);
    assert_true(state_hash(&world.copy) == state_hash(&world.bench));
    world_close();
}

static void a_walk_waits_for_blocks_and_loses_nothing(void **state)
{
    (void)state;
    world_open();
    events_apply(0, 10000, 1);
    walk_ask(0);
    for (uint32_t i = 0; i < 100; i++) {
        turn();
    }
    assert_int_equal(world.walk->block, WALK_BLOCKS);
    assert_int_equal(world.walk->state, WALK_ROWS);
    uint64_t cursor = world.walk->cursor;
    turn();
    assert_int_equal(world.walk->cursor, cursor);
    walk_finish();
    assert_int_equal(world.rows, 10000);
    assert_int_equal(world.lanes, PRODUCERS);
    assert_true(state_hash(&world.copy) == state_hash(&world.bench));
    world_close();
}

static void a_turn_looks_at_few_rows_and_at_more_when_it_is_idle(void **state)
{
    (void)state;
    world_open();
    events_apply(0, 10000, 1);
    walk_ask(0);
    turn();
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t before = world.walk->row_count;
        bool busy = i % 2 == 0;
        if (busy) {
            events_apply(1, 1, 1);
        } else {
            turn();
        }
        while (blocks_take()) {
        }
        uint64_t copied = world.walk->row_count - before;
        assert_true(copied > 0);
        assert_true(copied <= (busy ? WALK_ROWS_BUSY : WALK_ROWS_IDLE));
        /* The last row of a turn may pass the limit of bytes. */
        assert_true(copied * TILE_ROW_BYTES_MIN <= WALK_BYTES_MAX + TILE_ROW_BYTES_MIN);
    }
    walk_finish();
    assert_true(worker_walk_summary(world.worker)->turns >= 10000 / WALK_ROWS_IDLE);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_copied_before_it_is_asked_for_and_then_once),
        cmocka_unit_test(a_walk_copies_rows_then_lanes_and_they_are_the_state),
        cmocka_unit_test(a_walk_since_an_lsn_copies_what_changed_above_it),
        cmocka_unit_test(a_row_is_noted_where_only_its_new_place_was_passed),
        cmocka_unit_test(a_walk_of_some_views_leaves_out_the_others_and_lanes),
        cmocka_unit_test(more_moved_rows_than_notes_begin_the_walk_again),
        cmocka_unit_test(a_row_that_moves_behind_the_walk_is_copied_once_as_it_is_there),
        cmocka_unit_test(rows_that_are_packed_behind_the_walk_are_copied_there),
        cmocka_unit_test(a_walk_waits_for_blocks_and_loses_nothing),
        cmocka_unit_test(a_turn_looks_at_few_rows_and_at_more_when_it_is_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
