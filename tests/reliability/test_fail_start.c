/* The appliance itself is started while memory is refused: the n-th allocation, or all from the
 * n-th on, from reading its definitions until it is ready. A start works or says that memory was
 * the reason, and leaves nothing behind; with memory again it has all that was there.
 *
 *   test_fail_start         every n; every fourth for all from it on
 *   test_fail_start all     every n for both
 *   test_fail_start part    every fourth for both
 *   test_fail_start N       one, and all from it on
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "config/config.h"
#include "controlplane/appliance.h"
#include "controlplane/password.h"
#include "dataplane/base/assert.h"
#include "drivers/memory.h"
#include "drivers/secret.h"
#include "tests/reliability/fail_memory.h"

#define EVENTS      20u
#define STRIDE      4u
#define LOOK_EVERY  16u /* Attempts between two starts with memory. */
#define WAITS_MAX   500u
#define WAIT_NS     (10 * 1000 * 1000)
#define REPORTS_MAX 20u

/* What an attempt must leave as it was. */
struct footprint {
    uint64_t heap_bytes;
    uint32_t descriptors;
    uint32_t threads;
};

struct tally {
    uint64_t trials;
    uint64_t started; /* All the same: nothing needed what was refused. */
    uint64_t unnamed;
    uint64_t leaked;
    uint64_t lost; /* Events that a start with memory did not find. */
};

static char folder[] = "/tmp/freshet-fail-XXXXXX";
static char definitions[128];
static char socket_path[100];
static uint16_t udp_port;
static struct config *config;
static struct appliance *appliance;
static uint64_t reports;

static const char format[] = "appliance:\n"
                             "  shards: 1\n"
                             "  idle: sleep\n"
                             "%s"
                             "  ingest:\n"
                             "    - {driver: socket, listen: \"127.0.0.1:%u\"}\n"
                             "    - {driver: socket, listen: \"127.0.0.1:0\", auth: keys.yaml}\n"
                             "  query: {unix: %s, tcp: \"127.0.0.1:0\", http: \"127.0.0.1:0\",\n"
                             "          users: %s/users.yaml}\n"
                             "  state: {memory: 16MiB, lanes: 16}\n"
                             "  data: {directory: %s/data, checkpoint: 1h,\n"
                             "         mirror: {segment: 1MiB, bytes: 64MiB}}\n"
                             "streams:\n"
                             "  pay:\n"
                             "    id: 1\n"
                             "    version: 1\n"
                             "    time: ts\n"
                             "    fields: {ts: {type: timestamp}, card: {type: u64}}\n"
                             "views:\n"
                             "  spend:\n"
                             "    version: 1\n"
                             "    entity: card\n"
                             "    source: pay\n"
                             "    windows: [10d]\n"
                             "    aggregates: {n: count()}\n";

/* Regions of the workers, and pages for keys. */
enum result __real_memory_map(uint64_t size_bytes, int touch, struct memory_region *out_region);
enum result __wrap_memory_map(uint64_t size_bytes, int touch, struct memory_region *out_region);
enum result __wrap_memory_map(uint64_t size_bytes, int touch, struct memory_region *out_region)
{
    return fail_memory_is_refused() ? RESULT_NO_MEMORY
                                    : __real_memory_map(size_bytes, touch, out_region);
}

enum result __real_secret_alloc(uint64_t size_bytes, struct secret *out_secret);
enum result __wrap_secret_alloc(uint64_t size_bytes, struct secret *out_secret);
enum result __wrap_secret_alloc(uint64_t size_bytes, struct secret *out_secret)
{
    return fail_memory_is_refused() ? RESULT_NO_MEMORY
                                    : __real_secret_alloc(size_bytes, out_secret);
}

static FILE *file_make(const char *name, char *out_path, size_t size)
{
    (void)snprintf(out_path, size, "%s/%s", folder, name);
    FILE *file = fopen(out_path, "w");
    ASSERT(file != NULL);
    ASSERT(fchmod(fileno(file), 0600) == 0);
    return file;
}

