#include "controlplane/store_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/archives.h"
#include "controlplane/served_reader.h"
#include "controlplane/store_check_inside.h"
#include "controlplane/store_corrections.h"
#include "controlplane/store_epochs.h"
#include "dataplane/feature/mirror_scan.h"
#include "drivers/memory.h"

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
                   lsn_number(lsn));
    return out;
}

void store_line_put(struct store_check *check, struct store_line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line->text, sizeof(line->text), format, arguments);
    va_end(arguments);
    check->sum->count[line->state]++;
    check->visit(check->context, line);
}

struct store_line store_line_of(const struct store_name *name, enum store_state state)
{
    bool sharded = name->kind == STORE_NAME_SEGMENT || name->kind == STORE_NAME_TILE ||
                   name->kind == STORE_NAME_FILLED;
    return (struct store_line){
        .name = name->name, .state = state, .shard = sharded ? (int32_t)name->shard : -1};
}

bool store_check_open(struct store_check *check, const struct store_name *name,
                      char path[STORE_PATH_SIZE_MAX], struct store_file *out_file)
{
    (void)snprintf(path, STORE_PATH_SIZE_MAX, "%s/%s", check->path, name->name);
    enum result result = store_file_open(out_file, path);
    if (result == RESULT_OK) {
        return true;
    }
    bool gone = result == RESULT_NOT_FOUND;
    struct store_line line = store_line_of(name, gone ? STORE_GONE : STORE_DAMAGED);
    if (gone) {
        store_line_put(check, &line, "vanished while the directory was checked");
    } else {
        store_line_put(check, &line, "cannot be read: %s",
                       result == RESULT_SYSTEM ? strerror(errno) : result_name(result));
    }
    return false;
}

void store_damage_put(struct store_check *check, const struct store_file *file,
                      struct store_line *line, const char *text)
{
    if (!store_file_is_named(file)) {
        line->state = STORE_GONE;
        line->lost_first_lsn = line->lost_last_lsn = 0;
        store_line_put(check, line, "vanished while it was read");
    } else if (file->error != 0) {
        store_line_put(check, line, "%s; reading failed: %s", text, strerror(file->error));
    } else {
        store_line_put(check, line, "%s", text);
    }
}

bool store_check_is_same(struct store_check *check, const uint8_t store_id[MIRROR_STORE_ID_BYTES])
{
    if (!check->has_store) {
        memcpy(check->store_id, store_id, MIRROR_STORE_ID_BYTES);
        check->has_store = true;
    }
    return memcmp(check->store_id, store_id, MIRROR_STORE_ID_BYTES) == 0;
}

/* What of a tile file is not as the file says that names it; NULL: nothing. */
static const char *tile_difference(const uint8_t *store_id, const struct manifest_file *file,
                                   const struct store_name *name)
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
                tile->generation == name->number && tile->store == mirror_store_of(store_id);
    return tile->block_count == 0 || same ? NULL : "kind, shard, generation or store";
}

/* Reads a tile file once, however many manifests name it. False: the line is put. */
static bool tile_read(struct store_check *check, struct store_name *name)
{
    char path[STORE_PATH_SIZE_MAX];
    struct store_file file;
    if (name->checked) {
        return name->tile.result == RESULT_OK;
    }
    if (!store_check_open(check, name, path, &file)) {
        return false;
    }
    store_tile_check(&file, NULL, NULL, &name->tile);
    name->checked = true;
    if (name->tile.result != RESULT_OK) {
        struct store_line line = store_line_of(name, STORE_DAMAGED);
        char text[STORE_TEXT_SIZE_MAX / 2];
        (void)snprintf(text, sizeof(text), "block %u at %" PRIu64 ": %s", name->tile.block_count,
                       name->tile.place, name->tile.reason);
        store_damage_put(check, &file, &line, text);
    }
    store_file_close(&file);
    return name->tile.result == RESULT_OK;
}

bool store_check_is_there(const struct store_check *check, const struct store_name *name)
{
    char path[STORE_PATH_SIZE_MAX];
    struct store_file file;
    (void)snprintf(path, sizeof(path), "%s/%s", check->path, name->name);
    bool there = store_file_open(&file, path) == RESULT_OK;
    if (there) {
        store_file_close(&file);
    }
    return there;
}

