/* Values of a service: expressions over features and fields of the request, and defaults. */
#include <stdio.h>
#include <string.h>

#include "config/errors.h"
#include "config/scalar.h"
#include "config/service.h"
#include "config/suggest.h"
#include "config/view_expression.h"
#include "dataplane/base/assert.h"
#include "dataplane/feature/service.h"
#include "dataplane/feature/text.h"
#include "dataplane/feature/text_number.h"

#define REQUEST_PREFIX "request."

/* Where names are looked for. */
struct names {
    struct service_reader *reader;
    const struct node *scalar;
    bool told; /* What is wrong was reported, here or where it is defined. */
};

static bool request_resolve(struct names *names, const char *name, uint32_t size,
                            uint16_t *out_input, struct expression_type *out_type)
{
    const struct plan_service *service = names->reader->service;
    char wanted[NAME_SIZE_MAX] = "";
    memcpy(wanted, name, size < NAME_SIZE_MAX ? size : NAME_SIZE_MAX - 1);
    struct suggest suggest = suggest_for(wanted);
    for (uint32_t i = 0; i < service->request_count; i++) {
        const struct schema_field *field = &service->request[i];
        if (strlen(field->name) == size && memcmp(field->name, name, size) == 0) {
            names->told = (names->reader->requests_broken >> i & 1) != 0;
            *out_input = (uint16_t)(SERVICE_INPUT_REQUEST + i);
            *out_type = expression_type_of_field(field);
            return !names->told;
        }
        suggest_try(&suggest, field->name);
    }
    char near[SUGGEST_TEXT_SIZE_MAX];
    names->told = true;
    error_inside(names->reader->config, names->scalar, (uint32_t)(name - names->scalar->text),
                 "`%s` is no field of the request of service `%s`%s", wanted, service->name,
                 suggest_text(&suggest, near));
    return false;
}

/* Reports a field of the request that is named without its prefix. */
static bool request_meant(struct names *names, const char *name, uint32_t size)
{
    const struct plan_service *service = names->reader->service;
    for (uint32_t i = 0; i < service->request_count; i++) {
        const char *known = service->request[i].name;
        if (strlen(known) == size && memcmp(known, name, size) == 0) {
            error_inside(names->reader->config, names->scalar,
                         (uint32_t)(name - names->scalar->text),
                         "`%s` is a field of the request; write `request.%s`", known, known);
            return true;
        }
    }
    return false;
}

static bool name_resolve(void *context, const char *name, uint32_t size, uint16_t *out_input,
                         struct expression_type *out_type)
{
    struct names *names = context;
    struct service_reader *reader = names->reader;
    const uint32_t prefix = sizeof(REQUEST_PREFIX) - 1;
    uint32_t character = (uint32_t)(name - names->scalar->text);
    uint16_t view;
    uint16_t place;
    if (size > prefix && memcmp(name, REQUEST_PREFIX, prefix) == 0) {
        return request_resolve(names, name + prefix, size - prefix, out_input, out_type);
    }
    names->told = true;
    if (request_meant(names, name, size)) {
        return false;
    }
    if (!service_reference_find(reader, names->scalar, character, name, size, &view, &place)) {
        return false;
    }
    int read = service_read_place(reader->service, view, place);
    if (read < 0) {
        error_inside(reader->config, names->scalar, character,
                     "service `%s` reads more than %d features; split it", reader->service->name,
                     SERVICE_READS_MAX);
        return false;
    }
    names->told = false;
    *out_input = (uint16_t)read;
    *out_type = service_feature_type(&reader->config->plan, view, place);
    if (out_type->kind == TYPE_null) {
        names->told = true;
        error_inside(reader->config, names->scalar, character,
                     "`%.*s` is a list; expressions take single values", (int)size, name);
        return false;
    }
    return true;
}

