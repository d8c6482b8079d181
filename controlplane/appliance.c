#include "controlplane/appliance.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "controlplane/access.h"
#include "controlplane/freshness.h"
#include "controlplane/housekeeping.h"
#include "controlplane/http.h"
#include "controlplane/server.h"
#include "dataplane/base/units.h"
#include "drivers/eal.h"

#define IDLE_TURNS_BEFORE_SLEEP 64u
#define IDLE_SLEEP_US           500u
#define PAGE_BYTES              4096u
#define STATE_TOUCH_BYTES       (32 * MIB)
#define EPOCH_FIRST             1u /* Nothing is kept yet, so each process starts the LSNs anew. */

_Static_assert(CONFIG_INGEST_MAX <= WORKER_PORTS_MAX, "a worker takes every port");

__attribute__((format(printf, 3, 4))) static enum result
fail_with(char error[APPLIANCE_ERROR_SIZE_MAX], enum result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, APPLIANCE_ERROR_SIZE_MAX, format, arguments);
    va_end(arguments);
    return result;
}

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
            return fail_with(error, RESULT_INVALID, "appliance.shards: %u is too many, at most %d",
                             options->shards, SHARDS_MAX);
        }
        cpu_layout_choose(SHARDS_MAX, &appliance->layout);
        appliance->shard_count = SHARDS_MAX;
    }
    if (options->state_memory_bytes / appliance->shard_count < CONFIG_SHARD_MEMORY_MIN) {
        return fail_with(error, RESULT_INVALID,
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

static void net_options_of(const struct appliance *appliance, const struct config_ingest *ingest,
                           struct net_options *out)
{
    *out = (struct net_options){
        .listen = ingest->listen,
        .device = ingest->device[0] == '\0' ? NULL : ingest->device,
        .vdev = ingest->vdev[0] == '\0' ? NULL : ingest->vdev,
        .address = ingest->address[0] == '\0' ? NULL : ingest->address,
        .port = ingest->port,
        .path = ingest->path,
        .queue_count = appliance->shard_count,
    };
    switch (ingest->driver) {
    case CONFIG_DRIVER_SOCKET:
        out->driver = NET_DRIVER_SOCKET;
        break;
    case CONFIG_DRIVER_ETHDEV:
        out->driver = NET_DRIVER_ETHDEV;
        break;
    case CONFIG_DRIVER_FILE:
        out->driver = NET_DRIVER_FILE;
        break;
    }
}

static enum result ports_open(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    const struct config_options *options = &appliance->config->options;
    for (uint32_t i = 0; i < options->ingest_count; i++) {
        struct net_options net_options;
        char port_error[NET_ERROR_SIZE_MAX] = "";
        net_options_of(appliance, &options->ingest[i], &net_options);
        enum result result = net_port_open(&net_options, &appliance->port[i], port_error);
        if (result != RESULT_OK) {
            return fail_with(error, result, "appliance.ingest[%u]: %s", i, port_error);
        }
        appliance->port_count = i + 1;
    }
    return RESULT_OK;
}

static void worker_options_of(struct appliance *appliance, uint32_t shard, uint64_t secret,
                              struct worker_options *out)
{
    const struct config_options *options = &appliance->config->options;
    *out = (struct worker_options){
        .plan = appliance->plan,
        .clock = &appliance->clock,
        .shard = shard,
        .shard_count = appliance->shard_count,
        .port_count = appliance->port_count,
        .state_bytes = options->state_memory_bytes / appliance->shard_count,
        .lanes_max = options->lanes_max,
        .readers_max = appliance->serving_thread_count + 1,
        .table_secret = secret,
        .epoch = EPOCH_FIRST,
    };
    for (uint32_t i = 0; i < appliance->port_count; i++) {
        out->port[i] = (struct worker_port){
            .queue = net_port_queue(appliance->port[i], shard),
            .default_stream = options->ingest[i].stream,
            .text_allowed = true,
        };
    }
}

/* Faults in what the hot path uses at once: all but the state, and the state's start. The rest
 * comes 2 MiB at a time as rows do. */
static void region_touch(struct memory_region *region, uint64_t state_bytes)
{
    uint64_t bytes = region->size_bytes - state_bytes + STATE_TOUCH_BYTES;
    if (bytes > region->size_bytes) {
        bytes = region->size_bytes;
    }
    for (uint64_t at = 0; at < bytes; at += PAGE_BYTES) {
        ((uint8_t *)region->base)[at] = 0;
    }
}

static enum result workers_open(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    uint64_t secret = 0;
    if (getrandom(&secret, sizeof(secret), 0) != (ssize_t)sizeof(secret)) {
        return fail_with(error, RESULT_SYSTEM, "getrandom: %s", strerror(errno));
    }
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        struct worker_options options;
        worker_options_of(appliance, i, secret, &options);
        uint64_t bytes = worker_footprint(&options);
        enum result result = memory_map(bytes, 0, &appliance->region[i]);
        if (result == RESULT_OK) {
            region_touch(&appliance->region[i], options.state_bytes);
            result = worker_init(&options, appliance->region[i].base, &appliance->worker[i]);
        }
        if (result != RESULT_OK) {
            return fail_with(error, result,
                             "shard %u needs %llu MiB of memory: %s; lower `state.memory` or "
                             "`shards`",
                             i, (unsigned long long)div_ceil(bytes, MIB), result_name(result));
        }
    }
    worker_connect(appliance->worker, appliance->shard_count);
    return RESULT_OK;
}

static void *worker_run(void *argument)
{
    const struct appliance_worker *self = argument;
    struct appliance *appliance = self->appliance;
    struct worker *worker = appliance->worker[self->shard];
    struct net_queue *queue = appliance->port_count > 0 && appliance->sleeps
                                  ? net_port_queue(appliance->port[0], self->shard)
                                  : NULL;
    uint32_t idle_turns = 0;
    /* Relaxed: the join that follows orders everything else. */
    while (!atomic_load_explicit(&appliance->shared_stop, memory_order_relaxed)) {
        idle_turns = worker_turn(worker) > 0 ? 0 : idle_turns + 1;
        if (queue != NULL && idle_turns > IDLE_TURNS_BEFORE_SLEEP) {
            net_wait(queue, IDLE_SLEEP_US);
        }
    }
    return NULL;
}

static enum result threads_start(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "shard-%u", i);
        appliance->worker_argument[i] = (struct appliance_worker){appliance, i};
        int core = appliance->layout.shard_core[i];
        enum result result =
            cpu_thread_start(&appliance->layout, core, name, worker_run,
                             &appliance->worker_argument[i], &appliance->worker_thread[i]);
        if (result != RESULT_OK) {
            return fail_with(error, result,
                             "no thread for shard %u on core %d: %s; allow the core (taskset, "
                             "cgroup) or lower `shards`",
                             i, core, result_name(result));
        }
        appliance->worker_thread_count = i + 1;
    }
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
        return fail_with(error, RESULT_SYSTEM,
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

static enum result observers_open(struct appliance *appliance, char error[APPLIANCE_ERROR_SIZE_MAX])
{
    enum result result = housekeeping_open(appliance, &appliance->housekeeping);
    if (result == RESULT_OK && appliance->plan->view_count > 0) {
        result = freshness_open(appliance, appliance->serving_thread_count, &appliance->freshness);
    }
    if (result != RESULT_OK) {
        return fail_with(error, result, "no thread for housekeeping or freshness: %s",
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
        return fail_with(error, result, "appliance.%s", text);
    }
    result = privileges_begin(&appliance->privileges);
    return result == RESULT_OK ? result
                               : fail_with(error, result, "appliance.user: %s", strerror(errno));
}

/* Everything that took root is open. */
static enum result privileges_give_up(struct appliance *appliance,
                                      char error[APPLIANCE_ERROR_SIZE_MAX])
{
    const char *path = appliance->config->options.query_unix;
    char text[PRIVILEGES_ERROR_SIZE_MAX];
    if (path[0] != '\0' && privileges_own(&appliance->privileges, path) != RESULT_OK) {
        return fail_with(error, RESULT_SYSTEM, "query.unix: cannot give %s to %s: %s", path,
                         appliance->privileges.user, strerror(errno));
    }
    enum result result = privileges_drop(&appliance->privileges, text);
    return result == RESULT_OK ? result : fail_with(error, result, "appliance.%s", text);
}

enum result appliance_open(const struct config *config, struct appliance *appliance,
                           char error[APPLIANCE_ERROR_SIZE_MAX])
{
    enum result result = RESULT_SYSTEM;
    memset(appliance, 0, sizeof(*appliance));
    appliance->config = config;
    appliance->plan = &config->plan;
    error[0] = '\0';
    if (!run_id_make(appliance->run_id)) {
        return fail_with(error, RESULT_SYSTEM, "getrandom: %s", strerror(errno));
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
    result = ports_open(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    result = workers_open(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    result = observers_open(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    /* DPDK's threads too; before the workers start, so that nobody delays their first turns. */
    cpu_move_helpers(&appliance->layout);
    result = threads_start(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    result = doors_open(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    cpu_move_helpers(&appliance->layout);
    result = privileges_give_up(appliance, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    /* Pairs with the acquires of /readyz and snapshot_take(). */
    atomic_store_explicit(&appliance->shared_ready, true, memory_order_release);
    return RESULT_OK;
fail:
    appliance_close(appliance);
    return result;
}

void appliance_close(struct appliance *appliance)
{
    atomic_store_explicit(&appliance->shared_ready, false, memory_order_release);
    /* The doors first: who asks for a report needs everything behind them. */
    access_stop(appliance->access);
    http_close(appliance->http);
    server_close(appliance->server);
    access_close(appliance->access);
    freshness_close(appliance->freshness);
    housekeeping_close(appliance->housekeeping);
    atomic_store_explicit(&appliance->shared_stop, true, memory_order_relaxed);
    for (uint32_t i = 0; i < appliance->worker_thread_count; i++) {
        (void)pthread_join(appliance->worker_thread[i], NULL);
    }
    for (uint32_t i = appliance->port_count; i > 0; i--) {
        net_port_close(appliance->port[i - 1]);
    }
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        if (appliance->region[i].base != NULL) {
            memory_unmap(&appliance->region[i]);
        }
    }
    eal_close();
    appliance->freshness = NULL;
    appliance->http = NULL;
    appliance->server = NULL;
    appliance->access = NULL;
    appliance->housekeeping = NULL;
    appliance->worker_thread_count = 0;
    appliance->port_count = 0;
    appliance->shard_count = 0;
}
