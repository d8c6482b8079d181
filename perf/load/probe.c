#include "perf/load/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <hiredis/hiredis.h>

#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_tag.h"
#include "perf/load/command.h"

#define PROBE_ENTITIES    64u
#define PROBE_PATIENCE_NS NS_PER_SECOND

static void probe_count(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + value,
                          memory_order_relaxed);
}

static bool probe_choose_feature(struct probe *probe)
{
    const struct plan *plan = probe->maker.plan;
    const struct plan_view *view = probe->maker.view;
    for (uint32_t i = 0; i < view->feature_count; i++) {
        const struct plan_feature *feature = &plan->feature[view->feature_first + i];
        const struct plan_aggregate *aggregate = &view->aggregate[feature->aggregate];
        if (aggregate->kind == AGGREGATE_count && aggregate->field == FIELD_NONE &&
            feature->window + 1u == view->window_count) {
            (void)snprintf(probe->feature, sizeof(probe->feature), "%s.%s", view->name,
                           feature->name);
            return true;
        }
    }
    return false;
}

/* The entity's count now, 0 when it is unknown; -1 when the server does not answer. */
static int64_t probe_read(struct probe *probe, const char *key)
{
    redisReply *reply = redisCommand(probe->context, "HMGET %s %s", key, probe->feature);
    int64_t count = -1;
    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1) {
        const redisReply *value = reply->element[0];
        count = value->type == REDIS_REPLY_STRING ? strtoll(value->str, NULL, 10) : 0;
    }
    freeReplyObject(reply);
    return count;
}

static void probe_send(struct probe *probe, uint64_t rank, uint64_t sequence)
{
    const struct schema *schema = &probe->maker.stream->schema;
    uint8_t data[MESSAGE_SIZE_MAX];
    struct wire_message head = {
        .stream_id = schema->id,
        .version = schema->version,
        .lane = (uint16_t)probe->options->lanes, /* The one behind the sender's. */
        .flags = WIRE_FLAG_UNACKED,
        .key_epoch = probe->key != NULL ? probe->key->epoch : 0,
        .producer = probe->producer,
        .sequence = sequence,
        .oldest = sequence,
        .send_time_us = endpoint_time_us(),
        .incarnation = 1,
        .event_stride = schema->block_size,
        .event_count = 1,
    };
    uint32_t size = wire_encode(&head, data);
    event_write(&probe->maker, rank, head.send_time_us, data + size);
    size += schema->block_size;
    if (probe->key != NULL) {
        wire_tag_write(&probe->key->secret, data, size);
    }
    if (send(probe->fd, data, size, 0) >= 0) {
        probe_count(&probe->shared_sent, 1);
    }
}

/* One probe, due at due_ns. Returns false when it was never seen. */
static bool probe_measure(struct probe *probe, uint64_t number, int64_t due_ns)
{
    char key[EVENT_KEY_TEXT_SIZE_MAX];
    uint64_t rank = probe->options->keys + 1 + number % PROBE_ENTITIES;
    (void)event_key_text(&probe->maker, rank, key);
    int64_t before = probe_read(probe, key);
    if (before < 0) {
        probe_count(&probe->shared_unseen, 1);
        return false;
    }
    endpoint_sleep_until(due_ns);
    probe_send(probe, rank, number + 1);
    int64_t sent_ns = endpoint_now_ns();
    int64_t now_ns = sent_ns;
    while (now_ns - sent_ns < PROBE_PATIENCE_NS) {
        int64_t count = probe_read(probe, key);
        now_ns = endpoint_now_ns();
        if (count > before) {
            histogram_record(&probe->latency_ns, (uint64_t)(now_ns - due_ns), 1);
            return true;
        }
    }
    probe_count(&probe->shared_unseen, 1);
    return false;
}

static void *probe_run(void *argument)
{
    struct probe *probe = argument;
    struct schedule schedule;
    double end_ns = probe->options->seconds * 1e9;
    int64_t start_ns = endpoint_now_ns();
    schedule_init(&schedule, probe->options->probe_rate);
    schedule_advance(&schedule, 1);
    (void)prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    for (uint64_t number = 0; schedule.at_ns < end_ns &&
                              !atomic_load_explicit(&probe->shared_stop, memory_order_relaxed);
         number++) {
        bool seen = probe_measure(probe, number, start_ns + (int64_t)schedule.at_ns);
        schedule_advance(&schedule, 1);
        while (!seen && schedule.at_ns < (double)(endpoint_now_ns() - start_ns)) {
            schedule_advance(&schedule, 1);
            probe_count(&probe->shared_skipped, 1);
        }
    }
    return NULL;
}

int probe_start(struct probe *probe, const struct options *options, const struct event_maker *maker,
                uint64_t producer, const struct sender_key *key, int fd,
                char error[ENDPOINT_ERROR_SIZE_MAX])
{
    *probe = (struct probe){
        .options = options, .maker = *maker, .producer = producer, .key = key, .fd = fd};
    random_seed(&probe->maker.random, options->seed ^ UINT64_C(0x70726f6265));
    if (options->probe_rate == 0) {
        return 0;
    }
    if (!probe_choose_feature(probe)) {
        (void)snprintf(error, ENDPOINT_ERROR_SIZE_MAX,
                       "view %s has no count(): freshness cannot be probed; --probe-rate 0",
                       maker->view->name);
        return -1;
    }
    probe->context = command_open(options->query, error);
    if (probe->context == NULL) {
        return -1;
    }
    if (pthread_create(&probe->thread, NULL, probe_run, probe) != 0) {
        (void)snprintf(error, ENDPOINT_ERROR_SIZE_MAX, "no thread for the probes");
        return -1;
    }
    probe->started = true;
    return 0;
}

void probe_stop(struct probe *probe)
{
    if (probe->started) {
        atomic_store_explicit(&probe->shared_stop, true, memory_order_relaxed);
        (void)pthread_join(probe->thread, NULL);
        probe->started = false;
    }
    if (probe->context != NULL) {
        redisFree(probe->context);
        probe->context = NULL;
    }
}
