#include "controlplane/served_parquet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/buffer.h"
#include "controlplane/folder.h"
#include "controlplane/lake_manifest.h"
#include "controlplane/parquet_writer.h"
#include "controlplane/served_reader.h"
#include "controlplane/store_check.h"
#include "controlplane/store_directory.h"
#include "dataplane/base/units.h"
#include "dataplane/base/utf8.h"
#include "drivers/memory.h"

#define ROWS       4096u
#define TEXT_BYTES (8 * MIB) /* Of a batch; then it is written. */
#define HOUR_US    (INT64_C(3600) * US_PER_SECOND)
#define HOURS_MAX  4096u /* Of one file of answers. */
#define GROUP_SIZE (16u << 20)

/* In the order of the file's columns. */
enum column {
    COLUMN_MOMENT,
    COLUMN_FILE,
    COLUMN_ANSWER,
    COLUMN_SERVICE,
    COLUMN_VERSION,
    COLUMN_DEFINITION,
    COLUMN_ROW,
    COLUMN_READS,
    COLUMN_REQUEST,
    COLUMN_NAME,
    COLUMN_STATUS,
    COLUMN_VALUE,
    COLUMN_APPROXIMATE,
    COLUMN_PARTIAL,
    COLUMN_COUNT
};

static const struct parquet_column columns[COLUMN_COUNT] = {
    [COLUMN_MOMENT] = {.name = "moment", .type = PARQUET_TIMESTAMP_US},
    [COLUMN_FILE] = {.name = "file", .type = PARQUET_UINT64},
    [COLUMN_ANSWER] = {.name = "answer", .type = PARQUET_UINT64},
    [COLUMN_SERVICE] = {.name = "service", .type = PARQUET_STRING},
    [COLUMN_VERSION] = {.name = "version", .type = PARQUET_UINT64, .bits = 16},
    [COLUMN_DEFINITION] = {.name = "definition", .type = PARQUET_UINT64},
    [COLUMN_ROW] = {.name = "row", .type = PARQUET_UINT64, .bits = 32},
    [COLUMN_READS] = {.name = "reads", .type = PARQUET_STRING},
    [COLUMN_REQUEST] = {.name = "request", .type = PARQUET_STRING},
    [COLUMN_NAME] = {.name = "name", .type = PARQUET_STRING},
    [COLUMN_STATUS] = {.name = "status", .type = PARQUET_STRING},
    [COLUMN_VALUE] = {.name = "value", .type = PARQUET_STRING, .optional = true},
    [COLUMN_APPROXIMATE] = {.name = "approximate", .type = PARQUET_BOOL},
    [COLUMN_PARTIAL] = {.name = "partial", .type = PARQUET_BOOL},
};

/* Rows on their way. */
struct batch {
    uint32_t rows;
    uint64_t number[COLUMN_COUNT][ROWS]; /* Of numbers. */
    struct parquet_string string[COLUMN_COUNT][ROWS];
    uint8_t truth[COLUMN_COUNT][ROWS];
    uint8_t valid[ROWS]; /* Of values. */
    struct buffer text;  /* Of strings: places until they are written. */
};

struct export
{
    const struct served_parquet_options *options;
    struct served_parquet_report *report;
    struct batch *batch;
    uint64_t file;
    int64_t hour[HOURS_MAX]; /* Of the file, as they are met; more of them are left out. */
    uint32_t hour_count;
};

static void json_text_put(struct buffer *out, struct served_text text)
{
    buffer_text(out, "\"");
    for (uint32_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            buffer_format(out, "\\%c", c);
        } else if (c < 0x20 || c >= 0x7f) {
            buffer_format(out, "\\u%04x", c); /* A byte: what a client sent, whatever it meant. */
        } else {
            buffer_write(out, text.data + i, 1);
        }
    }
    buffer_text(out, "\"");
}

