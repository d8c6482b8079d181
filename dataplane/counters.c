#include "dataplane/counters.h"

#include "dataplane/base/assert.h"

struct counter_row {
    const char *name;
    const char *sentence;
};

static const struct counter_row counter_rows[] = {
#define COUNTER(name, unit, sentence) {#name, sentence},
#include "dataplane/counters.def"
#undef COUNTER
};

static const struct counter_row *counter_row_of(enum counter counter)
{
    ASSERT(counter < COUNTER_COUNT);
    return &counter_rows[counter];
}

const char *counter_name(enum counter counter)
{
    return counter_row_of(counter)->name;
}

const char *counter_sentence(enum counter counter)
{
    return counter_row_of(counter)->sentence;
}
