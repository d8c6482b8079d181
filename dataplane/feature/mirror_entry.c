#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/feature/mirror_format.h"

#define ENTRY_BYTES_MAX ((uint32_t)MIRROR_FRAME_BYTES_MAX - MIRROR_FRAME_HEADER)
#define ENTRY_ALIGN     8u
#define MESSAGE_FLAGS   (MIRROR_MESSAGE_FLAG_ACKED | MIRROR_MESSAGE_FLAG_TEXT)
#define CUT_BYTES       8u
#define PLAN_FLAGS      (MIRROR_PLAN_FLAG_UNROUTED | MIRROR_PLAN_FLAG_REPEATED)

static const char *const verdict_names[UINT8_MAX + 1] = {
#define VERDICT(name, number) [number] = #name,
#include "dataplane/feature/verdicts.def"
#undef VERDICT
};

const char *verdict_name(uint8_t reason)
{
    return verdict_names[reason];
}

bool mirror_entry_is_history(const struct mirror_entry *entry)
{
    uint8_t reason = VERDICT_event_late;
    for (uint32_t i = 0;
         i < entry->event_count && reason != VERDICT_applied && reason != VERDICT_event_history;
         i++) {
        reason = verdict_reason(mirror_entry_verdict(entry, i));
    }
    return reason == VERDICT_event_history;
}

bool verdict_is_of_rule(uint8_t reason)
{
    static const bool of_rule[UINT8_MAX + 1] = {
#define RULE(name, reason) [VERDICT_##reason] = true,
#include "dataplane/feature/rules.def"
#undef RULE
    };
    return of_rule[reason];
}

/* Bytes that the parts behind a message's fixed part take. */
static uint64_t message_content_bytes(const struct mirror_entry *entry)
{
    return (uint64_t)entry->event_count * (sizeof(uint32_t) + entry->event_stride);
}

static bool message_is_good(const struct mirror_entry *entry)
{
    return (entry->flags & ~MESSAGE_FLAGS) == 0 && entry->stream_id <= STREAM_ID_MAX &&
           entry->event_stride <= MESSAGE_SIZE_MAX &&
           message_content_bytes(entry) <= ENTRY_BYTES_MAX - MIRROR_MESSAGE_HEADER;
}

static bool forward_is_good(const struct mirror_entry *entry)
{
    return entry->flags == 0 && entry->stream_id <= STREAM_ID_MAX && entry->home < SHARDS_MAX &&
           entry->views != 0 && entry->views >> VIEWS_PER_STREAM_MAX == 0 &&
           entry->event_stride > 0 && entry->event_stride <= MESSAGE_SIZE_MAX;
}

static bool note_is_good(const struct mirror_entry *entry)
{
    uint8_t known = entry->kind == MIRROR_PLAN ? PLAN_FLAGS : 0;
    bool good = (entry->flags & ~known) == 0 && entry->stream_id == 0 &&
                entry->note_size <= ENTRY_BYTES_MAX - MIRROR_NOTE_HEADER;
    if (entry->kind == MIRROR_EPOCH) {
        good = good && entry->epoch > 0 && entry->epoch < lsn_epoch(entry->lsn) &&
               entry->shard_count <= SHARDS_MAX &&
               entry->note_size == entry->shard_count * CUT_BYTES;
    }
    return good;
}

/* What is left of an entry is zeros, and less than the step of its size. */
static bool padding_is_good(struct bytes_reader *reader)
{
    static const uint8_t zeros[ENTRY_ALIGN];
    uint32_t left = bytes_left(reader);
    return !reader->failed && left < ENTRY_ALIGN &&
           memcmp(reader->data + reader->at, zeros, left) == 0;
}

static bool verdicts_are_known(const uint8_t *verdicts, uint32_t count)
{
    bool known = true;
    for (uint32_t i = 0; i < count; i++) {
        known &= verdict_names[verdicts[(uint64_t)i * sizeof(uint32_t)]] != NULL;
    }
    return known;
}

