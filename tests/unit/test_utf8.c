#include "dataplane/base/utf8.h"

#include "dataplane/base/units.h"
#include "tests/support/unit.h"

/* The slow way: what bytes decode to, and whether that is their only form. */
static bool is_character(const uint8_t *text, uint32_t size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    static const uint32_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    if ((text[0] & (uint8_t)~first_bits[size]) != marks[size]) {
        return false;
    }
    uint32_t code = text[0] & first_bits[size];
    for (uint32_t i = 1; i < size; i++) {
        if (text[i] >> 6 != 2) {
            return false;
        }
        code = code << 6 | (text[i] & 0x3fu);
    }
    return code >= least[size] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* Three bytes and fewer, all of them. */
static void every_short_text_is_judged_as_its_code_points(void **state)
{
    (void)state;
    for (uint32_t word = 0; word < 1u << 24; word++) {
        uint8_t text[3] = {(uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word};
        if (text[0] < 0x80 && text[1] < 0x80 && (word & 0xff) > 1) {
            continue;
        }
        bool one = is_character(text, 1);
        bool two = is_character(text, 2);
        bool last = is_character(text + 2, 1);
        bool valid = is_character(text, 3) || (two && last) ||
                     (one && (is_character(text + 1, 2) || (is_character(text + 1, 1) && last)));
        if (utf8_is_valid((const char *)text, 3) != valid) {
            fail_msg("%02x %02x %02x", text[0], text[1], text[2]);
        }
    }
}

static void four_bytes_begin_at_10000_and_end_at_10ffff(void **state)
{
    (void)state;
    for (uint32_t first = 0xf0; first <= 0xff; first++) {
        for (uint32_t second = 0; second <= 0xff; second++) {
            uint8_t text[4] = {(uint8_t)first, (uint8_t)second, 0x80, 0xbf};
            assert_int_equal(utf8_is_valid((const char *)text, 4), is_character(text, 4));
        }
    }
}

static void a_cut_character_is_none_wherever_it_stands(void **state)
{
    (void)state;
    const char text[] = "12345678\xe2\x82\xac"
                        "1234567\xf0\x9f\x98\x80";
    static const uint32_t whole[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18, 22};
    uint32_t next = 0;
    for (uint32_t size = 0; size < sizeof(text); size++) {
        bool is_whole = next < ARRAY_COUNT(whole) && whole[next] == size;
        next += is_whole ? 1 : 0;
        assert_int_equal(utf8_is_valid(text, size), is_whole);
    }
}

/* Fields of up to 24 bytes that begin anywhere: the first NUL wherever it is, and one byte of any
 * value before or behind it, against the byte by byte way. */
static void a_field_ends_at_its_first_nul_and_is_judged_up_to_there(void **state)
{
    (void)state;
    for (uint32_t size = 0; size <= 24; size++) {
        for (uint32_t nul = 0; nul <= size; nul++) {
            for (uint32_t at = 0; at < size; at++) {
                for (uint32_t byte = 0; byte <= 0xff; byte += byte < 3 ? 1 : 7) {
                    char *field = malloc(size);
                    memset(field, 1 + (int)(at & 1), size);
                    if (nul < size) {
                        field[nul] = 0;
                    }
                    field[at] = (char)byte;
                    uint32_t ends = 0;
                    while (ends < size && field[ends] != 0) {
                        ends++;
                    }
                    bool valid;
                    assert_int_equal(utf8_field_size(field, size, &valid), ends);
                    assert_int_equal(valid, utf8_is_valid(field, ends));
                    free(field);
                }
            }
        }
    }
}

static void a_byte_that_is_none_becomes_a_character_of_its_own(void **state)
{
    (void)state;
    for (uint32_t byte = 0x80; byte <= 0xff; byte++) {
        char text[UTF8_ESCAPE_SIZE];
        utf8_byte_escape((char)byte, text);
        assert_int_equal(utf8_character_size(text, sizeof(text)), sizeof(text));
        uint32_t code = ((uint8_t)text[0] & 0x0fu) << 12 | ((uint8_t)text[1] & 0x3fu) << 6 |
                        ((uint8_t)text[2] & 0x3fu);
        assert_int_equal(code, 0xef00 + byte);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_ends_at_its_first_nul_and_is_judged_up_to_there),
        cmocka_unit_test(every_short_text_is_judged_as_its_code_points),
        cmocka_unit_test(four_bytes_begin_at_10000_and_end_at_10ffff),
        cmocka_unit_test(a_cut_character_is_none_wherever_it_stands),
        cmocka_unit_test(a_byte_that_is_none_becomes_a_character_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
