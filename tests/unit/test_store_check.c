/* What a check says beside a writer: the writer works from within the visits, so every meeting is
 * the same in each run. (Files that hold still: tests/system/test_inspect.py.) */
#include "tests/support/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "controlplane/store_check.h"
#include "controlplane/store_segment.h"
#include "tests/support/segment_make.h"

#define SEGMENT_BYTES (24 * MIB)
#define FRAME_BYTES   (256 * KIB)
#define LINES_MAX     16

struct world {
    char folder[64];
    char name[2][128]; /* Paths of two segments. */
    uint8_t *data[2];  /* What they will hold. */
    struct segment_make make[2];
    uint64_t written; /* Bytes of the first that are on disk. */
    uint64_t frames;
    uint64_t breaks;
    struct store_line line[LINES_MAX];
    uint32_t line_count;
    void (*at_line)(struct world *world);
};

static void file_write(const char *path, const uint8_t *data, uint64_t place, uint64_t count,
                       uint64_t size)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data + place, count, (off_t)place), (ssize_t)count);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(close(fd), 0);
}

/* A frame of about FRAME_BYTES. */
static void frame_add(struct segment_make *make)
{
    while (make->entries_size < FRAME_BYTES - 1024) {
        segment_make_message(make, 1, 8);
    }
    (void)segment_make_frame(make);
}

/* Two segments: the first is longer than the window of a reader, the second follows from it. */
static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    (void)snprintf(world->folder, sizeof(world->folder), "/tmp/freshet-check-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    for (uint32_t i = 0; i < 2; i++) {
        (void)snprintf(world->name[i], sizeof(world->name[i]), "%s/mirror-000-%08u.log",
                       world->folder, i + 1);
        world->data[i] = calloc(1, SEGMENT_BYTES);
    }
    struct segment_make *first = &world->make[0];
    segment_make_begin(first, world->data[0], 0, 1, 1, SEGMENT_BYTES);
    while (first->place + FRAME_BYTES <= SEGMENT_BYTES) {
        frame_add(first);
    }
    uint64_t number = first->next_lsn - lsn_of(SEGMENT_EPOCH, 0);
    segment_make_begin(&world->make[1], world->data[1], 0, 2, number, SEGMENT_BYTES);
    frame_add(&world->make[1]);
    frame_add(&world->make[1]);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    for (uint32_t i = 0; i < 2; i++) {
        (void)unlink(world->name[i]);
        free(world->data[i]);
    }
    assert_int_equal(rmdir(world->folder), 0);
    free(world);
    return 0;
}

static void first_write(struct world *world, uint64_t until)
{
    file_write(world->name[0], world->data[0], world->written, until - world->written,
               SEGMENT_BYTES);
    world->written = until;
}

static void first_write_at_frame(void *context, const struct store_break *at,
                                 const struct mirror_frame *frame, const uint8_t *entries)
{
    struct world *world = context;
    (void)at;
    (void)entries;
    world->frames += frame != NULL;
    world->breaks += frame == NULL;
    if (world->frames == 1) {
        first_write(world, world->make[0].place);
    }
}

static void frames_that_are_written_meanwhile_are_no_damage(void **state)
{
    struct world *world = *state;
    struct store_file file;
    struct store_segment segment;
    uint32_t size;
    memcpy(&size, world->data[0] + MIRROR_SEGMENT_HEADER + 8, sizeof(size));
    first_write(world, MIRROR_SEGMENT_HEADER + mirror_frame_bytes(size));
    assert_int_equal(store_file_open(&file, world->name[0]), RESULT_OK);
    store_segment_check(&file, 0, 1, first_write_at_frame, world, &segment);
    assert_int_equal(segment.state, STORE_SEGMENT_GOOD);
    assert_int_equal(segment.last_lsn, world->make[0].next_lsn - 1);
    assert_int_equal(world->frames, segment.frame_count);
    assert_int_equal(world->breaks, 0);
    store_file_close(&file);
}

