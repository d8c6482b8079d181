#include "dataplane/ingress.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/compute.h"
#include "dataplane/feature/decode.h"
#include "dataplane/feature/wire.h"
#include "dataplane/judge.h"
#include "dataplane/monitor.h"
#include "dataplane/patterns.h"
#include "dataplane/publish.h"
#include "dataplane/record.h"
#include "dataplane/route.h"
#include "dataplane/worker_state.h"

#define ORDER_PLACE_BITS 16u

/* Counts events that were never decoded: received and dropped at once. */
static void message_drop(struct worker *worker, enum drop drop, uint32_t stream, uint32_t events,
                         uint32_t field, uint32_t offset, const struct net_message *message)
{
    struct counters_stream *counters = &worker->counters->stream[stream];
    counter_add(&counters->shared_received, events);
    counter_add(&counters->shared_drop[drop], events);
    worker->turn.events += events > 0 ? events : 1; /* A message is work, also a heartbeat. */
    judge_note_drop(worker, drop, stream, field, offset, message);
}

/* Which of the stream's views this burst's sample comes from: each in its turn. */
static uint32_t sample_view_next(struct worker *worker, const struct plan_stream *stream)
{
    if (worker->turn.sampled || stream->view_count == 0 ||
        worker->turn.apply_us < worker->sample_next_us) {
        return VIEWS_PER_STREAM_MAX;
    }
    return worker->sample_bursts++ % stream->view_count;
}

/* Remembers one applied event of the burst, to be followed until a reader can see it. */
static void burst_sample(struct worker *worker, uint32_t view_index,
                         const struct shard_batch *batch)
{
    uint32_t item = batch->count - 1;
    struct worker_sample *sample = &worker->turn.sample;
    if (batch->key_size[item] > sizeof(sample->key)) {
        return;
    }
    uint32_t event = batch->event[item];
    sample->event_time_us = worker->burst->time_us[event];
    sample->arrival_ns = worker->turn.arrival_ns;
    sample->lsn = worker->burst->lsn[event];
    sample->view = (uint16_t)view_index;
    sample->key_size = batch->key_size[item];
    sample->shard = worker->options.shard;
    memcpy(sample->key, batch->keys + (uint64_t)item * batch->key_stride, sample->key_size);
    worker->turn.sampled = true;
    worker->sample_next_us = worker->turn.apply_us + SAMPLE_INTERVAL_US;
}

static void burst_apply(struct worker *worker)
{
    const struct plan_stream *stream = &worker->options.plan->stream[worker->burst->stream];
    uint32_t sampled = sample_view_next(worker, stream);
    for (uint32_t v = 0; v < stream->view_count; v++) {
        struct shard_batch *batch = &worker->batch[v];
        if (batch->count > 0) {
            uint32_t applied = shard_apply(&worker->shard, stream->view[v], worker->burst, batch);
            if (v == sampled && applied == batch->count) {
                burst_sample(worker, stream->view[v], batch);
            }
            visible_note(&worker->visible, stream->view[v], applied, batch->refused_count);
            record_refused(worker, v, batch);
        }
    }
}

/* Bits of patterns, and rules of fields, which of a forward its home has asked. */
static void burst_match(struct worker *worker, const struct plan_stream *stream)
{
    const struct pattern_table *table = &stream->patterns;
    struct burst *burst = worker->burst;
    if (table->count == (worker->burst_forwarded ? table->rule_count : 0)) {
        return;
    }
    patterns_fill(table, worker->options.patterns[burst->stream], worker->options.pattern_scratch,
                  burst, worker->pattern_bits);
    if (!worker->burst_forwarded) {
        patterns_check(table, worker->pattern_bits, burst);
    }
}

