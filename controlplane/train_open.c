/* What a training set needs open before it is made, and what it is known by. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/scalar.h"
#include "controlplane/file_hash.h"
#include "controlplane/suggest.h"
#include "controlplane/train_logged.h"
#include "controlplane/verb.h"
#include "dataplane/base/hash.h"
#include "dataplane/base/units.h"
#include "drivers/cpu.h"
#include "drivers/memory.h"

#define PART_ROWS_MIN 1024u
#define MEMORY_SHARE  4 /* Of the machine's: one part in so many. */
/* For what a thread keeps of the logs: with less, that is given up, and read again. */
#define READER_BYTES_MIN (2 * MIB)
/* Of a feature's answer, packed and spooled, as serving returned it too; texts may be longer. */
#define ANSWER_BYTES 48u

/* Places of reads: by view, so that a view's are together. */
static void reads_place(struct train *train)
{
    const struct plan_service *service = train->service;
    uint16_t at = 0;
    for (uint32_t i = 0; i < service->read_count; i++) {
        const struct plan_service_read *read = &service->read[i];
        bool seen = false;
        for (uint32_t j = 0; j < i; j++) {
            seen = seen || service->read[j].view == read->view;
        }
        if (seen) {
            continue;
        }
        struct train_view *view = &train->view[train->view_count++];
        *view = (struct train_view){.view = read->view, .entity = read->entity, .first = at};
        for (uint32_t j = i; j < service->read_count; j++) {
            if (service->read[j].view == read->view) {
                train->base[j] = at;
                train->feature[at++] = service->read[j].feature;
            }
        }
        view->count = (uint16_t)(at - view->first);
    }
}

static enum result labels_hash(struct train *train)
{
    _Static_assert(sizeof(train->label_hash) == FILE_HASH_BYTES, "one digest");
    enum result result = file_hash_read(train->options->labels, (uint8_t *)train->label_hash);
    return result == RESULT_OK
               ? RESULT_OK
               : train_fail(train, "%s: %s", train->options->labels, strerror(errno));
}

/* A number of everything that decides the bytes of the set; of the mirror its begin too, for what
 * is kept no longer cannot be read for the other parts. */
static void identity_make(struct train *train)
{
    static const struct mirror_range none;
    const struct mirror_range *range =
        train->mirror == NULL ? &none : mirror_history_range(train->mirror);
    uint64_t part[] = {train->config->plan.fingerprint,
                       service_fingerprint(&train->config->plan, train->service),
                       train->label_hash[0],
                       train->label_hash[1],
                       XXH3_64bits(range->store_id, sizeof(range->store_id)),
                       XXH3_64bits(range->kept_lsn, sizeof(range->kept_lsn)),
                       range->shard_count,
                       train->mirror == NULL ? 0 : mirror_history_corrections(train->mirror),
                       train->mode + 2u * (uint64_t)train->options->compare,
                       train->options->time == NULL
                           ? 0
                           : XXH3_64bits(train->options->time, strlen(train->options->time))};
    train->identity = XXH3_64bits(part, sizeof(part));
}

static enum result service_find_named(struct train *train)
{
    const struct plan *plan = &train->config->plan;
    const char *name = train->options->service;
    int index = service_find(plan, name, (uint32_t)strlen(name));
    if (index >= 0) {
        train->service = &plan->service[index];
        return RESULT_OK;
    }
    struct suggest suggest = suggest_begin(name, (uint32_t)strlen(name));
    for (uint32_t i = 0; i < plan->service_count; i++) {
        suggest_offer(&suggest, plan->service[i].name);
    }
    return train_fail(train, "the definitions have no service `%s`%s%s%s", name,
                      suggest.best == NULL ? "" : "; did you mean `",
                      suggest.best == NULL ? "" : suggest.best, suggest.best == NULL ? "" : "`?");
}

static enum result output_open(struct train *train)
{
    static char folder[TRAIN_PATH_SIZE_MAX];
    const char *out = train->options->out;
    const char *slash = strrchr(out, '/');
    train->name = slash == NULL ? out : slash + 1;
    int size = slash == NULL ? 1 : slash == out ? 1 : (int)(slash - out);
    (void)snprintf(folder, sizeof(folder), "%.*s", size, slash == NULL ? "." : out);
    if (strlen(train->name) == 0 || strlen(train->name) > 96) {
        return train_fail(train, "--out `%s` has no name of 1 to 96 bytes", out);
    }
    struct disk_options options = {.driver = DISK_DRIVER_THREADS, .directory = folder};
    char error[DISK_ERROR_SIZE_MAX];
    enum result result = disk_open(&options, &train->disk, error);
    return result == RESULT_OK ? RESULT_OK : train_fail(train, "%s", error);
}

/* NULL after saying that nobody names one. */
static const char *data_directory(struct train *train)
{
    const char *data =
        train->options->data != NULL ? train->options->data : train->config->options.data_directory;
    if (data[0] == '\0') {
        (void)train_fail(train, "the definitions have no `data.directory`: name the data "
                                "directory by --data");
        return NULL;
    }
    return data;
}

static enum result logged_open(struct train *train)
{
    const char *data = data_directory(train);
    int64_t within_us = TRAIN_LOGGED_WITHIN_US;
    if (train->options->within != NULL && !duration_parse(train->options->within, &within_us)) {
        return train_fail(train,
                          "--within `%s` is no duration; a whole number and a unit, as 1h, "
                          "is allowed",
                          train->options->within);
    }
    return data == NULL ? RESULT_INVALID : train_logged_open(train, data, within_us);
}

