/* Thrift's compact protocol: bytes of its specification. */
#include "tests/support/unit.h"

#include "controlplane/thrift_compact.h"

static struct buffer out;

static int out_open(void **state)
{
    (void)state;
    buffer_init(&out, 0);
    return 0;
}

static int out_close(void **state)
{
    (void)state;
    buffer_deinit(&out);
    return 0;
}

#define OUT_IS(...)                                                                                \
    do {                                                                                           \
        const uint8_t expected[] = {__VA_ARGS__};                                                  \
        assert_int_equal(out.size, sizeof(expected));                                              \
        assert_memory_equal(out.data, expected, sizeof(expected));                                 \
    } while (0)

static void numbers_take_seven_bits_a_byte(void **state)
{
    (void)state;
    thrift_varint(&out, 0);
    thrift_varint(&out, 127);
    thrift_varint(&out, 128);
    thrift_varint(&out, UINT64_MAX);
    OUT_IS(0, 0x7f, 0x80, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
}

static void signs_go_to_the_lowest_bit(void **state)
{
    struct thrift_writer writer;
    (void)state;
    thrift_writer_init(&writer, &out);
    thrift_i32(&writer, 1, -1);
    thrift_i64(&writer, 2, 1);
    thrift_i16(&writer, 3, -2);
    thrift_i64(&writer, 4, INT64_MIN);
    OUT_IS(0x15, 1, 0x16, 2, 0x14, 3, 0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
           1);
}

static void fields_say_how_far_they_are_from_the_one_before(void **state)
{
    struct thrift_writer writer;
    (void)state;
    thrift_writer_init(&writer, &out);
    thrift_bool(&writer, 3, true);
    thrift_bool(&writer, 5, false);
    thrift_i8(&writer, 20, -1);
    thrift_binary(&writer, 21, "ab", 2);
    thrift_struct_end(&writer);
    OUT_IS(0x31, 0x22, 0xf3, 0xff, 0x18, 2, 'a', 'b', 0);
}

static void a_struct_counts_its_fields_anew(void **state)
{
    struct thrift_writer writer;
    (void)state;
    thrift_writer_init(&writer, &out);
    thrift_struct_begin(&writer, 4);
    thrift_i8(&writer, 1, 7);
    thrift_struct_empty(&writer, 2);
    thrift_struct_end(&writer);
    thrift_i8(&writer, 5, 8);
    thrift_struct_end(&writer);
    OUT_IS(0x4c, 0x13, 7, 0x1c, 0, 0, 0x13, 8, 0);
}

static void a_list_of_fifteen_says_its_size_behind_its_type(void **state)
{
    struct thrift_writer writer;
    (void)state;
    thrift_writer_init(&writer, &out);
    thrift_list(&writer, 1, THRIFT_I32, 14);
    thrift_list(&writer, 2, THRIFT_STRUCT, 15);
    thrift_list(&writer, 3, THRIFT_BINARY, 300);
    thrift_element_binary(&writer, "x", 1);
    OUT_IS(0x19, 0xe5, 0x19, 0xfc, 15, 0x19, 0xf8, 0xac, 2, 1, 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_take_seven_bits_a_byte, out_open, out_close),
        cmocka_unit_test_setup_teardown(signs_go_to_the_lowest_bit, out_open, out_close),
        cmocka_unit_test_setup_teardown(fields_say_how_far_they_are_from_the_one_before, out_open,
                                        out_close),
        cmocka_unit_test_setup_teardown(a_struct_counts_its_fields_anew, out_open, out_close),
        cmocka_unit_test_setup_teardown(a_list_of_fifteen_says_its_size_behind_its_type, out_open,
                                        out_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
