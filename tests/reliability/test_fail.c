/* Every operation of a disk and every allocation of a small scenario fails: the n-th, for every n
 * (fail_scenario.h says what holds then).
 *
 *   test_fail           each n, by one seed; every fourth where a span of operations fails
 *   test_fail all       each n, by several seeds
 *   test_fail part      every fourth n
 *   test_fail KIND N    one trial, with SEED=
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/disk_simulated.h"
#include "tests/reliability/fail_memory.h"
#include "tests/reliability/fail_scenario.h"

#define START_US    INT64_C(1750000000000000)
#define ALWAYS      1000000u /* Parts per million. */
#define SPAN        24u      /* Operations that fail in a row. */
#define SEEDS_ALL   6u
#define STRIDE      4u
#define REPORTS_MAX 20u
#define BIT(result) (1u << RESULT_##result)

/* A way to fail. length: of operations; 0: allocations are refused. */
struct kind {
    const char *name;
    const char *what;
    const char *unit;
    uint64_t length;
    uint32_t allowed;
    bool onward;
    struct disk_simulated_faults faults;
};

static const struct kind kinds[] = {
    {.name = "error",
     .what = "one operation of the disk fails (EIO)",
     .unit = "operations",
     .length = 1,
     .allowed = BIT(IO)},
    {.name = "broken",
     .what = "reads, writes and syncs fail for a while",
     .unit = "operations",
     .length = SPAN,
     .allowed = BIT(IO),
     .faults = {.broken_ppm = ALWAYS, .read_broken_ppm = ALWAYS, .sync_broken_ppm = ALWAYS}},
    {.name = "sync",
     .what = "a sync fails",
     .unit = "syncs",
     .length = 1,
     .allowed = BIT(IO),
     .faults = {.sync_broken_ppm = ALWAYS}},
    {.name = "full",
     .what = "the disk is full for a while (ENOSPC)",
     .unit = "operations",
     .length = SPAN,
     .allowed = BIT(NO_SPACE),
     .faults = {.full_ppm = ALWAYS}},
    {.name = "short",
     .what = "a write of the log is short",
     .unit = "writes",
     .length = 1,
     .faults = {.short_ppm = ALWAYS}},
    {.name = "again",
     .what = "writes of the log are put off (EAGAIN) for a while",
     .unit = "operations",
     .length = SPAN,
     .faults = {.again_ppm = ALWAYS, .refuse_ppm = ALWAYS / 2}},
    {.name = "cut",
     .what = "the power is cut in an operation of the disk",
     .unit = "operations",
     .length = 1,
     .allowed = BIT(CLOSED)},
    {.name = "allocation",
     .what = "one allocation is refused",
     .unit = "allocations",
     .allowed = BIT(NO_MEMORY)},
    {.name = "memory",
     .what = "allocations are refused until the step returns",
     .unit = "allocations",
     .allowed = BIT(NO_MEMORY),
     .onward = true},
};

/* One failure: a scenario's context. */
struct failure {
    const struct kind *kind;
    uint64_t n;
    uint64_t refused; /* Allocations, before this scenario. */
    bool armed;
    bool reached; /* There was an n-th. */
    bool failed;  /* And it could fail in this way. */
};

/* Trials of one kind. */
struct tally {
    uint64_t trials;
    uint64_t lives_ended;
    uint64_t checkpoints_failed;
    struct scenario_broken broken;
    uint64_t reports;
};

static struct machine machine;

/* An error or a cut, which no operation escapes; the others are for some of them. */
static bool is_once(const struct kind *kind)
{
    return strcmp(kind->name, "error") == 0 || strcmp(kind->name, "cut") == 0;
}

static bool disk_arm(struct scenario *scenario)
{
    const struct failure *failure = scenario->context;
    const struct kind *kind = failure->kind;
    uint64_t operations = disk_simulated_operations(scenario->disk);
    if (failure->n <= operations) {
        return false;
    }
    uint64_t left = failure->n - operations;
    if (strcmp(kind->name, "error") == 0) {
        disk_simulated_fail_after(scenario->disk, left);
    } else if (strcmp(kind->name, "cut") == 0) {
        disk_simulated_crash_after(scenario->disk, left);
    } else {
        disk_simulated_span_after(scenario->disk, left, kind->length, &kind->faults);
    }
    return true;
}

static bool memory_arm(struct scenario *scenario)
{
    struct failure *failure = scenario->context;
    if (!failure->armed) {
        failure->armed = true;
        failure->refused = fail_memory_refused();
        fail_memory_refuse(failure->n, failure->kind->onward);
    }
    return fail_memory_refused() == failure->refused;
}

static void memory_step_ends(struct scenario *scenario)
{
    const struct failure *failure = scenario->context;
    if (fail_memory_refused() != failure->refused) {
        fail_memory_give();
    }
}

static void disk_step_ends(struct scenario *scenario)
{
    (void)scenario;
}

static bool memory_ends(struct scenario *scenario)
{
    struct failure *failure = scenario->context;
    failure->reached = fail_memory_refused() != failure->refused;
    failure->failed = failure->reached;
    fail_memory_give();
    return failure->failed;
}

