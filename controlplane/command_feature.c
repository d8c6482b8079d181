/* FS.*: features with their status and time, for one entity or many. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/appliance.h"
#include "controlplane/command.h"
#include "controlplane/feature_options.h"
#include "controlplane/feature_read.h"
#include "controlplane/report.h"
#include "controlplane/served_take.h"
#include "controlplane/service_read.h"

static void write_time(struct resp_writer *reply, int64_t time_us)
{
    if (time_us == INT64_MIN) {
        resp_write_null(reply);
    } else {
        resp_write_integer(reply, time_us);
    }
}

static void write_answer(struct resp_writer *reply, const struct answer *answer, bool with_meta)
{
    char text[ANSWER_TEXT_SIZE_MAX];
    if (with_meta) {
        resp_write_array(reply, 8);
    }
    if (answer->kind != VALUE_NULL) {
        uint32_t size;
        const char *value = answer_text(answer, text, &size);
        resp_write_bulk(reply, value, size);
    } else {
        resp_write_null(reply);
    }
    if (with_meta) {
        resp_write_text(reply, answer_status_name(answer->status));
        resp_write_text(reply, answer_flags_name(answer->flags));
        write_time(reply, answer->start_us);
        write_time(reply, answer->end_us);
        write_time(reply, answer->newest_us);
        resp_write_integer(reply, answer->q_us);
        resp_write_format(reply, "%u:%" PRIu64, answer->shard, answer->lsn);
    }
}

static void write_entity(struct command_call *call, const struct read_request *request,
                         const struct feature_options *options, uint32_t key)
{
    resp_write_map(call->reply, options->field_count);
    for (uint32_t f = 0; f < options->field_count; f++) {
        resp_write_bulk(call->reply, options->field[f].data, options->field[f].size);
        write_answer(call->reply, read_answer(call, request, key, f), options->with_meta);
    }
}

/* All keys are of one entity, or the fields could not be theirs. */
static bool keys_split(struct command_call *call, const struct resp_argument *keys, uint32_t count,
                       struct read_key *out_first)
{
    if (!read_key_split(call, &keys[0], out_first)) {
        return false;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct read_key key;
        if (!read_key_split(call, &keys[i], &key)) {
            return false;
        }
        if (strcmp(key.entity, out_first->entity) != 0) {
            char show[96];
            resp_write_error(
                call->reply, "ERR key '%s' is of entity '%s', the keys before it of '%s'",
                command_show(&keys[i], show, sizeof(show)), key.entity, out_first->entity);
            return false;
        }
    }
    return true;
}

static bool fields_read(struct command_call *call, uint32_t first_key, uint32_t key_count,
                        const struct feature_options *options, struct read_request *request)
{
    const struct resp_argument *keys = &call->argument[first_key];
    struct read_key key;
    request->key_count = key_count;
    return keys_split(call, keys, key_count, &key) &&
           read_fields_resolve(call, key.entity, options->field, options->field_count, request) &&
           read_answers(call, keys, request);
}

/* The rows of a service's answer, a block of its program at a time. */
static void write_rows(struct command_call *call, const struct feature_options *options,
                       uint32_t row_count)
{
    struct service_run *run = &call->host->service->run;
    const struct plan_service *service = run->service;
    for (uint32_t first = 0; first < row_count; first += PROGRAM_ROWS) {
        uint32_t left = row_count - first;
        uint32_t count = left < PROGRAM_ROWS ? left : PROGRAM_ROWS;
        service_compute(run, first, count);
        for (uint32_t row = first; row < first + count; row++) {
            served_take_row(call, options, first, row);
            resp_write_map(call->reply, service->item_count);
            for (uint32_t i = 0; i < service->item_count; i++) {
                struct answer answer;
                service_answer(run, first, row, i, &answer);
                resp_write_text(call->reply, service->item[i].name);
                write_answer(call->reply, &answer, options->with_meta);
            }
        }
    }
}

/* as_list: FS.MGET, an array of what FS.GET gives. */
static void features_get(struct command_call *call, uint32_t first_key, uint32_t key_count,
                         bool as_list)
{
    struct feature_options options = {0};
    struct read_request request = {.time = READ_NOW};
    uint32_t rows = key_count;
    if (!feature_options_parse(call, first_key + key_count, &options, &request)) {
        return;
    }
    bool read = options.service != NULL
                    ? service_read(call, first_key, key_count, &options, &request, &rows)
                    : fields_read(call, first_key, key_count, &options, &request);
    if (!read) {
        return;
    }
    if (as_list) {
        resp_write_array(call->reply, rows);
    }
    if (options.service != NULL) {
        write_rows(call, &options, rows);
        return;
    }
    for (uint32_t k = 0; k < key_count; k++) {
        write_entity(call, &request, &options, k);
    }
}

void command_fs_get(struct command_call *call)
{
    features_get(call, 1, 1, false);
}

void command_fs_mget(struct command_call *call)
{
    uint32_t key_count;
    if (feature_count_read(call, 1, "numkeys", 1, &key_count)) {
        features_get(call, 2, key_count, true);
    }
}

static void write_text(struct command_call *call)
{
    struct buffer *text = &call->host->text;
    if (text->failed) {
        resp_write_error(call->reply, "ERR no memory for the report");
    } else {
        resp_write_bulk(call->reply, text->data, text->size);
    }
    buffer_deinit(text);
}

void command_fs_status(struct command_call *call)
{
    report_status(call->host->appliance, &call->host->text);
    write_text(call);
}

void command_fs_drops(struct command_call *call)
{
    uint64_t after[SHARDS_MAX] = {0};
    char show[64];
    if (call->count > 1 && (!resp_is(&call->argument[1], "AFTER") || call->count % 2 != 0)) {
        resp_write_error(call->reply, "ERR FS.DROPS takes: %s", call->command->syntax);
        return;
    }
    for (uint32_t i = 2; i + 1 < call->count; i += 2) {
        const struct resp_argument *pair = &call->argument[i];
        int64_t shard;
        int64_t number;
        if (!resp_integer_read(pair[0].data, pair[0].size, &shard) || shard < 0 ||
            shard >= (int64_t)call->host->appliance->shard_count) {
            resp_write_error(call->reply, "ERR '%s' is no shard; there are %u, from 0",
                             command_show(&pair[0], show, sizeof(show)),
                             call->host->appliance->shard_count);
            return;
        }
        if (!resp_integer_read(pair[1].data, pair[1].size, &number) || number < 0) {
            resp_write_error(call->reply, "ERR '%s' is no number of a drop",
                             command_show(&pair[1], show, sizeof(show)));
            return;
        }
        after[shard] = (uint64_t)number;
    }
    report_drops(call->host->appliance, after, &call->host->text);
    write_text(call);
}
