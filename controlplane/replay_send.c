/* freshet replay --to: recorded events as new ones, paced by when they were applied. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/corrections.h"
#include "controlplane/inspect.h"
#include "controlplane/progress.h"
#include "controlplane/replay_records.h"
#include "controlplane/replay_run.h"
#include "controlplane/send_acked.h"
#include "controlplane/sender_key.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/text.h"
#include "dataplane/feature/text_time.h"
#include "drivers/clock.h"
#include "drivers/memory.h"
#include "drivers/secret.h"

/* The producers pace nothing: the times of the records do. */
#define PACE_NS_MIN (US_PER_MS * NS_PER_US)
#define PACE_NS_MAX (20 * US_PER_MS * NS_PER_US)
/* Events between two looks at the network. */
#define POLL_EVENTS 64u

struct replay_send {
    const struct replay_order *order;
    struct replay_records *records;
    struct send_acked *sender[STREAMS_MAX]; /* By index in the plan; NULL: none was needed yet. */
    uint64_t sent;
    uint64_t skipped; /* Not applied, and --all was not given. */
    uint64_t retracted;
    uint64_t strangers; /* Of streams that the definitions do not have. */
    int64_t first_us;   /* Apply time of the first record; INT64_MIN: none yet. */
    int64_t begin_ns;
    int64_t shift_us;
    struct progress progress;
    /* All that --shift has to know before. */
    int64_t newest_us; /* Event time; INT64_MIN: none. */
    int64_t span_us;   /* From the first record to the last. */
};

/* What a message is turned into; event by event. */
typedef bool replay_event(struct replay_send *send, int64_t apply_us, uint32_t stream,
                          const struct correction_event *event);

static bool fail(struct replay_send *send, const char *what, const char *why)
{
    progress_end(&send->progress);
    (void)fprintf(stderr, "freshet replay: %s: %s\n", what, why);
    return false;
}

static bool time_is_wanted(const struct replay_send *send, int64_t apply_us)
{
    const struct replay_order *order = send->order;
    return apply_us >= order->since_us && (order->until_us == 0 || apply_us < order->until_us);
}

static bool message_events(struct replay_send *send, const struct mirror_entry *message,
                           uint32_t shard, replay_event *call)
{
    int stream = plan_stream_find_id(&send->order->config->plan, message->stream_id);
    const struct correction_set *corrections = replay_records_corrections(send->records);
    for (uint32_t i = 0; i < message->event_count; i++) {
        bool applied = verdict_reason(mirror_entry_verdict(message, i)) == VERDICT_applied;
        const struct correction *corrected = correction_find(corrections, shard, message->lsn + i);
        const struct correction_event came = {message->version, message->event_stride,
                                              message->events +
                                                  (uint64_t)i * message->event_stride};
        if (stream < 0) {
            send->strangers++;
        } else if (corrected != NULL && corrected->kind == CORRECTION_RETRACT) {
            send->retracted++;
        } else if (!applied && !send->order->all) {
            send->skipped++;
        } else if (!call(send, message->apply_us, (uint32_t)stream,
                         corrected != NULL ? &corrected->is : &came)) {
            return false;
        }
    }
    return true;
}

/* All events that are asked for, in the order in which they were applied. */
static bool events_each(struct replay_send *send, replay_event *call)
{
    char error[REPLAY_RECORDS_ERROR_SIZE_MAX];
    struct mirror_entry message;
    uint32_t shard;
    enum result result;
    while ((result = replay_records_next(send->records, &message, &shard, error)) == RESULT_OK) {
        if (time_is_wanted(send, message.apply_us) &&
            !message_events(send, &message, shard, call)) {
            return false;
        }
    }
    return result == RESULT_NOT_FOUND ? true : fail(send, send->order->data, error);
}

static const struct schema *schema_of(const struct replay_send *send, uint32_t stream)
{
    return &send->order->config->plan.stream[stream].schema;
}

/* Event time of a block in microseconds; false: it is null, or beyond them. */
static bool time_of_block(const struct schema *schema, const uint8_t *block, int64_t *out_us)
{
    const struct schema_field *field = &schema->field[schema->time_field];
    int64_t value;
    memcpy(&value, block + field->offset, sizeof(value));
    return value != INT64_MIN &&
           text_time_to_unit(text_time_of_unit(value, field->unit), TIME_UNIT_us, out_us);
}

static void time_shift(const struct schema *schema, int64_t shift_us, uint8_t *block)
{
    const struct schema_field *field = &schema->field[schema->time_field];
    int64_t us;
    int64_t value;
    if (time_of_block(schema, block, &us) &&
        text_time_to_unit(text_time_of_unit(add_clamped(us, shift_us), TIME_UNIT_us), field->unit,
                          &value)) {
        memcpy(block + field->offset, &value, sizeof(value));
    }
}

