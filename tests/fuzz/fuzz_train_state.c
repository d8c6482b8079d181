/* What a training run keeps to go on: any bytes; what decodes is within its limits. */
#include "controlplane/train_state.h"
#include "dataplane/base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct train_state state;
    if (train_state_decode(data, size, &state) == RESULT_OK) {
        ASSERT(state.part_rows > 0);
        ASSERT(size == TRAIN_STATE_BYTES);
    }
    return 0;
}
