/* Logs of a few segments, whole, torn and damaged, as recovery reads them. */
#include "controlplane/log_claim.h"
#include "controlplane/log_reader.h"

#include <stdio.h>

#include "controlplane/archives.h"
#include "controlplane/log_walk.h"
#include "drivers/disk_simulated.h"
#include "tests/support/segment_make.h"
#include "tests/support/unit.h"

#define SHARD    1u
#define SEGMENTS 3u
#define FRAMES   3u
#define BYTES    MIRROR_SEGMENT_BYTES_MIN
#define RECORDS  2u /* Of a frame. */
/* What came before the first segment. */
#define START_LSN lsn_of(SEGMENT_EPOCH, 0)

struct world {
    struct disk *disk;
    struct log_reader *reader;
    uint8_t *data[SEGMENTS];
    uint64_t bytes[SEGMENTS];
    uint64_t place[SEGMENTS][FRAMES]; /* Of the frames of each. */
    uint64_t end_place[SEGMENTS];
    uint64_t before_lsn[SEGMENTS];
    uint64_t last_lsn[SEGMENTS];
};

static struct world world;

static void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

/* Three segments, each of three frames of two records; segment i + 1 is file i + 1. */
static void world_open(void)
{
    world = (struct world){.reader = NULL};
    struct disk_simulated_options simulated = {.seed = 1};
    struct disk_options options = {.driver = DISK_DRIVER_SIMULATED, .simulated = &simulated};
    char error[DISK_ERROR_SIZE_MAX];
    ok(disk_open(&options, &world.disk, error));
    uint64_t first = 1;
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        struct segment_make make;
        world.data[i] = calloc(1, BYTES);
        assert_non_null(world.data[i]);
        world.bytes[i] = BYTES;
        segment_make_begin(&make, world.data[i], SHARD, i + 1, first, BYTES);
        world.before_lsn[i] = make.segment.before_lsn;
        for (uint32_t frame = 0; frame < FRAMES; frame++) {
            segment_make_message(&make, first, 1);
            segment_make_message(&make, first + 1, 1);
            world.place[i][frame] = segment_make_frame(&make);
            first += RECORDS;
        }
        world.end_place[i] = make.place;
        world.last_lsn[i] = make.next_lsn - 1;
    }
}

static void world_close(void)
{
    log_reader_close(world.reader);
    disk_close(world.disk);
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        free(world.data[i]);
    }
}

static void file_write(const char *folder, uint32_t index)
{
    char name[MIRROR_NAME_SIZE_MAX];
    char path[ARCHIVES_PATH_SIZE_MAX];
    struct disk_file *file;
    mirror_name_format(SHARD, index + 1, name);
    (void)snprintf(path, sizeof(path), "%s%s%s", folder, folder[0] == '\0' ? "" : "/", name);
    ok(disk_file_open(world.disk, path, DISK_CREATE, &file));
    ok(disk_file_write(file, 0, world.data[index], world.bytes[index]));
    ok(disk_file_sync(file));
    disk_file_close(file);
}

/* Puts the segments onto the disk as they are now; NULL: that one is missing. */
static void files_write(void)
{
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        if (world.data[i] != NULL) {
            file_write("", i);
        }
    }
    ok(log_reader_open(world.disk, (const uint8_t *)SEGMENT_STORE_ID, SHARD, &world.reader));
}

static uint64_t frames_bytes(void)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        bytes += world.end_place[i] - world.place[i][0];
    }
    return bytes;
}

static void segment_forget(uint32_t index)
{
    free(world.data[index]);
    world.data[index] = NULL;
}

struct frames_seen {
    uint64_t next_lsn;
    uint32_t frames;
};

static enum result frame_see(void *context, const struct mirror_frame *frame,
                             const uint8_t *entries)
{
    struct frames_seen *seen = context;
    ok(mirror_frame_check(frame, entries));
    assert_int_equal(frame->first_lsn, seen->next_lsn);
    seen->next_lsn += frame->count;
    seen->frames++;
    return RESULT_OK;
}

static void end_is(uint64_t lsn)
{
    struct log_end end;
    struct log_damage damage;
    ok(log_reader_end(world.reader, START_LSN, &end, &damage));
    assert_int_equal(end.lsn, lsn);
}

