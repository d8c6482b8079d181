#include "controlplane/appliance_inside.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "controlplane/access.h"
#include "controlplane/backfill.h"
#include "controlplane/backfill_resume.h"
#include "controlplane/canary.h"
#include "controlplane/freshness.h"
#include "controlplane/housekeeping.h"
#include "controlplane/http.h"
#include "controlplane/objectives.h"
#include "controlplane/quality.h"
#include "controlplane/served.h"
#include "controlplane/server.h"
#include "controlplane/store.h"
#include "dataplane/base/units.h"
#include "drivers/eal.h"

#define EPOCH_FIRST 1u /* Without a store each process starts the LSNs anew. */
/* At the end: for what came, and for the last checkpoint. */
#define DRAIN_US_MAX  (5 * US_PER_SECOND)
#define FINISH_US_MAX (60 * US_PER_SECOND)
/* Of the log's bytes, and of one of its files, for answers that are recorded. */
#define SERVED_PART 4u

static bool run_id_make(char run_id[41])
{
    uint8_t bytes[20];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        (void)snprintf(run_id + 2 * i, 3, "%02x", bytes[i]);
    }
    return true;
}

static enum result layout_choose(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    const struct config_options *options = &appliance->config->options;
    cpu_layout_choose(options->shards, &appliance->layout);
    appliance->shard_count = appliance->layout.shard_count;
    if (appliance->shard_count > SHARDS_MAX) {
        if (options->shards != 0) {
            return appliance_fail(error, RESULT_INVALID,
                                  "appliance.shards: %u is too many, at most %d", options->shards,
                                  SHARDS_MAX);
        }
        cpu_layout_choose(SHARDS_MAX, &appliance->layout);
        appliance->shard_count = SHARDS_MAX;
    }
    if (options->state_memory_bytes / appliance->shard_count < CONFIG_SHARD_MEMORY_MIN) {
        return appliance_fail(error, RESULT_INVALID,
                              "appliance.state.memory: %llu MiB for %u shards; each needs at least "
                              "%llu MiB: raise it, or lower `shards`",
                              (unsigned long long)(options->state_memory_bytes / MIB),
                              appliance->shard_count,
                              (unsigned long long)(CONFIG_SHARD_MEMORY_MIN / MIB));
    }
    uint32_t threads = appliance->layout.serving_count;
    appliance->serving_thread_count =
        threads < APPLIANCE_READERS_MAX - 1 ? threads : APPLIANCE_READERS_MAX - 1;
    appliance->sleeps = options->idle == CONFIG_IDLE_SLEEP || appliance->layout.shared;
    return RESULT_OK;
}

/* The default socket lives in run/, which a fresh checkout does not have. */
static enum result socket_folder_make(const struct privileges *privileges, const char *path,
                                      char error[APPLIANCE_ERROR_SIZE_MAX])
{
    char folder[CONFIG_PATH_SIZE_MAX];
    (void)snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL || slash == folder) {
        return RESULT_OK;
    }
    *slash = '\0';
    if (mkdir(folder, 0755) == 0) {
        /* Whoever we become removes the socket in the end. */
        return privileges_own(privileges, folder);
    }
    if (errno != EEXIST) {
        return appliance_fail(
            error, RESULT_SYSTEM,
            "query.unix: cannot make the folder %s: %s; make it, or choose another "
            "path",
            folder, strerror(errno));
    }
    return RESULT_OK;
}

static enum result doors_open(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    const struct config_options *options = &appliance->config->options;
    enum result result = socket_folder_make(&appliance->privileges, options->query_unix, error);
    if (result != RESULT_OK) {
        return result;
    }
    result = access_open(options->query_users, &appliance->layout, &appliance->access, error,
                         APPLIANCE_ERROR_SIZE_MAX);
    if (result != RESULT_OK) {
        return result;
    }
    struct server_options server_options = {
        .unix_path = options->query_unix,
        .unix_mode = options->query_unix_mode,
        .tcp = options->query_tcp,
        .thread_count = appliance->serving_thread_count,
    };
    result = server_open(appliance, &server_options, &appliance->server, error,
                         APPLIANCE_ERROR_SIZE_MAX);
    if (result != RESULT_OK) {
        return result;
    }
    if (options->query_http[0] != '\0') {
        result = http_open(appliance, options->query_http, &appliance->http, error,
                           APPLIANCE_ERROR_SIZE_MAX);
    }
    return result;
}

