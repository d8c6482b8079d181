#include "controlplane/mirror_history.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/archives.h"
#include "controlplane/mirror_history_inside.h"
#include "dataplane/base/assert.h"
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

/* The newest manifest. One that cannot be read is none. */
static enum result newest_read(struct mirror_history *history, uint64_t generation)
{
    char name[MANIFEST_NAME_SIZE_MAX];
    uint8_t *data;
    uint64_t size;
    manifest_name_format(generation, name);
    enum result result =
        generation == 0 ? RESULT_NOT_FOUND
                        : disk_file_read_all(history->disk, name, MANIFEST_BYTES_MAX, &data, &size);
    if (result != RESULT_OK) {
        return result == RESULT_NO_MEMORY ? result : RESULT_OK;
    }
    history->newest = heap_alloc(sizeof(*history->newest));
    bool memory = history->newest != NULL;
    if (memory && manifest_decode(data, (uint32_t)size, history->newest) != RESULT_OK) {
        heap_free(history->newest);
        history->newest = NULL;
    }
    heap_free(data);
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
    struct archives archives;
    result = result == RESULT_OK ? disk_folder_list(history->disk, "", name_look, &names) : result;
    result = result == RESULT_OK ? archives_load(history->disk, &archives) : result;
    result =
        result == RESULT_OK ? archives_list(history->disk, &archives, name_look, &names) : result;
    result = result == RESULT_OK ? newest_read(history, names.generation) : result;
    if (result != RESULT_OK) {
        return mirror_history_fail(error, result, "%s: cannot be read: %s",
                                   history->options.directory, result_name(result));
    }
    history->log_count = names.log_count;
    return RESULT_OK;
}

/* Since when views know all. What they took of history, from before the mirror begins, the newest
 * manifest tells; it counts while nothing of the mirror is gone. */
static enum result since_find(struct mirror_history *history,
                              char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    const struct mirror_range *range = &history->range;
    const struct plan *plan = history->options.plan;
    history->since_us = heap_alloc((plan->view_count + 1) * sizeof(*history->since_us));
    struct catalog_map *map = heap_alloc(sizeof(*map));
    if (history->since_us == NULL || map == NULL) {
        heap_free(map);
        return mirror_history_fail(error, RESULT_NO_MEMORY, "no memory");
    }
    for (uint32_t v = 0; v < plan->view_count; v++) {
        history->since_us[v] = range->since_us;
    }
    struct view_set changed;
    struct catalog_conflict conflict;
    const struct manifest *newest = history->newest;
    bool counts = newest != NULL && range->is_whole &&
                  catalog_match(&newest->catalog, plan, map, &changed, &conflict) == RESULT_OK;
    for (uint32_t then = 0; counts && then < newest->catalog.view_count; then++) {
        uint16_t view = map->view[then];
        if (view != CATALOG_GONE && newest->since_us[then] < history->since_us[view]) {
            history->since_us[view] = newest->since_us[then];
        }
    }
    heap_free(map);
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
    for (uint32_t i = history->eras.count; i > 0; i--) {
        const struct era *own = &history->eras.era[i - 1];
        for (uint32_t shard = 0; shard < own->shard_count; shard++) {
            bool any = own->last_lsn[shard] > own->after_lsn[shard];
            range->kept_lsn[shard] = any ? own->after_lsn[shard] + 1 : range->kept_lsn[shard];
        }
    }
    uint32_t count = history->eras.count;
    const struct era *era = count == 0 ? NULL : &history->eras.era[count - 1];
    for (uint32_t shard = 0; era != NULL && shard < era->shard_count; shard++) {
        range->first_lsn[shard] = era->after_lsn[shard] + 1;
        range->last_lsn[shard] = era->last_lsn[shard];
    }
    range->is_whole = range->since_us == history->epochs.created_us;
    return since_find(history, error);
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
    for (uint32_t i = 0; i < history->last_team_count; i++) {
        history_team_close(history->last_team[i]);
    }
    history->last_team_count = 0;
}

void mirror_history_close(struct mirror_history *history)
{
    if (history == NULL) {
        return;
    }
    last_close(history);
    pattern_sets_close(&history->patterns);
    disk_close(history->disk);
    heap_free(history->newest);
    heap_free(history->since_us);
    corrections_free(&history->corrections);
    heap_free(history->level);
    heap_free(history->item);
    heap_free(history->last);
    heap_free(history->last_team);
    heap_free(history);
}

static bool is_void(void *context, uint32_t home, uint64_t home_lsn)
{
    return epochs_is_void(context, home, home_lsn);
}

struct history_options mirror_history_options_of(struct mirror_history *history,
                                                 struct history_read *read, uint32_t count)
{
    const struct mirror_history_options *options = &history->options;
    uint64_t bytes = options->memory_bytes / options->thread_count;
    uint64_t state = bytes / 2;
    return (struct history_options){.plan = options->plan,
                                    .mode = options->mode,
                                    .read = read,
                                    .read_count = count,
                                    .state_bytes =
                                        state < STATE_BYTES_MIN ? STATE_BYTES_MIN : state,
                                    .event_bytes = bytes - bytes / 2,
                                    .corrections = history->set.count == 0 ? NULL : &history->set,
                                    .since_us = history->since_us,
                                    .patterns = history->patterns.set,
                                    .is_void = is_void,
                                    .context = &history->epochs,
                                    .answered = options->answered,
                                    .answered_context = options->answered_context};
}

/* Answers reads that regard the same corrections. */
static enum result batch_read(struct mirror_history *history, struct history_read *reads,
                              uint32_t count, char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    if (history_team_fits(history->options.plan, reads, count)) {
        struct history_options options = mirror_history_options_of(history, reads, count);
        enum result result = mirror_history_share(history, &options, error);
        if (result != RESULT_NO_SPACE) {
            return result;
        }
    }
    atomic_fetch_add_explicit(&history->shared_all,
                              history->options.thread_count * history->range.bytes,
                              memory_order_relaxed);
    return mirror_history_apart(history, reads, count, error);
}

/* Those reads that regard a level's corrections, of all; the others are passed over. */
static enum result level_read(struct mirror_history *history, uint32_t level,
                              struct history_read *reads, uint32_t count,
                              char error[MIRROR_HISTORY_ERROR_SIZE_MAX])
{
    uint32_t own = 0;
    for (uint32_t i = 0; i < count; i++) {
        own += mirror_level_of(history, &reads[i]) == level;
    }
    if (own == 0) {
        return RESULT_OK;
    }
    if (own == count) {
        mirror_level_enter(history, level);
        return batch_read(history, reads, count, error);
    }
    struct history_read *some = heap_alloc(own * sizeof(*some));
    uint32_t *from = heap_alloc(own * sizeof(*from));
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
    if (result == RESULT_OK) {
        mirror_level_enter(history, level);
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
    for (uint32_t shard = 0; history->eras.count > 0 && shard < SHARDS_MAX; shard++) {
        uint64_t *last = &history->eras.era[history->eras.count - 1].last_lsn[shard];
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
