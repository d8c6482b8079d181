#include "tests/support/unit.h"

#include "dataplane/base/bytes.h"

static const uint8_t message[15] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void numbers_are_little_endian(void **state)
{
    (void)state;
    struct bytes_reader reader = bytes_reader_of(message, sizeof(message));
    assert_int_equal(bytes_read_u8(&reader), 0x01);
    assert_int_equal(bytes_read_u16(&reader), 0x0302);
    assert_int_equal(bytes_read_u32(&reader), 0x07060504);
    assert_true(bytes_read_u64(&reader) == UINT64_C(0x0f0e0d0c0b0a0908));
    assert_int_equal(bytes_left(&reader), 0);
    assert_int_equal(bytes_read_finish(&reader), RESULT_OK);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    uint8_t data[31];
    struct bytes_writer writer = bytes_writer_of(data, sizeof(data));
    bytes_write_u8(&writer, 0xfe);
    bytes_write_u16(&writer, 0xfedc);
    bytes_write_u32(&writer, 0xfedcba98u);
    bytes_write_u64(&writer, UINT64_MAX - 1);
    bytes_write_i64(&writer, INT64_MIN);
    bytes_write(&writer, "freshet!", 8);
    assert_int_equal(bytes_write_finish(&writer), RESULT_OK);
    assert_int_equal(writer.at, sizeof(data));

    struct bytes_reader reader = bytes_reader_of(data, sizeof(data));
    assert_int_equal(bytes_read_u8(&reader), 0xfe);
    assert_int_equal(bytes_read_u16(&reader), 0xfedc);
    assert_true(bytes_read_u32(&reader) == 0xfedcba98u);
    assert_true(bytes_read_u64(&reader) == UINT64_MAX - 1);
    assert_true(bytes_read_i64(&reader) == INT64_MIN);
    assert_memory_equal(bytes_read_view(&reader, 8), "freshet!", 8);
    assert_int_equal(bytes_read_finish(&reader), RESULT_OK);
}

static void a_read_past_the_end_yields_zeros_and_sticks(void **state)
{
    (void)state;
    for (uint32_t size = 0; size < 4; size++) {
        struct bytes_reader reader = bytes_reader_of(message, size);
        assert_int_equal(bytes_read_u32(&reader), 0);
        assert_int_equal(bytes_read_u8(&reader), 0);
        assert_null(bytes_read_view(&reader, 0));
        assert_int_equal(reader.at, 0);
        assert_int_equal(bytes_read_finish(&reader), RESULT_TRUNCATED);
    }
}

static void a_read_that_ends_at_the_end_is_whole(void **state)
{
    (void)state;
    struct bytes_reader reader = bytes_reader_of(message, 4);
    assert_int_equal(bytes_read_u32(&reader), 0x04030201);
    assert_non_null(bytes_read_view(&reader, 0));
    assert_int_equal(bytes_read_finish(&reader), RESULT_OK);
}

static void a_count_near_the_top_does_not_wrap(void **state)
{
    (void)state;
    struct bytes_reader reader = bytes_reader_of(message, sizeof(message));
    (void)bytes_read_u64(&reader);
    assert_null(bytes_read_view(&reader, UINT32_MAX));
    assert_int_equal(bytes_read_finish(&reader), RESULT_TRUNCATED);

    uint8_t data[8] = {0};
    struct bytes_writer writer = bytes_writer_of(data, sizeof(data));
    bytes_write_u32(&writer, 7);
    bytes_write(&writer, message, UINT32_MAX);
    assert_int_equal(writer.at, 4);
    assert_int_equal(bytes_write_finish(&writer), RESULT_NO_SPACE);
}

static void a_write_past_the_end_writes_nothing_and_sticks(void **state)
{
    (void)state;
    uint8_t data[8] = {0};
    struct bytes_writer writer = bytes_writer_of(data, 3);
    bytes_write_u32(&writer, UINT32_MAX);
    bytes_write_u8(&writer, UINT8_MAX);
    assert_int_equal(writer.at, 0);
    assert_int_equal(data[0] | data[1] | data[2] | data[3], 0);
    assert_int_equal(bytes_write_finish(&writer), RESULT_NO_SPACE);
}

static void an_empty_cursor_needs_no_memory(void **state)
{
    (void)state;
    struct bytes_reader reader = bytes_reader_of(NULL, 0);
    assert_int_equal(bytes_read_finish(&reader), RESULT_OK);
    assert_int_equal(bytes_read_u8(&reader), 0);
    assert_int_equal(bytes_read_finish(&reader), RESULT_TRUNCATED);
    struct bytes_writer writer = bytes_writer_of(NULL, 0);
    bytes_write(&writer, NULL, 0);
    assert_int_equal(bytes_write_finish(&writer), RESULT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(a_read_past_the_end_yields_zeros_and_sticks),
        cmocka_unit_test(a_read_that_ends_at_the_end_is_whole),
        cmocka_unit_test(a_count_near_the_top_does_not_wrap),
        cmocka_unit_test(a_write_past_the_end_writes_nothing_and_sticks),
        cmocka_unit_test(an_empty_cursor_needs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
