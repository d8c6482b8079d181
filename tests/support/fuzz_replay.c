/* Runs a fuzz target without libFuzzer: every file of its corpus as it stands, cut at every length,
 * and with seeded mutations. Bounded in time; prints its seed and accepts SEED=. */
#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/base/random.h"

#define FILE_SIZE_MAX   65536u
#define CUTS_MAX        2048u
#define MUTATIONS       256u
#define SECONDS_MAX     10
#define PATH_SIZE_MAX   4096
#define FLIPS_PER_INPUT 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs the target on a copy in memory of exactly size bytes, so that ASan sees a read past it. */
static void run_exactly(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_mutated(const uint8_t *data, size_t size, struct random *random)
{
    uint8_t *copy = malloc(size);
    if (copy == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < MUTATIONS; i++) {
        memcpy(copy, data, size);
        uint64_t flips = 1 + random_below(random, FLIPS_PER_INPUT);
        for (uint64_t flip = 0; flip < flips; flip++) {
            uint64_t at = random_below(random, size);
            if (random_below(random, 2) == 0) {
                copy[at] ^= (uint8_t)(1u << random_below(random, 8));
            } else {
                copy[at] = (uint8_t)random_next(random);
            }
        }
        run_exactly(copy, size - random_below(random, size / 8 + 1));
    }
    free(copy);
}

static size_t file_read(const char *folder, const char *name, uint8_t *out_data)
{
    char path[PATH_SIZE_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return 0;
    }
    size_t size = fread(out_data, 1, FILE_SIZE_MAX, file);
    (void)fclose(file);
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t data[FILE_SIZE_MAX];
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        (void)fprintf(stderr, "usage: %s CORPUS_FOLDER (cannot open it)\n", argv[0]);
        return 1;
    }
    const char *seed_text = getenv("SEED");
    uint64_t seed = seed_text != NULL ? strtoull(seed_text, NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%" PRIu64 "\n", seed);
    (void)fflush(stdout);
    struct random random;
    random_seed(&random, seed);

    time_t end = time(NULL) + SECONDS_MAX;
    uint32_t count = 0;
    uint32_t whole_only = 0;
    run_exactly(data, 0);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        size_t size = file_read(argv[1], entry->d_name, data);
        run_exactly(data, size);
        count++;
        if (size == 0 || time(NULL) >= end) {
            whole_only++;
            continue;
        }
        size_t step = size / CUTS_MAX + 1;
        for (size_t cut = 0; cut < size; cut += step) {
            run_exactly(data, cut);
        }
        run_mutated(data, size, &random);
    }
    (void)closedir(folder);
    printf("%u inputs, %u of them only as they stand\n", count, whole_only);
    if (count == 0) {
        (void)fprintf(stderr, "the corpus %s is empty\n", argv[1]);
        return 1;
    }
    return 0;
}
