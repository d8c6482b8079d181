/* From the words of a request for a service to its rows: the service, the keys of its entities, the
 * inputs of the request, and one reader_read() for all.
 *
 * One key per entity, in any order. An entity may be given more than once: candidates, one row
 * each, which share the keys of the others. An entity without a key is not found. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/command.h"
#include "controlplane/feature_options.h"
#include "controlplane/feature_read.h"
#include "dataplane/feature/service.h"

/* What a serving thread needs for one request; there when the plan has services. */
struct service_scratch {
    struct program_space space;
    struct service_run run;
    uint16_t feature[SERVICE_READS_MAX];      /* By view. */
    uint32_t key_count[SERVICE_ENTITIES_MAX]; /* Per entity of the service. */
    uint32_t key_first[SERVICE_ENTITIES_MAX]; /* Argument. */
};

/* Reads. Returns false after writing an error; else host->service->run is ready for *out_rows
 * rows. */
bool service_read(struct command_call *call, uint32_t first_key, uint32_t key_count,
                  const struct feature_options *options, struct read_request *request,
                  uint32_t *out_rows);

/* Reads what REQUEST gave into run->request. Returns false after writing an error. */
bool service_request_read(struct command_call *call, const struct feature_options *options,
                          struct service_run *run);
