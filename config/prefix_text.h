/* Prefixes as people write them: "192.0.2.0/24", "2001:db8::/32", or an address alone. */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "config/node.h"
#include "dataplane/feature/prefix.h"

#define PREFIX_TEXT_SIZE_MAX 64

/* False for anything else, and for bits that are set behind the prefix. */
bool prefix_text_read(const char *text, struct prefix *out_prefix);
/* The same text again. Returns out; "" for the prefix of every address. */
const char *prefix_text(const struct prefix *prefix, char out[PREFIX_TEXT_SIZE_MAX]);
/* From a scalar; reports and returns false, as the functions of scalar.h. */
bool prefix_scalar_read(struct config *config, const struct node *node, const char *what,
                        struct prefix *out_prefix);
