#include "controlplane/parity_export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/inspect.h"
#include "controlplane/lake_manifest.h"
#include "controlplane/store_log.h"
#include "drivers/memory.h"

static enum result refuse(const char *path, const char *why, char error[PARITY_ERROR_SIZE_MAX])
{
    (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "%.400s: %.400s", path, why);
    return RESULT_INVALID;
}

/* A file's bytes; the caller frees them. */
static enum result file_read(const char *path, char **out_bytes, uint64_t *out_size,
                             char error[PARITY_ERROR_SIZE_MAX])
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return refuse(path, strerror(errno), error);
    }
    bool good = fseeko(file, 0, SEEK_END) == 0;
    off_t size = good ? ftello(file) : -1;
    char *bytes = size < 0 ? NULL : heap_alloc((uint64_t)size + 1);
    good = bytes != NULL && fseeko(file, 0, SEEK_SET) == 0 &&
           fread(bytes, 1, (size_t)size, file) == (size_t)size;
    (void)fclose(file);
    if (!good) {
        heap_free(bytes);
        return refuse(path, "cannot be read", error);
    }
    *out_bytes = bytes;
    *out_size = (uint64_t)size;
    return RESULT_OK;
}

static enum result manifest_read(const char *folder, struct lake_known *known,
                                 char error[PARITY_ERROR_SIZE_MAX])
{
    char path[STORE_LOG_PATH_SIZE_MAX];
    char *bytes;
    uint64_t size;
    uint64_t whole;
    struct lake_wrong wrong = {.what = "the machine gave no memory"};
    (void)snprintf(path, sizeof(path), "%s/" LAKE_MANIFEST_NAME, folder);
    enum result result = file_read(path, &bytes, &size, error);
    if (result != RESULT_OK) {
        return result;
    }
    result = lake_manifest_decode(bytes, size, known, &whole, &wrong);
    heap_free(bytes);
    if (result != RESULT_OK) {
        (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "%.400s:%" PRIu32 ": %.400s", path, wrong.line,
                       wrong.what);
        return RESULT_INVALID;
    }
    return RESULT_OK;
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

enum result parity_export_check(const char *directory, const char *folder,
                                struct parity_export *out_export, char error[PARITY_ERROR_SIZE_MAX])
{
    struct store_log log;
    struct lake_known known = {.whole = NULL};
    if (store_log_read(directory, &log) != RESULT_OK) {
        return refuse(directory, "is no data directory that can be read", error);
    }
    enum result result = manifest_read(folder, &known, error);
    if (result == RESULT_OK) {
        result = segments_check(&log, &known, folder, out_export, error);
    }
    lake_known_free(&known);
    store_log_free(&log);
    return result;
}