static enum result watching_open(struct appliance *appliance)
{
    const struct counters_monitor **monitor =
        heap_alloc((uint64_t)STREAMS_MAX * SHARDS_MAX * sizeof(struct counters_monitor *));
    uint32_t count = 0;
    if (monitor == NULL) {
        return RESULT_NO_MEMORY;
    }
    for (uint32_t stream = 0; stream < appliance->plan->stream_count; stream++) {
        for (uint32_t shard = 0; shard < appliance->shard_count; shard++) {
            monitor[count++] = worker_monitor(appliance->worker[shard], stream);
        }
    }
    enum result result = quality_open(appliance->plan, monitor, appliance->shard_count,
                                      clock_steady_us(&appliance->clock), &appliance->quality);
    heap_free(monitor);
    return result;
}

static enum result observers_open(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    enum result result = watching_open(appliance);
    if (result == RESULT_OK) {
        result = objectives_open(appliance, &appliance->objectives);
    }
    if (result == RESULT_OK) {
        result = housekeeping_open(appliance, &appliance->housekeeping);
    }
    if (result == RESULT_OK && appliance->served != NULL) {
        result = canary_open(appliance, &appliance->canary);
    }
    if (result == RESULT_OK && appliance->plan->view_count > 0) {
        result = freshness_open(appliance, appliance->serving_thread_count, &appliance->freshness);
    }
    if (result != RESULT_OK) {
        return appliance_fail(error, result, "no thread for housekeeping, freshness or parity: %s",
                              result_name(result));
    }
    return RESULT_OK;
}

static bool has_network_devices(const struct config_options *options)
{
    for (uint32_t i = 0; i < options->ingest_count; i++) {
        if (options->ingest[i].driver == CONFIG_DRIVER_ETHDEV) {
            return true;
        }
    }
    return false;
}

static enum result privileges_open(struct appliance *appliance,
                                   char error[APPLIANCE_ERROR_SIZE_MAX])
{
    const struct config_options *options = &appliance->config->options;
    char text[PRIVILEGES_ERROR_SIZE_MAX];
    enum result result = privileges_choose(options->user, has_network_devices(options),
                                           &appliance->privileges, text);
    if (result != RESULT_OK) {
        return appliance_fail(error, result, "appliance.%s", text);
    }
    result = privileges_begin(&appliance->privileges);
    return result == RESULT_OK
               ? result
               : appliance_fail(error, result, "appliance.user: %s", strerror(errno));
}

/* Everything that took root is open. */
static enum result privileges_give_up(struct appliance *appliance,
                                      char error[APPLIANCE_ERROR_SIZE_MAX])
{
    const struct config_options *options = &appliance->config->options;
    const char *path = options->query_unix;
    char text[PRIVILEGES_ERROR_SIZE_MAX];
    if (appliance->store != NULL &&
        privileges_own_directory(&appliance->privileges, options->data_directory) != RESULT_OK) {
        return appliance_fail(error, RESULT_SYSTEM, "data.directory: cannot give %s to %s: %s",
                              options->data_directory, appliance->privileges.user, strerror(errno));
    }
    if (path[0] != '\0' && privileges_own(&appliance->privileges, path) != RESULT_OK) {
        return appliance_fail(error, RESULT_SYSTEM, "query.unix: cannot give %s to %s: %s", path,
                              appliance->privileges.user, strerror(errno));
    }
    enum result result = privileges_drop(&appliance->privileges, text);
    return result == RESULT_OK ? result : appliance_fail(error, result, "appliance.%s", text);
}