static void end_is_damaged(uint64_t segment, uint64_t first_lsn)
{
    struct log_end end;
    struct log_damage damage = {.segment = 0};
    assert_int_equal(log_reader_end(world.reader, START_LSN, &end, &damage), RESULT_CORRUPT);
    assert_int_equal(damage.segment, segment);
    assert_int_equal(damage.first_lsn, first_lsn);
    assert_true(damage.last_lsn >= damage.first_lsn);
    assert_non_null(damage.reason);
}

static void a_directory_without_segments_is_an_empty_log(void **state)
{
    (void)state;
    struct log_damage damage;
    struct log_end end;
    world_open();
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        segment_forget(i);
    }
    files_write();
    assert_int_equal(log_reader_segment_count(world.reader), 0);
    ok(log_reader_end(world.reader, 0, &end, &damage));
    assert_int_equal(end.lsn, 0);
    assert_int_equal(log_reader_end(world.reader, 5, &end, &damage), RESULT_CORRUPT);
    world_close();
}

static void a_whole_log_is_read_from_any_record_on(void **state)
{
    (void)state;
    struct log_damage damage;
    struct log_end end;
    uint32_t whole;
    uint64_t bytes;
    world_open();
    files_write();
    uint64_t last = world.last_lsn[SEGMENTS - 1];
    assert_int_equal(log_reader_segment_count(world.reader), SEGMENTS);
    for (uint64_t after = lsn_of(SEGMENT_EPOCH, 0); after <= last; after++) {
        ok(log_reader_end(world.reader, after, &end, &damage));
        assert_int_equal(end.lsn, last);
        assert_int_equal(end.apply_us, SEGMENT_TIME_US);
        /* Whole frames: the one that has the next record is the first. */
        uint64_t number = after - lsn_of(SEGMENT_EPOCH, 0);
        struct frames_seen seen = {.next_lsn =
                                       lsn_of(SEGMENT_EPOCH, number / RECORDS * RECORDS + 1)};
        ok(log_reader_read(world.reader, after, last, frame_see, &seen, &damage));
        assert_int_equal(seen.frames, SEGMENTS * FRAMES - number / RECORDS);
    }
    ok(log_reader_sync(world.reader, 0));
    ok(log_reader_whole(world.reader, 0, &whole, &bytes));
    assert_int_equal(whole, 0);
    assert_int_equal(bytes, frames_bytes());
    /* A checkpoint that saw more than the log has: something is gone. */
    assert_int_equal(log_reader_end(world.reader, last + 1, &end, &damage), RESULT_CORRUPT);
    assert_int_equal(damage.first_lsn, last + 1);
    world_close();
}

/* Frames about as long as what is read at a time, and longer, at any place of it. */
static void frames_of_any_length_come_whole(void **state)
{
    (void)state;
    static const uint32_t size[] = {1,           LOG_WALK_READ_BYTES - 8 * KIB,
                                    1,           LOG_WALK_READ_BYTES - 4 * KIB,
                                    40 * KIB,    LOG_WALK_READ_BYTES,
                                    300 * KIB,   300 * KIB,
                                    300 * KIB,   LOG_WALK_READ_BYTES + 4 * KIB,
                                    1,           1,
                                    3 * MIB / 2, 3 * MIB,
                                    4 * KIB + 1, 700 * KIB};
    struct segment_make make;
    struct log_damage damage;
    world_open();
    for (uint32_t i = 1; i < SEGMENTS; i++) {
        segment_forget(i);
    }
    uint64_t bytes = 16 * MIB;
    free(world.data[0]);
    world.data[0] = calloc(1, bytes);
    assert_non_null(world.data[0]);
    segment_make_begin(&make, world.data[0], SHARD, 1, 1, bytes);
    for (uint32_t i = 0; i < ARRAY_COUNT(size); i++) {
        do {
            segment_make_message(&make, make.next_lsn, 8);
        } while (make.entries_size < size[i]);
        (void)segment_make_frame(&make);
    }
    world.bytes[0] = bytes;
    files_write();
    end_is(make.next_lsn - 1);
    struct frames_seen seen = {.next_lsn = lsn_of(SEGMENT_EPOCH, 1)};
    ok(log_reader_read(world.reader, START_LSN, make.next_lsn - 1, frame_see, &seen, &damage));
    assert_int_equal(seen.frames, ARRAY_COUNT(size));
    world_close();
}

/* The ways in which the last frame may not be there. */
struct claims_seen {
    uint32_t claims;
    struct frames_seen seen;
    struct log_damage damage;
};

