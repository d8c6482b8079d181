/* A segment of the log as Parquet files: the rate of a core, as its processor time has it, and what
 * a row takes on disk. A plain stream of five fields, 25 events a message, two hours. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/lake.h"
#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"
#include "perf/benches/bench.h"
#include "perf/benches/results.h"
#include "tests/support/segment_make.h"

#define PARQUET_EVENTS     UINT64_C(2000000)
#define MESSAGE_EVENTS     25u
#define FRAME_MESSAGES     100u
#define EVENT_BYTES        48u
#define EVENT_BYTES_ON_LOG 96u /* At most, with what records and frames add. */
#define PRODUCERS          8u
#define EVENT_GAP_US       1800
#define STREAM_ID          1u
#define SHARD              0u
#define NUMBER             1u
#define FOLDER_DESCRIPTORS 16

static struct catalog catalog; /* Too large for a stack. */

static void field_add(struct catalog_stream *stream, const char *name, enum field_type type,
                      uint16_t size)
{
    struct catalog_field *field = &stream->field[stream->field_count++];
    *field = (struct catalog_field){.type = (uint8_t)type,
                                    .id = stream->field_count,
                                    .since = 1,
                                    .size = size > 0 ? size : field_type_size(type),
                                    .scale = type == FIELD_TYPE_decimal ? 2 : 0};
    (void)snprintf(field->name, sizeof(field->name), "%s", name);
}

static void catalog_make(void)
{
    struct catalog_stream *stream = &catalog.stream[0];
    memset(&catalog, 0, sizeof(catalog));
    catalog.stream_count = 1;
    stream->id = STREAM_ID;
    stream->version = 1;
    (void)snprintf(stream->name, sizeof(stream->name), "transaction");
    field_add(stream, "ts", FIELD_TYPE_timestamp, 0);
    field_add(stream, "card", FIELD_TYPE_u64, 0);
    field_add(stream, "merchant", FIELD_TYPE_string, 16);
    field_add(stream, "amount", FIELD_TYPE_decimal, 0);
    field_add(stream, "status", FIELD_TYPE_string, 8);
}

static void plan_put(struct segment_make *make)
{
    static uint8_t note[CATALOG_BYTES_MAX];
    struct mirror_entry entry = {
        .kind = MIRROR_PLAN, .apply_us = SEGMENT_TIME_US, .lsn = make->next_lsn, .note = note};
    entry.note_size = catalog_encode(&catalog, note, sizeof(note));
    segment_make_added(make, mirror_note_encode(&entry, segment_make_entry(make)), 1);
    (void)segment_make_frame(make);
}

static void event_make(struct random *random, int64_t ts_us, uint8_t event[EVENT_BYTES])
{
    uint64_t card = random_below(random, 10000000);
    int64_t amount = (int64_t)random_below(random, 100000);
    char merchant[16] = {0};
    memset(event, 0, EVENT_BYTES);
    (void)snprintf(merchant, sizeof(merchant), "merchant_%u", (unsigned)random_below(random, 1000));
    memcpy(event, &ts_us, sizeof(ts_us));
    memcpy(event + 8, &card, sizeof(card));
    memcpy(event + 16, merchant, sizeof(merchant));
    memcpy(event + 32, &amount, sizeof(amount));
    memcpy(event + 40, random_below(random, 20) == 0 ? "declined" : "ok\0\0\0\0\0\0", 8);
}

/* left: messages to come with this one. Times end where those of the frames are. */
static void message_put(struct segment_make *make, struct random *random, uint64_t message,
                        uint64_t left)
{
    static uint8_t events[MESSAGE_EVENTS * EVENT_BYTES];
    int64_t ts_us = SEGMENT_TIME_US - (int64_t)(left * MESSAGE_EVENTS) * EVENT_GAP_US;
    for (uint32_t i = 0; i < MESSAGE_EVENTS; i++) {
        event_make(random, ts_us + (int64_t)i * EVENT_GAP_US + (int64_t)random_below(random, 1000),
                   events + (uint64_t)i * EVENT_BYTES);
    }
    struct mirror_entry entry = {.kind = MIRROR_MESSAGE,
                                 .stream_id = STREAM_ID,
                                 .apply_us = ts_us + 100,
                                 .lsn = make->next_lsn,
                                 .producer = 1 + message % PRODUCERS,
                                 .sequence = 1 + message / PRODUCERS,
                                 .incarnation = 1700000000,
                                 .version = 1,
                                 .event_count = MESSAGE_EVENTS,
                                 .event_stride = EVENT_BYTES,
                                 .events = events};
    segment_make_added(make, mirror_message_encode(&entry, segment_make_entry(make)),
                       MESSAGE_EVENTS);
}

