/* Slots of the file of epochs: any bytes; what decodes is within its limits and can be asked. */
#include "controlplane/epochs.h"
#include "dataplane/base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct epochs epochs;
    if (size > UINT32_MAX || epochs_decode(data, (uint32_t)size, &epochs) != RESULT_OK) {
        return 0;
    }
    ASSERT(epochs.epoch <= EPOCH_MAX);
    ASSERT(epochs.cut_count <= EPOCHS_CUTS_MAX);
    for (uint32_t i = 0; i < epochs.cut_count; i++) {
        const struct epoch_cut *cut = &epochs.cut[i];
        ASSERT(cut->shard_count <= SHARDS_MAX);
        for (uint32_t home = 0; home < cut->shard_count; home++) {
            (void)epochs_is_void(&epochs, home, cut->cut[home]);
        }
        ASSERT(epochs_is_void(&epochs, SHARDS_MAX, lsn_of(cut->epoch, 1)));
    }
    return 0;
}
