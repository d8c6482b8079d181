#include "tests/simulation/model.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/decode.h"
#include "dataplane/feature/key.h"
#include "dataplane/mesh.h"
#include "dataplane/row_store.h"
#include "tests/simulation/law.h"

#define MODEL_REGION_BYTES (64 * MIB)
#define MODEL_SECRET       77u

void model_init(struct model *model, const struct plan *plan, uint32_t shard_count, uint64_t seed)
{
    uint64_t hot_bytes = shard_footprint(MODEL_REGION_BYTES, 1) + sizeof(struct counters) + MIB;
    *model = (struct model){.plan = plan,
                            .shard_count = shard_count,
                            .region_bytes = MODEL_REGION_BYTES + hot_bytes,
                            .forward_capacity = 4096};
    random_seed(&model->random, seed ^ 0x6d6f64);
    model->region = mmap(NULL, model->region_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    model->counters = aligned_alloc(CACHE_LINE_BYTES, sizeof(*model->counters));
    model->shard = calloc(1, sizeof(*model->shard));
    model->decode = calloc(STREAMS_MAX, sizeof(model->decode[0]));
    model->burst = calloc(1, sizeof(*model->burst));
    model->forward = calloc(model->forward_capacity, sizeof(model->forward[0]));
    ASSERT(model->region != MAP_FAILED);
    ASSERT(model->counters != NULL);
    memset(model->counters, 0, sizeof(*model->counters));
    for (uint32_t v = 0; v < VIEWS_PER_STREAM_MAX; v++) {
        model->batch[v].key_stride = (uint32_t)align_up(KEY_SIZE_MAX, sizeof(uint64_t));
        model->batch[v].keys = calloc(BURST_EVENTS_MAX, model->batch[v].key_stride);
    }
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        model->watermark_us[s] = INT64_MIN;
    }
    for (uint32_t s = 0; s < plan->stream_count; s++) {
        model->decode[s] = plan->stream[s].decode;
        for (uint32_t i = 0; i < model->decode[s].step_count; i++) {
            model->decode[s].step[i].rules = 0;
        }
    }
    struct arena arena;
    arena_init(&arena, model->region + MODEL_REGION_BYTES, hot_bytes);
    enum result result = shard_init(model->shard, plan, model->counters, MODEL_SECRET,
                                    model->region, MODEL_REGION_BYTES, 1, &arena);
    ASSERT(result == RESULT_OK);
}

void model_deinit(struct model *model)
{
    munmap(model->region, model->region_bytes);
    for (uint32_t v = 0; v < VIEWS_PER_STREAM_MAX; v++) {
        free(model->batch[v].keys);
    }
    free(model->counters);
    free(model->shard);
    free(model->decode);
    free(model->burst);
    free(model->forward);
}

static struct model_forward *forward_place(const struct model *model, uint32_t home,
                                           uint64_t home_lsn, uint32_t owner)
{
    uint64_t key[2] = {home_lsn, (uint64_t)home << 32 | owner};
    uint64_t at = XXH3_64bits(key, sizeof(key));
    for (;; at++) {
        struct model_forward *place = &model->forward[at & (model->forward_capacity - 1)];
        if (place->home_lsn == 0 ||
            (place->home == home && place->home_lsn == home_lsn && place->owner == owner)) {
            return place;
        }
    }
}

static void forwards_grow(struct model *model)
{
    struct model_forward *old = model->forward;
    uint64_t count = model->forward_capacity;
    model->forward_capacity *= 2;
    model->forward = calloc(model->forward_capacity, sizeof(model->forward[0]));
    ASSERT(model->forward != NULL);
    for (uint64_t i = 0; i < count; i++) {
        if (old[i].home_lsn != 0) {
            *forward_place(model, old[i].home, old[i].home_lsn, old[i].owner) = old[i];
        }
    }
    free(old);
}

