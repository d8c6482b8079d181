#include "tests/simulation/world.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/row_store.h"
#include "dataplane/worker_state.h"
#include "drivers/disk_simulated.h"
#include "tests/simulation/check.h"
#include "tests/simulation/fate.h"
#include "tests/simulation/law.h"
#include "tests/simulation/scene.h"

#define CALM_US_MAX    (120 * US_PER_SECOND) /* Within it everything held is durable. */
#define STARTS_MAX     200u                  /* In a row that do not succeed. */
#define QUIET_STEPS    20000u
#define SIMULATED_ROOM (64 * MIB)

void world_note(struct world *world, uint64_t number)
{
    world->hash = XXH3_64bits_withSeed(&number, sizeof(number), world->hash);
}

static int64_t clock_us(const struct world *world)
{
    return world->now_us + world->offset_us;
}

/* Time goes on, also beside the appliance's clock where that stands still. */
static void time_advance(struct world *world, int64_t us)
{
    world->now_us += us;
    if (world->now_us < world->frozen_us) {
        world->offset_us -= us;
    }
    clock_set_virtual(&world->clock, clock_us(world));
}

static int64_t time_step(struct random *random)
{
    switch (random_below(random, 16)) {
    case 0:
        return (int64_t)random_below(random, 20000);
    case 1:
    case 2:
    case 3:
        return (int64_t)random_below(random, 1000);
    default:
        return (int64_t)random_below(random, 80);
    }
}

static void time_pass(struct world *world, int64_t until_us)
{
    int64_t us = 1 + time_step(&world->random);
    if (!world->life.open) {
        us *= 8; /* Nothing turns: what is waited for is the disk. */
    }
    us = us < until_us - world->now_us ? us : until_us - world->now_us;
    time_advance(world, us > 0 ? us : 0);
}

static void answers_take(struct world *world, uint32_t shard)
{
    struct datagram answer;
    while (life_answer(&world->life, shard, &answer)) {
        struct wire_ack ack;
        if (wire_ack_decode(answer.data, answer.size, &ack) != RESULT_OK) {
            law_broken("answers are acknowledgements", "%u bytes", answer.size);
        }
        ledger_ack(&world->ledger, &ack);
        network_send(&world->network, &answer, world->now_us);
    }
}

/* A worker's turn, unless it is held up; what it said before a crash within it is still said. */
static void turn(struct world *world, uint32_t shard)
{
    if (world->now_us < world->stalled_us[shard]) {
        return;
    }
    struct life *life = &world->life;
    (void)life_turn(life, shard);
    world->durable_lsn[shard] = life->durable_lsn[shard] > world->durable_lsn[shard]
                                    ? life->durable_lsn[shard]
                                    : world->durable_lsn[shard];
    world->complete_lsn[shard] = life->complete_lsn[shard] > world->complete_lsn[shard]
                                     ? life->complete_lsn[shard]
                                     : world->complete_lsn[shard];
    if (disk_simulated_is_crashed(world->disk)) {
        return;
    }
    answers_take(world, shard);
    uint64_t segment = atomic_load_explicit(&worker_mirror(life->worker[shard])->shared_segment,
                                            memory_order_relaxed);
    if (segment != life->segment[shard]) {
        life->segment[shard] = segment;
        book_read(&world->book);
    }
}

static void deliver(struct world *world)
{
    struct datagram *datagram = network_take(&world->network, world->now_us);
    if (datagram == NULL) {
        return;
    }
    if (datagram->to_appliance) {
        life_receive(&world->life, datagram);
    } else {
        senders_receive(&world->senders, datagram, world->now_us);
    }
    network_free(datagram);
}

void world_step(struct world *world, int64_t until_us)
{
    world->step++;
    fate_turn(world);
    if (disk_simulated_is_crashed(world->disk)) {
        return;
    }
    uint64_t what = random_below(&world->random, 100);
    if (what < 50 && world->life.open) {
        turn(world, (uint32_t)random_below(&world->random, world->draw.shard_count));
    } else if (what < 65) {
        deliver(world);
    } else if (what < 80) {
        senders_step(&world->senders, world->now_us, world->now_us);
    } else {
        time_pass(world, until_us);
    }
}

/* The disk works on a blocking call: the world goes on. */
static bool world_wait(void *context, int64_t until_us)
{
    struct world *world = context;
    if (world->now_us < until_us) {
        world_step(world, until_us);
    }
    return world->now_us < until_us && !disk_simulated_is_crashed(world->disk);
}

static int64_t world_now(void *context)
{
    return ((const struct world *)context)->now_us;
}

static void on_cut(void *context)
{
    check_cut(context);
}

static void on_loaded(void *context)
{
    check_loaded(context);
}

/* The process is over, however: what the disk says now is what there is. */
static void life_end(struct world *world)
{
    if (!disk_simulated_is_crashed(world->disk)) {
        disk_simulated_kill(world->disk);
    }
    life_close(&world->life);
    world->end_step = 0;
    memset(world->stalled_us, 0, sizeof(world->stalled_us));
}