void ingress_compute(struct worker *worker)
{
    const struct plan_stream *stream = &worker->options.plan->stream[worker->burst->stream];
    burst_match(worker, stream);
    if (stream->program.output_count == 0) {
        return;
    }
    compute_burst(stream, worker->burst, worker->pattern_bits, worker->program_space);
    const uint64_t *fault = worker->program_space->fault;
    if (!worker->burst_forwarded) {
        counter_add(&worker->counters->shared[COUNTER_expression_overflows],
                    fault[PROGRAM_FAULT_overflow]);
        counter_add(&worker->counters->shared[COUNTER_expression_zero_divisions],
                    fault[PROGRAM_FAULT_zero_division]);
    }
}

/* Judges, routes and applies the burst's events. */
static void burst_finish(struct worker *worker)
{
    struct burst *burst = worker->burst;
    ingress_compute(worker);
    if (worker->burst_forwarded) {
        judge_forwarded(worker);
        route_burst(worker);
        counter_add(&worker->counters->shared[COUNTER_forwards_applied], burst->count);
        record_burst(worker);
    } else {
        judge_burst(worker);
        route_burst(worker);
        judge_count(worker);
        record_burst(worker);
        burst_violations_clear(burst);
        if (worker->monitor[burst->stream] != NULL) {
            monitor_burst(worker);
        }
    }
    burst_apply(worker);
    burst->count = 0;
}

void ingress_finish(struct worker *worker)
{
    if (worker->burst->count > 0) {
        uint32_t stream = worker->burst->stream;
        burst_finish(worker);
        publish_burst_end(worker, stream);
    }
}

/* What a burst is made of; one kind at a time. */
enum burst_source { BURST_MESSAGES, BURST_HISTORY, BURST_FORWARDS };

/* Makes the burst ready for `count` events of the stream, which share their record's T: they share
 * a burst, if any burst holds them. Asked before the record is written. */
static void burst_prepare(struct worker *worker, uint32_t stream, enum burst_source source,
                          uint32_t count)
{
    struct burst *burst = worker->burst;
    bool forwarded = source == BURST_FORWARDS;
    bool is_history = source == BURST_HISTORY;
    if (burst->count > 0 &&
        (burst->count + count > BURST_EVENTS_MAX || burst->stream != stream ||
         worker->burst_forwarded != forwarded || worker->burst_is_history != is_history)) {
        ingress_finish(worker);
    }
    if (burst->count == 0) {
        publish_burst_begin(worker);
    }
    burst->stream = (uint16_t)stream;
    burst->schema = &worker->options.plan->stream[stream].schema;
    worker->burst_forwarded = forwarded;
    worker->burst_is_history = is_history;
}

/* Decodes the message's events into the burst that was prepared, as many bursts as they need.
 * record: of the message in the log. */
static void message_decode(struct worker *worker, uint32_t stream, const struct wire_message *wire,
                           const struct net_message *message, uint8_t *record)
{
    uint8_t *verdicts = record == NULL ? NULL : record + MIRROR_MESSAGE_HEADER;
    uint8_t *events =
        record == NULL ? NULL : verdicts + wire->event_count * (uint32_t)sizeof(uint32_t);
    const struct decode_plan *decode = &worker->options.plan->stream[stream].decode;
    struct burst *burst = worker->burst;
    uint32_t done = 0;
    while (done < wire->event_count) {
        if (burst->count == BURST_EVENTS_MAX) {
            burst_finish(worker);
        }
        uint32_t room = BURST_EVENTS_MAX - burst->count;
        uint32_t left = wire->event_count - done;
        uint32_t count = left < room ? left : room;
        uint32_t first = burst->count;
        decode_events(decode, wire, done, count, burst);
        for (uint32_t i = first; i < burst->count; i++) {
            burst->lsn[i] = ++worker->shard.lsn;
            worker->origin->message[i] = message;
            uint32_t event = done + i - first;
            worker->origin->verdict[i] =
                record == NULL ? NULL : verdicts + event * sizeof(uint32_t);
            worker->origin->record[i] =
                record == NULL ? NULL : events + (uint64_t)event * wire->event_stride;
        }
        done += count;
    }
    counter_add(&worker->counters->stream[stream].shared_received, wire->event_count);
    worker->turn.events += wire->event_count;
}

