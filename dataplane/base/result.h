/* The one vocabulary of failure on start and control paths. The data path returns counts and
 * counts drops instead (drops.def). */
#pragma once

#define MUST_USE __attribute__((warn_unused_result))

enum result {
#define RESULT(name, sentence) RESULT_##name,
#include "dataplane/base/result.def"
#undef RESULT
    RESULT_COUNT
};

/* Returns the sentence of result.def, never NULL. */
const char *result_name(enum result result);