static enum result workers_reset(void *context)
{
    return appliance_workers_reset(context);
}

static bool start_is_unwanted(void *context)
{
    const struct appliance *appliance = context;
    return appliance->stop_asked != NULL && appliance->stop_asked();
}

/* A backfill that goes on: what was served before runs, and its views come behind. */
static enum result resume_find(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    if (backfill_resume_open(appliance->config, appliance->shard_count, &appliance->resume) !=
        RESULT_OK) {
        return appliance_fail(error, RESULT_NO_MEMORY, "no memory for the backfill that goes on");
    }
    if (appliance->resume != NULL && appliance->resume->config != NULL) {
        appliance->config = appliance->resume->config;
        appliance->plan = &appliance->config->plan;
    }
    return RESULT_OK;
}

/* The data directory, if the definitions name one: what is there decides the epoch. */
static enum result directory_open(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    const struct config_options *options = &appliance->config->options;
    appliance->epoch = EPOCH_FIRST;
    if (options->data_directory[0] == '\0') {
        return RESULT_OK;
    }
    const struct store_options store_options = {.options = options,
                                                .plan = appliance->plan,
                                                .clock = &appliance->clock,
                                                .layout = &appliance->layout,
                                                .shard_count = appliance->shard_count,
                                                .workers_reset = workers_reset,
                                                .stop_asked = start_is_unwanted,
                                                .context = appliance};
    enum result result = store_open(&store_options, &appliance->store, error);
    appliance->unreadable = result == RESULT_INVALID;
    if (result == RESULT_OK) {
        appliance->epoch = store_epoch(appliance->store);
    }
    return result;
}

static bool services_are_recorded(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->service_count; i++) {
        if (plan->service[i].log_sample_ppm > 0) {
            return true;
        }
    }
    return false;
}

/* Before the serving threads, which it has rings for. */
static enum result recording_open(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    const struct config_options *config = &appliance->config->options;
    if (appliance->store == NULL || !services_are_recorded(appliance->plan)) {
        return RESULT_OK;
    }
    struct served_options options = {.disk = store_disk(appliance->store),
                                     .clock = &appliance->clock,
                                     .layout = &appliance->layout,
                                     .plan = appliance->plan,
                                     .workers = appliance->worker,
                                     .shard_count = appliance->shard_count,
                                     .thread_count = appliance->serving_thread_count,
                                     .file_bytes = config->mirror_segment_bytes / SERVED_PART,
                                     .keep_us = config->mirror_keep_us,
                                     .keep_bytes = config->mirror_bytes / SERVED_PART};
    memcpy(options.store_id, store_id(appliance->store), sizeof(options.store_id));
    enum result result = served_open(&options, &appliance->served);
    return result == RESULT_OK
               ? RESULT_OK
               : appliance_fail(error, result, "data.directory %s: answers cannot be recorded: %s",
                                config->data_directory, result_name(result));
}

/* What the store holds, into the workers. */
static enum result state_load(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    if (appliance->store == NULL) {
        return RESULT_OK;
    }
    enum result result = store_load(appliance->store, appliance->worker, error);
    appliance->unreadable = result == RESULT_INVALID;
    if (result == RESULT_OK && backfill_open(appliance, &appliance->backfill) != RESULT_OK) {
        return appliance_fail(error, RESULT_NO_MEMORY, "no memory for backfills");
    }
    result = result == RESULT_OK ? store_begin(appliance->store, error) : result;
    if (result == RESULT_OK && backfill_resume_prepare(appliance->backfill) != RESULT_OK) {
        return appliance_fail(error, RESULT_NO_MEMORY, "no memory for backfills");
    }
    return result;
}

static enum result workers_start(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    /* DPDK's threads too; before the workers start, so that nobody delays their first turns. */
    cpu_move_helpers(&appliance->layout);
    enum result result = appliance_workers_start(appliance, error);
    cpu_move_helpers(&appliance->layout);
    return result;
}

