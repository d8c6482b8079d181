#include "controlplane/sql_texts.h"

#include <string.h>

#include "controlplane/sql_feature.h"
#include "controlplane/sql_service.h"
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
    for (uint32_t i = 0; i < texts->count; i++) {
        const struct sql_text *item = &texts->item[i];
        if (item->site == site && item->owner == owner && item->index == index) {
            return item;
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
