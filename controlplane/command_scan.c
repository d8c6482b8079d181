/* SCAN, DBSIZE: walking all entities. */
#include <inttypes.h>
#include <string.h>

#include "controlplane/appliance.h"
#include "controlplane/command.h"
#include "controlplane/feature_read.h"
#include "controlplane/glob.h"
#include "controlplane/keyspace.h"
#include "dataplane/feature/key.h"

#define SCAN_COUNT_MAX    1000u
#define SLOT_COUNT        16384
#define KEY_TEXT_SIZE_MAX (3 * KEY_SIZE_MAX + 64)

struct scan {
    struct command_call *call;
    const struct resp_argument *match; /* NULL: all. */
    bool none_fit;                     /* TYPE of something that no entity is. */
    uint32_t count;
    uint32_t found;
    struct buffer keys; /* Bulk strings. */
};

/* Whether this row speaks for its entity: no newest view before it knows the entity, and it is not
 * past its ttl. So that an entity with rows in several views is told once. */
static bool row_speaks(struct command_call *call, uint16_t view, const struct resp_argument *key)
{
    struct resp_writer *reply = call->reply;
    const char *entity = call->host->plan->view[view].entity;
    struct read_request request = {.key_count = 1, .time = READ_NOW};
    uint64_t size = reply->out->size;
    if (!read_fields_one(call, entity, &request) || !read_answers(call, key, &request)) {
        /* Memory is short: rather twice than never. */
        reply->out->size = size;
        reply->error_count--;
        return true;
    }
    for (uint32_t g = 0; g < request.group_count; g++) {
        const struct reader_query *query = read_query(call, &request, 0, g);
        if (query->found) {
            return query->view == view;
        }
    }
    return false;
}

/* Rows that the reader visited: the visit may not read, so they wait here. */
struct scan_row {
    uint16_t view;
    uint16_t size; /* Of the key's text, which follows. */
};

static void row_visit(void *context, uint16_t view, const uint8_t *key, uint32_t key_size)
{
    struct scan *scan = context;
    const struct plan *plan = scan->call->host->plan;
    struct buffer *rows = &scan->call->host->text;
    char text[KEY_TEXT_SIZE_MAX];
    if (!plan_view_is_newest(plan, view)) {
        return;
    }
    uint32_t size = key_format(plan, &plan->view[view], key, key_size, text, sizeof(text));
    struct scan_row row = {.view = view, .size = (uint16_t)size};
    if (scan->none_fit || (scan->match != NULL &&
                           !glob_match(scan->match->data, scan->match->size, text, size, false))) {
        return;
    }
    buffer_write(rows, &row, sizeof(row));
    buffer_write(rows, text, size);
}

static void rows_tell(struct scan *scan)
{
    struct command_call *call = scan->call;
    struct buffer *rows = &call->host->text;
    struct resp_writer keys = {.out = &scan->keys, .protocol = call->reply->protocol};
    uint64_t at = 0;
    while (at < rows->size) {
        struct scan_row row;
        memcpy(&row, rows->data + at, sizeof(row));
        struct resp_argument key = {.data = rows->data + at + sizeof(row), .size = row.size};
        at += sizeof(row) + row.size;
        if (row_speaks(call, row.view, &key)) {
            resp_write_bulk(&keys, key.data, key.size);
            scan->found++;
        }
    }
}

static bool scan_options(struct command_call *call, struct scan *scan)
{
    char show[64];
    for (uint32_t i = 2; i < call->count; i += 2) {
        const struct resp_argument *word = &call->argument[i];
        const struct resp_argument *value = word + 1;
        int64_t count;
        if (i + 1 < call->count && resp_is(word, "MATCH")) {
            scan->match = value;
        } else if (i + 1 < call->count && resp_is(word, "TYPE")) {
            scan->none_fit = !resp_is(value, "hash");
        } else if (i + 1 < call->count && resp_is(word, "COUNT")) {
            if (!resp_integer_read(value->data, value->size, &count) || count < 1) {
                resp_write_error(call->reply, "ERR COUNT takes a number of 1 or more, not '%s'",
                                 command_show(value, show, sizeof(show)));
                return false;
            }
            /* COUNT is a wish, as in Redis. */
            scan->count = count < (int64_t)SCAN_COUNT_MAX ? (uint32_t)count : SCAN_COUNT_MAX;
        } else {
            resp_write_error(call->reply, "ERR syntax error at '%s'; SCAN takes: %s",
                             command_show(word, show, sizeof(show)), call->command->syntax);
            return false;
        }
    }
    return true;
}

static bool cursor_parse(const struct resp_argument *argument, uint64_t *out)
{
    uint64_t value = 0;
    if (argument->size == 0 || argument->size > 20) {
        return false;
    }
    for (uint32_t i = 0; i < argument->size; i++) {
        uint64_t digit = (uint64_t)(unsigned char)argument->data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

void command_scan(struct command_call *call)
{
    struct scan scan = {.call = call, .count = 10};
    uint64_t cursor;
    if (!cursor_parse(&call->argument[1], &cursor)) {
        resp_write_error(call->reply, "ERR invalid cursor");
        return;
    }
    if (!scan_options(call, &scan)) {
        return;
    }
    buffer_init(&scan.keys, 0);
    cursor = reader_scan(call->host->reader, cursor, scan.count, row_visit, &scan);
    rows_tell(&scan);
    if (scan.keys.failed || call->host->text.failed) {
        resp_write_error(call->reply, "ERR no memory for the keys; try a smaller COUNT");
    } else {
        resp_write_array(call->reply, 2);
        resp_write_format(call->reply, "%" PRIu64, cursor);
        resp_write_array(call->reply, scan.found);
        buffer_write(call->reply->out, scan.keys.data, scan.keys.size);
    }
    buffer_deinit(&scan.keys);
    buffer_deinit(&call->host->text);
}

void command_dbsize(struct command_call *call)
{
    resp_write_integer(call->reply, (int64_t)keyspace_size(call->host->appliance));
}

/* A true count would walk every row while other clients wait. */
void command_cluster_countkeysinslot(struct command_call *call)
{
    const struct resp_argument *argument = &call->argument[2];
    int64_t slot;
    if (!resp_integer_read(argument->data, argument->size, &slot) || slot < 0 ||
        slot >= SLOT_COUNT) {
        resp_write_error(call->reply, "ERR Invalid slot");
        return;
    }
    resp_write_integer(call->reply, (int64_t)(keyspace_size(call->host->appliance) / SLOT_COUNT));
}