/* True when count forwards of events of event_size fit every ring beside those that the burst may
 * still send; when they do not fit together, the burst is applied first. */
static bool forwards_fit(struct worker *worker, uint32_t event_size, uint32_t count)
{
    const struct burst *burst = worker->burst;
    if (burst->count > 0 && !worker->burst_forwarded) {
        uint32_t waiting_size = burst->schema->block_size;
        uint32_t size = event_size > waiting_size ? event_size : waiting_size;
        if (mesh_has_room(&worker->mesh, size, burst->count + count)) {
            return true;
        }
        ingress_finish(worker);
    }
    return mesh_has_room(&worker->mesh, event_size, count);
}

/* Sends a message to its home, unless the ring is full. The burst's forwards keep their room. */
static bool message_cross(struct worker *worker, uint32_t home, const struct net_message *message,
                          uint32_t port)
{
    const struct burst *burst = worker->burst;
    if (burst->count > 0 && !worker->burst_forwarded &&
        !mesh_has_room_beside(&worker->mesh, home, message->size, burst->schema->block_size,
                              burst->count)) {
        ingress_finish(worker);
    }
    return mesh_push_message(&worker->mesh, home, message, port);
}

/* Remembers where the lane's producer is: events that are new say so, and what was sent later than
 * all before. A copy of something older, also of a heartbeat, may be anybody's who listened on the
 * way, and tells nothing where something is known. */
static void lane_note_sender(struct lane *lane, const struct wire_message *wire,
                             const struct net_message *message, uint32_t port, bool is_new)
{
    bool is_later = wire->send_time_us > lane->sent_us;
    lane->sent_us = is_later ? wire->send_time_us : lane->sent_us;
    if (is_new || is_later || !lane->has_address) {
        lane->from = message->sender;
        lane->port = (uint8_t)port;
        lane->key_epoch = wire->key_epoch;
        lane->has_address = message->sender.port != 0;
    }
}

/* Looks an acked message up; its producer hears at once what it asks for by sending twice, too far,
 * or nothing. */
static enum drop acked_accept(struct worker *worker, const struct wire_message *wire,
                              const struct net_message *message, uint32_t port,
                              struct lane **out_lane)
{
    const struct lane_message said = {.producer = wire->producer,
                                      .sequence = wire->sequence,
                                      .oldest = wire->oldest,
                                      .incarnation = wire->incarnation,
                                      .lane = wire->lane};
    bool heartbeat = wire->event_count == 0;
    struct lane *lane;
    enum drop drop = lanes_accept_acked(&worker->lanes, &said, heartbeat, worker->heard_us, &lane);
    if (lane != NULL) {
        lane_note_sender(lane, wire, message, port, drop == DROP_NONE && !heartbeat);
        if (drop != DROP_NONE || heartbeat) {
            acks_due(worker, lane);
        }
    }
    *out_lane = lane;
    return drop;
}

/* Room for all that accepting a message takes, asked before anything changes. */
static enum drop message_room(struct worker *worker, uint32_t stride, uint32_t events)
{
    if (!mirror_has_room(&worker->mirror, mirror_message_bytes(events, stride))) {
        acks_note_refused(worker);
        return DROP_message_log_full;
    }
    if (!forwards_fit(worker, stride, events)) {
        acks_note_refused(worker);
        return DROP_message_mesh_full;
    }
    return DROP_NONE;
}

