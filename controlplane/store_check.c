#include "controlplane/store_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/store_directory.h"
#include "controlplane/store_segment.h"
#include "dataplane/feature/manifest.h"
#include "drivers/memory.h"

#define PATH_SIZE_MAX 4096u

/* The log of a shard as far as it was walked. */
struct shard_log {
    bool begun;
    uint64_t before_lsn; /* Of its oldest segment. */
    uint64_t first_lsn;  /* Of the segment walked last. */
    uint64_t last_lsn;
    const struct store_name *name; /* Of that segment. */
};

struct check {
    const char *path;
    store_line_visit *visit;
    void *context;
    struct store_sum *sum;
    struct store_directory directory;
    struct manifest *manifest; /* The one that is being checked. */
    struct manifest *newest;   /* The newest good one. */
    bool has_newest;
    bool has_store;
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    struct shard_log log[SHARDS_MAX];
};

static const char *const state_names[STORE_STATE_COUNT] = {
    [STORE_GOOD] = "good",       [STORE_TORN] = "torn", [STORE_EMPTY] = "empty",
    [STORE_UNNAMED] = "unnamed", [STORE_GONE] = "gone", [STORE_OTHER] = "other",
    [STORE_DAMAGED] = "damaged"};

const char *store_state_name(enum store_state state)
{
    return state_names[state];
}

const char *store_lsn_format(uint64_t lsn, char out[STORE_LSN_SIZE_MAX])
{
    (void)snprintf(out, STORE_LSN_SIZE_MAX, "%" PRIu32 ":%" PRIu64, lsn_epoch(lsn),
                   lsn & ((UINT64_C(1) << LSN_EPOCH_SHIFT) - 1));
    return out;
}

static void line_put(struct check *check, struct store_line *line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void line_put(struct check *check, struct store_line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line->text, sizeof(line->text), format, arguments);
    va_end(arguments);
    check->sum->count[line->state]++;
    check->visit(check->context, line);
}

static struct store_line line_of(const struct store_name *name, enum store_state state)
{
    bool sharded = name->kind == STORE_NAME_SEGMENT || name->kind == STORE_NAME_TILE;
    return (struct store_line){
        .name = name->name, .state = state, .shard = sharded ? (int32_t)name->shard : -1};
}

/* Opens a file of the directory, or puts the line that says why not. */
static bool file_open(struct check *check, const struct store_name *name, char path[PATH_SIZE_MAX],
                      struct store_file *out_file)
{
    (void)snprintf(path, PATH_SIZE_MAX, "%s/%s", check->path, name->name);
    enum result result = store_file_open(out_file, path);
    if (result == RESULT_OK) {
        return true;
    }
    bool gone = result == RESULT_NOT_FOUND;
    struct store_line line = line_of(name, gone ? STORE_GONE : STORE_DAMAGED);
    if (gone) {
        line_put(check, &line, "vanished while the directory was checked");
    } else {
        line_put(check, &line, "cannot be read: %s",
                 result == RESULT_SYSTEM ? strerror(errno) : result_name(result));
    }
    return false;
}

/* What is damaged may be gone, or used again, by now. */
static void damage_put(struct check *check, const struct store_file *file, struct store_line *line,
                       const char *text)
{
    if (!store_file_is_named(file)) {
        line->state = STORE_GONE;
        line->lost_first_lsn = line->lost_last_lsn = 0;
        line_put(check, line, "vanished while it was read");
    } else if (file->error != 0) {
        line_put(check, line, "%s; reading failed: %s", text, strerror(file->error));
    } else {
        line_put(check, line, "%s", text);
    }
}

/* All files of a directory are of one store: the first that says so decides. */
static bool store_is_same(struct check *check, const uint8_t store_id[MIRROR_STORE_ID_BYTES])
{
    if (!check->has_store) {
        memcpy(check->store_id, store_id, MIRROR_STORE_ID_BYTES);
        check->has_store = true;
    }
    return memcmp(check->store_id, store_id, MIRROR_STORE_ID_BYTES) == 0;
}

/* What of a tile file is not as its manifest says; NULL: nothing. */
static const char *tile_difference(const struct manifest *manifest,
                                   const struct manifest_file *file, const struct store_name *name)
{
    const struct store_tile *tile = &name->tile;
    if (tile->size_bytes != file->size || tile->block_count != file->block_count) {
        return "size";
    }
    if (tile->row_count != file->row_count) {
        return "count of rows";
    }
    if (tile->crc != file->crc) {
        return "crc";
    }
    bool same = tile->kind == file->kind && tile->shard == name->shard &&
                tile->generation == name->number &&
                tile->store == mirror_store_of(manifest->store_id);
    return tile->block_count == 0 || same ? NULL : "kind, shard, generation or store";
}

