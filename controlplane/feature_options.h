/* The words of FS.GET and FS.MGET behind their keys: what is read, and how. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/command.h"
#include "controlplane/feature_read.h"

struct feature_options {
    const struct resp_argument *field; /* Of FIELDS. */
    uint32_t field_count;
    const struct resp_argument *service; /* Of SERVICE: `name` or `name@version`; NULL: FIELDS. */
    const struct resp_argument *request; /* Of REQUEST: pairs of name and value. */
    uint32_t request_count;              /* Pairs. */
    bool with_meta;
    bool has_time; /* AT or LATEST was given. */
};

/* A count at argument[at], which `each` arguments per one of it must follow. Returns false after
 * writing an error; what names it there. */
bool feature_count_read(struct command_call *call, uint32_t at, const char *what, uint32_t each,
                        uint32_t *out_count);

/* Everything from argument[at] on; both are zero before. Returns false after writing an error. */
bool feature_options_parse(struct command_call *call, uint32_t at, struct feature_options *options,
                           struct read_request *request);
