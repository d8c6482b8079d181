#include "controlplane/mirror_history.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/mirror_history_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/manifest.h"
#include "drivers/disk.h"
#include "drivers/memory.h"

/* Rows of every size take a chunk of each: less is no use. */
#define STATE_BYTES_MIN (128 * MIB)

enum result mirror_history_fail(char error[MIRROR_HISTORY_ERROR_SIZE_MAX], enum result result,
                                const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, MIRROR_HISTORY_ERROR_SIZE_MAX, format, arguments);
    va_end(arguments);
    return result;
}

struct names {
    uint32_t log_count;
    uint64_t generation; /* Of the newest manifest; 0: none. */
};

static void name_look(void *context, const char *name, uint64_t size)
{
    struct names *names = context;
    uint32_t shard;
    uint64_t number;
    (void)size;
    if (mirror_name_parse(name, &shard, &number) && shard < SHARDS_MAX) {
        names->log_count = shard + 1 > names->log_count ? shard + 1 : names->log_count;
    } else if (manifest_name_parse(name, &number) && number > names->generation) {
        names->generation = number;
    }
}

/* The plan of the newest manifest: what entries mean that no plan of their log precedes. One that
 * cannot be read is none. */
static enum result first_catalog_read(struct mirror_history *history, uint64_t generation)
{
    char name[MANIFEST_NAME_SIZE_MAX];
    struct disk_file *file;
    manifest_name_format(generation, name);
    if (generation == 0 || disk_file_open(history->disk, name, DISK_READ, &file) != RESULT_OK) {
        return RESULT_OK;
    }
    uint8_t *data = heap_alloc(MANIFEST_BYTES_MAX);
    struct manifest *manifest = heap_alloc(sizeof(*manifest));
    history->first = heap_alloc(sizeof(*history->first));
    bool memory = data != NULL && manifest != NULL && history->first != NULL;
    uint64_t size = 0;
    bool good = memory && disk_file_read(file, 0, data, MANIFEST_BYTES_MAX, &size) == RESULT_OK &&
                manifest_decode(data, (uint32_t)size, manifest) == RESULT_OK;
    if (good) {
        *history->first = manifest->catalog;
    } else {
        heap_free(history->first);
        history->first = NULL;
    }
    disk_file_close(file);
    heap_free(data);
    heap_free(manifest);
    return memory ? RESULT_OK : RESULT_NO_MEMORY;
}

static enum result store_open(struct mirror_history *history,
                              char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    struct disk_options options = {
        .driver = DISK_DRIVER_THREADS, .directory = history->options.directory, .read_only = true};
    char text[DISK_ERROR_SIZE_MAX];
    enum result result = disk_open(&options, &history->disk, text);
    if (result != RESULT_OK) {
        return mirror_history_fail(error, result, "%s", text);
    }
    result = epochs_load(history->disk, &history->epochs);
    if (result == RESULT_NOT_FOUND) {
        return mirror_history_fail(error, result, "%s: no data directory: it has no file `%s`",
                                   history->options.directory, EPOCHS_NAME);
    }
    struct names names = {0};
    result = result == RESULT_OK ? disk_folder_list(history->disk, "", name_look, &names) : result;
    result = result == RESULT_OK ? first_catalog_read(history, names.generation) : result;
    if (result != RESULT_OK) {
        return mirror_history_fail(error, result, "%s: cannot be read: %s",
                                   history->options.directory, result_name(result));
    }
    history->log_count = names.log_count;
    return RESULT_OK;
}

static enum result range_find(struct mirror_history *history,
                              char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    struct mirror_range *range = &history->range;
    *range = (struct mirror_range){.epoch = history->epochs.epoch,
                                   .shard_count = history->epochs.shard_count,
                                   .since_us = history->epochs.created_us,
                                   .until_us = INT64_MIN};
    memcpy(range->store_id, history->epochs.store_id, sizeof(range->store_id));
    enum result result = mirror_eras_find(history, error);
    if (result != RESULT_OK) {
        return result;
    }
    const struct mirror_era *era =
        history->era_count == 0 ? NULL : &history->era[history->era_count - 1];
    for (uint32_t shard = 0; era != NULL && shard < era->shard_count; shard++) {
        range->first_lsn[shard] = era->after_lsn[shard] + 1;
        range->last_lsn[shard] = era->last_lsn[shard];
    }
    uint32_t views = history->options.plan->view_count;
    history->since_us = heap_alloc((views + 1) * sizeof(*history->since_us));
    if (history->since_us == NULL) {
        return mirror_history_fail(error, RESULT_NO_MEMORY, "no memory");
    }
    for (uint32_t v = 0; v < views; v++) {
        history->since_us[v] = range->since_us;
    }
    return RESULT_OK;
}

