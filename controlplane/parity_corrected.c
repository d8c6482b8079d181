#include "controlplane/parity_corrected.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/feature/key.h"
#include "drivers/memory.h"

enum result parity_corrected_load(const char *directory,
                                  const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                                  const struct plan *plan, struct parity_corrected *out_corrected,
                                  char error[PARITY_ERROR_SIZE_MAX])
{
    const struct disk_options options = {
        .driver = DISK_DRIVER_THREADS, .directory = directory, .read_only = true};
    struct disk *disk;
    char why[DISK_ERROR_SIZE_MAX];
    *out_corrected = (struct parity_corrected){.memory = NULL};
    enum result result = disk_open(&options, &disk, why);
    if (result != RESULT_OK) {
        (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "%s", why);
        return result;
    }
    result = corrections_load(disk, store_id, &out_corrected->corrections);
    disk_close(disk);
    if (result == RESULT_OK) {
        result = corrections_rows(&out_corrected->corrections, plan, 0, &out_corrected->rows,
                                  &out_corrected->memory);
    }
    if (result != RESULT_OK) {
        (void)snprintf(error, PARITY_ERROR_SIZE_MAX, "%.400s/" CORRECTIONS_NAME ": %s", directory,
                       result_name(result));
        parity_corrected_free(out_corrected);
    }
    return result;
}

void parity_corrected_free(struct parity_corrected *corrected)
{
    heap_free(corrected->memory);
    corrections_free(&corrected->corrections);
    *corrected = (struct parity_corrected){.memory = NULL};
}

uint32_t parity_corrected_take(const struct parity_corrected *corrected, const struct plan *plan,
                               uint32_t view, struct parity_keys *keys)
{
    char *kept = keys->texts.data;
    const char *id = keys->texts.data;
    uint32_t taken = 0;
    for (uint32_t k = 0; k < keys->count; k++) {
        uint8_t key[KEY_SIZE_MAX];
        uint32_t size = (uint32_t)strlen(id);
        uint32_t key_size = key_parse(plan, &plan->view[view], id, size, key);
        bool is_corrected = corrected->memory != NULL && key_size > 0 &&
                            row_set_find(&corrected->rows, view, key, key_size) != NULL;
        taken += is_corrected ? 1 : 0;
        memmove(kept, id, size + 1);
        kept += is_corrected ? 0 : size + 1;
        id += size + 1;
    }
    keys->count -= taken;
    return taken;
}
