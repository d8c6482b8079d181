#include "tests/support/damage.h"

#include "dataplane/base/checksum.h"
#include "dataplane/feature/tile_format.h"

#define ROW_WORDS 9u

static const struct tile_block block_example = {.kind = TILE_ROWS,
                                                .shard = 5,
                                                .size = TILE_ROW_HEADER + ROW_WORDS * 8,
                                                .store = UINT64_C(0x0102030405060708),
                                                .generation = 12,
                                                .number = 3,
                                                .count = 1};

static void row_put(uint8_t *out, uint32_t front_words, uint32_t back_words)
{
    memcpy(out, &front_words, sizeof(front_words));
    memcpy(out + 4, &back_words, sizeof(back_words));
}

/* A block of one row; the bytes behind it are not zeros before. */
static uint32_t block_make(struct tile_block *block, uint8_t *data)
{
    memset(data, 0xaa, TILE_BLOCK_ALIGN);
    row_put(data + TILE_BLOCK_HEADER, 7, 2);
    return tile_block_encode(block, data);
}

static void a_block_is_decoded_as_it_was_encoded(void **state)
{
    (void)state;
    uint8_t data[TILE_BLOCK_ALIGN];
    struct tile_block block = block_example;
    struct tile_block out = {0};
    assert_int_equal(block_make(&block, data), TILE_BLOCK_ALIGN);
    assert_memory_equal(data, "TIL1", 4);
    assert_int_equal(data[TILE_BLOCK_HEADER + block.size], 0);
    assert_int_equal(data[TILE_BLOCK_ALIGN - 1], 0);
    assert_int_equal(tile_block_decode(data, sizeof(data), &out), RESULT_OK);
    assert_memory_equal(&out, &block, sizeof(out));
}

static void block_cut_look(const uint8_t *data, uint32_t size, uint32_t at)
{
    struct tile_block out;
    (void)at;
    assert_int_equal(tile_block_decode(data, size, &out), RESULT_TRUNCATED);
    assert_int_equal(out.size, size < TILE_BLOCK_HEADER ? 0 : block_example.size);
}

static void block_flip_look(const uint8_t *data, uint32_t size, uint32_t at)
{
    struct tile_block out;
    enum result result = tile_block_decode(data, size, &out);
    bool length = at >= 8 && at < 12;
    assert_true(result == RESULT_CORRUPT || (length && result == RESULT_TRUNCATED));
}

static void a_block_refuses_every_cut_and_flipped_byte(void **state)
{
    (void)state;
    uint8_t data[TILE_BLOCK_ALIGN];
    struct tile_block block = block_example;
    (void)block_make(&block, data);
    uint32_t whole = TILE_BLOCK_HEADER + block.size;
    damage_cuts(data, whole, block_cut_look);
    damage_flips(data, whole, whole, block_flip_look);
}

static void a_block_has_limits(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset;
        uint32_t bytes;
        uint64_t value;
        bool good;
    } row[] = {
        {12, 2, TILE_LANES, false}, {12, 2, 0, false},
        {12, 2, 3, false},          {14, 2, SHARDS_MAX - 1, true},
        {14, 2, SHARDS_MAX, false}, {36, 4, 0, true},
        {36, 4, 2, false},          {36, 4, UINT32_MAX, false},
        {40, 1, 1, false},          {63, 1, 1, false},
        {32, 4, UINT32_MAX, true},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        uint8_t data[TILE_BLOCK_ALIGN];
        struct tile_block block = block_example;
        struct tile_block out;
        (void)block_make(&block, data);
        memcpy(data + row[i].offset, &row[i].value, row[i].bytes);
        uint32_t crc = checksum_crc32c(0, data + 8, 56 + block.size);
        memcpy(data + 4, &crc, sizeof(crc));
        assert_int_equal(tile_block_decode(data, sizeof(data), &out),
                         row[i].good ? RESULT_OK : RESULT_CORRUPT);
    }
}

