/* `quality` of a stream: what is watched of its events. Private to config/. */
#pragma once

#include "config/config.h"
#include "config/node.h"

/* The stream's fields are read; bit f of fields_broken: what field f is, is not to be relied on.
 * Errors are collected. */
void stream_quality_read(struct config *config, const struct node *map, uint64_t fields_broken,
                         struct plan_stream *stream);