static bool disk_ends(struct scenario *scenario)
{
    struct failure *failure = scenario->context;
    struct disk_simulated_statistics statistics;
    disk_simulated_statistics(scenario->disk, &statistics);
    failure->reached = disk_simulated_operations(scenario->disk) >= failure->n;
    failure->failed = failure->reached && (is_once(failure->kind) || statistics.faults > 0);
    return failure->failed;
}

/* True while there is an n-th. */
static bool trial(const struct kind *kind, uint64_t n, uint64_t seed, struct tally *tally)
{
    bool memory = kind->length == 0;
    struct failure failure = {.kind = kind, .n = n};
    struct scenario scenario = {.seed = seed,
                                .allowed = kind->allowed,
                                .life_begins = memory ? memory_arm : disk_arm,
                                .step_ends = memory ? memory_step_ends : disk_step_ends,
                                .all_ends = memory ? memory_ends : disk_ends,
                                .context = &failure};
    scenario_run(&scenario, &machine);
    if (!failure.failed && scenario_broken_count(&scenario.broken) == 0) {
        return failure.reached;
    }
    tally->trials++;
    tally->lives_ended += scenario.lives_ended;
    tally->checkpoints_failed += scenario.checkpoints_failed;
    scenario_broken_add(&tally->broken, &scenario.broken);
    if (scenario_broken_count(&scenario.broken) > 0 && tally->reports++ < REPORTS_MAX) {
        printf("BROKEN: SEED=%lu test_fail %s %lu: ", seed, kind->name, n);
        scenario_broken_print(&scenario.broken);
    }
    return failure.reached;
}

/* How much is tried. */
struct extent {
    uint32_t seeds;
    uint32_t stride;      /* Between one n and the next. */
    uint32_t stride_span; /* Where more than one operation fails. */
};

static void sweep(const struct kind *kind, uint64_t seed, struct extent extent, struct tally *tally)
{
    uint32_t stride = kind->length > 1 ? extent.stride_span : extent.stride;
    for (uint32_t i = 0; i < extent.seeds; i++) {
        /* How lives end goes by the seed too: another way at each n. */
        for (uint64_t n = 1 + (seed + i) % stride; trial(kind, n, seed + i + n, tally);
             n += stride) {
        }
    }
    printf("%s: %lu %s, %lu lives ended by it, %lu checkpoints failed: ", kind->what, tally->trials,
           kind->unit, tally->lives_ended, tally->checkpoints_failed);
    scenario_broken_print(&tally->broken);
}

static void row_write(FILE *out, const struct kind *kind, const struct tally *tally, bool last)
{
    const struct scenario_broken *broken = &tally->broken;
    (void)fprintf(
        out,
        " {\"what\": \"%s\", \"trials\": %lu, \"unit\": \"%s\", \"zeros\": "
        "{\"acknowledged lost\": %lu, \"counted twice\": %lu, \"wrong sums\": %lu, "
        "\"refused\": %lu, \"views rebuilt\": %lu, \"without its reason\": %lu, \"stuck\": %lu, "
        "\"bytes leaked\": %lu}, \"figures\": {\"lives_ended\": %lu, "
        "\"checkpoints_failed\": %lu}}%s\n",
        kind->what, tally->trials, kind->unit, broken->lost, broken->twice, broken->amounts,
        broken->refused, broken->rebuilt, broken->unnamed, broken->stuck, broken->heap_bytes,
        tally->lives_ended, tally->checkpoints_failed, last ? "" : ",");
}

static void report_write(const struct tally tally[])
{
    const char *build = getenv("FRESHET_BUILD");
    if (build == NULL) {
        return;
    }
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/reliability", build);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof(path), "%s/reliability/fail.json", build);
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        return;
    }
    (void)fprintf(out, "{\"test\": \"fail\", \"rows\": [\n");
    for (uint32_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        row_write(out, &kinds[i], &tally[i], i + 1 == ARRAY_COUNT(kinds));
    }
    (void)fprintf(out, "]}\n");
    (void)fclose(out);
}

static int one_run(const char *name, const char *n, uint64_t seed)
{
    struct tally tally = {0};
    for (uint32_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            (void)trial(&kinds[i], strtoull(n, NULL, 10), seed, &tally);
        }
    }
    scenario_broken_print(&tally.broken);
    return scenario_broken_count(&tally.broken) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **argument)
{
    bool all = count > 1 && strcmp(argument[1], "all") == 0;
    bool part = count > 1 && strcmp(argument[1], "part") == 0;
    const struct extent extent = {
        .seeds = all ? SEEDS_ALL : 1, .stride = part ? STRIDE : 1, .stride_span = all ? 1 : STRIDE};
    const char *seed_text = getenv("SEED");
    uint64_t seed =
        seed_text != NULL ? (uint64_t)strtoull(seed_text, NULL, 10) : (uint64_t)getpid();
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    machine_open(&machine, false, START_US);
    if (count == 3) {
        return one_run(argument[1], argument[2], seed);
    }
    printf("SEED=%lu\n", seed);
    struct tally tally[ARRAY_COUNT(kinds)] = {0};
    uint64_t bad = 0;
    for (uint32_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        sweep(&kinds[i], seed, extent, &tally[i]);
        bad += scenario_broken_count(&tally[i].broken) + (tally[i].trials == 0);
    }
    report_write(tally);
    machine_close(&machine);
    return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
