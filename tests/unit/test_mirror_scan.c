#include "tests/support/unit.h"

#include "tests/support/segment_make.h"

#define FRAMES 4u

static uint8_t *data;
static struct segment_make make;
static uint64_t place[FRAMES];

/* Three frames of messages, the second longer than a block, and a witness. */
static int set_up(void **state)
{
    (void)state;
    data = calloc(1, MIRROR_SEGMENT_BYTES_MIN);
    segment_make_begin(&make, data, 1, 7, 100, MIRROR_SEGMENT_BYTES_MIN);
    for (uint32_t frame = 0; frame < 3; frame++) {
        for (uint32_t i = 0; i < (frame == 1 ? 40u : 2u); i++) {
            segment_make_message(&make, i, 3);
        }
        place[frame] = segment_make_frame(&make);
    }
    place[3] = segment_make_frame(&make);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(data);
    return 0;
}

static enum mirror_find next(struct mirror_scan *scan, struct mirror_frame *out_frame)
{
    return mirror_scan_next(scan, data + scan->place, MIRROR_SEGMENT_BYTES_MIN - scan->place,
                            out_frame);
}

/* Walks to the end of the good frames; returns what stands there. */
static enum mirror_find walk(struct mirror_scan *scan)
{
    struct mirror_frame frame;
    enum mirror_find find;
    mirror_scan_init(scan, &make.segment);
    do {
        find = next(scan, &frame);
    } while (find == MIRROR_FIND_frame);
    return find;
}

static bool later_frame_stands_behind(const struct mirror_scan *scan)
{
    struct mirror_frame frame;
    for (uint64_t at = scan->place + MIRROR_BLOCK_BYTES; at < MIRROR_SEGMENT_BYTES_MIN;
         at += MIRROR_BLOCK_BYTES) {
        if (mirror_scan_is_later_frame(scan, data + at, MIRROR_SEGMENT_BYTES_MIN - at, &frame)) {
            return true;
        }
    }
    return false;
}

static void good_frames_are_found_one_behind_the_other(void **state)
{
    (void)state;
    struct mirror_scan scan;
    struct mirror_frame frame;
    uint64_t due = make.segment.first_lsn;
    mirror_scan_init(&scan, &make.segment);
    for (uint32_t i = 0; i < FRAMES; i++) {
        assert_int_equal(scan.place, place[i]);
        assert_int_equal(next(&scan, &frame), MIRROR_FIND_frame);
        assert_int_equal(frame.first_lsn, due);
        assert_int_equal(mirror_frame_check(&frame, data + place[i] + MIRROR_FRAME_HEADER),
                         RESULT_OK);
        due += frame.count;
    }
    assert_int_equal(next(&scan, &frame), MIRROR_FIND_nothing);
    assert_int_equal(scan.place, make.place);
    assert_int_equal(scan.due_lsn, make.next_lsn);
    assert_int_equal(scan.acked_lsn, make.next_lsn - 1);
    assert_int_equal(scan.apply_us, SEGMENT_TIME_US);
    assert_int_equal(scan.frame_count, FRAMES);
    assert_false(later_frame_stands_behind(&scan));
}

static void a_full_segment_ends(void **state)
{
    (void)state;
    struct mirror_scan scan;
    while (make.place < MIRROR_SEGMENT_BYTES_MIN) {
        (void)segment_make_frame(&make);
    }
    assert_int_equal(walk(&scan), MIRROR_FIND_end);
    assert_int_equal(scan.place, MIRROR_SEGMENT_BYTES_MIN);
}

static void a_frame_asks_for_the_bytes_that_it_needs(void **state)
{
    (void)state;
    struct mirror_scan scan;
    struct mirror_frame frame;
    mirror_scan_init(&scan, &make.segment);
    assert_int_equal(next(&scan, &frame), MIRROR_FIND_frame);
    assert_int_equal(mirror_scan_next(&scan, data + place[1], MIRROR_BLOCK_BYTES, &frame),
                     MIRROR_FIND_more);
    assert_int_equal(mirror_frame_bytes(frame.size), place[2] - place[1]);
    assert_int_equal(scan.place, place[1]);
    assert_int_equal(mirror_scan_next(&scan, data + place[1], place[2] - place[1], &frame),
                     MIRROR_FIND_frame);
    assert_int_equal(mirror_scan_next(&scan, data + place[2], 0, &frame), MIRROR_FIND_more);
}

static void what_is_bad_has_a_name_and_stops_the_walk(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset; /* In the third frame's header. */
        enum mirror_find find;
    } row[] = {{0, MIRROR_FIND_no_frame},
               {4, MIRROR_FIND_bad_crc},
               {12, MIRROR_FIND_bad_crc},
               {MIRROR_FRAME_HEADER, MIRROR_FIND_bad_crc},
               {MIRROR_FRAME_HEADER + 20, MIRROR_FIND_bad_crc}};
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        struct mirror_scan scan;
        data[place[2] + row[i].offset] ^= 1;
        assert_int_equal(walk(&scan), row[i].find);
        assert_int_equal(scan.place, place[2]);
        assert_true(later_frame_stands_behind(&scan));
        data[place[2] + row[i].offset] ^= 1;
    }
}

