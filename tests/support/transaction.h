/* The stream of config/examples/cards.yaml as a schema, without the loader: what tests of wire and
 * text read and write. Version 2 appends `tip`, `online` and `risk`. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/feature/schema.h"

enum {
    FIELD_TS,
    FIELD_CARD,
    FIELD_MERCHANT,
    FIELD_AMOUNT,
    FIELD_STATUS,
    FIELD_TIP,
    FIELD_ONLINE,
    FIELD_RISK
};

static inline struct schema_field *transaction_field_add(struct schema *schema, const char *name,
                                                         enum field_type type, uint16_t since)
{
    struct schema_field *field = &schema->field[schema->field_count++];
    (void)snprintf(field->name, sizeof(field->name), "%s", name);
    field->type = type;
    field->id = schema->field_count;
    field->since = since;
    return field;
}

static inline void transaction_schema(struct schema *schema, uint16_t version)
{
    memset(schema, 0, sizeof(*schema));
    (void)snprintf(schema->name, sizeof(schema->name), "transaction");
    schema->id = 1;
    schema->version = version;
    transaction_field_add(schema, "ts", FIELD_TYPE_timestamp, 1);
    transaction_field_add(schema, "card", FIELD_TYPE_u64, 1);
    struct schema_field *merchant = transaction_field_add(schema, "merchant", FIELD_TYPE_string, 1);
    merchant->size = 16;
    merchant->optional = true;
    struct schema_field *amount = transaction_field_add(schema, "amount", FIELD_TYPE_decimal, 1);
    amount->scale = 2;
    amount->has_min = true;
    amount->has_max = true;
    amount->max = 100000000;
    struct schema_field *status = transaction_field_add(schema, "status", FIELD_TYPE_string, 1);
    status->size = 8;
    status->enum_count = 2;
    schema->enums.size = 2 * enum_text_stride(status);
    memcpy(schema->enums.text, "ok", 2);
    memcpy(schema->enums.text + enum_text_stride(status), "declined", 8);
    if (version >= 2) {
        struct schema_field *tip = transaction_field_add(schema, "tip", FIELD_TYPE_decimal, 2);
        tip->scale = 2;
        tip->optional = true;
        transaction_field_add(schema, "online", FIELD_TYPE_bool, 2)->optional = true;
        struct schema_field *risk = transaction_field_add(schema, "risk", FIELD_TYPE_f64, 2);
        risk->scale = 3;
        risk->optional = true;
    }
    enum result result = schema_layout(schema);
    ASSERT(result == RESULT_OK);
}