enum result mirror_history_open(const struct mirror_history_options *options,
                                struct mirror_history **out_history,
                                char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    ASSERT(options->thread_count > 0 && options->thread_count <= SHARDS_MAX);
    struct mirror_history *history = heap_alloc_lines(sizeof(*history));
    if (history == NULL) {
        return mirror_history_fail(error, RESULT_NO_MEMORY, "no memory");
    }
    history->options = *options;
    enum result result = store_open(history, error);
    result = result == RESULT_OK ? range_find(history, error) : result;
    result = result == RESULT_OK ? mirror_levels_find(history, error) : result;
    if (result == RESULT_OK) {
        char why[PATTERN_ERROR_SIZE_MAX];
        result = pattern_sets_open(options->plan, options->thread_count, &history->patterns, why);
        result = result == RESULT_OK
                     ? RESULT_OK
                     : mirror_history_fail(error, result, "the definitions' patterns: %s", why);
    }
    if (result != RESULT_OK) {
        mirror_history_close(history);
        return result;
    }
    *out_history = history;
    return RESULT_OK;
}

static void last_close(struct mirror_history *history)
{
    for (uint32_t i = 0; i < history->last_count; i++) {
        history_close(history->last[i]);
    }
    history->last_count = 0;
}

void mirror_history_close(struct mirror_history *history)
{
    if (history == NULL) {
        return;
    }
    last_close(history);
    pattern_sets_close(&history->patterns);
    disk_close(history->disk);
    heap_free(history->first);
    heap_free(history->since_us);
    heap_free(history->era);
    corrections_free(&history->corrections);
    heap_free(history->level);
    heap_free(history->item);
    heap_free(history->last);
    heap_free(history);
}

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

static bool is_void(void *context, uint32_t home, uint64_t home_lsn)
{
    return epochs_is_void(context, home, home_lsn);
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
    const struct mirror_history_options *options = &history->options;
    uint64_t bytes = options->memory_bytes / options->thread_count;
    uint64_t state = bytes / 2;
    struct history_options own = {.plan = options->plan,
                                  .mode = options->mode,
                                  .read = share->read,
                                  .read_count = share->count,
                                  .state_bytes = state < STATE_BYTES_MIN ? STATE_BYTES_MIN : state,
                                  .event_bytes = bytes - bytes / 2,
                                  .corrections = history->set.count == 0 ? NULL : &history->set,
                                  .since_us = history->since_us,
                                  .patterns = history->patterns.set,
                                  .pattern_scratch = history->patterns.scratch[run->thread],
                                  .is_void = is_void,
                                  .context = &history->epochs};
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

/* Answers reads that regard the same corrections. */
static enum result batch_read(struct mirror_history *history, struct history_read *reads,
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

/* Those reads that regard a level's corrections, of all; the others are passed over. */
static enum result level_read(struct mirror_history *history, uint32_t level,
                              struct history_read *reads, uint32_t count,
                              char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    struct history_read *some = heap_alloc((count + 1) * sizeof(*some));
    uint32_t *from = heap_alloc((count + 1) * sizeof(*from));
    uint32_t picked = 0;
    enum result result = some == NULL || from == NULL
                             ? mirror_history_fail(error, RESULT_NO_MEMORY, "no memory")
                             : RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < count; i++) {
        if (mirror_level_of(history, &reads[i]) == level) {
            from[picked] = i;
            some[picked++] = reads[i];
        }
    }
    if (result == RESULT_OK && picked > 0) {
        mirror_level_enter(history, level);
        atomic_fetch_add_explicit(&history->shared_all,
                                  history->options.thread_count * history->range.bytes,
                                  memory_order_relaxed);
        result = batch_read(history, some, picked, error);
    }
    for (uint32_t i = 0; result == RESULT_OK && i < picked; i++) {
        reads[from[i]] = some[i];
    }
    heap_free(some);
    heap_free(from);
    return result;
}

enum result mirror_history_read(struct mirror_history *history, struct history_read *reads,
                                uint32_t count, char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    last_close(history);
    atomic_store_explicit(&history->shared_done, 0, memory_order_relaxed);
    atomic_store_explicit(&history->shared_all, 0, memory_order_relaxed);
    enum result result = RESULT_OK;
    for (uint32_t level = 0; result == RESULT_OK && level <= history->level_count; level++) {
        result = level_read(history, level, reads, count, error);
    }
    return result;
}

uint64_t mirror_history_corrections(const struct mirror_history *history)
{
    return history->corrections.number_last;
}

void mirror_history_end_set(struct mirror_history *history, const uint64_t last_lsn[SHARDS_MAX])
{
    for (uint32_t shard = 0; history->era_count > 0 && shard < SHARDS_MAX; shard++) {
        uint64_t *last = &history->era[history->era_count - 1].last_lsn[shard];
        *last = last_lsn[shard] < *last ? last_lsn[shard] : *last;
        history->range.last_lsn[shard] = *last;
    }
}

const struct mirror_range *mirror_history_range(const struct mirror_history *history)
{
    return &history->range;
}

void mirror_history_progress(const struct mirror_history *history, uint64_t *out_done,
                             uint64_t *out_all)
{
    *out_done = atomic_load_explicit(&history->shared_done, memory_order_relaxed);
    *out_all = atomic_load_explicit(&history->shared_all, memory_order_relaxed);
}

uint64_t mirror_history_events(const struct mirror_history *history)
{
    uint64_t events = 0;
    for (uint32_t i = 0; i < history->last_count; i++) {
        events += history_events(history->last[i]);
    }
    return events;
}
