#include "dataplane/mesh.h"

#include <string.h>

#include "dataplane/base/assert.h"

uint64_t mesh_footprint(uint32_t shard_count)
{
    uint64_t rings = shard_count > 1 ? shard_count - 1 : 0;
    return align_up(shard_count * sizeof(struct ring), CACHE_LINE_BYTES) +
           rings * ring_footprint(MESH_RING_LINES) + 2 * (uint64_t)CACHE_LINE_BYTES;
}

void mesh_init(struct mesh *mesh, uint32_t shard, uint32_t shard_count, struct arena *arena)
{
    ASSERT(shard < shard_count);
    ASSERT(shard_count <= SHARDS_MAX);
    *mesh = (struct mesh){.shard = shard, .shard_count = shard_count};
    mesh->outgoing = arena_take(arena, shard_count * sizeof(struct ring), CACHE_LINE_BYTES);
    for (uint32_t to = 0; to < shard_count; to++) {
        if (to != shard) {
            void *lines = arena_take(arena, ring_footprint(MESH_RING_LINES), CACHE_LINE_BYTES);
            ring_init(&mesh->outgoing[to], lines, MESH_RING_LINES);
        }
    }
}

void mesh_connect(struct mesh *from, struct mesh *to)
{
    ASSERT(from->shard != to->shard);
    to->incoming[from->shard] = &from->outgoing[to->shard];
    to->forwarded_lsn[from->shard] = &from->shared_forwarded_lsn;
}

bool mesh_has_room(struct mesh *mesh, uint32_t event_size, uint32_t count)
{
    uint32_t size = (uint32_t)sizeof(struct mesh_forward) + event_size;
    for (uint32_t to = 0; to < mesh->shard_count; to++) {
        if (to != mesh->shard && !ring_has_room(&mesh->outgoing[to], size, count)) {
            return false;
        }
    }
    return true;
}

bool mesh_has_room_beside(struct mesh *mesh, uint32_t to, uint32_t message_size,
                          uint32_t event_size, uint32_t count)
{
    ASSERT(to != mesh->shard);
    uint32_t size = (uint32_t)sizeof(struct mesh_forward) + event_size;
    /* The message's lines, and as many again that it may skip at the ring's end, told in forwards.
     * A record's header is less than a line. */
    uint64_t lines = div_ceil(sizeof(struct mesh_message) + message_size, CACHE_LINE_BYTES) + 1;
    uint64_t forwards = div_ceil(2 * lines, div_ceil(size, CACHE_LINE_BYTES));
    return ring_has_room(&mesh->outgoing[to], size, count + (uint32_t)forwards);
}

bool mesh_push_message(struct mesh *mesh, uint32_t to, const struct net_message *message,
                       uint32_t port)
{
    ASSERT(to != mesh->shard);
    ASSERT(message->size <= MESSAGE_SIZE_MAX);
    struct mesh_message *record =
        ring_push(&mesh->outgoing[to], (uint32_t)sizeof(*record) + message->size);
    if (record == NULL) {
        return false;
    }
    record->kind = MESH_MESSAGE;
    record->size = (uint16_t)message->size;
    record->port = (uint16_t)port;
    record->sender = message->sender;
    memcpy(record->data, message->data, message->size);
    return true;
}

uint8_t *mesh_push_forward(struct mesh *mesh, uint32_t to, const struct mesh_forward *forward,
                           const uint8_t *event)
{
    ASSERT(to != mesh->shard);
    struct mesh_forward *record =
        ring_push(&mesh->outgoing[to], (uint32_t)sizeof(*record) + forward->event_size);
    ASSERT(record != NULL);
    *record = *forward;
    memcpy(record->event, event, forward->event_size);
    return record->event;
}

void mesh_push_finish(struct mesh *mesh, uint64_t lsn)
{
    for (uint32_t to = 0; to < mesh->shard_count; to++) {
        if (to != mesh->shard) {
            ring_push_finish(&mesh->outgoing[to]);
        }
    }
    /* Release M1, pairs with the acquire in mesh_forward_progress(): who sees it sees the rings as
     * of then. */
    atomic_store_explicit(&mesh->shared_forwarded_lsn, lsn, memory_order_release);
}

uint64_t mesh_forward_progress(struct mesh *mesh, uint32_t home, uint64_t taken_lsn)
{
    if (home == mesh->shard || mesh->incoming[home] == NULL) {
        return taken_lsn;
    }
    /* Acquire, pairs with release M1 in mesh_push_finish(). */
    uint64_t forwarded = atomic_load_explicit(mesh->forwarded_lsn[home], memory_order_acquire);
    bool empty = ring_is_empty(mesh->incoming[home]);
    return empty && forwarded > taken_lsn ? forwarded : taken_lsn;
}

bool mesh_is_empty(const struct mesh *mesh)
{
    for (uint32_t from = 0; from < mesh->shard_count; from++) {
        if (mesh->incoming[from] != NULL && !ring_is_empty(mesh->incoming[from])) {
            return false;
        }
    }
    return true;
}
