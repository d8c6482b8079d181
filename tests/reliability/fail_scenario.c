#include "tests/reliability/fail_scenario.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "drivers/disk_simulated.h"

#define START_US INT64_C(1750000000000000)
#define LIVES    3u
#define PAYMENTS 3u /* On each lane, at a time. */

static int64_t now_us(void *context)
{
    const struct machine *machine = context;
    return clock_now_us(&machine->clock);
}

static void disk_make(struct scenario *scenario)
{
    struct disk_simulated_options simulated = {.seed = scenario->seed,
                                               .latency_us_min = 100,
                                               .latency_us_max = 200,
                                               .now_us = now_us,
                                               .context = scenario->machine};
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    char error[DISK_ERROR_SIZE_MAX];
    enum result result = disk_open(&options, &scenario->disk, error);
    ASSERT(result == RESULT_OK);
    scenario->machine->disk = scenario->disk;
}

/* A life ends by itself, by a kill or by a power cut. */
static void life_end(struct scenario *scenario, uint32_t life)
{
    uint64_t way = (scenario->seed + life) % 3;
    if (way == 0) {
        machine_stop(scenario->machine);
    }
    if (!disk_simulated_is_crashed(scenario->disk)) {
        (way == 2 ? disk_simulated_crash : disk_simulated_kill)(scenario->disk);
    }
    machine_stop(scenario->machine);
    disk_simulated_restart(scenario->disk);
}

static enum result step(struct scenario *scenario, enum result result)
{
    scenario->step_ends(scenario);
    return result;
}

/* What was acknowledged has the plan before it in its log; a log whose first write was torn has
 * none. */
static void views_check(struct scenario *scenario)
{
    if (machine_acked(scenario->machine) == 0) {
        return;
    }
    const struct recovery_report *report = recovery_report(scenario->machine->recovery);
    for (uint32_t v = 0; v < scenario->machine->config.plan.view_count; v++) {
        scenario->broken.rebuilt += report->view[v] == RECOVERY_VIEW_REBUILT;
    }
}

static enum result start(struct scenario *scenario)
{
    struct machine *machine = scenario->machine;
    machine->error[0] = '\0';
    enum result result = step(scenario, machine_start(machine));
    if (result == RESULT_OK) {
        views_check(scenario);
        return result;
    }
    bool named = machine->error[0] != '\0' && (scenario->allowed >> result & 1) != 0;
    if (result == RESULT_CORRUPT) {
        scenario->broken.refused++;
    } else if (!named) {
        scenario->broken.unnamed++;
    }
    return result;
}

/* Pays; once more waits for the end, if it was kept from it. */
static enum result pay(struct scenario *scenario)
{
    for (uint32_t i = 0; i < PAYMENTS; i++) {
        machine_pay(scenario->machine);
    }
    enum result result = step(scenario, machine_settle(scenario->machine));
    return result == RESULT_TIMEOUT ? machine_settle(scenario->machine) : result;
}

/* One that fails is counted, and the next one works. */
static enum result checkpoint(struct scenario *scenario)
{
    enum result result = step(scenario, machine_checkpoint(scenario->machine));
    for (uint32_t tries = 0; result == RESULT_BUSY && tries < 64; tries++) {
        scenario->checkpoints_failed++;
        result = machine_checkpoint(scenario->machine);
    }
    return result;
}

/* A new store; one that has a log alone; one with a checkpoint, and more in its log. */
static enum result life_run(struct scenario *scenario, uint32_t life)
{
    enum result result = start(scenario);
    if (result == RESULT_OK && life == 1) {
        result = checkpoint(scenario);
    }
    if (result == RESULT_OK) {
        result = pay(scenario);
    }
    if (result == RESULT_OK && life == 2) {
        result = checkpoint(scenario);
    }
    if (result == RESULT_TIMEOUT || result == RESULT_BUSY) {
        printf("a life does not go on: %s\n", result_name(result));
        scenario->broken.stuck++;
    }
    return result;
}

/* Events that one key must and may have, and the sums of their amounts. */
struct known {
    uint64_t acked;
    uint64_t acked_amount;
    uint64_t sent;
    uint64_t sent_amount;
};

static struct known known_of(const struct machine *machine, uint64_t modulus, uint64_t id)
{
    struct known known = {0};
    for (uint32_t lane = 0; lane < MACHINE_SHARDS; lane++) {
        for (uint64_t s = 1; s <= machine->sent[lane]; s++) {
            if (s % modulus == id) {
                known.sent++;
                known.sent_amount += s;
                known.acked += machine->acked[lane][s];
                known.acked_amount += machine->acked[lane][s] ? s : 0;
            }
        }
    }
    return known;
}

