#include "controlplane/corrections.h"

#include <string.h>

#include "dataplane/feature/key.h"
#include "dataplane/feature/text.h"
#include "drivers/memory.h"

#define RECORD_BYTES_MIN 40u

static enum result records_read(struct corrections *corrections, uint32_t count)
{
    uint64_t at = CORRECTION_HEAD_BYTES;
    if (count > corrections->size / RECORD_BYTES_MIN) {
        return RESULT_CORRUPT;
    }
    corrections->record = heap_alloc((count + 1) * sizeof(*corrections->record));
    corrections->item = heap_alloc((count + 1) * sizeof(*corrections->item));
    if (corrections->record == NULL || corrections->item == NULL) {
        return RESULT_NO_MEMORY;
    }
    enum result result = RESULT_OK;
    struct correction record;
    while ((result = correction_decode_record(corrections->data, corrections->size, &at,
                                              &record)) == RESULT_OK) {
        if (corrections->count == count) {
            return RESULT_CORRUPT;
        }
        corrections->record[corrections->count++] = record;
        if (record.kind != CORRECTION_REBUILT) {
            if (record.number != corrections->number_last + 1) {
                return RESULT_CORRUPT;
            }
            corrections->number_last = record.number;
            corrections->item[corrections->event_count++] = record;
        }
    }
    bool whole = result == RESULT_NOT_FOUND && corrections->count == count;
    correction_set_init(&corrections->set, corrections->item, corrections->event_count);
    return whole ? RESULT_OK : RESULT_CORRUPT;
}

enum result corrections_load(struct disk *disk, const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                             struct corrections *out_corrections)
{
    memset(out_corrections, 0, sizeof(*out_corrections));
    enum result result = disk_file_read_all(disk, CORRECTIONS_NAME, CORRECTION_FILE_BYTES_MAX,
                                            &out_corrections->data, &out_corrections->size);
    struct correction_head head;
    if (result == RESULT_OK) {
        result = correction_decode_head(out_corrections->data, out_corrections->size, &head);
        bool ours =
            result == RESULT_OK && memcmp(head.store_id, store_id, MIRROR_STORE_ID_BYTES) == 0;
        result = ours ? records_read(out_corrections, head.count) : RESULT_CORRUPT;
    }
    if (result == RESULT_NOT_FOUND) {
        return RESULT_OK;
    }
    if (result != RESULT_OK) {
        corrections_free(out_corrections);
    }
    return result;
}

void corrections_free(struct corrections *corrections)
{
    heap_free(corrections->data);
    heap_free(corrections->record);
    heap_free(corrections->item);
    memset(corrections, 0, sizeof(*corrections));
}

enum result corrections_append(struct disk *disk, const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                               const struct corrections *corrections,
                               const struct correction *record, uint32_t count)
{
    uint64_t size = corrections->data == NULL ? CORRECTION_HEAD_BYTES : corrections->size;
    if (corrections->count + (uint64_t)count > CORRECTIONS_COUNT_MAX) {
        return RESULT_NO_SPACE;
    }
    uint8_t *data = heap_alloc(size + (uint64_t)count * CORRECTION_RECORD_BYTES_MAX);
    if (data == NULL) {
        return RESULT_NO_MEMORY;
    }
    if (corrections->data != NULL) {
        memcpy(data, corrections->data, size);
    }
    for (uint32_t i = 0; i < count; i++) {
        size += correction_encode_record(&record[i], data + size);
    }
    enum result result = RESULT_NO_SPACE;
    if (size <= CORRECTION_FILE_BYTES_MAX) {
        correction_encode_head(store_id, corrections->count + count, data, (uint32_t)size);
        result = disk_file_replace(disk, CORRECTIONS_NAME, &(struct disk_piece){data, size}, 1);
    }
    heap_free(data);
    return result;
}

void correction_block(const struct schema *schema, const struct correction_event *event,
                      uint8_t *block)
{
    uint32_t size = schema_block_size_at(schema, event->version);
    text_block_clear(schema, block);
    memcpy(block, event->data, size < event->size ? size : event->size);
}

static void event_rows_add(const struct plan *plan, uint32_t stream,
                           const struct correction_event *event, struct row_set *rows)
{
    uint8_t block[EVENT_SIZE_MAX];
    uint8_t key[KEY_SIZE_MAX];
    const struct plan_stream *of = &plan->stream[stream];
    if (event->size == 0) {
        return;
    }
    correction_block(&of->schema, event, block);
    for (uint32_t v = 0; v < of->view_count; v++) {
        const struct plan_view *view = &plan->view[of->view[v]];
        uint32_t size = key_of_block(view, stream, &of->schema, block, key);
        if (size > 0) {
            row_set_add(rows, of->view[v], key, size);
        }
    }
}

/* Which of some records count. */
struct records {
    const struct correction *record;
    uint32_t count;
    const struct corrections *corrections; /* NULL: all of them. */
    uint32_t epoch;                        /* Else those that were corrected from it on. */
};

/* Index of the stream in the plan; -1: the record is about none of it, or does not count. */
static int record_stream(const struct records *records, uint32_t index, const struct plan *plan)
{
    const struct correction *record = &records->record[index];
    if (record->kind == CORRECTION_REBUILT) {
        return -1;
    }
    if (records->corrections != NULL) {
        const struct correction *newest =
            correction_find(&records->corrections->set, record->shard, record->lsn);
        if (newest == NULL || newest->epoch < records->epoch) {
            return -1;
        }
    }
    return plan_stream_find_id(plan, record->stream_id);
}

static enum result records_rows(const struct records *records, const struct plan *plan,
                                struct row_set *out_rows, void **out_memory)
{
    uint32_t rows = 0;
    uint64_t key_bytes = 0;
    *out_rows = (struct row_set){0};
    *out_memory = NULL;
    for (uint32_t i = 0; i < records->count; i++) {
        int stream = record_stream(records, i, plan);
        const struct plan_stream *of = stream < 0 ? NULL : &plan->stream[stream];
        rows += of == NULL ? 0 : 2 * of->view_count;
        for (uint32_t v = 0; of != NULL && v < of->view_count; v++) {
            key_bytes += 2 * (uint64_t)plan->view[of->view[v]].key_size_max;
        }
    }
    if (rows == 0) {
        return RESULT_OK;
    }
    *out_memory = key_bytes <= UINT32_MAX ? heap_alloc(row_set_footprint(rows, key_bytes)) : NULL;
    if (*out_memory == NULL) {
        return RESULT_NO_MEMORY;
    }
    row_set_init(out_rows, rows, *out_memory);
    for (uint32_t i = 0; i < records->count; i++) {
        int stream = record_stream(records, i, plan);
        if (stream >= 0) {
            event_rows_add(plan, (uint32_t)stream, &records->record[i].was, out_rows);
            event_rows_add(plan, (uint32_t)stream, &records->record[i].is, out_rows);
        }
    }
    return RESULT_OK;
}

enum result corrections_rows(const struct corrections *corrections, const struct plan *plan,
                             uint32_t epoch, struct row_set *out_rows, void **out_memory)
{
    const struct records records = {.record = corrections->record,
                                    .count = corrections->count,
                                    .corrections = corrections,
                                    .epoch = epoch};
    return records_rows(&records, plan, out_rows, out_memory);
}

enum result corrections_rows_of(const struct correction *record, uint32_t count,
                                const struct plan *plan, struct row_set *out_rows,
                                void **out_memory)
{
    const struct records records = {.record = record, .count = count};
    return records_rows(&records, plan, out_rows, out_memory);
}
