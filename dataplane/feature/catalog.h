/* A catalog: what of a plan must be known to read data that was written under it. Kept in the log
 * (PLAN) and in each manifest. This comment is its specification; little-endian, strings are u8
 * length and bytes.
 *
 *   version u16 = 1 or 2 | streams u16 | views u16 | plan fingerprint u64
 *   per stream: id u16 | version u16 | time field u16 | fields u16 | fingerprint u64 | name
 *     per field: type u8 | scale u8 | unit u8 | optional u8 | id u16 | since u16 | size u16 | name
 *   per view:   version u16 | stream u16 (index above) | place u16 (among the stream's views)
 *               | fingerprint u64 | name | entity
 *     version 2:  count u8 of further streams, then for each: stream u16 | place u16
 *
 * Version 2 is written where some view has several streams. The first is the one above.
 * Streams and views stand in the order of their indices in the plan. Names are printable ASCII
 * without spaces; ids and names of streams, names and versions of views do not repeat. */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/view_set.h"

struct catalog_field {
    char name[NAME_SIZE_MAX];
    uint8_t type; /* enum field_type */
    uint8_t scale;
    uint8_t unit;
    uint8_t optional;
    uint16_t id;
    uint16_t since;
    uint16_t size;
};

struct catalog_stream {
    char name[NAME_SIZE_MAX];
    uint16_t id;
    uint16_t version;
    uint16_t time_field;
    uint16_t field_count;
    uint64_t fingerprint;
    struct catalog_field field[FIELDS_MAX];
};

struct catalog_source {
    uint16_t stream;
    uint16_t place;
};

struct catalog_view {
    char name[NAME_SIZE_MAX];
    char entity[NAME_SIZE_MAX];
    uint16_t version;
    uint16_t stream;
    uint16_t place;
    uint64_t fingerprint;
    uint16_t other_count;
    struct catalog_source other[SOURCES_MAX - 1];
};

struct catalog {
    uint64_t fingerprint;
    uint16_t stream_count;
    uint16_t view_count;
    struct catalog_stream stream[STREAMS_MAX];
    struct catalog_view view[VIEWS_MAX];
};

/* Bytes that any catalog fits in. */
#define CATALOG_BYTES_MAX                                                                          \
    (32u + STREAMS_MAX * (32u + NAME_SIZE_MAX + FIELDS_MAX * (16u + NAME_SIZE_MAX)) +              \
     VIEWS_MAX * (32u + 2u * NAME_SIZE_MAX + SOURCES_MAX * 4u))

void catalog_of_plan(const struct plan *plan, struct catalog *out_catalog);
/* Returns the bytes written; size is CATALOG_BYTES_MAX at least. */
uint32_t catalog_encode(const struct catalog *catalog, uint8_t *data, uint32_t size);
/* RESULT_OK, RESULT_TRUNCATED, RESULT_INVALID (a number beyond its limit, another version, bytes
 * left over). *out_catalog is written in any case: it is too large for the stack. */
MUST_USE enum result catalog_decode(const uint8_t *data, uint32_t size,
                                    struct catalog *out_catalog);

/* The schema that events of the stream are laid out by: every field optional, no rules. RESULT_OK,
 * RESULT_NO_SPACE (they are longer than an event may be). */
MUST_USE enum result catalog_schema(const struct catalog_stream *stream, struct schema *out_schema);

/* What became of the streams and views of old data under a new plan. */
#define CATALOG_GONE 0xffffu

struct catalog_map {
    uint16_t stream[STREAMS_MAX]; /* Old index to new one; CATALOG_GONE. */
    uint16_t view[VIEWS_MAX];     /* Old index to new one of the same fingerprint; CATALOG_GONE. */
    struct view_set new_views;    /* Views of the plan that have no rows in the old data. */
};

struct catalog_conflict {
    char stream[NAME_SIZE_MAX];
    char field[NAME_SIZE_MAX]; /* "" when it is not about one field. */
    const char *reason;        /* What changed and what is allowed, a constant sentence. */
};

/* Maps old data to the plan. RESULT_INVALID with the first conflict when records of a stream could
 * not be read any more: a stream's id, name, or a field's order, id, type, size, scale, unit or
 * `since` changed, the event time is another field, a field is gone, the version went down, or
 * fields were appended without a new version. A view whose name and
 * version are the same but whose meaning changed (another fingerprint) counts as new, and
 * out_changed (old views) says so. */
MUST_USE enum result catalog_match(const struct catalog *old, const struct plan *plan,
                                   struct catalog_map *out_map, struct view_set *out_changed,
                                   struct catalog_conflict *out_conflict);
