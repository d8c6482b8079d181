#include "controlplane/get_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/buffer.h"
#include "dataplane/base/units.h"

#define META_FIELDS 8u

static const char *reply_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS ? reply->str
                                                                                  : NULL;
}

/* Bytes of the UTF-8 character at the front of text, 0 when none is there. */
static size_t character_size(const char *text, size_t size)
{
    for (size_t n = 1; n <= 4 && n <= size; n++) {
        json_t *one = json_stringn(text, n);
        json_decref(one);
        if (one != NULL) {
            return n;
        }
    }
    return 0;
}

/* A producer's strings may hold any bytes, JSON only UTF-8: the rest is U+FFFD. */
static json_t *text_json(const char *text, size_t size)
{
    struct buffer utf8;
    buffer_init(&utf8, 0);
    for (size_t at = 0; at < size;) {
        size_t n = character_size(text + at, size - at);
        buffer_write(&utf8, n > 0 ? text + at : "\xef\xbf\xbd", n > 0 ? n : 3);
        at += n > 0 ? n : 1;
    }
    json_t *string =
        utf8.failed ? json_null() : json_stringn(utf8.size > 0 ? utf8.data : "", utf8.size);
    buffer_deinit(&utf8);
    return string;
}

/* A value for a terminal: a producer's control bytes must not move its cursor. */
static const char *text_printable(const redisReply *reply, struct buffer *out)
{
    const char *text = reply_text(reply);
    out->size = 0;
    if (text == NULL) {
        return "null";
    }
    for (size_t at = 0; at < reply->len; at++) {
        if ((unsigned char)text[at] < ' ' || text[at] == 0x7f) {
            buffer_format(out, "\\x%02x", (unsigned)(unsigned char)text[at]);
        } else {
            buffer_write(out, text + at, 1);
        }
    }
    buffer_write(out, "", 1);
    return out->failed ? "null" : out->data;
}

static json_t *reply_json(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) {
        return json_integer(reply->integer);
    }
    const char *text = reply_text(reply);
    return text == NULL ? json_null() : text_json(text, reply->len);
}

/* Microseconds as UTC, "-" for none. */
static const char *time_format(const redisReply *reply, char *out, size_t size)
{
    if (reply->type != REDIS_REPLY_INTEGER) {
        return "-";
    }
    int64_t micros = reply->integer;
    time_t seconds = (time_t)(floor_to(micros, US_PER_SECOND) / US_PER_SECOND);
    struct tm utc;
    char text[32];
    if (gmtime_r(&seconds, &utc) == NULL) {
        (void)snprintf(out, size, "%" PRId64, micros);
        return out;
    }
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(out, size, "%s.%06d", text, (int)(micros - floor_to(micros, US_PER_SECOND)));
    return out;
}

bool get_reply_is(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0) {
        return false;
    }
    for (size_t i = 0; i < reply->elements; i += 2) {
        const redisReply *meta = reply->element[i + 1];
        if (reply_text(reply->element[i]) == NULL || meta->type != REDIS_REPLY_ARRAY ||
            meta->elements != META_FIELDS) {
            return false;
        }
    }
    return true;
}

void get_print(const redisReply *reply)
{
    char start[48];
    char end[48];
    char newest[48];
    struct buffer value;
    buffer_init(&value, 0);
    size_t width = strlen("feature");
    for (size_t i = 0; i < reply->elements; i += 2) {
        width = reply->element[i]->len > width ? reply->element[i]->len : width;
    }
    printf("%-*s  %-20s %-15s %-11s %-26s %-26s %s\n", (int)width, "feature", "value", "status",
           "flags", "from", "to", "newest event");
    for (size_t i = 0; i < reply->elements; i += 2) {
        redisReply **meta = reply->element[i + 1]->element;
        const char *status = reply_text(meta[1]);
        const char *flags = reply_text(meta[2]);
        printf("%-*s  %-20s %-15s %-11s %-26s %-26s %s\n", (int)width, reply->element[i]->str,
               text_printable(meta[0], &value), status == NULL ? "-" : status,
               flags == NULL || flags[0] == '\0' ? "-" : flags,
               time_format(meta[3], start, sizeof(start)), time_format(meta[4], end, sizeof(end)),
               time_format(meta[5], newest, sizeof(newest)));
    }
    buffer_deinit(&value);
}

json_t *get_json(const redisReply *reply)
{
    static const char *const name[META_FIELDS] = {"value",  "status",    "flags", "start_us",
                                                  "end_us", "newest_us", "q_us",  "lsn"};
    json_t *root = json_object();
    for (size_t i = 0; i < reply->elements; i += 2) {
        json_t *feature = json_object();
        for (uint32_t m = 0; m < META_FIELDS; m++) {
            (void)json_object_set_new(feature, name[m],
                                      reply_json(reply->element[i + 1]->element[m]));
        }
        (void)json_object_set_new(root, reply->element[i]->str, feature);
    }
    return root;
}