/* Accepts a message at its home: room first, then its window, then its events. */
static void message_accept(struct worker *worker, uint32_t stream, const struct wire_message *wire,
                           const struct net_message *message, uint32_t port)
{
    const struct schema *schema = &worker->options.plan->stream[stream].schema;
    struct lane *lane = NULL;
    /* On an acked lane a heartbeat takes no sequence, also where nobody acknowledges. */
    bool asks_only = wire->event_count == 0 && (wire->flags & WIRE_FLAG_UNACKED) == 0;
    enum drop drop = decode_check(schema, wire);
    /* A heartbeat takes no room: its producer hears that the log is full, or dead. */
    if (drop == DROP_NONE && wire->event_count > 0) {
        drop = message_room(worker, wire->event_stride, wire->event_count);
    }
    if (drop == DROP_NONE && worker->options.acks && (wire->flags & WIRE_FLAG_UNACKED) == 0) {
        drop = acked_accept(worker, wire, message, port, &lane);
    } else if (drop == DROP_NONE && !asks_only) {
        drop = lanes_accept(&worker->lanes, wire->producer, wire->lane, wire->incarnation,
                            wire->sequence, wire->oldest, worker->heard_us);
    }
    if (drop != DROP_NONE) {
        if (drop != DROP_message_duplicate) {
            lanes_note_refused(&worker->lanes, wire->producer, wire->lane);
        }
        message_drop(worker, drop, stream, wire->event_count, JUDGE_NO_FIELD, 0, message);
        return;
    }
    if (wire->event_count == 0) {
        counter_add(&worker->counters->shared[COUNTER_heartbeats], 1);
        worker->turn.events++;
        return;
    }
    burst_prepare(worker, stream,
                  (wire->flags & WIRE_FLAG_HISTORY) != 0 ? BURST_HISTORY : BURST_MESSAGES,
                  wire->event_count);
    uint8_t *record = record_message(worker, wire, 0, /* text= */ false, lane);
    message_decode(worker, stream, wire, message, record);
}

static void wire_take(struct worker *worker, const struct net_message *message, uint32_t port,
                      bool crossed)
{
    struct wire_message wire;
    enum drop drop = wire_decode(message->data, message->size, &wire);
    if (drop != DROP_NONE) {
        message_drop(worker, drop, STREAMS_MAX, 1, JUDGE_NO_FIELD, 0, message);
        return;
    }
    uint32_t home = hash_home(wire.producer, wire.lane, worker->options.shard_count);
    int stream = plan_stream_find_id(worker->options.plan, wire.stream_id);
    uint32_t counted = stream < 0 ? STREAMS_MAX : (uint32_t)stream;
    uint32_t events = wire.event_count > 0 ? wire.event_count : 1;
    if (stream < 0) {
        message_drop(worker, DROP_message_unknown_stream, counted, events, JUDGE_NO_FIELD, 0,
                     message);
        return;
    }
    if (home == worker->options.shard) {
        message_accept(worker, counted, &wire, message, port);
        return;
    }
    ASSERT(!crossed);
    if (!message_cross(worker, home, message, port)) {
        message_drop(worker, DROP_message_mesh_full, counted, events, JUDGE_NO_FIELD, 0, message);
        return;
    }
    counter_add(&worker->counters->shared[COUNTER_messages_crossed], 1);
    worker->turn.events++;
}

/* One normalised text event, as a message of its own: producer 0, this shard's lane and
 * sequence. place: its number in the datagram; line: the byte where it begins there. */
static void text_event_take(struct worker *worker, uint32_t stream, const uint8_t *block,
                            uint32_t place, uint32_t line, const struct net_message *message)
{
    const struct schema *schema = &worker->options.plan->stream[stream].schema;
    struct wire_message wire = {.stream_id = schema->id,
                                .version = schema->version,
                                .lane = (uint16_t)worker->options.shard,
                                .flags = WIRE_FLAG_UNACKED,
                                .sequence = worker->text_sequence,
                                .incarnation = worker->options.epoch,
                                .event_stride = schema->block_size,
                                .event_count = 1,
                                .events = block};
    enum drop drop = message_room(worker, wire.event_stride, 1);
    if (drop != DROP_NONE) {
        message_drop(worker, drop, stream, 1, JUDGE_NO_FIELD, line, message);
        return;
    }
    burst_prepare(worker, stream, BURST_MESSAGES, 1);
    uint8_t *record = record_message(worker, &wire, place, /* text= */ true, NULL);
    message_decode(worker, stream, &wire, message, record);
    uint32_t last = worker->burst->count - 1;
    worker->burst->order[last] = worker->text_sequence << ORDER_PLACE_BITS | place;
    worker->origin->line[last] = line;
}

