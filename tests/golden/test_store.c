/* A golden store of one shard: a segment with every kind of entry and the one behind it, rows,
 * lanes, and the manifest that names them. With UPDATE_GOLDEN set the files become what they are
 * compared with. Their text twins are what `freshet inspect` prints (tests/system/test_inspect.py).
 * Segments are kept without the zeros behind their last frame. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "dataplane/feature/row.h"
#include "tests/support/manifest_example.h"
#include "tests/support/segment_make.h"

#define SEGMENT_NUMBER 7u
#define SEGMENT_KEPT   (4u * MIRROR_BLOCK_BYTES)
#define NEXT_LSN       9u
#define NEXT_KEPT      (2u * MIRROR_BLOCK_BYTES)
#define ROW_FRONT      8u
#define ROW_BACK       3u

static FILE *golden_open(const char *name, const char *mode)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/tests/golden/store/%s", getenv("FRESHET_SOURCE"), name);
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    return file;
}

static void golden_check(const char *name, const void *data, uint32_t size)
{
    if (getenv("UPDATE_GOLDEN") != NULL) {
        FILE *file = golden_open(name, "wb");
        assert_int_equal(fwrite(data, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
    }
    FILE *file = golden_open(name, "rb");
    uint8_t *golden = malloc(size + 1);
    assert_int_equal(fread(golden, 1, size + 1, file), size);
    assert_int_equal(fclose(file), 0);
    assert_memory_equal(data, golden, size);
    free(golden);
}

static void epoch_add(struct segment_make *make)
{
    const uint64_t cut = lsn_of(SEGMENT_EPOCH - 1, 99);
    struct mirror_entry entry = {.kind = MIRROR_EPOCH,
                                 .apply_us = SEGMENT_TIME_US,
                                 .lsn = make->next_lsn,
                                 .epoch = SEGMENT_EPOCH - 1,
                                 .shard_count = 1,
                                 .note = (const uint8_t *)&cut,
                                 .note_size = sizeof(cut)};
    segment_make_added(make, mirror_note_encode(&entry, segment_make_entry(make)), 1);
}

static void plan_add(struct segment_make *make, uint8_t flags)
{
    static struct catalog catalog;
    static uint8_t note[CATALOG_BYTES_MAX];
    catalog_example(&catalog);
    struct mirror_entry entry = {.kind = MIRROR_PLAN,
                                 .flags = flags,
                                 .apply_us = SEGMENT_TIME_US,
                                 .lsn = make->next_lsn,
                                 .note = note,
                                 .note_size = catalog_encode(&catalog, note, sizeof(note))};
    bool repeated = mirror_plan_is_repeated(&entry);
    segment_make_added(make, mirror_note_encode(&entry, segment_make_entry(make)), !repeated);
}

static void forward_add(struct segment_make *make)
{
    static const uint8_t event[] = "an event of another home";
    struct mirror_entry entry = {.kind = MIRROR_FORWARD,
                                 .stream_id = 2,
                                 .apply_us = SEGMENT_TIME_US,
                                 .lsn = make->next_lsn,
                                 .home_lsn = lsn_of(SEGMENT_EPOCH, 17),
                                 .order = 42 << 16 | 1,
                                 .home = 1,
                                 .version = 2,
                                 .event_stride = sizeof(event) - 1,
                                 .views = 1,
                                 .events = event};
    segment_make_added(make, mirror_forward_encode(&entry, segment_make_entry(make)), 1);
}

static void the_segment_holds_every_kind_of_entry(void **state)
{
    (void)state;
    uint8_t *data = calloc(1, MIRROR_SEGMENT_BYTES_MIN);
    struct segment_make make;
    segment_make_begin(&make, data, 0, SEGMENT_NUMBER, 1, MIRROR_SEGMENT_BYTES_MIN);
    make.segment.shard_count = 1;
    make.segment.before_lsn = lsn_of(SEGMENT_EPOCH - 1, 99);
    mirror_segment_encode(&make.segment, data);
    make.chain_crc = make.segment.crc;
    make.acked_lsn = make.segment.before_lsn;
    epoch_add(&make);
    plan_add(&make, 0);
    (void)segment_make_frame(&make);
    uint32_t late = verdict_of(VERDICT_event_late, 0, 0);
    uint32_t refused = verdict_of(VERDICT_applied, 0, 2);
    uint8_t *message = segment_make_entry(&make);
    segment_make_message(&make, 42, 4);
    memcpy(message + MIRROR_MESSAGE_HEADER + 4, &late, sizeof(late));
    memcpy(message + MIRROR_MESSAGE_HEADER + 8, &refused, sizeof(refused));
    segment_make_message(&make, 43, 0);
    forward_add(&make);
    (void)segment_make_frame(&make);
    (void)segment_make_frame(&make);
    assert_int_equal(make.place, SEGMENT_KEPT);
    golden_check("mirror-000-00000007.log", data, SEGMENT_KEPT);
    free(data);
}

static void the_next_segment_repeats_the_plan(void **state)
{
    (void)state;
    uint8_t *data = calloc(1, MIRROR_SEGMENT_BYTES_MIN);
    struct segment_make make;
    segment_make_begin(&make, data, 0, SEGMENT_NUMBER + 1, NEXT_LSN, MIRROR_SEGMENT_BYTES_MIN);
    make.segment.shard_count = 1;
    mirror_segment_encode(&make.segment, data);
    make.chain_crc = make.segment.crc;
    plan_add(&make, MIRROR_PLAN_FLAG_REPEATED);
    plan_add(&make, MIRROR_PLAN_FLAG_REPEATED | MIRROR_PLAN_FLAG_UNROUTED);
    segment_make_message(&make, 44, 2);
    (void)segment_make_frame(&make);
    assert_int_equal(make.place, NEXT_KEPT);
    golden_check("mirror-000-00000008.log", data, NEXT_KEPT);
    free(data);
}

/* Writes a block and returns its bytes. */
static uint32_t block_close(uint8_t *data, enum tile_kind kind, uint32_t number, uint32_t count,
                            uint32_t size, uint32_t *crcs)
{
    struct tile_block block = {.kind = kind,
                               .size = size,
                               .store = mirror_store_of((const uint8_t *)EXAMPLE_STORE_ID),
                               .generation = EXAMPLE_GENERATION,
                               .number = number,
                               .count = count};
    uint32_t bytes = tile_block_encode(&block, data);
    *crcs = checksum_crc32c(*crcs, &block.crc, sizeof(block.crc));
    return bytes;
}

