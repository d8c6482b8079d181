#include "dataplane/record.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/wire.h"
#include "dataplane/judge.h"
#include "dataplane/worker_state.h"

/* The verdict of verdicts.def that says the same as a drop. */
static uint8_t reason_of(enum drop drop)
{
    static const uint8_t reason[DROP_COUNT] = {
        [DROP_event_required] = VERDICT_event_required,
        [DROP_event_type] = VERDICT_event_type,
        [DROP_event_below_min] = VERDICT_event_below_min,
        [DROP_event_above_max] = VERDICT_event_above_max,
        [DROP_event_not_in_enum] = VERDICT_event_not_in_enum,
        [DROP_event_too_short] = VERDICT_event_too_short,
        [DROP_event_too_long] = VERDICT_event_too_long,
        [DROP_event_no_match] = VERDICT_event_no_match,
        [DROP_event_key_null] = VERDICT_event_key_null,
        [DROP_event_late] = VERDICT_event_late,
        [DROP_event_future] = VERDICT_event_future,
        [DROP_event_history] = VERDICT_event_history,
    };
    ASSERT(drop < DROP_COUNT);
    ASSERT(reason[drop] != VERDICT_applied);
    return reason[drop];
}

uint8_t *record_message(struct worker *worker, const struct wire_message *wire, uint32_t place,
                        bool text, struct lane *lane)
{
    bool acked = lane != NULL && lane->acked;
    struct mirror_entry entry = {.kind = MIRROR_MESSAGE,
                                 .flags = (uint8_t)((acked ? MIRROR_MESSAGE_FLAG_ACKED : 0) |
                                                    (text ? MIRROR_MESSAGE_FLAG_TEXT : 0)),
                                 .stream_id = wire->stream_id,
                                 .apply_us = worker->turn.apply_us,
                                 .lsn = worker->shard.lsn + 1,
                                 .lsn_count = wire->event_count,
                                 .producer = wire->producer,
                                 .sequence = wire->sequence,
                                 .incarnation = wire->incarnation,
                                 .lane = wire->lane,
                                 .version = wire->version,
                                 .event_count = wire->event_count,
                                 .event_stride = wire->event_stride,
                                 .place = place,
                                 .events = wire->events};
    return mirror_append(&worker->mirror, &entry, acked ? lane : NULL);
}

void record_forward(struct worker *worker, const struct mesh_forward *forward, uint32_t at)
{
    struct burst *burst = worker->burst;
    struct mirror_entry entry = {.kind = MIRROR_FORWARD,
                                 .stream_id = burst->schema->id,
                                 .apply_us = worker->turn.apply_us,
                                 .lsn = burst->lsn[at],
                                 .lsn_count = 1,
                                 .version = forward->version,
                                 .event_count = 1,
                                 .event_stride = forward->event_size,
                                 .events = forward->event,
                                 .home_lsn = forward->home_lsn,
                                 .order = forward->order,
                                 .home = forward->home,
                                 .views = forward->views};
    uint8_t *record = mirror_append(&worker->mirror, &entry, NULL);
    worker->origin->verdict[at] = record == NULL ? NULL : record + MIRROR_FORWARD_VERDICT_OFFSET;
    worker->origin->record[at] = record == NULL ? NULL : record + MIRROR_FORWARD_HEADER;
}

void record_note(struct worker *worker, struct mirror_entry *entry)
{
    entry->apply_us = worker->turn.apply_us;
    entry->lsn = ++worker->shard.lsn;
    entry->lsn_count = 1;
    ASSERT(mirror_has_room(&worker->mirror, mirror_note_bytes(entry->kind, entry->note_size)));
    (void)mirror_append(&worker->mirror, entry, NULL);
}

static uint32_t event_verdict(const struct burst *burst, uint32_t event)
{
    enum drop drop = (enum drop)burst->drop[event];
    uint8_t field = burst->drop_field[event];
    uint8_t aside = judge_quarantines(burst->schema, drop, field) ? VERDICT_FIELD_QUARANTINED : 0;
    return verdict_of(reason_of(drop), field | aside, 0);
}

void record_burst(struct worker *worker)
{
    const struct burst *burst = worker->burst;
    uint64_t skipped = worker->options.plan->stream[burst->stream].decode.skipped;
    for (uint32_t i = 0; worker->mirror.enabled && i < burst->count; i++) {
        enum drop drop = (enum drop)burst->drop[i];
        if (drop != DROP_NONE) {
            uint32_t verdict = event_verdict(burst, i);
            memcpy(worker->origin->verdict[i], &verdict, sizeof(verdict));
        }
        /* Of what broke a rule its own values stand there to be looked at. */
        bool counts_later = drop == DROP_event_late || drop == DROP_event_history;
        if (burst->nulled && (drop == DROP_NONE || counts_later)) {
            schema_event_null(burst->schema, burst->null_mask[i] & ~skipped, burst->event_size[i],
                              worker->origin->record[i]);
        }
    }
}

void record_refused(struct worker *worker, uint32_t v, const struct shard_batch *batch)
{
    for (uint32_t i = 0; worker->mirror.enabled && i < batch->refused_count; i++) {
        uint8_t *place = worker->origin->verdict[batch->refused[i]];
        uint32_t verdict;
        memcpy(&verdict, place, sizeof(verdict));
        verdict |= verdict_of(0, 0, (uint16_t)(1u << v));
        memcpy(place, &verdict, sizeof(verdict));
    }
}
