#include "dataplane/feature/catalog.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/bytes.h"

#define CATALOG_VERSION         1u
#define CATALOG_VERSION_SOURCES 2u /* Some view has several streams. */

/* A name ends within its array and has what can be printed. */
static bool name_is_good(const char *name)
{
    size_t length = strnlen(name, NAME_SIZE_MAX);
    for (size_t i = 0; i < length; i++) {
        if (name[i] <= ' ' || name[i] > '~') {
            return false;
        }
    }
    return length > 0 && length < NAME_SIZE_MAX;
}

static bool field_is_good(const struct catalog_field *field, const struct catalog_stream *stream)
{
    if (field->type >= FIELD_TYPE_COUNT) {
        return false;
    }
    uint16_t size = field_type_size((enum field_type)field->type);
    bool sized = size > 0 ? field->size == size : field->size > 0 && field->size <= STRING_SIZE_MAX;
    return sized && name_is_good(field->name) && field->scale <= SCALE_MAX &&
           field->unit <= TIME_UNIT_ns && field->optional <= 1 && field->since > 0 &&
           field->since <= stream->version;
}

static bool stream_is_good(const struct catalog *catalog, uint32_t index)
{
    const struct catalog_stream *stream = &catalog->stream[index];
    if (!name_is_good(stream->name) || stream->id > STREAM_ID_MAX || stream->version == 0 ||
        stream->field_count > FIELDS_MAX || stream->time_field >= stream->field_count) {
        return false;
    }
    uint32_t block_size = 0;
    for (uint32_t i = 0; i < stream->field_count; i++) {
        if (!field_is_good(&stream->field[i], stream)) {
            return false;
        }
        block_size += stream->field[i].size;
    }
    for (uint32_t i = 0; i < index; i++) {
        if (catalog->stream[i].id == stream->id ||
            strcmp(catalog->stream[i].name, stream->name) == 0) {
            return false;
        }
    }
    return block_size <= EVENT_SIZE_MAX;
}

/* Source i of a view, its first one included. */
static struct catalog_source source_of(const struct catalog_view *view, uint32_t i)
{
    return i == 0 ? (struct catalog_source){view->stream, view->place} : view->other[i - 1];
}

static bool view_reads(const struct catalog_view *view, uint32_t stream)
{
    bool reads = false;
    for (uint32_t i = 0; i <= view->other_count; i++) {
        reads = reads || source_of(view, i).stream == stream;
    }
    return reads;
}

/* A view's place counts the views of its stream before it, as plan_finish() numbers them. */
static bool source_is_good(const struct catalog *catalog, uint32_t index, uint32_t i)
{
    struct catalog_source source = source_of(&catalog->view[index], i);
    uint32_t place = 0;
    for (uint32_t v = 0; v < index; v++) {
        place += view_reads(&catalog->view[v], source.stream);
    }
    for (uint32_t before = 0; before < i; before++) {
        if (source_of(&catalog->view[index], before).stream == source.stream) {
            return false;
        }
    }
    return source.stream < catalog->stream_count && source.place == place &&
           place < VIEWS_PER_STREAM_MAX;
}

static bool view_is_good(const struct catalog *catalog, uint32_t index)
{
    const struct catalog_view *view = &catalog->view[index];
    if (!name_is_good(view->name) || !name_is_good(view->entity) || view->version == 0 ||
        view->other_count >= SOURCES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < index; i++) {
        const struct catalog_view *other = &catalog->view[i];
        if (other->version == view->version && strcmp(other->name, view->name) == 0) {
            return false;
        }
    }
    bool good = true;
    for (uint32_t i = 0; good && i <= view->other_count; i++) {
        good = source_is_good(catalog, index, i);
    }
    return good;
}

static bool catalog_is_good(const struct catalog *catalog)
{
    if (catalog->stream_count > STREAMS_MAX || catalog->view_count > VIEWS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < catalog->stream_count; i++) {
        if (!stream_is_good(catalog, i)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < catalog->view_count; i++) {
        if (!view_is_good(catalog, i)) {
            return false;
        }
    }
    return true;
}

static void stream_of_plan(const struct plan_stream *stream, struct catalog_stream *out)
{
    const struct schema *schema = &stream->schema;
    memcpy(out->name, schema->name, NAME_SIZE_MAX);
    out->id = schema->id;
    out->version = schema->version;
    out->time_field = schema->time_field;
    out->field_count = schema->field_count;
    out->fingerprint = stream->fingerprint;
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const struct schema_field *field = &schema->field[i];
        out->field[i] = (struct catalog_field){.type = (uint8_t)field->type,
                                               .scale = field->scale,
                                               .unit = (uint8_t)field->unit,
                                               .optional = field->optional,
                                               .id = field->id,
                                               .since = field->since,
                                               .size = field->size};
        memcpy(out->field[i].name, field->name, NAME_SIZE_MAX);
    }
}