/* A row of view 0 whose key is a number; behind its first line only a pattern. */
static uint32_t row_add(uint8_t *content, uint64_t key)
{
    const uint32_t words[2] = {ROW_FRONT, ROW_BACK};
    uint64_t row[1 + ROW_FRONT + ROW_BACK];
    memset(row, 0x11, sizeof(row));
    row_meta_store(row, (struct row_meta){.slot = 7, .key_size = sizeof(key), .single_count = 1});
    row[ROW_APPLY] = (uint64_t)SEGMENT_TIME_US;
    row[ROW_LSN] = lsn_of(SEGMENT_EPOCH, 2 + key);
    row[ROW_NEWEST] = (uint64_t)SEGMENT_TIME_US - 1;
    row[ROW_HORIZON] = (uint64_t)SEGMENT_TIME_US - 10000000;
    row[ROW_KEY] = key;
    row[ROW_KEY + 1] = 0;
    memcpy(content, words, sizeof(words));
    memcpy(content + TILE_ROW_HEADER, row + 1, (ROW_FRONT + ROW_BACK) * sizeof(row[0]));
    return TILE_ROW_HEADER + (ROW_FRONT + ROW_BACK) * sizeof(row[0]);
}

static uint32_t rows_make(uint8_t *data, uint32_t *crcs)
{
    uint32_t size = row_add(data + TILE_BLOCK_HEADER, 1);
    size += row_add(data + TILE_BLOCK_HEADER + size, 2);
    uint32_t at = block_close(data, TILE_ROWS, 0, 2, size, crcs);
    size = row_add(data + at + TILE_BLOCK_HEADER, 3);
    return at + block_close(data + at, TILE_ROWS, 1, 1, size, crcs);
}

static uint32_t lanes_make(uint8_t *data, uint32_t *crcs)
{
    for (uint16_t i = 0; i < 2; i++) {
        struct tile_lane lane = {.producer = 7,
                                 .incarnation = 1700000000,
                                 .lane = i,
                                 .flags = (uint16_t)(i == 0 ? 0 : TILE_LANE_FLAG_ACKED),
                                 .base = 40,
                                 .top = 43,
                                 .seen_us = SEGMENT_TIME_US,
                                 .window = {UINT64_C(7) << 41}};
        tile_lane_encode(&lane, data + TILE_BLOCK_HEADER + i * TILE_LANE_BYTES);
    }
    return block_close(data, TILE_LANES, 0, 2, 2 * TILE_LANE_BYTES, crcs);
}

static void file_add(struct manifest *manifest, enum tile_kind kind, uint32_t block_count,
                     uint64_t row_count, uint32_t crc)
{
    manifest_example_file(manifest, 0, EXAMPLE_GENERATION, kind, block_count);
    struct manifest_file *file = &manifest->shard[0].file[manifest->shard[0].file_count - 1];
    file->row_count = row_count;
    file->crc = crc;
}

static void the_manifest_names_rows_and_lanes(void **state)
{
    (void)state;
    static struct manifest manifest;
    uint8_t *data = calloc(1, MANIFEST_BYTES_MAX);
    uint32_t rows_crc = 0;
    uint32_t lanes_crc = 0;
    uint32_t size = rows_make(data, &rows_crc);
    golden_check("tiles-0000000012-000.rows", data, size);
    memset(data, 0, size);
    size = lanes_make(data, &lanes_crc);
    golden_check("tiles-0000000012-000.lanes", data, size);
    manifest_example(&manifest);
    memset(&manifest.shard[1], 0, sizeof(manifest.shard[1]));
    manifest.shard_count = 1;
    manifest.shard[0].file_count = 0;
    manifest.shard[0].replay_lsn = lsn_of(SEGMENT_EPOCH, 2);
    manifest.shard[0].end_lsn = lsn_of(SEGMENT_EPOCH, 8);
    file_add(&manifest, TILE_ROWS, 2, 3, rows_crc);
    file_add(&manifest, TILE_LANES, 1, 2, lanes_crc);
    size = manifest_encode(&manifest, data, MANIFEST_BYTES_MAX);
    golden_check("manifest-0000000012", data, size);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_segment_holds_every_kind_of_entry),
        cmocka_unit_test(the_next_segment_repeats_the_plan),
        cmocka_unit_test(the_manifest_names_rows_and_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
