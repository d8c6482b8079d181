/* A log of a few cards over a month, asked at random moments: against a plain count of its events,
 * for any number of threads and any memory. */
#include "controlplane/mirror_history.h"

#include <stdio.h>
#include <unistd.h>

#include "controlplane/definitions.h"
#include "controlplane/epochs.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "tests/support/segment_make.h"
#include "tests/support/unit.h"

#define SEGMENTS       3u
#define SEGMENT_BYTES  (4 * MIB)
#define MESSAGE_EVENTS 20u
#define MESSAGES       900u /* Of a segment. */
#define FRAME_MESSAGES 7u
#define EVENTS         (SEGMENTS * MESSAGES * MESSAGE_EVENTS)
#define CARDS          20u
#define READS          400u
#define FEATURES       4u
#define GAP_US         (48 * US_PER_SECOND) /* From one event's time to the next: a month in all. */
#define HOUR_US        (3600 * US_PER_SECOND)
#define DAY_US         (24 * HOUR_US)

static const char definitions[] = "streams:\n"
                                  "  payment:\n"
                                  "    id: 1\n"
                                  "    time: ts\n"
                                  "    late: apply\n"
                                  "    fields:\n"
                                  "      ts: {type: timestamp}\n"
                                  "      card: {type: u64}\n"
                                  "      amount: {type: i64}\n"
                                  "views:\n"
                                  "  activity:\n"
                                  "    entity: card\n"
                                  "    source: payment\n"
                                  "    windows: [1h, 30d]\n"
                                  "    ttl: 40d\n"
                                  "    aggregates: {n: count(), total: sum(amount)}\n";

struct event {
    int64_t ts_us;
    uint64_t card;
    int64_t amount;
};
_Static_assert(sizeof(struct event) == SEGMENT_EVENT_SIZE, "as the log has it");

static struct world {
    char folder[32];
    struct config *config;
    struct event event[EVENTS];
    int64_t apply_us[EVENTS];
    struct history_read read[READS];
    struct answer answer[READS][FEATURES];
    uint16_t feature[FEATURES];
    uint64_t card[READS];
} world;
static struct catalog catalog; /* Too large for a stack, as epochs are. */
static struct epochs epochs;

static void ok(enum result result)
{
    assert_string_equal(result_name(result), result_name(RESULT_OK));
}

static void file_write(const char *name, const void *data, size_t size)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", world.folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Times are up to half an hour behind T, some up to two days, and in no order. */
static void events_make(struct random *random)
{
    int64_t begin_us = SEGMENT_TIME_US - (int64_t)EVENTS * GAP_US;
    for (uint32_t i = 0; i < EVENTS; i++) {
        uint32_t message = i / MESSAGE_EVENTS;
        world.apply_us[i] = begin_us + (int64_t)(message + 1) * MESSAGE_EVENTS * GAP_US;
        uint64_t behind_us = i % 97 == 0 ? 2 * DAY_US : HOUR_US / 2;
        world.event[i] = (struct event){.ts_us = world.apply_us[i] - 1 -
                                                 (int64_t)random_below(random, behind_us),
                                        .card = random_below(random, CARDS),
                                        .amount = (int64_t)random_below(random, 1000)};
    }
}

static void plan_put(struct segment_make *make)
{
    static uint8_t note[CATALOG_BYTES_MAX];
    catalog_of_plan(&world.config->plan, &catalog);
    struct mirror_entry entry = {.kind = MIRROR_PLAN,
                                 .apply_us = world.apply_us[0] - 1,
                                 .lsn = make->next_lsn,
                                 .note = note,
                                 .note_size = catalog_encode(&catalog, note, sizeof(note))};
    segment_make_added(make, mirror_note_encode(&entry, segment_make_entry(make)), 1);
}

static void segment_write(uint32_t segment, uint64_t first_number, uint64_t *out_next)
{
    struct segment_make make;
    char name[MIRROR_NAME_SIZE_MAX];
    uint8_t *data = calloc(1, SEGMENT_BYTES);
    assert_non_null(data);
    segment_make_begin(&make, data, 0, segment + 1, first_number, SEGMENT_BYTES);
    make.segment.shard_count = 1;
    mirror_segment_encode(&make.segment, data);
    make.chain_crc = make.segment.crc;
    if (segment == 0) {
        plan_put(&make);
    }
    for (uint32_t m = 0; m < MESSAGES; m++) {
        uint32_t first = (segment * MESSAGES + m) * MESSAGE_EVENTS;
        struct mirror_entry entry = {.kind = MIRROR_MESSAGE,
                                     .stream_id = 1,
                                     .apply_us = world.apply_us[first],
                                     .lsn = make.next_lsn,
                                     .producer = 1,
                                     .sequence = 1 + segment * MESSAGES + m,
                                     .incarnation = 1,
                                     .version = 1,
                                     .event_count = MESSAGE_EVENTS,
                                     .event_stride = SEGMENT_EVENT_SIZE,
                                     .events = (const uint8_t *)&world.event[first]};
        segment_make_added(&make, mirror_message_encode(&entry, segment_make_entry(&make)),
                           MESSAGE_EVENTS);
        if (m % FRAME_MESSAGES == 0) {
            (void)segment_make_frame(&make);
        }
    }
    (void)segment_make_frame(&make); /* The last messages, or a witness. */
    *out_next = lsn_number(make.next_lsn);
    mirror_name_format(0, segment + 1, name);
    file_write(name, data, SEGMENT_BYTES);
    free(data);
}

