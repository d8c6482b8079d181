/* freshet send: events of a file as messages, and what became of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/client.h"
#include "controlplane/definitions.h"
#include "controlplane/send_run.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/text.h"
#include "dataplane/feature/text_time.h"
#include "drivers/clock.h"
#include "drivers/memory.h"
#include "drivers/secret.h"

#define RATE_DEFAULT  100000u
#define BAD_SHOWN_MAX 5u

static int64_t block_time(const struct send_run *run, const uint8_t *block)
{
    int64_t time;
    memcpy(&time, block + run->schema->field[run->schema->time_field].offset, sizeof(time));
    return time;
}

/* The next event of the file into block; bad records are said and counted. */
static enum event_file_step event_take(struct send_run *run, uint8_t *block)
{
    char error[EVENT_FILE_ERROR_SIZE_MAX];
    for (;;) {
        text_block_clear(run->schema, block);
        enum event_file_step step = event_file_next(&run->file, block, error);
        if (step == EVENT_FILE_FAILED) {
            (void)fprintf(stderr, "freshet send: %s\n", error);
        }
        if (step != EVENT_FILE_BAD) {
            return step;
        }
        if (run->bad_count++ < BAD_SHOWN_MAX) {
            (void)fprintf(stderr, "freshet send: %s\n", error);
        }
    }
}

static void sent_show(struct send_run *run)
{
    progress_show(&run->progress, "sent %" PRIu64 " events", send_events_sent(run));
}

/* Room for the next event. */
static uint8_t *event_begin(struct send_run *run)
{
    return run->is_acked ? send_acked_event(run->acked) : encoder_event(&run->lane->encoder);
}

/* Sends the event that was begun. */
static bool event_end(struct send_run *run)
{
    char error[SEND_ERROR_SIZE_MAX];
    enum result result;
    if (run->is_acked) {
        result = send_acked_add(run->acked, error);
    } else {
        encoder_add(&run->lane->encoder);
        result = send_lane_step(run->lane, false, error);
    }
    if (result != RESULT_OK) {
        (void)fprintf(stderr, "freshet send: --to %s: %s\n", run->to, error);
        return false;
    }
    if (progress_is_due(&run->progress)) {
        sent_show(run);
    }
    return true;
}

/* Sends what is waiting, and waits for acknowledgements where they are wanted. */
static bool events_finish(struct send_run *run)
{
    char error[SEND_ERROR_SIZE_MAX];
    if (run->is_acked) {
        send_acked_finish(run->acked);
    } else if (send_lane_step(run->lane, true, error) != RESULT_OK) {
        (void)fprintf(stderr, "freshet send: --to %s: %s\n", run->to, error);
        return false;
    }
    sent_show(run);
    progress_end(&run->progress);
    return true;
}

static bool send_streaming(struct send_run *run)
{
    for (;;) {
        uint8_t *block = event_begin(run);
        enum event_file_step taken = event_take(run, block);
        if (taken != EVENT_FILE_EVENT) {
            return events_finish(run) && taken == EVENT_FILE_END;
        }
        if (!event_end(run)) {
            return false;
        }
    }
}

static bool kept_grow(struct send_run *run)
{
    if (run->kept_count < run->kept_capacity) {
        return true;
    }
    uint64_t capacity = run->kept_capacity == 0 ? 4096 : 2 * run->kept_capacity;
    uint8_t *kept = heap_realloc(run->kept, capacity * run->schema->block_size);
    if (kept == NULL) {
        (void)fprintf(stderr, "freshet send: no memory to hold the events for --retime\n");
        return false;
    }
    run->kept = kept;
    run->kept_capacity = capacity;
    return true;
}

static bool keep_all(struct send_run *run)
{
    run->newest = INT64_MIN;
    for (;;) {
        if (!kept_grow(run)) {
            return false;
        }
        uint8_t *block = run->kept + run->kept_count * run->schema->block_size;
        enum event_file_step taken = event_take(run, block);
        if (taken != EVENT_FILE_EVENT) {
            return taken == EVENT_FILE_END;
        }
        int64_t time = block_time(run, block);
        run->newest = time > run->newest ? time : run->newest;
        run->kept_count++;
    }
}

/* Shifts every event time alike: the newest becomes the time when sending will be over. */
static bool send_retimed(struct send_run *run)
{
    const struct schema_field *field = &run->schema->field[run->schema->time_field];
    int64_t now;
    if (!keep_all(run)) {
        return false;
    }
    if (!text_time_to_unit(text_time_of_unit(send_time_us(), TIME_UNIT_us), field->unit, &now)) {
        return false;
    }
    int64_t shift = run->newest == INT64_MIN ? 0 : sub_clamped(now, run->newest);
    for (uint64_t i = 0; i < run->kept_count; i++) {
        uint8_t *block = event_begin(run);
        memcpy(block, run->kept + i * run->schema->block_size, run->schema->block_size);
        int64_t time = block_time(run, block);
        if (time != INT64_MIN) {
            time = add_clamped(time, shift);
            memcpy(block + field->offset, &time, sizeof(time));
        }
        if (!event_end(run)) {
            return false;
        }
    }
    return events_finish(run);
}