/* Reads the log by claims, two at a time: the second is made before the first is read. */
static enum result claims_read(uint64_t after, uint64_t last, struct claims_seen *out)
{
    static struct log_claim claim[2];
    struct log_cursor cursor;
    enum result claimed = RESULT_OK;
    enum result result = RESULT_OK;
    log_cursor_init(&cursor, world.reader, after, last);
    for (uint32_t c = 0; c < 2; c++) {
        claim[c].buffer = malloc(LOG_WALK_BUFFER_BYTES);
        assert_non_null(claim[c].buffer);
    }
    while (result == RESULT_OK && claimed == RESULT_OK) {
        uint32_t count = 0;
        while (count < 2 &&
               (claimed = log_claim_next(&cursor, &claim[count], &out->damage)) == RESULT_OK) {
            count++;
        }
        out->claims += count;
        for (uint32_t c = 0; c < count; c++) {
            enum result read = result == RESULT_OK ? log_claim_read(&claim[c]) : result;
            if (result == RESULT_OK && read == RESULT_CORRUPT) {
                read = log_claim_damage(&cursor, &claim[c], &out->damage);
            }
            for (uint32_t f = 0; read == RESULT_OK && f < claim[c].count; f++) {
                ok(frame_see(&out->seen, &claim[c].frame[f], claim[c].entries[f]));
            }
            result = result == RESULT_OK ? read : result;
            log_claim_give(&claim[c]);
        }
    }
    log_cursor_deinit(&cursor);
    free(claim[0].buffer);
    free(claim[1].buffer);
    return result == RESULT_OK ? claimed : result;
}

static void claims_have_the_same_frames_from_any_record_on(void **state)
{
    (void)state;
    world_open();
    files_write();
    uint64_t end = world.last_lsn[SEGMENTS - 1];
    for (uint64_t after = START_LSN; after <= end; after++) {
        struct claims_seen claims = {.claims = 0};
        claims.seen.next_lsn = START_LSN + 1 + (after - START_LSN) / RECORDS * RECORDS;
        assert_int_equal(claims_read(after, end, &claims), RESULT_NOT_FOUND);
        assert_int_equal(claims.seen.next_lsn, end + 1);
        assert_true(after == end || claims.claims > 0);
    }
    world_close();
}

/* Whatever byte is another one: nothing of it is given out, and what is said of it is what a reader
 * says who goes frame by frame. */
static void claims_find_the_damage_that_a_reader_finds(void **state)
{
    (void)state;
    uint64_t last = SEGMENTS - 1;
    for (uint32_t frame = 0; frame < FRAMES; frame++) {
        for (uint64_t byte = 0; byte < 200; byte += byte < MIRROR_FRAME_HEADER ? 1 : 7) {
            world_open();
            world.data[1][world.place[1][frame] + byte] ^= 0x10;
            files_write();
            struct frames_seen seen = {.next_lsn = START_LSN + 1};
            struct log_damage damage = {.segment = 0};
            enum result expected = log_reader_read(world.reader, START_LSN, world.last_lsn[last],
                                                   frame_see, &seen, &damage);
            struct claims_seen claims = {.seen = {.next_lsn = START_LSN + 1}};
            enum result result = claims_read(START_LSN, world.last_lsn[last], &claims);
            if (expected == RESULT_OK) { /* What no sum is over. */
                assert_int_equal(result, RESULT_NOT_FOUND);
                assert_int_equal(claims.seen.next_lsn, seen.next_lsn);
            } else {
                assert_int_equal(result, expected);
                assert_true(claims.seen.frames <= seen.frames);
                assert_int_equal(claims.damage.segment, damage.segment);
                assert_int_equal(claims.damage.place, damage.place);
                assert_int_equal(claims.damage.first_lsn, damage.first_lsn);
                assert_int_equal(claims.damage.last_lsn, damage.last_lsn);
                assert_string_equal(claims.damage.reason, damage.reason);
            }
            world_close();
        }
    }
}