bool service_value_read(struct service_reader *reader, const struct node *value,
                        struct plan_service_item *item)
{
    struct config *config = reader->config;
    struct program *program = &reader->service->program;
    struct expression *expression = &reader->expression;
    struct names names = {.reader = reader, .scalar = value};
    uint32_t place;
    if (!scalar_is(config, value, "`value`")) {
        return false;
    }
    if (expression_parse(value->text, value->size, expression, NULL) != RESULT_OK ||
        expression_check(expression, name_resolve, &names, TYPE_null) != RESULT_OK) {
        if (!names.told) {
            call_report(config, value, 0, expression);
        }
        return false;
    }
    if (!call_check_at_read(config, value, expression)) {
        return false;
    }
    if (program_add(program, NULL, expression, NULL, &place) != RESULT_OK) {
        error_at(config, value,
                 "the values of service `%s` are too much with this one: at most %u operations, %u "
                 "literals and %u inputs are allowed in all of them",
                 reader->service->name, PROGRAM_STEPS_MAX, PROGRAM_CONSTANTS_MAX,
                 PROGRAM_INPUTS_MAX);
        return false;
    }
    item->is_computed = true;
    item->source = (uint16_t)place;
    item->inputs = program_inputs_of(program, expression);
    if (item->inputs == 0) {
        error_at(config, value,
                 "`value` reads no feature and no field of the request, so it is the same for "
                 "everyone; name at least one");
        return false;
    }
    if (config->tell != NULL) {
        const struct config_expression told = {
            .site = CONFIG_SITE_SERVICE,
            .owner = (uint16_t)(reader->service - config->plan.service),
            .index = (uint16_t)(item - reader->service->item),
            .value = expression,
        };
        config->tell(config->tell_context, config, &told);
    }
    return true;
}

/* The type as text is read for it. */
static void literal_type(struct schema_field *field, struct expression_type type)
{
    *field = (struct schema_field){.scale = type.scale, .size = 8};
    switch (type.kind) {
    case TYPE_bool:
        field->type = FIELD_TYPE_bool;
        return;
    case TYPE_unsigned:
        field->type = FIELD_TYPE_u64;
        return;
    case TYPE_time:
        field->type = FIELD_TYPE_timestamp;
        return;
    case TYPE_number:
        field->type = type.scale > 0 ? FIELD_TYPE_decimal : FIELD_TYPE_i64;
        return;
    case TYPE_string:
    case TYPE_double:
        return;
    case TYPE_null:
        break;
    }
    UNREACHABLE();
}

static bool literal_read(struct service_reader *reader, const struct node *literal,
                         struct expression_type type, struct plan_default *out)
{
    struct text_number number;
    double real;
    if (type.kind == TYPE_string) {
        out->size = (uint16_t)literal->size;
        if (literal->size > type.size || literal->size >= STRING_SIZE_MAX) {
            return false;
        }
        memcpy(out->text, literal->text, literal->size);
        return true;
    }
    if (type.kind == TYPE_double) {
        bool good = text_number_read(literal->text, literal->size, &number) &&
                    text_number_double(&number, &real);
        memcpy(&out->word, &real, good ? sizeof(real) : 0);
        return good;
    }
    literal_type(&reader->literal, type);
    return text_value_parse(&reader->literal, literal->text, literal->size, &out->word);
}

void service_default_read(struct service_reader *reader, const struct node *literal,
                          struct expression_type type, struct plan_default *out_default)
{
    char name[24];
    char most[40] = "";
    if (!scalar_is(reader->config, literal, "`default`")) {
        return;
    }
    out_default->type = type;
    out_default->given = literal_read(reader, literal, type, out_default);
    if (out_default->given) {
        return;
    }
    if (type.kind == TYPE_string) {
        (void)snprintf(most, sizeof(most), ", at most %u bytes,", type.size);
    }
    error_at(reader->config, literal, "`default` is `%.64s`; a literal of type %s%s is allowed",
             literal->text, expression_type_name(type, name), most);
}
