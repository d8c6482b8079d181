#include "perf/load/sender.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_ack.h"
#include "dataplane/feature/wire_tag.h"
#include "perf/load/endpoint.h"
#include "perf/load/sender_acked.h"

#define SENDER_BATCH   64
#define SENDER_STEP_NS (20 * 1000)         /* Shorter waits are not worth a sleep. */
#define SENDER_LOOK_NS (100 * 1000 * 1000) /* A stop is noticed within. */
#define SENDER_OVER_NS 1e9                 /* Longer than its time it sends at most. */

enum malformed_kind {
    MALFORMED_CUT,     /* SBE, one byte short. */
    MALFORMED_STREAM,  /* SBE of a stream that nobody has. */
    MALFORMED_VERSION, /* SBE of schema version 0. */
    MALFORMED_RULE,    /* SBE whose event breaks a rule of the schema. */
    MALFORMED_SYNTAX,  /* Text that is no line. */
    MALFORMED_FIELD,   /* A line with a field that the stream lacks. */
    MALFORMED_KIND_COUNT,
};

/* A datagram that was written. */
struct sender_message {
    uint32_t size;
    uint32_t events; /* As the receiver counts them. */
    uint32_t due;    /* Events of the timetable that it stands for. */
};

/* One sendmmsg() and what it carries. */
struct sender_batch {
    uint32_t count;
    struct mmsghdr header[SENDER_BATCH];
    struct iovec vector[SENDER_BATCH];
    uint32_t events[SENDER_BATCH];
    uint8_t data[SENDER_BATCH][MESSAGE_SIZE_MAX];
};

static void sender_add(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + value,
                          memory_order_relaxed);
}

static uint32_t sender_lane_take(struct sender *sender)
{
    uint32_t lane = sender->lane;
    sender->lane = lane + 1 == sender->options->lanes ? 0 : lane + 1;
    return lane;
}

static struct wire_message sender_head(struct sender *sender, uint32_t lane, uint32_t events,
                                       int64_t time_us)
{
    const struct schema *schema = &sender->maker.stream->schema;
    return (struct wire_message){
        .stream_id = schema->id,
        .version = schema->version,
        .lane = (uint16_t)lane,
        .flags = WIRE_FLAG_UNACKED,
        .key_epoch = sender->key != NULL ? sender->key->epoch : 0,
        .producer = sender->producer,
        .sequence = sender->sequence[lane],
        .oldest = sender->sequence[lane],
        .send_time_us = time_us,
        .incarnation = sender->incarnation,
        .event_stride = schema->block_size,
        .event_count = (uint16_t)events,
    };
}

/* One or two latenesses behind: the watermark cannot be that far back. */
static int64_t sender_late_us(struct sender *sender)
{
    int64_t lateness_us = sender->maker.stream->lateness_us;
    return lateness_us + 60 * US_PER_SECOND +
           (int64_t)random_below(&sender->random, (uint64_t)lateness_us + 1);
}

static uint32_t sender_write_events(struct sender *sender, uint8_t *data, int64_t time_us)
{
    const struct options *options = sender->options;
    uint32_t lane = sender_lane_take(sender);
    struct wire_message head = sender_head(sender, lane, options->events_per_message, time_us);
    uint32_t size = wire_encode(&head, data);
    for (uint32_t i = 0; i < options->events_per_message; i++) {
        int64_t event_us = time_us;
        if (options->late > 0 && random_unit(&sender->random) < options->late) {
            event_us -= sender_late_us(sender);
            sender_add(&sender->shared_late, 1);
        }
        event_write(&sender->maker, event_rank(&sender->maker), event_us, data + size);
        size += head.event_stride;
    }
    sender->sequence[lane]++;
    return size;
}

