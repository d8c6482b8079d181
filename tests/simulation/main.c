/* simulate: runs worlds by seed, and says what was tried and found.
 *
 *   simulate [--seeds N] [--first S] [--shards N] [--profile light|full] [--twice N]
 *            [--pinned FILE] [--reshards] [--verbose] [--plain]
 *
 * Environment: SEEDS and SEED stand for --seeds and --first; SEED alone runs that one. Status 1
 * when a law is broken, with the seed that breaks it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/law.h"
#include "tests/simulation/world.h"

struct run {
    uint64_t seeds;
    uint64_t first;
    uint32_t shard_count; /* 0: as the seed says. */
    enum draw_profile profile;
    uint64_t twice; /* Each seed of so many is run a second time; 0: none. */
    const char *pinned;
    bool verbose;
    bool reshards; /* Starts with another shard count. */
    bool plain;    /* Counts for who adds them up. */
};

static uint64_t seed_run(const struct run *run, uint64_t seed, struct world *world)
{
    struct draw draw;
    draw_make(seed, run->profile, run->shard_count, &draw);
    draw.reshards = draw.reshards || run->reshards;
    if (run->verbose) {
        printf("seed %lu\n", seed);
        draw_print(stdout, &draw);
        fflush(stdout);
    }
    world_run(world, &draw);
    if (run->verbose) {
        printf("  hash %016lx, %lu steps\n", world->hash, world->tally.steps);
    }
    return world->hash;
}

static void seed_check(const struct run *run, uint64_t seed, bool twice, struct tally *sum)
{
    static struct world world;
    uint64_t hash = seed_run(run, seed, &world);
    tally_add(sum, &world.tally);
    if (twice && seed_run(run, seed, &world) != hash) {
        law_broken("a seed repeats exactly", "seed %lu: %016lx, then %016lx", seed, hash,
                   world.hash);
    }
}

/* Lines of "SEED PROFILE SHARDS", '#' begins a comment: seeds that failed once. */
static void pinned_run(const struct run *run, struct tally *sum)
{
    FILE *file = fopen(run->pinned, "re");
    if (file == NULL) {
        perror(run->pinned);
        exit(2);
    }
    char line[256];
    while (fgets(line, sizeof(line), file) != NULL) {
        unsigned long seed;
        char profile[8];
        unsigned shards;
        if (sscanf(line, "%lu %7s %u", &seed, profile, &shards) == 3) {
            struct run one = *run;
            one.profile = strcmp(profile, "light") == 0 ? DRAW_LIGHT : DRAW_FULL;
            one.shard_count = shards;
            seed_check(&one, seed, /* twice= */ false, sum);
        }
    }
    fclose(file);
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        fprintf(stderr, "simulate: `%s` is no number\n", text);
        exit(2);
    }
    return value;
}

static void usage(void)
{
    fprintf(stderr, "usage: simulate [--seeds N] [--first S] [--shards N] [--profile light|full] "
                    "[--twice N] [--pinned FILE] [--reshards] [--verbose] [--plain]\n");
    exit(2);
}

static void option_read(struct run *run, const char *name, const char *value)
{
    if (strcmp(name, "--seeds") == 0) {
        run->seeds = number(value);
    } else if (strcmp(name, "--first") == 0) {
        run->first = number(value);
    } else if (strcmp(name, "--shards") == 0) {
        run->shard_count = (uint32_t)number(value);
    } else if (strcmp(name, "--twice") == 0) {
        run->twice = number(value);
    } else if (strcmp(name, "--pinned") == 0) {
        run->pinned = value;
    } else if (strcmp(name, "--profile") == 0 && strcmp(value, "light") == 0) {
        run->profile = DRAW_LIGHT;
    } else if (strcmp(name, "--profile") != 0 || strcmp(value, "full") != 0) {
        usage();
    }
}

static void environment_read(struct run *run)
{
    const char *seeds = getenv("SEEDS");
    const char *seed = getenv("SEED");
    if (seed != NULL) {
        run->first = number(seed);
        run->seeds = 1;
    }
    if (seeds != NULL) {
        run->seeds = number(seeds);
    }
}

int main(int argc, char **argv)
{
    struct run run = {.seeds = 100, .first = 1, .profile = DRAW_FULL};
    environment_read(&run);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            run.verbose = true;
        } else if (strcmp(argv[i], "--reshards") == 0) {
            run.reshards = true;
        } else if (strcmp(argv[i], "--plain") == 0) {
            run.plain = true;
        } else if (i + 1 < argc) {
            option_read(&run, argv[i], argv[i + 1]);
            i++;
        } else {
            usage();
        }
    }
    if (run.shard_count > DRAW_SHARDS_MAX) {
        usage();
    }
    static struct tally sum;
    if (run.pinned != NULL) {
        pinned_run(&run, &sum);
    }
    for (uint64_t i = 0; i < run.seeds; i++) {
        seed_check(&run, run.first + i, run.twice != 0 && i % run.twice == 0, &sum);
    }
    if (run.plain) {
        tally_print_plain(&sum);
    } else {
        tally_print(&sum);
    }
    return 0;
}