static void reads_put(struct buffer *out, const struct served_record *record)
{
    static const char *const asked[] = {"now", "LATEST", "AT"};
    char lsn[STORE_LSN_SIZE_MAX];
    buffer_text(out, "[");
    for (uint32_t r = 0; r < record->read_count; r++) {
        const struct served_read *read = &record->read[r];
        buffer_format(out, "%s{\"view\":", r == 0 ? "" : ",");
        json_text_put(out, read->view);
        buffer_format(out, ",\"version\":%u,\"key\":\"", read->version);
        for (uint32_t i = 0; i < read->key.size; i++) {
            buffer_format(out, "%02x", (unsigned char)read->key.data[i]);
        }
        buffer_format(out,
                      "\",\"asked\":\"%s\",\"q_us\":%" PRId64 ",\"known_us\":%" PRId64
                      ",\"shard\":%u,\"lsn\":\"%s\"}",
                      asked[read->time], read->q_us, read->known_us, read->shard,
                      store_lsn_format(read->lsn, lsn));
    }
    buffer_text(out, "]");
}

static void request_put(struct buffer *out, const struct served_record *record)
{
    buffer_text(out, "{");
    for (uint32_t i = 0; i < record->value_count; i++) {
        const struct served_value *value = &record->value[i];
        buffer_text(out, i == 0 ? "" : ",");
        json_text_put(out, value->name);
        buffer_text(out, ":");
        if (value->is_null) {
            buffer_text(out, "null");
        } else {
            json_text_put(out, value->text);
        }
    }
    buffer_text(out, "}");
}

/* A string of the row that is made: its bytes stand at the end of the text from begin on. */
static void string_set(struct batch *batch, enum column column, uint64_t begin)
{
    batch->string[column][batch->rows] = (struct parquet_string){
        .data = (const char *)(uintptr_t)begin, .size = (uint32_t)(batch->text.size - begin)};
}

/* What is no UTF-8 has a ? for each byte that is not ASCII: readers refuse other strings. */
static void text_put(struct batch *batch, enum column column, struct served_text text)
{
    uint64_t begin = batch->text.size;
    buffer_write(&batch->text, text.data == NULL ? "" : text.data, text.size);
    if (!batch->text.failed && !utf8_is_valid(text.data == NULL ? "" : text.data, text.size)) {
        for (uint64_t i = begin; i < batch->text.size; i++) {
            bool ascii = ((unsigned char)batch->text.data[i] & 0x80) == 0;
            batch->text.data[i] = ascii ? batch->text.data[i] : '?';
        }
    }
    string_set(batch, column, begin);
}

static enum result batch_write(struct export *export, struct parquet_writer *writer)
{
    struct batch *batch = export->batch;
    struct parquet_values values[COLUMN_COUNT];
    for (uint32_t c = 0; c < COLUMN_COUNT; c++) {
        values[c] = (struct parquet_values){.data = batch->number[c]};
        if (columns[c].type == PARQUET_BOOL) {
            values[c].data = batch->truth[c];
        } else if (columns[c].type == PARQUET_STRING) {
            for (uint32_t i = 0; i < batch->rows; i++) {
                batch->string[c][i].data = batch->text.data + (uintptr_t)batch->string[c][i].data;
            }
            values[c].data = batch->string[c];
        }
    }
    values[COLUMN_VALUE].valid = batch->valid;
    enum result result = batch->text.failed ? RESULT_NO_MEMORY : RESULT_OK;
    if (result == RESULT_OK && batch->rows > 0) {
        result = parquet_writer_append(writer, values, batch->rows);
    }
    export->report->rows += batch->rows;
    batch->rows = 0;
    buffer_consume(&batch->text, batch->text.size);
    return result;
}