static enum result mirror_open(struct train *train)
{
    const char *data = data_directory(train);
    if (data == NULL) {
        return RESULT_INVALID;
    }
    uint64_t memory_bytes = train->memory_bytes / 2;
    uint64_t readers = memory_bytes / READER_BYTES_MIN;
    readers = readers < 1 ? 1 : readers < train->thread_count ? readers : train->thread_count;
    struct mirror_history_options options = {.directory = data,
                                             .plan = &train->config->plan,
                                             .mode = train->mode,
                                             .thread_count = (uint32_t)readers,
                                             .memory_bytes = memory_bytes,
                                             .answered = train_pack_take,
                                             .answered_context = &train->pack};
    char error[MIRROR_HISTORY_ERROR_SIZE_MAX];
    enum result result = mirror_history_open(&options, &train->mirror, error);
    if (result == RESULT_OK && train->options->compare) {
        options.mode = HISTORY_KNOWN;
        options.answered_context = &train->pack_known;
        result = mirror_history_open(&options, &train->known, error);
    }
    if (result != RESULT_OK) {
        return train_fail(train, "%s", error);
    }
    if (train->known != NULL) {
        mirror_history_end_set(train->known, mirror_history_range(train->mirror)->last_lsn);
    }
    return RESULT_OK;
}

static enum result sizes_choose(struct train *train)
{
    uint16_t cores[CPU_COUNT_MAX];
    uint64_t threads = train->options->threads == 0 ? cpu_list(cores) : train->options->threads;
    train->thread_count = threads > SHARDS_MAX ? SHARDS_MAX : (uint32_t)threads;
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (train->options->memory_mib > machine / MIB) {
        return train_fail(train, "--memory %" PRIu64 ": the machine has %" PRIu64 " MiB",
                          train->options->memory_mib, machine / MIB);
    }
    train->memory_bytes =
        train->options->memory_mib == 0 ? machine / MEMORY_SHARE : train->options->memory_mib * MIB;
    uint64_t row = train->view_count * sizeof(struct history_read) +
                   train->service->read_count * ANSWER_BYTES + 4 * CACHE_LINE_BYTES;
    uint64_t rows = train->memory_bytes / 2 / row;
    rows = rows < PART_ROWS_MIN         ? PART_ROWS_MIN
           : rows > TRAIN_PART_ROWS_MAX ? TRAIN_PART_ROWS_MAX
                                        : rows;
    train->part_rows =
        train->options->part_rows == 0 ? (uint32_t)rows : (uint32_t)train->options->part_rows;
    return RESULT_OK;
}

/* Labels and mirror, at once: the one loads a library, the other reads a log to its end. */
struct opening {
    struct train *train;
    enum result labels;
    enum result mirror; /* Whose error the train has. */
    char labels_error[LABEL_ERROR_SIZE_MAX];
};

static void input_open(void *context, uint32_t task, uint32_t member)
{
    struct opening *opening = context;
    struct train *train = opening->train;
    (void)member;
    if (task == 0) {
        opening->labels =
            label_table_open(train->options->labels, &train->labels, opening->labels_error);
        if (opening->labels == RESULT_OK) {
            label_table_words(train->labels);
        }
    } else {
        opening->mirror = train->options->from_logged ? RESULT_OK : mirror_open(train);
    }
}

/* The set never takes the place of its labels; nor do it and its card of what is no file. */
static enum result output_path_check(struct train *train)
{
    const char *out = train->options->out;
    char card[TRAIN_PATH_SIZE_MAX];
    struct stat found;
    if (verb_is_same_file(train->options->labels, out)) {
        return train_fail(train, "--out `%s` is the file of --labels: name another", out);
    }
    train_card_path(train, card);
    const char *const path[] = {out, card};
    for (uint32_t i = 0; i < ARRAY_COUNT(path); i++) {
        if (lstat(path[i], &found) == 0 && !S_ISREG(found.st_mode)) {
            return train_fail(train,
                              "--out `%s`: %s is there and is no file; a new name, or a file whose "
                              "place the set takes, is allowed",
                              out, path[i]);
        }
    }
    return RESULT_OK;
}

enum result train_open(struct train *train)
{
    struct opening opening = {.train = train};
    enum result result = service_find_named(train);
    if (result != RESULT_OK) {
        return result;
    }
    reads_place(train);
    result = sizes_choose(train);
    if (result == RESULT_OK && threads_open(train->thread_count, &train->threads) != RESULT_OK) {
        result = train_fail(train, "no memory");
    }
    result = result == RESULT_OK ? output_path_check(train) : result;
    if (result != RESULT_OK) {
        return result;
    }
    threads_run(train->threads, 2, input_open, &opening);
    if (opening.labels != RESULT_OK) {
        return train_fail(train, "%s", opening.labels_error);
    }
    result = train_columns_find(train);
    result = result == RESULT_OK ? train_output_check(train) : result;
    result = result == RESULT_OK ? labels_hash(train) : result;
    result = result == RESULT_OK ? opening.mirror : result;
    result = result == RESULT_OK ? output_open(train) : result;
    if (result == RESULT_OK) {
        identity_make(train);
    }
    return result == RESULT_OK && train->options->from_logged ? logged_open(train) : result;
}

void train_rows_close(struct train *train)
{
    label_table_close(train->labels);
    train->labels = NULL;
    train_pack_deinit(&train->pack);
    train_pack_deinit(&train->pack_known);
    train_part_free(&train->last);
    train_spool_close(&train->last_values);
}

void train_close(struct train *train)
{
    train_rows_close(train);
    mirror_history_close(train->mirror);
    train_logged_close(train->logged);
    mirror_history_close(train->known);
    threads_close(train->threads);
    disk_close(train->disk);
}
