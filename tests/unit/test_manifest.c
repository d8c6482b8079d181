#include "tests/support/unit.h"

#include "dataplane/base/checksum.h"
#include "tests/support/manifest_example.h"

static struct manifest manifest;
static struct manifest out;
static uint8_t *data;
static uint32_t size;

static int set_up(void **state)
{
    (void)state;
    data = malloc(MANIFEST_BYTES_MAX);
    manifest_example(&manifest);
    size = manifest_encode(&manifest, data, MANIFEST_BYTES_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(data);
    return 0;
}

static void crc_fix(uint8_t *bytes, uint32_t count)
{
    memset(bytes + 12, 0, 4);
    uint32_t crc = checksum_crc32c(0, bytes, count);
    memcpy(bytes + 12, &crc, sizeof(crc));
}

static void a_manifest_is_decoded_as_it_was_encoded(void **state)
{
    (void)state;
    assert_memory_equal(data, "FRSHMAN1", 8);
    memset(&out, 0xaa, sizeof(out));
    assert_int_equal(manifest_decode(data, size, &out), RESULT_OK);
    assert_memory_equal(&out, &manifest, sizeof(out));
}

static void every_cut_is_truncated_and_a_longer_file_is_damaged(void **state)
{
    (void)state;
    for (uint32_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut + (cut == 0));
        memcpy(copy, data, cut);
        assert_int_equal(manifest_decode(copy, cut, &out), RESULT_TRUNCATED);
        free(copy);
    }
    data[size] = 0;
    assert_int_equal(manifest_decode(data, size + 1, &out), RESULT_CORRUPT);
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < size; at++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            data[at] ^= (uint8_t)(1u << bit);
            enum result result = manifest_decode(data, size, &out);
            assert_true(at < 12 ? result == RESULT_INVALID
                                : result == RESULT_CORRUPT ||
                                      (at >= 56 && at < 60 && result == RESULT_TRUNCATED));
            data[at] ^= (uint8_t)(1u << bit);
        }
    }
}

/* With a crc that holds, each byte is refused or means what it says. */
static void what_passes_with_a_good_crc_encodes_to_the_same_bytes(void **state)
{
    (void)state;
    uint8_t *again = malloc(MANIFEST_BYTES_MAX);
    uint32_t refused = 0;
    for (uint32_t at = 12; at < size; at++) {
        data[at] ^= 0x41;
        crc_fix(data, size);
        if (manifest_decode(data, size, &out) == RESULT_OK) {
            assert_int_equal(manifest_encode(&out, again, MANIFEST_BYTES_MAX), size);
            assert_memory_equal(again, data, size);
        } else {
            refused++;
        }
        data[at] ^= 0x41;
    }
    assert_true(refused > 0);
    free(again);
}

static void a_manifest_has_limits(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset;
        uint32_t bytes;
        uint64_t value;
        bool good;
    } row[] = {
        {48, 4, UINT16_MAX, true},  {48, 4, UINT16_MAX + 1, false},
        {52, 4, 0, false},          {52, 4, 1, false},
        {52, 4, 3, false},          {52, 4, SHARDS_MAX + 1, false},
        {52, 4, UINT32_MAX, false}, {60, 4, 0, false},
        {60, 4, UINT32_MAX, false}, {32, 8, 12, true},
        {32, 8, 11, false}, /* Its files are of generation 12. */
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        size = manifest_encode(&manifest, data, MANIFEST_BYTES_MAX);
        memcpy(data + row[i].offset, &row[i].value, row[i].bytes);
        crc_fix(data, size);
        assert_int_equal(manifest_decode(data, size, &out),
                         row[i].good ? RESULT_OK : RESULT_INVALID);
    }
}

static void writer_refuses(void)
{
    expect_assert_failure((void)manifest_encode(&manifest, data, MANIFEST_BYTES_MAX));
}

static void name_set(struct manifest_file *file, const char *name)
{
    memset(file->name, 0, sizeof(file->name));
    memcpy(file->name, name, strlen(name));
}

