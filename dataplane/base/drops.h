/* The named reasons of drops.def. */
#pragma once

enum drop_scope { DROP_SCOPE_FRAME, DROP_SCOPE_MESSAGE, DROP_SCOPE_EVENT, DROP_SCOPE_VIEW };

enum drop {
#define DROP(name, scope, sentence, hint) DROP_##name,
#include "dataplane/base/drops.def"
#undef DROP
    DROP_COUNT,
    DROP_NONE = DROP_COUNT
};

/* Name, sentence and hint of drops.def; drop < DROP_COUNT. */
const char *drop_name(enum drop drop);
const char *drop_sentence(enum drop drop);
const char *drop_hint(enum drop drop);
enum drop_scope drop_scope(enum drop drop);