static void text_take(struct worker *worker, const struct net_message *message,
                      const struct worker_port *port)
{
    if (!port->text_allowed) {
        message_drop(worker, DROP_text_refused, STREAMS_MAX, 1, JUDGE_NO_FIELD, 0, message);
        return;
    }
    const struct plan *plan = worker->options.plan;
    struct text_cursor cursor = {.data = (const char *)message->data, .size = message->size};
    worker->text_sequence++;
    for (uint32_t place = 0;; place++) {
        if (worker->text_used + EVENT_SIZE_MAX > TEXT_SPACE_BYTES) {
            ingress_finish(worker);
        }
        /* Only here: the burst may be applied between a text event's decoding and its place in the
         * next burst. */
        if (worker->burst->count == 0) {
            worker->text_used = 0;
        }
        uint8_t *block = worker->text_space + worker->text_used;
        struct text_event event;
        if (text_next(&cursor, worker->schema, plan->stream_count, port->default_stream,
                      worker->turn.apply_us, block, &event) == 0) {
            if (place == 0) {
                message_drop(worker, DROP_text_syntax, STREAMS_MAX, 1, JUDGE_NO_FIELD, 0, message);
            }
            return;
        }
        if (event.drop != DROP_NONE) {
            bool named = event.stream < plan->stream_count;
            message_drop(worker, event.drop, named ? event.stream : STREAMS_MAX, 1,
                         event.field >= 0 ? (uint32_t)event.field : JUDGE_NO_FIELD, event.offset,
                         message);
            continue;
        }
        worker->text_used += (uint32_t)align_up(worker->schema[event.stream]->block_size, 8);
        text_event_take(worker, event.stream, block, place, event.offset, message);
    }
}

static void datagram_take(struct worker *worker, const struct net_message *message, uint32_t port,
                          bool crossed)
{
    if (message->size == 0) {
        message_drop(worker, DROP_message_empty, STREAMS_MAX, 1, JUDGE_NO_FIELD, 0, message);
    } else if (message->truncated || message->size > MESSAGE_SIZE_MAX) {
        message_drop(worker, DROP_message_too_long, STREAMS_MAX, 1, JUDGE_NO_FIELD, 0, message);
    } else if (!crossed && wire_is_text(message->data, message->size)) {
        text_take(worker, message, &worker->options.port[port]);
    } else {
        wire_take(worker, message, port, crossed);
    }
}

void ingress_take(struct worker *worker, const struct net_message *message, uint32_t port,
                  enum drop drop)
{
    counter_add(&worker->counters->shared[COUNTER_messages], 1);
    if (drop != DROP_NONE) {
        message_drop(worker, drop, STREAMS_MAX, 1, JUDGE_NO_FIELD, 0, message);
        return;
    }
    datagram_take(worker, message, port, /* crossed= */ false);
}

void ingress_take_crossed(struct worker *worker, const struct net_message *message, uint32_t port)
{
    datagram_take(worker, message, port, /* crossed= */ true);
}

void ingress_take_forward(struct worker *worker, const struct mesh_forward *forward)
{
    burst_prepare(worker, forward->stream, BURST_FORWARDS, 1);
    struct burst *burst = worker->burst;
    struct wire_message wire = {.stream_id = burst->schema->id,
                                .version = forward->version,
                                .event_stride = forward->event_size,
                                .event_count = 1,
                                .events = forward->event};
    uint32_t at = burst->count;
    decode_events(&worker->options.plan->stream[forward->stream].decode_judged, &wire, 0, 1, burst);
    burst->order[at] = forward->order;
    burst->lsn[at] = ++worker->shard.lsn;
    worker->origin->message[at] = NULL;
    worker->forward_views[at] = forward->views;
    record_forward(worker, forward, at);
    worker->turn.events++;
}
