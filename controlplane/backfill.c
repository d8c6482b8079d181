#include "controlplane/backfill.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/appliance.h"
#include "controlplane/backfill_inside.h"
#include "controlplane/backfill_resume.h"
#include "controlplane/store.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/mirror_door.h"
#include "drivers/memory.h"

#define PAUSE_NS (NS_PER_SECOND / 1000)

const char *backfill_state_name(enum backfill_state state)
{
    static const char *const names[] = {"idle",   "compiling", "finding", "filling",
                                        "saving", "done",      "failed"};
    ASSERT(state < ARRAY_COUNT(names));
    return names[state];
}

bool backfill_is_running(const struct backfill_report *report)
{
    return report->state != BACKFILL_IDLE && report->state != BACKFILL_DONE &&
           report->state != BACKFILL_FAILED;
}

double backfill_share(const struct backfill_report *report)
{
    bool over = report->state == BACKFILL_SAVING || report->state == BACKFILL_DONE;
    double all = (double)report->bytes_all;
    double share = all > 0 ? (double)report->bytes_done / all : 0;
    return over ? 1 : share < 1 ? share : 1;
}

double backfill_seconds_left(const struct backfill_report *report)
{
    double share = backfill_share(report);
    double elapsed = (double)report->elapsed_us / (double)US_PER_SECOND;
    /* By what this start read. */
    double kept =
        report->bytes_all > 0 ? (double)report->bytes_kept / (double)report->bytes_all : 0;
    bool known = report->state == BACKFILL_FILLING && share > kept + 0.001;
    return share >= 1 ? 0 : known ? elapsed * (1 - share) / (share - kept) : -1;
}

bool backfill_pause(const struct backfill *backfill)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    (void)nanosleep(&pause, NULL);
    return !backfill_is_stopped(backfill);
}

enum result backfill_open(struct appliance *appliance, struct backfill **out_backfill)
{
    struct backfill *backfill = heap_alloc_lines(sizeof(*backfill));
    if (backfill == NULL) {
        return RESULT_NO_MEMORY;
    }
    backfill->appliance = appliance;
    (void)pthread_mutex_init(&backfill->lock, NULL);
    *out_backfill = backfill;
    return RESULT_OK;
}

void backfill_stop(struct backfill *backfill)
{
    if (backfill == NULL) {
        return;
    }
    atomic_store_explicit(&backfill->shared_stop, true, memory_order_relaxed);
    (void)pthread_mutex_lock(&backfill->lock);
    bool started = backfill->started;
    backfill->started = false;
    (void)pthread_mutex_unlock(&backfill->lock);
    if (started) {
        (void)pthread_join(backfill->thread, NULL);
    }
}

void backfill_close(struct backfill *backfill)
{
    if (backfill == NULL) {
        return;
    }
    for (uint32_t i = 0; i < backfill->plan_count; i++) {
        succession_close(backfill->plan[i]);
    }
    backfill_note_free(&backfill->note);
    heap_free(backfill->paths);
    (void)pthread_mutex_destroy(&backfill->lock);
    heap_free(backfill);
}

void backfill_report_read(struct backfill *backfill, struct backfill_report *out)
{
    (void)pthread_mutex_lock(&backfill->lock);
    *out = backfill->report;
    (void)pthread_mutex_unlock(&backfill->lock);
    if (backfill_is_running(out)) {
        out->elapsed_us = sub_clamped(clock_now_us(&backfill->appliance->clock), out->begin_us);
    }
}

const struct plan *backfill_plan_next(const struct backfill *backfill)
{
    /* Acquire, pairs with the release in introduce(). */
    return atomic_load_explicit(&backfill->shared_next, memory_order_acquire);
}

static void state_set(struct backfill *backfill, enum backfill_state state)
{
    (void)pthread_mutex_lock(&backfill->lock);
    backfill->report.state = state;
    if (state == BACKFILL_DONE || state == BACKFILL_FAILED) {
        backfill->report.elapsed_us =
            sub_clamped(clock_now_us(&backfill->appliance->clock), backfill->report.begin_us);
    }
    (void)pthread_mutex_unlock(&backfill->lock);
}

