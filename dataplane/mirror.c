#include "dataplane/mirror.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"

_Static_assert(MIRROR_ENTRIES_MAX > MESSAGE_SIZE_MAX * 8, "a buffer holds many messages");

static uint64_t waiters_bytes(void)
{
    return align_up(MIRROR_NOTES_MAX * sizeof(struct mirror_waiter), CACHE_LINE_BYTES);
}

uint64_t mirror_footprint(bool enabled)
{
    if (!enabled) {
        return 0;
    }
    return MIRROR_BUFFERS * (MIRROR_BUFFER_BYTES + waiters_bytes()) +
           (MIRROR_BUFFERS + 1) * align_up(MIRROR_PLAN_BYTES_MAX, CACHE_LINE_BYTES) +
           2 * ring_footprint(MIRROR_RING_LINES) + (2 + MIRROR_BUFFERS) * MIRROR_BLOCK_BYTES;
}

void mirror_init(struct mirror *mirror, bool enabled, uint32_t shard, uint32_t shard_count,
                 struct arena *arena)
{
    mirror->enabled = enabled;
    mirror->shard = shard;
    mirror->shard_count = shard_count;
    if (!enabled) {
        return;
    }
    for (uint32_t i = 0; i < MIRROR_BUFFERS; i++) {
        struct mirror_buffer *buffer = &mirror->buffer[i];
        buffer->segment_header = arena_take(arena, MIRROR_BUFFER_BYTES, MIRROR_BLOCK_BYTES);
        buffer->frame = buffer->segment_header + MIRROR_SEGMENT_HEADER;
        buffer->waiter = arena_take(arena, waiters_bytes(), CACHE_LINE_BYTES);
        mirror_plan_init(&buffer->plan, arena);
    }
    mirror_plan_init(&mirror->plan, arena);
    void *lines = arena_take(arena, ring_footprint(MIRROR_RING_LINES), CACHE_LINE_BYTES);
    ring_init(&mirror->ready, lines, MIRROR_RING_LINES);
    lines = arena_take(arena, ring_footprint(MIRROR_RING_LINES), CACHE_LINE_BYTES);
    ring_init(&mirror->sealed, lines, MIRROR_RING_LINES);
}

void mirror_open(struct mirror *mirror, const struct mirror_options *options)
{
    ASSERT(mirror->enabled);
    ASSERT(options->queue != NULL);
    ASSERT(options->segment_bytes >= MIRROR_SEGMENT_BYTES_MIN);
    mirror->epoch = options->epoch;
    memcpy(mirror->store_id, options->store_id, sizeof(mirror->store_id));
    mirror->segment_bytes = options->segment_bytes;
    mirror->queue = options->queue;
    mirror->sealed_lsn = options->before_lsn;
    mirror->durable_lsn = options->before_lsn;
    atomic_store_explicit(&mirror->shared.shared_durable_lsn, mirror->durable_lsn,
                          memory_order_relaxed);
    atomic_store_explicit(&mirror->shared.shared_complete_lsn, mirror->durable_lsn,
                          memory_order_relaxed);
}

/* Entries that one frame may have: a segment holds it behind its header. */
static uint32_t frame_entries_max(const struct mirror *mirror)
{
    uint64_t segment = mirror->segment_bytes - MIRROR_SEGMENT_HEADER - MIRROR_FRAME_HEADER;
    return segment < MIRROR_ENTRIES_MAX ? (uint32_t)segment : MIRROR_ENTRIES_MAX;
}

/* A plan that would take more than half of a frame is not repeated. */
static uint32_t plan_bytes(const struct mirror *mirror, const struct mirror_plan *plan)
{
    return mirror_plan_bytes(plan, frame_entries_max(mirror) / 2);
}

/* What is gathered may become a segment's first frame, with the plan before it. */
static uint32_t entries_max(const struct mirror *mirror)
{
    const struct mirror_buffer *buffer = &mirror->buffer[mirror->gathering];
    const struct mirror_plan *plan = buffer->used == 0 ? &mirror->plan : &buffer->plan;
    return frame_entries_max(mirror) - plan_bytes(mirror, plan);
}

bool mirror_has_room(const struct mirror *mirror, uint32_t bytes)
{
    return !mirror->enabled ||
           (mirror->state != MIRROR_DEAD &&
            mirror->buffer[mirror->gathering].used + bytes <= entries_max(mirror));
}

