#include <stdlib.h>
#include <string.h>

#include "controlplane/recovery_inside.h"
#include "dataplane/base/assert.h"
#include "drivers/memory.h"

/* Looks at a log's end beside its writer. */
#define END_TRIES_MAX 8u

enum result recovery_fail_damage(const struct recovery *recovery, uint32_t shard,
                                 const struct log_damage *damage,
                                 char error[RECOVERY_ERROR_SIZE_MAX])
{
    return recovery_fail(
        error, RESULT_CORRUPT,
        "shard %u: records with LSN %u:%llu to %u:%llu are damaged (segment "
        "%llu, byte %llu: %s); they may have been acknowledged, so %s: bring the "
        "file back from a copy, or see `freshet verify`",
        shard, lsn_epoch(damage->first_lsn), (unsigned long long)lsn_number(damage->first_lsn),
        lsn_epoch(damage->last_lsn), (unsigned long long)lsn_number(damage->last_lsn),
        (unsigned long long)damage->segment, (unsigned long long)damage->place, damage->reason,
        recovery_copies(recovery) ? "they are not replayed without them"
                                  : "the store is not started");
}

enum result recovery_fail_conflict(char error[RECOVERY_ERROR_SIZE_MAX], enum result result,
                                   const struct catalog_conflict *conflict)
{
    return recovery_fail(error, result, "stream %s%s%s: %s", conflict->stream,
                         conflict->field[0] == '\0' ? "" : ", field ", conflict->field,
                         conflict->reason);
}

void recovery_progress(struct recovery *recovery, uint64_t bytes)
{
    recovery->done_bytes += bytes;
    if (recovery->options.progress != NULL) {
        recovery->options.progress(recovery->options.progress_context, recovery->done_bytes,
                                   recovery->all_bytes);
    }
}

void recovery_forwards_free(struct recovery *recovery)
{
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        struct recovery_forwards *forwards = &recovery->forwards[i];
        for (uint32_t r = 0; r < forwards->count; r++) {
            heap_free(forwards->record[r]);
        }
        heap_free(forwards->record);
        *forwards = (struct recovery_forwards){0};
    }
}

void recovery_close(struct recovery *recovery)
{
    if (recovery == NULL) {
        return;
    }
    recovery_forwards_free(recovery);
    recovery_rows_free(recovery);
    corrections_free(&recovery->corrections);
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        log_reader_close(recovery->log[i]);
    }
    for (uint32_t i = 0; i < RECOVERY_MANIFESTS_MAX; i++) {
        heap_free(recovery->manifest[i]);
    }
    heap_free(recovery);
}

/* Generations that are there, newest first. */
struct generations {
    uint32_t count;
    uint64_t newest[RECOVERY_MANIFESTS_MAX];
    bool segments;   /* Segments are there too, */
    bool unfinished; /* or a copy that was never finished. */
};

static void name_look(void *context, const char *name, uint64_t size)
{
    struct generations *found = context;
    (void)size;
    uint64_t generation;
    uint32_t shard;
    uint64_t number;
    found->unfinished = found->unfinished || strcmp(name, RECOVERY_UNFINISHED_NAME) == 0;
    found->segments = found->segments || mirror_name_parse(name, &shard, &number);
    if (!manifest_name_parse(name, &generation)) {
        return;
    }
    uint32_t at = found->count < RECOVERY_MANIFESTS_MAX ? found->count : RECOVERY_MANIFESTS_MAX;
    while (at > 0 && found->newest[at - 1] < generation) {
        if (at < RECOVERY_MANIFESTS_MAX) {
            found->newest[at] = found->newest[at - 1];
        }
        at--;
    }
    if (at < RECOVERY_MANIFESTS_MAX) {
        found->newest[at] = generation;
        found->count += found->count < RECOVERY_MANIFESTS_MAX ? 1 : 0;
    }
}

static enum result manifest_read(struct recovery *recovery, uint64_t generation,
                                 struct manifest *out_manifest)
{
    char name[MANIFEST_NAME_SIZE_MAX];
    manifest_name_format(generation, name);
    struct disk_file *file;
    enum result result = disk_file_open(recovery->options.disk, name, DISK_READ, &file);
    if (result != RESULT_OK) {
        return result;
    }
    uint8_t *data = heap_alloc(MANIFEST_BYTES_MAX);
    uint64_t size = 0;
    result =
        data == NULL ? RESULT_NO_MEMORY : disk_file_read(file, 0, data, MANIFEST_BYTES_MAX, &size);
    disk_file_close(file);
    if (result == RESULT_OK) {
        result = manifest_decode(data, (uint32_t)size, out_manifest);
        bool ours = result == RESULT_OK && memcmp(out_manifest->store_id, recovery->epochs.store_id,
                                                  MIRROR_STORE_ID_BYTES) == 0;
        result = result == RESULT_OK && !ours ? RESULT_CORRUPT : result;
    }
    heap_free(data);
    return result;
}