bool store_check_tile(struct store_check *check, struct store_name *name,
                      const struct manifest_file *file, const uint8_t *store_id, const char *by)
{
    bool first = !name->checked;
    if (!tile_read(check, name)) {
        return false;
    }
    const char *difference = tile_difference(store_id, file, name);
    struct store_line line = store_line_of(name, difference == NULL ? STORE_GOOD : STORE_DAMAGED);
    if (difference != NULL) {
        store_line_put(check, &line, "its %s is not what %s says", difference, by);
    } else if (first) {
        store_line_put(check, &line, "%u blocks, %" PRIu64 " %s, %" PRIu64 " bytes",
                       name->tile.block_count, name->tile.row_count,
                       file->kind == TILE_ROWS ? "rows" : "lanes", name->tile.size_bytes);
    }
    return difference == NULL;
}

/* One file of a manifest; returns whether it is good. */
static bool manifest_file_check(struct store_check *check, const struct store_name *manifest_name,
                                const struct manifest_file *file)
{
    struct store_name *name = store_directory_find(&check->directory, file->name);
    if (name == NULL) {
        struct store_line line = {.name = file->name, .shard = -1, .state = STORE_DAMAGED};
        if (!store_check_is_there(check, manifest_name)) {
            line.state = STORE_GONE;
        }
        store_line_put(check, &line, "%s names it, and it is not there", manifest_name->name);
        return false;
    }
    return store_check_tile(check, name, file, check->manifest->store_id, manifest_name->name);
}

static void manifest_files_check(struct store_check *check, const struct store_name *name)
{
    const struct manifest *manifest = check->manifest;
    struct store_line line = store_line_of(name, STORE_GOOD);
    uint32_t bad = 0;
    uint32_t count = 0;
    for (uint32_t s = 0; s < manifest->shard_count; s++) {
        for (uint32_t i = 0; i < manifest->shard[s].file_count; i++) {
            bad += !manifest_file_check(check, name, &manifest->shard[s].file[i]);
            count++;
        }
    }
    if (bad > 0) {
        line.state = store_check_is_there(check, name) ? STORE_DAMAGED : STORE_GONE;
        store_line_put(check, &line, "generation %" PRIu64 ": %u of its %u files are not good",
                       manifest->generation, bad, count);
        return;
    }
    store_line_put(check, &line,
                   "generation %" PRIu64 ", epoch %u, %u shards, %u streams, %u views, %u files",
                   manifest->generation, manifest->epoch, manifest->shard_count,
                   manifest->catalog.stream_count, manifest->catalog.view_count, count);
    check->sum->manifest_count++;
    if (!check->has_newest) {
        *check->newest = *manifest;
        check->has_newest = true;
    }
}

static void manifest_check(struct store_check *check, const struct store_name *name)
{
    char path[STORE_PATH_SIZE_MAX];
    struct store_file file;
    struct store_line line = store_line_of(name, STORE_DAMAGED);
    if (!store_check_open(check, name, path, &file)) {
        return;
    }
    uint64_t size;
    const uint8_t *data = store_file_view(&file, 0, MANIFEST_BYTES_MAX + 1, &size);
    enum result result = manifest_decode(data, (uint32_t)size, check->manifest);
    if (result != RESULT_OK) {
        store_damage_put(check, &file, &line, result_name(result));
    } else if (check->manifest->generation != name->number) {
        store_damage_put(check, &file, &line, "it is of another generation than its name");
    } else if (!store_check_is_same(check, check->manifest->store_id)) {
        store_damage_put(check, &file, &line, "it is of another store");
    } else {
        manifest_files_check(check, name);
    }
    store_file_close(&file);
}

static void epochs_check(struct store_check *check, const struct store_name *name)
{
    char path[STORE_PATH_SIZE_MAX];
    struct store_file file;
    struct store_line line = store_line_of(name, STORE_DAMAGED);
    if (!store_check_open(check, name, path, &file)) {
        return;
    }
    enum result result = store_epochs_newest(&file, &check->epochs[0], &check->epochs[1]);
    if (result != RESULT_OK) {
        store_damage_put(check, &file, &line, "no slot is whole");
    } else if (!store_check_is_same(check, check->epochs->store_id)) {
        store_damage_put(check, &file, &line, "it is of another store");
    } else {
        line.state = STORE_GOOD;
        check->has_epochs = true;
        store_line_put(check, &line, "epoch %u of %u shards, %u cuts", check->epochs->epoch,
                       check->epochs->shard_count, check->epochs->cut_count);
    }
    store_file_close(&file);
}

static void corrections_check(struct store_check *check, const struct store_name *name)
{
    char path[STORE_PATH_SIZE_MAX];
    struct store_file file;
    struct correction_head head;
    uint32_t events = 0;
    struct store_line line = store_line_of(name, STORE_DAMAGED);
    if (!store_check_open(check, name, path, &file)) {
        return;
    }
    enum result result = store_corrections_read(&file, &head, &events);
    if (result != RESULT_OK) {
        store_damage_put(check, &file, &line, result_name(result));
    } else if (!store_check_is_same(check, head.store_id)) {
        store_damage_put(check, &file, &line, "it is of another store");
    } else {
        line.state = STORE_GOOD;
        store_line_put(check, &line, "%u corrections of events", events);
    }
    store_file_close(&file);
}