static uint32_t entry_encode(const struct mirror_entry *entry, uint8_t *out)
{
    switch (entry->kind) {
    case MIRROR_MESSAGE:
        return mirror_message_encode(entry, out);
    case MIRROR_FORWARD:
        return mirror_forward_encode(entry, out);
    case MIRROR_PLAN:
    case MIRROR_EPOCH:
        return mirror_note_encode(entry, out);
    }
    UNREACHABLE();
}

uint8_t *mirror_append(struct mirror *mirror, const struct mirror_entry *entry, struct lane *waiter)
{
    if (!mirror->enabled) {
        return NULL;
    }
    struct mirror_buffer *buffer = &mirror->buffer[mirror->gathering];
    uint8_t *out = buffer->frame + MIRROR_FRAME_HEADER + buffer->used;
    if (buffer->used == 0) {
        buffer->first_lsn = entry->lsn;
        buffer->since_us = entry->apply_us;
        buffer->has_plan = false;
        mirror_plan_copy(&buffer->plan, &mirror->plan);
    }
    if (entry->kind == MIRROR_PLAN) {
        mirror_plan_note(&mirror->plan, entry);
    }
    buffer->used += entry_encode(entry, out);
    ASSERT(buffer->used <= entries_max(mirror));
    buffer->last_lsn = entry->lsn + entry->lsn_count - 1;
    buffer->apply_us = entry->apply_us;
    if (entry->kind == MIRROR_FORWARD) {
        mirror->forward_lsn[entry->home] = entry->home_lsn;
    }
    if (waiter != NULL) {
        buffer->waiter[buffer->waiter_count++] =
            (struct mirror_waiter){.lane = waiter,
                                   .message = {.producer = entry->producer,
                                               .sequence = entry->sequence,
                                               .incarnation = entry->incarnation,
                                               .lane = entry->lane}};
    }
    return out;
}

/* The turn's entries are final: their crc while they are in the cache. */
static void gathered_checksum(struct mirror *mirror)
{
    struct mirror_buffer *buffer = &mirror->buffer[mirror->gathering];
    buffer->crc =
        checksum_crc32c(buffer->crc, buffer->frame + MIRROR_FRAME_HEADER + buffer->crc_done,
                        buffer->used - buffer->crc_done);
    buffer->crc_done = buffer->used;
    atomic_store_explicit(&mirror->shared.shared_gathered_bytes, buffer->used,
                          memory_order_relaxed);
}

static void held_set(struct mirror *mirror, uint32_t held)
{
    atomic_store_explicit(&mirror->shared.shared_held, held, memory_order_relaxed);
}

/* Gives the current segment back; false when the ring has no room yet. */
static bool segment_seal(struct mirror *mirror, bool broken)
{
    if (mirror->segment == NULL) {
        return true;
    }
    struct mirror_sealed *sealed = ring_push(&mirror->sealed, sizeof(*sealed));
    if (sealed == NULL) {
        return false;
    }
    *sealed = (struct mirror_sealed){
        .number = mirror->segment_number,
        .file = mirror->segment,
        .first_lsn = mirror->segment_lsn,
        .last_lsn = mirror->durable_lsn,
        .apply_us = atomic_load_explicit(&mirror->shared.shared_durable_us, memory_order_relaxed),
        .broken = broken};
    ring_push_finish(&mirror->sealed);
    mirror->segment = NULL;
    mirror->sealed_lsn = mirror->durable_lsn;
    return true;
}

/* Begins the next segment that the keeper has ready, if there is one. */
static bool segment_begin(struct mirror *mirror)
{
    uint32_t size;
    const struct mirror_ready *ready = ring_pop(&mirror->ready, &size);
    if (ready == NULL) {
        return false;
    }
    mirror->segment = ready->file;
    mirror->segment_number = ready->number;
    mirror->segment_offset = 0;
    mirror->segment_lsn = 0;
    mirror->segment_has_plan = false;
    ring_pop_finish(&mirror->ready);
    atomic_store_explicit(&mirror->shared.shared_segment, mirror->segment_number,
                          memory_order_relaxed);
    return true;
}

