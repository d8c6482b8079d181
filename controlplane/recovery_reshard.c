/* Recovery into another shard count, or into a copy in another directory.
 *
 * The logs of the count before end with its cut. All that they and their manifest hold is in the
 * workers now; it becomes a whole checkpoint of the new count, of the epoch to come, at its LSN 0.
 * Only then the epoch is claimed with the new count: whoever starts before that sees the store as
 * it was, because a manifest of an epoch that nobody claimed does not count. */
#include "controlplane/checkpoint.h"
#include "controlplane/recovery_inside.h"
#include "dataplane/walk_door.h"
#include "drivers/memory.h"

#include <string.h>

static enum result checkpoint_run(struct recovery *recovery, struct checkpoint *checkpoint,
                                  struct worker *const *workers)
{
    uint64_t wanted = checkpoint_ask(checkpoint);
    struct checkpoint_report report = {0};
    enum result result = RESULT_OK;
    while (result == RESULT_OK && report.count < wanted) {
        for (uint32_t w = 0; w < recovery->options.shard_count; w++) {
            worker_walk_turn(workers[w]);
        }
        result = checkpoint_step(checkpoint, recovery->options.now_us);
        checkpoint_report_read(checkpoint, &report);
        result = result == RESULT_OK && report.failed > 0 ? report.failure : result;
    }
    return result;
}

/* A copy is a store of its own, whose epochs go on behind those that its rows name. */
static enum result target_claim(struct recovery *recovery, char error[RECOVERY_ERROR_SIZE_MAX])
{
    uint32_t shard_count = recovery->options.shard_count;
    struct epochs *epochs = heap_alloc(sizeof(*epochs));
    if (epochs == NULL) {
        return recovery_fail(error, RESULT_NO_MEMORY, "no memory for epochs");
    }
    *epochs = (struct epochs){.created_us = recovery->epochs.created_us,
                              .epoch = recovery->report.epoch - 1,
                              .shard_count = shard_count};
    memcpy(epochs->store_id, recovery->options.new_store_id, sizeof(epochs->store_id));
    enum result result = epochs_claim(recovery->options.copy->target, epochs, shard_count, NULL);
    heap_free(epochs);
    return result == RESULT_OK ? RESULT_OK
                               : recovery_fail(error, result, "its epoch cannot be written: %s",
                                               result_name(result));
}

enum result recovery_reshard(struct recovery *recovery, struct worker *const *workers,
                             char error[RECOVERY_ERROR_SIZE_MAX])
{
    const struct recovery_copy *copy = recovery->options.copy;
    struct checkpoint_options options = {
        .disk = copy != NULL ? copy->target : recovery->options.disk,
        .workers = workers,
        .plan = recovery->options.plan,
        .shard_count = recovery->options.shard_count,
        .epoch = recovery->report.epoch,
        .generation_last = copy != NULL ? 0 : recovery->generation_last,
        .since_us = recovery->since_us};
    memcpy(options.store_id,
           copy != NULL ? recovery->options.new_store_id : recovery->epochs.store_id,
           sizeof(options.store_id));
    struct checkpoint *checkpoint;
    enum result result = checkpoint_open(&options, &checkpoint);
    if (result == RESULT_OK) {
        result = checkpoint_run(recovery, checkpoint, workers);
        checkpoint_close(checkpoint);
    }
    if (result != RESULT_OK && copy != NULL) {
        return recovery_fail(error, result, "the copy cannot be written: %s", result_name(result));
    }
    if (result != RESULT_OK) {
        return recovery_fail(error, result, "the store cannot be written for %u shards: %s",
                             recovery->options.shard_count, result_name(result));
    }
    if (copy != NULL) {
        return target_claim(recovery, error);
    }
    recovery->generation_last++;
    return recovery_claim(recovery, error);
}