static void torn_frames_end_the_log(void **state)
{
    (void)state;
    for (uint32_t way = 0; way < 5; way++) {
        world_open();
        uint8_t *frame = world.data[2] + world.place[2][2];
        uint64_t size = world.end_place[2] - world.place[2][2];
        switch (way) {
        case 0:
            memset(frame, 0, size);
            break;
        case 1:
            memset(frame, 0, 512);
            break;
        case 2:
            frame[MIRROR_FRAME_HEADER + 20] ^= 1;
            break;
        case 3:
            frame[9] ^= 0x7f; /* A size that is anything. */
            break;
        default:
            memset(frame, 0xa5, size);
            break;
        }
        files_write();
        end_is(world.last_lsn[2] - RECORDS);
        world_close();
    }
}

static void a_recycled_file_ends_where_its_own_frames_do(void **state)
{
    (void)state;
    world_open();
    /* The last segment is a file that was the first one before, header and all, beyond frame 1. */
    memcpy(world.data[2] + world.place[2][1], world.data[0] + world.place[0][1],
           BYTES - world.place[2][1]);
    files_write();
    end_is(world.before_lsn[2] + RECORDS);
    world_close();
    /* Ready to be begun: its header names the number that it had. */
    world_open();
    memcpy(world.data[2], world.data[0], BYTES);
    files_write();
    assert_int_equal(log_reader_segment_count(world.reader), 2);
    end_is(world.last_lsn[1]);
    world_close();
}

static void a_bad_frame_before_a_good_one_is_damage(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        for (uint32_t frame = 0; frame + 1 < FRAMES; frame++) {
            world_open();
            world.data[i][world.place[i][frame] + MIRROR_FRAME_HEADER + 10] ^= 4;
            files_write();
            end_is_damaged(i + 1, world.before_lsn[i] + 1 + (uint64_t)frame * RECORDS);
            world_close();
        }
    }
    /* The last frame of a segment that another one follows is no end. */
    world_open();
    memset(world.data[1] + world.place[1][2], 0, BYTES - world.place[1][2]);
    files_write();
    end_is_damaged(2, world.last_lsn[1] - RECORDS + 1);
    world_close();
}

/* A device that writes to a wrong place: the last frame lies where the one before it was. */
static void a_good_frame_in_the_place_of_another_is_damage(void **state)
{
    (void)state;
    const uint32_t last = SEGMENTS - 1;
    world_open();
    uint64_t from = world.place[last][FRAMES - 1];
    uint64_t to = world.place[last][FRAMES - 2];
    memmove(world.data[last] + to, world.data[last] + from, world.end_place[last] - from);
    memset(world.data[last] + from, 0, world.end_place[last] - from);
    files_write();
    end_is_damaged(SEGMENTS, world.last_lsn[last] - 2 * RECORDS + 1);
    world_close();
}

static void a_first_write_that_was_torn_is_no_damage(void **state)
{
    (void)state;
    world_open();
    memset(world.data[2], 0, MIRROR_BLOCK_BYTES);
    memset(world.data[2] + world.place[2][1], 0, BYTES - world.place[2][1]);
    files_write();
    end_is(world.last_lsn[1]);
    world_close();
    world_open();
    memset(world.data[2] + world.place[2][0], 0, BYTES - world.place[2][0]);
    files_write();
    end_is(world.last_lsn[1]);
    world_close();
}

static void a_damaged_header_before_good_frames_is_damage(void **state)
{
    (void)state;
    world_open();
    world.data[2][20] ^= 1;
    files_write();
    assert_int_equal(log_reader_segment_count(world.reader), 2);
    end_is_damaged(3, world.last_lsn[1] + 1);
    world_close();
}

static void a_missing_segment_is_a_hole(void **state)
{
    (void)state;
    struct log_end end;
    struct log_damage damage;
    uint32_t whole;
    uint64_t bytes;
    world_open();
    segment_forget(1);
    files_write();
    end_is_damaged(1, world.last_lsn[0] + 1);
    /* What is behind the hole can be read, and is all that is whole. */
    ok(log_reader_end(world.reader, world.last_lsn[1], &end, &damage));
    assert_int_equal(end.lsn, world.last_lsn[2]);
    ok(log_reader_whole(world.reader, 0, &whole, &bytes));
    assert_int_equal(whole, 1);
    assert_true(bytes > 0);
    ok(log_reader_whole(world.reader, world.last_lsn[2], &whole, &bytes));
    assert_int_equal(whole, 1);
    assert_true(bytes > 0);
    /* A log that had more than is there is whole nowhere. */
    ok(log_reader_whole(world.reader, world.last_lsn[2] + 1, &whole, &bytes));
    assert_int_equal(whole, log_reader_segment_count(world.reader));
    assert_int_equal(bytes, 0);
    world_close();
    /* The first ones were let go: fine from there on, not from before. */
    world_open();
    segment_forget(0);
    files_write();
    end_is_damaged(2, START_LSN + 1);
    ok(log_reader_end(world.reader, world.last_lsn[0], &end, &damage));
    ok(log_reader_whole(world.reader, 0, &whole, &bytes));
    assert_int_equal(whole, 0);
    world_close();
}

