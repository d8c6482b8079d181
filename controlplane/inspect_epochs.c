#include <inttypes.h>
#include <stdio.h>

#include "controlplane/inspect.h"
#include "controlplane/store_check.h"
#include "controlplane/store_epochs.h"
#include "controlplane/verb.h"
#include "drivers/memory.h"

static void slot_print(uint32_t slot, enum result result, const struct epochs *epochs)
{
    char store[INSPECT_STORE_SIZE_MAX];
    char time[INSPECT_TIME_SIZE_MAX];
    if (result != RESULT_OK) {
        printf("slot %u: %s\n", slot, result == RESULT_NOT_FOUND ? "not written" : "not whole");
        return;
    }
    printf("slot %u: generation %" PRIu64 ", epoch %u of %u shards, store %s of %s\n", slot,
           epochs->generation, epochs->epoch, epochs->shard_count,
           inspect_store_format(epochs->store_id, MIRROR_STORE_ID_BYTES, store),
           inspect_time_format(epochs->created_us, time));
    for (uint32_t i = 0; i < epochs->cut_count; i++) {
        printf("  epoch %u counts up to", epochs->cut[i].epoch);
        for (uint32_t shard = 0; shard < epochs->cut[i].shard_count; shard++) {
            char lsn[STORE_LSN_SIZE_MAX];
            printf(" %s", store_lsn_format(epochs->cut[i].cut[shard], lsn));
        }
        printf("\n");
    }
}

static json_t *cuts_json(const struct epochs *epochs)
{
    json_t *cuts = json_array();
    for (uint32_t i = 0; i < epochs->cut_count; i++) {
        json_t *lsns = json_array();
        for (uint32_t shard = 0; shard < epochs->cut[i].shard_count; shard++) {
            json_array_append_new(lsns, inspect_lsn_json(epochs->cut[i].cut[shard]));
        }
        json_array_append_new(
            cuts, json_pack("{s:i, s:o}", "epoch", (int)epochs->cut[i].epoch, "lsns", lsns));
    }
    return cuts;
}

static json_t *slot_json(enum result result, const struct epochs *epochs)
{
    char store[INSPECT_STORE_SIZE_MAX];
    if (result != RESULT_OK) {
        return json_pack("{s:s}", "state", result == RESULT_NOT_FOUND ? "empty" : "damaged");
    }
    return json_pack("{s:s, s:I, s:i, s:i, s:s, s:I, s:o}", "state", "good", "generation",
                     (json_int_t)epochs->generation, "epoch", (int)epochs->epoch, "shard_count",
                     (int)epochs->shard_count, "store",
                     inspect_store_format(epochs->store_id, MIRROR_STORE_ID_BYTES, store),
                     "created_us", (json_int_t)epochs->created_us, "cuts", cuts_json(epochs));
}

int inspect_epochs(struct store_file *file, const struct inspect_options *options)
{
    struct epochs *epochs = heap_alloc(sizeof(*epochs));
    json_t *slots = options->json ? json_array() : NULL;
    uint32_t good = 0;
    if (epochs == NULL) {
        json_decref(slots);
        (void)fprintf(stderr, "freshet inspect: %s\n", result_name(RESULT_NO_MEMORY));
        return VERB_EXIT_FAILED;
    }
    for (uint32_t slot = 0; slot < STORE_EPOCHS_SLOTS; slot++) {
        enum result result = store_epochs_read(file, slot, epochs);
        good += result == RESULT_OK;
        if (slots != NULL) {
            json_array_append_new(slots, slot_json(result, epochs));
        } else {
            slot_print(slot, result, epochs);
        }
    }
    heap_free(epochs);
    int exit_code = good > 0 ? VERB_EXIT_OK : VERB_EXIT_FAILED;
    if (slots == NULL) {
        printf("\n%s\n", good > 0 ? "good: the slot of the greater generation counts"
                                  : "damaged: no slot is whole");
        return exit_code;
    }
    return inspect_object_print(json_pack("{s:s, s:s, s:o}", "kind", "epochs", "state",
                                          good > 0 ? "good" : "damaged", "slots", slots),
                                exit_code);
}
