#include "controlplane/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "controlplane/store_check.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"

const char *inspect_time_format(int64_t time_us, char out[INSPECT_TIME_SIZE_MAX])
{
    time_t seconds = (time_t)(floor_to(time_us, US_PER_SECOND) / US_PER_SECOND);
    struct tm utc;
    char text[INSPECT_TIME_SIZE_MAX];
    if (time_us == INT64_MIN || gmtime_r(&seconds, &utc) == NULL ||
        strftime(text, sizeof(text) - 8, "%Y-%m-%dT%H:%M:%S", &utc) == 0) {
        (void)snprintf(out, INSPECT_TIME_SIZE_MAX, "-");
        return out;
    }
    (void)snprintf(out, INSPECT_TIME_SIZE_MAX, "%.31s.%06dZ", text,
                   (int)(time_us - seconds * US_PER_SECOND));
    return out;
}

const char *inspect_store_format(const uint8_t *id, uint32_t size, char out[INSPECT_STORE_SIZE_MAX])
{
    static const char digits[] = "0123456789abcdef";
    uint32_t at = 0;
    for (uint32_t i = 0; i < size && at + 2 < INSPECT_STORE_SIZE_MAX; i++) {
        out[at++] = digits[id[i] >> 4];
        out[at++] = digits[id[i] & 15];
    }
    out[at] = '\0';
    return out;
}

json_t *inspect_lsn_json(uint64_t lsn)
{
    char text[STORE_LSN_SIZE_MAX];
    return json_string(store_lsn_format(lsn, text));
}

static json_t *stream_json(const struct catalog_stream *stream)
{
    json_t *fields = json_array();
    for (uint32_t i = 0; i < stream->field_count; i++) {
        const struct catalog_field *field = &stream->field[i];
        json_array_append_new(
            fields, json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:b}", "field", field->name, "type",
                              field_type_name((enum field_type)field->type), "id", (int)field->id,
                              "since", (int)field->since, "size", (int)field->size, "scale",
                              (int)field->scale, "optional", (int)field->optional));
    }
    return json_pack("{s:s, s:i, s:i, s:s, s:o}", "stream", stream->name, "id", (int)stream->id,
                     "version", (int)stream->version, "time",
                     stream->field[stream->time_field].name, "fields", fields);
}

json_t *inspect_catalog_json(const struct catalog *catalog)
{
    json_t *streams = json_array();
    json_t *views = json_array();
    char print[24];
    for (uint32_t i = 0; i < catalog->stream_count; i++) {
        json_array_append_new(streams, stream_json(&catalog->stream[i]));
    }
    for (uint32_t i = 0; i < catalog->view_count; i++) {
        const struct catalog_view *view = &catalog->view[i];
        (void)snprintf(print, sizeof(print), "%016" PRIx64, view->fingerprint);
        json_t *others = json_array();
        for (uint32_t other = 0; other < view->other_count; other++) {
            json_array_append_new(others,
                                  json_string(catalog->stream[view->other[other].stream].name));
        }
        json_array_append_new(views,
                              json_pack("{s:s, s:i, s:s, s:s, s:o, s:s}", "view", view->name,
                                        "version", (int)view->version, "entity", view->entity,
                                        "stream", catalog->stream[view->stream].name,
                                        "other_streams", others, "fingerprint", print));
    }
    (void)snprintf(print, sizeof(print), "%016" PRIx64, catalog->fingerprint);
    return json_pack("{s:s, s:o, s:o}", "fingerprint", print, "streams", streams, "views", views);
}

int inspect_object_print(json_t *object, int exit_code)
{
    if (object == NULL || json_dumpf(object, stdout, JSON_INDENT(2)) != 0) {
        (void)fprintf(stderr, "freshet inspect: the report could not be written\n");
        exit_code = VERB_EXIT_FAILED;
    }
    printf("\n");
    json_decref(object);
    return exit_code;
}
