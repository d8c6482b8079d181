#include <arpa/inet.h>
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/appliance.h"
#include "controlplane/report.h"
#include "controlplane/report_render.h"

#define SENDER_SIZE_MAX (INET6_ADDRSTRLEN + 10)

/* "127.0.0.1:5000", "[::1]:5000", "" where there is no network. */
static void sender_format(const struct net_address *sender, char out[SENDER_SIZE_MAX])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t none[16] = {0};
    char ip[INET6_ADDRSTRLEN] = "";
    out[0] = '\0';
    if (memcmp(sender->ip, none, sizeof(none)) == 0 && sender->port == 0) {
        return;
    }
    if (memcmp(sender->ip, mapped, sizeof(mapped)) == 0) {
        (void)inet_ntop(AF_INET, sender->ip + sizeof(mapped), ip, sizeof(ip));
        (void)snprintf(out, SENDER_SIZE_MAX, "%s:%u", ip, sender->port);
    } else {
        (void)inet_ntop(AF_INET6, sender->ip, ip, sizeof(ip));
        (void)snprintf(out, SENDER_SIZE_MAX, "[%s]:%u", ip, sender->port);
    }
}

/* Printable bytes as they are, others as \xNN; a backslash is doubled. */
static void bytes_format(const uint8_t *bytes, uint32_t count, char out[4 * DROP_LOG_BYTES + 1])
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] == '\\') {
            out[at++] = '\\';
            out[at++] = '\\';
        } else if (isprint(bytes[i]) != 0) {
            out[at++] = (char)bytes[i];
        } else {
            at += (uint32_t)snprintf(out + at, 5, "\\x%02x", bytes[i]);
        }
    }
    out[at] = '\0';
}

json_t *report_drop_json(const struct plan *plan, uint32_t shard, const struct drop_entry *entry)
{
    char sender[SENDER_SIZE_MAX];
    char bytes[4 * DROP_LOG_BYTES + 1];
    enum drop drop = entry->drop < DROP_COUNT ? (enum drop)entry->drop : DROP_text_syntax;
    const struct schema *schema =
        entry->stream < plan->stream_count ? &plan->stream[entry->stream].schema : NULL;
    uint32_t count = entry->byte_count < DROP_LOG_BYTES ? entry->byte_count : DROP_LOG_BYTES;
    sender_format(&entry->sender, sender);
    bytes_format(entry->bytes, count, bytes);
    const char *field = schema != NULL && entry->field < schema->field_count
                            ? schema->field[entry->field].name
                            : NULL;
    return json_pack("{s:i, s:I, s:I, s:s, s:s, s:s, s:s, s:s?, s:s?, s:i, s:s}", "shard",
                     (int)shard, "number", (json_int_t)entry->number, "time_us",
                     (json_int_t)entry->time_us, "reason", drop_name(drop), "sentence",
                     drop_sentence(drop), "hint", drop_hint(drop), "sender", sender, "stream",
                     schema == NULL ? NULL : schema->name, "field", field, "offset",
                     (int)entry->offset, "bytes", bytes);
}

struct drop_line {
    uint32_t shard;
    struct drop_entry entry;
};

static int line_compare(const void *left, const void *right)
{
    const struct drop_line *a = left;
    const struct drop_line *b = right;
    if (a->entry.time_us != b->entry.time_us) {
        return a->entry.time_us < b->entry.time_us ? -1 : 1;
    }
    if (a->shard != b->shard) {
        return a->shard < b->shard ? -1 : 1;
    }
    return (a->entry.number > b->entry.number) - (a->entry.number < b->entry.number);
}

void report_drops(const struct appliance *appliance, const uint64_t *after, struct buffer *out)
{
    uint64_t max = (uint64_t)appliance->shard_count * DROP_LOG_ENTRIES;
    struct drop_line *line = heap_alloc(max * sizeof(*line));
    struct drop_entry *entry = heap_alloc(DROP_LOG_ENTRIES * sizeof(*entry));
    if (line == NULL || entry == NULL) {
        heap_free(line);
        heap_free(entry);
        out->failed = true;
        return;
    }
    uint32_t count = 0;
    for (uint32_t shard = 0; shard < appliance->shard_count; shard++) {
        uint32_t found = drop_log_read(worker_drop_log(appliance->worker[shard]),
                                       after == NULL ? 0 : after[shard], entry);
        for (uint32_t i = 0; i < found; i++) {
            line[count++] = (struct drop_line){.shard = shard, .entry = entry[i]};
        }
    }
    qsort(line, count, sizeof(*line), line_compare);
    json_t *root = json_array();
    for (uint32_t i = 0; i < count; i++) {
        (void)json_array_append_new(
            root, report_drop_json(appliance->plan, line[i].shard, &line[i].entry));
    }
    heap_free(line);
    heap_free(entry);
    report_json_write(root, out);
}
