/* Training sets from what was served (`freshet train --from-logged`): each label gets the newest
 * recorded answer of the service for the same keys, given at or before the label's time. Nothing is
 * computed: the vectors are those that models saw. */
#pragma once

#include <jansson.h>

#include "controlplane/buffer.h"
#include "controlplane/train_inside.h"

struct train_logged;

#define TRAIN_LOGGED_WITHIN_US (86400 * US_PER_SECOND) /* An older answer is none. */

/* Finds all that is recorded of the service in a directory (borrowed), and adds it to the
 * identity. */
MUST_USE enum result train_logged_open(struct train *train, const char *directory,
                                       int64_t within_us);
void train_logged_close(struct train_logged *logged); /* NULL is fine. */
/* Adds the values of one row of a part, item by item. Without an answer each is NOT_FOUND. */
MUST_USE enum result train_logged_spool(struct train *train, const struct train_part *part,
                                        uint32_t row, struct buffer *values);
/* For the card; a new reference. */
json_t *train_logged_json(const struct train *train);
