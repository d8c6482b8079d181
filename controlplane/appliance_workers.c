/* The appliance's workers: their memory, their threads, their end. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "controlplane/appliance_inside.h"
#include "controlplane/keys_live.h"

#define IDLE_TURNS_BEFORE_SLEEP 64u
#define IDLE_SLEEP_US           500u
/* While only the disk is waited for: a quick one is over by then. */
#define IDLE_TURNS_BEFORE_NAP 2048u
#define IDLE_NAP_US           50u
#define PAGE_BYTES            4096u
#define ROWS_TOUCH_BYTES      (32 * MIB)
#define DRAIN_LOOK_NS         1000000

static void worker_options_of(const struct appliance *appliance, uint32_t shard,
                              struct worker_options *out)
{
    const struct config_options *options = &appliance->config->options;
    *out = (struct worker_options){
        .plan = appliance->plan,
        .clock = &appliance->clock,
        .shard = shard,
        .shard_count = appliance->shard_count,
        .state_bytes = options->state_memory_bytes / appliance->shard_count,
        .lanes_max = options->lanes_max,
        .readers_max = appliance->serving_thread_count + 1,
        .table_secret = appliance->table_secret,
        .epoch = (uint16_t)appliance->epoch,
        .patterns = appliance->patterns.set,
        .pattern_scratch = appliance->patterns.scratch[shard],
        .logs = appliance->store != NULL,
        .acks = appliance->store != NULL && options->ack == CONFIG_ACK_DURABLE,
    };
}

static void pages_touch(struct memory_region *region, uint64_t from, uint64_t end)
{
    for (uint64_t at = from; at < end; at += PAGE_BYTES) {
        ((uint8_t *)region->base)[at] = 0;
    }
}

/* Faults in what the hot path uses at once: the start of the rows, and all that is behind them. The
 * rest comes 2 MiB at a time as rows do; of what is beyond the cap seldom anything. */
static void region_touch(struct memory_region *region, const struct worker_options *options)
{
    uint64_t rows_bytes = options->state_bytes;
    pages_touch(region, 0, rows_bytes < ROWS_TOUCH_BYTES ? rows_bytes : ROWS_TOUCH_BYTES);
    pages_touch(region, worker_footprint_rows(options), region->size_bytes);
}

enum result appliance_workers_open(struct appliance *appliance,
                                   char error[APPLIANCE_ERROR_SIZE_MAX])
{
    uint64_t *secret = &appliance->table_secret;
    if (getrandom(secret, sizeof(*secret), 0) != (ssize_t)sizeof(*secret)) {
        return appliance_fail(error, RESULT_SYSTEM, "getrandom: %s", strerror(errno));
    }
    char why[PATTERN_ERROR_SIZE_MAX];
    enum result compiled =
        pattern_sets_open(appliance->plan, appliance->shard_count, &appliance->patterns, why);
    if (compiled != RESULT_OK) {
        return appliance_fail(error, compiled, "the patterns of a stream: %s", why);
    }
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        struct worker_options options;
        worker_options_of(appliance, i, &options);
        uint64_t bytes = worker_footprint(&options);
        enum result result = memory_map(bytes, 0, &appliance->region[i]);
        if (result == RESULT_OK) {
            region_touch(&appliance->region[i], &options);
            result = worker_init(&options, appliance->region[i].base, &appliance->worker[i]);
        }
        if (result != RESULT_OK) {
            return appliance_fail(error, result,
                                  "shard %u needs %llu MiB of memory: %s; lower `state.memory` or "
                                  "`shards`",
                                  i, (unsigned long long)div_ceil(bytes, MIB), result_name(result));
        }
    }
    worker_connect(appliance->worker, appliance->shard_count);
    return RESULT_OK;
}

enum result appliance_workers_reset(struct appliance *appliance)
{
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        struct worker_options options;
        worker_options_of(appliance, i, &options);
        memory_clear(&appliance->region[i]);
        enum result result =
            worker_init(&options, appliance->region[i].base, &appliance->worker[i]);
        if (result != RESULT_OK) {
            return result;
        }
    }
    worker_connect(appliance->worker, appliance->shard_count);
    return RESULT_OK;
}

void appliance_workers_listen(struct appliance *appliance)
{
    const struct config_options *options = &appliance->config->options;
    for (uint32_t shard = 0; shard < appliance->shard_count; shard++) {
        struct worker_port port[WORKER_PORTS_MAX];
        for (uint32_t i = 0; i < appliance->port_count; i++) {
            const struct config_ingest *ingest = &options->ingest[i];
            port[i] = (struct worker_port){
                .queue = net_port_queue(appliance->port[i], shard),
                .default_stream = ingest->stream,
                .text_allowed = appliance->keys[i] == NULL,
                .keys = appliance->keys[i] == NULL ? NULL : &appliance->keys[i]->door,
                .allowed = ingest->auth_none ? ingest->allow : NULL,
                .allowed_count = ingest->allow_count,
            };
        }
        worker_ports_set(appliance->worker[shard], port, appliance->port_count);
    }
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
        /* A checkpoint's walk is not paced. What the log has in flight is waited for awake at
         * first, then in naps: the kernel may need this very core to end it. */
        if (queue != NULL && idle_turns > IDLE_TURNS_BEFORE_SLEEP && worker_may_sleep(worker)) {
            net_wait(queue, IDLE_SLEEP_US);
        } else if (queue != NULL && idle_turns > IDLE_TURNS_BEFORE_NAP && worker_may_nap(worker)) {
            net_wait(queue, IDLE_NAP_US);
        }
    }
    for (uint32_t i = 0; i < appliance->port_count; i++) {
        if (appliance->keys[i] != NULL) {
            keyring_door_leave(&appliance->keys[i]->door, self->shard);
        }
    }
    return NULL;
}

enum result appliance_workers_start(struct appliance *appliance,
                                    char error[APPLIANCE_ERROR_SIZE_MAX])
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
            return appliance_fail(error, result,
                                  "no thread for shard %u on core %d: %s; allow the core (taskset, "
                                  "cgroup) or lower `shards`",
                                  i, core, result_name(result));
        }
        appliance->worker_thread_count = i + 1;
    }
    return RESULT_OK;
}

void appliance_workers_drain(struct appliance *appliance, int64_t timeout_us)
{
    int64_t end_us = clock_steady_us(&appliance->clock) + timeout_us;
    for (uint32_t i = 0; i < appliance->worker_thread_count; i++) {
        worker_drain(appliance->worker[i]);
    }
    for (uint32_t i = 0; i < appliance->worker_thread_count;) {
        struct timespec pause = {.tv_nsec = DRAIN_LOOK_NS};
        if (clock_steady_us(&appliance->clock) > end_us) {
            return;
        }
        if (worker_is_drained(appliance->worker[i])) {
            i++;
            continue;
        }
        (void)nanosleep(&pause, NULL);
    }
}

void appliance_workers_stop(struct appliance *appliance)
{
    atomic_store_explicit(&appliance->shared_stop, true, memory_order_relaxed);
    for (uint32_t i = 0; i < appliance->worker_thread_count; i++) {
        (void)pthread_join(appliance->worker_thread[i], NULL);
    }
    appliance->worker_thread_count = 0;
}

void appliance_workers_close(struct appliance *appliance)
{
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        if (appliance->region[i].base != NULL) {
            memory_unmap(&appliance->region[i]);
        }
    }
    pattern_sets_close(&appliance->patterns);
}