static void archives_check(struct store_check *check, const struct store_name *name)
{
    char path[STORE_PATH_SIZE_MAX];
    struct store_file file;
    struct archives archives;
    uint64_t size;
    struct store_line line = store_line_of(name, STORE_GOOD);
    if (!store_check_open(check, name, path, &file)) {
        return;
    }
    const uint8_t *text = store_file_view(&file, 0, ARCHIVES_BYTES_MAX + 1, &size);
    if (archives_decode((const char *)text, size, &archives) != RESULT_OK) {
        line.state = STORE_DAMAGED;
        store_damage_put(check, &file, &line, "it names no folders below the directory");
    } else {
        store_line_put(check, &line, "%u folders of old segments", archives.count);
    }
    store_file_close(&file);
}

static void tile_left_put(struct store_check *check, struct store_name *name, const char *text)
{
    if (name->checked) {
        return;
    }
    if (tile_read(check, name)) {
        struct store_line line = store_line_of(name, STORE_UNNAMED);
        store_line_put(check, &line, "%s", text);
    }
}

/* Served answers: they belong to no manifest and no log. */
static void served_check(struct store_check *check, const struct store_name *name)
{
    struct served_reader_report report = {0};
    struct store_line line = store_line_of(name, STORE_GOOD);
    enum result result = served_reader_check(check->path, name->number, &report);
    if (result == RESULT_NOT_FOUND) {
        line.state = STORE_GONE;
        store_line_put(check, &line, "vanished while the directory was checked");
    } else if (result == RESULT_TRUNCATED) {
        line.state = STORE_EMPTY;
        store_line_put(check, &line, "no answers");
    } else if (result != RESULT_OK || report.damaged > 0) {
        line.state = STORE_DAMAGED;
        store_line_put(check, &line, "%s, %" PRIu64 " answers can be read",
                       result != RESULT_OK ? "its header is none" : "bytes are damaged",
                       report.records);
    } else {
        line.state = report.torn_files > 0 ? STORE_TORN : STORE_GOOD;
        store_line_put(check, &line, "%" PRIu64 " answers", report.records);
    }
}

static void name_check(struct store_check *check, struct store_name *name)
{
    switch (name->kind) {
    case STORE_NAME_EPOCHS:
        epochs_check(check, name);
        return;
    case STORE_NAME_CORRECTIONS:
        corrections_check(check, name);
        return;
    case STORE_NAME_ARCHIVES:
        archives_check(check, name);
        return;
    case STORE_NAME_MANIFEST:
        manifest_check(check, name);
        return;
    case STORE_NAME_BACKFILL:
        store_check_backfill(check, name);
        return;
    case STORE_NAME_TILE:
        tile_left_put(check, name, "no manifest names it");
        return;
    case STORE_NAME_FILLED:
        tile_left_put(check, name, "no backfill names it");
        return;
    case STORE_NAME_SEGMENT:
        store_check_segment(check, name);
        return;
    case STORE_NAME_SERVED:
        served_check(check, name);
        return;
    case STORE_NAME_OTHER:
        break;
    }
    struct store_line line = store_line_of(name, STORE_OTHER);
    store_line_put(check, &line, "by its name no file of these formats: not looked at");
}

enum result store_check(const char *directory, store_line_visit *visit, void *context,
                        struct store_sum *out_sum)
{
    *out_sum = (struct store_sum){0};
    struct store_check check = {
        .path = directory, .visit = visit, .context = context, .sum = out_sum};
    enum result result = store_directory_read(&check.directory, directory);
    if (result != RESULT_OK) {
        return result;
    }
    check.manifest = heap_alloc(sizeof(*check.manifest));
    check.newest = heap_alloc(sizeof(*check.newest));
    check.epochs = heap_alloc(2 * sizeof(*check.epochs));
    if (check.manifest == NULL || check.newest == NULL || check.epochs == NULL) {
        result = RESULT_NO_MEMORY;
        goto done;
    }
    for (uint32_t i = 0; i < check.directory.count; i++) {
        name_check(&check, &check.directory.name[i]);
    }
    if (check.has_epochs) {
        store_check_cut(&check);
    }
    if (check.has_newest) {
        store_check_replay(&check);
    }
done:
    heap_free(check.manifest);
    heap_free(check.newest);
    heap_free(check.epochs);
    store_directory_free(&check.directory);
    return result;
}
