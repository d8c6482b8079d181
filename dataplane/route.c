#include "dataplane/route.h"

#include <string.h>

#include "dataplane/feature/key.h"
#include "dataplane/worker_state.h"

/* Puts one event into the batch of view v of its stream. */
static void batch_add(struct shard_batch *batch, uint32_t event, uint32_t key_size)
{
    batch->event[batch->count] = (uint16_t)event;
    batch->key_size[batch->count] = (uint16_t)key_size;
    batch->count++;
}

static uint8_t *batch_key_space(struct shard_batch *batch)
{
    return batch->keys + (uint64_t)batch->count * batch->key_stride;
}

static void event_forward(struct worker *worker, uint32_t event, uint32_t owner, uint32_t views)
{
    const struct burst *burst = worker->burst;
    uint16_t version = burst->schema->version;
    /* The bytes that the writer's version defines: what decodes the same way at the owner. */
    while (version > 1 && schema_block_size_at(burst->schema, version) > burst->event_size[event]) {
        version--;
    }
    struct mesh_forward forward = {.kind = MESH_FORWARD,
                                   .stream = burst->stream,
                                   .version = version,
                                   .event_size = burst->event_size[event],
                                   .home = (uint16_t)worker->options.shard,
                                   .views = views,
                                   .order = burst->order[event],
                                   .home_lsn = burst->lsn[event]};
    uint8_t *copy = mesh_push_forward(&worker->mesh, owner, &forward, burst->event[event]);
    if (burst->nulled) {
        /* What a rule made null is null there too: an owner asks no rule. */
        uint64_t skipped = worker->options.plan->stream[burst->stream].decode.skipped;
        schema_event_null(burst->schema, burst->null_mask[event] & ~skipped, forward.event_size,
                          copy);
    }
    counter_add(&worker->counters->shared[COUNTER_events_forwarded], 1);
}

/* Sends the views of one event to their owners: ours into batches, the others' as one forward each.
 * views: mask of the stream's views that take it. Returns false when it has a key for none. */
static bool event_route(struct worker *worker, uint32_t event, uint32_t views)
{
    const struct plan *plan = worker->options.plan;
    const struct plan_stream *stream = &plan->stream[worker->burst->stream];
    uint32_t shard_count = worker->options.shard_count;
    uint32_t owner_of[VIEWS_PER_STREAM_MAX];
    uint32_t away = 0;
    bool any = false;
    for (; views != 0; views &= views - 1) {
        uint32_t v = (uint32_t)__builtin_ctz(views);
        struct shard_batch *batch = &worker->batch[v];
        uint8_t *key = batch_key_space(batch);
        uint32_t key_size = key_of_event(&plan->view[stream->view[v]], worker->burst, event, key);
        if (key_size == 0) {
            counter_add(&worker->counters->view[stream->view[v]].shared_drop[DROP_view_key_null],
                        1);
            continue;
        }
        any = true;
        if (shard_count > 1) {
            owner_of[v] = mesh_owner(hash_owner(key, key_size), shard_count);
            if (owner_of[v] != worker->options.shard) {
                away |= 1u << v;
                continue;
            }
        }
        batch_add(batch, event, key_size);
    }
    while (away != 0) {
        uint32_t owner = owner_of[__builtin_ctz(away)];
        uint32_t mask = 0;
        for (uint32_t rest = away; rest != 0; rest &= rest - 1) {
            uint32_t v = (uint32_t)__builtin_ctz(rest);
            mask |= owner_of[v] == owner ? 1u << v : 0;
        }
        event_forward(worker, event, owner, mask);
        away &= ~mask;
    }
    return any;
}

/* The first key field of a view of the burst's stream: its column, where key_has_column(). */
static uint32_t view_key_field(const struct worker *worker, uint32_t v)
{
    const struct plan *plan = worker->options.plan;
    uint32_t stream = worker->burst->stream;
    return plan_key_fields(&plan->view[plan->stream[stream].view[v]], stream)[0];
}

/* Which of the stream's first count views take their keys straight from a column: with one shard
 * those that have one; with several all or none, since an event goes to an owner once. */
static uint32_t views_by_column(const struct worker *worker, uint32_t count)
{
    const struct plan *plan = worker->options.plan;
    const struct plan_stream *stream = &plan->stream[worker->burst->stream];
    bool alone = worker->options.shard_count == 1;
    uint32_t by_column = 0;
    for (uint32_t v = 0; v < count; v++) {
        const struct plan_view *view = &plan->view[stream->view[v]];
        bool same = alone || view_key_field(worker, v) == view_key_field(worker, 0);
        if (key_has_column(view, worker->burst->schema, worker->burst->stream) && same) {
            by_column |= 1u << v;
        } else if (!alone) {
            return 0;
        }
    }
    return by_column;
}

