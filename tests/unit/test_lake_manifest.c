/* The manifest of a lake: names of files, and which lines are taken, torn, or damage. */
#include "tests/support/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "controlplane/lake_manifest.h"
#include "dataplane/base/units.h"

#define STORE "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"
#define PATH  "stream=a/dt=1970-01-02/hr=03/part-001-00000007.parquet"
#define FILE_LINE                                                                                  \
    "{\"path\":\"" PATH "\",\"stream\":\"a\",\"hour_us\":97200000000,\"store\":\"" STORE           \
    "\",\"shard\":1,\"segment\":7}\n"
#define WHOLE_LINE "{\"whole\":true,\"store\":\"" STORE "\",\"shard\":1,\"segment\":7}\n"

static const struct {
    const char *stream;
    int64_t hour;
    uint32_t shard;
    uint64_t segment;
    const char *path;
} paths[] = {
    {"a", 27, 1, 7, PATH},
    {"a", 0, 0, 123456789, "stream=a/dt=1970-01-01/hr=00/part-000-123456789.parquet"},
    {"a", -1, 63, 1, "stream=a/dt=1969-12-31/hr=23/part-063-00000001.parquet"},
    {"../B c=%", 27, 1, 7,
     "stream=%2E%2E%2FB%20c%3D%25/dt=1970-01-02/hr=03/part-001-00000007.parquet"},
    {"a", LAKE_HOUR_NONE, 1, 7,
     "stream=a/dt=__HIVE_DEFAULT_PARTITION__/hr=__HIVE_DEFAULT_PARTITION__/"
     "part-001-00000007.parquet"},
    {"a", -17259888, 1, 7, "stream=a/dt=0001-01-01/hr=00/part-001-00000007.parquet"},
    {"a", 70389527, 1, 7, "stream=a/dt=9999-12-31/hr=23/part-001-00000007.parquet"},
};

static void a_file_is_named_by_stream_hour_shard_and_segment(void **state)
{
    (void)state;
    char path[LAKE_PATH_SIZE_MAX];
    for (uint32_t i = 0; i < ARRAY_COUNT(paths); i++) {
        lake_path_format(paths[i].stream, paths[i].hour, paths[i].shard, paths[i].segment, path);
        assert_string_equal(path, paths[i].path);
    }
    assert_true(lake_hour_has_place(-17259888));
    assert_false(lake_hour_has_place(-17259889));
    assert_true(lake_hour_has_place(70389527));
    assert_false(lake_hour_has_place(70389528));
}

static const struct {
    const char *text;
    enum result result;
    uint64_t torn;    /* Bytes behind the last whole line. */
    uint32_t line;    /* Of damage. */
    const char *what; /* Part of its sentence. */
} rows[] = {
    {"", RESULT_OK, 0, 0, NULL},
    {FILE_LINE, RESULT_OK, 0, 0, NULL},
    {FILE_LINE WHOLE_LINE, RESULT_OK, 0, 0, NULL},
    {FILE_LINE "{\"whole\":tr", RESULT_OK, 11, 0, NULL},
    {"no JSON, but torn", RESULT_OK, 17, 0, NULL},
    {"\n", RESULT_CORRUPT, 0, 1, "no JSON object"},
    {"{}\n", RESULT_CORRUPT, 0, 1, "`hour_us` is no whole hour"},
    {FILE_LINE "[]\n", RESULT_CORRUPT, 0, 2, "no JSON object"},
    {WHOLE_LINE "{\"whole\":true,\"store\":\"" OTHER "\",\"shard\":1,\"segment\":8}\n",
     RESULT_CORRUPT, 0, 2, "that of another store"},
    {"{\"whole\":true,\"store\":\"" STORE "\",\"shard\":64,\"segment\":7}\n", RESULT_CORRUPT, 0, 1,
     "`shard` is no number of a shard"},
    {"{\"whole\":true,\"store\":\"" STORE "\",\"shard\":1,\"segment\":-7}\n", RESULT_CORRUPT, 0, 1,
     "`segment` is no number of a segment"},
    {"{\"path\":\"" PATH "\",\"stream\":\"b\",\"hour_us\":97200000000,\"store\":\"" STORE
     "\",\"shard\":1,\"segment\":7}\n",
     RESULT_CORRUPT, 0, 1, "`path` is not that of"},
    {"{\"path\":\"" PATH "\",\"stream\":\"a\",\"hour_us\":97200000001,\"store\":\"" STORE
     "\",\"shard\":1,\"segment\":7}\n",
     RESULT_CORRUPT, 0, 1, "`hour_us` is no whole hour"},
};