/* The first epoch that had the store's shard count, without another one since; 0: it never had
 * another. */
uint32_t recovery_count_since(const struct epochs *epochs)
{
    uint32_t since = 0;
    for (uint32_t i = 0; i < epochs->cut_count; i++) {
        if (epochs->cut[i].shard_count != epochs->shard_count) {
            since = epochs->cut[i].epoch + 1;
        }
    }
    return since;
}

/* A manifest of before the shard count changed, or of a change that was never claimed, does not
 * count: its logs are not those that are read. */
static bool manifest_counts(const struct recovery *recovery, const struct manifest *manifest)
{
    const struct epochs *epochs = &recovery->epochs;
    return manifest->shard_count == epochs->shard_count && manifest->epoch <= epochs->epoch &&
           manifest->epoch >= recovery_count_since(epochs);
}

/* Reads the manifests; those that are damaged are passed over. */
static enum result manifests_read(struct recovery *recovery, const struct generations *found)
{
    recovery->generation_last = found->count > 0 ? found->newest[0] : 0;
    for (uint32_t i = 0; i < found->count; i++) {
        struct manifest *manifest = heap_alloc(sizeof(*manifest));
        if (manifest == NULL) {
            return RESULT_NO_MEMORY;
        }
        enum result result = manifest_read(recovery, found->newest[i], manifest);
        if (result == RESULT_OK && manifest_counts(recovery, manifest)) {
            recovery->manifest[recovery->manifest_count++] = manifest;
            continue;
        }
        heap_free(manifest);
        if (result == RESULT_OK || (recovery_copies(recovery) && result == RESULT_NOT_FOUND)) {
            continue; /* Or it made way for a newer one. */
        }
        if (result != RESULT_CORRUPT && result != RESULT_TRUNCATED && result != RESULT_INVALID) {
            return result;
        }
        recovery->report.manifests_refused++;
    }
    return RESULT_OK;
}

enum result recovery_check_count(const struct recovery *recovery,
                                 char error[RECOVERY_ERROR_SIZE_MAX])
{
    uint32_t since = recovery_count_since(&recovery->epochs);
    return since == 0 ? RESULT_OK
                      : recovery_fail(error, RESULT_CORRUPT,
                                      "no manifest with all its files is whole, and the number of "
                                      "shards was another one before epoch %u, so the logs alone "
                                      "do not tell the state: bring a manifest back from a copy, "
                                      "or see `freshet verify`",
                                      since);
}

static enum result epochs_fail(char error[RECOVERY_ERROR_SIZE_MAX])
{
    return recovery_fail(error, RESULT_CORRUPT,
                         "the file `%s` of the data directory is missing or damaged: without "
                         "it nobody knows which records count; bring it back from a copy",
                         EPOCHS_NAME);
}

/* The log of a shard, as far as the store's number of shards goes back. A copy wants archives too;
 * a start only if it has to read that far (recovery_views.c): there may be many. */
static enum result log_open(struct recovery *recovery, uint32_t shard)
{
    const struct recovery_options *options = &recovery->options;
    log_reader_close(recovery->log[shard]);
    recovery->log[shard] = NULL;
    struct log_reader **log_of_shard = &recovery->log[shard];
    const uint8_t *store_id = recovery->epochs.store_id;
    enum result result = recovery_copies(recovery)
                             ? log_reader_open_all(options->disk, store_id, shard, log_of_shard)
                             : log_reader_open(options->disk, store_id, shard, log_of_shard);
    if (result != RESULT_OK) {
        return result;
    }
    struct log_reader *log = recovery->log[shard];
    log_reader_stop_set(log, options->stop_asked, options->stop_context);
    if (recovery_copies(recovery)) {
        log_reader_epochs_set(log, recovery_count_since(&recovery->epochs), EPOCH_MAX,
                              recovery->epochs.shard_count);
    }
    return RESULT_OK;
}

/* What is durable before the store's last life: what a manifest has, or what is kept. */
static uint64_t log_start(const struct recovery *recovery, const struct manifest *manifest,
                          uint32_t shard)
{
    const struct log_reader *log = recovery->log[shard];
    if (manifest != NULL) {
        return manifest->shard[shard].replay_lsn;
    }
    bool kept = recovery_copies(recovery) && log_reader_segment_count(log) > 0;
    return kept ? log_reader_segment(log, 0)->before_lsn : 0;
}

/* Finds the end of a log. Who reads beside its writer may see half a frame, and a moment later what
 * followed it: then it looks again. */