static bool event_look(struct replay_send *send, int64_t apply_us, uint32_t stream,
                       const struct correction_event *event)
{
    uint8_t block[EVENT_SIZE_MAX];
    int64_t us;
    const struct schema *schema = schema_of(send, stream);
    correction_block(schema, event, block);
    if (time_of_block(schema, block, &us) && us > send->newest_us) {
        send->newest_us = us;
    }
    send->first_us = send->first_us == INT64_MIN ? apply_us : send->first_us;
    send->span_us = apply_us - send->first_us;
    return true;
}

/* One look over all of it, to know how far event times are moved. */
static bool shift_find(struct replay_send *send)
{
    if (!send->order->shift) {
        return true;
    }
    send->newest_us = INT64_MIN;
    if (!events_each(send, event_look)) {
        return false;
    }
    double lasts_us = send->order->speed > 0 ? (double)send->span_us / send->order->speed : 0;
    int64_t end_us = add_clamped(send_time_us(), (int64_t)lasts_us);
    send->shift_us = send->newest_us == INT64_MIN ? 0 : sub_clamped(end_us, send->newest_us);
    send->first_us = INT64_MIN;
    send->skipped = 0;
    send->strangers = 0;
    send->retracted = 0;
    replay_records_rewind(send->records);
    return true;
}

/* Each stream has a producer of its own: sequences are of one stream. */
static bool sender_open(struct replay_send *send, uint32_t stream)
{
    const struct replay_order *order = send->order;
    char key_error[SENDER_KEY_ERROR_SIZE_MAX];
    char error[SEND_ERROR_SIZE_MAX];
    struct sender_key key;
    const struct send_acked_options options = {.to = order->to,
                                               .key = order->keys != NULL ? &key : NULL,
                                               .producer = order->producer + stream,
                                               .incarnation = (uint32_t)order->incarnation,
                                               .rate = SEND_ACKED_RATE_NONE,
                                               .unacked = !order->acked};
    if (order->keys != NULL &&
        sender_key_read(order->keys, options.producer, &key, key_error) != RESULT_OK) {
        return fail(send, "--keys", key_error);
    }
    struct send_acked *sender = heap_alloc(sizeof(*sender));
    if (sender == NULL) {
        secret_wipe(&key, sizeof(key));
        return fail(send, "a producer", "no memory");
    }
    enum result result = send_acked_open(sender, &options, &order->config->plan, stream, error);
    secret_wipe(&key, sizeof(key));
    if (result != RESULT_OK) {
        heap_free(sender);
        return fail(send, "send", error);
    }
    send->sender[stream] = sender;
    return true;
}

static void senders_poll(struct replay_send *send)
{
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        if (send->sender[s] != NULL) {
            /* What it cannot send now it sends later; whether all was is asked at the end. */
            (void)freshet_producer_poll(send->sender[s]->producer, 0);
        }
    }
}

/* Until the record is due; the network goes on meanwhile. */
static void pace(struct replay_send *send, int64_t apply_us)
{
    if (send->first_us == INT64_MIN) {
        send->first_us = apply_us;
        send->begin_ns = clock_steady_ns();
    }
    if (send->order->speed <= 0) {
        return;
    }
    double after_ns = (double)(apply_us - send->first_us) * NS_PER_US / send->order->speed;
    int64_t due_ns = send->begin_ns + (int64_t)after_ns;
    for (int64_t left_ns = due_ns - clock_steady_ns(); left_ns > PACE_NS_MIN;
         left_ns = due_ns - clock_steady_ns()) {
        senders_poll(send);
        const struct timespec pause = {.tv_nsec =
                                           (long)(left_ns < PACE_NS_MAX ? left_ns : PACE_NS_MAX)};
        (void)nanosleep(&pause, NULL);
    }
}

static void sent_show(struct replay_send *send)
{
    double seconds = progress_seconds(&send->progress);
    uint64_t done = replay_records_done(send->records);
    progress_show(
        &send->progress, "replay: %" PRIu64 " events, %.0f a second, at most %.0f s left",
        send->sent, seconds > 0 ? (double)send->sent / seconds : 0,
        progress_seconds_left(&send->progress, done, replay_records_bytes(send->records)));
}

