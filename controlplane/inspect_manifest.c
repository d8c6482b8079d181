#include <inttypes.h>
#include <stdio.h>

#include "controlplane/inspect.h"
#include "controlplane/store_check.h"
#include "controlplane/verb.h"
#include "dataplane/feature/manifest.h"
#include "drivers/memory.h"

static const char *kind_name(enum tile_kind kind)
{
    return kind == TILE_ROWS ? "rows" : "lanes";
}

static void views_print(const struct manifest *manifest)
{
    const struct catalog *catalog = &manifest->catalog;
    for (uint32_t i = 0; i < catalog->stream_count; i++) {
        const struct catalog_stream *stream = &catalog->stream[i];
        printf("stream %s: id %u, version %u, %u fields\n", stream->name, stream->id,
               stream->version, stream->field_count);
    }
    for (uint32_t i = 0; i < catalog->view_count; i++) {
        const struct catalog_view *view = &catalog->view[i];
        char since[INSPECT_TIME_SIZE_MAX];
        printf("view %s@%u: entity %s, stream %s", view->name, view->version, view->entity,
               catalog->stream[view->stream].name);
        for (uint32_t other = 0; other < view->other_count; other++) {
            printf(" and %s", catalog->stream[view->other[other].stream].name);
        }
        printf(", since %s, fingerprint %016" PRIx64 "\n",
               inspect_time_format(manifest->since_us[i], since), view->fingerprint);
    }
}

static void shard_print(const struct manifest *manifest, uint32_t index)
{
    const struct manifest_shard *shard = &manifest->shard[index];
    char replay[STORE_LSN_SIZE_MAX];
    char end[STORE_LSN_SIZE_MAX];
    char time[INSPECT_TIME_SIZE_MAX];
    printf("\nshard %u: replayed from behind LSN %s, walk ended at %s, applied %s, needs segments "
           "from %" PRIu64 " on\n",
           index, store_lsn_format(shard->replay_lsn, replay),
           store_lsn_format(shard->end_lsn, end), inspect_time_format(shard->apply_us, time),
           shard->first_segment);
    for (uint32_t i = 0; i < manifest->catalog.stream_count; i++) {
        printf("  watermark of %s: %s\n", manifest->catalog.stream[i].name,
               inspect_time_format(shard->watermark_us[i], time));
    }
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        if (i != index) {
            printf("  forwards of home %u up to LSN %s\n", i,
                   store_lsn_format(shard->forward_lsn[i], end));
        }
    }
    for (uint32_t i = 0; i < shard->file_count; i++) {
        const struct manifest_file *file = &shard->file[i];
        printf("  %s: %u blocks, %" PRIu64 " %s, %" PRIu64 " bytes, crc %08x\n", file->name,
               file->block_count, file->row_count, kind_name(file->kind), file->size, file->crc);
    }
}

static void manifest_print(const struct manifest *manifest)
{
    char store[INSPECT_STORE_SIZE_MAX];
    char time[INSPECT_TIME_SIZE_MAX];
    printf("manifest, generation %" PRIu64 ", created %s, epoch %u, %u shards, store %s\n",
           manifest->generation, inspect_time_format(manifest->created_us, time), manifest->epoch,
           manifest->shard_count,
           inspect_store_format(manifest->store_id, MIRROR_STORE_ID_BYTES, store));
    printf("plan %016" PRIx64 "\n\n", manifest->catalog.fingerprint);
    views_print(manifest);
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        shard_print(manifest, i);
    }
    printf("\ngood: crc ok (freshet verify DIR checks the files that it names)\n");
}

static json_t *files_json(const struct manifest_shard *shard)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < shard->file_count; i++) {
        const struct manifest_file *file = &shard->file[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "file", file->name, "kind",
                            kind_name(file->kind), "block_count", (json_int_t)file->block_count,
                            "count", (json_int_t)file->row_count, "bytes", (json_int_t)file->size,
                            "crc", (json_int_t)file->crc));
    }
    return list;
}

static json_t *shard_json(const struct manifest *manifest, uint32_t index)
{
    const struct manifest_shard *shard = &manifest->shard[index];
    json_t *watermarks = json_object();
    json_t *forwards = json_array();
    for (uint32_t i = 0; i < manifest->catalog.stream_count; i++) {
        json_object_set_new(watermarks, manifest->catalog.stream[i].name,
                            json_integer(shard->watermark_us[i]));
    }
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        json_array_append_new(forwards, inspect_lsn_json(shard->forward_lsn[i]));
    }
    return json_pack("{s:i, s:o, s:o, s:I, s:I, s:o, s:o, s:o}", "shard", (int)index, "replay_lsn",
                     inspect_lsn_json(shard->replay_lsn), "end_lsn",
                     inspect_lsn_json(shard->end_lsn), "apply_us", (json_int_t)shard->apply_us,
                     "first_segment", (json_int_t)shard->first_segment, "watermarks_us", watermarks,
                     "forward_lsns", forwards, "files", files_json(shard));
}

static json_t *manifest_json(const struct manifest *manifest)
{
    char store[INSPECT_STORE_SIZE_MAX];
    json_t *since = json_array();
    json_t *shards = json_array();
    for (uint32_t i = 0; i < manifest->catalog.view_count; i++) {
        json_array_append_new(since, json_integer(manifest->since_us[i]));
    }
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        json_array_append_new(shards, shard_json(manifest, i));
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:o, s:o, s:o}", "kind", "manifest", "state",
                     "good", "store",
                     inspect_store_format(manifest->store_id, MIRROR_STORE_ID_BYTES, store),
                     "generation", (json_int_t)manifest->generation, "created_us",
                     (json_int_t)manifest->created_us, "epoch", (int)manifest->epoch, "catalog",
                     inspect_catalog_json(&manifest->catalog), "since_us", since, "shards", shards);
}

static int damage_report(enum result result, bool json)
{
    if (json) {
        return inspect_object_print(json_pack("{s:s, s:s, s:s}", "kind", "manifest", "state",
                                              "damaged", "sentence", result_name(result)),
                                    VERB_EXIT_FAILED);
    }
    printf("damaged: a manifest, but %s\n", result_name(result));
    return VERB_EXIT_FAILED;
}

int inspect_manifest(struct store_file *file, const struct inspect_options *options)
{
    uint64_t size;
    const uint8_t *data = store_file_view(file, 0, MANIFEST_BYTES_MAX + 1, &size);
    struct manifest *manifest = heap_alloc(sizeof(*manifest));
    if (manifest == NULL) {
        (void)fprintf(stderr, "freshet inspect: %s\n", result_name(RESULT_NO_MEMORY));
        return VERB_EXIT_FAILED;
    }
    int exit_code = VERB_EXIT_OK;
    enum result result = manifest_decode(data, (uint32_t)size, manifest);
    if (result != RESULT_OK) {
        exit_code = damage_report(result, options->json);
    } else if (options->json) {
        exit_code = inspect_object_print(manifest_json(manifest), exit_code);
    } else {
        manifest_print(manifest);
    }
    heap_free(manifest);
    return exit_code;
}
