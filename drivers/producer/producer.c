#include "drivers/producer/producer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/hash.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/wire.h"
#include "drivers/producer/producer_inside.h"

#define LANES_DEFAULT         16u
#define BUFFER_DEFAULT        (16 * MIB)
#define MESSAGE_BYTES_DEFAULT 1400u
#define LINGER_DEFAULT_US     1000u
/* Events without a key stay that many on one lane: they share messages. */
#define UNSTEERED_RUN 64u

_Static_assert((int)FRESHET_PRODUCER_LOST_CLOSED == (int)PRODUCER_LOST_closed &&
                   (int)FRESHET_PRODUCER_REASON_COUNT == (int)PRODUCER_LOST_COUNT,
               "reasons are the lane's");
_Static_assert(FRESHET_PRODUCER_LANES_MAX >= SHARDS_MAX, "a lane for each shard");
_Static_assert(FRESHET_PRODUCER_MESSAGE_BYTES_MAX == MESSAGE_SIZE_MAX, "one datagram");
_Static_assert(FRESHET_PRODUCER_KEY_BYTES == SIPHASH_KEY_BYTES, "one key");

void freshet_producer_options_init(struct freshet_producer_options *options)
{
    *options = (struct freshet_producer_options){
        .version = 1,
        .acked = true,
        .lanes = LANES_DEFAULT,
        .buffer_bytes = BUFFER_DEFAULT,
        .message_bytes = MESSAGE_BYTES_DEFAULT,
        .linger_us = LINGER_DEFAULT_US,
        .policy = FRESHET_PRODUCER_BLOCK,
    };
}

static uint64_t slots_per_lane(const struct freshet_producer_options *options)
{
    return options->buffer_bytes / options->lanes /
           align_up(options->message_bytes, CACHE_LINE_BYTES);
}

/* A sentence about the first option that breaks a rule; NULL: none does. */
static const char *options_fault(const struct freshet_producer_options *options)
{
    if (options->server == NULL) {
        return "server: HOST:PORT is needed";
    }
    if (options->stream == 0 || options->stream > STREAM_ID_MAX) {
        return "stream: 1 to 64999 is allowed";
    }
    if (options->version == 0) {
        return "version: counts from 1";
    }
    if (options->event_bytes == 0 || options->event_bytes > EVENT_SIZE_MAX) {
        return "event_bytes: 1 to 8192 is allowed";
    }
    if (options->message_bytes > MESSAGE_SIZE_MAX ||
        options->message_bytes < WIRE_EVENTS_OFFSET + (uint32_t)options->event_bytes) {
        return "message_bytes: holds 64 bytes and one event, at most 8972";
    }
    if (options->lanes == 0 || options->lanes > FRESHET_PRODUCER_LANES_MAX) {
        return "lanes: 1 to 64 is allowed";
    }
    if (slots_per_lane(options) < PRODUCER_SLOTS_MIN || slots_per_lane(options) > UINT32_MAX) {
        return "buffer_bytes: holds at least 4 messages for each lane";
    }
    if ((unsigned)options->policy > FRESHET_PRODUCER_DROP_OLDEST) {
        return "policy: one of enum freshet_producer_policy";
    }
    return NULL;
}

static struct producer_identity identity_of(const struct freshet_producer_options *options)
{
    return (struct producer_identity){
        .producer = options->producer,
        .incarnation = options->incarnation != 0 ? options->incarnation
                                                 : (uint32_t)(producer_time_us() / US_PER_SECOND),
        .stream_id = options->stream,
        .version = options->version,
        .event_bytes = options->event_bytes,
        .key_epoch = options->has_key ? options->key_epoch : 0,
        .has_key = options->has_key,
        .acked = options->acked,
        .is_history = options->history,
        .resumes = options->resumes,
        .key = siphash_key_of(options->key),
        .message_bytes = options->message_bytes,
        .slot_count = (uint32_t)slots_per_lane(options),
        .linger_us = options->linger_us,
        .give_up_us = options->give_up_us < INT64_MAX ? (int64_t)options->give_up_us : INT64_MAX,
        .seed = options->producer ^ (uint64_t)producer_time_us(),
    };
}

static void lost_forward(void *context, uint16_t lane, uint64_t sequence, uint32_t events,
                         enum producer_lost reason)
{
    const struct freshet_producer *producer = context;
    if (producer->options.lost != NULL) {
        producer->options.lost(producer->options.context, lane, sequence, events,
                               (enum freshet_producer_reason)reason);
    }
}

static void durable_forward(void *context, uint16_t lane, uint64_t sequence, uint32_t events)
{
    const struct freshet_producer *producer = context;
    if (producer->options.durable != NULL) {
        producer->options.durable(producer->options.context, lane, sequence, events);
    }
}