static void frames_of_others_are_named(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset;
        uint8_t change;
        enum mirror_find find;
    } row[] = {{16, 1, MIRROR_FIND_other_store},
               {12, 1, MIRROR_FIND_other_shard},
               {24, 1, MIRROR_FIND_other_segment},
               {32, 0x08, MIRROR_FIND_not_due},
               {44, 1, MIRROR_FIND_chain_broken}};
    for (uint32_t i = 0; i < ARRAY_COUNT(row); i++) {
        struct mirror_scan scan;
        uint8_t *header = data + place[2];
        uint32_t size;
        memcpy(&size, header + 8, sizeof(size));
        header[row[i].offset] ^= row[i].change;
        uint32_t crc =
            checksum_crc32c(checksum_crc32c(0, header + MIRROR_FRAME_HEADER, size), header + 8, 56);
        memcpy(header + 4, &crc, sizeof(crc));
        assert_int_equal(walk(&scan), row[i].find);
        assert_int_equal(scan.place, place[2]);
        header[row[i].offset] ^= row[i].change;
    }
}

static void every_flipped_byte_of_a_frame_stops_the_walk_before_it(void **state)
{
    (void)state;
    for (uint64_t at = place[1]; at < place[3] + MIRROR_FRAME_HEADER; at++) {
        struct mirror_scan scan;
        uint32_t hit = at < place[2] ? 1 : at < place[3] ? 2 : 3;
        uint32_t size;
        memcpy(&size, data + place[hit] + 8, sizeof(size));
        bool padding = at >= place[hit] + MIRROR_FRAME_HEADER + size;
        data[at] ^= 0x10;
        (void)walk(&scan);
        assert_int_equal(scan.place, padding ? make.place : place[hit]);
        assert_int_equal(later_frame_stands_behind(&scan), !padding && hit != 3);
        data[at] ^= 0x10;
    }
}

static void a_torn_end_is_not_damage_whatever_the_file_held_before(void **state)
{
    (void)state;
    struct mirror_scan scan;
    struct segment_make old;
    uint8_t *earlier = calloc(1, MIRROR_SEGMENT_BYTES_MIN);
    segment_make_begin(&old, earlier, 1, 3, 10, MIRROR_SEGMENT_BYTES_MIN);
    while (old.place < MIRROR_SEGMENT_BYTES_MIN - 2 * MIRROR_BLOCK_BYTES) {
        segment_make_message(&old, 1, 1);
        (void)segment_make_frame(&old);
    }
    /* The last two frames were not written; the second began. */
    memcpy(data + place[3], earlier + place[3], MIRROR_SEGMENT_BYTES_MIN - place[3]);
    assert_int_equal(walk(&scan), MIRROR_FIND_other_segment);
    assert_false(later_frame_stands_behind(&scan));
    memcpy(data + place[2] + 512, earlier + place[2] + 512, place[3] - place[2] - 512);
    data[place[2] + 70] ^= 1;
    assert_int_equal(walk(&scan), MIRROR_FIND_bad_crc);
    assert_false(later_frame_stands_behind(&scan));
    free(earlier);
}

static void a_bad_witness_before_a_good_frame_is_damage(void **state)
{
    (void)state;
    struct mirror_scan scan;
    segment_make_message(&make, 99, 1);
    (void)segment_make_frame(&make);
    data[place[3] + 5] ^= 1;
    assert_int_equal(walk(&scan), MIRROR_FIND_bad_crc);
    assert_true(later_frame_stands_behind(&scan));
}

static void a_frame_that_would_pass_the_end_is_too_long(void **state)
{
    (void)state;
    struct mirror_scan scan;
    struct mirror_frame frame;
    while (make.place < MIRROR_SEGMENT_BYTES_MIN - MIRROR_BLOCK_BYTES) {
        (void)segment_make_frame(&make);
    }
    segment_make_message(&make, 1, 1);
    uint64_t last = segment_make_frame(&make);
    uint32_t size = MIRROR_BLOCK_BYTES;
    memcpy(data + last + 8, &size, sizeof(size));
    mirror_scan_init(&scan, &make.segment);
    while (next(&scan, &frame) == MIRROR_FIND_frame) {
    }
    assert_int_equal(scan.place, last);
    assert_int_equal(next(&scan, &frame), MIRROR_FIND_too_long);
}

static void entries_must_be_what_the_header_counts(void **state)
{
    (void)state;
    struct mirror_scan scan;
    struct mirror_frame frame;
    const uint8_t *entries = data + place[0] + MIRROR_FRAME_HEADER;
    mirror_scan_init(&scan, &make.segment);
    assert_int_equal(next(&scan, &frame), MIRROR_FIND_frame);
    struct mirror_frame wrong = frame;
    wrong.count++;
    assert_int_equal(mirror_frame_check(&wrong, entries), RESULT_CORRUPT);
    wrong = frame;
    wrong.first_lsn++;
    assert_int_equal(mirror_frame_check(&wrong, entries), RESULT_CORRUPT);
    wrong = frame;
    wrong.apply_us--;
    assert_int_equal(mirror_frame_check(&wrong, entries), RESULT_CORRUPT);
    wrong = frame;
    wrong.size -= 8;
    assert_int_equal(mirror_frame_check(&wrong, entries), RESULT_CORRUPT);
}

static void each_find_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    for (enum mirror_find find = 0; find < MIRROR_FIND_COUNT; find++) {
        assert_true(strlen(mirror_find_name(find)) > 2);
        assert_true(strlen(mirror_find_sentence(find)) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_frames_are_found_one_behind_the_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_full_segment_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_frame_asks_for_the_bytes_that_it_needs, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_bad_has_a_name_and_stops_the_walk, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(frames_of_others_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_flipped_byte_of_a_frame_stops_the_walk_before_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_end_is_not_damage_whatever_the_file_held_before,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_witness_before_a_good_frame_is_damage, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_frame_that_would_pass_the_end_is_too_long, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(entries_must_be_what_the_header_counts, set_up, tear_down),
        cmocka_unit_test(each_find_has_a_name_and_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
