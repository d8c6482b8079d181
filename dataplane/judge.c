#include "dataplane/judge.h"

#include <string.h>

#include "dataplane/worker_state.h"

void judge_note_drop(struct worker *worker, enum drop drop, uint32_t stream, uint32_t field,
                     uint32_t offset, const struct net_message *message)
{
    int64_t now_us = worker->turn.arrival_ns / NS_PER_US; /* Not T, which a clock ahead holds up. */
    if (message == NULL || !drop_log_due(worker->drop_log, drop, now_us)) {
        return;
    }
    struct drop_entry entry = {.time_us = now_us,
                               .sender = message->sender,
                               .drop = (uint16_t)drop,
                               .stream = (uint16_t)stream,
                               .field = (uint16_t)field,
                               .offset = offset};
    uint32_t size = message->size < DROP_LOG_BYTES ? message->size : DROP_LOG_BYTES;
    entry.byte_count = (uint16_t)size;
    if (size > 0) {
        memcpy(entry.bytes, message->data, size);
    }
    drop_log_add(worker->drop_log, &entry);
}

void judge_burst(struct worker *worker)
{
    struct burst *burst = worker->burst;
    const struct plan_stream *stream = &worker->options.plan->stream[burst->stream];
    int64_t apply_us = worker->turn.apply_us;
    int64_t late_us = sub_clamped(worker->watermark_turn_us[burst->stream], stream->lateness_us);
    int64_t future_us = add_clamped(apply_us, stream->future_us);
    int64_t watermark_us = worker->watermark_us[burst->stream];
    for (uint32_t i = 0; i < burst->count; i++) {
        if (burst->drop[i] != DROP_NONE) {
            continue;
        }
        int64_t time_us = burst->time_us[i];
        if (time_us > future_us) {
            /* Quarantined: one bad clock must not make everyone else late. */
            burst->drop[i] = DROP_event_future;
            continue;
        }
        if (time_us < late_us && stream->late != LATE_APPLY) {
            burst->drop[i] = DROP_event_late;
            continue;
        }
        int64_t moved_us = time_us < apply_us ? time_us : apply_us;
        watermark_us = moved_us > watermark_us ? moved_us : watermark_us;
    }
    worker->watermark_us[burst->stream] = watermark_us;
}

void judge_forwarded(struct worker *worker)
{
    const struct burst *burst = worker->burst;
    int64_t *watermark_us = &worker->watermark_us[burst->stream];
    for (uint32_t i = 0; i < burst->count; i++) {
        int64_t time_us = burst->time_us[i];
        int64_t moved_us = time_us < worker->turn.apply_us ? time_us : worker->turn.apply_us;
        *watermark_us = moved_us > *watermark_us ? moved_us : *watermark_us;
    }
}

static bool drop_is_quarantined(const struct plan_stream *stream, enum drop drop)
{
    if (drop == DROP_event_future) {
        return true;
    }
    return drop != DROP_event_late && drop != DROP_event_key_null &&
           stream->schema.on_violation == VIOLATION_QUARANTINE;
}

static void event_drop_count(struct worker *worker, uint32_t event)
{
    struct burst *burst = worker->burst;
    const struct plan_stream *stream = &worker->options.plan->stream[burst->stream];
    struct counters_stream *counters = &worker->counters->stream[burst->stream];
    enum drop drop = (enum drop)burst->drop[event];
    counter_add(&counters->shared_drop[drop], 1);
    if (drop_is_quarantined(stream, drop)) {
        counter_add(&counters->shared_quarantined, 1);
    }
    bool ruled =
        drop != DROP_event_late && drop != DROP_event_future && drop != DROP_event_key_null;
    uint32_t field = ruled ? burst->drop_field[event] : JUDGE_NO_FIELD;
    uint32_t offset = worker->origin->line[event];
    const struct net_message *message = worker->origin->message[event];
    /* A text event was normalised elsewhere: of it the beginning of its line is known. */
    if (burst->event[event] >= message->data &&
        burst->event[event] < message->data + message->size) {
        offset = (uint32_t)(burst->event[event] - message->data) +
                 (ruled ? stream->schema.field[field].offset : 0u);
    }
    judge_note_drop(worker, drop, burst->stream, field, offset, message);
}

bool judge_count(struct worker *worker)
{
    bool any_violation = false;
    struct burst *burst = worker->burst;
    struct counters_stream *counters = &worker->counters->stream[burst->stream];
    uint32_t applied = 0;
    for (uint32_t i = 0; i < burst->count; i++) {
        applied += burst->drop[i] == DROP_NONE ? 1u : 0u;
    }
    counter_add(&counters->shared_applied, applied);
    for (uint32_t i = 0; applied < burst->count && i < burst->count; i++) {
        if (burst->drop[i] != DROP_NONE) {
            event_drop_count(worker, i);
        }
    }
    for (uint32_t i = 0; i < DROP_COUNT; i++) {
        if (burst->violation_count[i] != 0) {
            counter_add(&counters->shared_violation[i], burst->violation_count[i]);
            burst->violation_count[i] = 0;
            any_violation = true;
        }
    }
    return any_violation;
}
