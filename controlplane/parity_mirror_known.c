/* The T from which on events of an export were known, in place of their homes'. */
#include <inttypes.h>
#include <string.h>

#include "controlplane/parity_known.h"
#include "controlplane/parity_mirror_inside.h"
#include "dataplane/base/hash.h"
#include "dataplane/feature/key.h"
#include "drivers/memory.h"

/* Rows of one statement. */
#define ROWS_MAX 4096u

static struct parity_known_event *event_push(struct parity_known_events *events)
{
    if (events->count == events->capacity) {
        uint32_t capacity = events->capacity == 0 ? 1024 : events->capacity * 2;
        struct parity_known_event *grown =
            heap_realloc(events->event, capacity * sizeof(*events->event));
        if (grown == NULL) {
            return NULL;
        }
        events->event = grown;
        events->capacity = capacity;
    }
    return &events->event[events->count++];
}

static void select_write(const struct parity_mirror *mirror, uint32_t view, uint32_t source,
                         struct buffer *out)
{
    const struct plan_view *v = &mirror->plan->view[view];
    buffer_text(out, "SELECT ");
    parity_id_write(v, out);
    buffer_text(out, " AS \"#id\", \"#shard\", \"#lsn\", \"#known\" FROM (SELECT \"#shard\", "
                     "\"#lsn\", \"#known\", ");
    parity_mirror_keys_write(mirror, view, plan_source_stream(v, source), true, out);
    buffer_format(out, " FROM \"#drawn_%" PRIu32 "\")", source);
}

/* The key's hash, of its id; ids of one key follow one another now and then. */
static uint64_t id_hash(const struct parity_mirror *mirror, uint32_t view, const char *id,
                        uint32_t size)
{
    uint8_t key[KEY_SIZE_MAX];
    uint32_t key_size = key_parse(mirror->plan, &mirror->plan->view[view], id, size, key);
    return hash_owner(key, key_size);
}

static enum result chunk_take(const struct parity_mirror *mirror, uint32_t view, uint32_t source,
                              const struct duckdb_column *column, const struct duckdb_chunk *chunk,
                              struct parity_known_events *events)
{
    for (uint32_t r = 0; r < chunk->rows; r++) {
        struct parity_known_event *event = event_push(events);
        if (event == NULL) {
            return RESULT_NO_MEMORY;
        }
        uint32_t size;
        const char *id = duckdb_value_text(&chunk->vector[0], r, &size);
        *event = (struct parity_known_event){
            .key_hash = id_hash(mirror, view, id, size),
            .shard = (uint16_t)duckdb_value_integer(&column[1], &chunk->vector[1], r),
            .lsn = (uint64_t)duckdb_value_integer(&column[2], &chunk->vector[2], r),
            .home_us = (int64_t)duckdb_value_integer(&column[3], &chunk->vector[3], r),
            .known_us = INT64_MAX,
            .source = (uint8_t)source};
    }
    return RESULT_OK;
}

static enum result events_read(struct parity_mirror *mirror, uint32_t view, uint32_t source,
                               struct parity_known_events *events,
                               char error[PARITY_ERROR_SIZE_MAX])
{
    struct buffer sql;
    struct duckdb_rows *rows;
    struct duckdb_chunk chunk = {.rows = 0};
    uint32_t unused;
    buffer_init(&sql, 0);
    select_write(mirror, view, source, &sql);
    enum result result = parity_mirror_rows_open(mirror, &sql, &rows, error);
    buffer_deinit(&sql);
    if (result != RESULT_OK) {
        return result;
    }
    const struct duckdb_column *column = duckdb_rows_columns(rows, &unused);
    do {
        result = parity_mirror_rows_next(mirror, rows, &chunk, error);
        if (result == RESULT_OK &&
            chunk_take(mirror, view, source, column, &chunk, events) != RESULT_OK) {
            result = parity_mirror_refuse(error, mirror, "the machine gave no memory");
        }
    } while (result == RESULT_OK && chunk.rows > 0);
    duckdb_rows_close(rows);
    return result;
}

/* A table "#moved" of events that were not known when their homes had them; null: never. */
static enum result moved_write(struct parity_mirror *mirror,
                               const struct parity_known_events *events,
                               char error[PARITY_ERROR_SIZE_MAX])
{
    struct buffer sql;
    buffer_init(&sql, 0);
    buffer_text(&sql, "CREATE OR REPLACE TEMP TABLE \"#moved\" (shard BIGINT, lsn UBIGINT, known "
                      "BIGINT)");
    enum result result = parity_mirror_run(mirror, &sql, error);
    uint32_t rows = 0;
    for (uint32_t i = 0; i < events->count && result == RESULT_OK; i++) {
        const struct parity_known_event *event = &events->event[i];
        if (event->known_us != event->home_us) {
            buffer_format(&sql, "%s(%u, %" PRIu64 ", ",
                          rows == 0 ? "INSERT INTO \"#moved\" VALUES " : ", ", event->shard,
                          event->lsn);
            buffer_format(&sql, event->known_us == INT64_MAX ? "NULL)" : "%" PRId64 ")",
                          event->known_us);
            rows++;
        }
        if (rows == ROWS_MAX || (rows > 0 && i + 1 == events->count)) {
            result = parity_mirror_run(mirror, &sql, error);
            rows = 0;
        }
    }
    buffer_deinit(&sql);
    return result;
}

static enum result drawn_move(struct parity_mirror *mirror, uint32_t source,
                              char error[PARITY_ERROR_SIZE_MAX])
{
    struct buffer sql;
    buffer_init(&sql, 0);
    buffer_format(
        &sql,
        "CREATE OR REPLACE TEMP TABLE \"#drawn_%" PRIu32
        "\" AS SELECT d.* REPLACE (CASE WHEN m.lsn IS NULL THEN d.\"#known\" ELSE m.known "
        "END AS \"#known\") FROM \"#drawn_%" PRIu32
        "\" d LEFT JOIN \"#moved\" m ON m.shard = d.\"#shard\" AND "
        "m.lsn = d.\"#lsn\"",
        source, source);
    enum result result = parity_mirror_run(mirror, &sql, error);
    buffer_deinit(&sql);
    return result;
}

enum result parity_mirror_known(struct parity_mirror *mirror, uint32_t view,
                                struct parity_known *known, int64_t *out_limit_us,
                                char error[PARITY_ERROR_SIZE_MAX])
{
    uint32_t sources = plan_source_count(&mirror->plan->view[view]);
    struct parity_known_events events = {.event = NULL};
    enum result result = RESULT_OK;
    for (uint32_t i = 0; i < sources && result == RESULT_OK; i++) {
        result = events_read(mirror, view, i, &events, error);
    }
    result =
        result == RESULT_OK ? parity_known_find(known, view, &events, out_limit_us, error) : result;
    result = result == RESULT_OK ? moved_write(mirror, &events, error) : result;
    for (uint32_t i = 0; i < sources && result == RESULT_OK; i++) {
        result = drawn_move(mirror, i, error);
    }
    heap_free(events.event);
    return result;
}