static void lines_are_taken_strictly_and_a_torn_end_is_left(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct lake_known known;
        struct lake_wrong wrong;
        uint64_t size = strlen(rows[i].text);
        uint64_t bytes = UINT64_MAX;
        enum result result = lake_manifest_decode(rows[i].text, size, &known, &bytes, &wrong);
        assert_int_equal(result, rows[i].result);
        if (result == RESULT_OK) {
            assert_int_equal(size - bytes, rows[i].torn);
        } else {
            assert_int_equal(wrong.line, rows[i].line);
            assert_non_null(strstr(wrong.what, rows[i].what));
        }
        lake_known_free(&known);
    }
}

static void a_segment_that_is_whole_has_all_its_files(void **state)
{
    (void)state;
    struct lake_known known;
    struct lake_wrong wrong;
    uint64_t bytes;
    assert_int_equal(lake_manifest_decode(FILE_LINE, strlen(FILE_LINE), &known, &bytes, &wrong),
                     RESULT_OK);
    assert_true(lake_known_file(&known, 1, 7, "a", 27));
    assert_false(lake_known_file(&known, 1, 7, "a", 28));
    assert_false(lake_known_file(&known, 1, 7, "b", 27));
    assert_false(lake_known_file(&known, 2, 7, "a", 27));
    assert_false(lake_known_file(&known, 1, 8, "a", 27));
    assert_false(lake_known_segment(&known, 1, 7));
    lake_known_free(&known);
    const char *whole = FILE_LINE WHOLE_LINE;
    assert_int_equal(lake_manifest_decode(whole, strlen(whole), &known, &bytes, &wrong), RESULT_OK);
    assert_true(lake_known_segment(&known, 1, 7));
    assert_false(lake_known_segment(&known, 7, 1));
    assert_true(lake_known_file(&known, 1, 7, "b", 5));
    assert_int_equal(known.file_count, 0); /* Not remembered one by one. */
    lake_known_free(&known);
}

static struct lake_manifest *opened(const char *folder, enum result expected)
{
    static const uint8_t store[MIRROR_STORE_ID_BYTES] = {1};
    char error[LAKE_ERROR_SIZE_MAX];
    struct lake_manifest *manifest = NULL;
    assert_int_equal(lake_manifest_open(folder, store, &manifest, error), expected);
    return manifest;
}

static void one_that_failed_or_was_taken_away_is_for_another_open(void **state)
{
    (void)state;
    char folder[] = "/tmp/freshet-manifest-XXXXXX";
    char path[sizeof(folder) + sizeof(LAKE_MANIFEST_NAME) + 1];
    const struct lake_segment segment = {.shard = 1, .segment = 7};
    struct rlimit before;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/" LAKE_MANIFEST_NAME, folder);
    struct lake_manifest *manifest = opened(folder, RESULT_OK);
    assert_true(lake_manifest_holds(manifest, folder));
    /* A disk that is full in the middle of a line. */
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit full = {.rlim_cur = 10, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    assert_int_equal(lake_manifest_add_segment(manifest, &segment), RESULT_SYSTEM);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(lake_manifest_holds(manifest, folder));
    lake_manifest_close(manifest);
    manifest = opened(folder, RESULT_OK);
    assert_false(lake_known_segment(lake_manifest_known(manifest), 1, 7));
    assert_int_equal(lake_manifest_add_segment(manifest, &segment), RESULT_OK);
    assert_true(lake_manifest_holds(manifest, folder));
    /* Another file under its name, and none. */
    assert_int_equal(unlink(path), 0);
    assert_false(lake_manifest_holds(manifest, folder));
    struct lake_manifest *other = opened(folder, RESULT_OK);
    assert_false(lake_manifest_holds(manifest, folder));
    assert_true(lake_manifest_holds(other, folder));
    lake_manifest_close(manifest);
    lake_manifest_close(other);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_named_by_stream_hour_shard_and_segment),
        cmocka_unit_test(lines_are_taken_strictly_and_a_torn_end_is_left),
        cmocka_unit_test(a_segment_that_is_whole_has_all_its_files),
        cmocka_unit_test(one_that_failed_or_was_taken_away_is_for_another_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
