#include <string.h>

#include "controlplane/checkpoint_inside.h"
#include "controlplane/segments.h"
#include "dataplane/base/assert.h"
#include "drivers/memory.h"

/* Row files of a shard before it is copied whole again. */
#define ROW_FILES_MAX 32u
/* After a failure, before the next try. */
#define RETRY_US US_PER_SECOND

_Static_assert(ROW_FILES_MAX + 2 <= MANIFEST_FILES_MAX, "a manifest names all, and the lanes");

enum result checkpoint_open(const struct checkpoint_options *options,
                            struct checkpoint **out_checkpoint)
{
    struct checkpoint *checkpoint = heap_alloc_lines(sizeof(*checkpoint));
    if (checkpoint == NULL) {
        return RESULT_NO_MEMORY;
    }
    checkpoint->options = *options;
    checkpoint->generation = options->generation_last;
    checkpoint->plan_next = options->plan;
    checkpoint->since_next_us = options->since_us;
    (void)pthread_mutex_init(&checkpoint->lock, NULL);
    bool memory = true;
    for (uint32_t i = 0; i < MANIFESTS_KEPT + 1; i++) {
        checkpoint->kept[i] = heap_alloc(sizeof(struct manifest));
        memory = memory && checkpoint->kept[i] != NULL;
    }
    checkpoint->next = heap_alloc(sizeof(struct manifest));
    checkpoint->bytes = heap_alloc(MANIFEST_BYTES_MAX);
    if (!memory || checkpoint->next == NULL || checkpoint->bytes == NULL) {
        checkpoint_close(checkpoint);
        return RESULT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < options->shard_count; i++) {
        checkpoint->shard[i].taken = worker_walk_index(options->workers[i]);
    }
    if (options->loaded != NULL) {
        *checkpoint->kept[0] = *options->loaded;
        checkpoint->kept_count = 1;
        checkpoint->has_loaded = true;
        checkpoint->report.generation = options->loaded->generation;
        checkpoint->report.published_us = options->loaded->created_us;
    }
    *out_checkpoint = checkpoint;
    return RESULT_OK;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (checkpoint == NULL) {
        return;
    }
    checkpoint_files_drop(checkpoint);
    for (uint32_t i = 0; i < MANIFESTS_KEPT + 1; i++) {
        heap_free(checkpoint->kept[i]);
    }
    heap_free(checkpoint->next);
    heap_free(checkpoint->bytes);
    (void)pthread_mutex_destroy(&checkpoint->lock);
    heap_free(checkpoint);
}

/* Whether the shard's next walk copies all: nothing to go on from, or the deltas have become larger
 * than their base. */
static bool shard_is_whole(const struct checkpoint *checkpoint, uint32_t shard)
{
    const struct manifest *base = checkpoint_base(checkpoint);
    if (base == NULL || base->catalog.fingerprint != checkpoint->plan->fingerprint) {
        return true;
    }
    const struct manifest_shard *saved = &base->shard[shard];
    uint64_t first = 0;
    uint64_t deltas = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < saved->file_count; i++) {
        if (saved->file[i].kind == TILE_ROWS) {
            first = count == 0 ? saved->file[i].size : first;
            deltas += count == 0 ? 0 : saved->file[i].size;
            count++;
        }
    }
    return count == 0 || deltas > first || count >= ROW_FILES_MAX;
}

void checkpoint_plan_set(struct checkpoint *checkpoint, const struct plan *plan,
                         const int64_t *since_us)
{
    (void)pthread_mutex_lock(&checkpoint->lock);
    checkpoint->plan_next = plan;
    checkpoint->since_next_us = since_us;
    (void)pthread_mutex_unlock(&checkpoint->lock);
}

static void run_begin(struct checkpoint *checkpoint)
{
    (void)pthread_mutex_lock(&checkpoint->lock);
    checkpoint->report.running = true;
    checkpoint->plan = checkpoint->plan_next;
    checkpoint->since_us = checkpoint->since_next_us;
    (void)pthread_mutex_unlock(&checkpoint->lock);
}

