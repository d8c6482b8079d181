#include "controlplane/backfill_resume.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/epochs.h"
#include "controlplane/pattern_sets.h"
#include "dataplane/feature/manifest.h"
#include "drivers/disk.h"
#include "drivers/memory.h"

void backfill_resume_close(struct backfill_resume *resume)
{
    if (resume != NULL) {
        backfill_note_free(&resume->note);
        heap_free(resume->config);
        heap_free(resume);
    }
}

/* Says why it does not go on. */
__attribute__((format(printf, 2, 3))) static void drop(struct backfill_resume *resume,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(resume->why, sizeof(resume->why), format, arguments);
    va_end(arguments);
    heap_free(resume->config);
    resume->config = NULL;
}

/* The view of the note that this one is; NULL: none. */
static const struct backfill_view *view_find(const struct backfill_note *note,
                                             const struct plan_view *view)
{
    for (uint32_t v = 0; v < note->view_count; v++) {
        const struct backfill_view *noted = &note->view[v];
        if (noted->version == view->version && noted->fingerprint == view->fingerprint &&
            strcmp(noted->name, view->name) == 0) {
            return noted;
        }
    }
    return NULL;
}

/* Whether the files beside what was served bring the views of the note, and no others. */
static bool views_are_the_same(const struct backfill_note *note, const struct plan *plan,
                               uint32_t view_first)
{
    for (uint32_t v = view_first; v < plan->view_count; v++) {
        if (view_find(note, &plan->view[v]) == NULL) {
            return false;
        }
    }
    return plan->view_count - view_first == note->view_count &&
           plan->stream_count == note->stream_count;
}

static void files_compare(struct backfill_resume *resume, const struct config *files,
                          struct config *beside)
{
    struct config *config = resume->config;
    struct config_texts texts;
    const struct config_running running = {.plan = &config->plan,
                                           .load_count = 1,
                                           .load = {&resume->note.texts},
                                           .options_free = true};
    enum result result = config_load_beside(&running, files->path, files->path_count,
                                            pattern_sets_try, &texts, beside);
    config_texts_free(&texts);
    if (result != RESULT_OK) {
        drop(resume, "the definitions are others than it was begun with (%s)",
             beside->error[0].text);
    } else if (!views_are_the_same(&resume->note, &beside->plan, config->plan.view_count)) {
        drop(resume, "the definitions bring other views than it was begun with");
    } else {
        /* The same streams in the same order as what was served: places in options hold. */
        config->options = beside->options;
        config->path = files->path;
        config->path_count = files->path_count;
    }
}

static enum result definitions_compare(struct backfill_resume *resume, const struct config *files)
{
    struct config *beside = heap_alloc(sizeof(*beside));
    resume->config = heap_alloc(sizeof(*resume->config));
    if (beside == NULL || resume->config == NULL) {
        heap_free(beside);
        return RESULT_NO_MEMORY;
    }
    if (config_load_texts(&resume->note.texts, pattern_sets_try, resume->config) != RESULT_OK) {
        drop(resume, "the definitions that it was begun beside cannot be read any more (%s)",
             resume->config->error[0].text);
    } else {
        files_compare(resume, files, beside);
    }
    heap_free(beside);
    return RESULT_OK;
}

static void generation_note(void *context, const char *name, uint64_t size)
{
    uint64_t *newest = context;
    uint64_t generation;
    (void)size;
    if (manifest_name_parse(name, &generation) && generation > *newest) {
        *newest = generation;
    }
}

/* The newest manifest; false: there is none, or it is not whole. */
static bool manifest_newest(struct disk *disk, struct manifest *out_manifest)
{
    uint64_t generation = 0;
    char name[MANIFEST_NAME_SIZE_MAX];
    struct disk_file *file;
    uint64_t size = 0;
    if (disk_folder_list(disk, "", generation_note, &generation) != RESULT_OK) {
        return false;
    }
    manifest_name_format(generation, name);
    if (generation == 0 || disk_file_open(disk, name, DISK_READ, &file) != RESULT_OK) {
        return false;
    }
    uint8_t *data = heap_alloc(MANIFEST_BYTES_MAX);
    bool read =
        data != NULL && disk_file_read(file, 0, data, MANIFEST_BYTES_MAX, &size) == RESULT_OK;
    disk_file_close(file);
    bool good = read && manifest_decode(data, (uint32_t)size, out_manifest) == RESULT_OK;
    heap_free(data);
    return good;
}

