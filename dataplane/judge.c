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
    int64_t late_us = sub_clamped(worker->watermark_burst_us[burst->stream], stream->lateness_us);
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
        if (worker->burst_is_history) {
            burst->drop[i] = DROP_event_history;
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

bool judge_quarantines(const struct schema *schema, enum drop drop, uint32_t field)
{
    enum rule rule = rule_of_drop(drop);
    return rule == RULE_COUNT ? drop == DROP_event_future
                              : schema->field[field].policy[rule] == VIOLATION_QUARANTINE;
}

static void violations_count(struct burst *burst, struct counters_stream *counters)
{
    for (uint32_t f = 0; f < burst->schema->field_count; f++) {
        for (uint32_t r = 0; r < RULE_COUNT; r++) {
            if (burst->violation_count[f][r] != 0) {
                counter_add(&counters->shared_violation[f][r], burst->violation_count[f][r]);
            }
        }
    }
}

static void event_drop_count(struct worker *worker, uint32_t event)
{
    struct burst *burst = worker->burst;
    const struct plan_stream *stream = &worker->options.plan->stream[burst->stream];
    struct counters_stream *counters = &worker->counters->stream[burst->stream];
    enum drop drop = (enum drop)burst->drop[event];
    counter_add(&counters->shared_drop[drop], 1);
    if (judge_quarantines(&stream->schema, drop, burst->drop_field[event])) {
        counter_add(&counters->shared_quarantined, 1);
    }
    bool ruled = rule_of_drop(drop) != RULE_COUNT;
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

void judge_count(struct worker *worker)
{
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
    if (burst->violations > 0) {
        violations_count(burst, counters);
    }
}