static struct model_forward *forward_take(struct model *model, uint32_t home, uint64_t home_lsn,
                                          uint32_t owner)
{
    struct model_forward *forward = forward_place(model, home, home_lsn, owner);
    if (forward->home_lsn == 0) {
        *forward = (struct model_forward){.home = home, .home_lsn = home_lsn, .owner = owner};
        if (++model->forward_count > model->forward_capacity / 2) {
            forwards_grow(model);
            forward = forward_place(model, home, home_lsn, owner);
        }
    }
    return forward;
}

/* Counts what is owed anew: views that are asked for and not paid, or paid and never asked for. */
static void forward_set(struct model *model, struct model_forward *forward, uint32_t views,
                        uint32_t paid)
{
    model->owed -= forward->views != forward->paid ? 1 : 0;
    forward->views |= views;
    forward->paid |= paid;
    model->owed += forward->views != forward->paid ? 1 : 0;
}

const struct model_forward *model_owed(const struct model *model)
{
    for (uint64_t i = 0; model->owed > 0 && i < model->forward_capacity; i++) {
        if (model->forward[i].views != model->forward[i].paid) {
            return &model->forward[i];
        }
    }
    return NULL;
}

static void event_decode(struct model *model, uint32_t stream, const struct mirror_entry *entry,
                         uint32_t event)
{
    struct wire_message wire = {.stream_id = entry->stream_id,
                                .version = entry->version,
                                .sequence = entry->sequence,
                                .event_stride = entry->event_stride,
                                .event_count = entry->event_count,
                                .events = entry->events};
    struct burst *burst = model->burst;
    burst->stream = (uint16_t)stream;
    burst->schema = &model->plan->stream[stream].schema;
    burst->count = 0;
    decode_events(&model->decode[stream], &wire, event, 1, burst);
    burst->lsn[0] = ++model->lsn;
    burst->drop[0] = DROP_NONE;
    if (entry->kind == MIRROR_FORWARD) {
        burst->order[0] = entry->order;
    } else if ((entry->flags & MIRROR_MESSAGE_FLAG_TEXT) != 0) {
        burst->order[0] = entry->sequence << 16 | entry->place;
    }
}

static void view_apply(struct model *model, uint32_t stream, uint32_t v)
{
    struct shard_batch *batch = &model->batch[v];
    batch->event[0] = 0;
    batch->count = 1;
    uint32_t view = model->plan->stream[stream].view[v];
    uint32_t applied = shard_apply(model->shard, view, model->burst, batch);
    ASSERT(applied == 1);
}

/* An owner has what its home applied: also null where a rule made it so. */
static void forward_compare(const struct model_forward *forward)
{
    if (forward->home_bytes != NULL && forward->owner_bytes != NULL &&
        memcmp(forward->home_bytes, forward->owner_bytes, forward->owner_size) != 0) {
        law_broken("an owner has what its home applied", "LSN %lx of home %u at shard %u",
                   forward->home_lsn, forward->home, forward->owner);
    }
}

