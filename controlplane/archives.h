/* Folders of a data directory that old segments of its log were moved to (option
 * `data.mirror.archive`), so that whoever reads the log finds them without being told: the file
 * `mirror-archives`, one name a line, in the order in which they were taken into use.
 *
 *   archive\n
 *   old/segments\n
 *
 * A name is of a folder below the directory, without empty parts, "." and "..". Whoever keeps
 * segments notes its folder before the first one goes there. A folder that is no longer there was
 * taken away, and is none. */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/mirror_format.h"
#include "drivers/disk.h"

#define ARCHIVES_NAME            "mirror-archives"
#define ARCHIVES_MAX             16u
#define ARCHIVES_FOLDER_SIZE_MAX 64u
#define ARCHIVES_BYTES_MAX       (ARCHIVES_MAX * ARCHIVES_FOLDER_SIZE_MAX)
/* A segment's name in its folder. */
#define ARCHIVES_PATH_SIZE_MAX (ARCHIVES_FOLDER_SIZE_MAX + MIRROR_NAME_SIZE_MAX)

struct archives {
    uint32_t count;
    char folder[ARCHIVES_MAX][ARCHIVES_FOLDER_SIZE_MAX];
};

/* RESULT_CORRUPT: no file of this kind. */
MUST_USE enum result archives_decode(const char *text, uint64_t size, struct archives *out);
/* No file: no folders. */
MUST_USE enum result archives_load(struct disk *disk, struct archives *out);
/* Calls visit for each file in the folders. */
MUST_USE enum result archives_list(struct disk *disk, const struct archives *archives,
                                   disk_visit *visit, void *context);
/* Makes a folder and those that it is in, durably; one that is there is fine. */
MUST_USE enum result archives_folder_make(struct disk *disk, const char *folder);
/* Notes a folder, durably, unless it is noted; out has all. RESULT_NO_SPACE also when there are
 * ARCHIVES_MAX others that still are there. */
MUST_USE enum result archives_note(struct disk *disk, const char *folder, struct archives *out);
