/* Text of a pattern: what is taken is a text of its own, short enough, and the same when it is only
 * looked at; and Hyperscan, which may refuse it, scans with it when it does not. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/regex.h"
#include "drivers/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Compilation takes too long for the long ones. */
#define COMPILED_SIZE_MAX 24u

static void compile_and_scan(const char *regex, bool utf8, const char *text, uint32_t size)
{
    const struct pattern_source source = {.regex = regex, .utf8 = utf8};
    struct pattern_set *set;
    struct pattern_scratch *scratch;
    char error[PATTERN_ERROR_SIZE_MAX];
    uint32_t index;
    if (pattern_set_open(&source, 1, &set, &index, error) != RESULT_OK) {
        ASSERT(error[0] != '\0');
        return;
    }
    ASSERT(pattern_scratch_open(&set, 1, &scratch) == RESULT_OK);
    uint64_t bits = 0;
    pattern_scan(set, scratch, 0, text, size, &bits);
    ASSERT(bits <= 1);
    pattern_scratch_close(scratch);
    pattern_set_close(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char regex[REGEX_SIZE_MAX];
    const char *text = (const char *)data;
    uint32_t text_size = size > 4096 ? 4096 : (uint32_t)size;
    struct regex_error error;
    bool taken = regex_from_text(text, text_size, regex, &error);
    ASSERT(taken == regex_from_text(text, text_size, NULL, &error));
    if (taken) {
        ASSERT(memchr(regex, '\0', REGEX_SIZE_MAX) != NULL);
    } else {
        ASSERT(error.at <= text_size && error.why != NULL);
    }
    if (taken && text_size <= COMPILED_SIZE_MAX) {
        compile_and_scan(regex, true, text, text_size);
    }
    if (regex_from_like(text, text_size, regex) && text_size <= COMPILED_SIZE_MAX) {
        compile_and_scan(regex, false, text, text_size);
    }
    return 0;
}
