#include "controlplane/send_acked.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/base/units.h"
#include "dataplane/feature/key.h"
#include "dataplane/feature/text.h"
#include "dataplane/feature/wire.h"
#include "drivers/clock.h"
#include "drivers/secret.h"

/* Shorter waits are not worth a system call. */
#define PACE_NS       (US_PER_MS * NS_PER_US)
#define STANDSTILL_NS (30 * NS_PER_SECOND) /* A disk in trouble takes as long. */
/* Events between two looks at the network. */
#define POLL_EVENTS 16u

static void key_set(struct freshet_producer_options *producer, const struct sender_key *key)
{
    if (key != NULL) {
        _Static_assert(sizeof(producer->key) == sizeof(key->secret), "one key");
        producer->has_key = true;
        producer->key_epoch = key->epoch;
        memcpy(producer->key, &key->secret, sizeof(producer->key));
    }
}

static const struct plan_view *view_of(const struct plan *plan, const struct plan_stream *stream)
{
    if (stream->shard_by >= 0) {
        return &plan->view[stream->shard_by];
    }
    return stream->view_count > 0 ? &plan->view[stream->view[0]] : NULL;
}

enum result send_acked_open(struct send_acked *acked, const struct send_acked_options *options,
                            const struct plan *plan, uint32_t stream,
                            char error[SEND_ERROR_SIZE_MAX])
{
    const struct schema *schema = &plan->stream[stream].schema;
    struct freshet_producer_options producer;
    *acked = (struct send_acked){.schema = schema,
                                 .stream = stream,
                                 .view = view_of(plan, &plan->stream[stream]),
                                 .rate = options->rate};
    freshet_producer_options_init(&producer);
    producer.server = options->to;
    producer.producer = options->producer;
    producer.incarnation = options->incarnation;
    producer.stream = schema->id;
    producer.version = schema->version;
    producer.event_bytes = schema->block_size;
    producer.acked = !options->unacked;
    producer.history = options->history;
    producer.resumes = options->history;
    producer.lanes = options->history ? 1 : producer.lanes;
    if (producer.message_bytes < WIRE_EVENTS_OFFSET + (uint32_t)schema->block_size) {
        producer.message_bytes = WIRE_EVENTS_OFFSET + (uint32_t)schema->block_size;
    }
    key_set(&producer, options->key);
    char sentence[FRESHET_PRODUCER_ERROR_BYTES];
    enum freshet_producer_result opened =
        freshet_producer_open(&producer, &acked->producer, sentence);
    secret_wipe(producer.key, sizeof(producer.key));
    if (opened != FRESHET_PRODUCER_OK) {
        (void)snprintf(error, SEND_ERROR_SIZE_MAX, "--to %.230s", sentence);
        return RESULT_SYSTEM;
    }
    return RESULT_OK;
}

void send_acked_close(struct send_acked *acked)
{
    freshet_producer_close(acked->producer);
    acked->producer = NULL;
}

uint8_t *send_acked_event(struct send_acked *acked)
{
    text_block_clear(acked->schema, acked->block);
    return acked->block;
}

/* Until the events taken so far are due; the network goes on meanwhile. */
static enum freshet_producer_result pace(struct send_acked *acked)
{
    int64_t due_ns = acked->start_ns + (int64_t)((unsigned __int128)acked->stats.events_taken *
                                                 NS_PER_SECOND / acked->rate);
    enum freshet_producer_result result = FRESHET_PRODUCER_OK;
    int64_t now_ns = clock_steady_ns();
    while (due_ns - now_ns > PACE_NS && result == FRESHET_PRODUCER_OK) {
        int64_t wait_us = (due_ns - now_ns) / NS_PER_US;
        result = freshet_producer_poll(
            acked->producer, (uint32_t)(wait_us < US_PER_SECOND ? wait_us : US_PER_SECOND));
        now_ns = clock_steady_ns();
    }
    return result;
}

enum result send_acked_add(struct send_acked *acked, char error[SEND_ERROR_SIZE_MAX])
{
    uint8_t key[KEY_SIZE_MAX];
    uint32_t key_bytes = 0;
    if (acked->start_ns == 0) {
        acked->start_ns = clock_steady_ns();
    }
    if (acked->view != NULL) {
        key_bytes = key_of_block(acked->view, acked->stream, acked->schema, acked->block, key);
    }
    enum freshet_producer_result result =
        freshet_producer_send(acked->producer, key_bytes > 0 ? key : NULL, key_bytes, acked->block);
    acked->stats.events_taken++;
    if (result == FRESHET_PRODUCER_OK && acked->stats.events_taken % POLL_EVENTS == 0) {
        result = freshet_producer_poll(acked->producer, 0);
    }
    if (result == FRESHET_PRODUCER_OK) {
        result = pace(acked);
    }
    if (result != FRESHET_PRODUCER_OK) {
        (void)snprintf(error, SEND_ERROR_SIZE_MAX, "%s", freshet_producer_result_name(result));
        return RESULT_SYSTEM;
    }
    return RESULT_OK;
}

void send_acked_finish(struct send_acked *acked)
{
    uint64_t held = UINT64_MAX;
    int64_t moved_ns = clock_steady_ns();
    while (freshet_producer_flush(acked->producer, US_PER_SECOND / 10) ==
           FRESHET_PRODUCER_TIMEOUT) {
        freshet_producer_stats(acked->producer, &acked->stats);
        if (acked->stats.events_held < held) {
            held = acked->stats.events_held;
            moved_ns = clock_steady_ns();
        } else if (clock_steady_ns() - moved_ns > STANDSTILL_NS) {
            break;
        }
    }
    freshet_producer_stats(acked->producer, &acked->stats);
    acked->end_ns = clock_steady_ns();
    /* Whatever is still held is given up: closing says so. */
    acked->stats.events_lost[FRESHET_PRODUCER_LOST_CLOSED] += acked->stats.events_held;
    for (uint32_t reason = 0; reason < FRESHET_PRODUCER_REASON_COUNT; reason++) {
        acked->lost += acked->stats.events_lost[reason];
    }
}

void send_acked_print(const struct send_acked *acked)
{
    const struct freshet_producer_stats *stats = &acked->stats;
    printf("sent              %" PRIu64 " events in %" PRIu64 " messages\n"
           "durable           %" PRIu64 "\n"
           "retransmitted     %" PRIu64 " messages\n"
           "lost              %" PRIu64 "\n",
           stats->events_taken, stats->messages_sent, stats->events_durable,
           stats->messages_retransmitted, acked->lost);
    for (uint32_t reason = 0; reason < FRESHET_PRODUCER_REASON_COUNT; reason++) {
        if (stats->events_lost[reason] > 0) {
            printf("  %-16s%" PRIu64 "\n",
                   freshet_producer_reason_name((enum freshet_producer_reason)reason),
                   stats->events_lost[reason]);
        }
    }
}

json_t *send_acked_json(const struct send_acked *acked)
{
    const struct freshet_producer_stats *stats = &acked->stats;
    json_t *lost = json_object();
    for (uint32_t reason = 0; reason < FRESHET_PRODUCER_REASON_COUNT; reason++) {
        const char *name = freshet_producer_reason_name((enum freshet_producer_reason)reason);
        (void)json_object_set_new(lost, name, json_integer((json_int_t)stats->events_lost[reason]));
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:o}", "durable", (json_int_t)stats->events_durable,
                     "retransmitted", (json_int_t)stats->messages_retransmitted, "acks",
                     (json_int_t)stats->acks, "shards", (json_int_t)stats->shard_count, "lost",
                     lost);
}