static bool catalog_has(const struct catalog *catalog, const struct backfill_view *view)
{
    for (uint32_t v = 0; v < catalog->view_count; v++) {
        if (catalog->view[v].fingerprint == view->fingerprint &&
            strcmp(catalog->view[v].name, view->name) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether it was over: a checkpoint has its views, and the note could not go any more. */
static bool views_are_saved(const struct backfill_note *note, struct disk *disk)
{
    struct manifest *manifest = heap_alloc(sizeof(*manifest));
    bool saved = manifest != NULL && manifest_newest(disk, manifest);
    for (uint32_t v = 0; saved && v < note->view_count; v++) {
        saved = catalog_has(&manifest->catalog, &note->view[v]);
    }
    heap_free(manifest);
    return saved;
}

/* Whether the directory's store began it. Epochs that cannot be read are for the store to tell. */
static bool is_of_store(const struct backfill_note *note, struct disk *disk)
{
    struct epochs *epochs = heap_alloc(sizeof(*epochs));
    enum result result = epochs == NULL ? RESULT_NO_MEMORY : epochs_load(disk, epochs);
    bool same = result == RESULT_OK
                    ? memcmp(epochs->store_id, note->store_id, MIRROR_STORE_ID_BYTES) == 0
                    : result != RESULT_NOT_FOUND;
    heap_free(epochs);
    return same;
}

static enum result note_judge(struct backfill_resume *resume, const struct config *config,
                              uint32_t shard_count, struct disk *disk)
{
    if (!is_of_store(&resume->note, disk)) {
        drop(resume, "it is of another store");
        return RESULT_OK;
    }
    if (views_are_saved(&resume->note, disk)) {
        drop(resume, "it was over: a checkpoint has its views");
        return RESULT_OK;
    }
    if (resume->note.shard_count != shard_count) {
        drop(resume, "it was begun with %u shards, and these are %u", resume->note.shard_count,
             shard_count);
        return RESULT_OK;
    }
    return definitions_compare(resume, config);
}

static enum result resume_read(const struct config *config, uint32_t shard_count, struct disk *disk,
                               struct backfill_resume **out_resume)
{
    struct backfill_resume *resume = heap_alloc(sizeof(*resume));
    if (resume == NULL) {
        return RESULT_NO_MEMORY;
    }
    *resume = (struct backfill_resume){.files = config};
    enum result result = backfill_note_read(disk, &resume->note);
    if (result == RESULT_OK) {
        result = note_judge(resume, config, shard_count, disk);
    } else if (result != RESULT_NOT_FOUND && result != RESULT_NO_MEMORY) {
        drop(resume, "the file `" BACKFILL_NOTE_NAME "` cannot be read (%s)", result_name(result));
        result = RESULT_OK;
    }
    if (result != RESULT_OK) {
        backfill_resume_close(resume);
        return result == RESULT_NOT_FOUND ? RESULT_OK : result;
    }
    *out_resume = resume;
    return RESULT_OK;
}

enum result backfill_resume_open(const struct config *config, uint32_t shard_count,
                                 struct backfill_resume **out_resume)
{
    const struct disk_options options = {.driver = DISK_DRIVER_THREADS,
                                         .directory = config->options.data_directory,
                                         .read_only = true};
    char error[DISK_ERROR_SIZE_MAX];
    struct disk *disk;
    *out_resume = NULL;
    if (config->options.data_directory[0] == '\0' || config->path_count == 0 ||
        disk_open(&options, &disk, error) != RESULT_OK) {
        return RESULT_OK; /* What is wrong with the directory, the store tells. */
    }
    enum result result = resume_read(config, shard_count, disk, out_resume);
    disk_close(disk);
    return result;
}
