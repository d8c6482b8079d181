/* A small catalog and manifest, the same in every test that writes or reads one. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "dataplane/feature/manifest.h"

#define EXAMPLE_STORE_ID   "store-id-of-test"
#define EXAMPLE_GENERATION 12u

static inline struct catalog_field *catalog_example_field(struct catalog_stream *stream,
                                                          const char *name, enum field_type type,
                                                          uint16_t size)
{
    struct catalog_field *field = &stream->field[stream->field_count++];
    (void)snprintf(field->name, sizeof(field->name), "%s", name);
    field->type = (uint8_t)type;
    field->size = size;
    field->since = 1;
    field->id = stream->field_count;
    return field;
}

static inline void catalog_example_view(struct catalog *catalog, const char *name, uint16_t version,
                                        uint16_t stream, uint16_t place)
{
    struct catalog_view *view = &catalog->view[catalog->view_count++];
    (void)snprintf(view->name, sizeof(view->name), "%s", name);
    (void)snprintf(view->entity, sizeof(view->entity), "card");
    view->version = version;
    view->stream = stream;
    view->place = place;
    view->fingerprint = UINT64_C(0x1000) + catalog->view_count;
}

/* Two streams, three views. */
static inline void catalog_example(struct catalog *out)
{
    memset(out, 0, sizeof(*out));
    out->fingerprint = UINT64_C(0x0102030405060708);
    out->stream_count = 2;
    for (uint16_t i = 0; i < 2; i++) {
        struct catalog_stream *stream = &out->stream[i];
        (void)snprintf(stream->name, sizeof(stream->name), i == 0 ? "transaction" : "login");
        stream->id = (uint16_t)(i + 1);
        stream->version = 2;
        stream->fingerprint = UINT64_C(0x2000) + i;
        catalog_example_field(stream, "ts", FIELD_TYPE_timestamp, 8)->unit = TIME_UNIT_ms;
        catalog_example_field(stream, "card", FIELD_TYPE_u64, 8);
        catalog_example_field(stream, "amount", FIELD_TYPE_decimal, 8)->scale = 2;
        struct catalog_field *added = catalog_example_field(stream, "shop", FIELD_TYPE_string, 16);
        added->optional = 1;
        added->since = 2;
    }
    catalog_example_view(out, "activity", 1, 0, 0);
    catalog_example_view(out, "logins", 1, 1, 0);
    catalog_example_view(out, "activity", 2, 0, 1);
}

static inline void manifest_example_file(struct manifest *manifest, uint32_t shard,
                                         uint64_t generation, enum tile_kind kind,
                                         uint32_t block_count)
{
    struct manifest_file *file = &manifest->shard[shard].file[manifest->shard[shard].file_count++];
    tile_name_format(generation, shard, kind, file->name);
    file->kind = kind;
    file->block_count = block_count;
    file->row_count = block_count * 2;
    file->size = (uint64_t)block_count * TILE_BLOCK_ALIGN;
    file->crc = 0xc0ffee00 + shard;
}

/* Two shards; the second has a delta. */
static inline void manifest_example(struct manifest *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->store_id, EXAMPLE_STORE_ID, sizeof(out->store_id));
    out->generation = EXAMPLE_GENERATION;
    out->created_us = INT64_C(1700000000000000);
    out->epoch = 3;
    out->shard_count = 2;
    catalog_example(&out->catalog);
    for (uint32_t i = 0; i < out->catalog.view_count; i++) {
        out->since_us[i] = INT64_C(1690000000000000) + i;
    }
    for (uint32_t s = 0; s < out->shard_count; s++) {
        struct manifest_shard *shard = &out->shard[s];
        shard->replay_lsn = lsn_of(3, 100 + s);
        shard->end_lsn = lsn_of(3, 200 + s);
        shard->apply_us = INT64_C(1699999999000000) + s;
        shard->first_segment = 7 + s;
        for (uint32_t i = 0; i < out->catalog.stream_count; i++) {
            shard->watermark_us[i] = INT64_C(1699999998000000) + i;
        }
        shard->forward_lsn[1 - s] = lsn_of(3, 90 + s);
        if (s == 1) {
            manifest_example_file(out, s, EXAMPLE_GENERATION - 1, TILE_ROWS, 3);
        }
        manifest_example_file(out, s, EXAMPLE_GENERATION, TILE_ROWS, 1);
        manifest_example_file(out, s, EXAMPLE_GENERATION, TILE_LANES, 1);
    }
}
