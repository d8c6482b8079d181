/* A small store, and every one of its bytes flipped, every length it could be cut to, every file
 * away: a start refuses with a reason, or finds the very same state. Never another one.
 *
 *   test_flip [all]     all bytes and lengths; without, a sample of SEED=
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/epochs.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/random.h"
#include "drivers/disk_simulated.h"
#include "tests/reliability/machine.h"

#define START_US        INT64_C(1750000000000000)
#define FILES_MAX       64u
#define FILE_BYTES_MAX  (2 * MIB)
#define HEADER_BYTES    128u
#define PADDING_BYTES   8u
#define HEADER_ONE_IN   8u
#define SAMPLE_ONE_IN   64u
#define ZEROS_ONE_IN    32u
#define TRUNCATE_ONE_IN 1009u
#define PAYMENTS        4u
#define BURST           3u
#define REPORTS_MAX     20u

/* A file of the store as it was. */
struct kept {
    char name[DISK_NAME_SIZE_MAX];
    uint8_t *data;
    uint64_t size;
    uint64_t used; /* Behind it all are zeros. */
};

static struct machine machine;
static struct disk *disk;
static struct kept kept[FILES_MAX];
static uint32_t kept_count;
static struct machine_digest whole;

/* What became of damages of one kind. */
struct outcomes {
    uint64_t tried;
    uint64_t refused;
    uint64_t same;
    uint64_t undetected;
    uint64_t unexplained; /* Refused without a reason. */
};

static void ok(enum result result, const char *what)
{
    if (result != RESULT_OK) {
        printf("%s: %s %s\n", what, result_name(result), machine.error);
        exit(EXIT_FAILURE);
    }
}

static int64_t now_us(void *context)
{
    (void)context;
    return clock_now_us(&machine.clock);
}

/* The process is over; files are as it left them. */
static void life_end(void)
{
    disk_simulated_kill(disk);
    machine_stop(&machine);
    disk_simulated_restart(disk);
}

static void pay(void)
{
    for (uint32_t i = 0; i < PAYMENTS; i++) {
        for (uint32_t message = 0; message < BURST; message++) {
            machine_pay(&machine);
        }
        ok(machine_turn(&machine), "a turn");
    }
    ok(machine_settle(&machine), "payments");
}

/* Two lives: checkpoints with tiles of both, then records that only the log has. */
static void store_make(void)
{
    struct disk_simulated_options simulated = {
        .seed = 1, .latency_us_min = 100, .latency_us_max = 200, .now_us = now_us};
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    char error[DISK_ERROR_SIZE_MAX];
    ok(disk_open(&options, &disk, error), "the disk");
    machine.disk = disk;
    for (uint32_t life = 0; life < 2; life++) {
        ok(machine_start(&machine), "a start");
        pay();
        ok(machine_checkpoint(&machine), "a checkpoint");
        pay();
        ok(machine_checkpoint(&machine), "a checkpoint");
        pay();
        life_end();
    }
}

static void kept_visit(void *context, const char *name, uint64_t size)
{
    (void)context;
    if (strcmp(name, "lock") != 0) {
        ASSERT(kept_count < FILES_MAX);
        ASSERT(size <= FILE_BYTES_MAX);
        struct kept *file = &kept[kept_count++];
        (void)snprintf(file->name, sizeof(file->name), "%s", name);
        file->size = size;
    }
}

static void store_keep(void)
{
    ok(disk_folder_list(disk, "", kept_visit, NULL), "the files");
    for (uint32_t i = 0; i < kept_count; i++) {
        struct disk_file *file;
        uint64_t size;
        kept[i].data = malloc(kept[i].size + 1);
        ok(disk_file_open(disk, kept[i].name, DISK_READ, &file), kept[i].name);
        ok(disk_file_read(file, 0, kept[i].data, kept[i].size, &size), kept[i].name);
        disk_file_close(file);
        kept[i].used = kept[i].size;
        while (kept[i].used > 0 && kept[i].data[kept[i].used - 1] == 0) {
            kept[i].used--;
        }
    }
}

