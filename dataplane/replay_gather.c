/* Events of an entry into the burst: which views take each, and what it should have been. */
#include "dataplane/feature/decode.h"
#include "dataplane/replay_inside.h"

/* Views, as places of the stream now, that the event concerns in this pass: those of then (mask of
 * old places) that still are, or those to rebuild. */
static uint32_t views_of(const struct replay *replay, uint32_t old_stream, uint32_t old_views,
                         uint32_t stream)
{
    uint32_t views = 0;
    const struct plan_stream *now = &replay->options.plan->stream[stream];
    uint32_t rebuilt = 0;
    for (uint32_t v = 0; v < now->view_count; v++) {
        rebuilt |= (uint32_t)view_set_has(&replay->start.rebuild_views, now->view[v]) << v;
    }
    if (replay_rebuilds(replay)) {
        return rebuilt;
    }
    for (; old_views != 0; old_views &= old_views - 1) {
        uint8_t place = replay->place[old_stream][__builtin_ctz(old_views)];
        if (place != REPLAY_NO_PLACE) {
            views |= 1u << place;
        }
    }
    return views & ~rebuilt;
}

/* Views of an event that some refused, as a mask of old places. */
static uint32_t views_without(const struct replay *replay, const struct replay_events *events,
                              uint32_t refused)
{
    return views_of(replay, events->old_stream, events->old_views & ~refused, events->stream);
}

/* Views that take history of this record: those to rebuild that its plan did not have, since they
 * were filled behind it. A session begins and ends in the order in which its events come. */
static uint32_t views_of_history(const struct replay *replay, const struct replay_events *events)
{
    const struct plan *plan = replay->options.plan;
    uint32_t views =
        replay_rebuilds(replay) ? views_of(replay, events->old_stream, 0, events->stream) : 0;
    for (uint32_t then = 0; views != 0 && then < VIEWS_PER_STREAM_MAX; then++) {
        uint8_t place = replay->place[events->old_stream][then];
        views &= place == REPLAY_NO_PLACE ? UINT32_MAX : ~(1u << place);
    }
    for (uint32_t left = views; left != 0; left &= left - 1) {
        uint32_t place = (uint32_t)__builtin_ctz(left);
        bool takes = !plan->view[plan->stream[events->stream].view[place]].has_sessions;
        views &= takes ? UINT32_MAX : ~(1u << place);
    }
    return views;
}

/* Remembers the span of history that views take. */
static void history_note(struct replay *replay, const struct replay_events *events, uint32_t views,
                         int64_t time_us)
{
    const struct plan_stream *stream = &replay->options.plan->stream[events->stream];
    for (; views != 0; views &= views - 1) {
        uint32_t view = stream->view[__builtin_ctz(views)];
        /* Of other streams the same is not known. */
        if (replay->options.plan->view[view].other_count == 0) {
            replay_span_add(&replay->counts.history[view], time_us);
        }
    }
}

/* What became of an event of the entry: its record is the home's. */
static const struct correction *correction_of(const struct replay *replay,
                                              const struct mirror_entry *entry, uint32_t event)
{
    const struct correction_set *set = replay->options.corrections;
    return entry->kind == MIRROR_MESSAGE
               ? correction_find(set, replay->start.shard, entry->lsn + event)
               : correction_find(set, entry->home, entry->home_lsn);
}

/* Events from `first` on, at most count, up to the first that was corrected, if any. */
static uint32_t events_until(const struct replay *replay, const struct mirror_entry *entry,
                             uint32_t first, uint32_t count,
                             const struct correction **out_correction)
{
    const struct correction_set *set = replay->options.corrections;
    *out_correction = NULL;
    for (uint32_t i = 0; set != NULL && set->count > 0 && i < count; i++) {
        *out_correction = correction_of(replay, entry, first + i);
        if (*out_correction != NULL) {
            return i + 1;
        }
    }
    return count;
}

