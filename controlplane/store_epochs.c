#include "controlplane/store_epochs.h"

#include <string.h>

static const uint8_t *slot_view(struct store_file *file, uint32_t slot, uint64_t *out_count)
{
    return store_file_view(file, (uint64_t)slot * EPOCHS_SLOT_BYTES, EPOCHS_SLOT_BYTES, out_count);
}

enum result store_epochs_read(struct store_file *file, uint32_t slot, struct epochs *out_epochs)
{
    uint64_t count;
    const uint8_t *data = slot_view(file, slot, &count);
    if (count == 0 || (data[0] == 0 && memcmp(data, data + 1, count - 1) == 0)) {
        return RESULT_NOT_FOUND;
    }
    enum result result = epochs_decode(data, (uint32_t)count, out_epochs);
    bool own = result == RESULT_OK && out_epochs->generation % STORE_EPOCHS_SLOTS == slot;
    return own ? RESULT_OK : RESULT_CORRUPT;
}

enum result store_epochs_newest(struct store_file *file, struct epochs *out_epochs,
                                struct epochs *scratch)
{
    enum result first = store_epochs_read(file, 0, out_epochs);
    enum result second = store_epochs_read(file, 1, scratch);
    if (second == RESULT_OK &&
        (first != RESULT_OK || scratch->generation > out_epochs->generation)) {
        *out_epochs = *scratch;
    }
    return first == RESULT_OK || second == RESULT_OK ? RESULT_OK : RESULT_CORRUPT;
}

bool store_epochs_is(struct store_file *file)
{
    bool is = false;
    for (uint32_t slot = 0; slot < STORE_EPOCHS_SLOTS; slot++) {
        uint64_t count;
        uint64_t magic = 0;
        const uint8_t *data = slot_view(file, slot, &count);
        memcpy(&magic, data, count < sizeof(magic) ? count : sizeof(magic));
        is = is || magic == EPOCHS_MAGIC;
    }
    return is;
}