/* Every kind counts as one event at the receiver, whether it can read the message or not. */
static uint32_t sender_write_malformed(struct sender *sender, uint8_t *data, int64_t time_us)
{
    const char *stream = sender->maker.stream->schema.name;
    enum malformed_kind kind = (enum malformed_kind)sender->malformed_kind;
    sender->malformed_kind = (sender->malformed_kind + 1) % MALFORMED_KIND_COUNT;
    if (kind == MALFORMED_SYNTAX) {
        return (uint32_t)snprintf((char *)data, MESSAGE_SIZE_MAX, "%s !", stream);
    }
    if (kind == MALFORMED_FIELD) {
        return (uint32_t)snprintf((char *)data, MESSAGE_SIZE_MAX, "%s no_such_field=1", stream);
    }
    uint32_t lane = sender_lane_take(sender);
    struct wire_message head = sender_head(sender, lane, 1, time_us);
    if (kind == MALFORMED_STREAM) {
        head.stream_id = STREAM_ID_MAX;
    } else if (kind == MALFORMED_VERSION) {
        head.version = 0;
    } else if (kind == MALFORMED_RULE) {
        sender->sequence[lane]++;
    }
    uint32_t size = wire_encode(&head, data);
    event_write(&sender->maker, event_rank(&sender->maker), time_us, data + size);
    if (kind == MALFORMED_RULE) {
        event_spoil(&sender->maker, data + size);
    }
    return size + head.event_stride - (kind == MALFORMED_CUT ? 1 : 0);
}

/* The last message under another tag: what costs a forger least. */
static struct sender_message sender_write_forged(struct sender *sender, uint8_t *data)
{
    uint64_t tag = random_next(&sender->random);
    memcpy(data, sender->last, sender->last_size);
    memcpy(data + WIRE_TAG_OFFSET, &tag, sizeof(tag));
    sender_add(&sender->shared_bad_tags, 1);
    return (struct sender_message){
        .size = sender->last_size, .events = 1, .due = sender->options->events_per_message};
}

static struct sender_message sender_write_good(struct sender *sender, uint8_t *data,
                                               int64_t time_us)
{
    const struct options *options = sender->options;
    uint32_t events = options->events_per_message;
    uint32_t size = sender_write_events(sender, data, time_us);
    sender->malformed_owed += options->malformed * (double)events;
    sender->duplicate_owed += options->duplicate;
    if (sender->key != NULL) {
        wire_tag_write(&sender->key->secret, data, size);
    }
    if (options->duplicate > 0 || options->bad_tags > 0) {
        memcpy(sender->last, data, size);
        sender->last_size = size;
        sender->last_events = events;
        sender->duplicate_ready = options->duplicate > 0;
    }
    return (struct sender_message){.size = size, .events = events, .due = events};
}

/* Writes the next message of the mix. */
static struct sender_message sender_write(struct sender *sender, uint8_t *data, int64_t time_us)
{
    const struct options *options = sender->options;
    if (sender->malformed_owed >= 1) {
        sender->malformed_owed -= 1;
        sender_add(&sender->shared_malformed, 1);
        return (struct sender_message){
            .size = sender_write_malformed(sender, data, time_us), .events = 1, .due = 1};
    }
    if (sender->duplicate_ready && sender->duplicate_owed >= 1) {
        sender->duplicate_owed -= 1;
        sender->duplicate_ready = false;
        sender_add(&sender->shared_duplicate, sender->last_events);
        memcpy(data, sender->last, sender->last_size);
        return (struct sender_message){
            .size = sender->last_size, .events = sender->last_events, .due = sender->last_events};
    }
    if (options->bad_tags > 0 && sender->last_size > 0 &&
        random_unit(&sender->random) < options->bad_tags) {
        return sender_write_forged(sender, data);
    }
    return sender_write_good(sender, data, time_us);
}

static void sender_flush(struct sender *sender, struct sender_batch *batch)
{
    uint32_t done = 0;
    while (done < batch->count) {
        int sent = sendmmsg(sender->fd, batch->header + done, batch->count - done, 0);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        bool taken = sent > 0;
        uint32_t count = taken ? (uint32_t)sent : 1; /* An error is about the first one. */
        for (uint32_t i = 0; i < count; i++) {
            sender_add(taken ? &sender->shared_events : &sender->shared_refused,
                       batch->events[done + i]);
        }
        sender_add(&sender->shared_messages, taken ? count : 0);
        done += count;
    }
    batch->count = 0;
}