static void the_longest_block_has_one_byte_less_than_the_next(void **state)
{
    (void)state;
    uint8_t *data = calloc(1, TILE_BLOCK_BYTES_MAX);
    struct tile_block block = block_example;
    struct tile_block out;
    block.size = (uint32_t)TILE_BLOCK_BYTES_MAX - TILE_BLOCK_HEADER;
    assert_int_equal(tile_block_encode(&block, data), TILE_BLOCK_BYTES_MAX);
    assert_int_equal(tile_block_decode(data, TILE_BLOCK_BYTES_MAX, &out), RESULT_OK);
    block.size += 8;
    memcpy(data + 8, &block.size, sizeof(block.size));
    assert_int_equal(tile_block_decode(data, UINT64_MAX, &out), RESULT_CORRUPT);
    free(data);
}

static void rows_are_read_one_behind_the_other(void **state)
{
    (void)state;
    uint8_t content[2 * TILE_ROW_HEADER + (7 + 9) * 8] = {0};
    struct tile_row row;
    uint32_t at = 0;
    row_put(content, 7, 0);
    row_put(content + 64, 7, 2);
    assert_int_equal(tile_row_decode(content, sizeof(content), &at, &row), RESULT_OK);
    assert_int_equal(at, 64);
    assert_int_equal(row.front_words, 7);
    assert_int_equal(row.back_words, 0);
    assert_ptr_equal(row.words, content + 8);
    assert_int_equal(tile_row_decode(content, sizeof(content), &at, &row), RESULT_OK);
    assert_int_equal(row.back_words, 2);
    assert_ptr_equal(row.words, content + 72);
    assert_int_equal(at, sizeof(content));
    assert_int_equal(tile_row_decode(content, sizeof(content), &at, &row), RESULT_NOT_FOUND);
    for (uint32_t size = 65; size < sizeof(content); size++) {
        at = 64;
        assert_int_equal(tile_row_decode(content, size, &at, &row), RESULT_CORRUPT);
        assert_int_equal(at, 64);
    }
}

static void a_row_has_limits(void **state)
{
    (void)state;
    static const struct {
        uint32_t front_words;
        uint32_t back_words;
        bool good;
    } row[] = {{6, 100, false},
               {7, 0, true},
               {TILE_ROW_WORDS_MAX, 0, true},
               {TILE_ROW_WORDS_MAX + 1, 0, false},
               {7, TILE_ROW_WORDS_MAX - 7, true},
               {7, TILE_ROW_WORDS_MAX - 6, false},
               {UINT32_MAX, UINT32_MAX, false},
               {7, UINT32_MAX, false}};
    uint8_t *content = calloc(1, ROW_SIZE_MAX + 16);
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        struct tile_row out;
        uint32_t at = 0;
        row_put(content, row[i].front_words, row[i].back_words);
        assert_int_equal(tile_row_decode(content, ROW_SIZE_MAX + 16, &at, &out),
                         row[i].good ? RESULT_OK : RESULT_CORRUPT);
    }
    free(content);
}

static void lanes_are_decoded_as_they_were_encoded(void **state)
{
    (void)state;
    uint8_t content[2 * TILE_LANE_BYTES];
    struct tile_lane lane = {.producer = UINT64_MAX,
                             .incarnation = 9,
                             .lane = 65535,
                             .flags = TILE_LANE_FLAG_ACKED,
                             .base = 1,
                             .top = 4096,
                             .seen_us = INT64_MIN};
    struct tile_lane out;
    for (uint32_t i = 0; i < TILE_WINDOW_WORDS; i++) {
        lane.window[i] = UINT64_C(0x0101010101010101) * i;
    }
    memset(content, 0, sizeof(content));
    tile_lane_encode(&lane, content + TILE_LANE_BYTES);
    tile_lane_decode(content, 1, &out);
    assert_memory_equal(&out, &lane, sizeof(out));
    tile_lane_decode(content, 0, &out);
    assert_int_equal(out.producer, 0);
    assert_int_equal(TILE_LANE_BYTES, 552);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_decoded_as_it_was_encoded),
        cmocka_unit_test(a_block_refuses_every_cut_and_flipped_byte),
        cmocka_unit_test(a_block_has_limits),
        cmocka_unit_test(the_longest_block_has_one_byte_less_than_the_next),
        cmocka_unit_test(rows_are_read_one_behind_the_other),
        cmocka_unit_test(a_row_has_limits),
        cmocka_unit_test(lanes_are_decoded_as_they_were_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
