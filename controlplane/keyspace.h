/* The known entities as Redis keys: how many there are, walking them, counting a slot. */
#pragma once

#include <stdint.h>

struct appliance;

/* Rows of the view in all shards. */
uint64_t keyspace_rows(const struct appliance *appliance, uint32_t view);
/* Known entities: per kind of entity, the rows of its largest view. Entities that only a smaller
 * view knows are not in it. */
uint64_t keyspace_size(const struct appliance *appliance);
