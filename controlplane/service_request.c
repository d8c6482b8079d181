/* REQUEST: what a request for a service brings along. */
#include <string.h>

#include "controlplane/service_read.h"
#include "controlplane/service_request.h"
#include "controlplane/suggest.h"
#include "dataplane/feature/text.h"

/* Index of the field, or -1 after writing an error. */
static int field_find(struct command_call *call, const struct plan_service *service,
                      const struct resp_argument *name)
{
    char show[96];
    struct suggest suggest = suggest_begin(name->data, name->size);
    for (uint32_t i = 0; i < service->request_count; i++) {
        const char *known = service->request[i].name;
        if (strlen(known) == name->size && memcmp(known, name->data, name->size) == 0) {
            return (int)i;
        }
        suggest_offer(&suggest, known);
    }
    (void)command_show(name, show, sizeof(show));
    if (suggest.best != NULL) {
        resp_write_error(call->reply, "ERR unknown REQUEST field '%s'; did you mean '%s'?", show,
                         suggest.best);
    } else {
        resp_write_error(call->reply, "ERR unknown REQUEST field '%s' of service '%s'", show,
                         service->name);
    }
    return -1;
}

static bool text_is(const struct enum_texts *enums, const struct schema_field *field,
                    uint32_t value, const char *text, uint32_t size)
{
    const char *known = enum_text_at(enums, field, value);
    return strnlen(known, field->size) == size && memcmp(known, text, size) == 0;
}

/* `min`, `max` and `enum`. */
static bool rules_hold(const struct enum_texts *enums, const struct schema_field *field,
                       const char *text, uint32_t size, int64_t word)
{
    /* Unsigned numbers compare as signed ones with the top bit flipped. */
    uint64_t flip = field_type_is_unsigned(field->type) ? UINT64_C(1) << 63 : 0;
    int64_t number = (int64_t)((uint64_t)word ^ flip);
    if ((field->has_min && number < (int64_t)((uint64_t)field->min ^ flip)) ||
        (field->has_max && number > (int64_t)((uint64_t)field->max ^ flip))) {
        return false;
    }
    bool among = field->enum_count == 0;
    for (uint32_t i = 0; i < field->enum_count && !among; i++) {
        among = field->type == FIELD_TYPE_string ? text_is(enums, field, i, text, size)
                                                 : field->enum_number[i] == word;
    }
    return among;
}

enum service_request_fault service_request_word(const struct plan_service *service, uint32_t index,
                                                const char *text, uint32_t size, int64_t *out_word)
{
    const struct schema_field *field = &service->request[index];
    bool good;
    if (field->type == FIELD_TYPE_string) {
        good = size <= field->size;
        *out_word = string_word(text, size);
    } else {
        good = text_value_parse(field, text, size, out_word);
    }
    if (!good) {
        return SERVICE_REQUEST_NO_VALUE;
    }
    return rules_hold(&service->request_enums, field, text, size, *out_word)
               ? SERVICE_REQUEST_GOOD
               : SERVICE_REQUEST_NOT_ALLOWED;
}

static bool value_read(struct command_call *call, const struct plan_service *service,
                       uint32_t index, const struct resp_argument *value, int64_t *out_word)
{
    const struct schema_field *field = &service->request[index];
    char show[96];
    enum service_request_fault fault =
        service_request_word(service, index, value->data, value->size, out_word);
    (void)command_show(value, show, sizeof(show));
    if (fault == SERVICE_REQUEST_NOT_ALLOWED) {
        resp_write_error(call->reply,
                         "ERR REQUEST %s is '%s', which its min, max or enum does not allow",
                         field->name, show);
    } else if (fault != SERVICE_REQUEST_GOOD && field->type == FIELD_TYPE_string) {
        resp_write_error(call->reply, "ERR REQUEST %s has %u bytes, at most %u are allowed",
                         field->name, value->size, field->size);
    } else if (fault != SERVICE_REQUEST_GOOD && field->scale > 0) {
        resp_write_error(call->reply, "ERR REQUEST %s is '%s', which is no %s of scale %u",
                         field->name, show, field_type_name(field->type), field->scale);
    } else if (fault != SERVICE_REQUEST_GOOD) {
        resp_write_error(call->reply, "ERR REQUEST %s is '%s', which is no %s", field->name, show,
                         field_type_name(field->type));
    }
    return fault == SERVICE_REQUEST_GOOD;
}

bool service_request_read(struct command_call *call, const struct feature_options *options,
                          struct service_run *run)
{
    const struct plan_service *service = run->service;
    uint32_t seen = 0;
    run->request_null = UINT32_MAX;
    for (uint32_t i = 0; i < options->request_count; i++) {
        const struct resp_argument *pair = &options->request[2 * i];
        int field = field_find(call, service, &pair[0]);
        if (field < 0) {
            return false;
        }
        if ((seen >> field & 1) != 0) {
            resp_write_error(call->reply, "ERR REQUEST %s is given twice",
                             service->request[field].name);
            return false;
        }
        seen |= 1u << field;
        if (pair[1].size == 0) {
            continue; /* Null, as in events. */
        }
        if (!value_read(call, service, (uint32_t)field, &pair[1], &run->request[field])) {
            return false;
        }
        run->request_null &= ~(1u << field);
    }
    for (uint32_t i = 0; i < service->request_count; i++) {
        const struct schema_field *field = &service->request[i];
        if ((run->request_null >> i & 1) != 0 && !field->optional) {
            resp_write_error(call->reply,
                             "ERR service '%s' needs REQUEST %s, a %s; it is not optional",
                             service->name, field->name, field_type_name(field->type));
            return false;
        }
    }
    return true;
}
