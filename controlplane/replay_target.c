#include "controlplane/replay_target.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/epochs.h"
#include "controlplane/recovery.h"
#include "dataplane/feature/file_name.h"
#include "drivers/memory.h"

#define NAMES_MAX 256u

/* What is in the directory. */
struct contents {
    bool unfinished;
    uint32_t count;
    char name[NAMES_MAX][DISK_NAME_SIZE_MAX];
    char stranger[DISK_NAME_SIZE_MAX]; /* One that no replay leaves; "" when there is none. */
};

/* Names of disk_lock() and disk_open(), and of file systems: of nobody's data. */
static bool name_is_nothing(const char *name)
{
    static const char *const nothing[] = {".", "..", "lock", ".probe", "lost+found"};
    for (size_t i = 0; i < ARRAY_COUNT(nothing); i++) {
        if (strcmp(name, nothing[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Names that recovery gives to the files of a copy; .tmp while they are written. */
static bool name_is_ours(const char *name)
{
    char bare[DISK_NAME_SIZE_MAX];
    uint64_t generation;
    uint32_t shard;
    enum tile_kind kind;
    const char *whole = file_name_is_tmp(name, bare, sizeof(bare)) ? bare : name;
    return strcmp(whole, RECOVERY_UNFINISHED_NAME) == 0 || strcmp(whole, EPOCHS_NAME) == 0 ||
           strcmp(whole, EPOCHS_NAME ".spare") == 0 || manifest_name_parse(whole, &generation) ||
           tile_name_parse(whole, &generation, &shard, &kind);
}

static void name_add(struct contents *contents, const char *name)
{
    contents->unfinished = contents->unfinished || strcmp(name, RECOVERY_UNFINISHED_NAME) == 0;
    if (!name_is_ours(name) || contents->count == NAMES_MAX) {
        (void)snprintf(contents->stranger, sizeof(contents->stranger), "%.120s", name);
        return;
    }
    (void)snprintf(contents->name[contents->count++], DISK_NAME_SIZE_MAX, "%.120s", name);
}

static enum result contents_read(const char *directory, struct contents *out)
{
    memset(out, 0, sizeof(*out));
    DIR *entries = opendir(directory);
    if (entries == NULL) {
        return errno == ENOENT ? RESULT_OK : RESULT_SYSTEM;
    }
    errno = 0;
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (!name_is_nothing(entry->d_name)) {
            name_add(out, entry->d_name);
        }
    }
    enum result result = errno == 0 ? RESULT_OK : RESULT_SYSTEM;
    (void)closedir(entries);
    return result;
}

/* What an earlier replay left; its mark stays. */
static enum result contents_remove(struct disk *disk, const struct contents *contents)
{
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && i < contents->count; i++) {
        if (strcmp(contents->name[i], RECOVERY_UNFINISHED_NAME) != 0) {
            result = disk_remove(disk, contents->name[i]);
            result = result == RESULT_NOT_FOUND ? RESULT_OK : result;
        }
    }
    return result == RESULT_OK ? disk_folder_sync(disk, "") : result;
}

static enum result mark_make(struct disk *disk)
{
    struct disk_file *file;
    enum result result = disk_file_open(disk, RECOVERY_UNFINISHED_NAME, DISK_CREATE, &file);
    if (result == RESULT_EXISTS) {
        return RESULT_OK;
    }
    if (result != RESULT_OK) {
        return result;
    }
    result = disk_file_sync(file);
    disk_file_close(file);
    return result == RESULT_OK ? disk_folder_sync(disk, "") : result;
}

static enum result directory_take(const char *directory, struct contents *contents,
                                  struct disk **out_disk, char error[REPLAY_TARGET_ERROR_SIZE_MAX])
{
    const struct disk_options options = {.driver = DISK_DRIVER_THREADS, .directory = directory};
    char why[DISK_ERROR_SIZE_MAX];
    enum result result = disk_open(&options, out_disk, why);
    if (result != RESULT_OK) {
        (void)snprintf(error, REPLAY_TARGET_ERROR_SIZE_MAX, "--into %.400s", why);
        return result;
    }
    result = disk_lock(*out_disk);
    /* Again: whoever had the lock may have gone on. */
    if (result == RESULT_OK) {
        result = contents_read(directory, contents);
    }
    bool foreign = contents->stranger[0] != '\0' || (contents->count > 0 && !contents->unfinished);
    if (result == RESULT_OK && foreign) {
        result = RESULT_EXISTS;
    }
    if (result == RESULT_OK) {
        result = mark_make(*out_disk);
    }
    if (result == RESULT_OK) {
        result = contents_remove(*out_disk, contents);
    }
    if (result != RESULT_OK) {
        (void)snprintf(error, REPLAY_TARGET_ERROR_SIZE_MAX, "--into %.300s: %s", directory,
                       result == RESULT_BUSY     ? "another process has it"
                       : result == RESULT_EXISTS ? "it is not empty"
                                                 : result_name(result));
        disk_close(*out_disk);
    }
    return result;
}

enum result replay_target_open(const char *directory, struct disk **out_disk,
                               char error[REPLAY_TARGET_ERROR_SIZE_MAX])
{
    struct contents *contents = heap_alloc(sizeof(*contents));
    if (contents == NULL) {
        (void)snprintf(error, REPLAY_TARGET_ERROR_SIZE_MAX, "no memory");
        return RESULT_NO_MEMORY;
    }
    enum result result = contents_read(directory, contents);
    bool foreign = contents->stranger[0] != '\0';
    if (result != RESULT_OK) {
        (void)snprintf(error, REPLAY_TARGET_ERROR_SIZE_MAX, "--into %.300s: %m", directory);
    } else if (foreign || (contents->count > 0 && !contents->unfinished)) {
        (void)snprintf(error, REPLAY_TARGET_ERROR_SIZE_MAX,
                       "--into %.300s: it is not empty (`%.100s` is in it); name a new directory",
                       directory, foreign ? contents->stranger : contents->name[0]);
        result = RESULT_EXISTS;
    } else {
        result = directory_take(directory, contents, out_disk, error);
    }
    heap_free(contents);
    return result;
}

enum result replay_target_publish(struct disk *disk)
{
    enum result result = disk_remove(disk, RECOVERY_UNFINISHED_NAME);
    return result == RESULT_OK ? disk_folder_sync(disk, "") : result;
}