/* Asks the server before and after, where there is one. */
static int send_all(struct send_run *run)
{
    const char *argument[] = {"FS.STATUS"};
    char error[CLIENT_ERROR_SIZE_MAX];
    struct client client;
    struct send_outcome before = {0};
    struct send_answer answer = {0};
    bool reachable = client_try(&client, "send", run->server, error) && client_login(&client, NULL);
    if (reachable) {
        json_t *status = client_json(&client, 1, argument);
        reachable = status != NULL && send_outcome_read(status, run->stream, &before);
        json_decref(status);
    }
    if (!reachable && run->server != NULL) {
        (void)fprintf(stderr, "freshet send: --server %s: no answer about stream `%s`\n",
                      run->server, run->stream);
        client_close(&client);
        return VERB_EXIT_FAILED;
    }
    bool sent = run->retime != NULL ? send_retimed(run) : send_streaming(run);
    run->end_ns = clock_steady_ns();
    if (reachable) {
        send_answer_ask(run, &client, &before, &answer);
    }
    send_answer_print(run, &answer);
    client_close(&client);
    uint64_t lost = run->is_acked ? run->acked->lost : answer.lost;
    bool clean = sent && run->bad_count == 0 && lost == 0 && answer.known == reachable;
    return clean ? VERB_EXIT_OK : VERB_EXIT_FAILED;
}

/* key: NULL without --keys. */
static enum result sender_open(struct send_run *run, const struct sender_key *key,
                               char error[SEND_ERROR_SIZE_MAX])
{
    enum result result = RESULT_NO_MEMORY;
    if (run->is_acked) {
        const struct send_acked_options options = {.to = run->to,
                                                   .key = key,
                                                   .producer = run->producer,
                                                   .incarnation = (uint32_t)run->incarnation,
                                                   .rate = run->rate};
        run->acked = heap_alloc(sizeof(*run->acked));
        if (run->acked != NULL) {
            return send_acked_open(run->acked, &options, &run->config->plan, run->stream_index,
                                   error);
        }
    } else {
        run->lane = heap_alloc(sizeof(*run->lane));
        if (run->lane != NULL) {
            result = send_lane_open(run->lane, run->to, run->schema, run->producer,
                                    (uint32_t)run->incarnation, run->rate, error);
            if (result == RESULT_OK && key != NULL) {
                encoder_key_set(&run->lane->encoder, key->epoch, &key->secret);
            }
            return result;
        }
    }
    (void)snprintf(error, SEND_ERROR_SIZE_MAX, "no memory");
    return result;
}

static void sender_close(struct send_run *run)
{
    if (run->acked != NULL) {
        send_acked_close(run->acked);
        heap_free(run->acked);
    }
    if (run->lane != NULL) {
        send_lane_close(run->lane);
        secret_wipe(&run->lane->encoder.key, sizeof(run->lane->encoder.key));
        heap_free(run->lane);
    }
}

static int send_prepared(struct send_run *run, FILE *in)
{
    char error[SEND_ERROR_SIZE_MAX > EVENT_FILE_ERROR_SIZE_MAX ? SEND_ERROR_SIZE_MAX
                                                               : EVENT_FILE_ERROR_SIZE_MAX];
    char key_error[SENDER_KEY_ERROR_SIZE_MAX];
    struct sender_key key;
    int exit_code = VERB_EXIT_FAILED;
    if (run->keys != NULL &&
        sender_key_read(run->keys, run->producer, &key, key_error) != RESULT_OK) {
        (void)fprintf(stderr, "freshet send: %s\n", key_error);
        return exit_code;
    }
    enum result opened = sender_open(run, run->keys != NULL ? &key : NULL, error);
    secret_wipe(&key, sizeof(key));
    if (opened == RESULT_OK) {
        opened = event_file_open(&run->file, in, run->path, run->schema, send_time_us(), error);
    }
    if (opened != RESULT_OK) {
        (void)fprintf(stderr, "freshet send: %s\n", error);
    } else {
        exit_code = send_all(run);
    }
    event_file_close(&run->file);
    sender_close(run);
    heap_free(run->kept);
    return exit_code;
}