/* A write to segment 2 failed: segment 3 goes on behind the last good one, whatever is there. */
static void a_broken_segment_ends_where_the_next_one_says(void **state)
{
    (void)state;
    struct log_damage damage;
    world_open();
    struct segment_make make;
    uint64_t good = world.last_lsn[1] - RECORDS;
    memset(world.data[2], 0, BYTES);
    segment_make_begin(&make, world.data[2], SHARD, 3, good + 1 - lsn_of(SEGMENT_EPOCH, 0), BYTES);
    segment_make_message(&make, 1, 1);
    segment_make_message(&make, 2, 1);
    segment_make_message(&make, 3, 1);
    (void)segment_make_frame(&make);
    for (uint32_t torn = 0; torn < 2; torn++) {
        if (torn == 1) {
            world.data[1][world.place[1][2] + MIRROR_FRAME_HEADER] ^= 1;
            log_reader_close(world.reader);
            for (uint32_t i = 0; i < SEGMENTS; i++) {
                char name[MIRROR_NAME_SIZE_MAX];
                mirror_name_format(SHARD, i + 1, name);
                ok(disk_remove(world.disk, name));
            }
        }
        files_write();
        end_is(good + 3);
        struct frames_seen seen = {.next_lsn = lsn_of(SEGMENT_EPOCH, 1)};
        ok(log_reader_read(world.reader, START_LSN, good + 3, frame_see, &seen, &damage));
        assert_int_equal(seen.next_lsn, good + 4);
    }
    world_close();
}

/* The appliance lets the oldest go, and uses its file again under another name. */
static void a_segment_that_goes_while_the_log_is_read_is_no_end(void **state)
{
    (void)state;
    for (uint32_t gone = 0; gone < SEGMENTS; gone++) {
        char name[MIRROR_NAME_SIZE_MAX];
        char other[MIRROR_NAME_SIZE_MAX];
        world_open();
        files_write();
        mirror_name_format(SHARD, gone + 1, name);
        mirror_name_format(SHARD, SEGMENTS + 1, other);
        ok(disk_rename(world.disk, name, other));
        struct frames_seen seen = {.next_lsn = START_LSN + 1};
        struct log_damage damage = {.segment = 0};
        assert_int_equal(log_reader_read(world.reader, START_LSN, world.last_lsn[SEGMENTS - 1],
                                         frame_see, &seen, &damage),
                         RESULT_CORRUPT);
        assert_int_equal(seen.frames, gone * FRAMES);
        assert_int_equal(damage.segment, gone + 1);
        assert_int_equal(damage.first_lsn, seen.next_lsn);
        assert_true(damage.is_gone);
        world_close();
    }
}

static void other_stores_and_shards_are_not_this_log(void **state)
{
    (void)state;
    world_open();
    files_write();
    log_reader_close(world.reader);
    ok(log_reader_open(world.disk, (const uint8_t *)SEGMENT_STORE_ID, SHARD + 1, &world.reader));
    assert_int_equal(log_reader_segment_count(world.reader), 0);
    log_reader_close(world.reader);
    ok(log_reader_open(world.disk, (const uint8_t *)"another store...", SHARD, &world.reader));
    assert_int_equal(log_reader_segment_count(world.reader), 0);
    world_close();
}

static void a_disk_that_does_not_read_is_an_error_and_not_an_end(void **state)
{
    (void)state;
    struct log_end end;
    struct log_damage damage;
    world_open();
    files_write();
    uint64_t before = disk_simulated_operations(world.disk);
    end_is(world.last_lsn[2]);
    uint64_t count = disk_simulated_operations(world.disk) - before;
    assert_true(count > 0);
    for (uint64_t n = 1; n <= count; n++) {
        disk_simulated_fail_after(world.disk, n);
        assert_int_equal(log_reader_end(world.reader, START_LSN, &end, &damage), RESULT_IO);
    }
    world_close();
}

