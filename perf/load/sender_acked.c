#include "perf/load/sender_acked.h"

#include "dataplane/base/units.h"
#include "dataplane/feature/key.h"
#include "dataplane/feature/wire.h"
#include "perf/load/endpoint.h"

#define BATCH_MAX     64u
#define LOOK_US_MAX   100000
#define SETTLE_US     (10 * US_PER_SECOND)
#define OVER_NS       1e9 /* Longer than its time it sends at most. */
#define WAIT_NS_LEAST 20000

struct freshet_producer *sender_acked_open(const struct options *options,
                                           const struct event_maker *maker, uint64_t producer,
                                           char error[FRESHET_PRODUCER_ERROR_BYTES])
{
    const struct schema *schema = &maker->stream->schema;
    struct freshet_producer_options acked;
    struct freshet_producer *opened = NULL;
    freshet_producer_options_init(&acked);
    acked.server = options->to;
    acked.producer = producer;
    acked.stream = schema->id;
    acked.version = schema->version;
    acked.event_bytes = schema->block_size;
    acked.message_bytes =
        WIRE_EVENTS_OFFSET + options->events_per_message * (uint32_t)schema->block_size;
    acked.lanes = options->lanes;
    (void)freshet_producer_open(&acked, &opened, error);
    return opened;
}

static bool is_stopped(const struct sender *sender)
{
    return atomic_load_explicit(&sender->shared_stop, memory_order_relaxed);
}

/* One event of the timetable; waits while the buffer is full. */
static bool event_send(struct sender *sender)
{
    const struct event_maker *maker = &sender->maker;
    uint8_t block[EVENT_SIZE_MAX];
    uint8_t key[KEY_SIZE_MAX];
    int64_t time_us = sender->start_time_us + (int64_t)(sender->schedule.at_ns / 1000);
    event_write(&sender->maker, event_rank(&sender->maker), time_us, block);
    uint32_t key_bytes =
        key_of_block(maker->view, event_stream(maker), &maker->stream->schema, block, key);
    enum freshet_producer_result result =
        freshet_producer_send(sender->producer_acked, key_bytes > 0 ? key : NULL, key_bytes, block);
    schedule_advance(&sender->schedule, 1);
    return result == FRESHET_PRODUCER_OK;
}

static void counts_publish(struct sender *sender)
{
    freshet_producer_stats(sender->producer_acked, &sender->acked);
    atomic_store_explicit(&sender->shared_events, sender->acked.events_taken, memory_order_relaxed);
    atomic_store_explicit(&sender->shared_messages, sender->acked.messages_sent,
                          memory_order_relaxed);
}

/* What is due at now_ns, at most a batch. */
static bool due_send(struct sender *sender, int64_t now_ns, double end_ns)
{
    double due_ns = (double)(now_ns - sender->start_ns);
    int64_t behind_ns = (int64_t)(due_ns - sender->schedule.at_ns);
    if (behind_ns > atomic_load_explicit(&sender->shared_behind_ns, memory_order_relaxed)) {
        atomic_store_explicit(&sender->shared_behind_ns, behind_ns, memory_order_relaxed);
    }
    for (uint32_t i = 0;
         i < BATCH_MAX && sender->schedule.at_ns <= due_ns && sender->schedule.at_ns < end_ns;
         i++) {
        if (!event_send(sender)) {
            return false;
        }
    }
    return true;
}

void sender_acked_run(struct sender *sender)
{
    double end_ns = sender->options->seconds * 1e9;
    bool good = true;
    while (good && sender->schedule.at_ns < end_ns && !is_stopped(sender)) {
        int64_t now_ns = endpoint_now_ns();
        double elapsed_ns = (double)(now_ns - sender->start_ns);
        double wait_ns = sender->schedule.at_ns - elapsed_ns;
        if (elapsed_ns > end_ns + OVER_NS) {
            break;
        }
        good = due_send(sender, now_ns + WAIT_NS_LEAST, end_ns);
        int64_t wait_us = wait_ns > WAIT_NS_LEAST ? (int64_t)(wait_ns / 1000) : 0;
        (void)freshet_producer_poll(sender->producer_acked,
                                    (uint32_t)(wait_us < LOOK_US_MAX ? wait_us : LOOK_US_MAX));
        counts_publish(sender);
    }
    (void)freshet_producer_flush(sender->producer_acked, (uint64_t)SETTLE_US);
    counts_publish(sender);
    /* What is still held is given up when the producer is closed. */
    sender->acked.events_lost[FRESHET_PRODUCER_LOST_CLOSED] += sender->acked.events_held;
}
