#include "controlplane/backfill_note.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"
#include "dataplane/base/checksum.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

#define CRC_OFFSET  12u
#define SIZE_OFFSET 32u
#define HEAD_BYTES  64u
/* No text is shorter: sizes of its name and of itself. */
#define TEXT_BYTES_MIN 6u

#define PLACE_BYTES      96u
#define PLACE_SPAN_BYTES 17u
#define LOG_BYTES        16u
#define STAND_BYTES      32u

void backfill_place_free(struct backfill_place *place)
{
    if (place != NULL) {
        heap_free(place->catalog);
        heap_free(place);
    }
}

struct backfill_place *backfill_place_copy(const struct backfill_place *place)
{
    struct backfill_place *copy = heap_alloc(sizeof(*copy));
    uint8_t *catalog = heap_alloc((uint64_t)place->catalog_size + 1);
    if (copy == NULL || catalog == NULL) {
        heap_free(copy);
        heap_free(catalog);
        return NULL;
    }
    *copy = *place;
    copy->catalog = catalog;
    memcpy(catalog, place->catalog, place->catalog_size);
    return copy;
}

void backfill_note_free(struct backfill_note *note)
{
    backfill_place_free(note->place);
    heap_free(note->view);
    config_texts_free(&note->texts);
    *note = (struct backfill_note){0};
}

/* Bytes that the note fits in. */
static uint64_t note_bytes_max(const struct backfill_note *note)
{
    uint64_t bytes = 256 + (uint64_t)note->view_count * (NAME_SIZE_MAX + 48);
    for (uint32_t i = 0; i < note->texts.count; i++) {
        bytes += TEXT_BYTES_MIN + strlen(note->texts.text[i].name) + note->texts.text[i].size;
    }
    if (note->place != NULL) {
        uint64_t streams = note->stream_count * sizeof(int64_t);
        bytes += PLACE_BYTES + note->place->catalog_size +
                 (uint64_t)note->view_count * PLACE_SPAN_BYTES +
                 note->place->log_count * (LOG_BYTES + streams) +
                 note->shard_count * (STAND_BYTES + streams) + streams;
    }
    return bytes;
}

static void name_write(struct bytes_writer *writer, const char *name)
{
    uint32_t length = (uint32_t)strlen(name);
    ASSERT(length < NAME_SIZE_MAX);
    bytes_write_u8(writer, (uint8_t)length);
    bytes_write(writer, name, length);
}

static void head_write(struct bytes_writer *writer, const struct backfill_note *note)
{
    bytes_write_u64(writer, BACKFILL_NOTE_MAGIC);
    bytes_write_u32(writer, BACKFILL_NOTE_VERSION);
    bytes_write_u32(writer, 0);
    bytes_write(writer, note->store_id, MIRROR_STORE_ID_BYTES);
    bytes_write_u32(writer, 0); /* Known at the end. */
    bytes_write_u32(writer, note->shard_count);
    bytes_write_u64(writer, note->rate);
    bytes_write_i64(writer, note->begin_us);
    bytes_write_u32(writer, note->starts);
    bytes_write_u16(writer, note->stream_count);
    bytes_write_u16(writer, note->view_count);
    ASSERT(writer->failed || writer->at == HEAD_BYTES);
    name_write(writer, note->asked);
}

static void texts_write(struct bytes_writer *writer, const struct config_texts *texts)
{
    bytes_write_u16(writer, (uint16_t)texts->count);
    for (uint32_t i = 0; i < texts->count; i++) {
        const struct config_text *text = &texts->text[i];
        uint32_t length = (uint32_t)strlen(text->name);
        bytes_write_u16(writer, (uint16_t)length);
        bytes_write(writer, text->name, length);
        bytes_write_u32(writer, (uint32_t)text->size);
        bytes_write(writer, text->text, (uint32_t)text->size);
    }
}

static void streams_write(struct bytes_writer *writer, const int64_t *us, uint32_t count)
{
    for (uint32_t s = 0; s < count; s++) {
        bytes_write_i64(writer, us[s]);
    }
}

