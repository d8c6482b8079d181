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
#include "dataplane/base/units.h"
#include "perf/benches/bench.h"
#include "perf/benches/event_log.h"
#include "perf/benches/results.h"
#include "tests/support/segment_make.h"

#define PARQUET_EVENTS     UINT64_C(2000000)
#define PARQUET_CARDS      UINT64_C(10000000)
#define PARQUET_GAP_US     1800
#define STREAM_ID          1u
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
    uint64_t events =
        results_scaled(PARQUET_EVENTS) / EVENT_LOG_MESSAGE_EVENTS * EVENT_LOG_MESSAGE_EVENTS;
    if (mkdtemp(folder) == NULL) {
        bench_fail(run, strerror(errno));
        return;
    }
    catalog_make();
    const struct event_log_options log = {
        .events = events, .cards = PARQUET_CARDS, .gap_us = PARQUET_GAP_US, .catalog = &catalog};
    if (event_log_write(folder, &log) == 0) {
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