static bool lanes_init(struct freshet_producer *producer)
{
    uint64_t bytes = align_up(producer_lane_footprint(&producer->identity), CACHE_LINE_BYTES);
    const struct producer_outcome outcome = {
        .durable = durable_forward, .lost = lost_forward, .context = producer};
    producer->lane_count = producer->options.lanes;
    producer->memory = aligned_alloc(CACHE_LINE_BYTES, bytes * producer->lane_count);
    if (producer->memory == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < producer->lane_count; i++) {
        producer_lane_init(&producer->lane[i], &producer->identity, (uint16_t)i, &outcome,
                           (uint8_t *)producer->memory + i * bytes);
    }
    if (producer->identity.acked) {
        producer_lane_ask(&producer->lane[0]);
    }
    return true;
}

static void lock_init(struct freshet_producer *producer)
{
    pthread_mutexattr_t recursive;
    pthread_condattr_t monotonic;
    (void)pthread_mutexattr_init(&recursive);
    (void)pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&producer->lock, &recursive);
    (void)pthread_mutexattr_destroy(&recursive);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&producer->moved, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

static void producer_free(struct freshet_producer *producer)
{
    producer_socket_close(&producer->socket);
    if (producer->wake_fd >= 0) {
        (void)close(producer->wake_fd);
    }
    (void)pthread_cond_destroy(&producer->moved);
    (void)pthread_mutex_destroy(&producer->lock);
    free(producer->memory);
    explicit_bzero(&producer->identity, sizeof(producer->identity));
    explicit_bzero(&producer->options, sizeof(producer->options));
    free(producer);
}

enum freshet_producer_result freshet_producer_open(const struct freshet_producer_options *options,
                                                   struct freshet_producer **out_producer,
                                                   char error[FRESHET_PRODUCER_ERROR_BYTES])
{
    char unread[FRESHET_PRODUCER_ERROR_BYTES];
    char *sentence = error != NULL ? error : unread;
    const char *fault = options_fault(options);
    *out_producer = NULL;
    if (fault != NULL) {
        (void)snprintf(sentence, FRESHET_PRODUCER_ERROR_BYTES, "%s", fault);
        return FRESHET_PRODUCER_INVALID;
    }
    struct freshet_producer *producer = calloc(1, sizeof(*producer));
    if (producer == NULL) {
        (void)snprintf(sentence, FRESHET_PRODUCER_ERROR_BYTES, "no memory");
        return FRESHET_PRODUCER_NO_MEMORY;
    }
    producer->options = *options;
    producer->options.server = NULL;
    producer->identity = identity_of(options);
    producer->producer_hash = hash_producer(options->producer);
    producer->socket.fd = -1;
    producer->asleep_until_us = INT64_MIN;
    lock_init(producer);
    enum freshet_producer_result result = FRESHET_PRODUCER_SYSTEM;
    producer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (producer->wake_fd < 0) {
        (void)snprintf(sentence, FRESHET_PRODUCER_ERROR_BYTES, "eventfd: %m");
        goto fail;
    }
    if (!lanes_init(producer)) {
        (void)snprintf(sentence, FRESHET_PRODUCER_ERROR_BYTES, "no memory for buffer_bytes");
        result = FRESHET_PRODUCER_NO_MEMORY;
        goto fail;
    }
    enum result opened = producer_socket_open(&producer->socket, options->server, sentence,
                                              FRESHET_PRODUCER_ERROR_BYTES);
    if (opened != RESULT_OK) {
        result = opened == RESULT_INVALID ? FRESHET_PRODUCER_INVALID : FRESHET_PRODUCER_SYSTEM;
        goto fail;
    }
    *out_producer = producer;
    return FRESHET_PRODUCER_OK;
fail:
    producer_free(producer);
    return result;
}

/* The lane whose home is the owner of the key; lane 0 until the shards are known. */
static struct producer_lane *lane_of_key(struct freshet_producer *producer, const void *key,
                                         size_t key_bytes)
{
    uint32_t shards = producer->shard_count;
    if (shards == 0) {
        return &producer->lane[0];
    }
    uint32_t used = shards < producer->lane_count ? shards : producer->lane_count;
    if (key == NULL) {
        return &producer->lane[producer->unsteered++ / UNSTEERED_RUN % used];
    }
    uint64_t hash = hash_owner(key, (uint32_t)key_bytes);
    uint32_t owner = hash_vshard(hash) * shards >> VSHARD_BITS;
    uint32_t lane = (owner + shards - producer->producer_hash % shards) % shards;
    return &producer->lane[lane % used];
}