static void stand_write(struct bytes_writer *writer, const struct backfill_stand *stand,
                        uint32_t stream_count)
{
    bytes_write_u16(writer, (uint16_t)stand->filling.home);
    streams_write(writer, stand->filling.fold_us, stream_count);
    bytes_write_u32(writer, stand->rows.block_count);
    bytes_write_u64(writer, stand->rows.row_count);
    bytes_write_u64(writer, stand->rows.size);
    bytes_write_u32(writer, stand->rows.crc);
}

static void place_write(struct bytes_writer *writer, const struct backfill_note *note)
{
    const struct backfill_place *place = note->place;
    bytes_write_u8(writer, place != NULL);
    if (place == NULL) {
        return;
    }
    bytes_write_u64(writer, place->plan);
    bytes_write_u64(writer, place->corrections);
    bytes_write_u64(writer, place->generation);
    bytes_write_u64(writer, place->bytes_done);
    bytes_write_u32(writer, place->begins);
    bytes_write_u32(writer, place->epoch);
    bytes_write_u16(writer, place->log_count);
    bytes_write_u16(writer, place->shard);
    bytes_write_i64(writer, place->turn_us);
    streams_write(writer, place->turn_watermark_us, note->stream_count);
    bytes_write_u32(writer, place->catalog_size);
    bytes_write(writer, place->catalog, place->catalog_size);
    for (uint32_t v = 0; v < note->view_count; v++) {
        bytes_write_u8(writer, place->history[v].some);
        bytes_write_i64(writer, place->history[v].oldest_us);
        bytes_write_i64(writer, place->history[v].newest_us);
    }
    for (uint32_t i = 0; i < place->log_count; i++) {
        bytes_write_u64(writer, place->log[i].done_lsn);
        bytes_write_u8(writer, place->log[i].planned);
        streams_write(writer, place->log[i].watermark_us, note->stream_count);
    }
    for (uint32_t i = 0; i < note->shard_count; i++) {
        stand_write(writer, &place->stand[i], note->stream_count);
    }
}

uint8_t *backfill_note_encode(const struct backfill_note *note, uint32_t *out_size)
{
    uint64_t most = note_bytes_max(note);
    uint8_t *data = most <= BACKFILL_NOTE_BYTES_MAX && note->texts.count <= UINT16_MAX
                        ? heap_alloc(most)
                        : NULL;
    if (data == NULL) {
        return NULL;
    }
    struct bytes_writer writer = bytes_writer_of(data, (uint32_t)most);
    head_write(&writer, note);
    for (uint32_t v = 0; v < note->view_count; v++) {
        name_write(&writer, note->view[v].name);
        bytes_write_u16(&writer, note->view[v].version);
        bytes_write_u64(&writer, note->view[v].fingerprint);
    }
    texts_write(&writer, &note->texts);
    place_write(&writer, note);
    ASSERT(bytes_write_finish(&writer) == RESULT_OK);
    memcpy(data + SIZE_OFFSET, &writer.at, sizeof(writer.at));
    uint32_t crc = checksum_crc32c_around(data, writer.at, CRC_OFFSET);
    memcpy(data + CRC_OFFSET, &crc, sizeof(crc));
    *out_size = writer.at;
    return data;
}

/* A name that is none fails the reader. */
static void name_read(struct bytes_reader *reader, char name[NAME_SIZE_MAX])
{
    uint8_t length = bytes_read_u8(reader);
    const uint8_t *text = bytes_read_view(reader, length);
    bool good =
        text != NULL && length > 0 && length < NAME_SIZE_MAX && memchr(text, '\0', length) == NULL;
    memset(name, 0, NAME_SIZE_MAX);
    if (good) {
        memcpy(name, text, length);
    }
    reader->failed = reader->failed || !good;
}

static enum result views_read(struct bytes_reader *reader, struct backfill_note *note)
{
    note->view = heap_alloc((note->view_count + 1) * sizeof(*note->view));
    if (note->view == NULL) {
        return RESULT_NO_MEMORY;
    }
    memset(note->view, 0, (note->view_count + 1) * sizeof(*note->view));
    for (uint32_t v = 0; v < note->view_count; v++) {
        name_read(reader, note->view[v].name);
        note->view[v].version = bytes_read_u16(reader);
        note->view[v].fingerprint = bytes_read_u64(reader);
    }
    return RESULT_OK;
}

