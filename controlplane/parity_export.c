#include "controlplane/parity_export.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "controlplane/inspect.h"
#include "controlplane/lake_manifest.h"
#include "controlplane/store_log.h"

static enum result refuse(const char *path, const char *why, char error[PARITY_ERROR_SIZE_MAX])
{
    (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "%.400s: %.400s", path, why);
    return RESULT_INVALID;
}

static enum result segments_check(const struct store_log *log, const struct lake_known *known,
                                  const char *folder, struct parity_export *export,
                                  char error[PARITY_ERROR_SIZE_MAX])
{
    char store[INSPECT_STORE_SIZE_MAX];
    *export = (struct parity_export){.is_whole = true};
    memset(export->lacks_lsn, UINT8_MAX, sizeof(export->lacks_lsn));
    for (uint32_t i = 0; i < log->segment_count; i++) {
        const struct mirror_segment *header = &log->segment[i].header;
        if (strcmp(inspect_store_format(header->store_id, MIRROR_STORE_ID_BYTES, store),
                   known->store) != 0) {
            return refuse(folder, "is the export of another data directory", error);
        }
        if (header->shard >= export->shard_count) {
            export->shard_count = header->shard + 1u;
        }
        if (lake_known_segment(known, header->shard, header->number)) {
            continue;
        }
        if (header->first_lsn < export->lacks_lsn[header->shard]) {
            export->lacks_lsn[header->shard] = header->first_lsn;
        }
        if (export->is_whole) {
            export->is_whole = false;
            (void)snprintf(export->lacks, sizeof(export->lacks),
                           "%.400s lacks segment %" PRIu64
                           " of shard %u, which may still be written",
                           folder, header->number, header->shard);
        }
    }
    return RESULT_OK;
}

/* Files of the export, as they are. */
struct look {
    const struct store_log *log;
    const char *folder;
    char wrong[LAKE_PATH_SIZE_MAX]; /* The first that is not as it was written; "": none. */
};

static bool file_look(void *context, const char *path, uint32_t shard, uint64_t segment,
                      uint64_t bytes)
{
    struct look *look = context;
    char place[LAKE_ROOT_SIZE_MAX + LAKE_PATH_SIZE_MAX];
    struct stat status;
    bool kept = false;
    for (uint32_t i = 0; i < look->log->segment_count && !kept; i++) {
        const struct mirror_segment *header = &look->log->segment[i].header;
        kept = header->shard == shard && header->number == segment;
    }
    (void)snprintf(place, sizeof(place), "%s/%s", look->folder, path);
    bool good = !kept || (stat(place, &status) == 0 && S_ISREG(status.st_mode) &&
                          (uint64_t)status.st_size == bytes);
    if (!good) {
        (void)snprintf(look->wrong, sizeof(look->wrong), "%s", path);
    }
    return good;
}

/* Events that the log has, and whose files were taken away or changed, would all be differences. */
static enum result files_check(const struct store_log *log, const char *folder,
                               char error[PARITY_ERROR_SIZE_MAX])
{
    struct look look = {.log = log, .folder = folder};
    if (lake_files_visit(folder, file_look, &look) != RESULT_OK) {
        return refuse(folder, LAKE_MANIFEST_NAME " cannot be read", error);
    }
    if (look.wrong[0] != '\0') {
        (void)snprintf(error, PARITY_ERROR_SIZE_MAX,
                       "%.200s: %.200s is gone, or not as it was exported; export to another "
                       "folder, and name that",
                       folder, look.wrong);
        return RESULT_INVALID;
    }
    return RESULT_OK;
}

enum result parity_export_check(const char *directory, const char *folder,
                                struct parity_export *out_export, char error[PARITY_ERROR_SIZE_MAX])
{
    struct store_log log;
    struct lake_known known;
    char why[LAKE_ERROR_SIZE_MAX];
    if (store_log_read(directory, &log) != RESULT_OK) {
        return refuse(directory, "is no data directory that can be read", error);
    }
    enum result result = lake_known_read(folder, &known, why) == RESULT_OK
                             ? segments_check(&log, &known, folder, out_export, error)
                             : refuse(folder, why, error);
    result = result == RESULT_OK ? files_check(&log, folder, error) : result;
    lake_known_free(&known);
    store_log_free(&log);
    return result;
}