static void view_check(struct scenario *scenario, const char *view, uint64_t modulus)
{
    char count[24];
    char amount[24];
    (void)snprintf(count, sizeof(count), "%s.n_6h", view);
    (void)snprintf(amount, sizeof(amount), "%s.s_6h", view);
    for (uint64_t id = 0; id < modulus; id++) {
        struct known known = known_of(scenario->machine, modulus, id);
        uint64_t counted = machine_value(scenario->machine, count, id);
        uint64_t sum = machine_value(scenario->machine, amount, id);
        scenario->broken.lost += counted < known.acked ? known.acked - counted : 0;
        scenario->broken.twice += counted > known.sent ? counted - known.sent : 0;
        scenario->broken.amounts += sum < known.acked_amount || sum > known.sent_amount;
    }
}

static bool start_and_check(struct scenario *scenario)
{
    enum result result = machine_start(scenario->machine);
    if (result == RESULT_OK) {
        result = machine_settle(scenario->machine);
    }
    if (result != RESULT_OK) {
        printf("a start with nothing failing: %s: %s\n", result_name(result),
               scenario->machine->error);
        scenario->broken.refused++;
        return false;
    }
    view_check(scenario, "card", MACHINE_CARDS);
    view_check(scenario, "shop", MACHINE_SHOPS);
    return true;
}

/* With nothing failing: what was acknowledged is there; then the rest comes again, and all is
 * equal, now and after a checkpoint and another start. */
static void judge(struct scenario *scenario)
{
    struct machine *machine = scenario->machine;
    if (!start_and_check(scenario)) {
        life_end(scenario, LIVES);
        return;
    }
    machine_pay_again(machine);
    bool ok =
        machine_settle(machine) == RESULT_OK && machine_acked(machine) == machine_sent(machine);
    view_check(scenario, "card", MACHINE_CARDS);
    view_check(scenario, "shop", MACHINE_SHOPS);
    ok = machine_checkpoint(machine) == RESULT_OK && ok;
    if (!ok) {
        printf("a life with nothing failing: %lu of %lu acknowledged\n", machine_acked(machine),
               machine_sent(machine));
        scenario->broken.stuck++;
    }
    life_end(scenario, LIVES);
    (void)start_and_check(scenario);
    life_end(scenario, LIVES + 1);
}

static void lives_run(struct scenario *scenario)
{
    for (uint32_t life = 0; life < LIVES; life++) {
        bool fails = scenario->life_begins(scenario);
        enum result result = life_run(scenario, life);
        if (result != RESULT_OK) {
            scenario->lives_ended++;
            scenario->broken.refused += !fails;
        }
        life_end(scenario, life);
    }
}

void scenario_run(struct scenario *scenario, struct machine *machine)
{
    uint64_t heap = heap_used_bytes();
    memset(&scenario->broken, 0, sizeof(scenario->broken));
    scenario->machine = machine;
    scenario->lives_ended = 0;
    scenario->checkpoints_failed = 0;
    machine_forget(machine, START_US);
    disk_make(scenario);
    lives_run(scenario);
    if (scenario->all_ends(scenario)) {
        judge(scenario);
    }
    disk_close(scenario->disk);
    scenario->broken.heap_bytes = heap_used_bytes() - heap;
}

uint64_t scenario_broken_count(const struct scenario_broken *broken)
{
    return broken->lost + broken->twice + broken->amounts + broken->refused + broken->rebuilt +
           broken->unnamed + broken->stuck + (broken->heap_bytes != 0);
}

void scenario_broken_add(struct scenario_broken *sum, const struct scenario_broken *broken)
{
    sum->lost += broken->lost;
    sum->twice += broken->twice;
    sum->amounts += broken->amounts;
    sum->refused += broken->refused;
    sum->rebuilt += broken->rebuilt;
    sum->unnamed += broken->unnamed;
    sum->stuck += broken->stuck;
    sum->heap_bytes += broken->heap_bytes;
}

void scenario_broken_print(const struct scenario_broken *broken)
{
    printf("%lu lost, %lu twice, %lu wrong sums, %lu refused, %lu rebuilt, %lu without its reason, "
           "%lu stuck, "
           "%lu bytes leaked\n",
           broken->lost, broken->twice, broken->amounts, broken->refused, broken->rebuilt,
           broken->unnamed, broken->stuck, broken->heap_bytes);
}