static enum result text_read(struct bytes_reader *reader, struct backfill_note *note)
{
    char name[CONFIG_PATH_SIZE_MAX] = "";
    uint16_t length = bytes_read_u16(reader);
    const uint8_t *path = bytes_read_view(reader, length);
    uint32_t size = bytes_read_u32(reader);
    const uint8_t *text = bytes_read_view(reader, size);
    if (text == NULL || length >= sizeof(name) || memchr(path, '\0', length) != NULL) {
        reader->failed = true;
        return RESULT_OK;
    }
    memcpy(name, path, length);
    return config_texts_add(&note->texts, name, (const char *)text, size) ? RESULT_OK
                                                                          : RESULT_NO_MEMORY;
}

static enum result texts_read(struct bytes_reader *reader, struct backfill_note *note)
{
    uint16_t count = bytes_read_u16(reader);
    enum result result = RESULT_OK;
    for (uint32_t i = 0; result == RESULT_OK && !reader->failed && i < count; i++) {
        result = text_read(reader, note);
    }
    return result;
}

static bool bool_read(struct bytes_reader *reader)
{
    uint8_t value = bytes_read_u8(reader);
    reader->failed = reader->failed || value > 1;
    return value == 1;
}

/* Streams that there are not have none. */
static void streams_read(struct bytes_reader *reader, int64_t us[STREAMS_MAX], uint32_t count)
{
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        us[s] = s < count ? bytes_read_i64(reader) : INT64_MIN;
    }
}

static void stand_read(struct bytes_reader *reader, const struct backfill_note *note,
                       uint32_t shard, struct backfill_stand *stand)
{
    stand->filling.home = bytes_read_u16(reader);
    streams_read(reader, stand->filling.fold_us, note->stream_count);
    stand->rows = (struct manifest_file){.kind = TILE_ROWS};
    stand->rows.block_count = bytes_read_u32(reader);
    stand->rows.row_count = bytes_read_u64(reader);
    stand->rows.size = bytes_read_u64(reader);
    stand->rows.crc = bytes_read_u32(reader);
    tile_filled_name_format(note->place->generation, shard, stand->rows.name);
    reader->failed = reader->failed || stand->filling.home > SHARDS_MAX;
}

static void place_content_read(struct bytes_reader *reader, struct backfill_note *note)
{
    struct backfill_place *place = note->place;
    for (uint32_t v = 0; v < note->view_count; v++) {
        place->history[v].some = bool_read(reader);
        place->history[v].oldest_us = bytes_read_i64(reader);
        place->history[v].newest_us = bytes_read_i64(reader);
    }
    for (uint32_t i = 0; i < place->log_count; i++) {
        place->log[i].done_lsn = bytes_read_u64(reader);
        place->log[i].planned = bool_read(reader);
        streams_read(reader, place->log[i].watermark_us, note->stream_count);
    }
    for (uint32_t i = 0; i < note->shard_count; i++) {
        stand_read(reader, note, i, &place->stand[i]);
    }
}

static enum result place_read(struct bytes_reader *reader, struct backfill_note *note)
{
    if (!bool_read(reader) || reader->failed) {
        return RESULT_OK;
    }
    struct backfill_place *place = heap_alloc(sizeof(*place));
    if (place == NULL) {
        return RESULT_NO_MEMORY;
    }
    memset(place, 0, sizeof(*place));
    note->place = place;
    place->plan = bytes_read_u64(reader);
    place->corrections = bytes_read_u64(reader);
    place->generation = bytes_read_u64(reader);
    place->bytes_done = bytes_read_u64(reader);
    place->begins = bytes_read_u32(reader);
    place->epoch = bytes_read_u32(reader);
    place->log_count = bytes_read_u16(reader);
    place->shard = bytes_read_u16(reader);
    place->turn_us = bytes_read_i64(reader);
    streams_read(reader, place->turn_watermark_us, note->stream_count);
    place->catalog_size = bytes_read_u32(reader);
    const uint8_t *catalog = bytes_read_view(reader, place->catalog_size);
    if (catalog == NULL || place->log_count > SHARDS_MAX || place->shard >= place->log_count) {
        reader->failed = true;
        return RESULT_OK;
    }
    place->catalog = heap_alloc((uint64_t)place->catalog_size + 1);
    if (place->catalog == NULL) {
        return RESULT_NO_MEMORY;
    }
    memcpy(place->catalog, catalog, place->catalog_size);
    place_content_read(reader, note);
    return RESULT_OK;
}