static uint16_t place_of_plan(const struct plan_stream *stream, uint32_t view)
{
    uint16_t place = 0;
    while (stream->view[place] != view) {
        place++;
        ASSERT(place < stream->view_count);
    }
    return place;
}

static void sources_of_plan(const struct plan *plan, uint32_t index, struct catalog_view *out)
{
    const struct plan_view *view = &plan->view[index];
    out->stream = view->stream;
    out->place = place_of_plan(&plan->stream[view->stream], index);
    out->other_count = view->other_count;
    for (uint32_t i = 0; i < view->other_count; i++) {
        uint16_t stream = view->other[i].stream;
        out->other[i] =
            (struct catalog_source){stream, place_of_plan(&plan->stream[stream], index)};
    }
}

void catalog_of_plan(const struct plan *plan, struct catalog *out_catalog)
{
    memset(out_catalog, 0, sizeof(*out_catalog));
    out_catalog->fingerprint = plan->fingerprint;
    out_catalog->stream_count = plan->stream_count;
    out_catalog->view_count = plan->view_count;
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        const struct plan_stream *stream = &plan->stream[i];
        stream_of_plan(stream, &out_catalog->stream[i]);
    }
    for (uint32_t i = 0; i < plan->view_count; i++) {
        struct catalog_view *view = &out_catalog->view[i];
        memcpy(view->name, plan->view[i].name, NAME_SIZE_MAX);
        memcpy(view->entity, plan->view[i].entity, NAME_SIZE_MAX);
        view->version = plan->view[i].version;
        sources_of_plan(plan, i, view);
        view->fingerprint = plan->view[i].fingerprint;
    }
    ASSERT(catalog_is_good(out_catalog));
}

static void name_write(struct bytes_writer *writer, const char *name)
{
    size_t length = strnlen(name, NAME_SIZE_MAX);
    bytes_write_u8(writer, (uint8_t)length);
    bytes_write(writer, name, (uint32_t)length);
}

static void stream_write(struct bytes_writer *writer, const struct catalog_stream *stream)
{
    bytes_write_u16(writer, stream->id);
    bytes_write_u16(writer, stream->version);
    bytes_write_u16(writer, stream->time_field);
    bytes_write_u16(writer, stream->field_count);
    bytes_write_u64(writer, stream->fingerprint);
    name_write(writer, stream->name);
    for (uint32_t i = 0; i < stream->field_count; i++) {
        const struct catalog_field *field = &stream->field[i];
        bytes_write_u8(writer, field->type);
        bytes_write_u8(writer, field->scale);
        bytes_write_u8(writer, field->unit);
        bytes_write_u8(writer, field->optional);
        bytes_write_u16(writer, field->id);
        bytes_write_u16(writer, field->since);
        bytes_write_u16(writer, field->size);
        name_write(writer, field->name);
    }
}

static uint16_t version_of(const struct catalog *catalog)
{
    uint16_t version = CATALOG_VERSION;
    for (uint32_t i = 0; i < catalog->view_count; i++) {
        version = catalog->view[i].other_count > 0 ? CATALOG_VERSION_SOURCES : version;
    }
    return version;
}

static void view_write(struct bytes_writer *writer, uint16_t version,
                       const struct catalog_view *view)
{
    bytes_write_u16(writer, view->version);
    bytes_write_u16(writer, view->stream);
    bytes_write_u16(writer, view->place);
    bytes_write_u64(writer, view->fingerprint);
    name_write(writer, view->name);
    name_write(writer, view->entity);
    if (version == CATALOG_VERSION) {
        return;
    }
    bytes_write_u8(writer, (uint8_t)view->other_count);
    for (uint32_t i = 0; i < view->other_count; i++) {
        bytes_write_u16(writer, view->other[i].stream);
        bytes_write_u16(writer, view->other[i].place);
    }
}

uint32_t catalog_encode(const struct catalog *catalog, uint8_t *data, uint32_t size)
{
    ASSERT(catalog_is_good(catalog));
    uint16_t version = version_of(catalog);
    struct bytes_writer writer = bytes_writer_of(data, size);
    bytes_write_u16(&writer, version);
    bytes_write_u16(&writer, catalog->stream_count);
    bytes_write_u16(&writer, catalog->view_count);
    bytes_write_u64(&writer, catalog->fingerprint);
    for (uint32_t i = 0; i < catalog->stream_count; i++) {
        stream_write(&writer, &catalog->stream[i]);
    }
    for (uint32_t i = 0; i < catalog->view_count; i++) {
        view_write(&writer, version, &catalog->view[i]);
    }
    ASSERT(bytes_write_finish(&writer) == RESULT_OK);
    return writer.at;
}