/* Reads a tile file once, however many manifests name it. False: the line is put. */
static bool tile_read(struct check *check, struct store_name *name)
{
    char path[PATH_SIZE_MAX];
    struct store_file file;
    if (name->checked) {
        return name->tile.result == RESULT_OK;
    }
    if (!file_open(check, name, path, &file)) {
        return false;
    }
    store_tile_check(&file, NULL, NULL, &name->tile);
    name->checked = true;
    if (name->tile.result != RESULT_OK) {
        struct store_line line = line_of(name, STORE_DAMAGED);
        char text[STORE_TEXT_SIZE_MAX / 2];
        (void)snprintf(text, sizeof(text), "block %u at %" PRIu64 ": %s", name->tile.block_count,
                       name->tile.place, name->tile.reason);
        damage_put(check, &file, &line, text);
    }
    store_file_close(&file);
    return name->tile.result == RESULT_OK;
}

static bool manifest_is_named(const struct check *check, const struct store_name *manifest)
{
    char path[PATH_SIZE_MAX];
    struct store_file file;
    (void)snprintf(path, sizeof(path), "%s/%s", check->path, manifest->name);
    bool named = store_file_open(&file, path) == RESULT_OK;
    if (named) {
        store_file_close(&file);
    }
    return named;
}

/* One file of a manifest; returns whether it is good. */
static bool manifest_file_check(struct check *check, const struct store_name *manifest_name,
                                const struct manifest_file *file)
{
    struct store_name *name = store_directory_find(&check->directory, file->name);
    if (name == NULL) {
        struct store_line line = {.name = file->name, .shard = -1, .state = STORE_DAMAGED};
        if (!manifest_is_named(check, manifest_name)) {
            line.state = STORE_GONE;
        }
        line_put(check, &line, "%s names it, and it is not there", manifest_name->name);
        return false;
    }
    bool first = !name->checked;
    if (!tile_read(check, name)) {
        return false;
    }
    const char *difference = tile_difference(check->manifest, file, name);
    struct store_line line = line_of(name, difference == NULL ? STORE_GOOD : STORE_DAMAGED);
    if (difference != NULL) {
        line_put(check, &line, "its %s is not what %s says", difference, manifest_name->name);
    } else if (first) {
        line_put(check, &line, "%u blocks, %" PRIu64 " %s, %" PRIu64 " bytes",
                 name->tile.block_count, name->tile.row_count,
                 file->kind == TILE_ROWS ? "rows" : "lanes", name->tile.size_bytes);
    }
    return difference == NULL;
}

static void manifest_files_check(struct check *check, const struct store_name *name)
{
    const struct manifest *manifest = check->manifest;
    struct store_line line = line_of(name, STORE_GOOD);
    uint32_t bad = 0;
    uint32_t count = 0;
    for (uint32_t s = 0; s < manifest->shard_count; s++) {
        for (uint32_t i = 0; i < manifest->shard[s].file_count; i++) {
            bad += !manifest_file_check(check, name, &manifest->shard[s].file[i]);
            count++;
        }
    }
    if (bad > 0) {
        line.state = manifest_is_named(check, name) ? STORE_DAMAGED : STORE_GONE;
        line_put(check, &line, "generation %" PRIu64 ": %u of its %u files are not good",
                 manifest->generation, bad, count);
        return;
    }
    line_put(check, &line,
             "generation %" PRIu64 ", epoch %u, %u shards, %u streams, %u views, %u files",
             manifest->generation, manifest->epoch, manifest->shard_count,
             manifest->catalog.stream_count, manifest->catalog.view_count, count);
    check->sum->manifest_count++;
    if (!check->has_newest) {
        *check->newest = *manifest;
        check->has_newest = true;
    }
}

static void manifest_check(struct check *check, const struct store_name *name)
{
    char path[PATH_SIZE_MAX];
    struct store_file file;
    struct store_line line = line_of(name, STORE_DAMAGED);
    if (!file_open(check, name, path, &file)) {
        return;
    }
    uint64_t size;
    const uint8_t *data = store_file_view(&file, 0, MANIFEST_BYTES_MAX + 1, &size);
    enum result result = manifest_decode(data, (uint32_t)size, check->manifest);
    if (result != RESULT_OK) {
        damage_put(check, &file, &line, result_name(result));
    } else if (check->manifest->generation != name->number) {
        damage_put(check, &file, &line, "it is of another generation than its name");
    } else if (!store_is_same(check, check->manifest->store_id)) {
        damage_put(check, &file, &line, "it is of another store");
    } else {
        manifest_files_check(check, name);
    }
    store_file_close(&file);
}