static bool message_read(struct bytes_reader *reader, struct mirror_entry *entry)
{
    entry->producer = bytes_read_u64(reader);
    entry->sequence = bytes_read_u64(reader);
    entry->incarnation = bytes_read_u32(reader);
    entry->lane = bytes_read_u16(reader);
    entry->version = bytes_read_u16(reader);
    entry->event_count = bytes_read_u16(reader);
    entry->event_stride = bytes_read_u16(reader);
    entry->place = bytes_read_u32(reader);
    entry->lsn_count = entry->event_count > 0 ? entry->event_count : 1;
    if (reader->failed || !message_is_good(entry)) {
        return false;
    }
    entry->verdicts = bytes_read_view(reader, entry->event_count * (uint32_t)sizeof(uint32_t));
    entry->events = bytes_read_view(reader, (uint32_t)entry->event_count * entry->event_stride);
    return !reader->failed && verdicts_are_known(entry->verdicts, entry->event_count);
}

static bool forward_read(struct bytes_reader *reader, struct mirror_entry *entry)
{
    entry->home_lsn = bytes_read_u64(reader);
    entry->order = bytes_read_u64(reader);
    entry->home = bytes_read_u16(reader);
    entry->version = bytes_read_u16(reader);
    entry->event_stride = bytes_read_u16(reader);
    uint16_t zero = bytes_read_u16(reader);
    entry->views = bytes_read_u32(reader);
    entry->verdicts = bytes_read_view(reader, sizeof(uint32_t));
    entry->events = bytes_read_view(reader, entry->event_stride);
    entry->event_count = 1;
    entry->lsn_count = 1;
    return !reader->failed && zero == 0 && forward_is_good(entry) &&
           verdicts_are_known(entry->verdicts, 1);
}

static bool note_read(struct bytes_reader *reader, struct mirror_entry *entry)
{
    uint32_t first = bytes_read_u32(reader);
    uint32_t second = bytes_read_u32(reader);
    bool plan = entry->kind == MIRROR_PLAN;
    entry->epoch = plan ? 0 : first;
    entry->shard_count = plan ? 0 : second;
    if (!plan && second > SHARDS_MAX) {
        return false;
    }
    entry->note_size = plan ? first : second * CUT_BYTES;
    entry->note = bytes_read_view(reader, entry->note_size);
    entry->lsn_count = plan && mirror_plan_is_repeated(entry) ? 0 : 1;
    return !reader->failed && (!plan || second == 0) && note_is_good(entry);
}

static bool entry_read(struct bytes_reader *reader, struct mirror_entry *entry)
{
    switch ((uint32_t)entry->kind) {
    case MIRROR_MESSAGE:
        return message_read(reader, entry);
    case MIRROR_FORWARD:
        return forward_read(reader, entry);
    case MIRROR_PLAN:
    case MIRROR_EPOCH:
        return note_read(reader, entry);
    default:
        return false;
    }
}

enum result mirror_entry_decode(const uint8_t *entries, uint32_t size, uint32_t *at,
                                struct mirror_entry *out_entry)
{
    ASSERT(*at <= size);
    if (*at == size) {
        return RESULT_NOT_FOUND;
    }
    struct bytes_reader whole = bytes_reader_of(entries + *at, size - *at);
    uint32_t entry_size = bytes_read_u32(&whole);
    if (whole.failed || entry_size % ENTRY_ALIGN != 0 || entry_size > size - *at) {
        return RESULT_CORRUPT;
    }
    struct bytes_reader reader = bytes_reader_of(entries + *at, entry_size);
    struct mirror_entry entry = {.size = bytes_read_u32(&reader)};
    entry.kind = (enum mirror_kind)bytes_read_u8(&reader);
    entry.flags = bytes_read_u8(&reader);
    entry.stream_id = bytes_read_u16(&reader);
    entry.apply_us = bytes_read_i64(&reader);
    entry.lsn = bytes_read_u64(&reader);
    if (!entry_read(&reader, &entry) || !padding_is_good(&reader)) {
        return RESULT_CORRUPT;
    }
    *out_entry = entry;
    *at += entry_size;
    return RESULT_OK;
}