static void reads_make(struct random *random)
{
    const struct plan_view *view = &world.config->plan.view[0];
    for (uint16_t i = 0; i < FEATURES; i++) {
        world.feature[i] = (uint16_t)(view->feature_first + i);
    }
    int64_t begin_us = world.apply_us[0];
    for (uint32_t i = 0; i < READS; i++) {
        /* Of one there is no event; one is asked for by every third. */
        world.card[i] = i % 3 == 0 ? 1 : random_below(random, CARDS + 1);
        uint64_t into = random_below(random, (uint64_t)(SEGMENT_TIME_US - begin_us));
        world.read[i] = (struct history_read){.key = (const uint8_t *)&world.card[i],
                                              .key_size = i % 50 == 0 ? 0 : sizeof(uint64_t),
                                              .known_us = begin_us + (int64_t)into,
                                              .feature_count = FEATURES,
                                              .feature = world.feature,
                                              .number = i};
    }
}

static int world_open(void **state)
{
    (void)state;
    const char *seed = getenv("SEED");
    struct random random;
    uint64_t number = seed == NULL ? 7 : strtoull(seed, NULL, 10);
    (void)printf("SEED=%llu\n", (unsigned long long)number);
    random_seed(&random, number);
    memcpy(world.folder, "/tmp/freshet-history-XXXXXX", sizeof("/tmp/freshet-history-XXXXXX"));
    assert_non_null(mkdtemp(world.folder));
    char path[128];
    char *paths[] = {path};
    (void)snprintf(path, sizeof(path), "%s/definitions.yaml", world.folder);
    file_write("definitions.yaml", definitions, sizeof(definitions) - 1);
    assert_int_equal(definitions_load(paths, 1, /* json= */ false, &world.config), 0);
    events_make(&random);
    struct disk_options options = {.driver = DISK_DRIVER_THREADS, .directory = world.folder};
    char error[DISK_ERROR_SIZE_MAX];
    struct disk *disk;
    ok(disk_open(&options, &disk, error));
    ok(epochs_create(disk, (const uint8_t *)SEGMENT_STORE_ID, world.apply_us[0] - DAY_US, &epochs));
    for (uint32_t i = 0; i < SEGMENT_EPOCH; i++) {
        ok(epochs_claim(disk, &epochs, 1, NULL));
    }
    disk_close(disk);
    uint64_t next = 1;
    for (uint32_t segment = 0; segment < SEGMENTS; segment++) {
        segment_write(segment, next, &next);
    }
    reads_make(&random);
    return 0;
}

static int world_close(void **state)
{
    (void)state;
    static const char *const names[] = {"definitions.yaml", "epochs", "epochs.spare"};
    char path[128];
    definitions_free(world.config);
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", world.folder, names[i]);
        (void)unlink(path);
    }
    for (uint32_t segment = 0; segment < SEGMENTS; segment++) {
        char name[MIRROR_NAME_SIZE_MAX];
        mirror_name_format(0, segment + 1, name);
        (void)snprintf(path, sizeof(path), "%s/%s", world.folder, name);
        (void)unlink(path);
    }
    return rmdir(world.folder);
}

static int64_t floor_us(int64_t us, int64_t step_us)
{
    return us - us % step_us;
}