static void break_describe(const struct store_segment *segment, const struct store_break *at,
                           uint32_t shard, char *out, size_t size)
{
    char first[STORE_LSN_SIZE_MAX];
    char last[STORE_LSN_SIZE_MAX];
    if (segment->break_count == 0) {
        (void)snprintf(out, size,
                       "the file is shorter than the %" PRIu64
                       " bytes of the segment; good up to LSN %s",
                       segment->segment.size_bytes, store_lsn_format(segment->last_lsn, last));
        return;
    }
    (void)snprintf(out, size,
                   "at %" PRIu64 ": %s; good again at %" PRIu64
                   ": LSN %s to %s of shard %u cannot be read (%u breaks)",
                   at->place, mirror_find_sentence(at->find), at->next_place,
                   store_lsn_format(at->first_lsn, first), store_lsn_format(at->last_lsn, last),
                   shard, segment->break_count);
}

static void segment_damage_put(struct check *check, const struct store_name *name,
                               const struct store_file *file, struct store_segment *segment)
{
    const struct shard_log *log = &check->log[name->shard];
    char text[STORE_TEXT_SIZE_MAX / 2 + 64];
    struct store_line line = line_of(name, STORE_DAMAGED);
    if (segment->header != RESULT_OK && log->begun) {
        segment->damage.first_lsn = log->last_lsn + 1; /* The log before it says where it began. */
    }
    if (segment->break_count > 0) {
        line.lost_first_lsn = segment->damage.first_lsn;
        line.lost_last_lsn = segment->damage.last_lsn;
    }
    break_describe(segment, &segment->damage, name->shard, text, sizeof(text));
    damage_put(check, file, &line, text);
}

static void segment_line_put(struct check *check, const struct store_name *name,
                             const struct store_segment *segment)
{
    char first[STORE_LSN_SIZE_MAX];
    char last[STORE_LSN_SIZE_MAX];
    struct store_line line = line_of(name, STORE_GOOD);
    if (segment->state == STORE_SEGMENT_EMPTY) {
        line.state = STORE_EMPTY;
        line_put(check, &line, "not begun");
        return;
    }
    bool torn = segment->state == STORE_SEGMENT_TORN;
    line.state = torn ? STORE_TORN : STORE_GOOD;
    if (segment->header != RESULT_OK) {
        line_put(check, &line, "its header is torn, and nothing stands behind it");
        return;
    }
    if (segment->frame_count > 0) {
        line.first_lsn = segment->segment.first_lsn;
        line.last_lsn = segment->last_lsn;
    }
    line_put(check, &line, "%u frames, LSN %s to %s; ends at %" PRIu64 ": %s", segment->frame_count,
             store_lsn_format(segment->segment.first_lsn, first),
             store_lsn_format(segment->last_lsn, last), segment->end.place,
             mirror_find_sentence(segment->end.find));
}

/* The last LSN of a segment that was walked before: it may have grown since. */
static uint64_t segment_last_again(struct check *check, const struct store_name *name,
                                   uint64_t last_lsn)
{
    char path[PATH_SIZE_MAX];
    struct store_file file;
    struct store_segment segment;
    (void)snprintf(path, sizeof(path), "%s/%s", check->path, name->name);
    if (store_file_open(&file, path) != RESULT_OK) {
        return UINT64_MAX; /* Gone: nothing can be said about it any more. */
    }
    store_segment_check(&file, name->shard, name->number, NULL, NULL, &segment);
    store_file_close(&file);
    return segment.last_lsn > last_lsn ? segment.last_lsn : last_lsn;
}

/* The segment against the one before it. A torn end is none when the next segment names its last
 * good LSN: recovery has seen it. */
static void log_check(struct check *check, const struct store_name *name,
                      const struct store_segment *segment)
{
    struct shard_log *log = &check->log[name->shard];
    struct store_line line = line_of(name, STORE_DAMAGED);
    char first[STORE_LSN_SIZE_MAX];
    char last[STORE_LSN_SIZE_MAX];
    if (log->begun && segment->segment.first_lsn <= log->first_lsn) {
        line_put(check, &line, "begins at LSN %s, not behind %s, which begins at %s",
                 store_lsn_format(segment->segment.first_lsn, first), log->name->name,
                 store_lsn_format(log->first_lsn, last));
    } else if (log->begun && segment->segment.before_lsn > log->last_lsn) {
        uint64_t last_lsn = segment_last_again(check, log->name, log->last_lsn);
        if (segment->segment.before_lsn > last_lsn) {
            line.lost_first_lsn = last_lsn + 1;
            line.lost_last_lsn = segment->segment.before_lsn;
            line_put(check, &line,
                     "the log before it ends in %s: LSN %s to %s of shard %u are missing",
                     log->name->name, store_lsn_format(line.lost_first_lsn, first),
                     store_lsn_format(line.lost_last_lsn, last), name->shard);
        }
    }
    if (!log->begun) {
        log->before_lsn = segment->segment.before_lsn;
    }
    log->begun = true;
    log->first_lsn = segment->segment.first_lsn;
    log->last_lsn = segment->last_lsn;
    log->name = name;
}