static void walk_ask(struct checkpoint *checkpoint, uint32_t index, const struct walk_scope *scope)
{
    struct checkpoint_shard *shard = &checkpoint->shard[index];
    struct worker *worker = checkpoint->options.workers[index];
    shard->ended = false;
    shard->rows = (struct checkpoint_file){0};
    shard->lanes = (struct checkpoint_file){0};
    uint64_t since = shard->whole ? 0 : checkpoint_base(checkpoint)->shard[index].replay_lsn;
    worker_walk_scope(worker, scope);
    worker_walk_begin(worker, checkpoint->generation, since);
}

static void walks_begin(struct checkpoint *checkpoint, int64_t now_us)
{
    checkpoint->generation++;
    checkpoint->begin_us = now_us;
    checkpoint->failure = RESULT_OK;
    checkpoint->state = CHECKPOINT_WALKING;
    run_begin(checkpoint);
    const struct walk_scope scope = {.view_end = checkpoint->plan->view_count};
    for (uint32_t i = 0; i < checkpoint->options.shard_count; i++) {
        checkpoint->shard[i].whole = shard_is_whole(checkpoint, i);
        walk_ask(checkpoint, i, &scope);
    }
}

void checkpoint_rows_ask(struct checkpoint *checkpoint, const struct checkpoint_rows *order)
{
    (void)pthread_mutex_lock(&checkpoint->lock);
    checkpoint->rows = *order;
    checkpoint->rows_state = CHECKPOINT_ROWS_ASKED;
    (void)pthread_mutex_unlock(&checkpoint->lock);
}

enum result checkpoint_rows_take(struct checkpoint *checkpoint, struct checkpoint_rows *out)
{
    (void)pthread_mutex_lock(&checkpoint->lock);
    enum checkpoint_rows_state state = checkpoint->rows_state;
    if (state == CHECKPOINT_ROWS_DONE) {
        *out = checkpoint->rows;
    }
    (void)pthread_mutex_unlock(&checkpoint->lock);
    return state == CHECKPOINT_ROWS_DONE     ? RESULT_OK
           : state == CHECKPOINT_ROWS_FAILED ? RESULT_IO
                                             : RESULT_BUSY;
}

/* Begins to copy the rows that were asked for, if any. */
static bool rows_begin(struct checkpoint *checkpoint)
{
    (void)pthread_mutex_lock(&checkpoint->lock);
    bool asked = checkpoint->rows_state == CHECKPOINT_ROWS_ASKED;
    struct checkpoint_rows *rows = &checkpoint->rows;
    const struct walk_scope scope = {
        .view_first = rows->view_first, .view_end = rows->view_end, .rows_alone = true};
    if (asked) {
        checkpoint->generation =
            (rows->generation > checkpoint->generation ? rows->generation
                                                       : checkpoint->generation) +
            1;
        rows->generation = checkpoint->generation;
        checkpoint->rows_state = CHECKPOINT_ROWS_RUNNING;
    }
    (void)pthread_mutex_unlock(&checkpoint->lock);
    if (!asked) {
        return false;
    }
    checkpoint->failure = RESULT_OK;
    checkpoint->is_rows = true;
    checkpoint->state = CHECKPOINT_WALKING;
    for (uint32_t i = 0; i < checkpoint->options.shard_count; i++) {
        checkpoint->shard[i].whole = true;
        walk_ask(checkpoint, i, &scope);
    }
    return true;
}

/* All walks ended; result: whether their files are durable. */
static void rows_end(struct checkpoint *checkpoint, enum result result)
{
    if (result != RESULT_OK) {
        checkpoint_files_drop(checkpoint);
    }
    (void)pthread_mutex_lock(&checkpoint->lock);
    for (uint32_t i = 0; i < checkpoint->options.shard_count; i++) {
        checkpoint->rows.file[i] = checkpoint->shard[i].rows.entry;
        checkpoint->shard[i].rows.entry.name[0] = '\0'; /* They are not ours any more. */
    }
    checkpoint->rows_state = result == RESULT_OK ? CHECKPOINT_ROWS_DONE : CHECKPOINT_ROWS_FAILED;
    (void)pthread_mutex_unlock(&checkpoint->lock);
    checkpoint->is_rows = false;
    checkpoint->state = CHECKPOINT_IDLE;
}

