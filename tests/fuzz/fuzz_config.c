/* Any bytes as a definition file: errors with places or a plan, never a crash, never a leak. */
#include <stdlib.h>

#include "config/check.h"
#include "config/config.h"
#include "dataplane/base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    static struct check check;
    enum result result = config_load_text("fuzz.yaml", (const char *)data, size, &config);
    ASSERT((result == RESULT_OK) == (config.error_count == 0));
    if (result == RESULT_OK) {
        ASSERT(config.plan.stream_count > 0);
        ASSERT(check_compute(&config, &check) == RESULT_OK);
        ASSERT(check.view_count == config.plan.view_count);
    }
    for (uint32_t i = 0; i < config.error_count && i < CONFIG_ERRORS_MAX; i++) {
        ASSERT(config.error[i].text[0] != '\0');
    }
    return 0;
}
