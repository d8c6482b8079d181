/* `services:` to services of the plan: the list and its references (service.c), values and defaults
 * (service_value.c). Private to config/. */
#pragma once

#include "config/loader.h"
#include "dataplane/feature/expression.h"

/* One service on its way. */
struct service_reader {
    struct loader *loader;
    struct config *config;
    struct plan_service *service;
    uint32_t requests_broken; /* Bit i: field i's type is not to be relied on. */
    struct expression expression;
    struct schema_field literal; /* Type of the default in hand. */
};

/* Finds a reference, which stands at a character of the scalar, among the features of all views.
 * False after reporting; in silence when what it may mean was reported already. */
bool service_reference_find(struct service_reader *reader, const struct node *scalar,
                            uint32_t character, const char *reference, uint32_t size,
                            uint16_t *out_view, uint16_t *out_place);
/* The service's read of the feature, made when there is none; -1: there are too many. */
int service_read_place(struct plan_service *service, uint16_t view, uint16_t place);

/* The expression `value:` as an output of the service's program. Reports and returns false. */
bool service_value_read(struct service_reader *reader, const struct node *value,
                        struct plan_service_item *item);
/* `default:`, a literal of the type. Reports. */
void service_default_read(struct service_reader *reader, const struct node *literal,
                          struct expression_type type, struct plan_default *out_default);