/* Bytes of the plan that a frame needs in the current segment. */
static uint32_t plan_due_bytes(const struct mirror *mirror, const struct mirror_buffer *buffer)
{
    bool has_it = mirror->segment_has_plan || buffer->has_plan || buffer->used == 0;
    return has_it ? 0 : plan_bytes(mirror, &buffer->plan);
}

/* Makes sure that the segment has room for a buffer's frame. */
static bool segment_reserve(struct mirror *mirror, const struct mirror_buffer *buffer,
                            int64_t now_us)
{
    uint64_t bytes = mirror_frame_bytes(buffer->used + plan_due_bytes(mirror, buffer));
    bool fits = mirror->segment != NULL && mirror->segment_offset + bytes <= mirror->segment_bytes;
    if (fits || (segment_seal(mirror, false) && segment_begin(mirror))) {
        held_set(mirror, MIRROR_HELD_NONE);
        return true;
    }
    held_set(mirror, MIRROR_HELD_SEGMENT);
    mirror->retry_us = now_us + MIRROR_RETRY_US;
    return false;
}

/* Submits what is left of the write in flight. */
static void write_submit(struct mirror *mirror, int64_t now_us)
{
    uint32_t index = mirror->gathering ^ 1;
    mirror->tag++;
    if (disk_queue_write(mirror->queue, mirror->segment, index, mirror->write_data,
                         mirror->write_left, mirror->write_offset, mirror->tag)) {
        mirror->state = MIRROR_FLYING;
        return;
    }
    mirror->state = MIRROR_RETRY;
    mirror->retry_us = now_us;
}

/* Puts the plan before the sealed buffer's entries, where the segment lacks it. Once a segment. */
static void plan_repeat(struct mirror *mirror, struct mirror_buffer *buffer)
{
    uint32_t bytes = plan_due_bytes(mirror, buffer);
    if (bytes > 0) {
        uint8_t *entries = buffer->frame + MIRROR_FRAME_HEADER;
        memmove(entries + bytes, entries, buffer->used);
        mirror_plan_encode(&buffer->plan, buffer->first_lsn, buffer->since_us, entries);
        buffer->used += bytes;
        buffer->crc = checksum_crc32c(0, entries, buffer->used);
        buffer->has_plan = true;
    }
    mirror->segment_has_plan |= buffer->used > 0;
}

/* Puts the sealed buffer's frame at the segment's next place and sends it off. A segment's first
 * frame takes the segment's header along. */
static void frame_send(struct mirror *mirror, int64_t now_us)
{
    struct mirror_buffer *buffer = &mirror->buffer[mirror->gathering ^ 1];
    plan_repeat(mirror, buffer);
    uint64_t bytes = mirror_frame_bytes(buffer->used);
    uint64_t end = MIRROR_FRAME_HEADER + (uint64_t)buffer->used;
    memset(buffer->frame + end, 0, bytes - end);
    const uint8_t *data = buffer->frame;
    bool first = mirror->segment_offset == 0;
    if (first) {
        mirror->segment_lsn = buffer->first_lsn;
        struct mirror_segment segment = {.number = mirror->segment_number,
                                         .epoch = mirror->epoch,
                                         .shard = mirror->shard,
                                         .shard_count = mirror->shard_count,
                                         .first_lsn = buffer->first_lsn,
                                         .before_lsn = mirror->sealed_lsn,
                                         .created_us = now_us,
                                         .size_bytes = mirror->segment_bytes};
        memcpy(segment.store_id, mirror->store_id, sizeof(segment.store_id));
        mirror_segment_encode(&segment, buffer->segment_header);
        mirror->chain_crc = segment.crc;
        data = buffer->segment_header;
        bytes += MIRROR_SEGMENT_HEADER;
    }
    struct mirror_frame frame = {.size = buffer->used,
                                 .shard = (uint16_t)mirror->shard,
                                 .flags = buffer->used == 0 ? MIRROR_FRAME_FLAG_WITNESS : 0,
                                 .segment = mirror->segment_number,
                                 .first_lsn = buffer->first_lsn,
                                 .count = (uint32_t)(buffer->last_lsn + 1 - buffer->first_lsn),
                                 .previous_crc = mirror->chain_crc,
                                 .acked_lsn = mirror->durable_lsn,
                                 .apply_us = buffer->apply_us};
    memcpy(&frame.store, mirror->store_id, sizeof(frame.store));
    mirror_frame_encode(&frame, buffer->crc, buffer->frame);
    mirror->write_frame_crc = frame.crc;
    mirror->write_data = data;
    mirror->write_left = (uint32_t)bytes;
    mirror->write_offset = mirror->segment_offset;
    mirror->write_end = mirror->segment_offset + bytes;
    mirror->write_start_us = now_us;
    write_submit(mirror, now_us);
}

