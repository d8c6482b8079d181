#include "dataplane/base/result.h"

#include "dataplane/base/assert.h"

static const char *const result_names[] = {
#define RESULT(name, sentence) sentence,
#include "dataplane/base/result.def"
#undef RESULT
};

const char *result_name(enum result result)
{
    ASSERT(result < RESULT_COUNT);
    return result_names[result];
}
