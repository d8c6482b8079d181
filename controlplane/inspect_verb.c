/* freshet inspect: what a file of a data directory holds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/inspect.h"
#include "controlplane/store_epochs.h"
#include "controlplane/verb.h"
#include "dataplane/feature/manifest.h"

#define FRAMES_SHOWN 1000u
#define MAGIC_BYTES  8u

/* What a file is stands in its first bytes, whatever its name is. */
static int file_inspect(struct store_file *file, const struct inspect_options *options)
{
    uint64_t count;
    uint64_t magic = 0;
    const uint8_t *data = store_file_view(file, 0, MAGIC_BYTES, &count);
    memcpy(&magic, data, count);
    if (magic == MIRROR_SEGMENT_MAGIC) {
        return inspect_segment(file, options);
    }
    if (magic == MANIFEST_MAGIC) {
        return inspect_manifest(file, options);
    }
    if ((uint32_t)magic == TILE_BLOCK_MAGIC) {
        return inspect_tile(file, options);
    }
    if (store_epochs_is(file)) {
        return inspect_epochs(file, options);
    }
    (void)fprintf(
        stderr,
        "freshet inspect: %s: no file that it knows by its first bytes; it reads segments "
        "(mirror-*.log), tile files (tiles-*.rows, tiles-*.lanes), manifests "
        "(manifest-*) and epochs%s\n",
        file->path,
        magic == 0 ? "; this one begins with zeros: a segment that was not begun?" : "");
    return VERB_EXIT_FAILED;
}

int inspect_verb(int argc, char **argv)
{
    struct inspect_options options = {.limit = FRAMES_SHOWN};
    const struct verb_option option[] = {
        {"entries", NULL, VERB_OPTION_FLAG, &options.entries,
         "the entries of each frame, the rows or lanes of each block"},
        {"limit", "N", VERB_OPTION_NUMBER, &options.limit,
         "show at most N frames or blocks (1000); all are checked"},
        {"json", NULL, VERB_OPTION_FLAG, &options.json, "one JSON object on stdout"},
    };
    const struct verb_usage usage = {
        .name = "inspect",
        .arguments = "FILE",
        .description = "Shows a file of a data directory: a segment of the log, a tile file, a\n"
                       "manifest or the epochs, told by its first bytes. Damaged parts are shown "
                       "by place and\n"
                       "reason; exit code 1 when there are any. Reads only.\n",
        .option = option,
        .option_count = ARRAY_COUNT(option),
        .argument_min = 1,
        .argument_max = 1,
    };
    int exit_code;
    struct store_file file;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    enum result result = store_file_open(&file, argv[1]);
    if (result != RESULT_OK) {
        (void)fprintf(stderr, "freshet inspect: %s: %s\n", argv[1],
                      result == RESULT_NO_MEMORY ? result_name(result) : strerror(errno));
        return VERB_EXIT_FAILED;
    }
    exit_code = file_inspect(&file, &options);
    if (file.error != 0) {
        (void)fprintf(stderr, "freshet inspect: %s: reading failed: %s\n", argv[1],
                      strerror(file.error));
        exit_code = VERB_EXIT_FAILED;
    }
    store_file_close(&file);
    return exit_code;
}
