/* What the keeper of segments finds when it starts. */
#include <string.h>

#include "controlplane/archives.h"
#include "controlplane/segments_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/feature/file_name.h"
#include "drivers/memory.h"

#define TMP_PREFIX "mirror-"

/* While a folder is listed. */
struct found {
    struct segments *segments;
    uint8_t *block; /* Owned: of a segment's header. */
    enum result result;
};

static void number_take(struct segments_shard *shard, uint64_t number)
{
    if (number > shard->list.number_last) {
        shard->list.number_last = number;
    }
}

static bool name_is_leftover(const char *name)
{
    char whole[DISK_NAME_SIZE_MAX];
    return file_name_is_tmp(name, whole, sizeof(whole)) &&
           strncmp(whole, TMP_PREFIX, strlen(TMP_PREFIX)) == 0;
}

static enum result header_read(struct found *found, const char *name, uint64_t *out_size)
{
    struct disk_file *file;
    enum result result = disk_file_open(found->segments->options.disk, name, DISK_READ, &file);
    if (result != RESULT_OK) {
        return result;
    }
    result = disk_file_read(file, 0, found->block, MIRROR_SEGMENT_HEADER, out_size);
    disk_file_close(file);
    return result;
}

static enum result list_take(struct segment_list *list, const struct segment *segment)
{
    enum result result = segment_list_reserve(list);
    if (result == RESULT_OK) {
        segment_list_insert(list, segment);
    }
    return result;
}

/* A file of the right size whose header is none, or another segment's, holds nothing: it was made
 * ready and not begun, or its first write did not become whole. It can be handed out again. */
static enum result unused_take(struct found *found, const char *name, uint32_t shard,
                               const struct segment *segment)
{
    struct segments *segments = found->segments;
    if (shard < segments->options.shard_count &&
        segment->bytes == segments->options.segment_bytes) {
        return list_take(&segments->shard[shard].unused, segment);
    }
    return disk_remove(segments->options.disk, name);
}

static enum result segment_take(struct found *found, const char *name, uint32_t shard,
                                struct segment *segment)
{
    uint64_t size;
    enum result result = header_read(found, name, &size);
    if (result != RESULT_OK) {
        return result;
    }
    struct mirror_segment header;
    bool whole = mirror_segment_decode(found->block, size, &header) == RESULT_OK;
    if (whole &&
        memcmp(header.store_id, found->segments->options.store_id, MIRROR_STORE_ID_BYTES) != 0) {
        return RESULT_OK; /* Of another store: not ours to touch. */
    }
    if (!whole || header.shard != shard || header.number != segment->number) {
        return unused_take(found, name, shard, segment);
    }
    segment->first_lsn = header.first_lsn;
    segment->before_lsn = header.before_lsn;
    segment->apply_us = header.created_us;
    return list_take(&found->segments->shard[shard].list, segment);
}

static void found_visit(void *context, const char *name, uint64_t size)
{
    struct found *found = context;
    uint32_t shard;
    struct segment segment = {.bytes = size};
    if (found->result != RESULT_OK) {
        return;
    }
    if (name_is_leftover(name)) {
        found->result = disk_remove(found->segments->options.disk, name);
    } else if (mirror_name_parse(name, &shard, &segment.number)) {
        number_take(&found->segments->shard[shard], segment.number);
        found->result = segment_take(found, name, shard, &segment);
    }
}

static void archive_visit(void *context, const char *name, uint64_t size)
{
    (void)size;
    struct segments *segments = context;
    uint32_t shard;
    uint64_t number;
    if (mirror_name_parse(name, &shard, &number)) {
        number_take(&segments->shard[shard], number);
    }
}

/* A segment ends when the next one is begun; the last one, as far as is known, now. Until here
 * apply_us is when a segment was begun. */
static void ends_set(struct segment_list *list, int64_t now_us)
{
    for (uint32_t i = 0; i < list->kept; i++) {
        list->segment[i].apply_us = i + 1 < list->kept ? list->segment[i + 1].apply_us : now_us;
    }
}

/* Numbers in archives count: a name there is never taken again. */
static enum result archives_look(struct segments *segments)
{
    const struct segments_options *options = &segments->options;
    struct archives archives;
    enum result result = archives_load(options->disk, &archives);
    if (result == RESULT_OK && options->archive[0] != '\0') {
        result = archives_folder_make(options->disk, options->archive);
        result = result == RESULT_OK ? archives_note(options->disk, options->archive, &archives)
                                     : result;
    }
    return result == RESULT_OK ? archives_list(options->disk, &archives, archive_visit, segments)
                               : result;
}

static enum result folder_look(struct segments *segments)
{
    struct found found = {.segments = segments, .block = heap_alloc_lines(MIRROR_SEGMENT_HEADER)};
    if (found.block == NULL) {
        return RESULT_NO_MEMORY;
    }
    enum result result = disk_folder_list(segments->options.disk, "", found_visit, &found);
    heap_free(found.block);
    return result == RESULT_OK ? found.result : result;
}

enum result segments_found(struct segments *segments, int64_t now_us)
{
    enum result result = archives_look(segments);
    if (result == RESULT_OK) {
        result = folder_look(segments);
    }
    if (result != RESULT_OK) {
        return result;
    }
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        struct segments_shard *shard = &segments->shard[i];
        shard->number_found = shard->list.number_last;
        ends_set(&shard->list, now_us);
    }
    return RESULT_OK;
}