static void a_break_is_visited_and_the_walk_goes_on_behind_it(void **state)
{
    struct world *world = *state;
    struct store_file file;
    struct store_segment segment;
    world->frames = 1; /* Nothing is written meanwhile. */
    world->data[0][12 * MIB + 100] ^= 1;
    first_write(world, world->make[0].place);
    assert_int_equal(store_file_open(&file, world->name[0]), RESULT_OK);
    store_segment_check(&file, 0, 1, first_write_at_frame, world, &segment);
    assert_int_equal(segment.state, STORE_SEGMENT_DAMAGED);
    assert_int_equal(segment.break_count, 1);
    assert_int_equal(world->breaks, 1);
    assert_true(segment.damage.place <= 12 * MIB && segment.damage.next_place > 12 * MIB);
    assert_int_equal(segment.last_lsn, world->make[0].next_lsn - 1);
    store_file_close(&file);
}

static void line_visit(void *context, const struct store_line *line)
{
    struct world *world = context;
    assert_true(world->line_count < LINES_MAX);
    world->line[world->line_count++] = *line;
    if (world->line_count == 1 && world->at_line != NULL) {
        world->at_line(world);
    }
}

static void both_write(struct world *world)
{
    first_write(world, world->make[0].place);
    file_write(world->name[1], world->data[1], 0, world->make[1].place, SEGMENT_BYTES);
}

static void a_segment_that_grew_before_the_next_began_is_whole(void **state)
{
    struct world *world = *state;
    struct store_sum sum;
    first_write(world, 12 * MIB);
    file_write(world->name[1], world->data[1], 0, 0, SEGMENT_BYTES);
    world->at_line = both_write;
    assert_int_equal(store_check(world->folder, line_visit, world, &sum), RESULT_OK);
    assert_int_equal(sum.count[STORE_DAMAGED], 0);
    assert_int_equal(sum.count[STORE_GOOD] + sum.count[STORE_TORN], 2);
}

static void a_segment_that_never_grew_is_damage_with_its_lsns(void **state)
{
    struct world *world = *state;
    struct store_sum sum;
    struct store_file file;
    struct store_segment segment;
    first_write(world, 12 * MIB);
    file_write(world->name[1], world->data[1], 0, world->make[1].place, SEGMENT_BYTES);
    assert_int_equal(store_file_open(&file, world->name[0]), RESULT_OK);
    store_segment_check(&file, 0, 1, NULL, NULL, &segment);
    store_file_close(&file);
    assert_int_equal(store_check(world->folder, line_visit, world, &sum), RESULT_OK);
    assert_int_equal(sum.count[STORE_DAMAGED], 1);
    const struct store_line *line = &world->line[world->line_count - 1];
    assert_int_equal(line->shard, 0);
    assert_int_equal(line->lost_first_lsn, segment.last_lsn + 1);
    assert_int_equal(line->lost_last_lsn, world->make[0].next_lsn - 1);
}

static void second_remove(struct world *world)
{
    assert_int_equal(unlink(world->name[1]), 0);
}

static void a_file_that_vanishes_is_gone_and_no_damage(void **state)
{
    struct world *world = *state;
    struct store_sum sum;
    both_write(world);
    world->at_line = second_remove;
    assert_int_equal(store_check(world->folder, line_visit, world, &sum), RESULT_OK);
    assert_int_equal(sum.count[STORE_DAMAGED], 0);
    assert_int_equal(sum.count[STORE_GONE], 1);
    assert_string_equal(store_state_name(world->line[1].state), "gone");
}

static void a_directory_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct store_sum sum;
    assert_int_equal(store_check("/tmp/freshet-no-such-directory", line_visit, NULL, &sum),
                     RESULT_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_that_are_written_meanwhile_are_no_damage, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_break_is_visited_and_the_walk_goes_on_behind_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_segment_that_grew_before_the_next_began_is_whole, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_segment_that_never_grew_is_damage_with_its_lsns, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_vanishes_is_gone_and_no_damage, set_up,
                                        tear_down),
        cmocka_unit_test(a_directory_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