/* Windows begin at a step: 1h at 5m, 30d at 1d. */
static void read_check(const struct history_read *read, enum history_mode mode)
{
    int64_t start_us[] = {floor_us(read->known_us - HOUR_US, HOUR_US / 12),
                          floor_us(read->known_us - 30 * DAY_US, DAY_US)};
    int64_t count[2] = {0};
    int64_t total[2] = {0};
    uint64_t card;
    memcpy(&card, read->key, sizeof(card));
    for (uint32_t i = 0; i < EVENTS; i++) {
        int64_t ts_us = world.event[i].ts_us;
        int64_t known_by_us = mode == HISTORY_TRUE ? ts_us : world.apply_us[i];
        for (uint32_t w = 0; world.event[i].card == card && w < 2; w++) {
            bool in = known_by_us < read->known_us && ts_us >= start_us[w];
            count[w] += in;
            total[w] += in ? world.event[i].amount : 0;
        }
    }
    for (uint32_t i = 0; i < FEATURES; i++) {
        const struct plan_feature *feature = &world.config->plan.feature[read->feature[i]];
        const struct answer *answer = &world.answer[read->number][i];
        int64_t expected =
            feature->aggregate == 0 ? count[feature->window] : total[feature->window];
        if (count[1] == 0 || read->key_size == 0) {
            assert_int_equal(answer->status, ANSWER_NOT_FOUND);
        } else if (feature->aggregate == 1 && count[feature->window] == 0) {
            assert_int_equal(answer->status, ANSWER_NULL_VALUE);
        } else {
            assert_int_equal(answer->status, ANSWER_PRESENT);
            assert_int_equal((int64_t)answer->number.word[0], expected);
        }
    }
}

/* A history_answered; context: how many threads there are. */
static enum result answer_take(void *context, uint32_t thread, const struct history_read *read,
                               const struct answer *answer)
{
    const uint32_t *threads = context;
    assert_true(thread < *threads);
    assert_int_equal(read->feature_count, FEATURES);
    memcpy(world.answer[read->number], answer, sizeof(world.answer[0]));
    return RESULT_OK;
}

/* hands_on: answers are handed on as they are given; else they stay with the reads. Returns how
 * often the logs were read. */
static uint64_t reads_answer(uint32_t threads, uint64_t memory_bytes, enum history_mode mode,
                             bool hands_on)
{
    struct mirror_history_options options = {.directory = world.folder,
                                             .plan = &world.config->plan,
                                             .mode = mode,
                                             .thread_count = threads,
                                             .memory_bytes = memory_bytes,
                                             .answered = hands_on ? answer_take : NULL,
                                             .answered_context = &threads};
    struct mirror_history *history;
    char error[MIRROR_HISTORY_ERROR_SIZE_MAX];
    memset(world.answer, 0xff, sizeof(world.answer));
    for (uint32_t i = 0; i < READS; i++) {
        world.read[i].answer = hands_on ? NULL : world.answer[i];
    }
    ok(mirror_history_open(&options, &history, error));
    ok(mirror_history_read(history, world.read, READS, error));
    for (uint32_t i = 0; i < READS; i++) {
        read_check(&world.read[i], mode);
    }
    uint64_t done;
    uint64_t all;
    mirror_history_progress(history, &done, &all);
    uint64_t readings = all / mirror_history_range(history)->bytes;
    mirror_history_close(history);
    return readings;
}

static uint64_t reads_answer_as_events_say(uint32_t threads, uint64_t memory_bytes,
                                           enum history_mode mode)
{
    (void)reads_answer(threads, memory_bytes, mode, /* hands_on= */ false);
    return reads_answer(threads, memory_bytes, mode, /* hands_on= */ true);
}

static void every_event_that_a_read_knows_is_in_its_answer(void **state)
{
    (void)state;
    static const uint32_t threads[] = {1, 2, 3, 7};
    for (uint32_t i = 0; i < ARRAY_COUNT(threads); i++) {
        reads_answer_as_events_say(threads[i], 256 * MIB, HISTORY_KNOWN);
        reads_answer_as_events_say(threads[i], 256 * MIB, HISTORY_TRUE);
    }
}

/* A MB of events, packed: with less, another reading takes what is left. Half of the memory is for
 * events, and each thread's its own. */
static void what_has_no_room_is_read_once_more(void **state)
{
    (void)state;
    static const uint64_t memory[] = {1280 * KIB, MIB, 900 * KIB};
    for (uint32_t i = 0; i < ARRAY_COUNT(memory); i++) {
        assert_int_equal(reads_answer_as_events_say(1, memory[i], HISTORY_KNOWN), 2);
    }
    /* Whose parts are given up, threads settle as they come. */
    assert_true(reads_answer_as_events_say(2, 1536 * KIB, HISTORY_TRUE) > 1);
    assert_true(reads_answer_as_events_say(2, 1350 * KIB, HISTORY_TRUE) > 1);
}

/* Not even one row's events: then each thread reads the logs, and rows take them as they come. */
static void rows_without_room_for_their_events_are_answered(void **state)
{
    (void)state;
    assert_int_equal(reads_answer_as_events_say(1, 64 * KIB, HISTORY_KNOWN), 1 + 1);
    assert_int_equal(reads_answer_as_events_say(2, 64 * KIB, HISTORY_KNOWN), 1 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_that_a_read_knows_is_in_its_answer),
        cmocka_unit_test(what_has_no_room_is_read_once_more),
        cmocka_unit_test(rows_without_room_for_their_events_are_answered),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
