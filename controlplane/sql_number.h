/* Numbers, and values of fields, between tables, where decimals have a point, and the inside of
 * statements, where they are times 10^scale. Writes expressions of SQL; column is one. */
#pragma once

#include "controlplane/buffer.h"
#include "dataplane/feature/expression.h"
#include "dataplane/feature/schema.h"

/* 10^exponent, or 10^-exponent, as a literal. */
void sql_power_write(struct buffer *out, uint32_t exponent, bool negative);

/* column / 10^scale as a double, rounded once. */
void sql_double_write(uint32_t scale, const char *column, struct buffer *out);
/* The same as a decimal of scale digits. */
void sql_decimal_write(uint32_t scale, const char *column, struct buffer *out);

/* A column of a stream, or a value of a request, as expressions take it. */
void sql_field_word(const struct schema_field *field, const char *column, struct buffer *out);
/* A word back as a value of the field is answered. */
void sql_field_show(const struct schema_field *field, const char *column, struct buffer *out);
/* The same of a computed value of this type. */
void sql_type_show(struct expression_type type, const char *column, struct buffer *out);

/* Gives what was written from `from` on a name, unless it is that name. */
void sql_alias_write(struct buffer *out, uint64_t from, const char *name);
