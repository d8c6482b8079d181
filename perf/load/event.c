#include "perf/load/event.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/base/assert.h"

/* Spread of made-up numbers above their minimum, in decoded (scaled) form. */
#define EVENT_SPREAD             100000u
#define EVENT_WORDS              1000u
#define EVENT_NULL_SHARE         0.1
#define EVENT_FIRST_CHOICE_SHARE 0.95

void event_maker_init(struct event_maker *maker, const struct plan *plan, uint32_t stream,
                      uint64_t keys, double zipf, double hot, uint64_t seed)
{
    ASSERT(plan->stream[stream].view_count > 0);
    *maker = (struct event_maker){
        .plan = plan,
        .stream = &plan->stream[stream],
        .view = &plan->view[plan->stream[stream].view[0]],
        .hot = hot,
    };
    for (uint32_t part = 0; part < maker->view->key_count; part++) {
        maker->key_fields |= UINT64_C(1) << plan_key_fields(maker->view, stream)[part];
    }
    zipf_init(&maker->zipf, keys, zipf);
    random_seed(&maker->random, seed);
}

uint64_t event_rank(struct event_maker *maker)
{
    if (maker->in_turn) {
        maker->before = maker->before >= maker->zipf.count ? 1 : maker->before + 1;
        return maker->before;
    }
    if (maker->hot > 0 && random_unit(&maker->random) < maker->hot) {
        return 1;
    }
    return zipf_draw(&maker->zipf, &maker->random);
}

static int64_t event_time_in_unit(int64_t time_us, enum time_unit unit)
{
    switch (unit) {
    case TIME_UNIT_us:
        return time_us;
    case TIME_UNIT_ms:
        return floor_to(time_us, 1000) / 1000;
    case TIME_UNIT_s:
        return floor_to(time_us, US_PER_SECOND) / US_PER_SECOND;
    case TIME_UNIT_ns:
        return time_us * NS_PER_US;
    }
    UNREACHABLE();
}

static void event_number_write(const struct schema_field *field, int64_t value, uint8_t *block)
{
    if (field->type == FIELD_TYPE_f64) {
        double real = (double)value;
        for (uint32_t digit = 0; digit < field->scale; digit++) {
            real /= 10;
        }
        memcpy(block + field->offset, &real, sizeof(real));
        return;
    }
    if (field->type == FIELD_TYPE_timestamp) {
        value = event_time_in_unit(value, field->unit);
    }
    memcpy(block + field->offset, &value, field->size);
}

static void event_string_write(const struct schema_field *field, const char *text, uint8_t *block)
{
    size_t size = strlen(text);
    memset(block + field->offset, 0, field->size);
    memcpy(block + field->offset, text, size < field->size ? size : field->size);
}

