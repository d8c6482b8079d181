#include "dataplane/base/drops.h"

#include "dataplane/base/assert.h"

struct drop_row {
    const char *name;
    const char *sentence;
    const char *hint;
    enum drop_scope scope;
};

static const struct drop_row drop_rows[] = {
#define DROP(name, scope, sentence, hint) {#name, sentence, hint, DROP_SCOPE_##scope},
#include "dataplane/base/drops.def"
#undef DROP
};

static const struct drop_row *drop_row_of(enum drop drop)
{
    ASSERT(drop < DROP_COUNT);
    return &drop_rows[drop];
}

const char *drop_name(enum drop drop)
{
    return drop_row_of(drop)->name;
}

const char *drop_sentence(enum drop drop)
{
    return drop_row_of(drop)->sentence;
}

const char *drop_hint(enum drop drop)
{
    return drop_row_of(drop)->hint;
}

enum drop_scope drop_scope(enum drop drop)
{
    return drop_row_of(drop)->scope;
}
