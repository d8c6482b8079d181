/* The parts of a training set, one by one; those that are there already are passed over. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/train_inside.h"
#include "controlplane/train_state.h"

void train_spool_name(const struct train *train, uint32_t part, char out[DISK_NAME_SIZE_MAX])
{
    (void)snprintf(out, DISK_NAME_SIZE_MAX, "%.96s.parts/part-%06u", train->name, part);
}

static void state_name(const struct train *train, char out[DISK_NAME_SIZE_MAX])
{
    (void)snprintf(out, DISK_NAME_SIZE_MAX, "%.96s.parts/state", train->name);
}

static void folder_name(const struct train *train, char out[DISK_NAME_SIZE_MAX])
{
    (void)snprintf(out, DISK_NAME_SIZE_MAX, "%.96s.parts", train->name);
}

/* True when the part's spool is there and is this run's; then its rows are passed over. */
static bool part_is_done(struct train *train, uint32_t part, uint32_t *out_rows)
{
    char name[DISK_NAME_SIZE_MAX];
    struct train_spool_reader reader;
    train_spool_name(train, part, name);
    if (train_spool_open(train->disk, name, &reader) != RESULT_OK) {
        return false;
    }
    bool ours = reader.spool.identity == train->identity && reader.spool.part == part &&
                reader.spool.items == train->service->item_count && reader.spool.rows > 0;
    *out_rows = reader.spool.rows;
    train_spool_close(&reader);
    return ours;
}

static enum result rows_skip(struct train *train, uint32_t rows)
{
    while (rows > 0) {
        struct label_batch batch;
        char error[LABEL_ERROR_SIZE_MAX];
        if (label_table_next(train->labels, rows, &batch, error) != RESULT_OK) {
            return train_fail(train, "%s", error);
        }
        if (batch.rows == 0) {
            return train_fail(train, "%s: has fewer rows than before", train->options->labels);
        }
        rows -= batch.rows;
        train->rows += batch.rows;
    }
    atomic_store_explicit(&train->shared_rows, train->rows, memory_order_relaxed);
    return RESULT_OK;
}

/* Where a part's values stay: in a file, or in memory where the labels end with it. */
static enum result values_settle(struct train *train, uint32_t number, uint32_t rows,
                                 struct buffer *values)
{
    const struct train_spool spool = {.identity = train->identity,
                                      .part = number,
                                      .rows = rows,
                                      .items = train->service->item_count};
    char name[DISK_NAME_SIZE_MAX];
    if (rows < train->part_rows) {
        train_spool_take(&spool, values, &train->last_values);
        return RESULT_OK;
    }
    train_spool_name(train, number, name);
    enum result result = train_spool_write(train->disk, name, &spool, values);
    return result == RESULT_OK
               ? RESULT_OK
               : train_fail(train, "%s: cannot be written: %s", name, result_name(result));
}

static void phase_note(struct train *train, enum train_phase phase)
{
    atomic_store_explicit(&train->shared_phase, phase, memory_order_relaxed);
}

/* One part's rows answered; *out_rows 0: the labels are at their end. */
static enum result part_run(struct train *train, uint32_t number, uint32_t *out_rows)
{
    struct train_part part;
    struct train_values gathered = {.train = train};
    buffer_init(&gathered.values, 0);
    phase_note(train, TRAIN_LABELS);
    enum result result = train_part_read(train, train->part_rows, &part);
    if (result == RESULT_NO_MEMORY) {
        result =
            train_fail(train, "no memory for %u rows: allow fewer by --memory", train->part_rows);
    }
    *out_rows = part.rows;
    atomic_store_explicit(&train->shared_part_rows, part.rows, memory_order_relaxed);
    phase_note(train, TRAIN_MIRROR);
    if (result == RESULT_OK && part.rows > 0) {
        result = train_rows_answer(train, &part, 0, part.rows, train_rows_spool, &gathered);
    }
    if (result == RESULT_OK && gathered.stays) {
        train->last = part;
        part = (struct train_part){.rows = 0};
    } else if (result == RESULT_OK && part.rows > 0) {
        result = values_settle(train, number, part.rows, &gathered.values);
    }
    buffer_deinit(&gathered.values);
    train_part_free(&part);
    return result;
}