/* One value of an answer. Strings that all of its rows have stand in the text once. */
static void row_put(struct export *export, const struct served_record *record, uint64_t answer,
                    const struct served_item *item, const struct parquet_string shared[3])
{
    struct batch *batch = export->batch;
    uint32_t row = batch->rows;
    const char *status = answer_status_name(item->status);
    batch->number[COLUMN_MOMENT][row] = (uint64_t)record->moment_us;
    batch->number[COLUMN_FILE][row] = export->file;
    batch->number[COLUMN_ANSWER][row] = answer;
    batch->number[COLUMN_VERSION][row] = record->version;
    batch->number[COLUMN_DEFINITION][row] = record->service_print;
    batch->number[COLUMN_ROW][row] = record->row;
    batch->string[COLUMN_SERVICE][row] = shared[0];
    batch->string[COLUMN_READS][row] = shared[1];
    batch->string[COLUMN_REQUEST][row] = shared[2];
    text_put(batch, COLUMN_NAME, item->name);
    text_put(batch, COLUMN_STATUS,
             (struct served_text){.data = status, .size = (uint32_t)strlen(status)});
    text_put(batch, COLUMN_VALUE, item->text);
    batch->valid[row] = item->kind != VALUE_NULL;
    batch->truth[COLUMN_APPROXIMATE][row] = (item->flags & ANSWER_FLAG_APPROXIMATE) != 0;
    batch->truth[COLUMN_PARTIAL][row] = (item->flags & ANSWER_FLAG_PARTIAL) != 0;
    batch->rows++;
}

static enum result answer_put(struct export *export, struct parquet_writer *writer,
                              const struct served_record *record, uint64_t answer)
{
    struct batch *batch = export->batch;
    struct parquet_string shared[3];
    if (batch->rows + record->item_count > ROWS || batch->text.size > TEXT_BYTES) {
        enum result result = batch_write(export, writer);
        if (result != RESULT_OK) {
            return result;
        }
    }
    text_put(batch, COLUMN_SERVICE, record->service);
    shared[0] = batch->string[COLUMN_SERVICE][batch->rows];
    uint64_t begin = batch->text.size;
    reads_put(&batch->text, record);
    string_set(batch, COLUMN_READS, begin);
    shared[1] = batch->string[COLUMN_READS][batch->rows];
    begin = batch->text.size;
    request_put(&batch->text, record);
    string_set(batch, COLUMN_REQUEST, begin);
    shared[2] = batch->string[COLUMN_REQUEST][batch->rows];
    for (uint32_t i = 0; i < record->item_count; i++) {
        row_put(export, record, answer, &record->item[i], shared);
    }
    return RESULT_OK;
}

static int64_t hour_of(int64_t moment_us)
{
    return floor_to(moment_us, HOUR_US) / HOUR_US;
}

/* Notes an hour of the file. */
static void hour_note(struct export *export, int64_t hour)
{
    for (uint32_t i = 0; i < export->hour_count; i++) {
        if (export->hour[i] == hour) {
            return;
        }
    }
    if (export->hour_count < HOURS_MAX) {
        export->hour[export->hour_count++] = hour;
    }
}

typedef enum result answer_visit(struct export *export, void *context,
                                 const struct served_record *record, uint64_t answer);

/* Visits the answers of the file. */
static enum result file_walk(struct export *export, answer_visit *visit, void *context)
{
    struct served_reader *reader;
    const struct served_record *record;
    enum result result = served_reader_open_file(export->options->directory, export->file, &reader);
    if (result != RESULT_OK) {
        return result;
    }
    for (uint64_t answer = 0; (result = served_reader_next(reader, &record)) == RESULT_OK;
         answer++) {
        result = visit(export, context, record, answer);
        if (result != RESULT_OK) {
            break;
        }
    }
    served_reader_close(reader);
    return result == RESULT_NOT_FOUND ? RESULT_OK : result;
}

static enum result hour_visit(struct export *export, void *context,
                              const struct served_record *record, uint64_t answer)
{
    (void)context;
    (void)answer;
    hour_note(export, hour_of(record->moment_us));
    return RESULT_OK;
}

struct part {
    struct parquet_writer *writer;
    int64_t hour;
};