static void failed_set(struct backfill *backfill, uint32_t error_count, const char *error)
{
    (void)pthread_mutex_lock(&backfill->lock);
    struct backfill_report *report = &backfill->report;
    report->bad_files = error_count > 0;
    report->error_count = error_count;
    (void)snprintf(report->error, sizeof(report->error), "%s", error);
    (void)pthread_mutex_unlock(&backfill->lock);
    state_set(backfill, BACKFILL_FAILED);
}

/* What runs now: the newest plan that was served, and the texts that its views are from. */
static void running_of(const struct backfill *backfill, struct config_running *out)
{
    const struct config *config = backfill->appliance->config;
    *out = (struct config_running){.plan = appliance_plan(backfill->appliance)};
    for (uint32_t i = backfill->plan_count; i > 0; i--) {
        out->load[out->load_count++] = &backfill->plan[i - 1]->texts;
    }
    out->load[out->load_count++] = config->texts;
    const struct backfill_resume *resume = backfill->appliance->resume;
    out->options_free = resume != NULL && resume->config != NULL && backfill->plan_count == 0;
}

/* The view must be one that the files bring. */
static enum result view_check(struct backfill *backfill, const struct succession *succession,
                              char error[BACKFILL_ERROR_SIZE_MAX])
{
    const struct plan *plan = &succession->config->plan;
    const char *name = backfill->report.view;
    int view = plan_view_find(plan, name, (uint32_t)strlen(name), 0);
    if (view < 0) {
        (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX, "the files define no view `%s`", name);
        return RESULT_NOT_FOUND;
    }
    if ((uint32_t)view < succession->view_first) {
        (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX,
                       "view `%s` runs already, with version %u, and the files have no newer one",
                       name, plan->view[view].version);
        return RESULT_EXISTS;
    }
    (void)pthread_mutex_lock(&backfill->lock);
    backfill->report.version = plan->view[view].version;
    backfill->report.view_count = plan->view_count - succession->view_first;
    (void)pthread_mutex_unlock(&backfill->lock);
    return RESULT_OK;
}

static enum result compile(struct backfill *backfill, struct succession **out_succession,
                           uint32_t *out_error_count, char error[BACKFILL_ERROR_SIZE_MAX])
{
    const struct config *config = backfill->appliance->config;
    struct config_running running;
    running_of(backfill, &running);
    bool own = backfill->path_count == 0;
    struct succession *succession;
    enum result result = succession_open(
        backfill->appliance, &running, own ? config->path : backfill->path,
        own ? config->path_count : backfill->path_count, &succession, out_error_count, error);
    if (result != RESULT_OK) {
        return result;
    }
    result = view_check(backfill, succession, error);
    if (result != RESULT_OK) {
        succession_close(succession);
        return result;
    }
    *out_succession = succession;
    return RESULT_OK;
}

bool backfill_logs_are_alive(const struct backfill *backfill)
{
    const struct appliance *appliance = backfill->appliance;
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        if (atomic_load_explicit(&worker_mirror(appliance->worker[i])->shared_held,
                                 memory_order_relaxed) == MIRROR_HELD_DEAD) {
            return false;
        }
    }
    return true;
}

/* Hands a stage on and waits until every worker is in it. */
static enum result stage_pass(struct backfill *backfill, struct succession *succession,
                              enum succession_stage stage)
{
    succession_set(succession, stage);
    while (!succession_is_entered(succession, stage)) {
        if (stage == SUCCESSION_OWNERS && !backfill_logs_are_alive(backfill)) {
            return RESULT_IO;
        }
        if (!backfill_pause(backfill)) {
            return RESULT_STOPPED;
        }
    }
    return RESULT_OK;
}

/* From here on reads see the new views, and checkpoints have them. */
static void serve(struct backfill *backfill, struct succession *succession)
{
    struct appliance *appliance = backfill->appliance;
    const struct plan *plan = &succession->config->plan;
    for (uint32_t i = 0; i < appliance->shard_count; i++) {
        for (uint32_t v = succession->view_first; v < plan->view_count; v++) {
            worker_since_set(appliance->worker[i], v, succession->since_us[v]);
        }
    }
    store_plan_set(appliance->store, plan, succession->since_us);
    atomic_store_explicit(&backfill->shared_next, NULL, memory_order_release);
    appliance_plan_set(appliance, plan);
}

