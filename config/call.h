/* `kind(field)`: the little grammar of aggregates, with the place of each part. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "config/node.h"

struct call {
    char name[NAME_SIZE_MAX];
    char argument[NAME_SIZE_MAX]; /* "" : none. */
    uint32_t name_at;             /* Character in the scalar. */
    uint32_t argument_at;
};

/* Parses a scalar. Reports and returns false on what is no call of at most one field. */
bool call_parse(struct config *config, const struct node *scalar, struct call *out_call);