/* The last event of the burst came, and moves the watermark. What it should have been is applied
 * under its identity, from its home's record alone: no forward tells which rows that is about. */
static enum result correction_gather(struct replay *replay, const struct mirror_entry *entry,
                                     const struct replay_events *events,
                                     const struct correction *correction)
{
    struct burst *burst = &replay->burst;
    const struct plan_stream *stream = &replay->options.plan->stream[events->stream];
    uint32_t came = burst->count - 1;
    uint32_t views = replay->views[came];
    replay->views[came] = 0;
    if (correction->kind == CORRECTION_RETRACT || entry->kind == MIRROR_FORWARD ||
        replay->pass == REPLAY_AGAIN) {
        return RESULT_OK;
    }
    const struct wire_message wire = {.stream_id = events->wire.stream_id,
                                      .version = correction->is.version,
                                      .sequence = events->wire.sequence,
                                      .event_stride = correction->is.size,
                                      .event_count = 1,
                                      .events = correction->is.data};
    if (decode_check(&stream->schema, &wire) != DROP_NONE) {
        return RESULT_CORRUPT;
    }
    decode_events(&stream->decode_judged, &wire, 0, 1, burst);
    uint32_t is = burst->count - 1;
    burst->order[is] = burst->order[came];
    burst->lsn[is] = burst->lsn[came];
    burst->drop[is] = DROP_event_late; /* Moves no watermark. */
    replay->views[is] = views;
    replay->replaced[is] = true;
    return RESULT_OK;
}

/* Which views take the events that were decoded last, by their verdicts. */
static void events_judge(struct replay *replay, const struct mirror_entry *entry,
                         const struct replay_events *events, uint32_t done, uint32_t count)
{
    struct burst *burst = &replay->burst;
    uint32_t views = views_without(replay, events, 0);
    uint32_t first = burst->count - count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t verdict = mirror_entry_verdict(entry, done + i);
        uint8_t reason = verdict_reason(verdict);
        uint32_t *taken = &replay->views[first + i];
        burst->lsn[first + i] = entry->lsn + done + i;
        replay->replaced[first + i] = false;
        burst->drop[first + i] = reason == VERDICT_applied ? DROP_NONE : DROP_event_late;
        *taken = 0;
        if (reason == VERDICT_event_history) {
            *taken = views_of_history(replay, events);
            history_note(replay, events, *taken, burst->time_us[first + i]);
        } else if (reason == VERDICT_applied) {
            *taken = verdict >> 16 == 0 ? views : views_without(replay, events, verdict >> 16);
        }
    }
}

enum result replay_gather(struct replay *replay, const struct mirror_entry *entry,
                          const struct replay_events *events)
{
    struct burst *burst = &replay->burst;
    const struct decode_plan *decode = &replay->options.plan->stream[events->stream].decode_judged;
    uint32_t done = 0;
    while (done < entry->event_count) {
        /* One that was corrected takes two places. */
        if (burst->count + 2 > BURST_EVENTS_MAX ||
            (burst->count > 0 && burst->stream != events->stream)) {
            enum result result = replay_burst_finish(replay);
            if (result != RESULT_OK) {
                return result;
            }
        }
        burst->stream = (uint16_t)events->stream;
        burst->schema = &replay->options.plan->stream[events->stream].schema;
        uint32_t first = burst->count;
        uint32_t room = BURST_EVENTS_MAX - first - 1;
        uint32_t left = entry->event_count - done;
        const struct correction *correction;
        uint32_t count = events_until(replay, entry, done, left < room ? left : room, &correction);
        decode_events(decode, &events->wire, done, count, burst);
        events_judge(replay, entry, events, done, count);
        done += count;
        enum result result =
            correction == NULL ? RESULT_OK : correction_gather(replay, entry, events, correction);
        if (result != RESULT_OK) {
            return result;
        }
    }
    return RESULT_OK;
}
