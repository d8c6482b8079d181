#include "tests/support/unit.h"

#include "dataplane/feature/file_name.h"
#include "dataplane/feature/manifest.h"

static void numbers_have_their_least_width_and_one_spelling(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        uint32_t digits_min;
        const char *text;
    } row[] = {{0, 1, "0"},           {0, 3, "000"},     {7, 3, "007"},
               {999, 3, "999"},       {1000, 3, "1000"}, {UINT64_MAX, 1, "18446744073709551615"},
               {12, 10, "0000000012"}};
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        char out[FILE_NAME_DIGITS_MAX + 1];
        uint64_t number = 0;
        char *end = file_name_put_number(out, row[i].number, row[i].digits_min);
        assert_string_equal(out, row[i].text);
        assert_ptr_equal(end, out + strlen(out));
        assert_ptr_equal(file_name_take_number(out, row[i].digits_min, &number), end);
        assert_int_equal(number, row[i].number);
    }
}

static void other_spellings_are_refused(void **state)
{
    (void)state;
    static const char *const row[] = {
        "", "12", "0012", "+12", " 012", "x12", "18446744073709551616", "99999999999999999999"};
    uint64_t number = 77;
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        assert_null(file_name_take_number(row[i], 3, &number));
    }
    assert_null(file_name_take_number(NULL, 3, &number));
    assert_null(file_name_take_text(NULL, "a"));
    assert_null(file_name_take_text("ba", "a"));
    assert_int_equal(number, 77);
}

static void a_name_gives_back_what_it_was_made_of(void **state)
{
    (void)state;
    char name[MIRROR_NAME_SIZE_MAX];
    uint32_t shard;
    uint64_t number;
    enum tile_kind kind;
    mirror_name_format(3, 12, name);
    assert_string_equal(name, "mirror-003-00000012.log");
    assert_true(mirror_name_parse(name, &shard, &number));
    assert_true(shard == 3 && number == 12);
    tile_name_format(12, 3, TILE_ROWS, name);
    assert_string_equal(name, "tiles-0000000012-003.rows");
    assert_true(tile_name_parse(name, &number, &shard, &kind));
    assert_true(number == 12 && shard == 3 && kind == TILE_ROWS);
    tile_name_format(12, 3, TILE_LANES, name);
    assert_string_equal(name, "tiles-0000000012-003.lanes");
    assert_true(tile_name_parse(name, &number, &shard, &kind));
    assert_int_equal(kind, TILE_LANES);
    tile_filled_name_format(12, 3, name);
    assert_string_equal(name, "backfill-0000000012-003.rows");
    assert_true(tile_filled_name_parse(name, &number, &shard));
    assert_true(number == 12 && shard == 3);
    assert_false(tile_name_parse(name, &number, &shard, &kind));
    manifest_name_format(12, name);
    assert_string_equal(name, "manifest-0000000012");
    assert_true(manifest_name_parse(name, &number));
    assert_int_equal(number, 12);
}

static void the_longest_names_fit(void **state)
{
    (void)state;
    char mirror[MIRROR_NAME_SIZE_MAX];
    char tile[TILE_NAME_SIZE_MAX];
    char manifest[MANIFEST_NAME_SIZE_MAX];
    mirror_name_format(SHARDS_MAX - 1, UINT64_MAX, mirror);
    tile_name_format(UINT64_MAX, SHARDS_MAX - 1, TILE_LANES, tile);
    manifest_name_format(UINT64_MAX, manifest);
    assert_true(strlen(mirror) < sizeof(mirror));
    assert_true(strlen(tile) < sizeof(tile));
    tile_filled_name_format(UINT64_MAX, SHARDS_MAX - 1, tile);
    assert_true(strlen(tile) < sizeof(tile));
    assert_true(strlen(manifest) < sizeof(manifest));
}

static void other_names_are_no_names(void **state)
{
    (void)state;
    static const char *const row[] = {"",
                                      "mirror",
                                      "mirror-3-00000012.log",
                                      "mirror-064-00000012.log",
                                      "mirror-003-00000012.lo",
                                      "mirror-003-00000012.log.tmp",
                                      "mirror-003-0000000000000000012.log",
                                      "tiles-0000000012-003.row",
                                      "tiles-0000000012-003.rowss",
                                      "tiles-0000000012-064.rows",
                                      "tiles-0000000012.rows",
                                      "backfill",
                                      "backfill-0000000012-003.lanes",
                                      "backfill-0000000012-003.rows.tmp",
                                      "backfill-0000000012-064.rows",
                                      "manifest-000000012",
                                      "manifest-0000000012.tmp",
                                      "../manifest-0000000012"};
    uint32_t shard;
    uint64_t number;
    enum tile_kind kind;
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        assert_false(mirror_name_parse(row[i], &shard, &number));
        assert_false(tile_name_parse(row[i], &number, &shard, &kind));
        assert_false(tile_filled_name_parse(row[i], &number, &shard));
        assert_false(manifest_name_parse(row[i], &number));
    }
}

static void a_name_that_is_no_whole_files_gives_what_it_would_be(void **state)
{
    (void)state;
    char out[10];
    static const char *const whole[] = {"",         ".tmp",       "tmp",   "notes",
                                        "notes.tm", "notes.tmp.", "a.tmpp"};
    for (uint32_t i = 0; i < ARRAY_COUNT(whole); i++) {
        assert_false(file_name_is_tmp(whole[i], out, sizeof(out)));
    }
    assert_true(file_name_is_tmp("notes.tmp", out, sizeof(out)));
    assert_string_equal(out, "notes");
    assert_true(file_name_is_tmp("a.tmp.tmp", out, sizeof(out)));
    assert_string_equal(out, "a.tmp");
    assert_true(file_name_is_tmp("123456789.tmp", out, sizeof(out)));
    assert_string_equal(out, "123456789");
    assert_false(file_name_is_tmp("1234567890.tmp", out, sizeof(out)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_their_least_width_and_one_spelling),
        cmocka_unit_test(other_spellings_are_refused),
        cmocka_unit_test(a_name_gives_back_what_it_was_made_of),
        cmocka_unit_test(the_longest_names_fit),
        cmocka_unit_test(other_names_are_no_names),
        cmocka_unit_test(a_name_that_is_no_whole_files_gives_what_it_would_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