/* The file as it was, whether it is damaged, cut or away. */
static void file_restore(const struct kept *kept_file)
{
    struct disk_file *file;
    if (disk_file_open(disk, kept_file->name, DISK_WRITE, &file) != RESULT_OK) {
        ok(disk_file_open(disk, kept_file->name, DISK_CREATE, &file), "a file again");
    }
    ok(disk_file_write(file, 0, kept_file->data, kept_file->size), "a file again");
    ok(disk_file_sync(file), "a file again");
    disk_file_close(file);
    ok(disk_folder_sync(disk, ""), "a file again");
}

static const struct kept *epochs_kept(void)
{
    for (uint32_t i = 0; i < kept_count; i++) {
        if (strcmp(kept[i].name, EPOCHS_NAME) == 0) {
            return &kept[i];
        }
    }
    ASSERT(kept_count == 0);
    return NULL;
}

/* Loads what is there, compares, and takes back what loading wrote: the claim of an epoch. */
static void trial(struct outcomes *outcomes, const struct kept *file, const char *what, uint64_t at)
{
    struct machine_digest digest = {0};
    enum result result = machine_load(&machine);
    if (result == RESULT_OK) {
        machine_digest(&machine, &digest);
    }
    life_end();
    file_restore(epochs_kept());
    outcomes->tried++;
    if (result != RESULT_OK) {
        outcomes->refused++;
        outcomes->unexplained += machine.error[0] == '\0';
    } else if (memcmp(&digest, &whole, sizeof(whole)) == 0) {
        outcomes->same++;
        return;
    } else {
        outcomes->undetected++;
    }
    if (result == RESULT_OK && outcomes->undetected <= REPORTS_MAX) {
        printf("UNDETECTED: %s, %s %lu: state %s, lanes %s, ends %lx %lx, not %lx %lx\n",
               file->name, what, at, digest.state_hash == whole.state_hash ? "same" : "other",
               digest.lane_hash == whole.lane_hash ? "same" : "other", digest.end_lsn[0],
               digest.end_lsn[1], whole.end_lsn[0], whole.end_lsn[1]);
    }
    if (result != RESULT_OK && machine.error[0] == '\0') {
        printf("UNEXPLAINED: %s, %s %lu: %s\n", file->name, what, at, result_name(result));
    }
}

/* Bytes that stand for something, and zeros that must stay so: of those behind a block's content a
 * sample is enough. */
static bool is_wanted(const struct kept *file, uint64_t at, bool all, struct random *random)
{
    if (at >= file->used) {
        return random_below(random, ZEROS_ONE_IN * (all ? 8 : 4096)) == 0;
    }
    uint64_t block = at / MIRROR_BLOCK_BYTES * MIRROR_BLOCK_BYTES;
    uint64_t end = block + MIRROR_BLOCK_BYTES;
    end = end < file->size ? end : file->size;
    while (end > block && file->data[end - 1] == 0) {
        end--;
    }
    if (at >= end + PADDING_BYTES) {
        return random_below(random, ZEROS_ONE_IN * (all ? 1 : 64)) == 0;
    }
    uint64_t one_in = at < HEADER_BYTES ? HEADER_ONE_IN : SAMPLE_ONE_IN;
    return all || random_below(random, one_in) == 0;
}

static void bytes_flip(struct outcomes *outcomes, bool all, struct random *random)
{
    for (uint32_t i = 0; i < kept_count; i++) {
        for (uint64_t at = 0; at < kept[i].size; at++) {
            if (!is_wanted(&kept[i], at, all, random)) {
                continue;
            }
            uint8_t mask = (uint8_t)(1u << (uint32_t)random_below(random, 8));
            if (!disk_simulated_flip(disk, kept[i].name, at, mask)) {
                continue;
            }
            trial(outcomes, &kept[i], "byte", at);
            if (strcmp(kept[i].name, EPOCHS_NAME) != 0) {
                (void)disk_simulated_flip(disk, kept[i].name, at, mask);
            }
        }
    }
}