static void event_settle(struct model *model, const struct record *record, uint32_t stream,
                         uint32_t event)
{
    const struct mirror_entry *entry = &record->entry;
    uint32_t verdict = mirror_entry_verdict(entry, event);
    if ((verdict & UINT8_MAX) != VERDICT_applied) {
        if (entry->kind == MIRROR_FORWARD) {
            law_broken("homes decide", "a forward of shard %u with verdict %u", entry->home,
                       verdict);
        }
        return;
    }
    event_decode(model, stream, entry, event);
    int64_t time_us = model->burst->time_us[0];
    int64_t moved_us = time_us < entry->apply_us ? time_us : entry->apply_us;
    if (moved_us > model->watermark_us[stream]) {
        model->watermark_us[stream] = moved_us;
    }
    const struct plan_stream *plan_stream = &model->plan->stream[stream];
    for (uint32_t v = 0; v < plan_stream->view_count; v++) {
        struct shard_batch *batch = &model->batch[v];
        const struct plan_view *view = &model->plan->view[plan_stream->view[v]];
        uint32_t size = key_of_event(view, model->burst, 0, batch->keys);
        if (size == 0) {
            continue;
        }
        batch->key_size[0] = (uint16_t)size;
        uint32_t owner = mesh_owner(hash_owner(batch->keys, size), model->shard_count);
        bool refused = (verdict >> 16 >> v & 1) != 0;
        if (entry->kind == MIRROR_MESSAGE && owner != record->shard) {
            struct model_forward *forward =
                forward_take(model, record->shard, entry->lsn + event, owner);
            forward->entry = *entry;
            forward->event = event;
            forward->home_bytes = entry->events + (uint64_t)event * entry->event_stride;
            forward_compare(forward);
            forward_set(model, forward, 1u << v, 0);
            continue;
        }
        if (entry->kind == MIRROR_FORWARD && (entry->views >> v & 1) == 0) {
            continue;
        }
        if (owner != record->shard) {
            law_broken("an owner applies what is its own", "LSN %lx of shard %u, view %u",
                       entry->lsn, record->shard, v);
        }
        if (entry->kind == MIRROR_FORWARD) {
            struct model_forward *forward =
                forward_take(model, entry->home, entry->home_lsn, owner);
            if ((forward->paid >> v & 1) != 0) {
                law_broken("a forward is applied once", "LSN %lx of home %u at shard %u (LSN %lx)",
                           entry->home_lsn, entry->home, owner, entry->lsn);
            }
            forward->owner_bytes = entry->events;
            forward->owner_size = entry->event_stride;
            forward_compare(forward);
            forward_set(model, forward, 0, 1u << v);
        }
        if (!refused) {
            view_apply(model, stream, v);
        }
    }
    model->events++;
}

static void record_settle(struct model *model, const struct record *record)
{
    const struct mirror_entry *entry = &record->entry;
    if (entry->kind != MIRROR_MESSAGE && entry->kind != MIRROR_FORWARD) {
        return;
    }
    int stream = plan_stream_find_id(model->plan, entry->stream_id);
    ASSERT(stream >= 0);
    for (uint32_t i = 0; i < entry->event_count; i++) {
        event_settle(model, record, (uint32_t)stream, i);
    }
}

/* Folds as far as the records so far allow; rows that grew are split, old places are freed. */
static void housekeep(struct model *model)
{
    for (uint32_t s = 0; s < model->plan->stream_count; s++) {
        model->shard->fold_us[s] =
            sub_clamped(model->watermark_us[s], model->plan->stream[s].history_us);
    }
    shard_turn(model->shard, /* idle= */ false);
}

void model_settle(struct model *model, const struct record *records, uint64_t count)
{
    uint64_t *order = calloc(count + 1, sizeof(*order));
    ASSERT(order != NULL);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t other = random_below(&model->random, i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    for (uint64_t i = 0; i < count; i++) {
        record_settle(model, &records[order[i]]);
        housekeep(model);
    }
    free(order);
}

static void forward_pay(struct model *model, struct model_forward *forward)
{
    int stream = plan_stream_find_id(model->plan, forward->entry.stream_id);
    event_decode(model, (uint32_t)stream, &forward->entry, forward->event);
    for (uint32_t views = forward->views & ~forward->paid; views != 0; views &= views - 1) {
        uint32_t v = (uint32_t)__builtin_ctz(views);
        struct shard_batch *batch = &model->batch[v];
        const struct plan_view *view = &model->plan->view[model->plan->stream[stream].view[v]];
        batch->key_size[0] = (uint16_t)key_of_event(view, model->burst, 0, batch->keys);
        view_apply(model, (uint32_t)stream, v);
    }
    forward_set(model, forward, 0, forward->views);
}

void model_reshard(struct model *model, uint32_t shard_count)
{
    for (uint64_t i = 0; model->owed > 0 && i < model->forward_capacity; i++) {
        if (model->forward[i].views != model->forward[i].paid) {
            forward_pay(model, &model->forward[i]);
        }
    }
    model->shard_count = shard_count;
}

void model_hash(struct model *model, const int64_t fold_us[STREAMS_MAX], uint64_t *vshards,
                uint64_t *scratch)
{
    shard_state_hash(model->shard, fold_us, vshards, scratch);
}