/* Takes the blocks that are there; RESULT_CLOSED only from the simulated machine. */
static enum result blocks_take(struct checkpoint *checkpoint, uint32_t index)
{
    struct checkpoint_shard *shard = &checkpoint->shard[index];
    struct worker *worker = checkpoint->options.workers[index];
    struct walk_block *block;
    while (!shard->ended && (block = worker_walk_take(worker, shard->taken)) != NULL) {
        enum result result = RESULT_OK;
        if (block->kind == WALK_BLOCK_END) {
            shard->summary = *worker_walk_summary(worker);
            shard->ended = true;
        } else if (checkpoint->failure == RESULT_OK) {
            result = checkpoint_block_write(checkpoint, index, block);
            checkpoint->failure = result;
        }
        shard->taken++;
        worker_walk_give(worker, block);
        if (result == RESULT_CLOSED) {
            return result;
        }
    }
    return RESULT_OK;
}

/* True when all that the copied rows have in them is durable: no record of a row may vanish that a
 * checkpoint shows. */
static bool homes_are_durable(const struct checkpoint *checkpoint)
{
    const struct checkpoint_options *options = &checkpoint->options;
    for (uint32_t home = 0; options->segments != NULL && home < options->shard_count; home++) {
        /* Acquire, pairs with release L1 in frame_durable(). */
        uint64_t durable = atomic_load_explicit(
            &worker_mirror(options->workers[home])->shared_durable_lsn, memory_order_acquire);
        if (durable < checkpoint->shard[home].summary.end_lsn) {
            return false;
        }
        for (uint32_t owner = 0; owner < options->shard_count; owner++) {
            if (durable < checkpoint->shard[owner].summary.forward_end_lsn[home]) {
                return false;
            }
        }
    }
    return true;
}

static void fail_end(struct checkpoint *checkpoint, enum result why, int64_t now_us)
{
    checkpoint_files_drop(checkpoint);
    checkpoint->state = CHECKPOINT_IDLE;
    checkpoint->next_us = now_us + RETRY_US;
    checkpoint->retry_us = now_us + RETRY_US;
    (void)pthread_mutex_lock(&checkpoint->lock);
    checkpoint->asked = checkpoint->report.count; /* Who asked is still owed one. */
    checkpoint->report.failed++;
    checkpoint->report.failure = why;
    checkpoint->report.running = false;
    (void)pthread_mutex_unlock(&checkpoint->lock);
}

static enum result walking_step(struct checkpoint *checkpoint, int64_t now_us)
{
    bool ended = true;
    for (uint32_t i = 0; i < checkpoint->options.shard_count; i++) {
        enum result result = blocks_take(checkpoint, i);
        if (result != RESULT_OK) {
            return result;
        }
        ended = ended && checkpoint->shard[i].ended;
    }
    if (!ended) {
        return RESULT_OK;
    }
    enum result result = checkpoint->failure;
    result = result == RESULT_OK ? checkpoint_files_finish(checkpoint) : result;
    if (result == RESULT_CLOSED) {
        return result;
    }
    if (checkpoint->is_rows) {
        rows_end(checkpoint, result);
        return RESULT_OK;
    }
    if (result != RESULT_OK) {
        fail_end(checkpoint, result, now_us);
        return RESULT_OK;
    }
    checkpoint->state = CHECKPOINT_WAITING;
    return RESULT_OK;
}

static void published_report(struct checkpoint *checkpoint, int64_t now_us)
{
    const struct checkpoint_options *options = &checkpoint->options;
    (void)pthread_mutex_lock(&checkpoint->lock);
    struct checkpoint_report *report = &checkpoint->report;
    report->generation = checkpoint->generation;
    report->published_us = now_us;
    report->duration_us = now_us - checkpoint->begin_us;
    report->count = checkpoint->asked > report->count ? checkpoint->asked : report->count + 1;
    report->running = false;
    report->rows = 0;
    report->bytes = 0;
    report->turn_ns_max = 0;
    for (uint32_t i = 0; i < options->shard_count; i++) {
        const struct checkpoint_shard *shard = &checkpoint->shard[i];
        report->rows += shard->summary.row_count;
        report->bytes += shard->rows.entry.size + shard->lanes.entry.size;
        report->bytes_sum += shard->rows.entry.size + shard->lanes.entry.size;
        report->walk_ns_sum += shard->summary.turn_ns_sum;
        report->whole += i == 0 && shard->whole ? 1 : 0;
        report->turn_ns_max = shard->summary.turn_ns_max > report->turn_ns_max
                                  ? shard->summary.turn_ns_max
                                  : report->turn_ns_max;
    }
    (void)pthread_mutex_unlock(&checkpoint->lock);
}