static bool event_send(struct replay_send *send, int64_t apply_us, uint32_t stream,
                       const struct correction_event *event)
{
    char error[SEND_ERROR_SIZE_MAX];
    if (send->sender[stream] == NULL && !sender_open(send, stream)) {
        return false;
    }
    struct send_acked *sender = send->sender[stream];
    uint8_t *block = send_acked_event(sender);
    correction_block(sender->schema, event, block);
    time_shift(sender->schema, send->shift_us, block);
    pace(send, apply_us);
    if (send_acked_add(sender, error) != RESULT_OK) {
        return fail(send, send->order->to, error);
    }
    if (++send->sent % POLL_EVENTS == 0) {
        senders_poll(send);
    }
    if (progress_is_due(&send->progress)) {
        sent_show(send);
    }
    return true;
}

/* The account: sums over all producers. */
struct account {
    uint64_t messages;
    uint64_t durable;
    uint64_t retransmitted;
    uint64_t lost;
    uint64_t errors;
};

static struct account senders_finish(struct replay_send *send)
{
    struct account account = {0};
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        struct send_acked *sender = send->sender[s];
        if (sender == NULL) {
            continue;
        }
        send_acked_finish(sender);
        account.messages += sender->stats.messages_sent;
        account.durable += sender->stats.events_durable;
        account.retransmitted += sender->stats.messages_retransmitted;
        account.errors += sender->stats.send_errors;
        account.lost += sender->lost;
    }
    return account;
}

static int account_print(const struct replay_send *send, const struct account *account, bool good)
{
    bool acked = send->order->acked;
    int exit_code =
        good && account->lost == 0 && account->errors == 0 ? VERB_EXIT_OK : VERB_EXIT_FAILED;
    if (send->order->json) {
        json_t *object = json_pack(
            "{s:I, s:I, s:I, s:I, s:I, s:I}", "sent", (json_int_t)send->sent, "messages",
            (json_int_t)account->messages, "not_applied", (json_int_t)send->skipped, "not_defined",
            (json_int_t)send->strangers, "retracted", (json_int_t)send->retracted, "not_taken",
            (json_int_t)account->errors, "shift_us", (json_int_t)send->shift_us);
        if (acked) {
            json_object_set_new(object, "durable", json_integer((json_int_t)account->durable));
            json_object_set_new(object, "retransmitted",
                                json_integer((json_int_t)account->retransmitted));
            json_object_set_new(object, "lost", json_integer((json_int_t)account->lost));
        }
        return inspect_object_print(object, exit_code);
    }
    printf("sent              %" PRIu64 " events in %" PRIu64 " messages\n", send->sent,
           account->messages);
    if (acked) {
        printf("durable           %" PRIu64 "\nretransmitted     %" PRIu64
               " messages\nlost              %" PRIu64 "\n",
               account->durable, account->retransmitted, account->lost);
    } else {
        printf("without --acked nobody says what became of them\n");
    }
    if (account->errors > 0) {
        printf("not taken         %" PRIu64 " messages, by this machine's kernel\n",
               account->errors);
    }
    if (send->skipped > 0) {
        printf("left out          %" PRIu64 " that were not applied (--all sends them too)\n",
               send->skipped);
    }
    if (send->retracted > 0) {
        printf("left out          %" PRIu64 " that were retracted\n", send->retracted);
    }
    if (send->strangers > 0) {
        printf("left out          %" PRIu64 " of streams that the definitions do not have\n",
               send->strangers);
    }
    return exit_code;
}

static int send_all(struct replay_send *send)
{
    send->first_us = INT64_MIN;
    send->begin_ns = clock_steady_ns();
    bool good = shift_find(send);
    progress_begin(&send->progress, true);
    good = good && events_each(send, event_send);
    sent_show(send);
    progress_end(&send->progress);
    struct account account = senders_finish(send);
    return account_print(send, &account, good);
}

int replay_send_run(const struct replay_order *order)
{
    char error[REPLAY_RECORDS_ERROR_SIZE_MAX];
    struct replay_send *send = heap_alloc(sizeof(*send));
    if (send == NULL) {
        (void)fprintf(stderr, "freshet replay: no memory\n");
        return VERB_EXIT_FAILED;
    }
    *send = (struct replay_send){.order = order};
    int exit_code = VERB_EXIT_FAILED;
    enum result result =
        replay_records_open(order->data, &order->config->plan, &send->records, error);
    if (result == RESULT_OK) {
        exit_code = send_all(send);
    } else {
        (void)fail(send, "--data", error);
        exit_code = result == RESULT_UNSUPPORTED ? VERB_EXIT_CONFIG : VERB_EXIT_FAILED;
    }
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        if (send->sender[s] != NULL) {
            send_acked_close(send->sender[s]);
            heap_free(send->sender[s]);
        }
    }
    replay_records_close(send->records);
    heap_free(send);
    return exit_code;
}