/* A name that is too long becomes an empty one, which no check lets pass. */
static void name_read(struct bytes_reader *reader, char name[NAME_SIZE_MAX])
{
    uint8_t length = bytes_read_u8(reader);
    const uint8_t *text = bytes_read_view(reader, length);
    memset(name, 0, NAME_SIZE_MAX);
    if (text != NULL && length < NAME_SIZE_MAX && memchr(text, '\0', length) == NULL) {
        memcpy(name, text, length);
    }
}

static void stream_read(struct bytes_reader *reader, struct catalog_stream *stream)
{
    stream->id = bytes_read_u16(reader);
    stream->version = bytes_read_u16(reader);
    stream->time_field = bytes_read_u16(reader);
    stream->field_count = bytes_read_u16(reader);
    stream->fingerprint = bytes_read_u64(reader);
    name_read(reader, stream->name);
    for (uint32_t i = 0; i < stream->field_count && i < FIELDS_MAX; i++) {
        struct catalog_field *field = &stream->field[i];
        field->type = bytes_read_u8(reader);
        field->scale = bytes_read_u8(reader);
        field->unit = bytes_read_u8(reader);
        field->optional = bytes_read_u8(reader);
        field->id = bytes_read_u16(reader);
        field->since = bytes_read_u16(reader);
        field->size = bytes_read_u16(reader);
        name_read(reader, field->name);
    }
}

static void view_read(struct bytes_reader *reader, uint16_t version, struct catalog_view *view)
{
    view->version = bytes_read_u16(reader);
    view->stream = bytes_read_u16(reader);
    view->place = bytes_read_u16(reader);
    view->fingerprint = bytes_read_u64(reader);
    name_read(reader, view->name);
    name_read(reader, view->entity);
    view->other_count = version == CATALOG_VERSION ? 0 : bytes_read_u8(reader);
    for (uint32_t i = 0; i < view->other_count && i < SOURCES_MAX - 1; i++) {
        view->other[i].stream = bytes_read_u16(reader);
        view->other[i].place = bytes_read_u16(reader);
    }
}

enum result catalog_decode(const uint8_t *data, uint32_t size, struct catalog *out_catalog)
{
    struct bytes_reader reader = bytes_reader_of(data, size);
    memset(out_catalog, 0, sizeof(*out_catalog));
    uint16_t version = bytes_read_u16(&reader);
    out_catalog->stream_count = bytes_read_u16(&reader);
    out_catalog->view_count = bytes_read_u16(&reader);
    out_catalog->fingerprint = bytes_read_u64(&reader);
    if (!reader.failed && version != CATALOG_VERSION && version != CATALOG_VERSION_SOURCES) {
        return RESULT_INVALID;
    }
    for (uint32_t i = 0; i < out_catalog->stream_count && i < STREAMS_MAX; i++) {
        stream_read(&reader, &out_catalog->stream[i]);
    }
    for (uint32_t i = 0; i < out_catalog->view_count && i < VIEWS_MAX; i++) {
        view_read(&reader, version, &out_catalog->view[i]);
    }
    enum result result = bytes_read_finish(&reader);
    if (result != RESULT_OK) {
        return result;
    }
    return bytes_left(&reader) == 0 && catalog_is_good(out_catalog) &&
                   version_of(out_catalog) == version
               ? RESULT_OK
               : RESULT_INVALID;
}

enum result catalog_schema(const struct catalog_stream *stream, struct schema *out_schema)
{
    memset(out_schema, 0, sizeof(*out_schema));
    memcpy(out_schema->name, stream->name, sizeof(out_schema->name));
    out_schema->id = stream->id;
    out_schema->version = stream->version;
    out_schema->field_count = stream->field_count;
    out_schema->time_field = stream->time_field;
    for (uint32_t f = 0; f < stream->field_count; f++) {
        const struct catalog_field *from = &stream->field[f];
        struct schema_field *to = &out_schema->field[f];
        *to = (struct schema_field){.type = (enum field_type)from->type,
                                    .id = from->id,
                                    .since = from->since,
                                    .size = from->size,
                                    .scale = from->scale,
                                    .optional = true,
                                    .unit = (enum time_unit)from->unit};
        memcpy(to->name, from->name, sizeof(to->name));
    }
    return schema_layout(out_schema);
}
