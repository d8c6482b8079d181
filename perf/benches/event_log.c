#include "perf/benches/event_log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"
#include "tests/support/segment_make.h"

#define FRAME_MESSAGES 100u
#define FRAME_ROOM     (1 * MIB)   /* No frame is longer. */
#define SEGMENT_BYTES  (256 * MIB) /* As `data.mirror.segment` is without a word. */
#define PRODUCERS      8u
#define STREAM_ID      1u
#define PATH_SIZE_MAX  4096u

static const char definitions[] =
    "streams:\n"
    "  transaction:\n"
    "    id: 1\n"
    "    time: ts\n"
    "    fields:\n"
    "      ts: {type: timestamp}\n"
    "      card: {type: u64}\n"
    "      merchant: {type: string, size: 16}\n"
    "      amount: {type: decimal, scale: 2}\n"
    "      status: {type: string, size: 8}\n"
    "views:\n"
    "  activity:\n"
    "    entity: card\n"
    "    source: transaction\n"
    "    windows: [1h, 1d, 7d, 30d]\n"
    "    ttl: 40d\n"
    "    aggregates:\n"
    "      n: count()\n"
    "      total: sum(amount)\n"
    "      least: min(amount)\n"
    "      most: max(amount)\n"
    "      mean: avg(amount)\n"
    "services:\n"
    "  fraud:\n"
    "    features:\n"
    "      [activity.n_1h, activity.n_1d, activity.n_7d, activity.n_30d,\n"
    "       activity.total_1h, activity.total_1d, activity.total_7d, activity.total_30d,\n"
    "       activity.least_1h, activity.least_1d, activity.least_7d, activity.least_30d,\n"
    "       activity.most_1h, activity.most_1d, activity.most_7d, activity.most_30d,\n"
    "       activity.mean_1h, activity.mean_1d, activity.mean_7d, activity.mean_30d]\n";

const char *event_log_definitions(void)
{
    return definitions;
}

int64_t event_log_begin_us(const struct event_log_options *options)
{
    return SEGMENT_TIME_US - (int64_t)options->events * options->gap_us;
}

static void plan_put(struct segment_make *make, const struct event_log_options *options)
{
    static uint8_t note[CATALOG_BYTES_MAX];
    struct mirror_entry entry = {.kind = MIRROR_PLAN,
                                 .apply_us = event_log_begin_us(options),
                                 .lsn = make->next_lsn,
                                 .note = note};
    entry.note_size = catalog_encode(options->catalog, note, sizeof(note));
    segment_make_added(make, mirror_note_encode(&entry, segment_make_entry(make)), 1);
    (void)segment_make_frame(make);
}

static void event_make(struct random *random, uint64_t cards, int64_t ts_us,
                       uint8_t event[EVENT_LOG_EVENT_BYTES])
{
    uint64_t card = random_below(random, cards);
    int64_t amount = (int64_t)random_below(random, 100000);
    char merchant[16] = {0};
    memset(event, 0, EVENT_LOG_EVENT_BYTES);
    (void)snprintf(merchant, sizeof(merchant), "merchant_%u", (unsigned)random_below(random, 1000));
    memcpy(event, &ts_us, sizeof(ts_us));
    memcpy(event + 8, &card, sizeof(card));
    memcpy(event + 16, merchant, sizeof(merchant));
    memcpy(event + 32, &amount, sizeof(amount));
    memcpy(event + 40, random_below(random, 20) == 0 ? "declined" : "ok\0\0\0\0\0\0", 8);
}

static void message_put(struct segment_make *make, const struct event_log_options *options,
                        struct random *random, uint64_t message)
{
    static uint8_t events[EVENT_LOG_MESSAGE_EVENTS * EVENT_LOG_EVENT_BYTES];
    int64_t begin_us = event_log_begin_us(options) +
                       (int64_t)(message * EVENT_LOG_MESSAGE_EVENTS) * options->gap_us;
    uint64_t spread_us = (uint64_t)options->gap_us / 2 + 1;
    for (uint32_t i = 0; i < EVENT_LOG_MESSAGE_EVENTS; i++) {
        event_make(random, options->cards,
                   begin_us + (int64_t)i * options->gap_us +
                       (int64_t)random_below(random, spread_us),
                   events + (uint64_t)i * EVENT_LOG_EVENT_BYTES);
    }
    struct mirror_entry entry = {.kind = MIRROR_MESSAGE,
                                 .stream_id = STREAM_ID,
                                 .apply_us = begin_us + EVENT_LOG_MESSAGE_EVENTS * options->gap_us,
                                 .lsn = make->next_lsn,
                                 .producer = 1 + message % PRODUCERS,
                                 .sequence = 1 + message / PRODUCERS,
                                 .incarnation = 1700000000,
                                 .version = 1,
                                 .event_count = EVENT_LOG_MESSAGE_EVENTS,
                                 .event_stride = EVENT_LOG_EVENT_BYTES,
                                 .events = events};
    segment_make_added(make, mirror_message_encode(&entry, segment_make_entry(make)),
                       EVENT_LOG_MESSAGE_EVENTS);
}

/* The segment behind the last one, or the first, empty. */
static void segment_begin(struct segment_make *make, uint8_t *data, uint64_t number)
{
    uint64_t first = number == EVENT_LOG_NUMBER ? 1 : lsn_number(make->next_lsn);
    memset(data, 0, SEGMENT_BYTES);
    segment_make_begin(make, data, EVENT_LOG_SHARD, number, first, SEGMENT_BYTES);
    make->segment.shard_count = 1;
    mirror_segment_encode(&make->segment, data);
    make->chain_crc = make->segment.crc;
}

/* Writes what the segment has; its file has its whole length, as a store makes it. */
static int segment_write(const char *folder, const struct segment_make *make)
{
    char path[PATH_SIZE_MAX];
    char name[MIRROR_NAME_SIZE_MAX];
    mirror_name_format(EVENT_LOG_SHARD, make->segment.number, name);
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    int result = file != NULL && fwrite(make->data, 1, make->place, file) == make->place &&
                         fflush(file) == 0 && ftruncate(fileno(file), (off_t)SEGMENT_BYTES) == 0
                     ? 0
                     : -1;
    if (file != NULL && fclose(file) != 0) {
        result = -1;
    }
    return result;
}

int event_log_write(const char *folder, const struct event_log_options *options)
{
    struct segment_make make;
    struct random random;
    uint64_t messages = options->events / EVENT_LOG_MESSAGE_EVENTS;
    uint8_t *data = heap_alloc_lines(SEGMENT_BYTES);
    int result = data == NULL ? -1 : 0;
    random_seed(&random, 1);
    if (result == 0) {
        segment_begin(&make, data, EVENT_LOG_NUMBER);
        plan_put(&make, options);
    }
    for (uint64_t message = 0; result == 0 && message < messages; message++) {
        message_put(&make, options, &random, message);
        if (message % FRAME_MESSAGES < FRAME_MESSAGES - 1 && message + 1 < messages) {
            continue;
        }
        (void)segment_make_frame(&make);
        if (make.place + FRAME_ROOM > SEGMENT_BYTES) {
            result = segment_write(folder, &make);
            segment_begin(&make, data, make.segment.number + 1);
        }
    }
    result = result == 0 ? segment_write(folder, &make) : result;
    heap_free(data);
    return result;
}