static enum result log_end(struct recovery *recovery, uint32_t shard, uint64_t start,
                           struct log_damage *out_damage)
{
    uint32_t tries = recovery_copies(recovery) ? END_TRIES_MAX : 1;
    enum result result;
    do {
        result = log_reader_end(recovery->log[shard], start, &recovery->end[shard], out_damage);
        if (result == RESULT_CORRUPT && --tries > 0) {
            enum result opened = log_open(recovery, shard);
            result = opened == RESULT_OK ? result : opened;
        }
    } while (result == RESULT_CORRUPT && tries > 0);
    return result;
}

/* Opens the logs and finds their ends, from where the newest manifest needs them. */
static enum result logs_open(struct recovery *recovery, char error[RECOVERY_ERROR_SIZE_MAX])
{
    const struct manifest *manifest = recovery_candidate(recovery);
    enum result counted = manifest == NULL && !recovery_copies(recovery)
                              ? recovery_check_count(recovery, error)
                              : RESULT_OK;
    if (counted != RESULT_OK) {
        return counted;
    }
    for (uint32_t shard = 0; shard < recovery->report.old_shard_count; shard++) {
        enum result result = log_open(recovery, shard);
        uint64_t start = result == RESULT_OK ? log_start(recovery, manifest, shard) : 0;
        if (result == RESULT_OK && !recovery_copies(recovery)) {
            result = log_reader_sync(recovery->log[shard], start);
        }
        if (result != RESULT_OK) {
            return recovery_fail(error, result, "the log of shard %u cannot be read: %s", shard,
                                 result_name(result));
        }
        struct log_damage damage;
        result = log_end(recovery, shard, start, &damage);
        uint64_t least = manifest == NULL ? 0 : manifest->shard[shard].end_lsn;
        if (result == RESULT_OK && recovery->end[shard].lsn < least) {
            damage = (struct log_damage){.first_lsn = recovery->end[shard].lsn + 1,
                                         .last_lsn = least,
                                         .reason = "a checkpoint has seen them durable"};
            result = RESULT_CORRUPT;
        }
        if (result == RESULT_CORRUPT) {
            return recovery_fail_damage(recovery, shard, &damage, error);
        }
        if (result != RESULT_OK) {
            return recovery_fail(error, result, "the log of shard %u cannot be read: %s", shard,
                                 result_name(result));
        }
        if (lsn_epoch(recovery->end[shard].lsn) > recovery->epochs.epoch) {
            return epochs_fail(error); /* Its newest slot is gone: the log knows a later epoch. */
        }
        recovery->all_bytes += recovery->end[shard].bytes;
        recovery->report.torn_bytes += recovery->end[shard].torn_bytes;
        recovery->cut.cut[shard] = recovery->end[shard].lsn;
    }
    return RESULT_OK;
}

/* Whether the plan can read what the store has. */
static enum result plan_check(struct recovery *recovery, char error[RECOVERY_ERROR_SIZE_MAX])
{
    const struct manifest *manifest = recovery_candidate(recovery);
    if (manifest == NULL) {
        return RESULT_OK; /* The logs' own plans are looked at as they are read. */
    }
    struct catalog_map map;
    struct view_set changed;
    struct catalog_conflict conflict;
    enum result result =
        catalog_match(&manifest->catalog, recovery->options.plan, &map, &changed, &conflict);
    if (result == RESULT_OK) {
        return RESULT_OK;
    }
    return recovery_fail_conflict(error, RESULT_INVALID, &conflict);
}

static enum result store_find(struct recovery *recovery, char error[RECOVERY_ERROR_SIZE_MAX])
{
    struct disk *disk = recovery->options.disk;
    struct generations found = {0};
    enum result result = disk_folder_list(disk, "", name_look, &found);
    if (result != RESULT_OK) {
        return recovery_fail(error, result, "the data directory cannot be listed: %s",
                             result_name(result));
    }
    if (found.unfinished) {
        return recovery_fail(
            error, RESULT_CORRUPT,
            "`freshet replay --into` was cut short there (file `%s`): run it again",
            RECOVERY_UNFINISHED_NAME);
    }
    result = epochs_load(disk, &recovery->epochs);
    if (recovery_copies(recovery) && (result == RESULT_NOT_FOUND || recovery->epochs.epoch == 0)) {
        return recovery_fail(error, RESULT_NOT_FOUND, "no store is there, or none that ever ran");
    }
    if (result == RESULT_NOT_FOUND && found.count == 0 && !found.segments) {
        recovery->report.fresh = true;
        result = epochs_create(disk, recovery->options.new_store_id, recovery->options.now_us,
                               &recovery->epochs);
    } else if (result == RESULT_NOT_FOUND || result == RESULT_CORRUPT) {
        return epochs_fail(error);
    }
    /* Segments and manifests are made behind a claim. */
    if (result == RESULT_OK && recovery->epochs.epoch == 0 && (found.count > 0 || found.segments)) {
        return epochs_fail(error);
    }
    if (result == RESULT_OK) {
        result = manifests_read(recovery, &found);
    }
    if (result == RESULT_OK) {
        result = corrections_load(disk, recovery->epochs.store_id, &recovery->corrections);
        if (result == RESULT_CORRUPT) {
            return recovery_fail(
                error, result,
                "the file `%s` of the data directory is damaged: without it nobody "
                "knows which events were corrected; bring it back from a copy",
                CORRECTIONS_NAME);
        }
    }
    return result == RESULT_OK
               ? RESULT_OK
               : recovery_fail(error, result, "the data directory cannot be read: %s",
                               result_name(result));
}

