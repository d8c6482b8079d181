/* Lines of a manifest, both ways, and the names of files that they have. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/inspect.h"
#include "controlplane/lake_manifest_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

#define HOUR_SECONDS INT64_C(3600)
#define HOUR_US      (HOUR_SECONDS * US_PER_SECOND)
#define HOURS_A_DAY  24
/* 0001-01-01T00 to 9999-12-31T23: the dates that readers know. */
#define HOUR_FIRST      INT64_C(-17259888)
#define HOUR_LAST       INT64_C(70389527)
#define NAME_ESCAPE_MAX 3u /* "%2F" */
/* What Hive and its readers call a partition of no value. */
#define PARTITION_NONE "__HIVE_DEFAULT_PARTITION__"

/* Every character of a stream's name escaped, twice the name of no partition, and the rest. */
_Static_assert(NAME_ESCAPE_MAX *NAME_SIZE_MAX + 2 * sizeof(PARTITION_NONE) + 64 <
                   LAKE_PATH_SIZE_MAX,
               "a path fits its buffer");

bool lake_hour_has_place(int64_t hour)
{
    return hour >= HOUR_FIRST && hour <= HOUR_LAST;
}

/* What is no letter, digit, '_' or '-' is written as Hive writes it. */
static uint32_t name_escape(const char *name, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    uint32_t size = 0;
    for (const char *c = name; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '_' || *c == '-';
        if (plain) {
            out[size++] = *c;
        } else {
            out[size++] = '%';
            out[size++] = digits[(uint8_t)*c >> 4];
            out[size++] = digits[(uint8_t)*c & 15];
        }
    }
    out[size] = '\0';
    return size;
}

void lake_path_format(const char *stream, int64_t hour, uint32_t shard, uint64_t segment,
                      char out[LAKE_PATH_SIZE_MAX])
{
    char name[NAME_ESCAPE_MAX * NAME_SIZE_MAX];
    char date[sizeof(PARTITION_NONE)] = PARTITION_NONE;
    char clock[sizeof(PARTITION_NONE)] = PARTITION_NONE;
    (void)name_escape(stream, name);
    if (lake_hour_has_place(hour)) {
        time_t seconds = (time_t)(hour * HOUR_SECONDS);
        struct tm utc;
        ASSERT(gmtime_r(&seconds, &utc) != NULL);
        (void)snprintf(date, sizeof(date), "%04d-%02d-%02d", utc.tm_year + 1900, utc.tm_mon + 1,
                       utc.tm_mday);
        (void)snprintf(clock, sizeof(clock), "%02d", utc.tm_hour);
    }
    (void)snprintf(out, LAKE_PATH_SIZE_MAX,
                   "stream=%s/dt=%s/hr=%s/part-%03" PRIu32 "-%08" PRIu64 ".parquet", name, date,
                   clock, shard, segment);
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *versions_json(const struct lake_file *file)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < file->version_count; i++) {
        (void)json_array_append_new(list, json_integer(file->version[i]));
    }
    return list;
}

json_t *lake_line_of_file(const char *store, const struct lake_file *file)
{
    bool timed = file->event_us_min <= file->event_us_max;
    bool placed = file->hour != LAKE_HOUR_NONE;
    char crc[9];
    (void)snprintf(crc, sizeof(crc), "%08" PRIx32, file->crc);
    return json_pack(
        "{s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "path",
        file->path, "stream", file->stream, "hour_us",
        placed ? json_integer(file->hour * HOUR_US) : json_null(), "store", store, "shard",
        number(file->shard), "segment", number(file->segment), "rows", number(file->rows), "bytes",
        number(file->bytes), "crc32c", crc, "event_us_min",
        timed ? json_integer(file->event_us_min) : json_null(), "event_us_max",
        timed ? json_integer(file->event_us_max) : json_null(), "apply_us_min",
        json_integer(file->apply_us_min), "apply_us_max", json_integer(file->apply_us_max),
        "lsn_min", inspect_lsn_json(file->lsn_min), "lsn_max", inspect_lsn_json(file->lsn_max),
        "schema_versions", versions_json(file));
}

json_t *lake_line_of_segment(const char *store, const struct lake_segment *segment)
{
    return json_pack("{s:b, s:s, s:o, s:o, s:o, s:o, s:o}", "whole", 1, "store", store, "shard",
                     number(segment->shard), "segment", number(segment->segment), "files",
                     number(segment->files), "rows", number(segment->rows), "unread",
                     number(segment->unread));
}

/* A line, read strictly; what is missing or of another kind ends it. */
struct line_reader {
    const json_t *line;
    const char *wrong; /* NULL: nothing yet. */
};