static struct bytes_writer entry_begin(const struct mirror_entry *entry, uint32_t size,
                                       uint8_t *out)
{
    struct bytes_writer writer = bytes_writer_of(out, size);
    bytes_write_u32(&writer, size);
    bytes_write_u8(&writer, (uint8_t)entry->kind);
    bytes_write_u8(&writer, entry->flags);
    bytes_write_u16(&writer, entry->stream_id);
    bytes_write_i64(&writer, entry->apply_us);
    bytes_write_u64(&writer, entry->lsn);
    return writer;
}

static uint32_t entry_finish(struct bytes_writer *writer)
{
    static const uint8_t zeros[ENTRY_ALIGN];
    bytes_write(writer, zeros, writer->size - writer->at);
    ASSERT(bytes_write_finish(writer) == RESULT_OK);
    return writer->size;
}

uint32_t mirror_message_encode(const struct mirror_entry *entry, uint8_t *out)
{
    ASSERT(entry->kind == MIRROR_MESSAGE);
    ASSERT(message_is_good(entry));
    uint32_t size = mirror_message_bytes(entry->event_count, entry->event_stride);
    uint32_t verdict_bytes = entry->event_count * (uint32_t)sizeof(uint32_t);
    struct bytes_writer writer = entry_begin(entry, size, out);
    bytes_write_u64(&writer, entry->producer);
    bytes_write_u64(&writer, entry->sequence);
    bytes_write_u32(&writer, entry->incarnation);
    bytes_write_u16(&writer, entry->lane);
    bytes_write_u16(&writer, entry->version);
    bytes_write_u16(&writer, entry->event_count);
    bytes_write_u16(&writer, entry->event_stride);
    bytes_write_u32(&writer, entry->place);
    memset(out + writer.at, 0, verdict_bytes);
    writer.at += verdict_bytes;
    bytes_write(&writer, entry->events, (uint32_t)entry->event_count * entry->event_stride);
    return entry_finish(&writer);
}

uint32_t mirror_forward_encode(const struct mirror_entry *entry, uint8_t *out)
{
    ASSERT(entry->kind == MIRROR_FORWARD);
    ASSERT(forward_is_good(entry));
    struct bytes_writer writer = entry_begin(entry, mirror_forward_bytes(entry->event_stride), out);
    bytes_write_u64(&writer, entry->home_lsn);
    bytes_write_u64(&writer, entry->order);
    bytes_write_u16(&writer, entry->home);
    bytes_write_u16(&writer, entry->version);
    bytes_write_u16(&writer, entry->event_stride);
    bytes_write_u16(&writer, 0);
    bytes_write_u32(&writer, entry->views);
    bytes_write_u32(&writer, verdict_of(VERDICT_applied, 0, 0));
    bytes_write(&writer, entry->events, entry->event_stride);
    return entry_finish(&writer);
}

uint32_t mirror_note_bytes(enum mirror_kind kind, uint32_t note_size)
{
    ASSERT(kind == MIRROR_PLAN || kind == MIRROR_EPOCH);
    return (uint32_t)align_up(MIRROR_NOTE_HEADER + (uint64_t)note_size, ENTRY_ALIGN);
}

uint32_t mirror_note_encode(const struct mirror_entry *entry, uint8_t *out)
{
    ASSERT(note_is_good(entry));
    uint32_t size = mirror_note_bytes(entry->kind, entry->note_size);
    bool plan = entry->kind == MIRROR_PLAN;
    struct bytes_writer writer = entry_begin(entry, size, out);
    bytes_write_u32(&writer, plan ? entry->note_size : entry->epoch);
    bytes_write_u32(&writer, plan ? 0 : entry->shard_count);
    bytes_write(&writer, entry->note, entry->note_size);
    return entry_finish(&writer);
}
