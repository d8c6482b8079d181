#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/inspect.h"
#include "controlplane/store_check.h"
#include "controlplane/store_tile.h"
#include "controlplane/verb.h"
#include "dataplane/feature/row.h"

struct tile_view {
    const struct inspect_options *options;
    uint64_t shown;
    json_t *blocks; /* NULL: for people. */
};

/* What a row's first words say (row.h), without the version word that is not kept. */
struct row_head {
    struct row_meta meta;
    int64_t apply_us;
    uint64_t lsn;
    char key[INSPECT_STORE_SIZE_MAX]; /* Hexadecimal; the first 16 bytes. */
};

static void row_head_read(const struct tile_row *row, struct row_head *out)
{
    uint64_t word[LINE_WORDS] = {0};
    memcpy(&word[1], row->words, TILE_ROW_FRONT_WORDS_MIN * sizeof(word[0]));
    out->meta = row_meta_load(word);
    out->apply_us = (int64_t)word[ROW_APPLY];
    out->lsn = word[ROW_LSN];
    uint32_t size = out->meta.key_size;
    (void)inspect_store_format((const uint8_t *)&word[ROW_KEY],
                               size < ROW_KEY_INLINE_BYTES ? size : ROW_KEY_INLINE_BYTES, out->key);
}

static void row_print(const struct tile_row *row)
{
    struct row_head head;
    char lsn[STORE_LSN_SIZE_MAX];
    char time[INSPECT_TIME_SIZE_MAX];
    row_head_read(row, &head);
    printf("  row of view %u, key 0x%s (%u bytes), LSN %s, applied %s, %u words, %u singles, %u "
           "cells\n",
           head.meta.view, head.key, head.meta.key_size, store_lsn_format(head.lsn, lsn),
           inspect_time_format(head.apply_us, time), row->front_words + row->back_words,
           head.meta.single_count, head.meta.cell_count);
}

static json_t *row_json(const struct tile_row *row)
{
    struct row_head head;
    row_head_read(row, &head);
    return json_pack("{s:i, s:s, s:i, s:o, s:I, s:i, s:i, s:i}", "view", (int)head.meta.view, "key",
                     head.key, "key_bytes", (int)head.meta.key_size, "lsn",
                     inspect_lsn_json(head.lsn), "apply_us", (json_int_t)head.apply_us, "words",
                     (int)(row->front_words + row->back_words), "singles",
                     (int)head.meta.single_count, "cells", (int)head.meta.cell_count);
}

static uint32_t window_count(const struct tile_lane *lane)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < TILE_WINDOW_WORDS; i++) {
        count += (uint32_t)__builtin_popcountll(lane->window[i]);
    }
    return count;
}

static void lane_print(const struct tile_lane *lane)
{
    char time[INSPECT_TIME_SIZE_MAX];
    printf("  producer %" PRIu64 " lane %u incarnation %u%s: base %" PRIu64 ", top %" PRIu64
           ", %u in the window, seen %s\n",
           lane->producer, lane->lane, lane->incarnation,
           (lane->flags & TILE_LANE_FLAG_ACKED) != 0 ? " acked" : "", lane->base, lane->top,
           window_count(lane), inspect_time_format(lane->seen_us, time));
}

static json_t *lane_json(const struct tile_lane *lane)
{
    return json_pack("{s:I, s:i, s:I, s:b, s:I, s:I, s:i, s:I}", "producer",
                     (json_int_t)lane->producer, "lane", (int)lane->lane, "incarnation",
                     (json_int_t)lane->incarnation, "acked",
                     (lane->flags & TILE_LANE_FLAG_ACKED) != 0, "base", (json_int_t)lane->base,
                     "top", (json_int_t)lane->top, "window", (int)window_count(lane), "seen_us",
                     (json_int_t)lane->seen_us);
}