static void segment_check(struct check *check, const struct store_name *name)
{
    char path[PATH_SIZE_MAX];
    struct store_file file;
    struct store_segment segment;
    if (!file_open(check, name, path, &file)) {
        return;
    }
    store_segment_check(&file, name->shard, name->number, NULL, NULL, &segment);
    bool begun = segment.header == RESULT_OK && segment.state != STORE_SEGMENT_EMPTY;
    if (begun && !store_is_same(check, segment.segment.store_id)) {
        struct store_line line = line_of(name, STORE_DAMAGED);
        damage_put(check, &file, &line, "it is of another store");
        begun = false;
    } else if (segment.state == STORE_SEGMENT_DAMAGED) {
        segment_damage_put(check, name, &file, &segment);
    } else {
        segment_line_put(check, name, &segment);
    }
    if (begun && store_file_is_named(&file)) {
        log_check(check, name, &segment);
    }
    store_file_close(&file);
}

/* The newest manifest needs the log from behind its replay LSN on, at least to its walk's end. */
static void replay_check(struct check *check)
{
    char name[MANIFEST_NAME_SIZE_MAX];
    char first[STORE_LSN_SIZE_MAX];
    char last[STORE_LSN_SIZE_MAX];
    manifest_name_format(check->newest->generation, name);
    for (uint32_t s = 0; s < check->newest->shard_count; s++) {
        const struct manifest_shard *shard = &check->newest->shard[s];
        const struct shard_log *log = &check->log[s];
        struct store_line line = {.name = name, .shard = (int32_t)s, .state = STORE_DAMAGED};
        if (log->begun && log->before_lsn > shard->replay_lsn) {
            line.lost_first_lsn = shard->replay_lsn + 1;
            line.lost_last_lsn = log->before_lsn;
        } else if (log->begun && log->last_lsn < shard->end_lsn) {
            line.lost_first_lsn = log->last_lsn + 1;
            line.lost_last_lsn = shard->end_lsn;
        } else {
            continue;
        }
        line_put(check, &line, "its replay needs LSN %s to %s of shard %u, which no segment holds",
                 store_lsn_format(line.lost_first_lsn, first),
                 store_lsn_format(line.lost_last_lsn, last), s);
    }
}

static void tile_left_put(struct check *check, struct store_name *name)
{
    if (name->checked) {
        return;
    }
    if (tile_read(check, name)) {
        struct store_line line = line_of(name, STORE_UNNAMED);
        line_put(check, &line, "no manifest names it");
    }
}

static void name_check(struct check *check, struct store_name *name)
{
    switch (name->kind) {
    case STORE_NAME_MANIFEST:
        manifest_check(check, name);
        return;
    case STORE_NAME_TILE:
        tile_left_put(check, name);
        return;
    case STORE_NAME_SEGMENT:
        segment_check(check, name);
        return;
    case STORE_NAME_OTHER:
        break;
    }
    struct store_line line = line_of(name, STORE_OTHER);
    line_put(check, &line, "not a segment, tile file or manifest by its name: not looked at");
}

enum result store_check(const char *directory, store_line_visit *visit, void *context,
                        struct store_sum *out_sum)
{
    *out_sum = (struct store_sum){0};
    struct check check = {.path = directory, .visit = visit, .context = context, .sum = out_sum};
    enum result result = store_directory_read(&check.directory, directory);
    if (result != RESULT_OK) {
        return result;
    }
    check.manifest = heap_alloc(sizeof(*check.manifest));
    check.newest = heap_alloc(sizeof(*check.newest));
    if (check.manifest == NULL || check.newest == NULL) {
        result = RESULT_NO_MEMORY;
        goto done;
    }
    for (uint32_t i = 0; i < check.directory.count; i++) {
        name_check(&check, &check.directory.name[i]);
    }
    if (check.has_newest) {
        replay_check(&check);
    }
done:
    heap_free(check.manifest);
    heap_free(check.newest);
    store_directory_free(&check.directory);
    return result;
}