/* What a start that failed means. */
static void start_judge(struct world *world, enum result result)
{
    bool damage = result == RESULT_CORRUPT || result == RESULT_INVALID;
    if (damage && world->rot_count == 0 && !world->draw.lies) {
        law_broken("what is whole is not refused", "%s: %s", result_name(result),
                   world->life.error);
    }
    if (damage) {
        world->tally.refused++;
        world->refused = !fate_rot_undo(world);
    }
    if (result == RESULT_NO_SPACE) {
        disk_simulated_capacity_set(world->disk, 0);
        world->state_bytes =
            world->state_bytes < SIMULATED_ROOM ? world->state_bytes * 2 : world->state_bytes;
    }
    world->tally.starts_cut += result == RESULT_CLOSED ? 1 : 0;
}

/* Starts until it has worked. False: the store was refused, with reason. */
static bool life_begin(struct world *world)
{
    const struct life_events events = {.cut = on_cut, .loaded = on_loaded, .context = world};
    for (uint32_t tries = 0; tries < STARTS_MAX; tries++) {
        fate_down(world);
        disk_simulated_restart(world->disk);
        book_read(&world->book);
        fate_start(world, tries);
        struct life_options options = {.draw = &world->draw,
                                       .plan = world->plan,
                                       .clock = &world->clock,
                                       .disk = world->disk,
                                       .keys = world->keys,
                                       .key_count = world->key_count,
                                       .state_bytes = world->state_bytes};
        enum result result = life_start(&world->life, &options, clock_us(world), &events);
        world_note(world, (uint64_t)result);
        if (world->is_blind) {
            world->refused = true;
            return false;
        }
        if (result == RESULT_OK) {
            world->tally.starts++;
            fate_life(world);
            return true;
        }
        start_judge(world, result);
        if (!disk_simulated_is_crashed(world->disk)) {
            disk_simulated_kill(world->disk);
        }
        if (world->refused) {
            return false;
        }
    }
    law_broken("a start works in the end", "%u did not: %s", STARTS_MAX, world->life.error);
}

/* What the control thread does in a round; false when the process must end. */
static bool control(struct world *world)
{
    return life_control(&world->life, clock_us(world)) == RESULT_OK &&
           !disk_simulated_is_crashed(world->disk);
}

/* Runs the life until its end comes. */
static void life_run(struct world *world)
{
    uint64_t stop_step = world->step + 1 + random_below(&world->random, world->draw.life_steps_max);
    bool goes = true;
    while (goes && world->step < stop_step) {
        if (random_below(&world->random, 16) == 0) {
            goes = control(world);
        } else {
            world_step(world, INT64_MAX);
        }
        goes = goes && !disk_simulated_is_crashed(world->disk);
    }
}

/* Everything that came is worked off, and nothing new comes in. False: it did not get there. */
static bool life_settle(struct world *world)
{
    fate_peace(world);
    for (uint32_t step = 0; step < QUIET_STEPS; step++) {
        world->step++;
        for (uint32_t i = 0; i < world->draw.shard_count; i++) {
            turn(world, i);
        }
        if (disk_simulated_is_crashed(world->disk) || life_is_dead(&world->life) ||
            (step % 16 == 0 && !control(world))) {
            return false;
        }
        if (life_is_quiet(&world->life)) {
            return true;
        }
        time_advance(world, 1 + (int64_t)random_below(&world->random, 200));
    }
    return false;
}

/* A graceful stop: quiet, a last checkpoint, and out. */
static void life_stop(struct world *world)
{
    if (!life_settle(world)) {
        return;
    }
    check_quiet(world);
    world->tally.stops++;
    uint64_t wanted = checkpoint_ask(world->life.checkpoint);
    struct checkpoint_report report = {0};
    for (uint32_t step = 0; step < 2000 && report.count < wanted; step++) {
        for (uint32_t i = 0; i < world->draw.shard_count; i++) {
            turn(world, i);
        }
        if (disk_simulated_is_crashed(world->disk) || !control(world)) {
            return;
        }
        checkpoint_report_read(world->life.checkpoint, &report);
        time_advance(world, 1 + (int64_t)random_below(&world->random, 200));
    }
}

/* Faults are over: what producers hold becomes durable in bounded time. */
static void world_calm(struct world *world)
{
    fate_calm(world);
    int64_t end_us = world->now_us + CALM_US_MAX;
    while (!world->refused &&
           (!world->life.open || senders_held(&world->senders) > 0 || !life_settle(world))) {
        if (world->now_us > end_us) {
            law_broken("what producers hold becomes durable", "%lu events are held",
                       senders_held(&world->senders));
        }
        if (!world->life.open) {
            if (!life_begin(world)) {
                return;
            }
        } else if (life_is_dead(&world->life) || disk_simulated_is_crashed(world->disk) ||
                   !control(world)) {
            life_end(world);
        } else {
            for (uint32_t i = 0; i < 64; i++) {
                world_step(world, INT64_MAX);
            }
            int64_t due_us = senders_due_us(&world->senders);
            if (due_us > world->now_us && due_us - world->now_us < CALM_US_MAX &&
                network_due_us(&world->network) == INT64_MAX) {
                time_advance(world, (due_us - world->now_us) / 2);
            }
        }
    }
}