/* Makes room in a full lane as the policy says. */
static enum freshet_producer_result room_make(struct freshet_producer *producer,
                                              struct producer_lane *lane)
{
    switch (producer->options.policy) {
    case FRESHET_PRODUCER_REFUSE:
        producer->events_refused++;
        return FRESHET_PRODUCER_FULL;
    case FRESHET_PRODUCER_DROP_OLDEST:
        producer->inside = true;
        producer_lane_drop_oldest(lane);
        producer->inside = false;
        return FRESHET_PRODUCER_OK;
    case FRESHET_PRODUCER_BLOCK:
        producer_wait(producer, INT64_MAX);
        return FRESHET_PRODUCER_OK;
    default:
        return FRESHET_PRODUCER_INVALID;
    }
}

enum freshet_producer_result freshet_producer_send_to(struct freshet_producer *producer,
                                                      const void *key, size_t key_bytes,
                                                      const void *event, uint16_t *out_lane,
                                                      uint64_t *out_sequence)
{
    if (!producer_enter(producer)) {
        return FRESHET_PRODUCER_INSIDE;
    }
    enum freshet_producer_result result = FRESHET_PRODUCER_OK;
    struct producer_lane *lane = lane_of_key(producer, key, key_bytes);
    while (!producer_lane_push(lane, producer_now_us(), event, out_sequence)) {
        result = room_make(producer, lane);
        if (result != FRESHET_PRODUCER_OK) {
            break;
        }
    }
    *out_lane = lane->number;
    producer_wake(producer, lane);
    producer_leave(producer);
    return result;
}

enum freshet_producer_result freshet_producer_send(struct freshet_producer *producer,
                                                   const void *key, size_t key_bytes,
                                                   const void *event)
{
    uint16_t lane;
    uint64_t sequence;
    return freshet_producer_send_to(producer, key, key_bytes, event, &lane, &sequence);
}

int freshet_producer_descriptor(const struct freshet_producer *producer)
{
    return producer->socket.fd;
}

void freshet_producer_stats(struct freshet_producer *producer,
                            struct freshet_producer_stats *out_stats)
{
    struct freshet_producer_stats *s = out_stats;
    (void)pthread_mutex_lock(&producer->lock);
    *s = (struct freshet_producer_stats){
        .events_refused = producer->events_refused,
        .datagrams_ignored = producer->datagrams_ignored,
        .send_errors = producer->send_errors,
        .shard_count = producer->shard_count,
        .srtt_us = (uint32_t)producer->lane[0].rtt.srtt_us,
        .rto_us = (uint32_t)producer->lane[0].rtt.rto_us,
    };
    for (uint32_t i = 0; i < producer->lane_count; i++) {
        const struct producer_lane *lane = &producer->lane[i];
        const struct producer_lane_counts *counts = &lane->counts;
        s->events_taken += counts->events_taken;
        s->events_durable += counts->events_durable;
        for (uint32_t reason = 0; reason < PRODUCER_LOST_COUNT; reason++) {
            s->events_lost[reason] += counts->events_lost[reason];
        }
        s->events_held += producer_lane_events_held(lane);
        s->messages_sent += counts->messages_sent;
        s->messages_retransmitted += counts->messages_retransmitted;
        s->heartbeats += counts->heartbeats;
        s->acks += counts->acks;
        s->datagrams_ignored += counts->acks_ignored;
        s->held = s->held || lane->held;
    }
    (void)pthread_mutex_unlock(&producer->lock);
}

void freshet_producer_close(struct freshet_producer *producer)
{
    if (producer == NULL) {
        return;
    }
    producer_thread_stop(producer);
    (void)pthread_mutex_lock(&producer->lock);
    producer->inside = true;
    for (uint32_t i = 0; i < producer->lane_count; i++) {
        producer_lane_drop_all(&producer->lane[i]);
    }
    (void)pthread_mutex_unlock(&producer->lock);
    producer_free(producer);
}

const char *freshet_producer_result_name(enum freshet_producer_result result)
{
    static const char *const name[] = {
        "ok",
        "an option or argument breaks a rule",
        "the machine gave no memory",
        "the operating system refused",
        "the buffer is full",
        "not everything was settled in time",
        "called from within a callback",
    };
    return (size_t)result < ARRAY_COUNT(name) ? name[result] : "unknown";
}

const char *freshet_producer_reason_name(enum freshet_producer_reason reason)
{
    static const char *const name[] = {"dropped", "expired", "closed"};
    return (size_t)reason < ARRAY_COUNT(name) ? name[reason] : "unknown";
}