/* The segment in memory; *out_bytes: of its file. */
static uint8_t *segment_build(uint64_t events, uint64_t *out_bytes)
{
    struct segment_make make;
    struct random random;
    random_seed(&random, 1);
    uint64_t bytes = align_up(16 * MIB + events * EVENT_BYTES_ON_LOG, MIB);
    uint8_t *data = heap_alloc_lines(bytes);
    if (data == NULL) {
        return NULL;
    }
    segment_make_begin(&make, data, SHARD, NUMBER, 1, bytes);
    plan_put(&make);
    uint64_t messages = events / MESSAGE_EVENTS;
    for (uint64_t message = 0; message < messages; message++) {
        message_put(&make, &random, message, messages - message);
        if (message % FRAME_MESSAGES == FRAME_MESSAGES - 1) {
            (void)segment_make_frame(&make);
        }
    }
    (void)segment_make_frame(&make);
    *out_bytes = bytes;
    return data;
}

/* 0 or -1 (errno). */
static int segment_write(const char *folder, uint64_t events)
{
    char path[LAKE_ROOT_SIZE_MAX];
    char name[MIRROR_NAME_SIZE_MAX];
    uint64_t bytes = 0;
    uint8_t *data = segment_build(events, &bytes);
    mirror_name_format(SHARD, NUMBER, name);
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = data == NULL ? NULL : fopen(path, "we");
    int result = file != NULL && fwrite(data, 1, bytes, file) == bytes ? 0 : -1;
    if (file != NULL && fclose(file) != 0) {
        result = -1;
    }
    heap_free(data);
    return result;
}

static double processor_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void export_measure(struct bench_run *run, const char *folder, uint64_t events)
{
    char root[LAKE_ROOT_SIZE_MAX];
    char error[LAKE_ERROR_SIZE_MAX];
    struct lake_options options = {
        .root = root, .directory = folder, .since_us = INT64_MIN, .until_us = INT64_MAX};
    struct store_log log;
    struct lake *lake;
    struct lake_report report;
    (void)snprintf(root, sizeof(root), "%s/lake", folder);
    memcpy(options.store_id, SEGMENT_STORE_ID, sizeof(options.store_id));
    if (store_log_read(folder, &log) != RESULT_OK || log.segment_count != 1) {
        bench_fail(run, "the segment is not found");
        return;
    }
    if (lake_open(&options, &lake, error) != RESULT_OK) {
        store_log_free(&log);
        bench_fail(run, error);
        return;
    }
    double begin = processor_seconds();
    enum result result = lake_export(lake, &log, 0, &report);
    double seconds = processor_seconds() - begin;
    lake_close(lake);
    store_log_free(&log);
    if (result != RESULT_OK || report.rows != events) {
        bench_fail(run, "not every event has its row");
        return;
    }
    bench_set(run, "rows_per_second", (double)report.rows / seconds);
    bench_set(run, "ns_per_row", seconds * 1e9 / (double)report.rows);
    bench_set(run, "bytes_per_row", (double)report.bytes / (double)report.rows);
}

static int file_remove(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static void parquet_run(struct bench_run *run, const void *context)
{
    (void)context;
    char folder[] = "/tmp/freshet-parquet-XXXXXX";
    uint64_t events = results_scaled(PARQUET_EVENTS) / MESSAGE_EVENTS * MESSAGE_EVENTS;
    if (mkdtemp(folder) == NULL) {
        bench_fail(run, strerror(errno));
        return;
    }
    catalog_make();
    if (segment_write(folder, events) == 0) {
        export_measure(run, folder, events);
    } else {
        bench_fail(run, "the segment was not written");
    }
    (void)nftw(folder, file_remove, FOLDER_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

void parquet_register(void)
{
    bench_register("parquet_export", parquet_run, NULL);
}