/* Rows or lanes of a block; list NULL: printed. */
static void content_show(const struct tile_block *block, const uint8_t *content, json_t *list)
{
    struct tile_row row;
    uint32_t at = 0;
    for (uint32_t i = 0; block->kind == TILE_LANES && i < block->count; i++) {
        struct tile_lane lane;
        tile_lane_decode(content, i, &lane);
        if (list == NULL) {
            lane_print(&lane);
        } else {
            json_array_append_new(list, lane_json(&lane));
        }
    }
    while (block->kind == TILE_ROWS &&
           tile_row_decode(content, block->size, &at, &row) == RESULT_OK) {
        if (list == NULL) {
            row_print(&row);
        } else {
            json_array_append_new(list, row_json(&row));
        }
    }
}

static void block_visit(void *context, uint64_t place, const struct tile_block *block,
                        const uint8_t *content)
{
    struct tile_view *view = context;
    if (view->shown++ >= view->options->limit) {
        return;
    }
    json_t *list = NULL;
    if (view->blocks == NULL) {
        printf("%10" PRIu64 "  block %u: %u %s, %u bytes, crc ok\n", place, block->number,
               block->count, block->kind == TILE_ROWS ? "rows" : "lanes", block->size);
    } else {
        json_t *object = json_pack("{s:I, s:I, s:I, s:I}", "place", (json_int_t)place, "number",
                                   (json_int_t)block->number, "count", (json_int_t)block->count,
                                   "bytes", (json_int_t)block->size);
        list = json_array();
        if (view->options->entries) {
            json_object_set(object, "entries", list);
        }
        json_array_append_new(view->blocks, object);
    }
    if (view->options->entries) {
        content_show(block, content, list);
    }
    json_decref(list);
}

static void sum_print(const struct tile_view *view, const struct store_tile *tile)
{
    char store[INSPECT_STORE_SIZE_MAX];
    bool good = tile->result == RESULT_OK;
    if (view->shown > view->options->limit) {
        printf("(%" PRIu64 " more)\n", view->shown - view->options->limit);
    }
    if (!good) {
        printf("%10" PRIu64 "  damaged: block %u: %s\n", tile->place, tile->block_count,
               tile->reason);
    }
    printf("\n%s: %s of shard %u, generation %" PRIu64 ", store %s: %u blocks, %" PRIu64
           " %s, crc %08x\n",
           good ? "good" : "damaged", tile->kind == TILE_LANES ? "lanes" : "rows", tile->shard,
           tile->generation,
           inspect_store_format((const uint8_t *)&tile->store, sizeof(tile->store), store),
           tile->block_count, tile->row_count, tile->kind == TILE_LANES ? "lanes" : "rows",
           tile->crc);
}

static json_t *tile_json(const struct tile_view *view, const struct store_tile *tile)
{
    char store[INSPECT_STORE_SIZE_MAX];
    bool good = tile->result == RESULT_OK;
    json_t *object = json_pack(
        "{s:s, s:s, s:i, s:I, s:s, s:I, s:I, s:I, s:O}", "kind",
        tile->kind == TILE_LANES ? "lanes" : "rows", "state", good ? "good" : "damaged", "shard",
        (int)tile->shard, "generation", (json_int_t)tile->generation, "store",
        inspect_store_format((const uint8_t *)&tile->store, sizeof(tile->store), store),
        "block_count", (json_int_t)tile->block_count, "count", (json_int_t)tile->row_count, "crc",
        (json_int_t)tile->crc, "blocks", view->blocks);
    if (!good) {
        json_object_set_new(
            object, "damage",
            json_pack("{s:I, s:s}", "place", (json_int_t)tile->place, "sentence", tile->reason));
    }
    return object;
}

int inspect_tile(struct store_file *file, const struct inspect_options *options)
{
    struct tile_view view = {.options = options, .blocks = options->json ? json_array() : NULL};
    struct store_tile tile;
    store_tile_check(file, block_visit, &view, &tile);
    int exit_code = tile.result == RESULT_OK ? VERB_EXIT_OK : VERB_EXIT_FAILED;
    if (!options->json) {
        sum_print(&view, &tile);
        return exit_code;
    }
    json_t *object = tile_json(&view, &tile);
    json_decref(view.blocks);
    return inspect_object_print(object, exit_code);
}