bool recovery_reshards(const struct recovery *recovery)
{
    return recovery->report.old_shard_count != 0 &&
           recovery->report.old_shard_count != recovery->options.shard_count;
}

enum result recovery_claim(struct recovery *recovery, char error[RECOVERY_ERROR_SIZE_MAX])
{
    enum result result =
        epochs_claim(recovery->options.disk, &recovery->epochs, recovery->options.shard_count,
                     recovery->cut.epoch == 0 ? NULL : &recovery->cut);
    return result == RESULT_OK ? RESULT_OK
                               : recovery_fail(error, result, "a new epoch cannot be written: %s",
                                               result_name(result));
}

enum result recovery_open(const struct recovery_options *options, struct recovery **out_recovery,
                          char error[RECOVERY_ERROR_SIZE_MAX])
{
    ASSERT(options->shard_count > 0);
    ASSERT(options->shard_count <= SHARDS_MAX);
    error[0] = '\0';
    struct recovery *recovery = heap_alloc(sizeof(*recovery));
    if (recovery == NULL) {
        return recovery_fail(error, RESULT_NO_MEMORY, "no memory for recovery");
    }
    memset(recovery, 0, sizeof(*recovery));
    recovery->options = *options;
    enum result result = recovery_copies(recovery) ? RESULT_OK : disk_lock(options->disk);
    if (result != RESULT_OK) {
        result = recovery_fail(error, result, "it cannot be locked: %s", result_name(result));
        goto fail;
    }
    result = store_find(recovery, error);
    if (result != RESULT_OK) {
        goto fail;
    }
    recovery->report.old_shard_count =
        recovery->epochs.epoch == 0 ? 0 : recovery->epochs.shard_count;
    recovery->cut = (struct epoch_cut){.epoch = recovery->epochs.epoch,
                                       .shard_count = recovery->epochs.shard_count};
    result = plan_check(recovery, error);
    if (result == RESULT_OK) {
        result = logs_open(recovery, error);
    }
    if (result != RESULT_OK) {
        goto fail;
    }
    if (recovery->epochs.epoch == EPOCH_MAX) {
        result = recovery_fail(error, RESULT_NO_SPACE, "the store's epochs are used up");
        goto fail;
    }
    recovery->report.epoch = recovery->epochs.epoch + 1;
    if (recovery_reshards(recovery) || recovery_copies(recovery)) {
        epochs_learn(&recovery->epochs,
                     &recovery->cut); /* What is void is asked before the claim. */
    } else {
        result = recovery_claim(recovery, error);
    }
    if (result != RESULT_OK) {
        goto fail;
    }
    *out_recovery = recovery;
    return RESULT_OK;
fail:
    recovery_close(recovery);
    return result;
}

uint32_t recovery_epoch(const struct recovery *recovery)
{
    return recovery->report.epoch;
}

const uint8_t *recovery_store_id(const struct recovery *recovery)
{
    return recovery->epochs.store_id;
}

int64_t recovery_created_us(const struct recovery *recovery)
{
    return recovery->epochs.created_us;
}

uint64_t recovery_before_lsn(const struct recovery *recovery, uint32_t shard)
{
    return recovery_reshards(recovery) ? lsn_of(recovery->report.epoch, 0)
                                       : recovery->cut.cut[shard];
}

const struct recovery_report *recovery_report(const struct recovery *recovery)
{
    return &recovery->report;
}

const struct manifest *recovery_manifest(const struct recovery *recovery)
{
    return recovery->manifest_fits ? recovery_candidate(recovery) : NULL;
}

int64_t recovery_since_us(const struct recovery *recovery, uint32_t view)
{
    return recovery->since_us[view];
}

uint64_t recovery_generation_last(const struct recovery *recovery)
{
    return recovery->generation_last;
}