/* The store's thread, as the user who shall have its files; then the homes' forwards. */
static enum result store_go(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    if (appliance->store == NULL) {
        return RESULT_OK;
    }
    enum result result = store_start(appliance->store, error);
    /* What homes forward again is taken before anything new is. */
    while (result == RESULT_OK && !store_is_ready(appliance->store)) {
        struct timespec pause = {.tv_nsec = NS_PER_SECOND / 1000};
        (void)nanosleep(&pause, NULL);
    }
    return result;
}

enum result appliance_open(const struct config *config, bool (*stop_asked)(void),
                           struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    enum result result = RESULT_SYSTEM;
    memset(appliance, 0, sizeof(*appliance));
    appliance->config = config;
    appliance->plan = &config->plan;
    appliance->stop_asked = stop_asked;
    error[0] = '\0';
    if (!run_id_make(appliance->run_id)) {
        return appliance_fail(error, RESULT_SYSTEM, "getrandom: %s", strerror(errno));
    }
    result = layout_choose(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    result = privileges_open(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    clock_open(&appliance->clock);
    appliance->start_us = clock_now_us(&appliance->clock);
    result = resume_find(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    result = directory_open(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    result = appliance_workers_open(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    result = recording_open(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    /* Queries are answered first, with LOADING; events are taken last. */
    result = doors_open(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    result = state_load(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    result = appliance_ports_open(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    appliance_workers_listen(appliance);
    result = observers_open(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    result = workers_start(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    result = privileges_give_up(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    result = store_go(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    backfill_resume_begin(appliance->backfill);
    /* Pairs with the acquires of the doors: rows, and all that reports tell about, are there. */
    atomic_store_explicit(&appliance->shared_loaded, true, memory_order_release);
    /* Pairs with the acquire of /readyz. */
    atomic_store_explicit(&appliance->shared_ready, true, memory_order_release);
    return RESULT_OK;
fail:
    appliance_close(appliance);
    return result;
}

/* Lets the workers finish and the store make its last checkpoint, while reads go on. */
static void state_finish(struct appliance *appliance)
{
    if (appliance->store == NULL || appliance->worker_thread_count < appliance->shard_count) {
        return;
    }
    appliance_workers_drain(appliance, DRAIN_US_MAX);
    appliance->finished = store_finish(appliance->store, FINISH_US_MAX) == RESULT_OK;
}

void appliance_close(struct appliance *appliance)
{
    atomic_store_explicit(&appliance->shared_ready, false, memory_order_release);
    backfill_stop(appliance->backfill);
    state_finish(appliance);
    housekeeping_stop(appliance->housekeeping);
    canary_stop(appliance->canary);
    /* The doors first: who asks for a report needs everything behind them. */
    access_stop(appliance->access);
    http_close(appliance->http);
    server_close(appliance->server);
    served_stop(appliance->served);
    access_close(appliance->access);
    freshness_close(appliance->freshness);
    canary_close(appliance->canary);
    housekeeping_close(appliance->housekeeping);
    objectives_close(appliance->objectives);
    quality_close(appliance->quality);
    store_stop(appliance->store);
    appliance_workers_stop(appliance);
    served_close(appliance->served);
    store_close(appliance->store);
    appliance_ports_close(appliance);
    appliance_workers_close(appliance);
    backfill_close(appliance->backfill);
    eal_close();
    if (appliance->resume != NULL) {
        appliance->config = appliance->resume->files;
        appliance->plan = &appliance->config->plan;
        backfill_resume_close(appliance->resume);
    }
    appliance->resume = NULL;
    appliance->backfill = NULL;
    appliance->freshness = NULL;
    appliance->http = NULL;
    appliance->server = NULL;
    appliance->access = NULL;
    appliance->housekeeping = NULL;
    appliance->objectives = NULL;
    appliance->quality = NULL;
    appliance->canary = NULL;
    appliance->served = NULL;
    appliance->store = NULL;
    appliance->shard_count = 0;
}