static void world_open(struct world *world, const struct draw *draw)
{
    *world = (struct world){.draw = *draw, .plan = scene_plan(), .now_us = SCENE_START_US};
    law_begin(&world->draw, &world->step);
    random_seed(&world->random, draw->seed);
    clock_open_virtual(&world->clock, clock_us(world));
    struct disk_simulated_options simulated = {.seed = draw->seed ^ 0x6469736b,
                                               .latency_us_min = draw->latency_us_min,
                                               .latency_us_max = draw->latency_us_max,
                                               .wait = world_wait,
                                               .now_us = world_now,
                                               .context = world};
    struct disk_options disk = {
        .driver = DISK_DRIVER_SIMULATED, .directory = "simulated", .simulated = &simulated};
    char error[DISK_ERROR_SIZE_MAX];
    enum result result = disk_open(&disk, &world->disk, error);
    ASSERT(result == RESULT_OK);
    disk_simulated_kill(world->disk);
    world->state_bytes = draw->state_bytes;
    ledger_init(&world->ledger);
    network_init(&world->network, draw);
    senders_init(&world->senders, &world->draw, &world->ledger, &world->network, world->now_us);
    book_init(&world->book, world->disk);
    model_init(&world->model, world->plan, draw->shard_count, draw->seed);
    world->key_count = draw->keys ? senders_keys(&world->senders, world->keys) : 0;
    world->vshards = calloc(VSHARD_COUNT, sizeof(uint64_t));
    world->vshards_model = calloc(VSHARD_COUNT, sizeof(uint64_t));
    world->scratch = aligned_alloc(CACHE_LINE_BYTES, 2 * ROW_SIZE_MAX);
    ASSERT(world->scratch != NULL);
}

static void tally_finish(struct world *world)
{
    struct tally *tally = &world->tally;
    struct disk_simulated_statistics disk;
    disk_simulated_statistics(world->disk, &disk);
    tally->seeds = 1;
    tally->virtual_us = (uint64_t)(world->now_us - SCENE_START_US);
    tally->steps = world->step;
    tally->power_cuts = disk.crashes;
    tally->power_cuts_in_io = disk.crashes_in_flight;
    tally->disk_broken = disk.faults_broken;
    tally->disk_full = disk.faults_full;
    tally->disk_short = disk.faults_short;
    tally->disk_again = disk.faults_again;
    tally->sectors_torn = disk.sectors_torn;
    tally->network_lost = world->network.counts.lost;
    tally->network_twice = world->network.counts.twice + world->network.counts.again;
    tally->network_corrupt = world->network.counts.corrupt;
    tally->messages = world->ledger.message_count;
    tally->acked = world->ledger.claimed_count;
    tally->recorded = world->ledger.recorded_count;
    tally->events = world->model.events;
    world_note(world, tally->messages);
    world_note(world, tally->acked);
    world_note(world, tally->recorded);
    world_note(world, disk.writes);
    world_note(world, world->network.counts.sent);
}

static void world_close(struct world *world)
{
    tally_finish(world);
    life_end(world);
    senders_deinit(&world->senders);
    network_deinit(&world->network);
    book_deinit(&world->book);
    model_deinit(&world->model);
    ledger_deinit(&world->ledger);
    disk_close(world->disk);
    free(world->vshards);
    free(world->vshards_model);
    free(world->scratch);
}

static void life_tally(struct world *world)
{
    struct checkpoint_report checkpoint;
    checkpoint_report_read(world->life.checkpoint, &checkpoint);
    world->tally.checkpoints += checkpoint.count;
    for (uint32_t i = 0; i < world->draw.shard_count; i++) {
        struct segments_report segments;
        segments_report_read(world->life.segments, i, &segments);
        world->tally.segments_used += segments.recycled;
    }
}

void world_run(struct world *world, const struct draw *draw)
{
    world_open(world, draw);
    for (uint32_t i = 0; i < draw->lives && life_begin(world); i++) {
        life_run(world);
        if (!disk_simulated_is_crashed(world->disk) && !life_is_dead(&world->life) &&
            random_below(&world->random, 2) == 0) {
            life_stop(world);
        }
        life_tally(world);
        life_end(world);
    }
    world_calm(world);
    if (!world->refused) {
        life_stop(world);
        life_end(world);
        (void)life_begin(world);
    }
    world_close(world);
}
