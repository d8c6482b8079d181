/* Lines of the log about a running appliance, whose workers and store are the test's. */
#include "controlplane/watch.h"

#include <errno.h>
#include <stdio.h>

#include "controlplane/appliance.h"
#include "controlplane/backfill.h"
#include "controlplane/store.h"
#include "dataplane/mirror_door.h"
#include "tests/support/unit.h"

#define SHARDS 2u
#define VIEWS  3u

struct world {
    struct counters counters[SHARDS];
    struct mirror_shared mirror[SHARDS];
    struct recovery_report recovery;
    struct store_report report;
    struct backfill_report backfill;
    struct config *config;
    struct appliance appliance;
    struct log log;
    struct watch watch;
    char *text; /* What was logged since said() was called last. */
    size_t size;
};

static struct world world;

/* What the watch asks of the floors below. */
const struct counters *worker_counters(const struct worker *worker)
{
    return &world.counters[worker == world.appliance.worker[1]];
}

const struct mirror_shared *worker_mirror(const struct worker *worker)
{
    return &world.mirror[worker == world.appliance.worker[1]];
}

void store_report_read(struct store *store, struct store_report *out)
{
    assert_ptr_equal(store, world.appliance.store);
    *out = world.report;
}

void backfill_report_read(struct backfill *backfill, struct backfill_report *out)
{
    assert_null(backfill);
    *out = world.backfill;
}

/* A log of its own for each look: none holds back what an earlier one said. */
static void log_begin(void)
{
    log_init(&world.log, open_memstream(&world.text, &world.size), /* json= */ false);
    assert_non_null(world.log.out);
}

static void log_end(void)
{
    assert_int_equal(fclose(world.log.out), 0);
}

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    world.config = calloc(1, sizeof(*world.config));
    assert_non_null(world.config);
    (void)snprintf(world.config->options.data_directory,
                   sizeof(world.config->options.data_directory), "/var/lib/x");
    world.config->plan.view_count = VIEWS;
    world.report.recovery = &world.recovery;
    world.appliance = (struct appliance){.config = world.config,
                                         .plan = &world.config->plan,
                                         .shard_count = SHARDS,
                                         .store = (struct store *)&world.report};
    world.appliance.worker[0] = (struct worker *)&world.counters[0];
    world.appliance.worker[1] = (struct worker *)&world.counters[1];
    world.recovery.fresh = true;
    log_begin();
    watch_begin(&world.watch, &world.appliance, &world.log);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_end();
    free(world.text);
    free(world.config);
    return 0;
}

/* Whether what was said since the last call is one line with level, event and this text; NULL:
 * that nothing was said. */
static void said(const char *level_event, const char *text)
{
    log_end();
    uint32_t lines = 0;
    for (size_t i = 0; i < world.size; i++) {
        lines += world.text[i] == '\n';
    }
    if (lines != (level_event != NULL) || (lines == 1 && (strstr(world.text, level_event) == NULL ||
                                                          strstr(world.text, text) == NULL))) {
        fail_msg("expected %s %s; said:\n%s", level_event != NULL ? level_event : "nothing",
                 text != NULL ? text : "", world.text);
    }
    free(world.text);
    log_begin();
}

static void look(void)
{
    watch_look(&world.watch);
}

static void a_reason_whose_count_grew_is_one_line_with_what_is_new(void **state)
{
    (void)state;
    said("level=info event=store_new", "/var/lib/x");
    look();
    said(NULL, NULL);
    counter_add(&world.counters[0].stream[0].shared_drop[DROP_event_late], 3);
    counter_add(&world.counters[1].stream[1].shared_drop[DROP_event_late], 4);
    look();
    said("level=warning event=event_late", "\"7 more not applied: ");
    look();
    said(NULL, NULL);
    counter_add(&world.counters[1].stream[STREAMS_MAX].shared_drop[DROP_event_late], 1);
    look();
    said("level=warning event=event_late", "\"1 more not applied: ");
    counter_add(&world.counters[1].view[VIEWS - 1].shared_drop[DROP_view_memory], 5);
    look();
    said("level=warning event=view_memory", "\"5 more not applied: ");
}

static void what_is_normal_is_not_said(void **state)
{
    (void)state;
    said("level=info event=store_new", "");
    counter_add(&world.counters[0].stream[0].shared_drop[DROP_message_duplicate], 3);
    counter_add(&world.counters[0].view[0].shared_drop[DROP_view_key_null], 3);
    look();
    said(NULL, NULL);
}

static void a_log_that_is_held_says_why_and_when_it_goes_on(void **state)
{
    (void)state;
    static const struct {
        uint32_t held;
        const char *level_event;
    } row[] = {
        {MIRROR_HELD_SEGMENT, "level=warning event=log_held"},
        {MIRROR_HELD_FULL, "level=error event=log_full"},
        {MIRROR_HELD_NONE, "level=info event=log_resumed"},
        {MIRROR_HELD_DEAD, "level=error event=log_failed"},
        {MIRROR_HELD_DEAD + 1, NULL},
    };
    said("level=info event=store_new", "");
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        atomic_store(&world.mirror[1].shared_held, row[i].held);
        look();
        said(row[i].level_event, "the log of shard 1 ");
        look();
        said(NULL, NULL);
    }
}

static void a_checkpoint_that_fails_is_said_once(void **state)
{
    (void)state;
    said("level=info event=store_new", "");
    world.report.checkpoint.failed = 2;
    world.report.checkpoint.failure = RESULT_NO_SPACE;
    world.report.checkpoint.generation = 17;
    world.report.free_bytes = 5 * MIB;
    look();
    said("level=warning event=checkpoint_failed",
         "a checkpoint could not be written: no room: a buffer, a table or the disk is full; 2 so "
         "far, the newest is 17, and the log keeps what came since (5 MiB free)");
    look();
    said(NULL, NULL);
}

