/* What `freshet inspect` shows of each kind of file. Each prints what there is, damaged parts by
 * place and reason, and returns an exit code: VERB_EXIT_FAILED when something is damaged. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controlplane/store_file.h"
#include "dataplane/feature/catalog.h"

struct inspect_options {
    bool json;
    bool entries;   /* Of each frame and block, too. */
    uint64_t limit; /* Frames or blocks that are shown; all are read. */
};

int inspect_segment(struct store_file *file, const struct inspect_options *options);
int inspect_tile(struct store_file *file, const struct inspect_options *options);
int inspect_epochs(struct store_file *file, const struct inspect_options *options);
int inspect_manifest(struct store_file *file, const struct inspect_options *options);

#define INSPECT_TIME_SIZE_MAX  40
#define INSPECT_STORE_SIZE_MAX 33

/* "2023-11-14T22:13:20.000000Z"; "-" before the first. */
const char *inspect_time_format(int64_t time_us, char out[INSPECT_TIME_SIZE_MAX]);
/* Bytes as hexadecimal digits. */
const char *inspect_store_format(const uint8_t *id, uint32_t size,
                                 char out[INSPECT_STORE_SIZE_MAX]);
/* "3:17" as a string. */
json_t *inspect_lsn_json(uint64_t lsn);
/* Streams and views, the same in a PLAN entry and a manifest. */
json_t *inspect_catalog_json(const struct catalog *catalog);

/* Prints the object on stdout and gives it back. Returns exit_code, or VERB_EXIT_FAILED when it
 * could not be built or written. */
int inspect_object_print(json_t *object, int exit_code);