/* The clock may be set back: no wait is longer than it was meant to be. */
static bool retry_due(const struct mirror *mirror, int64_t now_us)
{
    return now_us >= mirror->retry_us || mirror->retry_us - now_us > MIRROR_RETRY_US;
}

static bool commit_due(const struct mirror *mirror, int64_t now_us)
{
    const struct mirror_buffer *buffer = &mirror->buffer[mirror->gathering];
    if (buffer->used == 0) {
        return mirror->witness_due &&
               (now_us - mirror->durable_us >= MIRROR_COMMIT_US / 2 || now_us < mirror->durable_us);
    }
    /* A fast disk is not kept waiting for longer than it takes itself. */
    int64_t wait_us = mirror->write_us < MIRROR_COMMIT_US ? mirror->write_us : MIRROR_COMMIT_US;
    return buffer->used >= MIRROR_COMMIT_BYTES || now_us - buffer->since_us >= wait_us ||
           now_us < buffer->since_us;
}

static void buffer_reset(struct mirror_buffer *buffer)
{
    buffer->used = 0;
    buffer->crc = 0;
    buffer->crc_done = 0;
    buffer->waiter_count = 0;
}

/* Takes all that was gathered into one frame. */
static void commit_begin(struct mirror *mirror, int64_t now_us)
{
    struct mirror_buffer *buffer = &mirror->buffer[mirror->gathering];
    if (!segment_reserve(mirror, buffer, now_us)) {
        return;
    }
    if (buffer->used == 0) {
        buffer->first_lsn = mirror->durable_lsn + 1;
        buffer->last_lsn = mirror->durable_lsn;
        buffer->apply_us = now_us;
    }
    memcpy(buffer->forward_lsn, mirror->forward_lsn, sizeof(buffer->forward_lsn));
    mirror->gathering ^= 1;
    mirror->witness_due = false;
    frame_send(mirror, now_us);
}

/* Remembers what homes have to make durable before this frame is complete. */
static void pending_add(struct mirror *mirror, const struct mirror_buffer *buffer)
{
    if (mirror->pending_count == MIRROR_PENDING_MAX) {
        mirror->pending_count--; /* The newest two wait together. */
    }
    struct mirror_pending *pending = &mirror->pending[mirror->pending_count++];
    pending->lsn = buffer->last_lsn;
    memcpy(pending->forward_lsn, buffer->forward_lsn, sizeof(pending->forward_lsn));
}

static void frame_durable(struct mirror *mirror, int64_t now_us, mirror_on_durable *on_durable,
                          void *context)
{
    struct mirror_buffer *buffer = &mirror->buffer[mirror->gathering ^ 1];
    mirror->segment_offset = mirror->write_end;
    atomic_store_explicit(&mirror->shared.shared_segment_bytes, mirror->segment_offset,
                          memory_order_relaxed);
    mirror->chain_crc = mirror->write_frame_crc;
    mirror->write_us = now_us - mirror->write_start_us;
    mirror->broken_count = 0;
    mirror->again_count = 0;
    mirror->state = MIRROR_IDLE;
    mirror->durable_us = now_us;
    held_set(mirror, MIRROR_HELD_NONE);
    histogram_record(&mirror->shared.commit_ns, (uint64_t)(mirror->write_us * NS_PER_US), 1);
    atomic_store_explicit(&mirror->shared.shared_write_us, (uint64_t)mirror->write_us,
                          memory_order_relaxed);
    if (buffer->used > 0) {
        mirror->durable_lsn = buffer->last_lsn;
        mirror->witness_due = true;
        for (uint32_t i = 0; i < buffer->waiter_count; i++) {
            on_durable(context, &buffer->waiter[i]);
        }
        pending_add(mirror, buffer);
        atomic_store_explicit(&mirror->shared.shared_durable_us, buffer->apply_us,
                              memory_order_relaxed);
        /* Release L1, pairs with the acquires of checkpoints and owners: what is durable was
         * written before it is said. */
        atomic_store_explicit(&mirror->shared.shared_durable_lsn, mirror->durable_lsn,
                              memory_order_release);
    }
    buffer_reset(buffer);
}

