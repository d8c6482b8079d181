#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/inspect.h"
#include "controlplane/inspect_entry.h"
#include "controlplane/store_check.h"
#include "controlplane/store_segment.h"
#include "controlplane/verb.h"

struct segment_view {
    const struct inspect_options *options;
    uint64_t shown;
    json_t *frames; /* NULL: for people. */
};

static const char *const state_names[] = {[STORE_SEGMENT_GOOD] = "good",
                                          [STORE_SEGMENT_TORN] = "torn",
                                          [STORE_SEGMENT_DAMAGED] = "damaged",
                                          [STORE_SEGMENT_EMPTY] = "empty"};

static void frame_print(const struct segment_view *view, const struct store_break *at,
                        const struct mirror_frame *frame, const uint8_t *entries)
{
    char first[STORE_LSN_SIZE_MAX];
    char last[STORE_LSN_SIZE_MAX] = "-";
    char acked[STORE_LSN_SIZE_MAX];
    char time[INSPECT_TIME_SIZE_MAX];
    if (frame->count > 0) {
        (void)store_lsn_format(frame->first_lsn + frame->count - 1, last);
    }
    printf("%10" PRIu64 "  %10s  %10s %6u %8u  %s  %10s  ok   ok%s\n", at->place,
           store_lsn_format(frame->first_lsn, first), last, frame->count, frame->size,
           inspect_time_format(frame->apply_us, time), store_lsn_format(frame->acked_lsn, acked),
           at->find == MIRROR_FIND_bad_entries ? "     damaged: its entries break the format"
           : frame->count == 0                 ? "     witness"
                                               : "");
    if (view->options->entries) {
        inspect_entries_print(entries, frame->size);
    }
}

static json_t *frame_json(const struct segment_view *view, const struct store_break *at,
                          const struct mirror_frame *frame, const uint8_t *entries)
{
    json_t *object =
        json_pack("{s:I, s:s, s:o, s:I, s:I, s:I, s:o, s:b}", "place", (json_int_t)at->place,
                  "found", mirror_find_name(at->find), "first_lsn",
                  inspect_lsn_json(frame->first_lsn), "count", (json_int_t)frame->count, "bytes",
                  (json_int_t)frame->size, "apply_us", (json_int_t)frame->apply_us, "acked_lsn",
                  inspect_lsn_json(frame->acked_lsn), "witness", frame->count == 0);
    if (view->options->entries) {
        json_object_set_new(object, "entries", inspect_entries_json(entries, frame->size));
    }
    return object;
}

static json_t *break_json(const struct store_break *at)
{
    return json_pack("{s:I, s:s, s:s, s:I, s:o, s:o}", "place", (json_int_t)at->place, "found",
                     mirror_find_name(at->find), "sentence", mirror_find_sentence(at->find),
                     "next_place", (json_int_t)at->next_place, "first_lsn",
                     inspect_lsn_json(at->first_lsn), "last_lsn", inspect_lsn_json(at->last_lsn));
}

static void break_print(const struct store_break *at)
{
    char first[STORE_LSN_SIZE_MAX];
    char last[STORE_LSN_SIZE_MAX];
    printf("%10" PRIu64 "  damaged: %s; good again at %" PRIu64 ", LSN %s to %s cannot be read\n",
           at->place, mirror_find_sentence(at->find), at->next_place,
           store_lsn_format(at->first_lsn, first), store_lsn_format(at->last_lsn, last));
}

/* Breaks are always shown, frames as many as asked for. */
static void segment_visit(void *context, const struct store_break *at,
                          const struct mirror_frame *frame, const uint8_t *entries)
{
    struct segment_view *view = context;
    if (frame != NULL && at->find == MIRROR_FIND_frame && view->shown >= view->options->limit) {
        return;
    }
    view->shown += frame != NULL;
    if (view->frames != NULL) {
        json_array_append_new(view->frames, frame == NULL ? break_json(at)
                                                          : frame_json(view, at, frame, entries));
    } else if (frame != NULL) {
        frame_print(view, at, frame, entries);
    } else {
        break_print(at);
    }
}