/* The shard of each event by the key column that all views of its stream share. */
static void owners_find(const struct worker *worker, uint8_t *owner)
{
    const struct burst *burst = worker->burst;
    uint32_t shard_count = worker->options.shard_count;
    const int64_t *column = burst->value[view_key_field(worker, 0)];
    for (uint32_t i = 0; i < burst->count; i++) {
        owner[i] = (uint8_t)mesh_owner(hash_owner_word((uint64_t)column[i]), shard_count);
    }
}

/* Fills the batch of a view from its key column, of events that this shard owns. keyed: set where
 * some view has a key. */
static void view_route_by_column(struct worker *worker, uint32_t v, const uint8_t *owner,
                                 uint8_t *keyed)
{
    const struct burst *burst = worker->burst;
    uint32_t index = worker->options.plan->stream[burst->stream].view[v];
    uint32_t field = view_key_field(worker, v);
    struct shard_batch *batch = &worker->batch[v];
    const int64_t *column = burst->value[field];
    uint32_t null_keys = 0;
    bool filtered = worker->options.plan->view[index].filtered;
    uint8_t shard = (uint8_t)worker->options.shard;
    for (uint32_t i = 0; i < burst->count; i++) {
        bool missed = filtered && (burst->views[i] >> v & 1) == 0;
        bool null = !missed && (burst->null_mask[i] >> field & 1) != 0;
        bool dropped = missed || burst->drop[i] != DROP_NONE;
        /* Written in any case, kept only when it counts: no branch to mispredict. */
        memcpy(batch->keys + batch->count * sizeof(uint64_t), &column[i], sizeof(uint64_t));
        batch->event[batch->count] = (uint16_t)i;
        batch->key_size[batch->count] = sizeof(uint64_t);
        batch->count += !null && !dropped && owner[i] == shard ? 1u : 0u;
        null_keys += null && !dropped ? 1u : 0u;
        keyed[i] |= null || missed ? 0 : 1;
    }
    if (null_keys > 0) {
        counter_add(&worker->counters->view[index].shared_drop[DROP_view_key_null], null_keys);
    }
}

/* Events that others own, where all views take their keys from one column. */
static void columns_forward(struct worker *worker, uint32_t views, const uint8_t *owner)
{
    const struct burst *burst = worker->burst;
    const struct plan_stream *stream = &worker->options.plan->stream[burst->stream];
    uint32_t field = view_key_field(worker, 0);
    for (uint32_t i = 0; i < burst->count; i++) {
        uint32_t taken = stream->filtered ? burst->views[i] & views : views;
        bool null = (burst->null_mask[i] >> field & 1) != 0;
        if (owner[i] != worker->options.shard && burst->drop[i] == DROP_NONE && !null &&
            taken != 0) {
            event_forward(worker, i, owner[i], taken);
        }
    }
}

void route_burst(struct worker *worker)
{
    struct burst *burst = worker->burst;
    const struct plan_stream *stream = &worker->options.plan->stream[burst->stream];
    /* Owners take whatever homes send, which may know of fewer views for a moment. */
    uint32_t count = worker->burst_forwarded ? stream->view_count : worker->routed[burst->stream];
    for (uint32_t v = 0; v < stream->view_count; v++) {
        const struct plan_view *view = &worker->options.plan->view[stream->view[v]];
        worker->batch[v].count = 0;
        worker->batch[v].key_stride = (uint32_t)align_up(view->key_size_max, sizeof(uint64_t));
    }
    const uint32_t all = (1u << count) - 1;
    const uint32_t quick = worker->burst_forwarded ? 0 : views_by_column(worker, count);
    const uint32_t slow = all & ~quick;
    const bool forwards = quick != 0 && worker->options.shard_count > 1;
    uint8_t owner[BURST_EVENTS_MAX];
    uint8_t keyed[BURST_EVENTS_MAX];
    memset(keyed, count == 0 ? 1 : 0, burst->count);
    if (forwards) {
        owners_find(worker, owner);
    } else {
        memset(owner, (int)worker->options.shard, burst->count);
    }
    for (uint32_t rest = quick; rest != 0; rest &= rest - 1) {
        view_route_by_column(worker, (uint32_t)__builtin_ctz(rest), owner, keyed);
    }
    if (forwards) {
        columns_forward(worker, quick, owner);
    }
    for (uint32_t i = 0; i < burst->count; i++) {
        if (burst->drop[i] != DROP_NONE) {
            continue;
        }
        uint32_t taken = stream->filtered ? burst->views[i] : UINT32_MAX;
        if (worker->burst_forwarded) {
            event_route(worker, i, worker->forward_views[i]);
            continue;
        }
        bool routed = (slow & taken) != 0 && event_route(worker, i, slow & taken);
        if (!routed && keyed[i] == 0 && (all & taken) != 0) {
            burst->drop[i] = DROP_event_key_null;
        }
    }
}