static void files_cut(struct outcomes *outcomes, bool all, struct random *random)
{
    for (uint32_t i = 0; i < kept_count; i++) {
        for (uint64_t size = 0; size < kept[i].size; size++) {
            bool is_edge = size == 0 || size == 1 || size + 1 == kept[i].size ||
                           (size % MIRROR_BLOCK_BYTES == 0 && size < kept[i].used);
            bool small = all && kept[i].size < 16 * MIRROR_BLOCK_BYTES;
            if (!is_edge && !small && random_below(random, TRUNCATE_ONE_IN * (all ? 1 : 16)) != 0) {
                continue;
            }
            if (disk_simulated_cut(disk, kept[i].name, size)) {
                trial(outcomes, &kept[i], "size", size);
                file_restore(&kept[i]);
            }
        }
    }
}

static void files_remove(struct outcomes *outcomes)
{
    for (uint32_t i = 0; i < kept_count; i++) {
        ok(disk_remove(disk, kept[i].name), kept[i].name);
        ok(disk_folder_sync(disk, ""), kept[i].name);
        trial(outcomes, &kept[i], "without it", 0);
        file_restore(&kept[i]);
    }
}

static void outcomes_print(FILE *out, const char *what, const char *unit,
                           const struct outcomes *outcomes, bool last)
{
    printf("%s: %lu tried, %lu refused, %lu the same state, %lu undetected, %lu without a reason\n",
           what, outcomes->tried, outcomes->refused, outcomes->same, outcomes->undetected,
           outcomes->unexplained);
    if (out != NULL) {
        (void)fprintf(out,
                      " {\"what\": \"%s\", \"trials\": %lu, \"unit\": \"%s\", \"zeros\": "
                      "{\"undetected\": %lu, \"refused without a reason\": %lu}, \"figures\": "
                      "{\"refused\": %lu, \"same_state\": %lu}}%s\n",
                      what, outcomes->tried, unit, outcomes->undetected, outcomes->unexplained,
                      outcomes->refused, outcomes->same, last ? "" : ",");
    }
}

static FILE *report_open(void)
{
    const char *build = getenv("FRESHET_BUILD");
    if (build == NULL) {
        return NULL;
    }
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/reliability", build);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof(path), "%s/reliability/flip.json", build);
    return fopen(path, "w");
}

int main(int count, char **argument)
{
    bool all = count > 1 && strcmp(argument[1], "all") == 0;
    const char *seed_text = getenv("SEED");
    uint64_t seed =
        seed_text != NULL ? (uint64_t)strtoull(seed_text, NULL, 10) : (uint64_t)getpid();
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    printf("SEED=%lu\n", seed);
    struct random random;
    random_seed(&random, seed);
    machine_open(&machine, false, START_US);
    store_make();
    store_keep();
    ok(machine_load(&machine), "the whole store");
    machine_digest(&machine, &whole);
    life_end();
    file_restore(epochs_kept());
    struct outcomes flips = {0};
    struct outcomes cuts = {0};
    struct outcomes removals = {0};
    struct outcomes again = {0};
    bytes_flip(&flips, all, &random);
    files_cut(&cuts, all, &random);
    files_remove(&removals);
    trial(&again, &kept[0], "untouched", 0);
    ASSERT(again.same == 1);
    FILE *out = report_open();
    if (out != NULL) {
        (void)fprintf(out, "{\"test\": \"flip\", \"rows\": [\n");
    }
    outcomes_print(out, "a byte of the store flipped", "bytes", &flips, false);
    outcomes_print(out, "a file of the store cut", "lengths", &cuts, false);
    outcomes_print(out, "a file of the store away", "files", &removals, true);
    if (out != NULL) {
        (void)fprintf(out, "]}\n");
        (void)fclose(out);
    }
    machine_close(&machine);
    disk_close(disk);
    for (uint32_t i = 0; i < kept_count; i++) {
        free(kept[i].data);
    }
    uint64_t bad = flips.undetected + flips.unexplained + cuts.undetected + cuts.unexplained +
                   removals.undetected + removals.unexplained;
    return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