static void header_print(const struct mirror_segment *segment)
{
    char store[INSPECT_STORE_SIZE_MAX];
    char time[INSPECT_TIME_SIZE_MAX];
    char first[STORE_LSN_SIZE_MAX];
    char before[STORE_LSN_SIZE_MAX];
    printf("segment %" PRIu64 " of shard %u of %u, epoch %u, store %s\n", segment->number,
           segment->shard, segment->shard_count, segment->epoch,
           inspect_store_format(segment->store_id, MIRROR_STORE_ID_BYTES, store));
    printf("created %s, %" PRIu64 " bytes, LSN from %s on; the log before it ends at %s\n\n",
           inspect_time_format(segment->created_us, time), segment->size_bytes,
           store_lsn_format(segment->first_lsn, first),
           store_lsn_format(segment->before_lsn, before));
    printf("%10s  %10s  %10s %6s %8s  %-27s  %10s  %-4s %s\n", "place", "first LSN", "last LSN",
           "count", "bytes", "apply time", "acked", "crc", "chain");
}

static void sum_print(const struct segment_view *view, const struct store_file *file,
                      const struct store_segment *segment)
{
    char last[STORE_LSN_SIZE_MAX];
    const struct store_break *end = &segment->end;
    if (segment->header != RESULT_OK) {
        printf("%s: the header cannot be read: %s\n", state_names[segment->state],
               result_name(segment->header));
        return;
    }
    if (segment->frame_count > view->shown) {
        printf("(%" PRIu64 " more)\n", segment->frame_count - view->shown);
    }
    printf("%10" PRIu64 "  %s%s\n\n", end->place,
           segment->state == STORE_SEGMENT_TORN ? "torn end: " : "end: ",
           mirror_find_sentence(end->find));
    if (segment->cut) {
        printf("damaged: the file has %" PRIu64 " bytes of %" PRIu64 "\n", file->size_bytes,
               segment->segment.size_bytes);
    }
    printf("%s: %u frames, last LSN %s\n", state_names[segment->state], segment->frame_count,
           store_lsn_format(segment->last_lsn, last));
}

static json_t *segment_json(const struct segment_view *view, const struct store_file *file,
                            const struct store_segment *out)
{
    const struct mirror_segment *segment = &out->segment;
    char store[INSPECT_STORE_SIZE_MAX];
    json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:O}", "kind", "segment", "state",
                               state_names[out->state], "header", result_name(out->header),
                               "file_bytes", (json_int_t)file->size_bytes, "frames", view->frames);
    if (object == NULL || out->header != RESULT_OK) {
        return object;
    }
    json_t *header =
        json_pack("{s:s, s:I, s:i, s:i, s:i, s:o, s:o, s:I, s:I, s:b, s:I, s:o, s:o}", "store",
                  inspect_store_format(segment->store_id, MIRROR_STORE_ID_BYTES, store), "number",
                  (json_int_t)segment->number, "shard", (int)segment->shard, "shard_count",
                  (int)segment->shard_count, "epoch", (int)segment->epoch, "first_lsn",
                  inspect_lsn_json(segment->first_lsn), "before_lsn",
                  inspect_lsn_json(segment->before_lsn), "created_us",
                  (json_int_t)segment->created_us, "segment_bytes", (json_int_t)segment->size_bytes,
                  "cut", out->cut, "frame_count", (json_int_t)out->frame_count, "last_lsn",
                  inspect_lsn_json(out->last_lsn), "end", break_json(&out->end));
    (void)json_object_update(object, header);
    json_decref(header);
    return object;
}

int inspect_segment(struct store_file *file, const struct inspect_options *options)
{
    struct segment_view view = {.options = options};
    struct store_segment out;
    struct mirror_segment segment = {0};
    uint64_t count;
    const uint8_t *block = store_file_view(file, 0, MIRROR_BLOCK_BYTES, &count);
    bool readable = mirror_segment_decode(block, count, &segment) == RESULT_OK;
    if (options->json) {
        view.frames = json_array();
    } else if (readable) {
        header_print(&segment);
    }
    store_segment_check(file, segment.shard, segment.number, segment_visit, &view, &out);
    bool good = readable && out.state != STORE_SEGMENT_DAMAGED;
    int exit_code = good ? VERB_EXIT_OK : VERB_EXIT_FAILED;
    if (!options->json) {
        sum_print(&view, file, &out);
        return exit_code;
    }
    json_t *object = segment_json(&view, file, &out);
    json_decref(view.frames);
    return inspect_object_print(object, exit_code);
}