/* Loads the definitions and finds the stream in them. */
static int schema_load(struct send_run *run)
{
    char *paths[] = {(char *)(uintptr_t)run->config_path};
    int exit_code = definitions_load(paths, 1, run->json, &run->config);
    if (exit_code != VERB_EXIT_OK) {
        return exit_code;
    }
    const struct plan *plan = &run->config->plan;
    int stream = plan_stream_find(plan, run->stream, (uint32_t)strlen(run->stream));
    if (stream < 0) {
        (void)fprintf(stderr, "freshet send: no stream `%s` in %s; it has:", run->stream,
                      run->config_path);
        for (uint32_t s = 0; s < plan->stream_count; s++) {
            (void)fprintf(stderr, " %s", plan->stream[s].schema.name);
        }
        (void)fprintf(stderr, "\n");
        return VERB_EXIT_FAILED;
    }
    run->stream_index = (uint32_t)stream;
    run->schema = &plan->stream[stream].schema;
    return VERB_EXIT_OK;
}

static bool options_check(const struct verb_usage *usage, struct send_run *run, int *out_exit)
{
    *out_exit = VERB_EXIT_OK;
    if (run->to == NULL || run->config_path == NULL || run->stream == NULL) {
        *out_exit = verb_usage_error(usage, "--to, --config and --stream are needed");
    } else if (!send_address_is_good(run->to)) {
        *out_exit =
            verb_usage_error(usage, "--to %s: HOST:PORT is wanted, a port of 1 to 65535", run->to);
    } else if (run->retime != NULL && strcmp(run->retime, "now") != 0) {
        *out_exit = verb_usage_error(usage, "--retime %s: only `now` is known", run->retime);
    } else if (run->rate == 0) {
        *out_exit = verb_usage_error(usage, "--rate 0: at least 1 event per second");
    } else if (run->incarnation > UINT32_MAX) {
        *out_exit = verb_usage_error(usage, "--incarnation %" PRIu64 ": at most 4294967295",
                                     run->incarnation);
    }
    return *out_exit == VERB_EXIT_OK;
}

int send_verb(int argc, char **argv)
{
    struct send_run run = {
        .rate = RATE_DEFAULT,
        .producer = (uint64_t)getpid(),
        .incarnation = (uint64_t)time(NULL),
    };
    const struct verb_option option[] = {
        {"to", "HOST:PORT", VERB_OPTION_TEXT, &run.to, "where the appliance takes events"},
        {"config", "FILE", VERB_OPTION_TEXT, &run.config_path, "definitions with the stream"},
        {"stream", "NAME", VERB_OPTION_TEXT, &run.stream, "what the events are"},
        {"rate", "N", VERB_OPTION_NUMBER, &run.rate, "events per second; 100000 without it"},
        {"retime", "now", VERB_OPTION_TEXT, &run.retime,
         "shift event times alike, so that the newest is now"},
        {"producer", "N", VERB_OPTION_NUMBER, &run.producer,
         "identity of this sender; its process id without it"},
        {"keys", "FILE", VERB_OPTION_TEXT, &run.keys,
         "key file: tag messages with --producer's key"},
        {"incarnation", "N", VERB_OPTION_NUMBER, &run.incarnation,
         "greater at each start of a producer; seconds since 1970 without it"},
        {"acked", NULL, VERB_OPTION_FLAG, &run.is_acked,
         "send again until the appliance says that all is durable"},
        {"server", "PATH|HOST:PORT", VERB_OPTION_TEXT, &run.server, CLIENT_SERVER_SENTENCE},
        {"json", NULL, VERB_OPTION_FLAG, &run.json, "the outcome as JSON"},
    };
    const struct verb_usage usage = {
        "send",
        "--to HOST:PORT --config FILE --stream NAME [FILE]",
        "Sends the events of a file (else of standard input) as SBE messages: NDJSON, CSV whose\n"
        "first line names the columns, or Parquet (FILE.parquet). Columns and members that are no\n"
        "fields are ignored, empty values are null, and without a time events happen now. Then\n"
        "asks the server what became of them; exit 1 when some were lost or are no events.\n",
        option,
        ARRAY_COUNT(option),
        0,
        1};
    int exit_code = VERB_EXIT_OK;
    if (!verb_parse(&usage, &argc, argv, &exit_code) || !options_check(&usage, &run, &exit_code)) {
        return exit_code;
    }
    progress_begin(&run.progress, true);
    FILE *in = argc > 1 && strcmp(argv[1], "-") != 0 ? fopen(argv[1], "re") : stdin;
    run.path = in != stdin ? argv[1] : "stdin";
    if (in == NULL) {
        (void)fprintf(stderr, "freshet send: cannot read %s: %m\n", argv[1]);
        return VERB_EXIT_FAILED;
    }
    exit_code = schema_load(&run);
    if (exit_code == VERB_EXIT_OK) {
        exit_code = send_prepared(&run, in);
    }
    definitions_free(run.config);
    if (in != stdin) {
        (void)fclose(in);
    }
    return exit_code;
}
