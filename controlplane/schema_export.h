/* A stream's schema as an SBE 1.0 message schema (XML): what producers in C, C++, C#, Java, Go and
 * Rust generate their encoders from. Source: FIX Simple Binary Encoding 1.0, "Message schema". */
#pragma once

#include "controlplane/buffer.h"
#include "dataplane/feature/schema.h"

/* One XML document. Ids of the root's fields are 60001 and up, so that an event's field keeps its
 * own id. */
void schema_export_sbe(const struct schema *schema, struct buffer *out);