static enum result content_read(struct bytes_reader *reader, struct backfill_note *note)
{
    bool good = note->shard_count > 0 && note->shard_count <= SHARDS_MAX &&
                note->stream_count <= STREAMS_MAX && note->view_count <= VIEWS_MAX;
    if (!good) {
        return RESULT_INVALID;
    }
    name_read(reader, note->asked);
    enum result result = views_read(reader, note);
    result = result == RESULT_OK ? texts_read(reader, note) : result;
    result = result == RESULT_OK ? place_read(reader, note) : result;
    bool whole = !reader->failed && bytes_left(reader) == 0;
    return result == RESULT_OK && !whole ? RESULT_INVALID : result;
}

enum result backfill_note_decode(const uint8_t *data, uint32_t size, struct backfill_note *out_note)
{
    struct bytes_reader reader = bytes_reader_of(data, size);
    uint64_t magic = bytes_read_u64(&reader);
    uint32_t version = bytes_read_u32(&reader);
    if (!reader.failed && (magic != BACKFILL_NOTE_MAGIC || version != BACKFILL_NOTE_VERSION)) {
        return RESULT_INVALID;
    }
    *out_note = (struct backfill_note){0};
    uint32_t crc = bytes_read_u32(&reader);
    const uint8_t *store_id = bytes_read_view(&reader, MIRROR_STORE_ID_BYTES);
    uint32_t file_size = bytes_read_u32(&reader);
    out_note->shard_count = bytes_read_u32(&reader);
    out_note->rate = bytes_read_u64(&reader);
    out_note->begin_us = bytes_read_i64(&reader);
    out_note->starts = bytes_read_u32(&reader);
    out_note->stream_count = bytes_read_u16(&reader);
    out_note->view_count = bytes_read_u16(&reader);
    if (reader.failed || file_size > size) {
        return RESULT_TRUNCATED;
    }
    if (file_size != size || checksum_crc32c_around(data, size, CRC_OFFSET) != crc) {
        return RESULT_CORRUPT;
    }
    memcpy(out_note->store_id, store_id, MIRROR_STORE_ID_BYTES);
    enum result result = content_read(&reader, out_note);
    if (result != RESULT_OK) {
        backfill_note_free(out_note);
    }
    return result;
}

enum result backfill_note_read(struct disk *disk, struct backfill_note *out_note)
{
    uint8_t *data;
    uint64_t size;
    *out_note = (struct backfill_note){0};
    enum result result =
        disk_file_read_all(disk, BACKFILL_NOTE_NAME, BACKFILL_NOTE_BYTES_MAX, &data, &size);
    if (result == RESULT_OK) {
        result = backfill_note_decode(data, (uint32_t)size, out_note);
        heap_free(data);
    }
    return result;
}

enum result backfill_note_write(struct disk *disk, const struct backfill_note *note)
{
    uint32_t size = 0;
    uint8_t *data = backfill_note_encode(note, &size);
    if (data == NULL) {
        return RESULT_NO_MEMORY;
    }
    const struct disk_piece piece = {.data = data, .size = size};
    enum result result = disk_file_replace(disk, BACKFILL_NOTE_NAME, &piece, 1);
    heap_free(data);
    return result;
}

enum result backfill_note_remove(struct disk *disk)
{
    enum result result = disk_remove(disk, BACKFILL_NOTE_NAME);
    return result == RESULT_OK          ? disk_folder_sync(disk, "")
           : result == RESULT_NOT_FOUND ? RESULT_OK
                                        : result;
}