/* A port of the range that nobody has now. */
static uint16_t port_find(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    ASSERT(bind(fd, (struct sockaddr *)&address, size) == 0);
    ASSERT(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void files_make(void)
{
    char path[128];
    char hash[USER_HASH_SIZE_MAX];
    ASSERT(mkdtemp(folder) != NULL);
    FILE *file = file_make("keys.yaml", path, sizeof(path));
    (void)fprintf(file, "producers:\n  - producer: 7\n    keys: [{epoch: 1, key: "
                        "\"00112233445566778899aabbccddeeff\"}]\n");
    (void)fclose(file);
    enum result result = password_hash("secret", hash);
    ASSERT(result == RESULT_OK);
    file = file_make("users.yaml", path, sizeof(path));
    (void)fprintf(file, "model: {role: read, password: \"%s\"}\n", hash);
    (void)fclose(file);
    (void)snprintf(socket_path, sizeof(socket_path), "%s/s.sock", folder);
    udp_port = port_find();
    file = file_make("f.yaml", definitions, sizeof(definitions));
    (void)fprintf(file, format, geteuid() == 0 ? "  user: root\n" : "", udp_port, socket_path,
                  folder, folder);
    (void)fclose(file);
}

static uint32_t entries_count(const char *path)
{
    uint32_t count = 0;
    DIR *entries = opendir(path);
    while (entries != NULL && readdir(entries) != NULL) {
        count++;
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return count;
}

static struct footprint footprint_look(void)
{
    return (struct footprint){.heap_bytes = heap_used_bytes(),
                              .descriptors = entries_count("/proc/self/fd"),
                              .threads = entries_count("/proc/self/task")};
}

/* Definitions, then the appliance. out_error says why not. */
static enum result start(char out_error[APPLIANCE_ERROR_SIZE_MAX])
{
    const char *const paths[] = {definitions};
    out_error[0] = '\0';
    enum result result = config_load(paths, 1, config);
    if (result != RESULT_OK) {
        (void)snprintf(out_error, APPLIANCE_ERROR_SIZE_MAX, "%s", config->error[0].text);
        return result;
    }
    return appliance_open(config, NULL, appliance, out_error);
}

/* Events that a client is told of. */
static uint32_t events_read(void)
{
    static const char ask[] = "HGET card:7 spend.n_10d\r\n";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[64] = "";
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ssize_t got = -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        write(fd, ask, sizeof(ask) - 1) == (ssize_t)(sizeof(ask) - 1)) {
        got = read(fd, answer, sizeof(answer) - 1);
    }
    (void)close(fd);
    const char *value = got > 0 ? strchr(answer, '\n') : NULL;
    return value == NULL ? 0 : (uint32_t)strtoul(value + 1, NULL, 10);
}

static void events_send(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(udp_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (uint32_t i = 0; i < EVENTS; i++) {
        ASSERT(sendto(fd, "pay card=7u", 11, 0, (struct sockaddr *)&address, sizeof(address)) ==
               11);
    }
    (void)close(fd);
    for (uint32_t i = 0; i < WAITS_MAX && events_read() < EVENTS; i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
    }
}

/* Starts with memory, and counts what is lacking. */
static void look(struct tally *tally)
{
    char error[APPLIANCE_ERROR_SIZE_MAX];
    enum result result = start(error);
    if (result != RESULT_OK) {
        printf("with memory: %s: %s\n", result_name(result), error);
        tally->lost += EVENTS;
        return;
    }
    uint32_t events = events_read();
    tally->lost += events == EVENTS ? 0 : 1;
    appliance_close(appliance);
}

static void report(uint64_t n, const char *what, const char *error)
{
    if (reports++ < REPORTS_MAX) {
        printf("BROKEN: test_fail_start %lu: %s: %s\n", n, what, error);
    }
}

/* True while there is an n-th. */
static bool trial(uint64_t n, bool onward, struct tally *tally)
{
    char error[APPLIANCE_ERROR_SIZE_MAX];
    struct footprint before = footprint_look();
    uint64_t refused = fail_memory_refused();
    fail_memory_refuse(n, onward);
    enum result result = start(error);
    fail_memory_give();
    bool reached = fail_memory_refused() != refused;
    if (result == RESULT_OK) {
        appliance_close(appliance);
    }
    struct footprint after = footprint_look();
    if (!reached) {
        return false;
    }
    tally->trials++;
    tally->started += result == RESULT_OK;
    if (result != RESULT_OK && strstr(error, "memory") == NULL) {
        tally->unnamed++;
        report(n, result_name(result), error);
    }
    if (memcmp(&before, &after, sizeof(before)) != 0) {
        tally->leaked++;
        char text[128];
        (void)snprintf(text, sizeof(text), "%ld bytes, %d descriptors, %d threads",
                       (long)(after.heap_bytes - before.heap_bytes),
                       (int)(after.descriptors - before.descriptors),
                       (int)(after.threads - before.threads));
        report(n, text, error);
    }
    return true;
}

static void sweep(bool onward, uint32_t stride, struct tally *tally)
{
    for (uint64_t n = 1 + (uint64_t)getpid() % stride; trial(n, onward, tally); n += stride) {
        if (tally->trials % LOOK_EVERY == 0) {
            look(tally);
        }
    }
    look(tally);
}

static void report_write(const struct tally *tally)
{
    const char *build = getenv("FRESHET_BUILD");
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/reliability", build == NULL ? folder : build);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof(path), "%s/reliability/fail_start.json",
                   build == NULL ? folder : build);
    FILE *out = build == NULL ? NULL : fopen(path, "w");
    if (out == NULL) {
        return;
    }
    (void)fprintf(out,
                  "{\"test\": \"fail_start\", \"rows\": [\n"
                  " {\"what\": \"the appliance starts while allocations are refused\", "
                  "\"trials\": %lu, \"unit\": \"allocations\", \"zeros\": {\"events lost\": %lu, "
                  "\"without the reason\": %lu, \"left behind\": %lu}, \"figures\": "
                  "{\"started_all_the_same\": %lu}}]}\n",
                  tally->trials, tally->lost, tally->unnamed, tally->leaked, tally->started);
    (void)fclose(out);
}

static void folder_remove(const char *path)
{
    DIR *entries = opendir(path);
    const struct dirent *entry;
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        char inner[512];
        (void)snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlink(inner) != 0) {
            folder_remove(inner);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    (void)rmdir(path);
}

int main(int count, char **argument)
{
    bool all = count > 1 && strcmp(argument[1], "all") == 0;
    bool part = count > 1 && strcmp(argument[1], "part") == 0;
    struct tally tally = {0};
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    config = calloc(1, sizeof(*config));
    appliance = calloc(1, sizeof(*appliance));
    ASSERT(config != NULL && appliance != NULL);
    files_make();
    char error[APPLIANCE_ERROR_SIZE_MAX];
    if (start(error) != RESULT_OK) {
        printf("%s\n", error);
        folder_remove(folder);
        return EXIT_FAILURE;
    }
    events_send();
    appliance_close(appliance);
    look(&tally);
    if (count > 1 && !all && !part) {
        (void)trial(strtoull(argument[1], NULL, 10), false, &tally);
        (void)trial(strtoull(argument[1], NULL, 10), true, &tally);
        look(&tally);
    } else {
        sweep(false, part ? STRIDE : 1, &tally);
        sweep(true, all ? 1 : STRIDE, &tally);
        report_write(&tally);
    }
    printf("%lu allocations, %lu started all the same: %lu events lost, %lu without the reason, "
           "%lu left something behind\n",
           tally.trials, tally.started, tally.lost, tally.unnamed, tally.leaked);
    folder_remove(folder);
    free(config);
    free(appliance);
    return tally.lost + tally.unnamed + tally.leaked == 0 && (count > 1 || tally.trials > 0)
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
}