/* History to the workers, homes to the new views, the rest of history. */
static enum result fill(struct backfill *backfill, struct succession *succession,
                        struct backfill_reading *reading, char error[BACKFILL_ERROR_SIZE_MAX])
{
    struct appliance *appliance = backfill->appliance;
    enum result result = reading_begin(reading, error);
    result = result == RESULT_OK ? reading_follow(reading, error) : result;
    if (result == RESULT_OK) {
        result = stage_pass(backfill, succession, SUCCESSION_HOMES);
    }
    for (uint32_t i = 0; result == RESULT_OK && i < appliance->shard_count; i++) {
        succession->routes_lsn[i] = worker_routes_lsn(appliance->worker[i]);
    }
    return result == RESULT_OK ? reading_finish(reading, succession->routes_lsn, error) : result;
}

static enum result save(struct backfill *backfill)
{
    struct store *store = backfill->appliance->store;
    struct checkpoint_report report;
    uint64_t asked = store_checkpoint_ask(store);
    do {
        if (!backfill_pause(backfill)) {
            return RESULT_STOPPED;
        }
        store_checkpoint_read(store, &report);
    } while (report.count < asked);
    return RESULT_OK;
}

/* Workers know the plan from here on: what fails now is given up until the next start. */
static enum result introduce(struct backfill *backfill, struct succession *succession,
                             struct backfill_reading *reading, char error[BACKFILL_ERROR_SIZE_MAX])
{
    backfill->plan[backfill->plan_count++] = succession;
    atomic_store_explicit(&backfill->shared_next, &succession->config->plan, memory_order_release);
    state_set(backfill, BACKFILL_FILLING);
    enum result result = stage_pass(backfill, succession, SUCCESSION_OWNERS);
    result = result == RESULT_OK ? fill(backfill, succession, reading, error) : result;
    bool whole = result == RESULT_OK;
    enum result passed =
        result == RESULT_STOPPED
            ? result
            : stage_pass(backfill, succession, whole ? SUCCESSION_WHOLE : SUCCESSION_GIVEN_UP);
    backfill->given_up = !whole || passed != RESULT_OK;
    if (passed == RESULT_OK) {
        succession_rings_free(succession);
    }
    if (whole && passed == RESULT_OK) {
        serve(backfill, succession);
    } else {
        atomic_store_explicit(&backfill->shared_next, NULL, memory_order_release);
    }
    return whole ? passed : result;
}

/* What can fail without a trace: then nothing is open. */
static enum result prepare(struct backfill *backfill, struct succession *succession,
                           struct backfill_reading **out_reading,
                           char error[BACKFILL_ERROR_SIZE_MAX])
{
    struct config_running running;
    running_of(backfill, &running);
    state_set(backfill, BACKFILL_FINDING);
    enum result result = reading_open(backfill, succession, out_reading, error);
    if (result == RESULT_OK) {
        result = backfill_keep_begin(backfill, succession, running.load[0], error);
    }
    if (result != RESULT_OK) {
        reading_close(*out_reading);
        *out_reading = NULL;
        succession_close(succession);
    }
    return result;
}

static void *backfill_run(void *argument)
{
    struct backfill *backfill = argument;
    struct succession *succession = NULL;
    struct backfill_reading *reading = NULL;
    char error[BACKFILL_ERROR_SIZE_MAX] = "";
    uint32_t error_count = 0;
    enum result result = compile(backfill, &succession, &error_count, error);
    if (result == RESULT_OK) {
        result = prepare(backfill, succession, &reading, error);
    }
    if (result == RESULT_OK) {
        result = introduce(backfill, succession, reading, error);
    }
    reading_close(reading);
    backfill_segments_let_go(backfill);
    if (result == RESULT_OK) {
        state_set(backfill, BACKFILL_SAVING);
        result = save(backfill);
    }
    if (result == RESULT_OK || (backfill->given_up && result != RESULT_STOPPED)) {
        backfill_keep_end(backfill);
    }
    if (result == RESULT_OK) {
        state_set(backfill, BACKFILL_DONE);
    } else {
        failed_set(backfill, error_count, error[0] != '\0' ? error : result_name(result));
    }
    return NULL;
}