/* The encoder asserts what the decoder checks, so a bad name is put into good bytes. */
static void a_file_is_named_by_its_kind_and_shard(void **state)
{
    (void)state;
    static const char *const row[] = {"tiles-0000000012-001.rows", "tiles-0000000013-000.rows",
                                      "../../000000000000000.txt", "tiles-0000000012-000.rowz",
                                      "/iles-0000000012-000.rows"};
    const char *good = "tiles-0000000012-000.rows";
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        size = manifest_encode(&manifest, data, MANIFEST_BYTES_MAX);
        uint8_t *name = memmem(data, size, good, strlen(good));
        assert_non_null(name);
        memcpy(name, row[i], strlen(good));
        crc_fix(data, size);
        assert_int_equal(manifest_decode(data, size, &out), RESULT_INVALID);
    }
    name_set(&manifest.shard[0].file[0], row[0]);
    writer_refuses();
}

static void the_sizes_of_a_file_fit_its_blocks(void **state)
{
    (void)state;
    static const struct {
        uint32_t blocks;
        uint64_t bytes;
        bool good;
    } row[] = {{0, 0, true},
               {0, 4096, false},
               {1, 4095, false},
               {1, 0, false},
               {2, 4096, false},
               {1, TILE_BLOCK_BYTES_MAX, true},
               {1, TILE_BLOCK_BYTES_MAX + 4096, false},
               {UINT32_MAX, UINT64_MAX, false}};
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        size = manifest_encode(&manifest, data, MANIFEST_BYTES_MAX);
        uint8_t *name = memmem(data, size, "tiles-0000000012-000.rows", 25);
        memcpy(name - 25, &row[i].blocks, sizeof(row[i].blocks));
        memcpy(name - 13, &row[i].bytes, sizeof(row[i].bytes));
        crc_fix(data, size);
        assert_int_equal(manifest_decode(data, size, &out),
                         row[i].good ? RESULT_OK : RESULT_INVALID);
    }
}

static void the_largest_manifest_fits_its_bytes(void **state)
{
    (void)state;
    memset(&manifest, 0, sizeof(manifest));
    manifest.generation = UINT64_MAX;
    manifest.shard_count = SHARDS_MAX;
    manifest.catalog.stream_count = STREAMS_MAX;
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        struct catalog_stream *stream = &manifest.catalog.stream[s];
        memset(stream->name, 'a' + (int)(s % 26), NAME_SIZE_MAX - 1);
        stream->name[0] = (char)('A' + s / 26);
        stream->id = (uint16_t)s;
        stream->version = 1;
        for (uint32_t f = 0; f < FIELDS_MAX; f++) {
            struct catalog_field *field = catalog_example_field(stream, "", FIELD_TYPE_i64, 8);
            memset(field->name, 'f', NAME_SIZE_MAX - 1);
        }
    }
    for (uint16_t v = 0; v < VIEWS_MAX; v++) {
        catalog_example_view(&manifest.catalog, "", (uint16_t)(v + 1), v % STREAMS_MAX,
                             v / STREAMS_MAX);
        memset(manifest.catalog.view[v].name, 'v', NAME_SIZE_MAX - 1);
        memset(manifest.catalog.view[v].entity, 'e', NAME_SIZE_MAX - 1);
    }
    for (uint32_t s = 0; s < SHARDS_MAX; s++) {
        for (uint32_t f = 0; f < MANIFEST_FILES_MAX; f++) {
            manifest_example_file(&manifest, s, UINT64_MAX, TILE_LANES, 1);
        }
    }
    size = manifest_encode(&manifest, data, MANIFEST_BYTES_MAX);
    assert_true(size <= MANIFEST_BYTES_MAX);
    assert_int_equal(manifest_decode(data, size, &out), RESULT_OK);
    assert_memory_equal(&out, &manifest, sizeof(out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_manifest_is_decoded_as_it_was_encoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_cut_is_truncated_and_a_longer_file_is_damaged, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_passes_with_a_good_crc_encodes_to_the_same_bytes,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_manifest_has_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_is_named_by_its_kind_and_shard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_sizes_of_a_file_fit_its_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_largest_manifest_fits_its_bytes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