static uint64_t line_number(struct line_reader *reader, const char *name, uint64_t most,
                            const char *wrong)
{
    const json_t *value = json_object_get(reader->line, name);
    json_int_t got = json_integer_value(value);
    if (!json_is_integer(value) || got < 0 || (uint64_t)got > most) {
        reader->wrong = reader->wrong == NULL ? wrong : reader->wrong;
        return 0;
    }
    return (uint64_t)got;
}

static const char *line_text(struct line_reader *reader, const char *name, uint64_t size_max,
                             const char *wrong)
{
    const json_t *value = json_object_get(reader->line, name);
    if (!json_is_string(value) || json_string_length(value) >= size_max) {
        reader->wrong = reader->wrong == NULL ? wrong : reader->wrong;
        return "";
    }
    return json_string_value(value);
}

static int64_t line_hour(struct line_reader *reader)
{
    const json_t *value = json_object_get(reader->line, "hour_us");
    if (json_is_null(value)) {
        return LAKE_HOUR_NONE;
    }
    json_int_t us = json_integer_value(value);
    if (!json_is_integer(value) || us % HOUR_US != 0 || !lake_hour_has_place(us / HOUR_US)) {
        reader->wrong =
            reader->wrong == NULL ? "`hour_us` is no whole hour, and not null" : reader->wrong;
        return LAKE_HOUR_NONE;
    }
    return us / HOUR_US;
}

static void store_take(struct line_reader *reader, struct lake_known *known)
{
    const char *store = line_text(reader, "store", LAKE_STORE_TEXT_SIZE, "`store` is no text");
    size_t size = strlen(store);
    if (size != LAKE_STORE_TEXT_SIZE - 1 ||
        (known->store[0] != '\0' && strcmp(known->store, store) != 0)) {
        reader->wrong =
            reader->wrong == NULL ? "`store` is no id, or that of another store" : reader->wrong;
        return;
    }
    memcpy(known->store, store, size + 1);
}

#define SEGMENT_WRONG "`segment` is no number of a segment"
#define SHARD_WRONG   "`shard` is no number of a shard"
#define SEGMENT_MAX   (UINT64_MAX >> 8)

static enum result file_take(struct line_reader *reader, struct lake_known *known)
{
    struct lake_file file = {.hour = line_hour(reader)};
    char path[LAKE_PATH_SIZE_MAX];
    const char *stream = line_text(reader, "stream", NAME_SIZE_MAX, "`stream` is no name");
    file.shard = (uint32_t)line_number(reader, "shard", SHARDS_MAX - 1, SHARD_WRONG);
    file.segment = line_number(reader, "segment", SEGMENT_MAX, SEGMENT_WRONG);
    memcpy(file.stream, stream, strlen(stream) + 1);
    lake_path_format(file.stream, file.hour, file.shard, file.segment, path);
    if (strcmp(path, line_text(reader, "path", LAKE_PATH_SIZE_MAX, "`path` is no text")) != 0) {
        reader->wrong = reader->wrong == NULL ? "`path` is not that of stream, hour, shard and "
                                                "segment"
                                              : reader->wrong;
    }
    store_take(reader, known);
    return reader->wrong == NULL ? lake_known_add_file(known, &file) : RESULT_CORRUPT;
}

static enum result segment_take(struct line_reader *reader, struct lake_known *known)
{
    uint32_t shard = (uint32_t)line_number(reader, "shard", SHARDS_MAX - 1, SHARD_WRONG);
    uint64_t segment = line_number(reader, "segment", SEGMENT_MAX, SEGMENT_WRONG);
    store_take(reader, known);
    return reader->wrong == NULL ? lake_known_add_segment(known, shard, segment) : RESULT_CORRUPT;
}

static enum result line_take(const char *text, uint64_t size, struct lake_known *known,
                             struct lake_wrong *out_wrong)
{
    json_t *line = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    struct line_reader reader = {.line = line};
    if (!json_is_object(line)) {
        reader.wrong = "it is no JSON object";
    }
    enum result result = RESULT_CORRUPT;
    if (reader.wrong == NULL) {
        result = json_object_get(line, "whole") != NULL ? segment_take(&reader, known)
                                                        : file_take(&reader, known);
    }
    json_decref(line);
    out_wrong->what = reader.wrong;
    return result;
}

enum result lake_manifest_decode(const char *text, uint64_t size, struct lake_known *known,
                                 uint64_t *out_bytes, struct lake_wrong *out_wrong)
{
    uint64_t at = 0;
    *known = (struct lake_known){0};
    *out_wrong = (struct lake_wrong){.line = 1};
    for (;;) {
        const char *end = at < size ? memchr(text + at, '\n', size - at) : NULL;
        if (end == NULL) {
            *out_bytes = at;
            return RESULT_OK;
        }
        uint64_t line_size = (uint64_t)(end - text) - at;
        enum result result = line_take(text + at, line_size, known, out_wrong);
        if (result != RESULT_OK) {
            return result;
        }
        at += line_size + 1;
        out_wrong->line++;
    }
}