/* Lets go of segments that none of the kept manifests needs; those of before this process are not
 * known, so that nothing goes until enough were published. */
static void segments_let_go(struct checkpoint *checkpoint)
{
    for (uint32_t i = 0; i < checkpoint->options.shard_count; i++) {
        uint64_t first = UINT64_MAX;
        for (uint32_t k = 0; k < checkpoint->kept_count; k++) {
            uint64_t needed = checkpoint->kept[k]->shard[i].first_segment;
            first = needed < first ? needed : first;
        }
        segments_release(checkpoint->options.segments, i, first);
    }
}

static enum result waiting_step(struct checkpoint *checkpoint, int64_t now_us)
{
    if (!homes_are_durable(checkpoint)) {
        return RESULT_OK;
    }
    bool indeterminate = false;
    enum result result = checkpoint_publish(checkpoint, now_us, &indeterminate);
    if (result != RESULT_OK && indeterminate) {
        return result == RESULT_CLOSED ? result : RESULT_IO;
    }
    if (result != RESULT_OK) {
        if (result == RESULT_CLOSED) {
            return result;
        }
        fail_end(checkpoint, result, now_us);
        return RESULT_OK;
    }
    checkpoint->state = CHECKPOINT_IDLE;
    checkpoint->retry_us = INT64_MIN;
    checkpoint->next_us = checkpoint->begin_us + checkpoint->options.interval_us;
    published_report(checkpoint, now_us);
    if (checkpoint->kept_count >= MANIFESTS_KEPT && !checkpoint->has_loaded) {
        segments_let_go(checkpoint);
        checkpoint_prune(checkpoint);
    }
    return RESULT_OK;
}

/* The clock may be set back: no wait is longer than it was meant to be. */
static bool is_past(int64_t moment_us, int64_t wait_us, int64_t now_us)
{
    return now_us >= moment_us || moment_us - now_us > wait_us;
}

static bool is_due(const struct checkpoint *checkpoint, int64_t now_us)
{
    int64_t interval_us = checkpoint->options.interval_us;
    int64_t wait_us = interval_us > RETRY_US ? interval_us : RETRY_US;
    return interval_us > 0 && is_past(checkpoint->next_us, wait_us, now_us);
}

enum result checkpoint_step(struct checkpoint *checkpoint, int64_t now_us)
{
    switch (checkpoint->state) {
    case CHECKPOINT_IDLE: {
        if (rows_begin(checkpoint)) {
            return RESULT_OK;
        }
        uint64_t asked = atomic_load_explicit(&checkpoint->shared_asked, memory_order_acquire);
        bool wanted = asked > checkpoint->asked && is_past(checkpoint->retry_us, RETRY_US, now_us);
        if (wanted || is_due(checkpoint, now_us)) {
            checkpoint->asked = asked;
            walks_begin(checkpoint, now_us);
        }
        return RESULT_OK;
    }
    case CHECKPOINT_WALKING:
        return walking_step(checkpoint, now_us);
    case CHECKPOINT_WAITING:
        return waiting_step(checkpoint, now_us);
    }
    UNREACHABLE();
}

uint64_t checkpoint_ask(struct checkpoint *checkpoint)
{
    (void)pthread_mutex_lock(&checkpoint->lock);
    uint64_t count = checkpoint->report.count + (checkpoint->report.running ? 2 : 1);
    uint64_t asked = atomic_load_explicit(&checkpoint->shared_asked, memory_order_relaxed);
    uint64_t wanted = count > asked ? count : asked;
    atomic_store_explicit(&checkpoint->shared_asked, wanted, memory_order_release);
    (void)pthread_mutex_unlock(&checkpoint->lock);
    return wanted;
}

void checkpoint_report_read(const struct checkpoint *checkpoint, struct checkpoint_report *out)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&checkpoint->lock;
    (void)pthread_mutex_lock(lock);
    *out = checkpoint->report;
    (void)pthread_mutex_unlock(lock);
}