static void a_lake_that_fails_or_loses_segments_is_said_once(void **state)
{
    (void)state;
    said("level=info event=store_new", "");
    world.report.lake = (struct lake_keeper_report){.failed = 1, .error = ENOSPC};
    look();
    said("level=warning event=lake_failed",
         "the lake could not be written: No space left on device; it is tried again");
    look();
    said(NULL, NULL);
    world.report.lake.damaged = 2;
    world.report.lake.missed = 1;
    look();
    said("level=error event=lake_segment_lost",
         "3 segments will not be in the lake: 2 damaged (freshet verify), 1 let go before");
    look();
    said(NULL, NULL);
}

static void a_backfill_that_was_cut_short_says_once_where_it_goes_on(void **state)
{
    (void)state;
    said("level=info event=store_new", "");
    world.backfill = (struct backfill_report){
        .state = BACKFILL_FILLING, .view = "lives", .starts = 1, .bytes_kept = 0};
    look();
    said(NULL, NULL);
    world.backfill.starts = 2;
    world.backfill.state = BACKFILL_FINDING;
    look();
    said(NULL, NULL);
    world.backfill.state = BACKFILL_FILLING;
    world.backfill.bytes_kept = 17000;
    look();
    said("level=info event=backfill_goes_on",
         "view lives goes on behind 17000 bytes of the mirror that were read");
    look();
    said(NULL, NULL);
    world.watch.backfill_told = false;
    (void)snprintf(world.backfill.again, sizeof(world.backfill.again), "events were corrected");
    look();
    said("level=info event=backfill_again", "from the beginning of the mirror: events were");
}

static void how_a_backfill_ended_is_said_once_for_each(void **state)
{
    (void)state;
    said("level=info event=store_new", "");
    world.backfill = (struct backfill_report){
        .state = BACKFILL_SAVING, .view = "activity", .version = 1, .starts = 1, .begin_us = 7};
    look();
    said(NULL, NULL);
    world.backfill.state = BACKFILL_DONE;
    world.backfill.elapsed_us = 2500000;
    look();
    said("level=info event=backfill_done", "view activity has its history, in 2.500 s");
    look();
    said(NULL, NULL);
    world.backfill = (struct backfill_report){.state = BACKFILL_FAILED,
                                              .view = "other",
                                              .starts = 1,
                                              .begin_us = 8,
                                              .error = "runs already"};
    look();
    said(NULL, NULL);
    world.backfill = (struct backfill_report){
        .state = BACKFILL_FAILED, .view = "other", .starts = 2, .begin_us = 9, .error = "no room"};
    look();
    said("level=warning event=backfill_failed", "view other is not filled: no room");
    look();
    said(NULL, NULL);
}

static void a_start_says_what_came_back(void **state)
{
    (void)state;
    said("level=info event=store_new", "");
    world.recovery = (struct recovery_report){
        .generation = 12, .rows = 345, .records = 6789, .dropped_count = 4};
    world.recovery.view[0] = RECOVERY_VIEW_LOADED;
    world.recovery.view[1] = RECOVERY_VIEW_REBUILT;
    world.recovery.view[2] = RECOVERY_VIEW_REBUILT;
    world.report.load_us = 1500000;
    watch_begin(&world.watch, &world.appliance, &world.log);
    said("level=info event=recovered",
         "checkpoint 12 with 345 rows, then 6789 records of the log, in 1.500 s; views: 1 loaded, "
         "2 rebuilt, 0 empty, 4 dropped");
}

static void checkpoints_that_were_passed_over_are_a_line_of_their_own(void **state)
{
    (void)state;
    world.recovery = (struct recovery_report){.manifests_refused = 1};
    watch_begin(&world.watch, &world.appliance, &world.log);
    log_end();
    assert_non_null(strstr(world.text, "level=warning event=checkpoint_damaged"));
    assert_non_null(strstr(world.text, "1 newer checkpoints are damaged"));
    free(world.text);
    log_begin();
}

static void without_a_store_only_drops_are_looked_at(void **state)
{
    (void)state;
    said("level=info event=store_new", "");
    world.appliance.store = NULL;
    world.config->options.data_directory[0] = '\0';
    watch_begin(&world.watch, &world.appliance, &world.log);
    said(NULL, NULL);
    atomic_store(&world.mirror[0].shared_held, MIRROR_HELD_DEAD);
    counter_add(&world.counters[0].stream[0].shared_drop[DROP_event_future], 1);
    look();
    said("level=warning event=event_future", "\"1 more");
    watch_end(&world.watch);
    said(NULL, NULL);
}

static void the_end_says_whether_a_last_checkpoint_has_all(void **state)
{
    (void)state;
    said("level=info event=store_new", "");
    watch_end(&world.watch);
    said("level=warning event=stopped", "the next start replays the log");
    world.appliance.finished = true;
    watch_end(&world.watch);
    said("level=info event=stopped", "a last checkpoint has all");
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(a_reason_whose_count_grew_is_one_line_with_what_is_new),
        ROW(what_is_normal_is_not_said),
        ROW(a_log_that_is_held_says_why_and_when_it_goes_on),
        ROW(a_checkpoint_that_fails_is_said_once),
        ROW(a_lake_that_fails_or_loses_segments_is_said_once),
        ROW(a_backfill_that_was_cut_short_says_once_where_it_goes_on),
        ROW(how_a_backfill_ended_is_said_once_for_each),
        ROW(a_start_says_what_came_back),
        ROW(checkpoints_that_were_passed_over_are_a_line_of_their_own),
        ROW(without_a_store_only_drops_are_looked_at),
        ROW(the_end_says_whether_a_last_checkpoint_has_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
