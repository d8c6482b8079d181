/* The composition root: options and plan to clock, ports, workers, threads; opened in order, closed
 * in reverse. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/pattern_sets.h"
#include "dataplane/base/result.h"
#include "dataplane/worker.h"
#include "drivers/clock.h"
#include "drivers/cpu.h"
#include "drivers/memory.h"
#include "drivers/net.h"
#include "drivers/privileges.h"

#define APPLIANCE_ERROR_SIZE_MAX 512
#define APPLIANCE_READERS_MAX    16 /* Serving threads and the sampler. */

struct access;          /* controlplane/access.h: who may ask what. */
struct backfill;        /* controlplane/backfill.h: history for new views. */
struct backfill_resume; /* controlplane/backfill_resume.h: of the process before. */
struct server;          /* controlplane/server.h: RESP. */
struct http;            /* controlplane/http.h: metrics and health. */
struct freshness;       /* controlplane/freshness.h: the sampler. */
struct objectives;      /* controlplane/objectives.h: what was good, of how much. */
struct housekeeping;    /* controlplane/housekeeping.h: what has to happen every second. */
struct quality;         /* controlplane/quality.h: what is watched of streams. */
struct keys_live;       /* controlplane/keys_live.h: who may send. */
struct store;           /* controlplane/store.h: the data directory. */
struct canary;          /* controlplane/canary.h: checks them. */
struct served;          /* controlplane/served.h: answers that are recorded. */
struct appliance;

/* What a worker's thread is told. */
struct appliance_worker {
    struct appliance *appliance;
    uint32_t shard;
};

struct appliance {
    /* Constant after open. */
    const struct config *config; /* Borrowed: from the caller, or from resume. */
    const struct plan *plan;     /* Borrowed from config: that of the start. */
    int64_t start_us;
    char run_id[41]; /* 40 hex digits, as Redis has it. */
    struct cpu_layout layout;
    uint32_t shard_count;
    struct pattern_sets patterns;
    struct worker *worker[SHARDS_MAX];
    struct memory_region region[SHARDS_MAX];
    uint32_t port_count;
    struct net_port *port[CONFIG_INGEST_MAX];
    struct keys_live *keys[CONFIG_INGEST_MAX]; /* NULL: the listener has none. */
    struct store *store;                       /* NULL: everything is in memory only. */
    struct served *served;                     /* NULL: no answers are recorded. */
    struct canary *canary;                     /* NULL: as served. */
    uint32_t epoch;
    uint64_t table_secret;
    bool (*stop_asked)(void); /* True once the start shall end; NULL: nobody asks. */
    bool unreadable;          /* On failure: the definitions cannot read the store. */
    bool finished;            /* At the end: a last checkpoint has all. */
    struct clock clock;
    struct privileges privileges;
    struct access *access; /* NULL: no users. */
    struct server *server; /* NULL until it listens. */
    struct http *http;
    struct freshness *freshness;
    struct objectives *objectives;
    struct housekeeping *housekeeping;
    struct quality *quality;
    struct backfill *backfill;      /* NULL: there is no store. */
    struct backfill_resume *resume; /* A backfill that this start found; NULL: none. */
    uint32_t serving_thread_count;  /* Readers 0 .. count - 1; the sampler's is the next one. */
    bool sleeps;                    /* Idle workers sleep: asked for, or cores are shared. */
    _Atomic(const struct plan *) shared_plan; /* Served since; NULL: still that of the start. */
    _Atomic bool shared_loaded; /* Rows and reports may be read, until the doors close. */
    _Atomic bool shared_ready;  /* Serving and ingesting. */
    _Atomic bool shared_stop;   /* Workers leave their loops. */
    pthread_t worker_thread[SHARDS_MAX];
    uint32_t worker_thread_count;
    struct appliance_worker worker_argument[SHARDS_MAX];
};

/* Any thread. The plan that is served: views of the first one, and what was filled since. */
static inline const struct plan *appliance_plan(const struct appliance *appliance)
{
    /* Acquire, pairs with the release in appliance_plan_set(): its views are whole. */
    const struct plan *plan = atomic_load_explicit(&appliance->shared_plan, memory_order_acquire);
    return plan == NULL ? appliance->plan : plan;
}

/* The thread of the backfill only. */
static inline void appliance_plan_set(struct appliance *appliance, const struct plan *plan)
{
    atomic_store_explicit(&appliance->shared_plan, plan, memory_order_release);
}

/* Opens everything; returns when events are taken and queries answered. On failure error says what,
 * where, and what is allowed or how to fix it, and everything opened is closed again.
 * RESULT_STOPPED: stop_asked (NULL is fine) said true while the store was read; the next start has
 * all of it. */
MUST_USE enum result appliance_open(const struct config *config, bool (*stop_asked)(void),
                                    struct appliance *appliance,
                                    char error[APPLIANCE_ERROR_SIZE_MAX]);
void appliance_close(struct appliance *appliance);
/* Reads the key files of all listeners again; one that is wrong changes nothing of its own. */
MUST_USE enum result appliance_keys_reload(struct appliance *appliance,
                                           char error[APPLIANCE_ERROR_SIZE_MAX]);