static enum result part_visit(struct export *export, void *context,
                              const struct served_record *record, uint64_t answer)
{
    struct part *part = context;
    return hour_of(record->moment_us) == part->hour
               ? answer_put(export, part->writer, record, answer)
               : RESULT_OK;
}

/* The answers of one hour of the file; passed over when they are there. */
static enum result part_export(struct export *export, int64_t hour)
{
    char below[LAKE_PATH_SIZE_MAX];
    char path[LAKE_ROOT_SIZE_MAX + LAKE_PATH_SIZE_MAX];
    const struct parquet_options options = {.group_bytes = GROUP_SIZE};
    struct part part = {.hour = hour};
    lake_path_format(SERVED_STREAM, hour, 0, export->file, below);
    (void)snprintf(path, sizeof(path), "%s/%s", export->options->root, below);
    if (access(path, F_OK) == 0) {
        return RESULT_OK;
    }
    enum result result = folder_make_above(path);
    if (result == RESULT_OK) {
        result = parquet_writer_open(path, columns, COLUMN_COUNT, &options, &part.writer);
    }
    result = result == RESULT_OK ? file_walk(export, part_visit, &part) : result;
    result = result == RESULT_OK ? batch_write(export, part.writer) : result;
    result = result == RESULT_OK ? parquet_writer_finish(part.writer) : result;
    if (result == RESULT_OK) {
        export->report->files++;
        export->report->bytes += parquet_writer_bytes(part.writer);
    }
    parquet_writer_close(part.writer);
    return result;
}

static bool hour_is_wanted(const struct export *export, int64_t hour)
{
    const struct served_parquet_options *options = export->options;
    return lake_hour_has_place(hour) && hour * HOUR_US < options->until_us &&
           (hour + 1) * HOUR_US > options->since_us;
}

static enum result file_export(struct export *export, uint64_t number)
{
    struct served_reader_report report = {0};
    export->file = number;
    export->hour_count = 0;
    enum result result = served_reader_check(export->options->directory, number, &report);
    if (result == RESULT_NOT_FOUND || result == RESULT_TRUNCATED) {
        return RESULT_OK; /* Gone, or without answers. */
    }
    if (result == RESULT_CORRUPT) {
        export->report->damaged++;
        return RESULT_OK;
    }
    export->report->damaged += report.damaged;
    result = result == RESULT_OK ? file_walk(export, hour_visit, NULL) : result;
    for (uint32_t i = 0; result == RESULT_OK && i < export->hour_count; i++) {
        if (hour_is_wanted(export, export->hour[i])) {
            result = part_export(export, export->hour[i]);
        }
    }
    return result;
}

enum result served_parquet_export(const struct served_parquet_options *options,
                                  struct served_parquet_report *out_report)
{
    struct store_directory names;
    struct export *export = heap_alloc_lines(sizeof(*export));
    struct batch *batch = heap_alloc_lines(sizeof(*batch));
    *out_report = (struct served_parquet_report){0};
    if (export == NULL || batch == NULL) {
        heap_free(export);
        heap_free(batch);
        return RESULT_NO_MEMORY;
    }
    *export = (struct export){.options = options, .report = out_report, .batch = batch};
    buffer_init(&batch->text, 0);
    enum result result = store_directory_read(&names, options->directory);
    uint64_t newest = 0;
    for (uint32_t i = 0; result == RESULT_OK && i < names.count; i++) {
        newest = names.name[i].kind == STORE_NAME_SERVED ? names.name[i].number : newest;
    }
    for (uint32_t i = 0; result == RESULT_OK && i < names.count; i++) {
        bool wanted = names.name[i].kind == STORE_NAME_SERVED &&
                      !(options->skip_newest && names.name[i].number == newest);
        result = wanted ? file_export(export, names.name[i].number) : RESULT_OK;
    }
    int error = errno;
    store_directory_free(&names);
    buffer_deinit(&batch->text);
    heap_free(batch);
    heap_free(export);
    errno = error;
    return result;
}