/* Copies the order's paths; false without memory. */
static bool paths_copy(struct backfill *backfill, const struct backfill_order *order)
{
    uint64_t bytes = 1;
    for (uint32_t i = 0; i < order->path_count; i++) {
        bytes += strlen(order->path[i]) + 1;
    }
    heap_free(backfill->paths);
    backfill->paths = heap_alloc(bytes);
    if (backfill->paths == NULL) {
        return false;
    }
    char *at = backfill->paths;
    for (uint32_t i = 0; i < order->path_count; i++) {
        size_t size = strlen(order->path[i]) + 1;
        memcpy(at, order->path[i], size);
        backfill->path[i] = at;
        at += size;
    }
    backfill->path_count = order->path_count;
    return true;
}

/* Under the lock. */
static enum result begin_check(const struct backfill *backfill, const struct backfill_order *order,
                               char error[BACKFILL_ERROR_SIZE_MAX])
{
    const struct backfill_report *report = &backfill->report;
    bool runs =
        backfill->started && report->state != BACKFILL_DONE && report->state != BACKFILL_FAILED;
    if (runs && strcmp(report->view, order->view) == 0) {
        return RESULT_EXISTS;
    }
    if (runs) {
        (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX,
                       "view `%s` is being filled; one at a time, ask again then", report->view);
        return RESULT_BUSY;
    }
    if (backfill->appliance->config->texts == NULL || backfill_is_stopped(backfill)) {
        (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX,
                       "the appliance ends, or kept no definitions");
        return RESULT_UNSUPPORTED;
    }
    if (backfill->given_up) {
        (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX,
                       "a backfill failed half-way: start the appliance again, which rebuilds the "
                       "views of its files");
        return RESULT_UNSUPPORTED;
    }
    if (backfill->plan_count == BACKFILL_PLANS_MAX) {
        (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX,
                       "%u backfills in one run are the most: start the appliance again",
                       (unsigned int)BACKFILL_PLANS_MAX);
        return RESULT_NO_SPACE;
    }
    return RESULT_OK;
}

/* Under the lock; the thread before has ended, or is about to. */
static enum result begin(struct backfill *backfill, const struct backfill_order *order,
                         char error[BACKFILL_ERROR_SIZE_MAX])
{
    struct appliance *appliance = backfill->appliance;
    ASSERT(order->path_count <= BACKFILL_PATHS_MAX);
    if (!paths_copy(backfill, order)) {
        (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX, "no memory");
        return RESULT_NO_MEMORY;
    }
    backfill->rate = order->events_per_second;
    backfill->resumed = order->note;
    backfill->report =
        (struct backfill_report){.state = BACKFILL_COMPILING,
                                 .history_us = INT64_MAX,
                                 .rate = order->events_per_second,
                                 .starts = order->note == NULL ? 1 : order->note->starts + 1,
                                 .begin_us = clock_now_us(&appliance->clock)};
    memcpy(backfill->report.view, order->view, sizeof(order->view));
    enum result result = cpu_thread_start(&appliance->layout, -1, "backfill", backfill_run,
                                          backfill, &backfill->thread);
    backfill->started = result == RESULT_OK;
    if (result != RESULT_OK) {
        backfill->report.state = BACKFILL_FAILED;
        (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX, "no thread for it");
    }
    return result;
}

enum result backfill_begin(struct backfill *backfill, const struct backfill_order *order,
                           char error[BACKFILL_ERROR_SIZE_MAX])
{
    (void)pthread_mutex_lock(&backfill->lock);
    enum result result = begin_check(backfill, order, error);
    if (result == RESULT_OK && backfill->started) {
        /* Its last act was to say so under the lock. */
        pthread_t thread = backfill->thread;
        backfill->started = false;
        (void)pthread_mutex_unlock(&backfill->lock);
        (void)pthread_join(thread, NULL);
        (void)pthread_mutex_lock(&backfill->lock);
        result = backfill->started ? RESULT_BUSY : RESULT_OK;
        if (result != RESULT_OK) {
            (void)snprintf(error, BACKFILL_ERROR_SIZE_MAX, "somebody else was faster; ask again");
        }
    }
    result = result == RESULT_OK ? begin(backfill, order, error) : result;
    (void)pthread_mutex_unlock(&backfill->lock);
    return result;
}