/* The device or file failed: the frame goes to a new segment, under that one's chain. */
static void write_broken(struct mirror *mirror, int64_t now_us)
{
    mirror->broken_count++;
    mirror->state = MIRROR_RETRY;
    mirror->retry_us = now_us;
    mirror->again_count = 0;
    if (mirror->broken_count > 1 || !segment_seal(mirror, true)) {
        mirror->state = MIRROR_DEAD;
        held_set(mirror, MIRROR_HELD_DEAD);
    }
}

static void write_complete(struct mirror *mirror, int64_t outcome, int64_t now_us,
                           mirror_on_durable *on_durable, void *context)
{
    if (outcome == (int64_t)mirror->write_left) {
        frame_durable(mirror, now_us, on_durable, context);
        return;
    }
    mirror->state = MIRROR_RETRY;
    mirror->retry_us = now_us;
    if (outcome >= 0 && outcome < (int64_t)mirror->write_left) {
        /* The remainder; whole blocks, which is what the device takes. */
        uint32_t done = (uint32_t)outcome / MIRROR_BLOCK_BYTES * MIRROR_BLOCK_BYTES;
        mirror->write_data += done;
        mirror->write_left -= done;
        mirror->write_offset += done;
        mirror->again_count = done > 0 ? 0 : mirror->again_count + 1;
    } else if (outcome == DISK_OUTCOME_AGAIN) {
        mirror->again_count++;
    } else if (outcome == DISK_OUTCOME_FULL) {
        mirror->retry_us = now_us + MIRROR_RETRY_US;
        held_set(mirror, MIRROR_HELD_FULL);
        return;
    } else {
        write_broken(mirror, now_us);
        return;
    }
    if (mirror->again_count > MIRROR_AGAIN_MAX) {
        write_broken(mirror, now_us);
    }
}

/* Makes the write again: as it was, or as the first frame of a new segment. */
static void write_retry(struct mirror *mirror, int64_t now_us)
{
    if (mirror->segment != NULL) {
        write_submit(mirror, now_us);
        return;
    }
    const struct mirror_buffer *buffer = &mirror->buffer[mirror->gathering ^ 1];
    if (segment_reserve(mirror, buffer, now_us)) {
        frame_send(mirror, now_us);
    }
}

void mirror_turn(struct mirror *mirror, int64_t now_us, mirror_on_durable *on_durable,
                 void *context)
{
    if (!mirror->enabled || mirror->state == MIRROR_DEAD) {
        return;
    }
    gathered_checksum(mirror);
    struct disk_completion completion;
    if (mirror->state == MIRROR_FLYING && disk_queue_poll(mirror->queue, &completion)) {
        ASSERT(completion.tag == mirror->tag);
        write_complete(mirror, completion.outcome, now_us, on_durable, context);
    }
    if (mirror->state == MIRROR_RETRY && retry_due(mirror, now_us)) {
        write_retry(mirror, now_us);
    }
    if (mirror->state == MIRROR_IDLE && retry_due(mirror, now_us) && commit_due(mirror, now_us)) {
        commit_begin(mirror, now_us);
    }
}

static bool pending_is_met(const struct mirror *mirror, const struct mirror_pending *pending,
                           const uint64_t home_lsn[SHARDS_MAX])
{
    for (uint32_t home = 0; home < mirror->shard_count; home++) {
        if (pending->forward_lsn[home] > home_lsn[home]) {
            return false;
        }
    }
    return true;
}

void mirror_complete_turn(struct mirror *mirror, const uint64_t home_lsn[SHARDS_MAX])
{
    uint32_t done = 0;
    while (done < mirror->pending_count &&
           pending_is_met(mirror, &mirror->pending[done], home_lsn)) {
        /* Release L2, pairs with the acquire of a durable read. */
        atomic_store_explicit(&mirror->shared.shared_complete_lsn, mirror->pending[done].lsn,
                              memory_order_release);
        done++;
    }
    mirror->pending_count -= done;
    if (done > 0) {
        memmove(mirror->pending, mirror->pending + done,
                mirror->pending_count * sizeof(mirror->pending[0]));
    }
}
