/* What the appliance says when it is up: what it got, where it listens, what to type next. */
#pragma once

#include "controlplane/buffer.h"

struct appliance;

void banner_render(const struct appliance *appliance, struct buffer *out);
/* The same facts as one JSON object. */
void banner_render_json(const struct appliance *appliance, struct buffer *out);