/* As a keeper lets a segment go, with the folder noted before. */
static void segment_archive(uint32_t index)
{
    char name[MIRROR_NAME_SIZE_MAX];
    char path[ARCHIVES_PATH_SIZE_MAX];
    struct archives archives;
    ok(disk_folder_make(world.disk, "archive"));
    ok(archives_note(world.disk, "archive", &archives));
    mirror_name_format(SHARD, index + 1, name);
    (void)snprintf(path, sizeof(path), "archive/%s", name);
    ok(disk_rename(world.disk, name, path));
}

static void reader_reopen(enum result open(struct disk *disk, const uint8_t *store_id,
                                           uint32_t shard, struct log_reader **out_reader))
{
    log_reader_close(world.reader);
    ok(open(world.disk, (const uint8_t *)SEGMENT_STORE_ID, SHARD, &world.reader));
}

static void all_is_read(void)
{
    struct log_damage damage;
    struct frames_seen seen = {.next_lsn = lsn_of(SEGMENT_EPOCH, 1)};
    end_is(world.last_lsn[2]);
    ok(log_reader_read(world.reader, START_LSN, world.last_lsn[2], frame_see, &seen, &damage));
    assert_int_equal(seen.frames, SEGMENTS * FRAMES);
}

static void archived_segments_are_of_the_log_for_who_wants_all_of_it(void **state)
{
    (void)state;
    world_open();
    files_write();
    segment_archive(0);
    segment_archive(1);
    reader_reopen(log_reader_open);
    assert_int_equal(log_reader_segment_count(world.reader), 1);
    ok(log_reader_archives_add(world.reader));
    assert_int_equal(log_reader_segment_count(world.reader), 3);
    all_is_read();
    ok(log_reader_archives_add(world.reader));
    assert_int_equal(log_reader_segment_count(world.reader), 3);
    reader_reopen(log_reader_open_all);
    all_is_read();
    world_close();
}

static void a_segment_that_is_archived_while_the_log_is_read_stays_in_it(void **state)
{
    (void)state;
    world_open();
    files_write();
    segment_archive(0);
    reader_reopen(log_reader_open_all);
    segment_archive(1);
    all_is_read();
    world_close();
}

static void a_segment_in_both_places_counts_once(void **state)
{
    (void)state;
    world_open();
    files_write();
    segment_archive(0);
    file_write("", 0);
    reader_reopen(log_reader_open_all);
    assert_int_equal(log_reader_segment_count(world.reader), 3);
    all_is_read();
    world_close();
}

static void an_archive_that_was_taken_away_is_none(void **state)
{
    (void)state;
    struct archives archives;
    world_open();
    files_write();
    ok(archives_note(world.disk, "taken/away", &archives));
    reader_reopen(log_reader_open_all);
    all_is_read();
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_without_segments_is_an_empty_log),
        cmocka_unit_test(a_whole_log_is_read_from_any_record_on),
        cmocka_unit_test(frames_of_any_length_come_whole),
        cmocka_unit_test(claims_have_the_same_frames_from_any_record_on),
        cmocka_unit_test(claims_find_the_damage_that_a_reader_finds),
        cmocka_unit_test(torn_frames_end_the_log),
        cmocka_unit_test(a_recycled_file_ends_where_its_own_frames_do),
        cmocka_unit_test(a_bad_frame_before_a_good_one_is_damage),
        cmocka_unit_test(a_good_frame_in_the_place_of_another_is_damage),
        cmocka_unit_test(a_first_write_that_was_torn_is_no_damage),
        cmocka_unit_test(a_damaged_header_before_good_frames_is_damage),
        cmocka_unit_test(a_missing_segment_is_a_hole),
        cmocka_unit_test(a_broken_segment_ends_where_the_next_one_says),
        cmocka_unit_test(a_segment_that_goes_while_the_log_is_read_is_no_end),
        cmocka_unit_test(other_stores_and_shards_are_not_this_log),
        cmocka_unit_test(a_disk_that_does_not_read_is_an_error_and_not_an_end),
        cmocka_unit_test(archived_segments_are_of_the_log_for_who_wants_all_of_it),
        cmocka_unit_test(a_segment_that_is_archived_while_the_log_is_read_stays_in_it),
        cmocka_unit_test(a_segment_in_both_places_counts_once),
        cmocka_unit_test(an_archive_that_was_taken_away_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