static void event_null_write(const struct schema_field *field, uint8_t *block)
{
    switch (field->type) {
    case FIELD_TYPE_u8:
    case FIELD_TYPE_u16:
    case FIELD_TYPE_u32:
    case FIELD_TYPE_u64:
    case FIELD_TYPE_bool:
    case FIELD_TYPE_f64: /* All ones is a NaN. */
        memset(block + field->offset, 0xff, field->size);
        return;
    case FIELD_TYPE_i8:
    case FIELD_TYPE_i16:
    case FIELD_TYPE_i32:
    case FIELD_TYPE_i64:
    case FIELD_TYPE_decimal:
    case FIELD_TYPE_timestamp:
        memset(block + field->offset, 0, field->size);
        block[field->offset + field->size - 1] = 0x80;
        return;
    case FIELD_TYPE_string:
        memset(block + field->offset, 0, field->size);
        return;
    case FIELD_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}

static void event_key_write(const struct schema_field *field, uint64_t rank, uint8_t *block)
{
    if (field->type == FIELD_TYPE_string) {
        char text[24];
        (void)snprintf(text, sizeof(text), "k%llu", (unsigned long long)rank);
        event_string_write(field, text, block);
    } else {
        event_number_write(field, (int64_t)rank, block);
    }
}

static void event_choice_write(struct event_maker *maker, const struct schema_field *field,
                               uint8_t *block)
{
    uint32_t choice = 0;
    if (random_unit(&maker->random) >= EVENT_FIRST_CHOICE_SHARE) {
        choice = (uint32_t)random_below(&maker->random, field->enum_count);
    }
    if (field->type == FIELD_TYPE_string) {
        memcpy(block + field->offset, enum_text_at(&maker->stream->schema.enums, field, choice),
               field->size);
    } else {
        event_number_write(field, field->enum_number[choice], block);
    }
}

/* Greatest value that the made-up part may add to the minimum without leaving the type. */
static uint64_t event_spread(const struct schema_field *field, int64_t least)
{
    uint64_t spread = EVENT_SPREAD;
    if (field->has_max && (uint64_t)(field->max - least) < spread) {
        spread = (uint64_t)(field->max - least);
    }
    uint64_t type_max = UINT64_C(1) << (8 * field->size - 2 < 62 ? 8 * field->size - 2 : 62);
    if (field->type == FIELD_TYPE_bool) {
        type_max = 1;
    }
    return spread < type_max ? spread : type_max;
}

static void event_value_write(struct event_maker *maker, const struct schema_field *field,
                              int64_t time_us, uint8_t *block)
{
    if (field->optional && random_unit(&maker->random) < EVENT_NULL_SHARE) {
        event_null_write(field, block);
    } else if (field->enum_count > 0) {
        event_choice_write(maker, field, block);
    } else if (field->type == FIELD_TYPE_string) {
        char text[24];
        (void)snprintf(text, sizeof(text), "w%u",
                       (unsigned)random_below(&maker->random, EVENT_WORDS));
        event_string_write(field, text, block);
    } else if (field->type == FIELD_TYPE_timestamp) {
        event_number_write(field, time_us, block);
    } else {
        int64_t least = field->has_min ? field->min : 0;
        uint64_t spread = event_spread(field, least);
        /* Squared: many small amounts, few large ones. */
        double unit = random_unit(&maker->random);
        event_number_write(field, least + (int64_t)(unit * unit * (double)spread), block);
    }
}

void event_write(struct event_maker *maker, uint64_t rank, int64_t time_us, uint8_t *block)
{
    const struct schema *schema = &maker->stream->schema;
    for (uint32_t f = 0; f < schema->field_count; f++) {
        const struct schema_field *field = &schema->field[f];
        if (f == schema->time_field) {
            event_number_write(field, time_us, block);
        } else if ((maker->key_fields >> f & 1) != 0) {
            event_key_write(field, rank, block);
        } else {
            event_value_write(maker, field, time_us, block);
        }
    }
}

void event_spoil(const struct event_maker *maker, uint8_t *block)
{
    const struct schema *schema = &maker->stream->schema;
    for (uint32_t f = 0; f < schema->field_count; f++) {
        const struct schema_field *field = &schema->field[f];
        if (f == schema->time_field || (maker->key_fields >> f & 1) != 0) {
            continue;
        }
        if (field->enum_count > 0 && field->type == FIELD_TYPE_string) {
            event_string_write(field, "?", block);
            return;
        }
        if (field->has_max && field->type == FIELD_TYPE_decimal) {
            event_number_write(field, add_clamped(field->max, 1), block);
            return;
        }
    }
    event_null_write(&schema->field[schema->time_field], block);
}

uint32_t event_key_text(const struct event_maker *maker, uint64_t rank,
                        char out[EVENT_KEY_TEXT_SIZE_MAX])
{
    const struct schema *schema = &maker->stream->schema;
    int size = snprintf(out, EVENT_KEY_TEXT_SIZE_MAX, "%s:", maker->view->entity);
    for (uint32_t part = 0; part < maker->view->key_count; part++) {
        uint32_t field = plan_key_fields(maker->view, event_stream(maker))[part];
        bool text = schema->field[field].type == FIELD_TYPE_string;
        size += snprintf(out + size, EVENT_KEY_TEXT_SIZE_MAX - (size_t)size, "%s%s%llu",
                         part == 0 ? "" : "|", text ? "k" : "", (unsigned long long)rank);
    }
    return (uint32_t)size;
}