/* One run at a time has the folder of parts, until *out_lock is closed; -1: none does. */
static enum result parts_lock(struct train *train, int *out_lock)
{
    char path[TRAIN_PATH_SIZE_MAX + 32];
    char name[DISK_NAME_SIZE_MAX];
    struct stat folder;
    folder_name(train, name);
    enum result result = disk_folder_make(train->disk, name);
    if (result != RESULT_OK) {
        return train_fail(train, "%s: cannot be made: %s", name, result_name(result));
    }
    (void)snprintf(path, sizeof(path), "%s.parts", train->options->out);
    *out_lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out_lock < 0) {
        return train_fail(train, "%s: %s", path, strerror(errno));
    }
    /* Without links: the run that had it is at its end, and has removed it. */
    bool ours = flock(*out_lock, LOCK_EX | LOCK_NB) == 0 && fstat(*out_lock, &folder) == 0 &&
                folder.st_nlink > 0;
    return ours ? RESULT_OK
                : train_fail(train, "%s: another run makes this set", train->options->out);
}

/* Goes on with what a run before left, if it was about the same; else begins anew. */
static enum result state_enter(struct train *train)
{
    char name[DISK_NAME_SIZE_MAX];
    struct train_state state = {.identity = train->identity, .part_rows = train->part_rows};
    enum result result = RESULT_OK;
    state_name(train, name);
    struct train_state before;
    if (train_state_read(train->disk, name, &before) == RESULT_OK &&
        before.identity == train->identity) {
        train->part_rows = before.part_rows;
        if (train->mirror != NULL) {
            mirror_history_end_set(train->mirror, before.last_lsn);
        }
        if (train->known != NULL) {
            mirror_history_end_set(train->known, before.last_lsn);
        }
        return RESULT_OK;
    }
    if (train->mirror != NULL) {
        memcpy(state.last_lsn, mirror_history_range(train->mirror)->last_lsn,
               sizeof(state.last_lsn));
    }
    for (uint32_t part = 0; result == RESULT_OK; part++) {
        char spool[DISK_NAME_SIZE_MAX];
        train_spool_name(train, part, spool);
        if (disk_remove(train->disk, spool) != RESULT_OK) {
            break;
        }
    }
    result = result == RESULT_OK ? train_state_write(train->disk, name, &state) : result;
    return result == RESULT_OK
               ? RESULT_OK
               : train_fail(train, "%s: cannot be written: %s", name, result_name(result));
}

/* What only a run that is not whole needs; what cannot be removed does no harm. */
static void parts_remove(struct train *train, uint32_t part_count)
{
    char path[TRAIN_PATH_SIZE_MAX + 32];
    for (uint32_t part = 0; part < part_count; part++) {
        (void)snprintf(path, sizeof(path), "%s.parts/part-%06u", train->options->out, part);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof(path), "%s.parts/state", train->options->out);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s.parts", train->options->out);
    (void)rmdir(path);
}

/* Where the answers of a part go. */
static enum result packs_open(struct train *train)
{
    uint64_t reads = (uint64_t)train->part_rows * train->view_count;
    enum result result = RESULT_OK;
    if (train->mirror != NULL) {
        result = train_pack_init(&train->pack, train->thread_count, reads);
    }
    if (result == RESULT_OK && train->known != NULL) {
        result = train_pack_init(&train->pack_known, train->thread_count, reads);
    }
    return result == RESULT_OK ? RESULT_OK : train_fail(train, "no memory");
}

enum result train_run(struct train *train)
{
    int lock = -1;
    enum result result = parts_lock(train, &lock);
    bool ours = result == RESULT_OK;
    result = ours ? state_enter(train) : result;
    result = result == RESULT_OK ? packs_open(train) : result;
    uint32_t part_count = 0;
    uint32_t rows = 1;
    while (result == RESULT_OK && rows > 0) {
        if (part_is_done(train, part_count, &rows)) {
            result = rows_skip(train, rows);
        } else {
            result = part_run(train, part_count, &rows);
        }
        part_count += result == RESULT_OK && rows > 0;
    }
    phase_note(train, TRAIN_SET);
    result = result == RESULT_OK ? train_output_write(train, part_count) : result;
    result = result == RESULT_OK ? train_card_write(train) : result;
    if (ours && (result == RESULT_OK || part_count == 0)) {
        parts_remove(train, part_count);
    }
    if (lock >= 0) {
        (void)close(lock);
    }
    return result;
}