/* Writes and sends what is due at now_ns, at most a batch. */
static void sender_send_due(struct sender *sender, struct sender_batch *batch, int64_t now_ns,
                            double end_ns)
{
    double due_ns = (double)(now_ns - sender->start_ns);
    int64_t behind_ns = (int64_t)(due_ns - sender->schedule.at_ns);
    if (behind_ns > atomic_load_explicit(&sender->shared_behind_ns, memory_order_relaxed)) {
        atomic_store_explicit(&sender->shared_behind_ns, behind_ns, memory_order_relaxed);
    }
    while (batch->count < SENDER_BATCH && sender->schedule.at_ns <= due_ns &&
           sender->schedule.at_ns < end_ns) {
        uint32_t i = batch->count++;
        int64_t time_us = sender->start_time_us + (int64_t)(sender->schedule.at_ns / 1000);
        batch->vector[i].iov_base = batch->data[i];
        struct sender_message written = sender_write(sender, batch->data[i], time_us);
        batch->vector[i].iov_len = written.size;
        batch->events[i] = written.events;
        batch->header[i].msg_hdr = (struct msghdr){.msg_iov = &batch->vector[i], .msg_iovlen = 1};
        schedule_advance(&sender->schedule, written.due);
    }
    sender_flush(sender, batch);
}

static void sender_send_all(struct sender *sender)
{
    static _Thread_local struct sender_batch batch;
    double end_ns = sender->options->seconds * 1e9;
    while (sender->schedule.at_ns < end_ns &&
           (double)(endpoint_now_ns() - sender->start_ns) < end_ns + SENDER_OVER_NS &&
           !atomic_load_explicit(&sender->shared_stop, memory_order_relaxed)) {
        int64_t now_ns = endpoint_now_ns();
        double due_ns = (double)(now_ns - sender->start_ns);
        double wait_ns = sender->schedule.at_ns - due_ns;
        if (wait_ns > SENDER_STEP_NS) {
            endpoint_sleep_until(now_ns +
                                 (int64_t)(wait_ns < SENDER_LOOK_NS ? wait_ns : SENDER_LOOK_NS));
        } else {
            sender_send_due(sender, &batch, now_ns + SENDER_STEP_NS, end_ns);
        }
    }
}

static void *sender_run(void *argument)
{
    struct sender *sender = argument;
    double end_ns = sender->options->seconds * 1e9;
    (void)prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    if (sender->producer_acked != NULL) {
        sender_acked_run(sender);
    } else {
        sender_send_all(sender);
    }
    if (sender->schedule.at_ns < end_ns &&
        !atomic_load_explicit(&sender->shared_stop, memory_order_relaxed)) {
        atomic_store_explicit(&sender->shared_unsent_ns, (int64_t)(end_ns - sender->schedule.at_ns),
                              memory_order_relaxed);
    }
    /* Release: who sees it sees the last counts (pairs with main's acquire). */
    atomic_store_explicit(&sender->shared_finished, true, memory_order_release);
    return NULL;
}

int sender_start(struct sender *sender, const struct options *options,
                 const struct event_maker *maker, uint64_t producer, int fd,
                 const struct sender_key *key, struct freshet_producer *acked)
{
    *sender = (struct sender){
        .options = options,
        .maker = *maker,
        .schedule = options->events,
        .producer = producer,
        .incarnation = 1,
        .fd = fd,
        .key = key,
        .producer_acked = acked,
        .start_ns = endpoint_now_ns(),
        .start_time_us = endpoint_time_us(),
    };
    random_seed(&sender->random, options->seed ^ UINT64_C(0x73656e646572));
    for (uint32_t lane = 0; lane < OPTIONS_LANES_MAX; lane++) {
        sender->sequence[lane] = 1;
    }
    return pthread_create(&sender->thread, NULL, sender_run, sender);
}

void sender_counts_read(const struct sender *sender, struct sender_counts *out)
{
    *out = (struct sender_counts){
        .events = atomic_load_explicit(&sender->shared_events, memory_order_relaxed),
        .messages = atomic_load_explicit(&sender->shared_messages, memory_order_relaxed),
        .late = atomic_load_explicit(&sender->shared_late, memory_order_relaxed),
        .duplicate = atomic_load_explicit(&sender->shared_duplicate, memory_order_relaxed),
        .malformed = atomic_load_explicit(&sender->shared_malformed, memory_order_relaxed),
        .bad_tags = atomic_load_explicit(&sender->shared_bad_tags, memory_order_relaxed),
        .refused = atomic_load_explicit(&sender->shared_refused, memory_order_relaxed),
        .behind_ns = atomic_load_explicit(&sender->shared_behind_ns, memory_order_relaxed),
        .unsent_ns = atomic_load_explicit(&sender->shared_unsent_ns, memory_order_relaxed),
    };
}

void sender_stop(struct sender *sender)
{
    atomic_store_explicit(&sender->shared_stop, true, memory_order_relaxed);
    (void)pthread_join(sender->thread, NULL);
}
