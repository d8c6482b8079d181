#include "controlplane/sql_texts.h"

#include <string.h>

#include "controlplane/sql_feature.h"
#include "controlplane/sql_service.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/expression_sql.h"
#include "dataplane/feature/service.h"
#include "drivers/memory.h"

#define ROOM_BYTES (1 * MIB) /* One expression's text; BETWEEN and IN repeat what they look at. */

/* What a name callback has to know. */
struct names {
    const struct config *config;
    enum config_site site;
    uint16_t owner;
    uint64_t fields;
};

void sql_texts_init(struct sql_texts *texts)
{
    *texts = (struct sql_texts){.room = heap_alloc(ROOM_BYTES)};
    texts->failed = texts->room == NULL;
    buffer_init(&texts->text, 0);
}

void sql_texts_deinit(struct sql_texts *texts)
{
    heap_free(texts->item);
    heap_free(texts->room);
    buffer_deinit(&texts->text);
}

static void input_name_write(struct names *names, uint16_t input, struct buffer *out)
{
    const struct plan *plan = &names->config->plan;
    if (names->site == CONFIG_SITE_SERVICE) {
        const struct plan_service *service = &plan->service[names->owner];
        if (input >= SERVICE_INPUT_REQUEST) {
            buffer_format(out, "\"request.%s\"",
                          service->request[input - SERVICE_INPUT_REQUEST].name);
        } else {
            sql_read_word(plan, &service->read[input], input, out);
        }
        return;
    }
    const struct plan_view *view = &plan->view[names->owner];
    if (names->site == CONFIG_SITE_DERIVED) {
        char column[SQL_NAME_SIZE_MAX];
        sql_feature_name(plan, names->owner, input, "", column);
        sql_feature_word(plan, names->owner, input, column, out);
    } else {
        names->fields |= UINT64_C(1) << input;
        buffer_format(out, "\"%s\"", plan->stream[view->stream].schema.field[input].name);
    }
}

static uint32_t name_write(void *context, uint16_t input, char *out, uint32_t out_size)
{
    struct buffer text;
    uint32_t size = 0;
    buffer_init(&text, 0);
    input_name_write(context, input, &text);
    if (!text.failed && text.size <= out_size) {
        size = (uint32_t)text.size;
        memcpy(out, text.data, size);
    }
    buffer_deinit(&text);
    return size;
}

/* Puts the SQL of one expression behind the others. */
static enum result expression_add(struct sql_texts *texts, struct names *names,
                                  const struct expression *expression, uint64_t *out_at,
                                  uint64_t *out_size)
{
    uint32_t size = 0;
    enum result result =
        expression_sql(expression, name_write, names, texts->room, ROOM_BYTES, &size);
    *out_at = texts->text.size;
    *out_size = size;
    buffer_write(&texts->text, texts->room, size);
    return result;
}

/* Ascends in the order in which expressions are told: views, each with its `where`, aggregates and
 * derived features; then services. */
static uint64_t place_of(enum config_site site, uint32_t owner, uint32_t index)
{
    static const uint8_t part[] = {
        [CONFIG_SITE_WHERE] = 0,   [CONFIG_SITE_BY] = 1,      [CONFIG_SITE_AGGREGATE] = 1,
        [CONFIG_SITE_DERIVED] = 2, [CONFIG_SITE_SERVICE] = 3,
    };
    uint64_t service = site == CONFIG_SITE_SERVICE ? 1 : 0;
    return service << 63 | (uint64_t)owner << 40 | (uint64_t)part[site] << 32 |
           (uint64_t)index << 8 | (uint64_t)site;
}

static bool is_behind_all(const struct sql_texts *texts, const struct config_expression *told)
{
    if (texts->count == 0) {
        return true;
    }
    const struct sql_text *last = &texts->item[texts->count - 1];
    return place_of(told->site, told->owner, told->index) >
           place_of(last->site, last->owner, last->index);
}

static struct sql_text *item_make(struct sql_texts *texts)
{
    if (texts->count == texts->capacity) {
        uint32_t capacity = texts->capacity == 0 ? 64 : 2 * texts->capacity;
        struct sql_text *item = heap_realloc(texts->item, capacity * sizeof(*item));
        if (item == NULL) {
            texts->failed = true;
            return NULL;
        }
        texts->item = item;
        texts->capacity = capacity;
    }
    return &texts->item[texts->count++];
}

void sql_texts_tell(void *context, const struct config *config,
                    const struct config_expression *expression)
{
    struct sql_texts *texts = context;
    struct names names = {.config = config, .site = expression->site, .owner = expression->owner};
    texts->unordered |= !is_behind_all(texts, expression);
    struct sql_text *item = texts->failed ? NULL : item_make(texts);
    if (item == NULL) {
        return;
    }
    *item = (struct sql_text){
        .site = expression->site, .owner = expression->owner, .index = expression->index};
    if (expression->value != NULL) {
        item->type = expression->value->node[expression->value->root].type;
        item->result =
            expression_add(texts, &names, expression->value, &item->value_at, &item->value_size);
    }
    if (expression->where != NULL && item->result == RESULT_OK) {
        item->result =
            expression_add(texts, &names, expression->where, &item->where_at, &item->where_size);
    }
    item->fields = names.fields;
    texts->failed |= texts->text.failed;
}

const struct sql_text *sql_texts_find(const struct sql_texts *texts, enum config_site site,
                                      uint32_t owner, uint32_t index)
{
    uint64_t wanted = place_of(site, owner, index);
    uint32_t low = 0;
    uint32_t high = texts->count;
    ASSERT(!texts->unordered);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct sql_text *item = &texts->item[middle];
        uint64_t place = place_of(item->site, item->owner, item->index);
        if (place == wanted) {
            return item;
        }
        if (place < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

void sql_texts_value(const struct sql_texts *texts, const struct sql_text *text, struct buffer *out)
{
    buffer_write(out, texts->text.data + text->value_at, text->value_size);
}

void sql_texts_where(const struct sql_texts *texts, const struct sql_text *text, struct buffer *out)
{
    buffer_write(out, texts->text.data + text->where_at, text->where_size);
}
