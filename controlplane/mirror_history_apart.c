/* Threads that share nothing: each reads the logs, for the rows whose keys are its own. */
#include <pthread.h>
#include <string.h>

#include "controlplane/mirror_history_inside.h"
#include "dataplane/base/hash.h"
#include "drivers/memory.h"

/* The reads of one thread, by their keys. They move to one another's side and back. */
struct share {
    struct history_read *read; /* Owned: copies. */
    uint32_t *from;            /* Of each, its place among all. */
    uint32_t count;
};

static uint32_t thread_of(const struct history_read *read, uint32_t thread_count)
{
    uint64_t hash = read->key_size == 0 ? 0 : hash_owner(read->key, read->key_size);
    /* Not the top bits: those are the owner's, and reads may all be of one. */
    return (uint32_t)((hash & UINT32_MAX) * thread_count >> 32);
}

static enum result shares_make(const struct history_read *reads, uint32_t count,
                               uint32_t thread_count, struct share *share)
{
    for (uint32_t i = 0; i < count; i++) {
        share[thread_of(&reads[i], thread_count)].count++;
    }
    for (uint32_t t = 0; t < thread_count; t++) {
        share[t].read = heap_alloc((share[t].count + 1) * sizeof(*share[t].read));
        share[t].from = heap_alloc((share[t].count + 1) * sizeof(*share[t].from));
        if (share[t].read == NULL || share[t].from == NULL) {
            return RESULT_NO_MEMORY;
        }
        share[t].count = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct share *own = &share[thread_of(&reads[i], thread_count)];
        own->from[own->count] = i;
        own->read[own->count++] = reads[i];
    }
    return RESULT_OK;
}

static void *run_scan(void *argument)
{
    struct mirror_scan_run *run = argument;
    run->result = mirror_history_scan(run);
    return NULL;
}

static enum result run_open(struct mirror_history *history, struct share *share,
                            struct mirror_scan_run *run)
{
    struct history_options own = mirror_history_options_of(history, share->read, share->count);
    own.pattern_scratch = history->patterns.scratch[run->thread];
    own.thread = run->thread;
    enum result result = history_open(&own, &run->history);
    if (result == RESULT_OK) {
        history->last[history->last_count++] = run->history;
    }
    return result == RESULT_OK
               ? RESULT_OK
               : mirror_history_fail(run->error, result, "no memory: %s", result_name(result));
}

/* Runs all shares, each on its thread; returns the first that failed. */
static enum result shares_run(struct mirror_history *history, struct share *share,
                              struct mirror_scan_run *run,
                              char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    uint32_t count = history->options.thread_count;
    pthread_t thread[SHARDS_MAX];
    bool started[SHARDS_MAX] = {false};
    for (uint32_t t = 0; t < count; t++) {
        run[t] = (struct mirror_scan_run){.own = history, .thread = t};
        run[t].result = share[t].count == 0 ? RESULT_OK : run_open(history, &share[t], &run[t]);
        if (run[t].history == NULL || run[t].result != RESULT_OK) {
            continue;
        }
        /* The last one needs no thread of its own. */
        started[t] = t + 1 < count && pthread_create(&thread[t], NULL, run_scan, &run[t]) == 0;
        if (!started[t]) {
            (void)run_scan(&run[t]);
        }
    }
    enum result result = RESULT_OK;
    for (uint32_t t = 0; t < count; t++) {
        if (started[t]) {
            (void)pthread_join(thread[t], NULL);
        }
        if (run[t].result != RESULT_OK && result == RESULT_OK) {
            result = mirror_history_fail(error, run[t].result, "%s", run[t].error);
        }
    }
    return result;
}

enum result mirror_history_apart(struct mirror_history *history, struct history_read *reads,
                                 uint32_t count, char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    uint32_t threads = history->options.thread_count;
    struct share share[SHARDS_MAX] = {0};
    struct mirror_scan_run *run = heap_alloc(threads * sizeof(*run));
    struct history **last =
        heap_realloc(history->last, (history->last_count + threads) * sizeof(*last));
    history->last = last == NULL ? history->last : last;
    bool memory = run != NULL && last != NULL;
    enum result result = memory ? shares_make(reads, count, threads, share) : RESULT_NO_MEMORY;
    result = result == RESULT_OK ? shares_run(history, share, run, error)
                                 : mirror_history_fail(error, result, "no memory");
    for (uint32_t t = 0; t < threads; t++) {
        for (uint32_t i = 0; result == RESULT_OK && i < share[t].count; i++) {
            reads[share[t].from[i]].found = share[t].read[i].found;
            reads[share[t].from[i]].is_hindsight = share[t].read[i].is_hindsight;
        }
        heap_free(share[t].read);
        heap_free(share[t].from);
    }
    heap_free(run);
    return result;
}
